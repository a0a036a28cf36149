//! The desk of a worker: what it holds of the stream, and what becomes of it.
//!
//! A message is held from when it is taken to when the engine has settled its document. As long as
//! it is held the server is told so, however long the stages take. Then it is acknowledged, given
//! back, or buried among the dead letters.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::message::{Acker, PublishMessage};
use async_nats::jetstream::{self, AckKind};
use async_nats::{HeaderMap, HeaderValue, Message};
use standpoint_connectors::files::with_causes;
use standpoint_connectors::limits::ReadLimits;
use standpoint_document::Document;
use standpoint_engine::{Delivery, Failure, Outcome, Receipt};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, warn};

use crate::connect::is_connected;
use crate::known::Known;
use crate::meters;
use crate::queue::Queue;
use crate::record::{
    ATTEMPTS_HEADER, MOST_REASON, OBJECT_HEADER, REASON_HEADER, RECORD_HEADER, REPLAY_HEADER,
    STAGE_HEADER, decode, message_id,
};
use crate::settings::NatsSettings;
use crate::source::{Deliveries, LAST_TRIES, LONGEST_DELAY, becomes_true};

/// From which delivery on a document is treated as one that may end its worker.
const SUSPICIOUS: i64 = 3;

/// How long a word to the server may take to be sent.
const WORD: Duration = Duration::from_secs(1);

/// What a delivery became, by the sequence of its message.
pub(crate) type Settled = (u64, Outcome);

/// A document that may end its worker, with the sequence of its message.
pub(crate) type Suspect = (u64, Delivery);

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
    held: Mutex<HashMap<u64, Held>>,
    known: Mutex<Known>,
}

