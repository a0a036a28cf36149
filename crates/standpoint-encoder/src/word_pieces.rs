//! Text to word pieces: the uncased tokeniser that the encoder was trained with.
//!
//! Controls go, accents go, capitals go; marks and ideographs stand alone; a word is divided into
//! the longest pieces that the vocabulary has. Each piece knows its bytes in the text as it was.

use rustc_hash::FxHashMap;
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::weights::LoadError;

/// The file of a model's vocabulary.
pub(crate) const VOCABULARY: &str = "vocab.txt";
/// A longer word is one unknown piece.
const MAX_WORD: usize = 100;
/// What marks a piece that continues a word.
const CONTINUES: &str = "##";

/// A word piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its number in the vocabulary.
    pub(crate) id: i32,
    /// Where it begins in the text, in bytes.
    pub(crate) start: u32,
    /// Where it ends.
    pub(crate) end: u32,
}

/// The pieces that the encoder knows.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    starts: FxHashMap<Box<str>, i32>,
    /// Without their mark.
    continues: FxHashMap<Box<str>, i32>,
    /// For each number whether that piece continues a word.
    is_continuing: Vec<bool>,
    /// Of the longest piece, in bytes.
    longest: usize,
    unknown: i32,
    /// What stands before the first piece of a sentence.
    pub(crate) first: i32,
    /// What stands behind the last.
    pub(crate) last: i32,
}

/// A character after normalisation, and the bytes that it came from.
#[derive(Debug, Clone, Copy)]
struct Letter {
    character: char,
    start: u32,
    end: u32,
}

impl Vocabulary {
    /// Reads a vocabulary, one piece a line, numbered from 0.
    ///
    /// # Errors
    ///
    /// [`LoadError::Vocabulary`] names the piece that is missing.
    pub(crate) fn parse(text: &str) -> Result<Self, LoadError> {
        let mut starts = FxHashMap::default();
        let mut continues = FxHashMap::default();
        let mut is_continuing = Vec::new();
        let mut longest = 0;
        for (line, id) in text.lines().zip(0_i32..) {
            let piece = line.strip_prefix(CONTINUES).filter(|rest| !rest.is_empty());
            longest = longest.max(piece.unwrap_or(line).len());
            is_continuing.push(piece.is_some());
            match piece {
                Some(piece) => continues.insert(piece.into(), id),
                None => starts.insert(line.into(), id),
            };
        }
        let special =
            |piece: &'static str| starts.get(piece).copied().ok_or(LoadError::Vocabulary { piece });
        let (unknown, first, last) = (special("[UNK]")?, special("[CLS]")?, special("[SEP]")?);
        Ok(Self { starts, continues, is_continuing, longest, unknown, first, last })
    }

    /// Whether a piece continues the word of the piece before it.
    pub(crate) fn continues(&self, id: i32) -> bool {
        usize::try_from(id).is_ok_and(|id| self.is_continuing.get(id) == Some(&true))
    }

    /// Divides `text` into at most `limit` pieces; the flag says whether that was all of it.
    pub(crate) fn divide(&self, text: &str, limit: usize) -> (Vec<Piece>, bool) {
        let mut pieces = Vec::new();
        let mut word = Vec::new();
        for (start, character) in text.char_indices() {
            let end = (start + character.len_utf8()) as u32;
            let start = start as u32;
            if character.is_whitespace() {
                self.divide_word(&mut word, &mut pieces);
            } else if !is_dropped(character) {
                // An accent of its own belongs to the letter before it, whose word goes on.
                for character in std::iter::once(character).nfd().filter(|&c| !is_accent(c)) {
                    for character in character.to_lowercase() {
                        if stands_alone(character) {
                            self.divide_word(&mut word, &mut pieces);
                            word.push(Letter { character, start, end });
                            self.divide_word(&mut word, &mut pieces);
                        } else {
                            word.push(Letter { character, start, end });
                        }
                    }
                }
            }
            if limit < pieces.len() {
                pieces.truncate(limit);
                return (pieces, false);
            }
        }
        self.divide_word(&mut word, &mut pieces);
        let is_whole = pieces.len() <= limit;
        pieces.truncate(limit);
        (pieces, is_whole)
    }

    /// Takes the letters of a word and adds its pieces.
    fn divide_word(&self, word: &mut Vec<Letter>, pieces: &mut Vec<Piece>) {
        let (Some(first), Some(last)) = (word.first(), word.last()) else { return };
        let unknown = Piece { id: self.unknown, start: first.start, end: last.end };
        let before = pieces.len();
        if MAX_WORD < word.len() {
            pieces.push(unknown);
            word.clear();
            return;
        }
        let spelt: String = word.iter().map(|letter| letter.character).collect();
        let mut rest = spelt.as_str();
        let mut letters = word.as_slice();
        while !rest.is_empty() {
            let known = if before == pieces.len() { &self.starts } else { &self.continues };
            let Some((length, id)) = self.longest_piece(known, rest) else {
                // A word is known in all its parts or not at all.
                pieces.truncate(before);
                pieces.push(unknown);
                break;
            };
            let (taken, left) = letters.split_at(rest[..length].chars().count());
            pieces.push(Piece { id, start: taken[0].start, end: taken[taken.len() - 1].end });
            rest = &rest[length..];
            letters = left;
        }
        word.clear();
    }

