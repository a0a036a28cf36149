//! A stage in processes of its own, as the engine sees it: a [`Stage`] like any other.

use std::collections::VecDeque;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use standpoint_document::Document;
use standpoint_stage::{Stage, StageContext, StageError, StartContext};
use standpoint_wire::{
    Form, Lending, StageManifest, Writes, keep_names, read_reply, write_document,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::attendant::{CallError, Seat, bring_up};
use super::error::ProcessError;
use super::link::Request;
use super::program::Program;
use crate::protocol::{Failure, Kind, StageHello, Start, join, split};

/// How a stage's processes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSettings {
    /// How many there are; each works on one document, or batch, at a time.
    pub processes: NonZeroUsize,
    /// What follows when one ends.
    pub restart: Restart,
    /// How long one may take to introduce itself, and again to start its stage.
    pub start_timeout: Duration,
}

/// What follows when a process ends that should not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// How long to wait before it is started again; each loss in a row doubles it.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How many may be lost within a minute before the stage rests.
    pub max_per_minute: NonZeroU32,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self {
            processes: NonZeroUsize::MIN,
            restart: Restart::default(),
            start_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(30),
            max_per_minute: const { NonZeroU32::new(10).expect("10 is not zero") },
        }
    }
}

/// What all processes of a stage share.
#[derive(Debug)]
pub(super) struct Crew {
    pub(super) stage: Arc<str>,
    pub(super) program: Program,
    pub(super) settings: ProcessSettings,
    /// `None` to ask for the hello only.
    pub(super) start: Option<Start>,
    /// What the first process said of itself.
    hello: Mutex<Option<StageHello>>,
    /// When processes were lost, the latest last.
    losses: Mutex<VecDeque<Instant>>,
    /// Seats that nobody uses.
    free: Mutex<Vec<usize>>,
}

impl Crew {
    fn new(stage: &str, program: Program, settings: ProcessSettings, start: Option<Start>) -> Self {
        Self {
            stage: stage.into(),
            program,
            settings,
            start,
            hello: Mutex::default(),
            losses: Mutex::default(),
            free: Mutex::default(),
        }
    }

    /// Whether the first process has said what it is.
    pub(super) fn is_introduced(&self) -> bool {
        self.hello.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn is_same(&self, hello: &StageHello) -> bool {
        let known = self.hello.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().is_none_or(|known| known == hello)
    }

    pub(super) fn note_loss(&self) {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.push_back(Instant::now());
        if losses.len() > self.settings.restart.max_per_minute.get() as usize {
            losses.pop_front();
        }
    }

    /// How long the stage rests, if so many processes were lost within a minute.
    pub(super) fn rest(&self) -> Option<Duration> {
        let losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = losses.len() >= self.settings.restart.max_per_minute.get() as usize;
        let oldest = losses.front().filter(|_| is_full)?;
        Duration::from_mins(1).checked_sub(oldest.elapsed())
    }
}

/// The right to use a seat. Dropped, it frees the seat.
#[derive(Debug)]
pub(super) struct Lease {
    crew: Arc<Crew>,
    seat: usize,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Before the permit, which is dropped after this.
        self.crew.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.seat);
    }
}

/// A stage that runs in processes of its own.
///
/// A process that ends, hangs or writes rubbish costs the document that it was working on; it is
/// started again after a pause, and after many losses within a minute the stage rests. A call that
/// is given up is cancelled in the process, which is killed when it does not stop within a second.
#[derive(Debug)]
pub struct ProcessStage {
    seats: Vec<Arc<Seat>>,
    crew: Arc<Crew>,
    permits: Arc<Semaphore>,
    hello: StageHello,
    /// That of documents and replies.
    form: Form,
    reads: &'static [&'static str],
    writes: &'static [&'static str],
}

/// Asks a program what it says of its stage: it is started, introduces itself and is ended.
///
/// # Errors
///
/// [`ProcessError`] says what it did instead.
pub fn ask(program: &Program, settings: &ProcessSettings) -> Result<StageManifest, ProcessError> {
    let crew = Crew::new("asked", program.clone(), settings.clone(), None);
    let (link, hello) = bring_up(&crew)?;
    link.dismiss(Duration::from_secs(1));
    Ok(hello.manifest)
}

impl ProcessStage {
    /// Starts the processes of a stage; returns when the first is ready.
    ///
    /// - `settings`: what stands under `with:`, a JSON object; null counts as empty.
    ///
    /// # Errors
    ///
    /// [`ProcessError`] when the program cannot be started, is no stage, or refuses its settings.
    pub fn start(
        program: Program,
        process: ProcessSettings,
        settings: &Value,
        context: &StartContext,
    ) -> Result<Self, ProcessError> {
        let start = Start {
            stage: context.stage.clone(),
            pipeline_dir: context.pipeline_dir.to_string_lossy().into_owned(),
            settings: if settings.is_null() { json!({}) } else { settings.clone() },
        };
        let (name, count) = (program.shown(), process.processes.get());
        let crew = Arc::new(Crew::new(&context.stage, program, process, Some(start)));
        let failed = |source| ProcessError::Start { program: name.clone(), source };
        let (seat, first) = Seat::start(&crew, 0).map_err(failed)?;
        let mut seats = vec![seat];
        let hello = first
            .recv()
            .map_err(|_| failed(std::io::Error::other("there is no thread for it")))??;
        *crew.hello.lock().unwrap_or_else(PoisonError::into_inner) = Some(hello.clone());
        for index in 1..count {
            // The others start while the first works; one that fails is started again when used.
            seats.push(Seat::start(&crew, index).map_err(failed)?.0);
        }
        crew.free.lock().unwrap_or_else(PoisonError::into_inner).extend((0..count).rev());
        Ok(Self {
            permits: Arc::new(Semaphore::new(count)),
            reads: keep_names(&hello.manifest.reads),
            writes: keep_names(&hello.manifest.writes),
            form: hello.form(),
            seats,
            crew,
            hello,
        })
    }

