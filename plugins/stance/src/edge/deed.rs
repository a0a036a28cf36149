//! What a verb says by the noun in its object: "backs sanctions on X", "an end to the embargo".

use super::{Chain, Finder, REFRAINS, RESISTS};
use crate::clause::Group;
use crate::lexicon::{Carry, Cue, Kind, class};
use crate::reading::Part;

impl Finder<'_, '_, '_> {
    /// What a verb says of whom its object, a noun of the lists, is for: a score and its rule.
    pub(super) fn of_object_noun(
        &self,
        group: &Group,
        (cue, own): (Cue, f32),
        noun: Cue,
        index: usize,
        chain: Chain,
    ) -> (f32, &'static str) {
        let negated = index > group.end
            && self.reading.words[group.end..index].iter().any(|word| word.part == Part::Negation);
        let odd = negated ^ chain.is_odd();
        if noun.score < 0.0 && !odd && self.is_ended(index) {
            let keeps = cue.carry != Carry::Turn;
            return if keeps { (1.0, RESISTS) } else { (-1.0, "noun of the object") };
        }
        // "Fought a war against".
        if cue.kind == Kind::War && noun.kind == Kind::War && !odd {
            return (noun.score, "noun of the object");
        }
        let score = if negated {
            Self::turned(noun.score, Chain { turns: 0, negations: 1, cut: false })
        } else {
            Self::carried(own, noun.score, cue.carry, chain)
        };
        if noun.score < 0.0 && !chain.cut {
            return self.toward_act(group, (cue.carry, noun.kind), odd, chain, score);
        }
        (score, "noun of the object")
    }

    /// "Bought arms from X over Y's objections": whoever does it in spite of others leans to X.
    pub(super) fn of_defiance(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let is_hostile = group.cue.is_some_and(|cue| cue.score < 0.0);
        let chain = self.chain(group);
        if group.passive || is_hostile || chain.cut || chain.is_odd() {
            return;
        }
        let Some(cue) = group.cue else { return };
        let objects = group.end..group.until.max(group.end);
        let spites = |at: usize| {
            matches!(&*words[at].lower, "despite" | "over" | "notwithstanding")
                && words.iter().skip(at + 1).take(3).any(|word| objects_to(&word.lower))
        };
        let Some(spite) = objects.clone().find(|&at| spites(at)) else { return };
        if let Some(goal) = (objects.start..spite).find_map(|at| words[at].name()) {
            let group = group.clone();
            self.give(&group, goal, 1.0, (cue, group.head, group.end), "in spite of others");
        }
    }

    /// "Seized a tanker carrying X's oil": whoever stops what is X's on its way acts against X.
    pub(super) fn of_cargo(&mut self, number: usize) {
        let Some([group, cargo]) = self.groups.get(number..number + 2) else { return };
        let words = &self.reading.words;
        let stops = |cue: &Cue| cue.score < 0.0 && matches!(cue.kind, Kind::None | Kind::Bad);
        let Some(cue) = group.cue.filter(|cue| !group.passive && stops(cue)) else { return };
        let carries = matches!(
            &*words[cargo.head].lower,
            "carrying" | "transporting" | "shipping" | "hauling" | "smuggling"
        );
        let is_object = words.get(group.end..cargo.start).is_some_and(|object| {
            object
                .iter()
                .all(|word| matches!(word.part, Part::Determiner | Part::Adjective | Part::Noun))
        });
        let chain = self.chain(group);
        let mut owners = cargo.end..cargo.until.max(cargo.end);
        let owner = owners.find_map(|at| words[at].name());
        if let Some(owner) = owner.filter(|_| carries && is_object && !chain.cut && !chain.is_odd())
        {
            let group = group.clone();
            self.give(&group, owner, cue.score, (cue, group.head, group.end), "of the object");
        }
    }

    /// "Condemned the threats of X", "gave full support to the war of X": the deed is that of
    /// whoever is named behind it.
    pub(super) fn is_of_doer(&self, noun: usize) -> bool {
        let words = &self.reading.words;
        let is_deed = matches!(
            &*words[noun].lower,
            "aggression"
                | "aggressions"
                | "threat"
                | "threats"
                | "crimes"
                | "provocations"
                | "lies"
                | "war"
                | "wars"
                | "offensive"
                | "campaign"
        );
        is_deed && words.get(noun + 1).is_some_and(|next| next.lower == "of")
    }

    /// "An end to the embargo", "the lifting of sanctions".
    fn is_ended(&self, noun: usize) -> bool {
        let words = &self.reading.words;
        let before = words[..noun].iter().rposition(|word| {
            !matches!(word.part, Part::Determiner | Part::Adjective | Part::Noun)
                || word.is(class::MEASURE)
        });
        let Some(of) = before.filter(|&at| 0 < at && matches!(&*words[at].lower, "to" | "of"))
        else {
            return false;
        };
        matches!(
            &*words[of - 1].lower,
            "end"
                | "halt"
                | "lifting"
                | "removal"
                | "easing"
                | "suspension"
                | "repeal"
                | "cessation"
        )
    }

    /// What a verb says of whom its object, a hostile noun, is against: a score and its rule.
    ///
    /// - `odd`: whether the object is not had, or not done.
    /// - `score`: what verb and noun come to.
    fn toward_act(
        &self,
        group: &Group,
        (carry, kind): (Carry, Kind),
        odd: bool,
        chain: Chain,
        score: f32,
    ) -> (f32, &'static str) {
        match carry {
            Carry::Keep if odd => (chain.lean(), REFRAINS),
            // "Abstained in the vote against X": as where the text of the vote has a verb.
            Carry::Turn if self.abstains(group) => (0.0, REFRAINS),
            Carry::Turn if !odd && score > 0.0 && kind == Kind::Attitude => (score, RESISTS),
            _ => (score, "noun of the object"),
        }
    }

    /// What a noun inside the object says, when its verb says `own`.
    pub(super) fn carried(own: f32, score: f32, carry: Carry, chain: Chain) -> f32 {
        let side = if own > 0.0 { 1.0 } else { -1.0 };
        match carry {
            Carry::Keep if own == 0.0 => Self::turned(score, chain),
            Carry::Keep => score.signum() * score.abs().max(own.abs()) * side,
            Carry::Turn if own == 0.0 => {
                Self::turned(score, Chain { turns: chain.turns + 1, ..chain })
            }
            // The turn and its negation are in `own` already.
            Carry::Turn => score * side * own.abs().min(1.0),
            Carry::Cut | Carry::Report => 0.0,
        }
    }
}

/// Whether a word names what others have against a deed.
fn objects_to(word: &str) -> bool {
    matches!(
        word,
        "objection"
            | "objections"
            | "pressure"
            | "criticism"
            | "opposition"
            | "protest"
            | "protests"
            | "outcry"
            | "warning"
            | "warnings"
            | "condemnation"
    )
}
