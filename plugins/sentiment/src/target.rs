//! What a sentence shows about its attitude toward one mention: the features of the model.

use std::ops::Range;

use standpoint_linear::{Facts, Feature};

use crate::polarity::tally;
use crate::words::{Kind, Word};

/// The name of how the features are made. Whoever changes them changes the name and trains anew.
pub(crate) const RECIPE: &str = "sentiment-target/1";

/// How many words to each side of the mention are looked at one by one.
const WINDOW: usize = 40;
/// How many of them are also taken in pairs.
const PAIR_WINDOW: usize = 7;

/// The facts that all mentions of a passage share: its words, their pairs, its tone.
pub(crate) fn describe_passage(words: &[Word], features: &mut impl Facts) {
    const STEM: Feature = Feature::new("p1");
    const PAIR: Feature = Feature::new("p2");
    const TONE: Feature = Feature::new("p tone");
    const FORM: Feature = Feature::new("p form");
    let mut before = None;
    for word in words {
        if word.kind.is_mark() {
            if matches!(word.kind, Kind::Quote | Kind::Question) {
                features.push_valued(FORM.and(word.form), 0.5);
            }
            continue;
        }
        features.push_valued(STEM.and(word.stem), BAG);
        if let Some(before) = before {
            features.push_valued(PAIR.and(before).and(word.stem), BAG);
        }
        before = Some(word.stem);
    }
    push_tone(TONE, tally(words).score(), features);
}

const BAG: f32 = 0.5;

/// The facts about one mention.
///
/// - `mention`: the words that make it up; not empty.
/// - `is_pronoun`: whether it is "he" rather than a name.
pub(crate) fn describe_mention(words: &[Word], mention: Range<usize>, features: &mut impl Facts) {
    let left = &words[..mention.start];
    let right = &words[mention.end..];
    describe_kind(words, &mention, features);
    describe_neighbours(left, right, features);
    let mut cues = [Cue::default(); 2];
    for (side, cue) in [0, 1].into_iter().zip(&mut cues) {
        *cue = if side == 0 {
            describe_side(side, left.iter().rev(), words[mention.start].clause, features)
        } else {
            describe_side(side, right.iter(), words[mention.end - 1].clause, features)
        };
    }
    describe_cues(left, right, cues, features);
}

fn describe_kind(words: &[Word], mention: &Range<usize>, features: &mut impl Facts) {
    const KIND: Feature = Feature::new("m kind");
    const PLACE: Feature = Feature::new("m place");
    let first = words[mention.start];
    let is_lone_plain = mention.len() == 1 && first.kind == Kind::Plain;
    let size = match mention.len() {
        _ if is_lone_plain => 0,
        0 | 1 => 1,
        2 => 2,
        _ => 3,
    };
    features.push(KIND.number(size));
    if mention.len() > 1 {
        features.push(KIND.and(first.stem));
    }
    if is_lone_plain && mention.start > 0 {
        features.push(KIND.and(first.form));
    }
    if first.is_quoted {
        features.push(PLACE.number(0));
    }
    if mention.start == 0 {
        features.push(PLACE.number(1));
    }
    if mention.end == words.len() {
        features.push(PLACE.number(2));
    }
    // Titles and other words with a tone inside the mention itself: "embattled".
    let inside: f32 = words[mention.clone()].iter().map(|word| word.tone).sum();
    push_tone(Feature::new("m tone"), inside / 4.0, features);
}

/// Runs of words that hold the mention, which is masked: "accused X of", "X , who said".
fn describe_neighbours(left: &[Word], right: &[Word], features: &mut impl Facts) {
    const AROUND: Feature = Feature::new("m around");
    const EDGE: Feature = Feature::new("edge");
    let at = |words: &[Word], index: usize| words.get(index).map_or(EDGE, |word| word.form);
    let before = |back: usize| if back <= left.len() { left[left.len() - back].form } else { EDGE };
    let [l1, l2, l3] = [1, 2, 3].map(before);
    let [r1, r2, r3] = [0, 1, 2].map(|index| at(right, index));
    let grams = [
        AROUND.number(0).and(l1),
        AROUND.number(1).and(l2).and(l1),
        AROUND.number(2).and(l3).and(l2).and(l1),
        AROUND.number(3).and(r1),
        AROUND.number(4).and(r1).and(r2),
        AROUND.number(5).and(r1).and(r2).and(r3),
        AROUND.number(6).and(l1).and(r1),
        AROUND.number(7).and(l2).and(l1).and(r1),
        AROUND.number(8).and(l1).and(r1).and(r2),
    ];
    for gram in grams {
        features.push(gram);
    }
}

