//! Runs a pipeline from its start to its end.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::pin;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, info, warn};

use crate::chain::{Chain, Errors, Exit, report};
use crate::flight::Flights;
use crate::intake::Intake;
use crate::outlet::Outlet;
use crate::pipeline::{Compute, Limits, Pipeline, SourceStep};
use crate::pool::{Executor, panic_message};
use crate::receipt::Outcome;
use crate::shutdown::{Level, Shutdown};
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::stats::{Counters, Snapshot, Stats};
use crate::watchdog::Watchdog;

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
        let counters = Counters::new(&pipeline);
        let flights = Arc::new(Flights::new(counters, &pipeline.limits));
        Self { pipeline, shutdown: Shutdown::new(), stats: Stats { flights } }
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
        let started = Instant::now();
        let errors = Errors::default();
        match Executor::start(self.pipeline.limits.compute) {
            Ok(executor) => {
                let run = Run::start(self.pipeline, &self.stats, executor, self.shutdown, &errors);
                run.finish().await;
            }
            Err(source) => report(&errors, RunError::Workers { source }),
        }
        let errors = std::mem::take(&mut *errors.lock().unwrap_or_else(PoisonError::into_inner));
        let (counts, elapsed) = (self.stats.snapshot(), started.elapsed());
        let Snapshot { read, done, failed, returned, .. } = counts;
        info!(read, done, failed, returned, ?elapsed, "pipeline ended");
        Summary { counts, elapsed, errors }
    }
}

/// How long sources get to take back what was returned to them, once time is up.
const GRACE: Duration = Duration::from_secs(1);

/// The same after a stop at once, which is to look immediate.
const SHORT_GRACE: Duration = Duration::from_millis(100);

/// The tasks of a pipeline that runs.
struct Run {
    chain: Arc<Chain>,
    limits: Limits,
    sources: JoinSet<()>,
    sinks: JoinSet<()>,
    watchdog: JoinSet<()>,
    /// Tells the sinks that every document is settled.
    close_sinks: watch::Sender<bool>,
}

/// How the documents left the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// All are settled.
    Empty,
    /// The time for draining is up.
    Late,
    /// A stop at once was requested.
    Now,
}

impl Run {
    fn start(
        pipeline: Pipeline,
        stats: &Stats,
        executor: Executor,
        shutdown: Shutdown,
        errors: &Errors,
    ) -> Self {
        let Pipeline { sources, stages, sinks, limits } = pipeline;
        let (close_sinks, closing) = watch::channel(false);
        let mut exits = Vec::with_capacity(sinks.len());
        let mut outlets = Vec::with_capacity(sinks.len());
        for (index, mut step) in sinks.into_iter().enumerate() {
            let (sender, queue) = mpsc::channel(step.group.max_documents.get());
            let (name, when) = (step.name.clone(), step.when.take());
            exits.push(Exit { name, when, queue: sender });
            let (flights, closing) = (Arc::clone(&stats.flights), closing.clone());
            outlets.push(Outlet { index, step, queue, flights, closing });
        }
        let flights = Arc::clone(&stats.flights);
        let errors = Arc::clone(errors);
        let chain = Arc::new(Chain::new(stages, exits, flights, executor, shutdown, errors));
        let mut run = Self {
            chain,
            limits,
            sources: JoinSet::new(),
            sinks: JoinSet::new(),
            watchdog: JoinSet::new(),
            close_sinks,
        };
        run.start_sinks(outlets);
        run.start_sources(sources);
        if limits.compute != Compute::Caller {
            let chain = Arc::clone(&run.chain);
            let stuck_workers = limits.stuck_workers.get();
            run.watchdog.spawn(Watchdog { chain, stuck_workers }.watch());
        }
        run
    }

    fn start_sinks(&mut self, outlets: Vec<Outlet>) {
        for outlet in outlets {
            let chain = Arc::clone(&self.chain);
            let sink = outlet.step.name.clone();
            self.sinks.spawn(async move {
                if let Err(source) = outlet.feed().await {
                    // Whoever ran the pipeline finds it in the summary and knows whether it is one.
                    debug!(sink, error = %source, "sink failed; the pipeline ends");
                    report(&chain.errors, RunError::Sink { sink, source });
                    chain.shutdown.drain();
                }
            });
        }
    }

    fn start_sources(&mut self, sources: Vec<SourceStep>) {
        for step in sources {
            let chain = Arc::clone(&self.chain);
            let name = step.name.clone();
            self.sources.spawn(async move {
                let intake = Intake { step, chain: Arc::clone(&chain) };
                if let Err(source) = intake.run().await {
                    error!(source = name, error = %source, "source failed; the others go on");
                    report(&chain.errors, RunError::Source { name, source });
                }
            });
        }
    }

    async fn finish(mut self) {
        let chain = Arc::clone(&self.chain);
        let too_late = too_late(&chain.shutdown, self.limits.shutdown_timeout);
        pin!(too_late);
        let ending = tokio::select! {
            () = self.empty() => Ending::Empty,
            ending = &mut too_late => ending,
        };
        if ending != Ending::Empty {
            self.return_all(ending).await;
        }
        self.close_sinks.send_replace(true);
        let close_in_time = tokio::select! {
            () = join(&mut self.sinks) => true,
            _ = &mut too_late, if ending == Ending::Empty => false,
            () = sleep(SHORT_GRACE), if ending != Ending::Empty => false,
        };
        if !close_in_time {
            self.sinks.abort_all();
        }
        self.watchdog.abort_all();
        let stuck = chain.flights.counters.stuck_workers.load(Ordering::Relaxed) as usize;
        let patience = if ending == Ending::Now { SHORT_GRACE } else { GRACE };
        chain.executor.finish(stuck, patience).await;
    }

    /// Waits until all sources have ended and everything is settled.
    async fn empty(&mut self) {
        join(&mut self.sources).await;
        self.chain.flights.emptied().await;
    }

    /// Returns what is under way to its sources.
    async fn return_all(&mut self, ending: Ending) {
        let tickets = self.chain.flights.tickets();
        let returned = tickets.iter().filter(|ticket| ticket.take_away(Outcome::Returned)).count();
        if ending == Ending::Late && returned > 0 {
            let timeout = self.limits.shutdown_timeout;
            let documents = returned as u64;
            warn!(documents, ?timeout, "pipeline did not drain in time; documents go back");
            report(&self.chain.errors, RunError::DrainTimeout { documents, timeout });
        }
        let grace = if ending == Ending::Now { SHORT_GRACE } else { GRACE };
        if timeout(grace, self.empty()).await.is_err() {
            warn!(?grace, "a source did not take its documents back in time");
            self.sources.abort_all();
        }
    }
}

/// Waits until the pipeline may not go on: `patience` after a drain was requested, or at once.
async fn too_late(shutdown: &Shutdown, patience: Duration) -> Ending {
    let late = async {
        shutdown.reached(Level::Drain).await;
        sleep(patience).await;
    };
    tokio::select! {
        biased;
        () = shutdown.reached(Level::Now) => Ending::Now,
        () = late => Ending::Late,
    }
}

async fn join(tasks: &mut JoinSet<()>) {
    while let Some(joined) = tasks.join_next().await {
        if let Err(error) = joined.map_err(tokio::task::JoinError::try_into_panic)
            && let Ok(panic) = error
        {
            error!(panic = panic_message(&*panic), "a task of the engine panicked");
        }
    }
}
