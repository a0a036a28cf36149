//! How a name of a state is meant where it stands: as the state, as a place, or as a culture.

use crate::atom::{self, Atom};
use crate::cues;
use crate::fold::fold;

/// What a name of a state means at one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// The state, with this confidence.
    State(f32),
    /// A place that does not act.
    Place(f32),
    /// A nation's people, language, works: nobody's stance.
    Culture,
    /// Part of the title of the person named next: "Kazakh" in "Kazakh President Tokayev".
    Title,
}

/// Whether a capital's name means the state or the city.
///
/// - `atoms`: of the whole text; - `first`, `end`: the name's atoms.
///
/// A possessive, a verb of speaking or acting after it and an attitude ("Moscow-backed") make it
/// the state; a preposition of place, travel, a dateline and what cities have make it the city.
#[must_use]
pub fn capital(atoms: &[Atom], text: &str, first: usize, end: usize) -> Reading {
    let before = before(atoms, first, 1);
    let after = same_sentence_after(atoms, end);
    if is_seat(atoms, first, end) {
        return Reading::State(0.85);
    }
    if let Some(after) = after {
        if after.is(atom::HYPHENATED) {
            let based = after.hash == fold("based") || after.hash == fold("born");
            return if based { Reading::Place(0.95) } else { Reading::State(0.9) };
        }
        if after.cues(cues::PLACE_NOUN) {
            return Reading::Place(0.95);
        }
        let possessive = after.is(atom::APOSTROPHE);
        if possessive {
            let noun = same_sentence_after(atoms, end + 1);
            if noun.is_some_and(|noun| noun.cues(cues::PLACE_NOUN)) {
                return Reading::Place(0.9);
            }
        }
        if is_dateline(atoms, text, first, end) {
            return Reading::Place(0.95);
        }
        if before.is_some_and(|word| word.cues(cues::PLACE_PREPOSITION)) {
            return Reading::Place(0.95);
        }
        if possessive {
            return Reading::State(0.9);
        }
    } else if before.is_some_and(|word| word.cues(cues::PLACE_PREPOSITION)) {
        return Reading::Place(0.95);
    }
    // "The mayor of Paris", "the streets of Kyiv".
    let is_of = before.is_some_and(|word| word.hash == fold("of"));
    if is_of && self::before(atoms, first, 2).is_some_and(|word| word.cues(cues::PLACE_NOUN)) {
        return Reading::Place(0.9);
    }
    if let Some(before) = before {
        if before.cues(cues::PLACE_VERB) {
            return Reading::Place(0.85);
        }
        let moves = |back| self::before(atoms, first, back).is_some_and(|w| w.cues(cues::MOTION));
        if before.cues(cues::DIRECTION) && (2..=6).any(moves) {
            return Reading::Place(0.85);
        }
    }
    // "Moscow Mayor", "Paris Saint-Germain": a capital before a name is an address.
    let name_follows = after.is_some_and(|after| {
        after.is(atom::CAPITAL) && !after.is(atom::SHOUTED) && !after.cues(cues::VERB)
    });
    if name_follows {
        return Reading::Place(0.7);
    }
    let acts = after.is_some_and(|after| after.cues(cues::VERB | cues::SPEECH));
    Reading::State(if acts { 0.95 } else { 0.75 })
}

/// "The ministry in Tashkent", "the rulers here in Tehran", "the foreign office in Berlin", "those
/// in Vienna who gave the order".
fn is_seat(atoms: &[Atom], first: usize, end: usize) -> bool {
    let is = |back: usize, word: &str| {
        before(atoms, first, back).is_some_and(|atom| atom.hash == fold(word))
    };
    let follows = |offset: usize, words: &[&str]| {
        let found = same_sentence_after(atoms, end + offset);
        found.is_some_and(|atom| words.iter().any(|word| atom.hash == fold(word)))
    };
    let back = if is(2, "here") { 3 } else { 2 };
    let of_state = before(atoms, first, back).is_some_and(|word| word.cues(cues::SEATED));
    let decide = || {
        let verbs = ["decide", "decided", "ordered", "planned", "rule", "ruled", "govern", "sent"];
        let gave = follows(1, &["gave"]) && follows(3, &["order", "orders"]);
        is(2, "those") && follows(0, &["who"]) && (gave || follows(1, &verbs))
    };
    is(1, "in") && (of_state || is(back, "office") && is(back + 1, "foreign") || decide())
}

