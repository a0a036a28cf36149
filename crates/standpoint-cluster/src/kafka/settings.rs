//! What a pipeline file may say of a cluster over Kafka and of the sink `kafka`.

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{
    Ordering, PartitionBy, Publish, SettingsError, default_max_attempts, default_max_in_flight,
    default_retry_delay, refuse,
};

/// `cluster: { kafka: ... }`: this daemon is one of many workers that share the documents of a
/// topic. The file's own sources are not used then.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    /// The brokers that are asked first for the others, such as `kafka-1:9092,kafka-2:9092`.
    #[schemars(length(min = 1))]
    pub brokers: String,

    /// The topic that holds the documents. It is to be there, and so is the one of the same name
    /// with `.dead` behind it, for documents that failed for the last time.
    #[serde(default = "default_topic")]
    #[schemars(length(min = 1, max = 244))]
    pub topic: String,

    /// The consumer group that the workers are.
    #[serde(default = "default_group")]
    #[schemars(length(min = 1, max = 249))]
    pub group: String,

    /// What documents have in common that go to one partition of the topic; for
    /// `standpoint publish`.
    #[serde(default)]
    pub partition_by: PartitionBy,

    /// Whether results keep the order in which documents of one partition were published.
    #[serde(default)]
    pub ordering: Ordering,

    /// How many documents a worker has in its stages at a time.
    #[serde(default = "default_max_in_flight")]
    pub max_in_flight: NonZeroUsize,

    /// How often a document is tried before it goes to the dead letters. With
    /// `ordering: per_source` one that fails goes there at once, so that nobody waits for it.
    #[serde(default = "default_max_attempts")]
    pub max_attempts: NonZeroU32,

    /// How long before a document that failed is tried again: doubled each time, up to a minute.
    #[serde(default = "default_retry_delay", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub retry_delay: Duration,

    /// Settings of librdkafka, such as `sasl.username` or `session.timeout.ms`, as text. Those that
    /// the promise to lose nothing rests on are not to be changed.
    #[serde(default)]
    pub options: Options,
}

/// Settings of the `kafka` sink, which publishes each document to a topic and waits until every
/// replica that is in step has it. The header `Standpoint-Id` holds the document's id, by which one
/// that stands there twice is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSinkSettings {
    /// The brokers that are asked first for the others, such as `kafka-1:9092,kafka-2:9092`.
    #[schemars(length(min = 1))]
    pub brokers: String,

    /// The topic. It is to be there, unless the brokers make what is asked for.
    #[schemars(length(min = 1, max = 249))]
    pub topic: String,

    /// `results` publishes result lines. `documents` publishes the documents themselves, for the
    /// workers of a cluster to process: this is how an inbox feeds one.
    #[serde(default)]
    pub publish: Publish,

    /// What messages have in common that have one key, and so go to one partition. Left out it is
    /// `id` for results, so that a topic that is compacted keeps one of each, and `source` for
    /// documents.
    #[serde(default)]
    pub partition_by: Option<PartitionBy>,

    /// Settings of librdkafka, such as `compression.type` or `message.max.bytes`, as text.
    #[serde(default)]
    pub options: Options,
}

/// Settings of librdkafka by their names. Their values are not shown, as passwords may be among
/// them.
#[derive(Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Options(pub BTreeMap<String, String>);

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.0.keys().map(|key| (key, "***"))).finish()
    }
}

/// What an option may not be, by the start of its name: our own setting that says it, or why.
const REFUSED: [(&str, &str); 28] = [
    ("bootstrap.servers", "`brokers` says it"),
    ("metadata.broker.list", "`brokers` says it"),
    ("group.id", "`group` says it"),
    ("group.", PROMISE),
    ("enable.auto.", PROMISE),
    ("auto.commit.", PROMISE),
    ("auto.offset.reset", PROMISE),
    ("offset.store.", PROMISE),
    ("acks", PROMISE),
    ("request.required.acks", PROMISE),
    ("enable.idempotence", PROMISE),
    ("enable.gapless.guarantee", PROMISE),
    ("transactional.id", PROMISE),
    ("isolation.level", PROMISE),
    ("partition.assignment.strategy", PROMISE),
    ("partitioner", "equal keys are to go to one partition, whoever publishes them"),
    ("check.crcs", PROMISE),
    ("consume.callback.", NOT_OURS),
    ("enable.partition.eof", NOT_OURS),
    ("enabled_events", NOT_OURS),
    ("delivery.report.only.error", NOT_OURS),
    ("dr_", NOT_OURS),
    ("plugin.library.paths", "it would load a library into this program"),
    ("test.", NOT_OURS),
    ("ssl.", NO_TLS),
    ("enable.ssl.", NO_TLS),
    ("https.", NO_TLS),
    ("opaque", NOT_OURS),
];

