//! The packed form: a JSON header, then the text and the columns that it names.
//!
//! ```text
//! u32 length of the header | header, JSON | columns, each at a multiple of four bytes
//! ```
//!
//! All numbers are little-endian. A document's columns are its text, then for each layer of the
//! header `count` annotations of 24 bytes and `count * width` numbers of 4 bytes. A reply's columns
//! are those of its layers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use standpoint_document::{
    Document, Entity, Layer, Metadata, SentimentRecord, TargetStance, Vectors, layers,
};
use standpoint_stage::StageError;

use crate::binary;
use crate::columns::{Reader, Writer, columns_bytes, pad};
use crate::lending::Lending;
use crate::simple;
use crate::writes::{Writes, writable};

/// How documents and replies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Numbers, texts and columns; offsets are bytes. Chosen by the version of a protocol, so that
    /// it has no name there.
    #[serde(skip)]
    Binary,
    /// A JSON header and columns; offsets are bytes.
    #[default]
    Packed,
    /// One JSON object; offsets are code points.
    Json,
}

/// The longest header of a reply that is read.
pub const MAX_HEADER_BYTES: usize = 64 << 20;

/// What stands before the columns of a document.
#[derive(Debug, Serialize, Deserialize)]
struct DocumentHeader<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    attempt: u32,
    text_bytes: u32,
    metadata: Cow<'a, Metadata>,
    layers: Vec<LayerHeader<'a>>,
    #[serde(default)]
    records: Records<'a>,
    #[serde(default)]
    attributes: BTreeMap<Cow<'a, str>, Cow<'a, Value>>,
}

/// What stands before a layer's column.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LayerHeader<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    pub(crate) count: u32,
    /// Numbers in a row of vectors, 0 without vectors.
    #[serde(default)]
    pub(crate) width: u32,
    #[serde(default)]
    pub(crate) labels: Vec<Cow<'a, str>>,
}

/// The records that a stage reads.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Records<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entities: Option<Cow<'a, [Entity]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sentiment: Option<Cow<'a, SentimentRecord>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stance: Option<Cow<'a, [TargetStance]>>,
}

impl<'a> Records<'a> {
    /// Those of `document` that `reads` names.
    pub(crate) fn of(document: &'a Document<'_>, reads: &[&str]) -> Self {
        let reads = |name: &str| reads.contains(&name);
        Self {
            entities: reads(layers::ENTITIES).then(|| Cow::Borrowed(document.entities())),
            sentiment: document.sentiment().filter(|_| reads(layers::SENTIMENT)).map(Cow::Borrowed),
            stance: reads(layers::STANCE).then(|| Cow::Borrowed(document.stance())),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entities.is_none() && self.sentiment.is_none() && self.stance.is_none()
    }
}

/// What stands before the columns of a reply.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ReplyHeader<'a> {
    #[serde(borrow, default)]
    layers: Vec<LayerHeader<'a>>,
    #[serde(borrow, default)]
    records: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(borrow, default)]
    attributes: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(default)]
    language: Option<Cow<'a, str>>,
    #[serde(default)]
    notes: Vec<Cow<'a, str>>,
}

/// As [`ReplyHeader`] is read.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<LayerHeader<'a>>,
    records: Records<'a>,
    attributes: BTreeMap<&'a str, &'a Value>,
    language: Option<&'a str>,
    notes: &'a [String],
}

impl<'a> Written<'a> {
    fn of(document: &'a Document<'_>, written: &[&'a str], layers: Vec<LayerHeader<'a>>) -> Self {
        let attributes = written.iter();
        Self {
            layers,
            records: Records::of(document, written),
            attributes: attributes
                .filter_map(|name| Some((*name, document.attribute(name)?)))
                .collect(),
            // Asked for only where it was written: a lender copies its metadata for whoever asks.
            language: written.contains(&layers::LANGUAGE).then(|| document.language()).flatten(),
            notes: document.notes(),
        }
    }
}

impl<'b> ReplyHeader<'b> {
    pub(crate) const fn has_layers(&self) -> bool {
        !self.layers.is_empty()
    }

