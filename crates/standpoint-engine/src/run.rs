//! Runs a pipeline from its start to its end, and makes another one of it on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::pin;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, error, info, warn};

use crate::chain::{Chain, Common, Entrance, Exit, report};
use crate::engine::RunError;
use crate::intake::Intake;
use crate::outlet::Outlet;
use crate::pipeline::{Compute, Condition, Limits, Pipeline, SinkStep, SourceStep, StageStep};
use crate::pool::panic_message;
use crate::reload::{
    self, Handover, Opening, Prepared, ReloadError, Request, Revision, SinkHandle, SinkOrder,
    SinkPart, SourceHandle, SourceOrder, SourcePart,
};
use crate::shutdown::Shutdown;
use crate::stats::{Parts, SourceCounters, StageCounters, count};
use crate::watchdog::Watchdog;

/// How long sources get to take back what was returned to them, once time is up.
const GRACE: Duration = Duration::from_secs(1);

/// The same for sinks, whose documents have gone back.
const SHORT_GRACE: Duration = Duration::from_millis(100);

/// The part of the memory for documents in flight that those may take which wait for a sink that
/// is not required, once they count as done.
const OPTIONAL_SHARE: u64 = 8;

/// The tasks of a pipeline that runs.
pub(crate) struct Run {
    common: Common,
    entrance: Arc<Entrance>,
    limits: Limits,
    sources: JoinSet<()>,
    sinks: JoinSet<()>,
    watchdog: JoinSet<()>,
    /// Sinks that are not wanted any more, until they end.
    retiring: JoinSet<()>,
    /// Their names, and what tells whether they have ended.
    retired: Vec<(String, mpsc::Sender<SinkOrder>)>,
    source_handles: Vec<SourceHandle>,
    sink_handles: Vec<SinkHandle>,
    /// Tells the sinks that every document is settled.
    close_sinks: watch::Sender<bool>,
}

impl Run {
    pub(crate) fn start(pipeline: Pipeline, name: Option<Arc<str>>, common: Common) -> Self {
        let Pipeline { sources, stages, mut sinks, limits } = pipeline;
        let parts = common.flights.counters.parts();
        let routes: Vec<_> = sinks
            .iter_mut()
            .map(|step| (step.name.clone(), step.when.take(), step.is_required))
            .collect();
        let stages = stages.into_iter().zip(parts.stages.iter().cloned()).collect();
        let mut run = Self {
            // Replaced below, once there are sinks to lead to.
            entrance: Arc::new(Entrance::new(Arc::new(Chain::new(
                None,
                Vec::new(),
                Vec::new(),
                common.clone(),
            )))),
            common,
            limits,
            sources: JoinSet::new(),
            sinks: JoinSet::new(),
            watchdog: JoinSet::new(),
            retiring: JoinSet::new(),
            retired: Vec::new(),
            source_handles: Vec::new(),
            sink_handles: Vec::new(),
            close_sinks: watch::channel(false).0,
        };
        for step in sinks {
            run.start_sink(step, &parts);
        }
        run.entrance.replace(Arc::new(run.chain(name, stages, routes)));
        for (step, counters) in sources.into_iter().zip(&parts.sources) {
            run.start_source(step, Arc::clone(counters));
        }
        if limits.compute != Compute::Caller {
            let entrance = Arc::clone(&run.entrance);
            let stuck_workers = limits.stuck_workers.get();
            run.watchdog.spawn(Watchdog { entrance, stuck_workers }.watch());
        }
        run
    }

