//! A lane: one consumer of the stream, read in batches as there is room.
//!
//! Without an order all workers read one durable consumer, and the server gives each message to one
//! of them. With an order each partition has a consumer of its own, which only the worker reads
//! that has the partition's lease. It is made anew by whoever gets the lease, and so begins with
//! the first message that is not acknowledged: what was under way when a worker was lost is read
//! again at once and in order, and nothing behind it comes before it.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::{Batch, Config};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::desk::{Desk, Place, Taking, Unavailable};
use crate::leases::is_held_by;
use crate::meters::{self, Trouble};
use crate::queue::{EVERYTHING, QueueError};
use crate::watch::put_again;

/// The consumer that workers share where there is no order.
pub(crate) const SHARED: &str = "workers";

/// How many documents of one partition are under way at a time, where there is an order.
pub(crate) const PARTITION_WINDOW: usize = 8;

/// How long a request for messages stands before it is made anew.
const EXPIRES: Duration = Duration::from_secs(3);

/// How much longer an answer may take before the server counts as stalled.
const GRACE: Duration = Duration::from_secs(3);

/// How long messages that were on their way at a stop are waited for, to give them back.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// The pause after the first failure; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Unacknowledged messages of all workers together, where there is no order.
const MOST_UNACKNOWLEDGED: i64 = 50_000;

/// Which consumer a lane reads.
#[derive(Debug, Clone)]
pub(crate) enum Lane {
    /// The one that all share.
    Shared,
    /// That of a partition.
    Partition {
        partition: u32,
        /// Who has the lease.
        holder: String,
        /// Grows with each lease of the partition, also where the bucket of leases was made anew.
        epoch: u64,
        /// Whether the first documents go one at a time, because workers ended while they had them.
        is_careful: bool,
        /// The message that has ended too many of them.
        condemned: Option<u64>,
    },
}

/// Why a lane stopped reading.
enum Ending {
    /// It was told to.
    Stopped,
    /// The stream is empty, and that was asked for.
    Drained,
    /// It is to begin anew.
    Broken(String),
}

impl Lane {
    /// Reads until told to stop, or until the stream is empty where that ends the worker.
    ///
    /// - `stop`: becomes true when this lane alone is to stop.
    pub(crate) async fn run(self, desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
        let window = match &self {
            Self::Shared => desk.settings.max_in_flight.get(),
            Self::Partition { .. } => PARTITION_WINDOW,
        };
        let alone = match &self {
            // As many as were under way together, and none beside the last of them.
            Self::Partition { is_careful: true, .. } => PARTITION_WINDOW + 1,
            _ => 0,
        };
        let room = Arc::new(Semaphore::new(window));
        let mut lane = Reading { lane: self, desk, room, window, alone, overlooked: None };
        let trouble = Trouble::none();
        let mut pause = FIRST_PAUSE;
        loop {
            let opened = tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                opened = lane.open() => opened,
            };
            let ending = match opened {
                Ok(consumer) => {
                    trouble.tell(None);
                    let mut has_read = false;
                    let ending = lane.read(&consumer, &mut stop, &mut has_read).await;
                    if has_read {
                        pause = FIRST_PAUSE;
                    }
                    ending
                }
                Err(error) => Ending::Broken(standpoint_connectors::files::with_causes(&error)),
            };
            match ending {
                Ending::Stopped | Ending::Drained => return,
                Ending::Broken(reason) => {
                    debug!(reason, ?pause, "reading of the stream begins anew");
                    trouble.tell(Some(reason));
                    meters::change(|reading| reading.reopened += 1);
                }
            }
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}

/// A lane at work.
struct Reading {
    lane: Lane,
    desk: Arc<Desk>,
    /// Room for messages.
    room: Arc<Semaphore>,
    window: usize,
    /// How many documents go one at a time, still.
    alone: usize,
    /// The first message of the stream, if it is this partition's and nobody has it, at the last
    /// look.
    overlooked: Option<u64>,
}

impl Reading {
    /// The consumer, made if it is not there; that of a partition in any case.
    async fn open(&self) -> Result<PullConsumer, QueueError> {
        let queue = &self.desk.queue;
        self.desk.reads(queue.made().await?);
        let config = Config {
            ack_policy: AckPolicy::Explicit,
            deliver_policy: DeliverPolicy::All,
            ack_wait: self.desk.settings.ack_wait,
            max_deliver: -1,
            max_waiting: 8192,
            ..Config::default()
        };
        match &self.lane {
            Lane::Shared => {
                let config = Config {
                    durable_name: Some(SHARED.to_owned()),
                    max_ack_pending: MOST_UNACKNOWLEDGED,
                    ..config
                };
                let fail = |error| QueueError::server("open the shared consumer", error);
                let opened = queue.stream.get_or_create_consumer(SHARED, config.clone()).await;
                let opened = opened.map_err(fail)?;
                let found = &opened.cached_info().config;
                let is_filtered = !found.filter_subject.is_empty();
                if found.ack_wait == config.ack_wait && !is_filtered {
                    return Ok(opened);
                }
                if is_filtered {
                    // By a filter the server may overlook messages (see `EVERYTHING`).
                    let _ = queue.stream.delete_consumer(SHARED).await;
                }
                // It was made when that was another time, and the server would lose patience at
                // that.
                queue.stream.create_consumer(config).await.map_err(|error| {
                    QueueError::server("set `ack_wait` of the shared consumer", error)
                })
            }
            Lane::Partition { partition, holder, epoch, .. } => {
                let (partition, epoch) = (*partition, *epoch);
                self.clear(partition, holder, epoch).await?;
                let config = Config {
                    durable_name: Some(name(partition, epoch)),
                    filter_subject: queue.subject(partition),
                    max_ack_pending: PARTITION_WINDOW as i64,
                    ..config
                };
                let consumer = queue.stream.create_consumer(config).await;
                consumer.map_err(|error| {
                    QueueError::server(format!("open the consumer of partition {partition}"), error)
                })
            }
        }
    }

