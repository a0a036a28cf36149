//! How the program ends: its exit codes, and the last line that it prints.

use std::process::ExitCode;

use anyhow::Error;

use crate::console;
use crate::style::{Paint, Style};

/// The exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All that was asked is done.
    Done = 0,
    /// It failed while running.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Done, but some documents failed.
    SomeFailed = 3,
    /// Another instance holds the data folder.
    Locked = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that says with which code the program ends.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Ending {
    exit: Exit,
    message: String,
}

/// Wrong usage or configuration: exit code 2.
pub(crate) fn usage(message: impl Into<String>) -> Error {
    Ending { exit: Exit::Usage, message: message.into() }.into()
}

/// Another instance is running: exit code 4.
pub(crate) fn locked(message: impl Into<String>) -> Error {
    Ending { exit: Exit::Locked, message: message.into() }.into()
}

/// The exit code of an error: what it says itself, else 1.
pub(crate) fn of(error: &Error) -> Exit {
    error.downcast_ref::<Ending>().map_or(Exit::Failed, |ending| ending.exit)
}

/// Prints an error with its causes on standard error. Findings in a pipeline file, which are
/// drawn over several lines, stand as they are.
pub(crate) fn tell(error: &Error, style: Style) {
    let message = format!("{error:#}");
    if message.contains('\n') {
        console::say(message.trim_end());
    } else {
        console::say(&format!("{} {message}", style.paint(Paint::Error, "error:")));
    }
}
