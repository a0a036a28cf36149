//! Reads a document's layers and says how its sentences sound, and toward whom.

use std::sync::{Mutex, PoisonError};

use standpoint_document::{
    Annotation, Confidence, Polarity, Sentiment, SentimentRecord, Span, mention, sentence, within,
};
#[cfg(feature = "train")]
use standpoint_linear::Features;
use standpoint_linear::{LinearModel, LoadError};

use crate::lexicon::Lexicon;
use crate::polarity::{Tally, document_sentiment, tally};
use crate::target::{RECIPE, Rows, Scale, Weighed, describe_mention, describe_passage, weigh};
use crate::words::{Known, Lately, MAX_PASSAGE_WORDS, Word, read};

/// What is kept from one text to the next.
#[derive(Debug, Default)]
struct Memory {
    lately: Lately,
    weighed: Weighed,
}

/// The stage's thinking: a lexicon for sentences, a linear model for mentions.
#[derive(Debug)]
pub struct Judge {
    lexicon: Lexicon,
    /// What was looked up lately, one for each text that was judged at once.
    memories: Mutex<Vec<Memory>>,
    model: LinearModel<3>,
}

impl Judge {
    /// A judge with the weights that come with the stage.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when the compiled-in weights were made for other features.
    pub fn new(lexicon: Lexicon) -> Result<Self, LoadError> {
        Self::with_weights(lexicon, include_bytes!("../data/target.weights"))
    }

    /// A judge with other weights.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when `weights` is not a file that the training of this version made.
    pub fn with_weights(lexicon: Lexicon, weights: &[u8]) -> Result<Self, LoadError> {
        let model = LinearModel::from_bytes(weights, RECIPE)?;
        Ok(Self { lexicon, memories: Mutex::default(), model })
    }

    /// Judges a document.
    ///
    /// Boilerplate and sentences in another language are passed over, and so are mentions inside
    /// another mention or of something that does not act.
    ///
    /// - `sentences`, `tokens`, `mentions`: the standard layers, each ordered by start.
    /// - `heard`: what the encoder says of each mention, where it read it: probabilities of
    ///   negative, neutral and positive; empty without an encoder.
    /// - returns: one place for each sentence and each mention.
    #[must_use]
    pub fn judge(
        &self,
        text: &str,
        sentences: &[Annotation],
        tokens: &[Annotation],
        mentions: &[Annotation],
        heard: &[Option<[f32; 3]>],
    ) -> SentimentRecord {
        let mut record = SentimentRecord {
            document: None,
            sentences: vec![None; sentences.len()],
            mentions: vec![None; mentions.len()],
        };
        let memory = self.memories.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Memory { lately, mut weighed } = memory.unwrap_or_default();
        let mut known = Known::new(&self.lexicon, lately);
        let (mut words, mut rows) = (Vec::new(), Vec::new());
        let mut tallies = Vec::with_capacity(sentences.len());
        for (place, sentence) in record.sentences.iter_mut().zip(sentences) {
            if sentence.flags & (sentence::BOILERPLATE | sentence::FOREIGN) != 0 {
                continue;
            }
            let mut whole = Tally::default();
            for part in within(tokens, sentence.span).chunks(MAX_PASSAGE_WORDS) {
                read(text, part.iter().map(|token| token.span), &mut known, &mut words);
                let passage = tally(&words);
                whole.add(passage);
                let asked = (mentions, heard);
                let room = (&mut weighed, &mut rows);
                self.judge_mentions(&words, passage, room, asked, &mut record.mentions);
            }
            *place = whole.sentiment();
            tallies.push((whole, sentence.flags & sentence::TITLE != 0));
        }
        record.document = document_sentiment(&tallies);
        let memory = Memory { lately: known.into_lately(), weighed };
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        record
    }

