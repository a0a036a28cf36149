//! The lookout: whether the brokers are there, and how many documents wait in the topic, whoever
//! has them.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::client::{Teller, is_unknown, onlooker};
use super::settings::KafkaSettings;
use crate::meters::{self, Trouble};

/// How long brokers may take for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How often they are asked.
const EVERY: Duration = Duration::from_secs(5);

/// The same where the worker waits for the topic to be empty.
const EVERY_UNTIL_DRAINED: Duration = Duration::from_millis(500);

/// Asks the brokers, without being a member of the group.
pub(super) struct Lookout {
    consumer: Arc<BaseConsumer<Teller>>,
    topic: String,
    every: Duration,
}

impl Lookout {
    /// # Errors
    ///
    /// When an option cannot be.
    pub(super) fn new(settings: &KafkaSettings, until_drained: bool) -> KafkaResult<Self> {
        let consumer = Arc::new(onlooker(settings).create_with_context(Teller)?);
        let every = if until_drained { EVERY_UNTIL_DRAINED } else { EVERY };
        Ok(Self { consumer, topic: settings.topic.clone(), every })
    }

    /// Asks again and again.
    ///
    /// - `pending`: hears how many documents are not done.
    pub(super) async fn look_out(self, pending: watch::Sender<Option<u64>>) {
        let Self { consumer, topic, every } = self;
        let mut was_connected = None;
        let mut is_lacking = false;
        let trouble = Trouble::none();
        loop {
            let (asking, of) = (Arc::clone(&consumer), topic.clone());
            let asked = spawn_blocking(move || waiting(&asking, &of)).await;
            let is_connected = match asked {
                Ok(Ok(count)) => {
                    if std::mem::take(&mut is_lacking) {
                        trouble.tell(None);
                    }
                    meters::change(|reading| reading.pending = count);
                    let _ = pending.send(Some(count));
                    true
                }
                Ok(Err(error)) if is_unknown(&error) => {
                    let problem = format!("topic `{topic}` is not there: make it");
                    if !std::mem::replace(&mut is_lacking, true) {
                        warn!("{problem}");
                    }
                    trouble.tell(Some(problem));
                    true
                }
                Ok(Err(error)) => {
                    debug!(%error, "the brokers do not answer");
                    false
                }
                Err(error) => {
                    debug!(%error, "what the brokers answer cannot be read");
                    false
                }
            };
            meters::connected(is_connected);
            match (was_connected.replace(is_connected), is_connected) {
                (Some(true), true) | (Some(false), false) => {}
                (_, true) => info!("connected to the brokers"),
                (_, false) => warn!("the brokers are away; trying again"),
            }
            sleep(every).await;
        }
    }
}

/// How many messages of the topic are not settled.
fn waiting(consumer: &BaseConsumer<Teller>, topic: &str) -> KafkaResult<u64> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let Some(found) = metadata.topics().first() else { return Ok(0) };
    if let Some(code) = found.error() {
        return Err(KafkaError::MetadataFetch(code.into()));
    }
    let mut asked = TopicPartitionList::new();
    for partition in found.partitions() {
        asked.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(asked, PATIENCE)?;
    let mut count = 0;
    for one in committed.elements() {
        let (first, behind_last) = consumer.fetch_watermarks(topic, one.partition(), PATIENCE)?;
        let next = match one.offset() {
            Offset::Offset(offset) => offset.max(first),
            _ => first,
        };
        count += u64::try_from(behind_last - next).unwrap_or_default();
    }
    Ok(count)
}
