//! `reprocess`: documents of a store, read again by the stages as they are now.
//!
//! A document's text is kept in the store as it was archived, so that nothing else is needed. Its
//! id stays, and with it what people corrected.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use async_trait::async_trait;
use serde::Serialize;
use standpoint_connectors::files::with_causes;
use standpoint_connectors::jsonl::Maker;
use standpoint_document::{Document, Metadata, SourceRef};
use standpoint_engine::{Sink, SinkError, StageStep};
use standpoint_store::documents::{self, Kept, Standing};
use standpoint_store::record::{OUTLET, Position, StageRun};
use standpoint_store::{Record, Store};
use tokio::task::block_in_place;
use tracing::error;

use crate::assemble::Assembly;
use crate::cli::{self, PipelineChoice, ReportFormat};
use crate::exit::{self, Exit};
use crate::run::{self, Documents};
use crate::style::{harmless, many};

/// A score that moved by less is told by no one.
const LEAST_MOVE: f64 = 0.1;

/// Answers the command.
///
/// # Errors
///
/// When the pipeline file has no store, or the run fails.
pub(crate) fn run(arguments: &cli::Reprocess) -> Result<Exit> {
    let choice =
        PipelineChoice { config: Some(arguments.config.clone()), set: arguments.set.clone() };
    let assembly = Assembly::of(&choice)?;
    let place = assembly.store()?.ok_or_else(|| {
        exit::usage(format!(
            "{}: has no sink of type `sqlite` or `postgres`, in which documents are kept to be read again",
            arguments.config.display()
        ))
    })?;
    let refuse = |error| exit::usage(with_causes(&error));
    let stages = assembly.stages(&[])?;
    let chain = Chain::of(&stages);
    let writer = place.open(true).map_err(refuse)?;
    let reader = place.read().map_err(refuse)?;
    let ids = documents::ids(&reader)?;
    let tally = Arc::new(Mutex::new(Tally::default()));
    let maker = assembly.maker();
    let reading = Reading {
        store: reader,
        chain,
        pipeline: maker.pipeline.clone(),
        all: arguments.all,
        tally: Arc::clone(&tally),
    };
    let again: Documents = Box::new(ids.into_iter().filter_map(move |id| reading.document(&id)));
    let sink = Revising {
        store: writer,
        maker,
        keeps: !arguments.dry_run,
        format: arguments.format,
        tally: Arc::clone(&tally),
    };
    let summary = run::send(again, stages, assembly.sink_step("store", Box::new(sink)), &assembly)?;
    let tally = lock(&tally);
    let told = match arguments.format {
        ReportFormat::Json => format!("{}\n", serde_json::to_string(&*tally)?),
        ReportFormat::Text => tally.text(arguments.dry_run),
    };
    io::stdout().write_all(told.as_bytes())?;
    let is_whole = summary.counts.failed == 0 && tally.unreadable == 0;
    Ok(if is_whole { Exit::Done } else { Exit::SomeFailed })
}

/// The stages as they are now.
struct Chain(Vec<(String, String, Option<String>)>);

impl Chain {
    fn of(stages: &[StageStep]) -> Self {
        let stages = stages.iter();
        Self(
            stages
                .map(|stage| (stage.id.clone(), stage.version.clone(), stage.model.clone()))
                .collect(),
        )
    }

    /// Whether these very stages read a document. One that passed it by left a note, and would
    /// again.
    fn has_read(&self, kept: &Kept) -> bool {
        let is_known = |run: &StageRun| {
            self.0.iter().any(|(id, version, model)| {
                *id == run.name && *version == run.version && *model == run.model
            })
        };
        let has_run = |id: &str| {
            kept.stages.iter().any(|run| run.name == id)
                || kept.notes.iter().any(|note| {
                    note.starts_with(&format!("{id}:"))
                        || *note == standpoint_engine::skipped_note(id)
                })
        };
        kept.stages.iter().all(is_known) && self.0.iter().all(|(id, ..)| has_run(id))
    }
}

/// Reads the documents that are to go through the stages again.
struct Reading {
    store: Store,
    chain: Chain,
    /// The pipeline file as it is now, by its name and hash.
    pipeline: String,
    all: bool,
    tally: Arc<Mutex<Tally>>,
}

