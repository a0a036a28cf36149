//! Who does what a verb says: its subject, or the verb on which it depends.

use super::owned::{noun_cue, owned_run};
use super::{Doer, Group};
use crate::lexicon::{Kind, class, form};
use crate::reading::{Part, Reading, Word};

pub(super) fn find_subject(
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
            None if is_of_plural(reading, group, joint) => Vec::new(),
            None => last_party_before(reading, joint).into_iter().collect(),
        };
        return;
    }
    // "Praised X and has shut Y", "nor did it say": nobody stands behind the joint, so what stands
    // before it is the object of the verb before.
    let elided = joint.is_some_and(|joint| words[joint].part == Part::Coordinator)
        || matches!(&*words[group.start].lower, "nor" | "neither");
    // "The junta expelled X and turned to Y", "acts that block or cut": who does the one does the
    // other, also where no name is his; the object of the verb before does not act.
    let follows_at_once = joint.is_some_and(|joint| {
        words[joint].part == Part::Coordinator
            && words[joint - joint.min(1)].part != Part::Comma
            && words[joint + 1..group.start].iter().all(|word| word.part == Part::Adverb)
    });
    let is_unnamed = |verb: &Group| verb.finite && !verb.passive && verb.subjects.is_empty();
    if follows_at_once && earlier.last().is_some_and(is_unnamed) {
        return;
    }
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
    if let Some(whose) = behind_aside(reading, earlier, group) {
        group.subjects.clone_from(&whose.subjects);
        return;
    }
    if let Some(found) = across_relative(reading, earlier, group) {
        group.subjects = found;
        return;
    }
    if earlier.last().is_some_and(|previous| has_all_between(reading, previous, group)) {
        return;
    }
    if let Some(party) = nobody_of(reading, floor, group.start) {
        group.subjects = vec![Doer::Party(party)];
        group.no_subject = true;
        return;
    }
    let (found, blocked) = subjects_in(reading, floor, group.start);
    group.subjects = found;
    if group.subjects.is_empty()
        && let Some(said) = earlier.last().filter(|said| said.reports() && !said.negated)
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
            // Behind a closed relative clause its antecedent goes on: "X, who lives abroad,
            // accused".
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

/// "The sanctions on X, which were lifted": by its number it is the noun before the name that the
/// relative clause is of.
fn is_of_plural(reading: &Reading<'_, '_>, group: &Group, joint: usize) -> bool {
    let words = &reading.words;
    let is_plural = matches!(&*words[group.start].lower, "were" | "are" | "have");
    let mut before = (0..joint).rev().filter(|&at| words[at].part != Part::Comma);
    let is_name = before.next().is_some_and(|at| words[at].name().is_some());
    let governed = before.next().is_some_and(|at| words[at].part == Part::Preposition);
    // What is done to somebody, not what somebody has: "the ships of X, which have attacked Y".
    let is_deed = |at: usize| {
        let noun = &words[at];
        noun.part == Part::Noun
            && noun.lower.ends_with('s')
            && !noun.is(class::AGENT)
            && noun_cue(reading, at).is_some()
    };
    is_plural && is_name && governed && before.next().is_some_and(is_deed)
}

/// "X, which borders Y, praised Z": the comma closes the clause, and whom it is of goes on.
fn behind_aside<'g>(
    reading: &Reading<'_, '_>,
    earlier: &'g [Group],
    group: &Group,
) -> Option<&'g Group> {
    let words = &reading.words;
    let is_comma = |at: usize| words[at].part == Part::Comma;
    let is_closed = group.finite && group.start.checked_sub(1).is_some_and(is_comma);
    earlier.last().filter(|clause| {
        let opens = words[..clause.start].iter().rposition(|word| word.part == Part::Relative);
        is_closed
            && clause.relative
            && !clause.subjects.is_empty()
            && opens.and_then(|at| at.checked_sub(1)).is_some_and(is_comma)
    })
}

/// "The refusal to back X angered Y": X is the object of the infinitive, not the subject.
fn has_all_between(reading: &Reading<'_, '_>, previous: &Group, group: &Group) -> bool {
    let between = &reading.words[previous.end.min(group.start)..group.start];
    !previous.finite
        && previous.end <= group.start
        && !previous.copula
        && between
            .iter()
            .all(|word| matches!(word.part, Part::Name(_) | Part::Determiner | Part::Adverb))
}

