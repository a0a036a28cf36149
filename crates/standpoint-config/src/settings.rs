//! What a pipeline file may say: every key, its type and its default.
//!
//! The comment of a field is its reference documentation: `standpoint schema` prints it.

mod file;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::units::{
    DurationRange, duration_text, optional_duration_text, optional_path_schema, optional_size_text,
    path_schema, size_text,
};

pub(crate) use file::{FORMAT_VERSION, FileSettings, SinkEntry, SourceEntry, StageEntry, defaults};

/// Where plugins are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PluginSettings {
    /// Folders with plugins, searched before the program's own folder.
    #[schemars(schema_with = "paths_schema")]
    pub paths: Vec<PathBuf>,

    /// Load only plugins that this file pins with `sha256`, from folders that nobody else can
    /// write to.
    pub strict: bool,
}

/// What holds for each stage that does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StageDefaults {
    /// How long a stage may take for one document.
    #[serde(with = "duration_text")]
    #[schemars(schema_with = "duration_text::schema")]
    pub timeout: Duration,

    /// How often and when a stage is tried again after a failure that may pass.
    pub retry: Retry,

    /// What happens to a document that a stage fails on.
    pub on_error: OnError,
}

impl Default for StageDefaults {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retry: Retry::default(),
            on_error: OnError::Quarantine,
        }
    }
}

/// How often and when a stage is tried again after a failure that may pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// How often it is tried in all; 1 is never again.
    pub max_attempts: NonZeroU32,

    /// How long to wait before the next attempt: it starts at the low end, doubles each time and
    /// stays at the high end.
    pub backoff: DurationRange,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: nonzero(3), backoff: default_backoff() }
    }
}

fn default_backoff() -> DurationRange {
    DurationRange::new(Duration::from_millis(200), Duration::from_secs(10))
        .expect("200 ms is less than 10 s")
}

/// What happens to a document that a stage fails on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It leaves the pipeline and lands in quarantine with the reason.
    Quarantine,
    /// It goes on without what the stage would have written, marked as partial.
    Continue,
    /// The whole pipeline drains and stops.
    Stop,
}

/// How many documents a stage works on at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Concurrency {
    /// As many as there are cores.
    #[default]
    Auto,
    /// This many.
    Fixed(NonZeroUsize),
}

impl Serialize for Concurrency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Fixed(count) => count.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Concurrency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value == "auto" {
            return Ok(Self::Auto);
        }
        serde_json::from_value(value).map(Self::Fixed).map_err(de::Error::custom)
    }
}

impl JsonSchema for Concurrency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Concurrency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [
                { "const": "auto", "description": "As many as there are cores." },
                { "type": "integer", "minimum": 1 },
            ]
        })
    }
}

/// How documents are collected for a stage that works on several at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Batch {
    /// How many documents are given to the stage at once, at most.
    pub max_documents: NonZeroUsize,

    /// How long the first document waits for others. A batch leaves at once when no other document
    /// is on its way and the stage is idle.
    #[serde(with = "duration_text")]
    #[schemars(schema_with = "duration_text::schema")]
    pub max_delay: Duration,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            max_documents: NonZeroUsize::new(16).expect("16 is not zero"),
            max_delay: Duration::from_millis(20),
        }
    }
}

/// When a document of a source counts as seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dedupe {
    /// When its id is known: the same name with the same content; of a record that brings an id,
    /// the same name and that id, whatever it says now.
    #[default]
    Id,
    /// When its content is known, under whatever name.
    Content,
    /// Never.
    Off,
}

/// Whether documents keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// Results come as they are ready.
    #[default]
    None,
    /// Results come in the order in which the source gave the documents.
    PerSource,
}

/// Where documents go that could not be processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QuarantineSettings {
    /// A folder; each document lands there with a file that gives the reason.
    #[schemars(schema_with = "path_schema")]
    pub path: PathBuf,
}

impl Default for QuarantineSettings {
    fn default() -> Self {
        Self { path: "./quarantine".into() }
    }
}

/// What is kept for how long. Nothing is deleted unless it is said here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The archives of all inboxes.
    pub archive: Kept,
    /// The quarantine.
    pub quarantine: Kept,
    /// What was had before, and is recognised when it comes again.
    pub ledger: Remembered,
}

/// How much of a folder is kept; the oldest files go first. Age counts from when a file was put
/// there. It is looked at every hour.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kept {
    /// How long, such as `90days`; for ever if left out.
    #[serde(with = "optional_duration_text")]
    #[schemars(schema_with = "optional_duration_text::schema")]
    pub max_age: Option<Duration>,

    /// How much, such as `10GiB`; everything if left out.
    #[serde(with = "optional_size_text")]
    #[schemars(schema_with = "optional_size_text::schema")]
    pub max_bytes: Option<u64>,
}

/// How many documents are remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Remembered {
    /// How many, for each source and each sink, at least.
    pub max_documents: NonZeroU32,

    /// How long, at least, such as `365days`; for ever if left out.
    #[serde(with = "optional_duration_text")]
    #[schemars(schema_with = "optional_duration_text::schema")]
    pub max_age: Option<Duration>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { max_documents: nonzero(1 << 21), max_age: None }
    }
}

