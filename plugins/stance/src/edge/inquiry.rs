//! Inquiries into what somebody did: "called for an investigation into crimes by X" is against X,
//! and "voted against an inquiry into abuses by X" is for X.

use super::nested::{Content, Side, toward};
use super::{BETWEEN, Finder};
use crate::clause::{Group, noun_cue, owned_run};
use crate::lexicon::Kind;
use crate::reading::{Part, Word};

/// How far behind its verb an inquiry may stand, and its suspect behind it, in words.
const REACH: usize = 9;

impl Finder<'_, '_, '_> {
    pub(super) fn of_inquiry(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        if group.passive || group.subjects.is_empty() {
            return;
        }
        let near = (group.end..words.len()).take(REACH);
        let of_clause = |&at: &usize| words[at].part != Part::Stop && !words[at].is_verb();
        let Some(into) = near.take_while(of_clause).find(|&at| {
            matches!(&*words[at].lower, "into" | "of") && is_inquiry(&words[at - 1].lower)
        }) else {
            return;
        };
        let (Some(side), Some((target, is_place))) =
            (self.side_of_inquiry(group), self.suspect(into))
        else {
            return;
        };
        let at = usize::from(self.reading.word_of[usize::from(target)]);
        let content = Content { target, score: -1.0, undoes: false };
        let (score, rule) = if is_place { (0.0, BETWEEN) } else { toward(side, content, false) };
        self.rule(group, (group.start, at + 1), target, score, rule);
    }

    /// As toward any text; and whoever asks for an inquiry wants it.
    fn side_of_inquiry(&self, group: &Group) -> Option<Side> {
        let chain = self.chain(group);
        match group.cue?.kind {
            Kind::Wish => (!chain.cut && !chain.is_odd()).then_some(Side::For),
            _ => self.side_of(group),
        }
    }

    /// Whose deeds are looked into: "crimes committed by X", "X's crimes"; and whether X is only
    /// where it was, of what nobody need have done: "an accident in X".
    fn suspect(&self, into: usize) -> Option<(u16, bool)> {
        let words = &self.reading.words;
        let of_clause = |&at: &usize| !matches!(words[at].part, Part::Stop | Part::Comma);
        let mut behind = (into + 1..words.len()).take(REACH).take_while(of_clause);
        let at = behind.find(|&at| words[at].lower == "by" || words[at].name().is_some())?;
        let is_bad =
            |at: usize| noun_cue(self.reading, at).is_some_and(|(noun, _)| noun.score < 0.0);
        let bad = (into + 1..at).any(is_bad);
        let Some(party) = words[at].name() else {
            // "A jet built by X" crashed, and "an attack condemned by X" is not X's.
            let did =
                is_bad(at - 1) || matches!(&*words[at - 1].lower, "committed" | "perpetrated");
            let describes =
                |word: &&Word<'_, '_>| matches!(word.part, Part::Determiner | Part::Adjective);
            let suspect = words[at + 1..].iter().find(|word| !describes(word));
            return suspect.filter(|_| did).and_then(|word| Some((word.name()?, false)));
        };
        let owns = words.get(at + 1).is_some_and(|word| word.part == Part::Possessive)
            && owned_run(self.reading, at).is_some_and(|run| run.cue(self.reading).is_some());
        let is_place = at > into + 1 && words[at - 1].lower == "in" && !bad;
        (owns || is_place).then_some((party, is_place))
    }
}

fn is_inquiry(word: &str) -> bool {
    const INQUIRIES: [&str; 5] = ["inquiry", "enquiry", "investigation", "probe", "inquest"];
    let plural = |known: &str| match known.strip_suffix('y') {
        Some(stem) => word.strip_suffix("ies") == Some(stem),
        None => word.strip_suffix('s') == Some(known),
    };
    INQUIRIES.iter().any(|known| word == *known || plural(known))
}
