//! Verb groups: who acts, in which mood and time, and what depends on what.

mod owned;
mod subject;

use crate::lexicon::{Carry, Cue, GOAL, Kind, OWNER, class, form};
use crate::reading::{Part, Reading, Word};
pub(crate) use owned::{OwnedRun, noun_cue, owned_run};
use subject::{find_parent, find_subject, relative_before};

/// How real a verb group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Real,
    /// Promised, threatened or announced.
    Will,
    /// Possible, conditional, wished for: no evidence.
    Unreal,
}

/// Who does what a verb says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Doer {
    /// The voice of the text, or of whoever is quoted.
    First,
    /// A party by its index.
    Party(u16),
}

/// A verb with its auxiliaries and negations.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of grammar by itself")]
pub(crate) struct Group {
    /// First word of the group, the main verb, and the word behind verb and phrase.
    pub(crate) start: usize,
    pub(crate) head: usize,
    pub(crate) end: usize,
    /// The word behind a phrase that has its goal inside; else `end`.
    pub(crate) whole: usize,
    /// Where the objects stop.
    pub(crate) until: usize,
    pub(crate) cue: Option<Cue>,
    pub(crate) negated: bool,
    pub(crate) mood: Mood,
    pub(crate) past: bool,
    pub(crate) passive: bool,
    pub(crate) copula: bool,
    /// Has a subject and tense of its own.
    pub(crate) finite: bool,
    /// Follows a relative pronoun.
    pub(crate) relative: bool,
    /// The group on which an infinitive or gerund depends.
    pub(crate) parent: Option<usize>,
    pub(crate) subjects: Vec<Doer>,
    /// "Nobody", "not a single", "neither" in the subject.
    pub(crate) no_subject: bool,
}

impl Group {
    /// Whether it tells what somebody says.
    pub(crate) fn reports(&self) -> bool {
        self.cue.is_some_and(|cue| cue.kind == Kind::Report || cue.carry == Carry::Report)
    }
}

const BE: [&str; 9] = ["be", "am", "is", "are", "was", "were", "been", "being", "'s"];

/// Finds the verb groups of a sentence, in order.
pub(crate) fn groups(reading: &Reading<'_, '_>) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut index = 0;
    while index < reading.words.len() {
        match group_at(reading, index) {
            Some(group) => {
                index = behind(reading, &group);
                groups.push(group);
            }
            None => index += 1,
        }
    }
    for number in 0..groups.len() {
        set_until(reading, &mut groups, number);
    }
    for number in 0..groups.len() {
        attach(reading, &mut groups, number);
    }
    name_those_who(reading, &mut groups);
    for group in &mut groups {
        share_predicate(reading, group);
        if is_inverted_condition(reading, group) {
            group.mood = Mood::Unreal;
        }
    }
    groups
}

/// "Should Peru ever condemn X", "had Peru condemned X": a condition without an "if".
fn is_inverted_condition(reading: &Reading<'_, '_>, group: &Group) -> bool {
    let words = &reading.words;
    let is_subject = |word: &Word<'_, '_>| {
        matches!(
            word.part,
            Part::Name(_)
                | Part::Determiner
                | Part::Noun
                | Part::Adjective
                | Part::Adverb
                | Part::Possessive
                | Part::Pronoun
        )
    };
    let Some(first) = words[..group.start].iter().rposition(|word| !is_subject(word)) else {
        return false;
    };
    let opens =
        first == 0 || matches!(words[first - 1].part, Part::Comma | Part::Stop | Part::Quote);
    let asked = match (&*words[first].lower, words[group.head].part) {
        ("should", Part::Verb(bits)) => bits & form::BASE != 0,
        ("had", Part::Verb(bits)) => bits & form::PARTICIPLE != 0,
        _ => false,
    };
    opens && asked && first + 1 < group.start
}

