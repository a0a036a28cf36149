//! The host as the plugin sees it: safe calls into its table.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::task::{RawWaker as StdRawWaker, RawWakerVTable, Waker};

use standpoint_document::{Document, Entity, Layer, Sentiment, SentimentRecord, layers};
use standpoint_stage::{StageError, StageErrorKind};

use crate::layout::{
    HostTable, HostTableV1_1, OK, RawCall, RawEntity, RawLayer, RawSentiment, RawSentiments,
    RawWaker, Str, v1_0,
};

/// The host that made the first stage. Wakers and log events find it here.
static HOST: AtomicPtr<HostTable> = AtomicPtr::new(std::ptr::null_mut());

/// The host's table, which stays for ever.
pub(super) fn host() -> Option<&'static HostTable> {
    // SAFETY: `greet` stored nothing but null or a table that the host keeps for ever.
    unsafe { HOST.load(Ordering::Acquire).as_ref() }
}

/// The same as the host lent it, to be handed back: behind the table lies what the host keeps for
/// this plugin, which a reference to the table must not reach.
pub(super) fn lent_host() -> *const HostTable {
    HOST.load(Ordering::Acquire)
}

/// A host's table, and what it has grown by where it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host {
    table: &'static HostTable,
    grown: Option<&'static HostTableV1_1>,
}

/// Remembers the host; `None` for one that offers less than this plugin calls.
///
/// # Safety
///
/// `table` points to a host's table that stays for ever.
pub(super) unsafe fn greet(table: *const HostTable) -> Option<Host> {
    // SAFETY: `size` has been the first field since 1.0, and the table stays.
    let size = unsafe { (&raw const (*table).size).read() };
    if size < v1_0::HOST_SIZE {
        return None;
    }
    let _ = HOST.compare_exchange(
        std::ptr::null_mut(),
        table.cast_mut(),
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    // SAFETY: as large as 1.0, as just checked.
    let base = unsafe { table.as_ref() }?;
    let has_grown = size as usize >= size_of::<HostTableV1_1>();
    // SAFETY: as large as 1.1, as just checked.
    let grown = has_grown.then(|| unsafe { &*table.cast::<HostTableV1_1>() });
    Some(Host { table: base, grown })
}

/// One call: where the host takes what the stage writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    host: Host,
    raw: *mut RawCall,
}

// SAFETY: the host allows a call to be used from any thread, by one at a time, and a `Call` stays
// inside the future or the entry function that the host runs on one thread at a time.
unsafe impl Send for Call {}
// SAFETY: as above; nothing keeps a `Call` outside of them.
unsafe impl Sync for Call {}

/// The host refused a write and remembers why.
#[derive(Debug)]
pub(super) struct Refused;

impl Call {
    /// # Safety
    ///
    /// `raw` is a call of `host` and is used no longer than the call lasts.
    pub(super) unsafe fn new(host: Host, raw: *mut RawCall) -> Self {
        Self { host, raw }
    }

    /// Says why the call fails.
    pub(super) fn fail(self, error: &StageError) {
        self.fail_with(error.kind(), error.message());
    }

    /// Says why the call fails.
    pub(super) fn fail_with(self, kind: StageErrorKind, message: &str) {
        // SAFETY: the call is valid by `new`; the text is borrowed for the call only.
        unsafe { (self.host.table.set_error)(self.raw, kind as u32, Str::new(message)) }
    }

    /// Hands the host all that a stage has written to its view of the document.
    pub(super) fn hand_over(self, document: &Document<'_>) -> Result<(), Refused> {
        for name in document.written() {
            if let Some(layer) = document.layer(name) {
                self.set_layer(name, layer)?;
            }
            if let Some(value) = document.attribute(name) {
                self.set_json(self.host.table.set_attribute, name, value)?;
            }
            match name {
                layers::ENTITIES => self.set_entities(document.entities())?,
                layers::SENTIMENT => self.set_sentiment(document.sentiment())?,
                layers::STANCE => {
                    self.set_json(self.host.table.set_record, name, document.stance())?;
                }
                layers::LANGUAGE => {
                    let code = Str::new(document.language().unwrap_or_default());
                    // SAFETY: as in `fail_with`.
                    check(unsafe { (self.host.table.set_language)(self.raw, code) })?;
                }
                _ => {}
            }
        }
        for note in document.notes() {
            // SAFETY: as in `fail_with`.
            check(unsafe { (self.host.table.add_note)(self.raw, Str::new(note)) })?;
        }
        Ok(())
    }

