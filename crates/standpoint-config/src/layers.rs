//! Lays the environment and the flags over the file, and the file over the defaults.
//!
//! The `config` crate decides which layer wins. It forgets where a value was written, so each
//! value carries the number of its leaf through the merge, and the winner is looked up again.

use std::collections::BTreeMap;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};

use crate::diagnostic::{Diagnostic, Fault, Origin, Place, quoted};
use crate::tree::{Entry, Kind, Meaning, Node, Scalar};
use crate::yaml;

/// The prefix of environment variables that change settings; `__` separates the keys.
pub const ENVIRONMENT_PREFIX: &str = "STANDPOINT__";

/// The environment variables that a pipeline file may use.
///
/// They are handed in rather than read, so that a test can have its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// An environment without variables.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The environment of this process; variables that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The same without what is set in the sections that `left_out` names.
    pub(crate) fn without_sections(&self, left_out: impl Fn(&str) -> bool) -> Self {
        let sets_one = |name: &str| {
            let section = name.strip_prefix(ENVIRONMENT_PREFIX)?.split("__").next()?;
            Some(left_out(&section.to_lowercase()))
        };
        let mut kept = self.clone();
        kept.variables.retain(|name, _| sets_one(name) != Some(true));
        kept
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let pairs = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: pairs.collect() }
    }
}

/// One `--set key.path=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The keys, outermost first.
    pub keys: Vec<String>,
    /// The value, read as YAML would: a scalar, or a list or map in `[ ]` or `{ }`.
    pub value: String,
}

impl Override {
    /// Reads what follows `--set`, such as `sinks.results.path=./out.jsonl`.
    ///
    /// Returns `None` when there is no `=`, or a key is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (keys, value) = text.split_once('=')?;
        let keys: Vec<String> = keys.split('.').map(|key| key.trim().to_owned()).collect();
        let complete = keys.iter().all(|key| !key.is_empty());
        complete.then(|| Self { keys, value: value.to_owned() })
    }
}

/// The layers of a pipeline, from the lowest to the highest, as one tree.
pub(crate) fn merge(
    defaults: Node,
    file: Node,
    environment: &Environment,
    overrides: &[Override],
    origin: &Origin,
    findings: &mut Vec<Diagnostic>,
) -> Node {
    let mut layers = vec![defaults, file];
    for (name, value) in &environment.variables {
        let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
        let keys = path.split("__").map(str::to_lowercase).collect();
        layers.extend(layer(name, keys, value, &layers, origin, findings));
    }
    for Override { keys, value } in overrides {
        let name = format!("--set {}", keys.join("."));
        layers.extend(layer(&name, keys.clone(), value, &layers, origin, findings));
    }
    match merge_layers(&layers) {
        Ok(merged) => merged,
        Err(error) => {
            let fault = Fault::new(format!("the layers of settings do not merge: {error}"));
            findings.push(origin.diagnostic(&Place::Nowhere, "", fault));
            layers.swap_remove(1)
        }
    }
}

/// The tree that one variable or flag stands for.
fn layer(
    name: &str,
    mut keys: Vec<String>,
    value: &str,
    below: &[Node],
    origin: &Origin,
    findings: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let place = Place::Override(name.to_owned());
    let mut refuse = |key_path: &str, fault| {
        findings.push(origin.diagnostic(&place, key_path, fault));
        None
    };
    if keys.iter().any(String::is_empty) {
        let fault = Fault::new("an empty key");
        return refuse("", fault.help("write `STANDPOINT__A__B` for the key `b` of `a`"));
    }
    if let Err(list) = spell_as_below(&mut keys, below) {
        let fault = Fault::new(format!(
            "{} is a list, whose items can only be set in the file",
            quoted(&list)
        ));
        return refuse(&list, fault.help("replace the list as a whole, with a value in `[ ]`"));
    }
    let mut node = match parse_value(value, &place) {
        Ok(node) => node,
        Err(reason) => return refuse(&keys.join("."), Fault::new(reason)),
    };
    for key in keys.into_iter().rev() {
        let entry = Entry { key, place: place.clone(), value: node };
        node = Node::map(place.clone(), vec![entry]);
    }
    Some(node)
}

/// Spells `keys` as the layers below do (variables have no lower case, and no hyphens).
///
/// Fails with the path of a list that the keys would lead into.
fn spell_as_below(keys: &mut [String], below: &[Node]) -> Result<(), String> {
    let folded = |key: &str| key.to_lowercase().replace('-', "_");
    let mut here: Vec<&Node> = below.iter().collect();
    for index in 0..keys.len() {
        if here.iter().any(|node| matches!(node.kind, Kind::List(_))) {
            return Err(keys[..index].join("."));
        }
        let known = here.iter().flat_map(|node| node.entries()).map(|entry| &entry.key);
        let exact = known.clone().any(|key| *key == keys[index]);
        if !exact && let Some(key) = known.clone().find(|key| folded(key) == folded(&keys[index])) {
            keys[index].clone_from(key);
        }
        here = here.iter().filter_map(|node| node.get(&keys[index])).collect();
    }
    Ok(())
}

