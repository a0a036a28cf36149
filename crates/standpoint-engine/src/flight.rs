//! Documents in flight: what they may use together, and who owes whom an answer.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use crate::pipeline::Limits;
use crate::receipt::{Failure, Outcome, Receipt};
use crate::stats::{Counters, SourceCounters, StageCounters, count};

/// All documents that are read and not settled.
#[derive(Debug)]
pub(crate) struct Flights {
    pub(crate) counters: Counters,
    /// By number, so the first is the oldest.
    tickets: Mutex<BTreeMap<u64, Arc<Ticket>>>,
    next_number: AtomicU64,
    /// Documents that have not reached the sinks.
    in_stages: AtomicUsize,
    /// Told when `in_stages` becomes 0.
    pub(crate) stages_idle: Notify,
    /// Told when the last document is settled.
    emptied: Notify,
    documents: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    budget_bytes: usize,
    growth: usize,
}

impl Flights {
    pub(crate) fn new(counters: Counters, limits: &Limits) -> Self {
        let budget_bytes = limits.bytes_in_flight.get().min(u32::MAX as usize);
        let documents = limits.documents_in_flight.get().min(Semaphore::MAX_PERMITS);
        Self {
            counters,
            tickets: Mutex::default(),
            next_number: AtomicU64::new(0),
            in_stages: AtomicUsize::new(0),
            stages_idle: Notify::new(),
            emptied: Notify::new(),
            documents: Arc::new(Semaphore::new(documents)),
            bytes: Arc::new(Semaphore::new(budget_bytes)),
            budget_bytes,
            growth: limits.growth.get(),
        }
    }

    /// Waits until there is room for what a document of this size may become: this is where
    /// back-pressure reaches the sources. One that is larger than the whole budget waits until it
    /// is alone.
    ///
    /// Cancel safe. `None` never comes: nobody closes the semaphores.
    pub(crate) async fn admit(&self, size_bytes: usize) -> Option<Charge> {
        let document = Arc::clone(&self.documents).acquire_owned().await.ok()?;
        let bytes = size_bytes.saturating_mul(self.growth).min(self.budget_bytes);
        self.bytes.acquire_many(bytes as u32).await.ok()?.forget();
        Some(Charge { _document: document, semaphore: Arc::clone(&self.bytes), bytes })
    }

    /// Lets a document in.
    ///
    /// - `source`: the counters of its source, which tell it from documents of others.
    pub(crate) fn enter(
        self: &Arc<Self>,
        source: &Arc<SourceCounters>,
        receipt: Receipt,
        charge: Charge,
        turn: Turn,
    ) -> Share {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let ticket = Arc::new(Ticket {
            number,
            source: Arc::clone(source),
            entered: Instant::now(),
            flights: Arc::clone(self),
            held: Mutex::new(Some(Held { receipt, charge, shares: 1, worst: Outcome::Done })),
            is_in_stages: AtomicBool::new(true),
            is_worked_on: AtomicBool::new(true),
            turn: Mutex::new(turn),
            call: Mutex::new(None),
            cancelled: AtomicBool::new(false),
            ended: Notify::new(),
        });
        self.in_stages.fetch_add(1, Ordering::AcqRel);
        lock(&self.tickets).insert(number, Arc::clone(&ticket));
        Share { ticket: Some(ticket) }
    }

    /// Whether no document is on its way to the sinks.
    pub(crate) fn are_stages_idle(&self) -> bool {
        self.in_stages.load(Ordering::Acquire) == 0
    }

    /// Waits until every document is settled.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            // Registered before the look, so that no change between the two is missed.
            emptied.as_mut().enable();
            if lock(&self.tickets).is_empty() {
                return;
            }
            emptied.await;
        }
    }

    pub(crate) fn tickets(&self) -> Vec<Arc<Ticket>> {
        lock(&self.tickets).values().cloned().collect()
    }

    /// Gives the documents of a source back to it; how many that were.
    pub(crate) fn return_those_of(&self, source: &Arc<SourceCounters>) -> usize {
        let tickets = self.tickets();
        let own = tickets.iter().filter(|ticket| Arc::ptr_eq(&ticket.source, source));
        own.filter(|ticket| ticket.give_back()).count()
    }

    /// How many documents there are and the age of the oldest.
    pub(crate) fn age(&self) -> (u64, Duration) {
        let tickets = lock(&self.tickets);
        let oldest = tickets.first_key_value();
        let age = oldest.map(|(_, ticket)| ticket.entered.elapsed()).unwrap_or_default();
        (tickets.len() as u64, age)
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.budget_bytes - self.bytes.available_permits().min(self.budget_bytes)) as u64
    }
}

/// What a document takes of the budgets, until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    _document: OwnedSemaphorePermit,
    semaphore: Arc<Semaphore>,
    bytes: usize,
}

