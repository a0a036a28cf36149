//! Runs a pipeline from its start to its end.

use std::time::Duration;

use thiserror::Error;

use crate::pipeline::Pipeline;
use crate::shutdown::Shutdown;
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::stats::{Snapshot, Stats};

/// A pipeline that is ready to run.
#[derive(Debug)]
pub struct Engine {
    pipeline: Pipeline,
    shutdown: Shutdown,
    stats: Stats,
}

/// What a run came to.
#[derive(Debug)]
pub struct Summary {
    /// The counts at the end; after a run that drained, `read = done + failed + returned`.
    pub counts: Snapshot,
    /// How long it took.
    pub elapsed: Duration,
    /// What went wrong for good, beyond single documents; empty after a clean run.
    pub errors: Vec<RunError>,
}

/// Why a run did not end cleanly.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// A source stopped before its end; the others went on.
    #[error("source {source_name} failed")]
    Source {
        /// The source's name.
        source_name: String,
        /// What it said.
        source: SourceError,
    },
    /// A sink cannot be used any more.
    #[error("sink {sink} failed")]
    Sink {
        /// The sink's name.
        sink: String,
        /// What it said.
        source: SinkError,
    },
    /// A stage with `on_error: stop` failed.
    #[error("stage {stage} failed and is to stop the pipeline then: {reason}")]
    Stopped {
        /// The stage's id.
        stage: String,
        /// What it said.
        reason: String,
    },
    /// Too many workers are blocked in stages.
    #[error("{workers} workers are blocked, the last one in stage {stage}, which never yields")]
    Stuck {
        /// The stage's id.
        stage: String,
        /// How many.
        workers: usize,
    },
    /// The pipeline did not empty itself in time.
    #[error("{documents} documents went back to their sources, as draining took over {timeout:?}")]
    DrainTimeout {
        /// How many.
        documents: u64,
        /// The limit.
        timeout: Duration,
    },
}

impl Engine {
    /// Takes a pipeline; nothing runs yet.
    #[must_use]
    pub fn new(pipeline: Pipeline) -> Self {
        let stats = Stats { counters: std::sync::Arc::new(crate::stats::Counters) };
        Self { pipeline, shutdown: Shutdown::new(), stats }
    }

    /// The counters, to look at while the pipeline runs.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// The handle that stops the pipeline.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Runs until all sources have ended, or a stop was requested, and everything is settled.
    ///
    /// Sources and sinks run on the calling tokio runtime, which needs its timer. The future is to
    /// be awaited to its end: to stop it early, use [`Engine::shutdown`].
    pub async fn run(self) -> Summary {
        drop(self.pipeline);
        todo!("the parts are being joined")
    }
}
