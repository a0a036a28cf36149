//! What the engine promises about its end.

use std::num::NonZeroUsize;
use std::time::Duration;

use standpoint_engine::{Compute, Engine, RunError, Summary};
use tokio::time::{Instant, sleep};

use crate::common::{Memory, Texts, Then, in_order, obedient, pipeline, said};

/// Runs texts through a stage from a source that never ends, and asks for a stop after a second.
async fn stopped(texts: &[&str]) -> (Summary, Vec<String>) {
    let (source, outcomes) = Texts::new(texts.iter().copied());
    let (sink, _) = Memory::new();
    let (step, _) = obedient("stage");
    let engine = Engine::new(pipeline(source.then(Then::Wait), vec![step], sink));
    let shutdown = engine.shutdown();
    let request = async {
        sleep(Duration::from_secs(1)).await;
        shutdown.drain();
    };
    let (summary, ()) = tokio::join!(engine.run(), request);
    (summary, said(&in_order(&outcomes)))
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_under_way() {
    let (summary, outcomes) = stopped(&["sleep:2000", "sleep:3000", "good"]).await;
    assert_eq!(outcomes, ["done"; 3]);
    assert_eq!(summary.counts.sinks[0].done, 3);
    assert!(summary.errors.is_empty());
    assert!(summary.elapsed < Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_drain_in_time_goes_back() {
    let (summary, outcomes) = stopped(&["hang", "good", "sleep:5000"]).await;
    assert_eq!(outcomes, ["returned", "done", "done"]);
    assert!(
        matches!(summary.errors[..], [RunError::DrainTimeout { documents: 1, .. }]),
        "{:?}",
        summary.errors
    );
    assert!(summary.elapsed < Duration::from_secs(34));
}

#[tokio::test(start_paused = true)]
async fn a_document_that_went_back_while_it_waited_for_its_turn_reaches_no_sink() {
    let (source, outcomes) = Texts::new(["hang", "good", "good"]);
    let (sink, kept) = Memory::new();
    let mut pipeline = pipeline(source.then(Then::Wait), vec![obedient("stage").0], sink);
    pipeline.sources[0].keeps_order = true;
    let engine = Engine::new(pipeline);
    let shutdown = engine.shutdown();
    let request = async {
        sleep(Duration::from_secs(1)).await;
        shutdown.drain();
    };
    tokio::join!(engine.run(), request);
    assert_eq!(said(&in_order(&outcomes)), ["returned", "unsent", "unsent"]);
    assert_eq!(kept.lock().unwrap().len(), 0);
}

/// In real time: a blocked thread knows no other.
#[tokio::test]
async fn shutdown_does_not_wait_for_a_blocked_worker() {
    // No timeout, so that nothing but the shutdown can end it.
    let (step, stage) = obedient("stage");
    let (source, outcomes) = Texts::new(["block"]);
    let (sink, _) = Memory::new();
    let mut pipeline = pipeline(source.then(Then::Wait), vec![step], sink);
    pipeline.limits.compute = Compute::Workers(NonZeroUsize::MIN);
    pipeline.limits.shutdown_timeout = Duration::from_millis(20);
    let engine = Engine::new(pipeline);
    let (started, stats) = (Instant::now(), engine.stats());
    let shutdown = engine.shutdown();
    let request = async {
        while stats.snapshot().in_flight == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        shutdown.drain();
    };
    tokio::join!(engine.run(), request);
    assert_eq!(said(&in_order(&outcomes)), ["returned"]);
    assert!(started.elapsed() < Duration::from_secs(10));
    stage.gate.open();
}