    /// All but the layers of what a stage wrote, as JSON; empty where there is nothing else.
    pub(crate) fn parts_of(document: &Document<'_>) -> Result<Vec<u8>, StageError> {
        let written: Vec<&str> = document.written().collect();
        let parts = Written::of(document, &written, Vec::new());
        let Written { records, attributes, language, notes, .. } = &parts;
        if records.is_empty() && attributes.is_empty() && language.is_none() && notes.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::to_vec(&parts).map_err(|error| no_json(&error))
    }

    pub(crate) fn read(json: &'b [u8]) -> Result<Self, StageError> {
        serde_json::from_slice(json)
            .map_err(|error| StageError::stage(format!("its header cannot be read: {error}")))
    }
}

fn no_json(error: &serde_json::Error) -> StageError {
    StageError::stage(format!("what it wrote cannot be written as JSON: {error}"))
}

/// Writes a document for a stage.
///
/// - `reads`: the layers, records and attributes that the stage's contract reads, and no others
///   are written;
/// - `attempt`: which attempt at this document it is, from 1.
///
/// # Errors
///
/// [`StageError`] when a record of the document is no JSON.
pub fn write_document(
    document: &Document<'_>,
    reads: &[&str],
    attempt: u32,
    form: Form,
) -> Result<Vec<u8>, StageError> {
    let lending = Lending::new(document, reads, attempt, form)?;
    let mut bytes = vec![0; lending.size()];
    lending.write(&mut bytes);
    Ok(bytes)
}

/// A packed document on its way.
#[derive(Debug)]
pub(crate) struct LendingPacked<'d> {
    header: Vec<u8>,
    text: &'d str,
    layers: Vec<&'d Layer<'d>>,
}

