//! Collects documents for a stage that works on several at once.
//!
//! There is no collector task: documents meet, and the one that completes a batch, or that has
//! waited the longest when its time is up, makes the call for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use standpoint_document::Document;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::call::CallError;
use crate::flight::Ticket;
use crate::pipeline::Group;

/// A document that waits for its batch.
pub(crate) struct Member {
    pub(crate) document: Document<'static>,
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) attempt: u32,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// A document after a call, and what came of it.
pub(crate) struct Answer {
    pub(crate) document: Document<'static>,
    pub(crate) result: Result<(), CallError>,
    /// The document's part of the time that the call took.
    pub(crate) took: std::time::Duration,
}

/// Where documents meet.
pub(crate) struct Batcher {
    group: Group,
    waiting: Mutex<Waiting>,
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
        Self { group, waiting: Mutex::default() }
    }

    /// Joins the batch that is being collected and waits for the answer. `call` makes the call for
    /// a batch; it is used by one of its members.
    pub(crate) async fn join(
        &self,
        document: Document<'static>,
        ticket: Arc<Ticket>,
        attempt: u32,
        call: impl AsyncFnOnce(Vec<Member>),
    ) -> Option<Answer> {
        let (answer, mut answered) = oneshot::channel();
        let member = Member { document, ticket, attempt, answer };
        let (full, is_first, batch) = self.add(member);
        if let Some(members) = full {
            call(members).await;
        } else if is_first {
            tokio::select! {
                biased;
                answer = &mut answered => return answer.ok(),
                () = sleep(self.group.max_delay) => {}
            }
            let late = {
                let mut waiting = self.lock();
                (waiting.batch == batch).then(|| waiting.leave())
            };
            if let Some(members) = late {
                call(members).await;
            }
        }
        answered.await.ok()
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
