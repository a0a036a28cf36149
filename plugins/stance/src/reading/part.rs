//! What each word does in its sentence, guessed from the lists and from its neighbours.

mod unknown;

use super::{Part, Reading, Word, is_of_degree};
use crate::lexicon::{Carry, Entry, Kind, Phrase, class, form};

/// Adjectives also before a name: "the latest EU package".
const SUPERLATIVES: [&str; 10] = [
    "latest",
    "newest",
    "biggest",
    "largest",
    "broadest",
    "strongest",
    "toughest",
    "harshest",
    "strictest",
    "sharpest",
];

/// Words that count, or tell how many.
const NUMBERS: [&str; 20] = [
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "several", "many", "few", "all", "any", "some", "most", "these", "those",
];

impl Reading<'_, '_> {
    pub(super) fn guess_parts(&mut self) {
        for index in 0..self.words.len() {
            if self.words[index].part == Part::Other {
                let part = self.guess_part(index);
                self.words[index].part = part;
            }
        }
        for index in 0..self.words.len() {
            if self.is_origin(index) && self.words[index].name().is_some() {
                self.words[index].part = Part::Adjective;
            }
        }
        for index in 1..self.words.len().saturating_sub(1) {
            if self.is_part_of_preposition(index) {
                self.words[index].part = Part::Preposition;
            }
        }
    }

    /// "Rejects the sanctions imposed on X", "praised the help given to X": between a noun of the
    /// lists and its preposition a participle adds nothing, and is no verb of its own.
    fn is_part_of_preposition(&self, index: usize) -> bool {
        let words = &self.words;
        let participle = matches!(
            words[index].part,
            Part::Verb(bits) if bits & form::PARTICIPLE != 0 && bits & form::BASE == 0
        );
        let is_noun = words[index - 1].part == Part::Noun;
        let is_listed = words[index - 1].entry.is_some_and(|entry| !entry.nouns.is_empty());
        let noun = is_noun && is_listed;
        let governs = matches!(
            &*words[index + 1].lower,
            "on" | "upon" | "against" | "at" | "to" | "for" | "toward" | "towards"
        );
        // "The measures taken by X".
        let by_somebody = is_noun
            && !is_listed
            && words[index + 1].lower == "by"
            && words.iter().skip(index + 2).take(2).any(|next| next.name().is_some());
        let says_nothing =
            |entry: &Entry| entry.verbs.bare().iter().all(|verb| verb.cue.score == 0.0);
        let is_plain = words[index].entry.is_none_or(says_nothing);
        if !participle || !(noun && governs || by_somebody && is_plain) {
            return false;
        }
        // Of "the sanctions imposed on X hurt Y" the noun is the subject.
        let before = (0..index - 1).rev().find(|&at| match words[at].part {
            Part::Coordinator => words[at.max(1) - 1].name().is_some(),
            part => !matches!(part, Part::Noun | Part::Adjective | Part::Determiner | Part::Adverb),
        });
        before.is_some_and(|at| match words[at].part {
            Part::Verb(_) => true,
            // "Solidarity with the measures taken by X".
            Part::Preposition => by_somebody,
            _ => false,
        })
    }

