//! A worker of a stream on a NATS server: it connects, reads, and ends.

use std::sync::Arc;
use std::time::Duration;

use standpoint_connectors::files::with_causes;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::SourceError;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::connect::Address;
use crate::desk::Desk;
use crate::lane::{Lane, PARTITION_WINDOW};
use crate::leases::Leases;
use crate::meters::{self, Trouble};
use crate::queue::{Queue, QueueError};
use crate::settings::{NatsSettings, Ordering, SettingsError};
use crate::source::{ClusterSource, Deliveries};
use crate::watch::watch as look_after;

/// The pause after the first failure to connect; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long the end of a worker may take once every document is settled.
const FAREWELL: Duration = Duration::from_secs(15);

struct Plan {
    settings: NatsSettings,
    limits: ReadLimits,
    instance: String,
    until_drained: bool,
    deliveries: Deliveries,
    stop: watch::Receiver<bool>,
}

impl ClusterSource {
    /// Documents of a stream on a NATS server.
    ///
    /// - `instance`: the worker's name, which no two may share;
    /// - `until_drained`: whether it ends when the stream is empty.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings cannot work.
    pub fn over_nats(
        settings: &NatsSettings,
        limits: ReadLimits,
        instance: &str,
        until_drained: bool,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        meters::begin(&settings.stream);
        let (settings, instance) = (settings.clone(), instance.to_owned());
        Ok(Self::new(move |deliveries, stop| {
            Plan { settings, limits, instance, until_drained, deliveries, stop }.work()
        }))
    }
}

impl Plan {
    /// Connects, reads, and ends when told to, or when the stream is empty where that ends it.
    async fn work(self) {
        let Some(queue) = self.open().await else { return };
        let Self { settings, limits, instance, until_drained, deliveries, stop } = self;
        info!(stream = settings.stream, ordering = ?settings.ordering, "works on a shared stream");
        let partitions = queue.layout.partitions as usize;
        let most_held = match settings.ordering {
            Ordering::None => settings.max_in_flight.get(),
            Ordering::PerSource => partitions * PARTITION_WINDOW,
        };
        let ordering = settings.ordering;
        let (desk, ends) =
            Desk::new(queue, settings, limits, until_drained, most_held, deliveries, stop.clone());
        let (close, closing) = watch::channel(false);
        let keeper = tokio::spawn(Arc::clone(&desk).keep(ends.outcomes, closing));
        let suspects = tokio::spawn(Arc::clone(&desk).try_suspects(ends.suspects));
        let watcher = tokio::spawn(look_after(Arc::clone(&desk)));
        match ordering {
            Ordering::None => {
                Lane::Shared.run(Arc::clone(&desk), stop).await;
                let _ = close.send(true);
                let _ = keeper.await;
            }
            Ordering::PerSource => {
                let mut leases = Leases::new(Arc::clone(&desk), &instance);
                // Renewed until everything is settled, which can take as long as documents do.
                leases.hold().await;
                let _ = close.send(true);
                let mut keeper = keeper;
                while timeout(desk.settings.lease / 3, &mut keeper).await.is_err() {
                    leases.renew_all().await;
                }
                if timeout(FAREWELL, leases.give_back()).await.is_err() {
                    warn!("the partitions of this worker are taken when their leases run out");
                }
            }
        }
        suspects.abort();
        watcher.abort();
        meters::change(|reading| reading.held = 0);
    }

    /// Connects and opens the queue, however long that takes; `None` when stopped first, or when it
    /// will never work.
    async fn open(&self) -> Option<Queue> {
        let address = Address {
            url: self.settings.url.clone(),
            auth: self.settings.auth.clone(),
            tls: self.settings.tls.clone(),
            name: format!("standpoint {}", self.instance),
            is_worker: true,
        };
        let mut pause = FIRST_PAUSE;
        let mut failures: u32 = 0;
        let trouble = Trouble::none();
        let mut client = None;
        loop {
            let opened = async {
                let connected = match client.take() {
                    Some(client) => client,
                    None => address.connect().await.map_err(|error| with_causes(&error))?,
                };
                meters::connected(true);
                client = Some(connected.clone());
                match Queue::open(connected, &self.settings).await {
                    Ok(queue) => Ok(Ok(queue)),
                    Err(error @ QueueError::Layout { .. }) => Ok(Err(error)),
                    Err(error) => Err(with_causes(&error)),
                }
            };
            let mut stop = self.stop.clone();
            let opened: Result<Result<Queue, QueueError>, String> = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return None,
                opened = opened => opened,
            };
            match opened {
                Ok(Ok(queue)) => {
                    trouble.tell(None);
                    return Some(queue);
                }
                Ok(Err(error)) => {
                    let error = SourceError::new(with_causes(&error));
                    let _ = self.deliveries.send(Err(error)).await;
                    return None;
                }
                Err(reason) => {
                    failures += 1;
                    // The first time and whenever the count has doubled.
                    if failures.is_power_of_two() {
                        warn!(reason, failures, "the cluster cannot be used; trying again");
                    }
                    trouble.tell(Some(reason));
                }
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return None,
                () = tokio::time::sleep(pause) => {}
            }
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}
