//! Runs a plugin's calls: one that waits is polled, and dropping it cancels it.

use std::future::poll_fn;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use standpoint_document::Document;
use standpoint_stage::{StageContext, StageError, StartContext};
use standpoint_wire::Writes;

use super::call::Call;
use super::lend::{LentContext, Lists, View};
use super::load::Loaded;
use super::room::{Parts, Room};
use super::table::lend_waker;
use crate::layout::{
    ERROR, OK, PANIC, PENDING, RawCall, RawDocument, RawFuture, RawInstance, RawStart, RawWaker,
    Str, v1_0,
};

/// A stage that a plugin has made, ended when nobody uses it any more.
#[derive(Debug)]
pub(super) struct Instance {
    plugin: Arc<Loaded>,
    raw: *mut RawInstance,
    /// Set by a panic in it: what it holds may be half changed.
    poisoned: AtomicBool,
}

// SAFETY: by the ABI's rule an instance is called from any thread, by several at once; a plugin
// that cannot says so in its manifest, and `HostedStage` keeps to that.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Instance {
    /// Has the plugin make a stage.
    pub(super) fn create(
        plugin: Arc<Loaded>,
        settings: &str,
        start: &StartContext,
    ) -> Result<Self, StageError> {
        let folder = start.pipeline_dir.as_os_str().as_encoded_bytes();
        let lent = RawStart {
            size: v1_0::START_SIZE,
            reserved: 0,
            stage: Str::new(&start.stage),
            pipeline_dir: Str { ptr: folder.as_ptr(), len: folder.len() },
            settings: Str::new(settings),
        };
        let mut writes = Writes::default();
        let mut call = Call::new("", &[], &mut writes);
        let mut raw = ptr::null_mut();
        // SAFETY: all that is lent outlives the call, and the table stays for ever.
        let status = unsafe {
            (plugin.functions.create)(
                plugin.host.table(),
                call.lend(),
                &raw const lent,
                &raw mut raw,
            )
        };
        match status {
            OK => Ok(Self { plugin, raw, poisoned: AtomicBool::new(false) }),
            _ => Err(call.into_error()),
        }
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// Works on one document.
    pub(super) async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let mut room = Room::take();
        {
            let Parts { lists, writes } = room.parts();
            let view = View::new(document, self.plugin.reads, self.plugin.reads_tables, lists)?;
            let context = LentContext::new(context);
            let mut call = Call::new(document.text(), self.plugin.writes, writes);
            let lent = Lent { call: call.lend(), document: view.raw() };
            let mut running = Running::new(self);
            let status = poll_fn(|task| {
                running.poll(task, |waker, future| {
                    // SAFETY: instance, call, view and context stay where they are until the
                    // call is over: they are this future's own, which does not move, and
                    // `running`, declared after them, ends the plugin's future before they go.
                    unsafe {
                        (self.plugin.functions.process)(
                            self.raw,
                            lent.call(),
                            lent.document(),
                            context.raw(),
                            waker,
                            future,
                        )
                    }
                })
            })
            .await;
            drop(running);
            finish(status, call)?;
        }
        room.parts().writes.commit(document)
    }
}

impl Instance {
    /// Works on several documents, or `None` where the plugin takes one at a time.
    pub(super) async fn process_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Option<Vec<Result<(), StageError>>> {
        let process_batch = self.plugin.functions.process_batch?;
        let mut lists: Vec<Lists> = documents.iter().map(|_| Lists::default()).collect();
        let mut writes: Vec<Writes> = documents.iter().map(|_| Writes::default()).collect();
        let mut outcomes = {
            let Loaded { reads, reads_tables, .. } = *self.plugin;
            let views: Result<Vec<_>, _> = documents
                .iter()
                .zip(&mut lists)
                .map(|(document, lists)| View::new(document, reads, reads_tables, lists))
                .collect();
            let views = match views {
                Ok(views) => views,
                Err(error) => return Some(vec![Err(error); documents.len()]),
            };
            let context = LentContext::new(context);
            let mut calls: Vec<Call<'_>> = documents
                .iter()
                .zip(&mut writes)
                .map(|(document, writes)| Call::new(document.text(), self.plugin.writes, writes))
                .collect();
            let mut results = vec![ERROR; documents.len()];
            let lent = LentBatch {
                calls: calls.iter_mut().map(Call::lend).collect(),
                documents: views.iter().map(View::raw).collect(),
                results: results.as_mut_ptr(),
            };
            let mut running = Running::new(self);
            let status = poll_fn(|task| {
                running.poll(task, |waker, future| {
                    // SAFETY: as in `process`; the arrays are not touched until the call is over.
                    unsafe {
                        process_batch(
                            self.raw,
                            lent.calls().len(),
                            lent.calls().as_ptr(),
                            lent.documents().as_ptr(),
                            context.raw(),
                            lent.results(),
                            waker,
                            future,
                        )
                    }
                })
            })
            .await;
            drop(running);
            let settle = |(result, call)| finish(if status == OK { result } else { status }, call);
            let mut outcomes: Vec<_> = results.into_iter().zip(calls).map(settle).collect();
            // Of a batch that failed as a whole, only the first call was told why.
            if let (true, Some(Err(error))) = (status != OK, outcomes.first()) {
                let error = error.clone();
                outcomes.fill(Err(error));
            }
            outcomes
        };
        for ((outcome, writes), document) in outcomes.iter_mut().zip(&mut writes).zip(documents) {
            if outcome.is_ok() {
                *outcome = writes.commit(document);
            }
        }
        Some(outcomes)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: made by `create`, given up here, once; no call is left, since each borrows it.
        // A panic in it has been logged by the plugin, and there is nothing left to save.
        let _ = unsafe { (self.plugin.functions.destroy)(self.raw) };
    }
}

