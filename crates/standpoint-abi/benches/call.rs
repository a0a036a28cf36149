//! What the boundary costs: prints a call of the same stage directly and through its shared
//! library, in interleaved rounds. Cargo builds the library only when told to:
//!
//! ```text
//! cargo build --release -p standpoint-abi --examples && cargo bench -p standpoint-abi
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on its output")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde_json::Value;
use standpoint_abi::document::{Annotation, Document, Metadata, Span, layers};
use standpoint_abi::stage::{
    NoSettings, Stage, StageContext, StageDefinition, StartContext, testing,
};
use standpoint_abi::{LoadPolicy, LoadedPlugin};

#[path = "../examples/spans.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "a plugin's source, linked in")]
mod spans;

const ROUNDS: usize = 400;
const CALLS: usize = 250;

fn main() {
    // `cargo test --benches` only asks whether it runs.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let start = StartContext { stage: "spans".into(), pipeline_dir: ".".into() };
    let plugin = LoadedPlugin::load(library(), &LoadPolicy::default()).unwrap();
    let hosted = plugin.create(&Value::Null, &start).unwrap();
    let direct = spans::Spans::start(NoSettings {}, &start).unwrap();
    let stages: [&dyn Stage; 2] = [&direct, &hosted];

    println!(
        "{:<34} {:>10} {:>10} {:>8} {:>10}",
        "p10 of rounds", "direct", "plugin", "ratio", "added"
    );
    for (case, words) in [("5.8 KB, 1,200 + 100 spans, 100 out", 1200), ("empty document", 0)] {
        let mut document = document(words);
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..if quick { 2 } else { ROUNDS } {
            for (stage, times) in stages.iter().zip(&mut times) {
                times.push(time(*stage, &mut document));
            }
        }
        let [direct, plugin] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 10]
        });
        println!(
            "{case:<34} {direct:>7.3} µs {plugin:>7.3} µs {:>8.2} {:>7.3} µs",
            plugin / direct,
            plugin - direct
        );
    }
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

/// A document of so many words, with a token each, a name for every twelfth, and metadata.
fn document(words: usize) -> Document<'static> {
    let text = "word, ".repeat(words * 29 / 36);
    let mut document = Document::new("9f2c", text).unwrap().with_metadata(Metadata {
        title: Some("A title".into()),
        published: Some("2022-09-21".into()),
        language: Some("en".into()),
        ..Metadata::default()
    });
    let span = |index: usize| {
        let start = (index * 29 / 6) as u32;
        Annotation::new(Span::new(start, start + 1))
    };
    document.set_layer(layers::TOKENS, (0..words).map(span).collect::<Vec<_>>()).unwrap();
    let names: Vec<_> = (0..words).step_by(12).map(span).collect();
    document.set_layer("names", names).unwrap();
    document
}

fn library() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let profile = program.parent().and_then(Path::parent).unwrap();
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    profile.join("examples").join(format!("{prefix}spans{suffix}"))
}
