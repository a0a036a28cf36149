//! What every stage must keep to, whoever wrote it and in whatever language, as a list of checks.
//!
//! [`assert_conforms`] runs them under `cargo test`; `standpoint plugin test` runs the same list on
//! a plugin, each check in a process of its own.

mod settings;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};
use std::thread;

use serde_json::{Value, json};
use standpoint_document::{Aliases, Annotation, Document, Entity, EntityKind, Layer, layers};

use crate::definition::{StageDefinition, StartContext};
use crate::error::{StageError, StageErrorKind};
use crate::stage::{Stage, StageContext};
use crate::testing::{process, tokenised, wait_for};
use settings::{defaults, manifest, wrong_settings};

/// What makes a stage with given settings.
pub type Make<'s> = dyn Fn(&Value) -> Result<Box<dyn Stage>, StageError> + Sync + 's;

/// A stage to check: what it says of itself, and how it is made.
pub struct Subject<'s> {
    /// Its name.
    pub name: String,
    /// What it reads.
    pub reads: Vec<String>,
    /// What it may write.
    pub writes: Vec<String>,
    /// The JSON Schema of its settings; any settings where absent.
    pub settings_schema: Option<Value>,
    /// The settings to check it with.
    pub settings: Value,
    /// Makes it with settings.
    pub make: &'s Make<'s>,
    /// Whether a host stands between, which undoes what a stage wrote before it failed.
    pub is_hosted: bool,
    /// How many bytes this process and those of the stage hold, where that can be told.
    pub memory: Option<&'s (dyn Fn() -> Option<u64> + Sync)>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Passed,
    /// The check says nothing about this stage, for this reason.
    Skipped(String),
    /// It works, but its author should know.
    Warned(String),
    /// It does not keep to what is promised.
    Failed(String),
}

/// One of the [`CHECKS`].
pub struct Check {
    /// By what it is called on a command line.
    pub name: &'static str,
    /// What it checks, as a claim.
    pub claim: &'static str,
    run: fn(&Subject<'_>) -> Result<Verdict, String>,
}

/// All checks, the plainest first.
pub const CHECKS: &[Check] = &[
    Check { name: "manifest", claim: "it says of itself what a pipeline needs", run: manifest },
    Check { name: "defaults", claim: "it starts with its default settings", run: defaults },
    Check { name: "settings", claim: "it refuses settings that are wrong", run: wrong_settings },
    Check { name: "texts", claim: "any text passes: empty, odd, long", run: texts },
    Check { name: "missing", claim: "a document without layers does no harm", run: missing },
    Check { name: "contract", claim: "it writes what it says and nothing else", run: contract },
    Check { name: "deterministic", claim: "the same text gives the same result", run: repeats },
    Check { name: "threads", claim: "side by side it says what it says alone", run: threads },
    Check { name: "batch", claim: "a batch says what single documents say", run: batch },
    Check { name: "cancel", claim: "a call can be given up wherever it waits", run: cancel },
    Check { name: "failure", claim: "a failed call leaves the document alone", run: failure },
    Check { name: "memory", claim: "making and ending it leaves nothing behind", run: memory },
];

impl Check {
    /// Runs the check. A panic is a failure.
    #[must_use]
    pub fn run(&self, subject: &Subject<'_>) -> Verdict {
        match catch_unwind(AssertUnwindSafe(|| (self.run)(subject))) {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(failure)) => Verdict::Failed(failure),
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
                Verdict::Failed(format!("it panicked: {}", message.unwrap_or("without a message")))
            }
        }
    }
}

/// Runs all checks on a stage with its default settings, under `cargo test`.
///
/// # Panics
///
/// With every check that failed.
pub fn assert_conforms<S: StageDefinition>() {
    assert_conforms_with::<S>(&json!({}));
}

/// The same with settings, for a stage that needs some.
///
/// # Panics
///
/// With every check that failed.
pub fn assert_conforms_with<S: StageDefinition>(settings: &Value) {
    let context = StartContext { stage: S::NAME.to_owned(), pipeline_dir: ".".into() };
    let make = |settings: &Value| -> Result<Box<dyn Stage>, StageError> {
        let settings = serde_json::from_value(settings.clone())
            .map_err(|error| StageError::stage(format!("settings of `{}`: {error}", S::NAME)))?;
        Ok(Box::new(S::start(settings, &context)?))
    };
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let subject = Subject {
        name: S::NAME.to_owned(),
        reads: owned(S::CONTRACT.reads),
        writes: owned(S::CONTRACT.writes),
        settings_schema: Some(schemars::schema_for!(S::Settings).to_value()),
        settings: settings.clone(),
        make: &make,
        is_hosted: false,
        memory: None,
    };
    let failed: Vec<String> = CHECKS
        .iter()
        .filter_map(|check| match check.run(&subject) {
            Verdict::Failed(why) => Some(format!("{} ({}): {why}", check.name, check.claim)),
            _ => None,
        })
        .collect();
    assert!(failed.is_empty(), "{} does not conform:\n  {}", S::NAME, failed.join("\n  "));
}

