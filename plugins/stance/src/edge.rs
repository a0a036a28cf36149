//! Attitudes that the patterns find in a sentence: who, toward whom, how, in whose words, when.
//!
//! An attitude is composed. A verb or noun of the lists has a score; what stands around it turns
//! it (refusal, negation), cuts it off (a wish about others) or hands it on: whoever welcomes
//! sanctions on X is against X, and whoever condemns the support for X is so too.

mod arms;
mod deed;
mod demand;
mod enabled;
mod idle;
mod inquiry;
mod measure;
mod nested;
mod noun;
mod object;
mod passive;
mod received;
mod shared;
mod speech;
mod time;
mod unnamed;
mod untrue;
mod verdict;
mod vote;

use standpoint_document::{Time, Voice};

use crate::clause::{Doer, Group, groups, noun_cue};
use crate::lexicon::{Carry, Cue, Kind, class};
use crate::reading::{Part, Reading, Word};
use speech::speakers;
pub(crate) use time::{is_over_at, time_of};
pub(crate) use unnamed::may_blame;
pub(crate) use verdict::evaluation;
pub use vote::Votes;
pub(crate) use vote::{is_text, of_vote, votes};

/// An attitude that a pattern found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge {
    pub(crate) holder: Doer,
    pub(crate) target: u16,
    /// From -2 to 2.
    pub(crate) score: f32,
    pub(crate) kind: Kind,
    /// Line of the cue in its list.
    pub(crate) lemma: u16,
    /// First word of the cue and the word behind it.
    pub(crate) cue: (u16, u16),
    pub(crate) voice: Voice,
    pub(crate) time: Time,
    pub(crate) rule: &'static str,
}

/// The attitudes of a sentence, and whose words each of its words are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edges {
    pub(crate) list: Vec<Edge>,
    /// Whoever speaks at each word; `None` for the voice of the text.
    pub(crate) speaker: Vec<Option<Doer>>,
    pub(crate) groups: Vec<Group>,
}

/// The rule of an attitude that the voice says is untrue.
pub(crate) const REJECTED: &str = "rejected claim";
/// The rule of whoever turns away from blame and praise alike.
pub(crate) const BETWEEN: &str = "between the sides";

/// The rule of whoever does not join, or turns down, an act against the target: the first is no act
/// against it and not yet one for it, the second leans to it.
pub(crate) const REFRAINS: &str = "refrains from an act against the target";

/// The rule of whoever fights an act against the target.
pub(crate) const RESISTS: &str = "resists an act against the target";

/// The rule of whoever shares an attitude that is said of somebody else: "an understanding, like
/// Peru's, of X", "and so did Peru".
pub(crate) const LIKENED: &str = "likened";

/// The rule of an attitude toward the subject: "X drew criticism from A".
pub(crate) const RECEIVED: &str = "received";

/// The rule of whoever is named as what another has: "X's allies are A and B".
pub(crate) const NAMED: &str = "named as one";

/// The rule of a relation, or of trust, by what the sentence says has become of it.
pub(crate) const TONE: &str = "tone of a relation";

/// The rule of whoever stops or takes what is the target's, or what was taken from it.
pub(crate) const TAKES: &str = "takes what is the target's";

/// The rule of whoever does what others object to.
pub(crate) const DEFIES: &str = "in spite of others";

/// The rule of whoever buys arms of somebody.
pub(crate) const DEALS: &str = "a deal for arms";

/// The rule of whoever makes an act of somebody possible.
pub(crate) const ABETS: &str = "helps an act";

/// The rule of what the voice says that somebody must do, or must be done to him.
pub(crate) const DEMAND: &str = "demand";

/// The target of an attitude toward what the sentence does not name.
pub(crate) const NAMELESS: u16 = u16::MAX;

/// More attitudes than this are not kept of one sentence.
const MAX_EDGES: usize = 256;

