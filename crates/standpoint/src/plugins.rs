//! Which plugins are installed, and where they were found.

pub(crate) mod doctor;
mod sandbox;
pub(crate) mod scaffold;
pub(crate) mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::num::{NonZeroU32, NonZeroUsize};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use standpoint_abi::{LoadError, LoadPolicy, LoadedPlugin, Manifest, PluginFolders, inspect};
use standpoint_config::{DurationRange, PluginLimits, PluginReference, Runtime, RuntimeSettings};
use standpoint_connectors::files::with_causes;
use standpoint_process::host::{
    Launcher, ProcessLimits, ProcessSettings, ProcessStage, Program, Restart, ask,
};
use standpoint_stage::{Stage, StartContext};
use standpoint_wasm::ModuleError;
use standpoint_wire::StageManifest;
use tracing::warn;

/// The variable that names more folders with plugins, separated by `:`.
const VARIABLE: &str = "STANDPOINT_PLUGINS";

/// The plugins that a pipeline can use.
pub(crate) struct Installed {
    folders: Vec<PathBuf>,
    plugins: Vec<Plugin>,
    /// Libraries that claim to be plugins and cannot be used, with the reason.
    broken: Vec<(PathBuf, LoadError)>,
    /// Plugins of a name that an earlier folder has, with the path of that one.
    hidden: Vec<(PathBuf, String)>,
    /// Run only what nobody but root and this user can change.
    strict: bool,
    /// What programs said of themselves, so that each is asked once.
    asked: Mutex<Vec<(Program, Result<StageManifest, String>)>>,
}

/// How a stage names its plugin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'w> {
    pub(crate) plugin: &'w PluginReference,
    pub(crate) runtime: &'w RuntimeSettings,
    /// The folder of the pipeline file.
    pub(crate) folder: &'w Path,
}

/// A plugin that was found and not loaded.
#[derive(Debug, Clone)]
pub(crate) struct Plugin {
    /// The library, module or file of the program.
    pub(crate) path: PathBuf,
    pub(crate) manifest: StageManifest,
    settings_schema: Value,
    kind: Kind,
}

