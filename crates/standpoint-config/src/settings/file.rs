//! The whole file: its top, and the entries of sources, stages and sinks.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Batch, Commit, Concurrency, Dedupe, Limits, OnError, Ordering, PluginSettings,
    QuarantineSettings, Retention, ServerSettings, StageDefaults, Use, nonzero,
};
use crate::routing::{PipelineTest, Route};
use crate::runtimes::{PluginLimits, Restart, Runtime};
use crate::units::{DurationRange, duration_text, optional_duration_text, path_schema};

/// A pipeline: where documents come from, which stages read them, where results go.
///
/// This is the file as written; [`PipelineFile`](crate::PipelineFile) is what programs use.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Standpoint pipeline file")]
pub(crate) struct FileSettings {
    /// The version of this format; always 1.
    pub(crate) version: u32,

    /// What the pipeline is called in results, logs and metrics. The name of the file if left out.
    #[serde(default)]
    pub(crate) name: Option<String>,

    /// A folder of the pipeline's own: ledger, control socket, caches.
    #[serde(default = "default_data_dir")]
    #[schemars(schema_with = "path_schema")]
    pub(crate) data_dir: PathBuf,

    /// Where plugins are looked for.
    #[serde(default)]
    pub(crate) plugins: PluginSettings,

    /// What holds for each stage that does not say otherwise.
    #[serde(default)]
    pub(crate) defaults: StageDefaults,

    /// Where documents come from, by a name of your choice.
    #[serde(default)]
    pub(crate) sources: BTreeMap<String, SourceEntry>,

    /// What is done with each document, in this order.
    #[schemars(schema_with = "stages_schema")]
    pub(crate) stages: Vec<StageEntry>,

    /// Where results go, by a name of your choice. Every result goes to every sink, unless `routes`
    /// say otherwise.
    #[serde(default)]
    pub(crate) sinks: BTreeMap<String, SinkEntry>,

    /// Where documents go that could not be processed.
    #[serde(default)]
    pub(crate) quarantine: QuarantineSettings,

    /// What input may be at most.
    #[serde(default)]
    pub(crate) limits: Limits,

    /// When results count as written.
    #[serde(default)]
    pub(crate) commit: Commit,

    /// What is kept for how long.
    #[serde(default)]
    pub(crate) retention: Retention,

    /// How long documents that are on their way may take to finish after a request to stop.
    #[serde(default = "default_shutdown_timeout", with = "duration_text")]
    #[schemars(schema_with = "duration_text::schema")]
    pub(crate) shutdown_timeout: Duration,

    /// Health, metrics and dashboard over HTTP; leave out for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<ServerSettings>,

    /// Which documents go to which sinks. A document goes to the sinks of every route whose
    /// condition holds; left out, every document goes to every sink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "routes_schema")]
    pub(crate) routes: Option<Vec<Route>>,

    /// Texts and what the pipeline should say about them; `standpoint test` runs them.
    #[serde(default)]
    pub(crate) tests: Vec<PipelineTest>,

    /// Makes the daemon one of many workers that share a stream of documents; the sources are not
    /// used then. One entry, which says how they share it: `nats` or `kafka`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<BTreeMap<String, Value>>,
}

/// What every source may say, beside the settings of its type.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SourceEntry {
    /// What kind of source it is, such as `inbox`.
    #[serde(rename = "type")]
    pub(crate) kind: String,

    /// When a document counts as seen before, so that it is not processed again.
    #[serde(default)]
    pub(crate) dedupe: Dedupe,

    /// Whether results keep the order of the documents.
    #[serde(default)]
    pub(crate) ordering: Ordering,

    /// How often a document may be started, across restarts, before it goes to quarantine: the
    /// guard against a document that ends the program.
    #[serde(default = "default_source_attempts")]
    pub(crate) max_attempts: NonZeroU32,
}

/// What every sink may say, beside the settings of its type.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SinkEntry {
    /// What kind of sink it is, such as `jsonl`.
    #[serde(rename = "type")]
    pub(crate) kind: String,

    /// Whether a document is done only once this sink has it. Documents do not wait for one that is
    /// not required: what comes while it is too slow, or after it has failed, it misses.
    #[serde(default = "yes")]
    pub(crate) required: bool,
}

const fn yes() -> bool {
    true
}

