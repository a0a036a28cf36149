//! Every delivery is settled exactly once, whatever happens, and memory stays bounded.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use standpoint_document::Document;
use standpoint_engine::{
    Backoff, Compute, Engine, Group, Limits, OnError, Outcome, Pipeline, Retry, RunError, SinkStep,
    SourceStep, StageStep,
};
use tokio::time::sleep;

use crate::common::{Memory, Texts, Then, in_order, limits, obedient, pipeline, said};

const WORDS: [&str; 10] = [
    "good",
    "fail",
    "panic",
    "hang",
    "busy:1",
    "busy:9",
    "sleep:3",
    "sleep:70",
    "refused",
    "unreadable",
];

/// Everything that may differ from one run to another.
#[derive(Debug, Clone)]
struct Plan {
    texts: Vec<&'static str>,
    has_batch: bool,
    goes_on: bool,
    keeps_order: bool,
    concurrency: Option<usize>,
    documents_in_flight: usize,
    bytes_in_flight: usize,
    sink_is_busy: u32,
    sink_dies_after: Option<usize>,
    drains_after: Option<u64>,
    /// How long it may drain then, in milliseconds.
    patience: Option<u64>,
    workers: Option<usize>,
}

fn plans() -> impl Strategy<Value = Plan> {
    let texts = prop::collection::vec(prop::sample::select(&WORDS[..]), 0..40);
    let chain = (any::<bool>(), any::<bool>(), prop::option::of(1..4usize), any::<bool>());
    let room = (1..20usize, 1..5_000usize, prop::option::weighted(0.2, 1..4usize));
    let sink = (0..3u32, prop::option::weighted(0.2, 0..10usize));
    let stop = (prop::option::of(0..200u64), prop::option::weighted(0.3, 0..200u64));
    (texts, chain, room, sink, stop).prop_map(|(texts, chain, room, sink, stop)| Plan {
        texts,
        has_batch: chain.0,
        goes_on: chain.1,
        concurrency: chain.2,
        keeps_order: chain.3,
        documents_in_flight: room.0,
        bytes_in_flight: room.1,
        workers: room.2,
        sink_is_busy: sink.0,
        sink_dies_after: sink.1,
        drains_after: stop.0,
        patience: stop.1,
    })
}

impl Plan {
    fn stages(&self) -> Vec<StageStep> {
        let (step, _) = obedient("stage");
        let millisecond = Duration::from_millis(1);
        let backoff = Backoff { first: millisecond, longest: 2 * millisecond };
        let step = StageStep {
            concurrency: self.concurrency.and_then(NonZeroUsize::new),
            timeout: Some(Duration::from_millis(50)),
            retry: Retry { max_attempts: NonZeroU32::new(3).unwrap(), backoff },
            on_error: if self.goes_on { OnError::Continue } else { OnError::Quarantine },
            batch: self.has_batch.then_some(Group {
                max_documents: NonZeroUsize::new(3).unwrap(),
                max_delay: 2 * millisecond,
            }),
            ..step
        };
        vec![StageStep { batch: None, id: "again".to_owned(), ..step.clone() }, step]
    }

    fn limits(&self) -> Limits {
        let workers = self.workers.and_then(NonZeroUsize::new);
        Limits {
            compute: workers.map_or(Compute::Caller, Compute::Workers),
            documents_in_flight: NonZeroUsize::new(self.documents_in_flight).unwrap(),
            bytes_in_flight: NonZeroUsize::new(self.bytes_in_flight).unwrap(),
            shutdown_timeout: Duration::from_millis(self.patience.unwrap_or(100)),
            ..limits()
        }
    }