/// Finds the attitudes of a sentence.
///
/// - `outside`: who speaks where a quotation that began before the sentence is still open.
pub(crate) fn edges(reading: &Reading<'_, '_>, outside: Option<Doer>) -> Edges {
    let groups = groups(reading);
    let speaker = speakers(reading, &groups, outside);
    let mut finder = Finder::new(reading, &groups, &speaker);
    for number in 0..groups.len() {
        finder.of_group(number);
        finder.of_received(number);
        finder.of_demand(number);
        finder.of_cargo(number);
        finder.of_defiance(number);
        finder.of_boarding(number);
        finder.of_frozen(number);
    }
    for index in 0..reading.words.len() {
        if let Some(party) = reading.words[index].name() {
            finder.of_owner(index, party);
            finder.of_evaluation(index, party);
        }
    }
    finder.of_free_nouns();
    finder.of_free_adjectives();
    for number in 0..groups.len() {
        finder.of_inquiry(number);
        finder.of_purchase(number);
        finder.of_interception(number);
    }
    finder.of_nested();
    for number in 0..groups.len() {
        finder.of_listing(number);
    }
    finder.of_aid();
    finder.of_shared();
    let Finder { mut list, .. } = finder;
    list.truncate(MAX_EDGES);
    Edges { list, speaker, groups }
}

/// The attitudes of a sentence toward what no party of it is; their target is [`NAMELESS`].
///
/// - `outside`: as [`edges`] takes it.
pub(crate) fn nameless(reading: &Reading<'_, '_>, outside: Option<Doer>) -> Vec<Edge> {
    let groups = groups(reading);
    let speaker = speakers(reading, &groups, outside);
    let mut finder = Finder::new(reading, &groups, &speaker);
    for number in 0..groups.len() {
        finder.of_group(number);
    }
    finder.nameless
}

/// How a chain of verbs changes the attitude at its end.
#[derive(Debug, Clone, Copy)]
struct Chain {
    turns: u32,
    negations: u32,
    cut: bool,
}

impl Chain {
    /// Whether what stands at the end is not done.
    const fn is_odd(self) -> bool {
        (self.turns + self.negations) % 2 == 1
    }

    /// How far whoever refrains from an act against somebody leans to them: not at all where the
    /// act is only not done, a little where it is refused.
    const fn lean(self) -> f32 {
        match (self.cut, self.turns) {
            (false, 1..) => 1.0,
            _ => 0.0,
        }
    }
}

struct Finder<'a, 't, 'l> {
    reading: &'a Reading<'t, 'l>,
    groups: &'a [Group],
    speaker: &'a [Option<Doer>],
    list: Vec<Edge>,
    nameless: Vec<Edge>,
}

impl<'a, 't, 'l> Finder<'a, 't, 'l> {
    fn new(reading: &'a Reading<'t, 'l>, groups: &'a [Group], speaker: &'a [Option<Doer>]) -> Self {
        Self { reading, groups, speaker, list: Vec::new(), nameless: Vec::new() }
    }
}

