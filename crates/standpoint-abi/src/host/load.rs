//! Loads a plugin: check, copy, check again, open, shake hands.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use standpoint_stage::{StageError, StartContext};
use standpoint_wire::keep_names;

use super::error::LoadError;
use super::inspect::read_manifest;
use super::manifest::Manifest;
use super::policy::LoadPolicy;
use super::run::Instance;
use super::stage::HostedStage;
use super::table::PluginHost;
use crate::layout::{
    ABI_MAJOR, Create, Destroy, DropFuture, PluginTable, Poll, Process, ProcessBatch, READS_TABLES,
    SYMBOL, v1_0,
};

/// A plugin whose code is in this program, for as long as it runs: libraries are never unloaded.
#[derive(Debug, Clone)]
pub struct LoadedPlugin {
    inner: Arc<Loaded>,
}

/// What is known of a loaded plugin.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) manifest: Manifest,
    pub(super) functions: Functions,
    pub(super) host: &'static PluginHost,
    /// The contract's names, kept for ever as the code is.
    pub(super) reads: &'static [&'static str],
    pub(super) writes: &'static [&'static str],
    /// Whether the plugin reads entities without JSON.
    pub(super) reads_tables: bool,
    path: PathBuf,
    sha256: Option<String>,
}

/// The functions of a plugin's table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Functions {
    pub(super) create: Create,
    pub(super) destroy: Destroy,
    pub(super) process: Process,
    pub(super) process_batch: Option<ProcessBatch>,
    /// How to go on with a call that is pending, and how to end it.
    pub(super) wait: Option<(Poll, DropFuture)>,
}

