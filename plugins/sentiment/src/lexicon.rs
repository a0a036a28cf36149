//! How words sound, read from a file that an analyst can edit.

use rustc_hash::FxHashMap;
use standpoint_linear::Feature;
use thiserror::Error;

/// The words of a lexicon and what they do.
///
/// The file is described in its own head; see `data/lexicon.tsv`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lexicon {
    /// Keys are [`key`]s of words in lower case.
    entries: FxHashMap<u64, Entry>,
}

/// What is known about one word.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Entry {
    /// From -4 to 4; 0 when the word has no tone.
    pub(crate) tone: f32,
    pub(crate) role: Role,
}

/// What a word does to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Role {
    #[default]
    Plain,
    /// Turns later tones by this factor.
    Negate(f32),
    /// The same, but a verb with a meaning of its own.
    Turn(f32),
    /// Multiplies the next tone.
    Boost(f32),
    /// What follows counts more.
    Contrast,
    /// Begins another clause.
    Clause,
    /// A verb of saying.
    Speech,
}

/// The namespace of word hashes.
const WORD: Feature = Feature::new("word");

/// The hash under which a word is looked up, upper and lower case being alike.
pub(crate) fn key(word: &str) -> Feature {
    if !word.is_ascii() && word.contains('’') {
        WORD.lower_case(&word.replace('’', "'"))
    } else {
        WORD.lower_case(word)
    }
}

impl Lexicon {
    /// The lexicon that comes with the stage.
    ///
    /// # Panics
    ///
    /// Never: a test reads the same file, which is compiled in.
    #[must_use]
    pub fn standard() -> Self {
        let text = include_str!("../data/lexicon.tsv");
        Self::parse(text).expect("a test reads the file that is compiled in")
    }

    /// Reads the lines of a lexicon file.
    ///
    /// # Errors
    ///
    /// [`LexiconError`] names the first line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, LexiconError> {
        let mut lexicon = Self::default();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim_end();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            lexicon.add(content).map_err(|problem| LexiconError { line, problem })?;
        }
        Ok(lexicon)
    }

    fn add(&mut self, line: &str) -> Result<(), Problem> {
        let mut columns = line.split('\t');
        let (Some(role), Some(word), Some(value), None) =
            (columns.next(), columns.next(), columns.next(), columns.next())
        else {
            return Err(Problem::Columns);
        };
        if word.is_empty()
            || word.contains(char::is_whitespace)
            || word.contains(char::is_uppercase)
        {
            return Err(Problem::Word { word: word.to_owned() });
        }
        let value: f32 = value
            .parse()
            .ok()
            .filter(|number| (-4.0..=4.0).contains(number))
            .ok_or_else(|| Problem::Value { value: value.to_owned() })?;
        let entry = self.entries.entry(key(word).as_u64()).or_default();
        let (taken, role) = match role {
            "tone" => {
                let taken = entry.tone != 0.0;
                entry.tone = value;
                (taken, entry.role)
            }
            "negate" => (entry.role != Role::Plain, Role::Negate(value)),
            "turn" => (entry.role != Role::Plain, Role::Turn(value)),
            "boost" => (entry.role != Role::Plain, Role::Boost(value)),
            "contrast" => (entry.role != Role::Plain, Role::Contrast),
            "clause" => (entry.role != Role::Plain, Role::Clause),
            "speech" => (entry.role != Role::Plain, Role::Speech),
            _ => return Err(Problem::Role { role: role.to_owned() }),
        };
        if taken {
            return Err(Problem::Twice { word: word.to_owned() });
        }
        entry.role = role;
        Ok(())
    }

    /// - `word`: made with [`key`].
    pub(crate) fn entry(&self, word: Feature) -> Entry {
        self.entries.get(&word.as_u64()).copied().unwrap_or_default()
    }
}

/// A line of a lexicon that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the lexicon {problem}")]
pub struct LexiconError {
    line: usize,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
enum Problem {
    #[error("does not have three columns: role, word and value, with a tab between")]
    Columns,
    #[error(
        "has the unknown role {role:?}: use tone, negate, turn, boost, contrast, clause or speech"
    )]
    Role { role: String },
    #[error("has {word:?} where one word in lower case is expected")]
    Word { word: String },
    #[error("has the value {value:?} where a number from -4 to 4 is expected")]
    Value { value: String },
    #[error("has {word:?}, which an earlier line has in the same or another role: keep one")]
    Twice { word: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_lexicon_is_read() {
        let lexicon = Lexicon::standard();
        assert!(lexicon.entries.len() > 4000);
        assert!(lexicon.entry(key("Condemned")).tone < -1.0);
        assert!(lexicon.entry(key("praised")).tone > 1.0);
        assert_eq!(lexicon.entry(key("n’t")).role, Role::Negate(0.8));
        assert_eq!(lexicon.entry(key("refused")).role, Role::Turn(1.0));
        assert_eq!(lexicon.entry(key("vice")), Entry::default());
    }

    #[test]
    fn a_wrong_line_is_named() {
        let cases = [
            (
                "tone\tgood",
                "line 1 of the lexicon does not have three columns: role, word and value, with a tab between",
            ),
            (
                "# fine\ntone\tgood\t9",
                "line 2 of the lexicon has the value \"9\" where a number from -4 to 4 is expected",
            ),
            (
                "tone\tgood\tNaN",
                "line 1 of the lexicon has the value \"NaN\" where a number from -4 to 4 is expected",
            ),
            (
                "mood\tgood\t1",
                "line 1 of the lexicon has the unknown role \"mood\": use tone, negate, turn, boost, contrast, clause or speech",
            ),
            (
                "tone\tGood\t1",
                "line 1 of the lexicon has \"Good\" where one word in lower case is expected",
            ),
            (
                "tone\tgood\t1\ntone\tgood\t2",
                "line 2 of the lexicon has \"good\", which an earlier line has in the same or another role: keep one",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Lexicon::parse(text).unwrap_err().to_string(), expected);
        }
    }
}
