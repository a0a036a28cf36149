//! Who speaks for a state and stands in no table: "Latvian Deputy Foreign Minister Inta Ozolzile",
//! "Jorunn Eikeland, Norway's ambassador".
//!
//! An office of a state beside a name makes its holder a voice of that state in the whole document.

use standpoint_document::{EntityKind, mention};

use crate::atom::{self, Atom};
use crate::cues;
use crate::fold::fold;
use crate::names::{Named, Reader};

/// How many words an office may have.
const MAX_WORDS: usize = 7;

/// Lets people that no table knows speak for the state whose office stands beside their name.
pub fn appoint(reader: &mut Reader<'_>) {
    for index in 0..reader.named.len() {
        let person = reader.named[index];
        let is_stranger = person.kind == EntityKind::Person
            && reader.table.records[person.entity as usize].is_none()
            && reader.table.entities[person.entity as usize].country.is_none();
        if !is_stranger {
            continue;
        }
        let surroundings =
            Surroundings { text: reader.text, atoms: &reader.sight.atoms, names: &reader.named };
        let state = surroundings
            .before(person.first as usize, index)
            .or_else(|| surroundings.behind(person.end as usize, index));
        let Some(state) = state else { continue };
        let state = reader.table.entities[state as usize].id.clone();
        let entity = &mut reader.table.entities[person.entity as usize];
        entity.country = Some(state);
        entity.speaks_for_country = true;
    }
}

/// The words and names around a name.
struct Surroundings<'r> {
    text: &'r str,
    atoms: &'r [Atom],
    names: &'r [Named],
}

impl Surroundings<'_> {
    /// "Ghanaian Finance Minister NAME", "the trade minister of Peru, NAME".
    fn before(&self, first: usize, index: usize) -> Option<u32> {
        let behind = if self.is_comma(first.checked_sub(1)?) { first - 1 } else { first };
        let state = self.names[..index]
            .iter()
            .rev()
            .take(3)
            .find(|name| name.kind == EntityKind::Country && name.end as usize <= behind)?;
        let from = state.first as usize;
        if !self.same_sentence(from, first) {
            return None;
        }
        let end = self.after_possessive(state.end as usize);
        // Where a comma stands before the name, the office stands before the state.
        let is_office = behind == first && self.is_office(end, first);
        let of_state = || {
            let of = self.skip_the(from)?.checked_sub(1)?;
            let governs = [fold("of"), fold("for")].contains(&self.atoms[of].hash);
            let start = (of.saturating_sub(MAX_WORDS)..of)
                .rev()
                .take_while(|&at| self.belongs_to_office(at))
                .last()?;
            (governs && end == behind && self.is_office(start, of)).then_some(())
        };
        (self.is_plain(from) && (is_office || of_state().is_some())).then_some(state.entity)
    }

    /// "NAME, Norway's ambassador", "NAME, spokesman for the Slovenian government".
    fn behind(&self, end: usize, index: usize) -> Option<u32> {
        if !self.is_comma(end) {
            return None;
        }
        let start = end + 1 + usize::from(self.is_word(end + 1, &["the", "a"]));
        let state = self.names[index + 1..]
            .iter()
            .take(3)
            .find(|name| name.kind == EntityKind::Country && name.first as usize >= start)?;
        let (from, until) = (state.first as usize, state.end as usize);
        if !self.same_sentence(end, until) {
            return None;
        }
        let is_office = if from == start {
            let office = self.after_possessive(until);
            let words = (office..self.atoms.len().min(office + MAX_WORDS))
                .take_while(|&at| self.belongs_to_office(at) && !self.is_word(at, &["of", "for"]))
                .last()?;
            self.is_office(office, words + 1)
        } else {
            let of = self.skip_the(from)?.checked_sub(1).filter(|&of| start < of)?;
            // "Of a Slovenian club": an adjective needs the state's own noun.
            let is_adjective = state.flags & mention::DEMONYM != 0;
            let own = self.atoms.get(until).is_some_and(|next| next.cues(cues::ACTOR_NOUN));
            self.is_word(of, &["of", "for"]) && self.is_office(start, of) && (!is_adjective || own)
        };
        is_office.then_some(state.entity)
    }

    /// Whether words are an office of a state, and one that is held.
    fn is_office(&self, from: usize, to: usize) -> bool {
        let words = &self.atoms[from..to.max(from)];
        (1..=MAX_WORDS).contains(&words.len())
            && (from..to).all(|at| self.belongs_to_office(at))
            && words.iter().any(|word| word.cues(cues::STATE_OFFICE))
    }

    /// Whether a word may stand in the name of an office.
    fn belongs_to_office(&self, at: usize) -> bool {
        let word = &self.atoms[at];
        let fits = word.cues(cues::STATE_OFFICE | cues::TITLE | cues::DEPARTMENT)
            || word.is(atom::CAPITAL) && !word.is(atom::FIRST);
        fits && word.is(atom::WORD) && !word.cues(cues::NO_OFFICE)
    }

    /// Whether nothing right before says that the office is not held: "former Latvian minister".
    fn is_plain(&self, first: usize) -> bool {
        self.atoms[first.saturating_sub(2)..first]
            .iter()
            .rev()
            .take_while(|word| word.is(atom::WORD))
            .all(|word| !word.cues(cues::NO_OFFICE))
    }

    fn same_sentence(&self, from: usize, to: usize) -> bool {
        self.atoms[from + 1..to.max(from + 1)].iter().all(|atom| !atom.is(atom::FIRST))
    }

    fn after_possessive(&self, end: usize) -> usize {
        end + usize::from(self.atoms.get(end).is_some_and(|next| next.is(atom::APOSTROPHE)))
    }

    /// `at`, or the article right before.
    fn skip_the(&self, at: usize) -> Option<usize> {
        let before = at.checked_sub(1)?;
        Some(if self.is_word(before, &["the"]) { before } else { at })
    }

    fn is_comma(&self, at: usize) -> bool {
        self.atoms.get(at).is_some_and(|atom| self.text.get(atom.span.range()) == Some(","))
    }

    fn is_word(&self, at: usize, words: &[&str]) -> bool {
        self.atoms.get(at).is_some_and(|atom| words.iter().any(|word| atom.hash == fold(word)))
    }
}
