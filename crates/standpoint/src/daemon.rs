//! What a daemon has beside its pipeline: the server, reloads, and its word to a service manager.

use std::sync::Arc;

use anyhow::{Context, Result};
use standpoint_connectors::ledger;
use standpoint_engine::Engine;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tracing::info;

use crate::assemble::{Assembly, Opening};
use crate::cli::PipelineChoice;
use crate::dashboard::Dashboard;
use crate::notify::Notifier;
use crate::orders::Orders;
use crate::pipeline_file::memory_bound;
use crate::reload::{Configuration, Reloader};
use crate::server::{Answering, Server};
use crate::status::View;
use crate::traces;

/// What it is made of.
pub(crate) struct Life {
    pub(crate) server: Server,
    pub(crate) dashboard: Option<Dashboard>,
    pub(crate) assembly: Arc<Assembly>,
    /// How the pipeline file is read again.
    pub(crate) choice: PipelineChoice,
    pub(crate) opening: Opening,
    /// Whether it is read again whenever it changes.
    pub(crate) watch_config: bool,
}

/// It lasts until it is dropped.
pub(crate) struct Living {
    notifier: Arc<Notifier>,
    _tasks: JoinSet<()>,
    _answering: Answering,
}

impl Drop for Living {
    fn drop(&mut self) {
        // A pipeline may have drained before anybody looked.
        self.notifier.tell("STOPPING=1");
    }
}

impl Life {
    /// Begins, on the runtime that this is called in, for a pipeline that is about to run.
    ///
    /// # Errors
    ///
    /// When the runtime cannot watch a listener or a signal.
    pub(crate) fn begin(self, engine: &Engine) -> Result<Living> {
        let Self { server, dashboard, assembly, choice, opening, watch_config } = self;
        let mib = memory_bound(&assembly.file).div_ceil(1 << 20);
        info!("no document makes the memory grow beyond {mib} MiB");
        let configuration = Arc::new(Configuration::new(assembly.maker().pipeline));
        let view = View::new(
            Arc::clone(&configuration),
            assembly.maker().version,
            engine.stats(),
            engine.shutdown(),
            ledger::folder(&assembly.file.data_dir),
        );
        let (reloader, requests) =
            Reloader::new(choice, assembly, opening, engine.reloads(), configuration);
        let notifier = Arc::new(Notifier::of_environment());
        let mut tasks = JoinSet::new();
        if watch_config {
            tasks.spawn(reloader.watch(requests.clone()));
        }
        tasks.spawn(reloader.run(Arc::clone(&notifier)));
        let mut hangups =
            signal(SignalKind::hangup()).context("cannot listen for the signal SIGHUP")?;
        let asked = requests.clone();
        tasks.spawn(async move {
            while hangups.recv().await.is_some() {
                info!("asked to reload by a signal");
                asked.ask();
            }
        });
        if let Some(collector) = traces::collector()? {
            let version = view.version().to_owned();
            tasks.spawn(traces::send(collector, engine.tap(), version));
        }
        let view = Arc::new(view);
        tasks.spawn(Arc::clone(&view).count());
        let site = dashboard.map(|dashboard| {
            let (site, alerts) = dashboard.over(&view);
            if let Some(alerts) = alerts {
                tasks.spawn(alerts.watch());
            }
            site
        });
        let answering = server.answer(view, Orders::new(requests, engine.tap()), site)?;
        tasks.spawn(Arc::clone(&notifier).keep(engine.stats(), engine.shutdown()));
        Ok(Living { notifier, _tasks: tasks, _answering: answering })
    }
}