impl Reading {
    /// A document as it was archived; `None` for one that the stages as they are have read, and for
    /// one that cannot be read any more, which is named and stays as it is.
    fn document(&self, id: &str) -> Option<Document<'static>> {
        let kept = match documents::document(&self.store, id) {
            Ok(Some(kept)) => kept,
            // Somebody had it forgotten meanwhile.
            Ok(None) => return None,
            Err(error) => return self.give_up(id, &with_causes(&error)),
        };
        if !self.all && self.chain.has_read(&kept) {
            let mut tally = lock(&self.tally);
            tally.passed_over += 1;
            tally.of_other_settings += u64::from(kept.pipeline != self.pipeline);
            return None;
        }
        let source = SourceRef { name: kept.read_from, path: kept.path, id: kept.source_id };
        let outlet = kept.attributes.get(OUTLET).filter(|name| name.is_string()).cloned();
        let metadata = Metadata {
            source,
            title: kept.title,
            author: kept.author,
            published: kept.published,
            // Whether the input gave it or a stage found it is not known; either would again.
            language: kept.language,
        };
        match Document::new(id.to_owned(), kept.text) {
            Ok(document) => {
                let mut document = document.with_metadata(metadata);
                if let Some(outlet) = outlet {
                    document.lend_attribute(OUTLET, outlet);
                }
                Some(document)
            }
            Err(error) => self.give_up(id, &with_causes(&error)),
        }
    }

    fn give_up(&self, id: &str, why: &str) -> Option<Document<'static>> {
        error!(id, "cannot be read from the store and stays as it is: {why}");
        lock(&self.tally).unreadable += 1;
        None
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    // Nothing that can panic runs under the lock.
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What changed in all.
#[derive(Debug, Default, Serialize)]
struct Tally {
    /// Documents that were read again.
    documents: u64,
    /// Those in which something changed.
    changed: u64,
    appeared: u64,
    vanished: u64,
    /// Stances with another label in five.
    relabelled: u64,
    /// Stances with the same label and another score.
    moved: u64,
    /// Documents that were not read again, because these versions of the stages had read them.
    passed_over: u64,
    /// Those of them that were read under another pipeline file, whose settings may differ.
    of_other_settings: u64,
    /// Documents that cannot be read from the store.
    unreadable: u64,
}

impl Tally {
    fn text(&self, is_dry: bool) -> String {
        let kept = if is_dry { "; nothing was kept" } else { "" };
        let mut told = format!(
            "{} read again, {} changed: {} appeared, {} vanished, {} with another label, {} \
             moved{kept}\n",
            many(self.documents, "document"),
            self.changed,
            many(self.appeared, "stance"),
            self.vanished,
            self.relabelled,
            self.moved
        );
        // Infallible: a String takes whatever is written.
        if self.passed_over > 0 {
            let _ = write!(
                told,
                "{} passed over: these versions of the stages have read {}",
                self.passed_over,
                if self.passed_over == 1 { "it" } else { "them" }
            );
            let others = self.of_other_settings;
            let _ = match others {
                0 => writeln!(told),
                _ => writeln!(
                    told,
                    ", {others} of them under another pipeline file, whose settings may differ; \
                     `--all` reads {} again, too",
                    if others == 1 { "it" } else { "them" }
                ),
            };
        }
        if self.unreadable > 0 {
            let (stay, them) = if self.unreadable == 1 {
                ("stays as it is", "it")
            } else {
                ("stay as they are", "them")
            };
            let unreadable = many(self.unreadable, "document");
            let _ = writeln!(
                told,
                "{unreadable} cannot be read from the store and {stay}; the log names {them}"
            );
        }
        told
    }
}

/// What changed in a document.
#[derive(Debug, Serialize)]
struct Revised<'d> {
    id: &'d str,
    title: Option<&'d str>,
    before: &'d [StageRun],
    after: &'d [StageRun],
    changes: Vec<Change>,
}

