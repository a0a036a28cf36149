//! `quarantine` over the dead letters of a cluster's stream: what its workers gave up, why, and
//! again.

use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use standpoint_cluster::letters::{Letter, Letters, LettersError};
use standpoint_cluster::settings::NatsSettings;
use tokio::runtime::Runtime;

use crate::cli::{QuarantineCommand, ReportFormat, Which};
use crate::exit::{self, Exit};
use crate::style::{harmless, many};

/// Answers one of the commands with what is to be printed.
///
/// - `settings`: of the cluster;
/// - `most_bytes`: how much of a letter is shown.
///
/// # Errors
///
/// When the server does not answer, or no such letter is there.
pub(crate) fn answer(
    settings: &NatsSettings,
    most_bytes: u64,
    command: &QuarantineCommand,
) -> Result<(String, Exit)> {
    let desk = Desk::open(settings)?;
    match command {
        QuarantineCommand::List { format, .. } => Ok((list(&desk.all()?, *format), Exit::Done)),
        QuarantineCommand::Show { name, .. } => {
            let letters = desk.all()?;
            let letter = named(&letters, name)?;
            let content = desk.wait(desk.letters.content(letter.number, most_bytes));
            let mut shown = as_json(letter);
            match content {
                Ok(content) => shown["content"] = content.into(),
                Err(error) => shown["unreadable"] = error.to_string().into(),
            }
            Ok((format!("{shown:#}\n"), Exit::Done))
        }
        QuarantineCommand::Replay { which, .. } => {
            desk.for_each(which, "back in the stream", |number| desk.letters.replay(number))
        }
        QuarantineCommand::Purge { which, .. } => {
            desk.for_each(which, "deleted", |number| desk.letters.purge(number))
        }
    }
}

/// The dead letters, and what drives the connection to them.
struct Desk {
    runtime: Runtime,
    letters: Letters,
}

impl Desk {
    fn open(settings: &NatsSettings) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let letters = runtime.block_on(Letters::open(settings));
        let letters = letters.context("the dead letters cannot be looked at")?;
        Ok(Self { runtime, letters })
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn all(&self) -> Result<Vec<Letter>> {
        self.wait(self.letters.all()).context("the dead letters cannot be looked at")
    }

    /// Does something to each of the letters that are meant, and says for each what became of it.
    fn for_each<F: Future<Output = Result<(), LettersError>>>(
        &self,
        which: &Which,
        done: &str,
        act: impl Fn(u64) -> F,
    ) -> Result<(String, Exit)> {
        let letters = self.all()?;
        let chosen: Vec<&Letter> = match which.older_than {
            Some(age) => letters.iter().filter(|letter| is_older(letter, age)).collect(),
            None if which.all => letters.iter().collect(),
            None => which.names.iter().map(|name| named(&letters, name)).collect::<Result<_>>()?,
        };
        let (mut told, mut exit) = (String::new(), Exit::Done);
        for letter in chosen {
            let outcome = match self.wait(act(letter.number)) {
                Ok(()) => done.to_owned(),
                Err(error) => {
                    exit = Exit::Failed;
                    format!("stays, because {}", harmless(&error.to_string()))
                }
            };
            // Infallible: a String takes whatever is written.
            let _ = writeln!(told, "{}: {outcome}", letter.number);
        }
        Ok((told, exit))
    }
}

fn named<'l>(letters: &'l [Letter], name: &Path) -> Result<&'l Letter> {
    let number: Option<u64> = name.to_str().and_then(|name| name.parse().ok());
    letters.iter().find(|letter| Some(letter.number) == number).ok_or_else(|| {
        exit::usage(format!(
            "{}: there is no such dead letter; `standpoint quarantine list` gives their numbers",
            name.display()
        ))
    })
}

fn since(letter: &Letter) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(letter.buried_at))
}

fn is_older(letter: &Letter, age: Duration) -> bool {
    since(letter).and_then(|since| since.elapsed().ok()).is_some_and(|waited| waited > age)
}

fn list(letters: &[Letter], format: ReportFormat) -> String {
    match format {
        ReportFormat::Json => format!("{:#}\n", letters.iter().map(as_json).collect::<Value>()),
        ReportFormat::Text if letters.is_empty() => "there are no dead letters\n".to_owned(),
        ReportFormat::Text => letters.iter().map(line).collect(),
    }
}

/// A letter on a line, its reason on the next.
fn line(letter: &Letter) -> String {
    let id = letter.id.as_deref().map_or("without an id".to_owned(), harmless);
    let (stage, reason) = (harmless(&letter.stage), harmless(&letter.reason));
    let (number, bytes, time) = (letter.number, many(letter.bytes, "byte"), time(letter));
    format!("{number}  ({bytes}, {time}, {id})\n    {stage}: {reason}\n")
}

fn as_json(letter: &Letter) -> Value {
    json!({
        "letter": letter.number,
        "bytes": letter.bytes,
        "reason": {
            "id": letter.id,
            "stage": letter.stage,
            "reason": letter.reason,
            "attempts": letter.attempts,
            "quarantined_at": time(letter),
        },
    })
}

fn time(letter: &Letter) -> String {
    since(letter)
        .map(|since| humantime::format_rfc3339_seconds(since).to_string())
        .unwrap_or_default()
}
