//! Which plugins are installed, and where they were found.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use serde_json::{Value, json};
use standpoint_abi::{LoadError, LoadPolicy, LoadedPlugin, Manifest, PluginFolders, inspect};
use standpoint_config::PluginReference;
use standpoint_connectors::files::with_causes;
use standpoint_stage::{Stage, StartContext};
use tracing::warn;

/// The variable that names more folders with plugins, separated by `:`.
const VARIABLE: &str = "STANDPOINT_PLUGINS";

/// The plugins that a pipeline can use.
pub(crate) struct Installed {
    folders: Vec<PathBuf>,
    plugins: Vec<Plugin>,
    /// Libraries that claim to be plugins and cannot be used, with the reason.
    broken: Vec<(PathBuf, LoadError)>,
}

/// A plugin that was found and not loaded.
#[derive(Debug, Clone)]
pub(crate) struct Plugin {
    pub(crate) path: PathBuf,
    pub(crate) manifest: Manifest,
    settings_schema: Value,
}

/// A stage made of a plugin.
pub(crate) struct LoadedStage {
    pub(crate) stage: Arc<dyn Stage>,
    pub(crate) version: String,
    pub(crate) model: Option<String>,
    /// The most calls at once that the plugin allows.
    pub(crate) most_calls: Option<NonZeroUsize>,
}

impl Installed {
    /// Looks in `first`, then where [`VARIABLE`] says, then beside the program. Runs no code.
    pub(crate) fn look(first: &[PathBuf]) -> Self {
        let folders = folders(first);
        let mut plugins: Vec<Plugin> = Vec::new();
        let mut broken = Vec::new();
        for listed in PluginFolders::new(folders.clone()).list() {
            match listed.manifest {
                // The first folder that has a plugin of this name is the one that counts.
                Ok(manifest) if plugins.iter().any(|known| known.name() == manifest.name) => {}
                Ok(manifest) => plugins.push(Plugin::new(listed.path, manifest)),
                Err(error) => broken.push((listed.path, error)),
            }
        }
        Self { folders, plugins, broken }
    }

    /// The plugins that can be used by name.
    pub(crate) fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// The plugin that a stage names.
    ///
    /// # Errors
    ///
    /// Why there is none, in words for whoever wrote the pipeline file.
    pub(crate) fn find(&self, reference: &PluginReference) -> Result<Plugin, String> {
        match reference {
            PluginReference::Path(path) => match inspect(path) {
                Ok(manifest) => Ok(Plugin::new(path.clone(), manifest)),
                Err(error) => Err(with_causes(&error)),
            },
            PluginReference::Name(name) => {
                if let Some(plugin) = self.plugins.iter().find(|plugin| plugin.name() == name) {
                    return Ok(plugin.clone());
                }
                let error = PluginFolders::new(self.folders.clone()).find(name).err();
                Err(error
                    .map_or_else(|| format!("no plugin `{name}`"), |error| with_causes(&error)))
            }
        }
    }

    /// What is installed, for people.
    pub(crate) fn table(&self) -> String {
        if self.plugins.is_empty() && self.broken.is_empty() {
            let folders = self.folders.iter().map(|folder| format!("  {}\n", folder.display()));
            return format!("no plugins in:\n{}", folders.collect::<String>());
        }
        let usable = self.plugins.iter().map(|plugin| {
            let manifest = &plugin.manifest;
            format!(
                "{:<12} {:<8} {} -> {}\n             {}\n",
                manifest.name,
                manifest.version,
                listed(&manifest.reads),
                listed(&manifest.writes),
                plugin.path.display()
            )
        });
        let broken = self.broken.iter().map(|(path, error)| {
            format!("unusable     {}\n             {}\n", path.display(), with_causes(error))
        });
        usable.chain(broken).collect()
    }

    /// What is installed, for programs.
    pub(crate) fn json(&self) -> Value {
        let plugins: Vec<Value> = self.plugins.iter().map(Plugin::json).collect();
        let broken: BTreeMap<String, String> = self
            .broken
            .iter()
            .map(|(path, error)| (path.display().to_string(), with_causes(error)))
            .collect();
        json!({ "plugins": plugins, "unusable": broken, "folders": self.folders })
    }
}

impl Plugin {
    pub(crate) fn new(path: PathBuf, manifest: Manifest) -> Self {
        // A plugin that says nothing of its settings takes any.
        let settings_schema = manifest.settings.clone().unwrap_or_else(|| json!({}));
        Self { path, manifest, settings_schema }
    }

    pub(crate) fn name(&self) -> &str {
        &self.manifest.name
    }

    pub(crate) fn settings_schema(&self) -> &Value {
        &self.settings_schema
    }

