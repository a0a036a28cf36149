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
use crate::sink::SinkError;
use crate::stats::{SinkCounters, count};

/// A finished document on its way to a sink.
pub(crate) struct Parcel {
    pub(crate) document: Arc<Document<'static>>,
    pub(crate) share: Share,
}

/// A sink and its queue.
pub(crate) struct Outlet {
    pub(crate) index: usize,
    pub(crate) step: SinkStep,
    pub(crate) queue: mpsc::Receiver<Parcel>,
    pub(crate) flights: Arc<Flights>,
    /// Becomes true when every document is settled.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Outlet {
    /// Writes all that comes, until told to close.
    ///
    /// On an error, what the sink lacks is dropped, which returns it to its source.
    pub(crate) async fn feed(mut self) -> Result<(), SinkError> {
        loop {
            let first = tokio::select! {
                biased;
                parcel = self.queue.recv() => parcel,
                _ = self.closing.wait_for(|closing| *closing) => None,
            };
            let Some(first) = first else { break };
            let group = self.collect(first).await;
            self.write(group).await?;
        }
        caught(Caught(self.step.sink.close()).await)
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

    async fn write(&mut self, group: Vec<Parcel>) -> Result<(), SinkError> {
        let (documents, shares): (Vec<_>, Vec<_>) =
            group.into_iter().map(|parcel| (parcel.document, parcel.share)).unzip();
        let mut failures: u32 = 0;
        let flights = Arc::clone(&self.flights);
        let counters = &flights.counters.sinks[self.index];
        let answers = loop {
            match caught(Caught(self.step.sink.write(&documents)).await) {
                Ok(answers) => break answers,
                Err(error @ SinkError::Fatal { .. }) => return Err(error),
                Err(error @ SinkError::Transient { .. }) => {
                    failures = failures.saturating_add(1);
                    self.pause(&error, failures, counters).await;
                }
            }
        };
        if failures > 0 {
            counters.set_pause(None);
            info!(sink = self.step.name, failures, "sink works again");
        }
        if answers.len() != documents.len() {
            let (found, expected) = (answers.len(), documents.len());
            let message = format!("the sink answered for {found} documents of {expected}");
            return Err(SinkError::fatal(message));
        }
        count(&counters.groups);
        for (answer, share) in answers.into_iter().zip(shares) {
            match answer {
                Ok(()) => {
                    count(&counters.done);
                    share.tell(Outcome::Done);
                }
                Err(reason) => {
                    count(&counters.failed);
                    share.fail(&self.step.name, reason, 1);
                }
            }
        }
        Ok(())
    }

    async fn pause(&mut self, error: &SinkError, failures: u32, counters: &SinkCounters) {
        counters.errors.fetch_add(1, Ordering::Relaxed);
        counters.set_pause(Some(error.to_string()));
        let pause = self.step.backoff.pause(failures);
        // The first time and whenever the count has doubled, so that a long outage stays readable.
        if failures.is_power_of_two() {
            let sink = &self.step.name;
            warn!(sink, %error, failures, ?pause, "sink cannot write; its documents wait");
        }
        sleep(pause).await;
    }
}

/// A panic of a sink is the end of it: nobody knows what it has written.
fn caught<T>(result: Result<Result<T, SinkError>, String>) -> Result<T, SinkError> {
    result.unwrap_or_else(|panic| Err(SinkError::fatal(format!("the sink panicked: {panic}"))))
}