/// Where the next group may begin: the "exports" of "halt arms exports to" and the "supplied" of
/// "keep X supplied" are no verbs of their own, and the one behind "ready to" is.
fn behind(reading: &Reading<'_, '_>, group: &Group) -> usize {
    let end = group.end.max(group.whole);
    let is_whole = reading.words[end - 1].part != Part::To;
    if is_whole { end.max(group.head + 1) } else { group.head + 1 }
}

/// "Among those who condemned X were A and B": they stand behind the verb.
fn name_those_who(reading: &Reading<'_, '_>, groups: &mut [Group]) {
    let words = &reading.words;
    let [clause, were, ..] = groups else { return };
    let opening = words.get(..clause.start).unwrap_or_default();
    let among = opening.first().is_some_and(|word| word.lower == "among");
    let unnamed = clause.relative && opening.iter().all(|word| word.name().is_none());
    if !(among && unnamed && were.copula) {
        return;
    }
    let is_list = |word: &&Word<'_, '_>| {
        matches!(word.part, Part::Name(_) | Part::Comma | Part::Coordinator | Part::Determiner)
    };
    let list = words.get(were.end..were.until).unwrap_or_default().iter().take_while(is_list);
    clause.subjects = list.filter_map(Word::name).map(Doer::Party).collect();
    if !clause.subjects.is_empty() {
        clause.until = were.start;
        were.subjects.clear();
    }
}

/// "A was its ally in the west and B in the east": B has the same predicate, without its words.
fn share_predicate(reading: &Reading<'_, '_>, group: &mut Group) {
    let words = &reading.words;
    if !group.copula || group.subjects.is_empty() {
        return;
    }
    for at in group.end + 1..group.until.saturating_sub(2) {
        let Some(party) = words[at + 1].name() else { continue };
        let place = &words[at + 2];
        let alike = words[group.end..at].iter().any(|word| {
            matches!(word.part, Part::Preposition | Part::To) && word.lower == place.lower
        });
        let joins = words[at].part == Part::Coordinator && words[at - 1].name().is_none();
        if joins && alike && matches!(place.part, Part::Preposition | Part::To) {
            group.subjects.push(Doer::Party(party));
        }
    }
}

/// The group whose first word is at `start`.
fn group_at(reading: &Reading<'_, '_>, start: usize) -> Option<Group> {
    let words = &reading.words;
    if !matches!(words[start].part, Part::Auxiliary | Part::Verb(_) | Part::To | Part::Negation) {
        return None;
    }
    let stem = stem_at(reading, start)?;
    let head = stem.head;
    let bits = match words[head].part {
        Part::Verb(bits) => bits,
        _ => 0,
    };
    let copula = bits == 0 && BE.contains(&&*words[head].lower);
    let passive = stem.follows_be(reading) && bits & form::PARTICIPLE != 0;
    let as_adjective = participle_of_be(reading, &stem)
        .filter(|_| stem.follows_be(reading) && bits & (form::PARTICIPLE | form::ING) != 0);
    let passive = passive && as_adjective.is_none();
    let (cue, end, whole) =
        as_adjective.unwrap_or_else(|| phrase_at(reading, head, copula, passive));
    // A verb that no list knows by itself hands on what its object says: "heaped scorn on".
    let light = Cue { score: 0.0, carry: Carry::Keep, kind: Kind::None, lemma: 0 };
    // "Is no friend of", "has no time for": a phrase by itself.
    let inside = words[head + 1..end].iter().any(|word| word.part == Part::Negation);
    let lower = |at: usize| words.get(at).map_or("", |word| &*word.lower);
    let negation_at = |at: usize| {
        words.get(at).is_some_and(|word| word.part == Part::Negation)
            || lower(at) == "anything" && lower(at + 1) == "but"
    };
    Some(Group {
        start,
        head,
        end,
        whole,
        until: words.len(),
        cue: cue.or(Some(light)),
        // "Is not", "is hardly".
        negated: !inside
            && (stem.negated
                || copula && negation_at(head + 1)
                || start.checked_sub(1).is_some_and(negation_at)),
        mood: stem.mood,
        past: stem.is_past(reading, bits),
        passive,
        copula,
        finite: stem.is_finite(reading, bits),
        relative: false,
        parent: None,
        subjects: Vec::new(),
        no_subject: false,
    })
}