    /// A chain that leads to sinks that have been started.
    fn chain(
        &self,
        name: Option<Arc<str>>,
        stages: Vec<(StageStep, Arc<StageCounters>)>,
        routes: Vec<(String, Option<Condition>, bool)>,
    ) -> Chain {
        let mut exits = Vec::with_capacity(routes.len());
        let most_waiting_bytes = self.limits.bytes_in_flight.get() as u64 / OPTIONAL_SHARE;
        for (name, when, is_required) in routes {
            let handle = self.sink_handles.iter().find(|handle| handle.counters.name == name);
            let Some(handle) = handle else { continue };
            let (queue, counters) = (handle.queue.clone(), Arc::clone(&handle.counters));
            counters.is_optional.store(!is_required, Ordering::Relaxed);
            exits.push(Exit { when, queue, counters, is_required, most_waiting_bytes });
        }
        Chain::new(name, stages, exits, self.common.clone())
    }

    fn start_sink(&mut self, step: SinkStep, parts: &Parts) {
        let counters = parts.sink(&step.name);
        let (sender, queue) = mpsc::channel(step.group.max_documents.get());
        let (orders, received) = mpsc::channel(1);
        let is_retired = Arc::new(AtomicBool::new(false));
        let outlet = Outlet {
            counters: Arc::clone(&counters),
            step,
            queue,
            orders: received,
            postponed: None,
            flights: Arc::clone(&self.common.flights),
            closing: self.close_sinks.subscribe(),
        };
        counters.set_end(None);
        let (common, retired) = (self.common.clone(), Arc::clone(&is_retired));
        let told = Arc::clone(&counters);
        self.sinks.spawn(async move {
            let Err(source) = outlet.feed().await else { return };
            let sink = told.name.clone();
            told.set_pause(None);
            if told.is_optional.load(Ordering::Relaxed) || retired.load(Ordering::Acquire) {
                warn!(sink, error = %source, "a sink that is not required failed for good");
                told.set_end(Some(source.to_string()));
                return;
            }
            // Whoever ran the pipeline finds it in the summary and knows whether it is one.
            debug!(sink, error = %source, "sink failed; the pipeline ends");
            report(&common.errors, RunError::Sink { sink, source });
            common.shutdown.drain();
        });
        self.sink_handles.push(SinkHandle { counters, queue: sender, orders, is_retired });
    }

    fn start_source(&mut self, step: SourceStep, counters: Arc<SourceCounters>) {
        let (orders, received) = mpsc::channel(1);
        self.source_handles.push(SourceHandle { counters: Arc::clone(&counters), orders });
        let (name, errors) = (step.name.clone(), Arc::clone(&self.common.errors));
        let intake = Intake {
            step,
            counters,
            entrance: Arc::clone(&self.entrance),
            orders: received,
            patience: self.limits.shutdown_timeout,
        };
        self.sources.spawn(async move {
            if let Err(source) = intake.run().await {
                error!(source = name, error = %source, "source failed; the others go on");
                report(&errors, RunError::Source { name, source });
            }
        });
    }

    /// Runs to the end.
    ///
    /// - `requests`: to become another pipeline.
    pub(crate) async fn finish(mut self, mut requests: mpsc::Receiver<Request>) {
        let shutdown = self.common.shutdown.clone();
        let too_late = too_late(&shutdown, self.limits.shutdown_timeout);
        pin!(too_late);
        let in_time = loop {
            let request = tokio::select! {
                () = self.empty() => break true,
                () = &mut too_late => break false,
                Some(request) = requests.recv() => request,
            };
            let reloaded = self.reload(request.revision).await;
            // Nobody has to wait for it.
            let _ = request.reply.send(reloaded);
        };
        drop(requests);
        if !in_time {
            self.return_all().await;
        }
        self.close_sinks.send_replace(true);
        let close_in_time = tokio::select! {
            () = join(&mut self.sinks) => true,
            () = &mut too_late, if in_time => false,
            () = sleep(SHORT_GRACE), if !in_time => false,
        };
        if !close_in_time {
            self.sinks.abort_all();
        }
        self.watchdog.abort_all();
        self.retiring.abort_all();
        let stuck = self.common.flights.counters.stuck_workers.load(Ordering::Relaxed) as usize;
        self.common.executor.finish(stuck, GRACE).await;
    }

