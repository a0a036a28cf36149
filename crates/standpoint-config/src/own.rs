//! Settings that belong to a connector or a plugin, not to the pipeline.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::check;
use crate::diagnostic::{Diagnostic, Diagnostics, Fault, Origin, Severity};
use crate::secret;
use crate::tree::{Kind, Node, join};

/// A connector's or a plugin's own settings, with their places.
///
/// The pipeline file does not know their types; whoever owns them brings a JSON Schema.
#[derive(Clone)]
pub struct OwnSettings {
    node: Node,
    key_path: String,
    origin: Arc<Origin>,
}

impl OwnSettings {
    /// The entries of `node` but those named in `common`.
    pub(crate) fn without(
        node: &Node,
        common: &[&str],
        key_path: String,
        origin: &Arc<Origin>,
    ) -> Self {
        let own = node.entries().iter().filter(|entry| !common.contains(&entry.key.as_str()));
        let node = Node::map(node.place.clone(), own.cloned().collect());
        Self { node, key_path, origin: Arc::clone(origin) }
    }

    /// The map under `with` of a stage; empty when there is none.
    pub(crate) fn of_stage(stage: &Node, key_path: String, origin: &Arc<Origin>) -> Self {
        let with = stage.get("with").cloned();
        let node = with.unwrap_or_else(|| Node::map(stage.place.clone(), Vec::new()));
        Self { node, key_path, origin: Arc::clone(origin) }
    }

    /// Settings that stand in no file, such as those of a command line.
    #[must_use]
    pub fn from_json(settings: &Value) -> Self {
        let origin = Arc::new(Origin::new("settings".to_owned(), PathBuf::new(), ""));
        Self { node: Node::from_json(settings), key_path: String::new(), origin }
    }

    /// The settings as JSON, each scalar as YAML 1.2's core schema reads it: `1.10` is a number.
    ///
    /// [`conform`](Self::conform) is the better reading where there is a schema.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.node.to_json()
    }

    /// The settings as `schema` means them: text where text is meant, strings of the format
    /// [`PATH_FORMAT`](crate::PATH_FORMAT) resolved against the folder of the pipeline file.
    ///
    /// - `schema`: a JSON Schema whose `$ref`s point into itself, as `schemars` writes them.
    ///
    /// # Errors
    ///
    /// Every mistake, with its place in the pipeline file.
    pub fn conform(&self, schema: &Value) -> Result<Value, Diagnostics> {
        let mut findings = Vec::new();
        let value = self.check(schema, &mut findings);
        let found_errors = findings.iter().any(|finding| finding.severity == Severity::Error);
        if found_errors { Err(findings.into()) } else { Ok(value) }
    }

    /// What can be read of the settings whatever else is wrong with them; the rest counts as left
    /// out.
    #[must_use]
    pub fn so_far(&self, schema: &Value) -> Value {
        check::readable(self.check(schema, &mut Vec::new()))
    }

    pub(crate) fn check(&self, schema: &Value, findings: &mut Vec<Diagnostic>) -> Value {
        check::check(&self.node, &self.key_path, schema, &self.origin, findings)
    }

    /// Whether nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.node.kind, Kind::Map(entries) if entries.is_empty())
    }

    /// A finding about these settings that only their owner could make, such as a gazetteer that
    /// cannot be read.
    ///
    /// - `key_path`: the key inside these settings, such as `lexicon.path`; may be empty.
    #[must_use]
    pub fn diagnostic(&self, key_path: &str, message: String, help: Option<String>) -> Diagnostic {
        let place = match self.node.place_of(key_path) {
            crate::diagnostic::Place::Nowhere => self.node.place.clone(),
            place => place,
        };
        let key_path = if key_path.is_empty() {
            self.key_path.clone()
        } else {
            join(&self.key_path, key_path)
        };
        self.origin.diagnostic(&place, &key_path, Fault { help, ..Fault::new(message) })
    }
}

impl std::fmt::Debug for OwnSettings {
    /// Shows the settings as `config show` does, their secrets hidden.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut node = self.node.clone();
        secret::hide(&mut node);
        write!(formatter, "{}: {}", self.key_path, node.to_json())
    }
}
