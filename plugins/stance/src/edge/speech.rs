//! Whose words are which, and what is said to or of somebody.

use super::Finder;
use super::verdict::evaluation;
use crate::clause::{Doer, Group, Mood};
use crate::lexicon::{Cue, Kind, class};
use crate::reading::{Part, Reading, Word};

/// Marks whose words each word is in: behind "X said", before ", X said", inside quotes.
pub(super) fn speakers(
    reading: &Reading<'_, '_>,
    groups: &[Group],
    outside: Option<Doer>,
) -> Vec<Option<Doer>> {
    let words = &reading.words;
    let mut speaker: Vec<Option<Doer>> =
        words.iter().map(|word| if word.quoted { outside } else { None }).collect();
    for group in groups {
        let Some(&doer) = group.subjects.first() else { continue };
        if is_so_called(words, group) {
            let until = group.until.max(group.end);
            let is_mark = |at: &usize| matches!(words[*at].part, Part::Comma | Part::Stop);
            let called = (group.end..until).find(is_mark).unwrap_or(until);
            speaker[group.end..called].fill(Some(doer));
            continue;
        }
        if !group.reports() || group.passive || group.negated || !group.finite {
            continue;
        }
        let next = words.get(group.end);
        let opens = next.is_none_or(|word| {
            matches!(
                word.part,
                Part::Subordinator | Part::Comma | Part::Stop | Part::Quote | Part::Pronoun
            ) || matches!(&*word.lower, "that" | "the" | "it")
                || word.name().is_some()
        });
        // "Told his colleague that ...": whoever is told stands before what is said, and in "said
        // in an interview that ..." it is where.
        let behind = (group.end..words.len()).take(9);
        let told = match &*words[group.head].lower {
            "tell" | "tells" | "told" | "telling" => {
                behind.clone().find(|&at| words[at].lower == "that")
            }
            _ => behind
                .take_while(|&at| !words[at].is_verb() && words[at].part != Part::Stop)
                .find(|&at| words[at].part == Part::Subordinator && words[at].lower == "that")
                .filter(|_| next.is_some_and(|next| next.part == Part::Preposition)),
        };
        if let Some(that) = told {
            for place in speaker.iter_mut().skip(that) {
                *place = Some(doer);
            }
        }
        let quote_behind = words[group.end..].iter().any(|word| word.quoted);
        if opens || quote_behind {
            for place in speaker.iter_mut().skip(group.end) {
                *place = Some(doer);
            }
        }
        // "..., X said": what stands before is X's, back to the beginning.
        let subject_at = group.subjects.iter().filter_map(|doer| match doer {
            Doer::Party(party) => Some(reading.word_of[*party as usize] as usize),
            Doer::First => None,
        });
        let front = subject_at.min().unwrap_or(group.start).min(group.start);
        let front = words[..front].iter().rposition(|word| {
            !matches!(word.part, Part::Determiner | Part::Noun | Part::Adjective | Part::Possessive)
        });
        if let Some(mark) = front
            && matches!(words[mark].part, Part::Comma | Part::Quote)
            && mark > 1
        {
            for (place, word) in speaker.iter_mut().zip(words).take(mark) {
                if place.is_none() && (word.quoted || words[mark].part == Part::Comma) {
                    *place = Some(doer);
                }
            }
        }
    }
    if let Some(party) = in_whose_eyes(reading, groups) {
        for place in &mut speaker {
            place.get_or_insert(Doer::Party(party));
        }
    }
    // "According to X".
    for index in 0..words.len().saturating_sub(2) {
        if words[index].lower == "according"
            && words[index + 1].lower == "to"
            && let Some(party) = words[index + 2..].iter().take(4).find_map(Word::name)
        {
            for place in &mut speaker {
                place.get_or_insert(Doer::Party(party));
            }
        }
    }
    speaker
}

/// "What it called X's unlawful drilling", "what Peru describes as an insult": the words behind are
/// its own.
fn is_so_called(words: &[Word<'_, '_>], group: &Group) -> bool {
    const STEMS: [&str; 7] = ["call", "describ", "term", "dub", "label", "brand", "regard"];
    let calls = STEMS.iter().any(|stem| words[group.head].lower.starts_with(stem));
    let subject = |word: &Word<'_, '_>| {
        let parts = [Part::Determiner, Part::Noun, Part::Adjective, Part::Pronoun];
        word.lower != "what" && (word.name().is_some() || parts.contains(&word.part))
    };
    let what = words[..group.start].iter().rev().find(|word| !subject(word));
    calls && group.finite && !group.negated && what.is_some_and(|word| word.lower == "what")
}

