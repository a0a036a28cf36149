//! The standard stage `tokenise`: words and sentences of edited news, language, boilerplate.
//!
//! The stage reads nothing and writes three things: the layer `tokens`, the layer `sentences` with
//! the flags of [`standpoint_document::sentence`], and the document's language where nobody gave
//! one. Behind it stand four plain functions, usable by themselves:
//!
//! ```
//! use standpoint_tokenise::{Lists, SentenceSplitter, words};
//!
//! let text = "The U.S. President didn't go. Mr. Smith did.";
//! let lists = Lists::standard();
//! let tokens = words(text, &lists);
//! let spelt: Vec<&str> = tokens.iter().map(|token| &text[token.range()]).collect();
//! assert_eq!(spelt[..6], ["The", "U.S.", "President", "did", "n't", "go"]);
//!
//! let sentences = SentenceSplitter::standard()?.split(text, &tokens, &lists);
//! assert_eq!(&text[sentences[1].span(&tokens).range()], "Mr. Smith did.");
//! # Ok::<(), standpoint_linear::LoadError>(())
//! ```
//!
//! Word lists and the weights of the sentence splitter lie in `data/`, with their model card; the
//! weights are made by the example `train-sentences`. How fast it is:
//! `cargo bench -p standpoint-tokenise`.
//!
//! Modules in reading order: `stage`, `words`, `sentences`, `language`, `boilerplate`, `lists`,
//! `shape`, `chars`.

mod boilerplate;
mod chars;
mod language;
mod lists;
mod sentences;
mod shape;
mod stage;
mod words;

pub use boilerplate::Boilerplate;
pub use chars::is_left_out;
pub use language::Words;
pub use lists::{Abbreviation, Lists};
pub use sentences::{MAX_SENTENCE_TOKENS, RECIPE, Sentence, SentenceSplitter, examples};
pub use stage::{BoilerplateMode, Tokenise, TokeniseSettings};
pub use words::{MAX_TOKEN_BYTES, words};
