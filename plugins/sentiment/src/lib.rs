//! The standard stage `sentiment`: how sentences and documents sound, and toward whom.
//!
//! A sentence's polarity adds up the tones of its words, found in a lexicon that an analyst can
//! read and edit, after negation, intensifiers, "but", questions and quotation. The attitude
//! toward a mention is what people mean by sentiment in news ("he condemned the attack on her"
//! is bad news about nobody named): a linear model over the words around the mention judges it.
//! What has no evidence gets no sentiment. Where the stage `encode` has read the sentence, the
//! encoder's judgement is joined to that of the linear model.
//!
//! Names are masked before the model sees them, so that it learns what sentences say and not who
//! is who. How good it is: `MODEL_CARD.md` beside the crate's `Cargo.toml`.

mod judge;
mod lexicon;
#[cfg(any(test, feature = "train"))]
mod plain_tokens;
mod polarity;
mod stage;
mod target;
#[cfg(test)]
mod tests;
mod words;

pub use judge::Judge;
#[cfg(feature = "train")]
pub use judge::describe;
pub use lexicon::{Lexicon, LexiconError};
#[cfg(feature = "train")]
pub use plain_tokens::tokens;
pub use stage::{JudgeKind, SentimentSettings, SentimentStage};

/// The name of how the model's features are made, which its weights carry.
#[cfg(feature = "train")]
pub const RECIPE: &str = target::RECIPE;

standpoint_abi::export_stage!(SentimentStage, settings: "settings.schema.json");