impl LoadedPlugin {
    /// Loads the plugin at `path`.
    ///
    /// The file's permissions, hash and manifest are checked before any of its code runs; with a
    /// cache folder the checks and the code come from the same private copy. The code then has
    /// all the rights of this program.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says what is wrong with the file.
    pub fn load(path: impl AsRef<Path>, policy: &LoadPolicy) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let approved = policy.approve(path)?;
        let manifest = read_manifest(&approved.file, path)?;
        let table = open_library(&approved.path, path)?;
        Self::of_table(&table, manifest, path, approved.sha256)
    }

    /// Takes a plugin that is linked into this program, so that Miri, which loads no library, can
    /// follow a call from one side to the other.
    ///
    /// # Errors
    ///
    /// [`LoadError::Manifest`] when the table's manifest is none; what any loading may say.
    ///
    /// # Safety
    ///
    /// The table's functions keep the promises of the ABI.
    #[cfg(miri)]
    pub unsafe fn linked(table: &'static PluginTable) -> Result<Self, LoadError> {
        let path = Path::new("linked");
        // SAFETY: the manifest of a table is constant, by the ABI's rule.
        let manifest = unsafe { table.manifest.bytes() }.unwrap_or_default();
        let manifest = serde_json::from_slice(manifest).map_err(|error| LoadError::Manifest {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
        Self::of_table(table, manifest, path, None)
    }

    fn of_table(
        table: &PluginTable,
        manifest: Manifest,
        path: &Path,
        sha256: Option<String>,
    ) -> Result<Self, LoadError> {
        let functions = shake_hands(table, &manifest)
            .map_err(|problem| LoadError::Table { path: path.to_owned(), problem })?;
        let host = PluginHost::of(&manifest.name);
        let (reads, writes) = (keep_names(&manifest.reads), keep_names(&manifest.writes));
        let path = path.to_owned();
        let reads_tables = table.flags & READS_TABLES != 0;
        let inner = Loaded { manifest, functions, host, reads, writes, reads_tables, path, sha256 };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes a stage of it.
    ///
    /// - `settings`: what stands under `with:`, a JSON object; null counts as empty;
    /// - `start`: what the stage is told of the pipeline.
    ///
    /// # Errors
    ///
    /// [`StageError`] when the plugin refuses the settings, fails or panics.
    pub fn create(
        &self,
        settings: &Value,
        start: &StartContext,
    ) -> Result<HostedStage, StageError> {
        let settings = if settings.is_null() { "{}".to_owned() } else { settings.to_string() };
        let instance = Instance::create(Arc::clone(&self.inner), &settings, start)?;
        Ok(HostedStage::new(self.clone(), settings, start.clone(), instance))
    }

    /// What the plugin says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// The file that was asked for.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The file's SHA-256 in hexadecimal, where the policy asked for it: with a hash to compare or
    /// a folder for copies.
    #[must_use]
    pub fn sha256(&self) -> Option<&str> {
        self.inner.sha256.as_deref()
    }

    pub(super) fn loaded(&self) -> &Arc<Loaded> {
        &self.inner
    }
}

/// Opens the library at `file`, never to close it, and copies its table; `path` is for messages.
fn open_library(file: &Path, path: &Path) -> Result<PluginTable, LoadError> {
    // SAFETY: the code of a plugin is trusted, as its user was told; what can be checked before
    // it runs was checked.
    let library = unsafe { open_now(file) }.map_err(|error| explain(path, error))?;
    // Never unloaded: its threads, thread-local destructors and function pointers may be in use.
    let library: &'static libloading::Library = Box::leak(Box::new(library));
    let missing = |_| LoadError::NotAPlugin {
        path: path.to_owned(),
        missing: "`standpoint_plugin_v1`",
        exported: Vec::new(),
    };
    // SAFETY: of the symbol, a table, only the address is taken here, as a pointer.
    let symbol = unsafe { library.get::<*const PluginTable>(SYMBOL.as_bytes()) };
    let table: *const PluginTable = *symbol.map_err(missing)?;
    let wrong = |problem: &str| LoadError::Table { path: path.to_owned(), problem: problem.into() };
    if table.is_null() || !table.is_aligned() {
        return Err(wrong("its address is null or misaligned"));
    }
    // SAFETY: not null and aligned; `size` and the version come first in every version, and the
    // manifest, which only `export_stage!` or an author writes, says that a table is there.
    let (size, major) =
        unsafe { ((&raw const (*table).size).read(), (&raw const (*table).abi_major).read()) };
    if major != ABI_MAJOR {
        return Err(wrong(&format!("it speaks ABI {major} and this host {ABI_MAJOR}")));
    }
    if size < v1_0::PLUGIN_SIZE {
        let expected = v1_0::PLUGIN_SIZE;
        return Err(wrong(&format!("it has {size} bytes where ABI 1.0 has {expected}")));
    }
    // SAFETY: as large as this host knows it, as just checked.
    Ok(unsafe { table.read() })
}

#[cfg(unix)]
unsafe fn open_now(file: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

    // SAFETY: the caller's.
    unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
unsafe fn open_now(file: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: the caller's.
    unsafe { libloading::Library::new(file) }
}

/// Says what the system's loader means, where that is known.
pub(super) fn explain(path: &Path, error: libloading::Error) -> LoadError {
    let path = path.to_owned();
    let message = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    if message.contains("static TLS block") {
        return LoadError::StaticTls { path };
    }
    if let Some(at) = message.find("GLIBC_").filter(|_| message.contains("not found")) {
        let version = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let needed = message[at..].chars().take_while(|&c| version(c)).collect();
        return LoadError::OldLibc { path, needed };
    }
    LoadError::Open { path, source: error }
}

/// Checks that a table is complete and belongs to the manifest that was inspected.
fn shake_hands(table: &PluginTable, manifest: &Manifest) -> Result<Functions, String> {
    // SAFETY: a constant of the plugin, which is never unloaded.
    let text = unsafe { table.manifest.bytes() }.unwrap_or_default();
    let own: Manifest = serde_json::from_slice(text)
        .map_err(|error| format!("its manifest cannot be read: {error}"))?;
    if own != *manifest {
        return Err("its manifest is not that of the file's section".to_owned());
    }
    if table.host_minor_required != manifest.abi.host_minor_required {
        return Err("it requires another host than its manifest says".to_owned());
    }
    let (Some(create), Some(destroy), Some(process)) = (table.create, table.destroy, table.process)
    else {
        return Err("`create`, `destroy` or `process` is null".to_owned());
    };
    let wait = match (table.poll, table.drop_future) {
        (Some(poll), Some(drop_future)) => Some((poll, drop_future)),
        (None, None) => None,
        _ => return Err("of `poll` and `drop_future` one is null".to_owned()),
    };
    Ok(Functions { create, destroy, process, process_batch: table.process_batch, wait })
}
