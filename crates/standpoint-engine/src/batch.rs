//! Collects documents for a stage that works on several at once.
//!
//! There is no collector task: documents meet, and the one that completes a batch, or that came
//! first when there is nothing left to wait for, makes the call for all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use standpoint_document::Document;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

use crate::call::CallError;
use crate::flight::Ticket;
use crate::pipeline::Group;

/// A document that waits for its batch.
pub(crate) struct Member {
    pub(crate) document: Box<Document<'static>>,
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) attempt: u32,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// A document after a call, and what came of it.
pub(crate) struct Answer {
    pub(crate) document: Box<Document<'static>>,
    pub(crate) result: Result<(), CallError>,
    /// The document's part of the time that the call took.
    pub(crate) took: std::time::Duration,
}

/// Where documents meet.
pub(crate) struct Batcher {
    group: Group,
    waiting: Mutex<Waiting>,
    /// What a batch waits for: documents that are on their way here, and calls under way, since a
    /// stage that is busy would rather have more documents a little later.
    prospects: AtomicUsize,
    /// Told when there are none.
    alone: Notify,
}

#[derive(Default)]
struct Waiting {
    members: Vec<Member>,
    /// Which batch is being collected; tells a document whether its own has left.
    batch: u64,
}

impl Waiting {
    fn leave(&mut self) -> Vec<Member> {
        self.batch += 1;
        std::mem::take(&mut self.members)
    }
}

impl Batcher {
    pub(crate) fn new(group: Group) -> Self {
        Self {
            group,
            waiting: Mutex::default(),
            prospects: AtomicUsize::new(0),
            alone: Notify::new(),
        }
    }

    /// Joins the batch that is being collected and waits for the answer. `call` makes the call for
    /// a batch; it is used by one of its members.
    pub(crate) async fn join(
        &self,
        document: Box<Document<'static>>,
        ticket: Arc<Ticket>,
        attempt: u32,
        approach: &mut Approach,
        call: impl AsyncFnOnce(Vec<Member>),
    ) -> Option<Answer> {
        let (answer, mut answered) = oneshot::channel();
        let member = Member { document, ticket, attempt, answer };
        let (full, is_first, batch) = self.add(member);
        // After it has joined, so that the batch does not leave without it.
        approach.reach(self);
        let members = if full.is_some() || !is_first {
            full
        } else {
            tokio::select! {
                biased;
                answer = &mut answered => return answer.ok(),
                () = self.alone() => {}
                () = sleep(self.group.max_delay) => {}
            }
            let mut waiting = self.lock();
            (waiting.batch == batch).then(|| waiting.leave())
        };
        if let Some(members) = members {
            let _under_way = UnderWay::new(self);
            call(members).await;
        }
        answered.await.ok()
    }

    /// Waits until nobody can come to the batch.
    async fn alone(&self) {
        loop {
            let alone = self.alone.notified();
            tokio::pin!(alone);
            // Registered before the look, so that no change between the two is missed.
            alone.as_mut().enable();
            if self.prospects.load(Ordering::Acquire) == 0 {
                return;
            }
            alone.await;
        }
    }

    fn expect(&self) {
        self.prospects.fetch_add(1, Ordering::AcqRel);
    }

    fn expect_no_more(&self) {
        if self.prospects.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.alone.notify_waiters();
        }
    }

    fn add(&self, member: Member) -> (Option<Vec<Member>>, bool, u64) {
        let mut waiting = self.lock();
        let batch = waiting.batch;
        waiting.members.push(member);
        let count = waiting.members.len();
        let is_full = count >= self.group.max_documents.get();
        (is_full.then(|| waiting.leave()), count == 1, batch)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way, until it is dropped.
struct UnderWay<'b>(&'b Batcher);

impl<'b> UnderWay<'b> {
    fn new(batcher: &'b Batcher) -> Self {
        batcher.expect();
        Self(batcher)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.expect_no_more();
    }
}

/// A document that is expected wherever batches are collected ahead of it; no longer where it has
/// come, nor anywhere when it is dropped. One that blocks its worker for ever is expected for ever:
/// batches then wait their time.
pub(crate) struct Approach {
    /// In the order of the chain.
    batchers: Arc<[Arc<Batcher>]>,
    /// How many of them it has come to, or past.
    reached: usize,
}

impl Approach {
    pub(crate) fn new(batchers: &Arc<[Arc<Batcher>]>) -> Self {
        batchers.iter().for_each(|batcher| batcher.expect());
        Self { batchers: Arc::clone(batchers), reached: 0 }
    }

    /// Notes that the document has come to `batcher` or passed it by; the first time counts.
    pub(crate) fn reach(&mut self, batcher: &Batcher) {
        let is_next = |next: &Arc<Batcher>| std::ptr::eq(Arc::as_ptr(next), batcher);
        if self.batchers.get(self.reached).is_some_and(is_next) {
            self.reached += 1;
            batcher.expect_no_more();
        }
    }
}

impl Drop for Approach {
    fn drop(&mut self) {
        self.batchers[self.reached..].iter().for_each(|batcher| batcher.expect_no_more());
    }
}
