//! Attitudes that the patterns find in a sentence: who, toward whom, how, in whose words, when.
//!
//! An attitude is composed. A verb or noun of the lists has a score; what stands around it turns
//! it (refusal, negation), cuts it off (a wish about others) or hands it on: whoever welcomes
//! sanctions on X is against X, and whoever condemns the support for X is so too.

use standpoint_document::{Time, Voice};

use crate::clause::{Doer, Group, Mood, groups, noun_cue, owned_run};
use crate::lexicon::{Carry, Cue, Kind, class};
use crate::reading::{Part, Reading};

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
    /// Attitudes toward what no party of the sentence is; their target is [`NAMELESS`].
    pub(crate) nameless: Vec<Edge>,
    /// Whoever speaks at each word; `None` for the voice of the text.
    pub(crate) speaker: Vec<Option<Doer>>,
    pub(crate) groups: Vec<Group>,
}

/// The rule of an attitude that the voice says is untrue.
pub(crate) const REJECTED: &str = "rejected claim";
/// The rule of whoever turns away from blame and praise alike.
pub(crate) const BETWEEN: &str = "between the sides";

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
    let mut finder = Finder {
        reading,
        groups: &groups,
        speaker: &speaker,
        list: Vec::new(),
        nameless: Vec::new(),
    };
    for number in 0..groups.len() {
        finder.of_group(number);
    }
    for index in 0..reading.words.len() {
        if let Some(party) = reading.words[index].name() {
            finder.of_owner(index, party);
            finder.of_evaluation(index, party);
        }
    }
    finder.of_free_nouns();
    finder.of_aid();
    let Finder { mut list, nameless, .. } = finder;
    list.truncate(MAX_EDGES);
    Edges { list, nameless, speaker, groups }
}

/// Marks whose words each word is in: behind "X said", before ", X said", inside quotes.
fn speakers(
    reading: &Reading<'_, '_>,
    groups: &[Group],
    outside: Option<Doer>,
) -> Vec<Option<Doer>> {
    let words = &reading.words;
    let mut speaker: Vec<Option<Doer>> =
        words.iter().map(|word| if word.quoted { outside } else { None }).collect();
    for group in groups {
        let reports =
            group.cue.is_some_and(|cue| cue.kind == Kind::Report || cue.carry == Carry::Report);
        let Some(&doer) = group.subjects.first() else { continue };
        if !reports || group.passive || group.negated || !group.finite {
            continue;
        }
        let next = words.get(group.end);
        let opens = next.is_none_or(|word| {
            matches!(
                word.part,
                Part::Subordinator | Part::Comma | Part::Stop | Part::Quote | Part::Pronoun
            ) || matches!(&*word.lower, "that" | "the" | "it")
                || word.name().is_some()
        });
        let quote_behind = words[group.end..].iter().any(|word| word.quoted);
        if opens || quote_behind {
            for place in speaker.iter_mut().skip(group.end) {
                *place = Some(doer);
            }
        }
        // "..., X said": what stands before is X's, back to the beginning.
        let subject_at = group.subjects.iter().filter_map(|doer| match doer {
            Doer::Party(party) => Some(reading.word_of[*party as usize] as usize),
            Doer::First => None,
        });
        let front = subject_at.min().unwrap_or(group.start).min(group.start);
        let front = words[..front].iter().rposition(|word| {
            !matches!(word.part, Part::Determiner | Part::Noun | Part::Adjective | Part::Possessive)
        });
        if let Some(mark) = front
            && matches!(words[mark].part, Part::Comma | Part::Quote)
            && mark > 1
        {
            for (place, word) in speaker.iter_mut().zip(words).take(mark) {
                if place.is_none() && (word.quoted || words[mark].part == Part::Comma) {
                    *place = Some(doer);
                }
            }
        }
    }
    // "According to X".
    for index in 0..words.len().saturating_sub(2) {
        if words[index].lower == "according"
            && words[index + 1].lower == "to"
            && let Some(party) =
                words[index + 2..].iter().take(4).find_map(super::reading::Word::name)
        {
            for place in &mut speaker {
                place.get_or_insert(Doer::Party(party));
            }
        }
    }
    speaker
}

