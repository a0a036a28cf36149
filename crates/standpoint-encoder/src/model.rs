//! The model: an encoder with its heads, which encodes texts and judges spans of them.

use std::ops::Range;
use std::path::Path;

use crate::encoded::Encoded;
use crate::encoder::Encoder;
use crate::heads::{Sentiment, SentimentHead, SentimentVectors, Stance, StanceHead, StanceVectors};
use crate::network::RunError;
use crate::weights::{Files, LoadError, Weights};

/// An encoder with its heads.
///
/// Threads may share it; each call runs on one thread.
#[derive(Debug)]
pub struct Model {
    name: String,
    encoder: Encoder,
    sentiment: SentimentHead,
    stance: StanceHead,
}

/// How does the sentence sound toward a target in it?
#[derive(Debug, Clone)]
pub struct SentimentQuestion<'e> {
    /// The sentence.
    pub sentence: &'e Encoded,
    /// Where the target stands in it, in bytes.
    pub target: Range<usize>,
}

/// How does a holder stand toward a target, as the sentence conveys it?
#[derive(Debug, Clone)]
pub struct StanceQuestion<'e> {
    /// The sentence.
    pub sentence: &'e Encoded,
    /// Where the holder stands in it, in bytes; `None` is the author.
    pub holder: Option<Range<usize>>,
    /// Where the target stands.
    pub target: Range<usize>,
}

impl Model {
    /// Reads a model from its folder and tries it once, so that a model that opens also answers.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the file that is missing, damaged or of no use.
    pub fn open(folder: &Path) -> Result<Self, LoadError> {
        let weights = Weights::open(Files::Folder(folder))?;
        let model = Self {
            encoder: Encoder::of(&weights)?,
            sentiment: SentimentHead::of(&weights)?,
            stance: StanceHead::of(&weights)?,
            name: weights.manifest.name,
        };
        // A full stop is in every vocabulary, if only as the unknown piece; so the heads are asked
        // about vectors of the encoder's width.
        let encoded = model.encode(&["."])?;
        let sentence = &encoded[0];
        model.sentiment(&[SentimentQuestion { sentence, target: 0..1 }])?;
        model.stance(&[StanceQuestion { sentence, holder: None, target: 0..1 }])?;
        Ok(model)
    }

    /// The model's name and version, such as `standpoint-encoder/1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Encodes texts; see [`Encoder::encode`].
    ///
    /// # Errors
    ///
    /// [`RunError`] when the runtime fails.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Encoded>, RunError> {
        self.encoder.encode(texts)
    }

    /// Judges how sentences sound toward targets.
    ///
    /// Returns one answer for each question, in order; `None` where nothing was read at the
    /// target's place.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the runtime fails.
    pub fn sentiment(
        &self,
        questions: &[SentimentQuestion<'_>],
    ) -> Result<Vec<Option<Sentiment>>, RunError> {
        let means = questions.iter().map(|question| {
            let pieces = question.sentence.pieces_in(question.target.clone())?;
            let whole = question.sentence.around(pieces.start);
            Some((whole, question.sentence.mean(pieces)))
        });
        let means: Vec<_> = means.collect();
        let asked =
            means.iter().flatten().map(|(whole, target)| SentimentVectors { whole, target });
        let asked: Vec<_> = asked.collect();
        Ok(in_places(&means, self.sentiment.judge(&asked)?))
    }

    /// Judges how holders stand toward targets.
    ///
    /// Returns one answer for each question, in order; `None` where nothing was read at the place
    /// of the target or of the holder.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the runtime fails.
    pub fn stance(
        &self,
        questions: &[StanceQuestion<'_>],
    ) -> Result<Vec<Option<Stance>>, RunError> {
        let means = questions.iter().map(|question| {
            let sentence = question.sentence;
            let pieces = sentence.pieces_in(question.target.clone())?;
            let holder = match &question.holder {
                None => None,
                Some(bytes) => Some(sentence.span(bytes.clone())?),
            };
            Some((sentence.around(pieces.start), holder, sentence.mean(pieces)))
        });
        let means: Vec<_> = means.collect();
        let asked = means.iter().flatten().map(|(whole, holder, target)| StanceVectors {
            whole,
            holder: holder.as_deref(),
            target,
        });
        let asked: Vec<_> = asked.collect();
        Ok(in_places(&means, self.stance.judge(&asked)?))
    }
}

/// Puts answers where their questions were asked.
fn in_places<A, T>(asked: &[Option<A>], answers: Vec<T>) -> Vec<Option<T>> {
    let mut answers = answers.into_iter();
    asked.iter().map(|asked| asked.as_ref().and_then(|_| answers.next())).collect()
}
