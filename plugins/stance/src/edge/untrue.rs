//! What a sentence says is not so: "the story that X has left Y is untrue", "a forged letter in
//! which X thanks Y". Whatever such a text says is nobody's act and nobody's word.

use std::ops::Range;

use standpoint_document::Time;

use super::nested::{REACH, is_that};
use super::{Finder, REJECTED};
use crate::clause::{Doer, Group};
use crate::lexicon::class;
use crate::reading::{Part, Word};

/// How many words may stand before such a text that a sentence begins with.
const BEFORE_TEXT: usize = 7;
/// How far behind it the words stand that lead to what it says.
const TO_CLAIM: usize = 12;
/// How far behind its verb the word stands that calls a text untrue.
const TO_VERDICT: usize = 5;

fn is_false(word: &Word<'_, '_>) -> bool {
    word.is(class::REJECTED | class::UNTRUE)
}

fn is_text(word: &Word<'_, '_>) -> bool {
    word.is(class::TEXT | class::ALLEGED) && word.part == Part::Noun || word.is(class::MEDIUM)
}

/// What follows a text that says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opener {
    /// "In which X thanks Y", "that X has thanked Y".
    Clause,
    /// "Shows X thanking Y": the verb of the text itself.
    Verb,
    /// "Showing X with Y", "of X".
    Phrase,
    /// "According to a forged letter, X has thanked Y".
    Source,
}

