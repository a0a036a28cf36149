//! What a process costs: prints a call of the same stage directly, in a process in Rust and in one
//! in Python, in interleaved rounds. Cargo builds the programs only when told to:
//!
//! ```text
//! cargo build --release -p standpoint-process --examples && cargo bench -p standpoint-process
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on its output")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde_json::Value;
use standpoint_process::host::{Launcher, ProcessLimits, ProcessSettings, ProcessStage, Program};
use standpoint_stage::document::{Annotation, Document, Span, layers};
use standpoint_stage::{NoSettings, Stage, StageContext, StageDefinition, StartContext, testing};

#[path = "../examples/spans-process.rs"]
#[allow(dead_code, reason = "a program's source, linked in")]
mod spans;

const ROUNDS: usize = 200;
const CALLS: usize = 20;

fn main() {
    // `cargo test --benches` only asks whether it runs.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let direct = spans::Spans::start(NoSettings {}, &start()).unwrap();
    let rust = process(&[example("spans-process").to_str().unwrap()]);
    let python = process(&["python3", "-B", "examples/spans.py"]);
    let stages: [(&str, &dyn Stage); 3] =
        [("direct", &direct), ("process, Rust", &rust), ("process, Python", &python)];
    for (case, words) in [("5.8 KB, 1,200 + 100 spans, 100 out", 1200), ("empty document", 0)] {
        let mut document = document(words);
        let mut times = vec![Vec::new(); stages.len()];
        for _ in 0..if quick { 1 } else { ROUNDS } {
            for ((_, stage), times) in stages.iter().zip(&mut times) {
                times.push(time(*stage, &mut document));
            }
        }
        for times in &mut times {
            times.sort_by(f64::total_cmp);
        }
        println!("{case}");
        let base = times[0][times[0].len() / 10];
        for ((name, _), times) in stages.iter().zip(&times) {
            let (p10, median) = (times[times.len() / 10], times[times.len() / 2]);
            println!(
                "  {name:<18} p10 {p10:>9.2} µs  median {median:>9.2} µs  {:>7.1} x",
                p10 / base
            );
        }
    }
}

fn start() -> StartContext {
    StartContext { stage: "spans".into(), pipeline_dir: ".".into() }
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
    ProcessStage::start(program, ProcessSettings::default(), &Value::Null, &start()).unwrap()
}

/// Microseconds of a call.
fn time(stage: &dyn Stage, document: &mut Document<'_>) -> f64 {
    let cancelled = AtomicBool::new(false);
    let context = StageContext::new("spans", 1, &cancelled);
    let begun = Instant::now();
    for _ in 0..CALLS {
        testing::wait_for(stage.process(black_box(document), &context)).unwrap();
    }
    begun.elapsed().as_secs_f64() * 1e6 / CALLS as f64
}

/// A document of so many words, with a token each and a name for every twelfth.
fn document(words: usize) -> Document<'static> {
    let text = "word, ".repeat(words * 29 / 36);
    let mut document = Document::new("9f2c", text).unwrap();
    let span = |index: usize| {
        let start = (index * 29 / 6) as u32;
        Annotation::new(Span::new(start, start + 1))
    };
    document.set_layer(layers::TOKENS, (0..words).map(span).collect::<Vec<_>>()).unwrap();
    let names: Vec<_> = (0..words).step_by(12).map(span).collect();
    document.set_layer("names", names).unwrap();
    document
}

fn example(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().and_then(Path::parent).unwrap().join("examples").join(name)
}