/// How a plugin is run.
#[derive(Debug, Clone)]
enum Kind {
    /// With what its library says of itself.
    Native(Box<Manifest>),
    Process(Box<Program>, ProcessSettings),
    /// With what an instance may use, where it says.
    Wasm(PluginLimits),
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
        let mut hidden = Vec::new();
        for listed in PluginFolders::new(folders.clone()).list() {
            match listed.manifest {
                // The first folder that has a plugin of this name is the one that counts.
                Ok(manifest) if plugins.iter().any(|known| known.name() == manifest.name) => {
                    let first = plugins.iter().find(|known| known.name() == manifest.name);
                    let first = first.map(|first| first.path.display().to_string());
                    hidden.push((listed.path, first.unwrap_or_default()));
                }
                Ok(manifest) => plugins.push(Plugin::native(listed.path, manifest)),
                Err(error) => broken.push((listed.path, error)),
            }
        }
        Self { folders, plugins, broken, hidden, strict: false, asked: Mutex::default() }
    }

    /// The plugins that can be used by name.
    pub(crate) fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// The same, running only what nobody but root and this user can change.
    pub(crate) fn strictly(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// The plugin that a stage names. A program is started and asked what it is; nothing else runs.
    ///
    /// # Errors
    ///
    /// Why there is none, in words for whoever wrote the pipeline file.
    pub(crate) fn find(&self, wanted: Wanted<'_>) -> Result<Plugin, String> {
        match wanted.runtime.runtime {
            Runtime::Native => self.find_native(wanted),
            Runtime::Process => self.find_program(wanted),
            Runtime::Wasm => self.find_module(wanted),
        }
    }

    fn find_native(&self, wanted: Wanted<'_>) -> Result<Plugin, String> {
        let plugin = match wanted.plugin {
            PluginReference::Path(path) => {
                let manifest = inspect(path).map_err(|error| with_causes(&error))?;
                Plugin::native(path.clone(), manifest)
            }
            PluginReference::Name(name) => {
                let known = self.plugins.iter().find(|known| known.name() == name);
                known.cloned().ok_or_else(|| {
                    let error = PluginFolders::new(self.folders.clone()).find(name).err();
                    error.map_or_else(|| format!("no plugin `{name}`"), |error| with_causes(&error))
                })?
            }
            PluginReference::Command(_) => {
                return Err("a command cannot be run natively".to_owned());
            }
        };
        if self.strict {
            trusted(&plugin.path)?;
        }
        check_pin(&plugin.path, wanted)?;
        Ok(plugin)
    }

    fn find_program(&self, wanted: Wanted<'_>) -> Result<Plugin, String> {
        let program = program(wanted);
        let path = program.stage_file().map_err(|error| error.to_string())?;
        program.check_files().map_err(|error| error.to_string())?;
        if self.strict {
            trusted(&path)?;
            trusted(&program.file().map_err(|error| error.to_string())?)?;
        }
        if let Some(expected) = &wanted.runtime.sha256 {
            program.check_pin(expected).map_err(|error| with_causes(&error))?;
        }
        let settings = process_settings(wanted.runtime);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = asked.iter().find(|(known, _)| *known == program).map(|(_, said)| said.clone());
        let said = known.unwrap_or_else(|| {
            let said = ask(&program, &settings).map_err(|error| with_causes(&error));
            asked.push((program.clone(), said.clone()));
            said
        });
        Ok(Plugin::new(path, said?, Kind::Process(Box::new(program), settings)))
    }

    /// Reads what a module says of itself, which needs no sandbox.
    fn find_module(&self, wanted: Wanted<'_>) -> Result<Plugin, String> {
        let PluginReference::Path(path) = wanted.plugin else {
            return Err("a module is named by the path of its file".to_owned());
        };
        let manifest = standpoint_wasm::inspect(path).map_err(|error| with_causes(&error))?;
        if self.strict {
            trusted(path)?;
        }
        check_pin(path, wanted)?;
        sandbox::check()?;
        let limits = wanted.runtime.limits.clone();
        Ok(Plugin::new(path.clone(), manifest, Kind::Wasm(limits)))
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

/// What a stage names, as a program.
fn program(wanted: Wanted<'_>) -> Program {
    let command = match wanted.plugin {
        PluginReference::Command(words) => words.clone(),
        PluginReference::Path(path) => vec![path.display().to_string()],
        PluginReference::Name(name) => vec![name.clone()],
    };
    let RuntimeSettings { env, limits, .. } = wanted.runtime;
    Program {
        command,
        dir: wanted.folder.to_owned(),
        env: env.clone(),
        limits: ProcessLimits {
            memory: limits.memory,
            open_files: limits.open_files.map(|most| most.get().into()),
        },
        launcher: Launcher::this_program(),
    }
}

fn process_settings(runtime: &RuntimeSettings) -> ProcessSettings {
    let restart = &runtime.restart;
    ProcessSettings {
        processes: runtime.processes,
        restart: Restart {
            first: restart.backoff.low(),
            longest: restart.backoff.high(),
            max_per_minute: restart.max_per_minute,
        },
        ..ProcessSettings::default()
    }
}

impl Plugin {
    fn native(path: PathBuf, manifest: Manifest) -> Self {
        let of = manifest.clone();
        let said = StageManifest {
            name: of.name,
            version: of.version,
            description: of.description,
            model: of.model,
            reads: of.reads,
            writes: of.writes,
            settings: of.settings,
        };
        Self::new(path, said, Kind::Native(Box::new(manifest)))
    }

    fn new(path: PathBuf, manifest: StageManifest, kind: Kind) -> Self {
        // A plugin that says nothing of its settings takes any.
        let settings_schema = manifest.settings.clone().unwrap_or_else(|| json!({}));
        Self { path, manifest, settings_schema, kind }
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
        let (stage, most_calls): (Arc<dyn Stage>, Option<NonZeroUsize>) = match &self.kind {
            Kind::Native(manifest) => {
                let loaded = LoadedPlugin::load(&self.path, policy)?;
                if let Some(sha256) = loaded.sha256() {
                    note_build(self.name(), sha256);
                }
                let stage = loaded.create(settings, context)?;
                let most =
                    manifest.concurrency.and_then(|calls| NonZeroUsize::try_from(calls).ok());
                (Arc::new(stage), most)
            }
            Kind::Process(program, process) => {
                let (program, process) = ((**program).clone(), process.clone());
                let stage = ProcessStage::start(program, process, settings, context)?;
                let most = stage.processes();
                (Arc::new(stage), Some(most))
            }
            Kind::Wasm(limits) => sandbox::start(&self.path, limits, policy, settings, context)?,
        };
        Ok(LoadedStage {
            version: self.manifest.version.clone(),
            model: self.manifest.model.clone(),
            most_calls,
            stage,
        })
    }

    /// What the plugin says of itself, for people.
    pub(crate) fn text(&self) -> String {
        let manifest = &self.manifest;
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let facts = [
            ("file", self.path.display().to_string()),
            ("reads", listed(&manifest.reads)),
            ("writes", listed(&manifest.writes)),
            ("model", or_none(&manifest.model)),
        ];
        let own = match &self.kind {
            Kind::Native(native) => {
                let abi = &native.abi;
                let needs = abi.host_minor_required;
                vec![
                    ("runs", "natively, with all rights of the program".to_owned()),
                    ("abi", format!("{}.{} (needs host 1.{needs})", abi.major, abi.minor)),
                    ("built for", or_none(&native.target)),
                ]
            }
            Kind::Process(program, _) => vec![("runs", format!("as `{}`", program.shown()))],
            Kind::Wasm(_) => vec![("runs", "in a sandbox, without any rights".to_owned())],
        };
        let facts: Vec<(&str, String)> = facts.into_iter().chain(own).collect();
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
        match &self.kind {
            Kind::Native(manifest) => json!({ "path": self.path, "manifest": manifest }),
            Kind::Process(program, _) => json!({
                "path": self.path,
                "manifest": self.manifest,
                "command": program.command,
            }),
            Kind::Wasm(_) => json!({ "path": self.path, "manifest": self.manifest }),
        }
    }
}

/// How many builds of one plugin may be in memory before somebody is told.
const MANY_BUILDS: usize = 8;

/// Whether a file has the hash that its stage is pinned to.
fn check_pin(path: &Path, wanted: Wanted<'_>) -> Result<(), String> {
    let Some(sha256) = &wanted.runtime.sha256 else { return Ok(()) };
    let pinned = LoadPolicy { sha256: Some(sha256.clone()), cache_dir: None };
    pinned.check(path).map_err(|error| with_causes(&error))
}

/// Notes that a build of a plugin is in memory, where it stays: there is no sound way to unload
/// one.
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

/// Whether a plugin was refused for want of a copy of it in the data folder, as on a full disk.
pub(crate) fn is_refused_by_the_cache(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(LoadError::Cache { .. }))
            || matches!(cause.downcast_ref(), Some(ModuleError::Cache { .. }))
    })
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

