//! Words without case, accents and dots, as 64-bit hashes that compare in one step.

use standpoint_document::folded_letters;

const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The hash of `word` without case, accents and full stops: "Erdoğan" is "ERDOGAN", "U.S." is
/// "us". Part of the format of the tagger's weights.
#[must_use]
pub fn fold(word: &str) -> u64 {
    let mut hash = SEED;
    if word.is_ascii() {
        for byte in word.bytes().filter(|&byte| byte != b'.') {
            hash = step(hash, byte.to_ascii_lowercase());
        }
    } else {
        let mut buffer = [0; 4];
        for letter in folded_letters(word) {
            hash = letter.encode_utf8(&mut buffer).bytes().fold(hash, step);
        }
    }
    hash
}

/// The hashes of words of small ASCII letters, made when the program is compiled.
#[must_use]
pub(crate) const fn folded<const N: usize>(words: [&str; N]) -> [u64; N] {
    let mut hashes = [SEED; N];
    let mut word = 0;
    while word < N {
        let bytes = words[word].as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            assert!(bytes[at].is_ascii_lowercase());
            hashes[word] = step(hashes[word], bytes[at]);
            at += 1;
        }
        word += 1;
    }
    hashes
}

/// What one look at a word tells: its folded hash and what it is written with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// As [`fold`] gives it.
    pub hash: u64,
    /// How many capital letters it has; all counts end at 255.
    pub upper: u8,
    /// How many small letters.
    pub small: u8,
    /// How many digits.
    pub digit: u8,
    /// How many other characters.
    pub other: u8,
    /// It begins with a capital letter.
    pub capital: bool,
    /// It may have a hyphen, slash or apostrophe.
    pub joints: bool,
}

/// The kinds of [`COUNTED`], as the place of their count.
const UPPER: u8 = 0;
const SMALL: u8 = 16;
const DIGIT: u8 = 32;
const OTHER: u8 = 48;

/// For each ASCII character its letter without case, and which count it belongs to.
static COUNTED: [(u8, u8); 128] = counted();

const fn counted() -> [(u8, u8); 128] {
    let mut table = [(0, OTHER); 128];
    let mut byte = 0_u8;
    while byte < 128 {
        let count = if byte.is_ascii_uppercase() {
            UPPER
        } else if byte.is_ascii_lowercase() {
            SMALL
        } else if byte.is_ascii_digit() {
            DIGIT
        } else {
            OTHER
        };
        table[byte as usize] = (byte.to_ascii_lowercase(), count);
        byte += 1;
    }
    table
}

/// Looks at a word once.
#[must_use]
pub fn look(word: &str) -> Look {
    let mut hash = SEED;
    let mut counts = 0_u64;
    // A word is short, so that no count runs into the next.
    if 255 < word.len() {
        return look_wide(word);
    }
    for &byte in word.as_bytes() {
        let Some(&(letter, count)) = COUNTED.get(usize::from(byte)) else { return look_wide(word) };
        if letter != b'.' {
            hash = step(hash, letter);
        }
        counts += 1 << count;
    }
    let of = |place: u8| (counts >> place) as u8;
    Look {
        hash,
        upper: of(UPPER),
        small: of(SMALL),
        digit: of(DIGIT),
        other: of(OTHER),
        capital: word.as_bytes().first().is_some_and(u8::is_ascii_uppercase),
        joints: of(OTHER) != 0,
    }
}

fn look_wide(word: &str) -> Look {
    let mut look = Look { hash: fold(word), joints: true, ..Look::default() };
    look.capital = word.chars().next().is_some_and(char::is_uppercase);
    for character in word.chars() {
        let count = if character.is_uppercase() {
            &mut look.upper
        } else if character.is_lowercase() {
            &mut look.small
        } else if character.is_numeric() {
            &mut look.digit
        } else {
            &mut look.other
        };
        *count = count.saturating_add(1);
    }
    look
}

/// One step of FNV-1a.
#[must_use]
pub const fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(PRIME)
}

/// Mixes two hashes into one that depends on their order.
#[must_use]
pub const fn mix(left: u64, right: u64) -> u64 {
    (left.rotate_left(23) ^ right).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_counts_what_a_word_is_written_with() {
        let cases = [
            ("Erdoğan", (1, 6, 0, 0), true),
            ("U.S.", (2, 0, 0, 2), true),
            ("F-16s", (1, 1, 2, 1), true),
            ("d'Ivoire", (1, 6, 0, 1), false),
            ("", (0, 0, 0, 0), false),
        ];
        for (word, counts, capital) in cases {
            let look = look(word);
            let found = (look.upper, look.small, look.digit, look.other);
            assert_eq!((found, look.capital), (counts, capital), "{word}");
            assert_eq!(look.hash, fold(word), "{word}");
        }
        assert_eq!(look(&"x".repeat(300)).small, 255);
    }

    #[test]
    fn spellings_of_one_name_fold_together() {
        for (left, right) in [
            ("Erdoğan", "ERDOGAN"),
            ("U.S.", "us"),
            ("Élysée", "elysee"),
            ("Türkiye", "Turkiye"),
            ("İstanbul", "Istanbul"),
            ("Łódź", "lodz"),
            ("Țiriac", "tiriac"),
            ("МОСКВА", "москва"),
        ] {
            assert_eq!(fold(left), fold(right), "{left} and {right}");
        }
        assert_ne!(fold("Iran"), fold("Iraq"));
        assert_eq!(folded(["iran", "us"]), ["Iran", "U.S."].map(fold));
    }
}
