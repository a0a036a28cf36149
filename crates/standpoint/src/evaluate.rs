//! `standpoint evaluate`: how right a pipeline is, measured on labelled data.
//!
//! Each task reads labelled data, sends the texts through the pipeline and compares. Formats are
//! told apart by the ending of a file's name and by the fields of its records; `.gz` is unpacked.
//!
//! | task | data | compared |
//! |---|---|---|
//! | `tokens`, `sentences` | CoNLL-U | spans, exactly |
//! | `entities` | BIO, CoNLL-U with `Entity=`, JSONL with `entities` | spans and class, exactly |
//! | `sentiment` | JSONL with `mention`, `targets` or `entity_pos_start_rel` | a label for each mention |
//! | `stance` | JSONL with `attitudes` or `text_marked` | a label for each ordered pair |
//! | | JSONL with `actors` or `capability` | a label for each actor of a document |
//!
//! Modules in reading order: `input`, `bio`, `conllu`; `outcome`, `metrics`; `spans`,
//! `judgements`, `documents`; `report`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;
use standpoint_connectors::limits::ReadLimits;
use standpoint_connectors::read::{Origin, documents as read_documents};
use standpoint_document::Document;

use self::input::{DataFile, FileKind};
use self::outcome::{Outcome, Wrong};
use self::report::Report;
use crate::style::many;

mod bio;
mod conllu;
mod documents;
mod input;
mod judgements;
mod metrics;
mod outcome;
mod report;
mod spans;

/// Measures a pipeline on labelled data: precision, recall and F1 of each class with 95%
/// confidence intervals, beside a simple baseline.
#[derive(Debug, Args)]
pub(crate) struct Evaluation {
    /// What to measure.
    #[arg(value_enum)]
    task: Task,

    /// Labelled data: files in .conllu, .bio or .jsonl, also with .gz behind. Several files are
    /// measured together and one by one.
    #[arg(required = true, value_name = "DATA")]
    data: Vec<PathBuf>,

    /// How to print the figures.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,

    /// Write each wrong answer as a line of JSON to this file. It holds passages of the data.
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,

    /// The folder of the documents that the data names by file; without it, `seeds` beside the
    /// data or in a folder above.
    #[arg(long, value_name = "DIR")]
    documents: Option<PathBuf>,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// Where words, numbers and marks are.
    Tokens,
    /// Where sentences are.
    Sentences,
    /// Where names are and of what kind.
    Entities,
    /// How a passage sounds toward a mention.
    Sentiment,
    /// Who stands where toward whom, in sentences or in whole documents.
    Stance,
}

/// How figures are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables to read.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Sends documents through the pipeline and returns them annotated: the same documents in the
/// same order. The second argument replaces the targets of the stance stage, as names or ids;
/// `None` leaves them as the pipeline has them.
pub(crate) type Annotate<'a> = dyn FnMut(Vec<Document<'static>>, Option<&[String]>) -> anyhow::Result<Vec<Document<'static>>>
    + 'a;

/// Measures what the arguments say and prints the figures on standard output.
///
/// # Errors
///
/// When the data cannot be read, with file and line; when the pipeline fails or lacks the stage
/// that the task needs; when the figures or the errors cannot be written.
pub(crate) fn run(arguments: &Evaluation, annotate: &mut Annotate<'_>) -> anyhow::Result<()> {
    let report = evaluate(arguments, annotate)?;
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Text => write!(out, "{report}"),
        Format::Json => writeln!(out, "{}", serde_json::to_string(&report)?),
    }
    .context("cannot write the figures to standard output")
}

/// Measures what the arguments say, and writes the wrong answers where they say.
fn evaluate(arguments: &Evaluation, annotate: &mut Annotate<'_>) -> anyhow::Result<Report> {
    let files = arguments.data.iter().map(|path| DataFile::read(path));
    let files = files.collect::<anyhow::Result<Vec<_>>>()?;
    // Opened first: a pipeline may run for minutes before there is something to write.
    let mut errors = arguments.errors.as_deref().map(ErrorFile::create).transpose()?;

    let outcome = measure(arguments, &files, annotate)?;
    if let Some(errors) = &mut errors {
        errors.write(arguments.task, &outcome.wrong)?;
    }
    Ok(Report::new(arguments.task, &arguments.data, &outcome))
}