impl<'d> LendingPacked<'d> {
    /// See [`Lending::new`].
    pub(crate) fn new(
        document: &'d Document<'_>,
        reads: &[&str],
        attempt: u32,
    ) -> Result<Self, StageError> {
        let lent: Vec<(&str, &Layer<'_>)> =
            reads.iter().filter_map(|name| Some((*name, document.layer(name)?))).collect();
        let attributes = reads.iter().filter_map(|name| {
            Some((Cow::Borrowed(*name), Cow::Borrowed(document.attribute(name)?)))
        });
        let header = DocumentHeader {
            id: Cow::Borrowed(document.id()),
            attempt,
            text_bytes: document.text().len() as u32,
            metadata: Cow::Borrowed(document.metadata()),
            layers: lent.iter().map(|(name, layer)| layer_header(name, layer)).collect(),
            records: Records::of(document, reads),
            attributes: attributes.collect(),
        };
        let header = serde_json::to_vec(&header)
            .map_err(|error| StageError::document(format!("it cannot be lent: {error}")))?;
        let layers = lent.into_iter().map(|(_, layer)| layer).collect();
        Ok(Self { header, text: document.text(), layers })
    }

    pub(crate) fn size(&self) -> usize {
        let columns: usize = self.layers.iter().map(|layer| columns_bytes(layer)).sum();
        let texts = [4 + self.header.len(), self.text.len()];
        texts.map(|count| count.next_multiple_of(4)).iter().sum::<usize>() + columns
    }

    pub(crate) fn write(&self, bytes: &mut [u8]) {
        let mut out = Writer::new(bytes);
        out.number(self.header.len() as u32);
        out.put(&self.header);
        out.pad();
        out.put(self.text.as_bytes());
        out.pad();
        for layer in &self.layers {
            out.columns(layer);
        }
    }
}

/// Reads a document that a host wrote packed; returns it with the number of the attempt.
///
/// # Errors
///
/// [`StageError`] where it is cut short or wrong.
pub fn read_document(bytes: &[u8]) -> Result<(Document<'static>, u32), StageError> {
    let (header, mut columns) = split::<DocumentHeader<'_>>(bytes)?;
    let text = columns.take(header.text_bytes as usize).ok_or_else(cut_short)?;
    let text = str::from_utf8(text).map_err(|_| StageError::stage("the text is not UTF-8"))?;
    let mut document = Document::new(header.id.into_owned(), text.to_owned())
        .map_err(|error| StageError::document(error.to_string()))?
        .with_metadata(header.metadata.into_owned());
    for layer in header.layers {
        let name = layer.name.clone().into_owned();
        document.lend_layer(name, take_layer(layer, &mut columns)?);
    }
    let Records { entities, sentiment, stance } = header.records;
    if let Some(entities) = entities {
        document.lend_entities(entities.into_owned());
    }
    document.lend_sentiment(sentiment.map(Cow::into_owned));
    if let Some(stance) = stance {
        document.lend_stance(stance.into_owned());
    }
    for (name, value) in header.attributes {
        document.lend_attribute(name, value.into_owned());
    }
    Ok((document, header.attempt))
}

/// Writes what a stage has written to a document, packed.
///
/// # Errors
///
/// [`StageError`] when a record or attribute is no JSON.
pub fn write_reply(document: &Document<'_>) -> Result<Vec<u8>, StageError> {
    let mut bytes = Vec::with_capacity(1024);
    pack_reply(document, &mut bytes)?;
    Ok(bytes)
}

/// Writes what a stage has written behind what `bytes` hold, which is a multiple of four.
pub(crate) fn pack_reply(document: &Document<'_>, bytes: &mut Vec<u8>) -> Result<(), StageError> {
    let written: Vec<&str> = document.written().collect();
    let lent: Vec<(&str, &Layer<'_>)> =
        written.iter().filter_map(|name| Some((*name, document.layer(name)?))).collect();
    let layers = lent.iter().map(|(name, layer)| layer_header(name, layer)).collect();
    begin(&Written::of(document, &written, layers), bytes).map_err(|error| no_json(&error))?;
    let start = bytes.len();
    bytes.resize(start + lent.iter().map(|(_, layer)| columns_bytes(layer)).sum::<usize>(), 0);
    let mut out = Writer::new(&mut bytes[start..]);
    for (_, layer) in lent {
        out.columns(layer);
    }
    Ok(())
}

/// Takes what a stage wrote about `text`, checking all of it.
///
/// - `contract`: the names that it may write.
///
/// # Errors
///
/// [`StageError`] names what does not fit the text, the contract or the form.
pub fn read_reply(
    bytes: &[u8],
    form: Form,
    text: &str,
    contract: &'static [&'static str],
    writes: &mut Writes,
) -> Result<(), StageError> {
    match form {
        Form::Json => return simple::read_reply(bytes, text, contract, writes),
        Form::Binary => return binary::read_reply(bytes, text, contract, writes),
        Form::Packed => {}
    }
    let (mut header, mut columns) = split::<ReplyHeader<'_>>(bytes)?;
    for layer in std::mem::take(&mut header.layers) {
        let name = writable(contract, layer.name.as_bytes())?;
        writes.set_layer(name, take_layer(layer, &mut columns)?, text)?;
    }
    if !columns.is_empty() {
        return Err(StageError::stage("its reply is longer than its header says"));
    }
    take_parts(header, text, contract, writes)
}

/// Takes what a stage wrote besides layers.
pub(crate) fn take_parts(
    header: ReplyHeader<'_>,
    text: &str,
    contract: &'static [&'static str],
    writes: &mut Writes,
) -> Result<(), StageError> {
    for (name, json) in header.records {
        writes.set_record(writable(contract, name.as_bytes())?, json.get(), text)?;
    }
    for (name, json) in header.attributes {
        writes.set_attribute(writable(contract, name.as_bytes())?, json.get())?;
    }
    if let Some(code) = header.language {
        writable(contract, layers::LANGUAGE.as_bytes())?;
        writes.set_language(&code);
    }
    header.notes.iter().for_each(|note| writes.add_note(note));
    Ok(())
}

