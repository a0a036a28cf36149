//! What a judgement is made of, for whoever trains the weights or mends the patterns.

use standpoint_document::Time;
use standpoint_linear::Features;

use super::{Sentence, strongest, understand, with_pattern};
use crate::feature::{Pair, RECIPE, Sheet, extract};
use crate::lexicon::Lexicon;

/// The features of pairs, for training: the same that
/// [`RulesAndWeights`](super::RulesAndWeights) weighs.
#[must_use]
pub fn features_of(
    lexicon: &Lexicon,
    sentence: &Sentence<'_>,
    pairs: &[(Option<u16>, u16)],
) -> Vec<Features> {
    let (reading, found) = understand(lexicon, sentence);
    let sheet = Sheet::new(&reading);
    pairs
        .iter()
        .map(|&(holder, target)| {
            let mut features = Features::new();
            extract(&sheet, &found, Pair { holder, target }, &mut features);
            features
        })
        .collect()
}

/// What patterns add to the log-odds of each class, for pairs: added to what a model says.
#[must_use]
pub fn bonuses_of(
    lexicon: &Lexicon,
    sentence: &Sentence<'_>,
    pairs: &[(Option<u16>, u16)],
) -> Vec<[f32; 3]> {
    let (reading, found) = understand(lexicon, sentence);
    pairs
        .iter()
        .map(|&(holder, target)| {
            with_pattern(&reading, &found, Pair { holder, target }, [0.0; 3]).0
        })
        .collect()
}

/// What the patterns alone say of pairs: the strongest score from -2 to 2, or 0.
#[must_use]
pub fn rules_of(
    lexicon: &Lexicon,
    sentence: &Sentence<'_>,
    pairs: &[(Option<u16>, u16)],
) -> Vec<(f32, &'static str)> {
    let (reading, found) = understand(lexicon, sentence);
    pairs
        .iter()
        .map(|&(holder, target)| {
            strongest(&reading, &found, Pair { holder, target }, None)
                .filter(|edge| edge.time != Time::Hypothetical)
                .map_or((0.0, ""), |edge| (edge.score, edge.rule))
        })
        .collect()
}

/// How a sentence is read, for whoever mends the patterns: its words with their parts, its verb
/// groups and the attitudes that were found.
#[must_use]
pub fn trace(lexicon: &Lexicon, sentence: &Sentence<'_>) -> String {
    use std::fmt::Write as _;
    let (reading, found) = understand(lexicon, sentence);
    let mut shown = String::new();
    for word in &reading.words {
        let surface = sentence.text.get(word.span.range()).unwrap_or_default();
        let _ = write!(shown, "{surface}/{:?} ", word.part);
    }
    for group in &found.groups {
        let words: Vec<&str> =
            reading.words[group.start..group.end].iter().map(|word| &*word.lower).collect();
        let _ = write!(
            shown,
            "\n  {words:?} until {} by {:?} under {:?} {:?}{}{}{} score {:?}",
            group.until,
            group.subjects,
            group.parent,
            group.mood,
            if group.negated || group.no_subject { " negated" } else { "" },
            if group.passive { " passive" } else { "" },
            if group.past { " past" } else { "" },
            group.cue.map(|cue| (cue.score, cue.kind)),
        );
    }
    for edge in &found.list {
        let _ = write!(
            shown,
            "\n  {:?} -> {}: {} {} {:?} {:?}",
            edge.holder, edge.target, edge.score, edge.rule, edge.time, edge.voice
        );
    }
    shown
}

/// The recipe of the features, which a trained model must name.
#[must_use]
pub const fn recipe() -> &'static str {
    RECIPE
}
