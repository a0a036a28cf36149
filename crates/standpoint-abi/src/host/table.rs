//! The functions that the host lends to a plugin.
//!
//! A plugin may pass anything to them. They check what can be checked, and refuse the rest in
//! words; pointers of the right shape that point nowhere are beyond any check.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

use standpoint_document::{
    Aliases, Annotation, Confidence, Entity, EntityKind, Polarity, Sentiment, SentimentRecord,
    layers,
};
use standpoint_stage::{StageError, StageErrorKind};
use tracing::level_filters::LevelFilter;

use super::call::{Call, LentLayer};
use super::log::EventSites;
use crate::layout::{
    ABI_MAJOR, ABI_MINOR, ERROR, HostTable, HostTableV1_1, OK, RawCall, RawEntity, RawLayer,
    RawSentiment, RawSentiments, RawWaker, SPEAKS_FOR_COUNTRY, Str, slice,
};

/// The host as one plugin sees it, with what the host keeps for that plugin. Never freed.
#[repr(C)]
#[derive(Debug)]
pub(super) struct PluginHost {
    /// First, so that a pointer to the table is a pointer to this.
    table: HostTableV1_1,
    sites: EventSites,
}

impl PluginHost {
    /// The host for a plugin of this name, always the same one: a library that is loaded twice is
    /// one library, which remembers one host.
    pub(super) fn of(plugin: &str) -> &'static Self {
        static HOSTS: Mutex<BTreeMap<String, &'static PluginHost>> = Mutex::new(BTreeMap::new());
        let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.entry(plugin.to_owned()).or_insert_with(|| Box::leak(Box::new(Self::new(plugin))))
    }

    fn new(plugin: &str) -> Self {
        let base = HostTable {
            size: size_of::<HostTableV1_1>() as u32,
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            max_level: AtomicU32::new(0),
            log,
            set_layer,
            set_record,
            set_attribute,
            set_language,
            add_note,
            set_error,
            waker_clone,
            waker_wake,
            waker_drop,
        };
        let table = HostTableV1_1 { base, set_entities, set_sentiment };
        Self { table, sites: EventSites::new(plugin) }
    }

    /// The table to lend.
    pub(super) fn table(&self) -> *const HostTable {
        self.refresh_level();
        std::ptr::from_ref(self).cast()
    }

    /// Tells the plugin to which level the host listens at this moment.
    pub(super) fn refresh_level(&self) {
        let level = match LevelFilter::current().into_level() {
            None => 0,
            Some(tracing::Level::ERROR) => 1,
            Some(tracing::Level::WARN) => 2,
            Some(tracing::Level::INFO) => 3,
            Some(tracing::Level::DEBUG) => 4,
            Some(tracing::Level::TRACE) => 5,
        };
        // Written only when it differs: all workers read it all the time.
        let listened = &self.table.base.max_level;
        if listened.load(Ordering::Relaxed) != level {
            listened.store(level, Ordering::Relaxed);
        }
    }
}

/// A plugin's pointer to a waker of ours; it stays ours to read.
pub(super) fn lend_waker(waker: &Waker) -> *const RawWaker {
    std::ptr::from_ref(waker).cast()
}

unsafe extern "C" fn log(
    host: *const HostTable,
    level: u32,
    target: Str,
    message: Str,
    fields: Str,
) {
    let emit = || {
        // SAFETY: the plugin hands back the table that it was lent, which begins a `PluginHost`,
        // and texts that stay for this function.
        let (host, target, message, fields) = unsafe {
            let Some(host) = host.cast::<PluginHost>().as_ref() else { return };
            (host, target.bytes(), message.bytes(), fields.bytes())
        };
        let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
        let (target, message, fields) = (text(target), text(message), text(fields));
        let (target, message) = (target.unwrap_or_default(), message.unwrap_or_default());
        host.sites.emit(level, &target, &message, fields.as_deref());
    };
    // A listener of the host that panics must not unwind into the plugin.
    let _ = panic::catch_unwind(AssertUnwindSafe(emit));
}

