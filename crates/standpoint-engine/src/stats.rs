//! What a running pipeline counts.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::flight::Flights;
use crate::pipeline::Pipeline;

/// The counters of a pipeline, to look at from any thread. Clones show the same pipeline.
#[derive(Debug, Clone)]
pub struct Stats {
    pub(crate) flights: Arc<Flights>,
}

impl Stats {
    /// The counts at this moment. They are read one after the other, so they may differ by what
    /// moved between.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let counters = &self.flights.counters;
        let (in_flight, oldest_in_flight) = self.flights.age();
        let stages: Vec<_> = counters.stages.iter().map(StageCounters::snapshot).collect();
        let is_healthy = stages.iter().all(|stage| stage.stuck < counters.stuck_calls);
        Snapshot {
            read: get(&counters.read),
            done: get(&counters.done),
            failed: get(&counters.failed),
            returned: get(&counters.returned),
            in_flight,
            bytes_in_flight: self.flights.bytes(),
            oldest_in_flight,
            is_healthy,
            stuck_workers: counters.stuck_workers.load(Ordering::Relaxed),
            stages,
            sinks: counters.sinks.iter().map(SinkCounters::snapshot).collect(),
        }
    }
}

/// The counts of a pipeline at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Deliveries of all sources, unreadable ones among them.
    pub read: u64,
    /// Documents that every sink has that wanted them.
    pub done: u64,
    /// Documents that were given up, and unreadable items.
    pub failed: u64,
    /// Documents that went back to their source undecided.
    pub returned: u64,
    /// Documents that are in the pipeline now.
    pub in_flight: u64,
    /// Their memory, in bytes, as counted against the limit.
    pub bytes_in_flight: u64,
    /// How long the oldest of them has been there.
    pub oldest_in_flight: Duration,
    /// Whether no stage has blocked its workers too often.
    pub is_healthy: bool,
    /// Workers that are blocked in a stage now.
    pub stuck_workers: u32,
    /// The stages, in the order of the chain.
    pub stages: Vec<StageSnapshot>,
    /// The sinks, in the order of the pipeline.
    pub sinks: Vec<SinkSnapshot>,
}

/// The counts of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StageSnapshot {
    /// The stage's id.
    pub id: String,
    /// Documents that it has finished.
    pub done: u64,
    /// Documents that passed it by, for its condition.
    pub skipped: u64,
    /// Documents that it gave up on.
    pub failed: u64,
    /// Attempts that failed and were tried again.
    pub retried: u64,
    /// Calls that blocked a worker for longer than the stage's timeout.
    pub stuck: u64,
    /// The time of all calls together, as the sum over the documents.
    pub time: Duration,
}

/// The counts of one sink.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SinkSnapshot {
    /// The sink's name.
    pub name: String,
    /// Documents that it has.
    pub done: u64,
    /// Documents that it refused.
    pub failed: u64,
    /// Groups that it has written.
    pub groups: u64,
    /// Transient errors.
    pub errors: u64,
    /// The last transient error, while it is being waited out.
    pub paused_by: Option<String>,
}

/// The counters behind a [`Snapshot`].
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) read: AtomicU64,
    pub(crate) done: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) stuck_workers: AtomicU32,
    pub(crate) stages: Vec<StageCounters>,
    pub(crate) sinks: Vec<SinkCounters>,
    /// How many blocked calls of a stage are too many.
    stuck_calls: u64,
}

#[derive(Debug, Default)]
pub(crate) struct StageCounters {
    id: String,
    pub(crate) done: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) stuck: AtomicU64,
    pub(crate) nanoseconds: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct SinkCounters {
    name: String,
    pub(crate) done: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) errors: AtomicU64,
    paused_by: Mutex<Option<String>>,
}

impl Counters {
    pub(crate) fn new(pipeline: &Pipeline) -> Self {
        let stage = |id: &String| StageCounters { id: id.clone(), ..StageCounters::default() };
        let sink = |name: &String| SinkCounters { name: name.clone(), ..SinkCounters::default() };
        Self {
            read: AtomicU64::new(0),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            stuck_workers: AtomicU32::new(0),
            stages: pipeline.stages.iter().map(|step| stage(&step.id)).collect(),
            sinks: pipeline.sinks.iter().map(|step| sink(&step.name)).collect(),
            stuck_calls: u64::from(pipeline.limits.stuck_calls.get()),
        }
    }
}

impl StageCounters {
    fn snapshot(&self) -> StageSnapshot {
        StageSnapshot {
            id: self.id.clone(),
            done: get(&self.done),
            skipped: get(&self.skipped),
            failed: get(&self.failed),
            retried: get(&self.retried),
            stuck: get(&self.stuck),
            time: Duration::from_nanos(get(&self.nanoseconds)),
        }
    }
}

impl SinkCounters {
    pub(crate) fn set_pause(&self, reason: Option<String>) {
        *self.paused_by.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    fn snapshot(&self) -> SinkSnapshot {
        SinkSnapshot {
            name: self.name.clone(),
            done: get(&self.done),
            failed: get(&self.failed),
            groups: get(&self.groups),
            errors: get(&self.errors),
            paused_by: self.paused_by.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
