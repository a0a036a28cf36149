//! A stage as a WebAssembly module: what `export_stage!` expands to where that is the target.
//!
//! A module has one thread and one stage. The host writes into a buffer of ours and reads its
//! answer where we leave it; see the crate `standpoint-wasm` for what either side may expect.

mod log;
mod memory;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use serde::Deserialize;
use serde_json::Value;
use standpoint_stage::{Contract, Stage, StageContext, StageDefinition, StageError, StartContext};
use standpoint_wire::{Form, LentDocument, append_reply};

use memory::Buffer;

/// What stands before an answer: that it is a reply.
const REPLY: u32 = 0;

/// What stands before an answer: that it says why there is none.
const FAILURE: u32 = 1;

/// The version of documents in their binary form, which a module says that it takes.
const DOCUMENTS: u32 = 2;

static MODULE: Mutex<Module> = Mutex::new(Module {
    inbox: Buffer::new(),
    answer: Vec::new(),
    stage: None,
    name: String::new(),
    contract: Contract { reads: &[], writes: &[] },
    form: Form::Packed,
});

struct Module {
    /// Where the host writes.
    inbox: Buffer,
    /// Where it reads.
    answer: Vec<u8>,
    stage: Option<Box<dyn Stage>>,
    /// The stage's id in the pipeline.
    name: String,
    contract: Contract,
    /// That of documents and replies.
    form: Form,
}

/// What the host says first.
#[derive(Deserialize)]
struct Start {
    stage: String,
    settings: Value,
    /// The level to which the host listens.
    log: u32,
    /// The highest version of documents that it writes; a host that does not say writes the first.
    #[serde(default)]
    documents: u32,
}

/// Room for so many bytes, or 0 where there is none.
#[must_use]
pub fn alloc(length: u32) -> u32 {
    let mut module = MODULE.lock().unwrap_or_else(PoisonError::into_inner);
    module.inbox.reserve(length)
}

/// Makes the stage.
#[must_use]
pub fn start<S: StageDefinition>(at: u32, length: u32) -> u64 {
    log::install();
    let mut module = MODULE.lock().unwrap_or_else(PoisonError::into_inner);
    let made = module.make::<S>(at, length);
    module.answer.clear();
    module.answer.extend(REPLY.to_le_bytes());
    if module.form == Form::Binary {
        module.answer.extend(DOCUMENTS.to_le_bytes());
    }
    module.settle(made)
}

/// Works on a document.
#[must_use]
pub fn process(at: u32, length: u32) -> u64 {
    let mut module = MODULE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut answer = std::mem::take(&mut module.answer);
    answer.clear();
    answer.extend_from_slice(&REPLY.to_le_bytes());
    let done = module.work(at, length, &mut answer);
    module.answer = answer;
    module.settle(done)
}

impl Module {
    fn make<S: StageDefinition>(&mut self, at: u32, length: u32) -> Result<(), StageError> {
        let given = self.inbox.content(at, length).ok_or_else(elsewhere)?;
        let start: Start = serde_json::from_slice(given).map_err(|error| {
            StageError::stage(format!("the host says too little to start a stage: {error}"))
        })?;
        log::listen(start.log);
        let settings = serde_json::from_value(start.settings)
            .map_err(|error| StageError::stage(format!("settings of `{}`: {error}", S::NAME)))?;
        // There are no files, so that no folder has any either.
        let context = StartContext { stage: start.stage.clone(), pipeline_dir: ".".into() };
        self.stage = Some(Box::new(S::start(settings, &context)?));
        (self.name, self.contract) = (start.stage, S::CONTRACT);
        self.form = if start.documents < DOCUMENTS { Form::Packed } else { Form::Binary };
        Ok(())
    }

    fn work(&self, at: u32, length: u32, answer: &mut Vec<u8>) -> Result<(), StageError> {
        let stage = self.stage.as_ref().ok_or_else(|| StageError::stage("it was not started"))?;
        let given = self.inbox.content(at, length).ok_or_else(elsewhere)?;
        let lent = LentDocument::read(given, self.form, memory::TEXT)?;
        let mut document = lent.view();
        lent.annotate(&mut document, self.contract.reads)?;
        let cancelled = AtomicBool::new(false);
        let context = StageContext::new(&self.name, lent.attempt(), &cancelled);
        finish(stage.process(&mut document, &context)).ok_or_else(|| {
            StageError::stage(
                "it waits, and nothing in a module can wake it: compute, or run it as `process`",
            )
        })??;
        append_reply(&document, self.contract.writes, self.form, answer)
    }

    /// Where the answer lies.
    fn settle(&mut self, result: Result<(), StageError>) -> u64 {
        match result {
            Ok(()) => {}
            Err(error) => {
                self.answer.clear();
                self.answer.extend(FAILURE.to_le_bytes());
                let said = serde_json::json!({ "kind": error.kind(), "message": error.message() });
                self.answer.extend_from_slice(said.to_string().as_bytes());
            }
        }
        memory::place(&self.answer)
    }
}

fn elsewhere() -> StageError {
    StageError::stage("the host wrote elsewhere than `sp_alloc` said")
}

/// Drives a future to its end; `None` where it waits for somebody else, whom there is not.
fn finish<F: Future>(future: F) -> Option<F::Output> {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let mut future = pin!(future);
    // Most stages never wait, and need no waker that works.
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return Some(output);
    }
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    while woken.0.swap(false, Ordering::Relaxed) {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
    }
    None
}
