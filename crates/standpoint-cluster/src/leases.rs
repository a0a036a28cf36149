//! Leases of partitions: with an order, each partition has one worker at a time.
//!
//! A lease is an entry of the cluster's key-value bucket. Its holder writes it again three times as
//! often as it lasts, each time on condition that nobody else has (compare and set). Whoever sees
//! the same revision for as long as a lease lasts takes it, on the same condition. No clock but the
//! watcher's own is read, and only time during which it could look counts, so neither a wrong clock
//! nor a server that was away makes a lease run out.
//!
//! Each worker takes its share: partitions by workers, rounded up; and gives back what is more than
//! that when others come. A worker that wakes up late may still write what it had under way. That
//! spoils no order: what it writes begins with documents that it was the first to have, and the
//! other worker began again with the first that was not acknowledged, so that whoever writes a
//! document first has written those before it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::kv::{Operation, Store, UpdateErrorKind};
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::desk::Desk;
use crate::lane::Lane;
use crate::meters;

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Lease {
    /// Nobody, if empty.
    holder: String,
    /// The first message that was not acknowledged when the lease was taken.
    floor: u64,
    /// How many leases in a row ended without being given back and without getting further; more
    /// than [`CAREFUL_AFTER`] only while the first message was the only one under way.
    deaths: u64,
}

/// A lease of this worker.
struct Own {
    lease: Lease,
    revision: u64,
    renewed: Instant,
    stop: watch::Sender<bool>,
    lane: JoinHandle<()>,
    /// Whether it is given back once nothing of it is under way.
    is_leaving: bool,
}

/// What was seen of an entry of somebody else.
struct Seen {
    revision: u64,
    /// Time that has passed since it changed, as far as it could be looked at.
    age: Duration,
}

/// The leases of a worker, and what it knows of those of others.
pub(crate) struct Leases {
    desk: Arc<Desk>,
    instance: String,
    own: HashMap<u32, Own>,
    seen: HashMap<String, Seen>,
    looked: Option<Instant>,
    beats: u64,
}

/// Deaths after which the documents that were under way go one at a time.
const CAREFUL_AFTER: u64 = 2;

impl Leases {
    pub(crate) fn new(desk: Arc<Desk>, instance: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let instance = instance.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        Self { desk, instance, own: HashMap::new(), seen: HashMap::new(), looked: None, beats: 0 }
    }

    /// Takes, renews and gives back leases until the worker stops; then waits for its lanes.
    pub(crate) async fn hold(&mut self) {
        let every = self.desk.settings.lease / 3;
        loop {
            let start = Instant::now();
            if let Err(error) = self.round().await {
                debug!(%error, "the leases cannot be looked at now");
                // What passed meanwhile proves nothing about others.
                self.looked = None;
            }
            self.show();
            if self.desk.until_drained && self.is_drained().await {
                info!("the stream is empty");
                break;
            }
            if !self.desk.pause(every.saturating_sub(start.elapsed())).await {
                break;
            }
        }
        for own in self.own.values() {
            let _ = own.stop.send(true);
        }
        for own in self.own.values_mut() {
            let _ = (&mut own.lane).await;
        }
    }

    /// Keeps what is held while documents of it are still under way.
    pub(crate) async fn renew_all(&mut self) {
        if let Err(error) = self.renew().await {
            debug!(%error, "leases cannot be renewed now");
        }
    }

    /// Gives everything back, for others to take at once.
    pub(crate) async fn give_back(&mut self) {
        let partitions: Vec<u32> = self.own.keys().copied().collect();
        for partition in partitions {
            if self.release(partition).await.is_err() {
                // The server is away: the leases run out.
                return;
            }
        }
        self.desk.queue.forget(&format!("worker.{}", self.instance)).await;
        self.show();
    }

    async fn is_drained(&self) -> bool {
        self.desk.held(None) == 0 && self.desk.queue.is_empty().await
    }

    fn show(&self) {
        let partitions = self.own.keys().copied().collect();
        meters::change(|reading| reading.partitions = partitions);
    }

    /// One look at everything.
    async fn round(&mut self) -> Result<(), async_nats::Error> {
        let lasts = self.desk.settings.lease;
        // Time in which nobody looked, as when this process was stopped, is not counted.
        let passed = self.looked.map_or(Duration::ZERO, |looked| looked.elapsed());
        let passed = if passed > lasts { Duration::ZERO } else { passed };
        self.looked = Some(Instant::now());
        self.beats += 1;
        let beat = Bytes::from(self.beats.to_string());
        let beaten = self.desk.queue.bucket.put(format!("worker.{}", self.instance), beat).await;
        // Others count the time of each lease, whatever became of the word that this worker is
        // there.
        self.renew().await?;
        beaten?;
        let workers = 1 + self.others(passed).await?;
        let partitions = self.desk.queue.layout.partitions;
        let share = (partitions as usize).div_ceil(workers);
        self.shed(share).await?;
        self.acquire(share, passed).await
    }

