//! What both sides of the boundary see: the tables and views of ABI 1, as in
//! `include/standpoint.h`.
//!
//! Everything here is frozen. A table grows only at its tail, and a field exists where the
//! table's `size` covers it. What a table has grown by stands in a struct of its own, such as
//! [`HostTableV1_1`], so that nobody refers to more than the other side has. [`Annotation`],
//! [`RawLayer`], [`RawJson`], [`RawEntity`], [`RawSentiment`] and [`Str`] lie in arrays and never
//! change at all.

use std::ptr;
use std::sync::atomic::AtomicU32;

use standpoint_document::{Annotation, Entity};

/// The number in the name of the exported symbol. Another major is another ABI.
pub const ABI_MAJOR: u32 = 1;

/// How far the tables have grown; a host serves every plugin that requires no higher one.
pub const ABI_MINOR: u32 = 1;

/// The symbol that a plugin exports: a [`PluginTable`].
pub const SYMBOL: &str = "standpoint_plugin_v1";

/// Done, and what was written may be committed.
pub const OK: i32 = 0;
/// Not done: the host polls the future when its waker is woken.
pub const PENDING: i32 = 1;
/// Failed, for the reason that `set_error` gave or the host's refusal of a write.
pub const ERROR: i32 = -1;
/// Panicked: the instance must not be used again.
pub const PANIC: i32 = -2;

/// A borrowed UTF-8 text, not terminated. Absent, where that is allowed, is a null `ptr`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Str {
    /// First byte.
    pub ptr: *const u8,
    /// Length in bytes.
    pub len: usize,
}

impl Str {
    /// No text, as opposed to an empty one.
    pub const ABSENT: Self = Self { ptr: ptr::null(), len: 0 };

    /// Lends a text.
    #[must_use]
    pub const fn new(text: &str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() }
    }

    /// Lends a text that may be absent.
    #[must_use]
    pub fn optional(text: Option<&str>) -> Self {
        text.map_or(Self::ABSENT, Self::new)
    }

    /// The bytes lent; `None` when absent or of impossible length.
    ///
    /// # Safety
    ///
    /// `ptr`, unless null, points to `len` bytes that stay readable and unchanged for `'a`.
    #[must_use]
    pub unsafe fn bytes<'a>(self) -> Option<&'a [u8]> {
        // SAFETY: this function's own condition; an empty slice needs no memory behind it.
        unsafe { slice(self.ptr, self.len) }.filter(|_| !self.ptr.is_null())
    }
}

/// The elements at `first`; empty for a count of 0, `None` for a null or misaligned pointer or an
/// impossible count.
///
/// # Safety
///
/// `first`, unless null, misaligned or of a count that no memory holds, points to `count` valid
/// elements that stay readable and unchanged for `'a`.
#[must_use]
pub unsafe fn slice<'a, T>(first: *const T, count: usize) -> Option<&'a [T]> {
    if count == 0 {
        return Some(&[]);
    }
    let bytes = count.checked_mul(size_of::<T>())?;
    if first.is_null() || !first.is_aligned() || bytes > isize::MAX as usize {
        return None;
    }
    // SAFETY: not null, aligned and of possible size as just checked; the rest is this function's
    // own condition.
    Some(unsafe { std::slice::from_raw_parts(first, count) })
}

/// A layer: `sp_layer`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawLayer {
    /// The layer's name.
    pub name: Str,
    /// Annotations in the order of the text.
    pub annotations: *const Annotation,
    /// How many.
    pub annotation_count: usize,
    /// Names of the labels, or null.
    pub labels: *const Str,
    /// How many.
    pub label_count: usize,
    /// A row of numbers for each annotation, or null.
    pub vectors: *const f32,
    /// Numbers in a row, 0 without vectors.
    pub vector_width: u32,
    /// 0.
    pub reserved: u32,
}

/// A record or attribute: `sp_json`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawJson {
    /// The record's or attribute's name.
    pub name: Str,
    /// Its value as JSON.
    pub json: Str,
}

/// A document as lent to a stage: `sp_document`. It stays until the call is over.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawDocument {
    /// Bytes in this struct.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// The document's id.
    pub id: Str,
    /// The whole text.
    pub text: Str,
    /// Metadata; absent where unknown.
    pub title: Str,
    /// See [`Metadata`](standpoint_document::Metadata).
    pub author: Str,
    /// ISO 8601.
    pub published: Str,
    /// ISO 639-1.
    pub language: Str,
    /// The source's name in the pipeline file.
    pub source_name: Str,
    /// Relative to the source's folder.
    pub source_path: Str,
    /// The id that the input gave.
    pub source_id: Str,
    /// The layers that the stage's contract reads and that are there.
    pub layers: *const RawLayer,
    /// How many.
    pub layer_count: usize,
    /// The records `entities`, `sentiment` and `stance`, where the contract reads them.
    pub records: *const RawJson,
    /// How many.
    pub record_count: usize,
    /// The attributes that the contract reads.
    pub attributes: *const RawJson,
    /// How many.
    pub attribute_count: usize,
}

