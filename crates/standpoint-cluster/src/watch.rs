//! Looks after the stream: what waits in it, and what the server forgot.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::Info as Consumer;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::RawMessageErrorKind;
use standpoint_connectors::files::with_causes;
use tracing::{debug, info, warn};

use crate::desk::Desk;
use crate::lane::SHARED;
use crate::meters::{self, Trouble};
use crate::queue::{EVERYTHING, Queue};
use crate::record::{MESSAGE_ID_HEADER, id_of_copy, message_id};
use crate::settings::Ordering;

/// How often the stream is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// How many looks in a row must show the same before something is done about it.
const PATIENCE: u32 = 3;

/// Every how many looks what belongs to the stream is looked for, too, which is three questions
/// more.
const REST_EVERY: u32 = 10;

/// How many forgotten messages are put in again at a look.
const MOST_AT_ONCE: u64 = 500;

/// How many messages that are not there are acknowledged at a look.
const MOST_PHANTOMS: usize = 50_000;

/// How many looks may show messages that wait and none delivered, before the consumer counts as
/// stalled; doubled each time that this changed nothing, up to [`MOST_DOUBLINGS`] times.
const STALLED_AFTER: u32 = 15;
const MOST_DOUBLINGS: u32 = 6;

/// How many messages are looked at one by one before a consumer is made anew. One that knows of
/// more has enough to do to wait for.
const MOST_COUNTED: u64 = 5_000;

/// What was seen before.
#[derive(Default)]
struct Memory {
    /// How many looks there were since what belongs to the stream was looked for.
    looks: u32,
    /// What of it all was not there at the last look.
    gone: Vec<String>,
    /// The first message, which stands below the floor, and for how many looks.
    forgotten: Option<(u64, u32)>,
    /// The floor while messages wait for their acknowledgement, and for how many looks.
    phantoms: Option<(u64, u32)>,
    /// How far the consumer had delivered while messages waited, and for how many looks.
    stalled: Option<(u64, u32)>,
    /// How many times the consumer counted as stalled since its numbers were last right.
    stalls: u32,
}

/// Looks at the stream again and again until the worker stops.
pub(crate) async fn watch(desk: Arc<Desk>) {
    let mut memory = Memory::default();
    let trouble = Trouble::none();
    while desk.pause(EVERY).await {
        let missing = desk.queue.missing(memory.asks_for_rest()).await;
        if memory.is_gone_for_good(missing) {
            trouble.tell(make_anew(&desk).await);
        }
        let (Ok(stream), Ok(first)) =
            (desk.queue.stream.get_info().await, desk.queue.first(EVERYTHING).await)
        else {
            memory = Memory { looks: memory.looks, gone: memory.gone, ..Memory::default() };
            continue;
        };
        if memory.gone.is_empty() {
            trouble.tell(None);
        }
        show(stream.state.messages, first.as_ref());
        meters::change(|reading| reading.held = desk.held(None) as u64);
        if desk.queue.layout.ordering == Ordering::PerSource {
            continue;
        }
        let Ok(consumer) = desk.queue.stream.consumer_info(SHARED).await else { continue };
        meters::change(|reading| {
            reading.in_flight = consumer.num_ack_pending as u64;
            reading.redelivered = consumer.num_redelivered as u64;
        });
        memory.look_for_forgotten(&desk, first.as_ref(), &consumer).await;
        memory.look_for_phantoms(&desk, &consumer).await;
        let messages = if first.is_some() { stream.state.messages.max(1) } else { 0 };
        memory.look_for_stall(&desk, messages, &consumer).await;
    }
}

/// Makes the stream, and what belongs to it, where it is gone; why that cannot be done.
///
/// What was in it is lost, and what comes is not.
async fn make_anew(desk: &Desk) -> Option<String> {
    let made = Queue::open(desk.queue.client.clone(), &desk.settings).await;
    match made {
        Ok(_) => {
            warn!(
                stream = desk.queue.name,
                "the stream, or what belongs to it, was gone; it is made anew"
            );
            None
        }
        Err(error) => Some(with_causes(&error)),
    }
}

