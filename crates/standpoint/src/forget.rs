//! `forget`: a document and everything that was found in it, deleted wherever it stands.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use standpoint_config::PipelineFile;
use standpoint_connectors::files::with_causes;
use standpoint_connectors::forget::{self, Forgotten};
use standpoint_connectors::inbox::OnSuccess;
use standpoint_connectors::instance::{Instance, InstanceError};
use standpoint_connectors::{postgres, sqlite};

use crate::cli;
use crate::exit::{self, Exit};
use crate::pipeline_file::{
    inboxes_of, ledger_of, paths_of, pipeline_file, read_limits, servers_of,
};
use crate::style::harmless;

/// Answers the command with what is to be printed.
///
/// # Errors
///
/// When a daemon is running, or something cannot be read or written.
pub(crate) fn answer(arguments: &cli::Forget) -> Result<(String, Exit)> {
    let file = pipeline_file(&arguments.config)?;
    let _instance = Instance::take(&file.data_dir).map_err(|error| match error {
        InstanceError::Held { .. } => exit::locked(error.to_string()),
        other => exit::usage(with_causes(&other)),
    })?;
    let mut told = Told::default();
    // The inputs first: what is left of a document after a crash is found by its results.
    in_inputs(&file, &arguments.id, &mut told)?;
    in_outputs(&file, &arguments.id, &mut told)?;
    Ok(told.verdict())
}

fn in_inputs(file: &PipelineFile, id: &str, told: &mut Told) -> Result<()> {
    let limits = read_limits(file);
    for (name, settings) in inboxes_of(file) {
        let folder = match &settings.on_success {
            OnSuccess::Archive(archive) => archive,
            OnSuccess::Keep => &settings.path,
            OnSuccess::Delete => continue,
        };
        let fail = || format!("cannot look into {}", folder.display());
        for forgotten in forget::in_inputs(folder, &name, id, &limits).with_context(fail)? {
            told.note(&forgotten);
        }
        let mut memory = ledger_of(file).of_source(&name)?;
        if forget::in_memory(&mut memory, id)? {
            told.say(&format!("the memory of source `{name}`: forgotten"));
        }
    }
    let folder = &file.quarantine.path;
    let fail = || format!("cannot look into {}", folder.display());
    for forgotten in forget::in_quarantine(folder, id, &limits).with_context(fail)? {
        told.note(&forgotten);
    }
    Ok(())
}

fn in_outputs(file: &PipelineFile, id: &str, told: &mut Told) -> Result<()> {
    for (name, path) in paths_of(file, "jsonl") {
        let mut memory = ledger_of(file).of_sink(&name)?;
        let fail = || format!("cannot change {}", path.display());
        for forgotten in forget::in_results(&path, id, &mut memory).with_context(fail)? {
            told.note(&forgotten);
        }
        if forget::in_memory(&mut memory, id)? {
            told.say(&format!("the memory of sink `{name}`: forgotten"));
        }
    }
    for (_, path) in paths_of(file, "sqlite") {
        if sqlite::forget(&path, id)? {
            told.say(&format!("{}: its rows are deleted", path.display()));
        }
    }
    for (name, settings) in servers_of(file)? {
        if postgres::forget(&settings, id)? {
            told.say(&format!("the store of sink `{name}`: its rows are deleted"));
        }
    }
    Ok(())
}

/// What was done, for the terminal.
#[derive(Default)]
struct Told {
    text: String,
    has_found: bool,
    is_left: bool,
}

impl Told {
    fn note(&mut self, forgotten: &Forgotten) {
        match forgotten {
            Forgotten::Deleted(path) => self.say(&format!("{}: deleted", path.display())),
            Forgotten::Records(path, count) => {
                self.say(&format!("{}: {count} records deleted", path.display()));
            }
            Forgotten::Left(path) => {
                self.is_left = true;
                self.say(&format!(
                    "{}: LEFT, for it holds other documents too; take it out by hand",
                    path.display()
                ));
            }
        }
    }

    fn say(&mut self, line: &str) {
        self.has_found = true;
        // Infallible: a String takes whatever is written.
        let _ = writeln!(self.text, "{}", harmless(line));
    }

    fn verdict(mut self) -> (String, Exit) {
        if !self.has_found {
            self.say("no such document is known");
            return (self.text, Exit::Failed);
        }
        let exit = if self.is_left { Exit::Failed } else { Exit::Done };
        (self.text, exit)
    }
}
