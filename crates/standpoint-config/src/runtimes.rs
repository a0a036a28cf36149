//! How a plugin is run: in this process, in one of its own, or in a sandbox; and what it may use.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Fault, Origin, quoted};
use crate::pipeline::PluginReference;
use crate::tree::Node;
use crate::units::{DurationRange, optional_duration_text, optional_size_text};

/// How a plugin is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// As a shared library in this process, with all its rights.
    #[default]
    Native,
    /// As a program of its own.
    Process,
    /// As a WebAssembly module in a sandbox.
    Wasm,
}

/// How a plugin outside of this process is run, everything filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeSettings {
    /// Where.
    pub runtime: Runtime,
    /// The SHA-256 digest that its file must have, in hexadecimal.
    pub sha256: Option<String>,
    /// How many processes there are.
    pub processes: NonZeroUsize,
    /// What follows when a process ends.
    pub restart: Restart,
    /// The whole environment of the processes.
    pub env: BTreeMap<String, String>,
    /// What each process or instance may use.
    pub limits: PluginLimits,
}

/// What follows when a stage's process ends that should not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Restart {
    /// How long to wait before it is started again: it starts at the low end, doubles with each
    /// loss in a row and stays at the high end.
    pub backoff: DurationRange,

    /// How many processes may be lost within a minute before the stage rests.
    pub max_per_minute: NonZeroU32,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            backoff: DurationRange::new(Duration::from_millis(200), Duration::from_secs(30))
                .expect("200 ms is less than 30 s"),
            max_per_minute: NonZeroU32::new(10).expect("10 is not zero"),
        }
    }
}

/// What one process or one instance of a module may use at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PluginLimits {
    /// Its memory: the address space of a process, the linear memory of a module.
    #[serde(with = "optional_size_text")]
    #[schemars(schema_with = "optional_size_text::schema")]
    pub memory: Option<u64>,

    /// The open files of a process; it needs three, and some more to start.
    pub open_files: Option<NonZeroU32>,

    /// How long a module may compute for one document.
    #[serde(with = "optional_duration_text")]
    #[schemars(schema_with = "optional_duration_text::schema")]
    pub deadline: Option<Duration>,

    /// How many instances of a module work side by side.
    pub instances: Option<NonZeroUsize>,
}

/// The keys of a stage that belong to certain runtimes.
const KEYS: [(&str, &[Runtime]); 3] = [
    ("processes", &[Runtime::Process]),
    ("restart", &[Runtime::Process]),
    ("env", &[Runtime::Process]),
];

/// The limits that belong to certain runtimes.
const LIMITS: [(&str, &[Runtime]); 4] = [
    ("memory", &[Runtime::Process, Runtime::Wasm]),
    ("open_files", &[Runtime::Process]),
    ("deadline", &[Runtime::Wasm]),
    ("instances", &[Runtime::Wasm]),
];

impl Runtime {
    /// How a plugin is run that does not say: libraries natively, modules in the sandbox, commands
    /// and other files as programs.
    pub(crate) fn inferred(plugin: &PluginReference) -> Self {
        match plugin {
            PluginReference::Name(_) => Self::Native,
            PluginReference::Command(_) => Self::Process,
            PluginReference::Path(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                match Path::new(&*name).extension().and_then(|extension| extension.to_str()) {
                    Some("wasm") => Self::Wasm,
                    // `rlib` and `a` are libraries of the wrong kind, which the loader says best.
                    Some("so" | "dylib" | "dll" | "rlib" | "a") => Self::Native,
                    _ if name.contains(".so.") => Self::Native,
                    _ => Self::Process,
                }
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Process => "process",
            Self::Wasm => "wasm",
        }
    }
}

impl RuntimeSettings {
    /// How a plugin is run of which nothing else is said.
    #[must_use]
    pub fn inferred(plugin: &PluginReference) -> Self {
        Self::of(plugin, &Value::Null)
    }

