//! Brokers of a test's own, and what stands in their topics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::Value;
use tokio::net::TcpSocket;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Into how many partitions documents and results are divided.
pub(crate) const PARTITIONS: i32 = 4;

/// Three brokers; they end with the value.
pub(crate) struct Brokers {
    cluster: MockCluster<'static, DefaultProducerContext>,
    asking: BaseConsumer,
    /// The brokers' ports while they are away. Nobody listens there, and no connection of another
    /// program can begin there, which would end the process when the brokers come back.
    kept: Mutex<Vec<TcpSocket>>,
}

/// A message, without what nobody asks for.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) key: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) value: Value,
}

impl Brokers {
    pub(crate) fn start() -> Self {
        let cluster = MockCluster::new(3).unwrap();
        for topic in ["docs", "docs.dead", "results"] {
            let partitions = if topic == "docs.dead" { 1 } else { PARTITIONS };
            cluster.create_topic(topic, partitions, 3).unwrap();
        }
        let asking = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("group.id", "standpoint")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        Self { cluster, asking, kept: Mutex::default() }
    }

    pub(crate) fn addresses(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// All brokers are away, or there again.
    pub(crate) fn be_away(&self, are_away: bool) {
        let mut kept = self.kept.lock().unwrap();
        if are_away {
            self.cluster.broker_down(-1).unwrap();
            let addresses = self.addresses();
            let addresses = addresses.split(',').map(|one| one.parse::<SocketAddr>().unwrap());
            // One whose port is still being closed stays unkept.
            kept.extend(addresses.filter_map(|address| {
                let socket = TcpSocket::new_v4().unwrap();
                socket.set_reuseaddr(true).unwrap();
                socket.bind(address).ok().map(|()| socket)
            }));
        } else {
            kept.clear();
            self.cluster.broker_up(-1).unwrap();
        }
    }

    /// So many of the producers that come next are told that they may not publish, of which none
    /// recovers.
    pub(crate) fn refuse_producers(&self, count: usize) {
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
        self.cluster.request_errors(RDKafkaApiKey::InitProducerId, &vec![refusal; count]);
    }

    /// So many of the messages or groups of them that come next are refused for good.
    pub(crate) fn refuse_messages(&self, count: usize) {
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        self.cluster.request_errors(RDKafkaApiKey::Produce, &vec![refusal; count]);
    }

    fn partitions(topic: &str) -> i32 {
        if topic == "docs.dead" { 1 } else { PARTITIONS }
    }

    /// How many messages a topic holds.
    pub(crate) fn count(&self, topic: &str) -> i64 {
        let behind_last = |partition| {
            let asked = self.asking.fetch_watermarks(topic, partition, PATIENCE);
            asked.map_or(0, |(_, behind_last)| behind_last)
        };
        (0..Self::partitions(topic)).map(behind_last).sum()
    }

    /// How many documents the group has not settled, and what stands with its offsets.
    pub(crate) fn left(&self) -> (i64, Vec<String>) {
        let mut list = TopicPartitionList::new();
        list.add_partition_range("docs", 0, PARTITIONS - 1);
        let Ok(committed) = self.asking.committed_offsets(list, PATIENCE) else {
            return (i64::MAX, Vec::new());
        };
        let mut settled = 0;
        let mut notes = Vec::new();
        for one in committed.elements() {
            if let Offset::Offset(offset) = one.offset() {
                settled += offset;
            }
            notes.push(one.metadata().to_owned());
        }
        (self.count("docs") - settled, notes)
    }

    /// What a topic holds, partition by partition.
    pub(crate) fn read(&self, topic: &str) -> Vec<Letter> {
        let reader: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.addresses())
            .set("group.id", "reader")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut found: BTreeMap<i32, Vec<Letter>> = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for partition in 0..Self::partitions(topic) {
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        reader.assign(&list).unwrap();
        for number in 0..self.count(topic) {
            let message = reader.poll(PATIENCE);
            let message = message.unwrap_or_else(|| panic!("no message {number}")).unwrap();
            let text = |bytes: Option<&[u8]>| {
                String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap()
            };
            let headers = message.headers().map(|headers| {
                headers.iter().map(|one| (one.key.to_owned(), text(one.value))).collect()
            });
            found.entry(message.partition()).or_default().push(Letter {
                key: text(message.key()),
                headers: headers.unwrap_or_default(),
                value: serde_json::from_slice(message.payload().unwrap_or_default())
                    .unwrap_or(Value::Null),
            });
        }
        found.into_values().flatten().collect()
    }

    /// Puts something into the topic of documents, as another program does.
    pub(crate) fn put(&self, payload: &str) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.addresses())
            .set("compression.type", "gzip")
            .create()
            .unwrap();
        producer.send(BaseRecord::to("docs").key("k").payload(payload)).unwrap();
        producer.flush(PATIENCE).unwrap();
    }
}
