//! A pipeline file that was read and is still being checked.
//!
//! What is wrong with the shape of a file must not hide what is wrong with the settings of its
//! connectors, its plugins or its conditions. So a draft gives what can be known of them whatever
//! else is wrong, takes every finding, and becomes a pipeline only in the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::catalogue::{self, Catalogue};
use crate::diagnostic::{Diagnostic, Diagnostics, Fault, Origin, Place, Severity, nearest};
use crate::layers::{self, Environment, Override};
use crate::pipeline::{PipelineFile, PluginReference};
use crate::runtimes::RuntimeSettings;
use crate::settings::defaults;
use crate::substitute::substitute;
use crate::tree::{Entry, Kind, Meaning, Node, Scalar};
use crate::{check, typed, yaml};

/// A pipeline file with the mistakes that were found in it so far.
///
/// [`PipelineFile::load`] is enough for whoever needs no more than the file's own mistakes. A
/// program that knows connectors and plugins reads a draft, checks it against its [`Catalogue`],
/// adds findings of its own, and [finishes](Self::finish) it.
#[derive(Debug)]
pub struct Draft {
    /// `None` where the text has no shape at all.
    tree: Option<Node>,
    /// What the tree comes to in the pipeline's own schema.
    checked: Value,
    origin: Arc<Origin>,
    findings: Vec<Diagnostic>,
}

/// A stage of a draft whose `use` can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DraftStage {
    /// Its place in the chain.
    pub index: usize,
    /// What it is called.
    pub id: String,
    /// Which plugin it is.
    pub plugin: PluginReference,
    /// How it is run.
    pub runtime: RuntimeSettings,
}

impl Draft {
    /// Reads the pipeline file at `path`; the layers are those of [`PipelineFile::load`].
    #[must_use]
    pub fn load(path: &Path, environment: &Environment, overrides: &[Override]) -> Self {
        let name = path.display().to_string();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        match read_text(path) {
            Ok(text) => Self::parse(&text, &name, &folder, environment, overrides),
            Err(fault) => {
                let origin = Arc::new(Origin::new(name, folder, ""));
                let findings = vec![origin.diagnostic(&Place::Nowhere, "", fault)];
                Self { tree: None, checked: Value::Null, origin, findings }
            }
        }
    }

    /// Reads only some sections of the pipeline file at `path`, such as `data_dir`, and what no
    /// file can do without in a form that has no mistakes. Variables that set other sections do not
    /// count.
    #[must_use]
    pub fn load_sections(path: &Path, environment: &Environment, sections: &[&str]) -> Self {
        let Some(text) = read_text(path).ok().and_then(|text| only(&text, sections)) else {
            return Self::load(path, environment, &[]);
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let known = typed::sections();
        let left_out = |section: &str| {
            !sections.contains(&section) && known.iter().any(|known| known == section)
        };
        let environment = environment.without_sections(left_out);
        Self::parse(&text, &path.display().to_string(), folder, &environment, &[])
    }

    /// Reads a pipeline from `text`; the parameters are those of [`PipelineFile::parse`].
    #[must_use]
    pub fn parse(
        text: &str,
        name: &str,
        folder: &Path,
        environment: &Environment,
        overrides: &[Override],
    ) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let origin = Arc::new(Origin::new(name.to_owned(), folder.to_owned(), text));
        let mut findings = Vec::new();
        let tree = yaml::read(text, &origin, &mut findings)
            .and_then(|tree| layered(tree, environment, overrides, &origin, &mut findings));
        let checked = match &tree {
            Some(tree) => typed::check(tree, &origin, &mut findings),
            None => Value::Null,
        };
        if tree.is_none() && findings.is_empty() {
            let fault = Fault::new("the file is empty")
                .help("a pipeline needs at least `version: 1` and `stages`");
            findings.push(origin.diagnostic(&Place::Nowhere, "", fault));
        }
        Self { tree, checked, origin, findings }
    }

