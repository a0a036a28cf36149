//! From a file to documents: opens the format, keeps the limits, names what it refuses.

pub(crate) mod expand;

use std::borrow::Cow;
use std::io::{BufRead, Cursor, Read};

use standpoint_document::{Document, Metadata, SourceRef};
use standpoint_store::record::OUTLET;

use crate::encoding::stream::AsUtf8;
use crate::encoding::{self, Decoded};
use crate::formats::{
    Compression, Content, Format, Raw, csv, date, feed, html, json, mail, markdown, text,
};
use crate::guard::guarded;
use crate::identity::{self, RecordIds};
use crate::limits::ReadLimits;
use crate::refusal::ReadError;
use expand::plain;

/// Where a file was found: what its documents' ids are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The source's name in the pipeline.
    pub source: String,
    /// The path relative to the source's folder, `/` between its parts.
    pub path: String,
}

/// The documents of one file, in their order; a bad record is an error among them and the next
/// one follows.
pub type Documents = Box<dyn Iterator<Item = Result<Document<'static>, ReadError>> + Send>;

/// Opens the documents in a file.
///
/// - `bytes`: the file's content from its start;
/// - `origin`: where it was found; the ending of its path says the format;
/// - `limits`: what is refused. A file of one document that is larger than
///   `max_document_bytes` is read no further than that; a longer line than `max_line_bytes` is
///   passed over without being kept.
///
/// # Errors
///
/// [`ReadError`] when the file as a whole is not read; what is wrong with one record comes as an
/// item of the iterator.
pub fn documents(
    bytes: impl Read + Send + 'static,
    origin: &Origin,
    limits: &ReadLimits,
) -> Result<Documents, ReadError> {
    documents_as(&origin.path, bytes, origin, limits)
}

/// Opens the documents in a file that was read as a whole.
///
/// The arguments and errors are those of [`documents`].
pub(crate) fn documents_in(
    bytes: Vec<u8>,
    origin: &Origin,
    limits: &ReadLimits,
) -> Result<Documents, ReadError> {
    match Format::of_path(&origin.path)? {
        (Format::Jsonl | Format::Csv | Format::Mbox, _) | (_, Some(_)) => {
            documents(Cursor::new(bytes), origin, limits)
        }
        (format, None) => guarded(&origin.path, || whole_in(bytes, format, origin, limits)),
    }
}

/// Opens the documents in a file whose format another name says than the one in `origin`.
pub(crate) fn documents_as(
    name: &str,
    bytes: impl Read + Send + 'static,
    origin: &Origin,
    limits: &ReadLimits,
) -> Result<Documents, ReadError> {
    let (format, compression) = Format::of_path(name)?;
    guarded(&origin.path, || {
        let plain = plain(bytes, compression, limits);
        match format {
            Format::Jsonl => Ok(Box::new(JsonLines::new(plain, origin, limits))),
            Format::Csv => Ok(records(csv::Rows::open(plain, limits)?, origin, limits)),
            Format::Mbox => Ok(records(mail::Mails::new(plain, limits), origin, limits)),
            _ => whole(plain, format, origin, limits),
        }
    })
}

/// Opens the records of a file that holds one on each line, whatever its name says of its format.
///
/// The arguments are those of [`documents`].
///
/// # Errors
///
/// None: what is wrong comes as an item of the iterator.
pub fn lines(
    bytes: impl Read + Send + 'static,
    origin: &Origin,
    limits: &ReadLimits,
) -> Result<Documents, ReadError> {
    guarded(&origin.path, || {
        let plain = plain(bytes, Compression::of_name(&origin.path).1, limits);
        Ok(Box::new(JsonLines::new(plain, origin, limits)))
    })
}

/// Gives each document of a file with several its id, up to as many as a file may hold.
fn records(
    mut raw: impl Iterator<Item = Result<Raw, ReadError>> + Send + 'static,
    origin: &Origin,
    limits: &ReadLimits,
) -> Documents {
    let mut records = Records::new(origin, limits);
    let limits = limits.clone();
    let mut count = 0;
    Box::new(std::iter::from_fn(move || {
        if count > limits.max_records_per_file {
            return None;
        }
        let next = raw.next()?;
        count += 1;
        if count > limits.max_records_per_file {
            return Some(Err(too_many_records(&limits, count)));
        }
        Some(next.and_then(|Raw { content, bytes }| records.document(count, content, &bytes)))
    }))
}

/// Makes the documents of one file of records.
struct Records {
    ids: RecordIds,
    origin: Origin,
    limits: ReadLimits,
}

impl Records {
    fn new(origin: &Origin, limits: &ReadLimits) -> Self {
        let ids = RecordIds::new(&origin.source, &origin.path);
        Self { ids, origin: origin.clone(), limits: limits.clone() }
    }

