//! A document's way through the stages and to the sinks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use standpoint_document::{Document, StageRecord};
use standpoint_stage::StageContext;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::batch::{Answer, Approach, Batcher, Member};
use crate::call::{CallError, within};
use crate::engine::RunError;
use crate::flight::{Call, Flights, Share, Ticket};
use crate::outlet::{Parcel, Waiting};
use crate::pipeline::{Condition, OnError, StageStep};
use crate::pool::{Executor, panic_message};
use crate::receipt::Outcome;
use crate::shutdown::Shutdown;
use crate::stats::{SinkCounters, StageCounters, count};
use crate::tap::Tap;

/// The note on a document that a stage's condition kept from it, by which others know it.
#[must_use]
pub fn skipped_note(stage: &str) -> String {
    format!("stage {stage} skipped by `when`")
}

/// The stages, joined to the queues of the sinks.
pub(crate) struct Chain {
    /// The pipeline's name, for the provenance.
    name: Option<Arc<str>>,
    links: Vec<Link>,
    /// Those of the links that collect batches.
    batchers: Arc<[Arc<Batcher>]>,
    exits: Vec<Exit>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) executor: Executor,
    pub(crate) shutdown: Shutdown,
    pub(crate) errors: Errors,
    tap: Tap,
}

/// What the chains of a pipeline have in common, before and after it is reloaded.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) flights: Arc<Flights>,
    pub(crate) executor: Executor,
    pub(crate) shutdown: Shutdown,
    pub(crate) errors: Errors,
    pub(crate) tap: Tap,
}

/// Where documents come in: the chain that takes them, which a reload replaces. A document that is
/// in a chain stays in it to its end.
pub(crate) struct Entrance(RwLock<Arc<Chain>>);

impl Entrance {
    pub(crate) fn new(chain: Arc<Chain>) -> Self {
        Self(RwLock::new(chain))
    }

    pub(crate) fn chain(&self) -> Arc<Chain> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, chain: Arc<Chain>) {
        let old = {
            let mut entrance = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *entrance, chain)
        };
        // Outside of the lock, because the last one to drop a chain drops its stages.
        drop(old);
    }
}

/// What goes wrong for good, from all over the pipeline.
pub(crate) type Errors = Arc<Mutex<Vec<RunError>>>;

/// Adds to what went wrong for good.
pub(crate) fn report(errors: &Errors, error: RunError) {
    errors.lock().unwrap_or_else(PoisonError::into_inner).push(error);
}

struct Link {
    step: StageStep,
    counters: Arc<StageCounters>,
    calls: Option<Semaphore>,
    batcher: Option<Arc<Batcher>>,
}

/// The way to one sink.
pub(crate) struct Exit {
    pub(crate) when: Option<Condition>,
    pub(crate) queue: mpsc::Sender<Parcel>,
    pub(crate) counters: Arc<SinkCounters>,
    /// Whether a document is done only when this sink has it.
    pub(crate) is_required: bool,
    /// The most memory, in bytes, of documents that wait for a sink that is not required.
    pub(crate) most_waiting_bytes: u64,
}

/// What ends a document's way before the sinks.
enum End {
    Failed {
        reason: String,
        attempts: u32,
    },
    /// It was taken away.
    Lost,
}

impl Chain {
    /// - `stages`: each with its counters.
    pub(crate) fn new(
        name: Option<Arc<str>>,
        stages: Vec<(StageStep, Arc<StageCounters>)>,
        exits: Vec<Exit>,
        common: Common,
    ) -> Self {
        let link = |(step, counters): (StageStep, Arc<StageCounters>)| Link {
            calls: step.concurrency.map(|most| Semaphore::new(most.get())),
            batcher: step.batch.map(|group| Arc::new(Batcher::new(group))),
            step,
            counters,
        };
        let links: Vec<_> = stages.into_iter().map(link).collect();
        let batchers = links.iter().filter_map(|link| link.batcher.clone()).collect();
        let Common { flights, executor, shutdown, errors, tap } = common;
        Self { name, links, batchers, exits, flights, executor, shutdown, errors, tap }
    }

