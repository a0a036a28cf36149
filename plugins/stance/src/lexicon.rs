//! The cue lists: verbs, nouns, evaluations and small words, with every form that a text may use.

mod inflection;
mod phrases;

use std::borrow::Cow;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use standpoint_linear::Feature;
use thiserror::Error;

use self::inflection::{plural, verb_forms};
use self::phrases::ANY;
pub(crate) use self::phrases::{Phrases, key};

/// Why a cue list cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CueError {
    /// A file of the folder cannot be read.
    #[error("cannot read the cue list {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line is not what the head of its file says.
    #[error("{file}:{line}: found {found:?}, expected {expected}")]
    Line {
        /// The list's file name.
        file: &'static str,
        /// Counted from 1.
        line: usize,
        /// The line as it stands.
        found: String,
        /// What the column should be.
        expected: &'static str,
    },
}

/// Bits for the classes of small words.
pub(crate) mod class {
    /// A set of classes.
    pub(crate) type Bits = u64;

    macro_rules! classes {
        ($($name:ident = $bit:expr, $word:literal;)*) => {
            $(pub(crate) const $name: Bits = 1 << $bit;)*
            /// The bit of a class by its name in `function.tsv`.
            pub(crate) fn of(name: &str) -> Option<Bits> {
                match name { $($word => Some($name),)* _ => None }
            }
        };
    }
    classes! {
        NEGATION = 0, "negation";
        HYPOTHETICAL = 1, "hypothetical";
        CONDITIONAL = 2, "conditional";
        FORECAST = 3, "forecast";
        ALLEGED = 4, "alleged";
        REJECTED = 5, "rejected";
        PAST = 6, "past";
        PRESENT = 7, "present";
        FUTURE = 8, "future";
        INTENT = 9, "intent";
        CONCESSION = 10, "concession";
        FIRST = 11, "first";
        AGENT = 12, "agent";
        DETERMINER = 13, "determiner";
        PREPOSITION = 14, "preposition";
        COORDINATOR = 15, "coordinator";
        SUBORDINATOR = 16, "subordinator";
        RELATIVE = 17, "relative";
        AUXILIARY = 18, "auxiliary";
        PRONOUN = 19, "pronoun";
        ADVERB = 20, "adverb";
        WEIGHING = 21, "weighing";
        CULTURE = 22, "culture";
        REQUEST = 23, "request";
        ALIKE = 24, "alike";
        MEASURE = 25, "measure";
        EVENT = 26, "event";
        TEXT = 27, "text";
        ANNOUNCING = 28, "announcing";
        GIVING = 29, "giving";
        DISSENT = 30, "dissent";
        PERMITTING = 31, "permitting";
        MEDIUM = 32, "medium";
        FORGED = 33, "forged";
        UNTRUE = 34, "untrue";
        CLAIMANT = 35, "claimant";
        HEARSAY = 36, "hearsay";
        DEED = 37, "deed";
        OUTSIDER = 38, "outsider";
    }
    /// Classes of words that mean something by themselves, as nouns and verbs do.
    pub(crate) const OF_CONTENT: Bits = AGENT
        | REJECTED
        | ALLEGED
        | REQUEST
        | ALIKE
        | MEASURE
        | EVENT
        | TEXT
        | ANNOUNCING
        | GIVING
        | DISSENT
        | PERMITTING
        | MEDIUM
        | FORGED
        | UNTRUE
        | CLAIMANT
        | HEARSAY
        | DEED
        | OUTSIDER;
}

/// Bits for the forms of a verb.
pub(crate) mod form {
    pub(crate) const BASE: u8 = 1;
    pub(crate) const S: u8 = 1 << 1;
    pub(crate) const PAST: u8 = 1 << 2;
    pub(crate) const PARTICIPLE: u8 = 1 << 3;
    pub(crate) const ING: u8 = 1 << 4;
}

/// What a verb does to an attitude inside its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carry {
    Keep,
    Turn,
    Cut,
    Report,
}