impl Finder<'_, '_, '_> {
    fn chain(&self, group: &Group) -> Chain {
        let denies = group.negated || self.takes_none(group);
        let refuses = denies && self.is_refusal(group);
        let mut chain = Chain {
            turns: u32::from(refuses),
            negations: u32::from(denies && !refuses),
            cut: false,
        };
        let mut negative_subject = group.no_subject;
        let parent_word = |parent: &Group| self.reading.words[parent.head].lower.clone();
        let mut next = group.parent;
        let mut steps = 0;
        while let Some(parent) = next.and_then(|parent| self.groups.get(parent)) {
            let cue = parent.cue;
            chain.negations += u32::from(parent.negated);
            negative_subject |= parent.no_subject;
            // "Voiced opposition to plans to punish X".
            let against = (parent.end..group.start.max(parent.end)).any(|at| {
                noun_cue(self.reading, at)
                    .is_some_and(|(cue, _)| cue.score < 0.0 && matches!(cue.kind, Kind::Attitude))
            });
            let neutral = cue.is_none_or(|cue| cue.score == 0.0 && cue.carry != Carry::Turn);
            // The "of" of "stopped short of calling" is the verb's own.
            let is_adjunct = group.start > parent.end && group_is_adjunct(self.reading, group);
            let of_plan = against && neutral && steps == 0 && !group.finite && !is_adjunct;
            chain.turns += u32::from(of_plan);
            match cue.map(|cue| cue.carry) {
                // Who fails in a war has fought it all the same.
                Some(Carry::Turn) if steps == 0 && is_attempt(group, &parent_word(parent)) => {}
                // "Was accused of arming X".
                Some(Carry::Turn) if parent.passive && parent_word(parent).starts_with("accus") => {
                }
                Some(Carry::Turn) if !is_adjunct => chain.turns += 1,
                Some(Carry::Cut) if parent.cue.is_some_and(|cue| cue.kind == Kind::Wish) => {
                    chain.cut = true;
                }
                _ => {}
            }
            next = parent.parent;
            steps += 1;
            if steps > 6 {
                break;
            }
        }
        // "No official ... has" counts once, beside a verb that is negated itself.
        chain.negations += u32::from(negative_subject && chain.negations == 0);
        chain
    }

    /// "Will not punish X", "would not vote for sanctions on X": whoever says what he will not do
    /// turns it down, where "did not" only tells that it was not done. Who will not fight is not
    /// yet a friend.
    fn is_refusal(&self, group: &Group) -> bool {
        let auxiliaries = &self.reading.words[group.start..group.head];
        let wills = |word: &Word<'_, '_>| matches!(&*word.lower, "will" | "wo" | "would" | "'ll");
        let is_act = group.cue.is_none_or(|cue| cue.kind != Kind::War);
        is_act && group.finite && auxiliaries.iter().any(wills)
    }

    /// The score of `own` at the end of a chain.
    fn turned(own: f32, chain: Chain) -> f32 {
        if chain.cut {
            return 0.0;
        }
        match (chain.is_odd(), own < 0.0, chain.turns) {
            (false, _, _) => own,
            // Who refuses support keeps a distance.
            (true, false, _) => -(own.abs().min(1.0)),
            // "Did not condemn" says nothing; "refused to condemn" leans a little.
            (true, true, 0) => 0.0,
            (true, true, _) => (own.abs() * 0.5).min(1.0),
        }
    }

    /// Whom an object pronoun means, if nobody has said: whoever was named last before the
    /// clause and is not its subject.
    fn antecedent(&self, group: &Group, at: usize) -> Option<u16> {
        let words = &self.reading.words;
        if words[at].part != Part::Pronoun || !matches!(&*words[at].lower, "it" | "him" | "them") {
            return None;
        }
        (0..group.start).rev().filter_map(|index| words[index].name()).find(|&party| {
            !group.subjects.contains(&Doer::Party(party))
                && !self.reading.parties[party as usize].inert
        })
    }

    fn give(
        &mut self,
        group: &Group,
        party: u16,
        score: f32,
        cue: (Cue, usize, usize),
        rule: &'static str,
    ) {
        for number in 0..group.subjects.len() {
            let holder = group.subjects[number];
            self.push(holder, party, score, cue.0, (cue.1, cue.2), group, rule);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an edge has as many parts")]
    fn push(
        &mut self,
        holder: Doer,
        target: u16,
        score: f32,
        cue: Cue,
        at: (usize, usize),
        group: &Group,
        rule: &'static str,
    ) {
        let time = match time_of(self.reading, self.groups, group) {
            Time::Future if score > 0.0 && self.awaits(group, target) => Time::Hypothetical,
            time => time,
        };
        self.add(holder, target, score, cue, at, time, rule);
    }

    /// "If X withdraws, Y will be the first to thank it": what is promised to somebody for what he
    /// may do is no friendship yet; a threat is said now.
    fn awaits(&self, group: &Group, target: u16) -> bool {
        let words = &self.reading.words;
        let actor = |party: u16| self.reading.parties[usize::from(party)].actor;
        let who = |doer: Doer| match doer {
            Doer::Party(party) => Some(actor(party)),
            Doer::First => None,
        };
        self.groups.iter().any(|other| {
            let opening = words[..other.start].iter().rposition(|word| {
                word.is_verb() || matches!(word.part, Part::Comma | Part::Subordinator | Part::Stop)
            });
            let Some(opening) = opening.filter(|_| other.start != group.start && other.finite)
            else {
                return false;
            };
            let opens = match &*words[opening].lower {
                "if" => opening.checked_sub(1).is_none_or(|before| words[before].lower != "even"),
                "when" | "once" | "unless" => true,
                _ => false,
            };
            // Whom an "it" means, the goal or the subject itself, hardly matters behind an "if".
            let is_if = words[opening].lower == "if";
            let is_own = |party: u16| {
                is_if && group.subjects.iter().any(|own| who(*own) == Some(actor(party)))
            };
            let is_meant = |doer: &Doer| match *doer {
                Doer::Party(party) => actor(party) == actor(target) || is_own(party),
                Doer::First => false,
            };
            opens && other.subjects.iter().any(is_meant)
        })
    }

    /// "Accused X of arming Y": what one says that another does.
    fn is_charge(&self, at: usize) -> bool {
        let words = &self.reading.words;
        let charges = |parent: usize| words[self.groups[parent].head].lower.starts_with("accus");
        self.groups.iter().any(|deed| {
            (deed.start..deed.until).contains(&at)
                && deed.start.checked_sub(1).is_some_and(|of| words[of].lower == "of")
                && deed.parent.is_some_and(charges)
        })
    }

    fn push_nominal(
        &mut self,
        holder: Doer,
        target: u16,
        score: f32,
        cue: Cue,
        at: (usize, usize),
        rule: &'static str,
    ) {
        let former = self.reading.words[at.0.saturating_sub(3)..at.0]
            .iter()
            .any(|word| matches!(&*word.lower, "former" | "once" | "old" | "erstwhile"));
        let time = if former || is_over_at(self.reading, self.groups, at.0) {
            Time::Past
        } else {
            Time::Present
        };
        self.add(holder, target, score, cue, at, time, rule);
    }

    #[expect(clippy::too_many_arguments, reason = "an edge has as many parts")]
    fn add(
        &mut self,
        holder: Doer,
        target: u16,
        score: f32,
        cue: Cue,
        at: (usize, usize),
        time: Time,
        rule: &'static str,
    ) {
        if self.list.len() >= MAX_EDGES {
            return;
        }
        let speaker = self.speaker.get(at.0).copied().flatten();
        let holder = match (holder, speaker) {
            (Doer::First, Some(speaker)) => speaker,
            (holder, _) => holder,
        };
        if holder == Doer::Party(target) {
            return;
        }
        if let Doer::Party(party) = holder {
            let parties = &self.reading.parties;
            let (holder, target) = (parties[party as usize], parties[target as usize]);
            if holder.actor == target.actor || holder.inert {
                return;
            }
        }
        let alleged = self.is_charge(at.0)
            || self.reading.words[..at.0].iter().any(|word| word.is(class::ALLEGED))
            || self
                .reading
                .runs
                .iter()
                .any(|&(start, bits)| bits & class::ALLEGED != 0 && (start as usize) < at.0);
        let voice = if alleged {
            Voice::Reported
        } else if speaker.is_some() {
            Voice::Quoted
        } else {
            Voice::Author
        };
        // "The story is false: it condemned X": what stands behind a colon is said by itself.
        let is_joint = |word: &Word<'_, '_>| matches!(&*word.lower, ";" | ":");
        let words = &self.reading.words;
        let start = words[..at.0].iter().rposition(is_joint).map_or(0, |joint| joint + 1);
        let end = words[at.0..].iter().position(is_joint).map_or(words.len(), |joint| at.0 + joint);
        let rejected = alleged
            && (words[start..end].iter().any(|word| word.is(class::REJECTED))
                || self.reading.runs.iter().any(|&(start_of_run, bits)| {
                    bits & class::REJECTED != 0 && (start..end).contains(&usize::from(start_of_run))
                }));
        let time = if rejected || self.reading.question { Time::Hypothetical } else { time };
        let rule = if rejected { REJECTED } else { rule };
        let cue_span = (at.0 as u16, at.1.max(at.0 + 1) as u16);
        self.list.push(Edge {
            holder,
            target,
            score,
            kind: cue.kind,
            lemma: cue.lemma,
            cue: cue_span,
            voice,
            time,
            rule,
        });
    }
}

/// What an attitude to a hostile measure says of whom it is for.
fn of_measure(score: f32) -> (f32, &'static str) {
    if score < 0.0 { (1.0, RESISTS) } else { (-1.0, "noun of the object") }
}

/// Whether an act of force was tried in vain: "failed to capture".
fn is_attempt(group: &Group, verb: &str) -> bool {
    group.cue.is_some_and(|cue| cue.kind == Kind::War)
        && matches!(verb, "fail" | "fails" | "failed" | "failing")
}

/// Whether a group only adds a circumstance: "condemned X, saying", "by doing", "after doing", "in
/// order to do".
fn group_is_adjunct(reading: &Reading<'_, '_>, group: &Group) -> bool {
    group.start > 0
        && matches!(
            &*reading.words[group.start - 1].lower,
            "," | "by" | "after" | "before" | "while" | "for" | "of" | "without" | "order" | "as"
        )
}
