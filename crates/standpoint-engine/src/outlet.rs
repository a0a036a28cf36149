//! Feeds one sink: collects documents into groups, writes them, and waits out what passes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use standpoint_document::Document;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use crate::call::Caught;
use crate::flight::{Flights, Share};
use crate::pipeline::SinkStep;
use crate::receipt::Outcome;
use crate::reload::{self, Handover, SinkOrder};
use crate::sink::SinkError;
use crate::stats::{SinkCounters, count};

/// A finished document on its way to a sink.
pub(crate) struct Parcel {
    pub(crate) document: Arc<Document<'static>>,
    /// `None` on its way to a sink that is not required: nobody waits for its answer.
    pub(crate) share: Option<Share>,
    pub(crate) waiting: Waiting,
}

/// Counts a document as waiting for a sink, until it is dropped.
pub(crate) struct Waiting {
    counters: Arc<SinkCounters>,
    bytes: u64,
}

impl Waiting {
    pub(crate) fn new(counters: &Arc<SinkCounters>, size_bytes: usize) -> Self {
        let bytes = size_bytes as u64;
        counters.waiting.fetch_add(1, Ordering::Relaxed);
        counters.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { counters: Arc::clone(counters), bytes }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.counters.waiting.fetch_sub(1, Ordering::Relaxed);
        self.counters.waiting_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A sink and its queue.
pub(crate) struct Outlet {
    pub(crate) counters: Arc<SinkCounters>,
    pub(crate) step: SinkStep,
    pub(crate) queue: mpsc::Receiver<Parcel>,
    pub(crate) orders: mpsc::Receiver<SinkOrder>,
    /// A successor that came during a write.
    pub(crate) postponed: Option<Handover<SinkStep>>,
    pub(crate) flights: Arc<Flights>,
    /// Becomes true when every document is settled.
    pub(crate) closing: watch::Receiver<bool>,
}

/// What a sink says of each document of a group.
type Written = Result<Vec<Result<(), String>>, SinkError>;

/// Whether a sink goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Goes,
    /// It is to give up what it has not written.
    Ends,
}

impl Outlet {
    /// Writes all that comes, until told to close.
    ///
    /// On an error, what the sink lacks is dropped, which returns it to its source.
    pub(crate) async fn feed(mut self) -> Result<(), SinkError> {
        loop {
            if let Some(handover) = self.postponed.take() {
                self.hand_over(handover, true).await;
            }
            let first = tokio::select! {
                biased;
                order = reload::next(&mut self.orders) => match order {
                    SinkOrder::Replace(handover) => {
                        self.hand_over(handover, true).await;
                        continue;
                    }
                    SinkOrder::Abandon => return Ok(()),
                },
                parcel = self.queue.recv() => parcel,
                () = closed(&mut self.closing) => None,
            };
            let Some(first) = first else { break };
            let group = self.collect(first).await;
            if self.write(group).await? == Flow::Ends {
                return Ok(());
            }
        }
        caught(Caught(self.step.sink.close()).await)
    }

    /// Lets a successor take the place of the sink, if everything else of the reload is open, too.
    ///
    /// - `is_whole`: whether the last write of the sink went well, so that it may be closed.
    async fn hand_over(&mut self, handover: Handover<SinkStep>, is_whole: bool) {
        let Handover { open, opened, decision } = handover;
        let successor = match reload::open(open).await {
            Ok(successor) => successor,
            Err(reason) => {
                let _ = opened.send(Err(reason));
                return;
            }
        };
        if opened.send(Ok(())).is_err() || decision.await.is_err() {
            return;
        }
        let mut old = std::mem::replace(&mut self.step, successor);
        self.counters.set_pause(None);
        if is_whole && let Err(error) = caught(Caught(old.sink.close()).await) {
            warn!(sink = old.name, %error, "a sink that was replaced could not be closed");
        }
        info!(sink = self.step.name, "another sink took the place of the old one");
    }

    /// Collects a group: as many as there may be, or as come in time, or as are under way.
    async fn collect(&mut self, first: Parcel) -> Vec<Parcel> {
        let most = self.step.group.max_documents.get();
        let deadline = Instant::now() + self.step.group.max_delay;
        let mut group = vec![first];
        while group.len() < most {
            if let Ok(parcel) = self.queue.try_recv() {
                group.push(parcel);
                continue;
            }
            let idle = self.flights.stages_idle.notified();
            tokio::pin!(idle);
            // Registered before the look, so that no change between the two is missed.
            idle.as_mut().enable();
            if self.flights.are_stages_idle() {
                // Whoever was the last to leave the stages may have come here since.
                match self.queue.try_recv() {
                    Ok(parcel) => group.push(parcel),
                    Err(_) => break,
                }
                continue;
            }
            tokio::select! {
                biased;
                parcel = self.queue.recv() => match parcel {
                    Some(parcel) => group.push(parcel),
                    None => break,
                },
                () = idle => {}
                () = sleep_until(deadline) => break,
            }
        }
        group
    }

