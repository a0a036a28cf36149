//! The trained tagger for names that no table knows: a linear chain over hashed features.
//!
//! A conditional random field (Lafferty, `McCallum` and Pereira, ICML 2001), decoded by Viterbi.
//! Only words that could be part of a name are looked at: those with a capital letter and the
//! small words between them.

mod memory;

use standpoint_document::Annotation;
use standpoint_linear::LinearModel;

use crate::fold::{Look, mix, step};
use crate::vocabulary::{Cities, Known, VOCABULARY_BYTES, Vocabulary};
use memory::hashes;
pub use memory::{Memories, Memory};

/// What a run of tokens can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A human being.
    Person,
    /// An organisation, company, party, band.
    Organisation,
    /// A country or other place.
    Location,
    /// Any other name: event, nationality, work.
    Other,
    /// An event. The linear chain does not tell it from other names; the encoder's tagger does.
    Event,
}

impl Class {
    /// The classes of the linear chain, in the order of their tags.
    pub const ALL: [Self; 4] = [Self::Person, Self::Organisation, Self::Location, Self::Other];

    /// The name in BIO files of the common scheme.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "PER",
            Self::Organisation => "ORG",
            Self::Location => "LOC",
            Self::Other | Self::Event => "MISC",
        }
    }
}

/// Tags: 0 is outside, then B and I of each class.
pub const TAGS: usize = 9;
/// The tags that features speak for; outside is what remains.
pub const WEIGHED: usize = TAGS - 1;
/// Names the features, so that weights made for others are refused.
pub const RECIPE: &str = "entity/names/2";
const MAGIC: &[u8; 8] = b"SPENTv03";
const HEADER_BYTES: usize = MAGIC.len() + (TAGS * TAGS + 2 * KNOTS) * 4;

/// How many points the line from margins to confidences has.
pub const KNOTS: usize = 8;
/// A margin, in log-odds, and how likely a name with it is right; in rising order.
pub type Calibration = [(f32, f32); KNOTS];

/// A run of tokens that the tagger takes for a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tagged {
    /// The first token.
    pub first: u32,
    /// The token after the last.
    pub end: u32,
    /// What it is.
    pub class: Class,
    /// How likely that is right.
    pub confidence: f32,
}

/// What the tables say of a token, for the tagger's features.
pub type Hint = u8;

/// A token as the features see it that it shares with other tokens.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    hash: u64,
    /// Its last three letters.
    ending: u64,
    shape: u8,
    hint: Hint,
    known: Known,
    /// Whether a city of several words begins (1) or goes on (2) here.
    city: u8,
    lower: bool,
}

/// The first and the last two to four letters of a token.
#[derive(Debug, Clone, Copy)]
pub struct Affixes {
    prefix: [u64; 3],
    suffix: [u64; 3],
}

/// The hashes of one token's features.
pub type Row = [u64; TEMPLATES];

/// How many features a token has.
pub const TEMPLATES: usize = 46;

fn shape(look: Look) -> u8 {
    match (look.upper, look.small, look.digit, look.other) {
        (0, 0, 0, _) => 0,
        (0, 0, 1..=2, 0) => 1,
        (0, 0, 4, 0) => 2,
        (0, 0, _, _) => 3,
        (0, _, 0, 0) => 4,
        (1, 0, 0, 0) => 5,
        (1, 0, 0, 1) => 6,
        (_, 0, 0, 0) => 7,
        (_, 0, 0, _) => 8,
        (1, _, 0, 0) if look.capital => 9,
        (1, _, 0, _) if look.capital => 10,
        (_, _, 0, _) if look.capital => 11,
        (_, _, 0, _) => 12,
        _ => 13,
    }
}

/// Looks at a token once for all features that it takes part in.
fn word(text: &str, look: Look, hint: Hint, vocabulary: Vocabulary<'_>) -> (Word, Affixes) {
    let bytes = text.as_bytes();
    let mut prefix = [0; 3];
    let mut suffix = [0; 3];
    let (mut front, mut back) = (1, 2);
    for at in 0..bytes.len().min(4) {
        front = step(front, bytes[at].to_ascii_lowercase());
        back = step(back, bytes[bytes.len() - 1 - at].to_ascii_lowercase());
        if 1 <= at {
            prefix[at - 1] = front;
            suffix[at - 1] = back;
        }
    }
    let known = vocabulary.of(look.hash);
    let word = Word {
        hash: look.hash,
        ending: suffix[1],
        shape: shape(look),
        hint,
        known,
        city: 0,
        lower: look.upper == 0,
    };
    (word, Affixes { prefix, suffix })
}