fn layer_header<'a>(name: &'a str, layer: &'a Layer<'_>) -> LayerHeader<'a> {
    LayerHeader {
        name: Cow::Borrowed(name),
        count: layer.annotations.len() as u32,
        width: layer.vectors.as_ref().map_or(0, |vectors| vectors.width),
        labels: layer.labels.iter().map(|label| Cow::Borrowed(label.as_ref())).collect(),
    }
}

/// Appends the header with its length.
fn begin<H: Serialize>(header: &H, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *bytes, header)?;
    let length = (bytes.len() - start - 4) as u32;
    bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
    pad(bytes);
    Ok(())
}

/// As many, unless that is more than a header may have.
pub(crate) fn header_bytes(length: usize) -> Result<usize, StageError> {
    if length > MAX_HEADER_BYTES {
        return Err(StageError::stage(format!(
            "its header has {length} bytes, above the limit of {MAX_HEADER_BYTES}"
        )));
    }
    Ok(length)
}

pub(crate) fn split<'b, H: Deserialize<'b>>(
    bytes: &'b [u8],
) -> Result<(H, Reader<'b>), StageError> {
    let mut columns = Reader::new(bytes);
    let length = columns.number().ok_or_else(cut_short)? as usize;
    let header = columns.take(header_bytes(length)?).ok_or_else(cut_short)?;
    let header = serde_json::from_slice(header)
        .map_err(|error| StageError::stage(format!("its header cannot be read: {error}")))?;
    columns.align();
    Ok((header, columns))
}

fn take_layer(
    header: LayerHeader<'_>,
    columns: &mut Reader<'_>,
) -> Result<Layer<'static>, StageError> {
    columns.align();
    let count = header.count as usize;
    let annotations = columns.annotations(count).ok_or_else(cut_short)?;
    let vectors = match header.width {
        0 => None,
        width => {
            let numbers = count.checked_mul(width as usize);
            let values = numbers.and_then(|numbers| columns.numbers(numbers));
            Some(Vectors { width, values: Cow::Owned(values.ok_or_else(cut_short)?) })
        }
    };
    let labels = header.labels.into_iter().map(|label| Cow::Owned(label.into_owned())).collect();
    Ok(Layer { annotations: Cow::Owned(annotations), labels, vectors })
}

