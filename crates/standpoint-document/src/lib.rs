//! What flows through a pipeline: a text and the layers of annotation on it.
//!
//! A [`Document`] is an immutable text, its [`Metadata`], and stand-off annotation beside it.
//! Stages only ever add annotation; nobody changes the text, so an offset that was right once
//! stays right.
//!
//! ```
//! use standpoint_document::{Annotation, Document, Span, layers};
//!
//! let mut document = Document::new("d1", "Astana refused.")?;
//! document.set_layer(layers::TOKENS, vec![
//!     Annotation::new(Span::new(0, 6)),
//!     Annotation::new(Span::new(7, 14)),
//!     Annotation::new(Span::new(14, 15)),
//! ])?;
//! assert_eq!(document.tokens().len(), 3);
//! assert_eq!(document.slice(document.tokens()[1].span), "refused");
//!
//! // A span that leaves the text is refused, and the document stays as it was.
//! let outside = vec![Annotation::new(Span::new(7, 99))];
//! assert!(document.set_layer(layers::SENTENCES, outside).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Three kinds of annotation cover all that stages write:
//!
//! - a **layer** ([`Layer`]) is a list of [`Annotation`]s: spans with a label, flags, a score and
//!   a link, and optionally a vector each. Tokens, sentences and mentions of entities are layers;
//!   stages of others add their own under any name;
//! - a **record** is a typed result that no list of spans can say: the [`Entity`] table, the
//!   [`SentimentRecord`] and the [`TargetStance`]s;
//! - an **attribute** is a JSON value under a name.
//!
//! Layers may be borrowed, so that a plugin reads the host's memory without a copy, or owned; the
//! lifetime of [`Document`] is that of what it borrows, and the engine's documents are
//! `Document<'static>`.
//!
//! The crate does no I/O and knows no clock. Offsets are UTF-8 bytes everywhere except in
//! [`ResultLine`], whose JSON counts Unicode code points as the published format says.
//!
//! Modules in reading order: `span`, `layer`, `document`, `metadata`, `entity`, `score`,
//! `sentiment`, `stance`, `name`, `target`, `result`.

mod document;
mod entity;
mod json;
mod layer;
mod metadata;
mod name;
mod result;
mod score;
mod sentiment;
mod span;
mod stance;
mod target;

pub use document::{Document, StageRecord, TextError};
pub use entity::{Aliases, Entity, EntityKind, mention};
pub use layer::{Annotation, Layer, LayerError, NO_LINK, Vectors, layers, sentence, within};
pub use metadata::{Lender, Metadata, SourceRef};
pub use name::{folded_letters, holds_name, is_same_name, slug};
pub use result::{RESULT_VERSION, ResultLine};
pub use score::{Confidence, Polarity, ScoreError};
pub use sentiment::{Sentiment, SentimentLabel, SentimentRecord};
pub use span::{CodePoints, Span};
pub use stance::{
    ActorStance, Degree, Evidence, Stance, StanceLabel, StanceTarget, TargetStance, Time, Voice,
};
pub use target::{Target, find_entity, is_state_id, state_called, state_names};
