//! What the engine promises about a pipeline that becomes another one while it runs.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use standpoint_engine::{
    Engine, Limits, Open, Outcome, Pipeline, ReloadError, Revision, Sink, SinkPart, SinkStep,
    SourceChange, SourcePart, SourceStep,
};
use tokio::time::sleep;

use crate::common::{Kept, Memory, Outcomes, Texts, Then, in_order, limits, obedient, said};

const SECOND: Duration = Duration::from_secs(1);

/// As many documents as these in flight, so that a source is asked again and again.
fn few() -> Limits {
    Limits { documents_in_flight: NonZeroUsize::new(4).unwrap(), ..limits() }
}

fn kept_source(name: &str) -> SourcePart {
    SourcePart { name: name.to_owned(), change: None }
}

fn sink(name: &str, open: Option<Open<SinkStep>>) -> SinkPart {
    SinkPart { name: name.to_owned(), when: None, is_required: true, open }
}

fn opens(name: &str, memory: impl Sink + 'static) -> Open<SinkStep> {
    let step = SinkStep::new(name, Box::new(memory));
    Box::new(move || Ok(step))
}

fn revision(stage: &str, sinks: Vec<SinkPart>) -> Revision {
    Revision {
        name: Some(stage.into()),
        sources: vec![kept_source("texts")],
        stages: vec![obedient(stage).0],
        sinks,
    }
}

/// Which stages the documents went through, in the order of the documents.
fn stages(kept: &std::sync::Mutex<Vec<Kept>>) -> Vec<String> {
    let mut kept = kept.lock().unwrap().clone();
    kept.sort_by_key(|kept| kept.id.parse::<u32>().unwrap());
    kept.into_iter().map(|kept| kept.stages.join("+")).collect()
}

