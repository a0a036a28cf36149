//! `forget`: a document and everything that was found in it, deleted wherever it stands.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use standpoint_config::{Durability, PipelineFile};
use standpoint_connectors::forget::{self, Forgotten};
use standpoint_connectors::inbox::OnSuccess;
use standpoint_connectors::instance::{Instance, InstanceError};
use standpoint_connectors::{postgres, sqlite};
use standpoint_store::schema::log_of;
use standpoint_store::write;

use crate::cli;
use crate::exit::{self, Exit};
use crate::pipeline_file::{
    inboxes_of, ledger_of, paths_of, pipeline_file, read_limits, servers_of,
};
use crate::style::{harmless, many};

/// Answers the command with what is to be printed.
///
/// # Errors
///
/// When a daemon is running, or something cannot be read or written.
pub(crate) fn answer(arguments: &cli::Forget) -> Result<(String, Exit)> {
    let file = pipeline_file(&arguments.config)?;
    let _instance = Instance::take(&file.data_dir).map_err(|error| match error {
        InstanceError::Held { .. } => exit::locked(format!(
            "{error}: a document is forgotten while no daemon runs, which may start again afterwards"
        )),
        other => other.into(),
    })?;
    let mut told = Told::default();
    // The inputs first: what is left of a document after a crash is found by its results.
    in_inputs(&file, &arguments.id, &mut told)?;
    in_outputs(&file, &arguments.id, &mut told)?;
    if !told.has_found
        && let Some(line) = meant(&file, &arguments.id)
    {
        told.tell(&line);
    }
    Ok(told.verdict())
}

/// What to give in place of the id that a record brought itself, which is no document's.
fn meant(file: &PipelineFile, id: &str) -> Option<String> {
    let of_line = |line: io::Result<String>| {
        let line: Value = serde_json::from_str(&line.ok()?).ok()?;
        let is_meant = line.pointer("/source/id")?.as_str()? == id;
        is_meant.then(|| Some(line.get("id")?.as_str()?.to_owned()))?
    };
    let found = paths_of(file, "jsonl")
        .into_iter()
        .find_map(|(_, path)| BufReader::new(File::open(path).ok()?).lines().find_map(of_line))?;
    Some(format!(
        "`{id}` is the id that a record brought; that of its document, the `id` of its result line, is {found}"
    ))
}

fn in_inputs(file: &PipelineFile, id: &str, told: &mut Told) -> Result<()> {
    let limits = read_limits(file);
    for (name, settings) in inboxes_of(file) {
        // What waits in the inbox, or is in work, would come again at the next start.
        let inbox = &settings.path;
        let mut folders = vec![inbox];
        if let OnSuccess::Archive(archive) = &settings.on_success {
            folders.push(archive);
        }
        for folder in folders {
            let fail = || format!("cannot look into {}", folder.display());
            for forgotten in forget::in_inputs(folder, &name, id, &limits).with_context(fail)? {
                told.note(&forgotten);
            }
        }
        let fail = || format!("cannot look into what {} has in work", inbox.display());
        for forgotten in forget::in_work(inbox, &name, id, &limits).with_context(fail)? {
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
    let sync = file.commit.durability != Durability::Os;
    for (name, path) in paths_of(file, "jsonl") {
        let mut memory = ledger_of(file).of_sink(&name)?;
        let fail = || format!("cannot change {}", path.display());
        for forgotten in forget::in_results(&path, id, sync, &mut memory).with_context(fail)? {
            told.note(&forgotten);
        }
        if forget::in_memory(&mut memory, id)? {
            told.say(&format!("the memory of sink `{name}`: forgotten"));
        }
    }
    for (_, path) in paths_of(file, "sqlite") {
        told.note_store(&path, sqlite::forget(&path, id)?);
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
    /// Whether what an earlier call had to leave is gone now.
    has_finished: bool,
    is_left: bool,
}

impl Told {
    fn note(&mut self, forgotten: &Forgotten) {
        match forgotten {
            Forgotten::Deleted(path) => self.say(&format!("{}: deleted", path.display())),
            Forgotten::Records(path, count) => {
                self.say(&format!("{}: {} deleted", path.display(), many(*count, "record")));
            }
            Forgotten::InWork(path) => {
                self.is_left = true;
                self.say(&format!(
                    "{}: LEFT, for it is in work and comes again: let the daemon finish it, as with \
                     `standpoint daemon --once`, end it and give this command again",
                    path.display()
                ));
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

    fn note_store(&mut self, path: &Path, forgotten: write::Forgotten) {
        let (store, log) = (path.display(), log_of(path));
        if forgotten.was_there {
            self.say(&format!("{store}: its rows are deleted"));
        }
        match forgotten.log {
            write::Log::Empty => {}
            write::Log::Emptied if forgotten.was_there => {}
            write::Log::Emptied => {
                self.has_finished = true;
                self.tell(&format!("{}: emptied of what was deleted before", log.display()));
            }
            write::Log::Held => {
                self.is_left = true;
                self.say(&format!(
                    "{}: LEFT, for another program reads the store: what was deleted, its text too, \
                     stands in there until that program ends; end it and give this command again",
                    log.display()
                ));
            }
        }
    }

    fn say(&mut self, line: &str) {
        self.has_found = true;
        self.tell(line);
    }

    fn tell(&mut self, line: &str) {
        // Infallible: a String takes whatever is written.
        let _ = writeln!(self.text, "{}", harmless(line));
    }

    fn verdict(mut self) -> (String, Exit) {
        if !self.has_found {
            self.tell("no such document is known; its id is the `id` of its result line");
            let exit = if self.has_finished { Exit::Done } else { Exit::Failed };
            return (self.text, exit);
        }
        let exit = if self.is_left { Exit::Failed } else { Exit::Done };
        (self.text, exit)
    }
}

#[cfg(test)]
mod tests {
    use standpoint_store::write::{Forgotten, Log};

    use super::*;

    #[test]
    fn a_log_that_still_holds_a_text_is_named_until_it_is_emptied() {
        let cases = [
            (
                "an unknown id",
                false,
                Log::Empty,
                Exit::Failed,
                "no such document is known; its id is",
            ),
            ("deleted", true, Log::Empty, Exit::Done, "s.db: its rows are deleted\n"),
            (
                "the log of others too",
                true,
                Log::Emptied,
                Exit::Done,
                "s.db: its rows are deleted\n",
            ),
            (
                "somebody reads",
                true,
                Log::Held,
                Exit::Failed,
                "s.db-wal: LEFT, for another program",
            ),
            ("and reads on", false, Log::Held, Exit::Failed, "end it and give this command again"),
            ("who read is gone", false, Log::Emptied, Exit::Done, "s.db-wal: emptied"),
        ];
        for (case, was_there, log, exit, expected) in cases {
            let mut told = Told::default();
            told.note_store(Path::new("s.db"), Forgotten { was_there, log });
            let (text, found) = told.verdict();
            assert_eq!(found, exit, "{case}: {text}");
            assert!(text.contains(expected), "{case}: {text}");
        }
    }
}
