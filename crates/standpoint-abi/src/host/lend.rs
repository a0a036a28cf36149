//! A document as a plugin sees it: pointers into the host's own, and JSON for what has no layout.

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use standpoint_document::{Document, Layer, layers};
use standpoint_stage::{StageContext, StageError};

use crate::layout::{RawContext, RawDocument, RawJson, RawLayer, Str, v1_0};

/// A document lent to a plugin.
#[derive(Debug)]
pub(super) struct View<'d> {
    raw: RawDocument,
    /// What `raw` points to besides the document; never changed, so that the pointers hold.
    _layers: Vec<RawLayer>,
    _labels: Vec<Vec<Str>>,
    _parts: Vec<RawJson>,
    _json: Vec<String>,
    _document: PhantomData<&'d Document<'d>>,
}

// SAFETY: a view is read only, and all that it points to is borrowed for 'd or its own.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}

impl<'d> View<'d> {
    /// Lends `document` to a stage that reads the names in `reads`, and nothing that it does not
    /// name: what is not declared cannot be relied on by mistake, and costs nothing.
    pub(super) fn new(document: &'d Document<'_>, reads: &[&str]) -> Result<Self, StageError> {
        let mut lent_layers = Vec::with_capacity(reads.len());
        let mut labels = Vec::new();
        for (name, layer) in document.layers().filter(|(name, _)| reads.contains(name)) {
            lent_layers.push(lend_layer(name, layer, &mut labels));
        }
        let mut json = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for record in [layers::ENTITIES, layers::SENTIMENT, layers::STANCE] {
            if reads.contains(&record) {
                names.push(record);
                json.push(match record {
                    layers::ENTITIES => to_json(record, document.entities())?,
                    layers::SENTIMENT => to_json(record, &document.sentiment())?,
                    _ => to_json(record, document.stance())?,
                });
            }
        }
        let record_count = names.len();
        for name in reads {
            if let Some(value) = document.attribute(name) {
                names.push(name);
                json.push(to_json(name, value)?);
            }
        }
        let parts: Vec<RawJson> = names
            .iter()
            .zip(&json)
            .map(|(name, json)| RawJson { name: Str::new(name), json: Str::new(json) })
            .collect();
        let (records, attributes) = parts.split_at(record_count);

        let metadata = document.metadata();
        let raw = RawDocument {
            size: v1_0::DOCUMENT_SIZE,
            reserved: 0,
            id: Str::new(document.id()),
            text: Str::new(document.text()),
            title: Str::optional(metadata.title.as_deref()),
            author: Str::optional(metadata.author.as_deref()),
            published: Str::optional(metadata.published.as_deref()),
            language: Str::optional(metadata.language.as_deref()),
            source_name: Str::new(&metadata.source.name),
            source_path: Str::optional(metadata.source.path.as_deref()),
            source_id: Str::optional(metadata.source.id.as_deref()),
            layers: lent_layers.as_ptr(),
            layer_count: lent_layers.len(),
            records: records.as_ptr(),
            record_count,
            attributes: attributes.as_ptr(),
            attribute_count: attributes.len(),
        };
        Ok(Self {
            raw,
            _layers: lent_layers,
            _labels: labels,
            _parts: parts,
            _json: json,
            _document: PhantomData,
        })
    }

    /// The pointer to lend; it lasts as long as the view stays where it is.
    pub(super) fn raw(&self) -> *const RawDocument {
        &raw const self.raw
    }
}

fn lend_layer(name: &str, layer: &Layer<'_>, labels: &mut Vec<Vec<Str>>) -> RawLayer {
    let own: Vec<Str> = layer.labels.iter().map(|label| Str::new(label)).collect();
    let vectors = layer.vectors.as_ref();
    let raw = RawLayer {
        name: Str::new(name),
        annotations: layer.annotations.as_ptr(),
        annotation_count: layer.annotations.len(),
        labels: own.as_ptr(),
        label_count: own.len(),
        vectors: vectors.map_or(std::ptr::null(), |vectors| vectors.values.as_ptr()),
        vector_width: vectors.map_or(0, |vectors| vectors.width),
        reserved: 0,
    };
    if !own.is_empty() {
        labels.push(own);
    }
    raw
}

fn to_json<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<String, StageError> {
    serde_json::to_string(value)
        .map_err(|error| StageError::document(format!("`{name}` cannot be lent: {error}")))
}

/// What a stage is told about the call it is in.
#[derive(Debug)]
pub(super) struct LentContext<'c> {
    raw: RawContext,
    _context: PhantomData<StageContext<'c>>,
}

// SAFETY: read only, and borrowed for 'c; the flag behind it is atomic.
unsafe impl Send for LentContext<'_> {}
// SAFETY: as above.
unsafe impl Sync for LentContext<'_> {}

impl<'c> LentContext<'c> {
    pub(super) fn new(context: &StageContext<'c>) -> Self {
        let cancelled: &AtomicBool = context.cancellation();
        let raw = RawContext {
            size: v1_0::CONTEXT_SIZE,
            attempt: context.attempt,
            stage: Str::new(context.stage),
            cancelled: cancelled.as_ptr().cast_const().cast(),
        };
        Self { raw, _context: PhantomData }
    }

    /// The pointer to lend; it lasts as long as the context stays where it is.
    pub(super) fn raw(&self) -> *const RawContext {
        &raw const self.raw
    }
}