fn pipeline(source: Texts, sink: Memory) -> Pipeline {
    Pipeline {
        sources: vec![SourceStep::new("texts", Box::new(source))],
        stages: vec![obedient("a").0],
        sinks: vec![SinkStep::new("memory", Box::new(sink))],
        limits: few(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_ends_in_the_chain_that_it_entered_and_the_next_takes_the_new_one() {
    let (source, outcomes) = Texts::new(vec!["sleep:1000"; 20]);
    let (memory, kept) = Memory::new();
    let engine = Engine::new(pipeline(source, memory));
    let (reloads, stats) = (engine.reloads(), engine.stats());
    let request = async {
        sleep(SECOND / 2).await;
        reloads.reload(revision("b", vec![sink("memory", None)])).await.unwrap();
        assert_eq!(stats.snapshot().generation, 2);
    };
    let (summary, ()) = tokio::join!(engine.run(), request);
    assert_eq!(said(&in_order(&outcomes)), ["done"; 20]);
    let stages = stages(&kept);
    assert_eq!(
        (&stages[..4], &stages[4..]),
        (&["a"; 4].map(str::to_owned)[..], &["b"; 16].map(str::to_owned)[..])
    );
    let counts = summary.counts;
    assert_eq!(
        counts.stages.iter().map(|stage| (&*stage.id, stage.done)).collect::<Vec<_>>(),
        [("b", 16)]
    );
    assert_eq!((counts.sinks[0].done, counts.sources[0].read), (20, 20));
    assert!(summary.errors.is_empty());
}

#[tokio::test(start_paused = true)]
async fn reloads_under_load_lose_and_double_nothing() {
    const RELOADS: u64 = 100;
    let (source, outcomes) = Texts::new(vec!["sleep:300"; 2000]);
    let (memory, kept) = Memory::new();
    let keep = Arc::clone(&kept);
    let engine = Engine::new(pipeline(source, memory));
    let (reloads, stats) = (engine.reloads(), engine.stats());
    let request = async {
        for round in 0..RELOADS {
            sleep(SECOND).await;
            let successor = Memory { kept: Arc::clone(&keep), ..Memory::new().0 };
            // By turns: the stages alone, the sink too, and one that is refused.
            let open: Option<Open<SinkStep>> = match round % 3 {
                0 => None,
                1 => Some(opens("memory", successor)),
                _ => Some(Box::new(|| Err("the disk is gone".to_owned()))),
            };
            let reloaded = reloads.reload(revision("b", vec![sink("memory", open)])).await;
            assert_eq!(reloaded.is_err(), round % 3 == 2, "{reloaded:?}");
        }
        assert!(stats.snapshot().in_flight > 0, "the load ended before the reloads did");
    };
    let (summary, ()) = tokio::join!(engine.run(), request);
    // `in_order` fails when a document is settled twice.
    assert_eq!(said(&in_order(&outcomes)), vec!["done"; 2000]);
    assert_eq!(stages(&kept).len(), 2000);
    assert_eq!(summary.counts.generation, 1 + 67);
    assert!(summary.errors.is_empty(), "{:?}", summary.errors);
}

#[tokio::test(start_paused = true)]
async fn a_refused_reload_leaves_everything_as_it_was() {
    let (source, outcomes) = Texts::new(vec!["sleep:1000"; 8]);
    let (memory, kept) = Memory::new();
    let engine = Engine::new(pipeline(source, memory));
    let (reloads, stats) = (engine.reloads(), engine.stats());
    // What the source of old and new settings delivers when it is opened once more.
    let (fresh, fresh_outcomes) = Texts::new(Vec::<String>::new());
    let (again, again_outcomes) = Texts::new(["good"]);
    let request = async {
        sleep(SECOND / 2).await;
        let change = SourceChange {
            open: Box::new(move || Ok(SourceStep::new("texts", Box::new(fresh.then(Then::Wait))))),
            back: Some(Box::new(move || Ok(SourceStep::new("texts", Box::new(again))))),
        };
        let refused = Revision {
            sources: vec![SourcePart { name: "texts".to_owned(), change: Some(change) }],
            ..revision("b", vec![sink("memory", Some(Box::new(|| Err("no rights".to_owned()))))])
        };
        let error = reloads.reload(refused).await.unwrap_err();
        assert_eq!(error, ReloadError::Sink { name: "memory".into(), reason: "no rights".into() });
        assert_eq!(stats.snapshot().generation, 1);
    };
    let (summary, ()) = tokio::join!(engine.run(), request);
    // Four were under way and finished, the one at the door went back.
    assert_eq!(said(&in_order(&outcomes)), ["done", "done", "done", "done", "returned"]);
    assert_eq!(said(&in_order(&again_outcomes)), ["done"], "the old source goes on");
    assert!(fresh_outcomes.lock().unwrap().is_empty());
    assert!(stages(&kept).iter().all(|stage| stage == "a"), "{:?}", stages(&kept));
    assert!(summary.errors.is_empty(), "{:?}", summary.errors);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_dead_sink_goes_to_its_successor() {
    let (source, outcomes) = Texts::new(vec!["good"; 20]);
    let (dead, _) = Memory::new();
    let (memory, kept) = Memory::new();
    let engine = Engine::new(pipeline(source, Memory { busy: u32::MAX, ..dead }));
    let reloads = engine.reloads();
    let request = async {
        sleep(60 * SECOND).await;
        let open = opens("memory", memory);
        reloads.reload(revision("b", vec![sink("memory", Some(open))])).await.unwrap();
    };
    let (summary, ()) = tokio::join!(engine.run(), request);
    assert_eq!(said(&in_order(&outcomes)), ["done"; 20]);
    assert_eq!(kept.lock().unwrap().len(), 20);
    assert_eq!(summary.counts.sinks[0].paused_by, None);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_dead_sink_that_is_removed_goes_back_in_time() {
    let (source, outcomes) = Texts::new(vec!["good"; 20]);
    let (dead, _) = Memory::new();
    let (memory, kept) = Memory::new();
    let engine = Engine::new(pipeline(source, Memory { busy: u32::MAX, ..dead }));
    let reloads = engine.reloads();
    let request = async {
        sleep(60 * SECOND).await;
        let again = || Some(opens("memory", Memory::new().0));
        let open = opens("other", memory);
        reloads.reload(revision("b", vec![sink("other", Some(open))])).await.unwrap();
        // The one that was removed is not done yet: two must not write to one place.
        let sinks = vec![sink("other", None), sink("memory", again())];
        let refused = reloads.reload(revision("c", sinks)).await.unwrap_err();
        assert!(matches!(refused, ReloadError::Sink { .. }), "{refused:?}");
        sleep(31 * SECOND).await;
        let sinks = vec![sink("other", None), sink("memory", again())];
        reloads.reload(revision("c", sinks)).await.unwrap_err();
    };
    let run = async {
        let summary = engine.run().await;
        assert!(summary.errors.is_empty(), "{:?}", summary.errors);
    };
    tokio::join!(run, request);
    let said = said(&in_order(&outcomes));
    assert_eq!(
        (&said[..4], &said[4..]),
        (&["unsent"; 4].map(str::to_owned)[..], &["done"; 16].map(str::to_owned)[..])
    );
    assert_eq!(kept.lock().unwrap().len(), 16);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_replaced_has_its_outcomes_first_and_one_that_is_new_starts() {
    let (source, outcomes) = Texts::new(["sleep:2000", "hang"]);
    let (memory, _) = Memory::new();
    let engine = Engine::new(pipeline(source.then(Then::Wait), memory));
    let (reloads, stats) = (engine.reloads(), engine.stats());
    let (successor, successor_outcomes) = Texts::new(["good"]);
    let (other, other_outcomes) = Texts::new(["good", "good"]);
    let old = Arc::clone(&outcomes);
    let settled = move || old.lock().unwrap().len();
    let request = async {
        sleep(SECOND).await;
        let change = SourceChange {
            open: Box::new(move || {
                assert_eq!(settled(), 2, "the old one has not heard of all its documents");
                Ok(SourceStep::new("texts", Box::new(successor)))
            }),
            back: None,
        };
        let new = SourceChange {
            open: Box::new(move || Ok(SourceStep::new("other", Box::new(other)))),
            back: None,
        };
        let revised = Revision {
            sources: vec![
                SourcePart { name: "texts".to_owned(), change: Some(change) },
                SourcePart { name: "other".to_owned(), change: Some(new) },
            ],
            ..revision("b", vec![sink("memory", None)])
        };
        reloads.reload(revised).await.unwrap();
        let names: Vec<_> = stats.snapshot().sources.into_iter().map(|s| s.name).collect();
        assert_eq!(names, ["texts", "other"]);
    };
    let (summary, ()) = tokio::join!(engine.run(), request);
    // The one that hangs had as long as a shutdown gives.
    assert_eq!(said(&in_order(&outcomes)), ["done", "returned"]);
    assert_eq!(said(&in_order(&successor_outcomes)), ["done"]);
    assert_eq!(said(&in_order(&other_outcomes)), ["done"; 2]);
    assert!(summary.errors.is_empty(), "{:?}", summary.errors);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_reload_that_waits() {
    let (source, outcomes) = Texts::new(["sleep:20000"]);
    let (memory, _) = Memory::new();
    let engine = Engine::new(pipeline(source.then(Then::Wait), memory));
    let (reloads, shutdown) = (engine.reloads(), engine.shutdown());
    let request = async {
        sleep(SECOND).await;
        let change = SourceChange { open: Box::new(|| Err("never asked".into())), back: None };
        let revised = Revision {
            sources: vec![SourcePart { name: "texts".to_owned(), change: Some(change) }],
            ..revision("b", vec![sink("memory", None)])
        };
        let stop = async {
            sleep(SECOND).await;
            shutdown.drain();
        };
        let (refused, ()) = tokio::join!(reloads.reload(revised), stop);
        assert_eq!(refused, Err(ReloadError::Stopping));
    };
    let (summary, ()) = tokio::join!(engine.run(), request);
    assert_eq!(said(&in_order(&outcomes)), ["done"]);
    assert!(summary.errors.is_empty(), "{:?}", summary.errors);
}

/// Runs texts into a good sink and into one that is not required.
async fn with_optional(optional: Memory) -> (Vec<Outcome>, standpoint_engine::Summary) {
    let (source, outcomes): (Texts, Outcomes) = Texts::new(vec!["good"; 1000]);
    let (memory, _) = Memory::new();
    let mut pipeline = pipeline(source, memory);
    let mut step = SinkStep::new("optional", Box::new(optional));
    step.is_required = false;
    step.group.max_documents = NonZeroUsize::new(8).unwrap();
    pipeline.sinks.push(step);
    let summary = Engine::new(pipeline).run().await;
    (in_order(&outcomes), summary)
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_sink_that_is_not_required() {
    let memory = || Memory::new().0;
    let cases = [
        ("dead", Memory { busy: u32::MAX, ..memory() }),
        ("slow", Memory { delay: 60 * SECOND, ..memory() }),
        ("failed", Memory { fatal_after: Some(0), ..memory() }),
        ("refuses", Memory { refuses: "good", ..memory() }),
    ];
    for (case, optional) in cases {
        let (outcomes, summary) = with_optional(optional).await;
        assert_eq!(said(&outcomes), vec!["done"; 1000], "{case}");
        assert!(summary.errors.is_empty(), "{case}: {:?}", summary.errors);
        let sink = &summary.counts.sinks[1];
        assert!(sink.is_optional);
        assert_eq!(sink.ended_by.is_some(), case == "failed", "{case}: {sink:?}");
        assert_eq!(sink.missed > 0, case != "refuses", "{case}: {sink:?}");
        assert_eq!(sink.failed > 0, case == "refuses", "{case}: {sink:?}");
    }
}
