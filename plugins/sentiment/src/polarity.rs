//! How a sentence and a document sound, from the tones of their words.

use standpoint_document::{Confidence, Polarity, Sentiment};

use crate::words::{Kind, Word};

/// What the words of a sentence add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Tally {
    /// The sum of tones.
    pub(crate) sum: f32,
    /// The sum of their sizes: how much there is to go by.
    pub(crate) evidence: f32,
}

/// A question asserts little; what others are quoted with is theirs.
const QUESTION: f32 = 0.4;
const QUOTED: f32 = 0.7;
/// What comes before "but" is taken back in part.
const BEFORE_CONTRAST: f32 = 0.5;
const AFTER_CONTRAST: f32 = 1.5;

/// Adds up the tones of one passage.
pub(crate) fn tally(words: &[Word]) -> Tally {
    let contrast = words.iter().position(|word| word.kind == Kind::Contrast);
    let is_question = words.iter().rev().take(3).any(|word| word.kind == Kind::Question);
    let mut tally = Tally::default();
    for (index, word) in words.iter().enumerate().filter(|(_, word)| word.tone != 0.0) {
        let mut tone = word.tone;
        if let Some(contrast) = contrast {
            tone *= if index < contrast { BEFORE_CONTRAST } else { AFTER_CONTRAST };
        }
        if word.is_quoted {
            tone *= QUOTED;
        }
        if is_question {
            tone *= QUESTION;
        }
        tally.sum += tone;
        tally.evidence += tone.abs();
    }
    tally
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.evidence += other.evidence;
    }

    /// The sum on the scale from -1 to 1.
    ///
    /// # Source
    ///
    /// The normalisation of VADER: Hutto and Gilbert, ICWSM 2014.
    pub(crate) fn score(self) -> f32 {
        const ALPHA: f32 = 15.0;
        self.sum / (self.sum * self.sum + ALPHA).sqrt()
    }

    /// The sentence's sentiment; nothing when no word has a tone.
    pub(crate) fn sentiment(self) -> Option<Sentiment> {
        (self.evidence > 0.0).then(|| Sentiment {
            score: Polarity::saturating(self.score()),
            confidence: Confidence::saturating(sentence_confidence(self)),
        })
    }
}

/// How likely the label of a sentence is right.
///
/// The line follows how often the label was that of the sentence's mentions in the training set,
/// by the size of the score; the training program prints the table.
fn sentence_confidence(tally: Tally) -> f32 {
    const NEUTRAL: f32 = 0.5;
    match tally.score().abs() {
        score if score < 0.15 => NEUTRAL,
        score => 0.29 + 0.6 * score,
    }
}

/// The sentiment of a document: the mean of its sentences, each counting by its evidence and the
/// title twice.
///
/// The confidence says how far the sentences agree and grows with their number; unlike that of
/// sentences and mentions it is not fitted, for want of labelled documents.
///
/// - `sentences`: what each adds up to, and whether it is the title.
pub(crate) fn document_sentiment(sentences: &[(Tally, bool)]) -> Option<Sentiment> {
    // One shrill sentence should not outweigh the article.
    const HALF_WEIGHT: f32 = 2.0;
    let (mut sum, mut sizes, mut weights, mut count) = (0.0, 0.0, 0.0, 0.0);
    for &(tally, is_title) in sentences.iter().filter(|(tally, _)| tally.evidence > 0.0) {
        let weight = tally.evidence / (tally.evidence + HALF_WEIGHT);
        let weight = if is_title { 2.0 * weight } else { weight };
        sum += weight * tally.score();
        sizes += weight * tally.score().abs();
        weights += weight;
        count += 1.0_f32;
    }
    if weights == 0.0 {
        return None;
    }
    let agreement = if sizes > 0.0 { sum.abs() / sizes } else { 0.0 };
    Some(Sentiment {
        score: Polarity::saturating(sum / weights),
        confidence: Confidence::saturating(0.4 + 0.55 * agreement * count / (count + 2.0)),
    })
}
