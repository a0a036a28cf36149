//! Events by the shape of their names: "2008 Austrian legislative election", "Bosnian War".
//!
//! The tagger looks at words with capitals, so it ends before "legislative election" and the
//! state inside would stand in the event's place.

use standpoint_document::EntityKind;

use crate::atom::{self, Atom};
use crate::cues;
use crate::gazetteer::{Form, Gazetteer, Match};
use crate::sight::Sight;
use crate::tagger::{Class, Tagged};

/// The most atoms between a year and the noun that ends the name.
const MOST_BETWEEN: usize = 7;

/// How often what has the shape of an event is one.
const CONFIDENCE: f32 = 0.85;

/// Adds to what the tagger found the events that their shape gives away, in place of the pieces
/// of them.
#[must_use]
pub fn with_events(
    tagged: Vec<Tagged>,
    text: &str,
    sight: &Sight,
    gazetteer: &Gazetteer,
) -> Vec<Tagged> {
    let events = events(text, sight, gazetteer);
    if events.is_empty() {
        return tagged;
    }
    let apart = |tag: &Tagged| {
        let after = events.partition_point(|event| event.end <= tag.first);
        events.get(after).is_none_or(|event| tag.end <= event.first)
    };
    let mut all: Vec<Tagged> = tagged.into_iter().filter(apart).chain(events.clone()).collect();
    all.sort_by_key(|tag| tag.first);
    all
}

fn events(text: &str, sight: &Sight, gazetteer: &Gazetteer) -> Vec<Tagged> {
    let atoms = &sight.atoms;
    let mut found: Vec<Tagged> = Vec::new();
    for (index, noun) in atoms.iter().enumerate() {
        if !noun.cues(cues::EVENT_NOUN) || noun.is(atom::SHOUTED | atom::PASSED_OVER) {
            continue;
        }
        let first = dated(text, atoms, index).or_else(|| of_state(sight, gazetteer, index));
        let Some(first) = first else { continue };
        let event = Tagged {
            first: atoms[first].token,
            end: noun.token + 1,
            class: Class::Other,
            confidence: CONFIDENCE,
        };
        match found.last() {
            Some(last) if event.first < last.end => {}
            _ => found.push(event),
        }
    }
    found
}

/// Where a name begins that a year opens: "2008 Austrian legislative election".
fn dated(text: &str, atoms: &[Atom], noun: usize) -> Option<usize> {
    let mut capitals = false;
    for index in (noun.saturating_sub(MOST_BETWEEN)..noun).rev() {
        let atom = &atoms[index];
        let word = text.get(atom.span.range())?;
        if is_year(word) {
            return capitals.then_some(index);
        }
        let capital = atom.is(atom::CAPITAL);
        if !capital && !atom.cues(cues::EVENT_MODIFIER) || atoms[index + 1].is(atom::FIRST) {
            return None;
        }
        capitals |= capital;
    }
    None
}

fn is_year(word: &str) -> bool {
    word.len() == 4
        && matches!(word.as_bytes()[0], b'1' | b'2')
        && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where a name begins that is a state or place and a noun with a capital: "Bosnian War".
fn of_state(sight: &Sight, gazetteer: &Gazetteer, noun: usize) -> Option<usize> {
    let atom = &sight.atoms[noun];
    let goes_on = |next: &Atom| next.is(atom::CAPITAL) && !next.is(atom::FIRST);
    if sight.atoms.get(noun + 1).is_some_and(goes_on) {
        return None;
    }
    if !atom.is(atom::CAPITAL) || atom.cues(cues::STATE_ORGANISATION) || atom.is(atom::FIRST) {
        return None;
    }
    let before = sight.matches.partition_point(|known| (known.end as usize) < noun);
    let known = sight.matches.get(before).filter(|known| known.end as usize == noun)?;
    (is_place(gazetteer, *known) && !title_case(&sight.atoms, noun)).then_some(known.first as usize)
}

fn is_place(gazetteer: &Gazetteer, known: Match) -> bool {
    let sense = gazetteer.best_sense(known);
    let kind = gazetteer.record(sense.record).kind;
    sense.form != Form::Nothing && matches!(kind, EntityKind::Country | EntityKind::Place)
}

/// Whether the words around are written as in a headline, where a capital says nothing.
pub(crate) fn title_case(atoms: &[Atom], at: usize) -> bool {
    let from = (0..=at).rev().find(|&index| atoms[index].is(atom::FIRST)).unwrap_or_default();
    let end = (at + 1..atoms.len()).find(|&index| atoms[index].is(atom::FIRST));
    let sentence = &atoms[from..end.unwrap_or(atoms.len())];
    let words = sentence.iter().filter(|atom| atom.is(atom::WORD)).count();
    let capitals = sentence.iter().filter(|atom| atom.is(atom::CAPITAL)).count();
    words * 2 < capitals * 3
}
