//! How a stage goes into and comes out of a shared library.
//!
//! # Writing a plugin
//!
//! A plugin is a crate with `crate-type = ["cdylib"]`, a [`stage::StageDefinition`], and one line
//! that exports it. One dependency does: `standpoint-abi`, whose [`prelude`] brings the trait, the
//! document and `async_trait` (settings of your own also need `serde` and `schemars`).
//!
//! ```
//! use standpoint_abi::prelude::*;
//!
//! standpoint_abi::export_stage!(Count);
//!
//! struct Count;
//!
//! impl StageDefinition for Count {
//!     const NAME: &'static str = "count";
//!     const CONTRACT: Contract = Contract { reads: &[layers::TOKENS], writes: &["count"] };
//!     type Settings = NoSettings;
//!
//!     fn start(_: NoSettings, _: &StartContext) -> Result<Self, StageError> {
//!         Ok(Self)
//!     }
//! }
//!
//! #[async_trait]
//! impl Stage for Count {
//!     async fn process(
//!         &self,
//!         document: &mut Document<'_>,
//!         _: &StageContext<'_>,
//!     ) -> Result<(), StageError> {
//!         let tokens = document.tokens().len();
//!         document.set_attribute("count", tokens.into());
//!         Ok(())
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! - The stage sees the layers, records and attributes that its contract reads, and no others;
//!   what it writes must be in the contract, too, the language (`layers::LANGUAGE`) included.
//! - Text, layers and vectors are read where the host keeps them. Entities and sentiments cross as
//!   tables, the record `stance` and attributes as JSON.
//! - The host checks what was written when the call is over, and fails the call if it does not fit.
//! - A panic fails the document, and the next call gets a new instance of the stage.
//! - `tracing` events come out of the host under `plugin::<name>`; spans stay inside.
//! - There is no tokio runtime in a plugin: wait with futures of your own, or compute.
//! - A crate exports one stage. The exported symbol has one name, so no program can link the
//!   rlibs of two plugins; and `#![forbid(unsafe_code)]` does not go with the macro, which has to
//!   place a symbol (`deny` does).
//!
//! # As a WebAssembly module
//!
//! The same crate, built with `--target wasm32-unknown-unknown`, is a module that runs in a sandbox
//! (`runtime: wasm`, in a program that was built with its feature `wasm`). There it has no files,
//! no network, no clock, no threads and no environment; a panic ends the instance and costs the
//! document, and a stage that waits for anything but itself fails.
//!
//! Other languages use the header `include/standpoint.h`; `examples/c/hedge.c` is a stage in C.
//!
//! # Loading plugins
//!
//! With the feature `host`, which is on by default and which plugins may leave out:
//! `PluginFolders` finds libraries, `inspect` reads a manifest without loading code,
//! `LoadedPlugin::load` loads one, and its `create` makes a `HostedStage`, a
//! [`stage::Stage`] like any other. **A native plugin can do whatever the program can**: nothing
//! here protects against one that means harm, crashes, or never returns.
//!
//! # What is promised
//!
//! **Versions.** The exported symbol carries the major version of the ABI, which has nothing to do
//! with the version of the program. Tables grow at their end and never change otherwise; a field
//! exists where the table's `size` covers it, and either side may be the older one. The structs
//! that lie in arrays, [`document::Annotation`], [`layout::RawLayer`], [`layout::RawJson`],
//! [`layout::RawEntity`], [`layout::RawSentiment`] and [`layout::Str`], never change. The manifest
//! names the lowest minor version that the plugin needs (`host_minor_required`), and unknown keys
//! in it are passed over.
//!
//! **Ownership.** Nobody frees what the other side allocated. What the host lends stays until the
//! call is over; what a plugin passes is copied before the host's function returns. Instances and
//! futures are ended only by the plugin's own functions, futures exactly once.
//!
//! **Writes.** Each is checked when it is made. All are applied when the call succeeds, and none
//! otherwise; a refused write fails the call.
//!
//! **Threads.** An instance is called by several threads at once unless the manifest says
//! `"concurrency": 1`; a call and its future by one thread at a time, not always the same.
//!
//! **Waiting.** `process` finishes, or returns a future that the host polls when its waker is
//! woken. Dropping the host's future drops the plugin's: that is how a call is cancelled.
//!
//! **Unloading.** Never. A changed plugin is loaded beside the old one.
//!
//! Modules in reading order: [`layout`], `manifest_text`, `macros`, `plugin` (the side of the
//! author), `module` (the same in a sandbox), `host` (the side of the program).
#![allow(unsafe_code, reason = "the boundary between libraries is unsafe; it is all here")]

mod event;
#[cfg(all(feature = "host", not(target_family = "wasm")))]
mod host;
pub mod layout;
mod macros;
mod manifest_text;
#[cfg(target_family = "wasm")]
mod module;
#[cfg(not(target_family = "wasm"))]
mod plugin;

#[cfg(all(feature = "host", not(target_family = "wasm")))]
pub use host::{
    AbiVersion, HOST_TARGET, HostedStage, Listed, LoadError, LoadPolicy, LoadedPlugin, MAX_PANICS,
    Manifest, PanicStrategy, PluginFolders, inspect,
};
pub use standpoint_document as document;
pub use standpoint_stage as stage;

/// What an author's file needs: `use standpoint_abi::prelude::*;`.
pub mod prelude {
    pub use async_trait::async_trait;
    pub use standpoint_document::{Annotation, Document, Layer, Span, layers};
    pub use standpoint_stage::{
        Contract, NoSettings, Stage, StageContext, StageDefinition, StageError, StartContext,
    };

    pub use crate::export_stage;
}

/// What `export_stage!` expands to; for the macro only.
#[doc(hidden)]
pub mod export {
    pub use crate::manifest_text::{
        NO_SETTINGS_SCHEMA, Parts, Section, assert_no_settings, measure,
    };
    #[cfg(target_family = "wasm")]
    pub use crate::module::{alloc, process, start};
    #[cfg(not(target_family = "wasm"))]
    pub use crate::plugin::table;
}
