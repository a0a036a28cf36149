//! When an attitude holds: what marks the past, and how far the mark reaches.

use std::ops::Range;

use standpoint_document::Time;

use crate::clause::{Doer, Group, Mood, noun_cue};
use crate::lexicon::{Kind, class};
use crate::reading::{Part, Reading, Word};

/// When what a verb says holds.
pub(crate) fn time_of(reading: &Reading<'_, '_>, groups: &[Group], group: &Group) -> Time {
    match group.mood {
        Mood::Unreal => Time::Hypothetical,
        Mood::Will => Time::Future,
        Mood::Real if is_undone(reading, group) => Time::Hypothetical,
        Mood::Real if is_over(reading, groups, group) => Time::Past,
        Mood::Real if reading.question => Time::Hypothetical,
        Mood::Real => Time::Present,
    }
}

/// Whether the clause around a word tells of what is over.
pub(crate) fn is_over_at(reading: &Reading<'_, '_>, groups: &[Group], at: usize) -> bool {
    let around = |group: &&Group| group.start <= at.max(group.head) && at < group.until;
    let group = groups.iter().rev().find(|group| group.start <= at && around(group));
    let group = group.or_else(|| groups.iter().find(|group| group.finite && at < group.start));
    group.is_some_and(|group| group.mood == Mood::Real && is_over(reading, groups, group))
}

/// Whether a verb tells of what was and is no more: its form is past, and words of its clause say
/// when; news tells of the present in the past tense, too.
fn is_over(reading: &Reading<'_, '_>, groups: &[Group], group: &Group) -> bool {
    let mut tense = group;
    let mut steps = 0;
    while !tense.finite
        && steps < 6
        && let Some(parent) = tense.parent.and_then(|parent| groups.get(parent))
    {
        // "Used to praise".
        if reading.words[parent.head].lower == "used" && group.start == parent.end {
            return true;
        }
        tense = parent;
        steps += 1;
    }
    tense.past && says_when(reading, group) || is_years_after(reading, group)
}

fn says_when(reading: &Reading<'_, '_>, group: &Group) -> bool {
    let words = &reading.words;
    let clause = clause_of(reading, group);
    let mark = |word: &Word<'_, '_>| word.is(class::PAST);
    // "Was once one of X's friends".
    let behind = words.get(group.end).filter(|word| group.copula && word.lower != "then");
    let marked = words[group.start..group.head].iter().chain(behind).any(mark)
        || (clause.start..group.start).any(|at| {
            let word = &words[at];
            let is_aside =
                has_comma(reading, clause.start..at) && has_comma(reading, at..group.start);
            mark(word) && !is_aside && !matches!(&*word.lower, "then" | "former")
        })
        || reading.runs.iter().any(|&(at, bits)| {
            let at = at as usize;
            bits & class::PAST != 0 && (clause.start..group.until.max(clause.start)).contains(&at)
        })
        || clause.clone().any(|at| is_past_date(reading, at));
    marked && !words[clause].iter().any(|word| word.is(class::PRESENT))
}

/// "X, once a friend of Y, left": a mark between commas reaches no further.
fn has_comma(reading: &Reading<'_, '_>, range: Range<usize>) -> bool {
    reading.words[range].iter().any(|word| word.part == Part::Comma)
}

/// "Seven years after X cut its ties": what such a clause tells of was before.
fn is_years_after(reading: &Reading<'_, '_>, group: &Group) -> bool {
    years_after(reading, group).is_some()
}

/// The "after" of such a clause.
fn years_after(reading: &Reading<'_, '_>, group: &Group) -> Option<usize> {
    let words = &reading.words;
    let after = (1..group.start).rev().take(6).find(|&at| words[at].lower == "after");
    after.filter(|&at| {
        matches!(&*words[at - 1].lower, "years" | "year" | "months" | "decades" | "decade")
    })
}

/// "Seven years after X cut its ties, the two trade again": what was done is undone.
fn is_undone(reading: &Reading<'_, '_>, group: &Group) -> bool {
    let words = &reading.words;
    let hostile = group.cue.is_some_and(|cue| cue.score < 0.0);
    let after = years_after(reading, group).filter(|_| hostile);
    after.is_some_and(|after| {
        let behind = words[group.end..].iter().position(|word| word.part == Part::Comma);
        let behind = behind.map_or(words.len(), |comma| group.end + comma);
        undoes(reading, group, 0..after) || undoes(reading, group, behind..words.len())
    })
}

