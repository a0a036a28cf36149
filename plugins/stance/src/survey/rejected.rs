//! Claims that the next sentence rejects: "A post claims that X thanked Y. It is a fabrication."

use standpoint_document::{Annotation, Span};

use super::Survey;
use super::scene::Scene;
use crate::lexicon::class;
use crate::sum::Piece;

/// How sentences begin that reject what stands before them.
const REJECTIONS: [&[&str]; 14] = [
    &["nothing", "of", "the", "kind"],
    &["nothing", "of", "the", "sort"],
    &["no", "such"],
    &["no", "evidence"],
    &["no", "record"],
    &["there", "is", "no"],
    &["there", "was", "no"],
    &["we", "found", "no"],
    &["it", "did", "no", "such"],
    &["it", "did", "nothing"],
    &["it", "has", "not"],
    &["it", "never", "did"],
    &["verdict", ":", "false"],
    &["false", "."],
];
/// Who speaks in claims, and what holds them, beside the words of the lists.
const CLAIMANTS: [&str; 20] = [
    "account",
    "article",
    "clip",
    "headline",
    "meme",
    "myth",
    "outlets",
    "post",
    "posts",
    "quotation",
    "quoted",
    "screenshot",
    "supposedly",
    "tweet",
    "tweets",
    "users",
    "video",
    "videos",
    "viral",
    "website",
];
/// How many words from the beginning of a sentence on tell whether it does.
const OPENING: usize = 12;
/// How many pieces of a holder are from one sentence, or few more.
const RECENT: usize = 4;

impl Survey<'_> {
    /// Forgets what a sentence gives as a claim of somebody, where the one behind it says that it is
    /// not so.
    ///
    /// - `tokens`: those of the sentence behind it.
    pub(super) fn take_back(&mut self, claim: &Scene<'_>, tokens: &[Annotation]) {
        let is_recent = |pieces: &Vec<Piece>| {
            pieces.iter().rev().take(RECENT).any(|piece| self.is_of_claim(piece, claim))
        };
        if !self.pieces.values().any(is_recent)
            || !self.is_claim(claim.tokens)
            || !self.rejects(tokens)
        {
            return;
        }
        let mut pieces = std::mem::take(&mut self.pieces);
        for pieces in pieces.values_mut() {
            pieces.retain(|piece| !self.is_of_claim(piece, claim));
        }
        self.pieces = pieces;
    }

    /// Whether a piece is what a claim says, and not that somebody makes it: "X claimed that Y".
    fn is_of_claim(&self, piece: &Piece, claim: &Scene<'_>) -> bool {
        let claims = |holder: Span| {
            let behind = claim.tokens.partition_point(|token| token.span.start < holder.end);
            let mut next = claim.tokens[behind..].iter().take(2);
            next.any(|token| self.lexicon.is_of(self.document.slice(token.span), class::ALLEGED))
        };
        piece.span == claim.span && !piece.holder.is_some_and(claims)
    }

    /// "A post has it that X thanked Y", "X reportedly thanked Y".
    fn is_claim(&self, tokens: &[Annotation]) -> bool {
        tokens.iter().any(|token| {
            let word = self.document.slice(token.span);
            self.lexicon.is_of(word, class::ALLEGED)
                || CLAIMANTS.iter().any(|known| known.eq_ignore_ascii_case(word))
        }) || self.is_attributed(tokens)
    }

    /// "According to reports", "reports said".
    fn is_attributed(&self, tokens: &[Annotation]) -> bool {
        tokens.windows(2).any(|pair| {
            let [first, second] = [0, 1].map(|at| self.document.slice(pair[at].span));
            let is = |word: &str, known: &str| word.eq_ignore_ascii_case(known);
            is(first, "according") && is(second, "to")
                || is(first, "reports")
                    && ["said", "say", "that", "had"].iter().any(|k| is(second, k))
        })
    }

    /// "It is a fabrication", "the story was untrue", "nothing of the kind".
    fn rejects(&self, tokens: &[Annotation]) -> bool {
        let opening: Vec<String> = tokens
            .iter()
            .take(OPENING)
            .map(|token| self.document.slice(token.span).to_lowercase())
            .collect();
        let begins = |known: &&&[&str]| {
            known.len() <= opening.len() && known.iter().zip(&opening).all(|(a, b)| a == b)
        };
        if REJECTIONS.iter().any(|known| begins(&known)) {
            return true;
        }
        let is_end = |word: &String| matches!(&**word, "." | "," | ";" | ":" | "and");
        let end = opening.iter().position(is_end).unwrap_or(opening.len());
        let opening = &opening[..end];
        let is_verb = |word: &String| {
            matches!(&**word, "is" | "was" | "are" | "were" | "proved" | "had" | "has")
        };
        let Some(verb) = opening.iter().position(is_verb) else { return false };
        let (named, said) = opening.split_at(verb);
        let is_of = |word: &String, of: u32| self.lexicon.is_of(word, of);
        let is_meant = match named {
            [word] => matches!(&**word, "it" | "this" | "that" | "these" | "they" | "both"),
            [first, .., noun] => {
                matches!(&**first, "the" | "this" | "that" | "these" | "both")
                    && (is_of(noun, class::TEXT)
                        || is_of(noun, class::ALLEGED)
                        || CLAIMANTS.contains(&&**noun)
                        || **noun == *"story")
            }
            [] => false,
        };
        let is_any = |known: &[&str]| said.iter().any(|word| known.contains(&&**word));
        let denied = said.iter().any(|word| is_of(word, class::NEGATION));
        let is_false = said.iter().any(|word| is_of(word, class::REJECTED))
            || is_any(&[
                "lie",
                "edited",
                "hacked",
                "staged",
                "wrong",
                "satire",
                "satirical",
                "cut",
            ]);
        is_meant
            && (is_false && !denied || denied && is_any(&["true", "genuine", "authentic", "real"]))
    }
}
