//! Who only stands beside what a sentence says: the object of somebody else's deed, the owner or
//! neighbour of whoever acts.

use standpoint_document::Time;

use crate::clause::{Doer, Group, owned_run};
use crate::edge::Edges;
use crate::feature::Pair;
use crate::lexicon::Kind;
use crate::reading::{Part, Reading, Word};

/// Whether the holder of a pair does nothing here, while somebody else takes a side toward the
/// target: "Rome thanked Paris and condemned X" says nothing of Paris.
pub(crate) fn stands_by(reading: &Reading<'_, '_>, found: &Edges, pair: Pair) -> bool {
    let Some(holder) = pair.holder else { return false };
    let actor = |party: u16| reading.parties[party as usize].actor;
    let (own, target) = (actor(holder), actor(pair.target));
    let is_own = |doer: &Doer| matches!(doer, Doer::Party(party) if actor(*party) == own);
    let toward = found.list.iter().filter(|edge| actor(edge.target) == target);
    if toward.clone().any(|edge| is_own(&edge.holder)) {
        return false;
    }
    if is_opposed_at_home(reading, found, own) {
        return true;
    }
    let other_acts = toward.clone().any(|edge| {
        matches!(edge.holder, Doer::Party(_))
            && edge.score.abs() >= 1.0
            && edge.time != Time::Hypothetical
    });
    // "Was accused by Rome of helping X": who accuses helps nobody.
    let accused = found
        .groups
        .iter()
        .any(|group| group.passive && reading.words[group.head].lower.starts_with("accus"));
    // "According to Rome, Paris helps X": who only tells of help gives none.
    let tells_of_help = toward.clone().any(|edge| edge.score >= 1.0);
    let acts = found.groups.iter().any(|group| {
        let tells = tells_of_help && group.reports();
        !tells && group.subjects.iter().any(is_own)
    }) || !tells_of_help && found.speaker.iter().flatten().any(is_own);
    other_acts
        && !acts
        && reading.parties.iter().zip(&reading.word_of).filter(|(party, _)| party.actor == own).all(
            |(_, &at)| {
                let at = at as usize;
                is_in_aside(reading, at)
                    || accused && tells_of_help
                    || !is_joined(reading, at) && !owns_subject(reading, found, at)
            },
        )
}

/// Whether a sentence tells of what somebody does toward the target, whom no table may know, and the
/// voice says nothing itself: "Voters condemned X".
pub(crate) fn is_told_of_others(reading: &Reading<'_, '_>, found: &Edges, pair: Pair) -> bool {
    let words = &reading.words;
    let actor = |party: u16| reading.parties[usize::from(party)].actor;
    let is_target = |at: usize| words[at].name().is_some_and(|p| actor(p) == actor(pair.target));
    let has_doer = |group: &Group| {
        let small = |word: &&Word<'_, '_>| {
            matches!(word.part, Part::Adverb | Part::Auxiliary) || word.part == Part::Comma
        };
        let before = words[..group.start].iter().rev().find(|word| !small(word));
        let is_named = before.is_some_and(|word| {
            word.part == Part::Noun || word.name().is_some_and(|p| actor(p) != actor(pair.target))
        });
        let speaks = group.subjects.contains(&Doer::First);
        !speaks && (is_named || group.subjects.iter().any(|doer| matches!(doer, Doer::Party(_))))
    };
    pair.holder.is_none()
        && found.list.iter().all(|edge| edge.holder != Doer::First)
        && found.groups.iter().any(|group| {
            let acts = group.cue.is_some_and(|cue| cue.score != 0.0 && cue.kind != Kind::War);
            let mut objects = group.end..group.until.max(group.end);
            acts && group.finite && !group.passive && has_doer(group) && objects.any(is_target)
        })
}

/// "A Peruvian plant builds": what belongs to a state may act for it.
fn owns_subject(reading: &Reading<'_, '_>, found: &Edges, at: usize) -> bool {
    owned_run(reading, at)
        .is_some_and(|run| found.groups.iter().any(|group| group.start == run.end))
}

/// Whether a state is only named as that of its critics, who act: "Peru's opposition denounced X".
fn is_opposed_at_home(reading: &Reading<'_, '_>, found: &Edges, own: u32) -> bool {
    let mut places = reading.parties.iter().zip(&reading.word_of).filter(|(p, _)| p.actor == own);
    places.all(|(_, &at)| {
        owned_run(reading, at as usize).is_some_and(|run| {
            run.dissents(reading) && found.groups.iter().any(|group| group.start == run.end)
        })
    })
}

/// Whether whoever is named at `at` is joined to somebody who may act: by "and", "with", "by".
fn is_joined(reading: &Reading<'_, '_>, at: usize) -> bool {
    let words = &reading.words;
    let before = words[..at].iter().rev().find(|word| {
        !matches!(word.part, Part::Determiner | Part::Adjective | Part::Noun | Part::Adverb)
    });
    let joins = before.is_some_and(|word| {
        let verb = ["join", "follow", "echo", "second", "back", "support"]
            .iter()
            .any(|stem| word.lower.starts_with(stem));
        verb || matches!(
            &*word.lower,
            "with" | "alongside" | "like" | "by" | "including" | "from" | "behind" | "and" | "or"
        )
    });
    // "According to Rome, Paris": two names, and no list.
    let is_told = before.is_some_and(|word| word.lower == "to")
        && words[..at].iter().any(|word| word.lower == "according");
    let in_list = !is_told
        && words.get(at + 1).is_some_and(|word| {
            matches!(word.part, Part::Coordinator | Part::Comma)
                && words[at + 2..]
                    .iter()
                    .take(2)
                    .take_while(|word| !word.is_verb())
                    .any(|word| word.name().is_some())
        });
    joins || in_list
}

/// Whether whoever is named at `at` stands between commas behind another name, in words that say
/// something else of that one: "X, sanctioned by Y, thanked Z", "X, despite pressure from Y,
/// praised Z".
fn is_in_aside(reading: &Reading<'_, '_>, at: usize) -> bool {
    let words = &reading.words;
    let Some(open) = words[..at].iter().rposition(|word| word.part == Part::Comma) else {
        return is_in_meeting(reading, at);
    };
    let close = words[at..].iter().position(|word| matches!(word.part, Part::Comma | Part::Stop));
    let is_closed = close.is_some_and(|close| {
        words[at + close].part == Part::Comma
            && words.get(at + close + 1).is_some_and(|next| {
                next.is_verb() || matches!(next.part, Part::Auxiliary | Part::Adverb)
            })
    });
    let first = &words[open + 1];
    let opens = first.is_verb()
        || matches!(first.part, Part::Relative | Part::Preposition)
            && !matches!(&*first.lower, "with" | "like" | "including" | "alongside")
        || matches!(&*first.lower, "a" | "an" | "despite");
    is_closed && opens && open > 0
}

/// "In a meeting with X, Y praised Z".
fn is_in_meeting(reading: &Reading<'_, '_>, at: usize) -> bool {
    let words = &reading.words;
    let with = words[..at].iter().rposition(|word| word.lower == "with");
    with.and_then(|with| with.checked_sub(1)).is_some_and(|met| {
        matches!(&*words[met].lower, "meeting" | "talks" | "call" | "summit" | "conversation")
    })
}
