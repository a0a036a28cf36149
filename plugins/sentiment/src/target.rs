//! What a sentence shows about its attitude toward one mention: the features of the model.

use std::ops::Range;

use standpoint_linear::{Facts, Feature, Features, LinearModel};

use crate::polarity::tally;
use crate::words::{Kind, Word};

/// The name of how the features are made. Whoever changes them changes the name and trains anew.
pub(crate) const RECIPE: &str = "sentiment-target/1";

/// How many words to each side of the mention are looked at one by one.
const WINDOW: usize = 40;
/// How many of them are also taken in pairs.
const PAIR_WINDOW: usize = 7;

/// What a word by itself may be for a mention; the facts that most words have a dozen of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    /// It stands in the passage.
    Passage,
    /// It stands to a side of the mention.
    Side(i64),
    /// The same, and in the mention's clause.
    Clause(i64),
    /// It stands to a side so far away, in rough steps below [`NEAR`].
    Near(i64, i64),
}

/// How many steps away a word is near.
const NEAR: i64 = 3;

impl Role {
    /// Every role that a word can have.
    const ALL: [Self; 11] = [
        Self::Passage,
        Self::Side(0),
        Self::Side(1),
        Self::Clause(0),
        Self::Clause(1),
        Self::Near(0, 0),
        Self::Near(0, 1),
        Self::Near(0, 2),
        Self::Near(1, 0),
        Self::Near(1, 1),
        Self::Near(1, 2),
    ];

    /// The place in [`Role::ALL`].
    const fn index(self) -> usize {
        match self {
            Self::Passage => 0,
            Self::Side(side) => 1 + side as usize,
            Self::Clause(side) => 3 + side as usize,
            Self::Near(side, reach) => 5 + (NEAR * side + reach) as usize,
        }
    }

    const fn namespace(self) -> Feature {
        const STEM: Feature = Feature::new("p1");
        const SIDE: Feature = Feature::new("s1");
        const CLAUSE: Feature = Feature::new("s clause");
        const NEAR: Feature = Feature::new("s near");
        match self {
            Self::Passage => STEM,
            Self::Side(side) => SIDE.number(side),
            Self::Clause(side) => CLAUSE.number(side),
            Self::Near(side, reach) => NEAR.number(side).number(reach),
        }
    }
}

/// Takes facts, and those that words are by themselves.
pub(crate) trait WordFacts: Facts {
    /// Takes the fact that the word at `place` of the passage has a role.
    fn push_word(&mut self, role: Role, word: &Word, place: usize, value: f32);
}

impl WordFacts for Features {
    fn push_word(&mut self, role: Role, word: &Word, _: usize, value: f32) {
        self.push_valued(role.namespace().and(word.stem), value);
    }
}

/// What a fact weighs for each class, in steps of the model's weights, and a fourth number that is
/// always zero: four are added at once.
type Row = [f32; 4];

const NOTHING: Row = [0.0; 4];

/// A row as the model has it, and its zero.
type Narrow = [i8; 4];

const fn narrow([negative, neutral, positive]: [i8; 3]) -> Narrow {
    [negative, neutral, positive, 0]
}

#[inline]
fn wide([negative, neutral, positive, zero]: Narrow) -> Row {
    [f32::from(negative), f32::from(neutral), f32::from(positive), f32::from(zero)]
}

/// What a word weighs in each role; narrow, so that it takes one line of the processor's cache.
pub(crate) type Rows = [Narrow; Role::ALL.len()];

/// Words by their stems, with what they weigh; a new word takes the place of an old one.
pub(crate) type Weighed = Vec<Option<(Feature, Rows)>>;

/// How many words are kept, a power of two.
const WEIGHED: usize = 4096;

/// Looks up what the words of a passage weigh, most of which were weighed before.
pub(crate) fn weigh(
    words: &[Word],
    model: &LinearModel<3>,
    weighed: &mut Weighed,
    rows: &mut Vec<Rows>,
) {
    const NAMESPACES: [Feature; Role::ALL.len()] = {
        let mut namespaces = [Feature::new(""); Role::ALL.len()];
        let mut index = 0;
        while index < namespaces.len() {
            namespaces[index] = Role::ALL[index].namespace();
            index += 1;
        }
        namespaces
    };
    weighed.resize(WEIGHED, None);
    rows.clear();
    for word in words {
        let slot = &mut weighed[word.stem.as_u64() as usize % WEIGHED];
        if !matches!(slot, Some((known, _)) if *known == word.stem) {
            let rows = model.rows_of(NAMESPACES.map(|namespace| namespace.and(word.stem)));
            *slot = Some((word.stem, rows.map(|row| narrow(row.unwrap_or_default()))));
        }
        rows.extend(slot.as_ref().map(|(_, rows)| rows));
    }
}

/// Adds up what facts weigh; words were weighed before.
#[derive(Debug)]
pub(crate) struct Scale<'m> {
    model: &'m LinearModel<3>,
    rows: &'m [Rows],
    sums: Row,
}

impl<'m> Scale<'m> {
    pub(crate) const fn new(model: &'m LinearModel<3>, rows: &'m [Rows]) -> Self {
        Self { model, rows, sums: NOTHING }
    }

    pub(crate) fn add_to(self, scores: &mut [f32; 3]) {
        let [negative, neutral, positive, _] = self.sums;
        self.model.add_sums(&[negative, neutral, positive], scores);
    }

    #[inline]
    fn add(&mut self, row: Row, value: f32) {
        for (sum, weight) in self.sums.iter_mut().zip(row) {
            *sum += value * weight;
        }
    }
}

