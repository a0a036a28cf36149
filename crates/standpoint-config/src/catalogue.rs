//! What is installed: the connectors and plugins that a pipeline file can name.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::diagnostic::{Diagnostic, Fault, Origin, Place, listed, nearest, quoted};
use crate::own::OwnSettings;
use crate::pipeline::PluginReference;
use crate::settings::FileSettings;
use crate::tree::{Kind, Meaning, Node, join};
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
    /// By what a cluster shares its work over, such as `nats`.
    pub clusters: BTreeMap<String, Value>,
    /// The feature of the program that brings a type of source, sink or cluster that this build
    /// lacks, by what it is and its name, such as `sink type nats`.
    pub features: BTreeMap<String, String>,
    /// By plugin name; for a plugin given by its path or command, by how [`PluginReference`] shows
    /// it.
    pub plugins: BTreeMap<String, Value>,
}

/// Checks the settings of each connector and plugin of `tree` against its schema.
///
/// Works on the tree, not on types, so that it can be done whatever else is wrong with the file.
pub(crate) fn check(
    tree: &Node,
    origin: &Arc<Origin>,
    catalogue: &Catalogue,
    findings: &mut Vec<Diagnostic>,
) {
    let sections = [
        ("sources", "source type", &SOURCE_KEYS[..], &catalogue.sources),
        ("sinks", "sink type", &SINK_KEYS[..], &catalogue.sinks),
    ];
    for (section, what, common, known) in sections {
        for entry in tree.get(section).map_or(&[][..], Node::entries) {
            let Some(kind) = name_at(&entry.value, "type") else { continue };
            let path = join(section, &entry.key);
            let mut schema = known.get(&kind.1);
            if schema.is_none() {
                let fault = lacking(what, &kind.1, catalogue).unwrap_or_else(|| {
                    // A type that is only misspelt hides no mistakes behind it.
                    schema =
                        meant(what, &kind.1, known, catalogue).and_then(|name| known.get(name));
                    unknown(what, &kind.1, known, catalogue)
                });
                findings.push(origin.diagnostic(kind.0, &join(&path, "type"), fault));
            }
            if let Some(schema) = schema {
                let schema = with_common_keys(schema, common);
                OwnSettings::without(&entry.value, common, path, origin).check(&schema, findings);
            }
        }
    }
    for entry in tree.get("cluster").map_or(&[][..], Node::entries) {
        let path = join("cluster", &entry.key);
        if let Some(schema) = catalogue.clusters.get(&entry.key) {
            OwnSettings::without(&entry.value, &[], path, origin).check(schema, findings);
        } else {
            let what = "kind of cluster";
            let fault = lacking(what, &entry.key, catalogue)
                .unwrap_or_else(|| unknown(what, &entry.key, &catalogue.clusters, catalogue));
            findings.push(origin.diagnostic(&entry.place, &path, fault));
        }
    }
    for (index, stage) in tree.get("stages").map_or(&[][..], Node::items).iter().enumerate() {
        let Some(used) = stage.get("use") else { continue };
        let Some(plugin) = PluginReference::read(used, origin) else { continue };
        let mut schema = catalogue.plugins.get(&plugin.to_string());
        if let (None, PluginReference::Name(name)) = (schema, &plugin) {
            let (what, known) = ("plugin", &catalogue.plugins);
            let fault = unknown(what, name, known, catalogue);
            findings.push(origin.diagnostic(&used.place, &format!("stages[{index}].use"), fault));
            // A name that is only misspelt hides no mistakes behind it.
            schema = meant(what, name, known, catalogue).and_then(|name| known.get(name));
        }
        // That it is no map at all was said before.
        if let Some(schema) = schema
            && stage.get("with").is_none_or(|with| matches!(with.kind, Kind::Map(_)))
        {
            let path = format!("stages[{index}].with");
            OwnSettings::of_stage(stage, path, origin).check(schema, findings);
        }
    }
}

/// The name at `key` of a map, if there is one.
fn name_at<'t>(node: &'t Node, key: &str) -> Option<(&'t Place, String)> {
    let value = node.get(key)?;
    let scalar = value.scalar().filter(|scalar| !scalar.broken)?;
    let says_something = scalar.meaning() != Meaning::Nothing && !scalar.text.is_empty();
    says_something.then(|| (&value.place, scalar.text.clone()))
}

/// The name that was probably meant, of this build or of another.
fn meant<'c>(
    what: &str,
    name: &str,
    known: &'c BTreeMap<String, Value>,
    catalogue: &'c Catalogue,
) -> Option<&'c str> {
    let elsewhere = catalogue.features.keys().filter_map(|key| key.strip_prefix(what));
    let elsewhere = elsewhere.filter_map(|key| key.strip_prefix(' '));
    nearest(name, known.keys().map(String::as_str).chain(elsewhere))
}

/// What to say of a type that another build of the program has.
fn lacking(what: &str, name: &str, catalogue: &Catalogue) -> Option<Fault> {
    let help = how_to_have(what, name, catalogue)?;
    Some(Fault::new(format!("this build has no {what} {}", quoted(name))).help(help))
}

fn how_to_have(what: &str, name: &str, catalogue: &Catalogue) -> Option<String> {
    let feature = catalogue.features.get(&format!("{what} {name}"))?;
    Some(format!("build the program with `--features {feature}`"))
}

fn unknown(
    what: &str,
    name: &str,
    known: &BTreeMap<String, Value>,
    catalogue: &Catalogue,
) -> Fault {
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    let meant = meant(what, name, known, catalogue);
    let message = format!("unknown {what} {}", quoted(name));
    let Some(meant) = meant else {
        return Fault::new(message).help(match &names[..] {
            [] => "none is installed".to_owned(),
            names => format!("installed: {}", listed(names, "and")),
        });
    };
    let fault = Fault::new(format!("{message}; did you mean {}?", quoted(meant)));
    match how_to_have(what, meant, catalogue).filter(|_| !names.contains(&meant)) {
        Some(help) => fault.help(help),
        None => fault,
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
    let mut clusters = Map::new();
    for (kind, own) in &catalogue.clusters {
        let name = format!("cluster.{kind}");
        definitions.insert(name.clone(), moved(own, &name));
        clusters.insert(kind.clone(), json!({ "$ref": format!("#/$defs/{name}") }));
    }
    if let Some(cluster) = schema.pointer_mut("/properties/cluster").and_then(Value::as_object_mut)
    {
        cluster.insert("properties".to_owned(), Value::Object(clusters));
        cluster.insert("additionalProperties".to_owned(), Value::Bool(false));
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