    fn guess_part(&self, index: usize) -> Part {
        let word = &self.words[index];
        match &*word.lower {
            "to" => return self.part_of_to(index),
            "'s" | "'" => return self.part_of_apostrophe(index),
            "that" => return self.part_of_that(index),
            _ => {}
        }
        if word.is(class::NEGATION) {
            // "Had nothing but praise" had praise, and "has no better friend" has a friend.
            let next = self.words.get(index + 1).map_or("", |next| &*next.lower);
            let is_only = matches!(
                (&*word.lower, next),
                ("nothing", "but") | ("no", "better" | "greater" | "closer" | "truer" | "firmer")
            );
            return if is_only { Part::Determiner } else { Part::Negation };
        }
        // "Will no longer trust", "has so far declined".
        let next_is = |lower: &str| self.words.get(index + 1).is_some_and(|n| n.lower == lower);
        let previous_is = |lower: &str| index > 0 && self.words[index - 1].lower == lower;
        let is_of_pair = match &*word.lower {
            "longer" => previous_is("no"),
            "so" => next_is("far"),
            "far" => previous_is("so"),
            // "Will further limit".
            "further" => {
                self.words.get(index + 1).is_some_and(|next| next.forms() & form::BASE != 0)
            }
            _ => false,
        };
        if is_of_pair {
            return Part::Adverb;
        }
        if word.is(class::AUXILIARY) {
            let before = self.before(index).map(|at| self.words[at].part);
            let is_noun = match &*word.lower {
                // "Bowed to X's will".
                "will" => before == Some(Part::Possessive),
                // "In May".
                "may" => word.capital && before == Some(Part::Preposition),
                _ => false,
            };
            return if is_noun { Part::Noun } else { Part::Auxiliary };
        }
        if word.lower == "including" {
            return Part::Preposition;
        }
        // "The Russian-led bloc", "Russian-made tanks".
        let is_compound = index >= 2
            && self.words[index - 1].lower == "-"
            && self.words[index - 2].name().is_some()
            && word.forms() & form::PARTICIPLE != 0;
        if is_compound {
            return Part::Adjective;
        }
        let may_be_verb =
            word.forms() != 0 && !(word.is(class::PREPOSITION) && word.lower != "like");
        may_be_verb
            .then(|| self.verb_or_noun(index))
            .flatten()
            .or_else(|| self.part_of_small_word(index))
            .unwrap_or_else(|| self.part_of_content(index))
    }

    /// "To" before a verb, or before a noun.
    fn part_of_to(&self, index: usize) -> Part {
        let verb_next = self.words[index + 1..]
            .iter()
            .find(|word| !word.is(class::ADVERB) && !word.lower.ends_with("ly"))
            .is_some_and(|word| word.forms() & form::BASE != 0 || word.lower == "be");
        if verb_next { Part::To } else { Part::Preposition }
    }

    /// "'s" and "'": of an owner, or a short "is" and a quotation mark.
    fn part_of_apostrophe(&self, index: usize) -> Part {
        let owner = index > 0
            && matches!(
                self.words[index - 1].part,
                Part::Name(_) | Part::Noun | Part::Adjective | Part::Other
            );
        // "It's" and "Russia's about to" are rare in edited text.
        if owner {
            Part::Possessive
        } else if self.words[index].lower == "'s" {
            Part::Auxiliary
        } else {
            Part::Quote
        }
    }

    /// "That", which opens a clause of two kinds, or points at something.
    fn part_of_that(&self, index: usize) -> Part {
        let previous = self.before(index).map(|at| self.words[at].part);
        let next = self.words.get(index + 1);
        match (previous, next.map(|next| next.forms() & (form::S | form::PAST))) {
            (Some(Part::Noun | Part::Name(_)), Some(forms)) if forms != 0 => Part::Relative,
            // "Among the nine that voted", "one of the few that opposed".
            (_, Some(forms)) if forms != 0 && self.counts(index.wrapping_sub(1)) => Part::Relative,
            (Some(Part::Noun), _) if next.is_some_and(|next| next.is(class::AUXILIARY)) => {
                Part::Relative
            }
            (Some(Part::Noun), _) if self.opens_plural_relative(index) => Part::Relative,
            // "Condemn that annexation" has no clause behind it.
            (Some(Part::Verb(_) | Part::Noun | Part::Adjective), _) if self.verb_soon(index) => {
                Part::Subordinator
            }
            _ => Part::Determiner,
        }
    }

    /// "Sanctions that target X": whether "that" stands between a plural and its verb with an
    /// object.
    fn opens_plural_relative(&self, that: usize) -> bool {
        let plural = self.before(that).is_some_and(|at| self.words[at].lower.ends_with('s'));
        let is_base = self.words.get(that + 1).is_some_and(|verb| verb.forms() & form::BASE != 0);
        let object = self.words.get(that + 2).is_some_and(|object| {
            object.name().is_some()
                || object.is(class::DETERMINER | class::PRONOUN | class::COORDINATOR)
        });
        plural && is_base && object
    }