/// The word beyond either end of a sentence.
const NOWHERE: Word = Word {
    hash: 3,
    ending: 0,
    shape: 15,
    hint: 0,
    known: Known { usage: 0, cluster: 0, given: 0, family: 0, city: 0 },
    city: 0,
    lower: true,
};

const NO_AFFIXES: Affixes = Affixes { prefix: [0; 3], suffix: [0; 3] };

/// Whether the token at `index` could be part of a name: one with a capital, or a small word or
/// number beside or between such.
fn is_candidate(looks: &[Look], index: usize) -> bool {
    let capital = |index: usize| looks.get(index).is_some_and(|look| look.upper != 0);
    let look = &looks[index];
    if look.upper != 0 {
        return true;
    }
    let after = capital(index + 1);
    let before = 0 < index && capital(index - 1);
    let soon = after || capital(index + 2) || capital(index + 3);
    let lately = before || 1 < index && capital(index - 2);
    let digits = look.small == 0 && look.digit != 0;
    lately && soon || digits && (before || after)
}

/// The longest runs of tokens that could be parts of names.
pub fn runs(looks: &[Look]) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let mut index = 0;
    std::iter::from_fn(move || {
        while index < looks.len() && !is_candidate(looks, index) {
            index += 1;
        }
        let start = index;
        while index < looks.len() && is_candidate(looks, index) {
            index += 1;
        }
        (start < index).then_some(start..index)
    })
}

/// A sentence as the tagger gets it.
#[derive(Debug, Clone, Copy)]
pub struct Line<'s> {
    /// The document's text.
    pub text: &'s str,
    /// The sentence's tokens, in order.
    pub tokens: &'s [Annotation],
    /// How each of them is written.
    pub looks: &'s [Look],
    /// What the tables say of each.
    pub hints: &'s [Hint],
}

/// How many words around a run take part in its features.
const AROUND: usize = 2;

/// Puts the features of a run's tokens into `rows`.
pub fn describe(
    line: Line<'_>,
    run: std::ops::Range<usize>,
    vocabulary: Vocabulary<'_>,
    rows: &mut Vec<Row>,
) {
    let from = run.start.saturating_sub(AROUND);
    let until = (run.end + AROUND).min(line.tokens.len());
    let look = |index: usize| {
        let text = line.text.get(line.tokens[index].span.range()).unwrap_or_default();
        word(text, line.looks[index], line.hints[index], vocabulary)
    };
    let (mut words, affixes): (Vec<Word>, Vec<Affixes>) = (from..until).map(look).unzip();
    mark_cities(&mut words[run.start - from..run.end - from], |phrase| {
        vocabulary.of(phrase).city != 0
    });
    rows.clear();
    rows.extend(run.map(|index| features(&words, &affixes, index - from, index == 0)));
}

/// Marks "San Francisco", whose parts alone are not cities.
///
/// - `is_city`: of a run of words, by the hash of both or all three.
fn mark_cities(words: &mut [Word], is_city: impl Fn(u64) -> bool) {
    for index in 0..words.len().saturating_sub(1) {
        if words[index].lower {
            continue;
        }
        let two = mix(words[index].hash, words[index + 1].hash);
        let three = words.get(index + 2).map(|third| mix(two, third.hash));
        let length = if three.is_some_and(&is_city) {
            3
        } else if is_city(two) {
            2
        } else {
            continue;
        };
        words[index].city = 1;
        words[index + 1..index + length].iter_mut().for_each(|word| word.city = 2);
    }
}

fn features(words: &[Word], affixes: &[Affixes], index: usize, is_first: bool) -> Row {
    let mut row = [0; TEMPLATES];
    let alone = PLACES.into_iter().flat_map(|place| {
        let at = index.checked_add_signed(place);
        let word = at.and_then(|at| words.get(at).zip(affixes.get(at)));
        let (word, affixes) = word.unwrap_or((&NOWHERE, &NO_AFFIXES));
        alone(word, affixes, place)
    });
    let together = together(words, index, is_first);
    for (slot, (template, value)) in row.iter_mut().zip(alone.chain(together)) {
        *slot = hash_of(template, value);
    }
    row
}

const fn hash_of(template: u64, value: u64) -> u64 {
    mix(template + 1, value)
}

