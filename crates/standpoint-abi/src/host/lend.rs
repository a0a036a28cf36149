//! A document as a plugin sees it: pointers into the host's own, and JSON for what has no layout.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use standpoint_document::{Document, Layer, layers};
use standpoint_stage::{StageContext, StageError};

use crate::layout::{
    RawContext, RawDocument, RawDocumentV1_1, RawEntity, RawJson, RawLayer, Str, v1_0,
};

/// Room for what is lent to a plugin besides the document itself.
#[derive(Debug, Default)]
pub(super) struct Lists {
    raw: Option<RawDocumentV1_1>,
    layers: Vec<RawLayer>,
    labels: Vec<Vec<Str>>,
    entities: Vec<RawEntity>,
    parts: Vec<RawJson>,
    json: Vec<String>,
}

// SAFETY: pointers that are used through a `View` only, while what they point to is borrowed.
unsafe impl Send for Lists {}

impl Lists {
    /// Forgets what was lent, and keeps the room.
    pub(super) fn clear(&mut self) {
        let Self { raw, layers, labels, entities, parts, json } = self;
        *raw = None;
        layers.clear();
        labels.clear();
        entities.clear();
        entities.shrink_to(MOST_KEPT);
        parts.clear();
        json.clear();
    }

    fn lend_json(&mut self, name: &str, json: String) {
        self.parts.push(RawJson { name: Str::new(name), json: Str::new(&json) });
        // A text stays where it is when its list grows.
        self.json.push(json);
    }
}

/// For how many entities room is kept: a document with very many is not the rule.
const MOST_KEPT: usize = 1024;

/// A document lent to a plugin.
// Invariant: what the lists point to in the document is borrowed for 'd, and the lists are as
// `new` left them, so that pointers into them hold.
#[derive(Debug)]
pub(super) struct View<'d> {
    lists: &'d mut Lists,
    _document: PhantomData<&'d Document<'d>>,
}

impl<'d> View<'d> {
    /// Lends `document`: of its layers, records and attributes those that `reads` names, and
    /// nothing else. What is not declared cannot be relied on by mistake, and costs nothing.
    ///
    /// - `lists`: empty.
    /// - `reads_tables`: whether the plugin reads entities without JSON.
    pub(super) fn new(
        document: &'d Document<'_>,
        reads: &[&str],
        reads_tables: bool,
        lists: &'d mut Lists,
    ) -> Result<Self, StageError> {
        lists.layers.reserve_exact(reads.len());
        for name in reads {
            if let Some(layer) = document.layer(name) {
                lists.layers.push(lend_layer(name, layer, &mut lists.labels));
            }
        }
        for &name in reads {
            let json = match name {
                layers::ENTITIES if reads_tables => {
                    lists.entities.extend(document.entities().iter().map(RawEntity::new));
                    continue;
                }
                layers::ENTITIES => match document.entities_json() {
                    Some(json) => {
                        lists.parts.push(RawJson { name: Str::new(name), json: Str::new(json) });
                        continue;
                    }
                    None => to_json(name, document.entities())?,
                },
                layers::SENTIMENT => to_json(name, &document.sentiment())?,
                layers::STANCE => to_json(name, document.stance())?,
                _ => continue,
            };
            lists.lend_json(name, json);
        }
        let record_count = lists.parts.len();
        for &name in reads {
            if let Some(value) = document.attribute(name) {
                lists.lend_json(name, to_json(name, value)?);
            }
        }
        let metadata = document.metadata();
        let (records, attributes) = lists.parts.split_at(record_count);
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
            layers: lists.layers.as_ptr(),
            layer_count: lists.layers.len(),
            records: records.as_ptr(),
            record_count: records.len(),
            attributes: attributes.as_ptr(),
            attribute_count: attributes.len(),
        };
        let (entities, entity_count) = (lists.entities.as_ptr(), lists.entities.len());
        lists.raw = Some(RawDocumentV1_1 { base, entities, entity_count });
        Ok(Self { lists, _document: PhantomData })
    }

    /// The pointer to lend; it lasts as long as the view.
    pub(super) fn raw(&self) -> *const RawDocument {
        self.lists.raw.as_ref().map_or(ptr::null(), |raw| ptr::from_ref(raw).cast())
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
