//! A pipeline that is ready to run, the handles on it, and what it came to.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::info;

use crate::chain::{Common, Errors, report};
use crate::flight::Flights;
use crate::pipeline::Pipeline;
use crate::pool::Executor;
use crate::reload::{Reloads, Request};
use crate::run::Run;
use crate::shutdown::Shutdown;
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::stats::{Counters, Parts, Snapshot, Stats};
use crate::tap::Tap;

/// A pipeline that is ready to run.
#[derive(Debug)]
pub struct Engine {
    pipeline: Pipeline,
    name: Option<Arc<str>>,
    shutdown: Shutdown,
    stats: Stats,
    tap: Tap,
    reloads: Reloads,
    requests: mpsc::Receiver<Request>,
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
    /// Whether it was told to stop, by somebody or by an error, so that sources may have had more.
    pub was_told_to_stop: bool,
}

/// Why a run did not end cleanly.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The threads for the stages could not be started.
    #[error("cannot start the threads that run the stages")]
    Workers {
        /// What the system said.
        source: io::Error,
    },
    /// A source stopped before its end; the others went on.
    #[error("source {name} failed")]
    Source {
        /// The source's name.
        name: String,
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
    #[error(
        "workers that are blocked: {workers}, the last one in stage {stage}, which never yields"
    )]
    Stuck {
        /// The stage's id.
        stage: String,
        /// How many.
        workers: usize,
    },
    /// The pipeline did not empty itself in time.
    #[error(
        "draining took over {timeout:?}; documents that went back to their sources: {documents}"
    )]
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
        let counters = Counters::new(pipeline.limits.stuck_calls);
        counters.set_parts(Parts {
            sources: pipeline.sources.iter().map(|s| Parts::default().source(&s.name)).collect(),
            stages: pipeline.stages.iter().map(|s| Parts::default().stage(&s.id)).collect(),
            sinks: pipeline.sinks.iter().map(|s| Parts::default().sink(&s.name)).collect(),
        });
        let flights = Arc::new(Flights::new(counters, &pipeline.limits));
        let (reloads, requests) = Reloads::new();
        Self {
            pipeline,
            name: None,
            shutdown: Shutdown::new(),
            stats: Stats { flights },
            tap: Tap::default(),
            reloads,
            requests,
        }
    }

    /// Notes in each document which pipeline it passed through, for its provenance.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
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

    /// The handle that makes another pipeline of it while it runs.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.reloads.clone()
    }

    /// The handle that shows documents as they pass.
    #[must_use]
    pub fn tap(&self) -> Tap {
        self.tap.clone()
    }

    /// Runs until all sources have ended, or a stop was requested, and everything is settled.
    ///
    /// Sources and sinks run on the calling tokio runtime, which needs its timer. The future is to
    /// be awaited to its end: to stop it early, use [`Engine::shutdown`].
    pub async fn run(self) -> Summary {
        let started = Instant::now();
        let errors = Errors::default();
        let shutdown = self.shutdown.clone();
        match Executor::start(self.pipeline.limits.compute) {
            Ok(executor) => {
                let common = Common {
                    flights: Arc::clone(&self.stats.flights),
                    executor,
                    shutdown: self.shutdown,
                    errors: Arc::clone(&errors),
                    tap: self.tap,
                };
                let run = Run::start(self.pipeline, self.name, common);
                run.finish(self.requests).await;
            }
            Err(source) => report(&errors, RunError::Workers { source }),
        }
        let errors = std::mem::take(&mut *errors.lock().unwrap_or_else(PoisonError::into_inner));
        let (counts, elapsed) = (self.stats.snapshot(), started.elapsed());
        let Snapshot { read, done, failed, returned, .. } = counts;
        info!(read, done, failed, returned, ?elapsed, "pipeline ended");
        Summary { counts, elapsed, errors, was_told_to_stop: shutdown.is_requested() }
    }
}
