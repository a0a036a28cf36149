//! What the engine promises, one test a promise.

mod common;
mod delivery;
mod shutdown;
mod sinks;
mod stages;
