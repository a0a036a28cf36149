//! The model: encodes texts, and judges spans of what was encoded.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use crate::encoded::Encoded;
use crate::network::{Network, RunError, Threads};
use crate::weights::{Folder, LoadError, Temperatures};
use crate::window::{MAX_PIECES, Window, windows};
use crate::word_pieces::{Piece, Vocabulary};

const VOCABULARY: &str = "vocab.txt";
const ENCODER: &str = "encoder.onnx";
const SENTIMENT: &str = "sentiment.onnx";
const STANCE: &str = "stance.onnx";

/// How many windows run together. More gains no speed and takes memory.
const BATCH: usize = 8;
/// What stands around the pieces of a window.
const MARKS: usize = 2;
/// What the stance head says: three classes, strength, three voices, three times.
const STANCE_SCORES: usize = 10;
const SENTIMENT_SCORES: usize = 3;

/// An encoder with its heads.
///
/// Threads may share it; each call runs on one thread.
pub struct Model {
    name: String,
    vocabulary: Vocabulary,
    encoder: Network<1>,
    sentiment: Network<2>,
    stance: Network<4>,
    temperatures: Temperatures,
    /// Word pieces that a window holds besides its marks.
    window: usize,
    overlap: usize,
    /// Numbers of a vector.
    width: usize,
    threads: Threads,
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
    /// That it is past, present, or promised; they sum to 1.
    pub time: [f32; 3],
}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Model").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Model {
    /// Reads a model from its folder and tries it once, so that a model that opens also answers.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the file that is missing, damaged or of no use.
    pub fn open(folder: &Path) -> Result<Self, LoadError> {
        let folder = Folder::open(folder)?;
        // All are checked before the first is used.
        let vocabulary = folder.file(VOCABULARY)?;
        let [encoder, sentiment, stance] =
            [folder.file(ENCODER)?, folder.file(SENTIMENT)?, folder.file(STANCE)?];
        let mut model = Self {
            vocabulary: Vocabulary::parse(&String::from_utf8_lossy(&vocabulary))?,
            encoder: Network::load(ENCODER, encoder, ["ids"])?,
            sentiment: Network::load(SENTIMENT, sentiment, ["cls", "target"])?,
            stance: Network::load(STANCE, stance, ["cls", "holder", "by_author", "target"])?,
            temperatures: folder.manifest.temperatures,
            window: folder.manifest.window - MARKS,
            overlap: folder.manifest.overlap,
            width: 0,
            threads: Threads::default(),
            name: folder.manifest.name,
        };
        model.try_out()?;
        Ok(model)
    }

    /// Finds the width of the vectors and makes sure that the heads fit it.
    fn try_out(&mut self) -> Result<(), LoadError> {
        let refuse = |error| match error {
            RunError::Runtime { name, source } => LoadError::Network { name, source },
            error @ RunError::Shape { name, .. } => {
                LoadError::Network { name, source: error.into() }
            }
        };
        let marks = vec![self.vocabulary.first, self.vocabulary.last];
        let ids = self.encoder.rows(marks, MARKS).map_err(refuse)?;
        let vectors = self.encoder.run_any([ids], &self.threads).map_err(refuse)?;
        self.width = vectors.len() / MARKS;
        // A full stop is in every vocabulary, if only as the unknown piece.
        let encoded = self.encode(&["."]).map_err(refuse)?;
        let sentence = &encoded[0];
        self.sentiment(&[SentimentQuestion { sentence, target: 0..1 }]).map_err(refuse)?;
        self.stance(&[StanceQuestion { sentence, holder: None, target: 0..1 }]).map_err(refuse)?;
        Ok(())
    }

    /// The model's name and version, such as `standpoint-encoder/1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Encodes texts, one result for each, in order.
    ///
    /// Windows of one length run together, so many texts at once are a little faster than one by
    /// one. The numbers of a text depend on its company in their third digit, for int8 networks
    /// scale a batch as a whole; the same texts in the same order give the same numbers.
    ///
    /// # Errors
    ///
    /// [`RunError`] when the runtime fails.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Encoded>, RunError> {
        let mut encoded: Vec<Encoded> = texts.iter().map(|text| self.divided(text)).collect();
        let mut jobs = Vec::new();
        for (text, encoded) in encoded.iter_mut().enumerate() {
            for window in windows(encoded.pieces.len(), self.window, self.overlap) {
                encoded.wholes.push((window.keeps.end, Vec::new()));
                jobs.push(Job { text, number: encoded.wholes.len() - 1, window });
            }
        }
        jobs.sort_by_key(|job| job.window.reads.len());
        for alike in jobs.chunk_by(|one, next| one.window.reads.len() == next.window.reads.len()) {
            for batch in alike.chunks(BATCH) {
                self.encode_batch(batch, &mut encoded)?;
            }
        }
        Ok(encoded)
    }

    /// A text with its pieces and room for their vectors.
    fn divided(&self, text: &str) -> Encoded {
        let (pieces, is_whole) = self.vocabulary.divide(text, MAX_PIECES);
        let vectors = vec![0.0; pieces.len() * self.width];
        Encoded { width: self.width, pieces, vectors, wholes: Vec::new(), is_whole }
    }

    /// Encodes windows of one length and puts what they keep into their texts.
    fn encode_batch(&self, batch: &[Job], encoded: &mut [Encoded]) -> Result<(), RunError> {
        let Some(first) = batch.first() else { return Ok(()) };
        let length = first.window.reads.len() + MARKS;
        let mut ids = Vec::with_capacity(batch.len() * length);
        for Job { text, window, .. } in batch {
            let pieces = &encoded[*text].pieces[window.reads.clone()];
            ids.push(self.vocabulary.first);
            ids.extend(pieces.iter().map(|&Piece { id, .. }| id));
            ids.push(self.vocabulary.last);
        }
        let ids = self.encoder.rows(ids, length)?;
        let row = length * self.width;
        let vectors = self.encoder.run([ids], batch.len() * row, &self.threads)?;
        for (job, vectors) in batch.iter().zip(vectors.chunks_exact(row)) {
            let Window { reads, keeps } = &job.window;
            let into = &mut encoded[job.text];
            into.wholes[job.number].1 = vectors[..self.width].to_vec();
            // The first vector is that of the mark before the pieces.
            let from = (keeps.start - reads.start + 1) * self.width;
            let kept = &vectors[from..from + keeps.len() * self.width];
            into.vectors[keeps.start * self.width..keeps.end * self.width].copy_from_slice(kept);
        }
        Ok(())
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
        let (mut whole, mut targets) = (Vec::new(), Vec::new());
        let asked: Vec<bool> = questions
            .iter()
            .map(|question| {
                let sentence = question.sentence;
                let Some(target) = sentence.pieces_in(question.target.clone()) else {
                    return false;
                };
                whole.extend_from_slice(sentence.around(target.start));
                targets.extend(sentence.mean(target));
                true
            })
            .collect();
        if targets.is_empty() {
            return Ok(vec![None; questions.len()]);
        }
        let head = &self.sentiment;
        let expected = targets.len() / self.width * SENTIMENT_SCORES;
        let inputs = [head.rows(whole, self.width)?, head.rows(targets, self.width)?];
        let scores = head.run(inputs, expected, &self.threads)?;
        let answers = scores.as_chunks::<SENTIMENT_SCORES>().0.iter().map(|&scores| Sentiment {
            probabilities: probabilities(scores, self.temperatures.sentiment),
        });
        Ok(in_places(&asked, answers))
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
        let (mut whole, mut holders, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        let mut by_author = Vec::new();
        let asked: Vec<bool> = questions
            .iter()
            .map(|question| {
                let sentence = question.sentence;
                let Some(target) = sentence.pieces_in(question.target.clone()) else {
                    return false;
                };
                match &question.holder {
                    // The network puts the author's own vector in the place of these.
                    None => holders.extend(std::iter::repeat_n(0.0, self.width)),
                    Some(bytes) => match sentence.span(bytes.clone()) {
                        Some(vector) => holders.extend(vector),
                        None => return false,
                    },
                }
                by_author.push(i32::from(question.holder.is_none()));
                whole.extend_from_slice(sentence.around(target.start));
                targets.extend(sentence.mean(target));
                true
            })
            .collect();
        if targets.is_empty() {
            return Ok(vec![None; questions.len()]);
        }
        let head = &self.stance;
        let expected = by_author.len() * STANCE_SCORES;
        let inputs = [
            head.rows(whole, self.width)?,
            head.rows(holders, self.width)?,
            head.list(by_author)?,
            head.rows(targets, self.width)?,
        ];
        let scores = head.run(inputs, expected, &self.threads)?;
        let answers = scores.as_chunks::<STANCE_SCORES>().0.iter().map(
            |&[
                negative,
                neutral,
                positive,
                strong,
                voice_a,
                voice_q,
                voice_r,
                past,
                present,
                future,
            ]| {
                Stance {
                    probabilities: probabilities(
                        [negative, neutral, positive],
                        self.temperatures.stance,
                    ),
                    strong: 1.0 / (1.0 + (-strong).exp()),
                    voice: probabilities([voice_a, voice_q, voice_r], 1.0),
                    time: probabilities([past, present, future], 1.0),
                }
            },
        );
        Ok(in_places(&asked, answers))
    }
}

/// A window of a text, to be encoded.
struct Job {
    /// Index of the text.
    text: usize,
    /// Which of the text's windows.
    number: usize,
    window: Window,
}

/// Puts answers where their questions were asked.
fn in_places<T>(asked: &[bool], mut answers: impl Iterator<Item = T>) -> Vec<Option<T>> {
    asked.iter().map(|&asked| if asked { answers.next() } else { None }).collect()
}

/// Softmax of scores over a temperature above 0.
fn probabilities(scores: [f32; 3], temperature: f32) -> [f32; 3] {
    let max = scores.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let weights = scores.map(|score| ((score - max) / temperature).exp());
    let total: f32 = weights.iter().sum();
    weights.map(|weight| weight / total)
}
