//! What the tests of this crate share: plugins built beside them, and documents to try them on.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
#[cfg(not(miri))]
use standpoint_abi::LoadPolicy;
use standpoint_abi::document::Document;
use standpoint_abi::stage::{Stage, StageContext, StageError, StartContext, testing};
use standpoint_abi::{HostedStage, LoadedPlugin};

/// A Rust plugin that `cargo test` has built from `examples/`. With `--test` or `--bench` Cargo
/// builds it only when told `--examples`, too.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    profile.join("examples").join(file)
}

#[cfg(not(miri))]
pub(crate) fn load(name: &str) -> LoadedPlugin {
    LoadedPlugin::load(example(name), &LoadPolicy::default()).unwrap()
}

/// Miri loads no library, so there is only `chaos`, which is linked into the test.
#[cfg(miri)]
#[allow(unsafe_code, reason = "the table is trusted as that of a library is")]
pub(crate) fn load(name: &str) -> LoadedPlugin {
    use linked::Chaos;
    use standpoint_abi::export::{Parts, Section, measure, table};
    use standpoint_abi::layout::PluginTable;
    use standpoint_abi::stage::StageDefinition as _;

    const PARTS: Parts = Parts {
        name: Chaos::NAME,
        version: env!("CARGO_PKG_VERSION"),
        description: "misbehaves as the text says",
        model: None,
        contract: Chaos::CONTRACT,
        panic: "unwind",
        settings: include_str!("../../examples/chaos.schema.json"),
    };
    static SECTION: Section<{ measure(&PARTS) }> = Section::new(&PARTS);
    static TABLE: PluginTable = table::<Chaos>(SECTION.json());
    assert_eq!(name, "chaos");
    // The plugin would take the only place of a listener, and hear of what it has just said.
    let nobody = tracing::subscriber::NoSubscriber::new();
    let _ = tracing::subscriber::set_global_default(nobody);
    // SAFETY: made by this crate, whose functions keep the promises of the ABI.
    unsafe { LoadedPlugin::linked(&TABLE) }.unwrap()
}

#[cfg(miri)]
#[path = "../../examples/chaos.rs"]
#[allow(unreachable_pub, missing_docs, reason = "a plugin's source, linked in")]
mod linked;

pub(crate) fn start() -> StartContext {
    StartContext { stage: "here".into(), pipeline_dir: "/pipeline".into() }
}

pub(crate) fn create(name: &str, settings: &Value) -> Result<HostedStage, StageError> {
    load(name).create(settings, &start())
}

pub(crate) fn chaos() -> HostedStage {
    create("chaos", &Value::Null).unwrap()
}

/// Runs a stage on a text whose first word tells `chaos` what to do.
pub(crate) fn run(stage: &dyn Stage, text: &str) -> Result<Document<'static>, StageError> {
    let mut document = testing::tokenised(text);
    testing::process(stage, &mut document)?;
    Ok(document)
}

pub(crate) fn message(stage: &dyn Stage, text: &str) -> String {
    run(stage, text).unwrap_err().to_string()
}

/// A context for calls that nobody cancels.
pub(crate) fn context(cancelled: &AtomicBool) -> StageContext<'_> {
    StageContext::new("here", 2, cancelled)
}

/// Compiles a C file of `tests/c` or `examples/c` into `folder`; `flags` may define macros.
pub(crate) fn compile_c(source: &str, folder: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = folder.join(name);
    let output = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC"])
        .args(flags)
        .args(library.extension().map(|_| "-shared"))
        .arg("-I")
        .arg(root.join("include"))
        .arg("-o")
        .arg(&library)
        .arg(root.join(source))
        .output()
        .expect("a C compiler, as `cc` or in $CC");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}
