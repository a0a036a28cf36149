//! Parties, groups and firms that a noun gives away, beside their names or at their ends: "the rights
//! group Voices of Ouham", "the Free Shore party", "the Norwegian Nobel Committee".
//!
//! The taggers know names that look like those that they learnt, and what founders think of looks
//! like nothing else.

use crate::atom::{self, Atom};
use crate::cues;
use crate::events::title_case;
use crate::fold::folded;
use crate::names::MIN_CONFIDENCE;
use crate::sight::Sight;
use crate::tagger::{Class, Tagged};

/// The most atoms that such a name has.
const MOST: usize = 6;

/// How often what such a noun gives away is a name that neither table nor tagger has.
const CONFIDENCE: f32 = 0.6;

/// Adds to what the tagger found the names beside such nouns of which the tables know no word, and
/// those that end in one, in place of pieces of them.
#[must_use]
pub fn with_bodies(tagged: Vec<Tagged>, sight: &Sight) -> Vec<Tagged> {
    let atoms = &sight.atoms;
    let tagged: Vec<Tagged> =
        tagged.into_iter().filter(|tag| tag.confidence >= MIN_CONFIDENCE).collect();
    let mut found: Vec<Tagged> = Vec::new();
    for (index, noun) in atoms.iter().enumerate() {
        if noun.is(atom::PASSED_OVER) {
            continue;
        }
        let body = if noun.is(atom::CAPITAL) {
            ending_in(sight, &tagged, index)
        } else if noun.cues(cues::BODY_NOUN) {
            beside(sight, &tagged, index)
        } else {
            None
        };
        let last = found.last().map_or(0, |last| last.end);
        found.extend(body.filter(|body| last <= body.first));
    }
    if found.is_empty() {
        return tagged;
    }
    let apart = |tag: &Tagged| {
        let next = found.partition_point(|body| body.end <= tag.first);
        found.get(next).is_none_or(|body| tag.end <= body.first)
    };
    let mut all: Vec<Tagged> = tagged.into_iter().filter(apart).collect();
    all.append(&mut found);
    all.sort_by_key(|tag| tag.first);
    all
}

fn body(atoms: &[Atom], first: usize, end: usize) -> Tagged {
    let (first, end) = (atoms[first].token, atoms[end - 1].token + 1);
    Tagged { first, end, class: Class::Organisation, confidence: CONFIDENCE }
}

/// Whether all that the tagger found in a name are places and the like inside it. Where it finds a
/// body, too, it knows better where that begins.
fn has_pieces_alone(tagged: &[Tagged], name: &Tagged) -> bool {
    let from = tagged.partition_point(|tag| tag.end <= name.first);
    let mut within = tagged[from..].iter().take_while(|tag| tag.first < name.end);
    within.all(|tag| {
        matches!(tag.class, Class::Location | Class::Other)
            && name.first <= tag.first
            && tag.end <= name.end
    })
}

/// The name behind the noun at `noun`, or before it.
fn beside(sight: &Sight, tagged: &[Tagged], noun: usize) -> Option<Tagged> {
    let atoms = &sight.atoms;
    let behind = run(atoms, (noun + 1..atoms.len()).take(MOST));
    let before = if behind == 0 { run(atoms, (0..noun).rev().take(MOST)) } else { 0 };
    let (first, end) = match (behind, before) {
        (1.., _) => (noun + 1, noun + 1 + behind),
        // "A Christian group" has no name.
        (0, 2..) => (noun - before, noun),
        _ => return None,
    };
    let name = body(atoms, first, end);
    (!is_known(sight, first, end) && has_pieces_alone(tagged, &name)).then_some(name)
}

/// The name that ends in the noun at `noun`: "Nobel Committee", and not "Russian Army" or what the
/// tables know.
fn ending_in(sight: &Sight, tagged: &[Tagged], noun: usize) -> Option<Tagged> {
    let atoms = &sight.atoms;
    let goes_on = |next: &Atom| next.is(atom::CAPITAL) && !next.is(atom::FIRST);
    let is_end = !atoms.get(noun + 1).is_some_and(goes_on);
    if !atoms[noun].cues(cues::BODY_HEAD) || !is_end || title_case(atoms, noun) {
        return None;
    }
    let before = run(atoms, (0..noun).rev().take(MOST).take_while(|&at| !is_link(&atoms[at])));
    let first = noun - before;
    let is_named = before > 1 || before == 1 && !is_known(sight, first, noun);
    if !is_named || is_known(sight, noun, noun + 1) {
        return None;
    }
    let name = body(atoms, first, noun + 1);
    has_pieces_alone(tagged, &name).then_some(name)
}

/// Whether a name of the tables reaches into these atoms.
fn is_known(sight: &Sight, first: usize, end: usize) -> bool {
    let matches = &sight.matches;
    let next = matches.partition_point(|known| known.end as usize <= first);
    matches.get(next).is_some_and(|known| (known.first as usize) < end)
}

/// Whether a word may stand between two parts of a name.
fn is_link(atom: &Atom) -> bool {
    const LINKS: [u64; 3] = folded(["of", "for", "the"]);
    LINKS.contains(&atom.hash) && !atom.is(atom::CAPITAL)
}

/// How many of these atoms, from the first on, are a name: capitals, and small words between two of
/// them.
fn run(atoms: &[Atom], places: impl Iterator<Item = usize>) -> usize {
    const DAYS: [u64; 7] =
        folded(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]);
    let mut length = 0;
    for (number, at) in places.enumerate() {
        let atom = &atoms[at];
        let is_link = number > 0 && is_link(atom);
        let is_part = atom.is(atom::CAPITAL)
            && !atom.is(atom::FIRST | atom::SHOUTED)
            && !atom.cues(cues::TITLE)
            && !DAYS.contains(&atom.hash);
        if is_part {
            length = number + 1;
        } else if !is_link {
            break;
        }
    }
    length
}