    /// What a stage says of its runtime, as far as it can be read.
    ///
    /// - `stage`: the stage as the schema of pipeline files reads it.
    pub(crate) fn of(plugin: &PluginReference, stage: &Value) -> Self {
        fn read<T: serde::de::DeserializeOwned>(stage: &Value, key: &str) -> Option<T> {
            T::deserialize(stage.get(key).filter(|value| !value.is_null())?).ok()
        }
        Self {
            runtime: read(stage, "runtime").unwrap_or_else(|| Runtime::inferred(plugin)),
            sha256: read(stage, "sha256"),
            processes: read(stage, "processes").unwrap_or(NonZeroUsize::MIN),
            restart: read(stage, "restart").unwrap_or_default(),
            env: read(stage, "env").unwrap_or_default(),
            limits: read(stage, "limits").unwrap_or_default(),
        }
    }
}

/// Reports what goes with another runtime than the stage's.
pub(crate) fn check(tree: &Node, origin: &Origin, findings: &mut Vec<Diagnostic>) {
    for (index, stage) in tree.get("stages").map_or(&[][..], Node::items).iter().enumerate() {
        let Some(used) = stage.get("use") else { continue };
        let Some(plugin) = PluginReference::read(used, origin) else { continue };
        let written = stage.get("runtime").and_then(Node::scalar).map(|scalar| &*scalar.text);
        let runtime = match written {
            None => Runtime::inferred(&plugin),
            Some("native") => Runtime::Native,
            Some("process") => Runtime::Process,
            Some("wasm") => Runtime::Wasm,
            // Said before.
            Some(_) => continue,
        };
        let mut report = |node: &Node, key: &str, fault: Fault| {
            findings.push(origin.diagnostic(&node.place, &format!("stages[{index}].{key}"), fault));
        };
        if let Some(fault) = mismatch(runtime, &plugin) {
            report(stage.get("runtime").unwrap_or(used), "runtime", fault);
            continue;
        }
        let limits = stage.get("limits");
        if let (Runtime::Native, Some(limits)) = (runtime, limits) {
            let fault =
                Fault::new("a native plugin has no limits: it can do whatever the program can")
                    .help("remove `limits`, or run it as `process` or `wasm`");
            report(limits, "limits", fault);
        }
        for (key, runtimes) in KEYS {
            if let Some(node) = stage.get(key).filter(|_| !runtimes.contains(&runtime)) {
                report(node, key, misplaced(key, runtimes, runtime));
            }
        }
        let limits = limits.filter(|_| runtime != Runtime::Native);
        for (key, runtimes) in LIMITS {
            let found = limits.and_then(|limits| limits.get(key));
            if let Some(node) = found.filter(|_| !runtimes.contains(&runtime)) {
                report(node, &format!("limits.{key}"), misplaced(key, runtimes, runtime));
            }
        }
    }
}

/// Why a plugin cannot be run so.
fn mismatch(runtime: Runtime, plugin: &PluginReference) -> Option<Fault> {
    let (problem, help) = match (runtime, plugin) {
        (Runtime::Native, PluginReference::Command(_)) => {
            ("a command cannot be run natively", "leave `runtime` out, or name a library")
        }
        (Runtime::Wasm, PluginReference::Command(_)) => {
            ("a command is no WebAssembly module", "leave `runtime` out, or name a `.wasm` file")
        }
        (Runtime::Process | Runtime::Wasm, PluginReference::Name(_)) => (
            "an installed plugin is a library, which runs natively",
            "name a program or module by its path, with a `/`, or a command as a list",
        ),
        (Runtime::Native, PluginReference::Path(path)) if is_of(path, &["wasm"]) => {
            ("a WebAssembly module cannot be run natively", "leave `runtime` out")
        }
        (Runtime::Process | Runtime::Wasm, PluginReference::Path(path))
            if is_of(path, &["so", "dylib", "dll"]) =>
        {
            ("a shared library can only be run natively", "leave `runtime` out")
        }
        _ => return None,
    };
    Some(Fault::new(problem).help(help))
}

fn is_of(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| extensions.iter().any(|extension| found == *extension))
}

fn misplaced(key: &str, runtimes: &[Runtime], found: Runtime) -> Fault {
    let meant: Vec<&str> = runtimes.iter().map(|runtime| runtime.name()).collect();
    Fault::new(format!(
        "{} is for `runtime: {}`, and this stage runs as `{}`",
        quoted(key),
        meant.join("` and `"),
        found.name()
    ))
    .help("remove it")
}