/// What else a cue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    None,
    War,
    Bad,
    Aid,
    Report,
    Wish,
    Judge,
    Attitude,
    Act,
    Relation,
    Thing,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "-" => Self::None,
            "war" => Self::War,
            "bad" => Self::Bad,
            "aid" => Self::Aid,
            "report" => Self::Report,
            "wish" => Self::Wish,
            "judge" => Self::Judge,
            "attitude" => Self::Attitude,
            "act" => Self::Act,
            "relation" => Self::Relation,
            "thing" => Self::Thing,
            _ => return None,
        })
    }
}

/// A verb, noun or evaluation of the lists.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cue {
    /// From -2 (opposed) to 2 (supportive).
    pub(crate) score: f32,
    pub(crate) carry: Carry,
    pub(crate) kind: Kind,
    /// Which line of its list, so that a model may know the cue by its lemma.
    pub(crate) lemma: u16,
}

/// A cue behind its first word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phrase {
    /// The words that must follow, in lower case.
    pub(crate) rest: Arc<[Box<str>]>,
    /// The [`key`] of the first of them that the phrase names; [`ANY`] where it names none.
    pub(crate) key: u32,
    /// Whether whole names may stand before that word: "hold X to account", "turn X down".
    pub(crate) is_far: bool,
    pub(crate) cue: Cue,
}

impl Phrase {
    fn new(rest: Arc<[Box<str>]>, cue: Cue) -> Self {
        let first = rest.first().map_or("", |word| &**word);
        let is_far = first == GOAL || is_result_particle(first);
        let named = rest.get(usize::from(first == GOAL)).filter(|_| first != OWNER);
        let key = named.map_or(ANY, |word| key(word));
        Self { rest, key, is_far, cue }
    }
}

/// Stand in a phrase for whoever is its goal; the lists are read in lower case.
pub(crate) const OWNER: &str = "x's";
pub(crate) const GOAL: &str = "x";

/// Words that may stand behind the object: "hold Russia accountable", "turn the offer down".
pub(crate) fn is_result_particle(word: &str) -> bool {
    matches!(word, "accountable" | "responsible" | "down" | "off" | "out" | "away" | "up" | "aside")
}

/// Whether `word` is meant by `pattern`: "its" and "itself" stand for all persons, and lists name
/// one of the prepositions that are as good as each other.
pub(crate) fn is_meant(pattern: &str, word: &str) -> bool {
    pattern == word
        || match pattern {
            "its" => matches!(word, "his" | "her" | "their" | "our" | "my"),
            "itself" => matches!(word, "himself" | "herself" | "themselves" | "ourselves"),
            "to" | "toward" | "towards" => matches!(word, "toward" | "towards"),
            "about" => matches!(word, "over" | "regarding"),
            _ => false,
        }
}

/// All that the lists know of a word in lower case.
///
/// Small, so that a look at a word takes one line of the processor's cache: most words of the lists
/// begin no phrase.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Entry {
    /// Bits of [`class`].
    pub(crate) classes: class::Bits,
    /// Bits of [`form`].
    pub(crate) forms: u8,
    /// Whether a verb of it says what somebody is held for: "call", "describe".
    pub(crate) judges: bool,
    begins: Option<Box<Begins>>,
}

/// What a word begins, or is by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Begins {
    pub(crate) verbs: Phrases,
    pub(crate) nouns: Phrases,
    pub(crate) evaluations: Phrases,
    /// Small words of several parts: what follows and their class.
    pub(crate) runs: Vec<(Box<[Box<str>]>, class::Bits)>,
}

impl Entry {
    fn begins(&mut self) -> &mut Begins {
        self.begins.get_or_insert_default()
    }
}

impl Deref for Entry {
    type Target = Begins;

    fn deref(&self) -> &Begins {
        static NOTHING: Begins = Begins {
            verbs: Phrases::NONE,
            nouns: Phrases::NONE,
            evaluations: Phrases::NONE,
            runs: Vec::new(),
        };
        self.begins.as_deref().unwrap_or(&NOTHING)
    }
}