/// Where a word may stand from the token that its features are for.
const PLACES: [isize; 5] = [-2, -1, 0, 1, 2];

/// How many features a token has from single words around it.
const OF_ALONE: usize = 18;

/// The features of a token that come from one word alone, by their templates.
///
/// - `place`: where the word stands from the token; one of [`PLACES`].
fn alone(word: &Word, affixes: &Affixes, place: isize) -> impl Iterator<Item = (u64, u64)> {
    let cluster = u64::from(word.known.cluster);
    let (values, count) = match place {
        -2 => ([(9, word.hash), (35, cluster), (0, 0), (0, 0)], 2),
        -1 => ([(7, word.hash), (21, word.ending), (0, 0), (0, 0)], 2),
        1 => ([(8, word.hash), (20, word.ending), (0, 0), (0, 0)], 2),
        2 => ([(10, word.hash), (36, cluster), (0, 0), (0, 0)], 2),
        _ => {
            let shape = u64::from(word.shape);
            ([(5, 0), (6, word.hash), (29, u64::from(word.hint)), (32, cluster << 4 | shape)], 4)
        }
    };
    let Affixes { prefix, suffix } = affixes;
    let affixes = [
        (14, prefix[0]),
        (15, prefix[1]),
        (16, prefix[2]),
        (17, suffix[0]),
        (18, suffix[1]),
        (19, suffix[2]),
    ];
    let affixes = affixes.into_iter().take(if place == 0 { affixes.len() } else { 0 });
    values.into_iter().take(count).chain(affixes)
}

/// The features of a token that take several words or its place in the sentence, by their
/// templates.
fn together(words: &[Word], index: usize, is_first: bool) -> [(u64, u64); TEMPLATES - OF_ALONE] {
    let at = |offset: isize| {
        index.checked_add_signed(offset).and_then(|at| words.get(at)).unwrap_or(&NOWHERE)
    };
    let (before, here, after) = (at(-1), at(0), at(1));
    let first = u64::from(is_first);
    let shapes =
        |words: &[&Word]| words.iter().fold(0, |shapes, word| shapes * 16 + u64::from(word.shape));
    let usages = |words: &[&Word]| {
        words.iter().fold(first, |usages, word| {
            usages * 8 + u64::from(word.known.usage) * 2 + u64::from(word.lower)
        })
    };
    let cluster = |word: &Word| u64::from(word.known.cluster);
    let lists = |word: &Word| word.known.lists() << 2 | u64::from(word.city);
    let shape = u64::from(here.shape);
    [
        (0, usages(&[here])),
        (1, usages(&[before, here])),
        (2, usages(&[here, after])),
        (3, usages(&[before, here, after])),
        (4, mix(usages(&[here]), here.ending)),
        (11, mix(before.hash, here.hash)),
        (12, mix(here.hash, after.hash)),
        (13, mix(before.hash, after.hash)),
        (22, shape * 2 + first),
        (23, shapes(&[before, here])),
        (24, shapes(&[here, after])),
        (25, shapes(&[before, here, after])),
        (26, mix(before.hash, shape)),
        (27, mix(after.hash, shape)),
        (28, mix(here.hash, first)),
        (30, u64::from(before.hint) << 8 | u64::from(here.hint)),
        (31, u64::from(here.hint) << 8 | u64::from(after.hint)),
        (33, cluster(before) << 4 | shape),
        (34, cluster(after) << 4 | shape),
        (37, cluster(before) << 16 | cluster(here)),
        (38, cluster(here) << 16 | cluster(after)),
        (39, cluster(before) << 16 | cluster(after)),
        (40, lists(here) << 4 | usages(&[here])),
        (41, lists(before) << 8 | lists(here)),
        (42, lists(here) << 8 | lists(after)),
        (43, lists(here) << 16 | cluster(before)),
        (44, lists(here) << 16 | cluster(after)),
        (45, u64::from(before.city) << 8 | u64::from(here.city) << 4 | u64::from(after.city)),
    ]
}

/// The logarithm of the least that a tag is taken to be likely, so that no opinion rules one out.
const LEAST: f32 = -8.0;

/// Scores of one token's tags.
pub type Scores = [f32; TAGS];

/// Whether tag `to` may follow tag `from`: I only after B or I of the same class.
#[must_use]
pub const fn may_follow(from: usize, to: usize) -> bool {
    to == 0 || to % 2 == 1 || from == to || from + 1 == to
}

