//! `quarantine`: what failed, why, and again; where daemons share a stream, its dead letters.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use serde_json::json;
use standpoint_config::{Durability, PipelineFile};
use standpoint_connectors::quarantine::{self, Entry, Reason};

use crate::cli::{QuarantineCommand, ReportFormat, Which};
use crate::cluster;
use crate::console;
use crate::exit::{self, Exit};
use crate::pipeline_file::{cluster_settings, inbox_of, pipeline_file, read_limits, sections_of};
use crate::style::{harmless, many};

/// Answers one of the commands with what is to be printed.
///
/// # Errors
///
/// When the pipeline file or the quarantine cannot be read, or no such file is there.
pub(crate) fn answer(command: &QuarantineCommand) -> Result<(String, Exit)> {
    let (QuarantineCommand::List { of, .. }
    | QuarantineCommand::Show { of, .. }
    | QuarantineCommand::Replay { of, .. }
    | QuarantineCommand::Purge { of, .. }) = command;
    let file = match command {
        QuarantineCommand::List { .. } | QuarantineCommand::Show { .. } => {
            sections_of(&of.config, &["quarantine", "cluster"])?
        }
        QuarantineCommand::Replay { .. } | QuarantineCommand::Purge { .. } => {
            pipeline_file(&of.config)?
        }
    };
    if let Some((kind, settings)) = cluster_settings(&file)? {
        return cluster::dead_letters(&kind, settings, file.limits.max_document_bytes, command);
    }
    match command {
        QuarantineCommand::List { format, .. } => Ok((list(&entries(&file)?, *format), Exit::Done)),
        QuarantineCommand::Show { name, .. } => {
            let entries = entries(&file)?;
            Ok((format!("{:#}\n", as_json(named(&entries, name)?)), Exit::Done))
        }
        QuarantineCommand::Replay { which, .. } => {
            for_each(&file, which, "back in the inbox", |entries| replay(&file, entries))
        }
        QuarantineCommand::Purge { which, .. } => {
            let folder = &file.quarantine.path;
            for_each(&file, which, "deleted", |entries| {
                Ok(entries.iter().try_for_each(|entry| quarantine::purge(folder, entry))?)
            })
        }
    }
}

/// The files in quarantine, as `list --format json` has them.
///
/// # Errors
///
/// When the quarantine cannot be read.
pub(crate) fn listed(file: &PipelineFile) -> Result<Vec<serde_json::Value>> {
    Ok(entries(file)?.iter().map(as_json).collect())
}

/// Moves one file back into its inbox.
///
/// # Errors
///
/// When there is no such file, or why it stays.
pub(crate) fn replay_named(file: &PipelineFile, name: &Path) -> Result<()> {
    replay(file, &[named(&entries(file)?, name)?])
}

fn entries(file: &PipelineFile) -> Result<Vec<Entry>> {
    let folder = &file.quarantine.path;
    quarantine::entries(folder)
        .with_context(|| format!("cannot look into the quarantine {}", folder.display()))
}

fn named<'e>(entries: &'e [Entry], name: &Path) -> Result<&'e Entry> {
    entries.iter().find(|entry| entry.path == name).ok_or_else(|| {
        exit::usage(format!(
            "{}: there is no such file in quarantine; `standpoint quarantine list` names them",
            name.display()
        ))
    })
}

/// Does something to each of the files that are meant, and says for each what became of it. Records
/// of one file come together.
fn for_each(
    file: &PipelineFile,
    which: &Which,
    done: &str,
    act: impl Fn(&[&Entry]) -> Result<()>,
) -> Result<(String, Exit)> {
    let entries = entries(file)?;
    let chosen: Vec<&Entry> = match which.older_than {
        Some(age) => entries.iter().filter(|entry| is_older(entry, age)).collect(),
        None if which.all => entries.iter().collect(),
        None => which.names.iter().map(|name| named(&entries, name)).collect::<Result<_>>()?,
    };
    if chosen.is_empty() {
        let why = if which.older_than.is_some() { "is older" } else { "is meant" };
        console::say(&format!(
            "nothing in quarantine {why}; `standpoint quarantine list` has what is there"
        ));
    }
    let (mut told, mut exit) = (String::new(), Exit::Done);
    for entries in together(file, chosen) {
        let outcome = match act(&entries) {
            Ok(()) => done.to_owned(),
            Err(error) => {
                exit = Exit::Failed;
                format!("stays, because {}", harmless(&format!("{error:#}")))
            }
        };
        for entry in entries {
            // Infallible: a String takes whatever is written.
            let _ = writeln!(told, "{}: {outcome}", shown(&entry.path));
        }
    }
    Ok((told, exit))
}

