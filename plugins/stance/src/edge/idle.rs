//! What takes no side, though its verb does: "warned X that a storm was coming", "stood beside X in
//! the garden", "sent troops to X".

use super::Finder;
use crate::clause::{Group, noun_cue};
use crate::lexicon::{Cue, class};
use crate::reading::{Part, Word};

impl Finder<'_, '_, '_> {
    /// Whether what a verb does is done to none or no more: "hosts no envoys of X", "supports X no
    /// longer". In "gives no aid" the noun is denied, and in "no doubt" nothing.
    pub(super) fn takes_none(&self, group: &Group) -> bool {
        const REACH: usize = 4;
        let words = &self.reading.words;
        let lower = |at: usize| words.get(at).map_or("", |word| &*word.lower);
        let end = self.clause_end(group.head);
        let ends_so = group.end + 2 <= end
            && lower(end - 2) == "no"
            && matches!(lower(end - 1), "more" | "longer");
        if ends_so {
            return true;
        }
        let mut object = group.end + 1..end.min(group.end + 1 + REACH);
        let says_itself =
            |at: usize| noun_cue(self.reading, at).is_some_and(|(cue, _)| cue.score != 0.0);
        lower(group.end) == "no"
            && !matches!(lower(group.end + 1), "doubt" | "less" | "matter")
            && !object.any(says_itself)
    }

    /// Whether what is rejected is to be likened to somebody: "rejects any comparison with X".
    pub(super) fn rejects_comparison(&self, group: &Group) -> bool {
        let words = &self.reading.words;
        let head = &*words[group.head].lower;
        let likens = |word: &Word<'_, '_>| {
            matches!(&*word.lower, "comparison" | "comparisons" | "parallel" | "parallels")
        };
        ["reject", "dismiss", "refut", "resist"].iter().any(|stem| head.starts_with(stem))
            && words[group.end..].iter().take(3).any(likens)
    }

    /// Whether somebody is warned of what nature, markets or killers do: good advice, which takes
    /// no side. "Warned X not to", "against" and "that it would be isolated" do, and so does
    /// "warned that X's blockade would bring famine".
    pub(super) fn warns_of_hazard(&self, group: &Group) -> bool {
        let words = &self.reading.words;
        if !words[group.head].lower.starts_with("warn") {
            return false;
        }
        let opens = |at: &usize| matches!(&*words[*at].lower, "that" | "of" | "about" | "over");
        let end = self.clause_end(group.head);
        let Some(opening) = (group.head + 1..end).find(opens) else { return false };
        let hazard = (opening + 1..end).find(|&at| is_hazard(&words[at].lower));
        let Some(hazard) = hazard else { return false };
        // "Hunger strikers", "the prices of aggression".
        let is_other = |word: &Word<'_, '_>| word.part == Part::Noun || word.lower == "of";
        if words.get(hazard + 1).is_some_and(is_other) {
            return false;
        }
        let is_deed = |at: usize| {
            words[at].name().is_some()
                || words[at].part == Part::Pronoun
                || words[at].part == Part::Possessive
        };
        let is_act = |at: usize| {
            at != hazard && noun_cue(self.reading, at).is_some_and(|(cue, _)| cue.score < 0.0)
        };
        let refuses = |word: &Word<'_, '_>| {
            word.part == Part::Negation || matches!(&*word.lower, "against" | "unless" | "if")
        };
        // "Famine in X", and not "famine by X's blockade".
        let is_of_somebody = (hazard + 1..end).any(|at| {
            words[at].name().is_some()
                && !words[hazard..at].iter().any(|word| {
                    matches!(&*word.lower, "in" | "across" | "near" | "off" | "to" | "over" | "for")
                })
        });
        !(opening + 1..hazard).any(is_deed)
            && !(opening + 1..end).any(is_act)
            && !words[group.head..end].iter().any(refuses)
            && !is_of_somebody
    }

    /// "Stood beside X in the garden": there, and not at his side.
    pub(super) fn stands_at_a_place(&self, group: &Group) -> bool {
        let words = &self.reading.words;
        let stands = matches!(&*words[group.head].lower, "stand" | "stands" | "stood" | "standing");
        let objects = group.end..group.until.max(group.end);
        let Some(goal) = objects.clone().find(|&at| words[at].name().is_some()) else {
            return false;
        };
        // "Stands with X in Europe" is a side, "beside X at the airport" a place.
        let beside = |word: &Word<'_, '_>| matches!(&*word.lower, "beside" | "alongside");
        if !words[group.head..goal].iter().any(beside) {
            return false;
        }
        let place = |at: usize| is_place(&words[at].lower);
        // "Beside President X at the UN": a man stands there in person.
        let is_titled = words[goal - 1].is(class::AGENT);
        let is_named = words.get(goal + 2).is_some_and(|word| word.part == Part::Determiner)
            && words.get(goal + 3).is_some_and(|word| word.name().is_some());
        stands
            && words.get(goal + 1).is_some_and(|word| matches!(&*word.lower, "in" | "at" | "on"))
            && ((goal + 2..objects.end).take(4).any(place) || is_titled && is_named)
    }

    /// "Sent troops to X", and no more: whether they help or harm X, nobody says.
    pub(super) fn only_sends_men(&self, group: &Group, cue: Cue) -> bool {
        let words = &self.reading.words;
        let sends = ["send", "sent", "deploy", "dispatch"]
            .iter()
            .any(|stem| words[group.head].lower.starts_with(stem));
        let mut objects = (group.end..group.until.max(group.end))
            .skip_while(|&at| words[at].lower != "to" && words[at].name().is_none());
        let to = objects.next().filter(|&to| words[to].lower == "to");
        let Some(to) = to.filter(|&to| sends && cue.score == 0.0 && group.end < to) else {
            return false;
        };
        let are_men = matches!(
            &*words[to - 1].lower,
            "troops"
                | "soldiers"
                | "forces"
                | "men"
                | "paratroopers"
                | "battalions"
                | "instructors"
        );
        let is_last = words.get(to + 2).is_none_or(|next| {
            matches!(next.part, Part::Stop | Part::Comma | Part::Adverb)
                || next.lower == "on" && words.get(to + 3).is_some_and(|day| day.capital)
        });
        are_men && words.get(to + 1).is_some_and(|goal| goal.name().is_some()) && is_last
    }
}