/// The cue lists, by the first word of each entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Lexicon {
    /// By a hash of the word, for to compare letters takes one more line of the cache: that a word
    /// of a text shares the 64 bits with another of some ten thousand will not happen.
    entries: FxHashMap<u64, Entry>,
    alike: Sieve,
    /// With which letters the words of each class begin, a bit each from "a" on.
    initials: [u32; Lexicon::CLASSES],
}

/// Words of which a text has at least one where it has a phrase of some class: the longest of each
/// phrase. Most sentences have none, and looking takes a few steps a word.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sieve {
    words: Vec<Box<str>>,
    /// A bit for each length that a word has, the last one for all longer ones.
    lengths: u32,
    /// A bit for each letter that a word begins with, from "a" on.
    initials: u32,
    /// A phrase has only words that a text may write in several ways.
    takes_all: bool,
}

impl Sieve {
    fn add(&mut self, phrase: &str) {
        let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match phrase.split(' ').filter(plain).max_by_key(|word| word.len()) {
            Some(word) if self.words.iter().any(|known| **known == *word) => {}
            Some(word) => {
                self.lengths |= length_bit(word);
                self.initials |= initial(word);
                self.words.push(word.into());
            }
            None => self.takes_all = true,
        }
    }

    fn takes(&self, word: &str) -> bool {
        self.lengths & length_bit(word) != 0
            && self.initials & initial(word) != 0
            && self.words.iter().any(|known| known.eq_ignore_ascii_case(word))
    }
}

fn hash_of(word: &str) -> u64 {
    const WORD: Feature = Feature::new("cue");
    WORD.text(word).as_u64()
}

/// The bit of a word's first letter; all bits of a word that begins with something else.
fn initial(word: &str) -> u32 {
    match word.as_bytes().first().map(u8::to_ascii_lowercase) {
        Some(letter @ b'a'..=b'z') => 1 << (letter - b'a'),
        _ => u32::MAX,
    }
}

fn length_bit(word: &str) -> u32 {
    1 << word.len().min(31)
}

const VERBS: &str = "verbs.tsv";
const NOUNS: &str = "nouns.tsv";
const EVALUATIONS: &str = "evaluations.tsv";
const FUNCTION: &str = "function.tsv";
const IRREGULAR: &str = "irregular.tsv";

impl Lexicon {
    const CLASSES: usize = class::Bits::BITS as usize;

    /// The lists that are compiled in.
    ///
    /// # Errors
    ///
    /// [`CueError::Line`] when a list is malformed, which a test rules out.
    pub fn standard() -> Result<Self, CueError> {
        Self::parse(&|file| {
            Ok(match file {
                VERBS => include_str!("../cues/verbs.tsv"),
                NOUNS => include_str!("../cues/nouns.tsv"),
                EVALUATIONS => include_str!("../cues/evaluations.tsv"),
                FUNCTION => include_str!("../cues/function.tsv"),
                _ => include_str!("../cues/irregular.tsv"),
            }
            .into())
        })
    }

    /// The lists of a folder that holds the same five files.
    ///
    /// # Errors
    ///
    /// [`CueError`] names the file that cannot be read, or the line that is malformed.
    pub fn from_folder(folder: &Path) -> Result<Self, CueError> {
        Self::parse(&|file| {
            let path = folder.join(file);
            fs::read_to_string(&path)
                .map(Cow::Owned)
                .map_err(|source| CueError::Read { path, source })
        })
    }

