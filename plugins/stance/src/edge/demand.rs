//! What somebody must do, or what must be done to him: "X must leave", "X should be punished", "the
//! blockade of X must be lifted", "Y should stop threatening X".

use standpoint_document::Time;

use super::nested::{REACH, Side, is_that, toward};
use super::{DEMAND, Finder, REJECTED};
use crate::clause::{Doer, Group, Mood, noun_cue};
use crate::lexicon::{Cue, Kind, class};
use crate::reading::{Part, Word};

/// What one demands of whom one blames.
const CEASING: [&str; 19] = [
    "stop",
    "end",
    "cease",
    "halt",
    "withdraw",
    "leave",
    "quit",
    "retreat",
    "apologise",
    "apologize",
    "answer",
    "return",
    "release",
    "free",
    "disarm",
    "abandon",
    "renounce",
    "refrain",
    "comply",
];

/// What one demands of a measure that one is against.
const LIFTING: [&str; 6] = ["lifted", "ended", "removed", "eased", "dropped", "scrapped"];

/// How verbs begin behind whose "that" stands what one wants, and not what is so.
const WISHING: [&str; 5] = ["demand", "request", "urg", "recommend", "propos"];

impl Finder<'_, '_, '_> {
    pub(super) fn of_demand(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let Some(cue) = group.cue.filter(|_| words[group.start..group.head].iter().any(obliges))
        else {
            return;
        };
        if group.negated || group.no_subject {
            return;
        }
        let head = &*words[group.head].lower;
        if group.passive && LIFTING.contains(&head) {
            if let Some(party) = self.measured(group) {
                self.demand(group, party, 1.0, cue);
            }
            return;
        }
        let score = if group.passive {
            cue.score.min(1.0)
        } else if CEASING.contains(&head) {
            -1.0
        } else {
            return;
        };
        for subject in &group.subjects {
            if let Doer::Party(party) = *subject
                && score != 0.0
            {
                self.demand(group, party, score, cue);
            }
        }
    }

    /// "Said that Y should stop threatening X", "urged Y to stop arming X": whoever wants a deed to
    /// end is on the other side of it.
    pub(super) fn of_call_to_stop(&mut self, number: usize) {
        let Some([group, deed]) = self.groups.get(number..number + 2) else { return };
        let words = &self.reading.words;
        let before = deed.start.checked_sub(1).map_or("", |at| &*words[at].lower);
        let stops = matches!(before, "stop" | "cease" | "quit" | "halt");
        let is_deed = words[deed.head].lower.ends_with("ing") && group.start < deed.start;
        if !(stops && is_deed) || deed.finite || group.negated || group.passive {
            return;
        }
        let obliges = words[group.start..deed.start].iter().any(obliges);
        let chain = self.chain(group);
        let asks = words[group.head].is(class::REQUEST) && !chain.cut && !chain.is_odd();
        let wanting = match (obliges, asks) {
            (true, _) => {
                // "Rejected calls that Y should stop": not the author's wish.
                let is_first = self.groups.iter().all(|other| group.start <= other.start);
                let author = is_first.then_some(Doer::First);
                let voice = self.speaker.get(group.head).copied().flatten().or(author);
                let Some(voice) = voice else { return };
                vec![voice]
            }
            (false, true) => group.subjects.clone(),
            (false, false) => return,
        };
        if let Some(content) = self.content(deed) {
            let (score, rule) = toward(Side::Against, content, false);
            let wish = Group { subjects: wanting, mood: Mood::Real, ..group.clone() };
            self.rule(&wish, (group.start, deed.until), content.target, score, rule);
        }
    }

    /// "Demanded that Y leave X", "said that Y should leave X": whoever says so is for the deed, and
    /// Y has not done it.
    pub(super) fn of_wish(&mut self, number: usize) {
        let deed = &self.groups[number];
        let Some((that, obliges)) = self.wished(number) else { return };
        let words = &self.reading.words;
        let wants = |word: &Word<'_, '_>| {
            word.is(class::REQUEST) || WISHING.iter().any(|stem| word.lower.starts_with(stem))
        };
        let asks = that.checked_sub(1).is_some_and(|at| wants(&words[at]));
        let before = self.groups[..number].iter().rev();
        let Some(saying) = before.clone().find(|group| group.head < that) else { return };
        let chain = self.chain(saying);
        let is_said = asks || obliges && saying.reports();
        if !is_said || chain.cut || chain.is_odd() || saying.passive || saying.subjects.is_empty() {
            return;
        }
        let actor = |doer: &Doer| match doer {
            Doer::First => None,
            Doer::Party(party) => Some(self.reading.parties[*party as usize].actor),
        };
        let doers: Vec<_> = deed.subjects.iter().map(actor).collect();
        if doers.is_empty() || saying.subjects.iter().any(|wanting| doers.contains(&actor(wanting)))
        {
            return;
        }
        for edge in &mut self.list {
            let inside = (deed.start..deed.until).contains(&usize::from(edge.cue.0));
            if inside && doers.contains(&actor(&edge.holder)) {
                (edge.score, edge.rule, edge.time) = (0.0, REJECTED, Time::Hypothetical);
            }
        }
        // "Should stop at X" is where, and not whom.
        let is_place = |word: &Word<'_, '_>| matches!(&*word.lower, "at" | "in" | "near");
        let goes_to = !words.get(deed.end).is_some_and(is_place);
        if let Some(content) = self.content(deed).filter(|_| goes_to) {
            let (score, rule) = toward(Side::For, content, false);
            self.rule(saying, (saying.start, deed.until), content.target, score, rule);
        }
    }

    /// The "that" in whose clause a verb stands, alone or as one more of its verbs ("that Y should
    /// lift the ban and thank X"), and whether somebody has to do it.
    fn wished(&self, number: usize) -> Option<(usize, bool)> {
        let deed = &self.groups[number];
        let words = &self.reading.words;
        if let Some(that) = self.that_before(deed) {
            return Some((that, words[deed.start..deed.head].iter().any(obliges)));
        }
        let before = number.checked_sub(1)?;
        let joint = words[..deed.start].iter().rfind(|word| word.part != Part::Adverb)?;
        let goes_on = joint.part == Part::Coordinator
            && self.groups[before].subjects == deed.subjects
            && self.groups[before].finite;
        goes_on.then(|| self.wished(before)).flatten()
    }

    /// The "that" of which a verb and its subject are the clause.
    fn that_before(&self, deed: &Group) -> Option<usize> {
        let words = &self.reading.words;
        let that = (0..deed.head).rev().take(REACH).find(|&at| is_that(&words[at]))?;
        let is_subject = |word: &Word<'_, '_>| {
            matches!(
                word.part,
                Part::Name(_)
                    | Part::Noun
                    | Part::Adjective
                    | Part::Determiner
                    | Part::Possessive
                    | Part::Auxiliary
                    | Part::Adverb
            )
        };
        words[that + 1..deed.head].iter().all(is_subject).then_some(that)
    }

    /// Against whom the measure is that is the subject of a verb.
    fn measured(&self, group: &Group) -> Option<u16> {
        let words = &self.reading.words;
        (group.start.saturating_sub(8)..group.start).rev().find_map(|at| {
            let (noun, end) = noun_cue(self.reading, at)?;
            let is_measure = noun.score < 0.0 && matches!(noun.kind, Kind::Attitude | Kind::Act);
            let party = words.get(end..group.start)?.iter().find_map(Word::name)?;
            is_measure.then_some(party)
        })
    }

    /// It is the voice that demands, now, whatever becomes of it.
    fn demand(&mut self, group: &Group, party: u16, score: f32, cue: Cue) {
        let voice = self.speaker.get(group.head).copied().flatten().unwrap_or(Doer::First);
        let at = (group.head, group.end);
        self.add(voice, party, score, Cue { score, ..cue }, at, Time::Present, DEMAND);
    }
}

fn obliges(word: &Word<'_, '_>) -> bool {
    matches!(&*word.lower, "must" | "should" | "ought")
}