/// "MOSCOW (Reuters) -", "KYIV, March 5 -": at the start of a sentence, and followed by a dash
/// within a few words.
fn is_dateline(atoms: &[Atom], text: &str, first: usize, end: usize) -> bool {
    if !atoms[first].is(atom::FIRST) {
        return false;
    }
    let start = atoms[end - 1].span.end as usize;
    let stop = atoms.get(end + 7).map_or(text.len(), |atom| atom.span.start as usize);
    let ahead = text.get(start..stop).unwrap_or_default();
    let mark = ahead.trim_start();
    // The tokeniser makes a sentence of it.
    let next = atoms[end..].iter().take(16).find(|atom| atom.is(atom::FIRST));
    let own = next.and_then(|next| text.get(start..next.span.start as usize));
    if own.is_some_and(|own| own.trim_end().ends_with(" -")) {
        return true;
    }
    (mark.starts_with(['(', ',']) || mark.starts_with(['\u{2014}', '\u{2013}', '-']))
        && (ahead.contains(" - ")
            || ahead.contains(['\u{2014}', '\u{2013}'])
            || ahead.contains("--"))
}

/// Whether an adjective such as "Russian" means the state.
///
/// - `person_follows`: whether a person's name begins within the next words.
#[must_use]
pub fn adjective(atoms: &[Atom], first: usize, end: usize, person_follows: bool) -> Reading {
    let before = before(atoms, first, 1);
    let after = same_sentence_after(atoms, end);
    if before.is_some_and(|word| word.cues(cues::ATTITUDE_PREFIX)) {
        return Reading::State(0.95);
    }
    if before.is_some_and(|word| word.cues(cues::NOT_STATE_PREFIX)) {
        return Reading::Culture;
    }
    let Some(after) = after else { return Reading::Culture };
    if after.is(atom::HYPHENATED) && after.cues(cues::ATTITUDE_SUFFIX) {
        return Reading::State(0.95);
    }
    // Up to three words on: "Russian military propaganda", "Russian foreign policy".
    for offset in 0..3 {
        let Some(word) = same_sentence_after(atoms, end + offset) else { break };
        if !word.is(atom::WORD) {
            break;
        }
        if word.cues(cues::CULTURE_NOUN) {
            return Reading::Culture;
        }
        if word.cues(cues::TITLE) && person_follows {
            return Reading::Title;
        }
        if word.cues(cues::ACTOR_NOUN) {
            return Reading::State(0.9);
        }
    }
    if person_follows && after.is(atom::CAPITAL) {
        return Reading::Culture;
    }
    // "In Russian", "a Russian," name a language or a person.
    if after.is(atom::WORD) { Reading::State(0.6) } else { Reading::Culture }
}

/// Whether a name of citizens means those who act for their state: "the Russians", but not "some of
/// the Russians", "the Russians who fled", "the young Russians".
#[must_use]
pub fn people_act(atoms: &[Atom], first: usize, end: usize) -> bool {
    let is = |atom: Option<&Atom>, words: &[&str]| {
        atom.is_some_and(|atom| words.iter().any(|word| atom.hash == fold(word)))
    };
    let narrows = ["who", "whose", "living", "born", "in", "from", "abroad", "themselves", "of"];
    is(before(atoms, first, 1), &["the"])
        && !is(before(atoms, first, 2), &["of", "among"])
        && !is(same_sentence_after(atoms, end), &narrows)
}

/// "Mr", "Dr": a title that everybody has.
#[must_use]
pub fn is_courtesy(word: &Atom) -> bool {
    ["mr", "mrs", "ms", "dr", "sir", "lady"].iter().any(|title| word.hash == fold(title))
}

/// The atom `back` places before, in the same sentence.
#[must_use]
pub fn before(atoms: &[Atom], first: usize, back: usize) -> Option<&Atom> {
    let at = first.checked_sub(back)?;
    let same = atoms[at + 1..=first].iter().all(|atom| !atom.is(atom::FIRST));
    same.then(|| &atoms[at])
}

/// The atom at `index` unless a sentence begins there or before.
fn same_sentence_after(atoms: &[Atom], index: usize) -> Option<&Atom> {
    atoms.get(index).filter(|atom| !atom.is(atom::FIRST))
}
