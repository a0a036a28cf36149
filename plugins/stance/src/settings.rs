//! What a pipeline file may say under `with:`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of `stance`: toward whom, and by which cues.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StanceSettings {
    /// Toward whom stances are sought: the name, an alias or the id of a state, an organisation
    /// or a person, such as "Russia", "RUS", "NATO" or "Ilse Brandvold", or what texts call by one
    /// name, such as "carbon tax". Whom no table knows has
    /// the same id in every result where one stands behind the name: "Ilse Brandvold
    /// (NOR.BRANDVOLD)".
    pub target: Option<String>,

    /// Several targets instead of one; each gets its own entry in the result, in this order.
    pub targets: Option<Vec<String>>,

    /// What judges a sentence: rules and a small model, or these together with the encoder, which
    /// needs the stage `encode` before this one.
    pub judge: JudgeKind,

    /// The folder of another model for the encoder, relative to the pipeline file; the same as
    /// that of `encode`.
    pub model: Option<PathBuf>,

    /// A folder with cue lists in place of the compiled ones: verbs.tsv, nouns.tsv,
    /// evaluations.tsv, function.tsv and irregular.tsv, each laid out as its first lines say.
    /// Relative to the pipeline file.
    pub cues: Option<PathBuf>,

    /// How sure a judgement must be to count as evidence, from 0 to 1. Raise it for fewer and
    /// surer answers.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub minimum_confidence: f32,

    /// The most passages that are kept for each actor, the strongest; the counter-evidence has
    /// as many beside it.
    pub max_evidence: u32,
}

/// What judges a sentence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JudgeKind {
    /// Rules over cue lists, weighed by a linear model: fast.
    #[default]
    Rules,
    /// Rules, and the encoder's judgement of every pair that `encode` read.
    Neural,
}

impl Default for StanceSettings {
    fn default() -> Self {
        Self {
            target: None,
            targets: None,
            judge: JudgeKind::default(),
            model: None,
            cues: None,
            minimum_confidence: 0.5,
            max_evidence: 20,
        }
    }
}

/// The target where the settings name none.
pub const DEFAULT_TARGET: &str = "Russia";

impl StanceSettings {
    /// The targets, in order and each once.
    ///
    /// # Errors
    ///
    /// What is wrong, when both `target` and `targets` are given, or a name is empty.
    pub fn all_targets(&self) -> Result<Vec<String>, String> {
        let named = match (&self.target, &self.targets) {
            (Some(_), Some(_)) => {
                return Err("`target` and `targets` are both given: keep one of them".to_owned());
            }
            (Some(target), None) => vec![target.clone()],
            (None, Some(targets)) => targets.clone(),
            (None, None) => vec![DEFAULT_TARGET.to_owned()],
        };
        if named.is_empty() {
            return Err("`targets` is empty: name at least one, such as Russia".to_owned());
        }
        let mut targets: Vec<String> = Vec::new();
        for name in named {
            let name = name.trim().to_owned();
            if name.is_empty() {
                return Err(
                    "a target has no name: write whom or what it is, such as Russia".to_owned()
                );
            }
            if !targets.contains(&name) {
                targets.push(name);
            }
        }
        Ok(targets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_come_from_one_key_and_once_each() {
        let settings = |target: Option<&str>, targets: Option<&[&str]>| {
            StanceSettings {
                target: target.map(str::to_owned),
                targets: targets.map(|names| names.iter().map(|&name| name.to_owned()).collect()),
                ..StanceSettings::default()
            }
            .all_targets()
        };
        assert_eq!(settings(None, None).unwrap(), ["Russia"]);
        assert_eq!(settings(Some(" Turkey "), None).unwrap(), ["Turkey"]);
        assert_eq!(settings(None, Some(&["A", "B", "A"])).unwrap(), ["A", "B"]);
        assert!(settings(Some("A"), Some(&["B"])).is_err());
        assert!(settings(None, Some(&[])).is_err());
        assert!(settings(Some("  "), None).is_err());
    }
}
