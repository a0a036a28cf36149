//! Where the program's log goes: standard error, as lines for people or for programs.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::{Cli, Command, LogFormat};
use crate::console;
use crate::style::Style;

/// What a daemon logs when nobody says: that something was asked and has happened.
const OF_A_DAEMON: &str = "warn,standpoint=info,standpoint_engine=info,standpoint_connectors=info";

/// What the other commands log, whose output is their own report.
const OF_A_COMMAND: &str = "warn";

/// Whether programs read the log.
static IS_FOR_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// Whether each line of the log is an object, for programs that collect and keep it.
pub(crate) fn is_for_programs() -> bool {
    IS_FOR_PROGRAMS.load(Ordering::Relaxed)
}

/// Starts to log what `--log` lets through.
///
/// # Errors
///
/// When the filter is not one, or there is no thread for the log of a daemon.
pub(crate) fn start(cli: &Cli, style: Style) -> Result<()> {
    let is_daemon = matches!(cli.command, Command::Daemon(_));
    let usual = if is_daemon { OF_A_DAEMON } else { OF_A_COMMAND };
    let filter = EnvFilter::try_new(cli.log.as_deref().unwrap_or(usual))
        .context("`--log` is not a filter such as `debug` or `standpoint_engine=trace`")?;
    console::tell_panics();
    let registry = tracing_subscriber::registry().with(filter);
    if is_daemon {
        console::start_thread().context("cannot start the thread of the log")?;
    }
    IS_FOR_PROGRAMS.store(cli.log_format == LogFormat::Json, Ordering::Relaxed);
    let writer = || console::Writer;
    match cli.log_format {
        LogFormat::Text => {
            let layer = fmt::layer().with_writer(writer).with_ansi(style.colour).with_target(false);
            registry.with(layer).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(writer)).try_init(),
    }
    .context("cannot start the log")
}
