//! Tables: a header that names the columns, then a document in each row.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder, WriterBuilder};

use super::{Content, Each, Raw};
use crate::encoding;
use crate::encoding::stream::AsUtf8;
use crate::limits::ReadLimits;
use crate::refusal::ReadError;

/// What separates columns: of these the one that is most frequent in the header.
const DELIMITERS: [u8; 3] = *b",;\t";

/// What a row can say, with the names that its column may have, the usual one first. Fields of JSON
/// have the same.
pub(super) const COLUMNS: [(&str, &[&str]); 7] = [
    ("text", &["text", "body", "content"]),
    ("id", &["id"]),
    ("title", &["title", "headline"]),
    ("author", &["author", "speaker"]),
    ("published", &["published", "date"]),
    ("language", &["language", "lang"]),
    ("source", &["source"]),
];

/// The rows of a table.
pub(crate) struct Rows {
    reader: Reader<Bounded>,
    delimiter: u8,
    header: ByteRecord,
    /// The places of each of [`COLUMNS`], one for each of its names that is there.
    places: [Vec<usize>; COLUMNS.len()],
    left: Arc<AtomicU64>,
    max_row_bytes: u64,
    ended: bool,
}

impl Rows {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`ReadError::Columns`] where no column holds a text, [`ReadError::Quote`] where the header
    /// has no end.
    pub(crate) fn open(
        plain: Box<dyn BufRead + Send>,
        limits: &ReadLimits,
    ) -> Result<Self, ReadError> {
        let mut plain = AsUtf8::new(plain);
        let start = plain.fill_buf()?;
        let header = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let count = |delimiter: u8| memchr::memchr_iter(delimiter, header).count();
        // The first of those that are equally frequent.
        let delimiter = DELIMITERS.into_iter().rev().max_by_key(|&one| count(one)).unwrap_or(b',');
        let left = Arc::new(AtomicU64::new(limits.max_line_bytes));
        let quotes = Quotes::new(delimiter);
        let bounded = Bounded { inner: plain, left: Arc::clone(&left), quotes };
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bounded);
        let header = reader.byte_headers().map_err(io::Error::from)?.clone();
        let line = reader.position().line();
        if let Some(line) = reader.get_mut().quotes.open_before(line) {
            return Err(ReadError::Quote { line });
        }
        let names: Vec<String> =
            header.iter().map(|name| String::from_utf8_lossy(name).trim().to_lowercase()).collect();
        let position = |alias: &&str| names.iter().position(|name| name == alias);
        let places =
            COLUMNS.map(|(_, aliases)| aliases.iter().filter_map(position).collect::<Vec<usize>>());
        if places[0].is_empty() {
            return Err(ReadError::Columns { found: names.join(", ") });
        }
        let max_row_bytes = limits.max_line_bytes;
        Ok(Self { reader, delimiter, header, places, left, max_row_bytes, ended: false })
    }

    fn row(&self, row: &ByteRecord, line: u64) -> Result<Raw, ReadError> {
        let expected = self.header.len();
        // Delimiters alone at its end say nothing.
        if row.iter().skip(expected).any(|field| !field.trim_ascii().is_empty()) {
            return Err(ReadError::Fields { line, found: row.len(), expected });
        }
        let field = |places: &Vec<usize>| -> Result<Option<String>, ReadError> {
            let mut fields = places.iter().filter_map(|&place| row.get(place));
            // An empty field says as much as one that is missing.
            let Some(bytes) = fields.find(|field| !field.trim_ascii().is_empty()) else {
                return Ok(None);
            };
            let decoded = encoding::decode(bytes)
                .map_err(|binary| ReadError::Binary { control_percent: binary.control_percent })?;
            Ok(Some(decoded.text).filter(|text| !text.trim().is_empty()))
        };
        let [text, id, title, author, published, language, outlet] =
            self.places.each_ref().map(field);
        let content = Content {
            text: text?.unwrap_or_default(),
            id: id?,
            title: title?,
            author: author?,
            published: published?,
            language: language?,
            outlet: outlet?,
        };
        // Unit separators keep the fields apart.
        let bytes = row.iter().collect::<Vec<_>>().join(&0x1F);
        Ok(Raw { content, bytes })
    }
}