/// The small words before a verb, and the verb.
#[derive(Debug)]
struct Stem {
    /// The main verb, or the last auxiliary where none follows.
    head: usize,
    auxiliaries: Vec<usize>,
    negated: bool,
    mood: Mood,
    infinitive: bool,
}

/// Walks from `start` over auxiliaries, negations and adverbs to the verb.
fn stem_at(reading: &Reading<'_, '_>, start: usize) -> Option<Stem> {
    let words = &reading.words;
    let mut stem = Stem {
        head: start,
        auxiliaries: Vec::new(),
        negated: false,
        mood: Mood::Real,
        infinitive: false,
    };
    let mut index = start;
    loop {
        let word = words.get(index)?;
        let last = stem.auxiliaries.last().copied();
        match word.part {
            Part::Auxiliary => {
                if matches!(&*word.lower, "will" | "'ll" | "wo" | "shall") {
                    stem.mood = Mood::Will;
                } else if word.is(class::HYPOTHETICAL) || word.lower == "'d" {
                    stem.mood = Mood::Unreal;
                }
                stem.auxiliaries.push(index);
            }
            // "Did not only condemn" did.
            Part::Negation => {
                let only = |next: &Word<'_, '_>| {
                    matches!(&*next.lower, "only" | "just" | "merely" | "simply")
                };
                stem.negated |= !words.get(index + 1).is_some_and(only);
            }
            Part::To => stem.infinitive = true,
            Part::Adverb => {}
            // "Nor did she say": the subject stands behind its auxiliary.
            Part::Pronoun if stem.negated && last == Some(index.wrapping_sub(1)) => {}
            Part::Verb(_) => {
                stem.head = index;
                return Some(stem);
            }
            // Nothing follows the auxiliaries: "is its ally", "has doubts".
            _ => {
                stem.head = last?;
                return Some(stem);
            }
        }
        index += 1;
        // "Not only", "no support": a negation without a verb is read with its noun.
        if index - start > 8 {
            return None;
        }
    }
}

impl Stem {
    /// Whether the last auxiliary before the verb is one of "to be".
    fn follows_be(&self, reading: &Reading<'_, '_>) -> bool {
        let before = self.auxiliaries.iter().rev().find(|&&at| at != self.head);
        before.is_some_and(|&at| BE.contains(&&*reading.words[at].lower))
    }

    /// Whether the verb, of the forms `bits`, has a tense of its own.
    fn is_finite(&self, reading: &Reading<'_, '_>, bits: u8) -> bool {
        if self.infinitive {
            return false;
        }
        match self.auxiliaries.first() {
            // A bare participle behind a noun shortens a relative clause.
            None => bits & (form::BASE | form::S | form::PAST) != 0 && bits & form::ING == 0,
            Some(&first) => {
                !matches!(&*reading.words[first].lower, "being" | "having" | "been" | "be")
            }
        }
    }

    /// Whether the verb, of the forms `bits`, tells of what was.
    fn is_past(&self, reading: &Reading<'_, '_>, bits: u8) -> bool {
        let past =
            |&at: &usize| matches!(&*reading.words[at].lower, "was" | "were" | "had" | "did");
        self.auxiliaries.is_empty() && bits & form::PAST != 0 && bits & form::BASE == 0
            || self.auxiliaries.iter().any(past)
    }
}

/// Verbs that say of their subject what "be" says: "remains loyal to", "grew wary of".
fn is_linking(word: &str) -> bool {
    let stems = ["becom", "remain", "grow", "seem", "stay", "feel", "sound", "appear", "turn"];
    matches!(word, "became" | "grew" | "felt" | "got" | "gets" | "getting" | "grown")
        || stems.iter().any(|stem| word.starts_with(stem))
}

