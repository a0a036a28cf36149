//! What a pipeline file says of its folders, stores, limits and settings, for those who run
//! nothing, too.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;
use standpoint_config::{
    Diagnostic, Draft, Environment, Override, PipelineFile, SinkSettings, SourceSettings,
};
use standpoint_connectors::files::with_causes;
use standpoint_connectors::inbox::{InboxSettings, Size, check_pattern};
use standpoint_connectors::ledger::Ledger;
use standpoint_connectors::ledger::memory::Window;
use standpoint_connectors::limits::ReadLimits;
use standpoint_connectors::postgres::PostgresSettings;

use crate::cluster;
use crate::console;
use crate::exit;
use crate::kinds::{sink_schemas, source_schemas};
use crate::objects;

/// Reads a pipeline file for commands that run no stage. Its plugins are not looked at, so that a
/// daemon can be asked while somebody changes them.
///
/// # Errors
///
/// Every mistake in it; exit code 2.
pub(crate) fn pipeline_file(path: &Path) -> Result<PipelineFile> {
    Draft::load(path, &Environment::of_process(), &[])
        .finish()
        .map(|(file, _)| file)
        .map_err(|findings| exit::usage(findings.render(false)))
}

/// The same for commands that need only some sections of the file. Mistakes in others are told and
/// no hindrance: a daemon is asked most often while its file is edited.
///
/// # Errors
///
/// Every mistake in the file where these sections cannot be read; exit code 2.
pub(crate) fn sections_of(path: &Path, sections: &[&str]) -> Result<PipelineFile> {
    pipeline_file(path).or_else(|mistakes| {
        let draft = Draft::load_sections(path, &Environment::of_process(), sections);
        let Ok((file, _)) = draft.finish() else { return Err(mistakes) };
        let (path, read) = (path.display(), sections.join("`, `"));
        console::say(&format!(
            "{path} has mistakes, which `standpoint validate {path}` tells; only `{read}` is used here"
        ));
        Ok(file)
    })
}

/// The folder of the inbox that is called `source`; `None` if the file has no such inbox.
pub(crate) fn inbox_of(file: &PipelineFile, source: &str) -> Option<PathBuf> {
    let mut inboxes = inboxes_of(file).into_iter();
    inboxes.find(|(name, _)| name == source).map(|(_, settings)| settings.path)
}

/// The inboxes of a file, by their names.
pub(crate) fn inboxes_of(file: &PipelineFile) -> Vec<(String, InboxSettings)> {
    let schema = source_schemas().remove("inbox").unwrap_or_default();
    let settings = file.sources.iter().map(|entry| match entry.kind.as_str() {
        "inbox" => {
            let settings = entry.settings.so_far(&schema);
            Some((entry.name.clone(), serde_json::from_value(settings).ok()?))
        }
        // What is fetched from object storage is read from an inbox of the pipeline's own.
        "objects" => {
            let settings = source_settings(entry).ok()?;
            let inbox = objects::inbox(settings, &file.data_dir, &entry.name)?;
            Some((entry.name.clone(), inbox))
        }
        _ => None,
    });
    settings.flatten().collect()
}

/// The sinks of one type that write to a path, by their names.
pub(crate) fn paths_of(file: &PipelineFile, kind: &str) -> Vec<(String, PathBuf)> {
    let schema = sink_schemas().remove(kind).unwrap_or_default();
    let sinks = file.sinks.iter().filter(|entry| entry.kind == kind);
    let paths = sinks.map(|entry| {
        let settings = entry.settings.conform(&schema).ok()?;
        Some((entry.name.clone(), PathBuf::from(settings.get("path")?.as_str()?)))
    });
    paths.flatten().collect()
}

/// The stores on servers that a file's sinks keep, by their names.
///
/// # Errors
///
/// When the settings of one are none.
pub(crate) fn servers_of(file: &PipelineFile) -> Result<Vec<(String, PostgresSettings)>> {
    let sinks = file.sinks.iter().filter(|entry| entry.kind == "postgres");
    let settings = |entry: &SinkSettings| {
        Ok((entry.name.clone(), serde_json::from_value(sink_settings(entry)?)?))
    };
    sinks.map(settings).collect()
}

/// The ledger in the data folder of a file; for whoever holds the folder.
pub(crate) fn ledger_of(file: &PipelineFile) -> Ledger {
    let kept = &file.retention.ledger;
    let window = Window { max_ids: kept.max_documents.get().into(), max_age: kept.max_age };
    Ledger::new(&file.data_dir, window)
}

/// The settings that a source's type alone has.
pub(crate) fn source_settings(source: &SourceSettings) -> Result<Value> {
    let schema = source_schemas().remove(source.kind.as_str()).unwrap_or_default();
    let checked = source.settings.conform(&schema);
    checked.map_err(|findings| exit::usage(findings.render(false)))
}

/// The settings that a sink's type alone has.
pub(crate) fn sink_settings(sink: &SinkSettings) -> Result<Value> {
    let schema = sink_schemas().remove(sink.kind.as_str()).unwrap_or_default();
    let checked = sink.settings.conform(&schema);
    checked.map_err(|findings| exit::usage(findings.render(false)))
}

