//! What the sandbox costs: prints what loading a module takes, compiled anew and with what was kept
//! of it, and a call of the same stage directly and as a module, each in interleaved rounds. The
//! module is built before:
//!
//! ```text
//! cargo build --release --target wasm32-unknown-unknown -p standpoint-abi --example spans \
//!     && cargo bench -p standpoint-wasm --features runtime
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on its output")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use boundary::spans::Spans;
use serde_json::Value;
use standpoint_wasm::{LoadPolicy, WasmLimits, WasmStage};

#[path = "../../standpoint-stage/benches/boundary/mod.rs"]
mod boundary;

fn main() {
    let module = module();
    if boundary::is_quick() && !module.is_file() {
        println!("there is no {}", module.display());
        return;
    }
    compare_loading(&module);
    let sandboxed = load(&module, None);
    boundary::compare(&[("direct", &Spans), ("module", &sandboxed)], 400, 100);
}

/// Prints what loading takes with an empty folder for what is compiled, and with the same again.
fn compare_loading(module: &Path) {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..if boundary::is_quick() { 1 } else { 50 } {
        let folder = tempfile::tempdir().unwrap();
        for times in &mut times {
            let begun = Instant::now();
            drop(load(module, Some(&folder.path().join("compiled"))));
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [anew, kept] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 10]
    });
    let size = module.metadata().unwrap().len() / 1000;
    println!("loading a module of {size} KB: compiled anew {anew:.2} ms, kept {kept:.2} ms");
}

fn load(module: &Path, cache_dir: Option<&Path>) -> WasmStage {
    let policy = LoadPolicy { cache_dir: cache_dir.map(Path::to_owned), sha256: None };
    let start = boundary::start();
    WasmStage::load(module, &policy, WasmLimits::default(), &Value::Null, &start).unwrap()
}

/// The module, of the target folder that this program lies in or of `SPANS_WASM`.
fn module() -> PathBuf {
    if let Some(module) = std::env::var_os("SPANS_WASM") {
        return module.into();
    }
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).map(Path::to_owned).unwrap_or_default();
    target.join("wasm32-unknown-unknown/release/examples/spans.wasm")
}
