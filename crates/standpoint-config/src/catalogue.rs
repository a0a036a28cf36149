//! What is installed: the connectors and plugins that a pipeline file can name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics, Fault, listed, nearest, quoted};
use crate::pipeline::{PipelineFile, PluginReference};
use crate::settings::FileSettings;
use crate::typed::{SINK_KEYS, SOURCE_KEYS};

/// The JSON Schema of the settings of every source type, sink type and plugin there is.
///
/// Each schema is as `schemars` writes it: an object, its `$ref`s pointing into itself.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// By source type, such as `inbox`.
    pub sources: BTreeMap<String, Value>,
    /// By sink type, such as `jsonl`.
    pub sinks: BTreeMap<String, Value>,
    /// By plugin name; for a plugin given by its path, by that path as
    /// [`PluginReference::Path`] has it.
    pub plugins: BTreeMap<String, Value>,
}

impl PipelineFile {
    /// Checks the settings of each connector and plugin against its schema in `catalogue`.
    ///
    /// A source type, sink type or plugin name that the catalogue lacks is a finding. A plugin
    /// given by its path is checked if the catalogue has that path: whether its library can be
    /// read is for the program to say.
    #[must_use]
    pub fn check_settings(&self, catalogue: &Catalogue) -> Diagnostics {
        let mut findings = Vec::new();
        for source in &self.sources {
            let path = format!("sources.{}.type", source.name);
            match catalogue.sources.get(&source.kind) {
                Some(schema) => {
                    let schema = with_common_keys(schema, &SOURCE_KEYS);
                    source.settings.check(&schema, &mut findings);
                }
                None => findings.push(self.unknown(
                    "source type",
                    &source.kind,
                    &path,
                    &catalogue.sources,
                )),
            }
        }
        for sink in &self.sinks {
            let path = format!("sinks.{}.type", sink.name);
            match catalogue.sinks.get(&sink.kind) {
                Some(schema) => {
                    let schema = with_common_keys(schema, &SINK_KEYS);
                    sink.settings.check(&schema, &mut findings);
                }
                None => {
                    findings.push(self.unknown("sink type", &sink.kind, &path, &catalogue.sinks));
                }
            }
        }
        for (index, stage) in self.stages.iter().enumerate() {
            match (catalogue.plugins.get(&stage.plugin.to_string()), &stage.plugin) {
                (Some(schema), _) => {
                    stage.settings.check(schema, &mut findings);
                }
                (None, PluginReference::Path(_)) => {}
                (None, PluginReference::Name(name)) => {
                    let path = format!("stages[{index}].use");
                    findings.push(self.unknown("plugin", name, &path, &catalogue.plugins));
                }
            }
        }
        findings.into()
    }

    fn unknown(
        &self,
        what: &str,
        name: &str,
        key_path: &str,
        known: &BTreeMap<String, Value>,
    ) -> Diagnostic {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        let message = format!("unknown {what} {}", quoted(name));
        let fault = match nearest(name, names.iter().copied()) {
            Some(meant) => Fault::new(format!("{message}; did you mean {}?", quoted(meant))),
            None if names.is_empty() => Fault::new(message).help("none is installed"),
            None => Fault::new(message).help(format!("installed: {}", listed(&names, "and"))),
        };
        self.diagnostic(key_path, fault.message, fault.help)
    }
}

/// `schema` with the keys that every connector has, so that a misspelt one is recognised.
fn with_common_keys(schema: &Value, common: &[&str]) -> Value {
    let mut schema = schema.clone();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for key in common {
            properties.entry((*key).to_owned()).or_insert(Value::Bool(true));
        }
    }
    schema
}

/// The JSON Schema of a whole pipeline file, with the settings of everything in `catalogue`.
#[must_use]
pub fn schema(catalogue: &Catalogue) -> Value {
    let mut schema = schemars::schema_for!(FileSettings).to_value();
    let mut definitions = Map::new();
    for (section, entry, known) in
        [("sources", "SourceEntry", &catalogue.sources), ("sinks", "SinkEntry", &catalogue.sinks)]
    {
        let Some(common) = schema.pointer(&format!("/$defs/{entry}")).cloned() else { continue };
        let mut branches = Vec::new();
        for (kind, own) in known {
            let name = format!("{entry}.{kind}");
            definitions.insert(name.clone(), connector_schema(&common, own, kind, &name));
            branches.push(json!({ "$ref": format!("#/$defs/{name}") }));
        }
        if !branches.is_empty()
            && let Some(entries) = schema.pointer_mut(&format!("/properties/{section}"))
        {
            entries["additionalProperties"] = json!({ "oneOf": branches });
        }
    }
    let mut plugins = Vec::new();
    for (plugin, own) in &catalogue.plugins {
        let name = format!("plugin.{plugin}");
        definitions.insert(name.clone(), moved(own, &name));
        plugins.push(json!({
            "if": { "properties": { "use": { "const": plugin } }, "required": ["use"] },
            "then": { "properties": { "with": { "$ref": reference(&name) } } },
        }));
    }
    if !plugins.is_empty()
        && let Some(stage) = schema.pointer_mut("/$defs/StageEntry")
    {
        stage["allOf"] = Value::Array(plugins);
    }
    if let Some(known) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        known.extend(definitions);
    }
    schema
}

/// What all connectors may say and what this one may say, in one closed map.
fn connector_schema(common: &Value, own: &Value, kind: &str, name: &str) -> Value {
    let mut schema = moved(own, name);
    let required = ["type"].into_iter().map(Value::from);
    let own_required = own.get("required").and_then(Value::as_array).into_iter().flatten().cloned();
    schema["required"] = required.chain(own_required).collect();
    let mut properties = common.get("properties").cloned().unwrap_or_default();
    if let (Some(all), Some(own)) =
        (properties.as_object_mut(), schema.get("properties").and_then(Value::as_object))
    {
        all.extend(own.clone());
        all.insert("type".to_owned(), json!({ "const": kind }));
    }
    schema["properties"] = properties;
    schema
}

/// `schema` with its references pointing to where it will stand among the definitions.
fn moved(schema: &Value, name: &str) -> Value {
    let mut moved = schema.clone();
    if let Some(fields) = moved.as_object_mut() {
        fields.remove("$schema");
    }
    move_references(&mut moved, &reference(name));
    moved
}

fn move_references(schema: &mut Value, to: &str) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(target) if key == "$ref" && target.starts_with('#') => {
                        *target = format!("{to}{}", &target[1..]);
                    }
                    _ => move_references(value, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, to)),
        _ => {}
    }
}

/// The `$ref` of a definition; `~` and `/` are escaped as JSON Pointers demand.
fn reference(name: &str) -> String {
    format!("#/$defs/{}", name.replace('~', "~0").replace('/', "~1"))
}
