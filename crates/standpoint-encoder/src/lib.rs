//! Sentences in, vectors and judgements out: the neural model that the default stages share.
//!
//! A sentence is encoded once and judged many times. [`Encoder::encode`] turns sentences into
//! word-piece vectors ([`Encoded`]) that know which bytes of the text each piece stands for; the
//! heads then judge from vectors of spans: [`SentimentHead`] toward a target, [`StanceHead`] of a
//! holder, or of the author, toward one. A head costs about a hundredth of the encoding, and needs
//! no encoder beside it: vectors may be kept and asked about elsewhere. [`Model`] is all in one.
//! [`Tagger`] finds names, with a smaller network of its own.
//!
//! - Weights are a folder: the int8 encoder, the heads, the vocabulary, and a manifest with the
//!   hash of each, in a folder or compiled in ([`Files`]). Each is checked before it is used.
//! - A sentence longer than the model reads at once is read in windows that overlap. What is
//!   longer still ([`MAX_PIECES`]) is cut, and [`Encoded::is_whole`] says so.
//! - Sentences of one length run together, never padded, on the thread that calls; several
//!   threads may share one model. The same call gives the same numbers.
//!
//! Modules in reading order: `model` (all in one), `encoder`, `encoded` (vectors and their places),
//! `heads`, `layer` (vectors that go along with a document), `names`, `word_pieces`, `window`,
//! `weights` (the files and their hashes), `network` (the runtime).
//!
//! How the weights are made: `training/README.md` beside this crate's manifest.

mod encoded;
mod encoder;
mod heads;
mod layer;
mod model;
mod names;
mod network;
mod parts;
mod weights;
mod window;
mod word_pieces;

pub use encoded::Encoded;
pub use encoder::Encoder;
pub use heads::{Sentiment, SentimentHead, SentimentVectors, Stance, StanceHead, StanceVectors};
pub use layer::{ForeignVectors, Place, Seen, VECTORS, VectorLayer};
pub use model::{Model, SentimentQuestion, StanceQuestion};
pub use names::{Name, NameKind, Tag, Tagger};
pub use network::RunError;
pub use parts::parts;
pub use weights::{Files, LoadError};
pub use window::MAX_PIECES;