/// "Was disappointed in", "is determined to": a participle that the lists know as an adjective.
fn participle_of_be(reading: &Reading<'_, '_>, stem: &Stem) -> Option<(Option<Cue>, usize, usize)> {
    let be = stem.auxiliaries.iter().rev().find(|&&at| at != stem.head)?;
    let (phrase, behind) = reading.longest(*be, &reading.copula?.verbs)?;
    (behind > stem.head + 1).then_some((Some(phrase.cue), behind, behind))
}

/// The cue of the phrase that begins with the verb at `head`, the word behind verb and phrase, and
/// the one behind the goal where the phrase has it inside.
fn phrase_at(
    reading: &Reading<'_, '_>,
    head: usize,
    copula: bool,
    passive: bool,
) -> (Option<Cue>, usize, usize) {
    let next = head + 1;
    let Some(known) = reading.words[head].entry else { return (None, next, next) };
    if passive && let Some((phrase, behind)) = reading.longest_of_passive(head, &known.verbs) {
        return (Some(phrase.cue), behind, behind);
    }
    let own = reading.longest(head, &known.verbs);
    let links = own.is_none_or(|(phrase, _)| phrase.rest.is_empty())
        && is_linking(&reading.words[head].lower);
    let as_copula = reading
        .copula
        .filter(|_| links)
        .and_then(|be| reading.longest(head, &be.verbs))
        .filter(|(phrase, _)| !phrase.rest.is_empty());
    let Some((phrase, behind)) = as_copula.or(own) else { return (None, next, next) };
    // "Remains a staunch ally of": what it is said to be counts, as behind "is".
    if links && phrase.rest.is_empty() && phrase.cue.score == 0.0 {
        return (None, behind, behind);
    }
    // The goal stands inside the phrase: "hold X to account", "lay the blame at X's door".
    if let Some(goal) = phrase.rest.iter().position(|word| matches!(&**word, OWNER | GOAL)) {
        return (Some(phrase.cue), next + goal, behind);
    }
    if copula && phrase.rest.is_empty() {
        // "Be proud of", "be wary of", "be ready to" are in the list under their first word.
        return (None, next, next);
    }
    // Behind "hold ... accountable" the goal stands inside the phrase.
    let gap = behind - next > phrase.rest.len() + 1
        || reading.words[next..behind].iter().any(|word| word.name().is_some());
    let end = if gap && !copula { next } else { behind };
    (Some(phrase.cue), end, end)
}

/// Where the objects of a group stop: at the next clause, or the next verb that depends on it.
fn set_until(reading: &Reading<'_, '_>, groups: &mut [Group], number: usize) {
    let words = &reading.words;
    let from = groups[number].end;
    let mut until = words.len();
    if let Some(next) = groups.get(number + 1) {
        let object_only = words[from..next.start.max(from)]
            .iter()
            .all(|word| matches!(word.part, Part::Name(_) | Part::Determiner | Part::Adverb));
        // "The refusal to back X angered Y": what stands between belongs to the infinitive.
        // "The story that X expelled Y is untrue": the clause behind the noun has its own object.
        let of_noun = groups[number].cue.is_some_and(|cue| cue.score.abs() >= 1.0)
            && words[..groups[number].start].windows(2).any(|pair| {
                pair[0].part == Part::Noun
                    && pair[1].lower == "that"
                    && pair[1].part == Part::Subordinator
            })
            && next.copula;
        let is_closed = relative_before(reading, &groups[..=number], next).is_some();
        let ends_there = object_only && !groups[number].finite && !groups[number].copula;
        until = if of_noun || is_closed || ends_there {
            next.start.max(from)
        } else {
            clause_start(reading, from, next)
        };
    }
    let strong =
        words.iter().take(until).skip(from).position(|word| {
            word.part == Part::Stop && !matches!(&*word.lower, "(" | ")" | "–" | "—")
        });
    if let Some(strong) = strong {
        until = from + strong;
    }
    groups[number].until = until.max(from);
}