const PROMISE: &str = "the promise to lose no document rests on it";
const NOT_OURS: &str = "this program has no use for it";
const NO_TLS: &str = "this build speaks no TLS to Kafka: it would need OpenSSL; let a proxy beside the \
                      worker speak it, such as stunnel";

impl KafkaSettings {
    /// Checks what a schema cannot say.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self) -> Result<(), SettingsError> {
        check_brokers(&self.brokers)?;
        check_topic(&self.topic, MOST_TOPIC - DEAD.len())?;
        if self.max_in_flight.get() > MOST_IN_FLIGHT {
            let problem = format!("found {}, at most {MOST_IN_FLIGHT}", self.max_in_flight);
            return Err(refuse("max_in_flight", problem));
        }
        if self.group.is_empty() || self.group.chars().any(char::is_control) {
            let problem = format!("found {:?}, expected a name", self.group);
            return Err(refuse("group", problem));
        }
        self.options.check()
    }

    /// The topic of the dead letters.
    #[must_use]
    pub fn dead_topic(&self) -> String {
        format!("{}{DEAD}", self.topic)
    }
}

impl KafkaSinkSettings {
    /// Checks what a schema cannot say.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self) -> Result<(), SettingsError> {
        check_brokers(&self.brokers)?;
        check_topic(&self.topic, MOST_TOPIC)?;
        self.options.check()
    }

    /// What messages have in common that have one key.
    #[must_use]
    pub(crate) fn keyed_by(&self) -> PartitionBy {
        self.partition_by.unwrap_or(match self.publish {
            Publish::Results => PartitionBy::Id,
            Publish::Documents => PartitionBy::Source,
        })
    }
}

impl Options {
    fn check(&self) -> Result<(), SettingsError> {
        for (name, value) in &self.0 {
            let why = REFUSED.iter().find(|(refused, _)| is_under(name, refused));
            if let Some((_, why)) = why {
                return Err(refuse("options", format!("`{name}` cannot be set here: {why}")));
            }
            let value = value.to_lowercase();
            if name == "security.protocol" && value.contains("ssl") {
                return Err(refuse("options", format!("`{name}`: {NO_TLS}")));
            }
            if matches!(name.as_str(), "sasl.mechanisms" | "sasl.mechanism") && value != "plain" {
                let problem = format!("`{name}` is {value:?}: this build knows PLAIN alone");
                return Err(refuse("options", problem));
            }
        }
        let says_sasl = |name: &String, value: &String| {
            name == "security.protocol" && value.to_lowercase().contains("sasl")
        };
        let names = |name: &str| self.0.contains_key(name);
        if self.0.iter().any(|(name, value)| says_sasl(name, value))
            && !(names("sasl.mechanisms") || names("sasl.mechanism"))
        {
            let problem = "`security.protocol` wants `sasl.mechanisms: PLAIN` beside it".to_owned();
            return Err(refuse("options", problem));
        }
        // Asked of the library itself, which connects to nobody for that.
        let mut config = ClientConfig::new();
        self.put_into(&mut config);
        match config.create_native_config() {
            Ok(_) => Ok(()),
            // The value may be a password, and the library's words hold it.
            Err(KafkaError::ClientConfig(_, words, name, value)) => {
                let words = if value.is_empty() { words } else { words.replace(&value, "***") };
                let problem = format!("`{name}`: {words}; see librdkafka's CONFIGURATION.md");
                Err(refuse("options", problem))
            }
            Err(error) => Err(refuse("options", error.to_string())),
        }
    }

    pub(crate) fn put_into(&self, config: &mut ClientConfig) {
        for (name, value) in &self.0 {
            config.set(name, value);
        }
    }
}

/// More documents than this are under way in no worker.
const MOST_IN_FLIGHT: usize = 65_536;

/// What the topic of dead letters has behind the topic's name.
const DEAD: &str = ".dead";

/// The longest name of a topic.
const MOST_TOPIC: usize = 249;

/// Names that end in a dot or an underscore stand for all that begin so.
fn is_under(name: &str, refused: &str) -> bool {
    name == refused || (refused.ends_with(['.', '_']) && name.starts_with(refused))
}

fn check_brokers(brokers: &str) -> Result<(), SettingsError> {
    let is_address = |one: &str| {
        let one = one.trim();
        let port = one.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        !one.is_empty()
            && !one.contains("://")
            && !one.contains(char::is_whitespace)
            && port.is_none_or(|(host, port)| !host.is_empty() && port.is_ok())
    };
    if brokers.split(',').all(is_address) {
        return Ok(());
    }
    let problem = format!("found {brokers:?}, expected such as `kafka-1:9092,kafka-2:9092`");
    Err(refuse("brokers", problem))
}

fn check_topic(name: &str, most: usize) -> Result<(), SettingsError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty()
        || name.len() > most
        || !name.chars().all(is_plain)
        || [".", ".."].contains(&name)
    {
        let problem =
            format!("found {name:?}, expected up to {most} letters, digits, `.`, `_`, `-`");
        return Err(refuse("topic", problem));
    }
    Ok(())
}