/// What input may be at most; a document beyond a limit is refused, and the reason names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The size of one document.
    #[serde(with = "size_text")]
    #[schemars(schema_with = "size_text::schema")]
    pub max_document_bytes: u64,

    /// The size of a document's text once decoded, its title and what else is said of it included.
    /// The memory that the program takes at most grows with it.
    #[serde(with = "size_text")]
    #[schemars(schema_with = "size_text::schema")]
    pub max_text_bytes: u64,

    /// The size of a compressed file once expanded.
    #[serde(with = "size_text")]
    #[schemars(schema_with = "size_text::schema")]
    pub max_expanded_bytes: u64,

    /// How many times larger than its file a compressed document may become.
    pub max_expanded_ratio: NonZeroU32,

    /// How many records one file may hold.
    pub max_records_per_file: NonZeroU32,

    /// The length of a line of a file with one record a line.
    #[serde(with = "size_text")]
    #[schemars(schema_with = "size_text::schema")]
    pub max_line_bytes: u64,

    /// How deep the values of a JSON document may be nested.
    pub max_json_depth: NonZeroU32,

    /// How many parts a mail may have: bodies, attachments, and what is inside them.
    pub max_mail_parts: NonZeroU32,

    /// How many entities one document may have. A stage that finds more fails on it.
    pub max_entities: NonZeroU32,

    /// How much memory the documents on their way through the pipeline may take before the sources
    /// pause. A document is counted for what it may become, and one that is larger goes alone.
    #[serde(with = "size_text")]
    #[schemars(schema_with = "size_text::schema")]
    pub max_bytes_in_flight: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            max_document_bytes: 16 * MIB,
            max_text_bytes: 4 * MIB,
            max_expanded_bytes: 256 * MIB,
            max_expanded_ratio: nonzero(200),
            max_records_per_file: nonzero(1_000_000),
            max_line_bytes: 16 * MIB,
            max_json_depth: nonzero(64),
            max_mail_parts: nonzero(1000),
            max_entities: nonzero(10_000),
            max_bytes_in_flight: 64 * MIB,
        }
    }
}

/// When results count as written, before the input is archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Commit {
    /// What a result must survive.
    pub durability: Durability,

    /// How many documents are committed together, at most.
    pub max_documents: NonZeroUsize,

    /// How long a document waits for others to be committed with. A group is committed at once
    /// when nothing else waits.
    #[serde(with = "duration_text")]
    #[schemars(schema_with = "duration_text::schema")]
    pub max_delay: Duration,
}

impl Default for Commit {
    fn default() -> Self {
        Self {
            durability: Durability::Batch,
            max_documents: NonZeroUsize::new(256).expect("256 is not zero"),
            max_delay: Duration::from_millis(50),
        }
    }
}

/// What a result must survive before its input is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A loss of power: each document is synced to the disk by itself.
    Strict,
    /// A loss of power: documents are synced to the disk in groups.
    #[default]
    Batch,
    /// The end of the program, but not of the operating system: nothing is synced.
    Os,
}

/// A plugin's name, the path of its library, or the command of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Use {
    /// The name of an installed plugin, or the path of one (with a `/` in it).
    One(#[schemars(length(min = 1))] String),
    /// A program and its arguments.
    Command(#[schemars(length(min = 1))] Vec<String>),
}

/// Health, metrics and dashboard over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// The address to listen on, such as `127.0.0.1:8686`. One that other machines can reach needs
    /// a `token_file`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,

    /// A file that holds the token that callers must show.
    #[serde(default)]
    #[schemars(schema_with = "optional_path_schema")]
    pub token_file: Option<PathBuf>,

    /// Who is told when an actor's stance moves. The dashboard shows it in any case; it needs a
    /// sink of type `sqlite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertSettings>,
}

/// Who is told when an actor's stance moves by more than chance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertSettings {
    /// A file to which each shift is appended as a JSON object on a line.
    #[serde(default)]
    #[schemars(schema_with = "optional_path_schema")]
    pub file: Option<PathBuf>,

    /// An address to which each shift is sent as JSON with POST, such as
    /// `https://example.org/shifts`. Redirects are not followed.
    #[serde(default)]
    pub webhook: Option<String>,

    /// A file that holds a token for `webhook`, which is sent as `Authorization: Bearer TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_path_schema")]
    pub token_file: Option<PathBuf>,

    /// A file with certificates (PEM) that the server's may be signed with, besides those that the
    /// system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_path_schema")]
    pub ca_file: Option<PathBuf>,

    /// How often the store is looked at.
    #[serde(default = "default_alerts_every", with = "duration_text")]
    #[schemars(schema_with = "duration_text::schema")]
    pub every: Duration,

    /// Days that are compared with the three times as many before, here and on the page of shifts.
    #[serde(default = "default_window_days")]
    pub window_days: NonZeroU32,
}

const fn default_alerts_every() -> Duration {
    Duration::from_mins(10)
}

const fn default_window_days() -> NonZeroU32 {
    NonZeroU32::new(30).expect("30 is not zero")
}

const fn nonzero(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("defaults are not zero")
}

fn paths_schema(generator: &mut SchemaGenerator) -> Schema {
    let path = path_schema(generator);
    json_schema!({ "type": "array", "items": path })
}