    async fn run(&self) -> Result<(), TestCaseError> {
        let (source, outcomes) = Texts::new(self.texts.iter().copied());
        let (first, kept) = Memory::new();
        let (second, _) = Memory::new();
        let first = Memory { busy: self.sink_is_busy, fatal_after: self.sink_dies_after, ..first };
        let second = Memory { delay: Duration::from_millis(1), refuses: "nothing", ..second };
        let sinks = vec![
            SinkStep::new("first", Box::new(first)),
            SinkStep::new("second", Box::new(second)),
        ];
        let source = SourceStep::new("texts", Box::new(source));
        let source = SourceStep { keeps_order: self.keeps_order, ..source };
        let (stages, limits) = (self.stages(), self.limits());
        let engine = Engine::new(Pipeline { sources: vec![source], stages, sinks, limits });
        let shutdown = engine.shutdown();
        let stops = async {
            if let Some(after) = self.drains_after {
                sleep(Duration::from_millis(after)).await;
                shutdown.drain();
            }
        };
        let (summary, ()) = tokio::join!(engine.run(), stops);

        let counts = &summary.counts;
        let settled = in_order(&outcomes);
        prop_assert_eq!(counts.read, settled.len() as u64);
        prop_assert_eq!(counts.read, counts.done + counts.failed + counts.returned);
        prop_assert_eq!((counts.in_flight, counts.bytes_in_flight), (0, 0));
        let is_stopped = self.drains_after.is_some() || !summary.errors.is_empty();
        if !is_stopped {
            prop_assert_eq!(settled.len(), self.texts.len());
            prop_assert_eq!(counts.returned, 0);
        }
        // What the source takes for done, the sink has.
        let kept: Vec<_> = kept.lock().unwrap().iter().map(|kept| kept.id.clone()).collect();
        for (index, outcome) in settled.iter().enumerate() {
            if *outcome == Outcome::Done {
                let id = index.to_string();
                prop_assert_eq!(kept.iter().filter(|kept| **kept == id).count(), 1);
            }
        }
        if self.keeps_order {
            let places: Vec<u32> = kept.iter().map(|id| id.parse().unwrap()).collect();
            prop_assert!(places.is_sorted(), "{places:?}");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_delivery_is_settled_exactly_once(plan in plans()) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        // The pause would run ahead of the workers' threads.
        let runtime = runtime.enable_time().start_paused(plan.workers.is_none()).build().unwrap();
        runtime.block_on(plan.run())?;
    }
}

#[tokio::test(start_paused = true)]
async fn documents_overtake_each_other_unless_told_not_to() {
    for (keeps_order, expected) in [(false, ["1", "4", "2", "0"]), (true, ["0", "1", "2", "4"])] {
        let (source, outcomes) = Texts::new(["sleep:70", "good", "sleep:3", "fail", "sleep:1"]);
        let (sink, kept) = Memory::new();
        let mut pipeline = pipeline(source, vec![obedient("stage").0], sink);
        pipeline.sources[0].keeps_order = keeps_order;
        Engine::new(pipeline).run().await;
        let kept: Vec<_> = kept.lock().unwrap().iter().map(|kept| kept.id.clone()).collect();
        assert_eq!(kept, expected, "keeps_order: {keeps_order}");
        assert_eq!(said(&in_order(&outcomes))[3], "stage: told to fail (1)");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_bounds_the_bytes_in_flight() {
    let text = "x".repeat(1_000);
    let size = Document::new("0", text.clone()).unwrap().size_bytes();
    // Each is counted for what it may become.
    let budget = 5 * 3 * size;
    let (source, outcomes) = Texts::new(vec![text; 50]);
    let (sink, kept) = Memory::new();
    let sink = Memory { delay: Duration::from_millis(10), ..sink };
    let mut pipeline = pipeline(source, Vec::new(), sink);
    pipeline.limits.bytes_in_flight = NonZeroUsize::new(budget).unwrap();
    pipeline.limits.growth = NonZeroUsize::new(3).unwrap();
    let engine = Engine::new(pipeline);
    let stats = engine.stats();
    let most = Arc::new(Mutex::new((0, 0)));
    let watch = async {
        loop {
            let now = stats.snapshot();
            {
                let mut most = most.lock().unwrap();
                *most = (most.0.max(now.in_flight), most.1.max(now.bytes_in_flight));
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = engine.run() => {}
        () = watch => {}
    }
    assert_eq!(*most.lock().unwrap(), (5, budget as u64));
    assert_eq!(kept.lock().unwrap().len(), 50);
    assert!(in_order(&outcomes).iter().all(|outcome| *outcome == Outcome::Done));
}

#[tokio::test(start_paused = true)]
async fn a_document_larger_than_the_budget_passes_alone() {
    let (source, outcomes) =
        Texts::new(["small".to_owned(), "large ".repeat(1_000), "small".into()]);
    let (sink, _) = Memory::new();
    let mut pipeline = pipeline(source, Vec::new(), sink);
    pipeline.limits.bytes_in_flight = NonZeroUsize::new(600).unwrap();
    Engine::new(pipeline).run().await;
    assert_eq!(said(&in_order(&outcomes)), ["done"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_leaves_the_others_alone() {
    let (failing, first) = Texts::new(["good"]);
    let (lasting, second) = Texts::new(["sleep:500", "good"]);
    let (sink, _) = Memory::new();
    let (step, _) = obedient("stage");
    let mut pipeline = pipeline(failing.then(Then::Fail), vec![step], sink);
    let source = SourceStep::new("lasting", Box::new(lasting));
    pipeline.sources.push(source);
    let summary = Engine::new(pipeline).run().await;
    assert_eq!(said(&in_order(&first)), ["done"]);
    assert_eq!(said(&in_order(&second)), ["done"; 2]);
    assert!(
        matches!(&summary.errors[..], [RunError::Source { name, .. }] if name == "texts"),
        "{:?}",
        summary.errors
    );
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_without_anything_ends() {
    let limits = limits();
    let pipeline = Pipeline { sources: vec![], stages: vec![], sinks: vec![], limits };
    let summary = Engine::new(pipeline).run().await;
    assert_eq!((summary.counts.read, summary.errors.len()), (0, 0));
}