/// A document as a host of ABI 1.1 lends it: `sp_document` with the fields behind `attributes`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawDocumentV1_1 {
    /// What 1.0 had.
    pub base: RawDocument,
    /// The entities, for a plugin whose table has the flag [`READS_TABLES`] and whose contract
    /// reads them; `records` does not have them then.
    pub entities: *const RawEntity,
    /// How many.
    pub entity_count: usize,
}

/// An entity: `sp_entity`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawEntity {
    /// See [`Entity`].
    pub id: Str,
    /// The name to show.
    pub name: Str,
    /// The state that it belongs to; may be absent.
    pub country: Str,
    /// Other names, with a line feed between each two; may be absent.
    pub aliases: Str,
    /// The code of an [`EntityKind`](standpoint_document::EntityKind).
    pub kind: u32,
    /// [`SPEAKS_FOR_COUNTRY`] or 0.
    pub flags: u32,
}

impl RawEntity {
    /// Lends an entity.
    #[must_use]
    pub fn new(entity: &Entity) -> Self {
        Self {
            id: Str::new(&entity.id),
            name: Str::new(&entity.name),
            country: Str::optional(entity.country.as_deref()),
            aliases: Str::new(entity.aliases.as_lines()),
            kind: entity.kind.code(),
            flags: if entity.speaks_for_country { SPEAKS_FOR_COUNTRY } else { 0 },
        }
    }
}

/// A flag of [`RawEntity`].
pub const SPEAKS_FOR_COUNTRY: u32 = 1;

/// How something sounds: `sp_sentiment`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawSentiment {
    /// From -1 to 1; NaN where nothing is said.
    pub score: f32,
    /// From 0 to 1.
    pub confidence: f32,
}

/// The record `sentiment`: `sp_sentiments`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawSentiments {
    /// Bytes in this struct.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Of the document as a whole.
    pub document: RawSentiment,
    /// One for each sentence.
    pub sentences: *const RawSentiment,
    /// How many.
    pub sentence_count: usize,
    /// One for each mention of an entity.
    pub mentions: *const RawSentiment,
    /// How many.
    pub mention_count: usize,
}

/// What a stage is told about a call: `sp_context`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawContext {
    /// Bytes in this struct.
    pub size: u32,
    /// Which attempt at the document it is, from 1.
    pub attempt: u32,
    /// The stage's id in the pipeline.
    pub stage: Str,
    /// A byte that turns from 0 to 1 when the result is no longer wanted; read it atomically.
    pub cancelled: *const u8,
}

/// What a stage is told when it is made: `sp_start`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RawStart {
    /// Bytes in this struct.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// The stage's id in the pipeline.
    pub stage: Str,
    /// The folder of the pipeline file, in the bytes of the file system.
    pub pipeline_dir: Str,
    /// The settings under `with:`, a JSON object.
    pub settings: Str,
}

/// The host's side of one call: where its writes and its error are kept. Opaque to plugins.
#[repr(C)]
#[derive(Debug)]
pub struct RawCall {
    _opaque: [u8; 0],
}

/// A waker of the host. Opaque to plugins.
#[repr(C)]
#[derive(Debug)]
pub struct RawWaker {
    _opaque: [u8; 0],
}

/// A stage that a plugin has made. Opaque to the host.
#[repr(C)]
#[derive(Debug)]
pub struct RawInstance {
    _opaque: [u8; 0],
}

/// A call that is not done. Opaque to the host.
#[repr(C)]
#[derive(Debug)]
pub struct RawFuture {
    _opaque: [u8; 0],
}

/// What the host offers to a plugin: `sp_host`. It stays for ever.
#[repr(C)]
#[derive(Debug)]
pub struct HostTable {
    /// Bytes in this table.
    pub size: u32,
    /// [`ABI_MAJOR`] of the host.
    pub abi_major: u32,
    /// [`ABI_MINOR`] of the host.
    pub abi_minor: u32,
    /// The most verbose level that anybody listens to: 0 none, 1 error .. 5 trace. It changes.
    pub max_level: AtomicU32,
    /// Logs an event; `fields` is a JSON object or absent.
    pub log: unsafe extern "C" fn(*const Self, level: u32, target: Str, message: Str, fields: Str),
    /// Writes a layer.
    pub set_layer: unsafe extern "C" fn(*mut RawCall, *const RawLayer) -> i32,
    /// Writes the record `entities`, `sentiment` or `stance`.
    pub set_record: unsafe extern "C" fn(*mut RawCall, name: Str, json: Str) -> i32,
    /// Writes an attribute.
    pub set_attribute: unsafe extern "C" fn(*mut RawCall, name: Str, json: Str) -> i32,
    /// Writes the language.
    pub set_language: unsafe extern "C" fn(*mut RawCall, code: Str) -> i32,
    /// Records that something was skipped.
    pub add_note: unsafe extern "C" fn(*mut RawCall, note: Str) -> i32,
    /// Says why the call fails; `kind` is a code of
    /// [`StageErrorKind`](standpoint_stage::StageErrorKind).
    pub set_error: unsafe extern "C" fn(*mut RawCall, kind: u32, message: Str),
    /// Makes a waker that the plugin owns, from one that it owns or was lent.
    pub waker_clone: unsafe extern "C" fn(*const RawWaker) -> *const RawWaker,
    /// Wakes with a waker that the plugin owns or was lent, and leaves it.
    pub waker_wake: unsafe extern "C" fn(*const RawWaker),
    /// Gives up a waker that the plugin owns.
    pub waker_drop: unsafe extern "C" fn(*const RawWaker),
}

