//! Word lists that an analyst can read and edit: abbreviations, prefixes, units, contractions.
//!
//! The files lie in `data/` and explain themselves; they are compiled in. Settings can add to
//! the abbreviations.

use rustc_hash::{FxHashMap, FxHashSet};

/// What a full stop after an abbreviation can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Abbreviation {
    /// Stands before a name ("Dr."): never ends a sentence before one.
    Title,
    /// Stands before a number or a name ("No. 5", "St. John").
    Number,
    /// A month or weekday: ends no sentence before a number.
    Month,
    /// Stands after a name ("Inc.") and may end a sentence.
    Company,
    /// A state or street ("Calif.") and may end a sentence.
    Place,
    /// Any other that may end a sentence ("etc.").
    Word,
    /// Never ends a sentence ("e.g.").
    Inner,
}

/// The lists that tell words apart; made once and shared.
#[derive(Debug, Clone)]
pub struct Lists {
    abbreviations: FxHashMap<Box<str>, Abbreviation>,
    prefixes: FxHashSet<Box<str>>,
    units: FxHashSet<Box<str>>,
    /// Lower case; the value is the length of the first part in bytes.
    contractions: FxHashMap<Box<str>, u8>,
    domains: FxHashSet<Box<str>>,
}

impl Lists {
    /// The lists that come with the stage.
    #[must_use]
    pub fn standard() -> Self {
        let abbreviations = entries(include_str!("../data/abbreviations.txt"), ": ")
            .flat_map(|(class, words)| words.split_whitespace().map(move |word| (class, word)))
            .filter_map(|(class, word)| Some((word.into(), abbreviation_class(class)?)))
            .collect();
        let contractions = words(include_str!("../data/contractions.txt"))
            .filter_map(|word| {
                let (first, second) = word.split_once('|')?;
                Some((format!("{first}{second}").into(), u8::try_from(first.len()).ok()?))
            })
            .collect();
        Self {
            abbreviations,
            prefixes: words(include_str!("../data/prefixes.txt")).map(Box::from).collect(),
            units: words(include_str!("../data/units.txt")).map(Box::from).collect(),
            contractions,
            domains: words(include_str!("../data/domains.txt")).map(Box::from).collect(),
        }
    }

    /// Adds an abbreviation that may end a sentence.
    ///
    /// - `word`: with or without its last full stop; case counts.
    pub fn add_abbreviation(&mut self, word: &str) {
        let word = word.strip_suffix('.').unwrap_or(word);
        self.abbreviations.insert(word.into(), Abbreviation::Word);
    }

    /// What `word` abbreviates; `word` is without its last full stop.
    #[must_use]
    pub fn abbreviation(&self, word: &str) -> Option<Abbreviation> {
        self.abbreviations.get(word).copied()
    }

    pub(crate) fn is_prefix(&self, word: &str) -> bool {
        with_lower(word, |word| self.prefixes.contains(word)).unwrap_or(false)
    }

    pub(crate) fn is_unit(&self, word: &str) -> bool {
        self.units.contains(word)
    }

    /// Where "cannot" is cut, in bytes.
    pub(crate) fn contraction(&self, word: &str) -> Option<usize> {
        with_lower(word, |word| self.contractions.get(word).map(|&length| usize::from(length)))?
    }

    pub(crate) fn is_domain(&self, word: &str) -> bool {
        with_lower(word, |word| self.domains.contains(word)).unwrap_or(false)
    }
}

fn abbreviation_class(name: &str) -> Option<Abbreviation> {
    Some(match name {
        "title" => Abbreviation::Title,
        "number" => Abbreviation::Number,
        "month" => Abbreviation::Month,
        "company" => Abbreviation::Company,
        "place" => Abbreviation::Place,
        "word" => Abbreviation::Word,
        "inner" => Abbreviation::Inner,
        _ => return None,
    })
}

/// The lines of a list file that are neither empty nor comments, cut at `separator`.
pub(crate) fn entries<'a>(
    file: &'a str,
    separator: &'static str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    lines(file).filter_map(move |line| line.split_once(separator))
}

/// The lines of a list file that are neither empty nor comments.
pub(crate) fn lines(file: &str) -> impl Iterator<Item = &str> {
    file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The words of a list file.
pub(crate) fn words(file: &str) -> impl Iterator<Item = &str> {
    lines(file).flat_map(str::split_whitespace)
}

/// Calls `look` with an ASCII word of at most 16 bytes in lower case; longer ones are in no list.
fn with_lower<T>(word: &str, look: impl FnOnce(&str) -> T) -> Option<T> {
    let mut buffer = [0_u8; 16];
    let lower = buffer.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).ok().map(look)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_abbreviations_has_a_known_class() {
        for (class, _) in entries(include_str!("../data/abbreviations.txt"), ": ") {
            assert!(abbreviation_class(class).is_some(), "unknown class {class:?}");
        }
    }

    #[test]
    fn lists_answer_in_any_case_where_case_does_not_count() {
        let mut lists = Lists::standard();
        assert_eq!(lists.contraction("Cannot"), Some(3));
        assert_eq!(lists.contraction("canapé"), None);
        assert!(lists.is_prefix("Non") && lists.is_domain("COM"));
        assert_eq!(lists.abbreviation("Dr"), Some(Abbreviation::Title));
        assert_eq!(lists.abbreviation("Abg"), None);
        lists.add_abbreviation("Abg.");
        assert_eq!(lists.abbreviation("Abg"), Some(Abbreviation::Word));
    }
}
