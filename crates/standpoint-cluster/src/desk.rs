//! The desk of a worker: what it holds of the stream, and what becomes of it.
//!
//! A message is held from when it is taken to when the engine has settled its document. As long as
//! it is held the server is told so, however long the stages take. Then it is acknowledged, given
//! back, or buried among the dead letters.

mod bringing;
mod burial;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Message;
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::{self, AckKind};
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Delivery, Failure, Outcome};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::debug;

pub(crate) use self::bringing::Unavailable;
use crate::connect::is_connected;
use crate::known::Known;
use crate::meters;
use crate::queue::Queue;
use crate::record::{OBJECT_HEADER, RECORD_HEADER, REPLAY_HEADER, message_id};
use crate::settings::NatsSettings;
use crate::source::{Deliveries, LAST_TRIES, LONGEST_DELAY, becomes_true};

/// How long a word to the server may take to be sent.
const WORD: Duration = Duration::from_secs(1);

/// Which message it is. A stream that is made anew gives its sequences anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    sequence: u64,
    /// When it was published, in nanoseconds since 1970.
    published: i128,
}

/// What a delivery became.
pub(crate) type Settled = (Place, Outcome);

/// A document that may end its worker.
pub(crate) type Suspect = (Place, Delivery);

/// What the parts of a worker share.
pub(crate) struct Desk {
    pub(crate) queue: Queue,
    pub(crate) settings: NatsSettings,
    pub(crate) limits: ReadLimits,
    pub(crate) until_drained: bool,
    pub(crate) stop: watch::Receiver<bool>,
    deliveries: Deliveries,
    outcomes: mpsc::Sender<Settled>,
    suspects: mpsc::Sender<Suspect>,
    held: Mutex<HashMap<Place, Held>>,
    known: Mutex<Known>,
    /// When the stream was made of which that is known; 0 at first.
    made: AtomicI64,
}

/// A message that is held.
struct Held {
    acker: Arc<Acker>,
    message: Message,
    id: String,
    /// See [`mark_of`].
    mark: String,
    delivered: i64,
    taking: Taking,
    is_suspect: bool,
    /// Dropped when it is not held any more, for whoever waits for that.
    leaves: Option<oneshot::Sender<()>>,
    _permit: OwnedSemaphorePermit,
}

/// How a message is taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taking {
    /// The partition, where there is an order.
    pub(crate) partition: Option<u32>,
    /// The sequence of a message that has ended too many workers.
    pub(crate) condemned: Option<u64>,
}

/// The ends of the desk that its worker holds.
pub(crate) struct Ends {
    pub(crate) outcomes: mpsc::Receiver<Settled>,
    pub(crate) suspects: mpsc::Receiver<Suspect>,
}

impl Desk {
    /// - `most_held`: how many messages there can be at a time.
    pub(crate) fn new(
        queue: Queue,
        settings: NatsSettings,
        limits: ReadLimits,
        until_drained: bool,
        most_held: usize,
        deliveries: Deliveries,
        stop: watch::Receiver<bool>,
    ) -> (Arc<Self>, Ends) {
        let (outcomes, settled) = mpsc::channel(most_held);
        let (suspects, suspected) = mpsc::channel(most_held);
        let desk = Arc::new(Self {
            queue,
            settings,
            limits,
            until_drained,
            stop,
            deliveries,
            outcomes,
            suspects,
            held: Mutex::default(),
            known: Mutex::default(),
            made: AtomicI64::new(0),
        });
        (desk, Ends { outcomes: settled, suspects: suspected })
    }

    /// Notes when the stream that is read was made: where it is another one, what was done of the
    /// one before it may be gone with it, and is done again when it comes again.
    pub(crate) fn reads(&self, made: i64) {
        let before = self.made.swap(made, Ordering::Relaxed);
        if before != 0 && before != made {
            *lock(&self.known) = Known::default();
        }
    }

