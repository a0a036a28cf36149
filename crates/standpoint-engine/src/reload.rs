//! How a pipeline becomes another one while it runs.
//!
//! What is new is opened beside what runs, and takes its place only when all of it is open; until
//! then, and for good if a part cannot be opened, everything goes on as it was. The change falls
//! between two documents: one that is in the chain goes through the old stages to the end, and the
//! next one through the new.
//!
//! - A source that goes on is not touched. One that is replaced stops delivering, waits for the
//!   outcomes of what it has delivered, and only then is its successor opened, because both may
//!   claim the same place. What has no outcome within the shutdown timeout goes back to it.
//! - A sink that is replaced hands over between two groups, and what waits for it waits for its
//!   successor. A sink that is gone keeps what is on its way to it, for as long as the shutdown
//!   timeout; then that goes back to its sources.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task;

use crate::outlet::Parcel;
use crate::pipeline::{Condition, SinkStep, SourceStep, StageStep};
use crate::stats::{SinkCounters, SourceCounters};

/// Makes a part of a pipeline, on a thread that may block; the error says why not.
pub type Open<T> = Box<dyn FnOnce() -> Result<T, String> + Send>;

/// What a pipeline is to become.
pub struct Revision {
    /// Its name, for the provenance of what it reads from then on.
    pub name: Option<Arc<str>>,
    /// The sources there are to be.
    pub sources: Vec<SourcePart>,
    /// The chain, made already.
    pub stages: Vec<StageStep>,
    /// The sinks there are to be.
    pub sinks: Vec<SinkPart>,
}

/// A source of a [`Revision`].
pub struct SourcePart {
    /// Its name.
    pub name: String,
    /// What takes the place of the source of this name, or is new; `None` for one that goes on as
    /// it is.
    pub change: Option<SourceChange>,
}

/// A source that is new or other than before.
pub struct SourceChange {
    /// Opens it, once the one before it is closed.
    pub open: Open<SourceStep>,
    /// Opens the one before it again, when there was one and the change is refused.
    pub back: Option<Open<SourceStep>>,
}

/// A sink of a [`Revision`].
pub struct SinkPart {
    /// Its name.
    pub name: String,
    /// Documents for which it is false do not go to this sink.
    pub when: Option<Condition>,
    /// Whether a document is done only once this sink has it.
    pub is_required: bool,
    /// Opens what takes the place of the sink of this name, which is still open and idle then, or
    /// is new; `None` for one that goes on as it is.
    pub open: Option<Open<SinkStep>>,
}

/// Why a pipeline stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// A source cannot be opened.
    #[error("source {name}: {reason}")]
    Source {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A sink cannot be opened.
    #[error("sink {name}: {reason}")]
    Sink {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It is being stopped, or has ended.
    #[error("the pipeline is being stopped")]
    Stopping,
}

/// Asks a pipeline to become another one. Clones ask the same pipeline.
#[derive(Debug, Clone)]
pub struct Reloads {
    requests: mpsc::Sender<Request>,
}

pub(crate) struct Request {
    pub(crate) revision: Revision,
    pub(crate) reply: oneshot::Sender<Result<(), ReloadError>>,
}

impl Reloads {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Request>) {
        let (requests, receiver) = mpsc::channel(1);
        (Self { requests }, receiver)
    }

    /// Puts `revision` in the place of what runs; returns once it has, and not before the pipeline
    /// runs.
    ///
    /// # Errors
    ///
    /// [`ReloadError`] when a part cannot be opened; the pipeline then runs as before.
    pub async fn reload(&self, revision: Revision) -> Result<(), ReloadError> {
        let (reply, answer) = oneshot::channel();
        let request = Request { revision, reply };
        self.requests.send(request).await.map_err(|_| ReloadError::Stopping)?;
        answer.await.unwrap_or(Err(ReloadError::Stopping))
    }
}

/// What a source is told while it runs.
pub(crate) enum SourceOrder {
    /// It is not wanted any more.
    Stop,
    /// Another one takes its place.
    Replace { handover: Handover<SourceStep>, back: Option<Open<SourceStep>> },
}

/// What a sink is told while it runs.
pub(crate) enum SinkOrder {
    /// Another one takes its place.
    Replace(Handover<SinkStep>),
    /// It is not wanted any more, and what it could not write until now goes back.
    Abandon,
}

/// A part that is opened beside the one that runs.
pub(crate) struct Handover<T> {
    pub(crate) open: Open<T>,
    /// Told whether it is open.
    pub(crate) opened: oneshot::Sender<Result<(), String>>,
    /// Comes when everything is open; an error means that all stays as it was.
    pub(crate) decision: oneshot::Receiver<()>,
}

/// The other side of a [`Handover`].
pub(crate) struct Opening {
    pub(crate) opened: oneshot::Receiver<Result<(), String>>,
    pub(crate) decide: oneshot::Sender<()>,
}

impl<T> Handover<T> {
    pub(crate) fn new(open: Open<T>) -> (Self, Opening) {
        let (opened, hear) = oneshot::channel();
        let (decide, decision) = oneshot::channel();
        (Self { open, opened, decision }, Opening { opened: hear, decide })
    }
}

/// Opens a part off the runtime of sources and sinks.
pub(crate) async fn open<T: Send + 'static>(open: Open<T>) -> Result<T, String> {
    task::spawn_blocking(open).await.unwrap_or_else(|_| Err("opening it panicked".to_owned()))
}

/// Waits for an order; for ever once nobody can give any.
pub(crate) async fn next<T>(orders: &mut mpsc::Receiver<T>) -> T {
    match orders.recv().await {
        Some(order) => order,
        None => std::future::pending().await,
    }
}

/// How a source that runs is reached.
pub(crate) struct SourceHandle {
    pub(crate) counters: Arc<SourceCounters>,
    pub(crate) orders: mpsc::Sender<SourceOrder>,
}

/// How a sink that runs is reached.
pub(crate) struct SinkHandle {
    pub(crate) counters: Arc<SinkCounters>,
    pub(crate) queue: mpsc::Sender<Parcel>,
    pub(crate) orders: mpsc::Sender<SinkOrder>,
    /// Whether the pipeline goes on when it fails.
    pub(crate) is_retired: Arc<AtomicBool>,
}

impl SinkHandle {
    /// Lets the sink end once it has what is on its way, or after `patience`.
    pub(crate) async fn retire(self, patience: Duration) {
        self.is_retired.store(true, Ordering::Release);
        // Without this queue, and without the old chain's, the sink sees its end.
        drop(self.queue);
        tokio::time::sleep(patience).await;
        let _ = self.orders.send(SinkOrder::Abandon).await;
    }
}

/// What was opened for a reload and is not used yet. Dropping it lets everything stay as it was,
/// but for new sources, which want to be closed.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) sources: HashMap<String, SourceStep>,
    pub(crate) sinks: HashMap<String, SinkStep>,
    pub(crate) decisions: Vec<oneshot::Sender<()>>,
}
