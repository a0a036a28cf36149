//! What is known of words from texts that nobody labelled and from lists of names: how a word is
//! usually written, what it keeps company with, whether people or cities are called so.

/// What is known of a word, as a few bits; nothing of most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// How it is usually written: 0 not seen, 1 small, 2 either, 3 with a capital. It tells
    /// "Attached" at the start of a sentence from "Atatürk".
    pub usage: u8,
    /// Words of one number stand between like words; 0 is none, and all are below [`CLUSTERS`].
    pub cluster: u16,
    /// How often people have it for a first name: 0 to 2.
    pub given: u8,
    /// How often people have it for a family name: 0 to 3.
    pub family: u8,
    /// How large a city of this name is: 0 for none, to 3.
    pub city: u8,
}

/// How many clusters there can be, one of them for words without.
pub const CLUSTERS: u16 = 512;

/// Two neighbouring slots for each value of so many bits of a hash.
const PAIR_BITS: u32 = 16;
const SLOT_BYTES: usize = 4;
/// Bytes of a table.
pub const VOCABULARY_BYTES: usize = (2 * SLOT_BYTES) << PAIR_BITS;
/// So many bits of a slot say what is known; the others check the hash.
const KNOWN_BITS: u32 = 17;

impl Known {
    const fn pack(self) -> u32 {
        self.usage as u32
            | (self.cluster as u32) << 2
            | (self.given as u32) << 11
            | (self.family as u32) << 13
            | (self.city as u32) << 15
    }

    const fn unpack(bits: u32) -> Self {
        Self {
            usage: (bits & 3) as u8,
            cluster: (bits >> 2 & 511) as u16,
            given: (bits >> 11 & 3) as u8,
            family: (bits >> 13 & 3) as u8,
            city: (bits >> 15 & 3) as u8,
        }
    }

    /// The lists that have the word, as one number below 64.
    #[must_use]
    pub const fn lists(self) -> u64 {
        (self.given as u64) << 4 | (self.family as u64) << 2 | self.city as u64
    }
}

const fn pair_of(word: u64) -> usize {
    (word >> (64 - PAIR_BITS)) as usize
}

const fn check_of(word: u64) -> u32 {
    (word >> 16) as u32 >> KNOWN_BITS << KNOWN_BITS
}

/// A table of words, read in place.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary<'m>(&'m [u8]);

impl<'m> Vocabulary<'m> {
    /// Reads a table that [`table`] made; of one with other bytes nothing is known.
    #[must_use]
    pub const fn new(table: &'m [u8]) -> Self {
        Self(table)
    }

    /// What is known of the word, or run of words, with this hash.
    #[must_use]
    pub fn of(self, word: u64) -> Known {
        let at = pair_of(word) * 2 * SLOT_BYTES;
        let Some(pair) = self.0.get(at..at + 2 * SLOT_BYTES) else { return Known::default() };
        for slot in pair.as_chunks::<SLOT_BYTES>().0 {
            let slot = u32::from_le_bytes(*slot);
            if slot >> KNOWN_BITS << KNOWN_BITS == check_of(word) {
                return Known::unpack(slot);
            }
        }
        Known::default()
    }
}

/// Which pairs of slots of a table have a city: so few that the bits stay in the processor's cache,
/// where the table does not, and two of three words in a row are hardly ever one.
#[derive(Debug)]
pub struct Cities(Vec<u64>);

impl Cities {
    /// Notes the pairs of a table.
    #[must_use]
    pub fn of(Vocabulary(table): Vocabulary<'_>) -> Self {
        let mut bits = vec![0; (1 << PAIR_BITS) / u64::BITS as usize];
        for (at, slot) in table.as_chunks::<SLOT_BYTES>().0.iter().enumerate() {
            if Known::unpack(u32::from_le_bytes(*slot)).city != 0 {
                let pair = at / 2;
                bits[pair / 64] |= 1 << (pair % 64);
            }
        }
        Self(bits)
    }

    /// Whether the table may say that the word, or run of words, with this hash is a city.
    #[must_use]
    pub fn may_have(&self, word: u64) -> bool {
        let pair = pair_of(word);
        self.0.get(pair / 64).is_some_and(|bits| bits >> (pair % 64) & 1 == 1)
    }
}

/// Makes a table; where more than two words meet, the first two stay.
///
/// - `words`: by their folded hashes, the weightiest first.
#[must_use]
pub fn table(words: impl IntoIterator<Item = (u64, Known)>) -> Vec<u8> {
    let mut table = vec![0; VOCABULARY_BYTES];
    for (word, known) in words {
        let at = pair_of(word) * 2 * SLOT_BYTES;
        let pair = &mut table[at..at + 2 * SLOT_BYTES];
        let slot = check_of(word) | known.pack();
        for place in pair.as_chunks_mut::<SLOT_BYTES>().0 {
            if *place == [0; SLOT_BYTES] {
                *place = slot.to_le_bytes();
                break;
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;

    #[test]
    fn what_is_entered_is_known_and_nothing_else() {
        let known = Known { usage: 3, cluster: 511, given: 2, family: 3, city: 1 };
        let words = ["Adela", "Brno", "attached"].map(fold);
        let table = table(words.iter().map(|&word| (word, known)));
        let vocabulary = Vocabulary::new(&table);
        assert!(words.iter().all(|&word| vocabulary.of(word) == known));
        let cities = Cities::of(vocabulary);
        assert!(words.iter().all(|&word| cities.may_have(word)) && !cities.may_have(fold("Zlín")));
        assert_eq!(vocabulary.of(fold("Zlín")), Known::default());
        assert_eq!(Vocabulary::new(&[]).of(words[0]), Known::default());
    }
}
