//! The trained tagger for names that no table knows: a linear chain over hashed features.
//!
//! A structured perceptron (Collins, "Discriminative Training Methods for Hidden Markov Models",
//! EMNLP 2002) with averaged weights in eight bits, decoded by Viterbi. Only words that could be
//! part of a name are looked at: those with a capital letter and the small words between them.

use standpoint_document::Annotation;

use crate::fold::{fold, mix, step};

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
/// Rows of the table of weights, as a power of two.
pub const BITS: u32 = 17;
/// Slots of the table of usage, as a power of two.
pub const USAGE_BITS: u32 = 16;
const USAGE_BYTES: usize = 2 << USAGE_BITS;
const WEIGHT_BYTES: usize = TAGS << BITS;
/// Bytes of a model: a header, the weights between tags, the table of usage, the weights of
/// features.
pub const MODEL_BYTES: usize = 16 + TAGS * TAGS * 4 + USAGE_BYTES + WEIGHT_BYTES;
/// Names the features, so that weights made for others are refused.
const MAGIC: &[u8; 8] = b"SPENTv02";

/// A run of tokens that the tagger takes for a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tagged {
    /// The first token.
    pub first: u32,
    /// The token after the last.
    pub end: u32,
    /// What it is.
    pub class: Class,
    /// By how much its tags beat the others, in the model's units; above 0 is likely.
    pub margin: f32,
}

/// What the tables say of a token, for the tagger's features.
pub type Hint = u8;

/// A token as the features see it.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    hash: u64,
    shape: u8,
    prefix: [u64; 3],
    suffix: [u64; 3],
    hint: Hint,
    usage: u8,
    lower: bool,
}

/// How a word is usually written, from much running text: 0 not seen, 1 small, 2 either, 3 with a
/// capital. It tells "Attached" at the start of a sentence from "Atatürk".
#[derive(Debug, Clone, Copy)]
pub struct Usage<'m>(&'m [u8]);

impl<'m> Usage<'m> {
    /// Reads a table of two bytes a slot, as [`Usage::entry`] makes them.
    #[must_use]
    pub const fn new(table: &'m [u8]) -> Self {
        Self(table)
    }

    /// How the word with this folded hash is written.
    #[must_use]
    pub fn of(self, word: u64) -> u8 {
        let (slot, entry) = Self::entry(word, 0);
        let Some(&[low, high]) = self.0.get(slot * 2..slot * 2 + 2) else { return 0 };
        let found = u16::from_le_bytes([low, high]);
        if found & !3 == entry { (found & 3) as u8 } else { 0 }
    }

    /// The slot of a word, and what stands in it for a usage from 0 to 3.
    #[must_use]
    pub const fn entry(word: u64, usage: u16) -> (usize, u16) {
        ((word >> (64 - USAGE_BITS)) as usize, ((word >> 32) as u16) & !3 | usage)
    }
}

/// Features of one token.
pub type Row = [u32; FEATURES];

/// How many features a token has.
pub const FEATURES: usize = 32;

/// Looks at a token once for all features that it takes part in.
#[must_use]
pub fn word(text: &str, hint: Hint, usage: Usage<'_>) -> Word {
    let bytes = text.as_bytes();
    let (mut upper, mut small, mut digit, mut other) = (0_u32, 0_u32, 0_u32, 0_u32);
    for character in text.chars() {
        if character.is_uppercase() {
            upper += 1;
        } else if character.is_lowercase() {
            small += 1;
        } else if character.is_numeric() {
            digit += 1;
        } else {
            other += 1;
        }
    }
    let initial = text.chars().next().is_some_and(char::is_uppercase);
    let shape = match (upper, small, digit, other) {
        (0, 0, 0, _) => 0,
        (0, 0, 1..=2, 0) => 1,
        (0, 0, 4, 0) => 2,
        (0, 0, _, _) => 3,
        (0, _, 0, 0) => 4,
        (1, 0, 0, 0) => 5,
        (1, 0, 0, 1) => 6,
        (_, 0, 0, 0) => 7,
        (_, 0, 0, _) => 8,
        (1, _, 0, 0) if initial => 9,
        (1, _, 0, _) if initial => 10,
        (_, _, 0, _) if initial => 11,
        (_, _, 0, _) => 12,
        _ => 13,
    };
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
    let hash = fold(text);
    Word { hash, shape, prefix, suffix, hint, usage: usage.of(hash), lower: upper == 0 }
}

/// The word beyond either end of a sentence.
const NOWHERE: Word =
    Word { hash: 3, shape: 15, prefix: [0; 3], suffix: [0; 3], hint: 0, usage: 0, lower: true };

