//! The binary form: numbers, then texts, then columns, and JSON only for what is JSON anyway.
//!
//! ```text
//! document: attempt | layers | bytes of JSON | bytes of text, id, source's name, path and id,
//!           title, author, date and language | those texts, then the JSON | layers
//! reply:    layers | bytes of JSON | JSON | layers
//! layer:    index of its name | annotations | width of vectors | labels | labels | columns
//! label:    bytes | text
//! ```
//!
//! A number is a little-endian `u32`; what follows texts begins at a multiple of four bytes. A
//! text that is absent has [`ABSENT`] bytes. A layer's name is its place in the contract's `reads`
//! or, in a reply, `writes`. The JSON, which has no bytes where there is nothing to say, is what
//! the header of a packed document or reply says of records, attributes, language and notes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use standpoint_document::{Document, Entity, Layer, Lender, Metadata, SourceRef, Vectors};
use standpoint_stage::StageError;

use crate::columns::{
    ANNOTATION_BYTES, Reader, Writer, columns_bytes, lent_annotations, lent_numbers,
};
use crate::lent::{LentRecords, ReadText, checked_text, lend_parts, no_text, read_entities};
use crate::packed::{Records, ReplyHeader, cut_short, header_bytes, take_parts};
use crate::writes::{Writes, writable};

/// The bytes of a text that is absent.
const ABSENT: u32 = u32::MAX;

/// The numbers before a document's texts, and before a reply's JSON.
const DOCUMENT_NUMBERS: usize = 12;
const REPLY_NUMBERS: usize = 2;

/// The numbers before a layer's labels.
const LAYER_NUMBERS: usize = 4;

/// A document on its way to a stage: measured, so that it is written once, to where it goes.
#[derive(Debug)]
pub(crate) struct LendingBinary<'d> {
    attempt: u32,
    /// The text, the id and the metadata.
    texts: [Option<&'d str>; 9],
    json: Vec<u8>,
    layers: Layers<'d>,
}

/// The records and attributes of a document.
#[derive(Serialize)]
struct Parts<'a> {
    records: Records<'a>,
    attributes: BTreeMap<&'a str, &'a Value>,
}

impl<'d> LendingBinary<'d> {
    /// See [`Lending::new`](crate::Lending::new).
    pub(crate) fn new(
        document: &'d Document<'_>,
        reads: &[&str],
        attempt: u32,
    ) -> Result<Self, StageError> {
        let Metadata { source, title, author, published, language } = document.metadata();
        let texts = [
            Some(document.text()),
            Some(document.id()),
            Some(&*source.name),
            source.path.as_deref(),
            source.id.as_deref(),
            title.as_deref(),
            author.as_deref(),
            published.as_deref(),
            language.as_deref(),
        ];
        let attributes = reads.iter().filter_map(|name| Some((*name, document.attribute(name)?)));
        let parts =
            Parts { records: Records::of(document, reads), attributes: attributes.collect() };
        let json = if parts.records.is_empty() && parts.attributes.is_empty() {
            Vec::new()
        } else {
            serde_json::to_vec(&parts)
                .map_err(|error| StageError::document(format!("it cannot be lent: {error}")))?
        };
        Ok(Self { attempt, texts, json, layers: Layers::of(document, reads.iter().copied()) })
    }

    pub(crate) fn size(&self) -> usize {
        let texts: usize = self.texts.iter().flatten().map(|text| text.len()).sum();
        let before = DOCUMENT_NUMBERS * 4 + texts + self.json.len();
        before.next_multiple_of(4) + self.layers.size()
    }

    pub(crate) fn write(&self, bytes: &mut [u8]) {
        let mut out = Writer::new(bytes);
        out.number(self.attempt);
        out.number(self.layers.0.len() as u32);
        out.number(self.json.len() as u32);
        for text in self.texts {
            out.number(text.map_or(ABSENT, |text| text.len() as u32));
        }
        for text in self.texts.into_iter().flatten() {
            out.put(text.as_bytes());
        }
        out.put(&self.json);
        out.pad();
        self.layers.write(&mut out);
    }
}