unsafe extern "C" fn set_layer(call: *mut RawCall, layer: *const RawLayer) -> i32 {
    // SAFETY: the layer and its arrays stay for this function, by the ABI's rule.
    unsafe {
        with_call(call, |call| {
            let layer = layer.as_ref().ok_or_else(|| malformed("layer"))?;
            let name = layer.name.bytes().unwrap_or_default();
            let problem = |what| malformed(&format!("{what} of a layer"));
            let annotations: &[Annotation] =
                slice(layer.annotations, layer.annotation_count).ok_or_else(|| problem("spans"))?;
            let labels = slice(layer.labels, layer.label_count).ok_or_else(|| problem("labels"))?;
            let labels = labels.iter().map(|label| text(*label));
            let count = annotations.len().checked_mul(layer.vector_width as usize);
            let vectors = count.and_then(|count| slice(layer.vectors, count));
            let vectors = vectors.ok_or_else(|| problem("vectors"))?;
            call.set_layer(LentLayer {
                name,
                annotations,
                labels: labels.collect::<Result<_, _>>()?,
                vector_width: layer.vector_width,
                vectors,
            })
        })
    }
}

unsafe extern "C" fn set_record(call: *mut RawCall, name: Str, json: Str) -> i32 {
    // SAFETY: the texts stay for this function, by the ABI's rule.
    unsafe { with_call(call, |call| call.set_record(text(name)?, text(json)?)) }
}

unsafe extern "C" fn set_entities(
    call: *mut RawCall,
    entities: *const RawEntity,
    count: usize,
) -> i32 {
    // SAFETY: the entities and their texts stay for this function, by the ABI's rule.
    unsafe {
        with_call(call, |call| {
            let entities = slice(entities, count).ok_or_else(|| malformed("entities"))?;
            call.set_entities(entities.iter().map(|raw| entity(raw)).collect::<Result<_, _>>()?)
        })
    }
}

/// # Safety
///
/// The entity's texts stay readable and unchanged for this function.
unsafe fn entity(raw: &RawEntity) -> Result<Entity, StageError> {
    // SAFETY: this function's own condition.
    let text = |raw: Str| unsafe { text(raw) };
    let kind = EntityKind::from_code(raw.kind).ok_or_else(|| {
        let (kind, name) = (raw.kind, layers::ENTITIES);
        StageError::stage(format!(
            "what it writes as `{name}` is wrong: no kind has the code {kind}"
        ))
    })?;
    let country =
        if raw.country.ptr.is_null() { None } else { Some(text(raw.country)?.to_owned()) };
    Ok(Entity {
        id: text(raw.id)?.to_owned(),
        name: text(raw.name)?.to_owned(),
        kind,
        country,
        speaks_for_country: raw.flags & SPEAKS_FOR_COUNTRY != 0,
        aliases: Aliases::from_lines(text(raw.aliases)?),
    })
}

unsafe extern "C" fn set_sentiment(call: *mut RawCall, record: *const RawSentiments) -> i32 {
    // SAFETY: the record and its arrays stay for this function, by the ABI's rule; `size` comes
    // first in every version.
    unsafe {
        with_call(call, |call| {
            let unreadable = || malformed("sentiment");
            if record.is_null()
                || !record.is_aligned()
                || ((&raw const (*record).size).read() as usize) < size_of::<RawSentiments>()
            {
                return Err(unreadable());
            }
            let record = &*record;
            let rows = |first, count| {
                let rows: &[RawSentiment] = slice(first, count).ok_or_else(unreadable)?;
                rows.iter().copied().map(sentiment).collect::<Result<Vec<_>, _>>()
            };
            call.set_sentiment(SentimentRecord {
                document: sentiment(record.document)?,
                sentences: rows(record.sentences, record.sentence_count)?,
                mentions: rows(record.mentions, record.mention_count)?,
            })
        })
    }
}

fn sentiment(raw: RawSentiment) -> Result<Option<Sentiment>, StageError> {
    if raw.score.is_nan() {
        return Ok(None);
    }
    match (Polarity::new(raw.score), Confidence::new(raw.confidence)) {
        (Some(score), Some(confidence)) => Ok(Some(Sentiment { score, confidence })),
        _ => Err(StageError::stage(format!(
            "what it writes as `{}` is wrong: {} is no score from -1 to 1, or {} no confidence \
             from 0 to 1",
            layers::SENTIMENT,
            raw.score,
            raw.confidence
        ))),
    }
}

unsafe extern "C" fn set_attribute(call: *mut RawCall, name: Str, json: Str) -> i32 {
    // SAFETY: as in `set_record`.
    unsafe { with_call(call, |call| call.set_attribute(text(name)?, text(json)?)) }
}

unsafe extern "C" fn set_language(call: *mut RawCall, code: Str) -> i32 {
    // SAFETY: as in `set_record`.
    unsafe { with_call(call, |call| call.set_language(text(code)?)) }
}

