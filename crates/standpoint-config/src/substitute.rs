//! Fills `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `${file:path}` into scalars.
//!
//! It runs on the finished tree, so that a value can change a scalar but never add a key or an
//! item. `$$` stands for one `$`; any other `$` stands for itself.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Fault, Origin, quoted};
use crate::layers::Environment;
use crate::tree::{Node, Scalar};

/// Most bytes that `${file:}` reads, and that a scalar may grow to.
const MAX_VALUE_BYTES: u64 = 64 << 10;

/// How deep defaults may hold further substitutions.
const MAX_NESTING: usize = 8;

/// Fills in every scalar below `root`; relative paths start from the folder of `origin`.
pub(crate) fn substitute(
    root: &mut Node,
    environment: &Environment,
    origin: &Origin,
    findings: &mut Vec<Diagnostic>,
) {
    root.visit_scalars("", &mut |key, place, scalar| {
        if !scalar.text.contains('$') {
            return;
        }
        let mut filling = Filling { environment, origin, from_file: false };
        match filling.fill(&scalar.text, 0) {
            Ok(text) if text != scalar.text => {
                let written = std::mem::replace(&mut scalar.text, text);
                scalar.written = Some(written);
                scalar.secret |= filling.from_file;
            }
            Ok(_) => {}
            Err(fault) => {
                findings.push(origin.diagnostic(place, key, fault));
                *scalar = Scalar { broken: true, ..std::mem::take(scalar) };
            }
        }
    });
}

struct Filling<'a> {
    environment: &'a Environment,
    origin: &'a Origin,
    from_file: bool,
}

impl Filling<'_> {
    fn fill(&mut self, text: &str, nesting: usize) -> Result<String, Fault> {
        if nesting > MAX_NESTING {
            return Err(Fault::new(format!("`${{` nested more than {MAX_NESTING} deep")));
        }
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            filled.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            if let Some(after) = rest.strip_prefix("$$") {
                filled.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix("${") {
                let end = closing_brace(after).ok_or_else(|| {
                    Fault::new("`${` without its `}`").help("write `$$` for a dollar sign")
                })?;
                filled.push_str(&self.value_of(&after[..end], nesting)?);
                rest = &after[end + 1..];
            } else {
                filled.push('$');
                rest = &rest[1..];
            }
            if filled.len() as u64 > MAX_VALUE_BYTES {
                return Err(Fault::new("the filled-in value is longer than 64KiB"));
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// What stands for `expression`, the text between the braces.
    fn value_of(&mut self, expression: &str, nesting: usize) -> Result<String, Fault> {
        if let Some(path) = expression.strip_prefix("file:") {
            self.from_file = true;
            return read_value(&self.origin.resolve(Path::new(path.trim())));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name_end = expression.find(|c| !is_name(c)).unwrap_or(expression.len());
        let (name, rest) = expression.split_at(name_end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            let fault = Fault::new(format!("{} names no variable", quoted(expression)));
            return Err(fault.help("write `${NAME}`, `${file:path}`, or `$$` for a dollar sign"));
        }
        // As in a shell, `:-` and `:?` treat an empty variable like one that is not set.
        let value = self.environment.get(name);
        let filled = value.filter(|value| !value.is_empty());
        if rest.is_empty() {
            return value.map(str::to_owned).ok_or_else(|| {
                Fault::new(format!("the environment variable {} is not set", quoted(name)))
                    .help(format!("set it, or write `${{{name}:-a default}}`"))
            });
        }
        if let Some(default) = rest.strip_prefix(":-") {
            return filled
                .map_or_else(|| self.fill(default, nesting + 1), |value| Ok(value.to_owned()));
        }
        if let Some(message) = rest.strip_prefix(":?") {
            return filled.map(str::to_owned).ok_or_else(|| {
                let reason = if message.is_empty() { "is not set" } else { message };
                Fault::new(format!("the environment variable {}: {reason}", quoted(name)))
            });
        }
        let fault = Fault::new(format!("{} after the name {name} means nothing", quoted(rest)));
        Err(fault.help("write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`"))
    }
}

/// Where the brace that was opened before `text` closes.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (index, character) in text.char_indices() {
        match character {
            '{' if before == '$' => depth += 1,
            '}' if depth == 0 => return Some(index),
            '}' => depth -= 1,
            _ => {}
        }
        before = character;
    }
    None
}

/// The text of a file, without the line end that editors put last.
fn read_value(path: &Path) -> Result<String, Fault> {
    let failed = |reason: String| Fault::new(format!("cannot read {}: {reason}", path.display()));
    // Asked before it is opened: opening a FIFO would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed("it is not a file".to_owned()));
    }
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_VALUE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > MAX_VALUE_BYTES {
        return Err(failed("it is longer than 64KiB".to_owned()));
    }
    let end = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(end);
    Ok(text)
}
