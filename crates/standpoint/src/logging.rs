//! Where the program's log goes: standard error, as lines for people or for programs.

use std::io;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::LogFormat;
use crate::style::Style;

/// What is logged when nobody says.
const USUAL: &str = "warn,standpoint=info,standpoint_engine=info,standpoint_connectors=info";

/// Starts to log what `filter` lets through.
///
/// # Errors
///
/// When the filter is not one.
pub(crate) fn start(filter: Option<&str>, format: LogFormat, style: Style) -> Result<()> {
    let filter = EnvFilter::try_new(filter.unwrap_or(USUAL))
        .context("`--log` is not a filter such as `debug` or `standpoint_engine=trace`")?;
    let registry = tracing_subscriber::registry().with(filter);
    let writer = io::stderr;
    match format {
        LogFormat::Text => {
            let layer = fmt::layer().with_writer(writer).with_ansi(style.colour).with_target(false);
            registry.with(layer).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(writer)).try_init(),
    }
    .context("cannot start the log")
}