/// What a host of ABI 1.1 offers: `sp_host` with the fields behind `waker_drop`.
#[repr(C)]
#[derive(Debug)]
pub struct HostTableV1_1 {
    /// What 1.0 had.
    pub base: HostTable,
    /// Writes the record `entities`, without JSON.
    pub set_entities: unsafe extern "C" fn(*mut RawCall, *const RawEntity, count: usize) -> i32,
    /// Writes the record `sentiment`, without JSON.
    pub set_sentiment: unsafe extern "C" fn(*mut RawCall, *const RawSentiments) -> i32,
}

/// Makes a stage.
pub type Create = unsafe extern "C" fn(
    *const HostTable,
    *mut RawCall,
    *const RawStart,
    *mut *mut RawInstance,
) -> i32;
/// Ends a stage.
pub type Destroy = unsafe extern "C" fn(*mut RawInstance) -> i32;
/// Works on one document.
pub type Process = unsafe extern "C" fn(
    *mut RawInstance,
    *mut RawCall,
    *const RawDocument,
    *const RawContext,
    *const RawWaker,
    *mut *mut RawFuture,
) -> i32;
/// Works on several documents; `results` receives a status for each.
pub type ProcessBatch = unsafe extern "C" fn(
    *mut RawInstance,
    count: usize,
    calls: *const *mut RawCall,
    documents: *const *const RawDocument,
    *const RawContext,
    results: *mut i32,
    *const RawWaker,
    *mut *mut RawFuture,
) -> i32;
/// Goes on with a call that was pending.
pub type Poll = unsafe extern "C" fn(*mut RawFuture, *const RawWaker) -> i32;
/// Ends a call's future, done or not; the host calls it once for each future it was given.
pub type DropFuture = unsafe extern "C" fn(*mut RawFuture) -> i32;

/// What a plugin exports under [`SYMBOL`]: `sp_plugin`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct PluginTable {
    /// Bytes in this table.
    pub size: u32,
    /// [`ABI_MAJOR`] that the plugin was built for.
    pub abi_major: u32,
    /// [`ABI_MINOR`] that the plugin was built with.
    pub abi_minor: u32,
    /// The lowest minor of a host that has all that the plugin calls.
    pub host_minor_required: u32,
    /// [`READS_TABLES`] or 0; bits may get a meaning that an older host may ignore.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
    /// The same JSON as in the section.
    pub manifest: Str,
    /// Required.
    pub create: Option<Create>,
    /// Required.
    pub destroy: Option<Destroy>,
    /// Required.
    pub process: Option<Process>,
    /// Null where the plugin takes one document at a time.
    pub process_batch: Option<ProcessBatch>,
    /// Null where no call is ever pending.
    pub poll: Option<Poll>,
    /// Null where no call is ever pending.
    pub drop_future: Option<DropFuture>,
}

/// A flag of [`PluginTable`]: the plugin reads entities where [`RawDocumentV1_1`] has them, and
/// needs no JSON of them from a host that lends them there.
pub const READS_TABLES: u32 = 1;

// SAFETY: the table is constant, and all that it points to is constant and lives for ever.
unsafe impl Sync for PluginTable {}
// SAFETY: as above.
unsafe impl Send for PluginTable {}

/// Sizes of the tables as they were in 1.0: the least that either side may offer.
pub mod v1_0 {
    use super::{HostTable, PluginTable, RawContext, RawDocument, RawStart};

    /// Of `sp_host`.
    pub const HOST_SIZE: u32 = size_of::<HostTable>() as u32;
    /// Of `sp_plugin`.
    pub const PLUGIN_SIZE: u32 = size_of::<PluginTable>() as u32;
    /// Of `sp_document`.
    pub const DOCUMENT_SIZE: u32 = size_of::<RawDocument>() as u32;
    /// Of `sp_context`.
    pub const CONTEXT_SIZE: u32 = size_of::<RawContext>() as u32;
    /// Of `sp_start`.
    pub const START_SIZE: u32 = size_of::<RawStart>() as u32;
}