    /// Waits until the worker is to stop.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// Waits, or until the worker is to stop; whether it goes on.
    pub(crate) async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.stopped() => false,
            () = sleep(time) => true,
        }
    }

    /// How many messages are held, of one partition or of all.
    pub(crate) fn held(&self, partition: Option<u32>) -> usize {
        let held = lock(&self.held);
        match partition {
            Some(_) => held.values().filter(|held| held.taking.partition == partition).count(),
            None => held.len(),
        }
    }

    /// Takes a message in hand: from here on the server hears of it.
    ///
    /// - returns: its place if its document is to be brought to the engine, and nothing where it is
    ///   one that was had before.
    pub(crate) async fn hold(
        &self,
        message: jetstream::Message,
        taking: Taking,
        permit: OwnedSemaphorePermit,
    ) -> Option<Place> {
        let info = message.info().map(|info| {
            let published = info.published.unix_timestamp_nanos();
            (Place { sequence: info.stream_sequence, published }, info.delivered)
        });
        let Ok((place, delivered)) = info else {
            debug!("a message that is not of the stream is passed over");
            return None;
        };
        let (message, acker) = message.split();
        let acker = Arc::new(acker);
        let headers = message.headers.as_ref();
        let is_ours = headers.is_some_and(|headers| headers.get(RECORD_HEADER).is_some());
        let known = headers.and_then(message_id).filter(|_| is_ours);
        let id = known.map(ToString::to_string).unwrap_or_default();
        let mark = mark_of(&id, &message);
        {
            let mut all = lock(&self.held);
            // What is said of a message of a stream that is gone would be heard of this one.
            all.retain(|other, _| other.sequence != place.sequence || *other == place);
            if let Some(held) = all.get_mut(&place) {
                // The server has lost patience, or its memory. It hears of the outcome either way.
                held.acker = acker;
                held.delivered = delivered;
                meters::change(|reading| reading.recognised += 1);
                return None;
            }
            if id.is_empty() || !lock(&self.known).has(&mark) {
                let held = Held {
                    acker,
                    message,
                    id,
                    mark,
                    delivered,
                    taking,
                    is_suspect: false,
                    leaves: None,
                    _permit: permit,
                };
                all.insert(place, held);
                return Some(place);
            }
        }
        self.recognise(&acker).await;
        None
    }

    /// Gives back what the engine has not had.
    pub(crate) async fn give_back(&self, place: Place) {
        let is_ordered = self.is_ordered(place);
        if let Some(acker) = self.release(place)
            && !is_ordered
        {
            self.say(&acker, AckKind::Nak(None)).await;
        }
    }

    /// Lets go of a message, of which the server is to hear the last word.
    fn release(&self, place: Place) -> Option<Arc<Acker>> {
        lock(&self.held).remove(&place).map(|held| held.acker)
    }

    /// What is held there: the message, its id and how often it was delivered.
    fn of(&self, place: Place) -> Option<(Message, String, i64)> {
        let all = lock(&self.held);
        all.get(&place).map(|held| (held.message.clone(), held.id.clone(), held.delivered))
    }

    fn is_ordered(&self, place: Place) -> bool {
        lock(&self.held).get(&place).is_some_and(|held| held.taking.partition.is_some())
    }

    async fn recognise(&self, acker: &Acker) {
        meters::change(|reading| reading.recognised += 1);
        self.say(acker, AckKind::Ack).await;
    }

    /// Tells the server something of a message. While it is away nothing is said: it will deliver
    /// the message again, and it is recognised then.
    pub(crate) async fn say(&self, acker: &Acker, word: AckKind) -> bool {
        if !is_connected(&self.queue.client) {
            return false;
        }
        matches!(timeout(WORD, acker.ack_with(word)).await, Ok(Ok(())))
    }

    fn ended_workers(&self, times: u64) -> Failure {
        Failure {
            stage: self.queue.name.clone(),
            reason: format!("its worker ended, or was lost, {times} times while it had it"),
            attempts: u32::try_from(times).unwrap_or(u32::MAX),
        }
    }

    /// Acts on outcomes and speaks up for what is held, until told that nothing more comes and
    /// everything has its outcome.
    pub(crate) async fn keep(
        self: Arc<Self>,
        mut outcomes: mpsc::Receiver<Settled>,
        mut closing: watch::Receiver<bool>,
    ) {
        let mut progress = interval(self.settings.ack_wait / 3);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut endings = JoinSet::new();
        loop {
            tokio::select! {
                Some((place, outcome)) = outcomes.recv() => {
                    self.settle(place, outcome, &mut endings).await;
                }
                Some(_) = endings.join_next() => {}
                _ = progress.tick() => self.speak_up().await,
                () = becomes_true(&mut closing), if self.held(None) == 0 => break,
            }
        }
        let last = async { while endings.join_next().await.is_some() {} };
        let _ = timeout(LAST_TRIES, last).await;
        let _ = timeout(WORD, self.queue.client.flush()).await;
    }

    /// Tells the server of everything that is held that it is in good hands.
    async fn speak_up(&self) {
        let ackers: Vec<Arc<Acker>> = {
            let held = lock(&self.held);
            held.values().map(|held| Arc::clone(&held.acker)).collect()
        };
        meters::change(|reading| reading.held = ackers.len() as u64);
        for acker in ackers {
            if !self.say(&acker, AckKind::Progress).await {
                break;
            }
        }
    }

    async fn settle(self: &Arc<Self>, place: Place, outcome: Outcome, endings: &mut JoinSet<()>) {
        let Some(is_last) = self.conclude(place, &outcome, endings) else { return };
        if let Outcome::Failed(failure) = outcome {
            let desk = Arc::clone(self);
            if is_last {
                endings.spawn(async move { desk.bury(place, failure).await });
                return;
            }
            let Some((_, id, delivered)) = self.of(place) else { return };
            debug!(id, %failure, "a document is tried again");
            let Some(acker) = self.release(place) else { return };
            self.say(&acker, AckKind::Nak(Some(self.delay(delivered)))).await;
            meters::change(|reading| reading.retried += 1);
            return;
        }
        if outcome.is_open() {
            // With an order the next worker of the partition reads from the first that is not
            // acknowledged; a single one that came back later would come out of order.
            self.give_back(place).await;
            return;
        }
        let object = self.of(place).and_then(|(message, ..)| object_of(&message));
        let Some(acker) = self.release(place) else { return };
        self.say(&acker, AckKind::Ack).await;
        meters::change(|reading| reading.acknowledged += 1);
        if let Some(name) = object {
            let desk = Arc::clone(self);
            endings.spawn(async move { desk.queue.delete_object(&name).await });
        }
    }

    /// Notes an outcome.
    ///
    /// - returns: whether the document has no more attempts; `None` if it is not held any more.
    fn conclude(
        self: &Arc<Self>,
        place: Place,
        outcome: &Outcome,
        endings: &mut JoinSet<()>,
    ) -> Option<bool> {
        let mut all = lock(&self.held);
        let held = all.get_mut(&place)?;
        // The id is known before the message leaves, so that it is never neither.
        if *outcome == Outcome::Done {
            lock(&self.known).add(&held.mark);
        }
        held.leaves = None;
        // One that comes back may have ended its worker all the same.
        if held.is_suspect && !outcome.is_open() {
            let desk = Arc::clone(self);
            endings.spawn(async move { desk.clear(place.sequence).await });
        }
        Some(held.taking.partition.is_some() || held.delivered >= self.most_attempts())
    }

    fn most_attempts(&self) -> i64 {
        self.settings.max_attempts.get().into()
    }

    /// The pause before a document is tried again.
    fn delay(&self, delivered: i64) -> Duration {
        let doublings = u32::try_from(delivered - 1).unwrap_or_default().min(16);
        self.settings.retry_delay.saturating_mul(1 << doublings).min(LONGEST_DELAY)
    }

    /// Gives suspects to the engine one at a time, each counted where the next worker sees it.
    ///
    /// One that was delivered often may have ended its workers, or they were ended by others; one
    /// that ended a worker each time it was alone is guilty.
    pub(crate) async fn try_suspects(self: Arc<Self>, mut suspects: mpsc::Receiver<Suspect>) {
        let mut stop = self.stop.clone();
        while let Some((place, delivery)) = suspects.recv().await {
            if *self.stop.borrow() {
                delivery.receipt.settle(Outcome::Returned);
                continue;
            }
            let key = attempts_key(place.sequence);
            let counted = async {
                let before = self.queue.bucket.get(&key).await.ok()?;
                let before = before.and_then(|count| String::from_utf8(count.into()).ok());
                let before: u64 = before.and_then(|count| count.parse().ok()).unwrap_or_default();
                let now = before + 1;
                self.queue.bucket.put(&key, now.to_string().into()).await.ok()?;
                Some(before)
            };
            match counted.await {
                None => {
                    // Not counted is not tried: the server is away.
                    delivery.receipt.settle(Outcome::Returned);
                    continue;
                }
                Some(before) if before >= u64::from(self.settings.max_attempts.get()) => {
                    // No more attempts, whatever else its deliveries were for.
                    if let Some(held) = lock(&self.held).get_mut(&place) {
                        held.delivered = held.delivered.max(self.most_attempts());
                    }
                    delivery.receipt.settle(Outcome::Failed(self.ended_workers(before)));
                    continue;
                }
                Some(_) => {}
            }
            let (leaves, left) = oneshot::channel();
            match lock(&self.held).get_mut(&place) {
                Some(held) => held.leaves = Some(leaves),
                // Nobody would say that it has left: its stream was made anew meanwhile.
                None => drop(leaves),
            }
            self.hand_over(delivery, &mut stop).await;
            let _ = left.await;
        }
    }

    /// Forgets that a document was suspicious.
    async fn clear(&self, sequence: u64) {
        self.queue.forget(&attempts_key(sequence)).await;
    }
}

fn attempts_key(sequence: u64) -> String {
    format!("attempts.{sequence}")
}

fn object_of(message: &Message) -> Option<String> {
    Some(message.headers.as_ref()?.get(OBJECT_HEADER)?.to_string())
}

/// What a document is remembered by once it is done: its id, and which time it was tried again.
fn mark_of(id: &str, message: &Message) -> String {
    let replay = message.headers.as_ref().and_then(|headers| headers.get(REPLAY_HEADER));
    replay.map_or_else(|| id.to_owned(), |replay| format!("{id} {replay}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