/// Entries of one file, with its source and path where it is known, and whether they have the ids
/// of others.
type Group<'e> = (Option<(String, String, bool)>, Vec<&'e Entry>);

/// The records of each file together, those apart that have the ids of others, and every other file
/// alone, in their order.
fn together<'e>(file: &PipelineFile, entries: Vec<&'e Entry>) -> Vec<Vec<&'e Entry>> {
    let limits = read_limits(file);
    let file_of = |entry: &Entry| {
        let reason = entry.reason.as_ref().ok()?;
        reason.record?;
        let has_same_id = quarantine::has_same_id(&file.quarantine.path, entry, &limits);
        Some((reason.source.clone(), reason.path.clone(), has_same_id))
    };
    let mut groups: Vec<Group<'_>> = Vec::new();
    for entry in entries {
        let file = file_of(entry);
        match groups.iter_mut().find(|(known, _)| file.is_some() && *known == file) {
            Some((_, group)) => group.push(entry),
            None => groups.push((file, vec![entry])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn replay(file: &PipelineFile, entries: &[&Entry]) -> Result<()> {
    let Some(entry) = entries.first() else { return Ok(()) };
    let source = entry.reason.as_ref().map_or("", |reason| &reason.source);
    let inbox = inbox_of(file, source)
        .ok_or_else(|| anyhow!("the pipeline file has no inbox `{source}`"))?;
    let sync = file.commit.durability != Durability::Os;
    let folder = &file.quarantine.path;
    if entry.reason.as_ref().is_ok_and(|reason| reason.record.is_some()) {
        return Ok(quarantine::replay_records(folder, entries, &inbox, &read_limits(file), sync)?);
    }
    Ok(quarantine::replay(folder, entry, &inbox, sync)?)
}

fn is_older(entry: &Entry, age: Duration) -> bool {
    let since = entry.reason.as_ref().ok().and_then(since);
    since.and_then(|since| since.elapsed().ok()).is_some_and(|waited| waited > age)
}

/// When a file was put into quarantine; `None` where the reason names no time that there is.
fn since(reason: &Reason) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(reason.quarantined_at))
}

fn list(entries: &[Entry], format: ReportFormat) -> String {
    match format {
        ReportFormat::Json => {
            format!("{:#}\n", entries.iter().map(as_json).collect::<serde_json::Value>())
        }
        ReportFormat::Text if entries.is_empty() => "nothing is in quarantine\n".to_owned(),
        ReportFormat::Text => entries.iter().map(line).collect(),
    }
}

/// How many failures of one file are listed.
const MOST_FAILURES: usize = 3;

/// A file on a line, its reason on the next, and what failed in it on those behind.
fn line(entry: &Entry) -> String {
    let (facts, found) = match &entry.reason {
        Ok(reason) => {
            let since = since(reason).map(humantime::format_rfc3339_seconds);
            let since = since.map(|since| since.to_string()).unwrap_or_default();
            let source = harmless(&reason.source);
            (format!("{since}, from {source}"), harmless(&reason.found))
        }
        Err(error) => ("since when is not known".to_owned(), unreadable(error)),
    };
    let bytes = many(entry.bytes, "byte");
    let mut told = format!("{}  ({bytes}, {facts})\n    {found}\n", shown(&entry.path));
    let failures = entry.reason.as_ref().map_or(&[][..], |reason| &reason.failures);
    for failure in failures.iter().take(MOST_FAILURES) {
        // Infallible: a String takes whatever is written.
        let _ = writeln!(told, "      {}", harmless(failure));
    }
    if failures.len() > MOST_FAILURES {
        let _ = writeln!(told, "      … `standpoint quarantine show` has all of them");
    }
    told
}

fn as_json(entry: &Entry) -> serde_json::Value {
    match &entry.reason {
        Ok(reason) => json!({ "file": entry.path, "bytes": entry.bytes, "reason": reason }),
        Err(error) => {
            json!({ "file": entry.path, "bytes": entry.bytes, "unreadable": unreadable(error) })
        }
    }
}

fn unreadable(error: &str) -> String {
    format!("its reason cannot be read: {}", harmless(error))
}

/// A path as text for a terminal.
fn shown(path: &Path) -> String {
    harmless(&path.to_string_lossy())
}
