//! The document that the host lends, as the stage's own type: borrowed, not copied.

use std::borrow::Cow;
use std::cell::Cell;
use std::mem::{ManuallyDrop, transmute};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicBool;

use standpoint_document::{
    Aliases, Annotation, Document, Entity, EntityKind, Layer, Lender, Metadata, SourceRef, Vectors,
    layers,
};
use standpoint_stage::{StageContext, StageError};

use crate::layout::{
    RawContext, RawDocument, RawDocumentV1_1, RawEntity, RawJson, RawLayer, SPEAKS_FOR_COUNTRY,
    Str, slice, v1_0,
};

/// The host's document, if it is what this side reads.
///
/// # Errors
///
/// [`StageError`] for a host that says less: a fault of the host.
///
/// # Safety
///
/// `raw` and all that it points to stay readable and unchanged for `'a`, and its texts are UTF-8.
#[inline]
pub(super) unsafe fn lent<'a>(raw: *const RawDocument) -> Result<LentDocument<'a>, StageError> {
    // SAFETY: `size` comes first in every version, and the caller lends the struct.
    let size = unsafe { (&raw const (*raw).size).read() };
    if size < v1_0::DOCUMENT_SIZE {
        return Err(broken("document"));
    }
    // SAFETY: as large as 1.0, as just checked, and lent for 'a.
    let document = unsafe { &*raw };
    let has_grown = size as usize >= size_of::<RawDocumentV1_1>();
    // SAFETY: as large as 1.1, as just checked, and lent for 'a.
    let grown = has_grown.then(|| unsafe { &*raw.cast::<RawDocumentV1_1>() });
    // SAFETY: the host's array holds what its count says and stays for 'a.
    let entities = grown.map(|grown| unsafe { slice(grown.entities, grown.entity_count) });
    Ok(LentDocument(document, entities.flatten().unwrap_or_default()))
}

/// The host's document, and its entities where the host lends them as such.
// Invariant: made by `lent` only, so that whoever holds one may read all it points to.
#[derive(Debug, Clone, Copy)]
pub(super) struct LentDocument<'h>(&'h RawDocument, &'h [RawEntity]);

// SAFETY: the host changes neither the document that it lends nor what that points to.
unsafe impl Sync for LentDocument<'_> {}
// SAFETY: as above.
unsafe impl Send for LentDocument<'_> {}

impl LentDocument<'_> {
    /// A view of it, without annotation yet. Apart from [`LentDocument::annotate`], so that the
    /// view is made where it stays: moving one costs more than filling it.
    pub(super) fn view(&self) -> Document<'_> {
        let (id, text) = self.texts();
        Document::lent(id, text, self)
    }

    /// The document's id and its text.
    #[inline]
    fn texts(&self) -> (&str, &str) {
        // SAFETY: the invariant.
        let text = |raw: Str| unsafe { optional(raw) }.unwrap_or_default();
        (text(self.0.id), text(self.0.text))
    }

    /// Puts all that the host lends into the view.
    ///
    /// - `names`: names that the layers probably have, so that they need not be copied.
    ///
    /// # Errors
    ///
    /// [`StageError`] when the host lends what cannot be: a fault of the host.
    #[inline]
    pub(super) fn annotate<'a>(
        &'a self,
        document: &mut Document<'a>,
        names: &[&'static str],
    ) -> Result<(), StageError> {
        let raw = self.0;
        // SAFETY: the invariant.
        let text = |raw: Str| unsafe { optional::<'a>(raw) }.unwrap_or_default();
        // SAFETY: the host's arrays hold what their counts say and stay for 'a.
        let (layers, records, attributes) = unsafe {
            (
                slice(raw.layers, raw.layer_count),
                slice(raw.records, raw.record_count),
                slice(raw.attributes, raw.attribute_count),
            )
        };
        let layers = layers.ok_or_else(|| broken("layers"))?;
        // SAFETY: as above.
        if let Some(raw) = layers.iter().find(|raw| unsafe { !is_readable(raw) }) {
            return Err(broken(text(raw.name)));
        }
        // SAFETY: as above.
        document.lend_layers(layers.iter().map(|raw| unsafe {
            let name = text(raw.name);
            let known = names.iter().find(|known| **known == name).copied();
            let name = known.map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed);
            (name, layer(raw))
        }));
        for RawJson { name, json } in records.ok_or_else(|| broken("records"))? {
            let (name, json) = (text(*name), text(*json));
            lend_record(document, name, json)?;
        }
        for RawJson { name, json } in attributes.ok_or_else(|| broken("attributes"))? {
            let (name, json) = (text(*name), text(*json));
            let value = serde_json::from_str(json).map_err(|_| broken(name))?;
            document.lend_attribute(name, value);
        }
        Ok(())
    }
}