/// A message that is held.
struct Held {
    acker: Arc<Acker>,
    message: Message,
    id: String,
    /// What it is remembered by once it is done: its id, and which time it was tried again.
    mark: String,
    delivered: i64,
    /// The partition that it is of, where there is an order.
    partition: Option<u32>,
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
        });
        (desk, Ends { outcomes: settled, suspects: suspected })
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
            Some(_) => held.values().filter(|held| held.partition == partition).count(),
            None => held.len(),
        }
    }

    /// Takes a message: its document goes to the engine, unless it is one that was had before.
    pub(crate) async fn take(
        self: &Arc<Self>,
        message: jetstream::Message,
        taking: Taking,
        permit: OwnedSemaphorePermit,
    ) {
        let Ok((sequence, delivered)) =
            message.info().map(|info| (info.stream_sequence, info.delivered))
        else {
            debug!("a message that is not of the stream is passed over");
            return;
        };
        let (message, acker) = message.split();
        let acker = Arc::new(acker);
        if let Some(held) = lock(&self.held).get_mut(&sequence) {
            // The server has lost patience, or its memory. It hears of the outcome either way.
            held.acker = acker;
            held.delivered = delivered;
            meters::change(|reading| reading.recognised += 1);
            return;
        }
        let headers = message.headers.as_ref();
        let is_ours = headers.is_some_and(|headers| headers.get(RECORD_HEADER).is_some());
        let known = headers.and_then(message_id).filter(|_| is_ours);
        let replay = headers.and_then(|headers| headers.get(REPLAY_HEADER));
        let mark_of = |id: &str| match replay {
            Some(replay) => format!("{id} {replay}"),
            None => id.to_owned(),
        };
        if let Some(id) = known
            && lock(&self.known).has(&mark_of(id.as_str()))
        {
            self.recognise(&acker).await;
            return;
        }
        let document = match self.read(&message).await {
            Ok(document) => document,
            Err(error) => {
                debug!(sequence, %error, "the content of a document cannot be had now");
                self.say(&acker, AckKind::Nak(Some(self.settings.retry_delay))).await;
                return;
            }
        };
        let id = match &document {
            Ok(document) => document.id().to_owned(),
            Err(_) => known.map(ToString::to_string).unwrap_or_default(),
        };
        let mark = mark_of(&id);
        if !id.is_empty() && lock(&self.known).has(&mark) {
            self.recognise(&acker).await;
            return;
        }
        let is_suspect = taking.partition.is_none() && delivered >= SUSPICIOUS;
        // What is no document now will never be one.
        let last = i64::from(self.settings.max_attempts.get());
        let delivered = if document.is_err() { delivered.max(last) } else { delivered };
        let is_suspect = is_suspect && document.is_ok();
        let held = Held {
            acker,
            message,
            id,
            mark,
            delivered,
            partition: taking.partition,
            is_suspect,
            leaves: None,
            _permit: permit,
        };
        lock(&self.held).insert(sequence, held);
        let receipt = self.receipt(sequence);
        if taking.condemned == Some(sequence) {
            receipt.settle(Outcome::Failed(self.ended_workers(delivered.max(1) as u64)));
            return;
        }
        let delivery = match document {
            Ok(document) => Delivery::new(document, receipt),
            Err(reason) => Delivery::unreadable(&self.queue.name, reason, receipt),
        };
        if is_suspect {
            // There is room for as many as can be held.
            if let Err(refused) = self.suspects.try_send((sequence, delivery)) {
                refused.into_inner().1.receipt.settle(Outcome::Returned);
            }
            return;
        }
        self.hand_over(delivery).await;
    }

    /// Gives a delivery to the engine, which may have to make room first.
    async fn hand_over(&self, delivery: Delivery) {
        tokio::select! {
            biased;
            () = self.stopped() => delivery.receipt.settle(Outcome::Returned),
            place = self.deliveries.reserve() => match place {
                Ok(place) => place.send(Ok(delivery)),
                Err(_) => delivery.receipt.settle(Outcome::Returned),
            },
        }
    }

    fn receipt(self: &Arc<Self>, sequence: u64) -> Receipt {
        let outcomes = self.outcomes.clone();
        Receipt::new(move |outcome| {
            // There is room for as many as are held; the desk is there as long as any is.
            let _ = outcomes.try_send((sequence, outcome));
        })
    }

    /// Reads the document of a message.
    ///
    /// # Errors
    ///
    /// Outside when it cannot be had now; inside when the message will never be a document.
    async fn read(
        &self,
        message: &Message,
    ) -> Result<Result<Document<'static>, String>, async_nats::Error> {
        let name = message.headers.as_ref().and_then(|headers| headers.get(OBJECT_HEADER));
        let payload = match name {
            Some(name) => {
                let most = self.limits.max_document_bytes.saturating_mul(2);
                match self.queue.object(name.as_str(), most).await? {
                    Some(content) => content,
                    None => {
                        return Ok(Err("its content is not in the object store, or larger than \
                                       `limits.max_document_bytes`"
                            .to_owned()));
                    }
                }
            }
            None => message.payload.clone(),
        };
        let (headers, subject) = (message.headers.as_ref(), message.subject.as_str());
        let version = headers.and_then(|headers| headers.get(RECORD_HEADER));
        let known = headers.and_then(message_id);
        let (version, known) = (version.map(HeaderValue::as_str), known.map(HeaderValue::as_str));
        let document = decode(version, known, &payload, &self.queue.name, subject, &self.limits);
        Ok(document.map_err(|error| with_causes(&error)))
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
                Some((sequence, outcome)) = outcomes.recv() => {
                    self.settle(sequence, outcome, &mut endings).await;
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

    async fn settle(self: &Arc<Self>, sequence: u64, outcome: Outcome, endings: &mut JoinSet<()>) {
        // The id is known before the message leaves, so that it is never neither.
        let is_done = outcome == Outcome::Done;
        if is_done && let Some(held) = lock(&self.held).get(&sequence) {
            lock(&self.known).add(&held.mark);
        }
        let Some(held) = lock(&self.held).remove(&sequence) else { return };
        if held.is_suspect {
            let desk = Arc::clone(self);
            endings.spawn(async move { desk.clear(sequence).await });
        }
        match outcome {
            Outcome::Done => {
                self.say(&held.acker, AckKind::Ack).await;
                meters::change(|reading| reading.acknowledged += 1);
                if let Some(name) = object_of(&held.message) {
                    let desk = Arc::clone(self);
                    endings.spawn(async move { desk.queue.delete_object(&name).await });
                }
            }
            // With an order the next worker of the partition reads from the first that is not
            // acknowledged; a single one that came back later would come out of order.
            Outcome::Returned if held.partition.is_some() => {}
            Outcome::Returned => {
                self.say(&held.acker, AckKind::Nak(None)).await;
            }
            Outcome::Failed(failure) if self.is_last(&held) => {
                let desk = Arc::clone(self);
                endings.spawn(async move { desk.bury(held, failure).await });
            }
            Outcome::Failed(failure) => {
                debug!(id = held.id, %failure, "a document is tried again");
                let doublings = u32::try_from(held.delivered - 1).unwrap_or_default().min(16);
                let delay = self.settings.retry_delay.saturating_mul(1 << doublings);
                self.say(&held.acker, AckKind::Nak(Some(delay.min(LONGEST_DELAY)))).await;
                meters::change(|reading| reading.retried += 1);
            }
        }
    }

    fn is_last(&self, held: &Held) -> bool {
        held.partition.is_some() || held.delivered >= i64::from(self.settings.max_attempts.get())
    }

    /// Puts a message among the dead letters, then out of the queue: in this order, so that it is
    /// always in one of them.
    async fn bury(&self, held: Held, failure: Failure) {
        let subject = self.queue.dead_subject(held.message.subject.as_str());
        let mut headers = held.message.headers.clone().unwrap_or_default();
        let reason: String = failure.reason.chars().take(MOST_REASON).collect();
        set(&mut headers, STAGE_HEADER, &failure.stage);
        set(&mut headers, REASON_HEADER, &reason);
        set(&mut headers, ATTEMPTS_HEADER, &held.delivered.to_string());
        let mut pause = self.settings.retry_delay;
        loop {
            let letter = PublishMessage::build()
                .payload(held.message.payload.clone())
                .headers(headers.clone());
            let sent = match self.queue.context.send_publish(subject.clone(), letter).await {
                Ok(sent) => sent.await.map(drop),
                Err(error) => Err(error),
            };
            match sent {
                Ok(()) => break,
                Err(error) => warn!(id = held.id, %error, "a dead letter is sent again later"),
            }
            if *self.stop.borrow() {
                // The document stays in the queue and fails again there.
                return;
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_DELAY);
        }
        lock(&self.known).add(&held.mark);
        self.say(&held.acker, AckKind::Term).await;
        meters::change(|reading| reading.dead_lettered += 1);
        warn!(id = held.id, stage = failure.stage, reason, "a document went to the dead letters");
    }

    /// Gives suspects to the engine one at a time, each counted where the next worker sees it.
    ///
    /// One that was delivered often may have ended its workers, or they were ended by others; one
    /// that ended a worker each time it was alone is guilty.
    pub(crate) async fn try_suspects(self: Arc<Self>, mut suspects: mpsc::Receiver<Suspect>) {
        while let Some((sequence, delivery)) = suspects.recv().await {
            if *self.stop.borrow() {
                delivery.receipt.settle(Outcome::Returned);
                continue;
            }
            let key = attempts_key(sequence);
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
                    if let Some(held) = lock(&self.held).get_mut(&sequence) {
                        let most = i64::from(self.settings.max_attempts.get());
                        held.delivered = held.delivered.max(most);
                    }
                    delivery.receipt.settle(Outcome::Failed(self.ended_workers(before)));
                    continue;
                }
                Some(_) => {}
            }
            let (leaves, left) = oneshot::channel();
            if let Some(held) = lock(&self.held).get_mut(&sequence) {
                held.leaves = Some(leaves);
            }
            self.hand_over(delivery).await;
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

/// Sets a header, without what a header may not hold.
fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    headers.insert(name, value.as_str());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_holds_one_line() {
        let mut headers = HeaderMap::new();
        set(&mut headers, "Standpoint-Reason", "a\r\nNats-Msg-Id: b");
        assert_eq!(headers.get("Standpoint-Reason").unwrap().as_str(), "a  Nats-Msg-Id: b");
    }
}