    /// Loads the plugin and makes a stage of it.
    ///
    /// # Errors
    ///
    /// Why it cannot be loaded, or what it says of its settings.
    pub(crate) fn load(
        &self,
        policy: &LoadPolicy,
        settings: &Value,
        context: &StartContext,
    ) -> Result<LoadedStage> {
        let loaded = LoadedPlugin::load(&self.path, policy)?;
        note_build(self.name(), loaded.sha256());
        let stage = loaded.create(settings, context)?;
        Ok(LoadedStage {
            version: self.manifest.version.clone(),
            model: self.manifest.model.clone(),
            most_calls: self
                .manifest
                .concurrency
                .and_then(|calls| NonZeroUsize::try_from(calls).ok()),
            stage: Arc::new(stage),
        })
    }

    /// What the plugin says of itself, for people.
    pub(crate) fn text(&self) -> String {
        let manifest = &self.manifest;
        let abi = &manifest.abi;
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let facts = [
            ("file", self.path.display().to_string()),
            ("reads", listed(&manifest.reads)),
            ("writes", listed(&manifest.writes)),
            ("model", or_none(&manifest.model)),
            (
                "abi",
                format!("{}.{} (needs host 1.{})", abi.major, abi.minor, abi.host_minor_required),
            ),
            ("built for", or_none(&manifest.target)),
        ];
        let facts: String = facts.iter().map(|(what, is)| format!("{what:<10}{is}\n")).collect();
        format!(
            "{} {}\n{}\n\n{facts}{}",
            manifest.name,
            manifest.version,
            manifest.description,
            self.settings_text()
        )
    }

    fn settings_text(&self) -> String {
        let properties = self.settings_schema.get("properties").and_then(Value::as_object);
        let Some(properties) = properties.filter(|properties| !properties.is_empty()) else {
            return String::new();
        };
        let settings = properties.iter().map(|(key, schema)| {
            let default = schema.get("default").map(|value| format!(" (default {value})"));
            let told = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("  {key}{}\n      {told}\n", default.unwrap_or_default())
        });
        format!("\nsettings\n{}", settings.collect::<String>())
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "path": self.path, "manifest": self.manifest })
    }
}

/// How many builds of one plugin may be in memory before somebody is told.
const MANY_BUILDS: usize = 8;

/// Notes that a build of a plugin is in memory, where it stays: there is no sound way to unload one.
fn note_build(name: &str, sha256: &str) {
    static BUILDS: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());
    let mut builds = BUILDS.lock().unwrap_or_else(PoisonError::into_inner);
    let builds = builds.entry(name.to_owned()).or_default();
    if builds.insert(sha256.to_owned()) && builds.len() > MANY_BUILDS {
        let builds = builds.len();
        warn!(plugin = name, builds, "old builds stay in memory; restart the daemon some time");
    }
}

/// Whether nobody but root and this user can change a plugin's library: what `plugins.strict` asks
/// of the file and of each folder above it.
///
/// # Errors
///
/// Who can, in words.
pub(crate) fn trusted(library: &Path) -> Result<(), String> {
    let told =
        |path: &Path, reason: &str| Err(format!("`plugins.strict`: {} {reason}", path.display()));
    // What a link points to is what is loaded.
    let Ok(library) = library.canonicalize() else { return told(library, "cannot be found") };
    let own = std::fs::metadata("/proc/self").map_or(0, |own| own.uid());
    for path in library.ancestors() {
        let Ok(found) = path.metadata() else { return told(path, "cannot be looked at") };
        if found.uid() != 0 && found.uid() != own {
            return told(path, "belongs to another user than root and the one that runs this");
        }
        // In a sticky folder such as /tmp nobody can rename or remove what is another's.
        let is_sticky = found.is_dir() && found.mode() & 0o1000 != 0;
        if found.mode() & 0o022 != 0 && !is_sticky {
            return told(path, "can be written to by others; take the right away: chmod go-w");
        }
    }
    Ok(())
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

/// Where plugins are looked for, the first ones first.
fn folders(first: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = first.to_vec();
    if let Some(more) = env::var_os(VARIABLE) {
        folders.extend(env::split_paths(&more).filter(|path| !path.as_os_str().is_empty()));
    }
    // A build puts plugins beside the program, a package into `lib/standpoint` beside its `bin`.
    if let Ok(program) = env::current_exe()
        && let Some(beside) = program.parent()
    {
        folders.push(beside.to_owned());
        if let Some(prefix) = beside.parent() {
            folders.push(prefix.join("lib/standpoint"));
        }
    }
    folders.dedup();
    folders
}

/// The plugin that a command line names: a file, or the name of an installed one.
///
/// # Errors
///
/// Why there is none.
pub(crate) fn named(name: &str) -> Result<Plugin, String> {
    let reference = if name.contains('/') || Path::new(name).is_file() {
        PluginReference::Path(PathBuf::from(name))
    } else {
        PluginReference::Name(name.to_owned())
    };
    Installed::look(&[]).find(&reference)
}
