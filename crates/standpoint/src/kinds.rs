//! What a pipeline file can name in this build, and whether what it names fits together.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use standpoint_config::{
    Catalogue, Diagnostic, Draft, DraftStage, PipelineFile, PluginReference, Severity, nearest,
};
use standpoint_connectors::files::{FilesSettings, LinesSettings, StdinSettings};
use standpoint_connectors::inbox::InboxSettings;
use standpoint_connectors::jsonl::{JsonlSettings, StdoutSettings};
use standpoint_connectors::postgres::PostgresSettings;
use standpoint_connectors::sqlite::SqliteSettings;
use standpoint_connectors::webhook::WebhookSettings;
use standpoint_document::layers;
use standpoint_stage::check_chain;

use crate::cluster;
use crate::condition::{Condition, word_at};
use crate::objects;
use crate::plugins::{Installed, Plugin, Wanted};

/// What a pipeline file can name, with the schema of its settings.
///
/// - `used`: plugins that the file names; those given by their paths are in no list.
pub(crate) fn catalogue<'p>(
    used: impl Iterator<Item = Wanted<'p>>,
    installed: &Installed,
) -> Catalogue {
    let mut plugins: BTreeMap<String, Value> = installed
        .plugins()
        .iter()
        .map(|plugin| (plugin.name().to_owned(), plugin.settings_schema().clone()))
        .collect();
    for wanted in used {
        if let Ok(plugin) = installed.find(wanted) {
            plugins.insert(wanted.plugin.to_string(), plugin.settings_schema().clone());
        }
    }
    let owned = |schemas: BTreeMap<&str, Value>| {
        schemas.into_iter().map(|(kind, schema)| (kind.to_owned(), schema)).collect()
    };
    Catalogue {
        sources: owned(source_schemas()),
        sinks: owned(sink_schemas()),
        clusters: owned(cluster::schemas()),
        features: FEATURES.iter().map(|(kind, of)| ((*kind).into(), (*of).into())).collect(),
        plugins,
    }
}

/// Types of sources, sinks and clusters that come with a feature of the program.
const FEATURES: &[(&str, &str)] = &[
    ("sink type kafka", "kafka"),
    ("kind of cluster kafka", "kafka"),
    ("sink type nats", "nats"),
    ("kind of cluster nats", "nats"),
    ("sink type objects", "objects"),
    ("source type objects", "objects"),
    ("sink type postgres", "postgres"),
];

/// The source types; a new one adds its line here and in
/// [`Assembly::sources`](crate::assemble::Assembly::sources).
pub(crate) fn source_schemas() -> BTreeMap<&'static str, Value> {
    let mut schemas = BTreeMap::from([
        ("files", schemars::schema_for!(FilesSettings).to_value()),
        ("inbox", schemars::schema_for!(InboxSettings).to_value()),
        ("jsonl", schemars::schema_for!(LinesSettings).to_value()),
        ("stdin", schemars::schema_for!(StdinSettings).to_value()),
    ]);
    schemas.append(&mut objects::source_schemas());
    schemas
}

/// The sink types; a new one adds its line here and in
/// [`Assembly::sinks`](crate::assemble::Assembly::sinks).
pub(crate) fn sink_schemas() -> BTreeMap<&'static str, Value> {
    let mut schemas = BTreeMap::from([
        ("jsonl", schemars::schema_for!(JsonlSettings).to_value()),
        ("sqlite", schemars::schema_for!(SqliteSettings).to_value()),
        ("stdout", schemars::schema_for!(StdoutSettings).to_value()),
        ("webhook", schemars::schema_for!(WebhookSettings).to_value()),
    ]);
    if cfg!(feature = "postgres") {
        schemas.insert("postgres", schemars::schema_for!(PostgresSettings).to_value());
    }
    schemas.append(&mut objects::sink_schemas());
    schemas.append(&mut cluster::sink_schemas());
    schemas
}