    /// Renews what is held, all at once, so that none waits for another that cannot be; what
    /// somebody else has taken is left at once.
    async fn renew(&mut self) -> Result<(), async_nats::Error> {
        let lasts = self.desk.settings.lease;
        let started = Instant::now();
        let bucket = &self.desk.queue.bucket;
        let renewals = self.own.iter().map(|(partition, own)| async move {
            (*partition, written_again(bucket, *partition, own).await)
        });
        let renewals = join_all(renewals).await;
        let mut lost = Vec::new();
        let mut trouble = None;
        for (partition, renewed) in renewals {
            let Some(own) = self.own.get_mut(&partition) else { continue };
            match renewed {
                Ok(Some(revision)) => (own.revision, own.renewed) = (revision, started),
                Ok(None) => lost.push(partition),
                Err(error) => {
                    if own.renewed.elapsed() > lasts {
                        lost.push(partition);
                    }
                    trouble = Some(error);
                }
            }
        }
        for partition in lost {
            if let Some(own) = self.own.remove(&partition) {
                warn!(partition, "another worker has taken a partition");
                let _ = own.stop.send(true);
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    /// How many other workers there are.
    async fn others(&mut self, passed: Duration) -> Result<usize, async_nats::Error> {
        let lasts = self.desk.settings.lease;
        let own = format!("worker.{}", self.instance);
        let keys: Vec<String> = self.desk.queue.bucket.keys().await?.try_collect().await?;
        let mut count = 0;
        for key in keys {
            if !key.starts_with("worker.") || key == own {
                continue;
            }
            let Some(entry) = self.desk.queue.bucket.entry(&key).await? else { continue };
            let age = self.observe(&key, entry.revision, passed);
            if age <= lasts {
                count += 1;
            } else if age > lasts * 10 {
                // Nobody will say goodbye for it.
                self.desk.queue.forget(&key).await;
                self.seen.remove(&key);
            }
        }
        Ok(count)
    }

    /// How long an entry has not changed.
    fn observe(&mut self, key: &str, revision: u64, passed: Duration) -> Duration {
        let seen = self.seen.entry(key.to_owned());
        let seen = seen.or_insert(Seen { revision, age: Duration::ZERO });
        if seen.revision == revision {
            seen.age += passed;
        } else {
            *seen = Seen { revision, age: Duration::ZERO };
        }
        seen.age
    }

    /// Stops what is more than this worker's share, and gives back what has stopped.
    async fn shed(&mut self, share: usize) -> Result<(), async_nats::Error> {
        let staying = self.own.values().filter(|own| !own.is_leaving).count();
        let excess = staying.saturating_sub(share);
        for (partition, own) in self.own.iter_mut().filter(|(_, own)| !own.is_leaving).take(excess)
        {
            debug!(partition, "a partition is left to others");
            own.is_leaving = true;
            let _ = own.stop.send(true);
        }
        let is_over = |(partition, own): &(&u32, &Own)| {
            own.is_leaving && own.lane.is_finished() && self.desk.held(Some(**partition)) == 0
        };
        let over: Vec<u32> = self.own.iter().filter(is_over).map(|(one, _)| *one).collect();
        for partition in over {
            self.release(partition).await?;
        }
        Ok(())
    }

    async fn release(&mut self, partition: u32) -> Result<(), async_nats::Error> {
        let Some(own) = self.own.remove(&partition) else { return Ok(()) };
        let text = serde_json::to_vec(&Lease::default())?;
        match self.desk.queue.bucket.update(key(partition), text.into(), own.revision).await {
            Err(error) if error.kind() != UpdateErrorKind::WrongLastRevision => Err(error.into()),
            // Whoever has it now needs no word.
            _ => Ok(()),
        }
    }

    /// Takes partitions that nobody has, up to the share.
    async fn acquire(&mut self, share: usize, passed: Duration) -> Result<(), async_nats::Error> {
        let partitions = self.desk.queue.layout.partitions;
        // Each begins elsewhere, so that workers that start together seldom want the same.
        let first = blake3::hash(self.instance.as_bytes()).as_bytes()[0];
        for step in 0..partitions {
            let partition = (u32::from(first) + step) % partitions;
            if self.own.contains_key(&partition) {
                continue;
            }
            let key = key(partition);
            let entry = self.desk.queue.bucket.entry(&key).await?;
            let (before, revision) = match &entry {
                Some(entry) => (lease(entry), entry.revision),
                None => (Lease::default(), 0),
            };
            let age = self.observe(&key, revision, passed);
            let is_free = before.holder.is_empty()
                || before.holder == self.instance
                || age > self.desk.settings.lease;
            if is_free && self.own.len() < share {
                self.take(partition, before, revision).await?;
            }
        }
        Ok(())
    }

    async fn take(
        &mut self,
        partition: u32,
        before: Lease,
        revision: u64,
    ) -> Result<(), async_nats::Error> {
        let floor = self.first_of(partition).await?;
        let was_given_back = before.holder.is_empty();
        let deaths = deaths_at(&before, floor);
        let lease = Lease { holder: self.instance.clone(), floor, deaths };
        let text = Bytes::from(serde_json::to_vec(&lease)?);
        // Before the lease, for whoever has one and no lane counts as dead.
        let made = self.desk.queue.bucket_made().await?;
        let started = Instant::now();
        let taken = self.desk.queue.bucket.update(key(partition), text, revision).await;
        let revision = match taken {
            Ok(revision) => revision,
            // Somebody else was quicker.
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if !was_given_back {
            info!(partition, from = before.holder, "took a partition whose worker is gone");
        }
        let most = u64::from(self.desk.settings.max_attempts.get()) + CAREFUL_AFTER;
        let lane = Lane::Partition {
            partition,
            holder: self.instance.clone(),
            epoch: made.saturating_add(revision),
            is_careful: deaths >= CAREFUL_AFTER,
            condemned: (deaths >= most).then_some(floor),
        };
        let (stop, stopping) = watch::channel(false);
        let lane = tokio::spawn(lane.run(Arc::clone(&self.desk), stopping));
        let own = Own { lease, revision, renewed: started, stop, lane, is_leaving: false };
        self.own.insert(partition, own);
        Ok(())
    }

    /// The sequence of the first message of a partition; 0 if there is none.
    async fn first_of(&self, partition: u32) -> Result<u64, async_nats::Error> {
        let first = self.desk.queue.first(&self.desk.queue.subject(partition)).await?;
        Ok(first.map_or(0, |message| message.sequence))
    }
}

/// How many leases have ended badly, those before a lease that is taken now.
///
/// - `before`: the lease that ended;
/// - `floor`: the first message that is not acknowledged now; 0 if there is none.
fn deaths_at(before: &Lease, floor: u64) -> u64 {
    if before.holder.is_empty() || floor == 0 {
        return 0;
    }
    if floor == before.floor {
        return before.deaths + 1;
    }
    // It got further. With care that was one document after another, so that the one which is first
    // now was alone when the worker ended; without, the worker may have ended for anything.
    if before.deaths >= CAREFUL_AFTER { CAREFUL_AFTER + 1 } else { 1 }
}

impl Drop for Leases {
    fn drop(&mut self) {
        for own in self.own.values() {
            own.lane.abort();
        }
    }
}

/// Writes a lease again as it is: its new revision, or `None` if it is another worker's by now.
async fn written_again(
    bucket: &Store,
    partition: u32,
    own: &Own,
) -> Result<Option<u64>, async_nats::Error> {
    let text = Bytes::from(serde_json::to_vec(&own.lease)?);
    match bucket.update(key(partition), text, own.revision).await {
        Ok(revision) => Ok(Some(revision)),
        Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
            // An answer may have been lost: then the entry is still ours.
            let entry = bucket.entry(key(partition)).await?;
            let entry = entry.filter(|entry| lease(entry).holder == own.lease.holder);
            Ok(entry.map(|entry| entry.revision))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the lease of a partition is this worker's, as far as the server can say.
pub(crate) async fn is_held_by(bucket: &Store, partition: u32, holder: &str) -> bool {
    let entry = bucket.entry(key(partition)).await.ok().flatten();
    entry.is_some_and(|entry| lease(&entry).holder == holder)
}

fn key(partition: u32) -> String {
    format!("partition.{partition}")
}

fn lease(entry: &async_nats::jetstream::kv::Entry) -> Lease {
    if entry.operation != Operation::Put {
        return Lease::default();
    }
    serde_json::from_slice(&entry.value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_ends_its_workers_is_found_in_a_bounded_number_of_deaths() {
        // The fifth of eight documents that are under way together ends every worker.
        let (first, guilty) = (10, 14);
        let mut lease = Lease { holder: "w".into(), floor: first, deaths: 0 };
        let mut ends = 0;
        loop {
            // Without care nothing is acknowledged before the end; with care all before it are.
            let floor = if lease.deaths >= CAREFUL_AFTER { guilty } else { first };
            ends += 1;
            lease = Lease { deaths: deaths_at(&lease, floor), floor, ..lease };
            if lease.deaths >= 3 + CAREFUL_AFTER {
                break;
            }
        }
        assert_eq!((ends, lease.floor), (5, guilty));
    }

    #[test]
    fn leases_that_are_given_back_or_get_further_are_no_deaths() {
        let lease = |holder: &str, floor, deaths| Lease { holder: holder.into(), floor, deaths };
        for (before, floor, deaths) in [
            (lease("", 0, 0), 7, 0),
            (lease("w", 7, 0), 0, 0),
            (lease("w", 7, 0), 9, 1),
            (lease("w", 7, 1), 9, 1),
            (lease("w", 7, 1), 7, 2),
            (lease("w", 7, 4), 9, 3),
        ] {
            assert_eq!(deaths_at(&before, floor), deaths, "{before:?} then {floor}");
        }
    }
}
