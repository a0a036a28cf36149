//! What a module does in its sandbox, it does to its own document and to nobody else.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::Value;
use standpoint_stage::conformance::{CHECKS, Subject, Verdict};
use standpoint_stage::document::Document;
use standpoint_stage::{Stage, StageError, StartContext, testing};
use standpoint_wasm::{LoadPolicy, ModuleError, WasmLimits, WasmStage, inspect};
use tempfile::TempDir;

/// A stage in C that was compiled for version 1 of the interface, and loads for ever.
fn hedge() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/hedge.wasm")
}

fn context() -> StartContext {
    StartContext { stage: "here".into(), pipeline_dir: ".".into() }
}

fn limits() -> WasmLimits {
    WasmLimits {
        memory: 64 << 20,
        deadline: Duration::from_millis(50),
        instances: NonZeroUsize::new(2).unwrap(),
    }
}

fn load(path: &Path) -> Result<WasmStage, ModuleError> {
    WasmStage::load(path, &LoadPolicy::default(), limits(), &Value::Null, &context())
}

/// A module whose `sp_process` is `body`, over memory in which lie: at 1024 an answer that writes
/// nothing, at 1040 one that refuses, at 2048 one whose span leaves the text.
fn guest(folder: &TempDir, extra: &str, body: &str) -> PathBuf {
    guest_of(folder, extra, "0x0000040000000004", body)
}

/// An answer, as the text form of a module has its data.
fn answer(status: u32, content: &[u8]) -> String {
    let bytes = status.to_le_bytes().into_iter().chain(content.iter().copied());
    bytes.map(|byte| format!("\\{byte:02x}")).collect()
}

