//! What the author of a stage declares besides what it does.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::contract::Contract;
use crate::error::StageError;
use crate::stage::Stage;

/// Name, contract and settings of a stage; what `export_stage!` puts into a plugin's manifest.
pub trait StageDefinition: Stage + Sized + 'static {
    /// The name under which pipeline files use it: lower case, digits and `-`.
    const NAME: &'static str;

    /// What it reads and writes.
    const CONTRACT: Contract;

    /// The model that it carries, such as `linear-2026-11`, for the provenance of results.
    const MODEL: Option<&'static str> = None;

    /// Its settings: the keys under `with:`. [`NoSettings`] where there are none.
    type Settings: DeserializeOwned + JsonSchema;

    /// Makes the stage, once for each use in a pipeline.
    ///
    /// # Errors
    ///
    /// [`StageError`] when the settings, though well formed, cannot work, or a file that they
    /// name cannot be read. It stops the pipeline before it starts.
    fn start(settings: Self::Settings, context: &StartContext) -> Result<Self, StageError>;
}

/// What a stage is told when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartContext {
    /// The stage's id in the pipeline.
    pub stage: String,
    /// The folder of the pipeline file, against which relative paths in settings are read.
    pub pipeline_dir: PathBuf,
}

impl StartContext {
    /// A path from the settings, as seen from the pipeline file's folder.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.pipeline_dir.join(path)
    }
}

/// For stages without settings: any key under `with:` is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}