/// The best tags of a run of tokens, into `tags`.
///
/// - `scores`: one row a token;
/// - `transitions`: from tag to tag; before the run is outside;
/// - `back`: room for where each token's tags come from.
pub fn viterbi(
    scores: &[Scores],
    transitions: &[[f32; TAGS]; TAGS],
    back: &mut Vec<[u8; TAGS]>,
    tags: &mut Vec<usize>,
) {
    back.clear();
    tags.clear();
    let Some((first, rest)) = scores.split_first() else { return };
    // I follows only B or I of its class, so none begins a run.
    let begins = |tag: usize| tag == 0 || tag % 2 == 1;
    let mut best: Scores = std::array::from_fn(|to| {
        if begins(to) { transitions[0][to] + first[to] } else { f32::NEG_INFINITY }
    });
    for row in rest {
        let mut next = [f32::NEG_INFINITY; TAGS];
        let mut from = [0; TAGS];
        for to in 0..TAGS {
            let sources = if begins(to) { 0..TAGS } else { to - 1..to + 1 };
            for tag in sources {
                let total = best[tag] + transitions[tag][to];
                if next[to] < total {
                    next[to] = total;
                    from[to] = tag as u8;
                }
            }
            next[to] += row[to];
        }
        best = next;
        back.push(from);
    }
    let mut tag = (0..TAGS).max_by(|&left, &right| best[left].total_cmp(&best[right])).unwrap_or(0);
    tags.push(tag);
    for from in back.iter().rev() {
        tag = usize::from(from[tag]);
        tags.push(tag);
    }
    tags.reverse();
}

/// A trained tagger.
#[derive(Debug)]
pub struct Tagger<'m> {
    transitions: [[f32; TAGS]; TAGS],
    calibration: Calibration,
    vocabulary: Vocabulary<'m>,
    cities: Cities,
    weights: LinearModel<WEIGHED>,
    /// What the word beyond either end of a sentence weighs at each of [`PLACES`].
    nowhere: [[i16; WEIGHED]; PLACES.len()],
}

impl<'m> Tagger<'m> {
    /// Reads a model; `None` when it is damaged or was made for other features.
    #[must_use]
    pub fn from_bytes(bytes: &'m [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
        let (vocabulary, weights) = rest.split_at_checked(VOCABULARY_BYTES)?;
        let mut numbers =
            header.strip_prefix(MAGIC)?.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b));
        let mut next = || numbers.next().unwrap_or_default();
        let mut transitions = [[0.0; TAGS]; TAGS];
        transitions.as_flattened_mut().iter_mut().for_each(|weight| *weight = next());
        let calibration = std::array::from_fn(|_| (next(), next()));
        let weights: LinearModel<WEIGHED> = LinearModel::from_bytes(weights, RECIPE).ok()?;
        let nowhere =
            PLACES.map(|place| weights.steps(hashes(alone(&NOWHERE, &NO_AFFIXES, place))));
        let vocabulary = Vocabulary::new(vocabulary);
        let cities = Cities::of(vocabulary);
        Some(Self { transitions, calibration, vocabulary, cities, weights, nowhere })
    }

    /// Finds names in the tokens of one sentence.
    #[must_use]
    pub fn tag(&self, line: Line<'_>, memory: &mut Memory) -> Vec<Tagged> {
        let mut found = Vec::new();
        for run in runs(line.looks) {
            self.score(line, run.clone(), memory);
            let Memory { scores, back, tags, .. } = memory;
            viterbi(scores, &self.transitions, back, tags);
            for (name, class, margin) in names(tags, scores) {
                found.push(Tagged {
                    first: (run.start + name.start) as u32,
                    end: (run.start + name.end) as u32,
                    class,
                    confidence: confidence(margin, &self.calibration),
                });
            }
        }
        found
    }

    /// How likely the tags of a sentence's tokens are, as logarithms; `None` where a token cannot be
    /// part of a name. What stands around a token counts, and which tags may follow each other does
    /// not: with that the chain is too sure of itself to be heard beside others.
    #[must_use]
    pub fn opinions(&self, line: Line<'_>, memory: &mut Memory) -> Vec<Option<Scores>> {
        let mut opinions = vec![None; line.tokens.len()];
        for run in runs(line.looks) {
            self.score(line, run.clone(), memory);
            for (opinion, scores) in opinions[run].iter_mut().zip(&memory.scores) {
                *opinion = Some(logarithms(scores));
            }
        }
        opinions
    }

    /// Scores the tokens of a run: what the features of [`describe`] weigh.
    fn score(&self, line: Line<'_>, run: std::ops::Range<usize>, memory: &mut Memory) {
        let from = run.start.saturating_sub(AROUND);
        let until = (run.end + AROUND).min(line.tokens.len());
        memory.weighed.clear();
        memory.words.clear();
        for index in from..until {
            let text = line.text.get(line.tokens[index].span.range()).unwrap_or_default();
            let (look, hint) = (line.looks[index], line.hints[index]);
            memory.weigh(text, look, hint, self.vocabulary, &self.weights);
        }
        mark_cities(&mut memory.words[run.start - from..run.end - from], |phrase| {
            self.cities.may_have(phrase) && self.vocabulary.of(phrase).city != 0
        });
        // The weights lie far down the memory: those of the whole run are looked for at once.
        memory.places.clear();
        memory.ends.clear();
        for index in run.clone() {
            let features = together(&memory.words, index - from, index == 0);
            self.weights.find(hashes(features.into_iter()), &mut memory.places);
            memory.ends.push(memory.places.len());
        }
        memory.scores.clear();
        let mut begin = 0;
        for (index, &end) in run.zip(&memory.ends) {
            let mut steps = self.weights.steps_at(&memory.places[begin..end]);
            begin = end;
            for (place, nowhere) in PLACES.into_iter().zip(&self.nowhere) {
                // What a word weighs is kept by where the token stands from it.
                let at = (index - from).checked_add_signed(place);
                let word = at.and_then(|at| memory.weighed.get(at));
                let word = word.map_or(nowhere, |steps| &steps[(2 - place) as usize]);
                for (step, more) in steps.iter_mut().zip(word) {
                    *step = step.wrapping_add(*more);
                }
            }
            let mut scores = [0.0; TAGS];
            scores[1..].copy_from_slice(&self.weights.scaled(steps));
            memory.scores.push(scores);
        }
    }
}

