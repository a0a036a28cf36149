//! Sentences in, vectors and judgements out: the neural model that the default stages share.
//!
//! A sentence is encoded once and judged many times. [`Model::encode`] turns sentences into
//! word-piece vectors ([`Encoded`]) that know which bytes of the text each piece stands for; the
//! heads then read any spans of them: [`Model::sentiment`] toward a target, [`Model::stance`] of a
//! holder, or of the author, toward one. A head costs about a hundredth of the encoding.
//!
//! - Weights are a folder: the int8 encoder, the heads, the vocabulary, and a manifest with the
//!   hash of each. [`Model::open`] checks them all before it uses one.
//! - A sentence longer than the model reads at once is read in windows that overlap. What is
//!   longer still ([`MAX_PIECES`]) is cut, and [`Encoded::is_whole`] says so.
//! - Sentences of one length run together, never padded, on the thread that calls; several
//!   threads may share one model. The same call gives the same numbers.
//!
//! Modules in reading order: `model` (what is called), `encoded` (vectors and their places),
//! `word_pieces`, `window`, `weights` (the folder and its hashes), `network` (the runtime).
//!
//! How the weights are made: `training/README.md` beside this crate's manifest.

mod encoded;
mod model;
mod network;
mod weights;
mod window;
mod word_pieces;

pub use encoded::Encoded;
pub use model::{Model, Sentiment, SentimentQuestion, Stance, StanceQuestion};
pub use network::RunError;
pub use weights::LoadError;
pub use window::MAX_PIECES;