/// What changed in a stance.
#[derive(Debug, PartialEq, Serialize)]
struct Change {
    who: String,
    name: String,
    target: String,
    /// What was said before; null where nothing was.
    before: Option<f64>,
    /// What is said now.
    after: Option<f64>,
}

impl Change {
    fn text(&self) -> String {
        let said = |score: Option<f64>| match score {
            Some(score) => format!("{} {score:+.2}", standpoint_store::figures::degree(score)),
            None => "nothing".to_owned(),
        };
        format!(
            "  {} → {}: {} → {}\n",
            harmless(&self.name),
            harmless(&self.target),
            said(self.before),
            said(self.after)
        )
    }
}

/// A sink that compares what comes with what is kept, tells it, and keeps it.
struct Revising {
    store: Store,
    maker: Maker,
    keeps: bool,
    format: ReportFormat,
    tally: Arc<Mutex<Tally>>,
}

#[async_trait]
impl Sink for Revising {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        // Nothing else waits for the runtime in a run that has no daemon.
        block_in_place(|| documents.iter().map(|document| self.revise(document)).collect())
    }
}

impl Revising {
    fn revise(&mut self, document: &Document<'_>) -> Result<Result<(), String>, SinkError> {
        let fail = |error| SinkError::transient("cannot use the store").caused_by(error);
        let record = Record::of(document, &self.maker.pipeline, &self.maker.version);
        let Some(kept) = documents::document(&self.store, &record.id).map_err(fail)? else {
            return Ok(Err("it is no longer in the store".to_owned()));
        };
        let changes = changes(&kept.stances, &record);
        let told = Revised {
            id: &record.id,
            title: record.title.as_deref(),
            before: &kept.stages,
            after: &record.provenance.stages,
            changes,
        };
        if self.keeps
            && let Err(refused) = self.keep(&record, &told)?
        {
            return Ok(Err(refused));
        }
        // Only now: what could not be kept is tried again and would be told and counted twice.
        if !told.changes.is_empty() {
            tell(&told, self.format)
                .map_err(|error| SinkError::fatal("cannot print").caused_by(error))?;
        }
        self.count(&told.changes);
        Ok(Ok(()))
    }

    fn keep(
        &mut self,
        record: &Record,
        told: &Revised<'_>,
    ) -> Result<Result<(), String>, SinkError> {
        let put = if told.changes.is_empty() {
            let put = self.store.put(std::slice::from_ref(record));
            put.map(|answers| answers.into_iter().next().unwrap_or(Ok(())))
        } else {
            self.store.put_revised(record, told.before, &told.changes)
        };
        put.map_err(|error| SinkError::transient("cannot write the store").caused_by(error))
    }

    fn count(&self, changes: &[Change]) {
        let degree = standpoint_store::figures::degree;
        let mut tally = lock(&self.tally);
        tally.documents += 1;
        tally.changed += u64::from(!changes.is_empty());
        for change in changes {
            let counter = match (change.before, change.after) {
                (None, _) => &mut tally.appeared,
                (_, None) => &mut tally.vanished,
                (Some(before), Some(after)) if degree(before) != degree(after) => {
                    &mut tally.relabelled
                }
                _ => &mut tally.moved,
            };
            *counter += 1;
        }
    }
}

fn tell(changes: &Revised<'_>, format: ReportFormat) -> io::Result<()> {
    let told = match format {
        ReportFormat::Json => format!("{}\n", serde_json::to_string(changes)?),
        ReportFormat::Text => {
            let mut told = String::new();
            // Infallible: a String takes whatever is written.
            let _ = writeln!(told, "{}", harmless(changes.title.unwrap_or(changes.id)));
            told.extend(changes.changes.iter().map(Change::text));
            told
        }
    };
    io::stdout().write_all(told.as_bytes())
}

