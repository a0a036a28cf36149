//! What the engine promises about stages.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use standpoint_document::Document;
use standpoint_engine::{
    Backoff, Compute, Engine, Group, OnError, Outcome, Retry, RunError, StageStep,
};
use standpoint_stage::{Stage, StageContext, StageError};
use tokio::sync::Barrier;
use tokio::time::Instant;

use crate::common::{Memory, Texts, in_order, obedient, pipeline, run, said};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn one_document_fails_and_the_others_go_on() {
    let (step, _) = obedient("stage");
    let step = StageStep { timeout: Some(SECOND), ..step };
    let texts = ["good", "fail", "panic", "unreadable", "hang", "busy:1", "good"];
    let (summary, outcomes, kept) = run(&texts, vec![step]).await;
    assert_eq!(
        said(&outcomes),
        [
            "done",
            "stage: told to fail (1)",
            "stage: panicked: told to panic (1)",
            "texts: not a text (1)",
            "stage: took longer than its timeout of 1s (1)",
            "stage: told to be busy (1)",
            "done",
        ]
    );
    let ids: Vec<_> = kept.iter().map(|kept| kept.id.as_str()).collect();
    assert_eq!(ids, ["0", "6"]);
    assert_eq!(kept[0].stages, ["stage"]);
    let counts = &summary.counts;
    assert_eq!((counts.read, counts.done, counts.failed, counts.returned), (7, 2, 5, 0));
    assert_eq!((counts.in_flight, counts.bytes_in_flight), (0, 0));
    assert_eq!((counts.stages[0].done, counts.stages[0].failed), (2, 4));
    assert!(summary.errors.is_empty(), "{:?}", summary.errors);
}

#[tokio::test(start_paused = true)]
async fn a_transient_error_is_tried_again_after_growing_pauses() {
    let (step, stage) = obedient("stage");
    let backoff = Backoff { first: SECOND, longest: 3 * SECOND };
    let retry = Retry { max_attempts: NonZeroU32::new(4).unwrap(), backoff };
    let started = Instant::now();
    let texts = ["busy:3", "busy:9 scribble", "fail"];
    let (summary, outcomes, _) = run(&texts, vec![StageStep { retry, ..step }]).await;
    assert_eq!(said(&outcomes), ["done", "stage: told to be busy (4)", "stage: told to fail (1)"]);
    // 1 s, 2 s and 3 s, each shortened by up to a half.
    let took = started.elapsed();
    assert!((3 * SECOND..=7 * SECOND).contains(&took), "{took:?}");
    assert_eq!(summary.counts.stages[0].retried, 6);
    assert_eq!(stage.calls.lock().unwrap()["2"], 1);
}

