//! The source of a worker: documents that a task of its own takes out of what workers share.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use standpoint_engine::{Delivery, Outcome, Source, SourceError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Deliveries that wait for the engine, besides those that it has.
pub(crate) const READ_AHEAD: usize = 4;

/// How long after a stop dead letters may still be tried.
pub(crate) const LAST_TRIES: Duration = Duration::from_secs(5);

/// The longest pause before a failed document is tried again.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// Where a worker's task puts documents for the engine.
pub(crate) type Deliveries = mpsc::Sender<Result<Delivery, SourceError>>;

/// Delivers the documents of a stream or topic, side by side with other workers.
///
/// It is there before the server is: it waits for one that is away, at the start and at any time
/// after, and says so in its [`meters`](crate::meters).
pub struct ClusterSource {
    /// What its task will do, until it is asked for the first document.
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    deliveries: mpsc::Receiver<Result<Delivery, SourceError>>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl fmt::Debug for ClusterSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClusterSource").field("task", &self.task).finish_non_exhaustive()
    }
}

impl ClusterSource {
    /// Nothing is connected before the first document is asked for.
    ///
    /// - `work`: what its task does with the place for documents, until the other becomes true.
    pub(crate) fn new<W>(work: impl FnOnce(Deliveries, watch::Receiver<bool>) -> W) -> Self
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let (sender, deliveries) = mpsc::channel(READ_AHEAD);
        let (stop, stopping) = watch::channel(false);
        Self { work: Some(Box::pin(work(sender, stopping))), deliveries, stop, task: None }
    }
}

#[async_trait]
impl Source for ClusterSource {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        if let Some(work) = self.work.take() {
            self.task = Some(tokio::spawn(work));
        }
        self.deliveries.recv().await.transpose()
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        let _ = self.stop.send(true);
        self.work = None;
        // What waits for the engine goes back; the task may wait for room here.
        self.deliveries.close();
        while let Some(waiting) = self.deliveries.recv().await {
            if let Ok(delivery) = waiting {
                delivery.receipt.settle(Outcome::Returned);
            }
        }
        let Some(task) = self.task.take() else { return Ok(()) };
        task.await
            .map_err(|error| SourceError::new("the cluster's worker broke down").caused_by(error))
    }
}

impl Drop for ClusterSource {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Waits until it is true, or whoever could have said so is gone.
pub(crate) async fn becomes_true(word: &mut watch::Receiver<bool>) {
    if word.wait_for(|word| *word).await.is_err() {}
}