fn default_topic() -> String {
    "documents".to_owned()
}

fn default_group() -> String {
    "standpoint".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_with_what_to_do() {
        let cases = [
            (r#"{"brokers":"kafka://a"}"#, "`brokers`: found \"kafka://a\""),
            (r#"{"brokers":"a:9092,"}"#, "`brokers`: found"),
            (r#"{"brokers":"a:b"}"#, "`brokers`: found"),
            (r#"{"brokers":"a","topic":"a b"}"#, "`topic`: found \"a b\""),
            (r#"{"brokers":"a","topic":".."}"#, "`topic`: found"),
            (r#"{"brokers":"a","group":""}"#, "`group`: found"),
            (r#"{"brokers":"a","max_in_flight":4611686018427387904}"#, "`max_in_flight`: found 46"),
        ];
        for (text, expected) in cases {
            let settings: KafkaSettings = serde_json::from_str(text).unwrap();
            let told = settings.check().unwrap_err().to_string();
            assert!(told.starts_with(expected), "{text}: {told}");
        }
        let long = format!(r#"{{"brokers":"a","topic":"{}"}}"#, "t".repeat(245));
        let worker: KafkaSettings = serde_json::from_str(&long).unwrap();
        assert!(worker.check().is_err(), "there is no room for `.dead`");
        let sink: KafkaSinkSettings = serde_json::from_str(&long).unwrap();
        assert_eq!(sink.check(), Ok(()));
        let usual: KafkaSettings = serde_json::from_str(r#"{"brokers":"a:9092, b"}"#).unwrap();
        assert_eq!(usual.check(), Ok(()));
        assert_eq!((usual.topic.as_str(), usual.group.as_str()), ("documents", "standpoint"));
        assert_eq!(usual.dead_topic(), "documents.dead");
    }

    #[test]
    fn options_that_the_promise_rests_on_are_refused_by_name() {
        let cases = [
            ("enable.auto.commit", "true", "the promise"),
            ("enable.auto.offset.store", "true", "the promise"),
            ("auto.offset.reset", "latest", "the promise"),
            ("acks", "0", "the promise"),
            ("enable.idempotence", "false", "the promise"),
            ("group.id", "x", "`group` says it"),
            ("group.instance.id", "x", "the promise"),
            ("bootstrap.servers", "x", "`brokers` says it"),
            ("partitioner", "random", "equal keys"),
            ("plugin.library.paths", "./a.so", "load a library"),
            ("test.mock.num.brokers", "3", "no use"),
            ("ssl.ca.location", "./ca.pem", "speaks no TLS"),
            ("security.protocol", "SASL_SSL", "speaks no TLS"),
            ("sasl.mechanisms", "SCRAM-SHA-256", "knows PLAIN alone"),
            ("security.protocol", "SASL_PLAINTEXT", "`sasl.mechanisms: PLAIN` beside it"),
            ("no.such.thing", "1", "No such configuration property"),
            ("session.timeout.ms", "soon", "see librdkafka's CONFIGURATION.md"),
        ];
        for (name, value, expected) in cases {
            let options = Options(BTreeMap::from([(name.to_owned(), value.to_owned())]));
            let told = options.check().unwrap_err().to_string();
            let is_named = told.starts_with("`options`: ") && told.contains(&format!("`{name}`"));
            assert!(is_named && told.contains(expected), "{name}: {told}");
        }
        for (name, value) in [
            ("session.timeout.ms", "10000"),
            ("compression.type", "gzip"),
            ("sasl.mechanisms", "PLAIN"),
            ("security.protocol", "PLAINTEXT"),
            ("message.max.bytes", "8000000"),
        ] {
            let options = Options(BTreeMap::from([(name.to_owned(), value.to_owned())]));
            assert_eq!(options.check(), Ok(()), "{name}");
        }
    }

    #[test]
    fn values_of_options_are_not_shown() {
        let text =
            r#"{"brokers":"a","options":{"sasl.password":"hush","session.timeout.ms":"hush"}}"#;
        let settings: KafkaSettings = serde_json::from_str(text).unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
        assert!(!settings.check().unwrap_err().to_string().contains("hush"));
    }

    #[test]
    fn results_are_keyed_by_id_and_documents_by_source() {
        let cases = [
            (r#"{"brokers":"a","topic":"t"}"#, PartitionBy::Id),
            (r#"{"brokers":"a","topic":"t","publish":"documents"}"#, PartitionBy::Source),
            (r#"{"brokers":"a","topic":"t","partition_by":"author"}"#, PartitionBy::Author),
        ];
        for (text, expected) in cases {
            let settings: KafkaSinkSettings = serde_json::from_str(text).unwrap();
            assert_eq!(settings.keyed_by(), expected, "{text}");
        }
    }
}
