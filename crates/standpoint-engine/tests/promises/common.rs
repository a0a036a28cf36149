//! A source, a stage and a sink that do as they are told.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use standpoint_document::Document;
use standpoint_engine::{
    Compute, Delivery, Engine, Limits, Outcome, Pipeline, Receipt, Settlements, Sink, SinkError,
    SinkStep, Source, SourceError, SourceStep, StageStep, Summary,
};
use standpoint_stage::{Stage, StageContext, StageError};
use tokio::time::{Instant, sleep};

/// What became of each document, by its id; more than one entry is a mistake of the engine.
pub(crate) type Outcomes = Arc<Mutex<BTreeMap<String, Vec<Outcome>>>>;

/// Delivers texts; the id of each is its place, from 0.
pub(crate) struct Texts {
    pub(crate) contents: Vec<String>,
    pub(crate) next: usize,
    pub(crate) outcomes: Outcomes,
    pub(crate) settlements: Settlements<String>,
    /// What comes after the last text: the end, an error, or nothing for ever.
    pub(crate) then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    End,
    Fail,
    Wait,
}

impl Texts {
    pub(crate) fn new<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> (Self, Outcomes) {
        let outcomes = Outcomes::default();
        let source = Self {
            contents: texts.into_iter().map(Into::into).collect(),
            next: 0,
            outcomes: Arc::clone(&outcomes),
            settlements: Settlements::new(),
            then: Then::End,
        };
        (source, outcomes)
    }

    pub(crate) fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }
}

#[async_trait]
impl Source for Texts {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        let Some(text) = self.contents.get(self.next) else {
            return match self.then {
                Then::End => Ok(None),
                Then::Fail => Err(SourceError::new("the folder is gone")),
                Then::Wait => std::future::pending().await,
            };
        };
        let id = self.next.to_string();
        self.next += 1;
        // Told twice: in `outcomes` at once, and in `settlements` for `close` to wait for.
        let (inner, outcomes) = (self.settlements.receipt(id.clone()), Arc::clone(&self.outcomes));
        let key = id.clone();
        let receipt = Receipt::new(move |outcome| {
            outcomes.lock().unwrap().entry(key).or_default().push(outcome.clone());
            inner.settle(outcome);
        });
        if text == "unreadable" {
            return Ok(Some(Delivery::unreadable("texts", "not a text", receipt)));
        }
        Ok(Some(Delivery::new(Document::new(id, text.clone()).unwrap(), receipt)))
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        while self.settlements.next().await.is_some() {}
        Ok(())
    }
}

/// Does what the words of a document say, and counts its calls.
#[derive(Default)]
pub(crate) struct Obedient {
    /// Calls so far for each document.
    pub(crate) calls: Mutex<HashMap<String, u32>>,
    /// Sizes of the batches so far, and when they came.
    pub(crate) batches: Mutex<Vec<(usize, Instant)>>,
    pub(crate) now: AtomicUsize,
    pub(crate) most_at_once: AtomicUsize,
    pub(crate) gate: Gate,
}

/// Blocks a thread until a test opens it.
#[derive(Default)]
pub(crate) struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    pub(crate) fn pass(&self) {
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.changed.wait(open).unwrap();
        }
    }

    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

#[async_trait]
impl Stage for Obedient {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        *self.calls.lock().unwrap().entry(document.id().to_owned()).or_default() += 1;
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        let result = self.obey(document, context).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        result
    }

    async fn process_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Vec<Result<(), StageError>> {
        self.batches.lock().unwrap().push((documents.len(), Instant::now()));
        let mut results = Vec::new();
        for document in documents {
            results.push(self.process(document, context).await);
        }
        results
    }
}

