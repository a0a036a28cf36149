//! What a stage is: an async function from a document to a better document.
//!
//! A stage reads some layers of a [`Document`](document::Document) and writes others. This page
//! builds one; a plugin needs nothing more than it shows, plus one line that exports it (see the
//! crate `standpoint-abi`).
//!
//! ```
//! use async_trait::async_trait;
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use standpoint_stage::document::{Annotation, Document, Layer, layers};
//! use standpoint_stage::{Contract, Stage, StageContext, StageDefinition, StageError, StartContext};
//!
//! /// Marks words that soften a statement.
//! pub struct Hedge {
//!     words: Vec<String>,
//! }
//!
//! /// Settings of `hedge`: the keys under `with:` in a pipeline file.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! pub struct HedgeSettings {
//!     /// The words to mark, in lower case.
//!     #[serde(default = "usual_words")]
//!     words: Vec<String>,
//! }
//!
//! fn usual_words() -> Vec<String> {
//!     ["perhaps", "reportedly"].map(String::from).to_vec()
//! }
//!
//! impl StageDefinition for Hedge {
//!     const NAME: &'static str = "hedge";
//!     const CONTRACT: Contract = Contract { reads: &[layers::TOKENS], writes: &["hedges"] };
//!     type Settings = HedgeSettings;
//!
//!     fn start(settings: HedgeSettings, _: &StartContext) -> Result<Self, StageError> {
//!         Ok(Self { words: settings.words })
//!     }
//! }
//!
//! #[async_trait]
//! impl Stage for Hedge {
//!     async fn process(
//!         &self,
//!         document: &mut Document<'_>,
//!         _: &StageContext<'_>,
//!     ) -> Result<(), StageError> {
//!         let is_hedge = |token: &&Annotation| {
//!             self.words.contains(&document.slice(token.span).to_lowercase())
//!         };
//!         let hedges: Vec<_> = document.tokens().iter().filter(is_hedge).copied().collect();
//!         document.set_layer("hedges", hedges)?;
//!         Ok(())
//!     }
//! }
//!
//! // A test of the stage needs no engine: it gives the layers that the stage reads.
//! let hedge = Hedge { words: usual_words() };
//! let mut document = standpoint_stage::testing::tokenised("It may, perhaps, rain.");
//! standpoint_stage::testing::process(&hedge, &mut document)?;
//! let marked = document.layer("hedges").map(|layer| layer.annotations.len());
//! assert_eq!(marked, Some(1));
//! # Ok::<(), StageError>(())
//! ```
//!
//! # What a stage may rely on
//!
//! - The layers in `reads` are there: a pipeline in which nobody writes them before is refused
//!   before it starts ([`check_chain`]).
//! - One value serves all workers at once; `process` takes `&self`.
//! - What a stage writes is checked against the text and kept only when it returns `Ok`.
//! - Dropping the future of `process` cancels it. A stage that computes for long in one go asks
//!   [`StageContext::is_cancelled`] now and then.
//!
//! # What it must keep to
//!
//! - It writes only what `writes` names. It never changes the text.
//! - It neither prints nor panics. A panic is caught and fails the document, no more.
//! - It reads its own files, if any, in [`StageDefinition::start`], and nothing afterwards.
//!
//! Modules in reading order: `stage`, `definition`, `contract`, `error`, [`testing`] and
//! [`conformance`].

pub mod conformance;
mod contract;
mod definition;
mod error;
mod stage;
pub mod testing;

pub use contract::{ASKED, ChainError, Contract, check_chain};
pub use definition::{NoSettings, StageDefinition, StartContext};
pub use error::{StageError, StageErrorKind};
pub use stage::{Stage, StageContext};
/// The documents that stages work on.
pub use standpoint_document as document;