impl Subject<'_> {
    fn stage(&self) -> Result<Box<dyn Stage>, String> {
        (self.make)(&self.settings)
            .map_err(|error| format!("it does not start with the settings given: {error}"))
    }

    /// A stage that can read plain news, without which the finer checks say nothing.
    fn working_stage(&self) -> Result<Box<dyn Stage>, String> {
        let stage = self.stage()?;
        checked(self, &*stage, "news", "Astana refused on Friday. Moscow protested.")?;
        Ok(stage)
    }

    /// A document with what the stage reads.
    fn document(&self, text: &str) -> Document<'static> {
        prepared(text, &self.reads)
    }
}

/// A document with all that `reads` names: tokens and lines as [`tokenised`] has them, a mention of
/// one actor for each capitalised word, and a span for each token in any layer that is not known.
#[must_use]
pub fn prepared(text: &str, reads: &[String]) -> Document<'static> {
    let mut document = tokenised(text);
    let tokens = document.tokens().to_vec();
    for name in reads {
        match name.as_str() {
            layers::TOKENS | layers::SENTENCES | layers::SENTIMENT | layers::STANCE => {}
            layers::LANGUAGE => document.set_language("en"),
            layers::ENTITIES => {
                let is_name = |token: &&Annotation| {
                    document.slice(token.span).starts_with(char::is_uppercase)
                };
                let mentions: Vec<Annotation> =
                    tokens.iter().filter(is_name).map(|token| token.with_link(0)).collect();
                let actor = Entity {
                    kind: EntityKind::Country,
                    id: "XYZ".to_owned(),
                    name: "Xyz".to_owned(),
                    country: Some("XYZ".to_owned()),
                    speaks_for_country: false,
                    aliases: Aliases::new(),
                };
                // They come from the text in order and link to the only entry.
                let _ = document.set_entities(mentions, vec![actor]);
            }
            _ if name.starts_with(crate::contract::ASKED) => {}
            _ => {
                let _ = document.set_layer(name.clone(), tokens.clone());
            }
        }
    }
    document
}

/// Texts that trip whoever takes bytes for characters, or text for English.
fn odd_texts() -> Vec<(&'static str, String)> {
    let fixed = [
        ("empty", ""),
        ("one byte", "a"),
        ("only space", " \t\n\u{a0}\u{2003}"),
        ("only marks", "?!... --- \"\" ()"),
        ("news", "Astana refused. \"We will not follow Moscow,\" Tokayev said on Friday."),
        ("Cyrillic", "Токаев отказался. Казахстан не признает ДНР."),
        ("emoji", "Good 👍🏽 news 👩‍👩‍👧‍👦🇰🇿!"),
        ("right to left", "رفضت أستانا. שלום עולם."),
        ("combining", "Cafe\u{301} n\u{303}andu\u{301} A\u{30a}ngstro\u{308}m."),
        ("Chinese", "哈萨克斯坦拒绝了。俄罗斯抗议。"),
        ("lines", "One\r\nTwo\rThree\u{2028}Four\u{85}Five"),
        ("NUL and controls", "a\0b\u{1}c\u{7f}d\u{feff}e"),
        ("highest characters", "\u{10ffff}\u{ffff}x\u{fffd}"),
    ];
    let mut texts: Vec<_> = fixed.into_iter().map(|(case, text)| (case, text.to_owned())).collect();
    texts.push(("one long word", "x".repeat(20_000)));
    texts.push(("a long line", "word ".repeat(10_000)));
    texts.push(("nested marks", "(".repeat(5_000)));
    texts
}

fn is_panic(error: &StageError) -> bool {
    error.message().contains("panicked")
}

/// Runs the stage on a document of `text` and checks what it wrote.
fn checked(
    subject: &Subject<'_>,
    stage: &dyn Stage,
    case: &str,
    text: &str,
) -> Result<Document<'static>, String> {
    let mut document = subject.document(text);
    let before: Vec<String> = document.written().map(str::to_owned).collect();
    match process(stage, &mut document) {
        Ok(()) => {}
        // A stage may say that it cannot read something.
        Err(error) if error.kind() == StageErrorKind::Document => return Ok(document),
        Err(error) => return Err(format!("{case}: {error}")),
    }
    if document.text() != text {
        return Err(format!("{case}: it changed the text"));
    }
    for (name, layer) in document.layers() {
        layer.check(name, text).map_err(|error| format!("{case}: {error}"))?;
    }
    for target in document.stance() {
        target.check(text).map_err(|error| format!("{case}: {error}"))?;
    }
    let foreign = document.written().find(|name| {
        !before.iter().any(|b| b == name) && !subject.writes.iter().any(|w| w == name)
    });
    match foreign {
        Some(name) => Err(format!(
            "{case}: it writes `{name}`, which its contract does not name: add it to `writes`"
        )),
        None => Ok(document),
    }
}