impl Obedient {
    async fn obey(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let text = document.text().to_owned();
        for word in text.split_whitespace() {
            let (verb, number) = word.split_once(':').unwrap_or((word, "0"));
            let number: u64 = number.parse().unwrap_or_default();
            match verb {
                "fail" => return Err(StageError::document("told to fail")),
                "busy" if u64::from(context.attempt) <= number => {
                    return Err(StageError::transient("told to be busy"));
                }
                "panic" => panic!("told to panic"),
                "sleep" => sleep(Duration::from_millis(number)).await,
                "hang" => std::future::pending().await,
                "block" => self.gate.pass(),
                "scribble" => document.add_note("scribbled"),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Keeps the ids, notes and stages of what it gets; refuses documents that hold its word.
pub(crate) struct Memory {
    pub(crate) kept: Arc<Mutex<Vec<Kept>>>,
    pub(crate) refuses: &'static str,
    /// Transient errors to give first.
    pub(crate) busy: u32,
    /// Time for a group.
    pub(crate) delay: Duration,
    pub(crate) fatal_after: Option<usize>,
    pub(crate) groups: Arc<Mutex<Vec<usize>>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) notes: Vec<String>,
    pub(crate) stages: Vec<String>,
}

impl Memory {
    pub(crate) fn new() -> (Self, Arc<Mutex<Vec<Kept>>>) {
        let kept = Arc::default();
        let sink = Self {
            kept: Arc::clone(&kept),
            refuses: "refused",
            busy: 0,
            delay: Duration::ZERO,
            fatal_after: None,
            groups: Arc::default(),
        };
        (sink, kept)
    }
}

#[async_trait]
impl Sink for Memory {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        if self.busy > 0 {
            self.busy -= 1;
            return Err(SinkError::transient("no space left"));
        }
        if self.fatal_after.is_some_and(|most| self.kept.lock().unwrap().len() >= most) {
            return Err(SinkError::fatal("the file is not ours"));
        }
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        self.groups.lock().unwrap().push(documents.len());
        let mut kept = self.kept.lock().unwrap();
        let answers = documents.iter().map(|document| {
            if document.text().split_whitespace().any(|word| word == self.refuses) {
                return Err("told to refuse".to_owned());
            }
            kept.push(Kept {
                id: document.id().to_owned(),
                notes: document.notes().to_vec(),
                stages: document.stages().iter().map(|stage| stage.name.clone()).collect(),
            });
            Ok(())
        });
        Ok(answers.collect())
    }
}

/// On the test's runtime, whose time is paused.
pub(crate) fn limits() -> Limits {
    Limits { compute: Compute::Caller, ..Limits::default() }
}

pub(crate) fn pipeline(source: Texts, stages: Vec<StageStep>, sink: Memory) -> Pipeline {
    Pipeline {
        sources: vec![SourceStep::new("texts", Box::new(source))],
        stages,
        sinks: vec![SinkStep::new("memory", Box::new(sink))],
        limits: limits(),
    }
}

/// Runs texts through stages; gives the summary, what became of each, and what the sink has.
pub(crate) async fn run(
    texts: &[&str],
    stages: Vec<StageStep>,
) -> (Summary, Vec<Outcome>, Vec<Kept>) {
    let (source, outcomes) = Texts::new(texts.iter().copied());
    let (sink, kept) = Memory::new();
    let summary = Engine::new(pipeline(source, stages, sink)).run().await;
    let outcomes = in_order(&outcomes);
    let mut kept = kept.lock().unwrap().clone();
    kept.sort_by_key(|kept| kept.id.parse::<u32>().unwrap_or_default());
    (summary, outcomes, kept)
}

/// The one outcome of each document, by its place.
pub(crate) fn in_order(outcomes: &Outcomes) -> Vec<Outcome> {
    let outcomes = outcomes.lock().unwrap();
    let mut rows: Vec<_> = outcomes.iter().collect();
    rows.sort_by_key(|(id, _)| id.parse::<u32>().unwrap_or_default());
    rows.into_iter()
        .map(|(id, outcomes)| {
            assert_eq!(outcomes.len(), 1, "document {id} settled {outcomes:?}");
            outcomes[0].clone()
        })
        .collect()
}

pub(crate) fn obedient(id: &str) -> (StageStep, Arc<Obedient>) {
    let stage = Arc::new(Obedient::default());
    (StageStep::new(id, Arc::clone(&stage) as Arc<dyn Stage>), stage)
}

/// `done`, `returned`, or the failure in words.
pub(crate) fn said(outcomes: &[Outcome]) -> Vec<String> {
    outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Returned => "returned".to_owned(),
            Outcome::Unsent => "unsent".to_owned(),
            Outcome::Failed(failure) => format!("{failure} ({})", failure.attempts),
        })
        .collect()
}
