//! What a running pipeline counts.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::flight::Flights;
use crate::source::{Pause, Source};

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
        let parts = counters.parts();
        let is_healthy = parts.stages.iter().all(|stage| stage.is_healthy(counters.stuck_calls));
        Snapshot {
            generation: get(&counters.generation),
            read: get(&counters.read),
            done: get(&counters.done),
            failed: get(&counters.failed),
            returned: get(&counters.returned),
            unrouted: get(&counters.unrouted),
            in_flight,
            bytes_in_flight: self.flights.bytes(),
            oldest_in_flight,
            is_healthy,
            stuck_workers: counters.stuck_workers.load(Ordering::Relaxed),
            sources: parts.sources.iter().map(|source| source.snapshot()).collect(),
            stages: parts.stages.iter().map(|stage| stage.snapshot()).collect(),
            sinks: parts.sinks.iter().map(|sink| sink.snapshot()).collect(),
        }
    }
}

/// The counts of a pipeline at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// How many times the pipeline was reloaded, and 1.
    pub generation: u64,
    /// Deliveries of all sources, unreadable ones among them.
    pub read: u64,
    /// Documents that every sink has that wanted them.
    pub done: u64,
    /// Documents that were given up, and unreadable items.
    pub failed: u64,
    /// Documents that went back to their source undecided.
    pub returned: u64,
    /// Documents that no sink wanted; they count as done.
    pub unrouted: u64,
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
    /// The sources, in the order of the pipeline.
    pub sources: Vec<SourceSnapshot>,
    /// The stages, in the order of the chain.
    pub stages: Vec<StageSnapshot>,
    /// The sinks, in the order of the pipeline.
    pub sinks: Vec<SinkSnapshot>,
}

/// The counts of one source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceSnapshot {
    /// The source's name.
    pub name: String,
    /// Its deliveries, unreadable ones among them.
    pub read: u64,
    /// Items that could not be read.
    pub unreadable: u64,
    /// Why it waits now.
    pub paused_by: Option<String>,
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
    /// Documents that wait for it, those of a group that it cannot write among them.
    pub waiting: u64,
    /// Whether a document counts as done without it.
    pub is_optional: bool,
    /// Documents that an optional sink missed, because it was too slow or had failed.
    pub missed: u64,
    /// Why an optional sink is not used any more.
    pub ended_by: Option<String>,
}

/// The counters behind a [`Snapshot`].
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) generation: AtomicU64,
    pub(crate) read: AtomicU64,
    pub(crate) done: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) unrouted: AtomicU64,
    pub(crate) stuck_workers: AtomicU32,
    parts: Mutex<Parts>,
    /// How many blocked calls of a stage are too many.
    stuck_calls: u64,
}

/// The counters of what the pipeline consists of now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    pub(crate) sources: Vec<Arc<SourceCounters>>,
    pub(crate) stages: Vec<Arc<StageCounters>>,
    pub(crate) sinks: Vec<Arc<SinkCounters>>,
}

impl Parts {
    /// The counters of a source: those that the source of this name has, else new ones. So counts
    /// go on when a pipeline is reloaded.
    pub(crate) fn source(&self, name: &str) -> Arc<SourceCounters> {
        let known = self.sources.iter().find(|source| source.name == name).cloned();
        known.unwrap_or_else(|| {
            Arc::new(SourceCounters { name: name.to_owned(), ..SourceCounters::default() })
        })
    }

    /// The same for a stage.
    pub(crate) fn stage(&self, id: &str) -> Arc<StageCounters> {
        let known = self.stages.iter().find(|stage| stage.id == id).cloned();
        known.unwrap_or_else(|| {
            Arc::new(StageCounters { id: id.to_owned(), ..StageCounters::default() })
        })
    }

    /// The same for a sink.
    pub(crate) fn sink(&self, name: &str) -> Arc<SinkCounters> {
        let known = self.sinks.iter().find(|sink| sink.name == name).cloned();
        known.unwrap_or_else(|| {
            Arc::new(SinkCounters { name: name.to_owned(), ..SinkCounters::default() })
        })
    }
}

#[derive(Debug, Default)]
pub(crate) struct SourceCounters {
    pub(crate) name: String,
    pub(crate) read: AtomicU64,
    pub(crate) unreadable: AtomicU64,
    /// The source's own.
    pause: Mutex<Pause>,
}

#[derive(Debug, Default)]
pub(crate) struct StageCounters {
    pub(crate) id: String,
    pub(crate) done: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) stuck: AtomicU64,
    /// Those of `stuck` that belong to a stage that was replaced since.
    stuck_before: AtomicU64,
    pub(crate) nanoseconds: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct SinkCounters {
    pub(crate) name: String,
    pub(crate) done: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) errors: AtomicU64,
    /// Documents sent to it that it has not answered for.
    pub(crate) waiting: AtomicU64,
    /// Their memory, counted for an optional sink.
    pub(crate) waiting_bytes: AtomicU64,
    pub(crate) missed: AtomicU64,
    pub(crate) is_optional: AtomicBool,
    paused_by: Mutex<Option<String>>,
    ended_by: Mutex<Option<String>>,
}

impl Counters {
    /// - `stuck_calls`: how many blocked calls of a stage are too many.
    pub(crate) fn new(stuck_calls: NonZeroU32) -> Self {
        Self {
            generation: AtomicU64::new(1),
            read: AtomicU64::new(0),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            unrouted: AtomicU64::new(0),
            stuck_workers: AtomicU32::new(0),
            parts: Mutex::default(),
            stuck_calls: u64::from(stuck_calls.get()),
        }
    }

    pub(crate) fn parts(&self) -> Parts {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows these from now on.
    pub(crate) fn set_parts(&self, parts: Parts) {
        *self.parts.lock().unwrap_or_else(PoisonError::into_inner) = parts;
    }
}

impl SourceCounters {
    /// Shows from now on why this source waits.
    pub(crate) fn follow(&self, source: &dyn Source) {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = source.pause();
    }

    fn snapshot(&self) -> SourceSnapshot {
        SourceSnapshot {
            name: self.name.clone(),
            read: get(&self.read),
            unreadable: get(&self.unreadable),
            paused_by: self.pause.lock().unwrap_or_else(PoisonError::into_inner).reason(),
        }
    }
}

impl StageCounters {
    /// The stage is another one from now on, which has blocked nobody.
    pub(crate) fn forgive(&self) {
        self.stuck_before.store(get(&self.stuck), Ordering::Relaxed);
    }

    fn is_healthy(&self, stuck_calls: u64) -> bool {
        get(&self.stuck).saturating_sub(get(&self.stuck_before)) < stuck_calls
    }

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

    pub(crate) fn set_end(&self, reason: Option<String>) {
        *self.ended_by.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    fn snapshot(&self) -> SinkSnapshot {
        let text = |slot: &Mutex<Option<String>>| {
            slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        SinkSnapshot {
            name: self.name.clone(),
            done: get(&self.done),
            failed: get(&self.failed),
            groups: get(&self.groups),
            errors: get(&self.errors),
            paused_by: text(&self.paused_by),
            waiting: get(&self.waiting),
            is_optional: self.is_optional.load(Ordering::Relaxed),
            missed: get(&self.missed),
            ended_by: text(&self.ended_by),
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
