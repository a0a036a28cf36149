//! Why a file, or a record in it, is not read.

use std::io;

use thiserror::Error;

/// The formats that are read, for messages.
const FORMATS: &str =
    "txt, md, html, json, jsonl, csv, tsv, eml, mbox, rss, atom, xml, and .gz or .zst of each";

/// What a limit counts, behind a number of them.
fn unit_of(limit: &str) -> &'static str {
    if limit.ends_with("_bytes") { " bytes" } else { "" }
}

/// Where a limit is set.
fn set_by(limit: &str) -> String {
    match limit {
        "max_document_bytes" => {
            "; `limits.max_document_bytes`, or the source's own, sets it".to_owned()
        }
        _ if limit.starts_with("max_") => format!("; `limits.{limit}` sets it"),
        _ => String::new(),
    }
}

/// Why a table has no texts.
fn without_text(found: &str) -> String {
    if found.is_empty() {
        return "it is empty; expected a header with a column `text`, `body` or `content`"
            .to_owned();
    }
    format!("no column is called `text`, `body` or `content`; found {found}")
}

/// Why a file or a record in it is not read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The format is not one that is read.
    #[error("the format `{found}` is not read; the formats are {FORMATS}")]
    Format {
        /// The file name's ending.
        found: String,
    },

    /// More of something than a limit allows.
    #[error("{limit} is {allowed}{unit} and this has {}{found}{unit}{}{}", if *.at_least { "more than " } else { "" }, line.map(|line| format!(" (line {line})")).unwrap_or_default(), set_by(limit), unit = unit_of(limit))]
    Limit {
        /// The setting's name.
        limit: &'static str,
        /// Its value.
        allowed: u64,
        /// What was found.
        found: u64,
        /// Whether reading stopped at `found`, so that there may be more.
        at_least: bool,
        /// The line of the record, from 1.
        line: Option<u64>,
    },

    /// Nothing to read.
    #[error("{}", nothing(*bytes))]
    Empty {
        /// How many bytes of white space there are.
        bytes: usize,
    },

    /// Not text.
    #[error("it is not text: {control_percent}% of its bytes are control characters")]
    Binary {
        /// How many are.
        control_percent: usize,
    },

    /// Not JSON, or JSON of another shape.
    #[error("line {line}, column {column}: {problem}")]
    Json {
        /// Line in the file, from 1.
        line: u64,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        problem: String,
    },

    /// A row that is not read further, nor is what stands behind it: where it ends is not known,
    /// for its quotes are not closed yet.
    #[error(
        "max_line_bytes is {allowed} and the row at line {line} has more than {allowed}, so that the rows behind it are not read; a quote in it may not be closed"
    )]
    Row {
        /// Its first line in the file, from 1.
        line: u64,
        /// The limit.
        allowed: u64,
    },

    /// A row with a quote that is not closed where its field ends: rows may stand in its text.
    #[error(
        "the quote that opens at line {line} is not closed where its field ends, so that rows behind it are taken into its text; close it, or double each quote inside a text and quote the whole"
    )]
    Quote {
        /// The line of the quote in the file, from 1.
        line: u64,
    },

    /// A row with more fields than its table has columns: what stands in them is lost otherwise.
    #[error(
        "the row at line {line} has {found} fields and the header {expected}; put a text that holds the delimiter into quotes"
    )]
    Fields {
        /// Its first line in the file, from 1.
        line: u64,
        /// How many fields it has.
        found: usize,
        /// How many columns the table has.
        expected: usize,
    },

    /// A record with the id of an earlier one of its file that says the same.
    #[error(
        "record {number} says once more what an earlier one with its id `{}` says",
        id.escape_debug()
    )]
    Again {
        /// Which record of the file, from 1.
        number: u64,
        /// How the id begins that both bring.
        id: String,
        /// The id that both documents have.
        document: String,
    },

    /// A record with the id of an earlier one of its file that says something else.
    #[error(
        "record {number} has the id `{}` of an earlier one in its file and says something else; give each an id of its own",
        id.escape_debug()
    )]
    SameId {
        /// Which record of the file, from 1.
        number: u64,
        /// How the id begins that both bring.
        id: String,
        /// The id that both documents have.
        document: String,
    },

    /// A table without a column of text.
    #[error("{}", without_text(found))]
    Columns {
        /// The names of its columns.
        found: String,
    },

    /// Not a feed, or one that is broken off.
    #[error("it is no feed of RSS or Atom: {problem}")]
    Feed {
        /// What is wrong.
        problem: String,
    },

    /// Not a mail.
    #[error("it is no mail: it has neither sender, date nor subject")]
    Mail,

    /// The operating system, or a damaged compressed file.
    #[error("cannot read it")]
    Io {
        /// Why.
        #[from]
        source: io::Error,
    },

    /// What reads the format panicked.
    #[error("reading it made the program panic, which is a mistake in the program")]
    Panicked,
}

impl ReadError {
    /// Whether the file is what is wrong, so that more of it may be lacking than one record.
    pub(crate) fn is_of_the_file(&self) -> bool {
        let is_cut_off = matches!(
            self,
            Self::Io { .. } | Self::Row { .. } | Self::Quote { .. } | Self::Panicked
        );
        is_cut_off || matches!(self, Self::Limit { limit: "max_records_per_file", .. })
    }
}

fn nothing(bytes: usize) -> String {
    match bytes {
        0 => "it holds no text".to_owned(),
        1 => "it holds no text, only a byte of white space".to_owned(),
        _ => format!("it holds no text, only {bytes} bytes of white space"),
    }
}