    /// The shortest timeout of a stage.
    pub(crate) fn shortest_timeout(&self) -> Option<Duration> {
        self.links.iter().filter_map(|link| link.step.timeout).min()
    }

    /// Takes a document through the stages, back to back, and to the sinks.
    ///
    /// It counts as being on its way at once, and not only from the first poll on.
    pub(crate) fn walk(
        self: Arc<Self>,
        document: Document<'static>,
        share: Share,
    ) -> impl Future<Output = ()> + Send + 'static {
        let approach = Approach::new(&self.batchers);
        // What is under way is moved from one state to the next; a pointer moves more easily.
        let document = Box::new(document);
        async move {
            let Some(ticket) = share.ticket() else { return };
            tokio::select! {
                biased;
                () = self.walk_on(document, share, &ticket, approach) => {}
                () = ticket.taken_away() => {}
            }
        }
    }

    async fn walk_on(
        &self,
        mut document: Box<Document<'static>>,
        share: Share,
        ticket: &Arc<Ticket>,
        mut approach: Approach,
    ) {
        if let Some(name) = &self.name {
            document.set_pipeline(Arc::clone(name));
        }
        for link in &self.links {
            match self.pass(link, document, ticket, &mut approach).await {
                Ok(passed) => {
                    document = passed;
                    self.tap.show(Some(&link.step.id), &document);
                }
                Err(End::Lost) => return,
                Err(End::Failed { reason, attempts }) => {
                    return share.fail(&link.step.id, reason, attempts);
                }
            }
            if let Some(batcher) = &link.batcher {
                approach.reach(batcher);
            }
        }
        self.leave(document, share, ticket).await;
    }

    /// Takes a document through one stage, or past it.
    async fn pass(
        &self,
        link: &Link,
        mut document: Box<Document<'static>>,
        ticket: &Arc<Ticket>,
        approach: &mut Approach,
    ) -> Result<Box<Document<'static>>, End> {
        let step = &link.step;
        let counters = &link.counters;
        match is_wanted(step.when.as_ref(), &document) {
            Ok(true) => {}
            Ok(false) => {
                document.add_note(skipped_note(&step.id));
                count(&counters.skipped);
                return Ok(document);
            }
            Err(reason) => return self.give_up(step, counters, document, reason, 0),
        }
        let attempts = step.retry.max_attempts.get();
        let goes_on_after_failure = attempts > 1 || step.on_error == OnError::Continue;
        let original = (goes_on_after_failure && !step.restores).then(|| document.clone());
        let mut attempt = 1;
        loop {
            let answer = self.call(link, document, ticket, attempt, approach).await;
            let Some(Answer { document: worked_on, result, took }) = answer else {
                return Err(End::Lost);
            };
            document = worked_on;
            let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            counters.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
            let error = match result {
                Ok(()) => {
                    document.add_stage(record(step, took));
                    count(&counters.done);
                    return Ok(document);
                }
                Err(CallError::Lost) => return Err(End::Lost),
                Err(error) => error,
            };
            if let Some(original) = &original {
                document = original.clone();
            }
            ticket.cancelled.store(false, Ordering::Relaxed);
            if !error.is_transient() || attempt >= attempts {
                return self.give_up(step, counters, document, error.to_string(), attempt);
            }
            count(&counters.retried);
            sleep(step.retry.backoff.pause(attempt)).await;
            attempt += 1;
        }
    }

    /// Decides what follows when a stage gives up on a document.
    fn give_up(
        &self,
        step: &StageStep,
        counters: &StageCounters,
        mut document: Box<Document<'static>>,
        reason: String,
        attempts: u32,
    ) -> Result<Box<Document<'static>>, End> {
        count(&counters.failed);
        match step.on_error {
            OnError::Quarantine => Err(End::Failed { reason, attempts }),
            OnError::Continue => {
                document.add_note(format!("stage {} failed: {reason}", step.id));
                Ok(document)
            }
            OnError::Stop => {
                let (stage, reason) = (step.id.clone(), reason);
                report(&self.errors, RunError::Stopped { stage, reason: reason.clone() });
                self.shutdown.drain();
                Err(End::Failed { reason, attempts })
            }
        }
    }

    /// Calls a stage once, for the document alone or in a batch.
    async fn call(
        &self,
        link: &Link,
        mut document: Box<Document<'static>>,
        ticket: &Arc<Ticket>,
        attempt: u32,
        approach: &mut Approach,
    ) -> Option<Answer> {
        if let Some(batcher) = &link.batcher {
            let call = async |members| self.call_batch(link, members).await;
            return batcher.join(document, Arc::clone(ticket), attempt, approach, call).await;
        }
        let _permit = link.permit().await;
        let started = Instant::now();
        let context = StageContext::new(&link.step.id, attempt, &ticket.cancelled);
        let future = link.step.stage.process(&mut document, &context);
        let result = within(future, ticket, link.watch(attempt, Vec::new())).await;
        self.note_return(&result);
        let result = result.and_then(|result| result.map_err(CallError::Stage));
        Some(Answer { document, result, took: started.elapsed() })
    }

    async fn call_batch(&self, link: &Link, members: Vec<Member>) {
        let _permit = link.permit().await;
        let started = Instant::now();
        let mut documents = Vec::with_capacity(members.len());
        let mut waiting = Vec::with_capacity(members.len());
        for Member { document, ticket, attempt, answer } in members {
            documents.push(*document);
            waiting.push((ticket, attempt, answer));
        }
        let attempt = waiting.iter().map(|(_, attempt, _)| *attempt).max().unwrap_or(1);
        let tickets: Vec<_> = waiting.iter().map(|(ticket, ..)| Arc::clone(ticket)).collect();
        let originals = (!link.step.restores && documents.len() > 1).then(|| documents.clone());

        let mut results = self.call_several(link, &mut documents, &tickets, attempt).await;
        let is_blameless =
            results.iter().all(|result| result.as_ref().is_err_and(CallError::blames_nobody));
        if is_blameless && documents.len() > 1 {
            // One document may have failed all: each gets its own call, and the culprit fails.
            if let Some(originals) = originals {
                documents = originals;
            }
            results.clear();
            for (document, ticket) in documents.iter_mut().zip(&tickets) {
                let (document, ticket) =
                    (std::slice::from_mut(document), std::slice::from_ref(ticket));
                results.append(&mut self.call_several(link, document, ticket, attempt).await);
            }
        }
        let took = started.elapsed() / u32::try_from(documents.len().max(1)).unwrap_or(u32::MAX);
        for ((document, result), (.., answer)) in documents.into_iter().zip(results).zip(waiting) {
            // Nobody listens any more when the document was taken away.
            let _ = answer.send(Answer { document: Box::new(document), result, took });
        }
    }

    /// Returns one result for each document, whatever the stage answers.
    async fn call_several(
        &self,
        link: &Link,
        documents: &mut [Document<'static>],
        tickets: &[Arc<Ticket>],
        attempt: u32,
    ) -> Vec<Result<(), CallError>> {
        let expected = documents.len();
        let Some((leader, companions)) = tickets.split_first() else { return Vec::new() };
        let context = StageContext::new(&link.step.id, attempt, &leader.cancelled);
        let future = link.step.stage.process_batch(documents, &context);
        let called = within(future, leader, link.watch(attempt, companions.to_vec())).await;
        self.note_return(&called);
        leader.cancelled.store(false, Ordering::Relaxed);
        let error = match called {
            Ok(results) if results.len() == expected => {
                return results.into_iter().map(|r| r.map_err(CallError::Stage)).collect();
            }
            Ok(results) => CallError::Miscounted { found: results.len(), expected },
            Err(error) => error,
        };
        vec![Err(error); expected]
    }

    /// Sends home the replacement of a worker that was blocked and has come back.
    fn note_return<T>(&self, called: &Result<T, CallError>) {
        if matches!(called, Err(CallError::Lost)) {
            self.flights.counters.stuck_workers.fetch_sub(1, Ordering::Relaxed);
            self.executor.retire_worker();
        }
    }

    /// Hands a document to the sinks that want it.
    async fn leave(&self, document: Box<Document<'static>>, share: Share, ticket: &Ticket) {
        self.tap.show(None, &document);
        ticket.pass_stages();
        let mut wanted_by = Vec::with_capacity(self.exits.len());
        for exit in &self.exits {
            match is_wanted(exit.when.as_ref(), &document) {
                Ok(true) => wanted_by.push(exit),
                Ok(false) => {}
                Err(reason) if exit.is_required => {
                    return share.fail(&exit.counters.name, reason, 0);
                }
                Err(_) => count(&exit.counters.missed),
            }
        }
        if wanted_by.is_empty() && !self.exits.is_empty() {
            debug!(id = document.id(), "no route takes a document; it goes to no sink");
            count(&self.flights.counters.unrouted);
        }
        let size_bytes = document.size_bytes();
        ticket.weigh(size_bytes);
        ticket.turn().await;
        if ticket.is_settled() {
            // Taken away while it waited: its turn came only because those before it were, too.
            return;
        }
        let document = Arc::new(*document);
        // All shares are made before the first sink can answer, so that it is not the last.
        let shares: Vec<Option<Share>> =
            wanted_by.iter().map(|exit| exit.is_required.then(|| share.split())).collect();
        share.tell(Outcome::Done);
        for (exit, share) in wanted_by.into_iter().zip(shares) {
            let waiting = Waiting::new(&exit.counters, size_bytes);
            let parcel = Parcel { document: Arc::clone(&document), share, waiting };
            if exit.is_required {
                // A sink that has ended drops the parcel, which returns the document.
                let _ = exit.queue.send(parcel).await;
            } else {
                exit.offer(parcel);
            }
        }
        ticket.leave_stages();
    }
}

