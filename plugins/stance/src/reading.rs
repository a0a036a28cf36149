//! A sentence as a list of words with a guess of what each does in it.
//!
//! A name of several tokens is one word here. The guess is made from the lists and from the
//! neighbours to the left and right; it is right often enough for the patterns that build on it
//! and costs a fraction of a tagger.

use std::borrow::Cow;

use standpoint_document::{Annotation, Span};

use crate::lexicon::{Entry, Lexicon, Phrase, class, form};

/// A place in a sentence that names somebody who may hold a stance or be its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// Where, in bytes of the document.
    pub span: Span,
    /// Who: places with the same number name the same actor.
    pub actor: u32,
    /// Whether only what it belongs to is meant ("Russian" in "Russian novels"), so that it can
    /// be named but can neither hold nor receive a stance.
    pub inert: bool,
}

/// The most words of a sentence that are read; of a longer one the beginning counts.
pub(crate) const MAX_WORDS: usize = 256;
/// The most parties of a sentence that are judged.
pub(crate) const MAX_PARTIES: usize = 32;

/// What a word does in its sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Name(u16),
    /// With its bits of [`form`].
    Verb(u8),
    Auxiliary,
    Noun,
    Adjective,
    Adverb,
    Preposition,
    To,
    Determiner,
    Coordinator,
    Subordinator,
    Relative,
    Pronoun,
    Negation,
    Possessive,
    Comma,
    Stop,
    Quote,
    Other,
}

/// One word.
#[derive(Debug, Clone)]
pub(crate) struct Word<'t, 'l> {
    pub(crate) lower: Cow<'t, str>,
    pub(crate) span: Span,
    pub(crate) part: Part,
    /// Bits of [`class`].
    pub(crate) classes: u32,
    pub(crate) entry: Option<&'l Entry>,
    pub(crate) capital: bool,
    /// Inside quotation marks of this sentence, or of one that began before it.
    pub(crate) quoted: bool,
}

impl Word<'_, '_> {
    pub(crate) fn is(&self, class: u32) -> bool {
        self.classes & class != 0
    }

    pub(crate) fn name(&self) -> Option<u16> {
        match self.part {
            Part::Name(party) => Some(party),
            _ => None,
        }
    }

    pub(crate) fn is_verb(&self) -> bool {
        matches!(self.part, Part::Verb(_))
    }

    fn forms(&self) -> u8 {
        self.entry.map_or(0, |entry| entry.forms)
    }
}

/// A sentence, read.
#[derive(Debug, Clone)]
pub(crate) struct Reading<'t, 'l> {
    pub(crate) words: Vec<Word<'t, 'l>>,
    pub(crate) parties: Vec<Party>,
    /// For each party the word that it is, or is part of.
    pub(crate) word_of: Vec<u16>,
    /// Classes of small words of several parts, with the word at which they begin.
    pub(crate) runs: Vec<(u16, u32)>,
    pub(crate) question: bool,
}

/// Reads a sentence.
///
/// - `text`: the document's text; `tokens`: the sentence's tokens, in order.
/// - `parties`: in order of start, outer before inner.
/// - `in_quotes`: whether a quotation is open before the first token.
pub(crate) fn read<'t, 'l>(
    lexicon: &'l Lexicon,
    text: &'t str,
    tokens: &[Annotation],
    parties: &[Party],
    in_quotes: bool,
) -> Reading<'t, 'l> {
    let parties: Vec<Party> = parties.iter().take(MAX_PARTIES).copied().collect();
    let mut words: Vec<Word<'t, 'l>> = Vec::with_capacity(tokens.len().min(MAX_WORDS));
    let mut word_of = vec![u16::MAX; parties.len()];
    let mut next_party = 0;
    let mut name_until = 0;
    let mut quoted = in_quotes;
    for (index, token) in tokens.iter().enumerate() {
        if words.len() >= MAX_WORDS {
            break;
        }
        // Parties that begin at or before this token and are not yet placed.
        let mut begun = None;
        let bound = is_bound_pronoun(lexicon, text, &tokens[index..], &parties, words.last());
        while let Some(party) = parties.get(next_party)
            && party.span.start < token.span.end
        {
            if party.span.end > token.span.start {
                let inside = token.span.start < name_until;
                let at = if inside { words.len().saturating_sub(1) } else { words.len() };
                word_of[next_party] = at as u16;
                if !inside && !bound && begun.is_none() {
                    begun = Some(next_party as u16);
                }
            }
            next_party += 1;
        }
        if let Some(party) = begun {
            let span = parties[party as usize].span;
            name_until = span.end.max(token.span.end);
            words.push(Word {
                lower: Cow::Borrowed(""),
                span,
                part: Part::Name(party),
                classes: 0,
                entry: None,
                capital: true,
                quoted,
            });
            continue;
        }
        if token.span.start < name_until {
            continue;
        }
        push_word(lexicon, text, token.span, &mut words, &mut quoted);
    }
    let last_word = words.len().saturating_sub(1) as u16;
    for place in &mut word_of {
        *place = (*place).min(last_word);
    }
    let question = text
        .get(..tokens.last().map_or(0, |token| token.span.end as usize))
        .is_some_and(|before| before.trim_end_matches(['"', '”', '’', '\'', ')']).ends_with('?'));
    let mut reading = Reading { words, parties, word_of, runs: Vec::new(), question };
    reading.find_runs();
    reading.guess_parts();
    reading
}

