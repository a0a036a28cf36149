//! The heads: vectors of an encoder in, judgements out.
//!
//! A head needs no encoder beside it. Whoever keeps the vectors of a text may ask as often as he
//! likes; that they come from the encoder that the head was trained with, he sees by their ids.

use std::fmt;

use crate::network::{Network, RunError, Threads};
use crate::weights::{Files, LoadError, Weights};

const SENTIMENT: &str = "sentiment.onnx";
const STANCE: &str = "stance.onnx";

/// What the stance head says: three classes, strength, three voices, four times.
const STANCE_SCORES: usize = 11;
const SENTIMENT_SCORES: usize = 3;

/// Vectors of a sentence and of a target in it.
#[derive(Debug, Clone, Copy)]
pub struct SentimentVectors<'v> {
    /// Of the window that holds the target; see [`Encoded::windows`](crate::Encoded::windows).
    pub whole: &'v [f32],
    /// Of the target; see [`Encoded::span`](crate::Encoded::span).
    pub target: &'v [f32],
}

/// Vectors of a sentence, a holder and a target in it.
#[derive(Debug, Clone, Copy)]
pub struct StanceVectors<'v> {
    /// Of the window that holds the target; see [`Encoded::windows`](crate::Encoded::windows).
    pub whole: &'v [f32],
    /// Of the holder; `None` is the author.
    pub holder: Option<&'v [f32]>,
    /// Of the target; see [`Encoded::span`](crate::Encoded::span).
    pub target: &'v [f32],
}

/// How a sentence sounds toward a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sentiment {
    /// Of negative, neutral and positive; they sum to 1.
    pub probabilities: [f32; 3],
}

/// How a holder stands toward a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stance {
    /// Of negative, neutral and positive; they sum to 1.
    pub probabilities: [f32; 3],
    /// That an attitude, if there is one, is a strong one (opposed or supportive).
    pub strong: f32,
    /// That it is voiced by the author, quoted, or reported; they sum to 1.
    pub voice: [f32; 3],
    /// That it is past, present, promised, or hypothetical; they sum to 1.
    pub time: [f32; 4],
}

/// Judges how sentences sound toward targets.
pub struct SentimentHead {
    id: String,
    network: Network<2>,
    temperature: f32,
    width: usize,
    threads: Threads,
}

impl fmt::Debug for SentimentHead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SentimentHead").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SentimentHead {
    /// Reads the head of a model and tries it once, so that one that opens also answers.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the file that is missing, damaged or of no use.
    pub fn open(files: Files<'_>) -> Result<Self, LoadError> {
        Self::of(&Weights::open(files)?)
    }

    pub(crate) fn of(weights: &Weights<'_>) -> Result<Self, LoadError> {
        let network = Network::load(SENTIMENT, weights.file(SENTIMENT)?, None, ["cls", "target"])?;
        let width = network.width().ok_or(LoadError::Width { name: SENTIMENT })?;
        let id = weights.id.clone();
        let temperature = weights.manifest.temperatures.sentiment;
        let head = Self { id, network, temperature, width, threads: Threads::default() };
        let zero = vec![0.0; width];
        head.judge(&[SentimentVectors { whole: &zero, target: &zero }])?;
        Ok(head)
    }

    /// The model that it belongs to; see [`Encoder::id`](crate::Encoder::id).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Judges, one answer for each question, in order.
    ///
    /// Probabilities depend on the other questions in their second digit, for the int8 head scales
    /// them as a whole; the same questions in the same order get the same answers.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the runtime fails, or a vector has another width.
    pub fn judge(&self, questions: &[SentimentVectors<'_>]) -> Result<Vec<Sentiment>, RunError> {
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let head = &self.network;
        let inputs = [
            head.vectors(self.width, questions.iter().map(|question| question.whole))?,
            head.vectors(self.width, questions.iter().map(|question| question.target))?,
        ];
        let scores = head.run(inputs, questions.len() * SENTIMENT_SCORES, &self.threads)?;
        let answer = |&scores| Sentiment { probabilities: probabilities(scores, self.temperature) };
        Ok(scores.as_chunks::<SENTIMENT_SCORES>().0.iter().map(answer).collect())
    }
}

/// Judges how holders stand toward targets.
pub struct StanceHead {
    id: String,
    network: Network<4>,
    temperature: f32,
    width: usize,
    threads: Threads,
}

impl fmt::Debug for StanceHead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StanceHead").field("id", &self.id).finish_non_exhaustive()
    }
}

impl StanceHead {
    /// Reads the head of a model and tries it once, so that one that opens also answers.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the file that is missing, damaged or of no use.
    pub fn open(files: Files<'_>) -> Result<Self, LoadError> {
        Self::of(&Weights::open(files)?)
    }

    pub(crate) fn of(weights: &Weights<'_>) -> Result<Self, LoadError> {
        let inputs = ["cls", "holder", "by_author", "target"];
        let network = Network::load(STANCE, weights.file(STANCE)?, None, inputs)?;
        let width = network.width().ok_or(LoadError::Width { name: STANCE })?;
        let id = weights.id.clone();
        let temperature = weights.manifest.temperatures.stance;
        let head = Self { id, network, temperature, width, threads: Threads::default() };
        let zero = vec![0.0; width];
        head.judge(&[StanceVectors { whole: &zero, holder: None, target: &zero }])?;
        Ok(head)
    }

    /// The model that it belongs to; see [`Encoder::id`](crate::Encoder::id).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Judges, one answer for each question, in order.
    ///
    /// Probabilities depend on the other questions in their second digit, for the int8 head scales
    /// them as a whole; the same questions in the same order get the same answers.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the runtime fails, or a vector has another width.
    pub fn judge(&self, questions: &[StanceVectors<'_>]) -> Result<Vec<Stance>, RunError> {
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let head = &self.network;
        // The network puts the author's own vector in the place of these.
        let nobody = vec![0.0; self.width];
        let by_author = questions.iter().map(|question| i32::from(question.holder.is_none()));
        let holders = questions.iter().map(|question| question.holder.unwrap_or(&nobody));
        let inputs = [
            head.vectors(self.width, questions.iter().map(|question| question.whole))?,
            head.vectors(self.width, holders)?,
            head.list(by_author.collect())?,
            head.vectors(self.width, questions.iter().map(|question| question.target))?,
        ];
        let scores = head.run(inputs, questions.len() * STANCE_SCORES, &self.threads)?;
        let answer = |&scores| self.stance(scores);
        Ok(scores.as_chunks::<STANCE_SCORES>().0.iter().map(answer).collect())
    }

    fn stance(&self, scores: [f32; STANCE_SCORES]) -> Stance {
        let [negative, neutral, positive, strong, rest @ ..] = scores;
        let [by_author, quoted, reported, time @ ..] = rest;
        Stance {
            probabilities: probabilities([negative, neutral, positive], self.temperature),
            strong: 1.0 / (1.0 + (-strong).exp()),
            voice: probabilities([by_author, quoted, reported], 1.0),
            time: probabilities(time, 1.0),
        }
    }
}

/// Softmax of scores over a temperature above 0.
fn probabilities<const N: usize>(scores: [f32; N], temperature: f32) -> [f32; N] {
    let max = scores.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let weights = scores.map(|score| ((score - max) / temperature).exp());
    let total: f32 = weights.iter().sum();
    weights.map(|weight| weight / total)
}
