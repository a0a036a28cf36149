//! Measures a call of a stage directly and over a boundary. The benchmarks of the three boundaries
//! (a shared library, a process, the sandbox) include this file by its path.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use standpoint_stage::document::{Annotation, Document, Metadata, Span, layers};
use standpoint_stage::{Stage, StageContext, StartContext, testing};

pub(crate) mod spans;

/// Whether it is only asked whether it runs, as by `cargo test --benches`.
pub(crate) fn is_quick() -> bool {
    !std::env::args().any(|argument| argument == "--bench")
}

pub(crate) fn start() -> StartContext {
    StartContext { stage: "spans".into(), pipeline_dir: ".".into() }
}

/// Prints what a call of each stage takes, and how much more than one of the first.
///
/// - `rounds`: in each of them the stages take turns, so that what else the machine does is borne
///   by all of them.
/// - `calls`: of a stage in a round.
pub(crate) fn compare(stages: &[(&str, &dyn Stage)], rounds: usize, calls: usize) {
    for (case, words) in [("5.8 KB, 1,200 + 100 spans, 100 out", 1200), ("empty document", 0)] {
        let mut document = document(words);
        let mut times = vec![Vec::new(); stages.len()];
        for _ in 0..if is_quick() { 1 } else { rounds } {
            for ((_, stage), times) in stages.iter().zip(&mut times) {
                times.push(time(*stage, &mut document, calls));
            }
        }
        println!("{case}");
        let mut direct = None;
        for ((name, _), mut times) in stages.iter().zip(times) {
            times.sort_by(f64::total_cmp);
            let (p10, median) = (times[times.len() / 10], times[times.len() / 2]);
            let direct = *direct.get_or_insert(p10);
            let (added, ratio) = (p10 - direct, p10 / direct);
            println!(
                "  {name:<16} p10 {p10:>9.3} µs  median {median:>9.3} µs  added {added:>9.3} µs  \
                 {ratio:>8.2} x"
            );
        }
    }
}

/// Microseconds of a call.
fn time(stage: &dyn Stage, document: &mut Document<'_>, calls: usize) -> f64 {
    let cancelled = AtomicBool::new(false);
    let context = StageContext::new("spans", 1, &cancelled);
    let begun = Instant::now();
    for _ in 0..calls {
        testing::wait_for(stage.process(black_box(document), &context)).unwrap();
    }
    begun.elapsed().as_secs_f64() * 1e6 / calls as f64
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
