//! A pipeline as programs use it: every setting in its type, every path resolved.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Diagnostics, Fault, Origin, Place};
use crate::layers::{self, Environment, Override};
use crate::own::OwnSettings;
use crate::settings::{
    Batch, Commit, Concurrency, Dedupe, Limits, OnError, Ordering, PluginSettings,
    QuarantineSettings, Retry, StageDefaults, defaults,
};
use crate::substitute::substitute;
use crate::tree::{Entry, Kind, Node};
use crate::{typed, yaml};

/// A pipeline file that was read, checked and resolved.
///
/// Settings of connectors and plugins are checked by
/// [`check_settings`](PipelineFile::check_settings), once the program knows their schemas.
#[derive(Clone)]
#[non_exhaustive]
pub struct PipelineFile {
    /// What the pipeline is called in results, logs and metrics.
    pub name: String,
    /// A folder of the pipeline's own: ledger, control socket, caches.
    pub data_dir: PathBuf,
    /// Where plugins are looked for.
    pub plugins: PluginSettings,
    /// What holds for each stage that does not say otherwise; already filled into [`stages`](Self::stages).
    pub defaults: StageDefaults,
    /// Where documents come from, in the order of the file. May be empty.
    pub sources: Vec<SourceSettings>,
    /// The chain, at least one stage.
    pub stages: Vec<StageSettings>,
    /// Where results go, in the order of the file. May be empty.
    pub sinks: Vec<SinkSettings>,
    /// Where documents go that could not be processed.
    pub quarantine: QuarantineSettings,
    /// What input may be at most.
    pub limits: Limits,
    /// When results count as written.
    pub commit: Commit,
    /// How long documents that are on their way may take to finish after a request to stop.
    pub shutdown_timeout: Duration,

    pub(crate) tree: Node,
    pub(crate) origin: Arc<Origin>,
}

/// A source of a pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SourceSettings {
    /// The name that its author gave it.
    pub name: String,
    /// What kind of source it is, such as `inbox`: the file's `type`.
    pub kind: String,
    /// When a document counts as seen before.
    pub dedupe: Dedupe,
    /// Whether results keep the order of the documents.
    pub ordering: Ordering,
    /// How often a document may be started, across restarts, before it goes to quarantine.
    pub max_attempts: NonZeroU32,
    /// The settings that its type alone has.
    pub settings: OwnSettings,
}

/// A sink of a pipeline.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SinkSettings {
    /// The name that its author gave it.
    pub name: String,
    /// What kind of sink it is, such as `jsonl`: the file's `type`.
    pub kind: String,
    /// The settings that its type alone has.
    pub settings: OwnSettings,
}

/// A stage of a pipeline, the pipeline's defaults filled in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageSettings {
    /// What the stage is called in results, logs and metrics; no two stages share it.
    pub id: String,
    /// Which plugin it is.
    pub plugin: PluginReference,
    /// The plugin's own settings: the file's `with`.
    pub settings: OwnSettings,
    /// The SHA-256 digest that the plugin's library must have, in hexadecimal.
    pub sha256: Option<String>,
    /// A condition over the document, in CEL.
    pub when: Option<String>,
    /// How many documents the stage works on at a time.
    pub concurrency: Concurrency,
    /// How documents are collected; `None` gives them one at a time.
    pub batch: Option<Batch>,
    /// How long the stage may take for one document.
    pub timeout: Duration,
    /// How often and when the stage is tried again.
    pub retry: Retry,
    /// What happens to a document that the stage fails on.
    pub on_error: OnError,
}

/// Which plugin a stage is: the file's `use`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginReference {
    /// An installed plugin, by its name.
    Name(String),
    /// A plugin's library. Anything with a `/` in it is a path.
    Path(PathBuf),
}

impl PipelineFile {
    /// Reads the pipeline file at `path`.
    ///
    /// Layers, from the lowest to the highest: defaults, the file, variables of `environment` that
    /// begin with `STANDPOINT__`, `overrides` (the program's `--set`).
    ///
    /// # Errors
    ///
    /// Every mistake that was found, with its place; a file that cannot be read is one.
    pub fn load(
        path: &Path,
        environment: &Environment,
        overrides: &[Override],
    ) -> Result<Self, Diagnostics> {
        let name = path.display().to_string();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let fail = |fault| {
            let origin = Origin::new(name.clone(), folder.clone(), "");
            Diagnostics::from(vec![origin.diagnostic(&Place::Nowhere, "", fault)])
        };
        let text = read_text(path).map_err(fail)?;
        Self::parse(&text, &name, &folder, environment, overrides)
    }