impl Rows {
    fn next_row(&mut self) -> Option<Result<ByteRecord, ReadError>> {
        if self.ended {
            return None;
        }
        self.left.store(self.max_row_bytes, Ordering::Relaxed);
        let mut row = ByteRecord::new();
        let line = self.reader.position().line();
        match self.reader.read_byte_record(&mut row) {
            Ok(true) => {
                let line = self.reader.position().line();
                let open = self.reader.get_mut().quotes.open_before(line);
                Some(open.map_or(Ok(row), |line| Err(ReadError::Quote { line })))
            }
            Ok(false) => None,
            Err(error) => {
                self.ended = true;
                let is_too_long = self.left.load(Ordering::Relaxed) == 0;
                Some(Err(if is_too_long {
                    ReadError::Row { line, allowed: self.max_row_bytes }
                } else {
                    io::Error::from(error).into()
                }))
            }
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Raw, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.reader.position().line();
        let row = self.next_row()?;
        let allowed = self.max_row_bytes;
        Some(row.and_then(|row| match row.as_slice().len() as u64 {
            found if found > allowed => {
                let (limit, line) = ("max_line_bytes", Some(line));
                Err(ReadError::Limit { limit, allowed, found, at_least: false, line })
            }
            _ => self.row(&row, line),
        }))
    }
}

/// Gives the rows of a table whose numbers are `wanted`, each as a table that holds it alone.
///
/// # Errors
///
/// When the table cannot be read; what `each` says.
pub(crate) fn separate(
    plain: Box<dyn BufRead + Send>,
    limits: &ReadLimits,
    wanted: &BTreeSet<u64>,
    each: &mut Each<'_>,
) -> io::Result<()> {
    let mut rows = Rows::open(plain, limits).map_err(io::Error::other)?;
    for number in 0..=wanted.last().copied().unwrap_or_default() {
        let Some(row) = rows.next_row() else { break };
        let row = row.map_err(io::Error::other)?;
        if wanted.contains(&number) {
            each(number, &mut table(rows.delimiter, [&rows.header, &row])?.as_slice())?;
        }
    }
    Ok(())
}

/// Makes one table of several.
///
/// # Errors
///
/// When one of them cannot be read, or has another header than the first.
pub(crate) fn join(tables: &[Vec<u8>], limits: &ReadLimits) -> io::Result<Vec<u8>> {
    let mut first: Option<(u8, ByteRecord)> = None;
    let mut all = Vec::new();
    for table in tables {
        let plain = Box::new(io::Cursor::new(table.clone()));
        let mut rows = Rows::open(plain, limits).map_err(io::Error::other)?;
        if let Some((_, header)) = &first {
            if *header != rows.header {
                return Err(io::Error::other("the tables have different headers"));
            }
        } else {
            first = Some((rows.delimiter, rows.header.clone()));
            all.push(rows.header.clone());
        }
        while let Some(row) = rows.next_row() {
            all.push(row.map_err(io::Error::other)?);
        }
    }
    table(first.map_or(b',', |(delimiter, _)| delimiter), &all)
}

fn table<'r>(delimiter: u8, rows: impl IntoIterator<Item = &'r ByteRecord>) -> io::Result<Vec<u8>> {
    let mut writer =
        WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(Vec::new());
    for row in rows {
        writer.write_byte_record(row).map_err(io::Error::from)?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// Refuses to read further than a row may be long, so that a quote which is never closed does not
/// bring the whole file into memory.
struct Bounded {
    inner: AsUtf8,
    left: Arc<AtomicU64>,
    quotes: Quotes,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other("a row is too long"));
        }
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.inner.read(&mut buffer[..most])?;
        self.quotes.watch(&buffer[..count]);
        self.left.fetch_sub(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Watches for quotes that are not closed where their field ends, which the reader does not tell:
/// what follows, up to the next quote, is taken into the field, and rows with it.
struct Quotes {
    delimiter: u8,
    at: At,
    line: u64,
    /// Where the quote opened that is open now, or was closed last.
    opened: u64,
    /// The lines of quotes that closed on a later line, and in the middle of a text.
    stray: VecDeque<u64>,
    is_over: bool,
}

/// Where in a field the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the start of the file, before so many bytes of a mark of the byte order.
    Mark(usize),
    Start,
    Plain,
    Quoted,
    /// Behind a quote inside of a quoted field, which closes it unless another follows.
    Closing,
    /// Behind blanks behind a quote that closes a field, which are part of it.
    Closed,
}

impl Quotes {
    const MARK: &[u8] = b"\xEF\xBB\xBF";

    fn new(delimiter: u8) -> Self {
        let (at, stray) = (At::Mark(0), VecDeque::new());
        Self { delimiter, at, line: 1, opened: 0, stray, is_over: false }
    }

    /// Goes over the next bytes of the file; there are none at its end.
    fn watch(&mut self, bytes: &[u8]) {
        self.is_over = bytes.is_empty();
        for &byte in bytes {
            self.at = match (self.at, byte) {
                (At::Mark(read), byte) if Self::MARK.get(read) == Some(&byte) => At::Mark(read + 1),
                (At::Quoted, b'"') => At::Closing,
                (At::Closing, b'"') | (At::Quoted, _) => At::Quoted,
                (_, b'\r' | b'\n') => At::Start,
                (_, byte) if byte == self.delimiter => At::Start,
                (At::Mark(_) | At::Start, b'"') => {
                    self.opened = self.line;
                    At::Quoted
                }
                (At::Closing | At::Closed, b' ' | b'\t') => At::Closed,
                (At::Closing | At::Closed, _) => {
                    if self.opened < self.line {
                        self.stray.push_back(self.opened);
                    }
                    At::Plain
                }
                _ => At::Plain,
            };
            self.line += u64::from(byte == b'\n');
        }
    }

    /// The line of a quote that is not closed where its field ends, in a row that was just read.
    ///
    /// - `line`: up to where the file was read for it.
    fn open_before(&mut self, line: u64) -> Option<u64> {
        if self.is_over && self.at == At::Quoted {
            return Some(self.opened);
        }
        let first = self.stray.pop_front_if(|opened| *opened < line);
        while self.stray.pop_front_if(|opened| *opened < line).is_some() {}
        first
    }
}
