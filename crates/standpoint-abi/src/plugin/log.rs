//! Forwards `tracing` events to the host.
//!
//! A plugin has its own copy of `tracing`, to which nobody listens; so we do, and tell the host.

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use super::host::{host, lent_host};
use crate::event::{Text, code};
use crate::layout::{HostTable, Str};

/// Listens to the plugin's copy of `tracing`, unless the plugin's author already does.
pub(super) fn install() {
    let _ = tracing::subscriber::set_global_default(Bridge);
}

/// Logs a message of this crate's own.
pub(super) fn error(host: &'static HostTable, message: &str) {
    send(host, Level::ERROR, module_path!(), message, Str::ABSENT);
}

fn send(host: &'static HostTable, level: Level, target: &str, message: &str, fields: Str) {
    // SAFETY: the table stays for ever, and the texts for this statement.
    unsafe { (host.log)(lent_host(), code(level), Str::new(target), Str::new(message), fields) }
}

struct Bridge;

impl Subscriber for Bridge {
    /// Asks for each event anew, because the host's level may change; an answer given here would
    /// be remembered.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let listening =
            |host: &HostTable| host.max_level.load(std::sync::atomic::Ordering::Relaxed);
        metadata.is_event() && host().is_some_and(|h| code(*metadata.level()) <= listening(h))
    }

    fn event(&self, event: &Event<'_>) {
        let Some(host) = host() else { return };
        let text = Text::of(event);
        let fields = text.fields();
        let lent = Str::optional(fields.as_deref());
        let metadata = event.metadata();
        send(host, *metadata.level(), metadata.target(), &text.message, lent);
    }

    // Spans stay inside the plugin: the host has its own around each call.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