/// The word with which the clause of `next` begins, not before `from`.
fn clause_start(reading: &Reading<'_, '_>, from: usize, next: &Group) -> usize {
    let words = &reading.words;
    if !next.finite || next.start <= from {
        return next.start.max(from);
    }
    // The subject runs back to the last mark or joint between the two verbs.
    for index in (from..next.start).rev() {
        match words[index].part {
            Part::Comma | Part::Stop | Part::Subordinator | Part::Relative => return index,
            Part::Coordinator => {
                // "Condemned A and B said": the joint after which a subject stands.
                return index;
            }
            _ => {}
        }
    }
    // No joint: "said Russia attacked". The subject is the last noun phrase.
    for index in (from..next.start).rev() {
        if matches!(words[index].part, Part::Preposition) {
            return next.start;
        }
        if matches!(words[index].part, Part::Determiner | Part::Name(_)) {
            return index;
        }
    }
    next.start
}

/// Finds subject, parent and mood of a group.
fn attach(reading: &Reading<'_, '_>, groups: &mut [Group], number: usize) {
    let (earlier, rest) = groups.split_at_mut(number);
    let group = &mut rest[0];
    let words = &reading.words;
    let floor = earlier.last().map_or(0, |previous| previous.end);
    let floor = floor.min(group.start);
    let before = words[floor..group.start]
        .iter()
        .rposition(|word| !matches!(word.part, Part::Adverb | Part::Negation | Part::Quote));
    let joint = before.map(|at| floor + at);

    if group.finite {
        find_subject(reading, earlier, group, floor, joint);
    } else {
        find_parent(reading, earlier, group, number, floor, joint);
    }
    // A bare participle right behind a noun may be a reduced relative: "troops backed by Minsk".
    if words[group.head].part == Part::Verb(form::PAST | form::PARTICIPLE)
        && group.start == group.head
        && (group.end == group.head + 1 || words[group.end - 1].lower == "possible")
        && words.get(group.end).is_some_and(|word| word.lower == "by")
    {
        group.passive = true;
    }
    let clause = words[floor..group.start]
        .iter()
        .rposition(|word| matches!(word.part, Part::Stop | Part::Quote | Part::Subordinator))
        .map_or(floor, |at| floor + at + 1);
    // "X was not, and it did": the negation belongs to the verb before.
    let taken = earlier.last().is_some_and(|previous| previous.copula && previous.end == clause)
        && words.get(clause).is_some_and(|word| word.part == Part::Negation);
    let clause = (clause + usize::from(taken)).min(group.start);
    group.no_subject |= subject_is_none(reading, clause, group.start);
    group.mood = mood_of(reading, earlier, group, floor);
    settle_mood(reading, earlier, group);
}

/// Takes for real what only sounds unreal: a refusal, a promise, a polite word.
fn settle_mood(reading: &Reading<'_, '_>, earlier: &[Group], group: &mut Group) {
    let words = &reading.words;
    let has = |forms: &[&str]| {
        words[group.start..group.head].iter().any(|word| forms.contains(&&*word.lower))
    };
    let would = has(&["would", "'d"]);
    let cannot = has(&["could", "can", "cannot"]) && brings_itself_to_favour(reading, group.head);
    if (would || cannot)
        && group.mood == Mood::Unreal
        && !words.iter().any(|word| word.lower == "if")
    {
        // "Would not let him pass" is a refusal; in past reports "would" is a promise.
        let refusal = group.negated && group.finite;
        group.mood = if refusal { Mood::Real } else { group.mood };
    }
    // "I would like to thank": said so politely, it is done.
    if would && words[group.head].lower == "like" && group.subjects == [Doer::First] {
        group.mood = Mood::Real;
    }
    let Some(previous) = earlier.last().filter(|_| would) else { return };
    let same = previous.subjects == group.subjects;
    // Behind "vowed", "would" is what its subject means to do, and behind "gave its word that".
    let vows = (same || earlier.len() == 1) && words[previous.head].is(class::ANNOUNCING);
    let promises = same && gives_word(reading, previous);
    if previous.past && !previous.negated && (vows || promises) {
        group.mood = Mood::Will;
    }
}

