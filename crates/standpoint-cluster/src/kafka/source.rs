//! The source of a worker: documents out of the topic that workers share.

use async_trait::async_trait;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Delivery, Outcome, Source, SourceError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::info;

use super::lookout::Lookout;
use super::settings::KafkaSettings;
use super::worker::Worker;
use crate::meters;
use crate::settings::SettingsError;

/// Deliveries that wait for the engine, besides those that it has.
pub(super) const READ_AHEAD: usize = 4;

/// Delivers the documents of a topic, side by side with the other workers of its group.
///
/// It is there before the brokers are: it waits for those that are away, at the start and at any
/// time after, and says so in its [`meters`].
#[derive(Debug)]
pub struct KafkaSource {
    /// What it is made of, until it is asked for the first document.
    plan: Option<Plan>,
    deliveries: mpsc::Receiver<Result<Delivery, SourceError>>,
    stop: watch::Sender<bool>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) settings: KafkaSettings,
    pub(super) limits: ReadLimits,
    pub(super) instance: String,
    pub(super) until_drained: bool,
    pub(super) deliveries: mpsc::Sender<Result<Delivery, SourceError>>,
    pub(super) stop: watch::Receiver<bool>,
}

impl KafkaSource {
    /// Takes the settings; nothing is connected before the first document is asked for.
    ///
    /// - `instance`: the worker's name, for the brokers' logs;
    /// - `until_drained`: whether it ends when every document of the topic is settled.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings cannot work.
    pub fn new(
        settings: &KafkaSettings,
        limits: ReadLimits,
        instance: &str,
        until_drained: bool,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        meters::begin(&settings.topic);
        let (sender, deliveries) = mpsc::channel(READ_AHEAD);
        let (stop, stopping) = watch::channel(false);
        let plan = Plan {
            settings: settings.clone(),
            limits,
            instance: instance.to_owned(),
            until_drained,
            deliveries: sender,
            stop: stopping,
        };
        Ok(Self { plan: Some(plan), deliveries, stop, worker: None })
    }
}

#[async_trait]
impl Source for KafkaSource {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        if let Some(plan) = self.plan.take() {
            self.worker = Some(tokio::spawn(plan.work()));
        }
        self.deliveries.recv().await.transpose()
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        let _ = self.stop.send(true);
        self.plan = None;
        // What waits for the engine goes back; its worker may wait for room here.
        self.deliveries.close();
        while let Some(waiting) = self.deliveries.recv().await {
            if let Ok(delivery) = waiting {
                delivery.receipt.settle(Outcome::Returned);
            }
        }
        let Some(worker) = self.worker.take() else { return Ok(()) };
        worker
            .await
            .map_err(|error| SourceError::new("the cluster's worker broke down").caused_by(error))
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.abort();
        }
    }
}

impl Plan {
    /// Joins the group, works, and leaves it when told to, or when nothing is left where that ends
    /// it.
    async fn work(self) {
        let deliveries = self.deliveries.clone();
        if let Err(error) = self.try_to_work().await {
            let _ = deliveries.send(Err(error)).await;
        }
        meters::change(|reading| {
            reading.held = 0;
            reading.partitions.clear();
        });
    }

    async fn try_to_work(self) -> Result<(), SourceError> {
        let fail = |error| SourceError::new("cannot read from Kafka").caused_by(error);
        info!(topic = self.settings.topic, ordering = ?self.settings.ordering, "joins its group");
        let (seen, pending) = watch::channel(None);
        let lookout = Lookout::new(&self.settings, self.until_drained).map_err(fail)?;
        let worker = Worker::join(self, pending).map_err(fail)?;
        let lookout = tokio::spawn(lookout.look_out(seen));
        let end = worker.work().await;
        lookout.abort();
        end
    }
}
