//! The functions behind a plugin's table. Each catches panics; none trusts more than the ABI
//! promises.

use std::ffi::OsStr;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use standpoint_document::Document;
use standpoint_stage::{StageContext, StageDefinition, StageError, StageErrorKind, StartContext};

use super::guard::catch;
use super::host::{BorrowedWaker, Call, Host, greet, host};
use super::{log, view};
use crate::layout::{
    ERROR, HostTable, OK, PANIC, PENDING, RawCall, RawContext, RawDocument, RawFuture, RawInstance,
    RawStart, RawWaker, slice, v1_0,
};

/// A stage and the host that it was made for.
struct Instance<S> {
    stage: S,
    host: Host,
}

/// A call that waits, with what is told to its host if it panics.
struct Waiting {
    future: Pin<Box<dyn Future<Output = i32> + Send>>,
    first: Option<Call>,
}

pub(super) unsafe extern "C" fn create<S: StageDefinition>(
    table: *const HostTable,
    call: *mut RawCall,
    start: *const RawStart,
    instance: *mut *mut RawInstance,
) -> i32 {
    // SAFETY: the host's table stays for ever.
    let Some(host) = (unsafe { greet(table) }) else { return ERROR };
    // SAFETY: the host lends the call for this function.
    let call = unsafe { Call::new(host, call) };
    report(Some(call), || {
        log::install();
        // SAFETY: the host lends `start` for this function.
        match unsafe { start_stage::<S>(start) } {
            Ok(stage) => {
                let made = Box::into_raw(Box::new(Instance { stage, host }));
                // SAFETY: the host's place for the instance.
                unsafe { instance.write(made.cast()) };
                OK
            }
            Err(error) => {
                call.fail(&error);
                ERROR
            }
        }
    })
}

/// # Safety
///
/// `start` points to the host's [`RawStart`], whose texts are UTF-8 but for the folder.
unsafe fn start_stage<S: StageDefinition>(start: *const RawStart) -> Result<S, StageError> {
    // SAFETY: `size` comes first in every version.
    if unsafe { (&raw const (*start).size).read() } < v1_0::START_SIZE {
        return Err(StageError::stage("the host says too little to start a stage"));
    }
    // SAFETY: this function's own condition.
    let (stage, folder, settings) = unsafe {
        let start = &*start;
        let folder = start.pipeline_dir.bytes().unwrap_or_default();
        (view::optional(start.stage), folder, view::optional(start.settings))
    };
    let settings = serde_json::from_str(settings.unwrap_or("{}"))
        .map_err(|error| StageError::stage(format!("settings of `{}`: {error}", S::NAME)))?;
    let context = StartContext {
        stage: stage.unwrap_or(S::NAME).to_owned(),
        pipeline_dir: folder_from(folder),
    };
    S::start(settings, &context)
}