thread_local! {
    /// An empty document that no call on this thread uses.
    static SPARE: Cell<Option<Box<Document<'static>>>> = const { Cell::new(None) };
}

/// A view of a lent document, in room that is kept from call to call. A small handle, because a
/// future is copied to the heap with all that it holds.
#[derive(Debug)]
pub(super) struct View<'a>(ManuallyDrop<Box<Document<'a>>>);

impl<'a> View<'a> {
    #[inline]
    pub(super) fn new(lent: &'a LentDocument<'_>) -> Self {
        let spare = SPARE.try_with(Cell::take).unwrap_or_default();
        let mut document: Box<Document<'a>> = spare.unwrap_or_default();
        let (id, text) = lent.texts();
        document.lend(id, text, lent);
        Self(ManuallyDrop::new(document))
    }
}

impl<'a> Deref for View<'a> {
    type Target = Document<'a>;

    fn deref(&self) -> &Document<'a> {
        &self.0
    }
}

impl<'a> DerefMut for View<'a> {
    fn deref_mut(&mut self) -> &mut Document<'a> {
        &mut self.0
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        // SAFETY: taken out once, here.
        let mut document = unsafe { ManuallyDrop::take(&mut self.0) };
        document.clear();
        // SAFETY: the types differ only in how long what they borrow lives, and a cleared document
        // borrows nothing.
        let document = unsafe { transmute::<Box<Document<'_>>, Box<Document<'static>>>(document) };
        // A thread that ends keeps nothing.
        let _ = SPARE.try_with(|spare| spare.set(Some(document)));
    }
}

impl Lender for LentDocument<'_> {
    fn to_metadata(&self) -> Metadata {
        // SAFETY: the invariant.
        let owned = |raw: Str| unsafe { optional(raw) }.map(str::to_owned);
        let Self(raw, _) = self;
        Metadata {
            source: SourceRef {
                name: owned(raw.source_name).unwrap_or_default(),
                path: owned(raw.source_path),
                id: owned(raw.source_id),
            },
            title: owned(raw.title),
            author: owned(raw.author),
            published: owned(raw.published),
            language: owned(raw.language),
        }
    }

    fn to_entities(&self) -> Vec<Entity> {
        if !self.1.is_empty() {
            // SAFETY: the invariant.
            return self.1.iter().map(|raw| unsafe { entity(raw) }).collect();
        }
        // SAFETY: the invariant.
        let records = unsafe { slice(self.0.records, self.0.record_count) }.unwrap_or_default();
        // SAFETY: the invariant.
        let text = |raw: Str| unsafe { optional(raw) }.unwrap_or_default();
        let lent = records.iter().find(|record| text(record.name) == layers::ENTITIES);
        // The host made the JSON of entities of its own, so that it is readable.
        lent.and_then(|record| serde_json::from_str(text(record.json)).ok()).unwrap_or_default()
    }
}

/// # Safety
///
/// As for [`lent`].
unsafe fn entity(raw: &RawEntity) -> Entity {
    // SAFETY: this function's own condition.
    let text = |raw: Str| unsafe { optional(raw) };
    Entity {
        id: text(raw.id).unwrap_or_default().to_owned(),
        name: text(raw.name).unwrap_or_default().to_owned(),
        kind: EntityKind::from_code(raw.kind).unwrap_or(EntityKind::Other),
        country: text(raw.country).map(str::to_owned),
        speaks_for_country: raw.flags & SPEAKS_FOR_COUNTRY != 0,
        aliases: Aliases::from_lines(text(raw.aliases).unwrap_or_default()),
    }
}

