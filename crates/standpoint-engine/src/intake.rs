//! Moves documents from a source into the pipeline.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::pin;
use tokio::sync::mpsc;
use tokio::task::consume_budget;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::call::Caught;
use crate::chain::Entrance;
use crate::flight::Order;
use crate::pipeline::SourceStep;
use crate::receipt::Outcome;
use crate::reload::{self, Handover, Open, SourceOrder};
use crate::source::{Delivery, Source, SourceError};
use crate::stats::{SourceCounters, count};

/// A source and where its documents go.
pub(crate) struct Intake {
    pub(crate) step: SourceStep,
    pub(crate) counters: Arc<SourceCounters>,
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) orders: mpsc::Receiver<SourceOrder>,
    /// How long documents may take to finish once the source stops.
    pub(crate) patience: Duration,
}

impl Intake {
    /// Delivers until the source ends or a stop is requested; then lets the source act on the
    /// outcomes of what is still under way.
    pub(crate) async fn run(mut self) -> Result<(), SourceError> {
        loop {
            self.counters.follow(self.step.source.as_ref());
            let delivered = self.deliver().await;
            info!(source = self.step.name, "source closed its front door");
            match delivered {
                Ok(Some(SourceOrder::Replace { handover, back })) => {
                    if !self.hand_over(handover, back).await? {
                        return Ok(());
                    }
                }
                Ok(Some(SourceOrder::Stop)) => return self.close_in_time().await,
                Ok(None) => return caught(Caught(self.step.source.close()).await),
                Err(error) => {
                    let _ = caught(Caught(self.step.source.close()).await);
                    return Err(error);
                }
            }
        }
    }

    /// Lets a successor take the place of the source, if everything else of the reload is open,
    /// too; says whether there is anything to deliver still.
    async fn hand_over(
        &mut self,
        handover: Handover<SourceStep>,
        back: Option<Open<SourceStep>>,
    ) -> Result<bool, SourceError> {
        let Handover { open, opened, decision } = handover;
        if let Err(error) = self.close_in_time().await {
            warn!(source = self.step.name, %error, "a source that is replaced did not close well");
        }
        if self.entrance.chain().shutdown.is_requested() {
            return Ok(false);
        }
        // Dropped before the successor is opened: what it holds, such as a lock, the other needs.
        self.step.source = Box::new(Ended);
        let refused = match reload::open(open).await {
            Ok(successor) => {
                self.step = successor;
                if opened.send(Ok(())).is_ok() && decision.await.is_ok() {
                    info!(source = self.step.name, "another source took the place of the old one");
                    return Ok(true);
                }
                let _ = caught(Caught(self.step.source.close()).await);
                self.step.source = Box::new(Ended);
                None
            }
            Err(reason) => Some((opened, reason)),
        };
        let again = match back {
            Some(back) => reload::open(back).await,
            None => Err("it is not known how it was opened".to_owned()),
        };
        if let Some((opened, reason)) = refused {
            let _ = opened.send(Err(reason));
        }
        self.step = again.map_err(|reason| {
            let message = "cannot be opened again with the settings that it had";
            SourceError::new(message).caused_by(reason)
        })?;
        Ok(true)
    }

    /// Closes the source; what has no outcome in time goes back to it.
    async fn close_in_time(&mut self) -> Result<(), SourceError> {
        let flights = Arc::clone(&self.entrance.chain().flights);
        let close = Caught(self.step.source.close());
        pin!(close);
        if let Ok(closed) = timeout(self.patience, &mut close).await {
            return caught(closed);
        }
        let documents = flights.return_those_of(&self.counters);
        warn!(source = self.step.name, documents, "documents under way go back to their source");
        caught(close.await)
    }

    /// Delivers until the source ends, a stop is requested, or an order comes, which is returned.
    async fn deliver(&mut self) -> Result<Option<SourceOrder>, SourceError> {
        let chain = self.entrance.chain();
        let (flights, shutdown) = (Arc::clone(&chain.flights), chain.shutdown.clone());
        drop(chain);
        // Only sources listen for a stop; the pipeline then empties from the front.
        let stop = shutdown.requested();
        pin!(stop);
        let mut order = self.step.keeps_order.then(Order::default);
        loop {
            // A source that is always ready must leave the runtime to others now and then.
            consume_budget().await;
            let delivery = tokio::select! {
                // Asked first, so that a source that is always ready cannot outrun a stop.
                biased;
                () = &mut stop => return Ok(None),
                order = reload::next(&mut self.orders) => return Ok(Some(order)),
                next = next(self.step.source.as_mut()) => match next? {
                    Some(delivery) => delivery,
                    None => return Ok(None),
                },
            };
            count(&flights.counters.read);
            count(&self.counters.read);
            let document = match delivery.content {
                Ok(document) => document,
                Err(failure) => {
                    count(&flights.counters.failed);
                    count(&self.counters.unreadable);
                    delivery.receipt.settle(Outcome::Failed(failure));
                    continue;
                }
            };
            let admitted = tokio::select! {
                biased;
                () = &mut stop => Err(None),
                order = reload::next(&mut self.orders) => Err(Some(order)),
                charge = flights.admit(document.size_bytes()) => Ok(charge),
            };
            let charge = match admitted {
                Ok(Some(charge)) => charge,
                Ok(None) => return Ok(None),
                Err(order) => {
                    count(&flights.counters.returned);
                    delivery.receipt.settle(Outcome::Returned);
                    return Ok(order);
                }
            };
            let turn = order.as_mut().map(Order::next).unwrap_or_default();
            let share = flights.enter(&self.counters, delivery.receipt, charge, turn);
            let chain = self.entrance.chain();
            chain.executor.spawn(Arc::clone(&chain).walk(document, share));
        }
    }
}

/// Stands in for a source between two.
struct Ended;

#[async_trait]
impl Source for Ended {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        Ok(None)
    }
}

async fn next(source: &mut dyn Source) -> Result<Option<Delivery>, SourceError> {
    caught(Caught(source.next()).await)
}

fn caught<T>(result: Result<Result<T, SourceError>, String>) -> Result<T, SourceError> {
    result.unwrap_or_else(|panic| Err(SourceError::new(format!("the source panicked: {panic}"))))
}