/// The plugin that a command line names: a library, the name of an installed plugin, or the command
/// of a program, which is started and asked.
///
/// # Errors
///
/// Why there is none.
pub(crate) fn of_words(words: &[String]) -> Result<Plugin, String> {
    let is_path = |word: &String| word.contains('/') || Path::new(word).is_file();
    if let [word] = words
        && Path::new(word).is_file()
        && Path::new(word).extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
    {
        return Err(format!(
            "{word} is a pipeline file and no plugin: `standpoint validate {word}` checks it"
        ));
    }
    let plugin = match words {
        [word] if is_path(word) => PluginReference::Path(PathBuf::from(word)),
        [word] => PluginReference::Name(word.clone()),
        words => PluginReference::Command(words.to_vec()),
    };
    let mut runtime = RuntimeSettings::inferred(&plugin);
    // Nobody waits for a stage that is only looked at.
    let at_once = DurationRange::new(Duration::from_millis(1), Duration::from_millis(10));
    runtime.restart.backoff = at_once.unwrap_or(runtime.restart.backoff);
    runtime.restart.max_per_minute = NonZeroU32::MAX;
    let wanted = Wanted { plugin: &plugin, runtime: &runtime, folder: Path::new("") };
    Installed::look(&[]).find(wanted)
}