    /// Deletes the consumers of leases up to this one's: what they had not acknowledged is
    /// delivered again, in order. Those of later leases are somebody else's, unless the lease is
    /// still this worker's: then they only seem to be later, by the clock of a server that made the
    /// bucket before, and the server refuses a second consumer beside one.
    async fn clear(&self, partition: u32, holder: &str, epoch: u64) -> Result<(), QueueError> {
        let queue = &self.desk.queue;
        let fail = |error| QueueError::server("list the consumers of the stream", error);
        let names: Vec<String> = queue.stream.consumer_names().try_collect().await.map_err(fail)?;
        let of_partition = format!("{SHARED}-{partition}-");
        for name in names {
            let Some(of) = name.strip_prefix(&of_partition) else { continue };
            let Ok(of) = of.parse::<u64>() else { continue };
            if of <= epoch || is_held_by(&queue.bucket, partition, holder).await {
                let deleted = queue.stream.delete_consumer(&name).await;
                if let Err(error) = deleted {
                    debug!(name, %error, "a consumer of an earlier lease stays for now");
                }
            }
        }
        Ok(())
    }

    /// Reads, while what was read is brought to the engine: that may have to wait for room, and
    /// what is behind is held meanwhile.
    async fn read(
        &mut self,
        consumer: &PullConsumer,
        stop: &mut watch::Receiver<bool>,
        has_read: &mut bool,
    ) -> Ending {
        // Each that waits has a permit.
        let (line, waiting) = mpsc::channel(self.window);
        let bringing = tokio::spawn(Arc::clone(&self.desk).bring_all(waiting, stop.clone()));
        let ending = self.read_into(&line, consumer, stop, has_read).await;
        drop(line);
        match bringing.await {
            Ok(Ok(())) => ending,
            Ok(Err(Unavailable(reason))) => match ending {
                Ending::Stopped => Ending::Stopped,
                _ => Ending::Broken(reason),
            },
            Err(error) => Ending::Broken(error.to_string()),
        }
    }

    /// Reads batch after batch.
    async fn read_into(
        &mut self,
        line: &mpsc::Sender<Place>,
        consumer: &PullConsumer,
        stop: &mut watch::Receiver<bool>,
        has_read: &mut bool,
    ) -> Ending {
        let broken = || Ending::Broken("what was read cannot be brought to the engine".to_owned());
        let connections = self.connections();
        loop {
            // A server that was killed may have messages that this consumer will never see again;
            // one that is made anew does.
            if matches!(self.lane, Lane::Partition { .. }) && self.connections() != connections {
                return Ending::Broken("the connection was made anew".to_owned());
            }
            let mut room = tokio::select! {
                biased;
                () = stopped(stop) => return Ending::Stopped,
                () = line.closed() => return broken(),
                room = self.make_room() => room,
            };
            let batch = consumer.batch().max_messages(room.num_permits()).expires(EXPIRES);
            let mut batch = tokio::select! {
                biased;
                () = stopped(stop) => return Ending::Stopped,
                batch = batch.messages() => match batch {
                    Ok(batch) => batch,
                    Err(error) => return Ending::Broken(error.to_string()),
                },
            };
            let mut count = 0;
            loop {
                let next = tokio::select! {
                    biased;
                    () = stopped(stop) => {
                        self.give_back(batch).await;
                        return Ending::Stopped;
                    }
                    () = line.closed() => return broken(),
                    next = timeout(EXPIRES + GRACE, batch.next()) => next,
                };
                match next {
                    Err(_) => return Ending::Broken("the server is silent".to_owned()),
                    Ok(None) => break,
                    Ok(Some(Err(error))) => return Ending::Broken(error.to_string()),
                    Ok(Some(Ok(message))) => {
                        count += 1;
                        *has_read = true;
                        // As many come as there is room for.
                        let Some(permit) = room.split(1) else { break };
                        if let Some(place) = self.desk.hold(message, self.taking(), permit).await
                            && line.try_send(place).is_err()
                        {
                            self.desk.give_back(place).await;
                            return broken();
                        }
                    }
                }
            }
            drop(room);
            if count > 0 {
                self.alone = self.alone.saturating_sub(1);
                self.overlooked = None;
            } else if let Some(ending) = self.look(consumer).await {
                return ending;
            }
        }
    }

