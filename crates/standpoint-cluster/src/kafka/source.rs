//! A worker of a topic: it joins its group, works, and leaves it.

use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::SourceError;
use tokio::sync::watch;
use tracing::info;

use super::lookout::Lookout;
use super::settings::KafkaSettings;
use super::worker::Worker;
use crate::meters;
use crate::settings::SettingsError;
use crate::source::{ClusterSource, Deliveries};

pub(super) struct Plan {
    pub(super) settings: KafkaSettings,
    pub(super) limits: ReadLimits,
    pub(super) instance: String,
    pub(super) until_drained: bool,
    pub(super) deliveries: Deliveries,
    pub(super) stop: watch::Receiver<bool>,
}

impl ClusterSource {
    /// Documents of a topic of Kafka's, side by side with the other workers of its group.
    ///
    /// - `instance`: the worker's name, for the brokers' logs;
    /// - `until_drained`: whether it ends when every document of the topic is settled.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings cannot work.
    pub fn over_kafka(
        settings: &KafkaSettings,
        limits: ReadLimits,
        instance: &str,
        until_drained: bool,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        meters::begin(&settings.topic);
        let (settings, instance) = (settings.clone(), instance.to_owned());
        Ok(Self::new(move |deliveries, stop| {
            Plan { settings, limits, instance, until_drained, deliveries, stop }.work()
        }))
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
