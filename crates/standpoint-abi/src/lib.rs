//! How a stage goes into and comes out of a shared library.
#![allow(unsafe_code, reason = "the boundary between libraries is unsafe; it is all here")]

#[cfg(feature = "host")]
mod host;
pub mod layout;
mod manifest_text;
mod plugin;

#[cfg(feature = "host")]
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
    pub use crate::plugin::table;
}
