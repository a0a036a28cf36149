//! What a sentence shows about its attitude toward one mention: the features of the model.

use std::ops::Range;

use standpoint_linear::{Adder, Facts, Feature, Features, LinearModel};

use crate::polarity::tally;
use crate::words::{Kind, MAX_PASSAGE_WORDS, Word};

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
    /// Takes the facts that the words of a stretch of the passage, marks aside, have a role.
    fn push_words(&mut self, role: Role, words: &[Word], stretch: Range<usize>, value: f32);
}

impl WordFacts for Features {
    fn push_words(&mut self, role: Role, words: &[Word], stretch: Range<usize>, value: f32) {
        for word in words[stretch].iter().filter(|word| !word.kind.is_mark()) {
            self.push_valued(role.namespace().and(word.stem), value);
        }
    }
}

/// What a word weighs in each role.
type Rows = [[i8; 3]; Role::ALL.len()];

/// What the words of a passage weigh in each role up to a place, marks aside.
pub(crate) type Sums = [[i16; 3]; Role::ALL.len()];

const _: () = assert!(MAX_PASSAGE_WORDS * 127 <= i16::MAX as usize);

/// Words by their stems, with what they weigh; a new word takes the place of an old one.
pub(crate) type Weighed = Vec<Option<(Feature, Rows)>>;

/// How many words are kept, a power of two.
const WEIGHED: usize = 4096;

/// Sums up what the words of a passage weigh, most of which were weighed before.
pub(crate) fn weigh(
    words: &[Word],
    model: &LinearModel<3>,
    weighed: &mut Weighed,
    sums: &mut Vec<Sums>,
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
    sums.clear();
    let mut sum = Sums::default();
    sums.push(sum);
    for word in words {
        if !word.kind.is_mark() {
            let slot = &mut weighed[word.stem.as_u64() as usize % WEIGHED];
            let rows = match slot {
                Some((known, rows)) if *known == word.stem => rows,
                _ => {
                    let rows = NAMESPACES.map(|namespace| model.row(namespace.and(word.stem)));
                    &mut slot.insert((word.stem, rows)).1
                }
            };
            for (total, &weight) in sum.as_flattened_mut().iter_mut().zip(rows.as_flattened()) {
                *total += i16::from(weight);
            }
        }
        sums.push(sum);
    }
}

/// Adds up what facts weigh; words were weighed before.
#[derive(Debug)]
pub(crate) struct Scale<'m> {
    adder: Adder<'m, 3>,
    sums: &'m [Sums],
}

impl<'m> Scale<'m> {
    pub(crate) const fn new(model: &'m LinearModel<3>, sums: &'m [Sums]) -> Self {
        Self { adder: model.adder(), sums }
    }

    pub(crate) fn add_to(self, scores: &mut [f32; 3]) {
        self.adder.add_to(scores);
    }
}

impl Facts for Scale<'_> {
    #[inline]
    fn push_valued(&mut self, feature: Feature, value: f32) {
        self.adder.push_valued(feature, value);
    }
}

impl WordFacts for Scale<'_> {
    #[inline]
    fn push_words(&mut self, role: Role, _: &[Word], stretch: Range<usize>, value: f32) {
        let [before, until] =
            [stretch.start, stretch.end].map(|place| self.sums[place][role.index()]);
        self.adder.add_rows(std::array::from_fn(|class| until[class] - before[class]), value);
    }
}

/// A passage, with what is asked of it for every mention.
#[derive(Debug)]
pub(crate) struct Passage<'w> {
    words: &'w [Word],
    /// Where the words stand that are no marks.
    plain: Vec<usize>,
    /// Which of those have a tone, as places in `plain`.
    toned: Vec<usize>,
}

impl<'w> Passage<'w> {
    pub(crate) fn new(words: &'w [Word]) -> Self {
        let places = 0..words.len();
        let plain: Vec<usize> = places.filter(|&place| !words[place].kind.is_mark()).collect();
        let toned = (0..plain.len()).filter(|&place| words[plain[place]].tone != 0.0).collect();
        Self { words, plain, toned }
    }
}

