//! The program: reads the pipeline file, assembles the parts, runs them, tells you.
//!
//! Modules in reading order: `cli` says what may be asked; `commands` answers; `assemble` is the
//! one place that knows config, connectors, plugins and engine all at once; the others print.

mod alerts;
mod assemble;
mod bounded;
mod cli;
mod cluster;
mod commands;
mod condition;
mod console;
mod control;
mod daemon;
mod dashboard;
mod evaluate;
mod exit;
mod explain;
mod forget;
mod kinds;
mod ledger;
#[cfg(feature = "nats")]
mod letters;
mod logging;
mod metrics;
mod notify;
mod objects;
mod orders;
mod page;
mod pipeline_file;
mod places;
mod plugins;
mod progress;
mod publish;
mod quarantine;
mod reload;
mod report;
mod reprocess;
mod routes;
mod run;
mod server;
mod signals;
mod status;
mod style;
mod table;
mod targets;
mod top;
mod traces;
mod trials;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::style::Style;

fn main() -> ExitCode {
    // Before anything else: a launcher of a stage's process is to do nothing more.
    if let Some(code) = standpoint_process::host::launch::asked(std::env::args_os()) {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // Help that nobody reads any more, as in `--help | head`, is no failure.
            let _ = error.print();
            return exit.into();
        }
    };
    let style = Style::of_stderr(cli.color);
    let exit = match logging::start(&cli, style) {
        Err(error) => {
            exit::tell(&error, style);
            Exit::Usage
        }
        Ok(()) => commands::answer(cli).unwrap_or_else(|error| {
            exit::tell(&error, style);
            exit::of(&error)
        }),
    };
    console::finish(console::PATIENCE);
    exit.into()
}
