//! Parties, groups and firms that the noun beside their names gives away: "the rights group Voices
//! of Ouham", "the Free Shore party".
//!
//! The taggers know names that look like those that they learnt, and what founders think of looks
//! like nothing else.

use crate::atom::{self, Atom};
use crate::cues;
use crate::fold::folded;
use crate::names::MIN_CONFIDENCE;
use crate::sight::Sight;
use crate::tagger::{Class, Tagged};

/// The most atoms that such a name has.
const MOST: usize = 6;

/// How often what stands beside such a noun is a name that neither table nor tagger has.
const CONFIDENCE: f32 = 0.6;

/// Adds to what the tagger found the names beside such nouns of which neither it nor the tables know
/// a word.
#[must_use]
pub fn with_bodies(tagged: Vec<Tagged>, sight: &Sight) -> Vec<Tagged> {
    let atoms = &sight.atoms;
    let mut tagged: Vec<Tagged> =
        tagged.into_iter().filter(|tag| tag.confidence >= MIN_CONFIDENCE).collect();
    let mut found: Vec<Tagged> = Vec::new();
    for (index, noun) in atoms.iter().enumerate() {
        let is_body = noun.cues(cues::BODY_NOUN) && !noun.is(atom::CAPITAL | atom::PASSED_OVER);
        let Some((first, end)) = is_body.then(|| beside(atoms, index)).flatten() else { continue };
        let (from, until) = (atoms[first].token, atoms[end - 1].token + 1);
        let next = tagged.partition_point(|tag| tag.end <= from);
        let is_tagged = tagged.get(next).is_some_and(|tag| tag.first < until);
        let is_found = found.last().is_some_and(|last| from < last.end);
        let matches = &sight.matches;
        let known = matches.partition_point(|known| known.end as usize <= first);
        let is_known = matches.get(known).is_some_and(|known| (known.first as usize) < end);
        if !is_tagged && !is_found && !is_known {
            let class = Class::Organisation;
            found.push(Tagged { first: from, end: until, class, confidence: CONFIDENCE });
        }
    }
    if !found.is_empty() {
        tagged.append(&mut found);
        tagged.sort_by_key(|tag| tag.first);
    }
    tagged
}

/// The name behind the noun at `noun`, or before it.
fn beside(atoms: &[Atom], noun: usize) -> Option<(usize, usize)> {
    let behind = run(atoms, (noun + 1..atoms.len()).take(MOST));
    if behind > 0 {
        return Some((noun + 1, noun + 1 + behind));
    }
    let before = run(atoms, (0..noun).rev().take(MOST));
    // "A Christian group" has no name.
    (before > 1).then_some((noun - before, noun))
}

/// How many of these atoms, from the first on, are a name: capitals, and small words between two of
/// them.
fn run(atoms: &[Atom], places: impl Iterator<Item = usize>) -> usize {
    const LINKS: [u64; 4] = folded(["of", "for", "and", "the"]);
    const DAYS: [u64; 7] =
        folded(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]);
    let mut length = 0;
    for (number, at) in places.enumerate() {
        let atom = &atoms[at];
        let is_link = number > 0 && LINKS.contains(&atom.hash) && !atom.is(atom::CAPITAL);
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
