//! The formats that files come in, by the ending of their names.

pub mod html;
pub mod json;
pub mod markdown;
pub mod text;

use crate::refusal::ReadError;

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text; the first line is the title when a blank line follows.
    Text,
    /// Markdown, with or without a head of `key: value` lines.
    Markdown,
    /// A web page.
    Html,
    /// An object, or an array of objects, with the fields of [`json::Record`].
    Json,
    /// One such object on each line.
    Jsonl,
}

/// What a format's reader makes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// The id that the input gives.
    pub id: Option<String>,
    /// The title.
    pub title: Option<String>,
    /// Whose text it is.
    pub author: Option<String>,
    /// ISO 8601 date or time.
    pub published: Option<String>,
    /// ISO 639-1 code.
    pub language: Option<String>,
    /// The text.
    pub text: String,
}

impl Format {
    /// The format of a file by its name, and whether it is compressed. A name without an ending
    /// is text.
    ///
    /// # Errors
    ///
    /// [`ReadError::Format`] for an ending that is not read.
    pub fn of_path(path: &str) -> Result<(Self, bool), ReadError> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let (name, compressed) = match strip_ending(name, ".gz") {
            Some(inner) => (inner, true),
            None => (name, false),
        };
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let format = match ending.to_ascii_lowercase().as_str() {
            "" | "txt" | "text" => Self::Text,
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::Jsonl,
            _ => return Err(ReadError::Format { found: ending.to_owned() }),
        };
        Ok((format, compressed))
    }
}

impl Format {
    /// Whether the name of a file says that it is compressed.
    #[must_use]
    pub fn is_compressed(path: &str) -> bool {
        strip_ending(path, ".gz").is_some()
    }
}

fn strip_ending<'n>(name: &'n str, ending: &str) -> Option<&'n str> {
    let at = name.len().checked_sub(ending.len())?;
    (name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(ending)).then(|| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_format() {
        let cases = [
            ("a/b.txt", Some((Format::Text, false))),
            ("a.b/c", Some((Format::Text, false))),
            ("B.TXT.GZ", Some((Format::Text, true))),
            ("a.html", Some((Format::Html, false))),
            ("a.ndjson.gz", Some((Format::Jsonl, true))),
            ("a.pdf", None),
            ("é.gz", Some((Format::Text, true))),
        ];
        for (path, expected) in cases {
            assert_eq!(Format::of_path(path).ok(), expected, "{path}");
        }
    }
}