fn measure(
    arguments: &Evaluation,
    files: &[DataFile],
    annotate: &mut Annotate<'_>,
) -> anyhow::Result<Outcome> {
    let outcome = match arguments.task {
        Task::Tokens => spans::tokens(files, annotate)?,
        Task::Sentences => spans::sentences(files, annotate)?,
        Task::Entities => spans::entities(files, annotate)?,
        Task::Sentiment => {
            all_jsonl(files)?;
            judgements::sentiment(files, annotate)?
        }
        Task::Stance => {
            all_jsonl(files)?;
            stance(arguments, files, annotate)?
        }
    };
    ensure!(
        outcome.total().classes.iter().any(|class| class.labelled > 0),
        "the data holds no label for this task"
    );
    Ok(outcome)
}

/// Which of the two questions about stances a file asks shows in its first record.
fn stance(
    arguments: &Evaluation,
    files: &[DataFile],
    annotate: &mut Annotate<'_>,
) -> anyhow::Result<Outcome> {
    let (mut pairs, mut whole) = (Vec::new(), Vec::new());
    for file in files {
        let records = file.values()?;
        let Some((place, first)) = records.first() else {
            bail!("{}: holds no record", file.path.display());
        };
        if judgements::is_pair_record(first) {
            pairs.push(file);
        } else if documents::is_document_record(first) {
            whole.push(file);
        } else {
            bail!(
                "{place}: expected a record with `attitudes`, `text_marked`, `actors` or \
                 `capability`"
            );
        }
    }
    match (&pairs[..], &whole[..]) {
        ([], []) => bail!("no data"),
        (pairs, []) => judgements::pairs(pairs, annotate),
        ([], whole) => {
            let folder = |file: &DataFile| match &arguments.documents {
                Some(folder) => Some(folder.clone()),
                None => seeds_near(&file.path),
            };
            let folder = whole.iter().find_map(|file| folder(file));
            let open = |path: &str| open_document(folder.as_deref(), path);
            documents::stances(whole, &open, annotate)
        }
        ([pair, ..], [document, ..]) => bail!(
            "{} asks about pairs in sentences and {} about whole documents, which have other \
             labels: measure them one after the other",
            pair.path.display(),
            document.path.display()
        ),
    }
}

fn all_jsonl(files: &[DataFile]) -> anyhow::Result<()> {
    match files.iter().find(|file| file.kind != FileKind::Jsonl) {
        Some(file) => bail!("{}: this task needs JSONL", file.path.display()),
        None => Ok(()),
    }
}

/// The folder `seeds` beside a file or in one of the folders above it.
fn seeds_near(file: &Path) -> Option<PathBuf> {
    let file = file.canonicalize().ok()?;
    file.ancestors().skip(1).map(|folder| folder.join("seeds")).find(|seeds| seeds.is_dir())
}

/// Reads the documents of a file as `standpoint run` would.
fn open_document(folder: Option<&Path>, path: &str) -> anyhow::Result<Vec<Document<'static>>> {
    let folder = folder.with_context(|| {
        format!("{path} is a document of its own: say in which folder with `--documents`")
    })?;
    let full = folder.join(path);
    let file = File::open(&full).with_context(|| format!("cannot open {}", full.display()))?;
    let origin = Origin { source: "evaluate".to_owned(), path: path.to_owned() };
    read_documents(file, &origin, &ReadLimits::default())
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read {}", full.display()))
}

/// Sends documents through the pipeline and makes sure that the same ones come back.
fn annotated(
    documents: Vec<Document<'static>>,
    targets: Option<&[String]>,
    annotate: &mut Annotate<'_>,
) -> anyhow::Result<Vec<Document<'static>>> {
    let ids: Vec<String> = documents.iter().map(|document| document.id().to_owned()).collect();
    let documents = annotate(documents, targets)?;
    ensure!(
        ids.iter().map(String::as_str).eq(documents.iter().map(Document::id)),
        "{} went into the pipeline and {} came out, or in another order",
        many(ids.len() as u64, "document"),
        documents.len()
    );
    Ok(documents)
}

