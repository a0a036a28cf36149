//! `test`: runs the tests that are written in a pipeline file, and tells what differs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Error, Result, anyhow};
use serde::Serialize;
use serde_json::json;
use standpoint_config::{
    ActorExpectation, Expectations, ExpectedDegree, ExpectedLabel, PipelineTest,
};
use standpoint_document::{Document, Metadata, Stance};

use crate::assemble::Assembly;
use crate::cli::{PipelineChoice, ReportFormat, Test};
use crate::condition::Condition;
use crate::exit::{self, Exit};
use crate::run;
use crate::style::{Paint, Style, harmless};

/// What became of one test.
#[derive(Debug, Serialize)]
struct Trial {
    name: String,
    passed: bool,
    differences: Vec<Difference>,
}

/// Where a result is not as expected.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Difference {
    /// The key of the expectation, such as `actors.KAZ.label`.
    key: String,
    expected: String,
    found: String,
}

/// Runs the tests of a file; gives what is to be printed and how the program ends.
///
/// # Errors
///
/// When the file has mistakes or no tests.
pub(crate) fn run(arguments: &Test, style: Style) -> Result<(String, Exit)> {
    let choice =
        PipelineChoice { config: Some(arguments.file.clone()), set: arguments.set.clone() };
    let assembly = Assembly::of(&choice)?;
    if assembly.file.tests.is_empty() {
        return Err(exit::usage(format!("{}: there are no `tests`", arguments.file.display())));
    }
    let mut stages_toward = BTreeMap::new();
    let mut trials = Vec::new();
    for test in &assembly.file.tests {
        if !stages_toward.contains_key(&test.target) {
            let stages = assembly.stages(test.target.as_slice())?;
            stages_toward.insert(test.target.clone(), stages);
        }
        let name = name_of(test);
        let stages = stages_toward.get(&test.target).cloned().unwrap_or_default();
        let differences = match document_of(test, &assembly) {
            // The other tests have their results all the same.
            Err(error) => vec![Difference::unread(&error)],
            Ok(document) => match run::annotate(vec![document], stages, &assembly)?.first() {
                Some(document) => differences(document, &test.expect),
                None => vec![Difference::failed()],
            },
        };
        trials.push(Trial { name, passed: differences.is_empty(), differences });
    }
    let failed = trials.iter().filter(|trial| !trial.passed).count();
    let told = match arguments.format {
        ReportFormat::Text => text(&trials, failed, style),
        ReportFormat::Json => format!("{:#}\n", json!({ "failed": failed, "tests": trials })),
    };
    Ok((told, if failed == 0 { Exit::Done } else { Exit::Failed }))
}

impl Difference {
    /// The difference of a document that has no result.
    fn failed() -> Self {
        Self {
            key: String::new(),
            expected: "a result".to_owned(),
            found: "a document that failed; the log says why".to_owned(),
        }
    }

    /// The difference of a document that cannot be read.
    fn unread(error: &Error) -> Self {
        Self {
            key: String::new(),
            expected: "a document".to_owned(),
            found: format!("none: {error:#}"),
        }
    }
}

/// The name of a test, or how its text begins.
fn name_of(written: &PipelineTest) -> String {
    const LONGEST: usize = 60;
    let beginning = || {
        let text = written.text.as_deref()?;
        let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = words.char_indices().nth(LONGEST) {
            words.truncate(end);
            words.push('…');
        }
        Some(words)
    };
    let path = || written.path.as_ref().map(|path| path.display().to_string());
    written.name.clone().or_else(beginning).or_else(path).unwrap_or_default()
}

fn document_of(written: &PipelineTest, assembly: &Assembly) -> Result<Document<'static>> {
    let mut document = match (&written.text, &written.path) {
        (Some(text), _) => Document::new("test", text.clone())?,
        (None, Some(path)) => {
            let mut documents = run::read(path, assembly)?;
            match (documents.pop(), documents.len()) {
                (Some(document), 0) => document,
                (None, _) => return Err(anyhow!("{} has no document", path.display())),
                (Some(_), others) => {
                    let count = others + 1;
                    return Err(anyhow!("{} has {count} documents, not one", path.display()));
                }
            }
        }
        (None, None) => return Err(anyhow!("it says neither `text` nor `path`")),
    };
    if let Some(author) = &written.author {
        let metadata = Metadata { author: Some(author.clone()), ..document.metadata().clone() };
        document = document.with_metadata(metadata);
    }
    Ok(document)
}