/// Whose the verb is behind a relative clause.
fn across_relative(
    reading: &Reading<'_, '_>,
    earlier: &[Group],
    group: &Group,
) -> Option<Vec<Doer>> {
    let which = relative_before(reading, earlier, group)?;
    let from = earlier.iter().map(|verb| verb.end).filter(|&end| end <= which).max().unwrap_or(0);
    let to = which - usize::from(reading.words[which - 1].part == Part::Comma);
    Some(subjects_in(reading, from.min(to), to).0)
}

/// "The minister who met farmers praised X", "Peru, whose minister met farmers, praised X": where
/// the relative clause opens that stands between a verb and its subject.
pub(super) fn relative_before(
    reading: &Reading<'_, '_>,
    earlier: &[Group],
    group: &Group,
) -> Option<usize> {
    let words = &reading.words;
    let last = earlier.last().filter(|_| group.finite)?;
    let which = words[..last.start].iter().rposition(|word| word.part == Part::Relative)?;
    let lead = &words[which.checked_sub(1)?];
    let gap = words.get(last.end..group.start)?;
    let behind = gap.iter().rev().find(|word| word.part != Part::Adverb);
    let inside = earlier.iter().filter(|verb| which < verb.start);
    let is_one_clause = inside.filter(|verb| verb.finite).count() == 1;
    let is_whole = if lead.part == Part::Comma {
        behind.is_some_and(|word| word.part == Part::Comma)
    } else {
        let is_part = |word: &Word<'_, '_>| {
            !matches!(
                word.part,
                Part::Comma | Part::Stop | Part::Subordinator | Part::Relative | Part::Pronoun
            )
        };
        // "The minister who said that X left", "who says X left": the name acts.
        let tells = last.reports() || last.cue.is_some_and(|cue| cue.kind == Kind::Judge);
        gap.iter().all(is_part)
            && behind.is_none_or(|word| word.part != Part::Coordinator)
            && !tells
            && has_tense_of_its_own(reading, group)
            && is_before_all(reading, earlier, which)
    };
    (is_one_clause && is_whole && matches!(lead.part, Part::Comma | Part::Noun | Part::Name(_)))
        .then_some(which)
}

/// Whether a verb is surely no infinitive ("lets X punish") and no participle ("the men accused
/// of").
fn has_tense_of_its_own(reading: &Reading<'_, '_>, group: &Group) -> bool {
    let words = &reading.words;
    let has_object = words.get(group.end).is_some_and(|next| {
        !matches!(next.part, Part::Preposition | Part::To | Part::Comma | Part::Stop)
    });
    match words[group.head].part {
        Part::Verb(bits) if group.start == group.head => {
            bits & form::S != 0 || bits & form::PAST != 0 && has_object
        }
        _ => true,
    }
}

/// Whether the noun before a relative clause is the subject of what follows: no verb before it has
/// it as its object, unless that opens a clause.
fn is_before_all(reading: &Reading<'_, '_>, earlier: &[Group], which: usize) -> bool {
    earlier.iter().rev().find(|verb| verb.end <= which).is_none_or(|verb| {
        verb.reports()
            || reading.words[verb.end..which]
                .iter()
                .any(|word| matches!(word.part, Part::Comma | Part::Subordinator | Part::Stop))
    })
}

