//! The stage: reads words, sentences and mentions, and writes the sentiment record.

use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::{Document, layers};
use standpoint_stage::{Contract, Stage, StageContext, StageDefinition, StageError, StartContext};

use crate::judge::Judge;
use crate::lexicon::Lexicon;

/// Settings of `sentiment`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SentimentSettings {
    /// A lexicon to use in place of the built-in one, relative to the pipeline file; one word a
    /// line, as described in the head of the built-in file, `plugins/sentiment/data/lexicon.tsv`.
    pub lexicon: Option<PathBuf>,
}

/// The stage `sentiment`.
#[derive(Debug)]
pub struct SentimentStage {
    judge: Judge,
}

impl StageDefinition for SentimentStage {
    const NAME: &'static str = "sentiment";
    const CONTRACT: Contract = Contract {
        reads: &[layers::TOKENS, layers::SENTENCES, layers::ENTITIES],
        writes: &[layers::SENTIMENT],
    };
    const MODEL: Option<&'static str> = Some("sentiment-target/1");
    type Settings = SentimentSettings;

    fn start(settings: SentimentSettings, context: &StartContext) -> Result<Self, StageError> {
        let lexicon = match &settings.lexicon {
            None => Lexicon::standard(),
            Some(path) => {
                let path = context.resolve(path);
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    StageError::stage(format!(
                        "cannot read the lexicon {}: {error}; correct `lexicon`",
                        path.display()
                    ))
                })?;
                Lexicon::parse(&text)
                    .map_err(|error| StageError::stage(format!("{}: {error}", path.display())))?
            }
        };
        let judge = Judge::new(lexicon).map_err(|error| StageError::stage(error.to_string()))?;
        Ok(Self { judge })
    }
}

#[async_trait]
impl Stage for SentimentStage {
    async fn process(
        &self,
        document: &mut Document<'_>,
        _: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let record = self.judge.judge(
            document.text(),
            document.sentences(),
            document.tokens(),
            document.mentions(),
        );
        document.set_sentiment(record)?;
        Ok(())
    }
}
