//! What a process costs: prints a call of the same stage directly, in a process in Rust and in one
//! in Python, in interleaved rounds. Cargo builds the programs only when told to:
//!
//! ```text
//! cargo build --release -p standpoint-process --examples && cargo bench -p standpoint-process
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on its output")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use boundary::spans::Spans;
use serde_json::Value;
use standpoint_process::host::{Launcher, ProcessLimits, ProcessSettings, ProcessStage, Program};

#[path = "../../standpoint-stage/benches/boundary/mod.rs"]
mod boundary;

fn main() {
    let rust = process(&[example("spans-process").to_str().unwrap()]);
    let python = process(&["python3", "-B", "examples/spans.py"]);
    let stages: [(&str, &dyn standpoint_stage::Stage); 3] =
        [("direct", &Spans), ("process, Rust", &rust), ("process, Python", &python)];
    boundary::compare(&stages, 200, 20);
}

fn process(words: &[&str]) -> ProcessStage {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let program = Program {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        env: BTreeMap::from([("PYTHONPATH".into(), python.to_str().unwrap().into())]),
        dir: python,
        limits: ProcessLimits::default(),
        launcher: Launcher::other(example("launcher")),
    };
    let settings = ProcessSettings::default();
    ProcessStage::start(program, settings, &Value::Null, &boundary::start()).unwrap()
}

fn example(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().and_then(Path::parent).unwrap().join("examples").join(name)
}