/// What one side of the mention comes to.
#[derive(Clone, Copy, Default)]
struct Cue {
    /// The tone nearest to the mention: its word, sign and how far away it is.
    nearest: Option<(Feature, i64, i64)>,
    /// Sums of tones within three words, within eight, in the clause, on the whole side.
    sums: [f32; 4],
    /// The first word that is not a function word: often the verb.
    speaks: bool,
}

/// - `words`: beginning with the one next to the mention.
fn describe_side<'w>(
    side: i64,
    words: impl Iterator<Item = &'w Word>,
    clause: u16,
    features: &mut impl Facts,
) -> Cue {
    const STEM: Feature = Feature::new("s1");
    const NEAR: Feature = Feature::new("s near");
    const PAIR: Feature = Feature::new("s2");
    const CLAUSE: Feature = Feature::new("s clause");
    const SUM: Feature = Feature::new("s sum");
    const NEAREST: Feature = Feature::new("s nearest");
    let [stem, near, pair, same_clause, sums, nearest] =
        [STEM, NEAR, PAIR, CLAUSE, SUM, NEAREST].map(|namespace| namespace.number(side));

    let mut cue = Cue::default();
    let mut before = None;
    let plain = words.filter(|word| !word.kind.is_mark()).take(WINDOW);
    for (distance, word) in plain.enumerate() {
        features.push(stem.and(word.stem));
        if distance < PAIR_WINDOW {
            features.push(near.number(reach(distance)).and(word.stem));
            if let Some(before) = before {
                features.push(pair.and(before).and(word.stem));
            }
            before = Some(word.stem);
            cue.speaks |= distance < 3 && word.kind == Kind::Speech;
        }
        let in_clause = word.clause == clause;
        if in_clause {
            features.push_valued(same_clause.and(word.stem), 0.5);
        }
        if word.tone != 0.0 {
            let sign = if word.tone > 0.0 { 1 } else { -1 };
            cue.nearest.get_or_insert((word.stem, sign, reach(distance)));
            let holds = [distance < 3, distance < 8, in_clause, true];
            for (sum, holds) in cue.sums.iter_mut().zip(holds) {
                *sum += if holds { word.tone } else { 0.0 };
            }
        }
    }
    for (window, sum) in (0_i64..).zip(cue.sums) {
        push_tone(sums.number(window), sum / 4.0, features);
    }
    if let Some((word, sign, reach)) = cue.nearest {
        features.push(nearest.and(word));
        features.push(nearest.number(sign).number(reach));
    }
    cue
}

/// A word's distance from the mention in rough steps.
const fn reach(distance: usize) -> i64 {
    match distance {
        0 => 0,
        1..=2 => 1,
        3..=6 => 2,
        7..=13 => 3,
        _ => 4,
    }
}

/// How the mention's neighbours relate it to the tones: a preposition, a verb of saying.
fn describe_cues(left: &[Word], right: &[Word], cues: [Cue; 2], features: &mut impl Facts) {
    const SPEAKER: Feature = Feature::new("c speaker");
    const LINK: Feature = Feature::new("c link");
    const BALANCE: Feature = Feature::new("c balance");
    const EDGE: Feature = Feature::new("edge");
    let signs = cues.map(|cue| cue.nearest.map_or(0, |(_, sign, _)| sign));
    let speaks = i64::from(cues[0].speaks) + 2 * i64::from(cues[1].speaks);
    features.push(SPEAKER.number(speaks));
    for (side, sign) in (0_i64..).zip(signs) {
        features.push(SPEAKER.number(speaks).number(side).number(sign));
    }
    features.push(BALANCE.number(signs[0]).number(signs[1]));
    let l1 = left.last().map_or(EDGE, |word| word.form);
    let r1 = right.first().map_or(EDGE, |word| word.form);
    for (side, sign) in (0_i64..).zip(signs) {
        features.push(LINK.number(side).number(sign).and(l1));
        features.push(LINK.number(side + 2).number(sign).and(r1));
    }
}

/// A tone as a number and as a staircase, so that both a trend and a threshold can be learnt.
///
/// - `tone`: about -1 to 1; 0 adds nothing.
fn push_tone(namespace: Feature, tone: f32, features: &mut impl Facts) {
    if tone == 0.0 {
        return;
    }
    features.push_valued(namespace, tone.clamp(-2.0, 2.0));
    features.push_steps(namespace.number(1), tone, &[0.05, 0.5]);
    features.push_steps(namespace.number(-1), -tone, &[0.05, 0.5]);
}
