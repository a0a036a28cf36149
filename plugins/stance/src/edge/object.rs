//! What a verb says of its objects: who does it, toward whom, and how what stands between turns it.

use super::unnamed::is_against_somebody;
use super::{BETWEEN, Chain, Finder, REFRAINS, RESISTS};
use crate::clause::{Group, OwnedRun, noun_cue, owned_run};
use crate::lexicon::{Carry, Cue, Kind, class};
use crate::reading::{Part, Word};

/// What a party at a place among the objects would get, by which cue and rule.
type Said = (f32, (Cue, usize, usize), &'static str);

impl Finder<'_, '_, '_> {
    pub(super) fn of_group(&mut self, number: usize) {
        let group = &self.groups[number];
        let Some(cue) = group.cue else { return };
        let chain = self.chain(group);
        if self.is_silent(group) {
            self.of_silence(group, cue);
            return;
        }
        let is_advice = self.warns_of_hazard(group);
        if group.passive && !is_advice {
            self.of_passive(group, cue, chain);
        }
        if group.passive {
            return;
        }
        if group.subjects.is_empty() {
            return;
        }
        if cue.carry == Carry::Report && cue.score == 0.0 {
            self.of_address(group, cue);
            return;
        }
        let mut own = if cue.score == 0.0 { 0.0 } else { Self::turned(cue.score, chain) };
        if own != 0.0 && own * cue.score < 0.0 && self.is_answered(number, cue.score) {
            self.of_balance(group, cue);
            return;
        }
        let takes_no_side =
            self.abstains(group) && cue.score == 0.0 || self.is_impartial(group) || is_advice;
        if self.only_sends_men(group, cue) {
            return;
        }
        if takes_no_side
            || self.stands_at_a_place(group)
            || self.is_of_estimate(group)
            || self.rejects_comparison(group)
        {
            self.of_balance(group, cue);
            return;
        }
        // "Would not let the ship dock": a refusal by whoever could permit.
        let permits = self.reading.words[group.head].is(class::PERMITTING);
        if permits && group.negated && !chain.cut {
            own = -1.0;
        }
        self.scan(group, cue, own, chain);
        self.of_verdict(group, cue, chain);
        self.of_joint_act(group, chain);
    }

    /// "Said nothing", "kept silent".
    fn is_silent(&self, group: &Group) -> bool {
        let words = &self.reading.words;
        let next = words.get(group.head + 1).map_or("", |word| &*word.lower);
        match &*words[group.head].lower {
            "said" | "says" | "say" | "saying" => next == "nothing",
            "keep" | "keeps" | "kept" | "stay" | "stays" | "stayed" | "remain" | "remains"
            | "remained" => matches!(next, "silent" | "quiet" | "mum"),
            _ => false,
        }
    }

    /// Whoever keeps silent takes no side toward anybody in the sentence.
    fn of_silence(&mut self, group: &Group, cue: Cue) {
        let reading = self.reading;
        for word in &reading.words {
            if let Some(party) = word.name().filter(|_| !group.negated) {
                self.give(group, party, 0.0, (cue, group.head, group.end), BETWEEN);
            }
        }
    }

    /// "Remains neutral in the war between X and Y".
    fn is_impartial(&self, group: &Group) -> bool {
        let said =
            |word: &Word<'_, '_>| matches!(&*word.lower, "neutral" | "impartial" | "nonaligned");
        !group.negated && self.reading.words.iter().skip(group.end).take(2).any(said)
    }

    /// "Downgraded its forecast for X": what is done to an estimate is for or against nobody.
    fn is_of_estimate(&self, group: &Group) -> bool {
        // The "outlook" of "share X's outlook" is the phrase's own.
        let from = group.end.max(group.whole);
        let objects = from..group.until.max(from);
        let first = objects.take(5).find_map(|at| noun_cue(self.reading, at));
        first.is_some_and(|(noun, _)| noun.kind == Kind::Thing && noun.score == 0.0)
    }

    /// "Neither blamed nor defended": whoever is named stands between the sides.
    pub(super) fn of_balance(&mut self, group: &Group, cue: Cue) {
        for index in group.end..group.until {
            if let Some(party) = self.reading.words[index].name() {
                self.give(group, party, 0.0, (cue, group.head, group.end), BETWEEN);
            }
        }
    }

    /// Whether the same subject turns away from the opposite, too.
    pub(super) fn is_answered(&self, number: usize, score: f32) -> bool {
        let group = &self.groups[number];
        self.groups.iter().enumerate().any(|(other, found)| {
            let opposite = found.cue.is_some_and(|cue| cue.score * score < 0.0);
            other != number && opposite && found.subjects == group.subjects && {
                let chain = self.chain(found);
                !chain.cut && (chain.turns + chain.negations) % 2 == 1
            }
        })
    }

    /// "Deplored what X had done": whoever did it meets the attitude to the deed.
    fn of_clause(&mut self, group: &Group, cue: Cue, own: f32) {
        let words = &self.reading.words;
        let opens = words
            .get(group.end)
            .is_some_and(|word| matches!(&*word.lower, "what" | "whatever" | "how" | "that"));
        let doer = words
            .iter()
            .skip(group.end + 1)
            .take(3)
            .take_while(|word| matches!(word.part, Part::Determiner | Part::Name(_)))
            .find_map(Word::name);
        if let Some(doer) = doer.filter(|_| opens && own != 0.0 && group.until <= group.end + 1) {
            self.give(group, doer, own, (cue, group.head, group.end), "owner of the object");
        }
    }

    /// Walks over the objects of a verb and gives each party its share of the attitude.
    pub(super) fn scan(&mut self, group: &Group, cue: Cue, own: f32, chain: Chain) {
        let reading = self.reading;
        let words = &reading.words;
        // What a party at this place would get, and which cue gives it.
        let mut current = own;
        let mut cue_now = (cue, group.head, group.end);
        let mut rule = "object";
        if chain.is_odd() && cue.score < 0.0 {
            (current, rule) = (chain.lean(), REFRAINS);
        }
        let carries = |score: f32, carry: Carry| Self::carried(own, score, carry, chain);
        let mut index = group.end;
        // "Stands with Y against the attempts by X".
        let mut of_doer = own;
        while index < group.until {
            let word = &words[index];
            if word.lower == "by" && index > group.end {
                self.of_by(group, (cue, of_doer), index, chain, (current, cue_now, rule));
                break;
            }
            // "Sanctions against X": the noun has said it already; not so in "in protest against
            // X".
            let is_of_noun = cue_now.1 != group.head
                && cue_now.0.score < 0.0
                && (words[cue_now.1 - 1].part != Part::Preposition
                    || words[cue_now.1 - 1].lower == "of");
            if word.lower == "against"
                && !matches!(cue_now.0.kind, Kind::War | Kind::Act)
                && !is_of_noun
                && index > group.end
            {
                (current, rule) = self.against(group, (cue, own), index, chain, current);
                if rule == "against" {
                    of_doer = -own.abs();
                }
                index += 1;
                continue;
            }
            // "Rejects the threats to Y, including X's order": one more of what the verb has.
            if word.lower == "including" && own != 0.0 && self.is_act_of(index + 1) {
                (current, cue_now, rule) = (own, (cue, group.head, group.end), "object");
            }
            if let Some(behind) = self.behind_time(group, index, current) {
                index = behind;
                continue;
            }
            if current > 0.0 && self.is_host_between(group, cue, index) {
                (current, rule) = (0.0, BETWEEN);
            }
            if let Some(turned) = self.arms_go(group, cue, cue_now, index) {
                current = turned;
            }
            self.of_pronoun(group, index, current, cue_now);
            if let Some(party) = word.name() {
                if let Some((aid, at, end)) = self.gift_behind(group, cue, index) {
                    let score = Self::turned(aid.score, chain);
                    self.give(group, party, score, (aid, at, end), "noun of the object");
                    index = end;
                    continue;
                }
                if let Some(run) = owned_run(reading, index)
                    && run.start < group.until
                {
                    self.owner_as_goal(
                        group, party, rule, run, current, own, cue_now, &carries, cue,
                    );
                    // What follows belongs to the owned noun: "Russia's invasion of Ukraine".
                    if let Some((noun, at, end)) = run.cue(reading)
                        && noun.kind != Kind::Relation
                    {
                        current = if own == 0.0 {
                            0.0
                        } else {
                            -own.signum() * if noun.score < 0.0 { 1.0 } else { 0.0 }
                        };
                        cue_now = (noun, at, end);
                        // "Will veto the EU's sanctions against X".
                        let resists = noun.score < 0.0
                            && noun.kind == Kind::Attitude
                            && cue.carry == Carry::Turn
                            && own < 0.0;
                        rule = if resists { RESISTS } else { "of the object" };
                    }
                    // "Russian surface-to-air missiles" are longer than what their owner has at first.
                    index = run.end.max(cue_now.2.min(group.until));
                    continue;
                }
                self.of_plain_object(group, party, index, chain, (current, cue_now, rule));
                if own < 0.0 && self.is_war_of(group, cue_now) {
                    (current, rule) = (1.0, RESISTS);
                }
                index += 1;
                continue;
            }
            if let Some((behind, end)) =
                self.of_noun(group, (cue, own), index, chain, (current, cue_now, rule))
            {
                (current, cue_now, rule) = behind;
                index = end.max(index + 1);
                continue;
            }
            index += 1;
        }
        self.of_clause(group, cue, own);
        let rest = &words[group.end..group.until.max(group.end)];
        let blames = own <= -1.0 && is_against_somebody(&words[group.head].lower);
        if blames && rest.iter().all(|word| word.name().is_none()) && !self.has_bare_object(group) {
            self.of_nameless(group, own, (cue, group.head, group.end));
        }
    }

    /// What stands behind "against" would get, and the rule.
    fn against(
        &self,
        group: &Group,
        (cue, own): (Cue, f32),
        at: usize,
        chain: Chain,
        current: f32,
    ) -> (f32, &'static str) {
        let of_text = self.reading.words[group.end..at].iter().any(|word| word.is(class::TEXT));
        if chain.is_odd() {
            (chain.lean(), REFRAINS)
        } else if of_text && own < 0.0 && cue.carry == Carry::Turn {
            // "Vetoed a text against X".
            (1.0, RESISTS)
        } else {
            let least = if cue.score > 0.0 || own != 0.0 { 1.0 } else { 0.0 };
            (-current.abs().max(least), "against")
        }
    }

    /// Whether the next name, near `from`, owns an act of the lists: "X's order".
    fn is_act_of(&self, from: usize) -> bool {
        let mut near = (from..self.reading.words.len()).take(3);
        let name = near.find(|&at| self.reading.words[at].name().is_some());
        let run = name.and_then(|at| owned_run(self.reading, at));
        run.is_some_and(|run| run.cue(self.reading).is_some())
    }

    /// What a party behind a noun of the lists would get, by which cue and rule, and where the noun
    /// ends.
    fn of_noun(
        &self,
        group: &Group,
        (cue, own): (Cue, f32),
        index: usize,
        chain: Chain,
        (mut current, mut cue_now, mut rule): Said,
    ) -> Option<(Said, usize)> {
        let (noun, end) = noun_cue(self.reading, index)?;
        // "The war against its neighbour X": the noun only says who X is.
        let is_title = noun.kind == Kind::Relation
            && self.reading.words.get(end).is_some_and(|next| next.name().is_some());
        if noun.kind == Kind::Relation && own >= 0.0 && self.is_of_object(group, index) {
            return Some(((0.0, (noun, index, end), BETWEEN), end));
        }
        let acts = noun.kind != Kind::Thing && !is_title;
        if acts && self.has_goal(end) && group.until > end {
            if current == 0.0 || !self.is_of_doer(index, end) {
                (current, rule) = self.of_object_noun(group, (cue, own), noun, index, chain);
            } else if !matches!(rule, REFRAINS | RESISTS) {
                rule = "owner of the object";
            }
            cue_now = (noun, index, end);
        }
        Some(((current, cue_now, rule), end))
    }

    /// Where what says when ends: "stands by X until Y leaves", and at a comma "praised X after the
    /// war of Y, and its men".
    fn behind_time(&self, group: &Group, index: usize, current: f32) -> Option<usize> {
        let rest = self.reading.words.get(index..group.until)?;
        let comma = rest.iter().position(|word| word.part == Part::Comma);
        let to_comma = comma.unwrap_or(rest.len());
        // "Helped Y during its war against X" takes a side in it.
        let takes_side = || rest[..to_comma].iter().any(|word| word.lower == "against");
        let length = match &*rest.first()?.lower {
            "until" | "till" => rest.len(),
            "before" | "after" | "since" | "during" if current > 0.0 && !takes_side() => to_comma,
            _ => return None,
        };
        (index > group.end).then_some(index + length)
    }

    /// "Met a banker with close ties to X": they are the banker's.
    fn is_of_object(&self, group: &Group, noun: usize) -> bool {
        let words = &self.reading.words;
        let describes = |word: &Word<'_, '_>| {
            matches!(word.part, Part::Determiner | Part::Adjective | Part::Noun | Part::Adverb)
        };
        let with = words[group.end.min(noun)..noun].iter().rposition(|word| !describes(word));
        let with = with.map(|at| group.end + at).filter(|&at| words[at].lower == "with");
        with.is_some_and(|with| {
            let object = &words[with - 1];
            let joins = ["replac", "combin", "pair", "swap"]
                .iter()
                .any(|stem| words[group.head].lower.starts_with(stem));
            group.end < with
                && !group.copula
                && !joins
                && (object.part == Part::Noun && noun_cue(self.reading, with - 1).is_none()
                    || object.name().is_some())
        })
    }

    /// "The war of X against Y": whoever condemns it is not against Y.
    fn is_war_of(&self, group: &Group, (noun, at, end): (Cue, usize, usize)) -> bool {
        noun.kind == Kind::War && at != group.head && self.is_of_doer(at, end)
    }

    /// Whether what may be the goal of a noun follows at once.
    fn has_goal(&self, end: usize) -> bool {
        self.reading.words.get(end).is_some_and(|next| {
            matches!(next.part, Part::Preposition | Part::To | Part::Comma | Part::Name(_))
        })
    }

    /// Who stands behind a "by": whoever does what the verb says, or, in "solidarity with the
    /// measures taken by X", a goal.
    fn of_by(
        &mut self,
        group: &Group,
        (cue, own): (Cue, f32),
        by: usize,
        chain: Chain,
        said: Said,
    ) {
        let words = &self.reading.words;
        let of_noun = words[by - 1].part == Part::Preposition;
        // "Voted against an inquiry into abuses by X".
        let of_inquiry = said.1.0.kind == Kind::Attitude && matches!(said.2, RESISTS | REFRAINS);
        match words.iter().skip(by + 1).take(2).find_map(Word::name) {
            Some(party) if of_noun || of_inquiry => {
                self.of_plain_object(group, party, by, chain, said);
            }
            _ => self.of_agent(group, cue, own, by),
        }
    }

    /// "Hosted talks between X and Y", which is for neither.
    fn is_host_between(&self, group: &Group, cue: Cue, index: usize) -> bool {
        cue.kind == Kind::Aid
            && self.reading.words[index].lower == "between"
            && self.is_one_of_several(index + 1, group.until)
    }

    /// "Condemned the annexation by X": whoever did it meets the attitude to the deed.
    fn of_agent(&mut self, group: &Group, cue: Cue, own: f32, by: usize) {
        let words = &self.reading.words;
        let doer = words[by + 1..group.until.max(by + 1)].iter().take(3).find_map(Word::name);
        let deed = (group.end..by).any(|at| words[at].part == Part::Noun);
        if let Some(doer) = doer.filter(|_| deed && own != 0.0) {
            self.give(group, doer, own, (cue, group.head, group.end), "owner of the object");
        }
    }

    /// A party that is the object by itself.
    fn of_plain_object(
        &mut self,
        group: &Group,
        party: u16,
        index: usize,
        chain: Chain,
        (current, cue_now, rule): Said,
    ) {
        // "Called it a weapon" gives nobody one.
        let says_nothing = group.cue.is_some_and(|cue| cue.score == 0.0 && cue.kind != Kind::Judge);
        // "Blamed A and not B".
        let words = &self.reading.words;
        let is_excepted = index >= 2
            && words[index - 1].part == Part::Negation
            && matches!(words[index - 2].part, Part::Coordinator | Part::Comma);
        if is_excepted {
            let blames = ["blam", "accus", "fault"]
                .iter()
                .any(|stem| words[group.head].lower.starts_with(stem));
            let (score, rule) = if blames { (1.0, RESISTS) } else { (0.0, BETWEEN) };
            self.give(group, party, score, cue_now, rule);
            return;
        }
        // "Calls on A and B to talk" blames neither.
        if self.reading.words[group.head].is(class::REQUEST)
            && self.is_one_of_several(index, group.until)
        {
            self.give(group, party, 0.0, cue_now, BETWEEN);
        } else if let Some((aid, at, end)) =
            self.aid_behind(index, group.until).filter(|_| says_nothing)
        {
            let score = Self::turned(aid.score, chain);
            self.give(group, party, score, (aid, at, end), "noun of the object");
        } else {
            self.give(group, party, current, cue_now, rule);
        }
    }

    /// Where arms go behind a verb that says nothing itself: missiles "at X" are no gift, and tanks
    /// "in X" are nobody's.
    fn arms_go(
        &self,
        group: &Group,
        cue: Cue,
        (noun, at, end): (Cue, usize, usize),
        index: usize,
    ) -> Option<f32> {
        let word = &self.reading.words[index];
        let armed = noun.kind == Kind::Aid && at != group.head && noun.score > 0.0;
        // "Rifles to the men of X" have gone to X.
        let gone = || {
            let between = self.reading.words.get(end..index).unwrap_or_default();
            between.iter().any(|word| matches!(&*word.lower, "to" | "for"))
        };
        if !armed || cue.score != 0.0 || word.part != Part::Preposition || gone() {
            return None;
        }
        match &*word.lower {
            "on" if self.reading.words.get(index + 1).is_some_and(|next| next.lower == "to") => {
                None
            }
            "at" | "on" | "onto" | "against" | "into" | "toward" | "towards" => Some(-noun.score),
            "in" | "near" | "inside" | "across" | "from" | "of" | "over" | "by" => Some(0.0),
            _ => None,
        }
    }

    /// A party that owns a part of the object: "condemned Russia's war", "is Russia's ally".
    #[expect(clippy::too_many_arguments, reason = "the state of the walk over the objects")]
    pub(super) fn owner_as_goal(
        &mut self,
        group: &Group,
        party: u16,
        rule: &'static str,
        run: OwnedRun,
        current: f32,
        own: f32,
        cue_now: (Cue, usize, usize),
        carries: &dyn Fn(f32, Carry) -> f32,
        cue: Cue,
    ) {
        if self.reading.words[run.start..run.end].iter().any(|word| word.is(class::CULTURE)) {
            return;
        }
        let noun = run.cue(self.reading);
        if let Some((noun, at, end)) = noun {
            match noun.kind {
                Kind::Relation if own == 0.0 => {
                    let score = carries(noun.score, cue.carry);
                    self.give(group, party, score, (noun, at, end), "owner of the relation");
                    return;
                }
                // Whoever is for or against an ally of somebody hardly says more.
                Kind::Relation => {
                    self.give(group, party, own * 0.5, cue_now, "owner of the relation");
                    return;
                }
                Kind::Attitude if noun.score < 0.0 && own > 0.0 => {
                    // "Welcomed Russia's condemnation" is with Russia.
                    self.give(group, party, own, cue_now, "owner of the object");
                    return;
                }
                _ => {}
            }
        }
        // An embargo on Russian gas is meant for Russia.
        let rule = if matches!(rule, REFRAINS | RESISTS) { rule } else { "owner of the object" };
        self.give(group, party, current, cue_now, rule);
    }

    /// "Sent X two hundred missiles": arms right behind whoever gets them.
    pub(super) fn aid_behind(&self, index: usize, until: usize) -> Option<(Cue, usize, usize)> {
        let words = &self.reading.words;
        (index + 1..until)
            .take(6)
            .take_while(|&at| {
                matches!(
                    words[at].part,
                    Part::Determiner | Part::Adjective | Part::Noun | Part::Adverb | Part::Other
                ) || words[at].lower == "of"
            })
            .find_map(|at| noun_cue(self.reading, at).map(|(noun, end)| (noun, at, end)))
            .filter(|(noun, ..)| noun.kind == Kind::Aid && noun.score > 0.0)
    }

    /// "Sold X radars": what is right behind whoever gets it, after a verb that takes two objects.
    /// "Sold X's radars to Y" and "sold Y radars of X" are others.
    fn gift_behind(&self, group: &Group, cue: Cue, index: usize) -> Option<(Cue, usize, usize)> {
        let words = &self.reading.words;
        let gives = words[group.head].is(class::GIVING);
        let right_behind = index == group.end && cue.score >= 0.0;
        let rest = words.get(index + 1..group.until.max(index + 1)).unwrap_or_default();
        let goes_on = rest.iter().any(|word| {
            word.part == Part::Possessive || matches!(&*word.lower, "to" | "for" | "against")
        });
        if !(gives && right_behind) || goes_on {
            return None;
        }
        self.aid_behind(index, group.until)
    }

    /// Whether the name at `index` is joined by "and" to another one.
    pub(super) fn is_one_of_several(&self, index: usize, until: usize) -> bool {
        let words = &self.reading.words;
        let joins = |joint: usize, other: usize| {
            words.get(joint).is_some_and(|word| word.part == Part::Coordinator)
                && words.get(other).is_some_and(|word| word.name().is_some())
        };
        index + 2 < until && joins(index + 1, index + 2)
            || index >= 2 && joins(index - 1, index - 2)
    }
}
