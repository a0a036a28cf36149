//! Rows for other programs: JSONL, CSV and Parquet of exactly what a filter lets through.

use std::io::{self, Write};

use serde::Serialize;
use standpoint_store::documents::{self, Listed};
use standpoint_store::feed::{self, Passage};
use standpoint_store::record::Stretch;
use standpoint_store::table::{Cell, Column, Kind};
use standpoint_store::{Filter, Store};

use crate::overview::Overview;

/// The most rows of one export, unless a site says otherwise: a page's link must not copy a store
/// for ever.
pub const MOST_ROWS: usize = 1_000_000;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object on each line.
    Jsonl,
    /// Comma-separated values (RFC 4180), safe to open in a spreadsheet.
    Csv,
    /// Parquet, with typed columns; where the feature `parquet` is.
    Parquet,
}

/// Whether this build writes Parquet.
pub const WRITES_PARQUET: bool = cfg!(feature = "parquet");

impl Format {
    /// The format that a path's ending names.
    #[must_use]
    pub fn of(ending: &str) -> Option<Self> {
        match ending {
            "jsonl" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The ending of files.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/x-ndjson; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// A row that knows its columns. They are those of its lines of JSON but for the cursor, which is
/// for turning pages; a stretch of text has a column for either end.
trait Row: Serialize {
    const COLUMNS: &'static [Column];
    fn cells(&self) -> Vec<Cell<'_>>;
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

impl Row for Passage {
    const COLUMNS: &'static [Column] = &[
        column("document_id", Kind::Text),
        column("title", Kind::Text),
        column("source", Kind::Text),
        column("day", Kind::Text),
        column("target_id", Kind::Text),
        column("who", Kind::Text),
        column("name", Kind::Text),
        column("score", Kind::Number),
        column("confidence", Kind::Number),
        column("voice", Kind::Text),
        column("time", Kind::Text),
        column("is_counter", Kind::Flag),
        column("verdict", Kind::Text),
        column("start", Kind::Count),
        column("end", Kind::Count),
        column("text", Kind::Text),
        column("rule", Kind::Text),
        column("copies", Kind::Count),
        column("key", Kind::Count),
        column("fingerprint", Kind::Text),
        column("target_name", Kind::Text),
        column("said_score", Kind::Number),
        column("said_who", Kind::Text),
        column("said_name", Kind::Text),
        column("holder_start", Kind::Count),
        column("holder_end", Kind::Count),
        column("target_start", Kind::Count),
        column("target_end", Kind::Count),
        column("cue_start", Kind::Count),
        column("cue_end", Kind::Count),
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        let start = |stretch: Option<Stretch>| Cell::from(stretch.map(|stretch| stretch.start));
        let end = |stretch: Option<Stretch>| Cell::from(stretch.map(|stretch| stretch.end));
        vec![
            Cell::Text(&self.document_id),
            (&self.title).into(),
            Cell::Text(&self.source),
            (&self.day).into(),
            Cell::Text(&self.target_id),
            Cell::Text(&self.who),
            Cell::Text(&self.name),
            Cell::Number(self.score),
            Cell::Number(self.confidence),
            Cell::Text(&self.voice),
            Cell::Text(&self.time),
            Cell::Flag(self.is_counter),
            (&self.verdict).into(),
            Cell::Count(self.start.into()),
            Cell::Count(self.end.into()),
            Cell::Text(&self.text),
            (&self.rule).into(),
            Cell::Count(self.copies),
            Cell::Count(self.key),
            Cell::Text(&self.fingerprint),
            Cell::Text(&self.target_name),
            self.said_score.into(),
            (&self.said_who).into(),
            (&self.said_name).into(),
            start(self.holder),
            end(self.holder),
            start(self.target),
            end(self.target),
            start(self.cue),
            end(self.cue),
        ]
    }
}

impl Row for Listed {
    const COLUMNS: &'static [Column] = &[
        column("id", Kind::Text),
        column("title", Kind::Text),
        column("source", Kind::Text),
        column("path", Kind::Text),
        column("day", Kind::Text),
        column("author", Kind::Text),
        column("language", Kind::Text),
        column("status", Kind::Text),
        column("tone", Kind::Number),
        column("stances", Kind::Count),
        column("copies", Kind::Count),
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Text(&self.id),
            (&self.title).into(),
            Cell::Text(&self.source),
            (&self.path).into(),
            (&self.day).into(),
            (&self.author).into(),
            (&self.language).into(),
            Cell::Text(&self.status),
            self.tone.into(),
            Cell::Count(self.stances),
            Cell::Count(self.copies),
        ]
    }
}

/// Writes the passages that the filter lets through, at most so many.
///
/// # Errors
///
/// When the store cannot be read or `out` takes no more.
pub fn passages(
    store: &Store,
    filter: &Filter,
    most: usize,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    rows(format, out, |take| feed::each(store, filter, None, most, take))
}

/// Writes the documents that the filter lets through, at most so many.
///
/// # Errors
///
/// When the store cannot be read or `out` takes no more.
pub fn documents(
    store: &Store,
    filter: &Filter,
    most: usize,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    rows(format, out, |take| documents::each(store, filter, None, most, take))
}

/// Writes the figures of an overview, a row for each period.
///
/// # Errors
///
/// When `out` takes no more.
pub fn figures(overview: &Overview, format: Format, out: &mut dyn Write) -> io::Result<()> {
    if format == Format::Jsonl {
        for actor in &overview.actors {
            json_line(out, actor)?;
        }
        return Ok(());
    }
    let mut table = Rows::begin(format, out, FIGURES)?;
    for actor in &overview.actors {
        let all = ("all", &actor.all);
        let points = actor.over_time.iter().map(|point| (point.period.as_str(), &point.mean));
        for (period, mean) in std::iter::once(all).chain(points) {
            let cells = [
                Cell::Text(&actor.who),
                Cell::Text(&actor.name),
                Cell::Text(&actor.kind),
                (&actor.country).into(),
                Cell::Text(period),
                Cell::Number(mean.score),
                Cell::Number(mean.low),
                Cell::Number(mean.high),
                Cell::Count(mean.stories),
                Cell::Count(mean.passages),
            ];
            table.row(&cells)?;
        }
    }
    table.finish()
}

const FIGURES: &[Column] = &[
    column("who", Kind::Text),
    column("name", Kind::Text),
    column("kind", Kind::Text),
    column("country", Kind::Text),
    column("period", Kind::Text),
    column("score", Kind::Number),
    column("low", Kind::Number),
    column("high", Kind::Number),
    column("stories", Kind::Count),
    column("passages", Kind::Count),
];

fn rows<T: Row>(
    format: Format,
    out: &mut dyn Write,
    each: impl FnOnce(&mut dyn FnMut(T) -> bool) -> Result<(), standpoint_store::Error>,
) -> io::Result<()> {
    if format == Format::Jsonl {
        let mut written = Ok(());
        let mut take = |row: T| {
            written = json_line(out, &row);
            written.is_ok()
        };
        each(&mut take).map_err(io::Error::other)?;
        return written;
    }
    let mut table = Rows::begin(format, out, T::COLUMNS)?;
    let mut written = Ok(());
    let mut take = |row: T| {
        written = table.row(&row.cells());
        written.is_ok()
    };
    // What broke off gets no end, so that a table of Parquet that lacks rows is none.
    each(&mut take).map_err(io::Error::other)?;
    written.and_then(|()| table.finish())
}

/// A table that is being written.
enum Rows<'o> {
    Csv(&'o mut dyn Write),
    #[cfg(feature = "parquet")]
    Parquet(Box<standpoint_store::table::parquet::Table<&'o mut dyn Write>>),
}

impl<'o> Rows<'o> {
    fn begin(format: Format, out: &'o mut dyn Write, columns: &[Column]) -> io::Result<Self> {
        if format == Format::Parquet {
            #[cfg(feature = "parquet")]
            return standpoint_store::table::parquet::Table::new(out, columns)
                .map(|table| Self::Parquet(Box::new(table)));
            #[cfg(not(feature = "parquet"))]
            return Err(io::Error::other(NO_PARQUET));
        }
        let header: Vec<_> = columns.iter().map(|column| Cell::Text(column.name)).collect();
        csv_line(out, &header)?;
        Ok(Self::Csv(out))
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        match self {
            Self::Csv(out) => csv_line(*out, cells),
            #[cfg(feature = "parquet")]
            Self::Parquet(table) => table.row(cells),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Csv(out) => out.flush(),
            #[cfg(feature = "parquet")]
            Self::Parquet(table) => table.finish().map(drop),
        }
    }
}

/// What to do where there is no Parquet.
pub const NO_PARQUET: &str = "this build writes no Parquet: build the program with `--features \
                              parquet`, or ask for `.jsonl` or `.csv`";

pub(crate) fn json_line<T: Serialize>(out: &mut dyn Write, row: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}

fn csv_line(out: &mut dyn Write, cells: &[Cell<'_>]) -> io::Result<()> {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match cell {
            Cell::Text(text) => out.write_all(text_cell(text).as_bytes())?,
            Cell::Number(number) => write!(out, "{number}")?,
            Cell::Count(count) => write!(out, "{count}")?,
            Cell::Flag(flag) => write!(out, "{flag}")?,
            Cell::None => {}
        }
    }
    out.write_all(b"\r\n")
}

/// A text as a cell. What a spreadsheet would run as a formula gets an apostrophe in front: the
/// text is somebody else's, and opening a table must not call their server.
fn text_cell(text: &str) -> String {
    let text = crate::text::shown(text);
    // What some spreadsheets pass over before they look for a sign.
    let passed_over = |character: char| {
        character.is_whitespace()
            || matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{fffd}')
    };
    let is_formula = text.starts_with(['\t', '\n'])
        || text
            .trim_start_matches(passed_over)
            .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let guarded = if is_formula { format!("'{text}") } else { text };
    if guarded.contains(['"', ',', '\n', '\r', ';']) || is_formula {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_to_a_spreadsheet_whatever_it_says() {
        let cases = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("=HYPERLINK(\"http://evil.example\")", "\"'=HYPERLINK(\"\"http://evil.example\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            (" =1", "\"' =1\""),
            ("\t=1", "\"'\t=1\""),
            ("\tHow are you", "\"'\tHow are you\""),
            ("\n=1", "\"'\n=1\""),
            // A carriage return is no part of a text that is shown, and hides nothing behind it.
            ("\r=1", "\"'\u{fffd}=1\""),
            ("\rplain", "\u{fffd}plain"),
            ("\u{feff}=1", "\"'\u{feff}=1\""),
            ("\u{200b}@A1", "\"'\u{200b}@A1\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("two\nlines", "\"two\nlines\""),
        ];
        for (text, expected) in cases {
            assert_eq!(text_cell(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_negative_number_stays_a_number() {
        let mut out = Vec::new();
        csv_line(&mut out, &[Cell::Number(-0.5), Cell::None, Cell::Count(3)]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "-0.5,,3\r\n");
    }
}