    /// The longest beginning of `rest` that is `known`, in bytes, and its number.
    fn longest_piece(&self, known: &FxHashMap<Box<str>, i32>, rest: &str) -> Option<(usize, i32)> {
        (1..=rest.len().min(self.longest))
            .rev()
            .filter(|&length| rest.is_char_boundary(length))
            .find_map(|length| known.get(&rest[..length]).map(|&id| (length, id)))
    }
}

/// Controls and what no text should hold.
fn is_dropped(character: char) -> bool {
    character == '\0'
        || character == '\u{fffd}'
        || character.general_category_group() == GeneralCategoryGroup::Other
}

fn is_accent(character: char) -> bool {
    character.general_category() == GeneralCategory::NonspacingMark
}

/// Marks and ideographs are words of their own.
fn stands_alone(character: char) -> bool {
    character.is_ascii_punctuation()
        || character.general_category_group() == GeneralCategoryGroup::Punctuation
        || matches!(
            character,
            '\u{4e00}'..='\u{9fff}'
                | '\u{3400}'..='\u{4dbf}'
                | '\u{20000}'..='\u{2a6df}'
                | '\u{2a700}'..='\u{2b73f}'
                | '\u{2b740}'..='\u{2b81f}'
                | '\u{2b920}'..='\u{2ceaf}'
                | '\u{f900}'..='\u{faff}'
                | '\u{2f800}'..='\u{2fa1f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECES: &str =
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\nno\nstate\n##s\n##ment\n.\n'\ncafe\n北\nna\n##ive\n$\n##n";

    fn vocabulary() -> Vocabulary {
        Vocabulary::parse(PIECES).unwrap()
    }

    /// The pieces, each with the text that it stands for.
    fn shown(text: &str) -> String {
        let names: Vec<&str> = PIECES.lines().collect();
        let (pieces, _) = vocabulary().divide(text, 100);
        let shown: Vec<String> = pieces
            .iter()
            .map(|piece| {
                let source = &text[piece.start as usize..piece.end as usize];
                format!("{}={source}", names[piece.id as usize])
            })
            .collect();
        shown.join(" ")
    }

    #[test]
    fn words_are_divided_into_the_longest_known_pieces() {
        let cases = [
            ("empty", "", ""),
            ("only space", " \n\u{a0}", ""),
            ("one piece", "no", "no=no"),
            ("capitals", "NO", "no=NO"),
            ("longest first", "statements", "state=state ##ment=ment ##s=s"),
            ("unknown part, unknown word", "statehood", "[UNK]=statehood"),
            ("marks stand alone", "no's.", "no=no '=' [UNK]=s .=."),
            ("symbols of ASCII too", "no$", "no=no $=$"),
            ("accent in one character", "café", "cafe=café"),
            ("accent of its own", "cafe\u{301}", "cafe=cafe"),
            ("accent inside a word", "naïve", "na=na ##ive=ïve"),
            ("controls are not there", "n\u{200b}o\u{0}", "no=n\u{200b}o"),
            ("ideographs stand alone", "北no", "北=北 no=no"),
            ("no markup in text", "[SEP]", "[UNK]=[ [UNK]=SEP [UNK]=]"),
        ];
        for (case, text, expected) in cases {
            assert_eq!(shown(text), expected, "{case}: {text:?}");
        }
    }

    #[test]
    fn a_word_of_more_than_a_hundred_letters_is_unknown() {
        assert_eq!(shown(&"n".repeat(100)).matches("##n").count(), 0, "no piece is n alone");
        let word = format!("no{}", "n".repeat(98));
        assert_eq!(shown(&word).matches("##n=n").count(), 98);
        assert_eq!(shown(&format!("{word}n")), format!("[UNK]={word}n"));
    }

    #[test]
    fn what_is_beyond_the_limit_is_said_to_be_cut() {
        let (pieces, is_whole) = vocabulary().divide("no no no", 3);
        assert_eq!((pieces.len(), is_whole), (3, true));
        let (pieces, is_whole) = vocabulary().divide("no no no", 2);
        assert_eq!((pieces.len(), is_whole), (2, false));
    }

    #[test]
    fn a_vocabulary_without_its_marks_is_refused() {
        let error = Vocabulary::parse("no\n[UNK]\n[CLS]").unwrap_err();
        assert_eq!(error.to_string(), "the vocabulary lacks [SEP]");
    }

    proptest! {
        /// Pieces are in order, do not overlap, and cut no character.
        #[test]
        fn pieces_follow_each_other(text in any::<String>(), limit in 0_usize..20) {
            let (pieces, is_whole) = vocabulary().divide(&text, limit);
            prop_assert!(pieces.len() <= limit);
            prop_assert!(is_whole || pieces.len() == limit);
            for piece in &pieces {
                prop_assert!(text.get(piece.start as usize..piece.end as usize).is_some());
                prop_assert!(piece.start < piece.end);
            }
            for pair in pieces.windows(2) {
                // One character may become several marks, so neighbours may share it.
                prop_assert!(pair[0].start <= pair[1].start && pair[0].end <= pair[1].end);
            }
        }
    }
}