impl Charge {
    /// Counts what stages have added. It does not wait, as a document in the pipeline must get
    /// out; it takes what is free, so that the next document waits longer.
    fn grow_to(&mut self, bytes: usize) {
        let growth = bytes.saturating_sub(self.bytes);
        self.bytes += self.semaphore.forget_permits(growth);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.semaphore.add_permits(self.bytes);
    }
}

/// The order of a source's documents.
#[derive(Debug, Default)]
pub(crate) struct Order {
    last: Option<Before>,
}

impl Order {
    /// The turn of the next document.
    pub(crate) fn next(&mut self) -> Turn {
        let (after, before) = oneshot::channel();
        Turn { before: self.last.replace(Before(before)), after: Some(after) }
    }
}

/// When a document may go to the sinks; the usual turn is at once.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    before: Option<Before>,
    /// Dropped when the document has gone to the sinks. If it ends before its turn has come, the
    /// one behind it gets what it was waiting for.
    after: Option<oneshot::Sender<Before>>,
}

/// The document before one: closed once that has gone to the sinks, or gives the one before it.
#[derive(Debug)]
struct Before(oneshot::Receiver<Before>);

impl Turn {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(Before(before)) = &mut self.before {
            self.before = ready!(Pin::new(before).poll(context)).ok();
        }
        Poll::Ready(())
    }

    fn pass(&mut self) {
        let (Some(after), Some(Before(mut before))) = (self.after.take(), self.before.take())
        else {
            return;
        };
        // What those before it handed on is taken out first, so that a slow document with many
        // failed ones behind it is waited for by one step and not by as many as have failed.
        loop {
            match before.try_recv() {
                Ok(Before(earlier)) => before = earlier,
                Err(TryRecvError::Closed) => return,
                Err(TryRecvError::Empty) => break,
            }
        }
        // Nobody behind it is as good as done.
        let _ = after.send(Before(before));
    }
}

/// A document's place in the pipeline.
#[derive(Debug)]
pub(crate) struct Ticket {
    number: u64,
    source: Arc<SourceCounters>,
    entered: Instant,
    flights: Arc<Flights>,
    /// `None` once settled, so it is settled once.
    held: Mutex<Option<Held>>,
    is_in_stages: AtomicBool,
    /// Whether a stage may still work on it, and so be to blame for what becomes of it.
    is_worked_on: AtomicBool,
    turn: Mutex<Turn>,
    /// The call that is under way for the document, when somebody watches it.
    call: Mutex<Option<Call>>,
    /// Tells the stage that nobody waits for its result.
    pub(crate) cancelled: AtomicBool,
    /// Told when the document was taken away from whoever works on it.
    ended: Notify,
}

#[derive(Debug)]
struct Held {
    receipt: Receipt,
    charge: Charge,
    /// Who still owes an answer.
    shares: usize,
    worst: Outcome,
}

/// A call that the watchdog looks at.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) stage: Arc<StageCounters>,
    pub(crate) attempt: u32,
    pub(crate) limit: Duration,
    /// The other documents in the call.
    pub(crate) companions: Vec<Arc<Ticket>>,
    /// Since when it has been in a poll; `None` while it waits.
    since: Option<Instant>,
    is_stuck: bool,
}

impl Call {
    pub(crate) const fn new(
        stage: Arc<StageCounters>,
        attempt: u32,
        limit: Duration,
        companions: Vec<Arc<Ticket>>,
    ) -> Self {
        Self { stage, attempt, limit, companions, since: None, is_stuck: false }
    }
}

impl Ticket {
    /// Settles the document, unless it is.
    fn settle(&self, outcome: Outcome) -> bool {
        let held = lock(&self.held).take();
        held.is_some_and(|held| {
            self.conclude(held, outcome);
            true
        })
    }

    fn conclude(&self, held: Held, outcome: Outcome) {
        let counters = &self.flights.counters;
        count(match outcome {
            Outcome::Done => &counters.done,
            Outcome::Failed(_) => &counters.failed,
            Outcome::Returned | Outcome::Unsent => &counters.returned,
        });
        let Held { receipt, charge, .. } = held;
        // The source is told before the document leaves the list: whoever sees the list empty may
        // rely on all receipts.
        receipt.settle(outcome);
        drop(charge);
        self.leave_stages();
        let mut tickets = lock(&self.flights.tickets);
        tickets.remove(&self.number);
        if tickets.is_empty() {
            drop(tickets);
            self.flights.emptied.notify_waiters();
        }
    }

    /// Whether there is nothing left to say of the document.
    pub(crate) fn is_settled(&self) -> bool {
        lock(&self.held).is_none()
    }

    /// What becomes of the document if nothing more is done with it.
    fn returned(&self) -> Outcome {
        if self.is_worked_on.load(Ordering::Relaxed) { Outcome::Returned } else { Outcome::Unsent }
    }

    /// Gives the document back to its source over the heads of those who work on it.
    pub(crate) fn give_back(&self) -> bool {
        self.take_away(self.returned())
    }

