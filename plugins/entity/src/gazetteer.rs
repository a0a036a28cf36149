//! The names that are known: tables that an analyst can read, as one trie over atoms.

mod builder;

use rustc_hash::FxHashMap;
use standpoint_document::{Aliases, EntityKind};
use thiserror::Error;

use crate::atom::{self, Atom, atoms_of_name};
use crate::date::{Month, Period};

use self::builder::Builder;

/// The tables that are compiled in.
pub const BUILT_IN: [(&str, &str); 7] = [
    ("states.tsv", include_str!("../gazetteer/states.tsv")),
    ("organisations.tsv", include_str!("../gazetteer/organisations.tsv")),
    ("people.tsv", include_str!("../gazetteer/people.tsv")),
    ("places.tsv", include_str!("../gazetteer/places.tsv")),
    ("events.tsv", include_str!("../gazetteer/events.tsv")),
    ("words.tsv", include_str!("../gazetteer/words.tsv")),
    ("cues.tsv", include_str!("../gazetteer/cues.tsv")),
];

/// Something with a name.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its id in results.
    pub id: String,
    /// Its name in results.
    pub name: String,
    /// What it is.
    pub kind: EntityKind,
    /// The state or organisation of states that it belongs to.
    pub country: Option<String>,
    /// Whether it always speaks for that state: the state itself, a ministry, a parliament.
    pub speaks: bool,
    /// Whether it is a union or alliance of states: "the bloc".
    pub union: bool,
    /// Whether it is a party.
    pub party: bool,
    /// A person's offices.
    pub roles: Vec<Role>,
    /// Other names, as the table gives them.
    pub aliases: Aliases,
}

/// An office that a person held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `head-of-state`, `foreign-minister`, ...
    pub office: String,
    /// The organisation, where it is not an office of the person's own state.
    pub of: Option<String>,
    /// When.
    pub period: Period,
}

/// Offices that speak for the state. A party leader, a dissident or a former leader does not.
const SPEAKING: [&str; 12] = [
    "head-of-state",
    "head-of-government",
    "foreign-minister",
    "defence-minister",
    "monarch",
    "supreme-leader",
    "crown-prince",
    "vice-president",
    "ambassador",
    "spokesperson",
    "official",
    "military",
];

impl Record {
    fn new(id: &str, name: &str, kind: EntityKind) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            kind,
            country: None,
            speaks: false,
            union: false,
            party: false,
            roles: Vec::new(),
            aliases: Aliases::new(),
        }
    }

    /// The state or organisation that the record belongs to at a time, and whether it speaks for
    /// it then. Without a date any office counts.
    #[must_use]
    pub fn allegiance(&self, at: Option<Month>) -> (Option<&str>, bool) {
        let mut speaks = self.speaks;
        for role in &self.roles {
            if at.is_some_and(|month| !role.period.contains(month)) {
                continue;
            }
            if let Some(organisation) = &role.of {
                // With a date, the office at a union of states outranks the passport.
                if at.is_some() {
                    return (Some(organisation), true);
                }
            } else if SPEAKING.contains(&role.office.as_str()) {
                speaks = true;
            }
        }
        (self.country.as_deref(), speaks)
    }
}

/// How a name names its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// By its name.
    Name,
    /// By an adjective: "Russian".
    Adjective,
    /// Its people: "Russians".
    People,
    /// By its capital, which is also a place.
    Capital,
    /// By a seat of power: "the Kremlin".
    Seat,
    /// Not at all: a month, a dish.
    Nothing,
}

/// One meaning of a name.
#[derive(Debug, Clone, Copy)]
pub struct Sense {
    /// The record meant; for [`Form::Nothing`] it means nothing.
    pub record: u32,
    /// How it is named.
    pub form: Form,
    /// Needs support from the context: "Chad", "Sofia".
    pub ambiguous: bool,
    /// Does not count in a line of capitals: "WHO".
    pub not_shouted: bool,
    /// The name begins with an article that is not part of the mention.
    pub article: bool,
    /// Which atoms need a capital first letter, as bits.
    capital: u16,
    /// Which atoms need capitals throughout, as bits.
    upper: u16,
}

