//! What the sandbox costs: prints a call of the same stage directly and as a module, in interleaved
//! rounds. The module is built before:
//!
//! ```text
//! cargo build --release --target wasm32-unknown-unknown -p standpoint-abi --example spans \
//!     && cargo bench -p standpoint-wasm --features runtime
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on its output")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use async_trait::async_trait;
use serde_json::Value;
use standpoint_stage::document::{Annotation, Document, Metadata, Span, layers};
use standpoint_stage::{Stage, StageContext, StageError, StartContext, testing};
use standpoint_wasm::{LoadPolicy, WasmLimits, WasmStage};

const ROUNDS: usize = 400;
const CALLS: usize = 100;

/// The same as the module: touches every span that it reads and writes a hundred.
struct Spans;

#[async_trait]
impl Stage for Spans {
    async fn process(
        &self,
        document: &mut Document<'_>,
        _: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let names = document.layer("names").map_or(&[][..], |layer| &layer.annotations);
        let tokens = document.tokens();
        let sum = |spans: &[Annotation]| {
            spans.iter().fold(0_u32, |sum, a| sum.wrapping_add(a.span.end ^ a.label))
        };
        let total = sum(tokens).wrapping_add(sum(names));
        let marks: Vec<_> = tokens.iter().step_by(12).map(|t| t.with_flags(total)).collect();
        document.set_layer("marks", marks)?;
        Ok(())
    }
}

fn main() {
    // `cargo test --benches` only asks whether it runs.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let module = module();
    if quick && !module.is_file() {
        println!("there is no {}", module.display());
        return;
    }
    let start = StartContext { stage: "spans".into(), pipeline_dir: ".".into() };
    let (policy, limits) = (LoadPolicy::default(), WasmLimits::default());
    let begun = Instant::now();
    let sandboxed = WasmStage::load(&module, &policy, limits, &Value::Null, &start).unwrap();
    println!("compiled and started in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    let stages: [&dyn Stage; 2] = [&Spans, &sandboxed];
    println!("{:<34} {:>10} {:>10} {:>8}", "p10 of rounds", "direct", "module", "ratio");
    for (case, words) in [("5.8 KB, 1,200 + 100 spans, 100 out", 1200), ("empty document", 0)] {
        let mut document = document(words);
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..if quick { 2 } else { ROUNDS } {
            for (stage, times) in stages.iter().zip(&mut times) {
                times.push(time(*stage, &mut document));
            }
        }
        let [direct, module] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 10]
        });
        println!("{case:<34} {direct:>7.3} µs {module:>7.3} µs {:>8.2}", module / direct);
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

/// The document of the benchmark of the C ABI.
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

/// The module, of the target folder that this program lies in or of `SPANS_WASM`.
fn module() -> PathBuf {
    if let Some(module) = std::env::var_os("SPANS_WASM") {
        return module.into();
    }
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).map(Path::to_owned).unwrap_or_default();
    target.join("wasm32-unknown-unknown/release/examples/spans.wasm")
}