    /// Waits until all sources have ended and everything is settled.
    async fn empty(&mut self) {
        join(&mut self.sources).await;
        self.common.flights.emptied().await;
    }

    /// Returns what is under way to its sources.
    async fn return_all(&mut self) {
        let tickets = self.common.flights.tickets();
        let returned = tickets.iter().filter(|ticket| ticket.give_back()).count();
        if returned > 0 {
            let timeout = self.limits.shutdown_timeout;
            let documents = returned as u64;
            warn!(documents, ?timeout, "pipeline did not drain in time; documents go back");
            report(&self.common.errors, RunError::DrainTimeout { documents, timeout });
        }
        if timeout(GRACE, self.empty()).await.is_err() {
            warn!(grace = ?GRACE, "a source did not take its documents back in time");
            self.sources.abort_all();
        }
    }

    /// Becomes another pipeline, or stays as it is.
    async fn reload(&mut self, mut revision: Revision) -> Result<(), ReloadError> {
        let mut prepared = Prepared::default();
        let shutdown = self.common.shutdown.clone();
        let ready = tokio::select! {
            biased;
            () = shutdown.requested() => Err(ReloadError::Stopping),
            ready = self.prepare(&mut revision, &mut prepared) => ready,
        };
        if let Err(refusal) = ready {
            // What a new source has claimed already goes back.
            for (_, mut step) in prepared.sources {
                if let Err(error) = step.source.close().await {
                    warn!(source = step.name, %error, "a new source did not close well");
                }
            }
            return Err(refusal);
        }
        self.commit(revision, prepared);
        Ok(())
    }

    /// Opens everything that is new. Sources that are replaced come before sinks that are: they
    /// wait for outcomes, which sinks that wait for the decision would not give.
    async fn prepare(
        &self,
        revision: &mut Revision,
        prepared: &mut Prepared,
    ) -> Result<(), ReloadError> {
        for part in revision.sinks.iter_mut().filter(|part| self.sink(&part.name).is_none()) {
            let refuse = |reason| ReloadError::Sink { name: part.name.clone(), reason };
            let Some(open) = part.open.take() else { continue };
            let is_closing = |(name, orders): &(String, mpsc::Sender<SinkOrder>)| {
                *name == part.name && !orders.is_closed()
            };
            // Two writers of one file would spoil it.
            if self.retired.iter().any(is_closing) {
                let reason = "the sink of this name that was removed still has documents to write; \
                              try again in a moment";
                return Err(refuse(reason.to_owned()));
            }
            let step = reload::open(open).await.map_err(refuse)?;
            prepared.sinks.insert(part.name.clone(), step);
        }
        for part in &mut revision.sources {
            self.prepare_source(part, prepared).await?;
        }
        for part in &mut revision.sinks {
            self.prepare_sink(part, prepared).await?;
        }
        Ok(())
    }

    async fn prepare_source(
        &self,
        part: &mut SourcePart,
        prepared: &mut Prepared,
    ) -> Result<(), ReloadError> {
        let Some(change) = part.change.take() else { return Ok(()) };
        let refuse = |reason| ReloadError::Source { name: part.name.clone(), reason };
        // One that has reached its end, as a list of files does, is started anew.
        let running = self.source(&part.name).filter(|running| !running.orders.is_closed());
        let Some(running) = running else {
            let step = reload::open(change.open).await.map_err(refuse)?;
            prepared.sources.insert(part.name.clone(), step);
            return Ok(());
        };
        let (handover, opening) = Handover::new(change.open);
        let order = SourceOrder::Replace { handover, back: change.back };
        let ended = || refuse("it ended just now; try again".to_owned());
        running.orders.send(order).await.map_err(|_| ended())?;
        let Opening { opened, decide } = opening;
        opened.await.map_err(|_| ended())?.map_err(refuse)?;
        prepared.decisions.push(decide);
        Ok(())
    }

