//! Moves documents from a source into the pipeline.

use std::sync::Arc;

use tokio::pin;
use tokio::task::consume_budget;
use tracing::info;

use crate::call::Caught;
use crate::chain::Chain;
use crate::flight::Order;
use crate::pipeline::SourceStep;
use crate::receipt::Outcome;
use crate::shutdown::Level;
use crate::source::{Delivery, Source, SourceError};
use crate::stats::count;

/// A source and where its documents go.
pub(crate) struct Intake {
    pub(crate) step: SourceStep,
    pub(crate) chain: Arc<Chain>,
}

impl Intake {
    /// Delivers until the source ends or a stop is requested; then lets the source act on the
    /// outcomes of what is still under way.
    pub(crate) async fn run(mut self) -> Result<(), SourceError> {
        let delivered = self.deliver().await;
        info!(source = self.step.name, "source closed its front door");
        let closed = caught(Caught(self.step.source.close()).await);
        delivered.and(closed)
    }

    async fn deliver(&mut self) -> Result<(), SourceError> {
        let flights = &self.chain.flights;
        // Only sources listen for a stop; the pipeline then empties from the front.
        let stop = self.chain.shutdown.reached(Level::Drain);
        pin!(stop);
        let mut order = self.step.keeps_order.then(Order::default);
        loop {
            // A source that is always ready must leave the runtime to others now and then.
            consume_budget().await;
            let delivery = tokio::select! {
                // Asked first, so that a source that is always ready cannot outrun a stop.
                biased;
                () = &mut stop => return Ok(()),
                next = next(self.step.source.as_mut()) => match next? {
                    Some(delivery) => delivery,
                    None => return Ok(()),
                },
            };
            count(&flights.counters.read);
            let document = match delivery.content {
                Ok(document) => document,
                Err(failure) => {
                    count(&flights.counters.failed);
                    delivery.receipt.settle(Outcome::Failed(failure));
                    continue;
                }
            };
            let admitted = tokio::select! {
                biased;
                () = &mut stop => None,
                charge = flights.admit(document.size_bytes()) => charge,
            };
            let Some(charge) = admitted else {
                count(&flights.counters.returned);
                delivery.receipt.settle(Outcome::Returned);
                return Ok(());
            };
            let turn = order.as_mut().map(Order::next).unwrap_or_default();
            let share = flights.enter(delivery.receipt, charge, turn);
            self.chain.executor.spawn(Arc::clone(&self.chain).walk(document, share));
        }
    }
}

async fn next(source: &mut dyn Source) -> Result<Option<Delivery>, SourceError> {
    caught(Caught(source.next()).await)
}

fn caught<T>(result: Result<Result<T, SourceError>, String>) -> Result<T, SourceError> {
    result.unwrap_or_else(|panic| Err(SourceError::new(format!("the source panicked: {panic}"))))
}