/// Whether a token could be part of a name: one with a capital, or a small word or number beside
/// or between such.
#[must_use]
pub fn candidates(words: &[Word]) -> Vec<bool> {
    let capital = |index: usize| words.get(index).is_some_and(|word| !word.lower);
    (0..words.len())
        .map(|index| {
            let word = &words[index];
            if !word.lower {
                return true;
            }
            let after = capital(index + 1) || capital(index + 2) || capital(index + 3);
            let before = 0 < index && capital(index - 1) || 1 < index && capital(index - 2);
            let digits = matches!(word.shape, 1..=3);
            before && after || digits && (before || capital(index + 1))
        })
        .collect()
}

/// The features of the token at `index` in its sentence.
#[must_use]
pub fn features(words: &[Word], index: usize) -> Row {
    let at = |offset: isize| {
        index.checked_add_signed(offset).and_then(|at| words.get(at)).unwrap_or(&NOWHERE)
    };
    let (before2, before, here, after, after2) = (at(-2), at(-1), at(0), at(1), at(2));
    let first = u64::from(index == 0);
    let shapes =
        |words: &[&Word]| words.iter().fold(0, |shapes, word| shapes * 16 + u64::from(word.shape));
    let usages = |words: &[&Word]| {
        words.iter().fold(first, |usages, word| {
            usages * 8 + u64::from(word.usage) * 2 + u64::from(word.lower)
        })
    };
    let values = [
        usages(&[here]),
        usages(&[before, here]),
        usages(&[here, after]),
        usages(&[before, here, after]),
        mix(usages(&[here]), here.suffix[1]),
        0,
        here.hash,
        before.hash,
        after.hash,
        before2.hash,
        after2.hash,
        mix(before.hash, here.hash),
        mix(here.hash, after.hash),
        mix(before.hash, after.hash),
        here.prefix[0],
        here.prefix[1],
        here.prefix[2],
        here.suffix[0],
        here.suffix[1],
        here.suffix[2],
        after.suffix[1],
        before.suffix[1],
        shapes(&[here]) * 2 + first,
        shapes(&[before, here]),
        shapes(&[here, after]),
        shapes(&[before, here, after]),
        mix(before.hash, u64::from(here.shape)),
        mix(after.hash, u64::from(here.shape)),
        mix(here.hash, first),
        u64::from(here.hint),
        u64::from(before.hint) << 8 | u64::from(here.hint),
        u64::from(here.hint) << 8 | u64::from(after.hint),
    ];
    let mut row = [0; FEATURES];
    for (template, (slot, value)) in row.iter_mut().zip(values).enumerate() {
        *slot = (mix(template as u64 + 1, value) >> (64 - BITS)) as u32;
    }
    row
}

/// Scores of one token's tags.
pub type Scores = [f32; TAGS];

/// Whether tag `to` may follow tag `from`: I only after B or I of the same class.
#[must_use]
pub const fn may_follow(from: usize, to: usize) -> bool {
    to == 0 || to % 2 == 1 || from == to || from + 1 == to
}

