//! What is wrong with a pipeline file, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::secret::without_secrets;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The pipeline cannot start.
    Error,
    /// The pipeline starts, but perhaps not as its author meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One finding about a pipeline file, an environment variable or a flag.
///
/// As JSON it is one flat object with the fields below, those without a value left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,

    /// Where it is: the file as the user named it, the variable (`STANDPOINT__NAME`) or the flag
    /// (`--set name`).
    pub file: String,

    /// The line, counted from 1. None when the finding is not about a place in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,

    /// The column, counted from 1 in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,

    /// The key it is about, such as `stages[2].with.window`; empty for the file as a whole.
    pub key_path: String,

    /// What was found and what was expected: lower case, without a full stop.
    pub message: String,

    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,

    /// How many characters of the line are meant; at least 1.
    #[serde(skip)]
    pub(crate) width: usize,

    /// The line of the file as it was written.
    #[serde(skip)]
    pub(crate) excerpt: Option<String>,
}

/// Longest part of a source line that is shown, in characters.
const EXCERPT_CHARACTERS: usize = 100;

impl Diagnostic {
    /// The finding as people read it: position and message, the line with a caret, the help.
    ///
    /// With `colour`, the severity and the caret are coloured with ANSI escapes. Control
    /// characters of the file are never passed on to the terminal.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, colour);
        text
    }

    fn write(&self, out: &mut impl fmt::Write, colour: bool) -> fmt::Result {
        let (strong, weak, reset) = match (colour, self.severity) {
            (false, _) => ("", "", ""),
            (true, Severity::Error) => ("\x1b[1;31m", "\x1b[34m", "\x1b[0m"),
            (true, Severity::Warning) => ("\x1b[1;33m", "\x1b[34m", "\x1b[0m"),
        };
        write!(out, "{}", printable(&self.file))?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(out, ":{line}:{column}")?;
        }
        write!(out, ": {strong}{}{reset}: {}", self.severity, printable(&self.message))?;

        let mut gutter = String::from("  ");
        if let (Some(line), Some(column), Some(excerpt)) = (self.line, self.column, &self.excerpt) {
            gutter = " ".repeat(line.to_string().len().max(2) + 1);
            let width = gutter.len();
            let (shown, column) = window(excerpt, column);
            let room = shown.chars().count().saturating_sub(column - 1).max(1);
            let caret = "^".repeat(self.width.clamp(1, room));
            let indent = " ".repeat(column - 1);
            write!(out, "\n{weak}{line:>width$} |{reset} {shown}")?;
            write!(out, "\n{weak}{gutter} |{reset} {indent}{strong}{caret}{reset}")?;
        }
        if let Some(help) = &self.help {
            write!(out, "\n{weak}{gutter} ={reset} help: {}", printable(help))?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter, false)
    }
}

/// Every finding about a pipeline file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Diagnostics {
    findings: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The findings in the order of the file; those about variables and flags come first.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter()
    }

    /// How many findings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether the pipeline can not start.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The findings as people read them, a blank line between two.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let rendered: Vec<String> =
            self.findings.iter().map(|finding| finding.render(colour)).collect();
        rendered.join("\n\n")
    }

    /// The findings as one JSON array, as `validate --format json` prints them.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.findings).unwrap_or_default()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(mut findings: Vec<Diagnostic>) -> Self {
        findings.sort_by_key(|finding| (finding.line, finding.column));
        findings.dedup();
        Self { findings }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.findings.into_iter()
    }
}

/// Where a key or a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the pipeline file: line and column from 1, and how many characters are meant.
    File { line: usize, column: usize, width: usize },
    /// In an environment variable or a flag, by its name.
    Override(String),
    /// Nowhere: it is a default of ours, or about the file as a whole.
    Nowhere,
}

/// A text with positions in it, and the folder that its relative paths start from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The file as the user named it, or a description such as `built-in pipeline`.
    pub(crate) name: String,
    /// The folder of the file.
    pub(crate) folder: PathBuf,
    lines: Vec<String>,
}

impl Origin {
    pub(crate) fn new(name: String, folder: PathBuf, text: &str) -> Self {
        let lines = text.lines().map(str::to_owned).collect();
        Self { name, folder, lines }
    }

    /// A line of the text, counted from 1.
    pub(crate) fn line(&self, number: usize) -> &str {
        let line = number.checked_sub(1).and_then(|index| self.lines.get(index));
        line.map_or("", String::as_str)
    }

    /// `path` as seen from the folder of the file.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        // Joined by components, so that `./state` in `config` is `config/state`.
        let mut resolved = self.folder.clone();
        for component in path.components() {
            if component != std::path::Component::CurDir {
                resolved.push(component);
            }
        }
        if resolved.as_os_str().is_empty() { PathBuf::from(".") } else { resolved }
    }

    pub(crate) fn diagnostic(&self, place: &Place, key_path: &str, fault: Fault) -> Diagnostic {
        let (file, line, column, width) = match place {
            Place::File { line, column, width } => {
                (self.name.clone(), Some(*line), Some(*column), *width)
            }
            Place::Override(name) => (name.clone(), None, None, 1),
            Place::Nowhere => (self.name.clone(), None, None, 1),
        };
        let excerpt = line.and_then(|line| self.lines.get(line.checked_sub(1)?));
        let excerpt = excerpt.map(|line| without_secrets(line));
        Diagnostic {
            severity: fault.severity,
            file,
            line,
            column,
            key_path: key_path.to_owned(),
            message: fault.message,
            help: fault.help,
            width,
            excerpt,
        }
    }
}

/// What is wrong, before it is known where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), help: None }
    }

    pub(crate) fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(message) }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The entry of `known` that `found` was probably meant to be.
#[must_use]
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    // One slip in three characters is a misspelling; more is another word.
    let allowed = (found.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&found, &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `text` in backquotes, shortened and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    // `escape_debug` also escapes quotes, which need none here.
    shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// `words` as a list that a sentence can end with: "`a`, `b` or `c`".
pub(crate) fn listed(words: &[&str], conjunction: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The part of a long line around `column`, and the column in that part.
fn window(line: &str, column: usize) -> (String, usize) {
    let line = line.replace('\t', " ");
    let skipped = if column > EXCERPT_CHARACTERS - 20 { column - 20 } else { 0 };
    let shown: String = line.chars().skip(skipped).take(EXCERPT_CHARACTERS).collect();
    (printable(shown.trim_end()), column - skipped)
}