/// Where wrong answers go.
struct ErrorFile<'p> {
    path: &'p Path,
    file: BufWriter<File>,
}

impl<'p> ErrorFile<'p> {
    fn create(path: &'p Path) -> anyhow::Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    fn write(&mut self, task: Task, wrong: &[Wrong]) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Line<'w> {
            task: Task,
            #[serde(flatten)]
            wrong: &'w Wrong,
        }
        let mut write = || -> io::Result<()> {
            for wrong in wrong {
                serde_json::to_writer(&mut self.file, &Line { task, wrong })?;
                self.file.write_all(b"\n")?;
            }
            self.file.flush()
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// What tests of the tasks share.
#[cfg(test)]
mod fixture {
    use super::*;

    /// A file that is not on disk, of the kind that its name says.
    pub(super) fn file(name: &str, text: &str) -> DataFile {
        let kind = match name.rsplit_once('.').unwrap().1 {
            "bio" => FileKind::Bio,
            "conllu" => FileKind::Conllu,
            _ => FileKind::Jsonl,
        };
        DataFile { path: name.into(), kind, text: text.into() }
    }

    /// A pipeline without stages.
    #[expect(clippy::unnecessary_wraps, reason = "it has the shape of a pipeline, which may fail")]
    pub(super) fn identity(
        documents: Vec<Document<'static>>,
        _: Option<&[String]>,
    ) -> anyhow::Result<Vec<Document<'static>>> {
        Ok(documents)
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{file, identity};
    use super::*;

    fn arguments(task: Task) -> Evaluation {
        Evaluation { task, data: Vec::new(), format: Format::Text, errors: None, documents: None }
    }

    #[test]
    fn data_of_another_task_is_refused_by_name() {
        let problem = |task: Task, files: &[DataFile]| {
            let error = measure(&arguments(task), files, &mut identity).unwrap_err();
            format!("{error:#}")
        };
        insta::assert_snapshot!(
            problem(Task::Tokens, &[file("a.bio", "")]),
            @"a.bio: this task needs CoNLL-U, a file that ends in .conllu"
        );
        insta::assert_snapshot!(
            problem(Task::Sentiment, &[file("a.bio", "")]),
            @"a.bio: this task needs JSONL"
        );
        insta::assert_snapshot!(
            problem(Task::Stance, &[file("a.jsonl", "\n{\"text\":\"\"}")]),
            @"a.jsonl:2: expected a record with `attitudes`, `text_marked`, `actors` or `capability`"
        );
        insta::assert_snapshot!(
            problem(Task::Stance, &[file("a.jsonl", "{\"attitudes\":[]}"), file("b.jsonl", "{\"actors\":[]}")]),
            @"a.jsonl asks about pairs in sentences and b.jsonl about whole documents, which have other labels: measure them one after the other"
        );
        insta::assert_snapshot!(
            problem(Task::Entities, &[file("a.bio", "Oslo\tO\n")]),
            @"the data holds no label for this task"
        );
    }

    #[test]
    fn a_pipeline_that_loses_documents_is_noticed() {
        let mut lose = |_: Vec<Document<'static>>, _: Option<&[String]>| Ok(Vec::new());
        let files = [file("a.bio", "Oslo\tB-LOC\n")];
        let error = measure(&arguments(Task::Entities), &files, &mut lose).unwrap_err();
        insta::assert_snapshot!(error, @"1 document went into the pipeline and 0 came out, or in another order");
    }

    #[test]
    fn wrong_answers_are_written_one_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data/own.bio");
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(&data, "In\tO\nŁódź\tB-LOC\n").unwrap();
        let errors = folder.path().join("wrong.jsonl");
        let arguments = Evaluation {
            data: vec![data],
            errors: Some(errors.clone()),
            ..arguments(Task::Entities)
        };
        evaluate(&arguments, &mut identity).unwrap();
        insta::assert_snapshot!(
            std::fs::read_to_string(errors).unwrap(),
            @r#"{"task":"entities","id":"data/own.bio:1","group":"data/own.bio","start":3,"end":7,"surface":"Łódź","expected":"LOC","found":null,"confidence":null,"text":"In Łódź"}"#
        );
    }
}
