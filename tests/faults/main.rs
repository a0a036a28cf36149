//! What the daemon promises, under what is meant to break it: kills at named points and at random
//! moments, full disks, limits, damaged state, hostile files, documents that end the process.
//!
//! The short form runs with every `cargo test`. The long form, which takes a quarter of an hour and
//! prints figures, is one command:
//!
//! ```sh
//! cargo test -p standpoint --test faults -- --ignored --nocapture --test-threads=1
//! ```
//!
//! Modules: `station` is a daemon's folder and the account of what came out of it; the others break
//! something each.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test stops where something is not as it should be, and tells what it measured"
)]

mod calls;
mod crash;
mod files;
#[path = "../program/harness.rs"]
#[expect(dead_code, reason = "shared with the other tests of the program")]
mod harness;
mod hostile;
mod inert;
mod innocent;
mod limits;
mod load;
mod outside;
mod poison;
mod state;
mod station;