    /// Judges the mentions that begin in a passage.
    fn judge_mentions(
        &self,
        words: &[Word],
        passage: Tally,
        (weighed, rows): (&mut Weighed, &mut Vec<Rows>),
        (mentions, heard): (&[Annotation], &[Option<[f32; 3]>]),
        places: &mut [Option<Sentiment>],
    ) {
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        let span = Span::new(first.span.start, last.span.end);
        let here = within(mentions, span);
        let offset = mentions.partition_point(|mention| mention.span.start < span.start);
        let mut judged = here.iter().enumerate().filter_map(|(number, mention)| {
            if mention.flags & (mention::NESTED | mention::NOT_AN_ACTOR) != 0 {
                return None;
            }
            let first = words.partition_point(|word| word.span.end <= mention.span.start);
            let end = words.partition_point(|word| word.span.start < mention.span.end);
            (first < end).then_some((offset + number, first..end))
        });
        let Some(first) = judged.next() else { return };
        weigh(words, &self.model, weighed, rows);
        let mut facts = Scale::new(&self.model, rows);
        describe_passage(words, &mut facts);
        let mut common = self.model.prior();
        facts.add_to(&mut common);
        for (index, mention) in std::iter::once(first).chain(judged) {
            let mut facts = Scale::new(&self.model, rows);
            describe_mention(words, mention, &mut facts);
            let mut scores = common;
            facts.add_to(&mut scores);
            let probabilities = self.model.probabilities(scores);
            places[index] = match heard.get(index).copied().flatten() {
                None => sentiment(probabilities, passage),
                Some(heard) => Some(by_class(both(heard, probabilities))),
            };
        }
    }
}

/// Where a polarity stops being neutral; see [`Sentiment::label`].
const NEUTRAL_BELOW: f32 = 0.15;

/// How much the encoder's log-odds count, and how much those of the linear model.
const ENCODER: f32 = 0.9;
const WORDS: f32 = 0.1;

/// The probabilities by both models, each weighed in log-odds.
fn both(by_encoder: [f32; 3], by_words: [f32; 3]) -> [f32; 3] {
    // No class is impossible, so that neither can forbid what the other is sure of.
    const LEAST: f32 = 1e-4;
    let weight = |class: usize| {
        by_encoder[class].max(LEAST).powf(ENCODER) * by_words[class].max(LEAST).powf(WORDS)
    };
    let weights: [f32; 3] = std::array::from_fn(weight);
    let total: f32 = weights.iter().sum();
    weights.map(|weight| weight / total)
}

/// Turns the linear model's probabilities into a sentiment whose label is the likeliest class.
///
/// Nothing is said of a mention in a passage without any tone that the model finds neutral:
/// silence is not neutrality.
fn sentiment(probabilities: [f32; 3], passage: Tally) -> Option<Sentiment> {
    let [negative, neutral, positive] = probabilities;
    let is_silent = neutral >= negative.max(positive) && passage.evidence == 0.0;
    (!is_silent).then(|| by_class(probabilities))
}

/// A sentiment whose label is the likeliest class.
fn by_class([negative, neutral, positive]: [f32; 3]) -> Sentiment {
    let balance = positive - negative;
    let confidence = negative.max(neutral).max(positive);
    let score = if neutral >= confidence {
        balance.clamp(-0.99 * NEUTRAL_BELOW, 0.99 * NEUTRAL_BELOW)
    } else if balance > 0.0 {
        balance.max(NEUTRAL_BELOW)
    } else {
        balance.min(-NEUTRAL_BELOW)
    };
    Sentiment { score: Polarity::saturating(score), confidence: Confidence::saturating(confidence) }
}

/// What the trainer learns from: the facts about one mention in one sentence.
///
/// - returns: nothing when no word lies in `mention`; else all features, and the score that the
///   lexicon alone gives the sentence.
#[cfg(feature = "train")]
#[must_use]
pub fn describe(
    lexicon: &Lexicon,
    text: &str,
    tokens: &[Span],
    mention: Span,
) -> Option<(Features, f32)> {
    // The part of a long sentence that the stage would look at.
    let place = tokens.partition_point(|token| token.end <= mention.start);
    let part = tokens.chunks(MAX_PASSAGE_WORDS).nth(place / MAX_PASSAGE_WORDS)?;
    let mut words = Vec::new();
    read(text, part.iter().copied(), &mut Known::new(lexicon, Lately::new()), &mut words);
    let first = words.partition_point(|word| word.span.end <= mention.start);
    let end = words.partition_point(|word| word.span.start < mention.end);
    if first >= end {
        return None;
    }
    let (mut features, mut own) = (Features::new(), Features::new());
    describe_passage(&words, &mut features);
    describe_mention(&words, first..end, &mut own);
    features.append(&own);
    Some((features, tally(&words).score()))
}