    /// The folders of `plugins.paths`, as far as they can be read.
    #[must_use]
    pub fn plugin_paths(&self) -> Vec<PathBuf> {
        let paths = self.checked.pointer("/plugins/paths").and_then(Value::as_array);
        let paths = paths.into_iter().flatten().filter_map(Value::as_str);
        paths.map(PathBuf::from).collect()
    }

    /// Whether `plugins.strict` is on.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.checked.pointer("/plugins/strict") == Some(&Value::Bool(true))
    }

    /// How many stages the chain has, those that cannot be read among them.
    #[must_use]
    pub fn stage_count(&self) -> usize {
        self.list("stages").len()
    }

    /// What relative paths of the file start from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.origin.folder
    }

    /// The stages whose `use` can be read.
    #[must_use]
    pub fn stages(&self) -> Vec<DraftStage> {
        let stages = self.list("stages").iter().enumerate().filter_map(|(index, node)| {
            let plugin = PluginReference::read(node.get("use")?, &self.origin)?;
            let checked = &self.checked["stages"][index];
            let runtime = RuntimeSettings::of(&plugin, checked);
            let id = node.get("id").and_then(text_of);
            let id = id.map_or_else(|| plugin.default_id(), str::to_owned);
            Some(DraftStage { index, id, plugin, runtime })
        });
        stages.collect()
    }

    /// Whether a stage brings tables of names, or leaves out those that it has: the keys are those
    /// of the standard stage `entity`.
    #[must_use]
    pub fn has_own_names(&self) -> bool {
        let has_own = |with: &Node| {
            let built_in = with.get("built_in").and_then(Node::scalar).map(Scalar::meaning);
            with.get("gazetteer").is_some() || built_in == Some(Meaning::Boolean(false))
        };
        self.list("stages").iter().filter_map(|stage| stage.get("with")).any(has_own)
    }

    /// The sources whose type can be read, each with it.
    #[must_use]
    pub fn sources(&self) -> Vec<(String, String)> {
        let entries = self.tree.as_ref().and_then(|tree| tree.get("sources"));
        let source = |entry: &Entry| {
            Some((entry.key.clone(), text_of(entry.value.get("type")?)?.to_owned()))
        };
        entries.map_or(&[][..], Node::entries).iter().filter_map(source).collect()
    }

    /// Whether the file has a section of this name.
    #[must_use]
    pub fn has(&self, section: &str) -> bool {
        self.tree.as_ref().is_some_and(|tree| tree.get(section).is_some())
    }

    /// Every condition over documents in the file, with the path of its key.
    #[must_use]
    pub fn conditions(&self) -> Vec<(String, String)> {
        let mut conditions = Vec::new();
        for section in ["stages", "routes"] {
            for (index, item) in self.list(section).iter().enumerate() {
                if let Some(text) = item.get("when").and_then(text_of) {
                    conditions.push((format!("{section}[{index}].when"), text.to_owned()));
                }
            }
        }
        for (index, test) in self.list("tests").iter().enumerate() {
            let holds = test.get("expect").and_then(|expect| expect.get("holds"));
            for (item, node) in holds.map_or(&[][..], Node::items).iter().enumerate() {
                if let Some(text) = text_of(node) {
                    let key = format!("tests[{index}].expect.holds[{item}]");
                    conditions.push((key, text.to_owned()));
                }
            }
        }
        conditions
    }

    /// Checks the settings of each connector and plugin against its schema in `catalogue`.
    ///
    /// A source type, sink type or plugin name that the catalogue lacks is a finding. A plugin
    /// given by its path is checked if the catalogue has that path: whether its library can be
    /// read is for the program to say.
    pub fn check_settings(&mut self, catalogue: &Catalogue) {
        if let Some(tree) = &self.tree {
            catalogue::check(tree, &self.origin, catalogue, &mut self.findings);
        }
    }

    /// The pipeline as far as it was checked, so that what is wrong in one part hides nothing in
    /// another: what cannot be read counts as left out. `None` where nothing can be left out there.
    #[must_use]
    pub fn so_far(&self) -> Option<PipelineFile> {
        let readable = check::readable(self.checked.clone());
        typed::pipeline(self.tree.clone()?, &readable, &self.origin, &mut Vec::new())
    }

    /// Adds findings about the pipeline [so far](Self::so_far).
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Diagnostic>) {
        self.findings.extend(findings);
    }

    /// Adds a mistake that the program found; see [`PipelineFile::diagnostic`].
    pub fn report(&mut self, key_path: &str, message: String, help: Option<String>) {
        let place = self.tree.as_ref().map_or(Place::Nowhere, |tree| tree.place_of(key_path));
        self.findings.push(self.origin.diagnostic(
            &place,
            key_path,
            Fault { help, ..Fault::new(message) },
        ));
    }

    /// Adds a finding about a part of a value.
    ///
    /// - `at`: where in the text of the value, in characters from 0, if that is known. In a value
    ///   of several lines, or one with escapes, the value as a whole is shown.
    pub fn report_within(
        &mut self,
        key_path: &str,
        severity: Severity,
        at: Option<usize>,
        message: String,
    ) {
        let tree = self.tree.as_ref();
        let mut place = tree.map_or(Place::Nowhere, |tree| tree.place_of(key_path));
        let text = tree.and_then(|tree| tree.at(key_path)).and_then(text_of).unwrap_or_default();
        if let (Place::File { line, column, width }, Some(at)) = (&mut place, at) {
            let written = self.origin.line(*line).chars().skip(*column - 1);
            let written: String = written.collect();
            let quote = usize::from(written.starts_with(['"', '\'']));
            if written.get(quote..).is_some_and(|written| written.starts_with(text)) {
                *column += quote + at;
                *width = 1;
            }
        }
        let fault = Fault { severity, ..Fault::new(message) };
        self.findings.push(self.origin.diagnostic(&place, key_path, fault));
    }

    /// The pipeline, with what its author should know of it.
    ///
    /// # Errors
    ///
    /// Every finding, when one of them is a mistake.
    pub fn finish(self) -> Result<(PipelineFile, Diagnostics), Diagnostics> {
        let Self { tree, checked, origin, mut findings } = self;
        let pipeline = tree
            .filter(|_| !has_errors(&findings))
            .and_then(|tree| typed::pipeline(tree, &checked, &origin, &mut findings));
        match pipeline {
            Some(pipeline) if !has_errors(&findings) => Ok((pipeline, findings.into())),
            _ => Err(findings.into()),
        }
    }

    fn list(&self, key: &str) -> &[Node] {
        self.tree.as_ref().and_then(|tree| tree.get(key)).map_or(&[], Node::items)
    }
}