/// The same, with where the answer of `sp_start` lies.
fn guest_of(folder: &TempDir, extra: &str, started: &str, body: &str) -> PathBuf {
    let mut wrong = 40_u32.to_le_bytes().to_vec();
    wrong.extend_from_slice(format!("{:<40}", r#"{"layers":[{"name":"x","count":1}]}"#).as_bytes());
    for word in [3_u32, 9999, 0, 0, 0, u32::MAX] {
        wrong.extend(word.to_le_bytes());
    }
    let text = format!(
        r#"(module
            {extra}
            (memory (export "memory") 2)
            (data (i32.const 1024) "{nothing}")
            (data (i32.const 1040) "{refusal}")
            (data (i32.const 2048) "{wrong}")
            (func (export "sp_alloc") (param i32) (result i32) (i32.const 4096))
            (func (export "sp_start") (param i32 i32) (result i64)
                (i64.const {started}))
            (func $deep (param i32) (result i32)
                (i32.add (call $deep (local.get 0)) (i32.const 1)))
            (func (export "sp_process") (param i32 i32) (result i64) {body}))"#,
        nothing = answer(0, b"\x02\0\0\0{}"),
        refusal = answer(1, br#"{"kind":"document","message":"too odd"}"#),
        wrong = answer(0, &wrong),
    );
    let mut bytes = wat::parse_str(&text).unwrap();
    let manifest = br#"standpoint{"name":"odd","version":"1","writes":["x"]}"#;
    bytes.extend([0, manifest.len() as u8 + 1, 10]);
    bytes.extend_from_slice(manifest);
    let path = folder.path().join("odd.wasm");
    fs::write(&path, bytes).unwrap();
    path
}

fn run(stage: &dyn Stage, text: &str) -> Result<Document<'static>, StageError> {
    let mut document = testing::tokenised(text);
    testing::process(stage, &mut document)?;
    Ok(document)
}

#[test]
fn a_module_works_like_any_other_stage() {
    assert_eq!(inspect(&hedge()).unwrap().name, "hedge-wasm");
    let stage = load(&hedge()).unwrap();
    for _ in 0..1000 {
        let document = run(&stage, "Мой друг, perhaps, Perhaps.").unwrap();
        let hedges = &document.layer("hedges").unwrap().annotations;
        let words: Vec<_> = hedges.iter().map(|hedge| document.slice(hedge.span)).collect();
        assert_eq!(words, ["perhaps", "Perhaps"]);
    }
}

#[test]
fn a_module_passes_the_suite_of_every_stage() {
    let make = |settings: &Value| -> Result<Box<dyn Stage>, StageError> {
        let limits = WasmLimits { deadline: Duration::from_secs(5), ..limits() };
        let policy = LoadPolicy::default();
        let stage = WasmStage::load(&hedge(), &policy, limits, settings, &context());
        Ok(Box::new(stage.map_err(|error| StageError::stage(error.to_string()))?))
    };
    let manifest = inspect(&hedge()).unwrap();
    let subject = Subject {
        name: manifest.name,
        reads: manifest.reads,
        writes: manifest.writes,
        settings_schema: manifest.settings,
        settings: serde_json::json!({}),
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
fn whatever_a_module_does_costs_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = "(i64.const 0x000004000000000a)";
    let table = "(table $t 1 funcref)";
    let log = r#"(import "standpoint" "log" (func $log (param i32 i32 i32)))"#;
    let cases = [
        ("loops", "", "(loop (br 0)) (i64.const 0)"),
        ("logs for ever", log, "(loop (call $log (i32.const 3) (i32.const 1048) (i32.const 5)) (br 0)) (i64.const 0)"),
        (
            "eats memory",
            "",
            "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)",
        ),
        (
            "eats tables",
            table,
            "(loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 4096)) (i32.const -1))))
            (unreachable)",
        ),
        ("aborts", "", "(unreachable)"),
        ("says why", log, "(call $log (i32.const 0) (i32.const 1074) (i32.const 7)) (unreachable)"),
        ("recurses", "", "(drop (call $deep (i32.const 1))) (i64.const 0)"),
        ("reads beyond", "", "(drop (i32.load (i32.const 0x7fffffff))) (i64.const 0)"),
        ("divides by nothing", "", "(drop (i32.div_u (i32.const 1) (i32.const 0))) (i64.const 0)"),
        ("answers beyond", "", "(i64.const 0x7fffffff00000010)"),
        ("answers nothing", "", "(i64.const 0)"),
        ("answers rubbish", "", "(i64.const 0x0000100000000010)"),
        ("answers cut", "", "(i64.const 0x0000040000000006)"),
        ("writes wrong spans", "", "(i64.const 0x0000080000000048)"),
        ("refuses", "", "(i64.const 0x000004100000002b)"),
    ];
    let mut told = Vec::new();
    for (case, extra, body) in cases {
        // It goes wrong with long texts only, so that a new instance can be seen to work.
        let body = format!(
            "(if (result i64) (i32.gt_u (local.get 1) (i32.const 400)) (then {body}) \
             (else {nothing}))"
        );
        let stage = load(&guest(&folder, extra, &body)).unwrap();
        run(&stage, "short").unwrap();
        let mut document = testing::tokenised(&"long ".repeat(200));
        let before = format!("{document:?}");
        let error = testing::process(&stage, &mut document).unwrap_err();
        assert_eq!(format!("{document:?}"), before, "{case}: it left something behind");
        run(&stage, "short").unwrap();
        told.push(format!("{case}: {error}"));
    }
    assert_snapshot!(told.join("\n"), @r"
    loops: it took longer than its deadline of 50ms
    logs for ever: it took longer than its deadline of 50ms
    eats memory: it trapped: wasm trap: wasm `unreachable` instruction executed; it held 63 of 64 MiB
    eats tables: it trapped: wasm trap: wasm `unreachable` instruction executed
    aborts: it trapped: wasm trap: wasm `unreachable` instruction executed
    says why: too odd
    recurses: it trapped: wasm trap: call stack exhausted
    reads beyond: it trapped: wasm trap: out of bounds memory access
    divides by nothing: it trapped: wasm trap: integer divide by zero
    answers beyond: its answer leaves its memory
    answers nothing: its answer is too short
    answers rubbish: its answer begins with 200, which is no status
    answers cut: its columns are shorter than their header says
    writes wrong spans: layer `x` span #0: 3..9999 leaves the text, which has 1000 bytes
    refuses: too odd
    ");
}

#[test]
fn a_module_that_takes_the_binary_form_is_trusted_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let lies: [(&str, &[u32]); 8] = [
        ("nothing", &[0, 0]),
        ("cut", &[0]),
        ("rest", &[0, 0, 0]),
        ("unknown name", &[1, 0, 7, 0, 0, 0]),
        ("many layers", &[u32::MAX, 0]),
        ("many spans", &[1, 0, 0, u32::MAX, u32::MAX, 0]),
        ("many labels", &[1, 0, 0, 0, 0, u32::MAX]),
        ("wrong span", &[1, 0, 0, 1, 0, 0, 3, 9999, 0, 0, 0, u32::MAX]),
    ];
    let told = lies.map(|(case, numbers)| {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let (asks, lie) = (answer(0, &2_u32.to_le_bytes()), answer(0, &bytes));
        let data = format!(r#"(data (i32.const 3072) "{asks}") (data (i32.const 3088) "{lie}")"#);
        let body = format!("(i64.const {})", (3088_u64 << 32) + 4 + bytes.len() as u64);
        let stage = load(&guest_of(&folder, &data, "0x00000c0000000008", &body)).unwrap();
        let told = run(&stage, "short").map_or_else(|error| error.to_string(), |_| "taken".into());
        format!("{case}: {told}")
    });
    assert_snapshot!(told.join("\n"), @r"
    nothing: taken
    cut: its columns are shorter than their header says
    rest: its reply is longer than its header says
    unknown name: it writes layer number 7 of a contract that names 1
    many layers: its columns are shorter than their header says
    many spans: its columns are shorter than their header says
    many labels: its columns are shorter than their header says
    wrong span: layer `x` span #0: 3..9999 leaves the text, which has 5 bytes
    ");
}

#[test]
fn a_module_gets_nothing_that_it_was_not_given() {
    let folder = tempfile::tempdir().unwrap();
    let write = r#"(import "wasi_snapshot_preview1" "fd_write"
        (func (param i32 i32 i32 i32) (result i32)))"#;
    let wanting = load(&guest(&folder, write, "(i64.const 0)")).unwrap_err().to_string();
    let greedy = wat::parse_str(r#"(module (memory (export "memory") 2000))"#).unwrap();
    let section = b"standpoint{\"name\":\"greedy\",\"version\":\"1\"}";
    let greedy = [&greedy, &[0, section.len() as u8 + 1, 10][..], section].concat();
    let path = folder.path().join("greedy.wasm");
    fs::write(&path, greedy).unwrap();
    let greedy = load(&path).unwrap_err().to_string();
    let text = folder.path().join("text.wasm");
    fs::write(&text, "Loading...").unwrap();
    let pinned = LoadPolicy { sha256: Some("0".repeat(64)), ..LoadPolicy::default() };
    let other = WasmStage::load(&hedge(), &pinned, limits(), &Value::Null, &context()).unwrap_err();
    assert!(other.to_string().contains("hedge.wasm has the SHA-256"), "{other}");
    let open = guest(&folder, "", "(i64.const 0)");
    fs::set_permissions(&open, PermissionsExt::from_mode(0o666)).unwrap();
    let open = load(&open).unwrap_err().to_string();
    let said = [wanting, greedy, load(&text).unwrap_err().to_string(), open].join("\n");
    let folder = format!("{}/", folder.path().display());
    assert_snapshot!(said.replace(&folder, ""), @r"
    odd.wasm imports `wasi_snapshot_preview1.fd_write`, and a stage gets nothing but `standpoint.log`: build it without a system interface, as for `wasm32-unknown-unknown`
    greedy.wasm cannot be run: memory minimum size of 2000 pages exceeds memory limits
    text.wasm is no WebAssembly module that can be a stage: it does not begin as one
    odd.wasm may be written by anybody, so its code is not run: `chmod o-w` it
    ");
}

/// Loads `hedge` with a folder for what is compiled.
fn load_kept(cache: &Path) -> Result<WasmStage, ModuleError> {
    let policy = LoadPolicy { cache_dir: Some(cache.to_owned()), sha256: None };
    WasmStage::load(&hedge(), &policy, limits(), &Value::Null, &context())
}

#[test]
fn what_was_compiled_is_kept_and_taken_again_while_it_is_whole_and_ours() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let kept = || -> Vec<PathBuf> {
        fs::read_dir(&cache).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    load_kept(&cache).unwrap();
    let first = kept();
    assert!(first.len() == 1 && first[0].extension().unwrap() == "compiled", "{first:?}");
    let whole = fs::read(&first[0]).unwrap();
    // One that is made again is another file; one that is taken is only told when.
    let written = || std::os::unix::fs::MetadataExt::ino(&first[0].metadata().unwrap());
    let before = written();
    run(&load_kept(&cache).unwrap(), "perhaps").unwrap();
    assert_eq!(written(), before, "taken as it was");
    // One bit of it is enough, wherever it is.
    for at in [0, 40, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&first[0], &damaged).unwrap();
        run(&load_kept(&cache).unwrap(), "perhaps").unwrap();
        assert!(fs::read(&first[0]).unwrap() == whole, "made again: {at}");
    }
    // A file that others may write, or that lies elsewhere, is not taken either.
    fs::set_permissions(&first[0], PermissionsExt::from_mode(0o666)).unwrap();
    load_kept(&cache).unwrap();
    assert_eq!(first[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&first[0], &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &first[0]).unwrap();
    load_kept(&cache).unwrap();
    assert!(first[0].symlink_metadata().unwrap().is_file());
}

#[test]
fn of_what_was_compiled_the_last_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    load_kept(&cache).unwrap();
    let own = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&own).unwrap();
    for name in (0..40).map(|index| format!("{index}.compiled")).chain(["0.1.tmp".to_owned()]) {
        let file = fs::File::create(cache.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    fs::write(cache.join("library.so"), "a plugin's copy").unwrap();
    load_kept(&cache).unwrap();
    let left = fs::read_dir(&cache).unwrap().count();
    assert_eq!((left, own.exists(), cache.join("library.so").exists()), (32 + 1, true, true));
}

#[test]
fn a_folder_that_others_can_change_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o777, 0o775, 0o1777] {
        let open = folder.path().join(format!("{mode:o}"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, PermissionsExt::from_mode(mode)).unwrap();
        let error = load_kept(&open).unwrap_err();
        assert!(matches!(error, ModuleError::Cache { .. }), "{mode:o}: {error}");
        assert_eq!(fs::read_dir(&open).unwrap().count(), 0, "{mode:o}");
        if mode == 0o777 {
            let inside = open.join("cache");
            assert!(matches!(load_kept(&inside), Err(ModuleError::Cache { .. })), "above it");
        }
    }
}
