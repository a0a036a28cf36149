//! Who speaks to the brokers, and how: the settings of librdkafka that are not a user's to choose,
//! and what it tells in return.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureProducer;
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc;
use tracing::{debug, error, warn};

use super::settings::{KafkaSettings, Options};

/// The document's id.
pub(super) const ID_HEADER: &str = "Standpoint-Id";

/// What the group has changed for this worker.
#[derive(Debug)]
pub(super) enum Change {
    /// It has these partitions, too.
    Assigned(Vec<i32>),
    /// It is to let go of these.
    Revoked {
        partitions: Vec<i32>,
        /// Whether others may have them already.
        is_lost: bool,
    },
}

/// Settings of a consumer that asks after the group without being a member.
pub(super) fn onlooker(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", "standpoint");
    // What a broker that is away costs a worker that wants to know.
    config.set("socket.timeout.ms", "5000");
    settings.options.put_into(&mut config);
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false");
    config
}

/// Settings of a member of the group.
pub(super) fn member(settings: &KafkaSettings, instance: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("client.id", format!("standpoint {instance}"))
        // Read ahead is little beside what a stage does to a document, and is read again by whoever
        // has the partition next.
        .set("fetch.message.max.bytes", "262144")
        .set("queued.max.messages.kbytes", "16384")
        .set("queued.min.messages", "64")
        .set("topic.metadata.refresh.interval.ms", "30000");
    settings.options.put_into(&mut config);
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        // Only partitions that move are let go.
        .set("partition.assignment.strategy", "cooperative-sticky");
    config
}

/// Makes a producer whose messages are there once each as long as it lives, and on every replica
/// that is in step before it says so.
///
/// # Errors
///
/// When an option cannot be.
pub(super) fn producer(
    brokers: &str,
    options: &Options,
    name: &str,
) -> KafkaResult<FutureProducer<Teller>> {
    let mut config = ClientConfig::new();
    config.set("client.id", name).set("compression.type", "lz4").set("message.timeout.ms", "10000");
    options.put_into(&mut config);
    config
        .set("bootstrap.servers", brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        // As other programs' clients do it, so that a key goes to one partition whoever publishes.
        .set("partitioner", "murmur2");
    config.create_with_context(Teller)
}

/// Adds a header, without what other programs may stumble over.
pub(super) fn with_header(headers: OwnedHeaders, name: &str, value: &str) -> OwnedHeaders {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    headers.insert(Header { key: name, value: Some(value.as_bytes()) })
}

/// Whether a topic or a partition is not there.
pub(super) fn is_unknown(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    let code = error.rdkafka_error_code();
    matches!(code, Some(UnknownTopic | UnknownPartition | UnknownTopicOrPartition))
}

/// Hands what the library tells to the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller;

impl ClientContext for Teller {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        tell(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The library tries again by itself, and whoever waits for it says so.
        debug!(%error, reason, "the connection to the brokers");
    }
}

impl ConsumerContext for Teller {}

/// Hears of a member's partitions. Acting on a change is for whoever hears of it, in its own time:
/// the group waits.
pub(super) struct Membership {
    changes: mpsc::Sender<Change>,
    /// Whether nobody acts on changes any more.
    is_leaving: AtomicBool,
}

impl Membership {
    /// - returns: also where changes are heard of, each of which waits until the last is acted on.
    pub(super) fn new() -> (Self, mpsc::Receiver<Change>) {
        let (changes, hearing) = mpsc::channel(4);
        (Self { changes, is_leaving: AtomicBool::new(false) }, hearing)
    }

    /// From now on partitions are let go as soon as that is asked.
    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        tell(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "the connection to the brokers");
    }
}

impl ConsumerContext for Membership {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        word: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions: Vec<i32> =
            list.elements().iter().map(TopicPartitionListElem::partition).collect();
        let is_given = matches!(word, RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
        if self.is_leaving.load(Ordering::Acquire) {
            let let_go =
                if is_given { consumer.unassign() } else { consumer.incremental_unassign(list) };
            if let Err(error) = let_go {
                debug!(%error, "partitions are let go with the connection");
            }
            return;
        }
        let change = if is_given {
            Change::Assigned(partitions)
        } else {
            Change::Revoked { partitions, is_lost: consumer.assignment_lost() }
        };
        if let Err(error) = self.changes.try_send(change) {
            // Not before the last is acted on does the library tell of another.
            error!(%error, "a change of partitions was not heard");
        }
    }
}

fn tell(level: RDKafkaLogLevel, facility: &str, words: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Emerg};
    if matches!(level, Emerg | Alert | Critical) {
        warn!(facility, words, "from the library for Kafka");
    } else {
        // It is told of by whoever cannot do its work for that.
        debug!(facility, words, "from the library for Kafka");
    }
}
