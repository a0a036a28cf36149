//! Tables: a header that names the columns, then a document in each row.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::{Content, Raw};
use crate::encoding;
use crate::limits::ReadLimits;
use crate::refusal::ReadError;

/// What separates columns: of these the one that is most frequent in the header.
const DELIMITERS: [u8; 3] = *b",;\t";

/// What a row can say, with the names that its column may have.
const COLUMNS: [(&str, &[&str]); 6] = [
    ("text", &["text", "body", "content"]),
    ("id", &["id"]),
    ("title", &["title", "headline"]),
    ("author", &["author", "speaker"]),
    ("published", &["published", "date"]),
    ("language", &["language", "lang"]),
];

/// The rows of a table.
pub(crate) struct Rows {
    reader: Reader<Bounded>,
    /// The place of each of [`COLUMNS`].
    places: [Option<usize>; COLUMNS.len()],
    left: Arc<AtomicU64>,
    max_row_bytes: u64,
    ended: bool,
}

impl Rows {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`ReadError::Columns`] where no column holds a text.
    pub(crate) fn open(
        mut plain: Box<dyn BufRead + Send>,
        limits: &ReadLimits,
    ) -> Result<Self, ReadError> {
        let start = plain.fill_buf()?;
        let header = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let count = |delimiter: u8| memchr::memchr_iter(delimiter, header).count();
        // The first of those that are equally frequent.
        let delimiter = DELIMITERS.into_iter().rev().max_by_key(|&one| count(one)).unwrap_or(b',');
        let left = Arc::new(AtomicU64::new(limits.max_line_bytes));
        let bounded = Bounded { inner: plain, left: Arc::clone(&left) };
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bounded);
        let header = reader.byte_headers().map_err(io::Error::from)?.clone();
        let names: Vec<String> =
            header.iter().map(|name| String::from_utf8_lossy(name).trim().to_lowercase()).collect();
        let place = |aliases: &[&str]| names.iter().position(|name| aliases.contains(&&**name));
        let places = COLUMNS.map(|(_, aliases)| place(aliases));
        if places[0].is_none() {
            return Err(ReadError::Columns { found: names.join(", ") });
        }
        Ok(Self { reader, places, left, max_row_bytes: limits.max_line_bytes, ended: false })
    }

    fn row(&self, row: &ByteRecord) -> Result<Raw, ReadError> {
        let field = |place: Option<usize>| -> Result<Option<String>, ReadError> {
            let Some(bytes) = place.and_then(|place| row.get(place)) else { return Ok(None) };
            let decoded = encoding::decode(bytes)
                .map_err(|binary| ReadError::Binary { control_percent: binary.control_percent })?;
            Ok(Some(decoded.text).filter(|text| !text.trim().is_empty()))
        };
        let [text, id, title, author, published, language] = self.places.map(field);
        let content = Content {
            text: text?.unwrap_or_default(),
            id: id?,
            title: title?,
            author: author?,
            published: published?,
            language: language?,
        };
        // Unit separators keep the fields apart.
        let bytes = row.iter().collect::<Vec<_>>().join(&0x1F);
        Ok(Raw { content, bytes })
    }
}

impl Iterator for Rows {
    type Item = Result<Raw, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.left.store(self.max_row_bytes, Ordering::Relaxed);
        let mut row = ByteRecord::new();
        let line = self.reader.position().line();
        match self.reader.read_byte_record(&mut row) {
            Ok(true) => Some(self.row(&row)),
            Ok(false) => None,
            Err(error) => {
                // Where a row that is too long ends is not known: its quotes are not closed yet.
                self.ended = true;
                let is_too_long = self.left.load(Ordering::Relaxed) == 0;
                Some(Err(if is_too_long {
                    ReadError::Limit {
                        limit: "max_line_bytes",
                        allowed: self.max_row_bytes,
                        found: self.max_row_bytes,
                        at_least: true,
                        line: Some(line),
                    }
                } else {
                    io::Error::from(error).into()
                }))
            }
        }
    }
}

/// Refuses to read further than a row may be long, so that a quote which is never closed does not
/// bring the whole file into memory.
struct Bounded {
    inner: Box<dyn BufRead + Send>,
    left: Arc<AtomicU64>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other("a row is too long"));
        }
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.inner.read(&mut buffer[..most])?;
        self.left.fetch_sub(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
