//! Names that no table knows, by the encoder's tagger instead of the linear chain.
//!
//! It is more often right and some hundred times as dear, so it reads only sentences in which a
//! word with a capital letter stands that no table explains. The linear chain is heard beside it, for
//! it knows lists of names and how words are written elsewhere (two experts' opinions, multiplied).

use std::ops::Range;

use rustc_hash::FxHashSet;
use standpoint_document::{Document, Span, sentence};
use standpoint_encoder::{NameKind, RunError, Tag, Tagger};

use crate::atom::{self, Atom};
use crate::sight::Sight;
use crate::tagger::{Class, Scores, Tagged};

/// What the linear chain's opinion weighs beside the network's: chosen among 0.3, 0.5, 0.6, 0.7 and 1
/// on UNER's and `WikiGold`'s development sets; from 0.5 to 0.7 there is little between them.
const BESIDE: f32 = 0.6;

/// What the encoder's tagger found.
#[derive(Debug, Default)]
pub struct Learned {
    /// The sentences that it read, in order.
    pub sentences: Vec<Span>,
    /// The names in them, in order, by the document's tokens.
    pub names: Vec<Tagged>,
}

impl Learned {
    /// Whether a sentence was read.
    #[must_use]
    pub fn has_read(&self, sentence: Span) -> bool {
        self.sentences.binary_search_by_key(&sentence.start, |read| read.start).is_ok()
    }
}

/// The sentences of a document that the tagger should read, by what the tables leave unexplained:
/// in order, with at most so many words in all.
#[must_use]
pub fn worth_reading(document: &Document<'_>, sight: &Sight, max_words: usize) -> Vec<Span> {
    let atoms = &sight.atoms;
    // A word that also stands in small letters is no name where it begins a sentence.
    let written_small: FxHashSet<u64> = atoms
        .iter()
        .filter(|atom| atom.is(atom::WORD) && !atom.is(atom::CAPITAL))
        .map(|atom| atom.hash)
        .collect();
    let mut explained = vec![false; atoms.len()];
    for found in &sight.matches {
        explained[found.first as usize..found.end as usize].fill(true);
    }
    let may_be_name = |index: usize, atom: &Atom| {
        atom.is(atom::CAPITAL)
            && !explained[index]
            && !(atom.is(atom::FIRST) && written_small.contains(&atom.hash))
    };
    let mut words_left = max_words;
    let mut next = 0;
    let mut chosen = Vec::new();
    for line in document.sentences() {
        let first = next + atoms[next..].partition_point(|atom| atom.span.start < line.span.start);
        next = first + atoms[first..].partition_point(|atom| atom.span.start < line.span.end);
        let is_read = line.flags & (sentence::BOILERPLATE | sentence::FOREIGN) == 0;
        let mut inside = atoms[first..next].iter().enumerate();
        if is_read && inside.any(|(offset, atom)| may_be_name(first + offset, atom)) {
            let Some(left) = words_left.checked_sub(next - first) else { break };
            words_left = left;
            chosen.push(line.span);
        }
    }
    chosen
}

/// The names of some sentences of a document, in order, by its tokens.
///
/// - `opinions`: of the linear chain, of each token of the document; `None` where it has none.
///
/// # Errors
///
/// [`RunError`] when the runtime fails.
pub fn names(
    tagger: &Tagger,
    document: &Document<'_>,
    sentences: &[Span],
    opinions: &[Option<Scores>],
) -> Result<Vec<Tagged>, RunError> {
    let tokens = document.tokens();
    let token_of = |start: u32| tokens.partition_point(|token| token.span.end <= start);
    let opinion = |text: usize, bytes: Range<usize>, tag: Tag| {
        let start = sentences[text].start + bytes.start as u32;
        let token = token_of(start);
        let scores = opinions.get(token).and_then(Option::as_ref);
        let begins = tokens.get(token).is_some_and(|token| token.span.start == start);
        scores.map_or(0.0, |scores| BESIDE * likelihood(scores, tag, begins))
    };
    let texts: Vec<&str> = sentences.iter().map(|&span| document.slice(span)).collect();
    let mut found: Vec<Tagged> = Vec::new();
    for ((sentence, text), names) in
        sentences.iter().zip(&texts).zip(tagger.names_with(&texts, opinion)?)
    {
        for name in names {
            // A "ministry" in small letters is a ministry, and no name of one.
            let surface = text.get(name.bytes.clone()).unwrap_or_default();
            if !surface.contains(char::is_uppercase) {
                continue;
            }
            let start = sentence.start + name.bytes.start as u32;
            let end = sentence.start + name.bytes.end as u32;
            let first = token_of(start) as u32;
            let behind = tokens.partition_point(|token| token.span.start < end) as u32;
            // Word pieces are finer than tokens, so two names may meet in one.
            let free = found.last().map_or(0, |last| last.end).max(first);
            if free < behind {
                let class = class(name.kind);
                let confidence = name.confidence;
                found.push(Tagged { first: free, end: behind, class, confidence });
            }
        }
    }
    Ok(found)
}

/// How likely the linear chain finds a tag of a word, as a logarithm.
///
/// - `begins`: whether the word begins the token that the opinion is of. Words are finer, so another
///   one goes on with whatever name the token is part of.
fn likelihood(scores: &Scores, tag: Tag, begins: bool) -> f32 {
    let (kind, is_inside) = match tag {
        Tag::Outside => return scores[0],
        Tag::Begin(kind) => (kind, false),
        Tag::Inside(kind) => (kind, true),
    };
    let (begin, inside) = match class(kind) {
        Class::Person => (scores[1], scores[2]),
        Class::Organisation => (scores[3], scores[4]),
        Class::Location => (scores[5], scores[6]),
        Class::Other | Class::Event => (scores[7], scores[8]),
    };
    if !begins {
        begin.max(inside)
    } else if is_inside {
        inside
    } else {
        begin
    }
}

const fn class(kind: NameKind) -> Class {
    match kind {
        NameKind::Person => Class::Person,
        NameKind::Organisation => Class::Organisation,
        NameKind::Place => Class::Location,
        NameKind::Event => Class::Event,
        NameKind::People | NameKind::Other => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opinion_is_of_a_tag_and_of_where_the_word_stands_in_its_token() {
        let scores = [0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0];
        let cases = [
            (Tag::Outside, true, 0.0),
            (Tag::Outside, false, 0.0),
            (Tag::Begin(NameKind::Person), true, -1.0),
            (Tag::Inside(NameKind::Person), true, -2.0),
            (Tag::Inside(NameKind::Person), false, -1.0),
            (Tag::Begin(NameKind::Organisation), true, -3.0),
            (Tag::Inside(NameKind::Place), true, -6.0),
            (Tag::Begin(NameKind::Event), true, -7.0),
            (Tag::Inside(NameKind::People), true, -8.0),
            (Tag::Inside(NameKind::Other), false, -7.0),
        ];
        for (tag, begins, expected) in cases {
            let found = likelihood(&scores, tag, begins);
            assert!((found - expected).abs() < f32::EPSILON, "{tag:?} {begins}: {found}");
        }
    }
}