/// Layers on their way, each with the index of its name.
#[derive(Debug)]
struct Layers<'d>(Vec<(u32, &'d Layer<'d>)>);

impl<'d> Layers<'d> {
    fn of<'n>(document: &'d Document<'_>, names: impl Iterator<Item = &'n str>) -> Self {
        let found = (0..).zip(names);
        Self(found.filter_map(|(index, name)| Some((index, document.layer(name)?))).collect())
    }

    fn size(&self) -> usize {
        let layers = self.0.iter().map(|(_, layer)| {
            let labels: usize =
                layer.labels.iter().map(|label| 4 + label.len().next_multiple_of(4)).sum();
            LAYER_NUMBERS * 4 + labels + columns_bytes(layer)
        });
        layers.sum()
    }

    fn write(&self, out: &mut Writer<'_>) {
        for (name, layer) in &self.0 {
            out.number(*name);
            out.number(layer.annotations.len() as u32);
            out.number(layer.vectors.as_ref().map_or(0, |vectors| vectors.width));
            out.number(layer.labels.len() as u32);
            for label in &layer.labels {
                out.number(label.len() as u32);
                out.put(label.as_bytes());
                out.pad();
            }
            out.columns(layer);
        }
    }
}

/// A document that a host wrote, in the bytes that it was written to.
#[derive(Debug)]
pub(crate) struct BinaryDocument<'b> {
    pub(crate) attempt: u32,
    layers: u32,
    text: &'b str,
    id: &'b str,
    metadata: [Option<&'b [u8]>; 7],
    parts: LentParts<'b>,
    read_text: ReadText,
    /// What follows them.
    columns: &'b [u8],
}

#[derive(Debug, Default, Deserialize)]
struct LentParts<'b> {
    #[serde(borrow, default)]
    records: LentRecords<'b>,
    #[serde(borrow, default)]
    attributes: BTreeMap<Cow<'b, str>, &'b RawValue>,
}

impl<'b> BinaryDocument<'b> {
    /// Reads what stands before the layers.
    pub(crate) fn read(bytes: &'b [u8], read_text: ReadText) -> Result<Self, StageError> {
        let mut reader = Reader::new(bytes);
        let numbers: [u32; DOCUMENT_NUMBERS] = reader.array().ok_or_else(cut_short)?;
        let [attempt, layers, json, lengths @ ..] = numbers;
        let mut texts = [None; 9];
        for (text, length) in texts.iter_mut().zip(lengths) {
            if length != ABSENT {
                *text = Some(reader.take(length as usize).ok_or_else(cut_short)?);
            }
        }
        let parts = match reader.take(json as usize).ok_or_else(cut_short)? {
            [] => LentParts::default(),
            json => serde_json::from_slice(json).map_err(|error| {
                StageError::stage(format!("what the host lends is wrong: {error}"))
            })?,
        };
        reader.padding().ok_or_else(cut_short)?;
        let [text, id, metadata @ ..] = texts;
        let text = read_text(text.unwrap_or_default()).ok_or_else(no_text)?;
        let id = read_text(id.unwrap_or_default()).ok_or_else(no_text)?;
        let columns = reader.rest();
        Ok(Self { attempt, layers, text, id, metadata, parts, read_text, columns })
    }

    pub(crate) fn view(&self) -> Document<'_> {
        Document::lent(self.id, self.text, self)
    }

    /// See [`LentDocument::annotate`](crate::LentDocument::annotate).
    pub(crate) fn annotate<'a>(
        &'a self,
        document: &mut Document<'a>,
        reads: &[&'static str],
    ) -> Result<(), StageError> {
        let mut reader = Reader::new(self.columns);
        for _ in 0..self.layers {
            let (name, layer) = take_layer(&mut reader, self.read_text)?;
            let name = reads.get(name as usize).ok_or_else(|| unknown("lends", name, reads))?;
            document.lend_layer(*name, layer);
        }
        lend_parts(document, self.parts.records, &self.parts.attributes)
    }
}

impl Lender for BinaryDocument<'_> {
    fn to_metadata(&self) -> Metadata {
        let owned = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let [name, path, id, title, author, published, language] =
            self.metadata.map(|text| text.map(owned));
        let source = SourceRef { name: name.unwrap_or_default(), path, id };
        Metadata { source, title, author, published, language }
    }

    fn to_entities(&self) -> Vec<Entity> {
        read_entities(self.parts.records)
    }
}

