//! What nouns say by themselves: "X's support for Y", "an alliance between X and Y", arms.

use super::{BETWEEN, Edge, Finder, LIKENED, MAX_EDGES, NAMED, TONE, evaluation};
use crate::clause::{Doer, Group, Mood, noun_cue, owned_run};
use crate::lexicon::{Carry, Cue, Kind};
use crate::reading::{Part, Word};

/// Verbs by which trust, patience or support come to an end.
const FADING: [&str; 16] = [
    "shaken",
    "eroded",
    "damaged",
    "shattered",
    "evaporated",
    "collapsed",
    "dwindled",
    "faded",
    "waned",
    "gone",
    "lost",
    "worn",
    "undermined",
    "ended",
    "running",
    "ran",
];

impl Finder<'_, '_, '_> {
    /// "Russia's war on Ukraine", "Moscow's support for Minsk", "Russia's ally Belarus".
    pub(super) fn of_owner(&mut self, index: usize, party: u16) {
        let reading = self.reading;
        let words = &reading.words;
        let Some(run) = owned_run(reading, index) else { return };
        let Some((cue, at, end)) = run.cue(reading) else { return };
        let behind = words.get(run.end);
        if cue.kind == Kind::Relation {
            // A name in apposition, with or without a comma; or before: "Belarus, Russia's ally".
            let mut next = run.end;
            if behind.is_some_and(|word| word.part == Part::Comma) {
                next += 1;
            }
            if self.of_named(cue, (at, end), run.end, party) {
                return;
            }
            let beside = words.get(next).and_then(Word::name);
            let comma_before = index > 1
                && words[index - 1].part == Part::Comma
                && words[index - 2].name().is_some()
                && behind.is_none_or(|word| matches!(word.part, Part::Comma | Part::Stop));
            let name = if comma_before { words[index - 2].name() } else { beside };
            if let Some(name) = name
                && name != party
            {
                self.push_nominal(
                    Doer::Party(name),
                    party,
                    cue.score,
                    cue,
                    (at, end),
                    "apposition",
                );
                return;
            }
        }
        let mut goals = 0;
        let mut next = run.end;
        let mut open = false;
        while let Some(word) = words.get(next)
            && next < run.end + 12
        {
            match word.part {
                Part::Preposition | Part::To
                    if matches!(
                        &*word.lower,
                        "of" | "on"
                            | "against"
                            | "for"
                            | "to"
                            | "with"
                            | "toward"
                            | "towards"
                            | "in"
                            | "over"
                            | "at"
                            | "from"
                    ) =>
                {
                    open = true;
                }
                Part::Name(goal) if open => {
                    let (score, rule) = match (cue.kind, self.tone(at, next + 1)) {
                        (Kind::Relation, Some(tone)) => (tone, TONE),
                        (Kind::Thing, _) => (0.0, "owner and goal"),
                        (Kind::Relation, None) if cue.score < 1.5 => (0.0, "owner and goal"),
                        _ if self.is_lost(next + 1) => ((-cue.score).min(0.0), TONE),
                        _ => (cue.score, "owner and goal"),
                    };
                    if goal != party {
                        self.push_nominal(Doer::Party(party), goal, score, cue, (at, end), rule);
                        if cue.kind == Kind::Relation {
                            self.push_nominal(
                                Doer::Party(goal),
                                party,
                                score,
                                cue,
                                (at, end),
                                rule,
                            );
                        }
                        goals += 1;
                    }
                    if goals > 3 {
                        break;
                    }
                }
                Part::Coordinator | Part::Comma if goals > 0 => {}
                Part::Determiner | Part::Adjective | Part::Possessive | Part::Noun => {}
                _ => break,
            }
            next += 1;
        }
    }

    /// "X's allies are A and B", "X's friends, such as A", "X's enemies A and B".
    fn of_named(&mut self, cue: Cue, at: (usize, usize), end: usize, owner: u16) -> bool {
        let words = &self.reading.words;
        let word = |at: usize| words.get(at).map_or("", |word| &*word.lower);
        let comma = usize::from(word(end) == ",");
        let from = match (word(end + comma), word(end + comma + 1)) {
            ("are" | "were" | "remain" | "include" | "including" | "like", _) => end + comma + 1,
            ("such", "as") => end + comma + 2,
            _ => end + comma,
        };
        let (names, _) = self.names(from);
        let several = words[end - 1].lower.ends_with('s');
        if !several || names.is_empty() || names.contains(&owner) {
            return false;
        }
        for name in names {
            self.push_nominal(Doer::Party(name), owner, cue.score, cue, at, NAMED);
        }
        true
    }

    /// Whoever arms a side stands against whom that side fights, where the sentence says both.
    pub(super) fn of_aid(&mut self) {
        let found: Vec<(Edge, Edge)> = self
            .list
            .iter()
            .filter(|aid| aid.kind == Kind::Aid && aid.score > 1.0)
            .flat_map(|aid| self.list.iter().map(move |fight| (*aid, *fight)))
            .filter(|(aid, fight)| {
                fight.holder == Doer::Party(aid.target)
                    && fight.score <= -1.0
                    && Doer::Party(fight.target) != aid.holder
            })
            .take(8)
            .collect();
        for (aid, fight) in found {
            let edge =
                Edge { target: fight.target, score: -1.5, rule: "aid to the opponent", ..aid };
            if self.list.len() < MAX_EDGES {
                self.list.push(edge);
            }
        }
    }

    /// "Relations between A and B soured", "the souring of relations between", "have never been
    /// better": how the relation at `index`, whose words end at `stop`, is spoken of, if it is.
    fn tone(&self, index: usize, stop: usize) -> Option<f32> {
        let words = &self.reading.words;
        let sours = |group: &Group| group.cue.is_some_and(|cue| cue.carry == Carry::Turn);
        if index > 0 && self.groups.iter().any(|group| sours(group) && group.end == index) {
            return Some(-1.0);
        }
        let group = self.predicate_at(stop)?;
        if sours(group) {
            return (!group.negated).then_some(-1.0);
        }
        let behind = words.get(group.end).map_or("", |word| &*word.lower);
        let said = match behind {
            "better" | "closer" | "stronger" | "warmer" | "worse" | "colder" if group.negated => {
                // "Have never been better" compares, and denies nothing.
                return Some(if matches!(behind, "worse" | "colder") { -1.0 } else { 1.0 });
            }
            _ => (group.end..group.until.max(group.end))
                .take(3)
                .find_map(|at| evaluation(self.reading, at))
                .map(|(score, ..)| score),
        };
        let score = group.cue.map(|cue| cue.score).filter(|&score| score != 0.0).or(said)?;
        Some(score.signum()).filter(|_| group.copula && !group.negated)
    }

    /// "The agreement between A and B must be kept", "prospects for ties between A and B": what has
    /// to be done with a relation, or may come of it, says nothing of those who have it.
    ///
    /// - `noun`, `stop`: where the relation is named, and where the names behind it stop.
    fn is_wanted(&self, noun: usize, stop: usize) -> bool {
        const FAR: usize = 6;
        let before = &self.reading.words[noun.saturating_sub(FAR)..noun];
        let may_come = ["prospect", "possibilit", "hope", "chance"];
        let is_hoped =
            before.iter().any(|word| may_come.iter().any(|stem| word.lower.starts_with(stem)));
        is_hoped
            || self.predicate_at(stop).is_some_and(|group| {
                let mut words = self.reading.words[group.start..group.head].iter();
                let must =
                    |word: &Word<'_, '_>| matches!(&*word.lower, "must" | "should" | "needs");
                group.mood == Mood::Unreal || words.any(must)
            })
    }

    /// "X's trust in Y has been shaken": what the words before `stop` tell of is no more.
    fn is_lost(&self, stop: usize) -> bool {
        self.predicate_at(stop).is_some_and(|group| {
            let turns = group.cue.is_some_and(|cue| cue.carry == Carry::Turn);
            let fades = FADING.contains(&&*self.reading.words[group.head].lower);
            !group.negated && (turns || fades)
        })
    }

    /// The verb whose subject ends at `stop`.
    fn predicate_at(&self, stop: usize) -> Option<&Group> {
        self.groups.iter().find(|group| (stop..stop + 4).contains(&group.start) && group.finite)
    }

    /// "X, long wary of Y, left": a disposition that no verb ties to its holder.
    pub(super) fn of_free_adjectives(&mut self) {
        let words = &self.reading.words;
        let Some(be) = self.reading.copula else { return };
        for at in 1..words.len() {
            // The lists know it behind "be", in whose place the comma stands.
            let party = words[at - 1].name().filter(|_| words[at].part == Part::Comma);
            let Some(holder) = party.map(Doer::Party) else { continue };
            let Some((phrase, end)) = self.reading.longest(at, &be.verbs) else { continue };
            let goal = words[end..].iter().take(3).find_map(Word::name);
            if let Some(goal) = goal.filter(|_| phrase.rest.len() > 1 && phrase.cue.score != 0.0) {
                let score = phrase.cue.score;
                self.push_nominal(holder, goal, score, phrase.cue, (at + 1, end), "apposition");
            }
        }
    }

    /// "An understanding, like Peru's, of X": whose is likened has it.
    fn of_like(&mut self, cue: Cue, index: usize, end: usize) {
        let words = &self.reading.words;
        let Some(like) = (end..words.len()).take(3).find(|&at| words[at].lower == "like") else {
            return;
        };
        let owns = words.get(like + 2).is_some_and(|word| word.part == Part::Possessive);
        let Some(holder) = words.get(like + 1).and_then(Word::name).filter(|_| owns) else {
            return;
        };
        let of = (like + 3..words.len())
            .take(4)
            .find(|&at| matches!(&*words[at].lower, "of" | "for" | "toward" | "towards" | "on"));
        let Some(of) = of else { return };
        if let Some(goal) = words[of + 1..].iter().take(3).find_map(Word::name) {
            let at = (index, end);
            self.push_nominal(Doer::Party(holder), goal, cue.score, cue, at, LIKENED);
        }
    }

    /// "Condemnation of X by Y", "an alliance between X and Y", "aggression by X against Y".
    pub(super) fn of_free_nouns(&mut self) {
        let reading = self.reading;
        let words = &reading.words;
        for index in 0..words.len() {
            if words[index].name().is_some() {
                continue;
            }
            let Some((cue, end)) = noun_cue(reading, index) else { continue };
            let window = end..(end + 10).min(words.len());
            let stop = window
                .clone()
                .find(|&at| matches!(words[at].part, Part::Stop | Part::Verb(_) | Part::Auxiliary))
                .unwrap_or(window.end);
            let name_behind = |word: &str| {
                (end..stop)
                    .find(|&at| words[at].lower == word)
                    .and_then(|at| words[at + 1..stop].iter().take(4).find_map(Word::name))
            };
            if cue.kind == Kind::Relation
                && let Some(between) = (end..stop).find(|&at| words[at].lower == "between")
            {
                let names: Vec<u16> =
                    words[between..stop].iter().filter_map(Word::name).take(4).collect();
                let tone = self.tone(index, stop);
                let (score, rule) = match tone {
                    Some(tone) => (tone, TONE),
                    None if cue.score < 0.0 => (cue.score, TONE),
                    None if self.is_wanted(index, stop) => (0.0, BETWEEN),
                    None => (cue.score, "between"),
                };
                for &one in &names {
                    for &other in &names {
                        if one != other {
                            self.push_nominal(
                                Doer::Party(one),
                                other,
                                score,
                                cue,
                                (index, end),
                                rule,
                            );
                        }
                    }
                }
            }
            if matches!(cue.kind, Kind::Attitude) {
                self.of_like(cue, index, end);
            }
            let from = || name_behind("from").filter(|_| matches!(cue.kind, Kind::Attitude));
            if let Some(by) = name_behind("by").or_else(from) {
                for preposition in ["of", "on", "against", "for", "to"] {
                    if let Some(goal) = name_behind(preposition)
                        && goal != by
                        && cue.kind != Kind::Thing
                    {
                        self.push_nominal(
                            Doer::Party(by),
                            goal,
                            cue.score,
                            cue,
                            (index, end),
                            "by",
                        );
                    }
                }
            }
        }
    }
}