/// One stage of the chain. A name alone is short for `{ use: name }`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageEntry {
    /// The name of an installed plugin, the path of one (with a `/` in it), or the command of a
    /// program as a list.
    #[serde(rename = "use")]
    pub(crate) plugin: Use,

    /// What the stage is called in results, logs and metrics; the plugin's name if left out.
    /// Needed when a plugin is used twice.
    #[serde(default)]
    pub(crate) id: Option<String>,

    /// The plugin's own settings.
    #[serde(default)]
    pub(crate) with: serde_json::Map<String, Value>,

    /// A condition over the document (CEL); the stage passes over documents where it is false.
    #[serde(default)]
    pub(crate) when: Option<String>,

    /// How many documents the stage works on at a time: `auto`, or a number.
    #[serde(default)]
    pub(crate) concurrency: Concurrency,

    /// Collects documents and gives them to the stage at once; leave out for one at a time.
    #[serde(default)]
    pub(crate) batch: Option<Batch>,

    /// How long the stage may take for one document; `defaults.timeout` if left out.
    #[serde(default, with = "optional_duration_text")]
    #[schemars(schema_with = "optional_duration_text::schema")]
    pub(crate) timeout: Option<Duration>,

    /// How often and when the stage is tried again; what is left out comes from `defaults.retry`.
    #[serde(default)]
    pub(crate) retry: Option<StageRetry>,

    /// What happens to a document that the stage fails on; `defaults.on_error` if left out.
    #[serde(default)]
    pub(crate) on_error: Option<OnError>,

    /// The SHA-256 digest of the plugin's library, in hex; another library is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,

    /// How the plugin is run; left out, libraries run natively, `.wasm` files in the sandbox, and
    /// commands and other files as programs.
    #[serde(default)]
    pub(crate) runtime: Option<Runtime>,

    /// How many processes a program has, each for one document at a time; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) processes: Option<NonZeroUsize>,

    /// What follows when a program's process ends that should not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restart: Option<Restart>,

    /// The whole environment of a program's processes; they get nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) env: Option<BTreeMap<String, String>>,

    /// What one process of a program, or one instance of a module, may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<PluginLimits>,
}

/// A stage's `retry`, of which any part may be left to the defaults.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageRetry {
    /// How often it is tried in all; 1 is never again.
    #[serde(default)]
    pub(crate) max_attempts: Option<NonZeroU32>,

    /// How long to wait before the next attempt.
    #[serde(default)]
    pub(crate) backoff: Option<DurationRange>,
}

/// The version of the format that this build reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

fn default_data_dir() -> PathBuf {
    "./state".into()
}

const fn default_shutdown_timeout() -> Duration {
    Duration::from_secs(30)
}

fn default_source_attempts() -> NonZeroU32 {
    nonzero(3)
}

fn routes_schema(generator: &mut SchemaGenerator) -> Schema {
    let route = generator.subschema_for::<Route>();
    json_schema!({ "type": "array", "minItems": 1, "items": route })
}

/// The short form is unfolded before a file is checked, so the schema knows both.
fn stages_schema(generator: &mut SchemaGenerator) -> Schema {
    let stage = generator.subschema_for::<StageEntry>();
    json_schema!({
        "type": "array",
        "minItems": 1,
        "items": { "anyOf": [{ "type": "string", "minLength": 1 }, stage] },
    })
}

/// The defaults of everything at the top of a file: the lowest of its layers.
pub(crate) fn defaults() -> Value {
    let file = FileSettings {
        version: FORMAT_VERSION,
        name: None,
        data_dir: default_data_dir(),
        plugins: PluginSettings::default(),
        defaults: StageDefaults::default(),
        sources: BTreeMap::new(),
        stages: Vec::new(),
        sinks: BTreeMap::new(),
        quarantine: QuarantineSettings::default(),
        limits: Limits::default(),
        commit: Commit::default(),
        retention: Retention::default(),
        shutdown_timeout: default_shutdown_timeout(),
        server: None,
        routes: None,
        tests: Vec::new(),
        cluster: None,
    };
    let mut defaults = serde_json::to_value(file).unwrap_or_default();
    if let Some(fields) = defaults.as_object_mut() {
        // These have no default: a file must say them, or is named after itself.
        for key in ["version", "name", "stages", "tests"] {
            fields.remove(key);
        }
    }
    defaults
}
