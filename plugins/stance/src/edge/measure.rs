//! What is said of a measure, or done with it: "called the sanctions on X illegal", "blocked
//! measures that would hit X".

use super::nested::{Content, is_that, toward};
use super::verdict::verdict;
use super::{Finder, of_measure};
use crate::clause::{Doer, Group, noun_cue, owned_run};
use crate::lexicon::{Kind, class};
use crate::reading::{Part, Word};

impl Finder<'_, '_, '_> {
    /// "Called the sanctions on X illegal": who finds fault with a measure is not against its goal.
    pub(super) fn of_judged_measure(&mut self, number: usize) {
        let group = &self.groups[number];
        if group.passive || group.cue.is_none_or(|cue| cue.kind != Kind::Judge) {
            return;
        }
        let end = self.clause_end(group.end);
        let measure = self.measure_in(group.end, end).or_else(|| self.decision_in(number));
        let Some((target, at)) = measure else { return };
        let found = (at + 1..end).find_map(|at| verdict(self.reading, at));
        if let (Some((score, _)), false) = (found, self.chain(group).is_odd()) {
            let (score, rule) = of_measure(score);
            self.rule(group, (group.start, end), target, score, rule);
        }
    }

    /// "Said the sanctions on X violated the law": the same as a clause of its own.
    pub(super) fn of_measure_clause(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        if !group.finite || group.passive {
            return;
        }
        let floor = words[..group.start]
            .iter()
            .rposition(|word| word.is_verb() || word.part == Part::Stop)
            .map_or(0, |at| at + 1);
        let Some((target, at)) = self.measure_in(floor, group.start) else { return };
        let beside = words[at + 1..group.start]
            .iter()
            .all(|word| matches!(word.part, Part::Noun | Part::Adjective | Part::Possessive));
        let end = self.clause_end(group.end);
        let said =
            (group.end..end).find_map(|at| verdict(self.reading, at)).map(|(score, _)| score);
        let score = match group.cue {
            Some(cue) if cue.kind == Kind::Bad => Some(-1.0),
            _ if group.copula => said,
            _ => None,
        };
        let (Some(score), true, false) = (score, beside, group.negated) else { return };
        let holder = self.speaker.get(group.head).copied().flatten().unwrap_or(Doer::First);
        let (score, rule) = of_measure(score);
        let voiced = Group { subjects: vec![holder], ..group.clone() };
        self.rule(&voiced, (floor, end), target, score, rule);
    }

    /// "Blocked sanctions that would have hit X": what is done with a measure whose goal its own
    /// clause names.
    pub(super) fn of_aimed_measure(&mut self, number: usize) {
        let words = &self.reading.words;
        let Some([group, next, rest @ ..]) = self.groups.get(number..) else { return };
        // "The steps that Y has taken to restrict X".
        let is_taken = matches!(
            &*words[next.head].lower,
            "taken" | "took" | "adopted" | "introduced" | "announced" | "imposed" | "made"
        );
        let that = words[group.end..next.start.max(group.end)].iter().position(is_that);
        let taken = that.filter(|_| is_taken && next.finite).map(|that| group.end + that);
        let (aim, opens) = match (taken, rest.first()) {
            (Some(that), Some(aim)) if words[aim.start].part == Part::To => (aim, Some(that)),
            _ => {
                let before = next.start.checked_sub(1);
                (next, before.filter(|&at| words[at].part == Part::Relative))
            }
        };
        let harms = aim.cue.is_some_and(|cue| cue.score < 0.0);
        let measure = opens.and_then(|opens| opens.checked_sub(1)).filter(|&at| {
            // "Measures that limit X's access".
            let is_plain = matches!(&*words[at].lower, "measures" | "steps" | "rules" | "laws");
            at >= group.end
                && (harms && is_plain
                    || noun_cue(self.reading, at)
                        .is_some_and(|(cue, _)| cue.score < 0.0 && cue.kind == Kind::Attitude))
        });
        let aims = ["hit", "affect", "restrict", "limit", "punish", "cap", "cover"]
            .iter()
            .any(|stem| words[aim.head].lower.starts_with(stem));
        let goal = (aim.end..aim.until.max(aim.end)).find_map(|at| words[at].name());
        if measure.is_none() || !aims || aim.negated || aim.passive || group.passive {
            return;
        }
        if let (Some(side), Some(target)) = (self.side_of(group), goal) {
            let content = Content { target, score: -1.0, undoes: false };
            let (score, rule) = toward(side, content, false);
            self.rule(group, (group.start, aim.until), target, score, rule);
        }
    }

    /// "Designated eleven members of X's council", "two Russian generals": put them on a list of
    /// those who are punished. "As" what tells a verdict, and "to" do what is another matter.
    pub(super) fn of_designation(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let lists = words[group.head].lower.starts_with("designat");
        let chain = self.chain(group);
        if !lists || group.passive || chain.cut || chain.is_odd() {
            return;
        }
        let until = group.until.max(group.end);
        let objects = group.head + 1..until;
        let is_other = |word: &Word<'_, '_>| word.lower == "as" || word.part == Part::To;
        if words.iter().take(until + 1).skip(group.head).any(is_other) {
            return;
        }
        // "Members of the X council", where the council is a name by itself.
        let is_of = |at: usize| {
            let mut before = words[group.end.min(at)..at].iter().rev();
            let link = before.find(|word| word.part != Part::Determiner);
            link.is_some_and(|word| matches!(&*word.lower, "of" | "in" | "from"))
                && before.next().is_some_and(is_punishable)
        };
        let owns = |at: usize| {
            owned_run(self.reading, at).is_some_and(|run| is_punishable(&words[run.head]))
        };
        let owner =
            objects.filter(|&at| words[at].name().is_some()).find(|&at| owns(at) || is_of(at));
        let Some(owner) = owner else { return };
        // "Designated an officer from X its consul" is an honour.
        let mut behind = words[owner + 1..until.max(owner + 1)]
            .iter()
            .take_while(|word| !matches!(word.part, Part::Preposition | Part::Comma | Part::Stop));
        if behind.any(|word| matches!(word.part, Part::Determiner | Part::Pronoun)) {
            return;
        }
        if let Some(party) = words[owner].name() {
            self.rule(group, (group.start, until), party, -1.0, "owner of the object");
        }
    }

    /// A hostile measure in `from..to` with its goal: "the sanctions on X", "a ban on X's gas".
    fn measure_in(&self, from: usize, to: usize) -> Option<(u16, usize)> {
        let words = &self.reading.words;
        (from..to).find_map(|at| {
            let (noun, end) = noun_cue(self.reading, at)?;
            let measure = noun.score < 0.0 && noun.kind == Kind::Attitude;
            let preposition = words.get(end).filter(|_| measure)?;
            if !matches!(&*preposition.lower, "on" | "against" | "of") {
                return None;
            }
            let goal = (end + 1..to).take(3).find(|&at| words[at].name().is_some())?;
            Some((words[goal].name()?, goal))
        })
    }

    /// The decision that is the object of a verb, where it is one against somebody: "the decision to
    /// expel X".
    fn decision_in(&self, number: usize) -> Option<(u16, usize)> {
        let [group, deed] = self.groups.get(number..number + 2)? else { return None };
        let words = &self.reading.words;
        let object = words.get(group.end..deed.start)?;
        let decides = |word: &Word<'_, '_>| {
            matches!(&*word.lower, "decision" | "decisions" | "move" | "plan" | "plans")
        };
        let to = usize::from(object.last().is_some_and(|word| word.part == Part::To));
        let is_near = object.len() <= 3 && object.iter().rev().nth(to).is_some_and(decides);
        let content = self.content(deed).filter(|content| is_near && content.score < 0.0)?;
        let at = (deed.end..deed.until).find(|&at| words[at].name().is_some())?;
        (words[at].name() == Some(content.target)).then_some((content.target, at))
    }

    /// "The embargo on X, which Y condemned", "which Y calls unjust".
    pub(super) fn of_related_measure(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let which = words[..group.start].iter().rposition(|word| word.part == Part::Relative);
        let Some(which) = which else { return };
        let subject = &words[which + 1..group.start];
        let parts = [Part::Determiner, Part::Auxiliary, Part::Adverb, Part::Adjective];
        let is_alone = subject.iter().all(|w| w.name().is_some() || parts.contains(&w.part));
        let Some(holder) = subject.iter().find_map(Word::name).filter(|_| is_alone) else { return };
        let rest = &words[group.end..group.until.max(group.end)];
        let goal = words[..which].iter().rev().take(2).find_map(Word::name);
        let plain = !group.passive && !group.negated && rest.iter().all(|w| w.name().is_none());
        let Some(goal) = goal.filter(|&goal| plain && self.ends_measure(which, goal)) else {
            return;
        };
        let said = match group.cue {
            Some(cue) if cue.kind == Kind::Judge => {
                // "Which it calls a menace" is said of X.
                let found = verdict(self.reading, group.end.min(words.len() - 1));
                found.map(|(score, _)| score).filter(|&score| score < 0.0)
            }
            cue => cue.map(|cue| cue.score).filter(|_| self.judges_deed(group)),
        };
        if let Some(said) = said.filter(|&said| said != 0.0) {
            let (score, rule) = of_measure(said);
            let judged = Group { subjects: vec![Doer::Party(holder)], ..group.clone() };
            self.rule(&judged, (which, group.until), goal, score, rule);
        }
    }
}

/// Whether a word names people or firms whom other states punish.
fn is_punishable(word: &Word<'_, '_>) -> bool {
    let lower = &*word.lower;
    let one = lower.strip_suffix('s').unwrap_or(lower);
    word.is(class::AGENT)
        || matches!(
            one,
            "member"
                | "officer"
                | "commander"
                | "judge"
                | "prosecutor"
                | "oligarch"
                | "elite"
                | "billionaire"
                | "businessman"
                | "businessmen"
                | "individual"
                | "company"
                | "companie"
                | "firm"
                | "bank"
                | "entity"
                | "entitie"
                | "agency"
                | "agencie"
                | "conglomerate"
                | "tanker"
                | "vessel"
        )
}
