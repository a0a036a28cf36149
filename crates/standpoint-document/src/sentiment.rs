//! How a text sounds: polarity of document, sentences and mentions.

use serde::{Deserialize, Serialize};

use crate::score::{Confidence, Polarity};

/// A polarity and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sentiment {
    /// Negative to positive.
    pub score: Polarity,
    /// How sure.
    pub confidence: Confidence,
}

impl Sentiment {
    /// The label that the score falls under: negative up to -0.15, positive from 0.15.
    #[must_use]
    pub fn label(self) -> SentimentLabel {
        match self.score.get() {
            score if score <= -0.15 => SentimentLabel::Negative,
            score if score >= 0.15 => SentimentLabel::Positive,
            _ => SentimentLabel::Neutral,
        }
    }
}

/// What a polarity is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentimentLabel {
    /// At most -0.15.
    Negative,
    /// Between.
    Neutral,
    /// At least 0.15.
    Positive,
}

impl SentimentLabel {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Neutral => "neutral",
            Self::Positive => "positive",
        }
    }
}

/// The sentiment of a document and its parts; `None` where nothing in the text speaks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SentimentRecord {
    /// Of the document as a whole.
    pub document: Option<Sentiment>,
    /// One for each sentence, in their order.
    pub sentences: Vec<Option<Sentiment>>,
    /// Toward what each mention of an entity names, in their order.
    pub mentions: Vec<Option<Sentiment>>,
}
