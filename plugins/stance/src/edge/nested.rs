//! Acts about acts: who rejects a call to condemn somebody, votes on a text against him, calls the
//! sanctions on him unlawful, or denies a deed toward him.
//!
//! The words of the inner act are there, and speak another way than whoever is asked about it. What
//! is found here stands in place of what the words alone say of the same holder and target.

use super::{Edge, Finder, MAX_EDGES, REFRAINS, REJECTED, RESISTS};
use crate::clause::{Doer, Group, noun_cue, owned_run};
use crate::lexicon::{Carry, Cue, Kind, class};
use crate::reading::{Part, Word};

/// How somebody stands toward an act of others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Side {
    For,
    Against,
    /// Takes no part in it: abstains, or looks away.
    Aside,
    /// Will not take part in it, and says so.
    Refuses,
}

/// What an inner act says of whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) target: u16,
    pub(super) score: f32,
    /// A measure that is taken back: "lift the sanctions on X", "soften its criticism of X".
    pub(super) undoes: bool,
}

/// How far behind its verb a text or call may stand, in words.
pub(super) const REACH: usize = 9;

impl Finder<'_, '_, '_> {
    pub(super) fn of_nested(&mut self) {
        for number in 0..self.groups.len() {
            self.of_text(number);
            self.of_owned_act(number);
            self.of_rewarded_deed(number);
            self.of_denial(number);
            self.of_judged_measure(number);
            self.of_measure_clause(number);
            self.of_aimed_measure(number);
            self.of_untruth(number);
            self.of_unsaid(number);
            self.of_related_measure(number);
            self.of_designation(number);
            self.of_call_to_stop(number);
            self.of_wish(number);
        }
        self.of_forgery();
    }

    /// "Voted against a resolution that condemns X", "rejected a call to condemn X", "abstained
    /// when the council censured X".
    fn of_text(&mut self, number: usize) {
        let group = &self.groups[number];
        if group.passive || group.subjects.is_empty() {
            return;
        }
        let Some(side) = self.side_of(group) else { return };
        let abstains = self.abstains(group);
        for inner in number + 1..self.groups.len() {
            let found = &self.groups[inner];
            if self.is_cut(group.end, found.start) {
                break;
            }
            let text = self.text_before(group.end, found);
            let of_others = abstains && (!found.finite || !self.same_doers(found, group));
            if text.is_none() && !of_others {
                continue;
            }
            let accused = text.filter(|_| found.finite).and_then(|text| self.accused(text, found));
            let Some(content) = accused.or_else(|| self.content(found)) else { continue };
            // Who blocks a proposal stands against those who would act on it.
            let is_call = text.is_some_and(|text| {
                let word = &self.reading.words[text];
                word.is(class::REQUEST) && !word.lower.starts_with("propos")
            });
            let (score, rule) = toward(side, content, is_call);
            if let Some(caller) = text.and_then(|text| self.owner_of_text(text)) {
                let calls = Group { subjects: vec![Doer::Party(caller)], ..group.clone() };
                let span = (group.end, found.until);
                self.rule(&calls, span, content.target, content.score, "noun of the object");
            }
            self.rule(group, (group.start, found.until), content.target, score, rule);
            return;
        }
    }

    /// "Condemned X's support for Y", "welcomed X's criticism of Y": an act that is another's.
    fn of_owned_act(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let judges = |cue: &Cue| matches!(cue.kind, Kind::None | Kind::Judge) && cue.score != 0.0;
        let Some(cue) = group.cue.filter(judges) else { return };
        let is_plain = !group.passive && !self.chain(group).is_odd();
        let owner = (group.end..words.len())
            .take(if is_plain { 3 } else { 0 })
            .take_while(|&at| {
                let part = words[at].part;
                matches!(part, Part::Determiner | Part::Adjective | Part::Other | Part::Name(_))
            })
            .find(|&at| words[at].name().is_some());
        let Some(run) = owner.and_then(|at| owned_run(self.reading, at)) else { return };
        let act = run.cue(self.reading).map(|(act, ..)| act);
        let is_act = |act: &Cue| matches!(act.kind, Kind::Attitude | Kind::War | Kind::Aid);
        let act = act.filter(|act| is_act(act) && act.score != 0.0);
        let score = match words.get(run.end).map_or("", |word| &*word.lower) {
            "against" => Some(-1.0),
            "for" | "of" | "on" | "to" | "with" | "towards" => act.map(|act| act.score.signum()),
            _ => None,
        };
        let Some(score) = score else { return };
        // A noun before the name or one that it owns is the goal: "support for opponents of X".
        let is_the = words.get(run.end + 1).is_some_and(|word| word.part == Part::Determiner);
        let at = run.end + 1 + usize::from(is_the);
        let Some(target) = words.get(at).and_then(Word::name) else { return };
        if owned_run(self.reading, at).is_some() {
            return;
        }
        let side = if cue.score > 0.0 { Side::For } else { Side::Against };
        let content = Content { target, score, undoes: false };
        let (score, rule) = toward(side, content, false);
        self.rule(group, (group.start, at + 1), target, score, rule);
    }

    /// "Blamed X for provoking Y", "accused X of arming Y", "jailed a writer who had insulted Y":
    /// whoever punishes or praises somebody for a deed toward another takes a side in it.
    fn of_rewarded_deed(&mut self, number: usize) {
        let Some([group, deed]) = self.groups.get(number..number + 2) else { return };
        let words = &self.reading.words;
        let rewards = |cue: &Cue| {
            let is_deed = matches!(cue.kind, Kind::None | Kind::Judge | Kind::Bad);
            is_deed && cue.score != 0.0 && matches!(cue.carry, Carry::Keep | Carry::Turn)
        };
        let plain = !group.passive && !group.subjects.is_empty();
        let Some(cue) = group.cue.filter(|cue| plain && rewards(cue)) else { return };
        let from = group.end;
        let Some((last, object)) = words.get(from..deed.start).and_then(<[_]>::split_last) else {
            return;
        };
        let accuses = words[group.head].lower.starts_with("accus");
        let is_link = last.part == Part::Relative && deed.finite
            || (last.lower == "for" || last.lower == "of" && accuses)
                && !deed.finite
                && words[deed.head].lower.ends_with("ing");
        let is_object = |word: &Word<'_, '_>| {
            matches!(
                word.part,
                Part::Name(_) | Part::Noun | Part::Adjective | Part::Determiner | Part::Possessive
            )
        };
        if !is_link || object.is_empty() || !object.iter().all(is_object) {
            return;
        }
        // "For sanctioning X too late", "only in private": it is the half of it that is blamed.
        let halves = |word: &Word<'_, '_>| matches!(&*word.lower, "too" | "only" | "late");
        // "Who had been insulted by X": it was done to him.
        let suffers = deed.passive
            || words[deed.start..deed.head]
                .iter()
                .any(|word| matches!(&*word.lower, "been" | "was" | "were"))
                && !words[deed.head].lower.ends_with("ing");
        if suffers || words[deed.head..deed.until.max(deed.head)].iter().any(halves) {
            return;
        }
        let chain = self.chain(group);
        let Some(content) = self.content(deed).filter(|_| !chain.cut && !chain.is_odd()) else {
            return;
        };
        let actor = |party: u16| self.reading.parties[party as usize].actor;
        let names_target = |word: &Word<'_, '_>| {
            word.name().is_some_and(|party| actor(party) == actor(content.target))
        };
        if object.iter().any(names_target) {
            return;
        }
        let side = if cue.score > 0.0 { Side::For } else { Side::Against };
        let (score, rule) = toward(side, content, false);
        let span = (group.start, deed.until);
        self.rule(group, span, content.target, score, rule);
    }

    /// How the subject of a verb stands toward the text or call that is its object.
    pub(super) fn side_of(&self, group: &Group) -> Option<Side> {
        let cue = group.cue?;
        let head = &*self.reading.words[group.head].lower;
        if self.abstains(group) || head.starts_with("ignor") {
            return Some(Side::Aside);
        }
        let backs = match (cue.carry, cue.score) {
            _ if matches!(cue.kind, Kind::War | Kind::Bad | Kind::Wish | Kind::Report) => None,
            (Carry::Keep, score) if score >= 0.0 => Some(true),
            (Carry::Turn, score) if score < 0.0 => Some(false),
            _ => None,
        }?;
        let chain = self.chain(group);
        match (backs, chain.is_odd()) {
            _ if chain.cut => None,
            (true, false) => Some(Side::For),
            (false, false) => Some(Side::Against),
            (true, true) if chain.turns > 0 => Some(Side::Refuses),
            (true | false, true) => Some(Side::Aside),
        }
    }

    pub(super) fn abstains(&self, group: &Group) -> bool {
        self.reading.words[group.head].lower.starts_with("abstain")
    }

    /// The text, vote or call of which an inner verb tells: "a motion condemning X", "demands that
    /// it punish X".
    fn text_before(&self, from: usize, inner: &Group) -> Option<usize> {
        let words = &self.reading.words;
        let until = inner.start.max(from).min(words.len());
        let at = (from..until).rev().take(REACH).find(|&at| words[at].is(class::TEXT))?;
        let near = words[at + 1..until].iter().enumerate().all(|(place, word)| match word.part {
            Part::Relative | Part::Subordinator | Part::To | Part::Adverb | Part::Pronoun => true,
            Part::Name(_) | Part::Determiner | Part::Auxiliary | Part::Possessive => {
                place > 0 || word.lower == "that"
            }
            Part::Noun | Part::Adjective => place > 1 && inner.finite,
            _ => false,
        });
        // "Accused X of it, a charge that X denies": set beside the object, not what is done to it.
        let lead = words[..at]
            .iter()
            .rev()
            .find(|word| !matches!(word.part, Part::Determiner | Part::Adjective | Part::Adverb));
        let is_aside = lead.is_some_and(|word| word.part == Part::Comma);
        (near && !is_aside).then_some(at)
    }

    /// "A call to expel X was backed by Y": what Y says of X.
    pub(super) fn of_backed_call(&mut self, group: &Group, cue: Cue, agent: u16) -> bool {
        let call = self.groups.iter().rev().find(|other| other.end <= group.start);
        let Some(call) = call.filter(|call| !call.finite && group.subjects.is_empty()) else {
            return false;
        };
        let Some(content) = self.content(call).filter(|_| !self.chain(group).is_odd()) else {
            return false;
        };
        let side = if cue.score > 0.0 { Side::For } else { Side::Against };
        let (score, rule) = toward(side, content, true);
        let place = (group.head, group.end);
        self.push(Doer::Party(agent), content.target, score, cue, place, group, rule);
        true
    }

    /// Whose call or text it is: "a French call".
    fn owner_of_text(&self, text: usize) -> Option<u16> {
        let words = &self.reading.words;
        let owner = (text.saturating_sub(4)..text).rev().find(|&at| words[at].name().is_some())?;
        let owns = owned_run(self.reading, owner).is_some_and(|run| run.end > text);
        words[owner].name().filter(|_| owns)
    }

    /// Whether two verbs have the same subject, which a pronoun may name.
    fn same_doers(&self, one: &Group, other: &Group) -> bool {
        let who = |doer: &Doer| match doer {
            Doer::First => None,
            Doer::Party(party) => Some(self.reading.parties[*party as usize].actor),
        };
        one.subjects.iter().map(who).eq(other.subjects.iter().map(who))
    }

    /// Whether a clause of its own begins between two words.
    fn is_cut(&self, from: usize, to: usize) -> bool {
        let words = &self.reading.words;
        from > to
            || to - from > 2 * REACH
            || words[from..to].iter().any(|word| {
                word.part == Part::Stop || matches!(&*word.lower, "but" | "and" | "while")
            })
    }

    /// "Accusations that X was committing crimes" speak against X.
    fn accused(&self, text: usize, inner: &Group) -> Option<Content> {
        let words = &self.reading.words;
        let charges = matches!(
            &*words[text].lower,
            "accusation" | "accusations" | "allegation" | "allegations" | "charge" | "charges"
        );
        let Some(&Doer::Party(target)) = inner.subjects.first() else { return None };
        charges.then_some(Content { target, score: -1.0, undoes: false })
    }

    /// Toward whom an act is, and how.
    pub(super) fn content(&self, inner: &Group) -> Option<Content> {
        let words = &self.reading.words;
        let cue = inner.cue?;
        if inner.negated || inner.passive {
            return None;
        }
        let mut score = cue.score;
        // "Calls for X to leave" asks something of X; "calls for talks with X" does not.
        let named = words.get(inner.end).is_some_and(|word| word.name().is_some());
        if cue.kind == Kind::Wish && score == 0.0 && named {
            score = -1.0;
        }
        // "Ease sanctions on" has the measure inside the phrase.
        let phrase = &words[inner.head + 1..inner.end.max(inner.head + 1)];
        let mut undoes = score > 0.0 && phrase.iter().any(|word| word.is(class::MEASURE));
        let mut measured = false;
        let mut index = inner.end;
        while index < inner.until {
            if let Some(party) = words[index].name() {
                let goal = Content { target: party, score, undoes };
                return (score != 0.0 && !self.reading.parties[party as usize].inert)
                    .then_some(goal);
            }
            if words[index].lower == "against" && !measured {
                score = -score.abs().max(1.0);
            }
            match noun_cue(self.reading, index) {
                Some((noun, end)) if noun.score < 0.0 && noun.kind != Kind::Relation => {
                    match cue.carry {
                        Carry::Turn => (score, undoes) = (1.0, true),
                        Carry::Keep => score = noun.score,
                        Carry::Cut | Carry::Report => {}
                    }
                    measured = true;
                    index = end.max(index + 1);
                }
                // "Sending missiles to X".
                Some((noun, end)) if score == 0.0 && self.is_sent(inner, noun, end) => {
                    score = noun.score;
                    index = end.max(index + 1);
                }
                _ => index += 1,
            }
        }
        None
    }

    /// Whether arms are given, and whoever gets them follows.
    fn is_sent(&self, group: &Group, noun: Cue, end: usize) -> bool {
        let words = &self.reading.words;
        let goes = words.get(end).is_some_and(|next| next.lower == "to");
        goes && noun.kind == Kind::Aid && words[group.head].is(class::GIVING)
    }

    /// "Denied that it had armed X": what is denied was not done, so it says nothing; whoever
    /// denies that a measure was dropped stands by it.
    fn of_denial(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let head = &*words[group.head].lower;
        let denies = head.starts_with("deny") || head.starts_with("deni");
        let rejects = ["reject", "dismiss", "refut"].iter().any(|stem| head.starts_with(stem));
        if !(denies || rejects) || group.passive || group.negated {
            return;
        }
        let Some(inner) = self.groups.get(number + 1) else { return };
        // "A motion that would ease them" does not say that anybody has.
        let by_text = !inner.relative
            && self.text_before(group.end, inner).is_some_and(|text| {
                !words[text].is(class::REQUEST) && words[text + 1..inner.start].iter().any(is_that)
            });
        let between = &words[group.end.min(inner.start)..inner.start];
        let opens = between.first().is_none_or(|word| is_that(word) || word.part == Part::Pronoun);
        let of_itself = self.same_doers(inner, group) || inner.subjects.is_empty();
        let direct = denies && opens && !self.is_cut(group.end, inner.start);
        if !(by_text || direct) {
            return;
        }
        if !of_itself {
            if direct {
                self.unsay((group.start, inner.until.max(group.until)));
            }
            return;
        }
        // "Denied that it planned to arm X": who is meant stands behind the last verb.
        let rest = &self.groups[number + 1..];
        let further = rest.iter().enumerate().skip(1);
        let further = further.take_while(|&(at, verb)| verb.parent == Some(number + at));
        let until = further.map(|(_, verb)| verb.until).max().unwrap_or(0).max(inner.until);
        let content = self.content(inner);
        let goals: Vec<u16> = words[inner.end..until.max(inner.end)]
            .iter()
            .take(2 * REACH)
            .filter_map(Word::name)
            .collect();
        for goal in goals {
            let (score, rule) = match content.filter(|content| content.target == goal) {
                Some(content) if content.undoes => (-content.score, "noun of the object"),
                Some(content) if content.score < 0.0 => (0.0, REFRAINS),
                _ => (0.0, REJECTED),
            };
            self.rule(group, (group.start, until), goal, score, rule);
        }
    }

    /// Where the clause ends that begins at `from`.
    pub(super) fn clause_end(&self, from: usize) -> usize {
        let words = &self.reading.words;
        let joint = |word: &Word<'_, '_>| {
            word.part == Part::Stop || matches!(&*word.lower, "but" | "while" | "although")
        };
        words[from..].iter().position(joint).map_or(words.len(), |at| from + at)
    }

    /// Puts an attitude in place of whatever else `span` says of the same holder and target.
    pub(super) fn rule(
        &mut self,
        group: &Group,
        span: (usize, usize),
        target: u16,
        score: f32,
        rule: &'static str,
    ) {
        let actor = |party: u16| self.reading.parties[party as usize].actor;
        let is_doer = |holder: Doer| match holder {
            Doer::First => group.subjects.contains(&holder),
            Doer::Party(party) => group
                .subjects
                .iter()
                .any(|doer| matches!(doer, Doer::Party(other) if actor(*other) == actor(party))),
        };
        let inside = |edge: &Edge| (span.0..span.1).contains(&(edge.cue.0 as usize));
        self.list.retain(|edge| {
            !(actor(edge.target) == actor(target) && inside(edge) && is_doer(edge.holder))
        });
        if self.list.len() < MAX_EDGES {
            let cue =
                group.cue.unwrap_or(Cue { score, carry: Carry::Keep, kind: Kind::None, lemma: 0 });
            self.give(group, target, score, (cue, group.head, group.end), rule);
        }
    }
}

pub(super) fn is_that(word: &Word<'_, '_>) -> bool {
    word.lower == "that"
}

/// How whoever stands so toward an act stands toward whom it is for.
pub(super) fn toward(side: Side, content: Content, is_call: bool) -> (f32, &'static str) {
    let hostile = content.score < 0.0;
    match side {
        // "Backed a motion that would lift the embargo on X": the words of the embargo are there.
        Side::For if content.undoes => (content.score, RESISTS),
        Side::For => (content.score, "noun of the object"),
        Side::Against | Side::Refuses if !hostile => (-1.0, "noun of the object"),
        // A refusal of one's own help is less than a stand against those who act.
        Side::Against if is_call => (1.0, REFRAINS),
        Side::Against => (1.0, RESISTS),
        Side::Refuses => (1.0, REFRAINS),
        Side::Aside => (0.0, REFRAINS),
    }
}
