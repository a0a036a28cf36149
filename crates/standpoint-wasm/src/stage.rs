//! A module as the engine sees it: a [`Stage`] like any other.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use standpoint_document::Document;
use standpoint_stage::{Stage, StageContext, StageError, StageErrorKind, StartContext};
use standpoint_wire::{StageManifest, Writes, keep_names, read_reply};
use tokio::sync::Semaphore;
use tracing::level_filters::LevelFilter;
use wasmtime::Module;

use crate::cache;
use crate::engine::Shared;
use crate::error::ModuleError;
use crate::guest::{Answer, DOCUMENTS, Guest, Imports};
use crate::manifest::{read, read_manifest};

/// What is asked of a module before it is run.
#[derive(Debug, Clone, Default)]
pub struct LoadPolicy {
    /// The SHA-256 that the file must have, in hexadecimal.
    pub sha256: Option<String>,
    /// A folder of our own in which compiled modules are kept.
    pub cache_dir: Option<PathBuf>,
}

/// What an instance may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WasmLimits {
    /// Its memory, in bytes.
    pub memory: u64,
    /// How long it may compute for one document.
    pub deadline: Duration,
    /// How many instances work side by side.
    pub instances: NonZeroUsize,
}

impl Default for WasmLimits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            deadline: Duration::from_secs(1),
            instances: const { NonZeroUsize::new(8).expect("8 is not zero") },
        }
    }
}

/// A stage that runs in a sandbox.
///
/// Instances are made when they are needed, used again and again, and replaced when they trap.
pub struct WasmStage {
    shared: Shared,
    imports: Imports,
    module: Module,
    manifest: StageManifest,
    reads: &'static [&'static str],
    writes: &'static [&'static str],
    limits: WasmLimits,
    /// What each instance is told first.
    start: Vec<u8>,
    name: Arc<str>,
    permits: Semaphore,
    idle: Mutex<Vec<Guest>>,
}

impl std::fmt::Debug for WasmStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmStage").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl WasmStage {
    /// Loads the module at `path` and starts the stage.
    ///
    /// - `settings`: what stands under `with:`, a JSON object; null counts as empty.
    ///
    /// # Errors
    ///
    /// [`ModuleError`] says what is wrong with the module, or why it refuses its settings.
    pub fn load(
        path: &Path,
        policy: &LoadPolicy,
        limits: WasmLimits,
        settings: &Value,
        context: &StartContext,
    ) -> Result<Self, ModuleError> {
        let bytes = read(path)?;
        let sha256 = hexadecimal(&bytes);
        if let Some(expected) = &policy.sha256
            && !expected.eq_ignore_ascii_case(&sha256)
        {
            let (path, expected, found) = (path.to_owned(), expected.clone(), sha256);
            return Err(ModuleError::WrongHash { path, expected, found });
        }
        let manifest = read_manifest(&bytes, path)?;
        let failed = |problem| ModuleError::Run { path: path.to_owned(), problem };
        let shared = Shared::get().map_err(failed)?;
        let folder = policy.cache_dir.as_deref();
        let module = cache::compile(&shared, path, &bytes, &sha256, folder)?;
        if let Some(import) = Imports::missing(&module) {
            return Err(ModuleError::Import { path: path.to_owned(), import });
        }
        let settings = if settings.is_null() { json!({}) } else { settings.clone() };
        let start = json!({
            "stage": context.stage,
            "settings": settings,
            "log": listening_level(),
            "documents": DOCUMENTS,
        });
        let stage = Self {
            imports: Imports::new(&shared).map_err(failed)?,
            reads: keep_names(&manifest.reads),
            writes: keep_names(&manifest.writes),
            permits: Semaphore::new(limits.instances.get()),
            name: context.stage.as_str().into(),
            start: start.to_string().into_bytes(),
            idle: Mutex::default(),
            shared,
            module,
            manifest,
            limits,
        };
        // Made at once, so that what is wrong with it is found now.
        let first = stage.make().map_err(|error| match error {
            Start::Broken(problem) => failed(problem),
            Start::Refused(error) => ModuleError::Refused { message: error.message().to_owned() },
        })?;
        stage.put_back(first);
        Ok(stage)
    }

    /// What the module says of its stage.
    #[must_use]
    pub fn manifest(&self) -> &StageManifest {
        &self.manifest
    }

    /// How many calls it takes at once.
    #[must_use]
    pub fn instances(&self) -> NonZeroUsize {
        self.limits.instances
    }

    fn make(&self) -> Result<Guest, Start> {
        let memory = usize::try_from(self.limits.memory).unwrap_or(usize::MAX);
        let mut guest = Guest::new(&self.shared, &self.imports, &self.module, memory, &self.name)
            .map_err(Start::Broken)?;
        // It may read a model, which takes longer than a document.
        let patience = self.limits.deadline.max(Duration::from_secs(10));
        match guest.start(&self.shared, &self.start, patience).map_err(Start::Broken)? {
            Answer::Reply(()) => Ok(guest),
            Answer::Failure(failure) => Err(Start::Refused(read_failure(&failure))),
        }
    }

    fn put_back(&self, guest: Guest) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(guest);
    }
}

/// Why an instance could not be made.
enum Start {
    Broken(String),
    Refused(StageError),
}

impl From<Start> for StageError {
    fn from(error: Start) -> Self {
        match error {
            Start::Broken(problem) => Self::stage(format!("it cannot be made again: {problem}")),
            Start::Refused(error) => error,
        }
    }
}

#[async_trait]
impl Stage for WasmStage {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        // Never closed, so a permit always comes.
        let _permit = self.permits.acquire().await.ok();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut guest = match idle {
            Some(guest) => guest,
            None => self.make()?,
        };
        let mut writes = Writes::default();
        let (text, limit) = (document.text(), self.limits.deadline);
        let take = |reply: &[u8], form| read_reply(reply, form, text, self.writes, &mut writes);
        let answer =
            guest.process(&self.shared, document, self.reads, context.attempt, limit, take);
        let answer = answer.map_err(|problem| {
            // What it holds may be half changed: another one takes its place.
            let (held, most) = (guest.memory_bytes() as u64, self.limits.memory);
            let is_full = held > most / 2;
            StageError::stage(if is_full {
                format!("{problem}; it held {} of {} MiB", held >> 20, most >> 20)
            } else {
                problem
            })
        })?;
        self.put_back(guest);
        match answer? {
            Answer::Reply(read) => read?,
            Answer::Failure(failure) => return Err(read_failure(&failure)),
        }
        writes.commit(document)
    }
}

/// To which level somebody listens, from 0 for nobody to 5 for traces.
fn listening_level() -> u32 {
    match LevelFilter::current().into_level() {
        None => 0,
        Some(tracing::Level::ERROR) => 1,
        Some(tracing::Level::WARN) => 2,
        Some(tracing::Level::INFO) => 3,
        Some(tracing::Level::DEBUG) => 4,
        Some(tracing::Level::TRACE) => 5,
    }
}

fn read_failure(failure: &[u8]) -> StageError {
    let said: Value = serde_json::from_slice(failure).unwrap_or_default();
    let message = said["message"].as_str();
    let message = message.unwrap_or("it failed without saying why").to_owned();
    let kind = serde_json::from_value(said["kind"].clone()).unwrap_or(StageErrorKind::Stage);
    StageError::new(kind, message)
}

fn hexadecimal(content: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(content) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
