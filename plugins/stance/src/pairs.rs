//! Answers about given pairs: the attribute `standpoint.pairs`.
//!
//! Whoever measures the stage on labelled pairs knows holder and target by their place. The
//! attribute holds a list of `{"holder": {"start", "end"} or null, "target": {"start", "end"}}`,
//! offsets in UTF-8 bytes, `null` for the author. The answer, `standpoint.pair_judgements`, has
//! one `{"label", "score", "confidence"}` for each, in order; the confidence is the calibrated
//! probability of the label.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use standpoint_document::{Document, Span, within};
use standpoint_encoder::Seen;

use crate::judge::{Judge, Judgement, Sentence};
use crate::reading::Party;

/// The question.
pub(crate) const ASKED: &str = "standpoint.pairs";
/// The answer.
pub(crate) const ANSWERED: &str = "standpoint.pair_judgements";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Place {
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Asked {
    holder: Option<Place>,
    target: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Answer {
    label: &'static str,
    score: f32,
    confidence: f32,
}

impl From<&Judgement> for Answer {
    fn from(judgement: &Judgement) -> Self {
        let labels = ["negative", "neutral", "positive"];
        let mut best = 0;
        for class in 1..3 {
            if judgement.probabilities[class] > judgement.probabilities[best] {
                best = class;
            }
        }
        Self {
            label: labels[best],
            score: judgement.score,
            confidence: judgement.probabilities[best],
        }
    }
}

/// Answers the question of the attribute, if it is asked.
///
/// A pair that does not fit the text, or whose two places are in different sentences, is answered
/// as neutral, so that the answer stays as long as the question.
pub(crate) fn answer(
    document: &Document<'_>,
    judge: &dyn Judge,
    seen: Option<Seen<'_>>,
) -> Option<Value> {
    let asked = document.attribute(ASKED)?.as_array()?;
    let asked: Vec<Option<Asked>> =
        asked.iter().map(|value| serde_json::from_value(value.clone()).ok()).collect();
    let span = |place: Place| Span::new(place.start, place.end);
    let valid = |place: Place| span(place).fits(document.text()) && place.start < place.end;
    let mut answers = vec![Judgement::unsure(); asked.len()];
    let sentences = document.sentences();
    for sentence in sentences {
        // All places of a sentence are its parties, whoever asks about which.
        let mut spans: Vec<Span> = asked
            .iter()
            .flatten()
            .flat_map(|pair| [pair.holder, Some(pair.target)])
            .flatten()
            .filter(|&place| valid(place) && sentence.span.contains(span(place)))
            .map(span)
            .collect();
        if spans.is_empty() {
            continue;
        }
        spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        spans.dedup();
        let parties: Vec<Party> = spans
            .iter()
            .enumerate()
            .map(|(actor, &span)| Party { span, actor: actor as u32, inert: false })
            .collect();
        let find = |place: Place| spans.iter().position(|&known| known == span(place));
        let mut numbers = Vec::new();
        let mut pairs = Vec::new();
        for (number, pair) in asked.iter().enumerate() {
            let Some(pair) = pair else { continue };
            let Some(target) = find(pair.target) else { continue };
            let holder = match pair.holder {
                None => None,
                Some(place) => match find(place) {
                    Some(holder) => Some(holder as u16),
                    None => continue,
                },
            };
            numbers.push(number);
            pairs.push((holder, target as u16));
        }
        let sentence = Sentence {
            text: document.text(),
            tokens: within(document.tokens(), sentence.span),
            parties: &parties,
            in_quotes: false,
            published: None,
            speaker: None,
            seen,
        };
        for (number, judgement) in numbers.into_iter().zip(judge.judge(&sentence, &pairs)) {
            answers[number] = judgement;
        }
    }
    let answers: Vec<Answer> = answers
        .iter()
        .map(|judgement| {
            if judgement.rule == "none" {
                Answer { label: "neutral", score: 0.0, confidence: judgement.confidence }
            } else {
                Answer::from(judgement)
            }
        })
        .collect();
    serde_json::to_value(answers).ok()
}
