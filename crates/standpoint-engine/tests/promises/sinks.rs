//! What the engine promises about sinks.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use standpoint_document::Document;
use standpoint_engine::{Backoff, Engine, RunError, Sink, SinkError, SinkStep};
use tokio::time::{Instant, sleep};

use crate::common::{Memory, Texts, in_order, obedient, pipeline, said};

#[tokio::test(start_paused = true)]
async fn the_worst_outcome_of_all_sinks_wins() {
    let (source, outcomes) = Texts::new(["good", "refused", "other", "other refused"]);
    let (first, first_kept) = Memory::new();
    let (second, second_kept) = Memory::new();
    let second = Memory { refuses: "other", delay: Duration::from_secs(1), ..second };
    let mut pipeline = pipeline(source, Vec::new(), first);
    pipeline.sinks.push(SinkStep::new("second", Box::new(second)));
    Engine::new(pipeline).run().await;
    assert_eq!(
        said(&in_order(&outcomes)),
        [
            "done",
            "memory: told to refuse (1)",
            "second: told to refuse (1)",
            "memory: told to refuse (1)",
        ]
    );
    assert_eq!((first_kept.lock().unwrap().len(), second_kept.lock().unwrap().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_document_is_done_only_when_the_last_sink_has_it() {
    let (source, outcomes) = Texts::new(["good"]);
    let (first, first_kept) = Memory::new();
    let (second, _) = Memory::new();
    let second = Memory { delay: Duration::from_mins(1), ..second };
    let mut pipeline = pipeline(source, Vec::new(), first);
    pipeline.sinks.push(SinkStep::new("second", Box::new(second)));
    let look = async {
        sleep(Duration::from_secs(59)).await;
        assert_eq!(first_kept.lock().unwrap().len(), 1);
        assert!(outcomes.lock().unwrap().is_empty());
    };
    tokio::join!(Engine::new(pipeline).run(), look);
    assert_eq!(said(&in_order(&outcomes)), ["done"]);
}

#[tokio::test(start_paused = true)]
async fn a_condition_routes_documents() {
    let (source, outcomes) = Texts::new(["a", "b", "c", "odd"]);
    let (first, first_kept) = Memory::new();
    let (second, second_kept) = Memory::new();
    let mut pipeline = pipeline(source, Vec::new(), first);
    pipeline.sinks.push(SinkStep::new("second", Box::new(second)));
    pipeline.sinks[0].when = Some(Arc::new(|document| Ok(document.text() == "a")));
    pipeline.sinks[1].when = Some(Arc::new(|document| match document.text() {
        "odd" => Err("no such field".to_owned()),
        text => Ok(text != "c"),
    }));
    Engine::new(pipeline).run().await;
    let failure = "second: `when` cannot be decided: no such field (0)";
    assert_eq!(said(&in_order(&outcomes)), ["done", "done", "done", failure]);
    assert_eq!((first_kept.lock().unwrap().len(), second_kept.lock().unwrap().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_transient_error_pauses_and_fails_nobody() {
    let second = Duration::from_secs(1);
    let (source, outcomes) = Texts::new(vec!["good"; 20]);
    let (sink, kept) = Memory::new();
    let mut pipeline = pipeline(source, Vec::new(), Memory { busy: 3, ..sink });
    pipeline.sinks[0].backoff = Backoff { first: second, longest: 10 * second };
    pipeline.limits.documents_in_flight = NonZeroUsize::new(4).unwrap();
    let engine = Engine::new(pipeline);
    let stats = engine.stats();
    let started = Instant::now();
    let look = async {
        sleep(second / 10).await;
        let now = stats.snapshot();
        assert_eq!(now.sinks[0].paused_by.as_deref(), Some("no space left"));
        assert_eq!(now.in_flight, 4);
    };
    let (summary, ()) = tokio::join!(engine.run(), look);
    assert_eq!(said(&in_order(&outcomes)), ["done"; 20]);
    assert_eq!(kept.lock().unwrap().len(), 20);
    assert_eq!((summary.counts.sinks[0].errors, &summary.counts.sinks[0].paused_by), (3, &None));
    assert!(summary.errors.is_empty());
    let took = started.elapsed();
    assert!((7 * second / 2..=8 * second).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_never_recovers_keeps_nothing_from_its_source() {
    let (source, outcomes) = Texts::new(vec!["good"; 20]);
    let (sink, _) = Memory::new();
    let mut pipeline = pipeline(source, Vec::new(), Memory { busy: u32::MAX, ..sink });
    pipeline.limits.documents_in_flight = NonZeroUsize::new(4).unwrap();
    let engine = Engine::new(pipeline);
    let shutdown = engine.shutdown();
    let started = Instant::now();
    let request = async {
        sleep(Duration::from_mins(1)).await;
        shutdown.drain();
    };
    let (summary, ()) = tokio::join!(engine.run(), request);
    // Four waited for the sink, one at the door, the others were never asked for.
    let unsent = "unsent";
    assert_eq!(said(&in_order(&outcomes)), [unsent, unsent, unsent, unsent, "returned"]);
    assert!(
        matches!(summary.errors[..], [RunError::DrainTimeout { documents: 4, .. }]),
        "{:?}",
        summary.errors
    );
    assert!(started.elapsed() < Duration::from_secs(60 + 30 + 3));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_for_good_ends_the_pipeline() {
    let (source, outcomes) = Texts::new(vec!["good"; 20]);
    let (sink, _) = Memory::new();
    let sink = Memory { fatal_after: Some(3), ..sink };
    let mut pipeline = pipeline(source, Vec::new(), sink);
    pipeline.limits.documents_in_flight = NonZeroUsize::new(3).unwrap();
    let summary = Engine::new(pipeline).run().await;
    let said = said(&in_order(&outcomes));
    assert_eq!(said[..3], ["done"; 3]);
    // None of them is to blame, as the sink may fail for good because of what it writes to.
    let is_open = |outcome: &String| outcome == "unsent" || outcome == "returned";
    assert!(said[3..].iter().all(is_open), "{said:?}");
    assert_eq!(said[3], "unsent");
    assert!(said.len() < 20);
    assert!(
        matches!(&summary.errors[..], [RunError::Sink { sink, .. }] if sink == "memory"),
        "{:?}",
        summary.errors
    );
}

/// Panics when it gets anything.
struct Fragile;

#[async_trait]
impl Sink for Fragile {
    async fn write(
        &mut self,
        _: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        panic!("told to panic")
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_a_sink_panic_may_be_to_blame() {
    let (source, outcomes) = Texts::new(["good"]);
    let mut pipeline = pipeline(source, Vec::new(), Memory::new().0);
    pipeline.sinks = vec![SinkStep::new("fragile", Box::new(Fragile))];
    let summary = Engine::new(pipeline).run().await;
    assert_eq!(said(&in_order(&outcomes)), ["returned"]);
    assert!(matches!(&summary.errors[..], [RunError::Sink { .. }]), "{:?}", summary.errors);
}

#[tokio::test(start_paused = true)]
async fn a_group_is_written_when_it_is_full_or_nothing_else_is_under_way() {
    let (source, _) = Texts::new(["sleep:1", "sleep:1", "sleep:1", "sleep:30", "sleep:5000"]);
    let (sink, _) = Memory::new();
    let groups = Arc::clone(&sink.groups);
    let (step, _) = obedient("stage");
    let mut pipeline = pipeline(source, vec![step], sink);
    pipeline.sinks[0].group.max_documents = NonZeroUsize::new(2).unwrap();
    let started = Instant::now();
    Engine::new(pipeline).run().await;
    // Two at once; the third with the fourth, within the delay of 50 ms; the last one at once.
    assert_eq!(*groups.lock().unwrap(), [2, 2, 1]);
    assert!(started.elapsed() < Duration::from_millis(5_010));
}
