//! The phrases behind one word, by the word that each goes on with: hundreds stand behind "be" or
//! "take", and a text goes on with few of them.

use std::hash::Hasher;
use std::ops::Deref;

use rustc_hash::FxHasher;

use super::Phrase;

/// Phrases that begin with the same word, the longest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Phrases {
    list: Vec<Phrase>,
    /// The [`key`] of the word that each phrase names first, and its place in the list; in order.
    by_key: Vec<(u32, u16)>,
    /// A bit for each of these keys.
    keys: u64,
}

/// Of phrases that name no word, or none that is known beforehand.
pub(super) const ANY: u32 = 0;

impl Phrases {
    pub(super) const NONE: Self = Self { list: Vec::new(), by_key: Vec::new(), keys: 0 };

    /// Takes one more phrase, before [`sort`](Self::sort).
    pub(super) fn push(&mut self, phrase: Phrase) {
        self.list.push(phrase);
    }

    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|phrase| std::cmp::Reverse(phrase.rest.len()));
        self.by_key = (0..).zip(&self.list).map(|(place, phrase)| (phrase.key, place)).collect();
        self.by_key.sort_unstable();
        self.keys = self.list.iter().fold(0, |keys, phrase| keys | bit(phrase.key));
    }

    /// Those that may go on with a word of this key, with their places in the list, which rise.
    pub(crate) fn with(&self, key: u32) -> impl Iterator<Item = (usize, &Phrase)> {
        let may_be = self.keys & bit(key) != 0;
        let first = if may_be {
            self.by_key.partition_point(|&(known, _)| known < key)
        } else {
            self.by_key.len()
        };
        let of_key = self.by_key[first..].iter().take_while(move |&&(known, _)| known == key);
        of_key.filter_map(|&(_, place)| {
            Some((usize::from(place), self.list.get(usize::from(place))?))
        })
    }

    /// Those that may go on with whatever stands there.
    pub(crate) fn with_any(&self) -> impl Iterator<Item = (usize, &Phrase)> {
        self.with(ANY)
    }

    /// The word by itself.
    pub(crate) fn bare(&self) -> &[Phrase] {
        &self.list[self.list.partition_point(|phrase| !phrase.rest.is_empty())..]
    }
}

impl Deref for Phrases {
    type Target = [Phrase];

    fn deref(&self) -> &[Phrase] {
        &self.list
    }
}

const fn bit(key: u32) -> u64 {
    1 << (key % 64)
}

/// A number that a word shares with every pattern that means it and with hardly another; not
/// [`ANY`].
pub(crate) fn key(word: &str) -> u32 {
    let pattern = match word {
        "his" | "her" | "their" | "our" | "my" => "its",
        "himself" | "herself" | "themselves" | "ourselves" => "itself",
        "toward" | "towards" => "to",
        "over" | "regarding" => "about",
        other => other,
    };
    let mut hasher = FxHasher::default();
    hasher.write(pattern.as_bytes());
    let hash = hasher.finish();
    (hash as u32 ^ (hash >> 32) as u32).max(ANY + 1)
}
