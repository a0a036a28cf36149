//! A plugin as its author writes it: marks words that soften a statement.

#![deny(unsafe_code)]

use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_abi::prelude::*;

export_stage!(Hedge, settings: "examples/hedge.schema.json");

/// Marks words that soften a statement.
pub struct Hedge {
    words: Vec<String>,
}

/// Settings of `hedge`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HedgeSettings {
    /// The words to mark, in lower case.
    #[serde(default = "usual_words")]
    words: Vec<String>,
}

fn usual_words() -> Vec<String> {
    ["perhaps", "reportedly"].map(String::from).to_vec()
}

impl StageDefinition for Hedge {
    const NAME: &'static str = "hedge";
    const CONTRACT: Contract = Contract { reads: &[layers::TOKENS], writes: &["hedges"] };
    const MODEL: Option<&'static str> = Some("wordlist-1");
    type Settings = HedgeSettings;

    fn start(settings: HedgeSettings, _: &StartContext) -> Result<Self, StageError> {
        if settings.words.is_empty() {
            return Err(StageError::stage("`words` is empty: name at least one, or leave it out"));
        }
        Ok(Self { words: settings.words })
    }
}

#[async_trait]
impl Stage for Hedge {
    async fn process(
        &self,
        document: &mut Document<'_>,
        _: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let is_hedge =
            |token: &&Annotation| self.words.contains(&document.slice(token.span).to_lowercase());
        let hedges: Vec<_> = document.tokens().iter().filter(is_hedge).copied().collect();
        document.set_layer("hedges", hedges)?;
        Ok(())
    }
}
