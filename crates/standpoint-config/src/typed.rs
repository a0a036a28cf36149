//! From a tree to a typed pipeline: everything is checked, then everything is read.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::check;
use crate::diagnostic::{Diagnostic, Fault, Origin, Place};
use crate::own::OwnSettings;
use crate::pipeline::{
    ClusterSettings, PipelineFile, PluginReference, SinkSettings, SourceSettings, StageSettings,
};
use crate::runtimes::RuntimeSettings;
use crate::settings::{
    FileSettings, Retry, SinkEntry, SourceEntry, StageDefaults, StageEntry, Use,
};
use crate::tree::{Entry, Node, join};
use crate::{routing, rules, runtimes};

/// What the pipeline's own schema makes of `tree`; what cannot be read in it is null.
pub(crate) fn check(tree: &Node, origin: &Origin, findings: &mut Vec<Diagnostic>) -> Value {
    let schema = schemars::schema_for!(FileSettings).to_value();
    let checked = check::check(tree, "", &schema, origin, findings);
    rules::check(tree, origin, findings);
    routing::check(tree, origin, findings);
    runtimes::check(tree, origin, findings);
    checked
}

/// The names of the sections that a pipeline file may have.
pub(crate) fn sections() -> Vec<String> {
    let schema = schemars::schema_for!(FileSettings).to_value();
    let sections = schema.get("properties").and_then(Value::as_object);
    sections.into_iter().flat_map(|sections| sections.keys().cloned()).collect()
}

/// The typed pipeline of a tree without mistakes; `None` when `findings` say why there is none.
pub(crate) fn pipeline(
    tree: Node,
    checked: &Value,
    origin: &Arc<Origin>,
    findings: &mut Vec<Diagnostic>,
) -> Option<PipelineFile> {
    let mut read = Reading { origin, findings };
    let file: FileSettings = read.section(checked, &Place::Nowhere, "")?;
    let sources = source_settings(&tree, checked, &mut read);
    let sinks = sink_settings(&tree, checked, &mut read);
    let stages = tree.get("stages").map_or(&[][..], Node::items);
    let stages = stages
        .iter()
        .zip(file.stages)
        .enumerate()
        .map(|(index, (node, stage))| stage_settings(index, node, stage, &file.defaults, origin))
        .collect();
    Some(PipelineFile {
        name: file.name.unwrap_or_else(|| rules::name_of_file(&origin.name)),
        data_dir: file.data_dir,
        plugins: file.plugins,
        defaults: file.defaults,
        sources,
        stages,
        sinks,
        quarantine: file.quarantine,
        limits: file.limits,
        commit: file.commit,
        retention: file.retention,
        shutdown_timeout: file.shutdown_timeout,
        server: file.server,
        routes: file.routes.unwrap_or_default(),
        tests: file.tests,
        cluster: cluster_settings(&tree, origin),
        tree,
        origin: Arc::clone(origin),
    })
}

struct Reading<'a> {
    origin: &'a Arc<Origin>,
    findings: &'a mut Vec<Diagnostic>,
}

impl Reading<'_> {
    /// A part of the file in its type. The schema was derived from the type, so that this fails
    /// only where a type is stricter than its schema can say.
    fn section<T: DeserializeOwned>(
        &mut self,
        value: &Value,
        place: &Place,
        path: &str,
    ) -> Option<T> {
        T::deserialize(value)
            .map_err(|error| {
                let fault = Fault::new(error.to_string());
                self.findings.push(self.origin.diagnostic(place, path, fault));
            })
            .ok()
    }
}

fn source_settings(tree: &Node, checked: &Value, read: &mut Reading<'_>) -> Vec<SourceSettings> {
    let entries = tree.get("sources").map_or(&[][..], Node::entries);
    let source = |entry: &Entry| {
        let value = &checked["sources"][&entry.key];
        let path = join("sources", &entry.key);
        let common: SourceEntry = read.section(value, &entry.place, &path)?;
        Some(SourceSettings {
            name: entry.key.clone(),
            kind: common.kind,
            dedupe: common.dedupe,
            ordering: common.ordering,
            max_attempts: common.max_attempts,
            settings: OwnSettings::without(&entry.value, &SOURCE_KEYS, path, read.origin),
        })
    };
    entries.iter().filter_map(source).collect()
}

fn sink_settings(tree: &Node, checked: &Value, read: &mut Reading<'_>) -> Vec<SinkSettings> {
    let entries = tree.get("sinks").map_or(&[][..], Node::entries);
    let sink = |entry: &Entry| {
        let value = &checked["sinks"][&entry.key];
        let path = join("sinks", &entry.key);
        let common: SinkEntry = read.section(value, &entry.place, &path)?;
        Some(SinkSettings {
            name: entry.key.clone(),
            kind: common.kind,
            required: common.required,
            settings: OwnSettings::without(&entry.value, &SINK_KEYS, path, read.origin),
        })
    };
    entries.iter().filter_map(sink).collect()
}

/// That there is one entry at most was checked before.
fn cluster_settings(tree: &Node, origin: &Arc<Origin>) -> Option<ClusterSettings> {
    let entry = tree.get("cluster").map_or(&[][..], Node::entries).first()?;
    let path = join("cluster", &entry.key);
    let settings = OwnSettings::without(&entry.value, &[], path, origin);
    Some(ClusterSettings { kind: entry.key.clone(), settings })
}

/// The keys of a source that do not belong to its type.
pub(crate) const SOURCE_KEYS: [&str; 4] = ["type", "dedupe", "ordering", "max_attempts"];
/// The keys of a sink that do not belong to its type.
pub(crate) const SINK_KEYS: [&str; 2] = ["type", "required"];

fn stage_settings(
    index: usize,
    node: &Node,
    stage: StageEntry,
    defaults: &StageDefaults,
    origin: &Arc<Origin>,
) -> StageSettings {
    let plugin = match &stage.plugin {
        Use::One(text) => PluginReference::new(text, origin),
        Use::Command(words) => PluginReference::Command(words.clone()),
    };
    let runtime = serde_json::to_value(&stage).unwrap_or_default();
    let runtime = RuntimeSettings::of(&plugin, &runtime);
    let retry = stage.retry.map_or_else(
        || defaults.retry.clone(),
        |retry| Retry {
            max_attempts: retry.max_attempts.unwrap_or(defaults.retry.max_attempts),
            backoff: retry.backoff.unwrap_or(defaults.retry.backoff),
        },
    );
    StageSettings {
        id: stage.id.unwrap_or_else(|| plugin.default_id()),
        plugin,
        settings: OwnSettings::of_stage(node, format!("stages[{index}].with"), origin),
        when: stage.when,
        sha256: stage.sha256,
        runtime,
        concurrency: stage.concurrency,
        batch: stage.batch,
        timeout: stage.timeout.unwrap_or(defaults.timeout),
        retry,
        on_error: stage.on_error.unwrap_or(defaults.on_error),
    }
}
