//! What a pipeline file may say under `with:`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of `encode`: which sentences are read, and by which model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EncodeSettings {
    /// The target whose sentences are read, by name, alias or id; the same as that of `stance`.
    /// Russia where neither this nor `targets` is given.
    pub target: Option<String>,

    /// Several targets instead of one; the same as those of `stance`.
    pub targets: Option<Vec<String>>,

    /// Which sentences are read.
    pub sentences: Sentences,

    /// How many words of a document are read at most; about 6 milliseconds for 30 of them. What
    /// stands behind is judged without the model, and the result is marked partial.
    #[schemars(range(min = 1))]
    pub max_words: u32,

    /// The folder of another model, relative to the pipeline file. `sentiment` and `stance` need
    /// the same.
    pub model: Option<PathBuf>,
}

/// Which sentences are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sentences {
    /// Those that speak of a target.
    #[default]
    Target,
    /// All that name somebody, so that sentiment toward everybody is judged by the model. This
    /// takes several times as long.
    Actors,
}

impl Default for EncodeSettings {
    fn default() -> Self {
        Self {
            target: None,
            targets: None,
            sentences: Sentences::default(),
            max_words: 60_000,
            model: None,
        }
    }
}

/// The target where the settings name none.
const DEFAULT_TARGET: &str = "Russia";

impl EncodeSettings {
    /// The targets.
    ///
    /// # Errors
    ///
    /// What is wrong, when both `target` and `targets` are given.
    pub(crate) fn all_targets(&self) -> Result<Vec<String>, String> {
        match (&self.target, &self.targets) {
            (Some(_), Some(_)) => {
                Err("`target` and `targets` are both given: keep one of them".to_owned())
            }
            (Some(target), None) => Ok(vec![target.clone()]),
            (None, Some(targets)) => Ok(targets.clone()),
            (None, None) => Ok(vec![DEFAULT_TARGET.to_owned()]),
        }
    }
}
