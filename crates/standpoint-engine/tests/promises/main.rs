//! What the engine promises, one test a promise.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod common;
mod delivery;
mod reload;
mod shutdown;
mod sinks;
mod stages;
