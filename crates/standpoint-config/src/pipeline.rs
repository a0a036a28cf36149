//! A pipeline as programs use it: every setting in its type, every path resolved.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Diagnostics, Fault, Origin};
use crate::draft::Draft;
use crate::layers::{Environment, Override};
use crate::own::OwnSettings;
use crate::routing::{PipelineTest, Route};
use crate::runtimes::RuntimeSettings;
use crate::settings::{
    Batch, Commit, Concurrency, Dedupe, Limits, OnError, Ordering, PluginSettings,
    QuarantineSettings, Retention, Retry, ServerSettings, StageDefaults,
};
use crate::tree::{Kind, Meaning, Node};

/// A pipeline file that was read, checked and resolved.
///
/// Settings of connectors and plugins are checked by
/// [`Draft::check_settings`], once the program knows their schemas.
#[derive(Clone)]
#[non_exhaustive]
pub struct PipelineFile {
    /// What the pipeline is called in results, logs and metrics.
    pub name: String,
    /// A folder of the pipeline's own: ledger, control socket, caches.
    pub data_dir: PathBuf,
    /// Where plugins are looked for.
    pub plugins: PluginSettings,
    /// What holds for each stage that does not say otherwise; already filled into
    /// [`stages`](Self::stages).
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
    /// What is kept for how long.
    pub retention: Retention,
    /// How long documents that are on their way may take to finish after a request to stop.
    pub shutdown_timeout: Duration,
    /// Where health and metrics are served over HTTP, if they are.
    pub server: Option<ServerSettings>,
    /// Which documents go to which sinks; empty when every document goes to every sink.
    pub routes: Vec<Route>,
    /// Texts, and what the pipeline should say about them.
    pub tests: Vec<PipelineTest>,
    /// How a daemon shares its work with others, if it does; its sources are not used then.
    pub cluster: Option<ClusterSettings>,

    pub(crate) tree: Node,
    pub(crate) origin: Arc<Origin>,
}

/// How daemons share their work.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterSettings {
    /// Over what, such as `nats`.
    pub kind: String,
    /// The settings that it alone has.
    pub settings: OwnSettings,
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
    /// Whether a document is done only once this sink has it.
    pub required: bool,
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
    /// How the plugin is run.
    pub runtime: RuntimeSettings,
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
    /// A plugin's library, module or program. Anything with a `/` in it is a path.
    Path(PathBuf),
    /// A program and its arguments, as they were written: relative paths start from the folder of
    /// the pipeline file.
    Command(Vec<String>),
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
        Draft::load(path, environment, overrides).finish().map(|(file, _)| file)
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
        let draft = Draft::parse(text, name, folder, environment, overrides);
        draft.finish().map(|(file, _)| file)
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
        self.origin.diagnostic(&place, key_path, Fault { help, ..Fault::new(message) })
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

    /// Reads a list of words as a command, and anything else as [`new`](Self::new) does; `None`
    /// where there is no text.
    pub(crate) fn read(node: &Node, origin: &Origin) -> Option<Self> {
        let text = |node: &Node| {
            let scalar = node.scalar().filter(|scalar| !scalar.broken)?;
            let says = scalar.meaning() != Meaning::Nothing && !scalar.text.is_empty();
            says.then(|| scalar.text.clone())
        };
        match &node.kind {
            Kind::List(words) => {
                let words = words.iter().map(text).collect::<Option<Vec<_>>>()?;
                (!words.is_empty()).then_some(Self::Command(words))
            }
            _ => Some(Self::new(&text(node)?, origin)),
        }
    }

    /// The name of the plugin, or what its library's file name says it is: `libhedge.so` is
    /// `hedge`, and so is `libstandpoint_hedge.so`. A command is called as the first of its words
    /// that looks like a file, or as its program: `[python3, plugins/hedge.py]` is `hedge`.
    #[must_use]
    pub fn default_id(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Path(path) => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let name = stem.strip_prefix("lib").unwrap_or(&stem);
                name.strip_prefix("standpoint_").unwrap_or(name).to_owned()
            }
            Self::Command(words) => {
                let is_file = |word: &&String| !word.starts_with('-') && word.contains(['/', '.']);
                let file = words.iter().skip(1).find(is_file).or_else(|| words.first());
                let stem = Path::new(file.map_or("", String::as_str)).file_stem();
                stem.unwrap_or_default().to_string_lossy().into_owned()
            }
        }
    }
}

impl std::fmt::Display for PluginReference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Path(path) => write!(formatter, "{}", path.display()),
            Self::Command(words) => formatter.write_str(&words.join(" ")),
        }
    }
}

fn is_library(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("so" | "dylib" | "dll" | "wasm"))
}