/// The logarithms of how likely tags with these scores are: of their softmax.
fn logarithms(scores: &Scores) -> Scores {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let all: f32 = scores.iter().map(|score| (score - largest).exp()).sum();
    scores.map(|score| (score - largest - all.ln()).max(LEAST))
}

/// How likely a name with this margin is right: the line through the calibration's points.
fn confidence(margin: f32, calibration: &Calibration) -> f32 {
    let after = calibration.partition_point(|&(at, _)| at < margin);
    let (Some(&(right, high)), Some(&(left, low))) =
        (calibration.get(after), after.checked_sub(1).and_then(|before| calibration.get(before)))
    else {
        return calibration[after.min(KNOTS - 1)].1;
    };
    low + (high - low) * (margin - left) / (right - left)
}

/// The names in a run's tags: where, what, and by how much its weakest tag beats the others.
pub fn names(
    tags: &[usize],
    scores: &[Scores],
) -> impl Iterator<Item = (std::ops::Range<usize>, Class, f32)> {
    let mut index = 0;
    std::iter::from_fn(move || {
        while tags.get(index) == Some(&0) {
            index += 1;
        }
        let class = (tags.get(index)? - 1) / 2;
        let first = index;
        index += 1;
        while index < tags.len() && tags[index] == 2 * class + 2 {
            index += 1;
        }
        let margins = (first..index).map(|at| {
            let rest = (0..TAGS).filter(|&other| other == 0 || (other - 1) / 2 != class);
            let rival = rest.map(|other| scores[at][other]).fold(f32::MIN, f32::max);
            scores[at][tags[at]] - rival
        });
        Some((first..index, Class::ALL[class], margins.fold(f32::MAX, f32::min)))
    })
}

/// Writes a model: what [`Tagger::from_bytes`] reads.
///
/// - `vocabulary`: as [`table`](crate::vocabulary::table) made it;
/// - `weights`: the bytes of a [`LinearModel`] of the recipe [`RECIPE`].
#[must_use]
pub fn to_bytes(
    transitions: &[[f32; TAGS]; TAGS],
    calibration: &Calibration,
    vocabulary: &[u8],
    weights: &[u8],
) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let points = calibration.iter().flat_map(|&(margin, confidence)| [margin, confidence]);
    let numbers = transitions.as_flattened().iter().copied().chain(points);
    bytes.extend(numbers.flat_map(f32::to_le_bytes));
    bytes.extend_from_slice(vocabulary);
    bytes.extend_from_slice(weights);
    bytes
}

#[cfg(test)]
mod tests;