/// Writes what a stage has written; the host hears of nothing that `contract` does not name.
pub(crate) fn write_binary_reply(
    document: &Document<'_>,
    contract: &'static [&'static str],
    bytes: &mut Vec<u8>,
) -> Result<(), StageError> {
    for name in document.written() {
        writable(contract, name.as_bytes())?;
    }
    let is_written = |name: &str| document.written().any(|written| written == name);
    let layers = (0..).zip(contract).filter(|(_, name)| is_written(name));
    let layers =
        Layers(layers.filter_map(|(index, name)| Some((index, document.layer(name)?))).collect());
    let json = ReplyHeader::parts_of(document)?;
    let start = bytes.len();
    let before = (REPLY_NUMBERS * 4 + json.len()).next_multiple_of(4);
    bytes.resize(start + before + layers.size(), 0);
    let mut out = Writer::new(&mut bytes[start..]);
    out.number(layers.0.len() as u32);
    out.number(json.len() as u32);
    out.put(&json);
    out.pad();
    layers.write(&mut out);
    Ok(())
}

/// Takes what a stage wrote about `text`, checking all of it.
pub(crate) fn read_reply(
    bytes: &[u8],
    text: &str,
    contract: &'static [&'static str],
    writes: &mut Writes,
) -> Result<(), StageError> {
    let mut reader = Reader::new(bytes);
    let [layers, json]: [u32; REPLY_NUMBERS] = reader.array().ok_or_else(cut_short)?;
    let json = reader.take(header_bytes(json as usize)?).ok_or_else(cut_short)?;
    reader.padding().ok_or_else(cut_short)?;
    for _ in 0..layers {
        let (name, layer) = take_layer(&mut reader, checked_text)?;
        let name = contract.get(name as usize).ok_or_else(|| unknown("writes", name, contract))?;
        writes.set_layer(name, layer.into_owned(), text)?;
    }
    if !reader.is_empty() {
        return Err(StageError::stage("its reply is longer than its header says"));
    }
    match json {
        [] => Ok(()),
        json => {
            let header = ReplyHeader::read(json)?;
            if header.has_layers() {
                return Err(StageError::stage("its header has layers, which stand behind it"));
            }
            take_parts(header, text, contract, writes)
        }
    }
}

/// The next layer, with the index of its name.
fn take_layer<'b>(
    reader: &mut Reader<'b>,
    read_text: ReadText,
) -> Result<(u32, Layer<'b>), StageError> {
    let [name, count, width, labels]: [u32; LAYER_NUMBERS] =
        reader.array().ok_or_else(cut_short)?;
    let mut names = Vec::new();
    for _ in 0..labels {
        let length = reader.number().ok_or_else(cut_short)?;
        let label = reader.take(length as usize).ok_or_else(cut_short)?;
        let label = read_text(label);
        names.push(Cow::Borrowed(label.ok_or_else(|| StageError::stage("a label is not UTF-8"))?));
        reader.padding().ok_or_else(cut_short)?;
    }
    let rows = (count as usize).checked_mul(ANNOTATION_BYTES);
    let rows = rows.and_then(|rows| reader.take(rows)).ok_or_else(cut_short)?;
    let annotations = lent_annotations(rows);
    let vectors = match width {
        0 => None,
        width => {
            let bytes = (count as usize).checked_mul(width as usize);
            let bytes = bytes.and_then(|numbers| numbers.checked_mul(4));
            let bytes = bytes.and_then(|bytes| reader.take(bytes)).ok_or_else(cut_short)?;
            Some(Vectors { width, values: lent_numbers(bytes) })
        }
    };
    Ok((name, Layer { annotations, labels: names, vectors }))
}