    fn parse(
        read: &dyn Fn(&'static str) -> Result<Cow<'static, str>, CueError>,
    ) -> Result<Self, CueError> {
        let mut irregular: FxHashMap<String, Vec<String>> = FxHashMap::default();
        for (_, fields) in rows(IRREGULAR, &read(IRREGULAR)?, 2)? {
            let forms = fields[1].split(' ').map(str::to_owned).collect();
            irregular.insert(fields[0].to_string(), forms);
        }
        let mut lexicon = Self {
            entries: FxHashMap::default(),
            alike: Sieve::default(),
            initials: [0; Self::CLASSES],
        };
        let mut known = FxHashMap::default();
        for (index, fields) in rows(VERBS, &read(VERBS)?, 4)? {
            lexicon.add_verb(index, &fields, &irregular, &mut known)?;
        }
        for (index, fields) in rows(NOUNS, &read(NOUNS)?, 3)? {
            lexicon.add_noun(index, &fields)?;
        }
        for (index, fields) in rows(EVALUATIONS, &read(EVALUATIONS)?, 2)? {
            let score = score_of(EVALUATIONS, index, &fields[1])?;
            let cue = Cue { score, carry: Carry::Cut, kind: Kind::None, lemma: index as u16 };
            for (first, rest) in spellings(&fields[0]).map(|phrase| words_of(&phrase)) {
                lexicon.entry(&first).begins().evaluations.push(Phrase::new(rest.into(), cue));
            }
        }
        for (index, fields) in rows(FUNCTION, &read(FUNCTION)?, 2)? {
            let bit = class::of(&fields[1]).ok_or_else(|| CueError::Line {
                file: FUNCTION,
                line: index,
                found: fields[1].to_string(),
                expected: "a class such as negation",
            })?;
            if bit == class::ALIKE {
                lexicon.alike.add(&fields[0]);
            }
            let (first, rest) = words_of(&fields[0]);
            if rest.is_empty() {
                lexicon.entry(&first).classes |= bit;
                lexicon.initials[bit.trailing_zeros() as usize] |= initial(&first);
            } else {
                lexicon.entry(&first).begins().runs.push((rest, bit));
            }
        }
        for entry in lexicon.entries.values_mut() {
            if let Some(begins) = &mut entry.begins {
                begins.verbs.sort();
                begins.nouns.sort();
                begins.evaluations.sort();
            }
            entry.judges = entry.verbs.iter().any(|verb| verb.cue.kind == Kind::Judge);
        }
        Ok(lexicon)
    }

    /// Whether a word, in lower case or with capitals, is of a class, of which `class` is the bit.
    pub(crate) fn is_of(&self, word: &str, class: class::Bits) -> bool {
        // Most words begin with another letter.
        if self.initials[class.trailing_zeros() as usize] & initial(word) == 0 {
            return false;
        }
        let is_of = |word: &str| self.get(word).is_some_and(|entry| entry.classes & class != 0);
        is_of(word)
            || word.starts_with(|first: char| first.is_ascii_uppercase())
                && is_of(&word.to_ascii_lowercase())
    }

    /// What the lists know of `word`, which is in lower case.
    pub(crate) fn get(&self, word: &str) -> Option<&Entry> {
        self.entries.get(&hash_of(word))
    }

    /// Whether a sentence of these words may have a phrase of the class [`class::ALIKE`].
    pub(crate) fn may_be_alike<'t>(&self, mut words: impl Iterator<Item = &'t str>) -> bool {
        self.alike.takes_all || words.any(|word| self.alike.takes(word))
    }

    fn entry(&mut self, word: &str) -> &mut Entry {
        self.entries.entry(hash_of(word)).or_default()
    }

