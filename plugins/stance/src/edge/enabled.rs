//! Acts that are the subject of a passive: "the attack by X on Y was made possible by Z".

use super::{ABETS, Chain, Finder, of_measure};
use crate::clause::{Doer, Group, noun_cue, owned_run};
use crate::lexicon::{Cue, Kind};
use crate::reading::{Part, Word};

/// Whose act it is, and whom it is against, as far as the sentence says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Act {
    doer: Option<u16>,
    victim: Option<u16>,
}

/// What an act of somebody has to do with the subject of a passive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActOfSubject {
    /// There is none.
    None,
    /// "X's war": the subject is the act.
    Meant,
    /// "A report on X's war": it stands in the subject.
    Mentioned,
}

impl Finder<'_, '_, '_> {
    /// The hostile act that is the subject of a passive, where nobody is: "the war of X on Y",
    /// "attacks on Y", "the war in X's neighbour".
    pub(super) fn act_before(&self, group: &Group) -> Option<Act> {
        let words = &self.reading.words;
        let is_named = group.subjects.iter().any(|doer| matches!(doer, Doer::Party(_)));
        let before = self.groups.iter().filter(|other| other.end <= group.start);
        let floor = before.map(|other| other.end).max().unwrap_or(0);
        let is_act = |cue: &Cue| {
            cue.score < 0.0 && matches!(cue.kind, Kind::War | Kind::Act | Kind::Attitude)
        };
        let found = (floor..group.start).find_map(|at| {
            noun_cue(self.reading, at).filter(|(cue, _)| is_act(cue)).map(|(_, end)| (at, end))
        });
        let (at, end) = found.filter(|_| !is_named && !group.relative)?;
        if !self.begins_at(floor, at) || words.get(end).is_some_and(|next| next.part == Part::Noun)
        {
            return None;
        }
        let mut act = Act { doer: self.owner_over(floor, at), victim: None };
        // "Protests against the war on X" are against the war.
        let until = (end..group.start).find(|&at| noun_cue(self.reading, at).is_some());
        for index in end..until.unwrap_or(group.start) {
            let Some((party, link)) = self.name_with_link(end, index) else { continue };
            let is_neighbour = owned_run(self.reading, index)
                .is_some_and(|run| is_neighbour(&words[run.head].lower));
            match link {
                "by" | "from" => act.doer = act.doer.or(Some(party)),
                "of" if self.is_of_doer(at, end) => act.doer = act.doer.or(Some(party)),
                // Whose neighbour it is tells who makes the war.
                "in" | "on" | "against" if is_neighbour => act.doer = act.doer.or(Some(party)),
                "on" | "of" | "against" | "upon" => act.victim = act.victim.or(Some(party)),
                _ => {}
            }
        }
        Some(act)
    }

    /// Whether the noun at `at` is the head of a subject that begins behind `floor`, where another
    /// verb may end: not so in "a resolution to condemn the attack" and "victims of the attack".
    fn begins_at(&self, floor: usize, at: usize) -> bool {
        let words = &self.reading.words;
        let is_bound = |word: &Word<'_, '_>| matches!(word.part, Part::Comma | Part::Stop);
        let begin = words[floor..at].iter().rposition(is_bound).map_or(floor, |it| floor + it + 1);
        let hangs = |word: &Word<'_, '_>| {
            matches!(word.part, Part::Preposition | Part::To | Part::Relative | Part::Verb(_))
        };
        (begin > floor || floor == 0) && !words[begin..at].iter().any(hangs)
    }

    /// "X's war on Y, made possible by Z": whether such an act is what the subject is about.
    pub(super) fn act_of_subject(&self, group: &Group) -> ActOfSubject {
        let is_war = |&at: &usize| {
            let run = owned_run(self.reading, at);
            let act = run.and_then(|run| run.cue(self.reading));
            act.is_some_and(|(cue, ..)| cue.score < 0.0 && cue.kind == Kind::War)
        };
        let owner = group.subjects.iter().find_map(|doer| match doer {
            Doer::Party(party) => {
                Some(usize::from(self.reading.word_of[usize::from(*party)])).filter(is_war)
            }
            Doer::First => None,
        });
        match owner {
            None => ActOfSubject::None,
            Some(at) if self.begins_at(0, at) => ActOfSubject::Meant,
            Some(_) => ActOfSubject::Mentioned,
        }
    }

    /// Who owns the noun at `at`, which no subject is: "the Spanish attack", "Spain's brazen and
    /// cruel attack".
    fn owner_over(&self, floor: usize, at: usize) -> Option<u16> {
        let words = &self.reading.words;
        let is_of_noun = |index: usize| {
            words[index + 1].part == Part::Possessive
                && !words[index + 1..at].iter().any(|word| word.part == Part::Preposition)
        };
        let owns = |index: &usize| {
            let run = owned_run(self.reading, *index);
            run.is_some_and(|run| (run.start..run.end).contains(&at) || is_of_noun(*index))
        };
        let name = (floor..at).filter(|&index| words[index].name().is_some()).find(owns);
        name.and_then(|index| words[index].name())
    }

    /// The name at `index` and the preposition before it, with nothing between but what describes
    /// it.
    fn name_with_link(&self, from: usize, index: usize) -> Option<(u16, &str)> {
        let words = &self.reading.words;
        let party = words[index].name()?;
        let describes =
            |word: &Word<'_, '_>| matches!(word.part, Part::Determiner | Part::Adjective);
        let link = words[from..index].iter().rposition(|word| !describes(word))?;
        let word = &words[from + link];
        (word.part == Part::Preposition).then_some((party, &*word.lower))
    }

    /// Whoever helps such an act helps its doer, and whoever blames it blames him; its victim is
    /// helped by blame and hurt by help.
    pub(super) fn of_act_before(
        &mut self,
        group: &Group,
        (cue, act): (Cue, Act),
        chain: Chain,
        (agent, own, rule): (u16, f32, &'static str),
    ) {
        let at = (group.head, group.end);
        if let Some(doer) = act.doer {
            let rule = if own > 0.0 { ABETS } else { rule };
            self.push(Doer::Party(agent), doer, own, cue, at, group, rule);
        }
        if let Some(victim) = act.victim.filter(|_| own != 0.0 && !chain.is_odd()) {
            let (score, rule) = of_measure(own);
            let rule = if own > 0.0 { ABETS } else { rule };
            self.push(Doer::Party(agent), victim, score, cue, at, group, rule);
        }
    }
}

fn is_neighbour(word: &str) -> bool {
    matches!(word, "neighbour" | "neighbours" | "neighbor" | "neighbors")
}