impl Facts for Scale<'_> {
    #[inline]
    fn push_valued(&mut self, feature: Feature, value: f32) {
        if value.is_finite()
            && let Some(row) = self.model.row(feature)
        {
            self.add(wide(narrow(row)), value);
        }
    }

    #[inline]
    fn push_each(&mut self, features: impl Iterator<Item = Feature>, value: f32) {
        let model = self.model;
        model.each_row(features, |&row| self.add(wide(narrow(row)), value));
    }
}

impl WordFacts for Scale<'_> {
    #[inline]
    fn push_word(&mut self, role: Role, _: &Word, place: usize, value: f32) {
        self.add(wide(self.rows[place][role.index()]), value);
    }
}

/// The facts that all mentions of a passage share: its words, their pairs, its tone.
pub(crate) fn describe_passage(words: &[Word], features: &mut impl WordFacts) {
    const PAIR: Feature = Feature::new("p2");
    const TONE: Feature = Feature::new("p tone");
    const FORM: Feature = Feature::new("p form");
    for (place, word) in words.iter().enumerate() {
        if !word.kind.is_mark() {
            features.push_word(Role::Passage, word, place, BAG);
        } else if matches!(word.kind, Kind::Quote | Kind::Question) {
            features.push_valued(FORM.and(word.form), 0.5);
        }
    }
    let stems = || words.iter().filter(|word| !word.kind.is_mark()).map(|word| word.stem);
    let pairs = stems().zip(stems().skip(1));
    features.push_each(pairs.map(|(before, stem)| PAIR.and(before).and(stem)), BAG);
    push_tone(TONE, tally(words).score(), features);
}

const BAG: f32 = 0.5;

/// The facts about one mention.
///
/// - `mention`: the words that make it up; not empty.
/// - `is_pronoun`: whether it is "he" rather than a name.
pub(crate) fn describe_mention(
    words: &[Word],
    mention: Range<usize>,
    features: &mut impl WordFacts,
) {
    let left = &words[..mention.start];
    let right = &words[mention.end..];
    describe_kind(words, &mention, features);
    describe_neighbours(left, right, features);
    let mut cues = [Cue::default(); 2];
    for (side, cue) in [0, 1].into_iter().zip(&mut cues) {
        *cue = if side == 0 {
            let beside = left.iter().enumerate().rev();
            describe_side(side, beside, words[mention.start].clause, features)
        } else {
            let beside = words.iter().enumerate().skip(mention.end);
            describe_side(side, beside, words[mention.end - 1].clause, features)
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
    features.push_each(grams.into_iter(), 1.0);
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

/// - `words`: with their places in the passage, beginning with the one next to the mention.
fn describe_side<'w>(
    side: i64,
    words: impl Iterator<Item = (usize, &'w Word)>,
    clause: u16,
    features: &mut impl WordFacts,
) -> Cue {
    const PAIR: Feature = Feature::new("s2");
    const SUM: Feature = Feature::new("s sum");
    const NEAREST: Feature = Feature::new("s nearest");
    let [pair, sums, nearest] = [PAIR, SUM, NEAREST].map(|namespace| namespace.number(side));

    let mut cue = Cue::default();
    let mut before = None;
    let plain = words.filter(|(_, word)| !word.kind.is_mark()).take(WINDOW);
    for (distance, (place, word)) in plain.enumerate() {
        features.push_word(Role::Side(side), word, place, 1.0);
        if distance < PAIR_WINDOW {
            features.push_word(Role::Near(side, reach(distance)), word, place, 1.0);
            if let Some(before) = before {
                features.push(pair.and(before).and(word.stem));
            }
            before = Some(word.stem);
            cue.speaks |= distance < 3 && word.kind == Kind::Speech;
        }
        let in_clause = word.clause == clause;
        if in_clause {
            features.push_word(Role::Clause(side), word, place, 0.5);
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
    let sign = if tone > 0.0 { 1 } else { -1 };
    features.push_steps(namespace.number(sign), tone.abs(), &[0.05, 0.5]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;
    use crate::words::{Known, Lately, MAX_PASSAGE_WORDS, read};

    #[test]
    fn roles_have_places_of_their_own() {
        let places = Role::ALL.map(Role::index);
        assert!(places.iter().enumerate().all(|(index, &place)| index == place), "{places:?}");
        assert_eq!(NEAR, reach(PAIR_WINDOW - 1) + 1);
    }

    #[test]
    fn words_weigh_what_their_features_weigh() {
        let weights = include_bytes!("../data/target.weights");
        let model = LinearModel::<3>::from_bytes(weights, RECIPE).unwrap();
        let long = "Berlin, which had not praised the deal but attacked it; ".repeat(20);
        let texts = ["Oslo.", "Critics say the ministry of Oslo lied, but Bergen is proud.", &long];
        let lexicon = Lexicon::standard();
        let mut known = Known::new(&lexicon, Lately::new());
        let (mut words, mut weighed, mut rows) = (Vec::new(), Weighed::new(), Vec::new());
        for text in texts {
            let tokens = crate::plain_tokens::tokens(text).into_iter().take(MAX_PASSAGE_WORDS);
            read(text, tokens, &mut known, &mut words);
            weigh(&words, &model, &mut weighed, &mut rows);
            for first in 0..words.len() {
                let mention = first..(first + 2).min(words.len());
                let mut features = Features::new();
                describe_passage(&words, &mut features);
                describe_mention(&words, mention.clone(), &mut features);
                let mut scale = Scale::new(&model, &rows);
                describe_passage(&words, &mut scale);
                describe_mention(&words, mention, &mut scale);
                let mut scores = model.prior();
                scale.add_to(&mut scores);
                let bits = |scores: [f32; 3]| scores.map(f32::to_bits);
                assert_eq!(bits(scores), bits(model.scores(&features)), "{text} at {first}");
            }
        }
    }
}