/// How a chain of verbs changes the attitude at its end.
#[derive(Debug, Clone, Copy)]
struct Chain {
    turns: u32,
    negations: u32,
    cut: bool,
}

struct Finder<'a, 't, 'l> {
    reading: &'a Reading<'t, 'l>,
    groups: &'a [Group],
    speaker: &'a [Option<Doer>],
    list: Vec<Edge>,
    nameless: Vec<Edge>,
}

impl Finder<'_, '_, '_> {
    fn chain(&self, group: &Group) -> Chain {
        let mut chain = Chain { turns: 0, negations: u32::from(group.negated), cut: false };
        let mut negative_subject = group.no_subject;
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
            chain.turns += u32::from(against && neutral && steps == 0 && !group.finite);
            match cue.map(|cue| cue.carry) {
                Some(Carry::Turn) if !group_is_adjunct(self.reading, group) => chain.turns += 1,
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

    /// The score of `own` at the end of a chain.
    fn turned(own: f32, chain: Chain) -> f32 {
        if chain.cut {
            return 0.0;
        }
        let odd = (chain.turns + chain.negations) % 2 == 1;
        match (odd, own < 0.0, chain.turns) {
            (false, _, _) => own,
            // Who refuses support keeps a distance.
            (true, false, _) => -(own.abs().min(1.0)),
            // "Did not condemn" says nothing; "refused to condemn" leans a little.
            (true, true, 0) => 0.0,
            (true, true, _) => (own.abs() * 0.5).min(1.0),
        }
    }

    fn of_group(&mut self, number: usize) {
        let group = &self.groups[number];
        let Some(cue) = group.cue else { return };
        let chain = self.chain(group);
        if group.passive {
            self.of_passive(group, cue, chain);
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
        // "Would not let the ship dock": a refusal by whoever could permit.
        let permits = matches!(
            &*self.reading.words[group.head].lower,
            "let" | "allow" | "allowed" | "permit" | "permitted" | "admit" | "admitted"
        );
        if permits && group.negated && !chain.cut {
            own = -1.0;
        }
        self.scan(group, cue, own, chain);
        self.of_verdict(group, cue);
        self.of_joint_act(group, chain);
    }

    /// "Neither blamed nor defended": whoever is named stands between the sides.
    fn of_balance(&mut self, group: &Group, cue: Cue) {
        for index in group.end..group.until {
            if let Some(party) = self.reading.words[index].name() {
                self.give(group, party, 0.0, (cue, group.head, group.end), BETWEEN);
            }
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

    /// Whether the same subject turns away from the opposite, too.
    fn is_answered(&self, number: usize, score: f32) -> bool {
        let group = &self.groups[number];
        self.groups.iter().enumerate().any(|(other, found)| {
            let opposite = found.cue.is_some_and(|cue| cue.score * score < 0.0);
            other != number && opposite && found.subjects == group.subjects && {
                let chain = self.chain(found);
                !chain.cut && (chain.turns + chain.negations) % 2 == 1
            }
        })
    }

    /// "Y was condemned by X".
    fn of_passive(&mut self, group: &Group, cue: Cue, chain: Chain) {
        let words = &self.reading.words;
        let by = (group.end..group.until.max(group.end)).find(|&index| words[index].lower == "by");
        let Some(by) = by else { return };
        let Some(agent) = words[by + 1..group.until.max(by + 1)]
            .iter()
            .take(6)
            .find_map(super::reading::Word::name)
        else {
            return;
        };
        let mut goals: Vec<u16> = Vec::new();
        for doer in &group.subjects {
            if let Doer::Party(party) = doer {
                goals.push(*party);
            }
        }
        if goals.is_empty() {
            // "A request by Moscow was rebuffed": whoever is named in the subject.
            let floor = self
                .groups
                .iter()
                .filter(|other| other.end <= group.start)
                .map(|other| other.end)
                .max();
            goals.extend(
                words[floor.unwrap_or(0)..group.start]
                    .iter()
                    .filter_map(super::reading::Word::name),
            );
        }
        // "Was given a warm welcome by": the noun says it.
        let noun =
            (group.end..by).find_map(|at| noun_cue(self.reading, at)).map(|(noun, _)| noun.score);
        let score = match noun {
            Some(score) if cue.score == 0.0 && cue.carry == Carry::Keep => score,
            _ => cue.score,
        };
        let own = Self::turned(score, chain);
        for goal in goals {
            self.push(
                Doer::Party(agent),
                goal,
                own,
                cue,
                (group.head, group.end),
                group,
                "passive",
            );
        }
    }

    /// Walks over the objects of a verb and gives each party its share of the attitude.
    fn scan(&mut self, group: &Group, cue: Cue, own: f32, chain: Chain) {
        let reading = self.reading;
        let words = &reading.words;
        // What a party at this place would get, and which cue gives it.
        let mut current = own;
        let mut cue_now = (cue, group.head, group.end);
        let mut rule = "object";
        let carries = |score: f32, carry: Carry| -> f32 {
            match carry {
                Carry::Keep if own == 0.0 => Self::turned(score, chain),
                Carry::Keep => {
                    score.signum() * score.abs().max(own.abs()) * if own > 0.0 { 1.0 } else { -1.0 }
                }
                Carry::Turn if own == 0.0 => {
                    Self::turned(score, Chain { turns: chain.turns + 1, ..chain })
                }
                // The turn and its negation are in `own` already.
                Carry::Turn => score * if own > 0.0 { 1.0 } else { -1.0 } * own.abs().min(1.0),
                Carry::Cut | Carry::Report => 0.0,
            }
        };
        let mut index = group.end;
        while index < group.until {
            let word = &words[index];
            if word.lower == "by" && index > group.end {
                // "Condemned the annexation by X": whoever did it meets the attitude to the deed.
                let doer = words[index + 1..group.until.max(index + 1)]
                    .iter()
                    .take(3)
                    .find_map(super::reading::Word::name);
                let deed = (group.end..index).any(|at| words[at].part == Part::Noun);
                if let Some(doer) = doer.filter(|_| deed && own != 0.0) {
                    self.give(
                        group,
                        doer,
                        own,
                        (cue, group.head, group.end),
                        "owner of the object",
                    );
                }
                break;
            }
            if word.lower == "against"
                && !matches!(cue_now.0.kind, Kind::War | Kind::Act)
                && index > group.end
            {
                current = -current.abs().max(if cue.score > 0.0 || own != 0.0 { 1.0 } else { 0.0 });
                rule = "against";
                index += 1;
                continue;
            }
            if let Some(party) = self.antecedent(group, index) {
                if current != 0.0 {
                    self.give(group, party, current, cue_now, "pronoun");
                }
                index += 1;
                continue;
            }
            if let Some(party) = word.name() {
                if let Some(run) = owned_run(reading, index)
                    && run.start < group.until
                {
                    self.owner_as_goal(
                        group, party, index, run, current, own, cue_now, &carries, cue,
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
                        rule = "of the object";
                    }
                    index = run.end;
                    continue;
                }
                // "Calls on A and B to talk" blames neither.
                if words[group.head].is(class::REQUEST)
                    && self.is_one_of_several(index, group.until)
                {
                    self.give(group, party, 0.0, cue_now, BETWEEN);
                } else if let Some((aid, at, end)) =
                    self.aid_behind(index, group.until).filter(|_| cue.score == 0.0)
                {
                    let score = Self::turned(aid.score, chain);
                    self.give(group, party, score, (aid, at, end), "noun of the object");
                } else {
                    self.give(group, party, current, cue_now, rule);
                }
                index += 1;
                continue;
            }
            if let Some((noun, end)) = noun_cue(reading, index) {
                let preposition = words.get(end).is_some_and(|next| {
                    next.part == Part::Preposition
                        || next.part == Part::To
                        || next.part == Part::Comma
                }) || words.get(end).is_some_and(|next| next.name().is_some());
                let to_goal =
                    noun.kind != Kind::Thing && noun.kind != Kind::Aid || noun.kind == Kind::Aid;
                if to_goal && preposition && group.until > end {
                    let negated_noun = index > group.end
                        && words[group.end..index]
                            .iter()
                            .any(|word| word.part == Part::Negation || word.lower == "no");
                    let chained = carries(noun.score, cue.carry);
                    current = if noun.kind == Kind::Thing {
                        if own == 0.0 { 0.0 } else { own }
                    } else if negated_noun {
                        Self::turned(noun.score, Chain { turns: 0, negations: 1, cut: false })
                    } else {
                        chained
                    };
                    cue_now = (noun, index, end);
                    rule = "noun of the object";
                }
                index = end.max(index + 1);
                continue;
            }
            index += 1;
        }
        let named =
            words[group.end..group.until.max(group.end)].iter().any(|word| word.name().is_some());
        if !named && own <= -1.0 {
            self.of_nameless(group, own, (cue, group.head, group.end));
        }
    }

    /// "Sent X two hundred missiles": arms right behind whoever gets them.
    fn aid_behind(&self, index: usize, until: usize) -> Option<(Cue, usize, usize)> {
        let words = &self.reading.words;
        (index + 1..until)
            .take(6)
            .take_while(|&at| {
                matches!(
                    words[at].part,
                    Part::Determiner | Part::Adjective | Part::Noun | Part::Adverb | Part::Other
                )
            })
            .find_map(|at| noun_cue(self.reading, at).map(|(noun, end)| (noun, at, end)))
            .filter(|(noun, ..)| noun.kind == Kind::Aid && noun.score > 0.0)
    }

    /// Whether the name at `index` is joined by "and" to another one.
    fn is_one_of_several(&self, index: usize, until: usize) -> bool {
        let words = &self.reading.words;
        let joins = |joint: usize, other: usize| {
            words.get(joint).is_some_and(|word| word.part == Part::Coordinator)
                && words.get(other).is_some_and(|word| word.name().is_some())
        };
        index + 2 < until && joins(index + 1, index + 2)
            || index >= 2 && joins(index - 1, index - 2)
    }

    /// Blame whose object is nobody in the sentence: "Berlin condemned the verdict".
    fn of_nameless(&mut self, group: &Group, score: f32, cue: (Cue, usize, usize)) {
        let words = &self.reading.words;
        let speaker = self.speaker.get(group.head).copied().flatten();
        let alleged = words[..group.head].iter().any(|word| word.is(class::ALLEGED));
        for number in 0..group.subjects.len() {
            let holder = match (group.subjects[number], speaker) {
                (Doer::First, Some(speaker)) => speaker,
                (holder, _) => holder,
            };
            if self.nameless.len() >= MAX_EDGES {
                return;
            }
            self.nameless.push(Edge {
                holder,
                target: NAMELESS,
                score,
                kind: cue.0.kind,
                lemma: cue.0.lemma,
                cue: (cue.1 as u16, cue.2 as u16),
                voice: match (alleged, speaker) {
                    (true, _) => Voice::Reported,
                    (false, Some(_)) => Voice::Quoted,
                    (false, None) => Voice::Author,
                },
                time: self.time_of(group),
                rule: "implied target",
            });
        }
    }

    /// A party that owns a part of the object: "condemned Russia's war", "is Russia's ally".
    #[expect(clippy::too_many_arguments, reason = "the state of the walk over the objects")]
    fn owner_as_goal(
        &mut self,
        group: &Group,
        party: u16,
        index: usize,
        run: crate::clause::OwnedRun,
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
        let _ = index;
        // An embargo on Russian gas is meant for Russia.
        self.give(group, party, current, cue_now, "owner of the object");
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

    /// "Warsaw calls it a predator", "treats X as a partner": the verdict behind the object.
    fn of_verdict(&mut self, group: &Group, cue: Cue) {
        if cue.kind != Kind::Judge || group.passive {
            return;
        }
        let words = &self.reading.words;
        let named = |at: usize| words[at].name().or_else(|| self.antecedent(group, at));
        let Some(at) = (group.end..group.until).find(|&at| named(at).is_some()) else {
            let found = (group.end..group.until)
                .find_map(|at| verdict(self.reading, at).map(|(score, end)| (score, at, end)));
            if let Some((score, first, end)) = found
                && score < 0.0
                && !group.negated
            {
                self.of_nameless(group, score, (Cue { score, ..cue }, first, end));
            }
            return;
        };
        let Some(party) = named(at) else { return };
        // The verdict may run on behind the next noun phrase, but not into another clause.
        let found = (at + 1..group.until)
            .find_map(|at| verdict(self.reading, at).map(|(score, end)| (score, at, end)));
        if let Some((score, first, end)) = found {
            let score = if group.negated { -score * 0.5 } else { score };
            self.give(group, party, score, (Cue { score, ..cue }, first, end), "verdict");
        }
    }

    /// "Told Moscow that it was unforgivable", "said of Russia": who is spoken to or of, and the
    /// judgement in what is said.
    fn of_address(&mut self, group: &Group, cue: Cue) {
        let words = &self.reading.words;
        let near = (group.end + 4).min(words.len());
        let Some(at) = (group.end..near).find(|&at| words[at].name().is_some()) else { return };
        let direct = at == group.end
            || words[group.end..at].iter().all(|word| {
                matches!(
                    word.part,
                    Part::Determiner | Part::Preposition | Part::Adverb | Part::Adjective
                ) && word.lower != "by"
                    && word.lower != "in"
                    || word.is(class::AGENT)
            });
        let Some(party) = words[at].name().filter(|_| direct) else { return };
        let said = (0..words.len()).filter(|&index| index > at || words[index].quoted);
        let found = said
            .clone()
            .take(60)
            .find_map(|index| {
                evaluation(self.reading, index).map(|(score, end, _)| (score, index, end))
            })
            .or_else(|| self.said_verb(said));
        if let Some((score, first, end)) = found {
            let score = if group.negated { 0.0 } else { score };
            self.give(group, party, score, (Cue { score, ..cue }, first, end), "said to or of");
        }
    }

    /// The first verb that takes a side among the words that are said.
    fn said_verb(&self, mut said: impl Iterator<Item = usize>) -> Option<(f32, usize, usize)> {
        said.find_map(|index| {
            let spoken = self.groups.iter().find(|group| group.head == index)?;
            let cue = spoken.cue.filter(|cue| cue.score != 0.0 && cue.kind != Kind::Report)?;
            let score = Self::turned(cue.score, self.chain(spoken));
            let real = spoken.mood != Mood::Unreal && score != 0.0;
            real.then_some((score.clamp(-1.0, 1.0), spoken.head, spoken.end))
        })
    }

    /// "Iran and Russia sealed a pact": each of the subjects toward each other.
    fn of_joint_act(&mut self, group: &Group, chain: Chain) {
        if group.subjects.len() < 2 || group.subjects.len() > 6 {
            return;
        }
        let objects = group.end..group.until.max(group.end);
        let relation = objects.clone().find_map(|index| {
            noun_cue(self.reading, index)
                .filter(|(cue, _)| cue.kind == Kind::Relation)
                .map(|(cue, end)| (cue, index, end))
        });
        let each_other = self.reading.words[objects.clone()]
            .iter()
            .any(|word| matches!(&*word.lower, "other" | "mutual" | "jointly" | "mutually"));
        let verb = group.cue.filter(|cue| cue.score != 0.0 && each_other);
        let no_goal = !self.reading.words[objects].iter().any(|word| word.name().is_some());
        let found =
            relation.filter(|_| no_goal).or_else(|| verb.map(|cue| (cue, group.head, group.end)));
        let Some((cue, at, end)) = found else { return };
        let carry = group.cue.map_or(Carry::Keep, |cue| cue.carry);
        let score = match carry {
            Carry::Turn => -Self::turned(cue.score, chain),
            _ => Self::turned(cue.score, chain),
        };
        for &holder in &group.subjects {
            for &other in &group.subjects {
                if let Doer::Party(target) = other
                    && holder != other
                {
                    self.push(holder, target, score, cue, (at, end), group, "joint act");
                }
            }
        }
    }

    /// "Russia's war on Ukraine", "Moscow's support for Minsk", "Russia's ally Belarus".
    fn of_owner(&mut self, index: usize, party: u16) {
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
            let beside = words.get(next).and_then(super::reading::Word::name);
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
                    let score = if cue.kind == Kind::Thing
                        || cue.kind == Kind::Relation && cue.score < 1.5
                    {
                        0.0
                    } else {
                        cue.score
                    };
                    if goal != party {
                        self.push_nominal(
                            Doer::Party(party),
                            goal,
                            score,
                            cue,
                            (at, end),
                            "owner and goal",
                        );
                        if cue.kind == Kind::Relation {
                            self.push_nominal(
                                Doer::Party(goal),
                                party,
                                score,
                                cue,
                                (at, end),
                                "owner and goal",
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

    /// Whoever arms a side stands against whom that side fights, where the sentence says both.
    fn of_aid(&mut self) {
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

    /// "Condemnation of X by Y", "an alliance between X and Y", "aggression by X against Y".
    fn of_free_nouns(&mut self) {
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
                (end..stop).find(|&at| words[at].lower == word).and_then(|at| {
                    words[at + 1..stop].iter().take(4).find_map(super::reading::Word::name)
                })
            };
            if cue.kind == Kind::Relation
                && let Some(between) = (end..stop).find(|&at| words[at].lower == "between")
            {
                let names: Vec<u16> = words[between..stop]
                    .iter()
                    .filter_map(super::reading::Word::name)
                    .take(4)
                    .collect();
                // "Relations between A and B soured", "the souring of relations between".
                let sours = |cue: Cue| cue.carry == Carry::Turn;
                let soured = self.groups.iter().any(|group| {
                    group.start >= stop
                        && group.start < stop + 4
                        && group.cue.is_some_and(sours)
                        && !group.negated
                }) || index > 0
                    && self
                        .groups
                        .iter()
                        .any(|group| group.end == index && group.cue.is_some_and(sours));
                let score = if soured { -1.0 } else { cue.score };
                for &one in &names {
                    for &other in &names {
                        if one != other {
                            self.push_nominal(
                                Doer::Party(one),
                                other,
                                score,
                                cue,
                                (index, end),
                                "between",
                            );
                        }
                    }
                }
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

    /// The voice's judgement of a party: "brutal war", "X is a menace", "X bullies Y".
    fn of_evaluation(&mut self, index: usize, party: u16) {
        let reading = self.reading;
        let words = &reading.words;
        let run_end = owned_run(reading, index).map_or(index + 1, |run| run.end);
        let mut start = index;
        while start > 0
            && index - start < 4
            && matches!(
                words[start - 1].part,
                Part::Adjective | Part::Noun | Part::Adverb | Part::Verb(_)
            )
            && words[start - 1].name().is_none()
        {
            start -= 1;
        }
        let voice = self.speaker.get(index).copied().flatten().unwrap_or(Doer::First);
        // "Russia's closest friend" is said of the friend.
        let relation = owned_run(reading, index)
            .and_then(|run| run.cue(reading))
            .is_some_and(|(cue, ..)| cue.kind == Kind::Relation);
        let run_end = if relation { index + 1 } else { run_end };
        for at in (start..index).chain(index + 1..run_end) {
            if let Some((score, end, lemma)) = evaluation(reading, at) {
                let cue = Cue { score, carry: Carry::Cut, kind: Kind::None, lemma };
                self.push_nominal(voice, party, score, cue, (at, end), "evaluation");
            }
        }
        for group in self.groups.iter().filter(|group| {
            group.subjects.contains(&Doer::Party(party)) || is_deed_of(reading, group, index)
        }) {
            let Some(cue) = group.cue else { continue };
            let accuses = matches!(cue.kind, Kind::Bad | Kind::War) && !group.passive;
            if accuses && !group.negated {
                let score = if cue.kind == Kind::Bad { -2.0 } else { -1.0 };
                self.push(voice, party, score, cue, (group.head, group.end), group, "accusation");
            }
            if group.copula || cue.score == 0.0 {
                for (at, word) in words.iter().enumerate().take(group.until).skip(group.end) {
                    if word.name().is_some() {
                        break;
                    }
                    if let Some((score, end, lemma)) = evaluation(reading, at) {
                        let score = if group.negated { -score * 0.5 } else { score };
                        let cue = Cue { score, carry: Carry::Cut, kind: Kind::None, lemma };
                        self.push(voice, party, score, cue, (at, end), group, "predicate");
                    }
                }
            }
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
        let time = self.time_of(group);
        self.add(holder, target, score, cue, at, time, rule);
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
        let time = if self.reading.words[at.0.saturating_sub(3)..at.0]
            .iter()
            .any(|word| matches!(&*word.lower, "former" | "once" | "old" | "erstwhile"))
        {
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
        let alleged = self.reading.words[..at.0].iter().any(|word| word.is(class::ALLEGED))
            || self.reading.runs.iter().any(|&(_, bits)| bits & class::ALLEGED != 0);
        let voice = if alleged {
            Voice::Reported
        } else if speaker.is_some() {
            Voice::Quoted
        } else {
            Voice::Author
        };
        let rejected = alleged && self.reading.words.iter().any(|word| word.is(class::REJECTED));
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

    fn time_of(&self, group: &Group) -> Time {
        match group.mood {
            Mood::Unreal => Time::Hypothetical,
            Mood::Will => Time::Future,
            Mood::Real if self.says_past(group) => Time::Past,
            Mood::Real if self.reading.question => Time::Hypothetical,
            Mood::Real => Time::Present,
        }
    }

    fn says_past(&self, group: &Group) -> bool {
        let words = &self.reading.words;
        let marked = words[group.start..group.head].iter().any(|word| word.is(class::PAST))
            || self
                .reading
                .runs
                .iter()
                .any(|&(at, bits)| bits & class::PAST != 0 && (at as usize) < group.until)
            || words[..group.start].iter().any(|word| word.is(class::PAST) && word.lower != "then");
        let now = words.iter().any(|word| word.is(class::PRESENT));
        group.past && marked && !now
    }
}

/// "What Russia is doing there is butchery": the clause is the subject of its verdict.
fn is_deed_of(reading: &Reading<'_, '_>, group: &Group, party_at: usize) -> bool {
    let words = &reading.words;
    group.copula
        && group.subjects.is_empty()
        && group.start > party_at
        && group.start - party_at < 12
        && party_at > 0
        && matches!(&*words[party_at - 1].lower, "what" | "whatever")
}

/// Whether a group only adds a circumstance: "condemned X, saying", "by doing", "after doing".
fn group_is_adjunct(reading: &Reading<'_, '_>, group: &Group) -> bool {
    group.start > 0
        && matches!(
            &*reading.words[group.start - 1].lower,
            "," | "by" | "after" | "before" | "while" | "for" | "of" | "without"
        )
}

/// The verdict that begins at `index`: an evaluation or a noun that is one, such as "ally".
fn verdict(reading: &Reading<'_, '_>, index: usize) -> Option<(f32, usize)> {
    evaluation(reading, index).map(|(score, end, _)| (score, end)).or_else(|| {
        let (cue, end) = noun_cue(reading, index)?;
        let judges = match cue.kind {
            Kind::Relation | Kind::Attitude | Kind::Act | Kind::War => true,
            _ => cue.score < 0.0,
        };
        (judges && cue.score.abs() > 1.5).then_some((cue.score, end))
    })
}

/// The evaluation that begins at `index`: score, word behind it, line of its list.
pub(crate) fn evaluation(reading: &Reading<'_, '_>, index: usize) -> Option<(f32, usize, u16)> {
    let word = &reading.words[index];
    let (phrase, end) = reading.longest(index, &word.entry?.evaluations)?;
    let negated = index > 0
        && (reading.words[index - 1].part == Part::Negation
            || index > 1 && reading.words[index - 2].part == Part::Negation);
    let score = if negated { -phrase.cue.score * 0.5 } else { phrase.cue.score };
    Some((score, end, phrase.cue.lemma))
}
