//! Forwards `tracing` events and last words to the host.

use std::panic;
use std::sync::atomic::{AtomicU32, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use crate::event::{Text, code};

#[link(wasm_import_module = "standpoint")]
unsafe extern "C" {
    /// Levels go from 1, an error, to 5, a trace; 0 is why the module is about to trap.
    fn log(level: u32, at: *const u8, length: usize);
}

/// The level of last words.
const LAST_WORDS: u32 = 0;

/// To which level the host listens.
static LISTENING: AtomicU32 = AtomicU32::new(0);

fn send(level: u32, text: &str) {
    // SAFETY: the host reads the text before it returns, and no more than its length.
    unsafe { log(level, text.as_ptr(), text.len()) }
}

/// Listens to the module's `tracing`, unless its author already does, and to its panics.
pub(super) fn install() {
    let _ = tracing::subscriber::set_global_default(Bridge);
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("something that is not a text");
        let place = info.location().map(|place| format!(" (at {}:{})", place.file(), place.line()));
        send(LAST_WORDS, &format!("panicked: {message}{}", place.unwrap_or_default()));
    }));
}

/// Events above this level are not sent.
pub(super) fn listen(level: u32) {
    LISTENING.store(level, Ordering::Relaxed);
}

struct Bridge;

impl Subscriber for Bridge {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && code(*metadata.level()) <= LISTENING.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let text = Text::of(event);
        let line = match text.fields() {
            Some(fields) => format!("{} {fields}", text.message),
            None => text.message,
        };
        send(code(*event.metadata().level()), &line);
    }

    // Spans stay inside the module: the host has its own around each call.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
