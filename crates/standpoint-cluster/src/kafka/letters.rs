//! Dead letters: documents that failed for the last time, in a topic of their own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::future_producer::FutureRecord;
use rdkafka::producer::{FutureProducer, Producer};
use standpoint_engine::Failure;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use super::client::{Teller, is_unknown, producer, with_header};
use super::settings::{KafkaSettings, Options};
use crate::meters::Trouble;
use crate::record::{ATTEMPTS_HEADER, MOST_REASON, REASON_HEADER, STAGE_HEADER};
use crate::source::LONGEST_DELAY;

/// The shortest, whatever `retry_delay` is: nobody knows for how long a topic is missing.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// Sends letters, each until the brokers have it.
#[derive(Clone)]
pub(super) struct Letters {
    making: Arc<Making>,
    topic: String,
    pause: Duration,
    stop: watch::Receiver<bool>,
}

/// The producer, and how it is made anew: one that breaks down for good stays so.
struct Making {
    brokers: String,
    options: Options,
    producer: Mutex<FutureProducer<Teller>>,
}

impl Making {
    fn make(brokers: &str, options: &Options) -> KafkaResult<FutureProducer<Teller>> {
        producer(brokers, options, "standpoint dead letters")
    }

    /// The producer, another one where that broke down.
    fn sound(&self) -> KafkaResult<FutureProducer<Teller>> {
        // Nothing that can panic runs under the lock.
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((code, reason)) = producer.client().fatal_error() {
            warn!(?code, reason, "the producer of dead letters broke down and is made anew");
            *producer = Self::make(&self.brokers, &self.options)?;
        }
        Ok(producer.clone())
    }
}

impl Letters {
    /// # Errors
    ///
    /// When an option cannot be.
    pub(super) fn new(settings: &KafkaSettings, stop: watch::Receiver<bool>) -> KafkaResult<Self> {
        let mut options = settings.options.clone();
        // What the brokers had of others they are to take back, however large it is.
        options.0.entry("message.max.bytes".to_owned()).or_insert("1000000000".to_owned());
        let brokers = settings.brokers.clone();
        let producer = Mutex::new(Making::make(&brokers, &options)?);
        let making = Arc::new(Making { brokers, options, producer });
        let (topic, pause) = (settings.dead_topic(), settings.retry_delay);
        Ok(Self { making, topic, pause, stop })
    }

    /// Sends a message and the reason why it is here; tries again until it is there, or until a
    /// stop.
    ///
    /// - returns: whether it is there.
    pub(super) async fn send(self, message: OwnedMessage, failure: Failure, attempts: u32) -> bool {
        let reason: String = failure.reason.chars().take(MOST_REASON).collect();
        let place = format!("{} {} {}", message.topic(), message.partition(), message.offset());
        let mut is_small = false;
        let trouble = Trouble::none();
        let mut pause = self.pause.max(LEAST_PAUSE);
        loop {
            let headers = message.headers().filter(|_| !is_small).cloned();
            let headers = headers.unwrap_or_else(OwnedHeaders::new);
            let headers = with_header(headers, STAGE_HEADER, &failure.stage);
            let headers = with_header(headers, REASON_HEADER, &reason);
            let headers = with_header(headers, ATTEMPTS_HEADER, &attempts.to_string());
            let headers = with_header(headers, "Standpoint-From", &place);
            let mut record = FutureRecord::to(&self.topic).headers(headers);
            if let Some(key) = message.key().filter(|_| !is_small) {
                record = record.key(key);
            }
            if let Some(payload) = message.payload().filter(|_| !is_small) {
                record = record.payload(payload);
            }
            let sent = match self.making.sound() {
                Ok(producer) => deliver(&producer, record).await,
                Err(error) => Err(error),
            };
            let Err(error) = sent else {
                warn!(place, stage = failure.stage, reason, "a document went to the dead letters");
                return true;
            };
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
                && !is_small
            {
                // Where it was is said, and there it stays as long as the topic keeps it.
                is_small = true;
                continue;
            }
            trouble.tell(Some(if is_unknown(&error) {
                format!("topic `{}` for dead letters is not there: make it", self.topic)
            } else {
                format!("a dead letter cannot be put into topic `{}`: {error}", self.topic)
            }));
            warn!(place, %error, "a dead letter is sent again later");
            if *self.stop.borrow() {
                // The document stays in its topic, and fails again there.
                return false;
            }
            let mut stop = self.stop.clone();
            tokio::select! {
                stopped = stop.wait_for(|stop| *stop) => drop(stopped),
                () = sleep(pause) => {}
            }
            pause = pause.saturating_mul(2).min(LONGEST_DELAY);
        }
    }
}

/// Sends a record; it is there once this returns.
async fn deliver(
    producer: &FutureProducer<Teller>,
    record: FutureRecord<'_, [u8], [u8]>,
) -> KafkaResult<()> {
    match producer.send_result(record) {
        Ok(sent) => match sent.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(error),
            Err(_) => Err(KafkaError::Canceled),
        },
        Err((error, _)) => Err(error),
    }
}
