//! `ledger`: what a daemon remembers, and whether it is whole.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;
use standpoint_connectors::ledger::folder;
use standpoint_connectors::ledger::inspect::{self, Entry, Finding};

use crate::cli::{self, LedgerCommand, ReportFormat};
use crate::exit::Exit;
use crate::pipeline_file::sections_of;
use crate::style::many;

/// Answers one of the commands with what is to be printed.
///
/// # Errors
///
/// When the pipeline file or the ledger cannot be read.
pub(crate) fn answer(command: &LedgerCommand) -> Result<(String, Exit)> {
    match command {
        LedgerCommand::Check { of, format } => {
            let findings = look(of, |_| ())?;
            let is_whole = findings.iter().all(|finding| finding.problem.is_none());
            let exit = if is_whole { Exit::Done } else { Exit::Failed };
            Ok((report(&findings, *format), exit))
        }
        LedgerCommand::Dump { of } => {
            let mut told = String::new();
            look(of, |entry| told.push_str(&line(&entry)))?;
            Ok((told, Exit::Done))
        }
    }
}

fn look(of: &cli::Ledger, each: impl FnMut(Entry)) -> Result<Vec<Finding>> {
    let data_dir = match (&of.data_dir, &of.config) {
        (Some(folder), _) => folder.clone(),
        (None, Some(file)) => sections_of(file, &["data_dir"])?.data_dir,
        (None, None) => PathBuf::from("state"),
    };
    let folder = folder(&data_dir);
    inspect::look(&folder, each)
        .with_context(|| format!("cannot look into the ledger {}", folder.display()))
}

fn report(findings: &[Finding], format: ReportFormat) -> String {
    if format == ReportFormat::Json {
        let files = findings.iter().map(|finding| {
            json!({
                "file": finding.path,
                "bytes": finding.bytes,
                "records": finding.records,
                "ids": finding.ids,
                "problem": finding.problem,
            })
        });
        return format!("{:#}\n", files.collect::<serde_json::Value>());
    }
    let mut told = String::new();
    for Finding { path, bytes, records, ids, problem } in findings {
        let path = path.display();
        let verdict = problem.as_deref().unwrap_or("whole");
        // Infallible: a String takes whatever is written.
        let (records, ids) = (many(*records, "record"), many(*ids, "id"));
        let _ = writeln!(told, "{path}: {records}, {ids}, {}: {verdict}", many(*bytes, "byte"));
    }
    let problems = findings.iter().filter(|finding| finding.problem.is_some()).count();
    let files = many(findings.len() as u64, "file");
    let _ = writeln!(told, "{files}, {problems} with something to tell");
    told
}

/// An entry as one line of JSON.
fn line(entry: &Entry) -> String {
    let value = match entry {
        Entry::Known { file, id } => json!({ "file": file, "known": id }),
        Entry::Forgotten { file, id } => json!({ "file": file, "forgotten": id }),
        Entry::Good { file, end } => json!({ "file": file, "good": end }),
    };
    format!("{value}\n")
}