/// A name found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The first atom.
    pub first: u32,
    /// The atom after the last.
    pub end: u32,
    /// Where its senses begin in the table.
    senses: u32,
    /// Which of them fit the case of the text, as bits.
    fitting: u32,
    /// The sense that [`Gazetteer::best_sense`] gives.
    best: u32,
}

/// What the tables know of a word by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beginning {
    /// What kinds of cue it is; see [`crate::cues`].
    pub cues: u32,
    /// The node of the names that begin with it; 0 where none does.
    pub node: u32,
}

/// All names that are known.
#[derive(Debug, Default)]
pub struct Gazetteer {
    records: Vec<Record>,
    record_of: FxHashMap<String, u32>,
    senses: Vec<Sense>,
    /// For each node of the trie, its senses as start and count.
    nodes: Vec<(u32, u16)>,
    edges: FxHashMap<(u32, u64), u32>,
    words: FxHashMap<u64, Beginning>,
    /// The place of each capital, by its name's folded hash.
    capitals: FxHashMap<u32, FxHashMap<u64, u32>>,
    /// People by state or organisation.
    people_of: FxHashMap<String, Vec<u32>>,
    citizens_of: FxHashMap<u32, u32>,
}

/// What is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {problem}")]
#[non_exhaustive]
pub struct TableError {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What was found and what was expected.
    pub problem: String,
}

impl Gazetteer {
    /// Reads tables, of which later ones add to earlier ones; a row whose id is known replaces
    /// the record but keeps its other names.
    ///
    /// - `tables`: name of the file, which says what its columns are, and its text.
    ///
    /// # Errors
    ///
    /// [`TableError`] names the first line that does not have the columns of its table.
    pub fn from_tables<'t>(
        tables: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Self, TableError> {
        let mut builder = Builder::new();
        for (file, text) in tables {
            for (index, line) in text.lines().enumerate() {
                if line.trim().is_empty() || line.starts_with('#') {
                    continue;
                }
                let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
                builder.row(file, &columns).map_err(|problem| TableError {
                    file: file.to_owned(),
                    line: index + 1,
                    problem,
                })?;
            }
        }
        Ok(builder.finish())
    }

    /// The tables that are compiled in.
    ///
    /// # Errors
    ///
    /// Never, as a test keeps them readable; the error is passed on rather than hidden.
    pub fn built_in() -> Result<Self, TableError> {
        Self::from_tables(BUILT_IN)
    }

    /// Everything that is known.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The record with this index.
    #[must_use]
    pub fn record(&self, index: u32) -> &Record {
        &self.records[index as usize]
    }