    /// The part of a word of the closed classes.
    fn part_of_small_word(&self, index: usize) -> Option<Part> {
        let word = &self.words[index];
        let closed = [
            (class::RELATIVE, Part::Relative),
            (class::COORDINATOR, Part::Coordinator),
            (class::PRONOUN, Part::Pronoun),
            (class::DETERMINER, Part::Determiner),
            (class::SUBORDINATOR, Part::Subordinator),
            (class::PREPOSITION, Part::Preposition),
            (class::ADVERB, Part::Adverb),
        ];
        let (_, part) = closed.into_iter().find(|&(bit, _)| word.is(bit))?;
        // "Since the war" opens a phrase, "since Russia attacked" a clause.
        let opens_phrase =
            part == Part::Subordinator && word.is(class::PREPOSITION) && !self.verb_soon(index);
        Some(if opens_phrase { Part::Preposition } else { part })
    }

    /// The part of a word that is neither small nor a verb of the lists.
    fn part_of_content(&self, index: usize) -> Part {
        let word = &self.words[index];
        let lower = &*word.lower;
        if word.entry.is_some_and(|entry| !entry.nouns.is_empty()) || word.is(class::AGENT) {
            return Part::Noun;
        }
        if word.is(class::PRESENT | class::PAST | class::FUTURE) && lower != "old" {
            return Part::Adverb;
        }
        if lower.starts_with(|first: char| first.is_ascii_digit()) {
            return Part::Adjective;
        }
        if !lower.starts_with(char::is_alphabetic) {
            return Part::Other;
        }
        if lower.len() > 4 && lower.ends_with("ly") {
            return Part::Adverb;
        }
        let by_ending = || if self.ends_as_adjective(index) { Part::Adjective } else { Part::Noun };
        self.unknown_verb(index).unwrap_or_else(by_ending)
    }

    /// Whether a word has the ending of an adjective; with some only before another word of
    /// content.
    fn ends_as_adjective(&self, index: usize) -> bool {
        let lower = &*self.words[index].lower;
        let has_any = |endings: &[&str]| endings.iter().any(|ending| lower.ends_with(ending));
        let before_content = self.words.get(index + 1).is_some_and(|next| {
            next.lower.starts_with(char::is_alphabetic)
                && next.classes & (class::PREPOSITION | class::COORDINATOR) == 0
        });
        SUPERLATIVES.contains(&lower)
            || lower.len() > 5
                && (has_any(&["ous", "ive", "ful", "less", "able", "ible", "ish", "ary"])
                    || before_content
                        && (has_any(&["al", "ic", "ant", "ent"])
                        // "Western calls".
                        || self.words[index].capital && lower.ends_with("ern")))
    }

    /// The nearest word before `index` that is not an adverb or negation.
    fn before(&self, index: usize) -> Option<usize> {
        (0..index).rev().find(|&at| !matches!(self.words[at].part, Part::Adverb | Part::Negation))
    }

    /// Whether a finite verb stands within the next eight words, before a comma.
    fn verb_soon(&self, index: usize) -> bool {
        self.words[index + 1..]
            .iter()
            .take(8)
            .take_while(|word| !matches!(word.part, Part::Comma | Part::Stop))
            .any(|word| {
                word.is(class::AUXILIARY) && !word.lower.starts_with(['\'', '’'])
                    || word.forms() & form::PAST != 0
                    || word.forms() & form::S != 0
                        && word.entry.is_none_or(|entry| entry.nouns.is_empty())
            })
    }