fn show(messages: u64, first: Option<&StreamMessage>) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = |first: &StreamMessage| {
        let at = u64::try_from(first.time.unix_timestamp()).unwrap_or_default();
        now.saturating_sub(Duration::from_secs(at))
    };
    let oldest = first.map_or(Duration::ZERO, since);
    meters::change(|reading| {
        reading.pending = if first.is_some() { messages } else { 0 };
        reading.oldest = oldest;
    });
}

/// Counts looks that show the same; whether they are enough.
fn is_enough(seen: &mut Option<(u64, u32)>, now: u64, enough: u32) -> bool {
    match seen {
        Some((before, looks)) if *before == now => *looks += 1,
        _ => *seen = Some((now, 1)),
    }
    let is_enough = seen.is_some_and(|(_, looks)| looks >= enough);
    if is_enough {
        *seen = None;
    }
    is_enough
}

impl Memory {
    /// Whether what belongs to the stream is to be looked for now: now and then, and where
    /// something was missing.
    fn asks_for_rest(&mut self) -> bool {
        let asks = self.looks == 0 || !self.gone.is_empty();
        self.looks = (self.looks + 1) % REST_EVERY;
        asks
    }

    /// What two looks in a row do not find is made anew: servers that come back may not know of a
    /// stream at once, and what is in it would be lost.
    fn is_gone_for_good(&mut self, missing: Vec<String>) -> bool {
        let is_gone = missing.iter().any(|stream| self.gone.contains(stream));
        self.gone = missing;
        is_gone
    }

    /// After a server was killed, the stream may hold messages whose acknowledgement the consumer
    /// remembers and the stream does not: nobody delivers them, nobody deletes them.
    ///
    /// They are put in again at the end and then deleted, rather than only deleted: after a loss of
    /// power sequences may have been given anew, and the consumer's floor be that of others. Who
    /// has done one recognises it, and a sink writes it over itself.
    async fn look_for_forgotten(
        &mut self,
        desk: &Desk,
        first: Option<&StreamMessage>,
        consumer: &Consumer,
    ) {
        let floor = consumer.ack_floor.stream_sequence;
        let Some(first) = first.map(|first| first.sequence).filter(|first| *first <= floor) else {
            self.forgotten = None;
            return;
        };
        if !is_enough(&mut self.forgotten, first, PATIENCE) {
            return;
        }
        let mut count = 0;
        while count < MOST_AT_ONCE {
            let message = match desk.queue.first(EVERYTHING).await {
                Ok(Some(message)) if message.sequence <= floor => message,
                _ => break,
            };
            let sequence = message.sequence;
            if let Err(error) = put_again(desk, message).await {
                debug!(%error, "a forgotten message cannot be put in again now");
                break;
            }
            count += 1;
            if desk.queue.stream.delete_message(sequence).await.is_err() {
                break;
            }
        }
        if count > 0 {
            meters::change(|reading| reading.put_again += count);
            info!(count, "messages that the server had forgotten were put in again");
        }
    }

    /// The other way round, the consumer may wait for the acknowledgement of messages that the
    /// stream does not have any more. It tries to deliver them again and again, and what stands
    /// behind them waits. They are acknowledged, which for a message that is not there loses
    /// nothing.
    async fn look_for_phantoms(&mut self, desk: &Desk, consumer: &Consumer) {
        let floor = consumer.ack_floor.stream_sequence;
        // What is not there was never acknowledged by whoever had it, so that it is due again.
        if consumer.num_redelivered == 0 || !is_enough(&mut self.phantoms, floor, PATIENCE) {
            return;
        }
        let next = desk.queue.stream.get_first_raw_message_by_subject(EVERYTHING, floor + 1).await;
        let delivered = consumer.delivered.stream_sequence;
        let first = match next {
            Ok(message) => message.sequence,
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => {
                delivered + 1
            }
            Err(_) => return,
        };
        // Below the first that is there the server may have lost count; above it, it knows.
        let details = desk.queue.stream.info_builder().with_deleted(true).fetch().await;
        let deleted = details.ok().and_then(|details| details.info.state.deleted);
        let below = floor + 1..first.min(delivered + 1);
        let above = deleted.unwrap_or_default();
        let above = above.into_iter().filter(|gone| (first..=delivered).contains(gone));
        let mut count: u32 = 0;
        for sequence in below.chain(above).take(MOST_PHANTOMS) {
            count += 1;
            let word = format!("$JS.ACK.{}.{SHARED}.1.{sequence}.1.0.0", desk.queue.name);
            if desk.queue.client.publish(word, "+ACK".into()).await.is_err() {
                return;
            }
        }
        if count > 0 {
            debug!(count, "the consumer may have waited for messages that are not in the stream");
        }
    }

