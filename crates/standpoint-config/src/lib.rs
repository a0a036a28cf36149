//! What a pipeline file may say, and what is wrong with this one.
//!
//! A pipeline file names where documents come from, which stages read them and where results go:
//!
//! ```
//! use std::path::Path;
//! use standpoint_config::{Environment, PipelineFile};
//!
//! let text = "
//! version: 1
//! sources:
//!   news: { type: inbox, path: ./inbox }
//! stages:
//!   - tokenise
//!   - use: stance
//!     with: { target: Russia }
//!     timeout: 30s
//! sinks:
//!   results: { type: jsonl, path: ./out/results.jsonl }
//! ";
//! let none = Environment::empty();
//! let pipeline = PipelineFile::parse(text, "stance.yaml", Path::new("/srv"), &none, &[])?;
//!
//! assert_eq!(pipeline.name, "stance"); // the file's name, as it does not say another
//! assert_eq!(pipeline.data_dir, Path::new("/srv/state")); // a default, resolved
//! assert_eq!(pipeline.stages[1].timeout.as_secs(), 30);
//! assert_eq!(pipeline.stages[0].timeout, pipeline.defaults.timeout);
//! # Ok::<(), standpoint_config::Diagnostics>(())
//! ```
//!
//! # Every mistake at once
//!
//! Whoever corrects a file wants to see all of its mistakes, each with its line. Reading therefore
//! goes in steps that carry on after a mistake:
//!
//! ```text
//! text ──► tree with places ──► ${...} filled in ──► layers ──► checked against a schema ──► types
//!  yaml         tree               substitute        layers         check, rules            typed
//! ```
//!
//! ```
//! # use std::path::Path;
//! # use standpoint_config::{Environment, PipelineFile};
//! let text = "version: 1\nstages:\n  - use: stance\n    tyemout: 10s\n    concurrency: 0\n";
//! let found = PipelineFile::parse(text, "p.yaml", Path::new(""), &Environment::empty(), &[])
//!     .unwrap_err();
//! assert_eq!(found.to_string(), "\
//! p.yaml:4:5: error: unknown key `tyemout`; did you mean `timeout`?
//!   4 |     tyemout: 10s
//!     |     ^^^^^^^
//!
//! p.yaml:5:18: error: must be at least 1, found `0`
//!   5 |     concurrency: 0
//!     |                  ^");
//! ```
//!
//! # Layers
//!
//! Defaults lie below the file, variables such as `STANDPOINT__DEFAULTS__TIMEOUT=5s` above it, and
//! [`Override`]s (the program's `--set defaults.timeout=5s`) on top. The upper layers change maps
//! and scalars; a list is replaced as a whole.
//!
//! Inside the file, `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `${file:path}` are filled in
//! after it was parsed, so that a value can never add a key; `$$` is a dollar sign. The variables
//! are those of an [`Environment`] that the program hands in.
//!
//! # Settings of connectors and plugins
//!
//! What an `inbox` or a stage takes is not known here. The program collects the JSON Schema of each
//! in a [`Catalogue`]; [`Draft::check_settings`] adds what is wrong to the file's own mistakes, and
//! [`OwnSettings::conform`] gives the settings as JSON, to be read into the owner's type:
//!
//! ```
//! # use std::path::Path;
//! # use standpoint_config::{Catalogue, Draft, Environment};
//! # let text = "version: 1\nstages:\n  - use: stance\n    with: { target: Russia }\n";
//! # let none = Environment::empty();
//! #[derive(schemars::JsonSchema, serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct StanceSettings {
//!     target: String,
//! }
//!
//! let schema = schemars::schema_for!(StanceSettings).to_value();
//! let mut catalogue = Catalogue::default();
//! catalogue.plugins.insert("stance".to_owned(), schema.clone());
//!
//! let mut draft = Draft::parse(text, "stance.yaml", Path::new("/srv"), &none, &[]);
//! draft.check_settings(&catalogue);
//! let (pipeline, warnings) = draft.finish()?;
//! assert!(warnings.is_empty());
//!
//! let settings = pipeline.stages[0].settings.conform(&schema)?;
//! let settings: StanceSettings = serde_json::from_value(settings).unwrap();
//! assert_eq!(settings.target, "Russia");
//! # Ok::<(), standpoint_config::Diagnostics>(())
//! ```
//!
//! In such a schema, a string of the format [`PATH_FORMAT`] is resolved against the folder of the
//! pipeline file, and strings of [`DURATION_FORMAT`], [`DURATION_RANGE_FORMAT`] and [`SIZE_FORMAT`]
//! must carry a unit.

mod catalogue;
mod check;
mod diagnostic;
mod draft;
mod layers;
mod own;
mod pipeline;
mod routing;
mod rules;
mod runtimes;
mod secret;
mod settings;
mod show;
mod substitute;
mod tree;
mod typed;
mod units;
mod yaml;

pub use catalogue::{Catalogue, schema};
pub use diagnostic::{Diagnostic, Diagnostics, Severity, nearest};
pub use draft::{Draft, DraftStage};
pub use layers::{ENVIRONMENT_PREFIX, Environment, Override};
pub use own::OwnSettings;
pub use pipeline::{
    ClusterSettings, PipelineFile, PluginReference, SinkSettings, SourceSettings, StageSettings,
};
pub use routing::{
    ActorExpectation, Expectations, ExpectedDegree, ExpectedLabel, PipelineTest, Route,
};
pub use runtimes::{PluginLimits, Restart, Runtime, RuntimeSettings};
pub use settings::{
    AlertSettings, Batch, Commit, Concurrency, Dedupe, Durability, Kept, Limits, OnError, Ordering,
    PluginSettings, QuarantineSettings, Remembered, Retention, Retry, ServerSettings,
    StageDefaults,
};
pub use units::{
    DURATION_FORMAT, DURATION_RANGE_FORMAT, DurationRange, PATH_FORMAT, SIZE_FORMAT, UnitError,
    format_duration, format_size, parse_duration, parse_size,
};