/// Whether a pronoun of somebody whom the sentence names is read as a word rather than a name.
///
/// "Cast its ballot with" is a phrase only with its pronoun, and in "X praised Y, Z cursed it" the
/// clause shows better whom the object means than whoever looked for a name before it.
fn is_bound_pronoun(
    lexicon: &Lexicon,
    text: &str,
    tokens: &[Annotation],
    parties: &[Party],
    previous: Option<&Word<'_, '_>>,
) -> bool {
    let Some(span) = tokens.first().map(|token| token.span) else { return false };
    let is_pronoun = |span: Span| {
        span.len() <= 5
            && text.get(span.range()).is_some_and(|raw| {
                let any = |words: &[&str]| words.iter().any(|word| raw.eq_ignore_ascii_case(word));
                any(&["it", "him", "her", "them", "its", "his", "their", "he", "she", "they"])
            })
    };
    if !is_pronoun(span) {
        return false;
    }
    let Some(party) = parties.iter().find(|party| party.span == span) else { return false };
    let named = parties.iter().any(|other| other.actor == party.actor && !is_pronoun(other.span));
    // "Its ministry" is somebody who acts.
    let acts = tokens.get(1..).unwrap_or_default().iter().take(3).any(|token| {
        let word = text.get(token.span.range()).unwrap_or_default();
        lexicon.get(word).is_some_and(|entry| entry.classes & class::AGENT != 0)
    });
    let possessive = !acts
        && text.get(span.range()).is_some_and(|raw| {
            ["its", "his", "their"].iter().any(|word| raw.eq_ignore_ascii_case(word))
        });
    let governed = previous.is_some_and(|word| {
        !matches!(word.part, Part::Comma | Part::Stop | Part::Quote)
            && lexicon
                .get(&word.lower)
                .is_some_and(|entry| entry.forms != 0 || entry.classes & class::PREPOSITION != 0)
            && !word.is(class::SUBORDINATOR | class::COORDINATOR | class::AUXILIARY)
    });
    named && (possessive || governed)
}

fn push_word<'t, 'l>(
    lexicon: &'l Lexicon,
    text: &'t str,
    span: Span,
    words: &mut Vec<Word<'t, 'l>>,
    quoted: &mut bool,
) {
    let raw = text.get(span.range()).unwrap_or_default();
    // Tokenisers differ on "Russia's" and "don't": a lone mark joins the letters behind it.
    if matches!(raw, "s" | "t" | "ll" | "d" | "ve" | "re" | "m")
        && let Some(last) = words.last_mut()
        && last.lower == "'"
        && last.span.end == span.start
    {
        let joined = if raw == "t" { "n't" } else { &format!("'{raw}") };
        last.lower = Cow::Owned(joined.to_owned());
        last.span.end = span.end;
        last.entry = lexicon.get(&last.lower);
        last.classes = last.entry.map_or(0, |entry| entry.classes);
        if *quoted && last.part == Part::Quote {
            *quoted = last.quoted;
        }
        last.part = Part::Other;
        return;
    }
    let lower = lower_case(raw);
    let entry = lexicon.get(&lower);
    let part = match &*lower {
        "\"" | "“" | "”" | "«" | "»" | "„" | "``" | "''" => {
            *quoted = match &*lower {
                "“" | "«" | "„" | "``" => true,
                "”" | "»" | "''" => false,
                _ => !*quoted,
            };
            Part::Quote
        }
        "," => Part::Comma,
        ";" | ":" | "—" | "–" | "--" | "(" | ")" | "." | "!" | "?" | "[" | "]" | "…" => {
            Part::Stop
        }
        _ => Part::Other,
    };
    words.push(Word {
        classes: entry.map_or(0, |entry| entry.classes),
        entry,
        capital: raw.starts_with(char::is_uppercase),
        lower,
        span,
        part,
        quoted: *quoted,
    });
}