    fn add_verb(
        &mut self,
        line: usize,
        fields: &[Cow<'_, str>],
        irregular: &FxHashMap<String, Vec<String>>,
        known: &mut FxHashMap<String, Vec<(String, u8)>>,
    ) -> Result<(), CueError> {
        let bad = |column: usize, expected| CueError::Line {
            file: VERBS,
            line,
            found: fields[column].to_string(),
            expected,
        };
        let score = score_of(VERBS, line, &fields[1])?;
        let carry = match &*fields[2] {
            "+" => Carry::Keep,
            "-" => Carry::Turn,
            "0" => Carry::Cut,
            "r" => Carry::Report,
            _ => return Err(bad(2, "+, -, 0 or r")),
        };
        let kind = Kind::of(&fields[3]).ok_or_else(|| bad(3, "a kind such as war"))?;
        let cue = Cue { score, carry, kind, lemma: line as u16 };
        let (base, rest) = fields[0].split_once(' ').unwrap_or((&fields[0], ""));
        if !known.contains_key(base) {
            let forms = verb_forms(base, irregular.get(base).map(Vec::as_slice));
            known.insert(base.to_owned(), forms);
        }
        for spelling in spellings(rest) {
            let rest: Arc<[Box<str>]> = spelling.split_whitespace().map(Into::into).collect();
            for (word, forms) in known.get(base).into_iter().flatten() {
                let entry = self.entry(word);
                entry.forms |= forms;
                entry.begins().verbs.push(Phrase::new(Arc::clone(&rest), cue));
            }
        }
        Ok(())
    }

    fn add_noun(&mut self, line: usize, fields: &[Cow<'_, str>]) -> Result<(), CueError> {
        let score = score_of(NOUNS, line, &fields[1])?;
        let kind = Kind::of(&fields[2]).ok_or_else(|| CueError::Line {
            file: NOUNS,
            line,
            found: fields[2].to_string(),
            expected: "a kind such as attitude",
        })?;
        let carry = if score < 0.0 { Carry::Turn } else { Carry::Keep };
        let cue = Cue { score, carry, kind, lemma: line as u16 };
        let mut words: Vec<Box<str>> = fields[0].split(' ').map(Into::into).collect();
        // The plural is that of the last word, or of the first before a preposition.
        let last = words.len() - 1;
        let head = words
            .iter()
            .position(|word| matches!(&**word, "against" | "with" | "condemning" | "at"))
            .map_or(last, |preposition| preposition.saturating_sub(1));
        words[head] = plural(&words[head]).into();
        for form in [&*fields[0], &words.join(" ")] {
            for (first, rest) in spellings(form).map(|phrase| words_of(&phrase)) {
                self.entry(&first).begins().nouns.push(Phrase::new(rest.into(), cue));
            }
        }
        Ok(())
    }
}

/// The columns of a row.
type Fields<'t> = Vec<Cow<'t, str>>;

/// The rows of a list, each with its line counted from 1 and at least `columns` fields.
fn rows<'t>(
    file: &'static str,
    text: &'t str,
    columns: usize,
) -> Result<Vec<(usize, Fields<'t>)>, CueError> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let lower = |field: &'t str| match field.trim() {
            field if field.bytes().any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase()) => {
                Cow::Owned(field.to_lowercase())
            }
            field => Cow::Borrowed(field),
        };
        let fields: Fields<'t> = line.split('\t').map(lower).collect();
        if fields.len() < columns || fields.iter().take(columns).any(|field| field.is_empty()) {
            return Err(CueError::Line {
                file,
                line: index + 1,
                found: line.to_owned(),
                expected: "columns separated by tabs, as the head of the file says",
            });
        }
        rows.push((index + 1, fields));
    }
    Ok(rows)
}

fn score_of(file: &'static str, line: usize, field: &str) -> Result<f32, CueError> {
    let score = field.parse::<f32>().ok().filter(|score| (-2.0..=2.0).contains(score));
    score.ok_or_else(|| CueError::Line {
        file,
        line,
        found: field.to_owned(),
        expected: "a score from -2 to 2",
    })
}

/// A phrase as the list has it, and with its hyphens as words of their own: "a dressing-down" is
/// cut there, and "co-operate" is not.
fn spellings(phrase: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let cut = phrase.contains('-').then(|| Cow::Owned(phrase.replace('-', " - ")));
    std::iter::once(Cow::Borrowed(phrase)).chain(cut)
}

fn words_of(phrase: &str) -> (String, Box<[Box<str>]>) {
    let mut words = phrase.split(' ');
    let first = words.next().unwrap_or_default().to_owned();
    (first, words.map(Into::into).collect())
}

#[cfg(test)]
mod tests;