fn unknown(does: &str, name: u32, contract: &[&str]) -> StageError {
    let count = contract.len();
    StageError::stage(format!("it {does} layer number {name} of a contract that names {count}"))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;
    use serde_json::json;
    use standpoint_document::{Annotation, Span, layers};

    use super::*;
    use crate::{Form, LentDocument, MAX_HEADER_BYTES, append_reply, write_document};

    const READS: &[&str] = &["x", "topic", "entities", "absent"];

    fn layer(spans: &[(u32, u32)], width: u32, labels: &[String]) -> Layer<'static> {
        let annotations: Vec<_> = spans
            .iter()
            .map(|&(start, end)| Annotation::new(Span::new(start, end)).with_score(0.5))
            .collect();
        let values = vec![0.25; annotations.len() * width as usize].into();
        let vectors = (width > 0).then_some(Vectors { width, values });
        let labels = labels.iter().cloned().map(Cow::Owned).collect();
        Layer { annotations: annotations.into(), labels, vectors }
    }

    /// A document with everything that a stage can read.
    fn full(text: &str, layer: Layer<'static>) -> Document<'static> {
        let metadata = Metadata {
            source: SourceRef { name: "news".into(), path: None, id: Some(String::new()) },
            title: Some("Дождь".into()),
            ..Metadata::default()
        };
        let mut document = Document::new("d", text.to_owned()).unwrap().with_metadata(metadata);
        document.lend_layer("x", layer);
        document.lend_attribute("topic", json!({"grip": [1, null]}));
        document
    }

    /// What a reader that copies nothing more than it must makes of bytes.
    fn read(bytes: &[u8], form: Form) -> Result<String, StageError> {
        let lent = LentDocument::read(bytes, form, checked_text)?;
        let mut document = lent.view();
        lent.annotate(&mut document, READS)?;
        Ok(format!("{} {document:?}", lent.attempt()))
    }

    #[test]
    fn a_reply_says_each_thing_in_its_place_and_within_the_limit() {
        let reply = |json_bytes: usize, json: &[u8]| {
            let mut bytes = [0_u32, json_bytes as u32].map(u32::to_le_bytes).concat();
            bytes.extend_from_slice(json);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            read_reply(&bytes, "a", &["x"], &mut Writes::default()).unwrap_err().to_string()
        };
        let layers = br#"{"layers":[{"name":"x","count":0,"labels":[]}]}"#;
        assert_eq!(reply(layers.len(), layers), "its header has layers, which stand behind it");
        let too_long = reply(MAX_HEADER_BYTES + 1, b"");
        assert_eq!(too_long, "its header has 67108865 bytes, above the limit of 67108864");
    }

    proptest! {
        /// A document says the same in either form, whatever is in it, and nothing when cut.
        #[test]
        fn both_forms_say_the_same(
            text in "[a-zй世 ]{0,12}",
            spans in prop::collection::vec((0_u32..12, 0_u32..12), 0..5),
            width in 0_u32..3,
            labels in prop::collection::vec("[a-zй]{0,6}", 0..3),
            cut in 0_usize..400,
        ) {
            let document = full(&text, layer(&spans, width, &labels));
            let packed = write_document(&document, READS, 3, Form::Packed).unwrap();
            let binary = write_document(&document, READS, 3, Form::Binary).unwrap();
            let said = read(&binary, Form::Binary).unwrap();
            prop_assert_eq!(&said, &read(&packed, Form::Packed).unwrap());
            if cut < binary.len() {
                // What fills up the last column may be missing, and nothing else.
                let short = read(&binary[..cut], Form::Binary);
                prop_assert!(short.is_err() || short.is_ok_and(|short| short == said));
            }
        }

        /// Whatever a stage writes arrives as in the other form, or is refused in the same words.
        #[test]
        fn replies_are_taken_alike(
            text in "[a-zй世 ]{0,12}",
            spans in prop::collection::vec((0_u32..14, 0_u32..14), 0..4),
            width in 0_u32..3,
            labels in prop::collection::vec("[a-zй]{0,6}", 0..3),
            [attribute, language, note, stranger] in any::<[bool; 4]>(),
            cut in 0_usize..200,
        ) {
            let contract: &'static [&'static str] = &["y", "x", "topic", "language"];
            let mut theirs = Document::new("d", text.clone()).unwrap();
            theirs.set_layer("x", Vec::new()).unwrap();
            theirs.lend_layer("x", layer(&spans, width, &labels));
            if attribute {
                theirs.set_attribute("topic", json!([1.5, "й"]));
            }
            if language {
                theirs.set_language("kk");
            }
            if note {
                theirs.add_note("left out");
            }
            // By itself: of two things that are wrong, either may be told.
            if stranger && spans.is_empty() {
                theirs.set_layer("z", Vec::new()).unwrap();
            }
            let take = |reply: &[u8], form| {
                let mut ours = Document::new("d", text.clone()).unwrap();
                let mut writes = Writes::default();
                crate::read_reply(reply, form, &text, contract, &mut writes)?;
                writes.commit(&mut ours)?;
                Ok::<_, StageError>(format!("{ours:?}"))
            };
            let reply = |form| {
                let mut reply = Vec::new();
                append_reply(&theirs, contract, form, &mut reply).map(|()| reply)
            };
            let binary = reply(Form::Binary);
            let taken = binary.clone().and_then(|reply| take(&reply, Form::Binary));
            prop_assert_eq!(&taken, &reply(Form::Packed).and_then(|r| take(&r, Form::Packed)));
            if let Ok(reply) = binary && cut < reply.len() {
                prop_assert!(take(&reply[..cut], Form::Binary).is_err());
            }
        }

        /// Whatever bytes come, reading them ends and takes only what fits the text.
        #[test]
        fn no_bytes_do_harm(
            numbers in prop::collection::vec(prop_oneof![0_u32..6, any::<u32>()], 0..24),
            rest in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            bytes.extend(rest);
            let _ = read(&bytes, Form::Binary);
            let mut writes = Writes::default();
            let taken = read_reply(&bytes, "aй", &["x"], &mut writes);
            let mut document = Document::new("d", "aй").unwrap();
            if taken.is_ok() && writes.commit(&mut document).is_ok() {
                let layer = document.layer("x").cloned().unwrap_or_default();
                prop_assert!(layer.check("x", "aй").is_ok());
            }
        }
    }

    #[test]
    fn metadata_and_entities_are_read_when_asked_for() {
        let document = full("It may rain.", Layer::default());
        let bytes = write_document(&document, READS, 1, Form::Binary).unwrap();
        let lent = LentDocument::read(&bytes, Form::Binary, checked_text).unwrap();
        let mut read = lent.view();
        lent.annotate(&mut read, READS).unwrap();
        assert_eq!(read.metadata(), document.metadata());
        assert_eq!(read.entities(), document.entities());
        assert_eq!(read.layer("absent"), None);
    }

    #[test]
    fn what_is_wrong_is_refused_in_words() {
        let reply = |numbers: &[u32], rest: &[u8]| {
            let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            bytes.extend_from_slice(rest);
            let read = read_reply(&bytes, "abc", &[layers::TOKENS], &mut Writes::default());
            read.map_or_else(|error| error.to_string(), |()| "taken".to_owned())
        };
        let replies = [
            reply(&[0, 0], &[]),
            reply(&[0, 0], &[0]),
            reply(&[1, 0, 0, 0, 0, 0], &[]),
            reply(&[1, 0, 1, 0, 0, 0], &[]),
            reply(&[1, 0, 0, u32::MAX, u32::MAX, 0], &[]),
            reply(&[1, 0, 0, 0, 0, u32::MAX], &[]),
            reply(&[1, 0, 0, 0, 0, 1, 1], &[255, 0, 0, 0]),
            reply(&[1, 0, 0, 1, 0, 0], &[9; 24]),
            reply(&[0, 4], b"true"),
            reply(&[0, 17], br#"{"language":"en"}000"#),
        ];
        assert_snapshot!(replies.join("\n"), @r"
        taken
        its reply is longer than its header says
        taken
        it writes layer number 1 of a contract that names 1
        its columns are shorter than their header says
        its columns are shorter than their header says
        a label is not UTF-8
        layer `tokens` span #0: 151587081..151587081 leaves the text, which has 3 bytes
        its header cannot be read: invalid type: boolean `true`, expected struct ReplyHeader at line 1 column 4
        it writes `language`, which its contract does not name: add it to `writes`
        ");
    }
}