    /// The record with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<u32> {
        self.record_of.get(id).copied()
    }

    /// The place that is the capital of a state, by the folded hash of its name.
    #[must_use]
    pub fn capital_as_place(&self, state: u32, name: u64) -> Option<u32> {
        self.capitals.get(&state)?.get(&name).copied()
    }

    /// The record of a state's people.
    #[must_use]
    pub fn citizens(&self, state: u32) -> Option<u32> {
        self.citizens_of.get(&state).copied()
    }

    /// The people of a state or organisation.
    #[must_use]
    pub fn people_of(&self, country: &str) -> &[u32] {
        self.people_of.get(country).map_or(&[], Vec::as_slice)
    }

    /// What is known of the word with this folded hash, whatever follows it.
    #[must_use]
    pub fn beginning(&self, word: u64) -> Beginning {
        self.words.get(&word).copied().unwrap_or_default()
    }

    /// The meanings of a match that fit its case.
    pub fn senses(&self, found: Match) -> impl Iterator<Item = &Sense> {
        let start = found.senses as usize;
        self.senses[start..]
            .iter()
            .take(32)
            .enumerate()
            .filter(move |(index, _)| found.fitting >> index & 1 == 1)
            .map(|(_, sense)| sense)
    }

    /// The meaning that the tables would choose without looking around: one that needs no support
    /// before one that does, a state before a place.
    #[must_use]
    pub fn best_sense(&self, found: Match) -> &Sense {
        &self.senses[found.best as usize]
    }

    fn rank(&self, sense: &Sense) -> (bool, u8) {
        let rank = match sense.form {
            Form::Nothing => 0,
            Form::Name => match self.record(sense.record).kind {
                EntityKind::Country => 1,
                EntityKind::Organisation | EntityKind::Group => 2,
                EntityKind::Person => 4,
                EntityKind::Event | EntityKind::Other => 5,
                EntityKind::Place => 6,
            },
            Form::Seat => 2,
            Form::Capital => 3,
            Form::Adjective => 4,
            Form::People => 5,
        };
        (sense.ambiguous, rank)
    }

    /// The longest names in a text, from left to right, without overlap.
    #[must_use]
    pub fn matches(&self, atoms: &[Atom]) -> Vec<Match> {
        let mut matches = Vec::with_capacity(atoms.len() / 8);
        let mut first = 0;
        while first < atoms.len() {
            let found =
                self.longest(atoms, first).map(|found| self.or_behind_article(atoms, found));
            match found {
                Some(found) => {
                    first = found.end as usize;
                    matches.push(found);
                }
                None => first += 1,
            }
        }
        matches
    }

    /// The name behind the article of another where that one goes further: "the West Bank" is not
    /// "the West".
    fn or_behind_article(&self, atoms: &[Atom], found: Match) -> Match {
        if !self.best_sense(found).article {
            return found;
        }
        let behind = self.longest(atoms, found.first as usize + 1);
        behind.filter(|behind| found.end < behind.end).unwrap_or(found)
    }

    fn longest(&self, atoms: &[Atom], first: usize) -> Option<Match> {
        let mut node = atoms[first].node;
        if node == 0 {
            return None;
        }
        let mut longest = None;
        let mut end = first + 1;
        loop {
            let (start, count) = self.nodes[node as usize];
            if count > 0 {
                let fitting = self.fitting(start, count, &atoms[first..end]);
                if fitting != 0 {
                    longest = Some((end, start, fitting));
                }
            }
            // A name does not run on across a sentence's end.
            let next = atoms.get(end).filter(|next| !next.is(atom::FIRST));
            let Some(&deeper) = next.and_then(|next| self.edges.get(&(node, next.hash))) else {
                break;
            };
            node = deeper;
            end += 1;
        }
        let (end, senses, fitting) = longest?;
        let fits = (senses..senses + 32).filter(|sense| fitting >> (sense - senses) & 1 == 1);
        let best = fits.min_by_key(|&sense| self.rank(&self.senses[sense as usize]))?;
        Some(Match { first: first as u32, end: end as u32, senses, fitting, best })
    }

    /// Whether it can only be the name of a place, so that it is known in small letters, too.
    fn is_place(&self, sense: &Sense) -> bool {
        let kind = self.record(sense.record).kind;
        sense.form == Form::Name
            && !sense.ambiguous
            && matches!(kind, EntityKind::Country | EntityKind::Place)
    }

    fn fitting(&self, start: u32, count: u16, atoms: &[Atom]) -> u32 {
        let (mut capital, mut upper) = (0_u16, 0_u16);
        for (index, atom) in atoms.iter().take(16).enumerate() {
            capital |= u16::from(atom.is(atom::CAPITAL)) << index;
            upper |= u16::from(atom.is(atom::UPPER | atom::MIXED)) << index;
        }
        let shouted = atoms[0].is(atom::SHOUTED);
        let whispered = atoms[0].is(atom::WHISPERED);
        let senses = &self.senses[start as usize..start as usize + usize::from(count)];
        let mut fitting = 0;
        for (index, sense) in senses.iter().take(32).enumerate() {
            let fits = (sense.capital & !capital == 0 || whispered && self.is_place(sense))
                && sense.upper & !upper == 0
                && !(shouted && sense.not_shouted);
            fitting |= u32::from(fits) << index;
        }
        fitting
    }
}

/// The folded hash of a name of several atoms.
#[must_use]
pub fn hash_of_name(name: &str) -> u64 {
    hash_of_atoms(&atoms_of_name(name))
}

/// The folded hash of several atoms.
#[must_use]
pub fn hash_of_atoms(atoms: &[Atom]) -> u64 {
    atoms.iter().fold(0, |hash, atom| crate::fold::mix(hash, atom.hash))
}
