//! A packed document where it lies, in the memory of the stage that reads it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use standpoint_document::{Document, Entity, Layer, Lender, Metadata, Vectors};
use standpoint_stage::StageError;

use crate::columns::{ANNOTATION_BYTES, lent_annotations, lent_numbers};
use crate::packed::{LayerHeader, cut_short, split};

/// How bytes are taken for a text; `None` where they are none.
pub type ReadText = fn(&[u8]) -> Option<&str>;

/// Takes bytes for a text that are checked to be one.
#[must_use]
pub fn checked_text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

/// A document that a host wrote packed, in the bytes that it was written to.
#[derive(Debug)]
pub(crate) struct PackedDocument<'b> {
    header: Header<'b>,
    text: &'b str,
    /// What follows the text, from a multiple of four bytes on.
    columns: &'b [u8],
}

#[derive(Debug, Deserialize)]
struct Header<'b> {
    #[serde(borrow)]
    id: Cow<'b, str>,
    attempt: u32,
    text_bytes: u32,
    #[serde(borrow)]
    metadata: &'b RawValue,
    #[serde(borrow)]
    layers: Vec<LayerHeader<'b>>,
    #[serde(borrow, default)]
    records: LentRecords<'b>,
    #[serde(borrow, default)]
    attributes: BTreeMap<Cow<'b, str>, &'b RawValue>,
}

/// The records that a host lends, as it wrote them.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct LentRecords<'b> {
    #[serde(borrow, default)]
    entities: Option<&'b RawValue>,
    #[serde(borrow, default)]
    sentiment: Option<&'b RawValue>,
    #[serde(borrow, default)]
    stance: Option<&'b RawValue>,
}

impl<'b> PackedDocument<'b> {
    /// Reads what stands before the columns.
    pub(crate) fn read(bytes: &'b [u8], read_text: ReadText) -> Result<Self, StageError> {
        let (header, mut columns) = split::<Header<'_>>(bytes)?;
        let text = columns.take(header.text_bytes as usize).ok_or_else(cut_short)?;
        let text = read_text(text).ok_or_else(no_text)?;
        columns.align();
        Ok(Self { header, text, columns: columns.rest() })
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.header.attempt
    }

    pub(crate) fn view(&self) -> Document<'_> {
        Document::lent(&self.header.id, self.text, self)
    }

    /// See [`LentDocument::annotate`](crate::LentDocument::annotate).
    pub(crate) fn annotate<'a>(
        &'a self,
        document: &mut Document<'a>,
        names: &[&'static str],
    ) -> Result<(), StageError> {
        let mut at = 0_usize;
        let mut take = |count: Option<usize>| {
            let end = count.and_then(|count| at.checked_add(count));
            let taken = end.and_then(|end| self.columns.get(at..end)).ok_or_else(cut_short)?;
            at = (at + taken.len()).next_multiple_of(4).min(self.columns.len());
            Ok::<_, StageError>(taken)
        };
        for header in &self.header.layers {
            let count = header.count as usize;
            let rows = take(count.checked_mul(ANNOTATION_BYTES))?;
            let annotations = lent_annotations(rows);
            let vectors = match header.width {
                0 => None,
                width => {
                    let numbers = take(count.checked_mul(width as usize * 4))?;
                    Some(Vectors { width, values: lent_numbers(numbers) })
                }
            };
            let labels = header.labels.iter().map(|label| Cow::Borrowed(label.as_ref())).collect();
            let layer = Layer { annotations, labels, vectors };
            match names.iter().find(|known| **known == header.name) {
                Some(known) => document.lend_layer(*known, layer),
                None => document.lend_layer(header.name.clone().into_owned(), layer),
            }
        }
        lend_parts(document, self.header.records, &self.header.attributes)
    }
}

pub(crate) fn no_text() -> StageError {
    StageError::stage("the text is not UTF-8")
}

/// Puts records and attributes into a view; entities are read when somebody asks for them.
pub(crate) fn lend_parts(
    document: &mut Document<'_>,
    records: LentRecords<'_>,
    attributes: &BTreeMap<Cow<'_, str>, &RawValue>,
) -> Result<(), StageError> {
    let LentRecords { sentiment, stance, .. } = records;
    document.lend_sentiment(read(sentiment)?);
    document.lend_stance(read(stance)?.unwrap_or_default());
    for (name, json) in attributes {
        let value = read(Some(json))?.unwrap_or_default();
        document.lend_attribute(name.clone().into_owned(), value);
    }
    Ok(())
}

/// The entities among a host's records.
pub(crate) fn read_entities(records: LentRecords<'_>) -> Vec<Entity> {
    // The host made the JSON of entities of its own, so that it is readable.
    records.entities.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default()
}

fn read<'b, T: Deserialize<'b>>(json: Option<&'b RawValue>) -> Result<Option<T>, StageError> {
    let wrong = |error| StageError::stage(format!("what the host lends is wrong: {error}"));
    json.map(|json| serde_json::from_str(json.get()).map_err(wrong)).transpose()
}

impl Lender for PackedDocument<'_> {
    fn to_metadata(&self) -> Metadata {
        // The host made the JSON of metadata of its own, so that it is readable.
        serde_json::from_str(self.header.metadata.get()).unwrap_or_default()
    }

    fn to_entities(&self) -> Vec<Entity> {
        read_entities(self.header.records)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use standpoint_document::{Annotation, Span};

    use super::*;
    use crate::{Form, read_document, write_document};

    proptest! {
        /// What is read where it lies is what is read by copying, whole or cut.
        #[test]
        fn in_place_and_by_copying_say_the_same(
            text in "[a-zй世 ]{0,12}",
            spans in prop::collection::vec((0_u32..12, 0_u32..12), 0..5),
            width in 0_u32..3,
            cut in 0_usize..400,
        ) {
            let mut document = Document::new("d", text).unwrap();
            let annotations: Vec<_> =
                spans.iter().map(|&(s, e)| Annotation::new(Span::new(s, e))).collect();
            let values = vec![0.5; annotations.len() * width as usize].into();
            let vectors = (width > 0).then_some(Vectors { width, values });
            let labels = vec!["one".into()];
            document.lend_layer("x", Layer { annotations: annotations.into(), labels, vectors });
            document.lend_attribute("topic", json!({"grip": [1, null]}));
            let reads = ["x", "topic", "entities"];
            let bytes = write_document(&document, &reads, 3, Form::Packed).unwrap();
            let (copied, _) = read_document(&bytes).unwrap();
            let packed = PackedDocument::read(&bytes, checked_text).unwrap();
            prop_assert_eq!(packed.attempt(), 3);
            let mut lent = packed.view();
            packed.annotate(&mut lent, &["x"]).unwrap();
            prop_assert_eq!(lent.text(), copied.text());
            prop_assert_eq!(lent.layer("x"), copied.layer("x"));
            prop_assert_eq!(lent.attributes(), copied.attributes());
            prop_assert_eq!(lent.metadata(), copied.metadata());
            let bytes = &bytes[..cut.min(bytes.len())];
            let read = PackedDocument::read(bytes, checked_text)
                .and_then(|packed| packed.annotate(&mut packed.view(), &[]));
            prop_assert_eq!(read.is_ok(), read_document(bytes).is_ok());
        }
    }
}