fn has_errors(findings: &[Diagnostic]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// The text of a scalar that says something.
fn text_of(node: &Node) -> Option<&str> {
    let scalar = node.scalar().filter(|scalar| !scalar.broken)?;
    (scalar.meaning() != Meaning::Nothing && !scalar.text.is_empty()).then_some(&scalar.text)
}

/// The lines of some sections, and a version and a stage; `None` where the sections of the file do
/// not begin with their names at the beginning of a line, or one that is not there may be misspelt.
fn only(text: &str, sections: &[&str]) -> Option<String> {
    let known = typed::sections();
    let mut kept = "version: 1\nstages: [none]\n".to_owned();
    let mut is_wanted = false;
    let mut found = Vec::new();
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
        match line.chars().next() {
            Some('{' | '"' | '\'' | '?') => return None,
            Some(' ' | '\t' | '#' | '-' | ']' | '}') | None => {}
            Some(_) => {
                let name = line.split_once(':').map_or("", |(name, _)| name.trim_end());
                is_wanted = sections.contains(&name);
                found.push(name);
            }
        }
        if is_wanted {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    let lacks = |section: &str| sections.contains(&section) && !found.contains(&section);
    // What is plainly another section's name misspelt is none of those that are needed.
    let is_doubtful = |name: &&str| {
        let meant = nearest(name, known.iter().map(String::as_str));
        !known.iter().any(|known| known == name) && meant.is_none_or(lacks)
    };
    let is_whole = sections.iter().all(|section| found.contains(section));
    let is_clear = is_whole || !found.iter().any(is_doubtful);
    (found.contains(&"stages") && is_clear).then_some(kept)
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