pub(crate) fn cut_short() -> StageError {
    StageError::stage("its columns are shorter than their header says")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;
    use serde_json::json;
    use standpoint_document::{Annotation, Span};

    use super::*;

    /// A document with everything that a stage can read.
    fn full(text: &str, spans: &[(u32, u32)]) -> Document<'static> {
        let mut document = Document::new("d", text.to_owned()).unwrap();
        let annotations: Vec<_> = spans
            .iter()
            .map(|&(start, end)| Annotation::new(Span::new(start, end)).with_score(0.5))
            .collect();
        let vectors = Vectors { width: 2, values: vec![0.25; 2 * spans.len()].into() };
        document.lend_layer(
            "tokens",
            Layer {
                annotations: annotations.into(),
                labels: vec!["one".into()],
                vectors: Some(vectors),
            },
        );
        document.lend_attribute("topic", json!({"grip": [1, null]}));
        document
    }

    #[test]
    fn a_document_arrives_as_it_left() {
        let document = full("Алматы refused.", &[(0, 12), (13, 20)]);
        let bytes = write_document(&document, &["tokens", "topic"], 2, Form::Packed).unwrap();
        let (read, attempt) = read_document(&bytes).unwrap();
        assert_eq!(attempt, 2);
        assert_eq!(format!("{read:?}"), format!("{document:?}"));
        let without = write_document(&document, &["tokens"], 1, Form::Packed).unwrap();
        assert_eq!(read_document(&without).unwrap().0.attribute("topic"), None);
    }

    #[test]
    fn what_is_cut_or_wrong_is_refused_in_words() {
        let document = full("Astana refused.", &[(0, 6)]);
        let bytes = write_document(&document, &["tokens"], 1, Form::Packed).unwrap();
        for end in 0..bytes.len() {
            assert!(read_document(&bytes[..end]).is_err(), "cut at {end}");
        }
        let reply = |header: &str| {
            let mut bytes = (header.len() as u32).to_le_bytes().to_vec();
            bytes.extend_from_slice(header.as_bytes());
            let read = read_reply(&bytes, Form::Packed, "abc", &["x"], &mut Writes::default());
            read.map_or_else(|error| error.to_string(), |()| "taken".to_owned())
        };
        let replies = [
            reply("{}"),
            reply(r#"{"layers":[{"name":"x","count":4000000000,"width":4000000000}]}"#),
            reply(r#"{"layers":[{"name":"y","count":0}]}"#),
            reply(r#"{"records":{"x":1}}"#),
            reply(r#"{"language":"en"}"#),
            reply("[1]"),
        ];
        assert_snapshot!(replies.join("\n"), @r"
        taken
        its columns are shorter than their header says
        it writes `y`, which its contract does not name: add it to `writes`
        `x` is not a record; records are `entities`, `sentiment` and `stance`, and anything else is an attribute
        it writes `language`, which its contract does not name: add it to `writes`
        its header cannot be read: invalid type: integer `1`, expected a sequence at line 1 column 2
        ");
    }

    proptest! {
        /// Whatever bytes come, reading them ends and takes only what fits the text.
        #[test]
        fn no_reply_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), json: bool) {
            let form = if json { Form::Json } else { Form::Packed };
            let mut writes = Writes::default();
            let _ = read_reply(&bytes, form, "aй", &["x"], &mut writes);
            let _ = read_document(&bytes);
            let mut document = Document::new("d", "aй").unwrap();
            let _ = writes.commit(&mut document);
        }

        /// Whatever spans a reply holds, the document only ever gets those that fit it, in either
        /// form.
        #[test]
        fn both_forms_take_what_fits_and_nothing_else(
            text in "[a-zй世 ]{0,12}",
            spans in prop::collection::vec((0_u32..30, 0_u32..30), 0..5),
        ) {
            let theirs = {
                let mut document = Document::new("d", text.clone()).unwrap();
                document.lend_layer("x", Layer::default());
                let annotations: Vec<_> =
                    spans.iter().map(|&(s, e)| Annotation::new(Span::new(s, e))).collect();
                let fits = Layer::from(annotations.clone()).check("x", &text).is_ok();
                // Marked as written whether it fits or not, as a stage that lies would.
                document.set_layer("x", Vec::new()).unwrap();
                document.lend_layer("x", annotations.into());
                (document, fits)
            };
            let (theirs, fits) = theirs;
            let mut writes = Writes::default();
            let reply = write_reply(&theirs).unwrap();
            let read = read_reply(&reply, Form::Packed, &text, &["x"], &mut writes);
            prop_assert_eq!(read.is_ok(), fits);
            if fits {
                let mut ours = Document::new("d", text.clone()).unwrap();
                writes.commit(&mut ours).unwrap();
                prop_assert_eq!(ours.layer("x"), theirs.layer("x"));
                // What JSON says of it in code points comes back as the same bytes.
                let json = write_document(&theirs, &["x"], 1, Form::Json).unwrap();
                let value: Value = serde_json::from_slice(&json).unwrap();
                let reply = json!({ "layers": value["layers"] }).to_string();
                let mut writes = Writes::default();
                read_reply(reply.as_bytes(), Form::Json, &text, &["x"], &mut writes).unwrap();
                let mut again = Document::new("d", text).unwrap();
                writes.commit(&mut again).unwrap();
                prop_assert_eq!(again.layer("x"), theirs.layer("x"));
            }
        }
    }
}
