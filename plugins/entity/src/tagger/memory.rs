//! What the tagger keeps from one sentence to the next: room, and what words weigh by themselves.
//!
//! A third of a token's features come from one word alone, and most words of a text were seen
//! before, in it or in the text before it. What such a word adds to the scores of the tokens around
//! it is kept in a table of fixed size, in which a new word takes the place of an old one.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use standpoint_linear::{Feature, LinearModel};

use super::{Hint, PLACES, Scores, WEIGHED, Word, alone, hash_of, word};
use crate::fold::Look;
use crate::vocabulary::Vocabulary;

/// Sums of weights in whole steps, which add up exactly in any order.
pub(super) type Steps = [i16; WEIGHED];

/// A word as the features see it, and what it weighs for the token at each of [`PLACES`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighed {
    pub(super) word: Word,
    pub(super) steps: [Steps; PLACES.len()],
}

/// How many words are kept, a power of two: less than a megabyte for each worker.
const SLOTS: usize = 4096;

/// Words with what they weigh, and room for one sentence.
pub struct Memory {
    slots: Vec<Option<(u64, Weighed)>>,
    pub(super) weighed: Vec<Weighed>,
    pub(super) words: Vec<Word>,
    pub(super) scores: Vec<Scores>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Default for Memory {
    fn default() -> Self {
        let slots = vec![None; SLOTS];
        Self { slots, weighed: Vec::new(), words: Vec::new(), scores: Vec::new() }
    }
}

impl Memory {
    /// A word as the features see it, weighed unless it was before.
    pub(super) fn weigh(
        &mut self,
        text: &str,
        look: Look,
        hint: Hint,
        vocabulary: Vocabulary<'_>,
        weights: &LinearModel<WEIGHED>,
    ) -> Weighed {
        // The text decides all that a word is but for the hint.
        let key = Feature::new("word").text(text).number(i64::from(hint)).as_u64();
        let slot = &mut self.slots[key as usize % SLOTS];
        match slot {
            Some((known, weighed)) if *known == key => *weighed,
            _ => {
                let word = word(text, look, hint, vocabulary);
                let steps = PLACES.map(|place| weights.steps(hashes(alone(&word, -place))));
                let weighed = Weighed { word, steps };
                *slot = Some((key, weighed));
                weighed
            }
        }
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