#[cfg(unix)]
fn folder_from(bytes: &[u8]) -> PathBuf {
    PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

#[cfg(not(unix))]
fn folder_from(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

pub(super) unsafe extern "C" fn destroy<S: StageDefinition>(instance: *mut RawInstance) -> i32 {
    // SAFETY: made by `create::<S>` and given up here, once, by the ABI's rule.
    report(None, || {
        drop(unsafe { Box::from_raw(instance.cast::<Instance<S>>()) });
        OK
    })
}

pub(super) unsafe extern "C" fn process<S: StageDefinition>(
    instance: *mut RawInstance,
    call: *mut RawCall,
    document: *const RawDocument,
    context: *const RawContext,
    waker: *const RawWaker,
    future: *mut *mut RawFuture,
) -> i32 {
    // SAFETY: made by `create::<S>`, and outlives every call by the ABI's rule.
    let instance: &Instance<S> = unsafe { &*instance.cast() };
    // SAFETY: the host lends the call until it is over.
    let call = unsafe { Call::new(instance.host, call) };
    let lent = Lent { document, context };
    report(Some(call), || {
        // The view is made inside the future, so that it need not be moved there.
        let work = async move {
            // SAFETY: the host lends document and context until the call is over, and drops the
            // future, which alone keeps them, before that.
            let (lent, context) = match unsafe { (lent.document(), lent.context()) } {
                (Ok(lent), Ok(context)) => (lent, context),
                (Err(error), _) | (_, Err(error)) => return settle(call, None, Err(error)),
            };
            let mut document = view::View::new(&lent);
            if let Err(error) = lent.annotate(&mut document, S::CONTRACT.reads) {
                return settle(call, None, Err(error));
            }
            let result = instance.stage.process(&mut document, &context).await;
            settle(call, Some(&document), result)
        };
        // SAFETY: lent by the host for this function.
        unsafe { begin(Box::pin(work), call, waker, future) }
    })
}

/// What the host lends for a call.
#[derive(Clone, Copy)]
struct Lent {
    document: *const RawDocument,
    context: *const RawContext,
}

// SAFETY: used only inside the future, which the host runs on one thread at a time.
unsafe impl Send for Lent {}

impl Lent {
    /// # Safety
    ///
    /// As for [`view::lent`].
    #[inline]
    unsafe fn document<'a>(self) -> Result<view::LentDocument<'a>, StageError> {
        // SAFETY: this function's own condition.
        unsafe { view::lent(self.document) }
    }

    /// # Safety
    ///
    /// As for [`view::context`].
    #[inline]
    unsafe fn context<'a>(self) -> Result<StageContext<'a>, StageError> {
        // SAFETY: this function's own condition.
        unsafe { view::context(self.context) }
    }
}

pub(super) unsafe extern "C" fn process_batch<S: StageDefinition>(
    instance: *mut RawInstance,
    count: usize,
    calls: *const *mut RawCall,
    documents: *const *const RawDocument,
    context: *const RawContext,
    results: *mut i32,
    waker: *const RawWaker,
    future: *mut *mut RawFuture,
) -> i32 {
    if count == 0 {
        return OK;
    }
    // SAFETY: as in `process`, for each of `count` calls and documents.
    let (instance, calls, documents) = unsafe {
        let instance: &Instance<S> = &*instance.cast();
        (instance, slice(calls, count), slice(documents, count))
    };
    let (Some(calls), Some(documents)) = (calls, documents) else { return ERROR };
    // SAFETY: as in `process`.
    let calls: Vec<Call> =
        calls.iter().map(|&call| unsafe { Call::new(instance.host, call) }).collect();
    let first = calls[0];
    report(Some(first), || {
        let lent: Vec<Lent> =
            documents.iter().map(|&document| Lent { document, context }).collect();
        let results = Results(results);
        let work = async move {
            // SAFETY: as in `process`.
            let lent = unsafe {
                let documents = lent.iter().map(|lent| lent.document());
                documents
                    .collect::<Result<Vec<_>, _>>()
                    .and_then(|documents| Ok((documents, lent[0].context()?)))
            };
            let (lent, context) = match lent {
                Ok(lent) => lent,
                Err(error) => return settle(first, None, Err(error)),
            };
            let views = lent.iter().map(|lent| {
                let mut view = lent.view();
                lent.annotate(&mut view, S::CONTRACT.reads).map(|()| view)
            });
            let mut documents = match views.collect::<Result<Vec<_>, _>>() {
                Ok(documents) => documents,
                Err(error) => return settle(first, None, Err(error)),
            };
            let outcomes = instance.stage.process_batch(&mut documents, &context).await;
            if outcomes.len() != calls.len() {
                let (found, expected) = (outcomes.len(), calls.len());
                first.fail_with(
                    StageErrorKind::Stage,
                    &format!("process_batch returned {found} results for {expected} documents"),
                );
                return ERROR;
            }
            for (index, outcome) in outcomes.into_iter().enumerate() {
                let status = settle(calls[index], Some(&documents[index]), outcome);
                // SAFETY: the host lends room for `count` results until the call is over.
                unsafe { results.write(index, status) };
            }
            OK
        };
        // SAFETY: lent by the host for this function.
        unsafe { begin(Box::pin(work), first, waker, future) }
    })
}

/// The host's room for a batch's results.
struct Results(*mut i32);

// SAFETY: used only inside the future, which the host runs on one thread at a time.
unsafe impl Send for Results {}

impl Results {
    /// # Safety
    ///
    /// The room has more than `index` places and is lent still.
    unsafe fn write(&self, index: usize, status: i32) {
        // SAFETY: this function's own condition.
        unsafe { self.0.add(index).write(status) }
    }
}

/// Tells the host how a stage did on a document, and what it wrote.
#[inline]
fn settle(call: Call, document: Option<&Document<'_>>, result: Result<(), StageError>) -> i32 {
    match result {
        Ok(()) if document.is_none_or(|document| call.hand_over(document).is_ok()) => OK,
        Ok(()) => ERROR,
        Err(error) => {
            call.fail(&error);
            ERROR
        }
    }
}

/// Polls a call once, and keeps it for the host where it has to wait.
///
/// # Safety
///
/// `waker` is the host's for this function, and `place` its place for the future.
#[inline]
unsafe fn begin<'a>(
    mut future: Pin<Box<dyn Future<Output = i32> + Send + 'a>>,
    first: Call,
    waker: *const RawWaker,
    place: *mut *mut RawFuture,
) -> i32 {
    // SAFETY: this function's own condition.
    let waker = unsafe { BorrowedWaker::new(waker) };
    match future.as_mut().poll(&mut Context::from_waker(waker.get())) {
        Poll::Ready(status) => status,
        Poll::Pending => {
            // SAFETY: the host drops the future before it ends what it lent for 'a: the lifetime
            // is the host's to keep from here on.
            let future = unsafe {
                std::mem::transmute::<
                    Pin<Box<dyn Future<Output = i32> + Send + 'a>>,
                    Pin<Box<dyn Future<Output = i32> + Send + 'static>>,
                >(future)
            };
            let waiting = Box::new(Waiting { future, first: Some(first) });
            // SAFETY: this function's own condition.
            unsafe { place.write(Box::into_raw(waiting).cast()) };
            PENDING
        }
    }
}

pub(super) unsafe extern "C" fn poll(future: *mut RawFuture, waker: *const RawWaker) -> i32 {
    // SAFETY: made by `begin`, polled by one thread at a time.
    let waiting: &mut Waiting = unsafe { &mut *future.cast() };
    report(waiting.first, || {
        // SAFETY: the host's for this function.
        let waker = unsafe { BorrowedWaker::new(waker) };
        match waiting.future.as_mut().poll(&mut Context::from_waker(waker.get())) {
            Poll::Ready(status) => status,
            Poll::Pending => PENDING,
        }
    })
}

pub(super) unsafe extern "C" fn drop_future(future: *mut RawFuture) -> i32 {
    report(None, || {
        // SAFETY: made by `begin` and given up here, once, by the ABI's rule.
        drop(unsafe { Box::from_raw(future.cast::<Waiting>()) });
        OK
    })
}

/// Runs an entry; a panic goes to the call as its error or, where there is none, to the log.
fn report(call: Option<Call>, entry: impl FnOnce() -> i32) -> i32 {
    catch(entry).unwrap_or_else(|message| {
        match call {
            Some(call) => call.fail_with(StageErrorKind::Stage, &message),
            None => {
                if let Some(host) = host() {
                    log::error(host, &message);
                }
            }
        }
        PANIC
    })
}
