//! A document as a plugin sees it: pointers into the host's own, and JSON for what has no layout.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use standpoint_document::{Document, Layer, layers};
use standpoint_stage::{StageContext, StageError};

use crate::layout::{
    RawContext, RawDocument, RawDocumentV1_1, RawEntity, RawJson, RawLayer, Str, v1_0,
};

/// A document lent to a plugin.
#[derive(Debug)]
pub(super) struct View<'d> {
    raw: RawDocumentV1_1,
    /// What `raw` points to besides the document; unchanged since, so that the pointers hold.
    layers: Vec<RawLayer>,
    labels: Vec<Vec<Str>>,
    entities: Vec<RawEntity>,
    parts: Vec<RawJson>,
    json: Vec<Cow<'d, str>>,
    _document: PhantomData<&'d Document<'d>>,
}

// SAFETY: a view is read only, and all that it points to is borrowed for 'd or its own.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}

impl<'d> View<'d> {
    /// Lends `document`, without its annotation yet. Apart from [`View::annotate`], so that a view
    /// is made where it stays.
    pub(super) fn new(document: &'d Document<'_>) -> Self {
        let metadata = document.metadata();
        let base = RawDocument {
            size: size_of::<RawDocumentV1_1>() as u32,
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
            layers: ptr::null(),
            layer_count: 0,
            records: ptr::null(),
            record_count: 0,
            attributes: ptr::null(),
            attribute_count: 0,
        };
        Self {
            raw: RawDocumentV1_1 { base, entities: ptr::null(), entity_count: 0 },
            layers: Vec::new(),
            labels: Vec::new(),
            entities: Vec::new(),
            parts: Vec::new(),
            json: Vec::new(),
            _document: PhantomData,
        }
    }

    /// Lends the layers, records and attributes of the same document that `reads` names, and
    /// nothing else: what is not declared cannot be relied on by mistake, and costs nothing.
    ///
    /// - `reads_tables`: whether the plugin reads entities without JSON.
    pub(super) fn annotate(
        &mut self,
        document: &'d Document<'_>,
        reads: &[&str],
        reads_tables: bool,
    ) -> Result<(), StageError> {
        self.layers.reserve_exact(reads.len());
        for name in reads {
            if let Some(layer) = document.layer(name) {
                self.layers.push(lend_layer(name, layer, &mut self.labels));
            }
        }
        let mut names: Vec<&str> = Vec::new();
        for &name in reads {
            self.json.push(match name {
                layers::ENTITIES if reads_tables => {
                    self.entities.extend(document.entities().iter().map(RawEntity::new));
                    continue;
                }
                layers::ENTITIES => match document.entities_json() {
                    Some(json) => Cow::Borrowed(json),
                    None => to_json(name, document.entities())?,
                },
                layers::SENTIMENT => to_json(name, &document.sentiment())?,
                layers::STANCE => to_json(name, document.stance())?,
                _ => continue,
            });
            names.push(name);
        }
        let record_count = names.len();
        for &name in reads {
            if let Some(value) = document.attribute(name) {
                names.push(name);
                self.json.push(to_json(name, value)?);
            }
        }
        let part = |(name, json): (&&str, &Cow<'_, str>)| RawJson {
            name: Str::new(name),
            json: Str::new(json),
        };
        self.parts = names.iter().zip(&self.json).map(part).collect();

        let (records, attributes) = self.parts.split_at(record_count);
        let raw = &mut self.raw;
        (raw.entities, raw.entity_count) = (self.entities.as_ptr(), self.entities.len());
        let raw = &mut raw.base;
        (raw.layers, raw.layer_count) = (self.layers.as_ptr(), self.layers.len());
        (raw.records, raw.record_count) = (records.as_ptr(), records.len());
        (raw.attributes, raw.attribute_count) = (attributes.as_ptr(), attributes.len());
        Ok(())
    }

    /// The pointer to lend; it lasts as long as the view stays where it is.
    pub(super) fn raw(&self) -> *const RawDocument {
        (&raw const self.raw).cast()
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

fn to_json<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<Cow<'static, str>, StageError> {
    serde_json::to_string(value)
        .map(Cow::Owned)
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