unsafe extern "C" fn add_note(call: *mut RawCall, note: Str) -> i32 {
    // SAFETY: as in `set_record`.
    unsafe {
        with_call(call, |call| {
            call.add_note(text(note)?);
            Ok(())
        })
    }
}

unsafe extern "C" fn set_error(call: *mut RawCall, kind: u32, message: Str) {
    // SAFETY: as in `set_record`.
    unsafe {
        with_call(call, |call| {
            let message = message.bytes().map(String::from_utf8_lossy).unwrap_or_default();
            call.set_error(StageErrorKind::from_code(kind), &message);
            Ok(())
        });
    }
}

/// Runs a write; a refusal is kept in the call and fails it.
///
/// # Safety
///
/// `call` is one that the host lent for a call that lasts still, used by one thread at a time.
unsafe fn with_call<'d>(
    call: *mut RawCall,
    write: impl FnOnce(&mut Call<'d>) -> Result<(), StageError>,
) -> i32 {
    // SAFETY: this function's own condition; `Call::lend` made the pointer.
    let Some(call) = (unsafe { call.cast::<Call<'d>>().as_mut() }) else { return ERROR };
    let result = panic::catch_unwind(AssertUnwindSafe(|| write(call)));
    match result {
        Ok(Ok(())) => OK,
        Ok(Err(error)) => {
            call.refuse(error);
            ERROR
        }
        Err(_) => {
            call.refuse(StageError::stage("the host could not take what the stage wrote"));
            ERROR
        }
    }
}

/// # Safety
///
/// The text's bytes, if any, stay readable and unchanged for `'a`.
unsafe fn text<'a>(raw: Str) -> Result<&'a str, StageError> {
    // SAFETY: this function's own condition.
    let bytes = unsafe { raw.bytes() }.unwrap_or_default();
    str::from_utf8(bytes).map_err(|_| {
        let bytes = String::from_utf8_lossy(bytes);
        let beginning: String = bytes.chars().take(20).collect();
        StageError::stage(format!("it passes a text that is not UTF-8, such as {beginning:?}"))
    })
}

fn malformed(what: &str) -> StageError {
    StageError::stage(format!("the {what} cannot be read: a null or misaligned pointer"))
}

unsafe extern "C" fn waker_clone(waker: *const RawWaker) -> *const RawWaker {
    let clone = |waker: &Waker| Box::into_raw(Box::new(waker.clone())).cast_const().cast();
    // SAFETY: one that `lend_waker` lent or this function made, or null.
    unsafe { with_waker(waker, clone) }.unwrap_or(ptr::null())
}

unsafe extern "C" fn waker_wake(waker: *const RawWaker) {
    // SAFETY: as in `waker_clone`.
    unsafe { with_waker(waker, Waker::wake_by_ref) };
}

unsafe extern "C" fn waker_drop(waker: *const RawWaker) {
    if waker.is_null() {
        return;
    }
    // SAFETY: made by `waker_clone` and given up here, once, by the ABI's rule.
    let waker = unsafe { Box::from_raw(waker.cast_mut().cast::<Waker>()) };
    // The last waker may take a task with it, and that whatever it holds.
    let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(waker)));
}

/// Uses a waker; `None` where there is none, or its executor panicked.
///
/// # Safety
///
/// `waker` is null, or one that `lend_waker` lent or `waker_clone` made and nobody has given up.
unsafe fn with_waker<T>(waker: *const RawWaker, act: impl FnOnce(&Waker) -> T) -> Option<T> {
    // SAFETY: this function's own condition.
    let waker = unsafe { waker.cast::<Waker>().as_ref() }?;
    panic::catch_unwind(AssertUnwindSafe(|| act(waker))).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    /// Panics whenever it is used or lost.
    struct Touchy;

    impl Wake for Touchy {
        fn wake(self: Arc<Self>) {
            panic!("woken");
        }
    }

    impl Drop for Touchy {
        fn drop(&mut self) {
            panic!("lost");
        }
    }

    #[test]
    fn a_waker_that_panics_or_is_missing_ends_nothing() {
        let waker = Waker::from(Arc::new(Touchy));
        let raw = ptr::from_ref(&waker).cast();
        // SAFETY: the waker lives; its clone is given up once; null is allowed.
        unsafe {
            waker_wake(raw);
            let clone = waker_clone(raw);
            assert!(!clone.is_null());
            drop(waker);
            waker_wake(clone);
            waker_drop(clone);
            assert!(waker_clone(ptr::null()).is_null());
            waker_wake(ptr::null());
            waker_drop(ptr::null());
        }
    }
}

#[cfg(test)]
mod fuzz;
