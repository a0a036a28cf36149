//! Features in, class scores out: the linear classifier that the fast stages share.
//!
//! A stage says what it sees as named facts ("the word before the mention is *denies*"), each
//! hashed into a [`Feature`]. A [`LinearModel`] adds up one small row of weights per feature and
//! turns the sums into probabilities. That is multinomial logistic regression with feature
//! hashing: it learns thousands of weak cues in seconds, reads a few hundred features in about a
//! microsecond, allocates nothing while it does, and fits into a few hundred kilobytes.
//!
//! ```
//! use standpoint_linear::{Feature, Features};
//!
//! const WORD: Feature = Feature::new("word");
//! const BEFORE: Feature = Feature::new("before");
//!
//! let mut features = Features::new();
//! let words: Vec<Feature> = ["not", "good"].map(|word| WORD.text(word)).to_vec();
//! features.push_ngrams(WORD, &words, 2); // not, good, not good
//! features.push(BEFORE.text("denies"));
//! assert_eq!(features.len(), 4);
//! ```
//!
//! Weights are made by the `train` module, behind the cargo feature `train`, which the
//! program never enables: a seeded trainer, cross-validation, calibration and a report. The same
//! examples and settings give the same bytes.
//!
//! A weight belongs to the hash of its feature, so the hash is part of the file format: it is
//! defined in [`feature`](Feature) and frozen. A model file also names the *recipe* of its
//! features, and [`LinearModel::from_bytes`] refuses weights that were made for another one.

mod feature;
mod model;
#[cfg(feature = "train")]
pub mod train;

pub use feature::{Facts, Feature, Features};
pub use model::{Adder, LinearModel, LoadError, MAX_BITS, softmax};