/// The facts that all mentions of a passage share: its words, their pairs, its tone.
pub(crate) fn describe_passage(passage: &Passage<'_>, features: &mut impl WordFacts) {
    const PAIR: Feature = Feature::new("p2");
    const TONE: Feature = Feature::new("p tone");
    const FORM: Feature = Feature::new("p form");
    let words = passage.words;
    for word in words.iter().filter(|word| matches!(word.kind, Kind::Quote | Kind::Question)) {
        features.push_valued(FORM.and(word.form), 0.5);
    }
    features.push_words(Role::Passage, words, 0..words.len(), BAG);
    for pair in passage.plain.windows(2) {
        features.push_valued(PAIR.and(words[pair[0]].stem).and(words[pair[1]].stem), BAG);
    }
    push_tone(TONE, tally(words).score(), features);
}

const BAG: f32 = 0.5;

/// The facts about one mention.
///
/// - `mention`: the words that make it up; not empty.
/// - `is_pronoun`: whether it is "he" rather than a name.
pub(crate) fn describe_mention(
    passage: &Passage<'_>,
    mention: Range<usize>,
    features: &mut impl WordFacts,
) {
    let words = passage.words;
    let left = &words[..mention.start];
    let right = &words[mention.end..];
    describe_kind(words, &mention, features);
    describe_neighbours(left, right, features);
    let cues = [Side::left(passage, &mention), Side::right(passage, &mention)]
        .map(|side| describe_side(&side, features));
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

/// The words of one side of a mention, marks aside, as far as they are looked at.
struct Side<'p> {
    passage: &'p Passage<'p>,
    number: i64,
    /// Their places in the passage's `plain`.
    range: Range<usize>,
    /// How many of them, beginning beside the mention, stand in its clause.
    in_clause: usize,
}

impl<'p> Side<'p> {
    fn left(passage: &'p Passage<'p>, mention: &Range<usize>) -> Self {
        let Passage { words, plain, .. } = passage;
        let end = plain.partition_point(|&place| place < mention.start);
        let range = end.saturating_sub(WINDOW)..end;
        let clause = words[mention.start].clause;
        let beside = &plain[range.clone()];
        let out = beside.partition_point(|&place| words[place].clause < clause);
        Self { passage, number: 0, in_clause: range.len() - out, range }
    }

    fn right(passage: &'p Passage<'p>, mention: &Range<usize>) -> Self {
        let Passage { words, plain, .. } = passage;
        let start = plain.partition_point(|&place| place < mention.end);
        let range = start..plain.len().min(start + WINDOW);
        let clause = words[mention.end - 1].clause;
        let beside = &plain[range.clone()];
        let in_clause = beside.partition_point(|&place| words[place].clause <= clause);
        Self { passage, number: 1, in_clause, range }
    }

    /// The words, beginning with the one beside the mention.
    fn words(&self) -> impl Iterator<Item = &'p Word> {
        let Self { passage, ref range, number, .. } = *self;
        let (start, end) = (range.start, range.end);
        (0..range.len()).map(move |distance| {
            let place = if number == 0 { end - 1 - distance } else { start + distance };
            &passage.words[passage.plain[place]]
        })
    }

    /// Where the words stand that are so far away.
    fn stretch(&self, distances: Range<usize>) -> Range<usize> {
        let size = self.range.len();
        let (near, far) = (distances.start.min(size), distances.end.min(size));
        if near == far {
            return 0..0;
        }
        let (first, last) = if self.number == 0 {
            (self.range.end - far, self.range.end - 1 - near)
        } else {
            (self.range.start + near, self.range.start + far - 1)
        };
        self.passage.plain[first]..self.passage.plain[last] + 1
    }

    /// The words with a tone and how far away they are, beginning with the nearest.
    fn toned(&self) -> impl Iterator<Item = (usize, &'p Word)> {
        let Self { passage, ref range, number, .. } = *self;
        let (start, end) = (range.start, range.end);
        let from = passage.toned.partition_point(|&place| place < start);
        let until = passage.toned.partition_point(|&place| place < end);
        (0..until - from).map(move |index| {
            let place = passage.toned[if number == 0 { until - 1 - index } else { from + index }];
            let distance = if number == 0 { end - 1 - place } else { place - start };
            (distance, &passage.words[passage.plain[place]])
        })
    }
}

