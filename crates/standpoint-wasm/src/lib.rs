//! A stage in a sandbox: a WebAssembly module without any rights.
//!
//! A module reads a document that is copied into its memory and leaves its answer there. It has no
//! files, no network, no clock and no environment; its memory and its time are limited; what traps
//! is replaced. It costs about four times a direct call (`BENCHMARKS.md`).
//!
//! # What a module exports
//!
//! It is a core module, not a component: lists of records would be lifted one by one.
//!
//! - the custom section `standpoint`, with the manifest as JSON
//!   ([`StageManifest`](standpoint_wire::StageManifest)), which is read without running anything;
//! - `memory`;
//! - `sp_alloc(length: i32) -> i32`: room for so many bytes, at a multiple of eight, or 0;
//! - `sp_start(at: i32, length: i32) -> i64`: makes the stage, of a JSON object with `stage`,
//!   `settings`, `log` and `documents`, the highest version of documents that the host writes;
//! - `sp_process(at: i32, length: i32) -> i64`: works on a document, written as `standpoint-wire`
//!   says: packed, or in its binary form where the module asked for that;
//! - `sp_release(at: i32, length: i32)`, if it likes: what was lent there is not needed any more.
//!
//! The upper half of what `sp_start` and `sp_process` return is where the answer lies, the lower
//! half its length. An answer begins with a `u32`: 0 before a reply, 1 before a failure as JSON,
//! `{"kind": "document", "message": "..."}`. The reply to `sp_start` is empty, or the `u32` 2 of a
//! module that wants documents in their binary form, and may have them if `documents` is at
//! least 2.
//!
//! The only function that a module may import is
//! `standpoint.log(level: i32, at: i32, length: i32)`, with levels from 1, an error, to 5, a trace.
//!
//! Modules in reading order: `manifest`, and with the feature `runtime`: `engine`, `cache`,
//! `guest`, `stage`.

#[cfg(feature = "runtime")]
mod cache;
#[cfg(feature = "runtime")]
mod engine;
mod error;
#[cfg(feature = "runtime")]
mod guest;
mod manifest;
#[cfg(feature = "runtime")]
mod stage;

pub use error::ModuleError;
pub use manifest::{MAX_MODULE_BYTES, inspect, read_manifest};
#[cfg(feature = "runtime")]
pub use stage::{LoadPolicy, WasmLimits, WasmStage};