/// "Bring itself to endorse", of an act that favours somebody.
fn brings_itself_to_favour(reading: &Reading<'_, '_>, head: usize) -> bool {
    let words = &reading.words;
    let lower = |at: usize| words.get(at).map_or("", |word| &*word.lower);
    let is_reflexive = matches!(lower(head + 1), "itself" | "himself" | "herself" | "themselves");
    let favours = || {
        let verbs = &words.get(head + 3)?.entry?.verbs;
        reading.longest(head + 3, verbs).map(|(verb, _)| verb.cue.score > 0.0)
    };
    lower(head) == "bring" && is_reflexive && lower(head + 2) == "to" && favours() == Some(true)
}

/// "Gave X its word that", "has made a solemn promise that": the subject's own.
fn gives_word(reading: &Reading<'_, '_>, group: &Group) -> bool {
    let words = &reading.words;
    let gives =
        matches!(&*words[group.head].lower, "gave" | "given" | "made" | "renewed" | "repeated");
    let is_promise = |word: &str| {
        matches!(word, "word" | "promise" | "pledge" | "vow" | "assurance" | "assurances" | "oath")
    };
    let behind = &words[group.head + 1..words.len().min(group.head + 7)];
    let that = behind.iter().position(|word| word.lower == "that");
    let none = |word: &Word<'_, '_>| word.part == Part::Negation || word.lower == "no";
    gives
        && that.is_some_and(|that| {
            that > 0 && is_promise(&behind[that - 1].lower) && !behind[..that].iter().any(none)
        })
}

/// "No official", "none of", "not a single", "neither", "nobody" in `from..to`.
fn subject_is_none(reading: &Reading<'_, '_>, from: usize, to: usize) -> bool {
    reading.words[from.min(to)..to]
        .iter()
        .any(|word| matches!(&*word.lower, "no" | "none" | "nobody" | "neither" | "nor" | "not"))
}

fn mood_of(reading: &Reading<'_, '_>, earlier: &[Group], group: &Group, floor: usize) -> Mood {
    let words = &reading.words;
    if group.mood == Mood::Unreal {
        return Mood::Unreal;
    }
    let clause = &words[floor..group.start];
    let condition = clause.iter().any(|word| {
        word.is(class::CONDITIONAL) && !(word.lower == "should" || word.lower == "were")
    }) || floor == 0
        && words
            .first()
            .is_some_and(|word| matches!(&*word.lower, "should" | "were" | "had") && word.capital)
        && group.start <= 6
        || reading.runs.iter().any(|&(at, bits)| {
            bits & class::CONDITIONAL != 0 && (floor..group.start).contains(&(at as usize))
        });
    if condition && !is_comparison(reading, group, floor) {
        return Mood::Unreal;
    }
    let Some(parent) = group.parent.and_then(|parent| earlier.get(parent)) else {
        return group.mood;
    };
    let parent_word = &words[parent.head];
    if parent.cue.is_some_and(|cue| cue.kind == Kind::Wish)
        && !group.finite
        && group.subjects != parent.subjects
    {
        return Mood::Unreal;
    }
    if parent_word.is(class::INTENT) {
        return Mood::Will;
    }
    if group.mood == Mood::Real { parent.mood } else { group.mood }
}

/// "If A was cautious, B was not": two facts side by side, for what was is no condition unless
/// something would follow from it.
fn is_comparison(reading: &Reading<'_, '_>, group: &Group, floor: usize) -> bool {
    let words = &reading.words;
    let opens = words[floor..group.start].iter().any(|word| word.lower == "if");
    let simple_past = group.past
        && group.copula
        && !words[group.start..=group.head]
            .iter()
            .any(|word| matches!(&*word.lower, "were" | "had"));
    let follows = words
        .iter()
        .any(|word| word.is(class::HYPOTHETICAL) || matches!(&*word.lower, "will" | "'d" | "'ll"));
    opens && simple_past && !follows && !reading.question
}
