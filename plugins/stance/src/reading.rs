//! A sentence as a list of words with a guess of what each does in it.
//!
//! A name of several tokens is one word here. The guess is made from the lists and from the
//! neighbours to the left and right; it is right often enough for the patterns that build on it
//! and costs a fraction of a tagger.

mod part;

use std::borrow::Cow;

use standpoint_document::{Annotation, Span};

use crate::lexicon::{
    Entry, GOAL, Lexicon, OWNER, Phrase, Phrases, class, is_meant, is_result_particle, key,
};

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
    pub(crate) classes: class::Bits,
    pub(crate) entry: Option<&'l Entry>,
    /// The [`key`] of the word.
    key: u32,
    pub(crate) capital: bool,
    /// Inside quotation marks of this sentence, or of one that began before it.
    pub(crate) quoted: bool,
}

impl Word<'_, '_> {
    pub(crate) fn is(&self, class: class::Bits) -> bool {
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
    pub(crate) runs: Vec<(u16, class::Bits)>,
    pub(crate) question: bool,
    /// What the lists know of "be".
    pub(crate) copula: Option<&'l Entry>,
    /// The year in which the text was published, where that is known.
    pub(crate) published: Option<u16>,
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
                key: key(""),
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
    let mut reading = Reading {
        words,
        parties,
        word_of,
        runs: Vec::new(),
        question,
        copula: lexicon.get("be"),
        published: None,
    };
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
    let Some(party) = parties.iter().find(|party| party.span == span) else { return false };
    if !is_pronoun(span) {
        return false;
    }
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
    let raw = if is_typed_dash(text, span) { "—" } else { raw };
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
        last.key = key(&last.lower);
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
        key: key(&lower),
        capital: raw.starts_with(char::is_uppercase),
        lower,
        span,
        part,
        quoted: *quoted,
    });
}

/// Whether a hyphen stands where a dash is meant, with a space on either side: "PARIS - France".
fn is_typed_dash(text: &str, span: Span) -> bool {
    let (start, end) = (span.start as usize, span.end as usize);
    let beside = |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).copied();
    beside(Some(start)) == Some(b'-')
        && end == start + 1
        && beside(start.checked_sub(1)) == Some(b' ')
        && beside(Some(end)) == Some(b' ')
}

/// In lower case and with a straight apostrophe; borrowed where nothing changes.
pub(crate) fn lower_case(raw: &str) -> Cow<'_, str> {
    if raw.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_punctuation()) {
        return Cow::Borrowed(raw);
    }
    let mut lower = raw.to_lowercase();
    if lower.contains('’') {
        lower = lower.replace('’', "'");
    }
    Cow::Owned(lower)
}

/// What stands behind a name and a hyphen where the name says where things are from.
const OF_THINGS: [&str; 6] = ["made", "built", "designed", "manufactured", "produced", "style"];
/// And where it says so of people.
const OF_PEOPLE: [&str; 3] = ["born", "speaking", "language"];

/// So many words, at most, name the goal inside a phrase.
const GOAL_WORDS: usize = 6;

/// Adjectives that make a phrase stronger and leave its sense: "its full weight", "warm tribute".
fn is_of_degree(word: &str) -> bool {
    matches!(
        word,
        "full"
            | "fullest"
            | "entire"
            | "whole"
            | "total"
            | "strong"
            | "stronger"
            | "strongest"
            | "deep"
            | "deepest"
            | "grave"
            | "serious"
            | "warm"
            | "warmest"
            | "sincere"
            | "heartfelt"
            | "public"
            | "open"
            | "formal"
            | "official"
            | "harsh"
            | "sharp"
            | "stern"
            | "great"
            | "heavy"
            | "fresh"
            | "new"
            | "renewed"
            | "considerable"
            | "firm"
            | "bitter"
            | "fierce"
            | "political"
            | "diplomatic"
            | "unwavering"
            | "unconditional"
            | "growing"
            | "mounting"
            | "profound"
    )
}