    fn set_layer(self, name: &str, layer: &Layer<'_>) -> Result<(), Refused> {
        let labels: Vec<Str> = layer.labels.iter().map(|label| Str::new(label)).collect();
        let vectors = layer.vectors.as_ref();
        let raw = RawLayer {
            name: Str::new(name),
            annotations: layer.annotations.as_ptr(),
            annotation_count: layer.annotations.len(),
            labels: labels.as_ptr(),
            label_count: labels.len(),
            vectors: vectors.map_or(std::ptr::null(), |vectors| vectors.values.as_ptr()),
            vector_width: vectors.map_or(0, |vectors| vectors.width),
            reserved: 0,
        };
        // SAFETY: the call is valid by `new`; what `raw` points to outlives this statement.
        check(unsafe { (self.host.table.set_layer)(self.raw, &raw const raw) })
    }

    fn set_entities(self, entities: &[Entity]) -> Result<(), Refused> {
        let Some(host) = self.host.grown else {
            return self.set_json(self.host.table.set_record, layers::ENTITIES, entities);
        };
        let raw: Vec<RawEntity> = entities.iter().map(RawEntity::new).collect();
        // SAFETY: the call is valid by `new`; what `raw` points to outlives this statement.
        check(unsafe { (host.set_entities)(self.raw, raw.as_ptr(), raw.len()) })
    }

    fn set_sentiment(self, record: Option<&SentimentRecord>) -> Result<(), Refused> {
        let (Some(host), Some(record)) = (self.host.grown, record) else {
            return self.set_json(self.host.table.set_record, layers::SENTIMENT, &record);
        };
        let lend = |sentiment: &Option<Sentiment>| match sentiment {
            Some(Sentiment { score, confidence }) => {
                RawSentiment { score: score.get(), confidence: confidence.get() }
            }
            None => RawSentiment { score: f32::NAN, confidence: 0.0 },
        };
        let sentences: Vec<RawSentiment> = record.sentences.iter().map(lend).collect();
        let mentions: Vec<RawSentiment> = record.mentions.iter().map(lend).collect();
        let raw = RawSentiments {
            size: size_of::<RawSentiments>() as u32,
            reserved: 0,
            document: lend(&record.document),
            sentences: sentences.as_ptr(),
            sentence_count: sentences.len(),
            mentions: mentions.as_ptr(),
            mention_count: mentions.len(),
        };
        // SAFETY: the call is valid by `new`; what `raw` points to outlives this statement.
        check(unsafe { (host.set_sentiment)(self.raw, &raw const raw) })
    }

    fn set_json<T: serde::Serialize + ?Sized>(
        self,
        set: unsafe extern "C" fn(*mut RawCall, Str, Str) -> i32,
        name: &str,
        value: &T,
    ) -> Result<(), Refused> {
        match serde_json::to_string(value) {
            // SAFETY: as in `fail_with`.
            Ok(json) => check(unsafe { set(self.raw, Str::new(name), Str::new(&json)) }),
            Err(error) => {
                let message = format!("`{name}` cannot be written as JSON: {error}");
                self.fail_with(StageErrorKind::Stage, &message);
                Err(Refused)
            }
        }
    }
}

fn check(status: i32) -> Result<(), Refused> {
    if status == OK { Ok(()) } else { Err(Refused) }
}

/// A waker lent by the host for one poll. The stage that clones it gets one of its own.
#[derive(Debug)]
pub(super) struct BorrowedWaker(ManuallyDrop<Waker>);

impl BorrowedWaker {
    /// # Safety
    ///
    /// `waker` is a waker of [`host`] and stays for as long as this value.
    pub(super) unsafe fn new(waker: *const RawWaker) -> Self {
        // SAFETY: the functions of `VTABLE` keep the promises of a waker as the host's do.
        Self(ManuallyDrop::new(unsafe { Waker::from_raw(std_waker(waker)) }))
    }

    pub(super) fn get(&self) -> &Waker {
        &self.0
    }
}

fn std_waker(waker: *const RawWaker) -> StdRawWaker {
    StdRawWaker::new(waker.cast(), &VTABLE)
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone_waker, wake, wake_by_ref, drop_waker);

unsafe fn clone_waker(waker: *const ()) -> StdRawWaker {
    match host() {
        // SAFETY: `waker` is one of the host's, by `BorrowedWaker::new` or by the host's clone.
        Some(host) => std_waker(unsafe { (host.waker_clone)(waker.cast()) }),
        None => std_waker(waker.cast()),
    }
}

unsafe fn wake(waker: *const ()) {
    // SAFETY: consuming means waking, then giving up; the caller owns the waker.
    unsafe {
        wake_by_ref(waker);
        drop_waker(waker);
    }
}

unsafe fn wake_by_ref(waker: *const ()) {
    if let Some(host) = host() {
        // SAFETY: as in `clone_waker`.
        unsafe { (host.waker_wake)(waker.cast()) }
    }
}

unsafe fn drop_waker(waker: *const ()) {
    if let Some(host) = host() {
        // SAFETY: as in `clone_waker`, and the caller owns the waker.
        unsafe { (host.waker_drop)(waker.cast()) }
    }
}
