//! Why a module cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a module cannot be used: what was found, what was expected and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The file cannot be read.
    #[error("cannot read module {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// It is no core module.
    #[error("{} is no WebAssembly module that can be a stage: {problem}", path.display())]
    NoModule {
        /// The file.
        path: PathBuf,
        /// What it is.
        problem: String,
    },

    /// It says nothing of itself that we understand.
    #[error("the manifest of {} cannot be read: {problem}", path.display())]
    Manifest {
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

    /// Anybody may have written it.
    #[error(
        "{} may be written by anybody, so its code is not run: `chmod o-w` it",
        path.display()
    )]
    WorldWritable {
        /// The file or its folder.
        path: PathBuf,
    },

    /// Compiled modules cannot be kept where they should.
    #[error("compiled modules cannot be kept in {}", path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// It wants what nobody gives it.
    #[error(
        "{} imports `{import}`, and a stage gets nothing but `standpoint.log`: build it without a \
         system interface, as for `wasm32-unknown-unknown`",
        path.display()
    )]
    Import {
        /// The file.
        path: PathBuf,
        /// Module and name.
        import: String,
    },

    /// It cannot be compiled or made.
    #[error("{} cannot be run: {problem}", path.display())]
    Run {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },

    /// It refused its settings, or failed when it was started.
    #[error("{message}")]
    Refused {
        /// What it said.
        message: String,
    },
}
