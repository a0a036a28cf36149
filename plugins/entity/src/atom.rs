//! Atoms: what names are made of, finer than tokens, so that "US-led", "Côte d'Ivoire" and
//! "Russia's" are matched however a tokeniser cuts them.

use standpoint_document::{Annotation, Span};

use crate::fold::{Look, look};

/// A piece of a token between hyphens and apostrophes.
#[derive(Debug, Clone, Copy)]
pub struct Atom {
    /// Where.
    pub span: Span,
    /// The index of its token.
    pub token: u32,
    /// Its letters, folded.
    pub hash: u64,
    /// Bits of [`atom`](self).
    pub flags: u16,
    /// What kinds of cue the word is; see [`crate::cues`].
    pub cues: u32,
    /// The node of the names that begin with it, as the tables have it; 0 where none does.
    pub node: u32,
}

/// It begins with a capital letter.
pub const CAPITAL: u16 = 1;
/// It has capital letters and no small ones.
pub const UPPER: u16 = 1 << 1;
/// It has a letter or digit.
pub const WORD: u16 = 1 << 2;
/// A hyphen or slash joins it to the atom before.
pub const HYPHENATED: u16 = 1 << 3;
/// An apostrophe joins it to the atom before: "'s", or the second half of "d'Ivoire".
pub const APOSTROPHE: u16 = 1 << 4;
/// The first atom of a sentence.
pub const FIRST: u16 = 1 << 5;
/// Its sentence is written in capitals throughout.
pub const SHOUTED: u16 = 1 << 6;
/// Its sentence is furniture of a page, or in another language.
pub const PASSED_OVER: u16 = 1 << 7;
/// It has several capital letters and small ones: `LeT`, `PiS`.
pub const MIXED: u16 = 1 << 8;
/// Its sentence is written in small letters throughout.
pub const WHISPERED: u16 = 1 << 9;

impl Atom {
    /// Whether any bit of `flag` is set.
    #[must_use]
    pub const fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Whether the word is a cue of any of these kinds.
    #[must_use]
    pub const fn cues(&self, kinds: u32) -> bool {
        self.cues & kinds != 0
    }
}

const fn is_hyphen(character: char) -> bool {
    matches!(character, '-' | '\u{2010}'..='\u{2015}' | '/')
}

const fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{2018}' | '\u{2019}' | '\u{02bc}' | '`')
}

/// Cuts tokens into atoms. Hyphens and apostrophes vanish and leave a flag on what follows.
///
/// - `tokens`: inside `text`, in order;
/// - `looks`: is filled with a look at each token.
#[must_use]
pub fn atoms(text: &str, tokens: &[Annotation], looks: &mut Vec<Look>) -> Vec<Atom> {
    let mut atoms = Vec::with_capacity(tokens.len() + tokens.len() / 8);
    let mut joint = 0;
    let mut joint_end = 0;
    for (index, token) in tokens.iter().enumerate() {
        let word = text.get(token.span.range()).unwrap_or_default();
        let start = token.span.start;
        if start != joint_end {
            joint = 0;
        }
        joint_end = token.span.end;
        let seen = look(word);
        looks.push(seen);
        if !seen.joints {
            push(&mut atoms, word, seen, start, index, &mut joint);
            continue;
        }
        let mut from = 0;
        for (at, character) in word.char_indices() {
            let mark = if is_hyphen(character) {
                HYPHENATED
            } else if is_apostrophe(character) {
                APOSTROPHE
            } else {
                continue;
            };
            let part = &word[from..at];
            push(&mut atoms, part, look(part), start + from as u32, index, &mut joint);
            joint = mark;
            from = at + character.len_utf8();
        }
        let part = &word[from..];
        let seen = if from == 0 { seen } else { look(part) };
        push(&mut atoms, part, seen, start + from as u32, index, &mut joint);
    }
    atoms
}

fn push(atoms: &mut Vec<Atom>, word: &str, look: Look, start: u32, token: usize, joint: &mut u16) {
    if word.is_empty() {
        return;
    }
    let mut flags = *joint;
    *joint = 0;
    if look.capital {
        flags |= CAPITAL;
    }
    if look.upper != 0 && look.small == 0 {
        flags |= UPPER;
    }
    if 1 < look.upper && look.small != 0 {
        flags |= MIXED;
    }
    let is_word = look.upper | look.small | look.digit != 0
        || look.other != 0 && word.chars().any(char::is_alphanumeric);
    if is_word {
        flags |= WORD;
    }
    atoms.push(Atom {
        span: Span::new(start, start + word.len() as u32),
        token: token as u32,
        hash: if is_word { look.hash } else { hash_of_mark(word) },
        flags,
        cues: 0,
        node: 0,
    });
}

/// A mark's hash keeps its full stops, unlike [`fold`].
pub(crate) fn hash_of_mark(mark: &str) -> u64 {
    mark.bytes().fold(7, crate::fold::step)
}

/// The atoms of a name in a table of names, with its capitals.
#[must_use]
pub fn atoms_of_name(name: &str) -> Vec<Atom> {
    let mut tokens = Vec::new();
    let mut start = None;
    let boundary = |character: char| character.is_whitespace() || ",()\"".contains(character);
    for (at, character) in name.char_indices().chain([(name.len(), ' ')]) {
        if boundary(character) {
            if let Some(from) = start.take() {
                tokens.push(Annotation::new(Span::new(from, at as u32)));
            }
            if !character.is_whitespace() {
                let end = at + character.len_utf8();
                tokens.push(Annotation::new(Span::new(at as u32, end as u32)));
            }
        } else if start.is_none() {
            start = Some(at as u32);
        }
    }
    atoms(name, &tokens, &mut Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        atoms_of_name(text).iter().map(|atom| &text[atom.span.range()]).collect()
    }

    #[test]
    fn names_are_cut_at_hyphens_and_apostrophes() {
        let cases = [
            ("US-led", &["US", "led"][..]),
            ("Russia\u{2019}s", &["Russia", "s"]),
            ("Cote d'Ivoire", &["Cote", "d", "Ivoire"]),
            ("Washington, D.C.", &["Washington", ",", "D.C."]),
            ("--", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }

    #[test]
    fn a_joint_marks_what_follows_it_only_when_nothing_is_between() {
        let atoms = atoms_of_name("pro-Russian - Moscow");
        assert!(atoms[1].is(HYPHENATED));
        assert!(!atoms[2].is(HYPHENATED));
    }
}