fn parse_value(value: &str, place: &Place) -> Result<Node, String> {
    let trimmed = value.trim();
    if !trimmed.starts_with(['[', '{', '"', '\'']) {
        let scalar = Scalar { text: trimmed.to_owned(), plain: true, ..Scalar::default() };
        return Ok(Node { place: place.clone(), kind: Kind::Scalar(scalar) });
    }
    let origin = Origin::new(String::new(), std::path::PathBuf::new(), trimmed);
    let mut findings = Vec::new();
    let node = yaml::read(trimmed, &origin, &mut findings);
    match (node, findings.first()) {
        (Some(mut node), None) => {
            place_everywhere(&mut node, place);
            Ok(node)
        }
        (_, finding) => Err(finding.map_or_else(|| "no value".to_owned(), |f| f.message.clone())),
    }
}

fn place_everywhere(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| place_everywhere(item, place)),
        Kind::Map(entries) => {
            for entry in entries {
                entry.place = place.clone();
                place_everywhere(&mut entry.value, place);
            }
        }
    }
}

/// The one key above each layer: `config` would take a `.` in a topmost key for a path.
const ROOT: &str = "pipeline";

fn merge_layers(layers: &[Node]) -> Result<Node, ConfigError> {
    let mut leaves = Vec::new();
    let mut builder = Config::builder();
    for layer in layers {
        let tree = to_config(layer, &mut leaves);
        builder = builder.add_source(Layer { tree });
    }
    let merged = builder.build()?;
    let root = merged.cache.into_table()?.remove(ROOT).unwrap_or_default();
    // The file's order comes first, because it is the one that its author sees.
    let (defaults, rest) = layers.split_at(1);
    let in_order: Vec<&Node> = rest.iter().chain(defaults).collect();
    Ok(rebuild(&root, &in_order, &leaves))
}

#[derive(Debug, Clone)]
struct Layer {
    tree: Value,
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok([(ROOT.to_owned(), self.tree.clone())].into_iter().collect())
    }
}

/// `node` as the `config` crate sees it; scalars and lists are leaves, named by their number.
fn to_config<'a>(node: &'a Node, leaves: &mut Vec<&'a Node>) -> Value {
    if let Kind::Map(entries) = &node.kind {
        let pairs =
            entries.iter().map(|entry| (entry.key.clone(), to_config(&entry.value, leaves)));
        let table: Map<String, Value> = pairs.collect();
        return Value::new(None, ValueKind::Table(table));
    }
    leaves.push(node);
    let number = (leaves.len() - 1).to_string();
    let kind = match &node.kind {
        Kind::Scalar(scalar) => match scalar.meaning() {
            Meaning::Nothing => ValueKind::Nil,
            Meaning::Boolean(value) => ValueKind::Boolean(value),
            Meaning::Integer(value) => ValueKind::I128(value),
            Meaning::Float(value) => ValueKind::Float(value),
            Meaning::Text(text) => ValueKind::String(text.to_owned()),
        },
        // A list is replaced as a whole, so its items need no names of their own.
        Kind::List(_) | Kind::Map(_) => ValueKind::Array(Vec::new()),
    };
    Value::new(Some(&number), kind)
}

/// The merged tree with the places of the winners; keys in the order of `layers`.
fn rebuild(merged: &Value, layers: &[&Node], leaves: &[&Node]) -> Node {
    let ValueKind::Table(table) = &merged.kind else {
        let leaf = merged.origin().and_then(|number| leaves.get(number.parse::<usize>().ok()?));
        // Every leaf was given a number; a value without one can only be the empty root.
        return leaf.map_or_else(|| Node::map(Place::Nowhere, Vec::new()), |leaf| (*leaf).clone());
    };
    let place = layers
        .iter()
        .find(|layer| matches!(layer.kind, Kind::Map(_)))
        .map_or(Place::Nowhere, |layer| layer.place.clone());
    let mut entries: Vec<Entry> = Vec::with_capacity(table.len());
    for entry in layers.iter().flat_map(|layer| layer.entries()) {
        let is_new = !entries.iter().any(|known| known.key == entry.key);
        if let Some(value) = table.get(&entry.key).filter(|_| is_new) {
            let below: Vec<&Node> =
                layers.iter().filter_map(|layer| layer.get(&entry.key)).collect();
            entries.push(Entry {
                key: entry.key.clone(),
                place: entry.place.clone(),
                value: rebuild(value, &below, leaves),
            });
        }
    }
    Node { place, kind: Kind::Map(entries) }
}
