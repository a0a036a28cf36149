//! Rows for other programs: JSONL and CSV of exactly what a filter lets through.

use std::io::{self, Write};

use serde::Serialize;
use standpoint_store::documents::{self, Listed};
use standpoint_store::feed::{self, Passage};
use standpoint_store::{Filter, Store};

use crate::overview::Overview;

/// The most rows of one export: a page's link must not copy a store for ever.
pub const MOST_ROWS: usize = 1_000_000;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object on each line.
    Jsonl,
    /// Comma-separated values (RFC 4180), safe to open in a spreadsheet.
    Csv,
}

impl Format {
    /// The format that a path's ending names.
    #[must_use]
    pub fn of(ending: &str) -> Option<Self> {
        match ending {
            "jsonl" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/x-ndjson; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// A row that knows its columns.
trait Row: Serialize {
    const COLUMNS: &'static [&'static str];
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// A value in a table.
enum Cell<'a> {
    Text(&'a str),
    Number(f64),
    Count(i64),
    None,
}

impl<'a> From<&'a Option<String>> for Cell<'a> {
    fn from(text: &'a Option<String>) -> Self {
        text.as_deref().map_or(Self::None, Self::Text)
    }
}

impl Row for Passage {
    const COLUMNS: &'static [&'static str] = &[
        "document_id",
        "title",
        "source",
        "day",
        "target_id",
        "who",
        "name",
        "score",
        "confidence",
        "voice",
        "time",
        "is_counter",
        "verdict",
        "start",
        "end",
        "text",
        "rule",
        "copies",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
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
            Cell::Text(if self.is_counter { "true" } else { "false" }),
            (&self.verdict).into(),
            Cell::Count(self.start.into()),
            Cell::Count(self.end.into()),
            Cell::Text(&self.text),
            (&self.rule).into(),
            Cell::Count(self.copies),
        ]
    }
}

impl Row for Listed {
    const COLUMNS: &'static [&'static str] = &[
        "id", "title", "source", "path", "day", "author", "language", "status", "tone", "stances",
        "copies",
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
            self.tone.map_or(Cell::None, Cell::Number),
            Cell::Count(self.stances),
            Cell::Count(self.copies),
        ]
    }
}

/// Writes the passages that the filter lets through.
///
/// # Errors
///
/// When the store cannot be read or `out` takes no more.
pub fn passages(
    store: &Store,
    filter: &Filter,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    rows(format, out, |take| feed::each(store, filter, None, MOST_ROWS, take))
}

/// Writes the documents that the filter lets through.
///
/// # Errors
///
/// When the store cannot be read or `out` takes no more.
pub fn documents(
    store: &Store,
    filter: &Filter,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    rows(format, out, |take| documents::each(store, filter, None, MOST_ROWS, take))
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
    let header =
        ["who", "name", "kind", "country", "period", "score", "low", "high", "stories", "passages"];
    csv_line(out, &header.map(Cell::Text))?;
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
            csv_line(out, &cells)?;
        }
    }
    Ok(())
}

fn rows<T: Row>(
    format: Format,
    out: &mut dyn Write,
    each: impl FnOnce(&mut dyn FnMut(T) -> bool) -> Result<(), standpoint_store::Error>,
) -> io::Result<()> {
    if format == Format::Csv {
        csv_line(out, &T::COLUMNS.iter().copied().map(Cell::Text).collect::<Vec<_>>())?;
    }
    let mut written = Ok(());
    let mut take = |row: T| {
        written = match format {
            Format::Jsonl => json_line(out, &row),
            Format::Csv => csv_line(out, &row.cells()),
        };
        written.is_ok()
    };
    each(&mut take).map_err(io::Error::other)?;
    written
}

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