    /// The document of a record.
    ///
    /// - `number`: which record of the file it is, from 1;
    /// - `bytes`: what it is recognised by where it brings no id.
    fn document(
        &mut self,
        number: u64,
        content: Content,
        bytes: &[u8],
    ) -> Result<Document<'static>, ReadError> {
        let id = self.ids.next(content.id.as_deref(), bytes);
        let given = content.id.as_ref().map(|given| (given.clone(), content.said()));
        let document = short_document(id, content, &self.origin, &self.limits)?;
        let Some((given, said)) = given else { return Ok(document) };
        let Some(is_same) = self.ids.note(&given, &said) else { return Ok(document) };
        let (id, document) = (given.chars().take(MOST_OF_ID).collect(), document.id().to_owned());
        Err(if is_same {
            ReadError::Again { number, id, document }
        } else {
            ReadError::SameId { number, id, document }
        })
    }
}

/// Reads a file that is one document, or a JSON file with several.
fn whole(
    mut plain: Box<dyn BufRead + Send>,
    format: Format,
    origin: &Origin,
    limits: &ReadLimits,
) -> Result<Documents, ReadError> {
    // Enough for a short file, so that nothing is moved while it is read.
    let mut bytes = Vec::with_capacity(plain.fill_buf()?.len() + 1);
    let allowed = limits.max_document_bytes;
    plain.take(allowed.saturating_add(1)).read_to_end(&mut bytes)?;
    whole_in(bytes, format, origin, limits)
}

/// The same, once it was read.
fn whole_in(
    bytes: Vec<u8>,
    format: Format,
    origin: &Origin,
    limits: &ReadLimits,
) -> Result<Documents, ReadError> {
    let allowed = limits.max_document_bytes;
    if bytes.len() as u64 > allowed {
        return Err(ReadError::Limit {
            limit: "max_document_bytes",
            allowed,
            found: allowed,
            at_least: true,
            line: None,
        });
    }
    if format == Format::Json {
        let decoded = decode(bytes)?;
        let note = decoded.note();
        return Ok(noted(json_file(decoded.text, origin, limits)?, note));
    }
    if format == Format::Feed {
        let decoded = decode(bytes)?;
        let note = decoded.note();
        let entries = feed::read(decoded.text, limits.max_records_per_file)?;
        return Ok(noted(records(entries, origin, limits), note));
    }
    let id = identity::of_file(&origin.source, &origin.path, &bytes);
    let mut note = None;
    let mut decoded = |bytes| {
        let decoded = decode(bytes)?;
        note = decoded.note();
        Ok::<_, ReadError>(decoded.text)
    };
    let content = match format {
        // The parts of a mail are encoded each in its own way.
        Format::Mail => mail::read(&bytes, limits)?,
        Format::Markdown => markdown::read(&decoded(bytes)?),
        Format::Html => html::read(&decoded(bytes)?),
        _ => text::read(decoded(bytes)?),
    };
    let document = short_document(id, content, origin, limits)?;
    Ok(noted(Box::new(std::iter::once(Ok(document))), note))
}

/// The same documents, each with what is to be known of how their file was read.
fn noted(documents: Documents, note: Option<String>) -> Documents {
    let Some(note) = note else { return documents };
    Box::new(documents.map(move |document| {
        let mut document = document?;
        document.add_note(note.clone());
        Ok(document)
    }))
}

fn decode<'b>(bytes: impl Into<Cow<'b, [u8]>>) -> Result<Decoded, ReadError> {
    encoding::decode(bytes)
        .map_err(|binary| ReadError::Binary { control_percent: binary.control_percent })
}

fn json_file(text: String, origin: &Origin, limits: &ReadLimits) -> Result<Documents, ReadError> {
    let records = json::read_file(text, limits)?;
    let mut made = Records::new(origin, limits);
    Ok(Box::new(
        records
            .zip(1..)
            .map(move |((record, raw), number)| made.document(number, record?, raw.as_bytes())),
    ))
}

fn too_many_records(limits: &ReadLimits, found: u64) -> ReadError {
    let allowed = limits.max_records_per_file;
    ReadError::Limit { limit: "max_records_per_file", allowed, found, at_least: false, line: None }
}

/// How much of an id is told of a record that is not read for it, in characters.
const MOST_OF_ID: usize = 60;

/// The longest name of an outlet that is kept, in characters.
const MOST_OF_OUTLET: usize = 200;

/// Whose document it is, where its record named an outlet.
#[must_use]
pub fn outlet<'d>(document: &'d Document<'_>) -> Option<&'d str> {
    document.attribute(OUTLET).and_then(serde_json::Value::as_str)
}

/// Says whose document it is: read like the rest, not written by a stage.
pub fn lend_outlet(document: &mut Document<'_>, outlet: &str) {
    let outlet: String = outlet.trim().chars().take(MOST_OF_OUTLET).collect();
    document.lend_attribute(OUTLET, outlet.into());
}

