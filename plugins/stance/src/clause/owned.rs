//! What belongs to a name: "Russia's brutal war", "Kazakh officials".

use crate::lexicon::{Cue, Entry, Kind, class, form};
use crate::reading::{Part, Reading};

/// The words that belong to an owner: "Russia's brutal war", "Kazakh officials".
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnedRun {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) head: usize,
}

impl OwnedRun {
    /// Whether what is owned acts as its owner, or is an act of its owner.
    pub(crate) fn acts_for_owner(&self, reading: &Reading<'_, '_>) -> bool {
        let word = &reading.words[self.head];
        !self.dissents(reading) && word.is(class::AGENT)
            || self
                .cue(reading)
                .is_some_and(|(cue, ..)| matches!(cue.kind, Kind::War | Kind::Act | Kind::Thing))
            || word.lower.ends_with("tion") && self.cue(reading).is_none()
    }

    /// Whether it is those who stand against their own state, and do not act for it.
    pub(crate) fn dissents(&self, reading: &Reading<'_, '_>) -> bool {
        reading.words[self.head].is(class::DISSENT)
    }

    /// The cue noun of the run, where it begins and the word behind it.
    pub(crate) fn cue(&self, reading: &Reading<'_, '_>) -> Option<(Cue, usize, usize)> {
        (self.start..self.end)
            .find_map(|index| noun_cue(reading, index).map(|(cue, end)| (cue, index, end)))
    }
}

/// The noun cue that begins at `index`.
pub(crate) fn noun_cue(reading: &Reading<'_, '_>, index: usize) -> Option<(Cue, usize)> {
    let (cue, end) = listed_noun(reading, index)?;
    Some((cue, behind_barred(reading, cue, end)))
}

fn listed_noun(reading: &Reading<'_, '_>, index: usize) -> Option<(Cue, usize)> {
    let word = &reading.words[index];
    if !matches!(word.part, Part::Noun | Part::Adjective | Part::Other) {
        return None;
    }
    let entry = word.entry?;
    match reading.longest(index, &entry.nouns) {
        Some((phrase, end)) => Some((phrase.cue, end)),
        None => gerund_cue(reading, index, entry),
    }
}

/// Behind the arms or help that a measure bars: "an embargo on arms for X" arms nobody.
fn behind_barred(reading: &Reading<'_, '_>, measure: Cue, end: usize) -> usize {
    const NEAR: usize = 4;
    let words = &reading.words;
    let bars = measure.kind == Kind::Attitude && measure.score < 0.0;
    if !bars || words.get(end).is_none_or(|word| word.lower != "on") {
        return end;
    }
    let describes = |at: &usize| matches!(words[*at].part, Part::Determiner | Part::Adjective);
    let barred = (end + 1..words.len()).take(NEAR).find(|at| !describes(at));
    let barred = barred.and_then(|at| listed_noun(reading, at));
    barred.filter(|(cue, _)| cue.kind == Kind::Aid).map_or(end, |(_, behind)| behind)
}

/// "Its arming of X", "the shelling of X": a verb of the lists as the name of its deed.
fn gerund_cue(reading: &Reading<'_, '_>, index: usize, entry: &Entry) -> Option<(Cue, usize)> {
    let of_goal = reading.words.get(index + 1).is_some_and(|next| next.lower == "of");
    if entry.forms & form::ING == 0 || !of_goal {
        return None;
    }
    let cue = entry.verbs.bare().first()?.cue;
    let kind = match cue.kind {
        Kind::War => Kind::War,
        Kind::Bad => Kind::Act,
        Kind::None | Kind::Aid => Kind::Attitude,
        _ => return None,
    };
    (cue.score != 0.0).then_some((Cue { kind, ..cue }, index + 1))
}

/// What the name at `index` owns, if it is a possessive or stands as an adjective.
pub(crate) fn owned_run(reading: &Reading<'_, '_>, index: usize) -> Option<OwnedRun> {
    let words = &reading.words;
    let possessive = words.get(index + 1).is_some_and(|word| word.part == Part::Possessive);
    let start = index + 1 + usize::from(possessive);
    let mut end = start;
    let mut head = None;
    while let Some(word) = words.get(end)
        && end - start < 7
    {
        match word.part {
            Part::Noun => head = Some(end),
            Part::Adjective => {}
            Part::Adverb if possessive => {}
            Part::Coordinator | Part::Comma if possessive && head.is_none() => {}
            Part::Determiner if possessive && matches!(&*word.lower, "most" | "more") => {}
            _ if word.lower == "-" => {}
            _ => break,
        }
        end += 1;
    }
    let head = head?;
    // A bare name before a noun is an adjective only if the noun is not a sentence of its own.
    if !possessive && words[start].part == Part::Adverb {
        return None;
    }
    Some(OwnedRun { start, end: head + 1, head })
}
