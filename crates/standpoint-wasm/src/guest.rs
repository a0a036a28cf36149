//! An instance of a module: its memory, its functions and what they may use.

use std::sync::Arc;
use std::time::Duration;

use standpoint_document::Document;
use standpoint_stage::StageError;
use standpoint_wire::{Form, Lending};
use wasmtime::{
    Caller, Linker, Memory, Module, Store, StoreLimits, StoreLimitsBuilder, Trap, TypedFunc,
};

use crate::engine::Shared;

/// The longest message that is logged.
const MAX_LOG_BYTES: u32 = 4096;

/// How many messages of one call are logged.
const MAX_LOG_LINES: u32 = 100;

/// The entries of a module's tables of functions, which are the host's memory.
const MAX_TABLE_ENTRIES: usize = 1 << 16;

/// The version of documents in their binary form, and what a module answers that takes them so.
pub(crate) const DOCUMENTS: u32 = 2;

/// An instance. One that has trapped is thrown away.
pub(crate) struct Guest {
    store: Store<State>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    start: TypedFunc<(u32, u32), u64>,
    process: TypedFunc<(u32, u32), u64>,
    release: Option<TypedFunc<(u32, u32), ()>>,
    /// That of documents and replies, as it said when it was started.
    form: Form,
}

/// What the host keeps for an instance.
struct State {
    limits: StoreLimits,
    /// The stage's.
    name: Arc<str>,
    /// Why it says that it is about to trap.
    last_words: Option<String>,
    /// Messages of this call.
    logged: u32,
}

/// What a module answered: its reply as it was read, or what it says went wrong, as JSON.
pub(crate) enum Answer<R> {
    Reply(R),
    Failure(Vec<u8>),
}

/// Which function of a module is called.
#[derive(Clone, Copy)]
enum Entry {
    Start,
    Process,
}

/// The functions that modules may import.
pub(crate) struct Imports(Linker<State>);

impl Imports {
    pub(crate) fn new(shared: &Shared) -> Result<Self, String> {
        let mut linker = Linker::new(&shared.engine);
        linker
            .func_wrap("standpoint", "log", log)
            .map_err(|error: wasmtime::Error| format!("{error:#}"))?;
        Ok(Self(linker))
    }

    /// The first import of a module that it does not get.
    pub(crate) fn missing(module: &Module) -> Option<String> {
        module
            .imports()
            .find(|import| (import.module(), import.name()) != ("standpoint", "log"))
            .map(|import| format!("{}.{}", import.module(), import.name()))
    }
}

/// Takes a message for the host's log, or, at level 0, why the module is about to trap.
fn log(mut caller: Caller<'_, State>, level: u32, at: u32, length: u32) {
    let Some(memory) = caller.get_export("memory").and_then(wasmtime::Extern::into_memory) else {
        return;
    };
    let length = length.min(MAX_LOG_BYTES) as usize;
    let bytes = memory.data(&caller).get(at as usize..).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(length)]).into_owned();
    let state = caller.data_mut();
    if level == 0 {
        state.last_words = Some(text);
        return;
    }
    state.logged += 1;
    let name = &*state.name;
    match (state.logged, level) {
        (MAX_LOG_LINES.., _) => {
            if state.logged == MAX_LOG_LINES {
                tracing::warn!(stage = name, "what else it logs of this call is left out");
            }
        }
        (_, 1) => tracing::error!(target: "plugin", stage = name, "{text}"),
        (_, 2) => tracing::warn!(target: "plugin", stage = name, "{text}"),
        (_, 4) => tracing::debug!(target: "plugin", stage = name, "{text}"),
        (_, 5) => tracing::trace!(target: "plugin", stage = name, "{text}"),
        _ => tracing::info!(target: "plugin", stage = name, "{text}"),
    }
}