/// Checks that every plugin can be read, and that each stage finds what it reads.
pub(crate) fn check_plugins(draft: &mut Draft, stages: &[DraftStage], installed: &Installed) {
    let folder = draft.folder().to_owned();
    let mut chain = Vec::new();
    for stage in stages {
        let wanted = Wanted { plugin: &stage.plugin, runtime: &stage.runtime, folder: &folder };
        let plugin = match (installed.find(wanted), &stage.plugin) {
            (Ok(plugin), _) => Some(plugin),
            // A name that is not installed is among the findings of the settings already.
            (Err(error), PluginReference::Name(name)) if !error.starts_with("`plugins.strict`") => {
                let meant = nearest(name, installed.plugins().iter().map(Plugin::name));
                let is_meant = |plugin: &&Plugin| Some(plugin.name()) == meant;
                installed.plugins().iter().find(is_meant).cloned()
            }
            (Err(error), _) => {
                draft.report(&format!("stages[{}].use", stage.index), error, None);
                None
            }
        };
        // What an unknown plugin writes is unknown, so that only what is before it is checked.
        if let Some(Plugin { manifest, .. }) = plugin
            && chain.len() == stage.index
        {
            chain.push((stage.id.as_str(), manifest.reads, manifest.writes));
        }
    }
    let others: Vec<_> = installed
        .plugins()
        .iter()
        .map(|plugin| (plugin.name().to_owned(), plugin.manifest.writes.clone()))
        .collect();
    for mistake in check_chain(&chain, &others) {
        draft.report(&format!("stages[{}]", mistake.index), mistake.to_string(), None);
    }
    let conditions = draft.conditions();
    for index in 0..chain.len() {
        let key_path = format!("stages[{index}].when");
        let Some((_, text)) = conditions.iter().find(|(path, _)| *path == key_path) else {
            continue;
        };
        let Ok(condition) = Condition::read(text) else { continue };
        for layer in [layers::ENTITIES, layers::SENTIMENT, layers::STANCE] {
            let mut written = chain[..index].iter().flat_map(|(_, _, writes)| writes);
            if condition.speaks_of(layer) && !written.any(|known| known == layer) {
                let message = format!("no stage before this one writes `{layer}`");
                let at = word_at(text, layer);
                draft.report_within(&key_path, Severity::Warning, at, message);
            }
        }
    }
}

/// Stages that are told to judge by the vectors of `encode`, which no stage before them writes:
/// they judge without, and each result says so.
pub(crate) fn blind_judges(file: &PipelineFile, installed: &Installed) -> Vec<Diagnostic> {
    const VECTORS: &str = "standpoint.vectors";
    let folder = file.resolve(Path::new(""));
    let mut found = Vec::new();
    for stage in &file.stages {
        let wanted = Wanted { plugin: &stage.plugin, runtime: &stage.runtime, folder: &folder };
        // What an unknown plugin writes is unknown.
        let Ok(plugin) = installed.find(wanted) else { break };
        if plugin.manifest.writes.iter().any(|layer| layer == VECTORS) {
            break;
        }
        let settings = stage.settings.so_far(plugin.settings_schema());
        let is_neural = settings.get("judge").and_then(Value::as_str) == Some("neural");
        if is_neural && plugin.manifest.reads.iter().any(|layer| layer == VECTORS) {
            let message = "no stage before this one writes vectors to judge by, so that it judges \
                           without the model"
                .to_owned();
            let help = "put `encode` before it, with the same target, or leave `judge` out";
            let mut warning = stage.settings.diagnostic("judge", message, Some(help.to_owned()));
            warning.severity = Severity::Warning;
            found.push(warning);
        }
    }
    found
}

/// Checks that every condition can be read, and can be so. Who is called how in a pipeline's own
/// tables of names is not looked up.
pub(crate) fn check_conditions(draft: &mut Draft) {
    let has_own_names = draft.has_own_names();
    let sources = names_of_sources(draft);
    for (key_path, condition) in draft.conditions() {
        let (severity, found) = match Condition::read(&condition) {
            Err(mistakes) => (Severity::Error, mistakes),
            Ok(mut condition) => {
                for (name, at) in &condition.sources {
                    if let Some(message) = no_source(name, &sources) {
                        draft.report_within(&key_path, Severity::Warning, *at, message);
                    }
                }
                if !has_own_names {
                    condition.doubts.append(&mut condition.doubts_of_ids);
                }
                (Severity::Warning, condition.doubts)
            }
        };
        for mistake in found {
            draft.report_within(&key_path, severity, mistake.at, mistake.to_string());
        }
    }
}

/// The names that sources of documents have in a pipeline; none where these may be any, as in what
/// others publish.
fn names_of_sources(draft: &Draft) -> Vec<String> {
    let sources = draft.sources();
    let is_own = |kind: &str| matches!(kind, "inbox" | "objects" | "files" | "stdin");
    if draft.has("cluster") || !sources.iter().all(|(_, kind)| is_own(kind)) {
        return Vec::new();
    }
    sources.into_iter().map(|(name, _)| name).collect()
}

/// What is wrong with the name of a source, if one of these was meant. What `run` reads is from
/// `run`.
fn no_source(name: &str, sources: &[String]) -> Option<String> {
    let is_none =
        !sources.is_empty() && name != "run" && !sources.iter().any(|known| known == name);
    is_none.then(|| match nearest(name, sources.iter().map(String::as_str)) {
        Some(meant) => format!("no source is called `{name}`; did you mean `{meant}`?"),
        None => format!("no source is called `{name}`; there is {}", sources.join(", ")),
    })
}