    async fn write(&mut self, group: Vec<Parcel>) -> Result<Flow, SinkError> {
        let mut documents = Vec::with_capacity(group.len());
        let mut shares = Vec::with_capacity(group.len());
        let mut waiting = Vec::with_capacity(group.len());
        for parcel in group {
            documents.push(parcel.document);
            shares.push(parcel.share);
            waiting.push(parcel.waiting);
        }
        let counters = Arc::clone(&self.counters);
        let mut failures: u32 = 0;
        let answers = loop {
            let Some(written) = self.call(&documents).await else { return Ok(Flow::Ends) };
            let written = written.map_err(|panic| {
                // One of them may be what it cannot bear.
                for share in shares.iter_mut().filter_map(Option::take) {
                    share.tell(Outcome::Returned);
                }
                panicked(&panic)
            })?;
            match written {
                Ok(answers) => break answers,
                Err(error @ SinkError::Fatal { .. }) => return Err(error),
                Err(error @ SinkError::Transient { .. }) => {
                    failures = failures.saturating_add(1);
                    if self.pause(&error, failures).await == Flow::Ends {
                        return Ok(Flow::Ends);
                    }
                }
            }
        };
        if failures > 0 {
            counters.set_pause(None);
            info!(sink = self.step.name, failures, "sink works again");
        }
        if answers.len() != documents.len() {
            let (found, expected) = (answers.len(), documents.len());
            let message = format!("documents the sink answered for: {found}, expected: {expected}");
            return Err(SinkError::fatal(message));
        }
        count(&counters.groups);
        for (answer, share) in answers.into_iter().zip(shares) {
            count(if answer.is_ok() { &counters.done } else { &counters.failed });
            match (answer, share) {
                (Ok(()), Some(share)) => share.tell(Outcome::Done),
                (Err(reason), Some(share)) => share.fail(&self.step.name, reason, 1),
                (Ok(()), None) => {}
                (Err(reason), None) => {
                    warn!(sink = self.step.name, reason, "an optional sink refused a document");
                }
            }
        }
        drop(waiting);
        Ok(Flow::Goes)
    }

    /// Calls the sink once; `None` when it was told to give up meanwhile, and an error when it
    /// panicked.
    async fn call(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Option<Result<Written, String>> {
        let write = Caught(self.step.sink.write(documents));
        tokio::pin!(write);
        loop {
            tokio::select! {
                biased;
                written = &mut write => return Some(written),
                order = reload::next(&mut self.orders), if self.postponed.is_none() => match order {
                    SinkOrder::Replace(handover) => self.postponed = Some(handover),
                    SinkOrder::Abandon => return None,
                },
            }
        }
    }

    /// Waits before the next attempt, or until a successor makes it.
    async fn pause(&mut self, error: &SinkError, failures: u32) -> Flow {
        let counters = Arc::clone(&self.counters);
        counters.errors.fetch_add(1, Ordering::Relaxed);
        counters.set_pause(Some(with_cause(error)));
        let pause = self.step.backoff.pause(failures);
        // The first time and whenever the count has doubled, so that a long outage stays readable.
        if failures.is_power_of_two() {
            let sink = &self.step.name;
            let error = with_cause(error);
            warn!(sink, error, failures, ?pause, "sink cannot write; its documents wait");
        }
        if let Some(handover) = self.postponed.take() {
            self.hand_over(handover, false).await;
            return Flow::Goes;
        }
        tokio::select! {
            biased;
            order = reload::next(&mut self.orders) => match order {
                SinkOrder::Replace(handover) => self.hand_over(handover, false).await,
                SinkOrder::Abandon => return Flow::Ends,
            },
            () = sleep(pause) => {}
            // What it has in hand went back, or nobody waits for this sink: one more attempt would
            // be cut short.
            () = closed(&mut self.closing) => return Flow::Ends,
        }
        Flow::Goes
    }
}

/// Waits until every document is settled.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// An error with what caused it, which is often the half that helps.
fn with_cause(error: &SinkError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// A panic of a sink is the end of it: nobody knows what it has written.
fn caught<T>(result: Result<Result<T, SinkError>, String>) -> Result<T, SinkError> {
    result.unwrap_or_else(|panic| Err(panicked(&panic)))
}

fn panicked(panic: &str) -> SinkError {
    SinkError::fatal(format!("the sink panicked: {panic}"))
}