/// What the pipeline says otherwise than before; what people corrected is not looked at.
fn changes(before: &[Standing], record: &Record) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut seen = Vec::new();
    let mut compare = |who: String, name: &str, target: &str, target_id: &str, now: &Position| {
        let was =
            before.iter().find(|standing| standing.who == who && standing.target_id == target_id);
        let was = was.and_then(|standing| standing.said_score);
        let degree = standpoint_store::figures::degree;
        let is_same = was.is_some_and(|was| {
            degree(was) == degree(now.score) && (was - now.score).abs() < LEAST_MOVE
        });
        seen.push((who.clone(), target_id.to_owned()));
        if !is_same {
            let (name, target) = (name.to_owned(), target.to_owned());
            changes.push(Change { who, name, target, before: was, after: Some(now.score) });
        }
    };
    for toward in &record.stance {
        let target = &toward.target;
        if let Some(position) = &toward.author {
            let who = format!("author:{}", record.author.as_deref().unwrap_or_default());
            compare(who, "the author", &target.name, &target.id, position);
        }
        for actor in &toward.actors {
            compare(actor.id.clone(), &actor.name, &target.name, &target.id, &actor.position);
        }
    }
    for standing in before.iter().filter(|standing| standing.said_score.is_some()) {
        let place = (standing.who.clone(), standing.target_id.clone());
        if !seen.contains(&place) {
            changes.push(Change {
                who: standing.who.clone(),
                name: standing.name.clone(),
                target: standing.target_name.clone(),
                before: standing.said_score,
                after: None,
            });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_document_that_a_condition_kept_from_a_stage_was_read_by_it() {
        let mut document = Document::new("a", "Kurz.").unwrap();
        document.add_note(standpoint_engine::skipped_note("stance"));
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("store.db"), false).unwrap();
        let record = Record::of(&document, "p@1", "0.1.0");
        store.put(&[record]).unwrap()[0].clone().unwrap();
        let kept = documents::document(&store, "a").unwrap().unwrap();
        for (stage, expected) in [("stance", true), ("stan", false), ("entity", false)] {
            let chain = Chain(vec![(stage.to_owned(), "0.1.0".to_owned(), None)]);
            assert_eq!(chain.has_read(&kept), expected, "{stage}");
        }
    }

    #[test]
    fn one_is_told_as_one() {
        let tally = Tally { documents: 1, changed: 1, appeared: 1, ..Tally::default() };
        insta::assert_snapshot!(tally.text(false), @"1 document read again, 1 changed: 1 stance appeared, 0 vanished, 0 with another label, 0 moved");
    }

    #[test]
    fn one_that_is_left_is_told_as_one() {
        let one = Tally { passed_over: 1, of_other_settings: 1, unreadable: 1, ..Tally::default() };
        insta::assert_snapshot!(one.text(false), @r"
        0 documents read again, 0 changed: 0 stances appeared, 0 vanished, 0 with another label, 0 moved
        1 passed over: these versions of the stages have read it, 1 of them under another pipeline file, whose settings may differ; `--all` reads it again, too
        1 document cannot be read from the store and stays as it is; the log names it
        ");
        let more =
            Tally { passed_over: 3, of_other_settings: 1, unreadable: 2, ..Tally::default() };
        insta::assert_snapshot!(more.text(false), @r"
        0 documents read again, 0 changed: 0 stances appeared, 0 vanished, 0 with another label, 0 moved
        3 passed over: these versions of the stages have read them, 1 of them under another pipeline file, whose settings may differ; `--all` reads it again, too
        2 documents cannot be read from the store and stay as they are; the log names them
        ");
    }

    #[test]
    fn a_document_that_is_tried_again_is_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let (path, away) = (folder.path().join("store.db"), folder.path().join("away.db"));
        let document = Document::new("a", "Short.").unwrap();
        let mut store = Store::open(&path, false).unwrap();
        let record = Record::of(&document, "p@1", "0.1.0");
        store.put(&[record]).unwrap()[0].clone().unwrap();
        let tally = Arc::new(Mutex::new(Tally::default()));
        let mut sink = Revising {
            store,
            maker: Maker { pipeline: "p@2".to_owned(), version: "0.1.0".to_owned() },
            keeps: true,
            format: ReportFormat::Text,
            tally: Arc::clone(&tally),
        };
        fs::rename(&path, &away).unwrap();
        assert!(sink.revise(&document).is_err(), "the store is not in its place");
        fs::rename(&away, &path).unwrap();
        assert_eq!(sink.revise(&document).unwrap(), Ok(()));
        assert_eq!(lock(&tally).documents, 1);
    }
}
