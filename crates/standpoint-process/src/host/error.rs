//! Why a stage's program cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a stage's program cannot be used: what was found, what was expected and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// There is no such program.
    #[error(
        "there is no program `{name}`{}: install it, or write its path",
        if name.contains('/') { "" } else { " on the PATH" }
    )]
    NoProgram {
        /// As the pipeline file has it.
        name: String,
    },

    /// It is in the folder where it would run, and its name does not say so.
    #[error("there is no program `{name}` on the PATH; for the file of that name write `./{name}`")]
    NotOnPath {
        /// As the pipeline file has it.
        name: String,
    },

    /// The file is there, and nothing says that it is a program.
    #[error(
        "{} is not executable: `chmod +x` it, or name what runs it before it, such as `python3`",
        path.display()
    )]
    NotExecutable {
        /// The file.
        path: PathBuf,
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

    /// The system does not start it.
    #[error("cannot start `{program}`")]
    Start {
        /// The command.
        program: String,
        /// Why not.
        source: io::Error,
    },

    /// It did not introduce itself as the protocol wants.
    #[error("`{program}` {problem}")]
    Hello {
        /// The command.
        program: String,
        /// What it did instead.
        problem: String,
    },

    /// It refused its settings.
    #[error("{message}")]
    Refused {
        /// What it said.
        message: String,
    },
}
