//! Looks after the stream: what waits in it, and what the server forgot.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::Info as Consumer;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Info, State};
use tracing::{debug, info, warn};

use crate::desk::Desk;
use crate::lane::SHARED;
use crate::meters;
use crate::settings::Ordering;

/// How often the stream is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// How many looks in a row must show the same before something is done about it.
const PATIENCE: u32 = 3;

/// How many forgotten messages are put in again at a look.
const MOST_AT_ONCE: u64 = 500;

/// How many looks may show messages that wait, none under way and none delivered, before the
/// consumer counts as stalled.
const STALLED_AFTER: u32 = 15;

/// What was seen before.
#[derive(Default)]
struct Memory {
    /// The first sequence of the stream, below the floor, and for how many looks.
    forgotten: Option<(u64, u32)>,
    /// How far the consumer had delivered while messages waited, and for how many looks.
    stalled: Option<(u64, u32)>,
}

/// Looks at the stream again and again until the worker stops.
pub(crate) async fn watch(desk: Arc<Desk>) {
    let mut memory = Memory::default();
    while desk.pause(EVERY).await {
        let Ok(stream) = desk.queue.stream.get_info().await else {
            memory = Memory::default();
            continue;
        };
        show(&stream.state);
        meters::change(|reading| reading.held = desk.held(None) as u64);
        if desk.queue.layout.ordering == Ordering::PerSource {
            continue;
        }
        let Ok(consumer) = desk.queue.stream.consumer_info(SHARED).await else { continue };
        meters::change(|reading| {
            reading.in_flight = consumer.num_ack_pending as u64;
            reading.redelivered = consumer.num_redelivered as u64;
        });
        memory.look_for_forgotten(&desk, &stream, &consumer).await;
        memory.look_for_stall(&desk, &consumer).await;
    }
}

fn show(state: &State) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let first = u64::try_from(state.first_timestamp.unix_timestamp()).unwrap_or_default();
    let oldest = now.saturating_sub(Duration::from_secs(first));
    meters::change(|reading| {
        reading.pending = state.messages;
        reading.oldest = if state.messages == 0 { Duration::ZERO } else { oldest };
    });
}

impl Memory {
    /// After a server was killed, the stream may hold messages whose acknowledgement the consumer
    /// remembers and the stream does not: nobody delivers them, nobody deletes them.
    ///
    /// They are put in again at the end and then deleted, rather than only deleted: after a loss of
    /// power sequences may have been given anew, and the consumer's floor be that of others. Who
    /// has done one recognises it, and a sink writes it over itself.
    async fn look_for_forgotten(&mut self, desk: &Desk, stream: &Info, consumer: &Consumer) {
        let floor = consumer.ack_floor.stream_sequence;
        let first = stream.state.first_sequence;
        if stream.state.messages == 0 || first > floor {
            self.forgotten = None;
            return;
        }
        match &mut self.forgotten {
            Some((before, looks)) if *before == first => *looks += 1,
            _ => self.forgotten = Some((first, 1)),
        }
        if self.forgotten.is_none_or(|(_, looks)| looks < PATIENCE) {
            return;
        }
        self.forgotten = None;
        let last = floor.min(stream.state.last_sequence).min(first + MOST_AT_ONCE - 1);
        let mut count = 0;
        for sequence in first..=last {
            let Ok(message) = desk.queue.stream.get_raw_message(sequence).await else { continue };
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
            let again = PublishMessage::build().payload(message.payload).headers(headers);
            let sent = match desk.queue.context.send_publish(message.subject, again).await {
                Ok(sent) => sent.await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                debug!(%error, "a forgotten message cannot be put in again now");
                break;
            }
            let _ = desk.queue.stream.delete_message(sequence).await;
            count += 1;
        }
        if count > 0 {
            meters::change(|reading| reading.put_again += count);
            info!(count, "messages that the server had forgotten were put in again");
        }
    }

    /// A consumer with messages to deliver, requests for them and nothing under way does nothing:
    /// it is deleted, and whoever reads it makes it anew.
    async fn look_for_stall(&mut self, desk: &Desk, consumer: &Consumer) {
        let delivered = consumer.delivered.consumer_sequence;
        let is_idle =
            consumer.num_pending > 0 && consumer.num_ack_pending == 0 && consumer.num_waiting > 0;
        if !is_idle {
            self.stalled = None;
            return;
        }
        match &mut self.stalled {
            Some((before, looks)) if *before == delivered => *looks += 1,
            _ => self.stalled = Some((delivered, 1)),
        }
        if self.stalled.is_some_and(|(_, looks)| looks >= STALLED_AFTER) {
            self.stalled = None;
            warn!(waiting = consumer.num_pending, "the consumer has stalled; it is made anew");
            let _ = desk.queue.stream.delete_consumer(SHARED).await;
        }
    }
}