impl Exit {
    /// Hands a document over if there is room: nobody waits for a sink that is not required.
    fn offer(&self, parcel: Parcel) {
        let waiting_bytes = self.counters.waiting_bytes.load(Ordering::Relaxed);
        let has_room = waiting_bytes <= self.most_waiting_bytes;
        if !has_room || self.queue.try_send(parcel).is_err() {
            count(&self.counters.missed);
        }
    }
}

impl Link {
    /// Waits until the stage may be called, and can begin.
    async fn permit(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        let permit = match &self.calls {
            // An error would mean that the semaphore is closed, which nobody does.
            Some(calls) => calls.acquire().await.ok(),
            None => None,
        };
        self.step.stage.ready().await;
        permit
    }

    /// What the watchdog is to know of a call.
    fn watch(&self, attempt: u32, companions: Vec<Arc<Ticket>>) -> Option<Call> {
        let stage = &self.counters;
        self.step.timeout.map(|limit| Call::new(Arc::clone(stage), attempt, limit, companions))
    }
}

fn is_wanted(when: Option<&Condition>, document: &Document<'_>) -> Result<bool, String> {
    let Some(condition) = when else { return Ok(true) };
    let answer = catch_unwind(AssertUnwindSafe(|| condition(document)));
    answer
        .unwrap_or_else(|panic| Err(format!("panicked: {}", panic_message(&*panic))))
        .map_err(|reason| format!("`when` cannot be decided: {reason}"))
}

fn record(step: &StageStep, took: Duration) -> StageRecord {
    StageRecord {
        name: step.id.clone(),
        version: step.version.clone(),
        model: step.model.clone(),
        ms: took.as_secs_f64() * 1e3,
    }
}
