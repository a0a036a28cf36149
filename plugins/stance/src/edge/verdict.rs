//! Who is called what: "X is a menace", "Warsaw calls it a predator", "brutal war".

use super::{Chain, Finder, REFRAINS, of_measure};
use crate::clause::{Doer, Group, noun_cue, owned_run};
use crate::lexicon::{Carry, Cue, Kind};
use crate::reading::{Part, Reading};

impl Finder<'_, '_, '_> {
    /// The voice's judgement of a party: "brutal war", "X is a menace", "X bullies Y".
    pub(super) fn of_evaluation(&mut self, index: usize, party: u16) {
        let reading = self.reading;
        let words = &reading.words;
        let run_end = owned_run(reading, index).map_or(index + 1, |run| run.end);
        let mut start = index;
        while start > 0
            && index - start < 4
            && matches!(
                words[start - 1].part,
                Part::Adjective | Part::Noun | Part::Adverb | Part::Verb(_)
            )
            && words[start - 1].name().is_none()
        {
            start -= 1;
        }
        let voice = self.speaker.get(index).copied().flatten().unwrap_or(Doer::First);
        // "Russia's closest friend" is said of the friend.
        let relation = owned_run(reading, index)
            .and_then(|run| run.cue(reading))
            .is_some_and(|(cue, ..)| cue.kind == Kind::Relation);
        let run_end = if relation { index + 1 } else { run_end };
        for at in (start..index).chain(index + 1..run_end) {
            if let Some((score, end, lemma)) = evaluation(reading, at) {
                let cue = Cue { score, carry: Carry::Cut, kind: Kind::None, lemma };
                self.push_nominal(voice, party, score, cue, (at, end), "evaluation");
            }
        }
        for group in self.groups.iter().filter(|group| {
            group.subjects.contains(&Doer::Party(party)) || is_deed_of(reading, group, index)
        }) {
            let Some(cue) = group.cue else { continue };
            let accuses = matches!(cue.kind, Kind::Bad | Kind::War) && !group.passive;
            if accuses && !group.negated {
                let score = if cue.kind == Kind::Bad { -2.0 } else { -1.0 };
                self.push(voice, party, score, cue, (group.head, group.end), group, "accusation");
            }
            if group.copula || cue.score == 0.0 {
                for (at, word) in words.iter().enumerate().take(group.until).skip(group.end) {
                    if word.name().is_some() {
                        break;
                    }
                    if let Some((score, end, lemma)) = evaluation(reading, at) {
                        // One "not" is heard once, also where it stands in the phrase: "is not
                        // alone".
                        let is_heard = is_negated(reading, at) || words[at].part == Part::Negation;
                        let score = if group.negated && !is_heard { -score * 0.5 } else { score };
                        let cue = Cue { score, carry: Carry::Cut, kind: Kind::None, lemma };
                        self.push(voice, party, score, cue, (at, end), group, "predicate");
                    }
                }
            }
        }
    }

    /// "Warsaw calls it a predator", "treats X as a partner": the verdict behind the object.
    pub(super) fn of_verdict(&mut self, group: &Group, cue: Cue, chain: Chain) {
        if cue.kind != Kind::Judge || group.passive {
            return;
        }
        let words = &self.reading.words;
        let named = |at: usize| words[at].name().or_else(|| self.antecedent(group, at));
        let Some(at) = (group.end..group.until).find(|&at| named(at).is_some()) else {
            let found = (group.end..group.until)
                .find_map(|at| verdict(self.reading, at).map(|(score, end)| (score, at, end)));
            if let Some((score, first, end)) = found
                && score < 0.0
                && !chain.is_odd()
            {
                self.of_nameless(group, score, (Cue { score, ..cue }, first, end));
            }
            return;
        };
        let Some(party) = named(at) else { return };
        // The verdict may run on behind the next noun phrase, but not into another clause.
        let found = (at + 1..group.until)
            .find_map(|at| verdict(self.reading, at).map(|(score, end)| (score, at, end)));
        if let Some((score, first, end)) = found {
            let (score, rule) = match (chain.is_odd(), score < 0.0) {
                // "Stopped short of calling X an aggressor".
                (true, true) => (chain.lean(), REFRAINS),
                (true, false) => (-score * 0.5, "verdict"),
                (false, _) => (score, "verdict"),
            };
            // "Condemned the embargo on X and called it unjust".
            let is_of_measure =
                words[at].part == Part::Pronoun && self.ends_measure(group.start, party);
            let (score, rule) = if is_of_measure { of_measure(score) } else { (score, rule) };
            self.give(group, party, score, (Cue { score, ..cue }, first, end), rule);
        }
    }
}

/// "What Russia is doing there is butchery": the clause is the subject of its verdict.
pub(super) fn is_deed_of(reading: &Reading<'_, '_>, group: &Group, party_at: usize) -> bool {
    let words = &reading.words;
    group.copula
        && group.subjects.is_empty()
        && group.start > party_at
        && group.start - party_at < 12
        && party_at > 0
        && matches!(&*words[party_at - 1].lower, "what" | "whatever")
}

/// The verdict that begins at `index`: an evaluation or a noun that is one, such as "ally".
pub(super) fn verdict(reading: &Reading<'_, '_>, index: usize) -> Option<(f32, usize)> {
    evaluation(reading, index).map(|(score, end, _)| (score, end)).or_else(|| {
        let (cue, end) = noun_cue(reading, index)?;
        let judges = match cue.kind {
            Kind::Relation | Kind::Attitude | Kind::Act | Kind::War => true,
            _ => cue.score < 0.0,
        };
        (judges && cue.score.abs() > 1.5).then(|| (of_what(reading, cue.score, end), end))
    })
}

/// "A sponsor of terror": a friend of what is bad is called nothing good.
fn of_what(reading: &Reading<'_, '_>, score: f32, end: usize) -> f32 {
    let is_of = reading.words.get(end).is_some_and(|word| word.lower == "of");
    let is_bad = |at: usize| {
        noun_cue(reading, at).is_some_and(|(cue, _)| cue.score < 0.0)
            || evaluation(reading, at).is_some_and(|(score, ..)| score < 0.0)
    };
    let bad = is_of && (end + 1..reading.words.len()).take(2).any(is_bad);
    if bad { -score.abs() } else { score }
}

/// The evaluation that begins at `index`: score, word behind it, line of its list.
pub(crate) fn evaluation(reading: &Reading<'_, '_>, index: usize) -> Option<(f32, usize, u16)> {
    let word = &reading.words[index];
    let (phrase, end) = reading.longest(index, &word.entry?.evaluations)?;
    let score = if is_negated(reading, index) { -phrase.cue.score * 0.5 } else { phrase.cue.score };
    Some((score, end, phrase.cue.lemma))
}

/// Whether a negation stands right before a word, or before the one in front of it.
fn is_negated(reading: &Reading<'_, '_>, index: usize) -> bool {
    let before = &reading.words[index.saturating_sub(2)..index];
    before.iter().any(|word| word.part == Part::Negation)
}