/// Over what the cluster shares its work, and the settings of that, if there is one.
pub(crate) fn cluster_settings(file: &PipelineFile) -> Result<Option<(String, Value)>> {
    let Some(cluster) = &file.cluster else { return Ok(None) };
    let schema = cluster::schemas().remove(cluster.kind.as_str()).unwrap_or_default();
    let checked = cluster.settings.conform(&schema);
    let settings = checked.map_err(|findings| exit::usage(findings.render(false)))?;
    Ok(Some((cluster.kind.clone(), settings)))
}

/// What no schema can say of a cluster and of sinks that belong to one.
pub(crate) fn cluster_mistakes(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    if let (Some(cluster), Ok(Some((kind, settings)))) = (&file.cluster, cluster_settings(file))
        && let Some((key, problem)) = cluster::mistake(&kind, &settings)
    {
        mistakes.push(cluster.settings.diagnostic(&key, problem, None));
    }
    for sink in file.sinks.iter().filter(|sink| cluster::SINKS.contains(&sink.kind.as_str())) {
        if let Ok(settings) = sink_settings(sink)
            && let Some((key, problem)) = cluster::sink_mistake(&sink.kind, &settings)
        {
            mistakes.push(sink.settings.diagnostic(&key, problem, None));
        }
    }
    mistakes
}

/// Patterns of file names that are none.
pub(crate) fn pattern_mistakes(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    let schemas = source_schemas();
    let has_patterns = |source: &&SourceSettings| matches!(&*source.kind, "inbox" | "objects");
    for source in file.sources.iter().filter(has_patterns) {
        let Some(schema) = schemas.get(&*source.kind) else { continue };
        // A mistake in another key hides none of these.
        let settings = source.settings.so_far(schema);
        for key in ["include", "ignore"] {
            let patterns = settings[key].as_array().into_iter().flatten();
            for (at, pattern) in patterns.enumerate() {
                if let Err(error) = check_pattern(pattern.as_str().unwrap_or_default()) {
                    let (key, problem) = (format!("{key}[{at}]"), with_causes(&error));
                    mistakes.push(source.settings.diagnostic(&key, problem, None));
                }
            }
        }
    }
    mistakes
}

/// What no schema can say of sources and sinks in object storage.
pub(crate) fn object_mistakes(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    for source in file.sources.iter().filter(|source| source.kind == "objects") {
        if let Ok(settings) = source_settings(source)
            && let Some((key, problem)) = objects::mistake(settings)
        {
            mistakes.push(source.settings.diagnostic(key, problem, None));
        }
    }
    for sink in file.sinks.iter().filter(|sink| sink.kind == "objects") {
        if let Ok(settings) = sink_settings(sink)
            && let Some((key, problem)) = objects::sink_mistake(settings)
        {
            mistakes.push(sink.settings.diagnostic(key, problem, None));
        }
    }
    mistakes
}

/// How much a file may hold.
pub(crate) fn read_limits(file: &PipelineFile) -> ReadLimits {
    let limits = &file.limits;
    ReadLimits {
        max_document_bytes: limits.max_document_bytes,
        max_text_bytes: limits.max_text_bytes,
        max_line_bytes: limits.max_line_bytes,
        max_expanded_bytes: limits.max_expanded_bytes,
        max_expanded_ratio: limits.max_expanded_ratio.get().into(),
        max_records_per_file: limits.max_records_per_file.get().into(),
        max_json_depth: limits.max_json_depth.get(),
        max_mail_parts: limits.max_mail_parts.get(),
    }
}

/// How many times the bytes of its text a document may come to take, in the built-in stages and
/// sinks. Measured, for texts in which each character is a token: 82 with result lines, 122 with a
/// store beside them.
pub(crate) const GROWTH: NonZeroUsize = NonZeroUsize::new(128).unwrap();

/// What the program takes at the start, and for what waits in its lists.
const FIXED_BYTES: u64 = 64 << 20;

/// How many times its length a file takes that is read as a whole, or a line, while it is read.
const READING: u64 = 4;

/// How much memory the program takes at most, in bytes: for one document that is as long as one may
/// be or those in flight, and for what each inbox has in hand. Stages in processes, other plugins'
/// tables and calls that block are not in it.
pub(crate) fn memory_bound(file: &PipelineFile) -> u64 {
    let limits = &file.limits;
    let longest = limits.max_text_bytes.saturating_mul(GROWTH.get() as u64);
    let usual = limits.max_document_bytes.max(limits.max_line_bytes);
    let reading = inboxes_of(file).into_iter().map(|(_, inbox)| {
        let whole =
            inbox.max_document_bytes.map_or(usual, |Size(bytes)| bytes.max(limits.max_line_bytes));
        whole.saturating_mul(READING)
    });
    let reading = reading.fold(0, u64::saturating_add);
    FIXED_BYTES.saturating_add(longest.max(limits.max_bytes_in_flight)).saturating_add(reading)
}

/// Reads `--set KEY=VALUE`.
pub(crate) fn overrides(texts: &[String]) -> Result<Vec<Override>> {
    let read = |text: &String| {
        Override::parse(text).ok_or_else(|| {
            exit::usage(format!("`--set {text}` needs a key and a value, as in `--set name=demo`"))
        })
    };
    texts.iter().map(read).collect()
}