fn describe_side(side: &Side<'_>, features: &mut impl WordFacts) -> Cue {
    const PAIR: Feature = Feature::new("s2");
    const SUM: Feature = Feature::new("s sum");
    const NEAREST: Feature = Feature::new("s nearest");
    /// The steps of [`reach`] below [`NEAR`].
    const STEPS: [Range<usize>; NEAR as usize] = [0..1, 1..3, 3..PAIR_WINDOW];
    let [pair, sums, nearest] = [PAIR, SUM, NEAREST].map(|space| space.number(side.number));
    let words = side.passage.words;

    features.push_words(Role::Side(side.number), words, side.stretch(0..WINDOW), 1.0);
    features.push_words(Role::Clause(side.number), words, side.stretch(0..side.in_clause), 0.5);
    for (reach, distances) in (0..).zip(STEPS) {
        let stretch = side.stretch(distances);
        features.push_words(Role::Near(side.number, reach), words, stretch, 1.0);
    }
    let mut cue = Cue::default();
    let mut before = None;
    for word in side.words().take(PAIR_WINDOW) {
        if let Some(before) = before {
            features.push(pair.and(before).and(word.stem));
        }
        before = Some(word.stem);
    }
    cue.speaks = side.words().take(3).any(|word| word.kind == Kind::Speech);
    for (distance, word) in side.toned() {
        let sign = if word.tone > 0.0 { 1 } else { -1 };
        cue.nearest.get_or_insert((word.stem, sign, reach(distance)));
        let holds = [distance < 3, distance < 8, distance < side.in_clause, true];
        for (sum, holds) in cue.sums.iter_mut().zip(holds) {
            *sum += if holds { word.tone } else { 0.0 };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;
    use crate::words::{Known, Lately, read};

    #[test]
    fn roles_have_places_of_their_own() {
        let places = Role::ALL.map(Role::index);
        assert!(places.iter().enumerate().all(|(index, &place)| index == place), "{places:?}");
        assert_eq!(NEAR, reach(PAIR_WINDOW - 1) + 1);
        assert_eq!([0, 1, 2, 3, 6].map(reach), [0, 1, 1, 2, 2]);
    }

    #[test]
    fn words_weigh_what_their_features_weigh() {
        let weights = include_bytes!("../data/target.weights");
        let model = LinearModel::<3>::from_bytes(weights, RECIPE).unwrap();
        let long = "Berlin, which had not praised the deal but attacked it; ".repeat(20);
        let texts = ["Oslo.", "Critics say the ministry of Oslo lied, but Bergen is proud.", &long];
        let lexicon = Lexicon::standard();
        let mut known = Known::new(&lexicon, Lately::new());
        let (mut words, mut weighed, mut sums) = (Vec::new(), Weighed::new(), Vec::new());
        for text in texts {
            let tokens = crate::plain_tokens::tokens(text).into_iter().take(MAX_PASSAGE_WORDS);
            read(text, tokens, &mut known, &mut words);
            weigh(&words, &model, &mut weighed, &mut sums);
            let passage = Passage::new(&words);
            for first in 0..words.len() {
                let mention = first..(first + 2).min(words.len());
                let mut features = Features::new();
                describe_passage(&passage, &mut features);
                describe_mention(&passage, mention.clone(), &mut features);
                let mut scale = Scale::new(&model, &sums);
                describe_passage(&passage, &mut scale);
                describe_mention(&passage, mention, &mut scale);
                let mut scores = model.prior();
                scale.add_to(&mut scores);
                for (score, expected) in scores.into_iter().zip(model.scores(&features)) {
                    assert!(
                        (score - expected).abs() < 1e-4,
                        "{score} {expected}: {text} at {first}"
                    );
                }
            }
        }
    }
}
