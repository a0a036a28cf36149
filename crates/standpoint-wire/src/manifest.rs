//! What a stage outside this process says of itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name, contract and settings of a stage. Unknown keys are passed over: later ones may say more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageManifest {
    /// The stage's name: lower case, digits and `-`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does, in a line.
    #[serde(default)]
    pub description: String,
    /// The model that it carries.
    #[serde(default)]
    pub model: Option<String>,
    /// The names of what must be there before it runs.
    #[serde(default)]
    pub reads: Vec<String>,
    /// The names of what it may write.
    #[serde(default)]
    pub writes: Vec<String>,
    /// The JSON Schema of its settings; any settings where absent.
    #[serde(default)]
    pub settings: Option<Value>,
}

impl StageManifest {
    /// Refuses what no pipeline could use.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        let is_name = self.name.starts_with(|c: char| c.is_ascii_lowercase())
            && self.name.len() <= 64
            && self.name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !is_name {
            return Err(format!(
                "it calls itself {:?}: a name begins with a lower-case letter, followed by such \
                 letters, digits and `-`",
                self.name
            ));
        }
        let names = self.reads.iter().chain(&self.writes);
        if let Some(name) = names.into_iter().find(|name| name.is_empty() || name.len() > 64) {
            return Err(format!("it reads or writes {name:?}, which is no name"));
        }
        match &self.settings {
            None | Some(Value::Object(_)) => Ok(()),
            Some(other) => Err(format!("its `settings` are no JSON Schema but {other}")),
        }
    }
}