    /// "All remaining Russian firms", "to Russian trucks", "banned Russian citizens": whether a
    /// number, a preposition or a verb that takes no clause stands before the name before a word,
    /// which is then no subject.
    fn is_object_name(&self, index: usize) -> bool {
        let skips = [Part::Adverb, Part::Negation, Part::Adjective, Part::Noun];
        let name = self.before(index).unwrap_or(0);
        let before = (0..name).rev().find(|&at| !skips.contains(&self.words[at].part));
        before.is_some_and(|at| {
            self.counts(at) || self.words[at].part == Part::Preposition || self.takes_no_clause(at)
        })
    }

    /// Whether a word is a verb for or against whom it is done, or of giving: "banned", "hand", but
    /// not "said", "hopes".
    fn takes_no_clause(&self, index: usize) -> bool {
        let word = &self.words[index];
        let does = |phrase: &Phrase| {
            phrase.cue.score != 0.0
                && phrase.cue.carry != Carry::Report
                && phrase.cue.kind != Kind::Wish
        };
        let acts = || word.entry.is_some_and(|entry| entry.verbs.bare().iter().any(does));
        word.is_verb() && (word.is(class::GIVING) || acts())
    }

    /// Whether a word counts: "three", "30", "several".
    fn counts(&self, index: usize) -> bool {
        self.words.get(index).is_some_and(|word| {
            word.lower.starts_with(|first: char| first.is_ascii_digit())
                || NUMBERS.contains(&&*word.lower)
        })
    }

    /// Whether a word that may be a verb is one here; `None` leaves it to the other lists.
    fn verb_or_noun(&self, index: usize) -> Option<Part> {
        let word = &self.words[index];
        let forms = word.forms();
        let entry = word.entry?;
        let is_noun_too = !entry.nouns.is_empty();
        let previous = self.before(index).map(|at| &self.words[at]);
        let next = self.words.get(index + 1);
        let nominal_before = matches!(
            previous.map(|word| word.part),
            Some(Part::Determiner | Part::Possessive | Part::Adjective)
        ) || previous.is_some_and(|word| {
            matches!(&*word.lower, "its" | "his" | "their" | "our" | "my")
                // "Full blocking sanctions".
                || is_of_degree(&word.lower) && !word.is_verb()
        });
        // A name used as an adjective: "Russian attacks on", "Israeli strikes".
        let name_before = matches!(previous.map(|word| word.part), Some(Part::Name(_)));
        let object_next = next.is_some_and(|next| {
            next.name().is_some()
                || next.is(class::DETERMINER | class::PRONOUN | class::NEGATION)
                || next.lower == "to"
        });
        if forms & form::ING != 0 && forms & (form::BASE | form::S) == 0 {
            return Some(self.part_of_ing(index, nominal_before, object_next));
        }
        let pasts = forms & (form::PAST | form::PARTICIPLE);
        if pasts != 0 && forms & (form::BASE | form::S) == 0 {
            let is_adjective = self.is_participle_before_noun(index, nominal_before);
            return Some(if is_adjective { Part::Adjective } else { Part::Verb(pasts) });
        }
        // "Has close ties with", "is cool to": behind these stands no verb without its participle.
        let auxiliary = previous.filter(|word| word.part == Part::Auxiliary);
        let be = auxiliary.is_some_and(|word| {
            matches!(&*word.lower, "be" | "is" | "are" | "was" | "were" | "been" | "being" | "am")
        });
        let has = auxiliary.is_some_and(|word| matches!(&*word.lower, "has" | "have" | "had"));
        if (be || has) && forms & form::PARTICIPLE == 0 {
            return is_noun_too.then_some(Part::Noun);
        }
        let verbal_before = previous.is_some_and(|previous| {
            matches!(previous.part, Part::To | Part::Relative | Part::Pronoun)
                || previous.part == Part::Auxiliary && !be
        });
        if verbal_before {
            return Some(Part::Verb(forms));
        }
        // "Were put": a form that is its own participle.
        if previous.is_some_and(|word| word.part == Part::Auxiliary)
            && forms & (form::PARTICIPLE | form::ING) != 0
        {
            return Some(Part::Verb(forms));
        }
        if nominal_before {
            return Some(Part::Noun);
        }
        if self.is_text_of_clause(index) {
            return Some(Part::Noun);
        }
        let governed = matches!(previous.map(|word| word.part), Some(Part::Preposition))
            || self.ends_list(index);
        let is_object = self.is_object(index)
            || name_before && self.is_object_name(index)
            || forms & form::S != 0 && self.ends_object(index);
        if !is_noun_too && !governed && !is_object && forms & form::S != 0 {
            return Some(Part::Verb(forms));
        }
        // "Stands with", "backs away from": the words of the phrase leave no doubt.
        let phrase =
            self.longest(index, &entry.verbs).is_some_and(|(phrase, _)| !phrase.rest.is_empty());
        let after_noun = name_before || matches!(previous.map(|word| word.part), Some(Part::Noun));
        if phrase && after_noun && forms & (form::S | form::PAST) != 0 {
            return Some(Part::Verb(forms));
        }
        if name_before {
            return Some(self.part_behind_name(index, object_next));
        }
        if matches!(previous.map(|word| word.part), Some(Part::Noun)) {
            let plural_before = previous.is_some_and(|word| word.lower.ends_with('s'));
            let agrees = if plural_before { forms & form::BASE != 0 } else { forms & form::S != 0 };
            let is_verb = agrees && object_next && !is_object;
            return Some(if is_verb { Part::Verb(forms) } else { Part::Noun });
        }
        if matches!(previous.map(|word| word.part), Some(Part::Coordinator | Part::Comma)) {
            // "Welcomes and supports": like the last verb.
            let last = self.words[..index].iter().rev().find(|word| word.is_verb());
            let like =
                last.is_some_and(|last| matches!(last.part, Part::Verb(bits) if bits & forms != 0));
            // "To develop and implement measures".
            let is_base = forms & form::BASE != 0 && !is_noun_too;
            let verb = like && (object_next || is_base);
            return Some(if verb { Part::Verb(forms) } else { Part::Noun });
        }
        if is_noun_too
            || matches!(previous.map(|word| word.part), Some(Part::Preposition | Part::Verb(_)))
        {
            return Some(Part::Noun);
        }
        if forms & form::BASE != 0 && previous.is_some() && !object_next {
            return None;
        }
        Some(Part::Verb(forms))
    }