    async fn prepare_sink(
        &self,
        part: &mut SinkPart,
        prepared: &mut Prepared,
    ) -> Result<(), ReloadError> {
        let Some(open) = part.open.take() else { return Ok(()) };
        let refuse = |reason| ReloadError::Sink { name: part.name.clone(), reason };
        let running = self.sink(&part.name).filter(|running| !running.orders.is_closed());
        let Some(running) = running else {
            // One that is not required may have ended before.
            let step = reload::open(open).await.map_err(refuse)?;
            prepared.sinks.insert(part.name.clone(), step);
            return Ok(());
        };
        let (handover, opening) = Handover::new(open);
        let ended = || refuse("it ended just now; try again".to_owned());
        running.orders.send(SinkOrder::Replace(handover)).await.map_err(|_| ended())?;
        let Opening { opened, decide } = opening;
        opened.await.map_err(|_| ended())?.map_err(refuse)?;
        prepared.decisions.push(decide);
        Ok(())
    }

    fn source(&self, name: &str) -> Option<&SourceHandle> {
        self.source_handles.iter().find(|handle| handle.counters.name == name)
    }

    fn sink(&self, name: &str) -> Option<&SinkHandle> {
        self.sink_handles.iter().find(|handle| handle.counters.name == name)
    }

    /// Puts what is open in its place. Nothing here can fail.
    fn commit(&mut self, revision: Revision, mut prepared: Prepared) {
        let counters = &self.common.flights.counters;
        let before = counters.parts();
        let parts = Parts {
            sources: revision.sources.iter().map(|part| before.source(&part.name)).collect(),
            stages: revision.stages.iter().map(|step| before.stage(&step.id)).collect(),
            sinks: revision.sinks.iter().map(|part| before.sink(&part.name)).collect(),
        };
        parts.stages.iter().for_each(|stage| stage.forgive());
        counters.set_parts(parts.clone());
        count(&counters.generation);
        let generation = counters.generation.load(Ordering::Relaxed);

        let is_kept = |name: &str| revision.sinks.iter().any(|part| part.name == name);
        let handles = std::mem::take(&mut self.sink_handles);
        let (kept, gone): (Vec<_>, Vec<_>) = handles.into_iter().partition(|handle| {
            let is_replaced = prepared.sinks.contains_key(&handle.counters.name);
            is_kept(&handle.counters.name) && !is_replaced
        });
        self.sink_handles = kept;
        for step in prepared.sinks.drain().map(|(_, step)| step) {
            self.start_sink(step, &parts);
        }
        let stages = revision.stages.into_iter().zip(parts.stages.iter().cloned()).collect();
        let routes =
            revision.sinks.into_iter().map(|part| (part.name, part.when, part.is_required));
        self.entrance.replace(Arc::new(self.chain(revision.name, stages, routes.collect())));

        for decide in prepared.decisions {
            // One that ended meanwhile says so itself.
            let _ = decide.send(());
        }
        let handles = std::mem::take(&mut self.source_handles);
        for handle in handles {
            let name = &handle.counters.name;
            let is_wanted = revision.sources.iter().any(|part| part.name == *name);
            if !is_wanted {
                // There is room for the one order, unless the source has ended.
                let _ = handle.orders.try_send(SourceOrder::Stop);
            } else if !prepared.sources.contains_key(name) {
                self.source_handles.push(handle);
            }
        }
        for (name, step) in prepared.sources {
            self.start_source(step, parts.source(&name));
        }
        self.retired.retain(|(_, orders)| !orders.is_closed());
        for handle in gone {
            self.retired.push((handle.counters.name.clone(), handle.orders.clone()));
            self.retiring.spawn(handle.retire(self.limits.shutdown_timeout));
        }
        while self.retiring.try_join_next().is_some() {}
        info!(generation, "pipeline reloaded");
    }
}

/// Waits until the pipeline may not go on: `patience` after a stop was requested.
async fn too_late(shutdown: &Shutdown, patience: Duration) {
    shutdown.requested().await;
    sleep(patience).await;
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
