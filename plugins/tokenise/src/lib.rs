//! The standard stage `tokenise`.

mod chars;
mod lists;
mod span;
mod words;

pub use lists::{Abbreviation, Lists};
pub use span::Span;
pub use words::{MAX_TOKEN_BYTES, words};