/// # Safety
///
/// As for [`lent`].
unsafe fn is_readable(raw: &RawLayer) -> bool {
    let numbers = raw.annotation_count.saturating_mul(raw.vector_width as usize);
    // SAFETY: this function's own condition.
    unsafe {
        slice(raw.annotations, raw.annotation_count).is_some()
            && slice(raw.labels, raw.label_count).is_some()
            && slice(raw.vectors, numbers).is_some()
    }
}

/// # Safety
///
/// As for [`lent`].
#[inline]
unsafe fn layer<'a>(raw: &RawLayer) -> Layer<'a> {
    // SAFETY: this function's own condition.
    let (annotations, labels): (&[Annotation], &[Str]) = unsafe {
        (
            slice(raw.annotations, raw.annotation_count).unwrap_or_default(),
            slice(raw.labels, raw.label_count).unwrap_or_default(),
        )
    };
    let vectors = (raw.vector_width > 0).then(|| {
        let count = annotations.len().saturating_mul(raw.vector_width as usize);
        // SAFETY: this function's own condition.
        let values = unsafe { slice(raw.vectors, count) }.unwrap_or_default();
        Vectors { width: raw.vector_width, values: Cow::Borrowed(values) }
    });
    // SAFETY: this function's own condition.
    let label = |raw: &Str| Cow::Borrowed(unsafe { optional(*raw) }.unwrap_or_default());
    let labels = labels.iter().map(label).collect();
    Layer { annotations: Cow::Borrowed(annotations), labels, vectors }
}

fn lend_record(document: &mut Document<'_>, name: &str, json: &str) -> Result<(), StageError> {
    let unreadable =
        |error| StageError::stage(format!("the host's record `{name}` is not one: {error}"));
    match name {
        layers::SENTIMENT => {
            document.lend_sentiment(serde_json::from_str(json).map_err(unreadable)?);
        }
        layers::STANCE => document.lend_stance(serde_json::from_str(json).map_err(unreadable)?),
        // Entities are read when somebody asks for them. A later host may lend records that this
        // plugin does not know.
        _ => {}
    }
    Ok(())
}

/// What the host says about the call.
///
/// # Errors
///
/// [`StageError`] for a host that says less than this side reads.
///
/// # Safety
///
/// As for [`lent`]; `cancelled` is only ever changed atomically, to 0 or 1.
#[inline]
pub(super) unsafe fn context<'a>(raw: *const RawContext) -> Result<StageContext<'a>, StageError> {
    // SAFETY: `size` comes first in every version, and the caller lends the struct.
    if unsafe { (&raw const (*raw).size).read() } < v1_0::CONTEXT_SIZE {
        return Err(broken("context"));
    }
    // SAFETY: as large as this side knows it, lent for 'a; the flag is an atomic byte of 0 or 1.
    let (raw, cancelled) = unsafe {
        let raw: &'a RawContext = &*raw;
        (raw, raw.cancelled.cast::<AtomicBool>().as_ref())
    };
    let cancelled = cancelled.ok_or_else(|| broken("cancelled"))?;
    // SAFETY: this function's own condition.
    let stage = unsafe { optional(raw.stage) }.unwrap_or_default();
    Ok(StageContext::new(stage, raw.attempt, cancelled))
}

/// A text of the host, `None` where it is absent.
///
/// # Safety
///
/// The text is UTF-8 and stays for `'a`.
pub(super) unsafe fn optional<'a>(raw: Str) -> Option<&'a str> {
    // SAFETY: this function's own condition.
    unsafe { raw.bytes().map(|bytes| str::from_utf8_unchecked(bytes)) }
}

fn broken(what: &str) -> StageError {
    StageError::stage(format!("the host lends a `{what}` that this plugin cannot read"))
}