/// Whether a clause tells that what a verb did is undone: "it restored the ties", "the envoy whom
/// it had recalled returned", "they talk again"; not that "its minister returned home".
fn undoes(reading: &Reading<'_, '_>, group: &Group, clause: Range<usize>) -> bool {
    let words = &reading.words;
    let is_noun = |at: &usize| words[*at].part == Part::Noun;
    let is_object_again = |at: usize| {
        let mut objects = (group.head + 1..group.until.max(group.end)).filter(is_noun);
        is_noun(&at) && objects.any(|own| words[own].lower == words[at].lower)
    };
    let is_tie = |at: usize| {
        noun_cue(reading, at).is_some_and(|(cue, _)| cue.kind == Kind::Relation)
            || matches!(
                &*words[at].lower,
                "ties"
                    | "talks"
                    | "trade"
                    | "links"
                    | "contacts"
                    | "embassy"
                    | "border"
                    | "flights"
            )
    };
    let names_both = || {
        let actor = |party: u16| reading.parties[usize::from(party)].actor;
        let parts = [group.head + 1..group.until.max(group.end), clause.clone()];
        let [goals, named] = parts
            .map(|part| words[part].iter().filter_map(Word::name).map(actor).collect::<Vec<u32>>());
        let own = |doer: &Doer| matches!(doer, Doer::Party(own) if named.contains(&actor(*own)));
        goals.iter().any(|goal| named.contains(goal)) && group.subjects.iter().any(own)
            || words[clause.clone()].iter().any(|word| {
                matches!(&*word.lower, "two" | "both" | "they" | "sides" | "neighbours")
            })
    };
    clause.clone().any(|at| match &*words[at].lower {
        "resumed" | "restored" | "reopened" | "renewed" | "mended" => {
            clause.clone().any(|at| is_tie(at) || is_object_again(at))
        }
        "returned" => clause.clone().any(is_object_again),
        "again" | "back" => names_both(),
        _ => false,
    })
}

/// The words that one mark of time can reach: up to a stop, or to what is set against it.
fn clause_of(reading: &Reading<'_, '_>, group: &Group) -> Range<usize> {
    let words = &reading.words;
    let ends = |word: &Word<'_, '_>| {
        word.part == Part::Stop && !matches!(&*word.lower, "(" | ")")
            || matches!(&*word.lower, "but" | "yet" | "whereas" | "although" | "though")
            || word.lower == "while" && word.part == Part::Subordinator
    };
    let start = words[..group.start].iter().rposition(ends).map_or(0, |at| at + 1);
    let end = words[group.head..].iter().position(ends).map_or(words.len(), |at| group.head + at);
    start..end
}

/// "In 1994", "until 1989", "during the 1990s"; not "since 2014", which lasts, nor the year in
/// which the text was published.
fn is_past_date(reading: &Reading<'_, '_>, at: usize) -> bool {
    let words = &reading.words;
    let lower = |back: usize| at.checked_sub(back).map_or("", |at| &*words[at].lower);
    let is_governed = match lower(1) {
        "in" | "until" | "till" | "during" | "between" | "from" => true,
        // "From 1991 to 1994", and not "two planes and 2000 men".
        "and" | "to" => last_year(lower(2)).is_some() && matches!(lower(3), "between" | "from"),
        // "Signed by 2000 people".
        "by" => words.get(at + 1).is_none_or(|word| word.part != Part::Noun),
        _ => lower(0).ends_with('s'),
    };
    let lasts = (1..=4).any(|back| lower(back) == "since");
    let is_over =
        last_year(lower(0)).is_some_and(|year| year < reading.published.unwrap_or(UNDATED));
    is_over && is_governed && !lasts
}

/// Of a text without a date nobody knows whether a year from here on is its own.
const UNDATED: u16 = 2000;

/// The year that is meant, or the last of its decade: "1994", "1990s".
fn last_year(word: &str) -> Option<u16> {
    let digits = word.strip_suffix('s').unwrap_or(word);
    let is_year = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let year: u16 = digits.parse().ok().filter(|year| is_year && (1600..2100).contains(year))?;
    Some(if digits.len() < word.len() { year + 9 } else { year })
}
