//! What a pipeline consists of: plain data, put together by the program.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use standpoint_document::Document;
use standpoint_stage::Stage;

use crate::sink::Sink;
use crate::source::Source;

/// Sources, a chain of stages, and sinks.
pub struct Pipeline {
    /// Read side by side.
    pub sources: Vec<SourceStep>,
    /// Every document goes through them in this order.
    pub stages: Vec<StageStep>,
    /// Every document goes to each of them that wants it.
    pub sinks: Vec<SinkStep>,
    /// How much may be under way at once.
    pub limits: Limits,
}

/// A source under its name.
pub struct SourceStep {
    /// The name in the pipeline file.
    pub name: String,
    /// What delivers.
    pub source: Box<dyn Source>,
    /// Whether its documents reach the sinks in the order in which it gave them. They still go
    /// through the stages side by side, so that a slow one makes those behind it wait at the end,
    /// as many as may be in flight.
    pub keeps_order: bool,
}

impl SourceStep {
    /// A source whose documents reach the sinks as they are ready.
    pub fn new(name: impl Into<String>, source: Box<dyn Source>) -> Self {
        Self { name: name.into(), source, keeps_order: false }
    }
}

/// A stage, and how the engine treats it.
#[derive(Clone)]
pub struct StageStep {
    /// The id in the pipeline file, unique in the chain.
    pub id: String,
    /// What works. Several workers call it at once.
    pub stage: Arc<dyn Stage>,
    /// The plugin's version, for the provenance.
    pub version: String,
    /// The plugin's model, for the provenance.
    pub model: Option<String>,
    /// Documents for which it is false pass the stage by, with a note.
    pub when: Option<Condition>,
    /// The most calls at once; `None` for as many as there is work for.
    pub concurrency: Option<NonZeroUsize>,
    /// The longest that a call may take; `None` for as long as it likes.
    pub timeout: Option<Duration>,
    /// What follows a transient error.
    pub retry: Retry,
    /// Collects documents and hands them over together.
    pub batch: Option<Group>,
    /// What follows when the stage gives up on a document.
    pub on_error: OnError,
    /// Whether the stage itself leaves a document as it was when it fails, as loaded plugins do.
    /// If not, the engine keeps a copy wherever a failed document goes on.
    pub restores: bool,
}

impl StageStep {
    /// A stage with the usual treatment: no condition, no timeout, one attempt, and failures to
    /// the source's quarantine.
    pub fn new(id: impl Into<String>, stage: Arc<dyn Stage>) -> Self {
        Self {
            id: id.into(),
            stage,
            version: String::new(),
            model: None,
            when: None,
            concurrency: None,
            timeout: None,
            retry: Retry::none(),
            batch: None,
            on_error: OnError::Quarantine,
            restores: false,
        }
    }
}

/// A sink, and how the engine feeds it.
pub struct SinkStep {
    /// The name in the pipeline file.
    pub name: String,
    /// What keeps the documents.
    pub sink: Box<dyn Sink>,
    /// Documents for which it is false do not go to this sink.
    pub when: Option<Condition>,
    /// Whether a document is done only once this sink has it. One that is not required gets what
    /// it can take: a document that comes while its queue is full, or after it has failed, it
    /// misses, and the pipeline goes on.
    pub is_required: bool,
    /// How many documents are made durable together. A group does not wait for more when no other
    /// document is under way.
    pub group: Group,
    /// The pauses after transient errors, which are tried again without end.
    pub backoff: Backoff,
}

impl SinkStep {
    /// A required sink that takes every document, with the usual group and pauses.
    pub fn new(name: impl Into<String>, sink: Box<dyn Sink>) -> Self {
        Self {
            name: name.into(),
            sink,
            when: None,
            is_required: true,
            group: Group { max_documents: nonzero(256), max_delay: Duration::from_millis(50) },
            backoff: Backoff::default(),
        }
    }
}

/// Whether a document goes here; the error says what is wrong with the condition.
pub type Condition = Arc<dyn Fn(&Document<'_>) -> Result<bool, String> + Send + Sync>;

/// Documents that are handed over together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The most documents in a group.
    pub max_documents: NonZeroUsize,
    /// The longest that the first document waits for others; it does not wait for nobody.
    pub max_delay: Duration,
}

