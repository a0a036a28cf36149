//! What an object holds: a line for each document, or a table of them.

use std::io;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;

/// How results are written into an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectFormat {
    /// A result line for each document.
    #[default]
    Jsonl,
    /// A table with a row for each document: what is known of it in columns of their own, and its
    /// result line in the column `result`. Needs a build with the feature `parquet`.
    Parquet,
}

/// What to do where there is no Parquet.
const NO_PARQUET: &str = "this build writes no Parquet: build the program with \
                          `--features objects,parquet`, or write `format: jsonl`";

impl ObjectFormat {
    /// The ending of keys.
    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// Why this build cannot write it, if it cannot.
    pub(super) fn lack(self) -> Option<&'static str> {
        (self == Self::Parquet && !cfg!(feature = "parquet")).then_some(NO_PARQUET)
    }

    /// What an object with these documents holds.
    ///
    /// - `lines`: their result lines, one for each.
    pub(super) fn body(
        self,
        documents: &[&Arc<Document<'static>>],
        lines: Vec<u8>,
    ) -> io::Result<Vec<u8>> {
        match self {
            Self::Jsonl => Ok(lines),
            #[cfg(feature = "parquet")]
            Self::Parquet => table::of(documents, &lines),
            #[cfg(not(feature = "parquet"))]
            Self::Parquet => Err(io::Error::other(format!("{NO_PARQUET} ({})", documents.len()))),
        }
    }
}

#[cfg(feature = "parquet")]
mod table {
    use std::str;

    use standpoint_store::table::parquet::Table;
    use standpoint_store::table::{Cell, Column, Kind};

    use super::{Arc, Document, io};

    const COLUMNS: &[Column] = &[
        text("id"),
        text("source"),
        text("path"),
        text("title"),
        text("author"),
        text("published"),
        text("language"),
        text("result"),
    ];

    const fn text(name: &'static str) -> Column {
        Column { name, kind: Kind::Text }
    }

    /// A table with a row for each document.
    pub(super) fn of(documents: &[&Arc<Document<'static>>], lines: &[u8]) -> io::Result<Vec<u8>> {
        let mut table = Table::new(Vec::new(), COLUMNS)?;
        let lines = lines.split(|byte| *byte == b'\n');
        for (document, line) in documents.iter().zip(lines) {
            let metadata = document.metadata();
            table.row(&[
                Cell::Text(document.id()),
                Cell::Text(&metadata.source.name),
                (&metadata.source.path).into(),
                (&metadata.title).into(),
                (&metadata.author).into(),
                (&metadata.published).into(),
                (&metadata.language).into(),
                Cell::Text(str::from_utf8(line).map_err(io::Error::other)?),
            ])?;
        }
        table.finish()
    }
}
