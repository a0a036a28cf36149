//! What a passive says of its subject, in whoever stands behind "by".

use super::enabled::ActOfSubject;
use super::verdict::verdict;
use super::{ABETS, Chain, Finder, REFRAINS, of_measure};
use crate::clause::{Doer, Group, noun_cue};
use crate::lexicon::{Carry, Cue, Kind};
use crate::reading::Word;

impl Finder<'_, '_, '_> {
    /// "Y was condemned by X".
    pub(super) fn of_passive(&mut self, group: &Group, cue: Cue, chain: Chain) {
        let words = &self.reading.words;
        let until = group.until.max(group.end);
        let Some(by) = (group.end..until).find(|&index| words[index].lower == "by") else { return };
        let behind = words[by + 1..group.until.max(by + 1)].iter().take(6);
        let Some(agent) = behind.clone().find_map(Word::name) else { return };
        if cue.kind == Kind::Judge {
            self.of_passive_verdict(group, cue, chain, agent);
        }
        if cue.score < 0.0 && self.defies(group) {
            let cue = (Cue { score: -1.0, ..cue }, group.head, group.end);
            self.give(group, agent, -1.0, cue, "passive");
            return;
        }
        if cue.score != 0.0 && self.of_backed_call(group, cue, agent) {
            return;
        }
        let mut goals = self.subjects(group);
        // "Was given a warm welcome by": the noun says it.
        let mut noun =
            (group.end..by).find_map(|at| noun_cue(self.reading, at)).map(|(noun, _)| noun.score);
        if goals.is_empty() && cue.score == 0.0 {
            noun = self.act_as_subject(group);
            let on = noun.and_then(|_| self.goal_behind(group, agent));
            goals.extend(on);
        }
        let score = match noun {
            Some(score) if cue.score == 0.0 && cue.carry == Carry::Keep => score,
            _ => cue.score,
        };
        let refrains = chain.is_odd() && score < 0.0;
        let own = if refrains { chain.lean() } else { Self::turned(score, chain) };
        let rule = if refrains { REFRAINS } else { "passive" };
        // "Was not made possible by X": nobody's help.
        if chain.is_odd() && cue.kind == Kind::Aid {
            return;
        }
        if cue.score != 0.0
            && let Some(act) = self.act_before(group)
        {
            self.of_act_before(group, (cue, act), chain, (agent, own, rule));
            return;
        }
        let rule = match self.act_of_subject(group) {
            // "A report on X's attack was backed by Y".
            ActOfSubject::Mentioned => return,
            ActOfSubject::Meant if own > 0.0 => ABETS,
            ActOfSubject::Meant | ActOfSubject::None => rule,
        };
        for goal in goals {
            // "The blockade of X, which has been condemned by Y".
            let is_of_measure = group.relative
                && self.judges_deed(group)
                && self.measure_before(group.start, goal).is_some_and(|noun| {
                    // "The sanctions on X, which was condemned by Y": it is X who was.
                    let one = matches!(&*words[group.start].lower, "was" | "is" | "has");
                    !(one && words[noun].lower.ends_with('s'))
                });
            let (own, rule) = if is_of_measure { of_measure(own) } else { (own, rule) };
            self.push(Doer::Party(agent), goal, own, cue, (group.head, group.end), group, rule);
        }
    }

    /// Who is acted on; in "A request by Moscow was rebuffed" whoever is named in the subject.
    fn subjects(&self, group: &Group) -> Vec<u16> {
        let party = |doer: &Doer| match doer {
            Doer::Party(party) => Some(*party),
            Doer::First => None,
        };
        let parties: Vec<u16> = group.subjects.iter().filter_map(party).collect();
        if !parties.is_empty() {
            return parties;
        }
        let before = self.groups.iter().filter(|other| other.end <= group.start);
        let floor = before.map(|other| other.end).max().unwrap_or(0);
        self.reading.words[floor..group.start].iter().filter_map(Word::name).collect()
    }

    /// "Sanctions were imposed on X by Y": the subject says what.
    fn act_as_subject(&self, group: &Group) -> Option<f32> {
        let floor = group.start.saturating_sub(4);
        (floor..group.start)
            .find_map(|at| noun_cue(self.reading, at))
            .filter(|(noun, _)| matches!(noun.kind, Kind::Attitude | Kind::War | Kind::Aid))
            .map(|(noun, _)| noun.score)
    }

    /// And X stands behind.
    fn goal_behind(&self, group: &Group, agent: u16) -> Option<u16> {
        let words = &self.reading.words;
        let until = group.until.max(group.end);
        let on = (group.end..until).find(|&at| {
            matches!(&*words[at].lower, "on" | "upon" | "against" | "for" | "to" | "at")
        });
        let goal = words[on.unwrap_or(until)..until].iter().find_map(Word::name);
        goal.filter(|&party| party != agent)
    }

    /// "Will not be bullied by X": who says so stands up to whoever tries.
    fn defies(&self, group: &Group) -> bool {
        let will = |word: &Word<'_, '_>| {
            matches!(
                &*word.lower,
                "will" | "would" | "wo" | "shall" | "'ll" | "can" | "cannot" | "ca"
            )
        };
        group.negated && self.reading.words[group.start..group.head].iter().any(will)
    }

    /// "X is seen as a threat by Y", "X was branded a bully by Y".
    fn of_passive_verdict(&mut self, group: &Group, cue: Cue, chain: Chain, agent: u16) {
        let until = group.until.max(group.end);
        let found = (group.end..until)
            .find_map(|at| verdict(self.reading, at).map(|(score, end)| (score, at, end)));
        let Some((score, first, end)) = found.filter(|_| !chain.is_odd() && !chain.cut) else {
            return;
        };
        for doer in &group.subjects {
            if let Doer::Party(goal) = *doer {
                let cue = Cue { score, ..cue };
                self.push(Doer::Party(agent), goal, score, cue, (first, end), group, "verdict");
            }
        }
    }
}
