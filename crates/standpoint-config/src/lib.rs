//! What a pipeline file may say, and what is wrong with this one.

mod catalogue;
mod check;
mod diagnostic;
mod layers;
mod own;
mod pipeline;
mod rules;
mod secret;
mod settings;
mod show;
mod substitute;
mod tree;
mod typed;
mod units;
mod unsupported;
mod yaml;

pub use catalogue::{Catalogue, schema};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use layers::{ENVIRONMENT_PREFIX, Environment, Override};
pub use own::OwnSettings;
pub use pipeline::{PipelineFile, PluginReference, SinkSettings, SourceSettings, StageSettings};
pub use settings::{
    Batch, Commit, Concurrency, Dedupe, Durability, Limits, OnError, Ordering, PluginSettings,
    QuarantineSettings, Retry, Runtime, StageDefaults,
};
pub use units::{
    DURATION_FORMAT, DURATION_RANGE_FORMAT, DurationRange, PATH_FORMAT, SIZE_FORMAT, UnitError,
    format_duration, format_size, parse_duration, parse_size,
};
