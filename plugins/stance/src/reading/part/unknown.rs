//! Words that no list knows and that end like verbs.

use crate::lexicon::{class, form};
use crate::reading::{Part, Reading};

/// People who belong to a state, or are in it, and whom no list has; no verbs.
const PEOPLE: [&str; 9] = [
    "citizens",
    "nationals",
    "residents",
    "passengers",
    "persons",
    "tourists",
    "travellers",
    "travelers",
    "visitors",
];

impl Reading<'_, '_> {
    /// Whether a word that no list knows is a verb here.
    pub(super) fn unknown_verb(&self, index: usize) -> Option<Part> {
        let word = &self.words[index];
        let lower = &*word.lower;
        let previous = self.before(index).map(|at| &self.words[at]);
        let next = self.words.get(index + 1);
        let nominal_before = matches!(
            previous.map(|word| word.part),
            Some(Part::Determiner | Part::Possessive | Part::Adjective | Part::Preposition)
        );
        if word.capital && index > 0 || PEOPLE.contains(&lower) {
            return None;
        }
        if lower.len() > 4 && lower.ends_with("ed") && !lower.ends_with("eed") {
            return Some(if nominal_before {
                Part::Adjective
            } else {
                Part::Verb(form::PAST | form::PARTICIPLE)
            });
        }
        if lower.len() > 5 && lower.ends_with("ing") {
            let verb = matches!(
                previous.map(|word| word.part),
                Some(
                    Part::Auxiliary
                        | Part::Comma
                        | Part::Preposition
                        | Part::Verb(_)
                        | Part::Subordinator
                )
            );
            return Some(if verb { Part::Verb(form::ING) } else { Part::Noun });
        }
        let subject_before = matches!(
            previous.map(|word| word.part),
            Some(Part::Name(_) | Part::Pronoun | Part::Relative)
        ) && index > 0
            && self.words[index - 1].part != Part::Possessive;
        let object_next = next.is_some_and(|next| {
            next.name().is_some()
                || next.is(class::DETERMINER | class::PREPOSITION)
                || next.lower == "to"
        });
        if lower.len() > 3
            && lower.ends_with('s')
            && !lower.ends_with("ss")
            && subject_before
            && !self.is_object_name(index)
            && object_next
        {
            return Some(Part::Verb(form::S));
        }
        let modal_before = previous.is_some_and(|word| {
            word.part == Part::To
                || word.part == Part::Auxiliary
                    && matches!(
                        &*word.lower,
                        "will"
                            | "would"
                            | "can"
                            | "could"
                            | "may"
                            | "might"
                            | "must"
                            | "should"
                            | "shall"
                            | "do"
                            | "does"
                            | "did"
                            | "'ll"
                    )
        });
        modal_before.then_some(Part::Verb(form::BASE))
    }
}
