//! Verb groups: who acts, in which mood and time, and what depends on what.

use crate::lexicon::{Carry, Cue, Kind, class, form};
use crate::reading::{Part, Reading};

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

const BE: [&str; 9] = ["be", "am", "is", "are", "was", "were", "been", "being", "'s"];
const HAVE: [&str; 5] = ["have", "has", "had", "having", "'ve"];

/// Finds the verb groups of a sentence, in order.
pub(crate) fn groups(reading: &Reading<'_, '_>) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut index = 0;
    while index < reading.words.len() {
        match group_at(reading, index) {
            Some(group) => {
                index = group.head + 1;
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
    groups
}

/// The group whose first word is at `start`.
#[expect(clippy::too_many_lines, reason = "one walk over auxiliaries, verb and phrase")]
fn group_at(reading: &Reading<'_, '_>, start: usize) -> Option<Group> {
    let words = &reading.words;
    if !matches!(words[start].part, Part::Auxiliary | Part::Verb(_) | Part::To | Part::Negation) {
        return None;
    }
    let mut index = start;
    let mut auxiliaries: Vec<usize> = Vec::new();
    let mut negated = false;
    let mut mood = Mood::Real;
    let mut infinitive = false;
    let head = loop {
        let word = words.get(index)?;
        match word.part {
            Part::Auxiliary => {
                if matches!(&*word.lower, "will" | "'ll" | "wo" | "shall") {
                    mood = Mood::Will;
                } else if word.is(class::HYPOTHETICAL) || word.lower == "'d" {
                    mood = Mood::Unreal;
                }
                auxiliaries.push(index);
            }
            Part::Negation => negated = true,
            Part::To => infinitive = true,
            Part::Adverb => {}
            // "Nor did she say": the subject stands behind its auxiliary.
            Part::Pronoun if negated && auxiliaries.last() == Some(&(index.wrapping_sub(1))) => {}
            Part::Verb(_) => break index,
            _ => {
                // Nothing follows the auxiliaries: "is its ally", "has doubts".
                let last = *auxiliaries.last()?;
                break last;
            }
        }
        index += 1;
        // "Not only", "no support": a negation without a verb is read with its noun.
        if index - start > 8 {
            return None;
        }
    };
    let first_verb = auxiliaries.first().copied().unwrap_or(head);
    let bits = match words[head].part {
        Part::Verb(bits) => bits,
        _ => 0,
    };
    let be_before = auxiliaries
        .iter()
        .rev()
        .find(|&&at| at != head)
        .is_some_and(|&at| BE.contains(&&*words[at].lower));
    let passive = be_before && bits & form::PARTICIPLE != 0;
    let copula = bits == 0 && BE.contains(&&*words[head].lower);
    let has = bits == 0 && HAVE.contains(&&*words[head].lower);
    let mut end = head + 1;
    let mut cue = None;
    if let Some(entry) = words[head].entry
        && !copula
        && let Some((phrase, behind)) = reading.longest(head, &entry.verbs)
    {
        cue = Some(phrase.cue);
        // Behind "hold ... accountable" the goal stands inside the phrase.
        let gap = behind - head - 1 > phrase.rest.len() + 1;
        end = if gap { head + 1 } else { behind };
    }
    if copula {
        // "Be proud of", "be wary of", "be ready to" are in the list under their first word.
        if let Some(entry) = reading.words[head].entry
            && let Some((phrase, behind)) = reading.longest(head, &entry.verbs)
            && !phrase.rest.is_empty()
        {
            cue = Some(phrase.cue);
            end = behind;
        }
        // "Is not", "is hardly".
        negated |= words.get(head + 1).is_some_and(|word| word.part == Part::Negation);
    }
    let finite = !infinitive && {
        let only = if auxiliaries.is_empty() { bits } else { 0 };
        let first = &words[first_verb].lower;
        if auxiliaries.is_empty() {
            // A bare participle behind a noun shortens a relative clause.
            only & (form::BASE | form::S | form::PAST) != 0 && only & form::ING == 0
        } else {
            !matches!(&**first, "being" | "having" | "been" | "be")
        }
    };
    if words[..start].last().is_some_and(|word| word.part == Part::Negation) {
        negated = true;
    }
    let past = (auxiliaries.is_empty() && bits & form::PAST != 0 && bits & form::BASE == 0)
        || auxiliaries
            .iter()
            .any(|&at| matches!(&*words[at].lower, "was" | "were" | "had" | "did"));
    let light = Cue { score: 0.0, carry: Carry::Keep, kind: Kind::None, lemma: 0 };
    // A verb that no list knows hands on what its object says: "heaped scorn on".
    let unknown = !copula && words[head].entry.is_none_or(|entry| entry.verbs.is_empty());
    let cue = cue.or((copula || has || unknown).then_some(light));
    Some(Group {
        start,
        head,
        end,
        until: words.len(),
        cue,
        negated,
        mood,
        past,
        passive,
        copula,
        finite,
        relative: false,
        parent: None,
        subjects: Vec::new(),
        no_subject: false,
    })
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
        until = if of_noun || object_only && !groups[number].finite && !groups[number].copula {
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
        && words.get(group.head + 1).is_some_and(|word| word.lower == "by")
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
    let would =
        words[group.start..group.head].iter().any(|word| matches!(&*word.lower, "would" | "'d"));
    if would && group.mood == Mood::Unreal && !words.iter().any(|word| word.lower == "if") {
        // "Would not let him pass" is a refusal; in past reports "would" is a promise.
        let refusal = group.negated && group.finite;
        group.mood = if refusal { Mood::Real } else { group.mood };
    }
    // "I would like to thank": said so politely, it is done.
    if would && words[group.head].lower == "like" && group.subjects == [Doer::First] {
        group.mood = Mood::Real;
    }
    if would
        && let Some(previous) = earlier.last()
        && previous.past
        && !previous.negated
        && (previous.subjects == group.subjects || earlier.len() == 1)
        && announces(&words[previous.head].lower)
    {
        group.mood = Mood::Will;
    }
}

fn find_subject(
    reading: &Reading<'_, '_>,
    earlier: &[Group],
    group: &mut Group,
    floor: usize,
    joint: Option<usize>,
) {
    let words = &reading.words;
    if let Some(joint) = joint
        && matches!(words[joint].part, Part::Relative)
    {
        group.relative = true;
        // "A and B are among those who": the clause says it of the subject.
        let of_predicate = earlier.last().filter(|previous| {
            previous.copula
                && !previous.negated
                && previous.end <= joint
                && words[previous.end..joint].iter().all(|word| word.name().is_none())
        });
        group.subjects = match of_predicate {
            Some(previous) => previous.subjects.clone(),
            None => last_party_before(reading, joint).into_iter().collect(),
        };
        return;
    }
    // "Praised X and has shut Y", "nor did it say": nobody stands behind the joint, so what stands
    // before it is the object of the verb before.
    let elided = joint.is_some_and(|joint| words[joint].part == Part::Coordinator)
        || matches!(&*words[group.start].lower, "nor" | "neither");
    if elided
        && let Some(previous) = earlier.iter().rev().find(|previous| {
            // ", which is at war with Z, and flies": a comma closes the relative clause.
            let closed =
                joint.is_some_and(|joint| joint > 0 && words[joint - 1].part == Part::Comma);
            previous.finite && !previous.subjects.is_empty() && !(closed && previous.relative)
        })
    {
        group.subjects.clone_from(&previous.subjects);
        group.no_subject |= previous.no_subject;
        return;
    }
    // "Were Lima to expel": the subject stands behind the auxiliary.
    let inverted = group.start == group.head
        && words[group.head].part == Part::Auxiliary
        && words[floor..group.start].iter().all(|word| {
            matches!(word.part, Part::Quote | Part::Coordinator | Part::Comma | Part::Stop)
        });
    if inverted {
        group.subjects = subjects_in(reading, group.end, (group.end + 4).min(group.until)).0;
        return;
    }
    // "The refusal to back X angered Y": X is the object of the infinitive, not the subject.
    let of_infinitive = earlier.last().is_some_and(|previous| {
        !previous.finite
            && previous.end == floor
            && !previous.copula
            && words[floor..group.start]
                .iter()
                .all(|word| matches!(word.part, Part::Name(_) | Part::Determiner | Part::Adverb))
    });
    if of_infinitive {
        return;
    }
    let (found, blocked) = subjects_in(reading, floor, group.start);
    group.subjects = found;
    if group.subjects.is_empty()
        && let Some(said) = earlier.last().filter(|said| is_report(said) && !said.negated)
        && means_speaker(reading, floor, group.start)
    {
        group.subjects.clone_from(&said.subjects);
        return;
    }
    if !group.subjects.is_empty() || blocked {
        return;
    }
    // "... and refused": the subject of the verb before, if nobody else stands between.
    let shares = joint.is_none_or(|joint| {
        matches!(
            words[joint].part,
            Part::Coordinator | Part::Comma | Part::Pronoun | Part::Stop | Part::Subordinator
        ) || words[joint].part == Part::Preposition
    });
    if shares
        && let Some(previous) = earlier.iter().rev().find(|previous| {
            // Behind a closed relative clause its antecedent goes on: "X, who lives abroad, accused".
            let closed = joint.is_some_and(|joint| words[joint].part == Part::Comma);
            !previous.subjects.is_empty() && (!previous.relative || joint.is_none() || closed)
        })
    {
        group.subjects.clone_from(&previous.subjects);
        if joint.is_some_and(|joint| words[joint].part == Part::Coordinator) {
            group.no_subject |= previous.no_subject;
        }
    }
}

fn is_report(group: &Group) -> bool {
    group.cue.is_some_and(|cue| cue.kind == Kind::Report || cue.carry == Carry::Report)
}

/// "Said that his country ...", "said it ...": the subject is whoever speaks.
fn means_speaker(reading: &Reading<'_, '_>, from: usize, to: usize) -> bool {
    let words = &reading.words;
    let Some(start) = (from..to).find(|&at| {
        !matches!(words[at].part, Part::Subordinator | Part::Comma | Part::Quote | Part::Relative)
            && words[at].lower != "that"
    }) else {
        return false;
    };
    match &*words[start].lower {
        "it" | "he" | "she" | "they" => to - start <= 2,
        "his" | "her" | "its" | "their" => {
            to - start <= 4 && words[start + 1..to].iter().any(|word| word.is(class::AGENT))
        }
        _ => false,
    }
}

/// The parties that are the subject in `from..to`, and whether another noun is it.
fn subjects_in(reading: &Reading<'_, '_>, from: usize, to: usize) -> (Vec<Doer>, bool) {
    let words = &reading.words;
    // Behind the last joint, unless only an apposition or a name of a list stands there.
    let mut starts: Vec<usize> = vec![from];
    for (index, word) in words.iter().enumerate().take(to).skip(from) {
        if matches!(word.part, Part::Comma | Part::Stop | Part::Subordinator | Part::Quote)
            || word.is(class::SUBORDINATOR) && word.part != Part::Preposition
        {
            starts.push(index + 1);
        }
    }
    for &start in starts.iter().rev() {
        let start = skip_joints(reading, start, to);
        if start >= to {
            continue;
        }
        if words[start].part == Part::Preposition {
            if let Some(party) = bare_name_before(reading, start, to) {
                return (vec![Doer::Party(party)], false);
            }
            continue;
        }
        if words[start..to].iter().all(|word| matches!(word.part, Part::Adverb | Part::Negation)) {
            continue;
        }
        if words[start].is(class::FIRST) && words[start].part == Part::Pronoun {
            return (vec![Doer::First], false);
        }
        if words[start].is(class::FIRST) {
            return (vec![Doer::First], false);
        }
        if words[start].part == Part::Pronoun {
            return (Vec::new(), false);
        }
        return head_of(reading, start, to, from);
    }
    // "In 1978 Albania broke ...": a name right before the verb that no preposition governs.
    (bare_name_before(reading, from, to).map(Doer::Party).into_iter().collect(), false)
}

/// A name right before the verb at `to` that no preposition governs: "in 1978 Albania broke".
fn bare_name_before(reading: &Reading<'_, '_>, from: usize, to: usize) -> Option<u16> {
    let words = &reading.words;
    let at =
        (from..to).rev().find(|&at| !matches!(words[at].part, Part::Adverb | Part::Negation))?;
    let party = words[at].name()?;
    let governed = at == from
        || matches!(
            words[at - 1].part,
            Part::Preposition | Part::Determiner | Part::To | Part::Coordinator
        );
    (!governed && !reading.parties[party as usize].inert).then_some(party)
}

fn skip_joints(reading: &Reading<'_, '_>, mut start: usize, to: usize) -> usize {
    while start < to
        && matches!(
            reading.words[start].part,
            Part::Coordinator
                | Part::Adverb
                | Part::Determiner
                | Part::Quote
                | Part::Negation
                | Part::Comma
        )
        && !reading.words[start].is(class::FIRST)
    {
        start += 1;
    }
    start
}

/// The party at the head of the noun phrase that begins at `start`, with the parties joined to it.
fn head_of(reading: &Reading<'_, '_>, start: usize, to: usize, floor: usize) -> (Vec<Doer>, bool) {
    let words = &reading.words;
    let mut index = start;
    let mut noun: Option<usize> = None;
    while index < to {
        let word = &words[index];
        match word.part {
            Part::Name(party) => {
                let owns = owned_run(reading, index);
                if let Some(run) = owns
                    && !run.acts_for_owner(reading)
                {
                    // "Sanctions", "gas", "novels": it is not the owner who acts.
                    let name_after = words.get(run.end).and_then(super::reading::Word::name);
                    return match name_after {
                        Some(name) if run.end < to => {
                            (joined(reading, name, run.end, to, floor), false)
                        }
                        _ => (Vec::new(), true),
                    };
                }
                if reading.parties[party as usize].inert {
                    return (Vec::new(), true);
                }
                return (joined(reading, party, index, to, floor), false);
            }
            Part::Noun => noun = Some(index),
            Part::Preposition => {
                // "Officials in Kazakhstan", "leaders of Poland", "the government of".
                let agent = noun.is_none_or(|noun| {
                    words[noun].is(class::AGENT)
                        || matches!(
                            &*words[noun].lower,
                            "official" | "member" | "members" | "one" | "leadership"
                        )
                });
                if !(agent && matches!(&*word.lower, "of" | "in" | "from" | "for" | "at")) {
                    return (Vec::new(), noun.is_some());
                }
            }
            Part::Adjective
            | Part::Determiner
            | Part::Adverb
            | Part::Possessive
            | Part::Coordinator => {}
            Part::Verb(_) if noun.is_none() => {}
            _ => return (Vec::new(), noun.is_some()),
        }
        index += 1;
    }
    (Vec::new(), noun.is_some())
}

/// A party and those coordinated with it: "A, B and C".
fn joined(reading: &Reading<'_, '_>, party: u16, at: usize, to: usize, floor: usize) -> Vec<Doer> {
    let words = &reading.words;
    let mut doers = vec![Doer::Party(party)];
    let mut index = at + 1;
    let mut linked = false;
    while index < to && doers.len() < 12 {
        match words[index].part {
            Part::Name(next) if linked => {
                doers.push(Doer::Party(next));
                linked = false;
            }
            Part::Coordinator | Part::Comma => linked = true,
            Part::Possessive | Part::Determiner | Part::Adjective | Part::Noun => {}
            _ => break,
        }
        index += 1;
    }
    // Backwards, when the last name of a list was found first.
    let mut index = at;
    let mut linked = false;
    while index > floor && doers.len() < 12 {
        index -= 1;
        match words[index].part {
            Part::Name(next) if linked => {
                doers.push(Doer::Party(next));
                linked = false;
            }
            Part::Coordinator => linked = true,
            // "Of X, it says" is no list; "A, B and C" is.
            Part::Comma if linked || doers.len() > 1 => linked = true,
            Part::Determiner => {}
            _ => break,
        }
    }
    doers
}

fn find_parent(
    reading: &Reading<'_, '_>,
    earlier: &[Group],
    group: &mut Group,
    number: usize,
    floor: usize,
    joint: Option<usize>,
) {
    let words = &reading.words;
    // "Kenya's refusal to back": the owner of the noun acts.
    if let Some(joint) = joint
        && words[group.start].part == Part::To
        && let Some(owner) = owner_of(reading, joint, floor)
    {
        group.subjects = vec![Doer::Party(owner)];
        group.negated ^= matches!(
            &*words[joint].lower,
            "refusal" | "failure" | "reluctance" | "unwillingness" | "inability"
        );
        return;
    }
    let Some(mut parent) = number.checked_sub(1) else { return };
    // "To censure X and to praise it": both depend on the same verb.
    let coordinated = words[floor..group.start].iter().any(|word| word.part == Part::Coordinator);
    if coordinated
        && !earlier[parent].finite
        && let Some(shared) = earlier[parent].parent
    {
        parent = shared;
    }
    group.parent = Some(parent);
    let previous = &earlier[parent];
    let between = floor..group.start;
    let party_between = words[between].iter().rev().find_map(super::reading::Word::name);
    let joint_word = joint.map(|joint| &words[joint]);
    let wish = previous.cue.is_some_and(|cue| {
        cue.kind == Kind::Wish
            || matches!(
                &*words[previous.head].lower,
                "allow" | "allowed" | "let" | "help" | "helped" | "force" | "forced" | "forcing"
            )
    });
    let gerund_of_object = joint_word
        .is_some_and(|word| matches!(&*word.lower, "for" | "of" | "from"))
        && previous.cue.is_some_and(|cue| cue.score != 0.0);
    if let Some(party) = party_between
        && (wish || gerund_of_object)
    {
        group.subjects = vec![Doer::Party(party)];
        return;
    }
    group.subjects.clone_from(&previous.subjects);
}

/// Who owns the noun at `noun`: "Kenya's firm refusal", "the refusal of Kenya".
fn owner_of(reading: &Reading<'_, '_>, noun: usize, floor: usize) -> Option<u16> {
    let words = &reading.words;
    if words[noun].part != Part::Noun {
        return None;
    }
    let from = floor.max(noun.saturating_sub(5));
    let mark = (from..noun).rev().find(|&at| words[at].part == Part::Possessive)?;
    let between = words[mark + 1..noun]
        .iter()
        .all(|word| matches!(word.part, Part::Adjective | Part::Noun | Part::Adverb));
    words[mark.checked_sub(1)?].name().filter(|_| between)
}

fn last_party_before(reading: &Reading<'_, '_>, index: usize) -> Option<Doer> {
    reading.words[..index]
        .iter()
        .rev()
        .take(6)
        // "A abstained on the motion that condemns B": the motion does, not A.
        .take_while(|word| !matches!(word.part, Part::Verb(_) | Part::Auxiliary))
        .find_map(super::reading::Word::name)
        .map(Doer::Party)
}

/// Verbs behind which "would" is what their subject means to do.
fn announces(word: &str) -> bool {
    matches!(
        word,
        "said"
            | "warned"
            | "vowed"
            | "promised"
            | "pledged"
            | "announced"
            | "declared"
            | "threatened"
            | "told"
            | "insisted"
            | "added"
            | "swore"
            | "confirmed"
            | "assured"
            | "signalled"
            | "signaled"
    )
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
    let opens = words[floor..group.start].iter().any(|word| word.lower == "if" && word.capital);
    let simple_past = group.past
        && group.copula
        && !words[group.start..=group.head]
            .iter()
            .any(|word| matches!(&*word.lower, "were" | "had"));
    let follows = words[group.end..]
        .iter()
        .any(|word| word.is(class::HYPOTHETICAL) || matches!(&*word.lower, "will" | "'d" | "'ll"));
    opens && simple_past && !follows && !reading.question
}

/// The words that belong to an owner: "Russia's brutal war", "Kazakh officials".
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnedRun {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) head: usize,
}

impl OwnedRun {
    /// Whether what is owned acts as its owner, or is an act of its owner.
    pub(crate) fn acts_for_owner(&self, reading: &Reading<'_, '_>) -> bool {
        let word = &reading.words[self.head];
        word.is(class::AGENT)
            || self
                .cue(reading)
                .is_some_and(|(cue, ..)| matches!(cue.kind, Kind::War | Kind::Act | Kind::Thing))
            || word.lower.ends_with("tion") && self.cue(reading).is_none()
    }

    /// The cue noun of the run, where it begins and the word behind it.
    pub(crate) fn cue(&self, reading: &Reading<'_, '_>) -> Option<(Cue, usize, usize)> {
        (self.start..self.end)
            .find_map(|index| noun_cue(reading, index).map(|(cue, end)| (cue, index, end)))
    }
}

/// The noun cue that begins at `index`.
pub(crate) fn noun_cue(reading: &Reading<'_, '_>, index: usize) -> Option<(Cue, usize)> {
    let word = &reading.words[index];
    if !matches!(word.part, Part::Noun | Part::Adjective | Part::Other) {
        return None;
    }
    let (phrase, end) = reading.longest(index, &word.entry?.nouns)?;
    Some((phrase.cue, end))
}

/// What the name at `index` owns, if it is a possessive or stands as an adjective.
pub(crate) fn owned_run(reading: &Reading<'_, '_>, index: usize) -> Option<OwnedRun> {
    let words = &reading.words;
    let possessive = words.get(index + 1).is_some_and(|word| word.part == Part::Possessive);
    let start = index + 1 + usize::from(possessive);
    let mut end = start;
    let mut head = None;
    while let Some(word) = words.get(end)
        && end - start < 7
    {
        match word.part {
            Part::Noun => head = Some(end),
            Part::Adjective => {}
            Part::Adverb if possessive => {}
            Part::Coordinator | Part::Comma if possessive && head.is_none() => {}
            _ if word.lower == "-" => {}
            _ => break,
        }
        end += 1;
    }
    let head = head?;
    // A bare name before a noun is an adjective only if the noun is not a sentence of its own.
    if !possessive && words[start].part == Part::Adverb {
        return None;
    }
    Some(OwnedRun { start, end: head + 1, head })
}
