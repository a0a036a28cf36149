//! The sink `kafka`: results, or documents for a cluster's workers, in a topic.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedHeaders};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::future_producer::{DeliveryFuture, FutureRecord};
use rdkafka::producer::{FutureProducer, Producer};
use standpoint_connectors::jsonl::Maker;
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::client::{ID_HEADER, Teller, is_unknown, producer, with_header};
use super::settings::{KafkaSettings, KafkaSinkSettings, Options};
use crate::partition::key_of;
use crate::record::{RECORD_HEADER, RECORD_VERSION, RESULT_HEADER, RESULT_VERSION, encode};
use crate::settings::{Ordering, PartitionBy, Publish, SettingsError};

/// How long brokers may take to answer somebody who does not want to wait for them.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause before a message is put into a full queue of the library again.
const QUEUE_PAUSE: Duration = Duration::from_millis(20);

/// Publishes documents, or what was found in them.
///
/// A document counts as written once every replica that is in step has it. One whose answer was
/// lost is published again, and stands there twice where the process was another meanwhile.
pub struct KafkaSink {
    address: Address,
    /// `None` for documents, which are published as they are.
    maker: Option<Maker>,
    /// `None` before the first write, and after it broke down.
    producer: Option<FutureProducer<Teller>>,
    /// Whether messages are to stand in their topic in the order in which they come here.
    keeps_order: bool,
}

/// Where messages go, and by what they are divided.
#[derive(Debug, Clone)]
struct Address {
    brokers: String,
    options: Options,
    topic: String,
    keyed_by: PartitionBy,
    name: String,
}

/// What is to be heard of a message.
enum Sent {
    Awaited(DeliveryFuture),
    Refused(String),
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KafkaSink").field("address", &self.address).finish_non_exhaustive()
    }
}

impl KafkaSink {
    /// Takes the settings of a sink; no connection is made yet.
    ///
    /// - `keeps_order`: whether messages are to stand in their topic in the order of `write`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when they cannot work.
    pub fn new(
        settings: &KafkaSinkSettings,
        maker: Maker,
        instance: &str,
        keeps_order: bool,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let address = Address {
            brokers: settings.brokers.clone(),
            options: hasty(&settings.options, keeps_order),
            topic: settings.topic.clone(),
            keyed_by: settings.keyed_by(),
            name: format!("standpoint {instance} sink"),
        };
        let maker = (settings.publish == Publish::Results).then_some(maker);
        Ok(Self { address, maker, producer: None, keeps_order })
    }

    /// A sink that puts documents into the topic of a cluster.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings cannot work.
    pub fn feeding(settings: &KafkaSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        let keeps_order = settings.ordering == Ordering::PerSource;
        let address = Address {
            brokers: settings.brokers.clone(),
            options: hasty(&settings.options, keeps_order),
            topic: settings.topic.clone(),
            keyed_by: settings.partition_by,
            name: "standpoint publish".to_owned(),
        };
        Ok(Self { address, maker: None, producer: None, keeps_order })
    }

