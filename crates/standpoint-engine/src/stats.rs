//! What a running pipeline counts.

use std::sync::Arc;

use std::time::Duration;

/// The counters of a pipeline, to look at from any thread. Clones show the same pipeline.
#[derive(Debug, Clone)]
pub struct Stats {
    pub(crate) counters: Arc<Counters>,
}

impl Stats {
    /// The counts at this moment. They are read one after the other, so they may differ by what
    /// moved between.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.counters.snapshot()
    }
}

/// The counts of a pipeline at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Deliveries that entered the pipeline, unreadable ones among them.
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
    /// Sinks that are waiting out a transient error now.
    pub sinks_paused: u32,
    /// Whether a stage has blocked its workers too often.
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
    /// The time of all calls together.
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

#[derive(Debug)]
pub(crate) struct Counters;

impl Counters {
    fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }
}
