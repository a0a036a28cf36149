//! The engine that all modules share, and the clock by which their time is up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Config, Engine};

use crate::cache::Functions;

/// How long a tick of the clock takes: the precision of deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// After how many ticks without a call the clock rests.
const PATIENCE: u32 = 200;

/// An engine and its clock.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) functions: Arc<Functions>,
    clock: Arc<Clock>,
}

/// Ticks while somebody computes, and for a while after: waking it costs more than a call.
struct Clock {
    /// How many calls are under way, in all modules.
    running: AtomicUsize,
    rests: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Shared {
    /// The engine of this program, made when it is first asked for.
    pub(crate) fn get() -> Result<Self, String> {
        static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
        SHARED.get_or_init(Self::make).clone()
    }

    fn make() -> Result<Self, String> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            // What no stage needs is no part of what has to be right.
            .wasm_multi_memory(false)
            .wasm_memory64(false);
        let functions = Arc::<Functions>::default();
        let engine = config
            .enable_incremental_compilation(functions.clone())
            .and_then(|config| Engine::new(config))
            .map_err(|error| format!("{error:#}"))?;
        let clock = Arc::new(Clock {
            running: AtomicUsize::new(0),
            rests: AtomicBool::new(false),
            thread: OnceLock::new(),
        });
        let (ticking, of) = (Arc::clone(&clock), engine.clone());
        let thread = thread::Builder::new()
            .name("wasm-clock".to_owned())
            .spawn(move || ticking.tick(&of))
            .map_err(|error| format!("there is no thread for the clock: {error}"))?;
        let _ = clock.thread.set(thread.thread().clone());
        Ok(Self { engine, functions, clock })
    }

    /// Has the clock tick for as long as the value lives.
    pub(crate) fn computing(&self) -> Computing<'_> {
        self.clock.running.fetch_add(1, Ordering::SeqCst);
        if self.clock.rests.load(Ordering::SeqCst)
            && let Some(thread) = self.clock.thread.get()
        {
            thread.unpark();
        }
        Computing(&self.clock)
    }

    /// How many ticks at least are in `time`.
    pub(crate) fn ticks(time: Duration) -> u64 {
        let ticks = time.as_nanos().div_ceil(TICK.as_nanos());
        // The tick that is under way counts for nothing.
        u64::try_from(ticks).unwrap_or(u64::MAX / 2).min(u64::MAX / 2) + 1
    }
}

impl Clock {
    fn tick(&self, engine: &Engine) {
        let mut idle = 0;
        loop {
            idle = if self.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
            if idle > PATIENCE {
                self.rests.store(true, Ordering::SeqCst);
                // Whoever began before it could see that the clock rests did not wake it.
                if self.running.load(Ordering::SeqCst) == 0 {
                    thread::park();
                }
                self.rests.store(false, Ordering::SeqCst);
                idle = 0;
            }
            thread::sleep(TICK);
            engine.increment_epoch();
        }
    }
}

/// Somebody computes.
pub(crate) struct Computing<'c>(&'c Clock);

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
