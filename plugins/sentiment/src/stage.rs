//! The stage: reads words, sentences and mentions, and writes the sentiment record.

use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use standpoint_document::{Annotation, Document, Span, layers};
use standpoint_encoder::{Files, Seen, SentimentHead, SentimentVectors, VECTORS};
use standpoint_stage::{Contract, Stage, StageContext, StageDefinition, StageError, StartContext};

use crate::judge::Judge;
use crate::lexicon::Lexicon;

/// The attribute that asks how the text sounds toward given stretches of it, named or not: a list
/// of `{start, end}` in bytes.
const TARGETS: &str = "standpoint.targets";

/// The attribute that answers: for each in its order `{label, score, confidence}`.
const ANSWERS: &str = "standpoint.target_sentiments";

/// The model that comes with the stage.
const SHIPPED: Files<'static> = Files::Compiled(&[
    ("manifest.json", include_bytes!("../../../crates/standpoint-encoder/model/manifest.json")),
    ("sentiment.onnx", include_bytes!("../../../crates/standpoint-encoder/model/sentiment.onnx")),
]);

/// Settings of `sentiment`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SentimentSettings {
    /// A lexicon to use in place of the built-in one, relative to the pipeline file; one word a
    /// line, as described in the head of the built-in file, `plugins/sentiment/data/lexicon.tsv`.
    pub lexicon: Option<PathBuf>,

    /// What judges how a sentence sounds toward a mention: a small model of its words, or this
    /// together with the encoder, which needs the stage `encode` before this one.
    pub judge: JudgeKind,

    /// The folder of another model for the encoder, relative to the pipeline file; the same as
    /// that of `encode`.
    pub model: Option<PathBuf>,
}

/// What judges how a sentence sounds toward a mention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JudgeKind {
    /// A linear model over the words around the mention: fast.
    #[default]
    Words,
    /// The same, and the encoder's judgement of every mention that `encode` read.
    Neural,
}

/// The stage `sentiment`.
#[derive(Debug)]
pub struct SentimentStage {
    judge: Judge,
    head: Option<SentimentHead>,
}

impl StageDefinition for SentimentStage {
    const NAME: &'static str = "sentiment";
    const CONTRACT: Contract = Contract {
        reads: &[layers::TOKENS, layers::SENTENCES, layers::ENTITIES, TARGETS, VECTORS],
        writes: &[layers::SENTIMENT, ANSWERS],
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
        let head = match settings.judge {
            JudgeKind::Words => None,
            JudgeKind::Neural => {
                let folder = settings.model.as_ref().map(|model| context.resolve(model));
                let files = folder.as_deref().map_or(SHIPPED, Files::Folder);
                let head =
                    SentimentHead::open(files).map_err(|error| StageError::caused_by(&error))?;
                Some(head)
            }
        };
        Ok(Self { judge, head })
    }
}

#[async_trait]
impl Stage for SentimentStage {
    async fn process(
        &self,
        document: &mut Document<'_>,
        _: &StageContext<'_>,
    ) -> Result<(), StageError> {
        if self.head.is_some() && document.layer(VECTORS).is_none() {
            document
                .add_note("sentiment: judged by words alone, for no stage `encode` wrote vectors");
        }
        let record = self.judge.judge(
            document.text(),
            document.sentences(),
            document.tokens(),
            document.mentions(),
            &self.heard(document, document.mentions())?,
        );
        document.set_sentiment(record)?;
        if let Some(asked) = document.attribute(TARGETS) {
            let answers = self.answer(document, asked)?;
            document.set_attribute(ANSWERS, answers);
        }
        Ok(())
    }
}

impl SentimentStage {
    /// What the encoder says of each mention that was encoded; nothing without an encoder.
    fn heard(
        &self,
        document: &Document<'_>,
        mentions: &[Annotation],
    ) -> Result<Vec<Option<[f32; 3]>>, StageError> {
        let Some(head) = &self.head else { return Ok(Vec::new()) };
        let seen =
            Seen::of(document, head.id()).map_err(|error| StageError::stage(error.to_string()))?;
        let Some(seen) = seen else { return Ok(Vec::new()) };
        let vectors = |mention: &Annotation| {
            let place = seen.place(mention.span)?;
            Some(SentimentVectors { whole: place.whole, target: place.vector })
        };
        let asked: Vec<Option<SentimentVectors<'_>>> = mentions.iter().map(vectors).collect();
        let questions: Vec<SentimentVectors<'_>> = asked.iter().copied().flatten().collect();
        let answers = head.judge(&questions).map_err(|error| StageError::caused_by(&error))?;
        let mut answers = answers.into_iter();
        let answer = |asked: &Option<SentimentVectors<'_>>| {
            asked.and_then(|_| answers.next()).map(|sentiment| sentiment.probabilities)
        };
        Ok(asked.iter().map(answer).collect())
    }

    /// How the text sounds toward each of the stretches in `asked`; one without evidence is
    /// neutral, with no say on how sure that is.
    fn answer(&self, document: &Document<'_>, asked: &Value) -> Result<Value, StageError> {
        let spans: Vec<Span> = serde_json::from_value(asked.clone()).map_err(|error| {
            StageError::document(format!("`{TARGETS}` is not a list of {{start, end}}: {error}"))
        })?;
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|&index| spans[index]);
        let mentions: Vec<Annotation> =
            order.iter().map(|&index| Annotation::new(spans[index])).collect();
        let record = self.judge.judge(
            document.text(),
            document.sentences(),
            document.tokens(),
            &mentions,
            &self.heard(document, &mentions)?,
        );
        let mut answers = vec![Value::Null; spans.len()];
        for (index, sentiment) in order.into_iter().zip(record.mentions) {
            answers[index] = sentiment.map_or_else(
                || json!({ "label": "neutral", "score": 0.0, "confidence": null }),
                |found| {
                    json!({
                        "label": found.label(),
                        "score": found.score,
                        "confidence": found.confidence,
                    })
                },
            );
        }
        Ok(Value::Array(answers))
    }
}
