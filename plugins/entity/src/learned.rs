//! Names that no table knows, by the encoder's tagger instead of the linear chain.
//!
//! It is more often right and some hundred times as dear, so it reads only sentences in which a
//! word with a capital letter stands that no table explains.

use rustc_hash::FxHashSet;
use standpoint_document::{Document, Span, sentence};
use standpoint_encoder::{NameKind, RunError, Tagger};

use crate::atom::{self, Atom};
use crate::sight::Sight;
use crate::tagger::{Class, Tagged};

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
/// # Errors
///
/// [`RunError`] when the runtime fails.
pub fn names(
    tagger: &Tagger,
    document: &Document<'_>,
    sentences: &[Span],
) -> Result<Vec<Tagged>, RunError> {
    let tokens = document.tokens();
    let texts: Vec<&str> = sentences.iter().map(|&span| document.slice(span)).collect();
    let mut found: Vec<Tagged> = Vec::new();
    for ((sentence, text), names) in sentences.iter().zip(&texts).zip(tagger.names(&texts)?) {
        for name in names {
            // A "ministry" in small letters is a ministry, and no name of one.
            let surface = text.get(name.bytes.clone()).unwrap_or_default();
            if !surface.contains(char::is_uppercase) {
                continue;
            }
            let start = sentence.start + name.bytes.start as u32;
            let end = sentence.start + name.bytes.end as u32;
            let first = tokens.partition_point(|token| token.span.end <= start) as u32;
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

const fn class(kind: NameKind) -> Class {
    match kind {
        NameKind::Person => Class::Person,
        NameKind::Organisation => Class::Organisation,
        NameKind::Place => Class::Location,
        NameKind::Event => Class::Event,
        NameKind::People | NameKind::Other => Class::Other,
    }
}