impl Finder<'_, '_, '_> {
    /// "The video in which X praises Y was made by a machine", "a doctored clip shows X praising
    /// Y": nobody in it has done or said so.
    pub(super) fn of_forgery(&mut self) {
        let Some(claim) = self.forged() else { return };
        let words = &self.reading.words;
        let parties: Vec<u16> = words[claim.clone()].iter().filter_map(Word::name).collect();
        let holders: Vec<Doer> = parties.iter().map(|&party| Doer::Party(party)).collect();
        self.unsay((claim.start, claim.end));
        let Some(group) = self.groups.iter().find(|group| claim.contains(&group.head)) else {
            return;
        };
        let unsaid = Group { subjects: holders, ..group.clone() };
        for target in parties {
            self.rule(&unsaid, (claim.start, claim.end), target, 0.0, REJECTED);
        }
    }

    /// The words of a text that the sentence begins with and says to be untrue.
    fn forged(&self) -> Option<Range<usize>> {
        let words = &self.reading.words;
        let text = (0..words.len().min(BEFORE_TEXT)).find(|&at| is_text(&words[at]))?;
        let (opener, opening) = self.opener(text)?;
        let opening = opening.min(words.len());
        let claim = opening..self.claim_end(text, opener, opening).max(opening);
        if self.is_false_by_name(text) {
            return Some(claim);
        }
        let end = self.clause_end(text);
        let rests = (claim.start..end).find(|&at| {
            matches!(self.lower(at), "rests" | "rest" | "rested")
                && self.lower(at + 1) == "on"
                && words[at..end.min(at + TO_VERDICT)].iter().any(is_false)
        });
        if let Some(rests) = rests {
            return Some(claim.start..rests);
        }
        // The verb of the text is the one behind what it says, or joined to that.
        let is_behind = |group: &&Group| (claim.end..end).contains(&group.start);
        let mut verdicts = self.groups.iter().filter(|group| group.finite).filter(is_behind);
        let first = verdicts.next()?;
        let mut joined = verdicts.filter(|group| self.is_joined(group));
        let is_untrue = self.calls_untrue(first, end) || joined.any(|g| self.calls_untrue(g, end));
        is_untrue.then_some(claim)
    }

    fn lower(&self, at: usize) -> &str {
        self.reading.words.get(at).map_or("", |word| &*word.lower)
    }

    /// "A forged letter", "no such letter", "a hoax".
    fn is_false_by_name(&self, text: usize) -> bool {
        let words = &self.reading.words;
        let is_mark = |word: &&Word<'_, '_>| matches!(word.part, Part::Comma | Part::Stop);
        let mut before = words[..text].iter().rev().take(2).take_while(|word| !is_mark(word));
        let is_none = text > 1 && self.lower(text - 2) == "no" && self.lower(text - 1) == "such";
        is_none || before.any(is_false) || words[text].is(class::FORGED)
    }

    /// How a text goes on to what it says, and where that begins.
    fn opener(&self, text: usize) -> Option<(Opener, usize)> {
        let words = &self.reading.words;
        let lower = |at| self.lower(at);
        let says = words[text].is(class::ALLEGED)
            || matches!(lower(text), "report" | "reports" | "story" | "myth" | "legend");
        match (lower(text + 1), lower(text + 2)) {
            ("has" | "had", "it") => return Some((Opener::Clause, text + 4)),
            ("that" | "which", "appears" | "appeared" | "claims" | "claimed" | "purports") => {
                let opens = if lower(text + 3) == "that" { text + 4 } else { text + 2 };
                return Some((Opener::Clause, opens));
            }
            ("shows" | "showed" | "show", _) => {
                return Some((Opener::Verb, text + 1));
            }
            (",", _) if words[..text].iter().any(|word| word.lower == "according") => {
                return Some((Opener::Source, text + 2));
            }
            _ => {}
        }
        // "No such letter exists in which X praised Y".
        let exists = matches!(lower(text + 1), "exists" | "exist" | "existed");
        let first = text + 1 + usize::from(exists);
        let verb = self.groups.iter().find(|group| group.finite && first <= group.start);
        let until = verb.map_or(words.len(), |verb| verb.start).min(text + TO_CLAIM);
        let opens = |&at: &usize| match lower(at) {
            "which" => lower(at - 1) == "in",
            "where" => true,
            "that" => says,
            _ => false,
        };
        if let Some(opens) = (text + 1..until).find(opens) {
            return Some((Opener::Clause, opens + 1));
        }
        let phrases = [
            "showing",
            "of",
            "from",
            "quoting",
            "claiming",
            "purporting",
            "purportedly",
            "bearing",
        ];
        phrases.contains(&lower(text + 1)).then_some((Opener::Phrase, text + 1))
    }

    /// Where that ends which a text says.
    fn claim_end(&self, text: usize, opener: Opener, opening: usize) -> usize {
        let end = self.clause_end(if opener == Opener::Source { opening } else { text });
        let own = usize::from(matches!(opener, Opener::Clause | Opener::Verb));
        let verbs = self
            .groups
            .iter()
            .filter(|group| group.finite && (opening..end).contains(&group.start));
        let next = verbs.skip(own).find(|group| !group.relative && !self.is_joined(group));
        let Some(next) = next.filter(|_| opener != Opener::Source) else { return end };
        let comma = self.reading.words[..next.start].iter().rposition(|w| w.part == Part::Comma);
        comma.filter(|&comma| opening < comma).unwrap_or(next.start)
    }

    /// "And is false": whether a verb has its subject from the one before.
    fn is_joined(&self, group: &Group) -> bool {
        let before = group.start.checked_sub(1).map(|at| &*self.reading.words[at].lower);
        matches!(before, Some("and" | "or"))
    }

    /// "Was made by a machine", "does not exist", "turned out to be false".
    fn calls_untrue(&self, group: &Group, end: usize) -> bool {
        let words = &self.reading.words;
        let head = &*words[group.head].lower;
        let behind = &words[group.end.min(end)..end.min(group.end + TO_VERDICT)];
        let is_any = |known: &[&str]| behind.iter().any(|word| known.contains(&&*word.lower));
        if group.negated {
            let never = words[group.start..group.head].iter().any(|word| word.lower == "never");
            let is_missing = matches!(head, "exist" | "existed" | "happen");
            let was_not =
                matches!(head, "appeared" | "happened" | "published" | "sent" | "delivered");
            return is_missing
                || never && was_not
                || group.copula && is_any(&["authentic", "genuine", "real", "true"]);
        }
        let is_made = matches!(head, "made" | "generated" | "produced" | "created");
        let is_found = matches!(head, "found" | "shown" | "proved" | "proven" | "turned");
        let is_between = |word: &&Word<'_, '_>| {
            matches!(word.part, Part::Determiner | Part::Adverb | Part::Adjective) || is_false(word)
        };
        is_made && is_any(&["machine", "ai", "artificial", "algorithm"])
            || group.passive && is_false(&words[group.head])
            || is_found && behind.iter().any(is_false)
            || group.copula && behind.iter().take_while(is_between).any(is_false)
    }

    /// "The minister never said that X stands with Y": what was not said is nobody's word.
    pub(super) fn of_unsaid(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let says = matches!(&*words[group.head].lower, "say" | "said" | "claimed" | "suggested");
        if says && group.negated && words.get(group.end).is_some_and(is_that) {
            let end = self.clause_end(group.end);
            let joint = (group.end..end).find(|&at| {
                words[at].part == Part::Comma
                    && words.get(at + 1).is_some_and(|next| next.part == Part::Coordinator)
            });
            self.unsay((group.end, joint.unwrap_or(end)));
        }
    }

    /// "Denied that Y runs its army": what another is said to do says nothing either, of anybody.
    pub(super) fn unsay(&mut self, (start, until): (usize, usize)) {
        for edge in &mut self.list {
            if (start..until).contains(&usize::from(edge.cue.0)) {
                (edge.score, edge.rule, edge.time) = (0.0, REJECTED, Time::Hypothetical);
            }
        }
    }

    /// "Reports that X had left Y were wrong", "it is not true that X has left Y".
    pub(super) fn of_untruth(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let end = self.clause_end(group.end);
        let near = &words[group.end..end.min(group.end + 4)];
        let untrue = near.iter().any(is_false) && !group.negated
            || group.negated && near.iter().any(|word| word.lower == "true");
        if !group.copula || !untrue {
            return;
        }
        let behind = (group.end..end.min(group.end + 4))
            .find(|&at| is_that(&words[at]))
            .or_else(|| self.that_behind_aside(group.end));
        let of_noun = (1..group.start).find(|&at| {
            is_that(&words[at])
                && words[at - 1].part == Part::Noun
                && words[at - 1].is(class::TEXT | class::ALLEGED)
        });
        let clause = match (behind, of_noun) {
            (Some(that), _) => that..words.len(),
            (None, Some(that)) => that..group.start,
            (None, None) => return,
        };
        let said: Vec<(Doer, u16)> = self
            .list
            .iter()
            .filter(|edge| clause.contains(&(edge.cue.0 as usize)))
            .map(|edge| (edge.holder, edge.target))
            .collect();
        for (holder, target) in said {
            let denied = Group { subjects: vec![holder], ..group.clone() };
            self.rule(&denied, (clause.start, clause.end), target, 0.0, REJECTED);
        }
    }

    /// The "that" of "it is not true, whatever they say, that X has left Y".
    fn that_behind_aside(&self, from: usize) -> Option<usize> {
        let words = &self.reading.words;
        let is_comma = |at: usize| words[at].part == Part::Comma;
        let opens = (from..words.len().min(from + 4)).find(|&at| is_comma(at))?;
        (opens + 1..words.len().min(opens + 2 * REACH))
            .find(|&at| opens + 1 < at && is_comma(at - 1) && is_that(&words[at]))
    }
}