/// Everything in which `document` is not as expected, in the order of the settings.
fn differences(document: &Document<'_>, expect: &Expectations) -> Vec<Difference> {
    let mut found = Vec::new();
    let stance = document.stance().first();
    let actors = stance.map_or(&[][..], |stance| &stance.actors);
    for (id, expected) in &expect.actors {
        let actor = actors.iter().find(|actor| actor.id == *id);
        compare(&format!("actors.{id}"), expected, actor.map(|actor| &actor.stance), &mut found);
    }
    if let Some(expected) = &expect.author {
        let author = stance.and_then(|stance| stance.author.as_ref());
        compare("author", expected, author, &mut found);
    }
    for id in &expect.absent {
        let listed = actors.iter().find(|actor| actor.id == *id);
        let label = listed.map_or("neutral", |actor| actor.stance.label().name());
        if label != "neutral" {
            found.push(Difference {
                key: "absent".to_owned(),
                expected: format!("no stance of {id}"),
                found: label.to_owned(),
            });
        }
    }
    let ids: Vec<&str> = document.entities().iter().map(|entity| entity.id.as_str()).collect();
    for id in expect.entities.iter().filter(|id| !ids.contains(&id.as_str())) {
        found.push(Difference {
            key: "entities".to_owned(),
            expected: id.clone(),
            found: if ids.is_empty() { "none".to_owned() } else { ids.join(", ") },
        });
    }
    for condition in &expect.holds {
        let answer = Condition::compile(condition)
            .map_err(|error| error.to_string())
            .and_then(|read| read.holds(document));
        if answer != Ok(true) {
            found.push(Difference {
                key: "holds".to_owned(),
                expected: condition.clone(),
                found: answer.map_or_else(|error| error, |_| "false".to_owned()),
            });
        }
    }
    found
}

fn compare(
    key: &str,
    expected: &ActorExpectation,
    stance: Option<&Stance>,
    differences: &mut Vec<Difference>,
) {
    let label = stance.map(|stance| stance.label().name());
    let degree = stance.map(|stance| stance.degree().name());
    let pairs = [
        ("label", expected.label.map(ExpectedLabel::name), label),
        ("degree", expected.degree.map(ExpectedDegree::name), degree),
    ];
    let mut push = |key: String, expected: &str, found: Option<&str>| {
        differences.push(Difference {
            key,
            expected: expected.to_owned(),
            found: found.unwrap_or("no stance").to_owned(),
        });
    };
    if expected.label.is_none() && expected.degree.is_none() && stance.is_none() {
        push(key.to_owned(), "a stance", None);
    }
    for (part, expected, found) in pairs {
        if let Some(expected) = expected.filter(|expected| Some(*expected) != found) {
            push(format!("{key}.{part}"), expected, found);
        }
    }
}

/// One line a test, with what differs below it, and the sum at the end.
fn text(trials: &[Trial], failed: usize, style: Style) -> String {
    let mut told = String::new();
    for trial in trials {
        let (paint, word) =
            if trial.passed { (Paint::For, "ok  ") } else { (Paint::Error, "FAIL") };
        // Writing to a string cannot fail.
        let _ = writeln!(told, "{}  {}", style.paint(paint, word), harmless(&trial.name));
        for Difference { key, expected, found } in &trial.differences {
            let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
            let line = format!("{key}expected {expected}, found {found}");
            let _ = writeln!(told, "      {}", harmless(&line));
        }
    }
    let tests = if trials.len() == 1 { "test" } else { "tests" };
    let _ = writeln!(told, "{} {tests}, {failed} failed", trials.len());
    told
}