    /// "The occupied territory", "the frozen Russian assets", "hand frozen Russian assets to".
    fn is_participle_before_noun(&self, index: usize, nominal_before: bool) -> bool {
        let is_content = |at: usize| {
            self.words.get(at).is_some_and(|word| {
                word.classes & !class::OF_CONTENT == 0
                    && word.lower.starts_with(char::is_alphabetic)
            })
        };
        let is_participle = self.words[index].forms() & form::PARTICIPLE != 0;
        let in_object =
            is_participle && self.before(index).is_some_and(|at| self.words[at].is_verb());
        let name_next = self.words.get(index + 1).is_some_and(|next| next.name().is_some());
        nominal_before && is_content(index + 1)
            || (nominal_before || in_object) && name_next && is_content(index + 2)
    }

    /// What a form in "-ing" is: "the shelling of", "all remaining Russian consulates", "arming X".
    fn part_of_ing(&self, index: usize, nominal_before: bool, object_next: bool) -> Part {
        let entry = self.words[index].entry;
        let next = self.words.get(index + 1);
        // "Its arming Russia" is a deed.
        let says =
            entry.is_some_and(|entry| entry.verbs.bare().iter().any(|verb| verb.cue.score != 0.0));
        let before = self.before(index).map(|at| self.words[at].part);
        let qualifies_name = !says
            && before == Some(Part::Determiner)
            && next.is_some_and(|next| next.name().is_some());
        let is_noun_too = entry.is_some_and(|entry| !entry.nouns.is_empty());
        let is_noun = is_noun_too || next.is_some_and(|next| next.lower == "of");
        if nominal_before && is_noun && !qualifies_name {
            Part::Noun
        } else if nominal_before && (qualifies_name || !object_next) {
            Part::Adjective
        } else {
            Part::Verb(form::ING)
        }
    }