/// In lower case and with a straight apostrophe; borrowed where nothing changes.
fn lower_case(raw: &str) -> Cow<'_, str> {
    if raw.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_punctuation()) {
        return Cow::Borrowed(raw);
    }
    let mut lower = raw.to_lowercase();
    if lower.contains('’') {
        lower = lower.replace('’', "'");
    }
    Cow::Owned(lower)
}

/// Whether `word` is meant by `pattern`: "its" and "itself" stand for all persons.
fn is_meant(pattern: &str, word: &str) -> bool {
    match pattern {
        "its" => matches!(word, "its" | "his" | "her" | "their" | "our" | "my"),
        "itself" => matches!(word, "itself" | "himself" | "herself" | "themselves" | "ourselves"),
        _ => pattern == word,
    }
}

impl Reading<'_, '_> {
    /// The word behind the phrase whose first word is at `at`; adverbs may stand inside.
    pub(crate) fn match_rest(&self, at: usize, rest: &[Box<str>]) -> Option<usize> {
        let mut index = at + 1;
        for (position, pattern) in rest.iter().enumerate() {
            let mut skipped = 0;
            let limit = if position == 0 && is_result_particle(pattern) { 5 } else { 2 };
            loop {
                let word = self.words.get(index)?;
                if is_meant(pattern, &word.lower) {
                    break;
                }
                let crossable = if limit == 5 {
                    !matches!(word.part, Part::Comma | Part::Stop | Part::Quote)
                } else {
                    word.is(class::ADVERB) || word.lower.ends_with("ly")
                };
                skipped += 1;
                if !crossable || skipped > limit {
                    return None;
                }
                index += 1;
            }
            index += 1;
        }
        Some(index)
    }

