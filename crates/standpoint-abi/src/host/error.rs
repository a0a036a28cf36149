//! Why a plugin cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a plugin cannot be used: what was found, what was expected and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// No library of that name in any folder.
    #[error(
        "no plugin `{name}` in {}: build or install it, or name its folder in `plugins.paths`",
        list(searched)
    )]
    NotFound {
        /// The stage asked for.
        name: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },

    /// The file is not there.
    #[error("there is no plugin {}: build it first, or correct the path", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },

    /// The file cannot be read.
    #[error("cannot read plugin {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// The private copies cannot be kept.
    #[error("cannot keep a private copy of a plugin in {}", path.display())]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// An `.rlib` or `.a`.
    #[error(
        "{} is not a shared library: add `[lib] crate-type = [\"cdylib\"]` to its Cargo.toml",
        path.display()
    )]
    StaticLibrary {
        /// The file.
        path: PathBuf,
    },

    /// Anything else.
    #[error("{} is not a shared library but {found}", path.display())]
    NotALibrary {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },

    /// Made for another processor or system.
    #[error("{} is built for {found}; this host is {host}", path.display())]
    OtherMachine {
        /// The file.
        path: PathBuf,
        /// What it is for.
        found: String,
        /// What runs it.
        host: &'static str,
    },

    /// A library, but not a plugin.
    #[error(
        "{} is a library, but has no {missing}; is `export_stage!(..)` missing? It exports: {}",
        path.display(),
        names(exported)
    )]
    NotAPlugin {
        /// The file.
        path: PathBuf,
        /// The table or the manifest.
        missing: &'static str,
        /// The first of its symbols.
        exported: Vec<String>,
    },

    /// The manifest says nothing that we understand.
    #[error("the manifest of {} cannot be read: {problem}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// The plugin calls what this host does not have.
    #[error(
        "{plugin} needs host ABI >= {required}; this host has {host}: upgrade standpoint, or build \
         the plugin with an older standpoint-abi"
    )]
    AbiTooNew {
        /// Name and version of the plugin.
        plugin: String,
        /// What it needs.
        required: String,
        /// What there is.
        host: String,
    },

    /// The plugin was built for an ABI that this host no longer speaks.
    #[error("{plugin} speaks ABI {found}; this host speaks {host}: rebuild the plugin")]
    AbiTooOld {
        /// Name and version of the plugin.
        plugin: String,
        /// What it speaks.
        found: String,
        /// What there is.
        host: String,
    },

    /// Its panics would end the whole program.
    #[error(
        "{plugin} was built with `panic = \"abort\"`, so that its panics would end this program: \
         remove that from its profile and rebuild it"
    )]
    PanicAborts {
        /// Name and version of the plugin.
        plugin: String,
    },

    /// The system's C library is too old for it.
    #[error(
        "{} needs {needed}, which this system does not have: build it on an older system, with \
         `cargo zigbuild`, or in a container",
        path.display()
    )]
    OldLibc {
        /// The file.
        path: PathBuf,
        /// The version needed, such as `GLIBC_2.38`.
        needed: String,
    },

    /// It brings an allocator that cannot be loaded late.
    #[error(
        "{} cannot be loaded late, because it wants static thread-local memory, as jemalloc and \
         mimalloc do: leave the global allocator out of the plugin, or build it with \
         `disable_initial_exec_tls`",
        path.display()
    )]
    StaticTls {
        /// The file.
        path: PathBuf,
    },

    /// The system refuses to load it.
    #[error("cannot load plugin {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: libloading::Error,
    },

    /// The table is not what the ABI says.
    #[error("the table of {} is wrong: {problem}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// Not the file that was pinned.
    #[error(
        "{} has the SHA-256 {found}, not {expected}: it was changed; correct `sha256` if that was \
         meant",
        path.display()
    )]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// What the pipeline file says.
        expected: String,
        /// What it is.
        found: String,
    },

    /// Anybody could have put code there.
    #[error(
        "{} may be written by anybody, so its code is not run: `chmod o-w` it",
        path.display()
    )]
    WorldWritable {
        /// The file, or its folder.
        path: PathBuf,
    },

    /// The file was found by a name that is not its stage's.
    #[error("{} holds the stage `{found}`, not `{expected}`", path.display())]
    OtherStage {
        /// The file.
        path: PathBuf,
        /// The stage asked for.
        expected: String,
        /// The stage that it holds.
        found: String,
    },
}

fn list(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "no folder".to_owned();
    }
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn names(exported: &[String]) -> String {
    if exported.is_empty() { "nothing".to_owned() } else { exported.join(", ") }
}