    /// "Reports that X left are false", "denied media reports that X left".
    fn is_text_of_clause(&self, index: usize) -> bool {
        let before = self.before(index);
        let is_object = before
            .filter(|&at| self.words[at].part == Part::Noun)
            .is_some_and(|at| self.before(at).is_some_and(|verb| self.words[verb].is_verb()));
        (before.is_none() || is_object)
            && self.words[index].is(class::TEXT | class::ALLEGED)
            && self.words.get(index + 1).is_some_and(|next| next.lower == "that")
    }

    /// "Troops, aircraft, ships –": the last of a list, with nothing behind it.
    fn ends_list(&self, index: usize) -> bool {
        let is_joined = self.before(index).is_some_and(|at| {
            let part = self.words[at].part;
            part == Part::Comma
                || part == Part::Coordinator && at > 0 && self.words[at - 1].part == Part::Noun
        });
        let lasts = self.words.get(index + 1).is_none_or(|next| {
            matches!(next.part, Part::Comma | Part::Stop) || next.is(class::AUXILIARY)
        });
        is_joined && lasts
    }

    /// What a form that may be a verb or a noun is behind a name.
    fn part_behind_name(&self, index: usize, object_next: bool) -> Part {
        let forms = self.words[index].forms();
        let before = |steps: usize| index.checked_sub(steps).map(|at| &self.words[at]);
        let is = |steps: usize, part: Part| before(steps).is_some_and(|word| word.part == part);
        // "Demands that it punish".
        let wished = before(2).is_some_and(|word| word.lower == "that");
        // "Cut" and "cast" are their own past.
        let agrees = forms & (form::S | form::PAST) != 0 || self.is_coordinated(index) || wished;
        // A body may be many: "the bloc firmly condemn".
        let verb = !is(1, Part::Possessive) && (is(1, Part::Adverb) || agrees && object_next);
        if verb { Part::Verb(forms) } else { Part::Noun }
    }

    /// "Rejected calls to", where two verbs would need a subject between them.
    fn is_object(&self, index: usize) -> bool {
        let is_verb = |at: usize| self.words[at].is_verb();
        self.before(index).is_some_and(is_verb)
            && self.words.get(index + 1).is_some_and(|next| {
                matches!(&*next.lower, "to" | "for" | "on" | "against" | "that")
            })
    }

    /// "Took retaliatory measures", "saw people boarding trains": only nouns stand between a verb
    /// that opens no clause and the word.
    fn ends_object(&self, index: usize) -> bool {
        let mut before = self.words[..index].iter().rev();
        let is_nominal = |word: &&Word<'_, '_>| {
            matches!(word.part, Part::Noun | Part::Adjective | Part::Determiner)
        };
        let verb = before.find(|word| !is_nominal(word));
        // "The minister who met farmers condemns": the sentence still waits for its verb.
        let is_small = |word: &&Word<'_, '_>| matches!(word.part, Part::Adverb | Part::Auxiliary);
        let is_relative =
            before.find(|word| !is_small(word)).is_some_and(|word| word.part == Part::Relative);
        let opens_clause = |phrase: &Phrase| {
            phrase.rest.is_empty()
                && (phrase.cue.carry == Carry::Report
                    || matches!(phrase.cue.kind, Kind::Report | Kind::Wish | Kind::Judge))
        };
        index > 0
            && self.words[index - 1].part == Part::Noun
            && !is_relative
            && verb.is_some_and(|verb| {
                verb.is_verb()
                    && verb.entry.is_none_or(|entry| !entry.verbs.iter().any(opens_clause))
            })
    }

    /// Whether the name before `index` ends a list of names, so that a bare form is a plural verb.
    fn is_coordinated(&self, index: usize) -> bool {
        self.words[..index]
            .iter()
            .rev()
            .skip(1)
            .take(3)
            .any(|word| matches!(&*word.lower, "and" | "or"))
    }
}
