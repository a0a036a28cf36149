//! Forwards `tracing` events to the host.
//!
//! A plugin has its own copy of `tracing`, to which nobody listens; so we do, and tell the host.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use super::host::host;
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
    unsafe { (host.log)(host, code(level), Str::new(target), Str::new(message), fields) }
}

/// A level's number in the ABI: 1 for error to 5 for trace.
fn code(level: Level) -> u32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
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
        let mut text = Text::default();
        event.record(&mut text);
        let fields = match serde_json::to_string(&text.fields) {
            Ok(json) if !text.fields.is_empty() => json,
            _ => String::new(),
        };
        let lent = if fields.is_empty() { Str::ABSENT } else { Str::new(&fields) };
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

/// What an event says: its message, and its other fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: Map<String, Value>,
}

impl Text {
    fn field(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.field(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.field(field, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, value);
    }
}
