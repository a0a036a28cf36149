//! What the tagger keeps from one sentence to the next: room, and what words weigh by themselves.
//!
//! A third of a token's features come from one word alone, and most words of a text were seen
//! before, in it or in the text before it. What such a word adds to the scores of the tokens around
//! it is kept in a table of fixed size, in which a new word takes the place of an old one.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use standpoint_linear::{Feature, LinearModel};

use super::{Hint, PLACES, Scores, TAGS, WEIGHED, Word, alone, hash_of, word};
use crate::fold::Look;
use crate::vocabulary::Vocabulary;

/// Sums of weights in whole steps, which add up exactly in any order.
pub(super) type Steps = [i16; WEIGHED];

/// What a word weighs for the token at each of [`PLACES`].
type Weights = [Steps; PLACES.len()];

/// How many words are kept, a power of two: less than a megabyte for each worker.
const SLOTS: usize = 4096;

/// A word with what it weighs, behind the hash by which it is found; it begins with a line of the
/// processor's cache and takes two.
#[derive(Clone)]
#[repr(align(64))]
struct Slot(Option<(u64, Word, Weights)>);

/// Words with what they weigh, and room for one run of tokens.
pub struct Memory {
    slots: Vec<Slot>,
    pub(super) words: Vec<Word>,
    /// What each of the words weighs.
    pub(super) weighed: Vec<Weights>,
    /// Where the weights stand of features that take several words, and where each token's end.
    pub(super) places: Vec<u32>,
    pub(super) ends: Vec<usize>,
    pub(super) scores: Vec<Scores>,
    pub(super) back: Vec<[u8; TAGS]>,
    pub(super) tags: Vec<usize>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            slots: vec![Slot(None); SLOTS],
            weighed: Vec::new(),
            places: Vec::new(),
            ends: Vec::new(),
            words: Vec::new(),
            scores: Vec::new(),
            back: Vec::new(),
            tags: Vec::new(),
        }
    }
}

impl Memory {
    /// Adds a word as the features see it, weighed unless it was before.
    pub(super) fn weigh(
        &mut self,
        text: &str,
        look: Look,
        hint: Hint,
        vocabulary: Vocabulary<'_>,
        weights: &LinearModel<WEIGHED>,
    ) {
        // The text decides all that a word is but for the hint.
        let key = Feature::new("word").text(text).number(i64::from(hint)).as_u64();
        let Slot(slot) = &mut self.slots[key as usize % SLOTS];
        if !matches!(slot, Some((known, ..)) if *known == key) {
            let (word, affixes) = word(text, look, hint, vocabulary);
            self.places.clear();
            let ends = PLACES.map(|place| {
                weights.find(hashes(alone(&word, &affixes, -place)), &mut self.places);
                self.places.len()
            });
            let mut begin = 0;
            let steps = ends.map(|end| {
                let places = &self.places[begin..end];
                begin = end;
                weights.steps_at(places)
            });
            *slot = Some((key, word, steps));
        }
        self.words.extend(slot.as_ref().map(|(_, word, _)| word));
        self.weighed.extend(slot.as_ref().map(|(.., steps)| steps));
    }
}

pub(super) fn hashes(features: impl Iterator<Item = (u64, u64)>) -> impl Iterator<Item = Feature> {
    features.map(|(template, value)| Feature::of_hash(hash_of(template, value)))
}

/// Memories that nobody uses just now: as many as there were taggers at work at once.
#[derive(Debug, Default)]
pub struct Memories(Mutex<Vec<Memory>>);

impl Memories {
    /// Does something with a memory of its own.
    pub fn with<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = kept.unwrap_or_default();
        let done = work(&mut memory);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        done
    }
}