    /// A consumer with requests for messages that delivers none does nothing if it has some and
    /// nothing is under way, or if the stream has some of which it knows nothing, as after the end
    /// of a server. It is deleted, and whoever reads it makes it anew; what is under way then comes
    /// to somebody else, too.
    async fn look_for_stall(&mut self, desk: &Desk, messages: u64, consumer: &Consumer) {
        if !self.has_stalled(messages, consumer) {
            return;
        }
        // The server may have counted too many, with all of them under way, and what is under way
        // is not to be done twice for that: they are looked at one by one.
        let most = MOST_COUNTED.min(known(consumer) + 1);
        let there = desk.queue.count_up_to(most).await;
        let Ok(now) = desk.queue.stream.consumer_info(SHARED).await else { return };
        let is_as_before = now.delivered.consumer_sequence == consumer.delivered.consumer_sequence;
        if is_as_before && withholds(there, consumer) && withholds(there, &now) {
            warn!(waiting = there, "the consumer has stalled; it is made anew");
            let _ = desk.queue.stream.delete_consumer(SHARED).await;
        }
    }

    /// - `messages`: how many there are in the stream, as the server says.
    fn has_stalled(&mut self, messages: u64, consumer: &Consumer) -> bool {
        if !withholds(messages, consumer) {
            self.stalled = None;
            // Nobody may have asked just now.
            if messages <= known(consumer) {
                self.stalls = 0;
            }
            return false;
        }
        let patience = STALLED_AFTER << self.stalls.min(MOST_DOUBLINGS);
        let is_enough =
            is_enough(&mut self.stalled, consumer.delivered.consumer_sequence, patience);
        self.stalls += u32::from(is_enough);
        is_enough
    }
}

/// How many messages a consumer knows of.
fn known(consumer: &Consumer) -> u64 {
    consumer.num_pending + consumer.num_ack_pending as u64
}

/// Whether a consumer has something to give to whoever asks, if there are so many messages in the
/// stream: one of which it knows nothing, or any while nothing is under way.
fn withholds(messages: u64, consumer: &Consumer) -> bool {
    let is_idle = messages > 0 && consumer.num_ack_pending == 0;
    consumer.num_waiting > 0 && (is_idle || messages > known(consumer))
}