/// What a call came to: that its writes may be committed, or why not.
fn finish(status: i32, call: Call<'_>) -> Result<(), StageError> {
    match status {
        OK => call.finish(),
        ERROR | PANIC => Err(call.into_error()),
        PENDING => Err(StageError::stage("it says that it waits, but gives nothing to poll")),
        other => Err(StageError::stage(format!("it returned {other}, which is no status"))),
    }
}

/// A call in progress. Dropping it ends the plugin's future, which cancels the call.
#[derive(Debug)]
struct Running<'i> {
    instance: &'i Instance,
    begun: bool,
    /// Null until the plugin gives one.
    future: *mut RawFuture,
}

// SAFETY: by the ABI's rule a future is polled and dropped from any thread, by one at a time.
unsafe impl Send for Running<'_> {}

impl<'i> Running<'i> {
    fn new(instance: &'i Instance) -> Self {
        Self { instance, begun: false, future: ptr::null_mut() }
    }

    /// Begins the call, or goes on with it; ready with its status.
    fn poll(
        &mut self,
        task: &Context<'_>,
        begin: impl FnOnce(*const RawWaker, *mut *mut RawFuture) -> i32,
    ) -> Poll<i32> {
        let plugin = &self.instance.plugin;
        let waker = lend_waker(task.waker());
        let status = if !self.begun {
            self.begun = true;
            plugin.host.refresh_level();
            begin(waker, &raw mut self.future)
        } else if let Some((poll, _)) = plugin.functions.wait {
            // SAFETY: given by the plugin, not ended yet; the waker is lent for this call.
            unsafe { poll(self.future, waker) }
        } else {
            PENDING
        };
        let can_go_on = plugin.functions.wait.is_some() && !self.future.is_null();
        match status {
            PENDING if can_go_on => Poll::Pending,
            PANIC => {
                self.instance.poisoned.store(true, Ordering::Release);
                Poll::Ready(PANIC)
            }
            other => Poll::Ready(other),
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Some((_, drop_future)) = self.instance.plugin.functions.wait else { return };
        if self.future.is_null() {
            return;
        }
        // SAFETY: given by the plugin, ended here, once.
        if unsafe { drop_future(self.future) } == PANIC {
            self.instance.poisoned.store(true, Ordering::Release);
        }
    }
}

/// What a call lends, held over its waits.
#[derive(Debug, Clone, Copy)]
struct Lent {
    call: *mut RawCall,
    document: *const RawDocument,
}

// SAFETY: pointers to a call and a view, both of which may be used from any thread.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

impl Lent {
    // Functions, so that closures capture the whole, which is `Send`, and not its fields.
    fn call(&self) -> *mut RawCall {
        self.call
    }

    fn document(&self) -> *const RawDocument {
        self.document
    }
}

/// What a batch lends, held over its waits.
#[derive(Debug)]
struct LentBatch {
    calls: Vec<*mut RawCall>,
    documents: Vec<*const RawDocument>,
    results: *mut i32,
}

// SAFETY: as for `Lent`.
unsafe impl Send for LentBatch {}
// SAFETY: as for `Lent`.
unsafe impl Sync for LentBatch {}

impl LentBatch {
    fn calls(&self) -> &[*mut RawCall] {
        &self.calls
    }

    fn documents(&self) -> &[*const RawDocument] {
        &self.documents
    }

    fn results(&self) -> *mut i32 {
        self.results
    }
}