/// A document of what a record holds, if that is not too long.
fn short_document(
    id: String,
    content: Content,
    origin: &Origin,
    limits: &ReadLimits,
) -> Result<Document<'static>, ReadError> {
    let Content { id: given, title, author, published, language, outlet, text } = &content;
    let fields = [given, title, author, published, language, outlet];
    let fields: usize = fields.into_iter().flatten().map(String::len).sum();
    let (found, allowed) = ((text.len() + fields) as u64, limits.max_text_bytes);
    if found > allowed {
        let limit = "max_text_bytes";
        return Err(ReadError::Limit { limit, allowed, found, at_least: false, line: None });
    }
    document(id, content, origin)
}

/// A document of what a record holds.
///
/// # Errors
///
/// [`ReadError::Empty`] where it holds no text, [`ReadError::Limit`] where it holds more than a
/// document can.
pub fn document(
    id: String,
    content: Content,
    origin: &Origin,
) -> Result<Document<'static>, ReadError> {
    if content.text.trim().is_empty() {
        return Err(ReadError::Empty { bytes: content.text.len() });
    }
    let found = content.text.len() as u64;
    let published = content.published.as_deref().map(|date| date::iso(date).ok_or(date));
    let mut document = Document::new(id, content.text).map_err(|_| ReadError::Limit {
        limit: "the length of a document in bytes",
        allowed: Document::MAX_BYTES as u64,
        found,
        at_least: false,
        line: None,
    })?;
    if let Some(Err(date)) = published {
        let date: String = date.chars().take(60).collect();
        document.add_note(format!(
            "the date `{date}` is not read: expected one that exists, such as 2024-05-01 or 1 May 2024"
        ));
    }
    if let Some(outlet) = content.outlet {
        lend_outlet(&mut document, &outlet);
    }
    Ok(document.with_metadata(Metadata {
        source: SourceRef {
            name: origin.source.clone(),
            path: Some(origin.path.clone()),
            id: content.id,
        },
        title: content.title,
        author: content.author,
        published: published.and_then(Result::ok),
        language: content.language,
    }))
}

/// The records of a JSONL file, a line at a time, so that a file of any length needs the memory
/// of its longest line.
struct JsonLines {
    lines: AsUtf8,
    /// Lines read so far.
    line: u64,
    count: u64,
    /// Lines over the limit, which are records too.
    too_long: u64,
    records: Records,
    ended: bool,
}

impl JsonLines {
    fn new(lines: Box<dyn BufRead + Send>, origin: &Origin, limits: &ReadLimits) -> Self {
        Self {
            lines: AsUtf8::new(lines),
            line: 0,
            count: 0,
            too_long: 0,
            records: Records::new(origin, limits),
            ended: false,
        }
    }

    /// The next line that is not blank, without its end; `None` at the end of the file.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        loop {
            let mut line = Vec::new();
            let allowed = self.records.limits.max_line_bytes;
            let mut bounded = (&mut self.lines).take(allowed.saturating_add(2));
            if bounded.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            let ended = line.last() == Some(&b'\n');
            let length = line.len() as u64 - u64::from(ended);
            if length > allowed {
                let found = length + if ended { 0 } else { self.skip_line()? };
                return Err(ReadError::Limit {
                    limit: "max_line_bytes",
                    allowed,
                    found,
                    at_least: false,
                    line: Some(self.line),
                });
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// Passes over the rest of a line without keeping it; returns how many bytes that were, the
    /// line's end not counted.
    fn skip_line(&mut self) -> Result<u64, ReadError> {
        let mut skipped = 0;
        loop {
            let buffer = self.lines.fill_buf()?;
            if let Some(length) = memchr::memchr(b'\n', buffer) {
                self.lines.consume(length + 1);
                return Ok(skipped + length as u64);
            }
            let length = buffer.len();
            if length == 0 {
                return Ok(skipped);
            }
            self.lines.consume(length);
            skipped += length as u64;
        }
    }

    fn record(&mut self, line: &[u8]) -> Result<Document<'static>, ReadError> {
        let decoded = decode(line)?;
        let note = decoded.note();
        let max_depth = self.records.limits.max_json_depth;
        let content = json::read_record(decoded.text.trim(), self.line, max_depth)?;
        let number = self.count + self.too_long;
        let mut document = self.records.document(number, content, line.trim_ascii())?;
        if let Some(note) = note {
            document.add_note(note);
        }
        Ok(document)
    }
}

impl Iterator for JsonLines {
    type Item = Result<Document<'static>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let line = match self.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return None,
            Err(error) => {
                // A line over the limit was passed over; after a failed read there is no next.
                self.ended = matches!(error, ReadError::Io { .. });
                self.too_long += 1;
                return Some(Err(error));
            }
        };
        self.count += 1;
        let limits = &self.records.limits;
        if self.count > limits.max_records_per_file {
            self.ended = true;
            return Some(Err(too_many_records(limits, self.count)));
        }
        Some(self.record(&line))
    }
}

#[cfg(test)]
mod tests;