#[tokio::test(start_paused = true)]
async fn on_error_continue_goes_on_without_what_the_stage_wrote() {
    let (first, _) = obedient("first");
    let (second, _) = obedient("second");
    let first = StageStep { on_error: OnError::Continue, timeout: Some(SECOND), ..first };
    let only_first = |text: &str| StageStep {
        when: Some(Arc::new(|_| Ok(false))),
        ..StageStep::new(text, Arc::clone(&second.stage))
    };
    let texts = ["scribble", "scribble fail", "scribble hang"];
    let (_, outcomes, kept) = run(&texts, vec![first, only_first("second")]).await;
    assert_eq!(said(&outcomes), ["done", "done", "done"]);
    let notes: Vec<_> = kept.iter().map(|kept| kept.notes.join("; ")).collect();
    assert_eq!(
        notes,
        [
            "scribbled; stage second skipped by `when`",
            "stage first failed: told to fail; stage second skipped by `when`",
            "stage first failed: took longer than its timeout of 1s; stage second skipped by \
             `when`",
        ]
    );
    assert_eq!(kept[1].stages, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_cannot_be_decided_is_a_failure_of_the_stage() {
    let (step, _) = obedient("stage");
    let when: standpoint_engine::Condition = Arc::new(|document| match document.text() {
        "odd" => Err("no such field".to_owned()),
        "worse" => panic!("a bug"),
        _ => Ok(true),
    });
    let step = StageStep { when: Some(when), ..step };
    let (_, outcomes, _) = run(&["good", "odd", "worse"], vec![step]).await;
    assert_eq!(
        said(&outcomes),
        [
            "done",
            "stage: `when` cannot be decided: no such field (0)",
            "stage: `when` cannot be decided: panicked: a bug (0)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn on_error_stop_drains_and_ends_with_an_error() {
    let (step, _) = obedient("stage");
    let step = StageStep { on_error: OnError::Stop, ..step };
    let (source, outcomes) = Texts::new(["sleep:50", "fail"]);
    let (sink, _) = Memory::new();
    let source = source.then(crate::common::Then::Wait);
    let summary = Engine::new(pipeline(source, vec![step], sink)).run().await;
    assert_eq!(said(&in_order(&outcomes)), ["done", "stage: told to fail (1)"]);
    assert!(
        matches!(&summary.errors[..], [RunError::Stopped { stage, .. }] if stage == "stage"),
        "{:?}",
        summary.errors
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_at_once_than_allowed() {
    for (concurrency, expected) in [(Some(2), 2), (None, 8)] {
        let (step, stage) = obedient("stage");
        let step = StageStep { concurrency: concurrency.and_then(NonZeroUsize::new), ..step };
        run(&["sleep:10"; 8], vec![step]).await;
        assert_eq!(stage.most_at_once.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_leaves_when_it_is_full_or_nothing_is_left_to_wait_for() {
    // Each batch with its size and when it left, in milliseconds. Both stages obey the words.
    let cases = [
        ("full, and the rest at once", 4, 20, &["good"; 10][..], &[(4, 0), (4, 0), (2, 0)][..]),
        ("somebody comes", 4, 20, &["good", "good", "sleep:10"], &[(3, 10)]),
        ("somebody comes too late", 4, 20, &["good", "good", "sleep:50"], &[(2, 20), (1, 50)]),
        ("somebody will not come", 4, 20, &["good", "good", "sleep:10 fail"], &[(2, 10)]),
        // The first two are in the call from 15 to 40.
        ("the stage is busy", 2, 99, &["sleep:10", "sleep:15", "sleep:18"], &[(2, 15), (1, 40)]),
        ("too long", 2, 20, &["sleep:10", "sleep:15", "sleep:18"], &[(2, 15), (1, 38)]),
    ];
    for (case, max_documents, max_delay, texts, expected) in cases {
        let (first, _) = obedient("first");
        let (step, stage) = obedient("stage");
        let max_delay = Duration::from_millis(max_delay);
        let batch =
            Some(Group { max_documents: NonZeroUsize::new(max_documents).unwrap(), max_delay });
        let started = Instant::now();
        run(texts, vec![first, StageStep { batch, ..step }]).await;
        let batches = stage.batches.lock().unwrap();
        let left = |&(size, at): &(usize, Instant)| (size, (at - started).as_millis());
        assert_eq!(batches.iter().map(left).collect::<Vec<_>>(), expected, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_does_not_wait_for_those_that_pass_the_stage_by() {
    let (first, _) = obedient("first");
    let (step, stage) = obedient("stage");
    let batch = Some(Group { max_documents: NonZeroUsize::new(4).unwrap(), max_delay: SECOND });
    let when: standpoint_engine::Condition = Arc::new(|document| Ok(document.text() == "good"));
    let step = StageStep { batch, when: Some(when), ..step };
    let started = Instant::now();
    let (summary, outcomes, _) = run(&["good", "sleep:10", "good"], vec![first, step]).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Done));
    let batches = stage.batches.lock().unwrap();
    assert_eq!(batches[..], [(2, started + Duration::from_millis(10))]);
    assert_eq!((summary.counts.stages[1].done, summary.counts.stages[1].skipped), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_culprit_of_a_batch_fails_alone() {
    let (step, stage) = obedient("stage");
    let max_delay = Duration::from_millis(20);
    let batch = Some(Group { max_documents: NonZeroUsize::new(4).unwrap(), max_delay });
    let step = StageStep { batch, timeout: Some(SECOND), ..step };
    let texts = ["scribble", "panic", "fail", "scribble", "good", "hang", "good", "fail"];
    let (_, outcomes, kept) = run(&texts, vec![step]).await;
    assert_eq!(
        said(&outcomes),
        [
            "done",
            "stage: panicked: told to panic (1)",
            "stage: told to fail (1)",
            "done",
            "done",
            "stage: took longer than its timeout of 1s (1)",
            "done",
            "stage: told to fail (1)",
        ]
    );
    // Written once, although the stage saw the document twice.
    assert_eq!(kept[0].notes, ["scribbled"]);
    assert_eq!(stage.batches.lock().unwrap().len(), 2 + 8);
}

/// In real time: a blocked thread knows no other.
#[tokio::test]
async fn a_stage_that_blocks_its_worker_fails_its_document_only() {
    let (step, stage) = obedient("stage");
    let step = StageStep { timeout: Some(Duration::from_millis(20)), ..step };
    let (source, outcomes) = Texts::new(["good", "block", "good", "block", "good", "block"]);
    let (sink, kept) = Memory::new();
    let mut pipeline = pipeline(source, vec![step], sink);
    pipeline.limits.compute = Compute::Workers(NonZeroUsize::MIN);
    let engine = Engine::new(pipeline);
    let stats = engine.stats();
    let summary = engine.run().await;
    let blocked = "stage: blocked a worker for longer than its timeout of 20ms (1)";
    assert_eq!(said(&in_order(&outcomes)), ["done", blocked, "done", blocked, "done", blocked]);
    assert_eq!(kept.lock().unwrap().len(), 3);
    assert_eq!((summary.counts.stages[0].stuck, summary.counts.stuck_workers), (3, 3));
    // Nor does the end give the blocked workers the second that it gives others.
    assert!(summary.elapsed < SECOND, "{:?}", summary.elapsed);
    assert!(!stats.snapshot().is_healthy);
    stage.gate.open();
}

#[tokio::test]
async fn a_batch_that_blocks_its_worker_fails_together() {
    /// Lets documents go on in twos, so that neither comes to the next stage alone.
    struct Meeting(Barrier);

    #[async_trait]
    impl Stage for Meeting {
        async fn process(
            &self,
            _: &mut Document<'_>,
            _: &StageContext<'_>,
        ) -> Result<(), StageError> {
            self.0.wait().await;
            Ok(())
        }
    }

    let meeting = StageStep::new("meeting", Arc::new(Meeting(Barrier::new(2))));
    let (step, stage) = obedient("stage");
    let batch = Some(Group { max_documents: NonZeroUsize::new(2).unwrap(), max_delay: SECOND });
    let step = StageStep { timeout: Some(Duration::from_millis(20)), batch, ..step };
    let (source, outcomes) = Texts::new(["good", "block"]);
    let (sink, _) = Memory::new();
    let mut pipeline = pipeline(source, vec![meeting, step], sink);
    pipeline.limits.compute = Compute::Workers(NonZeroUsize::MIN);
    let summary = Engine::new(pipeline).run().await;
    assert_eq!((summary.counts.failed, summary.counts.stuck_workers), (2, 1));
    assert!(in_order(&outcomes).iter().all(|outcome| matches!(outcome, Outcome::Failed(_))));
    stage.gate.open();
}

#[tokio::test]
async fn too_many_blocked_workers_end_the_pipeline() {
    let (step, stage) = obedient("stage");
    let step = StageStep { timeout: Some(Duration::from_millis(20)), ..step };
    let (source, outcomes) = Texts::new(["block", "block", "block"]);
    let (sink, _) = Memory::new();
    let mut pipeline = pipeline(source.then(crate::common::Then::Wait), vec![step], sink);
    pipeline.limits.compute = Compute::Workers(NonZeroUsize::MIN);
    pipeline.limits.stuck_workers = NonZeroUsize::new(2).unwrap();
    let summary = Engine::new(pipeline).run().await;
    assert_eq!(in_order(&outcomes).len(), 3);
    assert!(
        matches!(summary.errors[..], [RunError::Stuck { workers: 3, .. }]),
        "{:?}",
        summary.errors
    );
    stage.gate.open();
}
