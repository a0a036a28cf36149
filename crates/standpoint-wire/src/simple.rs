//! The JSON form: one object, with offsets that count code points, as scripts do.
//!
//! Spans inside records keep their byte offsets: records are passed as the host holds them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use standpoint_document::{
    Annotation, CodePoints, Document, Layer, Metadata, NO_LINK, Span, Vectors, layers,
};
use standpoint_stage::StageError;

use crate::packed::Records;
use crate::writes::{Writes, writable};

#[derive(Serialize)]
struct SimpleDocument<'a> {
    id: &'a str,
    attempt: u32,
    text: &'a str,
    metadata: &'a Metadata,
    layers: BTreeMap<&'a str, Vec<SimpleAnnotation<'a>>>,
    records: Records<'a>,
    attributes: BTreeMap<&'a str, &'a Value>,
}

/// An annotation; what says nothing is left out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SimpleAnnotation<'a> {
    start: u32,
    end: u32,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    label: Option<SimpleLabel<'a>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    flags: u32,
    #[serde(default, skip_serializing_if = "is_nought")]
    score: f32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vector: Option<Cow<'a, [f32]>>,
    /// What a script may keep for itself, and what we write for it to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
}

/// A label by its name, or by its number where the layer names none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum SimpleLabel<'a> {
    Number(u32),
    Name(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SimpleReply<'a> {
    #[serde(borrow, default)]
    layers: BTreeMap<Cow<'a, str>, Vec<SimpleAnnotation<'a>>>,
    #[serde(borrow, default)]
    records: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(borrow, default)]
    attributes: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(default)]
    language: Option<Cow<'a, str>>,
    #[serde(default)]
    notes: Vec<Cow<'a, str>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_nought(number: &f32) -> bool {
    *number == 0.0
}

pub(crate) fn write_document(
    document: &Document<'_>,
    reads: &[&str],
    attempt: u32,
) -> Result<Vec<u8>, StageError> {
    let points = CodePoints::new(document.text());
    let shown = |layer: &'_ Layer<'_>| -> Vec<SimpleAnnotation<'static>> {
        let annotations = layer.annotations.iter().enumerate();
        annotations.map(|(row, annotation)| simple(row, annotation, layer, &points)).collect()
    };
    let document = SimpleDocument {
        id: document.id(),
        attempt,
        text: document.text(),
        metadata: document.metadata(),
        layers: reads
            .iter()
            .filter_map(|name| Some((*name, shown(document.layer(name)?))))
            .collect(),
        records: Records::of(document, reads),
        attributes: reads
            .iter()
            .filter_map(|name| Some((*name, document.attribute(name)?)))
            .collect(),
    };
    serde_json::to_vec(&document)
        .map_err(|error| StageError::document(format!("it cannot be lent: {error}")))
}

fn simple(
    row: usize,
    annotation: &Annotation,
    layer: &Layer<'_>,
    points: &CodePoints,
) -> SimpleAnnotation<'static> {
    let name = layer.label_of(annotation).map(|name| SimpleLabel::Name(name.to_owned().into()));
    let number = (annotation.label != 0).then_some(SimpleLabel::Number(annotation.label));
    let vector = layer.vectors.as_ref().and_then(|vectors| {
        let width = vectors.width as usize;
        vectors.values.get(row * width..(row + 1) * width).map(|row| row.to_vec().into())
    });
    SimpleAnnotation {
        start: points.at(annotation.span.start),
        end: points.at(annotation.span.end),
        label: name.or(number),
        flags: annotation.flags,
        score: annotation.score,
        link: (annotation.link != NO_LINK).then_some(annotation.link),
        vector,
        text: None,
    }
}

pub(crate) fn read_reply(
    bytes: &[u8],
    text: &str,
    contract: &'static [&'static str],
    writes: &mut Writes,
) -> Result<(), StageError> {
    let reply: SimpleReply<'_> = serde_json::from_slice(bytes)
        .map_err(|error| StageError::stage(format!("its reply cannot be read: {error}")))?;
    let bytes_of = Bytes::of(text);
    for (name, annotations) in reply.layers {
        let name = writable(contract, name.as_bytes())?;
        writes.set_layer(name, layer(name, annotations, &bytes_of)?, text)?;
    }
    for (name, json) in reply.records {
        writes.set_record(writable(contract, name.as_bytes())?, json.get(), text)?;
    }
    for (name, json) in reply.attributes {
        writes.set_attribute(writable(contract, name.as_bytes())?, json.get())?;
    }
    if let Some(code) = reply.language {
        writable(contract, layers::LANGUAGE.as_bytes())?;
        writes.set_language(&code);
    }
    reply.notes.iter().for_each(|note| writes.add_note(note));
    Ok(())
}

fn layer(
    name: &str,
    annotations: Vec<SimpleAnnotation<'_>>,
    bytes_of: &Bytes,
) -> Result<Layer<'static>, StageError> {
    let mut layer = Layer::default();
    let mut rows = Vec::with_capacity(annotations.len());
    let mut vectors = Vec::new();
    for (index, annotation) in annotations.into_iter().enumerate() {
        let SimpleAnnotation { start, end, label, flags, score, link, vector, text: _ } =
            annotation;
        let offset = |point: u32| {
            bytes_of.at(point).ok_or_else(|| {
                let length = bytes_of.length;
                StageError::stage(format!(
                    "layer `{name}` span #{index}: {start}..{end} leaves the text, which has \
                     {length} code points"
                ))
            })
        };
        let label = match label {
            None => 0,
            Some(SimpleLabel::Number(number)) => number,
            Some(SimpleLabel::Name(label)) => {
                let known = layer.labels.iter().position(|known| *known == label);
                known.unwrap_or_else(|| {
                    layer.labels.push(Cow::Owned(label.into_owned()));
                    layer.labels.len() - 1
                }) as u32
            }
        };
        rows.push(Annotation {
            span: Span::new(offset(start)?, offset(end)?),
            label,
            flags,
            score,
            link: link.unwrap_or(NO_LINK),
        });
        if let Some(vector) = vector {
            vectors.push(vector.into_owned());
        }
    }
    if let Some(width) = vectors.first().map(Vec::len) {
        if vectors.len() != rows.len() || vectors.iter().any(|row| row.len() != width) {
            let message = format!("the vectors of layer `{name}` are not of equal width");
            return Err(StageError::stage(message));
        }
        let values = vectors.concat().into();
        layer.vectors = Some(Vectors { width: width as u32, values });
    }
    layer.annotations = rows.into();
    Ok(layer)
}

/// From code points to bytes.
struct Bytes {
    /// Where each code point begins; empty for a text of ASCII.
    starts: Vec<u32>,
    /// Of the text, in code points.
    length: u32,
}

impl Bytes {
    fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self { starts: Vec::new(), length: text.len() as u32 };
        }
        let mut starts: Vec<u32> = text.char_indices().map(|(at, _)| at as u32).collect();
        let length = starts.len() as u32;
        starts.push(text.len() as u32);
        Self { starts, length }
    }

    /// Where a code point begins; `None` behind the end of the text.
    fn at(&self, point: u32) -> Option<u32> {
        if point > self.length {
            return None;
        }
        Some(self.starts.get(point as usize).copied().unwrap_or(point))
    }
}