    /// What the program says of its stage.
    #[must_use]
    pub fn manifest(&self) -> &StageManifest {
        &self.hello.manifest
    }

    /// How many calls it takes at once.
    #[must_use]
    pub fn processes(&self) -> NonZeroUsize {
        self.crew.settings.processes
    }

    async fn call(&self, request: Request<'_>) -> Result<(Kind, Vec<u8>), CallError> {
        let gone = || CallError::Resting(StageError::transient("its processes are being ended"));
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| gone())?;
        let free = self.crew.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let seat = free.ok_or_else(gone)?;
        let lease = Lease { crew: Arc::clone(&self.crew), seat, _permit: permit };
        self.seats[seat].call(request, lease).await
    }

    /// Takes what a process wrote.
    fn take(&self, document: &mut Document<'_>, reply: &[u8]) -> Result<(), StageError> {
        let mut writes = Writes::default();
        read_reply(reply, self.form, document.text(), self.writes, &mut writes)?;
        writes.commit(document)
    }
}

#[async_trait]
impl Stage for ProcessStage {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let lending = Lending::new(document, self.reads, context.attempt, self.form)?;
        let write = |room: &mut [u8]| lending.write(room);
        let request = Request { kind: Kind::Document, size: lending.size(), write: &write };
        match self.call(request).await? {
            (Kind::Result, reply) => self.take(document, &reply),
            (Kind::Error, failure) => Err(read_failure(&failure)),
            (other, _) => Err(StageError::stage(format!("it answered a document with {other:?}"))),
        }
    }

    async fn ready(&self) {
        // A seat is free when its process is there again. A closed semaphore is told by the call.
        drop(self.permits.acquire().await);
    }

    async fn process_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Vec<Result<(), StageError>> {
        if self.hello.batch && documents.len() > 1 {
            match self.call_batch(documents, context).await {
                // One document may have cost the process: each gets a call of its own.
                Err(CallError::Lost(error)) => {
                    tracing::warn!(stage = context.stage, %error, "a batch was lost");
                }
                Err(error) => {
                    let error: StageError = error.into();
                    return documents.iter().map(|_| Err(error.clone())).collect();
                }
                Ok(results) => return results,
            }
        }
        let mut results = Vec::with_capacity(documents.len());
        for document in documents {
            results.push(self.process(document, context).await);
        }
        results
    }
}

impl ProcessStage {
    async fn call_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Result<Vec<Result<(), StageError>>, CallError> {
        let write = |document: &Document<'_>| {
            write_document(document, self.reads, context.attempt, self.form)
        };
        let lent: Result<Vec<_>, _> = documents.iter().map(write).collect();
        let all = |error: StageError| vec![Err(error); documents.len()];
        let lent = match lent {
            Ok(lent) => lent,
            Err(error) => return Ok(all(error)),
        };
        let payload = join(lent.iter().map(|document| (None, document.as_slice())));
        let write = |room: &mut [u8]| room.copy_from_slice(&payload);
        let request = Request { kind: Kind::Batch, size: payload.len(), write: &write };
        let reply = match self.call(request).await? {
            (Kind::BatchResult, reply) => reply,
            (Kind::Error, failure) => return Ok(all(read_failure(&failure))),
            (other, _) => {
                let message = format!("it answered a batch with {other:?}");
                return Ok(all(StageError::stage(message)));
            }
        };
        let Some(replies) = split(&reply, true).filter(|found| found.len() == documents.len())
        else {
            let message = format!("its answer is not one for {} documents", documents.len());
            return Ok(all(StageError::stage(message)));
        };
        let results = documents.iter_mut().zip(replies);
        Ok(results
            .map(|(document, (status, reply))| match status {
                0 => self.take(document, reply),
                _ => Err(read_failure(reply)),
            })
            .collect())
    }
}

fn read_failure(failure: &[u8]) -> StageError {
    match serde_json::from_slice::<Failure>(failure) {
        Ok(failure) => failure.into(),
        Err(error) => StageError::stage(format!("its error cannot be read: {error}")),
    }
}

impl Drop for ProcessStage {
    fn drop(&mut self) {
        // All at once, so that they end side by side; each is waited for when its seat goes.
        self.seats.iter().for_each(|seat| seat.stop());
        self.permits.close();
    }
}
