//! What the built program does: its results, its answers to bad input, its exit codes, its daemon.
//!
//! Modules: `harness` starts the program; the others are tests.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it should be"
)]

mod alerts;
mod authors;
mod bad_input;
mod book;
mod chaos;
mod commands;
mod daemon;
mod harness;
mod limits;
mod metrics;
mod neural;
#[cfg(feature = "objects")]
mod objects;
mod packaging;
mod pipeline_file;
mod pipes;
mod places;
#[cfg(feature = "postgres")]
mod postgres;
mod process;
mod quarantine;
mod reload;
mod report;
mod results;
mod server;
mod strain;
mod targets;
mod wasm;
