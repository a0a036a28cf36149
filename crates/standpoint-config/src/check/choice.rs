//! Schemas with alternatives: finds the one that was meant, so that its complaints are told.

use serde_json::{Map, Value};

use crate::check::{
    Checker, Found, accepts, allowed_values, expectation, shown, unknown_key, unknown_value,
};
use crate::diagnostic::{Fault, listed, quoted};
use crate::tree::{Kind, Meaning, Node, join};

/// What one alternative makes of a value.
struct Attempt<'a> {
    keywords: &'a Map<String, Value>,
    value: Value,
    faults: Vec<Found>,
}

impl Attempt<'_> {
    /// Whether the value is of the right kind, but wrong in some part.
    fn is_near(&self, path: &str) -> bool {
        !self.faults.iter().any(|found| found.is_mismatch && found.key_path == path)
    }
}

impl<'a> Checker<'a> {
    /// Takes the first of `branches` that the node fits, or complains as the nearest one does.
    pub(super) fn choose(
        &mut self,
        node: &Node,
        path: &str,
        branches: &'a [Value],
        depth: usize,
    ) -> Value {
        let mut flat = Vec::new();
        self.flatten(branches, depth, &mut flat);
        let mut attempts = Vec::with_capacity(flat.len());
        for branch in flat {
            let mut trial = Checker { root: self.root, origin: self.origin, faults: Vec::new() };
            let value = trial.check(node, path, branch, depth + 1);
            if trial.faults.is_empty() {
                return value;
            }
            if let Some(keywords) = branch.as_object() {
                attempts.push(Attempt { keywords, value, faults: trial.faults });
            }
        }
        let meant = attempts.iter().position(|attempt| names_the_same(node, attempt.keywords));
        if let Some(fault) = unnamed(node, path, &attempts).filter(|_| meant.is_none()) {
            self.report_mismatch(node, path, fault);
            return Value::Null;
        }
        let near = |attempt: &&Attempt<'_>| attempt.is_near(path);
        let nearest = meant.or_else(|| {
            let fewest = attempts.iter().filter(near).map(|attempt| attempt.faults.len()).min()?;
            attempts
                .iter()
                .position(|attempt| attempt.is_near(path) && attempt.faults.len() == fewest)
        });
        let Some(index) = nearest else {
            let fault = none_fits(node, path, &attempts);
            self.report_mismatch(node, path, fault);
            return Value::Null;
        };
        let attempt = attempts.swap_remove(index);
        self.faults.extend(attempt.faults);
        attempt.value
    }

    /// The alternatives of alternatives, in one list.
    fn flatten(&self, branches: &'a [Value], depth: usize, flat: &mut Vec<&'a Value>) {
        for branch in branches {
            let branch = self.followed(branch);
            let inner = branch.as_object().and_then(super::branches_of);
            match inner {
                Some(inner) if depth < super::MAX_SCHEMA_DEPTH => {
                    self.flatten(inner, depth + 1, flat);
                }
                _ => flat.push(branch),
            }
        }
    }
}

/// The complaint about a map that names none of the alternatives, where each has one name:
/// `{ archive: ... }` or `{ delete: ... }`, or `{ kind: a }` and `{ kind: b }`.
fn unnamed(node: &Node, path: &str, attempts: &[Attempt<'_>]) -> Option<Fault> {
    let Kind::Map(entries) = &node.kind else { return None };
    let maps: Vec<_> = attempts.iter().filter(|a| accepts(a.keywords, "object")).collect();
    if maps.len() < 2 {
        return None;
    }
    let tags: Vec<_> = maps.iter().filter_map(|attempt| tag_of(attempt.keywords)).collect();
    if tags.len() == maps.len() {
        let (key, _) = tags[0];
        let scalar = node.get(key).and_then(Node::scalar);
        let names: Vec<&Value> = tags.iter().map(|(_, name)| *name).collect();
        return Some(match scalar {
            Some(scalar) => unknown_value(scalar, &join(path, key), &names),
            None => Fault::new(format!("the key {} is missing", quoted(key))),
        });
    }
    let names: Vec<&str> = maps.iter().filter_map(|a| only_key(a.keywords)).collect();
    if names.len() < maps.len() {
        return None;
    }
    Some(match entries.first() {
        Some(entry) => unknown_key(&entry.key, &names),
        None => Fault::new(format!("expected one of the keys {}", listed(&names, "or"))),
    })
}

/// Whether a map says by its tag, or by its one key, that it means this alternative.
fn names_the_same(node: &Node, keywords: &Map<String, Value>) -> bool {
    if let Some((key, name)) = tag_of(keywords) {
        let found = node.get(key).and_then(Node::scalar).map(|scalar| scalar.text.as_str());
        return found.is_some() && found == name.as_str();
    }
    only_key(keywords).is_some_and(|key| node.get(key).is_some())
}

/// The property that has one fixed value.
fn tag_of(keywords: &Map<String, Value>) -> Option<(&str, &Value)> {
    let properties = keywords.get("properties")?.as_object()?;
    properties.iter().find_map(|(key, schema)| Some((key.as_str(), schema.get("const")?)))
}

/// The one key that a map must have and the only one that it may.
fn only_key(keywords: &Map<String, Value>) -> Option<&str> {
    let properties = keywords.get("properties")?.as_object()?;
    let required = keywords.get("required")?.as_array()?;
    match (properties.len(), required.as_slice()) {
        (1, [key]) => key.as_str(),
        _ => None,
    }
}

/// The complaint when a value is of another kind than each alternative.
fn none_fits(node: &Node, path: &str, attempts: &[Attempt<'_>]) -> Fault {
    let names: Vec<&Value> = attempts
        .iter()
        .filter_map(|attempt| allowed_values(attempt.keywords))
        .flatten()
        .filter(|value| !value.is_null())
        .collect();
    let others: Vec<String> = attempts
        .iter()
        .filter(|attempt| allowed_values(attempt.keywords).is_none())
        .map(|attempt| match only_key(attempt.keywords) {
            Some(key) => format!("`{{ {key}: … }}`"),
            None => expectation(attempt.keywords),
        })
        .filter(|words| words != "nothing")
        .collect();
    let mut expected: Vec<String> =
        names.iter().filter_map(|name| name.as_str()).map(quoted).collect();
    if let (Some(scalar), false) = (node.scalar(), names.is_empty())
        && matches!(scalar.meaning(), Meaning::Text(_))
    {
        let mut fault = unknown_value(scalar, path, &names);
        if !others.is_empty() {
            fault = fault.help(format!("{} is possible, too", others.join(" or ")));
        }
        return fault;
    }
    expected.extend(others);
    expected.dedup();
    Fault::new(format!("expected {}, found {}", expected.join(" or "), shown(node, path)))
}