    /// Reads a pipeline from `text`.
    ///
    /// - `name`: what findings call it; its stem names a pipeline that does not name itself.
    /// - `folder`: what relative paths start from.
    ///
    /// # Errors
    ///
    /// Every mistake that was found, with its place.
    pub fn parse(
        text: &str,
        name: &str,
        folder: &Path,
        environment: &Environment,
        overrides: &[Override],
    ) -> Result<Self, Diagnostics> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let origin = Arc::new(Origin::new(name.to_owned(), folder.to_owned(), text));
        let mut findings = Vec::new();
        let tree = yaml::read(text, &origin, &mut findings);
        let pipeline = tree.and_then(|tree| {
            let tree = layered(tree, environment, overrides, &origin, &mut findings)?;
            typed::pipeline(tree, &origin, &mut findings)
        });
        let findings = Diagnostics::from(findings);
        match pipeline {
            Some(pipeline) if !findings.has_errors() => Ok(pipeline),
            _ if findings.is_empty() => {
                let fault = Fault::new("the file is empty")
                    .help("a pipeline needs at least `version: 1` and `stages`");
                Err(Diagnostics::from(vec![origin.diagnostic(&Place::Nowhere, "", fault)]))
            }
            _ => Err(findings),
        }
    }

    /// What `path` means in this file: relative paths start from the file's folder.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.origin.resolve(path)
    }

    /// A finding of the program's own about a key of this file, with the key's place.
    ///
    /// - `key_path`: such as `stages[2].when`; where the file does not have the whole path, the
    ///   finding points at the part that it has.
    /// - `help`: what to do about it.
    #[must_use]
    pub fn diagnostic(&self, key_path: &str, message: String, help: Option<String>) -> Diagnostic {
        let place = self.tree.place_of(key_path);
        self.origin.diagnostic(&place, key_path, Fault { message, help })
    }
}

impl std::fmt::Debug for PipelineFile {
    /// Shows the pipeline as `config show` does, its secrets hidden.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.resolved_yaml())
    }
}

impl PluginReference {
    /// Reads `use`: a path has a `/`, or ends as shared libraries do.
    pub(crate) fn new(text: &str, origin: &Origin) -> Self {
        let is_path = text.contains(['/', '\\']) || is_library(text);
        if is_path {
            Self::Path(origin.resolve(Path::new(text)))
        } else {
            Self::Name(text.to_owned())
        }
    }

    /// The name of the plugin, or what its library's file name says it is: `libhedge.so` is
    /// `hedge`, and so is `libstandpoint_hedge.so`.
    #[must_use]
    pub fn default_id(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Path(path) => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let name = stem.strip_prefix("lib").unwrap_or(&stem);
                name.strip_prefix("standpoint_").unwrap_or(name).to_owned()
            }
        }
    }
}

impl std::fmt::Display for PluginReference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Path(path) => write!(formatter, "{}", path.display()),
        }
    }
}

fn is_library(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("so" | "dylib" | "dll" | "wasm"))
}

/// The text of a pipeline file, if that is what it is.
fn read_text(path: &Path) -> Result<String, Fault> {
    let failed = |error: std::io::Error| Fault::new(format!("cannot read the file: {error}"));
    // Asked before it is opened: opening a FIFO would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Fault::new("cannot read the file: it is not a file"));
    }
    let largest = yaml::MAX_FILE_BYTES as u64;
    if metadata.len() > largest {
        let fault = format!("the file has {} bytes, above the limit of 1MiB", metadata.len());
        return Err(Fault::new(fault));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].split(|byte| *byte == b'\n').count();
        Fault::new(format!("the file is not UTF-8: byte {} (line {line}) is no text", valid + 1))
            .help("save it as UTF-8")
    })
}

/// Substitutions, defaults, environment and flags, and the long form of stages.
fn layered(
    mut tree: Node,
    environment: &Environment,
    overrides: &[Override],
    origin: &Origin,
    findings: &mut Vec<Diagnostic>,
) -> Option<Node> {
    if !matches!(tree.kind, Kind::Map(_)) {
        if tree.scalar().is_some_and(|scalar| scalar.plain && scalar.text.is_empty()) {
            return None;
        }
        let fault = Fault::new("expected a map with keys such as `version` and `stages`");
        findings.push(origin.diagnostic(&tree.place, "", fault));
        return None;
    }
    substitute(&mut tree, environment, origin, findings);
    let defaults = Node::from_json(&defaults());
    let mut tree = layers::merge(defaults, tree, environment, overrides, origin, findings);
    unfold_stages(&mut tree);
    Some(tree)
}

/// `- tokenise` becomes `- use: tokenise`.
fn unfold_stages(tree: &mut Node) {
    let Kind::Map(entries) = &mut tree.kind else { return };
    let stages = entries.iter_mut().filter(|entry| entry.key == "stages");
    for Entry { value, .. } in stages {
        let Kind::List(stages) = &mut value.kind else { continue };
        for stage in stages {
            if stage.scalar().is_some_and(|scalar| !scalar.text.is_empty()) {
                let place = stage.place.clone();
                let long = Node::map(place.clone(), Vec::new());
                let value = std::mem::replace(stage, long);
                let entry = Entry { key: "use".to_owned(), place, value };
                stage.kind = Kind::Map(vec![entry]);
            }
        }
    }
}