/// "Nobody in Lima", "no one in Peru": whose people do not.
fn nobody_of(reading: &Reading<'_, '_>, from: usize, to: usize) -> Option<u16> {
    let words = &reading.words;
    let place = to.checked_sub(1).filter(|&at| from + 2 <= at)?;
    let party = words[place].name()?;
    let is_in = matches!(&*words[place - 1].lower, "in" | "from");
    let nobody = matches!(&*words[place - 2].lower, "nobody" | "none" | "one" | "few");
    let denies = words[place - 2].lower != "one"
        || place.checked_sub(3).is_some_and(|at| words[at].part == Part::Negation);
    (is_in && nobody && denies).then_some(party)
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
pub(super) fn subjects_in(reading: &Reading<'_, '_>, from: usize, to: usize) -> (Vec<Doer>, bool) {
    let words = &reading.words;
    // Behind the last joint, unless only an apposition or a name of a list stands there.
    let ends_phrase = |word: &Word<'_, '_>| {
        matches!(word.part, Part::Comma | Part::Stop | Part::Subordinator | Part::Quote)
            || word.is(class::SUBORDINATOR) && word.part != Part::Preposition
    };
    let joints = (from..to.min(words.len())).rev().filter(|&at| ends_phrase(&words[at]));
    let mut apposed = None;
    for opening in joints.map(|at| at + 1).chain([from]) {
        let start = skip_joints(reading, opening, to);
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
        if words[start].is(class::FIRST) {
            return (vec![Doer::First], false);
        }
        if words[start].part == Part::Pronoun {
            return (Vec::new(), false);
        }
        let found = head_of(reading, start, to, from);
        // "The minister of X, a neighbour of Y, said": what stands between commas is no subject.
        let aside = words[to - 1].part == Part::Comma
            && words[from..start].iter().any(|word| word.part == Part::Comma);
        if found.0.is_empty() && aside {
            continue;
        }
        // "X, a former Y republic, said": it is X who says so, where a name stands before.
        let has_article = matches!(&*words[opening].lower, "a" | "an" | "the");
        if aside && has_article && apposed.is_none() && is_bare_name(reading, from, opening) {
            apposed = Some(found);
            continue;
        }
        return apposed.filter(|_| found.0.is_empty()).unwrap_or(found);
    }
    if let Some(apposed) = apposed {
        return apposed;
    }
    // "In 1978 Albania broke ...": a name right before the verb that no preposition governs.
    (bare_name_before(reading, from, to).map(Doer::Party).into_iter().collect(), false)
}

/// Whether a name stands before the comma at `opening - 1`, with nothing before it that makes it
/// less than a subject: not "besides X," or "asked by X,".
fn is_bare_name(reading: &Reading<'_, '_>, from: usize, opening: usize) -> bool {
    let words = &reading.words;
    let mut before = words[from..opening.saturating_sub(1).max(from)].iter().rev();
    let named = before.next().is_some_and(|word| word.name().is_some());
    let opens = |word: &Word<'_, '_>| {
        matches!(word.part, Part::Determiner | Part::Coordinator | Part::Comma | Part::Quote)
    };
    named && before.next().is_none_or(opens)
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
    let mut of_owner = false;
    while index < to {
        let word = &words[index];
        match word.part {
            Part::Name(party) => {
                // "Spain's Portuguese partner": the partner acts, not whose partner it is.
                let owner_of_name =
                    words.get(index + 1).is_some_and(|word| word.part == Part::Possessive)
                        && words
                            .iter()
                            .take(to)
                            .skip(index + 2)
                            .take_while(|word| matches!(word.part, Part::Adjective | Part::Name(_)))
                            .any(|word| word.name().is_some());
                if owner_of_name {
                    of_owner = true;
                    index += 1;
                    continue;
                }
                let owns = owned_run(reading, index);
                if let Some(run) = owns
                    && !of_owner
                    && !run.acts_for_owner(reading)
                {
                    // "Sanctions", "gas", "novels": it is not the owner who acts.
                    let name_after = words.get(run.end).and_then(Word::name);
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
    // "X, the ally of Y, said" has commas, and is no list.
    let is_list = words[at..to].iter().any(|word| word.part == Part::Coordinator);
    while is_list && index < to && doers.len() < 12 {
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

pub(super) fn find_parent(
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
    // "Refusing to support X but endorsing Y": it goes with the verb of its own form.
    let has_to = |group: &Group| words[group.start].part == Part::To;
    if coordinated
        && let Some(alike) =
            above(earlier, parent).find(|&at| has_to(&earlier[at]) == has_to(group))
    {
        parent = alike;
    }
    if coordinated
        && !earlier[parent].finite
        && let Some(shared) = earlier[parent].parent
    {
        parent = shared;
    }
    group.parent = Some(parent);
    let previous = &earlier[parent];
    let between = floor..group.start;
    let party_between = words[between].iter().rev().find_map(Word::name);
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
    // "X was accused by Y of arming Z": the deed is X's.
    let of_accused = previous.passive && gerund_of_object;
    if let Some(party) = party_between.filter(|_| !of_accused)
        && (wish || gerund_of_object)
    {
        group.subjects = vec![Doer::Party(party)];
        return;
    }
    // "Was written by the staff with the aim of blaming Y": what follows is the staff's.
    let of_agent = previous.passive
        && !of_accused
        && words[floor..group.start].iter().any(|w| w.lower == "by");
    if !of_agent {
        group.subjects.clone_from(&previous.subjects);
    }
}

/// A group and those that it depends on, upwards.
fn above(groups: &[Group], from: usize) -> impl Iterator<Item = usize> + '_ {
    // Parents stand before, so this ends.
    std::iter::successors(Some(from), |&at| groups[at].parent.filter(|&parent| parent < at))
        .take_while(|&at| !groups[at].finite)
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
        .find_map(Word::name)
        .map(Doer::Party)
}