    /// The longest phrase of a list that stands at `at`, and the word behind it.
    pub(crate) fn longest<'p>(
        &self,
        at: usize,
        phrases: &'p [Phrase],
    ) -> Option<(&'p Phrase, usize)> {
        phrases.iter().find_map(|phrase| self.match_rest(at, &phrase.rest).map(|end| (phrase, end)))
    }

    fn find_runs(&mut self) {
        for index in 0..self.words.len() {
            let Some(entry) = self.words[index].entry else { continue };
            for (rest, bit) in &entry.runs {
                let follows = rest.iter().enumerate().all(|(offset, word)| {
                    self.words.get(index + 1 + offset).is_some_and(|found| *found.lower == **word)
                });
                if follows {
                    self.runs.push((index as u16, *bit));
                }
            }
        }
    }

    /// The nearest word before `index` that is not an adverb or negation.
    fn before(&self, index: usize) -> Option<usize> {
        (0..index).rev().find(|&at| !matches!(self.words[at].part, Part::Adverb | Part::Negation))
    }

    fn guess_parts(&mut self) {
        for index in 0..self.words.len() {
            if self.words[index].part == Part::Other {
                let part = self.guess_part(index);
                self.words[index].part = part;
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one question after the other, each short")]
    fn guess_part(&self, index: usize) -> Part {
        let word = &self.words[index];
        let lower = &*word.lower;
        let previous = self.before(index).map(|at| &self.words[at]);
        let previous_part = previous.map(|word| word.part);
        let next = self.words.get(index + 1);
        match lower {
            "to" => {
                let verb_next = self.words[index + 1..]
                    .iter()
                    .find(|word| !word.is(class::ADVERB) && !word.lower.ends_with("ly"))
                    .is_some_and(|word| word.forms() & form::BASE != 0 || word.lower == "be");
                return if verb_next { Part::To } else { Part::Preposition };
            }
            "'s" | "'" => {
                let owner = index > 0
                    && matches!(
                        self.words[index - 1].part,
                        Part::Name(_) | Part::Noun | Part::Adjective | Part::Other
                    );
                // "It's" and "Russia's about to" are rare in edited text.
                return if owner {
                    Part::Possessive
                } else if lower == "'s" {
                    Part::Auxiliary
                } else {
                    Part::Quote
                };
            }
            "that" => {
                return match (previous_part, next.map(|next| next.forms() & (form::S | form::PAST)))
                {
                    (Some(Part::Noun | Part::Name(_)), Some(forms)) if forms != 0 => Part::Relative,
                    (Some(Part::Noun), _) if next.is_some_and(|next| next.is(class::AUXILIARY)) => {
                        Part::Relative
                    }
                    // "Condemn that annexation" has no clause behind it.
                    (Some(Part::Verb(_) | Part::Noun | Part::Adjective), _)
                        if self.verb_soon(index) =>
                    {
                        Part::Subordinator
                    }
                    _ => Part::Determiner,
                };
            }
            _ => {}
        }
        if word.is(class::NEGATION) {
            return Part::Negation;
        }
        if word.is(class::AUXILIARY) {
            return Part::Auxiliary;
        }
        if word.forms() != 0 && !(word.is(class::PREPOSITION) && lower != "like") {
            let part = self.verb_or_noun(index);
            if part.is_some() {
                return part.unwrap_or(Part::Noun);
            }
        }
        let closed = [
            (class::RELATIVE, Part::Relative),
            (class::COORDINATOR, Part::Coordinator),
            (class::PRONOUN, Part::Pronoun),
            (class::DETERMINER, Part::Determiner),
            (class::SUBORDINATOR, Part::Subordinator),
            (class::PREPOSITION, Part::Preposition),
            (class::ADVERB, Part::Adverb),
        ];
        for (bit, part) in closed {
            if word.is(bit) {
                // "Since the war" opens a phrase, "since Russia attacked" a clause.
                if bit == class::SUBORDINATOR && word.is(class::PREPOSITION) {
                    return if self.verb_soon(index) {
                        Part::Subordinator
                    } else {
                        Part::Preposition
                    };
                }
                return part;
            }
        }
        if word.entry.is_some_and(|entry| !entry.nouns.is_empty()) || word.is(class::AGENT) {
            return Part::Noun;
        }
        if word.is(class::PRESENT | class::PAST | class::FUTURE) && lower != "old" {
            return Part::Adverb;
        }
        if !lower.starts_with(char::is_alphabetic) {
            return if lower.starts_with(|c: char| c.is_ascii_digit()) {
                Part::Adjective
            } else {
                Part::Other
            };
        }
        if lower.len() > 4 && lower.ends_with("ly") {
            return Part::Adverb;
        }
        if let Some(part) = self.unknown_verb(index) {
            return part;
        }
        let adjective = ["ous", "ive", "ful", "less", "able", "ible", "ish", "ary"];
        if lower.len() > 5
            && (adjective.iter().any(|ending| lower.ends_with(ending))
                || ["al", "ic", "ant", "ent"].iter().any(|ending| lower.ends_with(ending))
                    && next.is_some_and(|next| {
                        next.lower.starts_with(char::is_alphabetic)
                            && next.classes & (class::PREPOSITION | class::COORDINATOR) == 0
                    }))
        {
            return Part::Adjective;
        }
        Part::Noun
    }

    /// Whether a finite verb stands within the next six words, before a comma.
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
        ) || previous
            .is_some_and(|word| matches!(&*word.lower, "its" | "his" | "their" | "our" | "my"));
        // A name used as an adjective: "Russian attacks on", "Israeli strikes".
        let name_before = matches!(previous.map(|word| word.part), Some(Part::Name(_)));
        let object_next = next.is_some_and(|next| {
            next.name().is_some()
                || next.is(class::DETERMINER | class::PRONOUN | class::NEGATION)
                || next.lower == "to"
        });
        if forms & form::ING != 0 && forms & (form::BASE | form::S) == 0 {
            return Some(
                if nominal_before && (is_noun_too || next.is_some_and(|next| next.lower == "of")) {
                    Part::Noun
                } else if nominal_before && !object_next {
                    Part::Adjective
                } else {
                    Part::Verb(form::ING)
                },
            );
        }
        let pasts = forms & (form::PAST | form::PARTICIPLE);
        if pasts != 0 && forms & (form::BASE | form::S) == 0 {
            let noun_next = next.is_some_and(|next| {
                next.classes & !(class::AGENT | class::REJECTED | class::ALLEGED) == 0
                    && next.lower.starts_with(char::is_alphabetic)
            });
            return Some(if nominal_before && noun_next {
                Part::Adjective
            } else {
                Part::Verb(pasts)
            });
        }
        let verbal_before = match previous {
            None => false,
            Some(previous) => {
                previous.part == Part::To
                    || previous.part == Part::Relative
                    || previous.part == Part::Auxiliary
                        && !matches!(
                            &*previous.lower,
                            "be" | "is" | "are" | "was" | "were" | "been" | "being" | "am"
                        )
                    || previous.part == Part::Pronoun
            }
        };
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
        if !is_noun_too && forms & form::S != 0 {
            return Some(Part::Verb(forms));
        }
        // "Stands with", "backs away from": the words of the phrase leave no doubt.
        let phrase =
            self.longest(index, &entry.verbs).is_some_and(|(phrase, _)| !phrase.rest.is_empty());
        let after_noun = name_before || matches!(previous.map(|word| word.part), Some(Part::Noun));
        if phrase && after_noun && forms & form::S != 0 {
            return Some(Part::Verb(forms));
        }
        if name_before {
            let possessive = index > 0 && self.words[index - 1].part == Part::Possessive;
            // "Cut" and "cast" are their own past.
            // A body may be many: "the bloc firmly condemn".
            let adverb_before = index > 0 && self.words[index - 1].part == Part::Adverb;
            let agrees =
                forms & (form::S | form::PAST) != 0 || self.is_coordinated(index) || adverb_before;
            let verb = !possessive && agrees && (object_next || adverb_before);
            return Some(if verb { Part::Verb(forms) } else { Part::Noun });
        }
        if matches!(previous.map(|word| word.part), Some(Part::Noun)) {
            let plural_before = previous.is_some_and(|word| word.lower.ends_with('s'));
            let agrees = if plural_before { forms & form::BASE != 0 } else { forms & form::S != 0 };
            return Some(if agrees && object_next { Part::Verb(forms) } else { Part::Noun });
        }
        if matches!(previous.map(|word| word.part), Some(Part::Coordinator | Part::Comma)) {
            // "Welcomes and supports": like the last verb.
            let last = self.words[..index].iter().rev().find(|word| word.is_verb());
            let like =
                last.is_some_and(|last| matches!(last.part, Part::Verb(bits) if bits & forms != 0));
            return Some(if like && object_next { Part::Verb(forms) } else { Part::Noun });
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

    /// Whether the name before `index` ends a list of names, so that a bare form is a plural verb.
    fn is_coordinated(&self, index: usize) -> bool {
        self.words[..index]
            .iter()
            .rev()
            .skip(1)
            .take(3)
            .any(|word| matches!(&*word.lower, "and" | "or"))
    }

    fn unknown_verb(&self, index: usize) -> Option<Part> {
        let word = &self.words[index];
        let lower = &*word.lower;
        let previous = self.before(index).map(|at| &self.words[at]);
        let next = self.words.get(index + 1);
        let nominal_before = matches!(
            previous.map(|word| word.part),
            Some(Part::Determiner | Part::Possessive | Part::Adjective | Part::Preposition)
        );
        if word.capital && index > 0 {
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

/// Words that may stand behind the object: "hold Russia accountable", "turn the offer down".
fn is_result_particle(word: &str) -> bool {
    matches!(word, "accountable" | "responsible" | "down" | "off" | "out" | "away" | "up" | "aside")
}