/// The best tags of a run of tokens.
///
/// - `scores`: one row a token; - `transitions`: from tag to tag; before the run is outside.
#[must_use]
pub fn viterbi(scores: &[Scores], transitions: &[[f32; TAGS]; TAGS]) -> Vec<usize> {
    let mut back: Vec<[u8; TAGS]> = Vec::with_capacity(scores.len());
    let mut best = [f32::NEG_INFINITY; TAGS];
    best[0] = 0.0;
    for row in scores {
        let mut next = [f32::NEG_INFINITY; TAGS];
        let mut from = [0; TAGS];
        for to in 0..TAGS {
            for (tag, &score) in best.iter().enumerate() {
                let total = score + transitions[tag][to];
                if may_follow(tag, to) && next[to] < total {
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
    let mut tags = vec![0; scores.len()];
    for (slot, from) in tags.iter_mut().zip(&back).rev() {
        *slot = tag;
        tag = usize::from(from[tag]);
    }
    tags
}

/// Weights, read in place.
#[derive(Debug, Clone, Copy)]
pub struct Tagger<'m> {
    transitions: [[f32; TAGS]; TAGS],
    usage: Usage<'m>,
    weights: &'m [u8],
}

impl<'m> Tagger<'m> {
    /// Reads a model; `None` when it has another length or was made for other features.
    #[must_use]
    pub fn from_bytes(bytes: &'m [u8]) -> Option<Self> {
        if bytes.len() != MODEL_BYTES || !bytes.starts_with(MAGIC) {
            return None;
        }
        let (header, weights) = bytes.split_at(MODEL_BYTES - WEIGHT_BYTES);
        let (header, usage) = header.split_at(header.len() - USAGE_BYTES);
        let mut transitions = [[0.0; TAGS]; TAGS];
        for (index, chunk) in header[16..].chunks_exact(4).enumerate() {
            let number = [chunk[0], chunk[1], chunk[2], chunk[3]];
            transitions[index / TAGS][index % TAGS] = f32::from_le_bytes(number);
        }
        Some(Self { transitions, usage: Usage::new(usage), weights })
    }

    /// Finds names in the tokens of one sentence.
    ///
    /// - `hints`: what the tables say, one a token.
    #[must_use]
    pub fn tag(&self, text: &str, tokens: &[Annotation], hints: &[Hint]) -> Vec<Tagged> {
        let words: Vec<Word> = tokens
            .iter()
            .zip(hints)
            .map(|(token, &hint)| {
                word(text.get(token.span.range()).unwrap_or_default(), hint, self.usage)
            })
            .collect();
        let candidates = candidates(&words);
        let mut found = Vec::new();
        let mut index = 0;
        let mut scores: Vec<Scores> = Vec::new();
        while index < words.len() {
            if !candidates[index] {
                index += 1;
                continue;
            }
            let start = index;
            scores.clear();
            while index < words.len() && candidates[index] {
                scores.push(self.scores(&features(&words, index)));
                index += 1;
            }
            let tags = viterbi(&scores, &self.transitions);
            collect(&tags, &scores, start as u32, &mut found);
        }
        found
    }

    fn scores(&self, row: &Row) -> Scores {
        let mut sums = [0_i32; TAGS];
        for &feature in row {
            let start = feature as usize * TAGS;
            for (sum, &weight) in sums.iter_mut().zip(&self.weights[start..start + TAGS]) {
                *sum += i32::from(weight.cast_signed());
            }
        }
        sums.map(|sum| sum as f32)
    }
}

/// Turns tags into runs.
fn collect(tags: &[usize], scores: &[Scores], start: u32, found: &mut Vec<Tagged>) {
    let mut index = 0;
    while index < tags.len() {
        let tag = tags[index];
        if tag == 0 {
            index += 1;
            continue;
        }
        let class = (tag - 1) / 2;
        let first = index;
        index += 1;
        while index < tags.len() && tags[index] == 2 * class + 2 {
            index += 1;
        }
        let margin: f32 = (first..index)
            .map(|at| {
                let rest = (0..TAGS).filter(|&other| other == 0 || (other - 1) / 2 != class);
                let rival = rest.map(|other| scores[at][other]).fold(f32::MIN, f32::max);
                scores[at][tags[at]] - rival
            })
            .sum::<f32>()
            / (index - first) as f32;
        found.push(Tagged {
            first: start + first as u32,
            end: start + index as u32,
            class: Class::ALL[class],
            margin,
        });
    }
}

/// Writes a model: what [`Tagger::from_bytes`] reads.
///
/// - `weights`: `TAGS << BITS` numbers, already on the scale of the eight bits;
/// - `transitions`: on the same scale;
/// - `usage`: the table of [`Usage`].
#[must_use]
pub fn to_bytes(weights: &[f32], transitions: &[[f32; TAGS]; TAGS], usage: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MODEL_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[0; 8]);
    for weight in transitions.iter().flatten() {
        bytes.extend_from_slice(&weight.to_le_bytes());
    }
    bytes.extend_from_slice(usage);
    bytes.extend(weights.iter().map(|weight| {
        let step = weight.round().clamp(-127.0, 127.0) as i8;
        step.cast_unsigned()
    }));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_follows_only_its_own_class() {
        assert!(may_follow(1, 2) && may_follow(2, 2) && may_follow(2, 1) && may_follow(4, 0));
        assert!(!may_follow(0, 2) && !may_follow(3, 2) && !may_follow(2, 4));
    }

    #[test]
    fn viterbi_never_breaks_a_run_wrongly() {
        let mut scores = [[0.0; TAGS]; 2];
        scores[0][1] = 1.0;
        scores[1][4] = 5.0;
        scores[1][2] = 3.0;
        let tags = viterbi(&scores, &[[0.0; TAGS]; TAGS]);
        assert!(may_follow(0, tags[0]) && may_follow(tags[0], tags[1]), "{tags:?}");
    }

    #[test]
    fn a_model_of_another_length_is_refused() {
        assert!(Tagger::from_bytes(&[0; 10]).is_none());
    }
}
