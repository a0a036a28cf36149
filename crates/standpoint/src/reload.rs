//! Reloads a running daemon: reads its pipeline file again, makes what is new, and lets the engine
//! become it. A file with mistakes, or a part that cannot be opened, changes nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use standpoint_engine::{Reloads, Revision};
use tokio::sync::{mpsc, oneshot};
use tokio::task;
use tokio::time::{interval, timeout};
use tracing::{error, info};

use crate::assemble::{Assembly, Opening};
use crate::cli::PipelineChoice;
use crate::notify::Notifier;

/// How many requests wait while a reload is under way; more would ask for the same.
const ROOM: usize = 64;

/// How long the stages of a new pipeline may take to be made.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often `--watch-config` looks at files.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which pipeline a daemon runs, and whether the last attempt to change it failed.
#[derive(Debug)]
pub(crate) struct Configuration(Mutex<Current>);

#[derive(Debug, Clone)]
pub(crate) struct Current {
    /// Name and hash of the pipeline.
    pub(crate) pipeline: String,
    /// When it was loaded.
    pub(crate) loaded: SystemTime,
    /// The reload that was refused since.
    pub(crate) refused: Option<Refused>,
    /// How many were refused since the start.
    pub(crate) refusals: u64,
}

/// A reload that was refused.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) at: SystemTime,
    pub(crate) reason: String,
}

impl Configuration {
    pub(crate) fn new(pipeline: String) -> Self {
        let loaded = SystemTime::now();
        Self(Mutex::new(Current { pipeline, loaded, refused: None, refusals: 0 }))
    }

    pub(crate) fn current(&self) -> Current {
        self.lock().clone()
    }

    fn set(&self, pipeline: String) {
        let mut current = self.lock();
        current.pipeline = pipeline;
        current.loaded = SystemTime::now();
        current.refused = None;
    }

    fn refuse(&self, reason: String) {
        let mut current = self.lock();
        current.refused = Some(Refused { at: SystemTime::now(), reason });
        current.refusals += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for reloads.
#[derive(Debug, Clone)]
pub(crate) struct ReloadRequests {
    sender: mpsc::Sender<Answer>,
}

/// Where the answer goes; `None` when nobody waits for it.
type Answer = Option<oneshot::Sender<Result<(), String>>>;

impl ReloadRequests {
    /// Asks for a reload. While so many wait that there is no room, one of them does it.
    pub(crate) fn ask(&self) {
        let _ = self.sender.try_send(None);
    }

    /// Asks for a reload and waits for it.
    ///
    /// # Errors
    ///
    /// Why it was refused.
    pub(crate) async fn wait(&self) -> Result<(), String> {
        let gone = || "the daemon is being stopped".to_owned();
        let (sender, answer) = oneshot::channel();
        self.sender.send(Some(sender)).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Reloads a pipeline when it is asked to.
pub(crate) struct Reloader {
    choice: PipelineChoice,
    current: Arc<Assembly>,
    opening: Opening,
    reloads: Reloads,
    configuration: Arc<Configuration>,
    requests: mpsc::Receiver<Answer>,
    files: WatchedFiles,
}

/// The files that the running pipeline was made of.
type WatchedFiles = Arc<Mutex<Vec<PathBuf>>>;

impl Reloader {
    /// - `choice`: the pipeline file and what is changed in it;
    /// - `current`: what runs now.
    pub(crate) fn new(
        choice: PipelineChoice,
        current: Arc<Assembly>,
        opening: Opening,
        reloads: Reloads,
        configuration: Arc<Configuration>,
    ) -> (Self, ReloadRequests) {
        let (sender, requests) = mpsc::channel(ROOM);
        let files = Arc::new(Mutex::new(files_of(&choice, &current)));
        let reloader = Self { choice, current, opening, reloads, configuration, requests, files };
        (reloader, ReloadRequests { sender })
    }

    /// Asks for a reload whenever the pipeline file or the library of a stage has changed and has
    /// stayed the same for a moment.
    pub(crate) fn watch(&self, requests: ReloadRequests) -> impl Future<Output = ()> + use<> {
        let files = Arc::clone(&self.files);
        async move {
            let mut ticks = interval(LOOK_EVERY);
            let mut loaded = prints(&files);
            let mut last = loaded.clone();
            loop {
                ticks.tick().await;
                let now = prints(&files);
                let is_new = now != loaded && now == last;
                last.clone_from(&now);
                if is_new {
                    info!("a file of the pipeline has changed");
                    // One that is refused is not tried again until it changes once more.
                    let _ = requests.wait().await;
                    loaded = prints(&files);
                    last.clone_from(&loaded);
                }
            }
        }
    }

    /// Answers requests until it is dropped. Those that come during a reload become one more.
    pub(crate) async fn run(mut self, notifier: Arc<Notifier>) {
        while let Some(first) = self.requests.recv().await {
            let mut answers = vec![first];
            while let Ok(more) = self.requests.try_recv() {
                answers.push(more);
            }
            notifier.tell("RELOADING=1");
            let reloaded = self.reload().await;
            notifier.tell("READY=1");
            for answer in answers.into_iter().flatten() {
                // Who asked may have gone.
                let _ = answer.send(reloaded.clone());
            }
        }
    }

    async fn reload(&mut self) -> Result<(), String> {
        let next = match self.make().await {
            Ok((next, revision)) => {
                let reloaded = self.reloads.reload(revision).await;
                reloaded.map(|()| next).map_err(|error| error.to_string())
            }
            Err(reason) => Err(reason),
        };
        match next {
            Ok(next) => {
                let pipeline = next.maker().pipeline;
                info!(pipeline, "reloaded the pipeline file");
                *self.files.lock().unwrap_or_else(PoisonError::into_inner) =
                    files_of(&self.choice, &next);
                self.current = next;
                self.configuration.set(pipeline);
                Ok(())
            }
            Err(reason) => {
                error!(reason, "config_reload_failed: the pipeline goes on as it was");
                self.configuration.refuse(reason.clone());
                Err(reason)
            }
        }
    }

    /// Reads the file and makes its stages, on a thread that may block.
    async fn make(&self) -> Result<(Arc<Assembly>, Revision), String> {
        let (choice, current) = (self.choice.clone(), Arc::clone(&self.current));
        let opening = self.opening.clone();
        let made = task::spawn_blocking(move || {
            let mut next = Assembly::of(&choice)?;
            next.cache_plugins();
            let next = Arc::new(next);
            let revision = next.revision(&current, &opening)?;
            anyhow::Ok((next, revision))
        });
        match timeout(PATIENCE, made).await {
            Ok(Ok(made)) => made.map_err(|error| format!("{error:#}").trim_end().to_owned()),
            Ok(Err(_)) => Err("making the new pipeline panicked".to_owned()),
            Err(_) => Err(format!("making the new pipeline took longer than {PATIENCE:?}")),
        }
    }
}

fn files_of(choice: &PipelineChoice, assembly: &Assembly) -> Vec<PathBuf> {
    choice.config.iter().cloned().chain(assembly.libraries()).collect()
}

/// What shows that a file is another one: length, time of change, and the file itself.
type Print = Option<(u64, i64, i64, u64)>;

fn prints(files: &WatchedFiles) -> Vec<Print> {
    let files = files.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let print = |path: &PathBuf| {
        let found = fs::metadata(path).ok()?;
        Some((found.len(), found.mtime(), found.mtime_nsec(), found.ino()))
    };
    files.iter().map(print).collect()
}