    /// How many times the server was connected to.
    fn connections(&self) -> u64 {
        self.desk.queue.client.statistics().connects.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Waits until a part of the window is free, so that not every document costs a request; where
    /// one is to go alone until all of it is, and takes room for that one.
    async fn make_room(&self) -> OwnedSemaphorePermit {
        let least = if self.alone == 0 { self.window.div_ceil(4) } else { self.window };
        let room = Arc::clone(&self.room).acquire_many_owned(least as u32).await;
        // Nobody closes it.
        let mut room = room.expect("the lane holds its semaphore open");
        if self.alone > 0 {
            let rest = room.num_permits() - 1;
            drop(room.split(rest));
            return room;
        }
        let more = self.room.available_permits();
        if let Ok(more) = Arc::clone(&self.room).try_acquire_many_owned(more as u32) {
            room.merge(more);
        }
        room
    }

    fn taking(&self) -> Taking {
        match self.lane {
            Lane::Shared => Taking::default(),
            Lane::Partition { partition, condemned, .. } => {
                Taking { partition: Some(partition), condemned }
            }
        }
    }

    /// Looks around when nothing comes: whether the consumer is still there, and whether there is
    /// anything to wait for.
    async fn look(&mut self, consumer: &PullConsumer) -> Option<Ending> {
        let name = &consumer.cached_info().name;
        match self.desk.queue.stream.consumer_info(name).await {
            Ok(info) => {
                if let Lane::Partition { partition, .. } = self.lane
                    && info.num_ack_pending == 0
                {
                    self.look_for_overlooked(partition).await;
                }
            }
            Err(error) => {
                if !matches!(error.kind(), ConsumerInfoErrorKind::TimedOut) {
                    warn!(name, %error, "the consumer is gone; it is made anew");
                }
                return Some(Ending::Broken(error.to_string()));
            }
        }
        if self.desk.until_drained && self.desk.queue.is_empty().await {
            info!("the stream is empty");
            return Some(Ending::Drained);
        }
        None
    }

    /// A message that was the stream's first before the server was asked, and still is now that it
    /// had nothing to give, is one that it overlooks (see `EVERYTHING`). It is put in again: what
    /// came after it has gone before it already.
    async fn look_for_overlooked(&mut self, partition: u32) {
        let queue = &self.desk.queue;
        let first = queue.first(EVERYTHING).await.ok().flatten();
        let first = first.filter(|first| {
            first.subject.as_str() == queue.subject(partition)
                && self.desk.held(Some(partition)) == 0
        });
        let before = mem::replace(&mut self.overlooked, first.as_ref().map(|one| one.sequence));
        let Some(first) = first.filter(|first| before == Some(first.sequence)) else { return };
        let sequence = first.sequence;
        if let Err(error) = put_again(&self.desk, first).await {
            debug!(%error, "a message that was overlooked cannot be put in again now");
            return;
        }
        let _ = queue.stream.delete_message(sequence).await;
        meters::change(|reading| reading.put_again += 1);
        info!(partition, sequence, "a message that the server overlooked was put in again");
    }

    /// Gives back what was on its way when the lane stopped.
    async fn give_back(&self, mut batch: Batch) {
        if matches!(self.lane, Lane::Partition { .. }) {
            // The next consumer delivers them again, in order.
            return;
        }
        while let Ok(Some(Ok(message))) = timeout(LEFTOVERS, batch.next()).await {
            let (_, acker) = message.split();
            self.desk.say(&acker, async_nats::jetstream::AckKind::Nak(None)).await;
        }
    }
}

/// The name of the consumer of a lease.
fn name(partition: u32, epoch: u64) -> String {
    format!("{SHARED}-{partition}-{epoch}")
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever could have said so is gone.
    if stop.wait_for(|stop| *stop).await.is_err() {}
}