    /// Asks the brokers after the topic, for whoever does not want to wait for some that are away.
    ///
    /// # Errors
    ///
    /// Why it cannot publish.
    pub async fn probe(&self) -> Result<(), SinkError> {
        let producer = self.address.open()?;
        let topic = self.address.topic.clone();
        let asked = spawn_blocking(move || {
            let found = producer.client().fetch_metadata(Some(&topic), PATIENCE)?;
            let error = found.topics().first().and_then(MetadataTopic::error);
            error.map_or(Ok(()), |code| Err(KafkaError::MetadataFetch(code.into())))
        });
        match asked.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.address.unpublished(&error)),
            Err(error) => Err(SinkError::transient("cannot ask the brokers").caused_by(error)),
        }
    }

    /// Puts a message into the library's queue.
    ///
    /// # Errors
    ///
    /// When no message can be put there.
    async fn send(
        &self,
        producer: &FutureProducer<Teller>,
        document: &Document<'static>,
    ) -> Result<Sent, KafkaError> {
        let key = key_of(document, self.address.keyed_by);
        let headers = with_header(OwnedHeaders::new(), ID_HEADER, document.id());
        let (payload, headers) = if let Some(maker) = &self.maker {
            let mut line = Vec::new();
            maker.line(document, &mut line);
            line.pop();
            (line, with_header(headers, RESULT_HEADER, RESULT_VERSION))
        } else {
            (encode(document), with_header(headers, RECORD_HEADER, RECORD_VERSION))
        };
        let mut record =
            FutureRecord::to(&self.address.topic).key(&key).payload(&payload).headers(headers);
        loop {
            match producer.send_result(record) {
                Ok(sent) => return Ok(Sent::Awaited(sent)),
                Err((error, refused)) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::QueueFull) => {
                        record = refused;
                        sleep(QUEUE_PAUSE).await;
                    }
                    Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                        return Ok(Sent::Refused(self.too_large(payload.len())));
                    }
                    _ => return Err(error),
                },
            }
        }
    }

    /// Publishes all and then waits for the answers; where there is an order, one after the other.
    /// The library keeps the order of what it sends again by itself, and not of what it gives up:
    /// the next message goes ahead of one that was refused or took too long, and is written behind
    /// it only by whoever tries that again.
    async fn publish(
        &self,
        producer: &FutureProducer<Teller>,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, KafkaError> {
        let mut answers = Vec::with_capacity(documents.len());
        let group = if self.keeps_order { 1 } else { documents.len().max(1) };
        for group in documents.chunks(group) {
            let mut sent = Vec::with_capacity(group.len());
            for document in group {
                sent.push(self.send(producer, document).await?);
            }
            for one in sent {
                answers.push(self.answer(one).await?);
            }
        }
        Ok(answers)
    }

    /// What became of a message; inside, why it never will be written.
    async fn answer(&self, sent: Sent) -> Result<Result<(), String>, KafkaError> {
        let answer = match sent {
            Sent::Refused(reason) => return Ok(Err(reason)),
            Sent::Awaited(answer) => answer.await.map_err(|_| KafkaError::Canceled)?,
        };
        match answer {
            Ok(_) => Ok(Ok(())),
            // A broker may take less than the library does.
            Err((error, message)) if is_too_large(&error) => {
                let found = message.payload().map_or(0, <[u8]>::len);
                Ok(Err(self.too_large(found)))
            }
            Err((error, _)) => Err(error),
        }
    }

    fn too_large(&self, found: usize) -> String {
        let name = "message.max.bytes";
        let most = self.address.options.0.get(name).map_or("1000000", String::as_str);
        format!(
            "it has {found} bytes as a message and `{name}` is {most}: raise it in `options`, for \
             the topic and for the brokers, or let the sink leave out parts"
        )
    }
}

/// Options for whoever waits for each message, which are not to wait for others to go with.
fn hasty(options: &Options, keeps_order: bool) -> Options {
    let mut options = options.clone();
    if keeps_order && !options.0.contains_key("linger.ms") {
        options.0.entry("queue.buffering.max.ms".to_owned()).or_insert("0".to_owned());
    }
    options
}

impl Address {
    fn open(&self) -> Result<FutureProducer<Teller>, SinkError> {
        producer(&self.brokers, &self.options, &self.name)
            .map_err(|error| SinkError::fatal("cannot publish to Kafka").caused_by(error))
    }

    fn unpublished(&self, error: &KafkaError) -> SinkError {
        let message = if is_unknown(error) {
            format!("topic `{}` is not there: make it", self.topic)
        } else {
            "the brokers did not take what was published".to_owned()
        };
        SinkError::transient(message).caused_by(error.to_string())
    }
}

fn is_too_large(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
}

#[async_trait]
impl Sink for KafkaSink {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.address.open()?,
        };
        let published = self.publish(&producer, documents).await;
        // One that broke down for good is made anew by the next write.
        if producer.client().fatal_error().is_none() {
            self.producer = Some(producer);
        }
        published.map_err(|error| self.address.unpublished(&error))
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        // Whatever was written has been awaited.
        self.producer = None;
        Ok(())
    }
}
