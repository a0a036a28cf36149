//! What the engine costs: microseconds for a document and stage with stages that do nothing, and
//! what a second worker brings with stages that compute.
//!
//! `cargo bench -p standpoint-engine` prints both.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use standpoint_document::Document;
use standpoint_engine::{
    Compute, Delivery, Engine, Limits, Pipeline, Receipt, Sink, SinkError, SinkStep, Source,
    SourceError, SourceStep, StageStep,
};
use standpoint_stage::{Stage, StageContext, StageError};

/// Six kilobytes, as a news article has.
const TEXT_BYTES: usize = 6_000;

struct Copies {
    left: usize,
}

#[async_trait]
impl Source for Copies {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        static TEXT: [u8; TEXT_BYTES] = [b'a'; TEXT_BYTES];
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let text = std::str::from_utf8(&TEXT).unwrap_or_default();
        let document = Document::new("d", text).map_err(|e| SourceError::new(e.to_string()))?;
        Ok(Some(Delivery::new(document, Receipt::ignored())))
    }
}

struct Nowhere;

#[async_trait]
impl Sink for Nowhere {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        Ok(vec![Ok(()); documents.len()])
    }
}

/// Counts for as many rounds.
struct Count {
    rounds: u64,
}

#[async_trait]
impl Stage for Count {
    async fn process(&self, _: &mut Document<'_>, _: &StageContext<'_>) -> Result<(), StageError> {
        for round in 0..self.rounds {
            black_box(round);
        }
        Ok(())
    }
}

fn time(workers: usize, documents: usize, stages: usize, rounds: u64) -> Duration {
    let stage = |index: usize| StageStep {
        timeout: Some(Duration::from_secs(10)),
        restores: true,
        ..StageStep::new(format!("stage-{index}"), Arc::new(Count { rounds }))
    };
    let workers = NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN);
    let source: Box<dyn Source> = Box::new(Copies { left: documents });
    let pipeline = Pipeline {
        sources: vec![SourceStep::new("copies", source)],
        stages: (0..stages).map(stage).collect(),
        sinks: vec![SinkStep::new("nowhere", Box::new(Nowhere))],
        limits: Limits { compute: Compute::Workers(workers), ..Limits::default() },
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return Duration::ZERO };
    let started = Instant::now();
    let summary = runtime.block_on(Engine::new(pipeline).run());
    assert_eq!(summary.counts.done, documents as u64);
    started.elapsed()
}

/// The processor time that this process has used, where the system tells, in steps of 10 ms: on a
/// busy machine it says more than the time on the wall.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // User and system time follow 11 fields behind the name in brackets.
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    const DOCUMENTS: usize = 100_000;
    for stages in [1, 4] {
        for workers in [1, 2] {
            let before = processor_time();
            let best = (0..3).map(|_| time(workers, DOCUMENTS, stages, 0)).min();
            let processor = processor_time().saturating_sub(before) / 3;
            let [wall, processor] = [best.unwrap_or_default(), processor]
                .map(|time| time.as_secs_f64() * 1e6 / DOCUMENTS as f64);
            println!(
                "{stages} empty stages, {workers} workers: {wall:.2} µs a document, {:.2} µs a \
                 document and stage ({:.2} µs of processor time)",
                wall / stages as f64,
                processor / stages as f64
            );
        }
    }
    let [one, two] = [1, 2]
        .map(|workers| (0..3).map(|_| time(workers, 2_000, 4, 500_000)).min().unwrap_or_default());
    println!(
        "computing stages: two workers are {:.2} times as fast as one ({one:?}, {two:?})",
        one.as_secs_f64() / two.as_secs_f64()
    );
}