fn texts(subject: &Subject<'_>) -> Result<Verdict, String> {
    let stage = subject.stage()?;
    for (case, text) in odd_texts() {
        checked(subject, &*stage, case, &text)?;
    }
    // As long as a source may give.
    let sentence = "Astana refused on Friday, and Moscow said that it would answer.\n";
    let million = sentence.repeat((1 << 20) / sentence.len());
    checked(subject, &*stage, "1 MiB", &million)?;
    Ok(Verdict::Passed)
}

fn missing(subject: &Subject<'_>) -> Result<Verdict, String> {
    if subject.reads.is_empty() {
        return Ok(Verdict::Skipped("it reads nothing".to_owned()));
    }
    let stage = subject.stage()?;
    for (case, text) in odd_texts().into_iter().take(6) {
        let mut document = Document::new("bare", text).map_err(|error| error.to_string())?;
        if let Err(error) = process(&*stage, &mut document)
            && is_panic(&error)
        {
            return Err(format!("{case}: {error}"));
        }
    }
    checked(subject, &*stage, "after it", "Astana refused.")?;
    Ok(Verdict::Passed)
}

fn contract(subject: &Subject<'_>) -> Result<Verdict, String> {
    let stage = subject.stage()?;
    let mut written: Vec<String> = Vec::new();
    for (case, text) in odd_texts() {
        let before = subject.document(&text);
        let document = checked(subject, &*stage, case, &text)?;
        for name in &subject.writes {
            if says(&document, name) != says(&before, name) && !written.contains(name) {
                written.push(name.clone());
            }
        }
        for (name, layer) in document.layers() {
            let changed = before.layer(name) != Some(layer);
            if changed && !subject.writes.iter().any(|known| known == name) {
                return Err(format!("{case}: it changed `{name}`, which is not in its `writes`"));
            }
        }
    }
    let never: Vec<&String> =
        subject.writes.iter().filter(|name| !written.contains(name)).collect();
    if never.is_empty() {
        return Ok(Verdict::Passed);
    }
    let names = never.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("`, `");
    Ok(Verdict::Skipped(format!("`{names}` was written for none of the texts tried")))
}

/// What a document says under a name, to compare.
fn says(document: &Document<'_>, name: &str) -> String {
    let layer: Option<&Layer<'_>> = document.layer(name);
    let record = match name {
        layers::ENTITIES => format!("{:?}", document.entities()),
        layers::SENTIMENT => format!("{:?}", document.sentiment()),
        layers::STANCE => format!("{:?}", document.stance()),
        layers::LANGUAGE => format!("{:?}", document.language()),
        _ => String::new(),
    };
    format!("{layer:?} {:?} {record}", document.attribute(name))
}

/// All that a stage said about a text, or how it failed.
fn outcome(subject: &Subject<'_>, stage: &dyn Stage, text: &str) -> String {
    let mut document = subject.document(text);
    let result = process(stage, &mut document);
    told(subject, &result, &document)
}

fn told(subject: &Subject<'_>, result: &Result<(), StageError>, document: &Document<'_>) -> String {
    match result {
        Ok(()) => {
            let said: Vec<String> =
                subject.writes.iter().map(|name| says(document, name)).collect();
            format!("{said:?} {:?}", document.notes())
        }
        Err(error) => format!("error: {error}"),
    }
}

fn repeats(subject: &Subject<'_>) -> Result<Verdict, String> {
    let stage = subject.working_stage()?;
    for (case, text) in odd_texts() {
        let first = outcome(subject, &*stage, &text);
        for _ in 0..2 {
            if outcome(subject, &*stage, &text) != first {
                return Err(format!("{case}: it says another thing when asked again"));
            }
        }
        if outcome(subject, &*subject.stage()?, &text) != first {
            return Err(format!("{case}: another instance of it says another thing"));
        }
    }
    Ok(Verdict::Passed)
}

fn threads(subject: &Subject<'_>) -> Result<Verdict, String> {
    const THREADS: usize = 8;
    const DOCUMENTS: usize = 200;
    let stage = subject.working_stage()?;
    // Short ones, so that they meet often.
    let texts: Vec<String> =
        odd_texts().into_iter().map(|(_, text)| text).filter(|text| text.len() < 500).collect();
    let expected: Vec<String> = texts.iter().map(|text| outcome(subject, &*stage, text)).collect();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let (stage, texts, expected) = (&*stage, &texts, &expected);
                scope.spawn(move || {
                    (0..DOCUMENTS)
                        .map(|round| (worker + round) % texts.len())
                        .find(|&at| outcome(subject, stage, &texts[at]) != expected[at])
                })
            })
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(None) => {}
                Ok(Some(at)) => {
                    return Err(format!("side by side it says another thing of {:?}", texts[at]));
                }
                Err(_) => return Err("it panicked on a thread of many".to_owned()),
            }
        }
        Ok(Verdict::Passed)
    })
}