    /// Settles the document over the heads of those who work on it.
    pub(crate) fn take_away(&self, outcome: Outcome) -> bool {
        self.cancelled.store(true, Ordering::Relaxed);
        let was_open = self.settle(outcome);
        self.ended.notify_one();
        was_open
    }

    /// Waits until the document is taken away; for the one task that works on it.
    pub(crate) async fn taken_away(&self) {
        self.ended.notified().await;
    }

    /// Waits until the document before it has reached the sinks, where that is asked for.
    pub(crate) async fn turn(&self) {
        poll_fn(|context| lock(&self.turn).poll(context)).await;
    }

    /// Notes that no stage works on the document any more.
    pub(crate) fn pass_stages(&self) {
        self.is_worked_on.store(false, Ordering::Relaxed);
    }

    /// Counts the document as having reached the sinks, or its end.
    pub(crate) fn leave_stages(&self) {
        lock(&self.turn).pass();
        if self.is_in_stages.swap(false, Ordering::AcqRel)
            && self.flights.in_stages.fetch_sub(1, Ordering::AcqRel) == 1
        {
            self.flights.stages_idle.notify_waiters();
        }
    }

    /// Counts the memory that the document has come to take.
    pub(crate) fn weigh(&self, size_bytes: usize) {
        if let Some(held) = lock(&self.held).as_mut() {
            held.charge.grow_to(size_bytes);
        }
    }

    /// Notes a call for the watchdog, or its end.
    pub(crate) fn set_call(&self, call: Option<Call>) {
        *lock(&self.call) = call;
    }

    pub(crate) fn begin_poll(&self) {
        if let Some(call) = lock(&self.call).as_mut() {
            call.since = Some(Instant::now());
        }
    }

    /// Whether the watchdog gave the call up while it was being polled.
    pub(crate) fn end_poll(&self) -> bool {
        lock(&self.call).as_mut().is_some_and(|call| {
            call.since = None;
            call.is_stuck
        })
    }

    /// Does not count this much of the time that the poll has taken.
    pub(crate) fn excuse(&self, time: Duration) {
        if let Some(since) = lock(&self.call).as_mut().and_then(|call| call.since.as_mut()) {
            *since += time;
        }
    }

    /// Gives the call up when its poll has taken too long; returns its particulars then, once.
    pub(crate) fn find_stuck(&self) -> Option<Stuck> {
        let mut call = lock(&self.call);
        let call = call.as_mut()?;
        if call.is_stuck || call.since?.elapsed() <= call.limit {
            return None;
        }
        call.is_stuck = true;
        Some(Stuck {
            stage: Arc::clone(&call.stage),
            attempts: call.attempt,
            limit: call.limit,
            companions: std::mem::take(&mut call.companions),
        })
    }
}

/// A call that does not return.
pub(crate) struct Stuck {
    pub(crate) stage: Arc<StageCounters>,
    pub(crate) attempts: u32,
    pub(crate) limit: Duration,
    /// The other documents in the call.
    pub(crate) companions: Vec<Arc<Ticket>>,
}

/// The duty to say what became of a document. When the last share has spoken, the document is
/// settled with the worst that was said. Silence means [`Outcome::Returned`], or behind the stages
/// [`Outcome::Unsent`].
#[derive(Debug)]
pub(crate) struct Share {
    /// `None` once it has spoken.
    ticket: Option<Arc<Ticket>>,
}

impl Share {
    pub(crate) fn ticket(&self) -> Option<Arc<Ticket>> {
        self.ticket.clone()
    }

    pub(crate) fn tell(mut self, outcome: Outcome) {
        self.speak(outcome);
    }

    pub(crate) fn fail(self, stage: &str, reason: String, attempts: u32) {
        self.tell(Outcome::Failed(Failure { stage: stage.to_owned(), reason, attempts }));
    }

    /// Another share of the same document.
    pub(crate) fn split(&self) -> Self {
        let ticket = self.ticket.clone();
        if let Some(ticket) = &ticket
            && let Some(held) = lock(&ticket.held).as_mut()
        {
            held.shares += 1;
        }
        Self { ticket }
    }

    fn speak(&mut self, outcome: Outcome) {
        let Some(ticket) = self.ticket.take() else { return };
        let last = {
            let mut slot = lock(&ticket.held);
            let Some(held) = slot.as_mut() else { return };
            held.shares -= 1;
            let worst = std::mem::replace(&mut held.worst, Outcome::Done);
            held.worst = worst.worst(outcome);
            if held.shares > 0 {
                return;
            }
            slot.take()
        };
        if let Some(mut held) = last {
            let worst = std::mem::replace(&mut held.worst, Outcome::Done);
            ticket.conclude(held, worst);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            let outcome = ticket.returned();
            self.speak(outcome);
        }
    }
}

/// Locks; nothing that can panic runs under these locks, so a poisoned value is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
