//! The same stage in Rust, natively and as a module: the sources of the examples of
//! `standpoint-abi`, compiled for WebAssembly.
//!
//! It needs the target `wasm32-unknown-unknown` (`rustup target add wasm32-unknown-unknown`) and
//! says so where it is not there; with `STANDPOINT_NEEDS_WASM` in the environment that is a
//! failure.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]
#![allow(clippy::print_stderr, reason = "a test that is left out says so")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};
use standpoint_stage::conformance::{CHECKS, Subject, Verdict};
use standpoint_stage::document::Document;
use standpoint_stage::{Stage, StageError, StartContext, testing};
use standpoint_wasm::{LoadPolicy, WasmLimits, WasmStage, inspect};

const TARGET: &str = "wasm32-unknown-unknown";

/// The module of an example, `None` where nothing can build it.
fn example(name: &str) -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let mut rustc = Command::new("rustc");
        let found = rustc.args(["--print", "target-libdir", "--target", TARGET]).output().unwrap();
        if !Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_dir() {
            let told = format!("SKIPPED: there is no {TARGET}; `rustup target add {TARGET}`");
            assert!(std::env::var_os("STANDPOINT_NEEDS_WASM").is_none(), "{told}");
            eprintln!("{told}");
            return None;
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("modules");
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--release", "--offline", "--quiet", "--target", TARGET])
            .args(["-p", "standpoint-abi", "--example", "hedge", "--example", "chaos"])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(target.join(TARGET).join("release/examples"))
    });
    Some(folder.as_ref()?.join(format!("{name}.wasm")))
}

fn start(path: &Path, settings: &Value, deadline: Duration) -> Result<WasmStage, String> {
    let context = StartContext { stage: "here".into(), pipeline_dir: ".".into() };
    let limits = WasmLimits { memory: 64 << 20, deadline, ..WasmLimits::default() };
    WasmStage::load(path, &LoadPolicy::default(), limits, settings, &context)
        .map_err(|error| error.to_string())
}

fn run(stage: &dyn Stage, text: &str) -> Result<Document<'static>, StageError> {
    let mut document = testing::tokenised(text);
    testing::process(stage, &mut document)?;
    Ok(document)
}

#[test]
fn the_same_stage_passes_the_suite_as_a_module() {
    let Some(hedge) = example("hedge") else { return };
    let patience = Duration::from_secs(10);
    let make = |settings: &Value| -> Result<Box<dyn Stage>, StageError> {
        Ok(Box::new(start(&hedge, settings, patience).map_err(StageError::stage)?))
    };
    let manifest = inspect(&hedge).unwrap();
    assert_eq!((&*manifest.name, manifest.model.as_deref()), ("hedge", Some("wordlist-1")));
    let subject = Subject {
        name: manifest.name,
        reads: manifest.reads,
        writes: manifest.writes,
        settings_schema: manifest.settings,
        settings: json!({}),
        make: &make,
        is_hosted: true,
        memory: None,
    };
    for check in CHECKS {
        let verdict = check.run(&subject);
        assert!(!matches!(verdict, Verdict::Failed(_)), "{}: {verdict:?}", check.name);
    }
}

#[test]
fn settings_reach_it_and_wrong_ones_are_refused_in_the_same_words() {
    let Some(hedge) = example("hedge") else { return };
    let start = |settings: Value| start(&hedge, &settings, Duration::from_secs(1));
    let stage = start(json!({ "words": ["rain"] })).unwrap();
    let document = run(&stage, "It may, perhaps, rain.").unwrap();
    assert_eq!(document.layer("hedges").unwrap().annotations.len(), 1);
    let refusals = [
        (json!({ "words": [] }), "`words` is empty: name at least one, or leave it out"),
        (json!({ "words": 3 }), "settings of `hedge`: invalid type: integer `3`"),
        (json!({ "wrods": [] }), "settings of `hedge`: unknown field `wrods`"),
    ];
    for (settings, expected) in refusals {
        let error = start(settings).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn what_it_does_wrong_is_told_in_its_words_and_it_works_again() {
    let Some(chaos) = example("chaos") else { return };
    let stage = start(&chaos, &Value::Null, Duration::from_millis(200)).unwrap();
    let mut told = Vec::new();
    for order in ["panic", "error", "undeclared", "beyond", "hang"] {
        let error = run(&stage, &format!("{order} now")).unwrap_err();
        told.push(format!("{order}: {error}"));
        run(&stage, "fine").unwrap();
    }
    let refused = start(&chaos, &json!({ "panic_at_start": true }), Duration::from_millis(200));
    told.push(format!("at start: {}", refused.unwrap_err()));
    let told = told.join("\n").replace(&format!("{}", chaos.display()), "chaos.wasm");
    assert_snapshot!(told, @r"
    panic: panicked: asked to panic (at crates/standpoint-abi/examples/chaos.rs:75)
    error: asked to fail
    undeclared: it writes `secrets`, which its contract does not name: add it to `writes`
    beyond: layer `rows` span #0: 0..4000 leaves the text, which has 10 bytes
    hang: it waits, and nothing in a module can wake it: compute, or run it as `process`
    at start: chaos.wasm cannot be run: panicked: asked to panic at start (at crates/standpoint-abi/examples/chaos.rs:55)
    ");
    // What a stage writes of everything arrives.
    let mut document = Document::new("d", "rich now").unwrap();
    testing::process(&stage, &mut document).unwrap();
    assert_eq!((document.language(), document.entities().len()), (Some("fr"), 1));
    assert_eq!(document.layer("rows").unwrap().labels, ["low", "high"]);
    assert_eq!(document.notes(), ["left the rest out"]);
}