/// How often a call is tried that failed with a transient error, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// All attempts, the first among them.
    pub max_attempts: NonZeroU32,
    /// The pauses between them.
    pub backoff: Backoff,
}

impl Retry {
    /// One attempt.
    #[must_use]
    pub fn none() -> Self {
        Self { max_attempts: NonZeroU32::MIN, backoff: Backoff::default() }
    }
}

/// Pauses that double from `first` to `longest`, each shortened at random by up to a half, so that
/// many that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Backoff {
    /// The pause after so many failures, from 1.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let pause = self.first.saturating_mul(1 << doublings).min(self.longest);
        // The hasher's keys differ from one to the next, which is all that is needed here.
        let random = RandomState::new().hash_one(failures) >> 32;
        pause.mul_f64(1.0 - 0.5 * (random as f64 / f64::from(u32::MAX)))
    }
}

impl Default for Backoff {
    /// 200 ms to 10 s.
    fn default() -> Self {
        Self { first: Duration::from_millis(200), longest: Duration::from_secs(10) }
    }
}

/// What follows when a stage gives up on a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The document fails; its source puts it into quarantine.
    #[default]
    Quarantine,
    /// The document goes on without what the stage would have written, and a note says so.
    Continue,
    /// The document fails, the pipeline drains and ends with an error.
    Stop,
}

/// How much may be under way at once, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Where stages run.
    pub compute: Compute,
    /// The most documents that are read and not settled; it bounds what a crash makes the sources
    /// deliver again.
    pub documents_in_flight: NonZeroUsize,
    /// The most memory, in bytes, of documents that are read and not settled; at most 4 GiB. One
    /// that is larger than this passes alone. Layers that stages write are counted when a document
    /// reaches the sinks, as far as `growth` did not foresee them.
    pub bytes_in_flight: NonZeroUsize,
    /// How many times its size a document is counted for when it comes in: what stages and sinks
    /// make of a text is larger than the text, and there before anybody can count it.
    pub growth: NonZeroUsize,
    /// How long a requested drain may take before what is left goes back to its source.
    pub shutdown_timeout: Duration,
    /// How many blocked calls of one stage make the pipeline unhealthy.
    pub stuck_calls: NonZeroU32,
    /// How many workers may be blocked at once before the pipeline ends with an error: a blocked
    /// thread cannot be stopped, only left behind.
    pub stuck_workers: NonZeroUsize,
}

impl Default for Limits {
    /// One worker for each core, 256 documents, 256 MiB, no growth, 30 s, 3 blocked calls, 16
    /// blocked workers.
    fn default() -> Self {
        Self {
            compute: Compute::default(),
            documents_in_flight: nonzero(256),
            bytes_in_flight: nonzero(256 << 20),
            growth: NonZeroUsize::MIN,
            shutdown_timeout: Duration::from_secs(30),
            stuck_calls: NonZeroU32::MIN.saturating_add(2),
            stuck_workers: nonzero(16),
        }
    }
}

/// Where stages run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// On threads of their own, so that a busy stage delays neither sources nor sinks.
    Workers(NonZeroUsize),
    /// On the runtime that runs the engine, where a busy stage delays everything else: for tests
    /// with paused time and for programs without threads.
    Caller,
}

impl Default for Compute {
    /// One worker for each core.
    fn default() -> Self {
        Self::Workers(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.sources.iter().map(|step| &step.name).collect();
        let stages: Vec<_> = self.stages.iter().map(|step| &step.id).collect();
        let sinks: Vec<_> = self.sinks.iter().map(|step| &step.name).collect();
        formatter
            .debug_struct("Pipeline")
            .field("sources", &sources)
            .field("stages", &stages)
            .field("sinks", &sinks)
            .field("limits", &self.limits)
            .finish()
    }
}

const fn nonzero(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("defaults are not zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let second = Duration::from_secs(1);
        let backoff = Backoff { first: second, longest: 10 * second };
        for (failures, longest) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (u32::MAX, 10)] {
            let pause = backoff.pause(failures);
            let longest = longest * second;
            assert!((longest / 2..=longest).contains(&pause), "{failures}: {pause:?}");
        }
    }
}