/// Publishes a message once more, as a new one, whose id the server recognises when another worker
/// does the same.
pub(crate) async fn put_again(desk: &Desk, message: StreamMessage) -> Result<(), PublishError> {
    let unique = id_of_copy("again", message.sequence, message.time.unix_timestamp_nanos());
    let mut headers = HeaderMap::new();
    for (name, values) in message.headers.iter() {
        // Under its id the server would take it for a repetition.
        if name.to_string() == NATS_MESSAGE_ID.to_string() {
            continue;
        }
        for value in values {
            headers.append(name.clone(), value.clone());
        }
    }
    if let Some(id) = message_id(&message.headers) {
        headers.insert(MESSAGE_ID_HEADER, id.clone());
    }
    let again = PublishMessage::build().payload(message.payload).headers(headers);
    let again = again.message_id(unique);
    desk.queue.context.send_publish(message.subject, again).await?.await.map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn consumer(delivered: u64, waiting: usize, under_way: usize, requests: usize) -> Consumer {
        let at = |sequence: u64| json!({ "consumer_seq": sequence, "stream_seq": sequence });
        let told = json!({
            "stream_name": "DOCS", "name": SHARED, "created": "2024-05-02T10:00:00Z",
            "config": { "durable_name": SHARED, "deliver_policy": "all", "ack_policy": "explicit",
                "replay_policy": "instant" },
            "delivered": at(delivered), "ack_floor": at(delivered), "num_pending": waiting,
            "num_ack_pending": under_way, "num_redelivered": 0, "num_waiting": requests,
        });
        serde_json::from_value(told).unwrap()
    }

    /// After how many looks a consumer that looks like this counts as stalled, of a hundred.
    fn looks_until_stalled(mut look: impl FnMut(u64) -> Consumer) -> Option<u64> {
        let mut memory = Memory::default();
        (1..=100).find(|number| memory.has_stalled(4, &look(*number)))
    }

    #[test]
    fn a_stream_is_gone_when_two_looks_in_a_row_do_not_find_it() {
        let mut memory = Memory::default();
        let looks = ["DOCS", "", "DOCS", "DOCS", "DOCS", "", "DOCS", "DOCS_DEAD", "DOCS DOCS_DEAD"];
        let found = looks.map(|missing| {
            memory.is_gone_for_good(missing.split_whitespace().map(str::to_owned).collect())
        });
        assert_eq!(found, [false, false, false, true, true, false, false, false, true]);
    }

    #[test]
    fn what_belongs_to_a_stream_is_looked_for_now_and_then_and_again_where_something_is_missing() {
        let mut memory = Memory::default();
        let asked: Vec<u32> = (0..25).filter(|_| memory.asks_for_rest()).collect();
        assert_eq!(asked, [0, 10, 20]);
        memory.is_gone_for_good(vec!["DOCS_DEAD".to_owned()]);
        assert!(memory.asks_for_rest());
        memory.is_gone_for_good(Vec::new());
        assert!(!memory.asks_for_rest());
    }

    #[test]
    fn a_consumer_that_delivers_nothing_to_whoever_asks_has_stalled() {
        let patience = Some(u64::from(STALLED_AFTER));
        assert_eq!(looks_until_stalled(|_| consumer(7, 4, 0, 1)), patience);
        // It knows nothing of three of the four messages.
        assert_eq!(looks_until_stalled(|_| consumer(7, 0, 1, 1)), patience);
        // It delivers, somebody has them, or nobody asks.
        assert_eq!(looks_until_stalled(|number| consumer(number, 4, 0, 1)), None);
        assert_eq!(looks_until_stalled(|_| consumer(7, 0, 4, 1)), None);
        assert_eq!(looks_until_stalled(|_| consumer(7, 3, 1, 1)), None);
        assert_eq!(looks_until_stalled(|_| consumer(7, 4, 0, 0)), None);
        // It did something in between.
        let busy_once = |number| consumer(7, 3, usize::from(number == 10), 1);
        assert_eq!(looks_until_stalled(busy_once), Some(10 + u64::from(STALLED_AFTER)));
    }

    #[test]
    fn a_count_too_high_is_looked_into_ever_more_seldom_and_deletes_nothing() {
        // The server counts four messages, and has three, which are all under way.
        let slow = consumer(7, 0, 3, 1);
        let mut memory = Memory::default();
        let found: Vec<u32> = (1..=250).filter(|_| memory.has_stalled(4, &slow)).collect();
        let after = |times| times * STALLED_AFTER;
        assert_eq!(found, [after(1), after(3), after(7), after(15)]);
        assert!(!withholds(3, &slow));
        // With a fourth that is there, it is at fault.
        assert!(withholds(4, &slow));
        // One that was right in between is as good as new, and one that nobody asked is not.
        memory.has_stalled(4, &consumer(7, 0, 3, 0));
        assert!(memory.stalls > 0);
        memory.has_stalled(3, &slow);
        assert!((1..STALLED_AFTER).all(|_| !memory.has_stalled(4, &slow)));
        assert!(memory.has_stalled(4, &slow));
    }
}
