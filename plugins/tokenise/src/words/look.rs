//! What stands at a place of the text, and how far the like of it goes.

use super::Cutter;
use crate::chars::{KIND, Kind, Wide, wide};

impl Cutter<'_> {
    /// The end of the letters, digits and marks from `at` on, within the chunk.
    pub(super) fn run_end(&self, mut at: usize) -> usize {
        while at < self.end {
            match KIND[usize::from(self.bytes[at])] {
                Kind::Letter | Kind::Digit => at += 1,
                Kind::Wide => {
                    let Some(character) = self.char_at(at) else { return at };
                    let after = at + character.len_utf8();
                    match wide(character) {
                        Wide::Word => at = after,
                        // A soft hyphen or joiner inside a word.
                        Wide::Invisible if self.continues_word(after) => at = after,
                        _ => return at,
                    }
                }
                _ => return at,
            }
        }
        at
    }

    fn continues_word(&self, at: usize) -> bool {
        at < self.end && self.is_word_char(at)
    }

    pub(super) fn ascii_end(&self, mut at: usize) -> usize {
        while self.bytes.get(at).is_some_and(u8::is_ascii_alphanumeric) {
            at += 1;
        }
        at
    }

    pub(super) fn char_at(&self, at: usize) -> Option<char> {
        self.text.get(at..)?.chars().next()
    }

    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.bytes.get(at).map(|&byte| KIND[usize::from(byte)])
    }

    pub(super) fn is_digit(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_digit)
    }

    pub(super) fn is_letter(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_alphabetic)
    }

    pub(super) fn is_upper(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_uppercase)
    }

    pub(super) fn is_lower(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_lowercase)
    }

    pub(super) fn is_word_char(&self, at: usize) -> bool {
        match self.kind(at) {
            Some(Kind::Letter | Kind::Digit) => true,
            Some(Kind::Wide) => self.char_at(at).is_some_and(|c| wide(c) == Wide::Word),
            _ => false,
        }
    }
}
