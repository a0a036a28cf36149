//! Notices stages that block a worker, and goes on without it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use crate::chain::{Chain, report};
use crate::engine::RunError;
use crate::flight::Ticket;
use crate::receipt::{Failure, Outcome};
use crate::stats::count;

/// A future that is being polled cannot be stopped from outside. So its document is settled, its
/// worker replaced, and the thread left to itself; should it ever come back, it ends.
pub(crate) struct Watchdog {
    pub(crate) chain: Arc<Chain>,
    /// How many workers may be blocked at once.
    pub(crate) stuck_workers: usize,
}

impl Watchdog {
    /// Looks until it is dropped; returns at once when no stage has a timeout.
    pub(crate) async fn watch(self) {
        let Some(shortest) = self.chain.shortest_timeout() else { return };
        let period = (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for ticket in self.chain.flights.tickets() {
                self.look_at(&ticket);
            }
        }
    }

    fn look_at(&self, ticket: &Ticket) {
        let Some((index, attempts, limit, companions)) = ticket.find_stuck() else { return };
        let counters = &self.chain.flights.counters;
        let stage = self.chain.stage_id(index);
        count(&counters.stages[index].stuck);
        let workers = counters.stuck_workers.fetch_add(1, Ordering::Relaxed) as usize + 1;
        warn!(stage, ?limit, workers, "a stage blocks its worker; another takes its place");
        let reason = format!("blocked a worker for longer than its timeout of {limit:?}");
        for ticket in companions.iter().map(AsRef::as_ref).chain([ticket]) {
            count(&counters.stages[index].failed);
            let reason = reason.clone();
            ticket.take_away(Outcome::Failed(Failure {
                stage: stage.to_owned(),
                reason,
                attempts,
            }));
        }
        self.chain.executor.add_worker();
        if workers > self.stuck_workers && !self.chain.shutdown.is_requested() {
            error!(stage, workers, "too many workers are blocked; the pipeline ends");
            report(&self.chain.errors, RunError::Stuck { stage: stage.to_owned(), workers });
            self.chain.shutdown.drain();
        }
    }
}