impl Reading<'_, '_> {
    /// The word behind the phrase whose first word is at `at`; adverbs may stand inside.
    ///
    /// - `goal_before`: the X of "hit X with sanctions" stands before, as where X "was hit with"
    ///   them.
    fn match_rest(&self, at: usize, rest: &[Box<str>], goal_before: bool) -> Option<usize> {
        let mut index = at + 1;
        for (position, pattern) in rest.iter().enumerate() {
            // The X of "take X's side".
            if &**pattern == OWNER {
                let mark = self.words.get(index + 1)?;
                let owns = matches!(&*mark.lower, "'s" | "'");
                self.words[index].name().filter(|_| owns)?;
                index += 2;
                continue;
            }
            if &**pattern == GOAL {
                if goal_before {
                    continue;
                }
                index += self.length_of_goal(index, rest.get(position + 1)?)?;
                continue;
            }
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
                    word.is(class::ADVERB)
                        || word.lower.ends_with("ly")
                        || is_of_degree(&word.lower)
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

    /// How many words from `index` name the X of "hold X to account", up to the word behind it.
    fn length_of_goal(&self, index: usize, behind: &str) -> Option<usize> {
        let words = self.words.get(index..)?;
        let length = words.iter().take(GOAL_WORDS + 1).position(|w| is_meant(behind, &w.lower))?;
        let goal = &words[..length];
        // "See X recover its glory through force" sees nobody through, and "send men to X to help"
        // sends X no help.
        let ends = |word: &Word<'_, '_>| {
            matches!(word.part, Part::Comma | Part::Stop | Part::Quote | Part::To) || word.is_verb()
        };
        let is_named = goal.iter().any(|word| word.name().is_some());
        (is_named && !goal.iter().any(ends)).then_some(length)
    }

    /// The longest phrase of a list that stands at `at`, and the word behind it.
    pub(crate) fn longest<'p>(
        &self,
        at: usize,
        phrases: &'p Phrases,
    ) -> Option<(&'p Phrase, usize)> {
        match &phrases[..] {
            [] => return None,
            [only] if only.rest.is_empty() => return Some((only, at + 1)),
            _ => {}
        }
        let mut found = self.first_of(at, phrases.with_any(), usize::MAX);
        // Two words may stand before the next one of a phrase, and more where its goal does.
        for (distance, word) in self.words.iter().skip(at + 1).take(GOAL_WORDS + 3).enumerate() {
            let before = found.map_or(usize::MAX, |(place, ..)| place);
            let in_reach = |&(_, phrase): &(usize, &Phrase)| phrase.is_far || distance < 3;
            let with_word = phrases.with(word.key).filter(in_reach);
            found = self.first_of(at, with_word, before).or(found);
        }
        found.map(|(_, phrase, end)| (phrase, end))
    }

    /// The first of some phrases that stands at `at`, with its place and the word behind it.
    ///
    /// - `before`: those from this place on do not count.
    fn first_of<'p>(
        &self,
        at: usize,
        phrases: impl Iterator<Item = (usize, &'p Phrase)>,
        before: usize,
    ) -> Option<(usize, &'p Phrase, usize)> {
        phrases.take_while(|&(place, _)| place < before).find_map(|(place, phrase)| {
            Some((place, phrase, self.match_rest(at, &phrase.rest, false)?))
        })
    }

    /// The longest phrase whose goal the verb at `at`, which is in the passive, has as its subject.
    pub(crate) fn longest_of_passive<'p>(
        &self,
        at: usize,
        phrases: &'p Phrases,
    ) -> Option<(&'p Phrase, usize)> {
        let holds_goal = |phrase: &&Phrase| {
            phrase.is_far && phrase.rest.first().is_some_and(|word| **word == *GOAL)
        };
        phrases
            .iter()
            .filter(holds_goal)
            .find_map(|phrase| Some((phrase, self.match_rest(at, &phrase.rest, true)?)))
    }

    /// Whether the name at `at` only says where something is from: "its Russian-made tanks"; a ban
    /// on "Russian-made tanks" is for their maker.
    pub(crate) fn is_origin(&self, at: usize) -> bool {
        let lower = |at: usize| self.words.get(at).map_or("", |word| &*word.lower);
        let is_kept = at.checked_sub(1).is_some_and(|before| {
            matches!(&*self.words[before].lower, "its" | "their" | "our" | "his" | "her" | "with")
        });
        lower(at + 1) == "-"
            && (OF_PEOPLE.contains(&lower(at + 2)) || is_kept && OF_THINGS.contains(&lower(at + 2)))
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
}
