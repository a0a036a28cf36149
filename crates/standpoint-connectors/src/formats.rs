//! The formats that files come in, by the ending of their names.

pub mod csv;
pub(crate) mod date;
pub(crate) mod feed;
pub mod html;
pub mod json;
pub mod mail;
pub mod markdown;
pub mod text;

use std::io::{self, Read};

use crate::refusal::ReadError;

/// Takes a record of a file, by its number from 0 and as a file that holds it alone.
pub(crate) type Each<'e> = dyn FnMut(u64, &mut dyn Read) -> io::Result<()> + 'e;

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
    /// A table with a header; each row is a document.
    Csv,
    /// One mail.
    Mail,
    /// A mailbox with one mail after another.
    Mbox,
    /// RSS or Atom: each entry is a document.
    Feed,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
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
    /// The outlet that it says it is from.
    pub outlet: Option<String>,
    /// The text.
    pub text: String,
}

impl Content {
    /// A hash of all that it says, its id left out.
    pub(crate) fn said(&self) -> blake3::Hash {
        let Self { id: _, title, author, published, language, outlet, text } = self;
        let mut hasher = blake3::Hasher::new();
        let fields = [title, author, published, language, outlet].map(Option::as_deref);
        for field in fields.into_iter().chain([Some(text.as_str())]) {
            // With its length, and told apart from one that is not there.
            hasher.update(&field.map_or(u64::MAX, |field| field.len() as u64).to_le_bytes());
            hasher.update(field.unwrap_or_default().as_bytes());
        }
        hasher.finalize()
    }
}

/// A document in a file with others, and the bytes that it is recognised by.
pub(crate) struct Raw {
    pub(crate) content: Content,
    pub(crate) bytes: Vec<u8>,
}

impl Format {
    /// The format of a file by its name, and how it is compressed. A name without an ending is
    /// text.
    ///
    /// # Errors
    ///
    /// [`ReadError::Format`] for an ending that is not read.
    pub fn of_path(path: &str) -> Result<(Self, Option<Compression>), ReadError> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let (name, compression) = Compression::of_name(name);
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let format = match ending.to_ascii_lowercase().as_str() {
            "" | "txt" | "text" => Self::Text,
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::Jsonl,
            "csv" | "tsv" => Self::Csv,
            "eml" => Self::Mail,
            "mbox" => Self::Mbox,
            "rss" | "atom" | "xml" | "rdf" => Self::Feed,
            _ => return Err(ReadError::Format { found: ending.to_owned() }),
        };
        Ok((format, compression))
    }
}

impl Compression {
    /// How bytes are compressed that begin so: by the magic numbers of RFC 1952 and RFC 8878.
    #[must_use]
    pub fn of_bytes(start: &[u8]) -> Option<Self> {
        match start {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name without the ending of a compression, and which that is.
    #[must_use]
    pub fn of_name(name: &str) -> (&str, Option<Self>) {
        let endings = [(".gz", Self::Gzip), (".zst", Self::Zstd)];
        endings
            .into_iter()
            .find_map(|(ending, found)| Some((strip_ending(name, ending)?, Some(found))))
            .unwrap_or((name, None))
    }
}

fn strip_ending<'n>(name: &'n str, ending: &str) -> Option<&'n str> {
    let at = name.len().checked_sub(ending.len())?;
    (name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(ending)).then(|| &name[..at])
}

/// How long this thread has computed, which the load of a machine does not change.
#[cfg(test)]
fn computing_time() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    std::time::Duration::try_from(time).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_format() {
        let cases = [
            ("a/b.txt", Some((Format::Text, None))),
            ("a.b/c", Some((Format::Text, None))),
            ("B.TXT.GZ", Some((Format::Text, Some(Compression::Gzip)))),
            ("a.html", Some((Format::Html, None))),
            ("a.tsv.zst", Some((Format::Csv, Some(Compression::Zstd)))),
            ("a.eml", Some((Format::Mail, None))),
            ("a.mbox", Some((Format::Mbox, None))),
            ("feed.xml.gz", Some((Format::Feed, Some(Compression::Gzip)))),
            ("a.ndjson.gz", Some((Format::Jsonl, Some(Compression::Gzip)))),
            ("a.pdf", None),
            ("é.gz", Some((Format::Text, Some(Compression::Gzip)))),
        ];
        for (path, expected) in cases {
            assert_eq!(Format::of_path(path).ok(), expected, "{path}");
        }
    }
}
