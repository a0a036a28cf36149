//! The standard stage `tokenise`.

mod chars;
mod lists;
mod sentences;
mod shape;
mod words;

pub use lists::{Abbreviation, Lists};
pub use sentences::{
    MAX_SENTENCE_TOKENS, RECIPE, Sentence, SentenceSplitter, examples,
};
pub use words::{MAX_TOKEN_BYTES, words};
mod boilerplate;
mod language;
pub use boilerplate::Boilerplate;
pub use language::{foreign_language, language_of_text};