impl Guest {
    /// Makes an instance whose memory is at most `memory` bytes.
    pub(crate) fn new(
        shared: &Shared,
        imports: &Imports,
        module: &Module,
        memory: usize,
        name: &Arc<str>,
    ) -> Result<Self, String> {
        let told = |error: wasmtime::Error| format!("{error:#}");
        let limits = StoreLimitsBuilder::new()
            .memory_size(memory)
            .memories(1)
            .tables(4)
            .table_elements(MAX_TABLE_ENTRIES)
            .instances(1)
            .build();
        let name = Arc::clone(name);
        let state = State { limits, name, last_words: None, logged: 0 };
        let mut store = Store::new(&shared.engine, state);
        store.limiter(|state| &mut state.limits);
        // A module may have a function that runs when it is instantiated.
        let _ticking = shared.computing();
        store.set_epoch_deadline(Shared::ticks(Duration::from_secs(10)));
        let instance = imports.0.instantiate(&mut store, module).map_err(told)?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| "it exports no `memory`".to_owned())?;
        let alloc = instance.get_typed_func(&mut store, "sp_alloc").map_err(told)?;
        let start = instance.get_typed_func(&mut store, "sp_start").map_err(told)?;
        let process = instance.get_typed_func(&mut store, "sp_process").map_err(told)?;
        let release = instance.get_typed_func(&mut store, "sp_release").ok();
        Ok(Self { store, memory, alloc, start, process, release, form: Form::Packed })
    }

    /// Has it make the stage.
    pub(crate) fn start(
        &mut self,
        shared: &Shared,
        start: &[u8],
        limit: Duration,
    ) -> Result<Answer<()>, String> {
        let takes_binary = |answer: &[u8]| answer == DOCUMENTS.to_le_bytes();
        let write = |room: &mut [u8]| room.copy_from_slice(start);
        let answer = self.call(shared, Entry::Start, start.len(), write, limit, takes_binary)?;
        Ok(match answer {
            Answer::Reply(takes_binary) => {
                self.form = if takes_binary { Form::Binary } else { Form::Packed };
                Answer::Reply(())
            }
            Answer::Failure(failure) => Answer::Failure(failure),
        })
    }

    /// Has it work on a document; `take` reads its reply.
    ///
    /// The outer error says what makes the instance useless, the inner one what is wrong with the
    /// document.
    pub(crate) fn process<R>(
        &mut self,
        shared: &Shared,
        document: &Document<'_>,
        reads: &[&str],
        attempt: u32,
        limit: Duration,
        take: impl FnOnce(&[u8], Form) -> R,
    ) -> Result<Result<Answer<R>, StageError>, String> {
        let form = self.form;
        let lending = match Lending::new(document, reads, attempt, form) {
            Ok(lending) => lending,
            Err(error) => return Ok(Err(error)),
        };
        let write = |room: &mut [u8]| lending.write(room);
        let take = |reply: &[u8]| take(reply, form);
        self.call(shared, Entry::Process, lending.size(), write, limit, take).map(Ok)
    }

    /// How much memory it has.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// Calls a function with `size` bytes in the module's memory, which `write` fills.
    fn call<R>(
        &mut self,
        shared: &Shared,
        entry: Entry,
        size: usize,
        write: impl FnOnce(&mut [u8]),
        limit: Duration,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Result<Answer<R>, String> {
        let _ticking = shared.computing();
        self.store.set_epoch_deadline(Shared::ticks(limit));
        let state = self.store.data_mut();
        (state.last_words, state.logged) = (None, 0);
        let length = u32::try_from(size).map_err(|_| "the document is too long")?;
        let at = self.alloc.call(&mut self.store, length);
        let at = at.map_err(|error| self.trapped(&error, limit))?;
        if at == 0 {
            return Err("it has no room for the document within its limit of memory".to_owned());
        }
        // Written where the module reads it: there is no other copy.
        let room = self.memory.data_mut(&mut self.store).get_mut(at as usize..);
        let room = room.and_then(|room| room.get_mut(..size));
        write(room.ok_or_else(|| format!("`sp_alloc` returned {at}, which leaves its memory"))?);
        // Not cloned, which costs a tenth of a short call.
        let function = match entry {
            Entry::Start => &self.start,
            Entry::Process => &self.process,
        };
        let placed = function.call(&mut self.store, (at, length));
        let placed = placed.map_err(|error| self.trapped(&error, limit))?;
        let (found, size) = ((placed >> 32) as u32, placed as u32);
        let memory = self.memory.data(&self.store);
        let answer = memory
            .get(found as usize..found as usize + size as usize)
            .ok_or("its answer leaves its memory")?;
        let (status, answer) = answer.split_first_chunk::<4>().ok_or("its answer is too short")?;
        let answer = match u32::from_le_bytes(*status) {
            0 => Answer::Reply(take(answer)),
            1 => Answer::Failure(answer.to_vec()),
            other => return Err(format!("its answer begins with {other}, which is no status")),
        };
        if let Some(release) = self.release.clone() {
            for lent in [(at, length), (found, size)] {
                let released = release.call(&mut self.store, lent);
                released.map_err(|error| self.trapped(&error, limit))?;
            }
        }
        Ok(answer)
    }

    /// Why a function of it did not return.
    fn trapped(&mut self, error: &wasmtime::Error, limit: Duration) -> String {
        let words = self.store.data_mut().last_words.take();
        match (error.downcast_ref::<Trap>(), words) {
            (Some(Trap::Interrupt), _) => format!("it took longer than its deadline of {limit:?}"),
            (_, Some(words)) => words,
            (Some(trap), None) => format!("it trapped: {trap}"),
            (None, None) => format!("{error:#}"),
        }
    }
}
