//! A stage's program: its command, what it is given, and what it may use.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use sha2::{Digest, Sha256};

use super::error::ProcessError;
use super::launch::Launcher;

/// A stage's program, as the pipeline file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments. A program without a `/` is looked for on the `PATH`; one with
    /// a `/`, like all paths in arguments, is seen from `dir`.
    pub command: Vec<String>,
    /// The folder that it runs in: that of the pipeline file.
    pub dir: PathBuf,
    /// The whole of its environment.
    pub env: BTreeMap<String, String>,
    /// What each of its processes may use.
    pub limits: ProcessLimits,
    /// How limits are set.
    pub launcher: Launcher,
}

/// What one process may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessLimits {
    /// Its address space, in bytes.
    pub memory: Option<u64>,
    /// Its open files, the three of the protocol among them.
    pub open_files: Option<u64>,
}

impl Program {
    /// The command in one line, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        self.command.join(" ")
    }

    /// The program's file.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NoProgram`], [`ProcessError::NotOnPath`], [`ProcessError::NotExecutable`].
    pub fn file(&self) -> Result<PathBuf, ProcessError> {
        let name = self.command.first().map_or("", String::as_str);
        let found = if name.contains('/') {
            Some(self.dir.join(name)).filter(|path| is_program(path))
        } else {
            let path = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&path).map(|folder| folder.join(name)).find(|path| is_program(path))
        };
        let written = self.dir.join(name);
        if found.is_none() && is_program(&written) {
            return Err(ProcessError::NotOnPath { name: name.to_owned() });
        }
        if found.is_none() && written.is_file() {
            return Err(ProcessError::NotExecutable { path: written });
        }
        // Seen from here, because the child runs in another folder.
        found
            .and_then(|path| std::path::absolute(path).ok())
            .ok_or_else(|| ProcessError::NoProgram { name: name.to_owned() })
    }

    /// The file that holds the stage itself, as opposed to what interprets it: the first argument
    /// that is a file, or else the program. It is what a pin means.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NoProgram`], [`ProcessError::NotOnPath`], [`ProcessError::NotExecutable`].
    pub fn stage_file(&self) -> Result<PathBuf, ProcessError> {
        let program = self.file()?;
        let mut arguments = self.command.iter().skip(1).map(|word| self.dir.join(word));
        Ok(arguments.find(|path| path.is_file()).unwrap_or(program))
    }

    /// Refuses a stage that is not the one that was pinned.
    ///
    /// - `expected`: the SHA-256 of [`stage_file`](Self::stage_file), in hexadecimal.
    ///
    /// # Errors
    ///
    /// [`ProcessError::WrongHash`], or that the file cannot be read.
    pub fn check_pin(&self, expected: &str) -> Result<(), ProcessError> {
        let path = self.stage_file()?;
        let content = fs::read(&path)
            .map_err(|source| ProcessError::Start { program: self.shown(), source })?;
        let mut found = String::with_capacity(64);
        for byte in Sha256::digest(&content) {
            let _ = write!(found, "{byte:02x}");
        }
        if expected.eq_ignore_ascii_case(&found) {
            return Ok(());
        }
        Err(ProcessError::WrongHash { path, expected: expected.to_owned(), found })
    }

    /// Refuses files that anybody may have written.
    ///
    /// # Errors
    ///
    /// [`ProcessError`] names the file or folder.
    pub fn check_files(&self) -> Result<(), ProcessError> {
        let files = [self.file()?, self.stage_file()?];
        for file in &files {
            for path in [Some(file.as_path()), file.parent()].into_iter().flatten() {
                let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
                if is_open_to_all(&path) {
                    return Err(ProcessError::WorldWritable { path });
                }
            }
        }
        Ok(())
    }

    /// Starts a process of the program, with three pipes. It ends with the thread that calls this.
    pub(super) fn spawn(&self) -> Result<Child, ProcessError> {
        let file = self.file()?;
        let failed = |source| ProcessError::Start { program: self.shown(), source };
        let mut words: Vec<OsString> = vec![file.into()];
        words.extend(self.command.iter().skip(1).map(OsString::from));
        let mut command = self.launcher.command(self.limits);
        command
            .args(words)
            .current_dir(if self.dir.as_os_str().is_empty() { Path::new(".") } else { &self.dir })
            .env_clear()
            .envs(&self.env)
            // What it starts in turn is ended with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().map_err(failed)
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn is_open_to_all(path: &Path) -> bool {
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    path.metadata().is_ok_and(|found| {
        let is_sticky = found.is_dir() && found.mode() & STICKY != 0;
        found.mode() & OTHERS_WRITE != 0 && !is_sticky
    })
}