/// Whether a word names what befalls people: by weather, sickness, want, or killers whom no state
/// sends.
fn is_hazard(word: &str) -> bool {
    let one = word.strip_suffix('s').filter(|_| word != "virus").unwrap_or(word);
    // One price is paid for a deed.
    word == "prices"
        || matches!(
            one,
            "storm"
                | "hurricane"
                | "typhoon"
                | "cyclone"
                | "tornado"
                | "flood"
                | "flooding"
                | "drought"
                | "earthquake"
                | "quake"
                | "tsunami"
                | "eruption"
                | "landslide"
                | "avalanche"
                | "heatwave"
                | "wildfire"
                | "rain"
                | "snow"
                | "frost"
                | "asteroid"
                | "epidemic"
                | "pandemic"
                | "outbreak"
                | "virus"
                | "cholera"
                | "flu"
                | "locust"
                | "famine"
                | "hunger"
                | "shortage"
                | "inflation"
                | "recession"
                | "slowdown"
                | "terrorist"
                | "militant"
                | "extremist"
        )
}

/// Whether a word names a place where people stand before cameras.
fn is_place(word: &str) -> bool {
    matches!(
        word,
        "garden"
            | "hall"
            | "podium"
            | "stage"
            | "palace"
            | "airport"
            | "room"
            | "steps"
            | "balcony"
            | "ceremony"
            | "carpet"
    )
}
