//! The launcher: this program, run once more to set limits on itself before it becomes the stage's
//! program.
//!
//! Between the making of a process and the start of its program, only code that takes no lock may
//! run, which no safe interface promises. A program of its own has no such trouble, and what it
//! sets stays when it becomes another one.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::program::ProcessLimits;

/// The first argument of a program that is to be a launcher.
pub const WORD: &str = "launch-stage";

/// With what code a launcher ends that cannot start the program.
const FAILED: u8 = 126;

/// How a stage's program is started: by a program that answers [`asked`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    program: PathBuf,
}

impl Launcher {
    /// This program, which has to call [`asked`] before anything else.
    #[must_use]
    pub fn this_program() -> Self {
        // Names the program that runs, even when its file has been replaced since.
        let own = Path::new("/proc/self/exe");
        let program = if own.exists() {
            own.to_owned()
        } else {
            std::env::current_exe().unwrap_or_else(|_| own.to_owned())
        };
        Self { program }
    }

    /// Another program that calls [`asked`] before anything else.
    #[must_use]
    pub fn other(program: PathBuf) -> Self {
        Self { program }
    }

    /// The program with the arguments that make it a launcher; the stage's command follows.
    pub(super) fn command(&self, limits: ProcessLimits) -> Command {
        let number = |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let mut command = Command::new(&self.program);
        command.args([
            WORD.to_owned(),
            std::process::id().to_string(),
            number(limits.memory),
            number(limits.open_files),
        ]);
        command
    }
}

/// Becomes a stage's program, when that is what the arguments of this one ask for. Returns with the
/// exit code when that fails, and with `None` when nobody asked.
///
/// A `main` calls it first of all: the launcher is to do nothing else.
pub fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != WORD {
        return None;
    }
    let problem = launch(arguments).err()?;
    // Nobody can be told if standard error is gone, too.
    let _ = writeln!(io::stderr(), "cannot start the stage: {problem}");
    Some(ExitCode::from(FAILED))
}

fn launch(mut arguments: impl Iterator<Item = OsString>) -> io::Result<std::convert::Infallible> {
    let mut number = || -> io::Result<Option<u64>> {
        let word = arguments.next().unwrap_or_default().to_string_lossy().into_owned();
        if word == "-" {
            return Ok(None);
        }
        let wrong =
            || io::Error::new(io::ErrorKind::InvalidInput, format!("{word:?} is no number"));
        word.parse().map(Some).map_err(|_| wrong())
    };
    let (parent, memory, open_files) = (number()?, number()?, number()?);
    die_with_parent(parent)?;
    close_other_files()?;
    let limit = |resource, most: Option<u64>| match most {
        Some(_) => setrlimit(resource, Rlimit { current: most, maximum: most }),
        None => Ok(()),
    };
    limit(Resource::Core, Some(0))?;
    limit(Resource::Nofile, open_files)?;
    let program = arguments.next().unwrap_or_default();
    let mut command = Command::new(program);
    command.args(arguments);
    // Last, because from here on this program itself must fit.
    limit(Resource::As, memory)?;
    Err(command.exec())
}

/// Has the system end this process when the thread that started it is gone.
#[cfg(target_os = "linux")]
fn die_with_parent(parent: Option<u64>) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_no_new_privs(true)?;
    // It may have gone before.
    let now = getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs().into());
    if parent.is_some() && now != parent {
        return Err(io::Error::other("the program that wanted it is gone"));
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: Option<u64>) -> io::Result<()> {
    Ok(())
}

/// Closes what the program inherited from whoever started it, and passed on.
#[cfg(target_os = "linux")]
fn close_other_files() -> io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in open {
        // That of the listing itself is closed already.
        let _ = nix::unistd::close(number);
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn close_other_files() -> io::Result<()> {
    Ok(())
}
