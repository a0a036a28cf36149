//! Notices stages that block a worker, and goes on without it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{error, warn};

use crate::chain::{Chain, Entrance, report};
use crate::engine::RunError;
use crate::flight::{Stuck, Ticket};
use crate::receipt::{Failure, Outcome};
use crate::stats::count;

/// A future that is being polled cannot be stopped from outside. So its document is settled, its
/// worker replaced, and the thread left to itself; should it ever come back, it ends.
pub(crate) struct Watchdog {
    pub(crate) entrance: Arc<Entrance>,
    /// How many workers may be blocked at once.
    pub(crate) stuck_workers: usize,
}

impl Watchdog {
    /// Looks until it is dropped.
    pub(crate) async fn watch(self) {
        loop {
            // A stage without a timeout may take as long as it likes.
            let shortest = self.entrance.chain().shortest_timeout().unwrap_or(Duration::MAX);
            let pause = (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1));
            let slept = Instant::now();
            sleep(pause).await;
            // Twice as long as it asked for: the whole process was stopped, or got no processor.
            let overslept = slept.elapsed().saturating_sub(pause);
            let overslept = if overslept > pause { overslept } else { Duration::ZERO };
            let chain = self.entrance.chain();
            for ticket in chain.flights.tickets() {
                ticket.excuse(overslept);
                self.look_at(&chain, &ticket);
            }
        }
    }

    fn look_at(&self, chain: &Chain, ticket: &Ticket) {
        let Some(stuck) = ticket.find_stuck() else { return };
        let Stuck { stage, attempts, limit, companions } = stuck;
        let counters = &chain.flights.counters;
        let id = stage.id.as_str();
        count(&stage.stuck);
        let workers = counters.stuck_workers.fetch_add(1, Ordering::Relaxed) as usize + 1;
        warn!(stage = id, ?limit, workers, "a stage blocks its worker; another takes its place");
        let reason = format!("blocked a worker for longer than its timeout of {limit:?}");
        for ticket in companions.iter().map(AsRef::as_ref).chain([ticket]) {
            count(&stage.failed);
            let (stage, reason) = (id.to_owned(), reason.clone());
            ticket.take_away(Outcome::Failed(Failure { stage, reason, attempts }));
        }
        chain.executor.add_worker();
        if workers > self.stuck_workers && !chain.shutdown.is_requested() {
            error!(stage = id, workers, "too many workers are blocked; the pipeline ends");
            report(&chain.errors, RunError::Stuck { stage: id.to_owned(), workers });
            chain.shutdown.drain();
        }
    }
}