fn batch(subject: &Subject<'_>) -> Result<Verdict, String> {
    let stage = subject.working_stage()?;
    let texts: Vec<String> = odd_texts().into_iter().map(|(_, text)| text).collect();
    let mut documents: Vec<_> = texts.iter().map(|text| subject.document(text)).collect();
    let cancelled = AtomicBool::new(false);
    let context = StageContext::new(&subject.name, 1, &cancelled);
    let results = wait_for(stage.process_batch(&mut documents, &context));
    if results.len() != texts.len() {
        let (found, expected) = (results.len(), texts.len());
        return Err(format!("it returned {found} results for {expected} documents"));
    }
    for ((text, document), result) in texts.iter().zip(&documents).zip(&results) {
        let alone = outcome(subject, &*stage, text);
        if told(subject, result, document) != alone {
            let text: String = text.chars().take(40).collect();
            return Err(format!("in a batch it says another thing of {text:?}"));
        }
    }
    let none = wait_for(stage.process_batch(&mut [], &context));
    if !none.is_empty() {
        return Err("it returned results for an empty batch".to_owned());
    }
    Ok(Verdict::Passed)
}

fn cancel(subject: &Subject<'_>) -> Result<Verdict, String> {
    const MOST_POINTS: usize = 4;
    let stage = subject.working_stage()?;
    let text = "Astana refused. Moscow protested.";
    let expected = outcome(subject, &*stage, text);
    let mut points = 0;
    for point in 1..=MOST_POINTS {
        let mut document = subject.document(text);
        let before = format!("{document:?}");
        let cancelled = AtomicBool::new(false);
        let context = StageContext::new(&subject.name, 1, &cancelled);
        let is_done = {
            let mut future = pin!(stage.process(&mut document, &context));
            let mut polling = Context::from_waker(Waker::noop());
            (0..point).any(|_| !matches!(future.as_mut().poll(&mut polling), Poll::Pending))
            // Dropped here, wherever it waits.
        };
        if is_done {
            break;
        }
        points += 1;
        if subject.is_hosted && format!("{document:?}") != before {
            return Err("a call that was given up changed the document".to_owned());
        }
        if outcome(subject, &*stage, text) != expected {
            return Err("after a call that was given up it says another thing".to_owned());
        }
    }
    match points {
        0 => Ok(Verdict::Skipped("it never waits".to_owned())),
        _ => Ok(Verdict::Passed),
    }
}

fn failure(subject: &Subject<'_>) -> Result<Verdict, String> {
    if !subject.is_hosted {
        return Ok(Verdict::Skipped("the host sees to it".to_owned()));
    }
    let stage = subject.stage()?;
    let mut failures = 0;
    for (case, text) in odd_texts() {
        for bare in [false, true] {
            let mut document = if bare {
                Document::new("bare", text.clone()).map_err(|error| error.to_string())?
            } else {
                subject.document(&text)
            };
            let before = format!("{document:?}");
            if process(&*stage, &mut document).is_err() {
                failures += 1;
                if format!("{document:?}") != before {
                    return Err(format!("{case}: it failed and left something behind"));
                }
            }
        }
    }
    match failures {
        0 => Ok(Verdict::Skipped("it failed on none of the texts tried".to_owned())),
        _ => Ok(Verdict::Passed),
    }
}

fn memory(subject: &Subject<'_>) -> Result<Verdict, String> {
    const ROUNDS: usize = 20;
    /// What an allocator may keep by itself.
    const SLACK_BYTES: u64 = 8 << 20;
    let rounds = |count: usize| -> Result<(), String> {
        for _ in 0..count {
            let stage = subject.stage()?;
            outcome(subject, &*stage, "Astana refused.");
        }
        Ok(())
    };
    rounds(ROUNDS)?;
    let Some(measure) = subject.memory else { return Ok(Verdict::Passed) };
    let before = measure();
    rounds(2 * ROUNDS)?;
    let (Some(before), Some(after)) = (before, measure()) else { return Ok(Verdict::Passed) };
    let grown = after.saturating_sub(before);
    if grown > SLACK_BYTES {
        let each = grown / (2 * ROUNDS as u64) / 1024;
        return Ok(Verdict::Warned(format!(
            "each making and ending leaves about {each} KiB behind"
        )));
    }
    Ok(Verdict::Passed)
}

#[cfg(test)]
mod tests;