/// "For Peru, X is ...", "in Peru, X is seen as ...": a sentence that begins with whose view it
/// tells.
fn in_whose_eyes(reading: &Reading<'_, '_>, groups: &[Group]) -> Option<u16> {
    let [first, place, comma, ..] = &*reading.words else { return None };
    let party = place.name().filter(|_| comma.part == Part::Comma)?;
    let main = groups.iter().find(|group| group.finite)?;
    let tells = match &*first.lower {
        "for" => main.copula || main.cue.is_some_and(|cue| cue.kind == Kind::Judge),
        "in" => main.passive && main.cue.is_some_and(|cue| cue.kind == Kind::Judge),
        _ => false,
    };
    tells.then_some(party)
}

impl Finder<'_, '_, '_> {
    /// "Told Moscow that it was unforgivable", "said of Russia": who is spoken to or of, and the
    /// judgement in what is said.
    pub(super) fn of_address(&mut self, group: &Group, cue: Cue) {
        let words = &self.reading.words;
        let near = (group.end + 4).min(words.len());
        let Some(at) = (group.end..near).find(|&at| words[at].name().is_some()) else { return };
        let direct = at == group.end
            || words[group.end..at].iter().all(|word| {
                matches!(
                    word.part,
                    Part::Determiner | Part::Preposition | Part::Adverb | Part::Adjective
                ) && word.lower != "by"
                    && word.lower != "in"
                    || word.is(class::AGENT)
            });
        let Some(party) = words[at].name().filter(|_| direct) else { return };
        // "Told X that Y was a menace" says it of Y.
        let of_other = (at + 1..words.len()).find(|&index| {
            let actor = |party: u16| self.reading.parties[party as usize].actor;
            let is_new = |other: u16| {
                actor(other) != actor(party)
                    && !group
                        .subjects
                        .iter()
                        .any(|doer| matches!(doer, Doer::Party(own) if actor(*own) == actor(other)))
            };
            words[index].name().is_some_and(is_new)
                && words[at + 1..index].iter().any(|word| word.lower == "that")
        });
        let said =
            (0..of_other.unwrap_or(words.len())).filter(|&index| index > at || words[index].quoted);
        let found = said
            .clone()
            .take(60)
            .find_map(|index| {
                evaluation(self.reading, index).map(|(score, end, _)| (score, index, end))
            })
            // "Says X helps Y" says nothing of what X is.
            .or_else(|| self.said_verb(said.filter(|&index| !self.has_other_object(index, party))));
        if let Some((score, first, end)) = found {
            // "Told the envoy to leave" is done, not said.
            let ordered = score < 0.0
                && words[first.saturating_sub(1)..=first].iter().any(|word| word.part == Part::To);
            let score = match (group.negated, ordered) {
                (true, _) => 0.0,
                (false, true) => 2.0 * score,
                (false, false) => score,
            };
            self.give(group, party, score, (Cue { score, ..cue }, first, end), "said to or of");
        }
    }

    /// Whether the verb at `index` has somebody else than a party as its object.
    fn has_other_object(&self, index: usize, party: u16) -> bool {
        let actor = |party: u16| self.reading.parties[usize::from(party)].actor;
        self.groups.iter().find(|group| group.head == index).is_some_and(|group| {
            let objects = group.end..group.until.max(group.end);
            let mut named = self.reading.words[objects].iter().filter_map(Word::name);
            named.any(|other| actor(other) != actor(party))
        })
    }

    /// The first verb that takes a side among the words that are said.
    pub(super) fn said_verb(
        &self,
        mut said: impl Iterator<Item = usize>,
    ) -> Option<(f32, usize, usize)> {
        said.find_map(|index| {
            let spoken = self.groups.iter().find(|group| group.head == index)?;
            let cue = spoken.cue.filter(|cue| cue.score != 0.0 && cue.kind != Kind::Report)?;
            let score = Self::turned(cue.score, self.chain(spoken));
            let real = spoken.mood != Mood::Unreal && score != 0.0;
            real.then_some((score.clamp(-1.0, 1.0), spoken.head, spoken.end))
        })
    }
}
