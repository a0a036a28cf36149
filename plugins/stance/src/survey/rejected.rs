//! Claims that the next sentence rejects: "A post claims that X thanked Y. It is a fabrication."

use standpoint_document::Annotation;

use super::Survey;
use super::scene::Scene;
use crate::lexicon::class;

/// How sentences begin that reject what stands before them.
const REJECTIONS: [&[&str]; 12] = [
    &["nothing", "of", "the", "kind"],
    &["nothing", "of", "the", "sort"],
    &["there", "is", "no", "such"],
    &["there", "was", "no", "such"],
    &["there", "is", "no", "truth"],
    &["there", "is", "no", "evidence"],
    &["there", "is", "no", "record"],
    &["we", "found", "no", "evidence"],
    &["it", "did", "no", "such"],
    &["it", "never", "did"],
    &["verdict", ":", "false"],
    &["false", "."],
];
/// How claims are spread.
const CLAIMING: [&str; 14] = [
    "alleged", "alleges", "claim", "claimed", "claims", "had", "has", "reported", "said", "say",
    "says", "showed", "shows", "that",
];
/// How far into a sentence its subject stands, and how far behind that the verb.
const SUBJECT: usize = 6;
const VERB: usize = 4;
/// What is wrong with a text, beside words that call it untrue.
const SPOILT: [&str; 5] = ["cut", "edited", "hacked", "satire", "staged"];
/// How many words of a sentence tell whether it rejects the one before.
const OPENING: usize = 12;

impl Survey<'_> {
    /// Whether a scene gives what nobody answers for but others, and the sentence behind it, of
    /// these tokens, says that it is not so.
    pub(super) fn is_taken_back(&self, claim: &Scene<'_>, tokens: &[Annotation]) -> bool {
        self.rejects(tokens) && self.is_claim(claim)
    }

    /// "A post claims that X thanked Y", "X reportedly thanked Y", "according to a website".
    fn is_claim(&self, claim: &Scene<'_>) -> bool {
        let words: Vec<String> = claim
            .tokens
            .iter()
            .map(|token| self.document.slice(token.span).to_lowercase())
            .collect();
        let spreads = |word: &String| {
            self.lexicon.is_of(word, class::MEDIUM) || self.lexicon.is_of(word, class::CLAIMANT)
        };
        let is_near = |from: usize, known: &dyn Fn(&String) -> bool| {
            words.iter().skip(from).take(VERB).any(known)
        };
        let first_party = claim.parties.first().map_or(u32::MAX, |party| party.span.start);
        let is_subject = |&at: &usize| claim.tokens[at].span.start < first_party;
        let subject =
            (0..words.len().min(SUBJECT)).filter(is_subject).find(|&at| spreads(&words[at]));
        let claims = |word: &String| CLAIMING.contains(&word.as_str());
        words.iter().any(|word| self.lexicon.is_of(word, class::HEARSAY))
            || subject.is_some_and(|at| is_near(at + 1, &claims))
            || words.windows(2).enumerate().any(|(at, pair)| {
                pair[0] == "according" && pair[1] == "to" && is_near(at + 2, &spreads)
            })
    }

    /// Whether a sentence rejects the one before it in the text's own words; what others say of it
    /// ("It is false, Moscow said") is theirs.
    fn rejects(&self, tokens: &[Annotation]) -> bool {
        let mut words = tokens.iter().map(|token| self.document.slice(token.span).to_lowercase());
        let opening: Vec<String> = words.by_ref().take(OPENING).collect();
        let begins = |known: &[&str]| {
            known.len() <= opening.len() && known.iter().zip(&opening).all(|(a, b)| a == b)
        };
        let is_none = begins(&["no", "such"])
            && opening.get(2).is_some_and(|word| {
                self.is_text(word) || matches!(&**word, "thing" | "words" | "quotation")
            });
        let rejects =
            is_none || REJECTIONS.iter().any(|known| begins(known)) || self.calls_untrue(&opening);
        rejects && !is_said(opening.into_iter().chain(words))
    }

    fn is_text(&self, word: &str) -> bool {
        [class::TEXT, class::ALLEGED, class::MEDIUM, class::CLAIMANT]
            .iter()
            .any(|&class| self.lexicon.is_of(word, class))
    }

    /// "It is a fabrication", "the story was untrue", "the post was not genuine".
    fn calls_untrue(&self, opening: &[String]) -> bool {
        let is_end = |word: &String| matches!(&**word, "." | "," | ";" | ":" | "and");
        let end = opening.iter().position(is_end).unwrap_or(opening.len());
        let opening = &opening[..end];
        let is_verb = |word: &String| {
            matches!(&**word, "is" | "was" | "are" | "were" | "proved" | "had" | "has")
        };
        let Some(verb) = opening.iter().position(is_verb) else { return false };
        let (named, said) = opening.split_at(verb);
        let is_of = |word: &String, of: class::Bits| self.lexicon.is_of(word, of);
        let is_any = |known: &[&str]| said.iter().any(|word| known.contains(&&**word));
        let is_pronoun =
            matches!(named, [word] if ["it", "this", "that", "these", "both"].contains(&&**word));
        let is_text = match named {
            [first, .., noun] => {
                ["the", "this", "that", "these", "both"].contains(&&**first) && self.is_text(noun)
            }
            _ => false,
        };
        let denied = said.iter().any(|word| is_of(word, class::NEGATION));
        let is_false = said.iter().any(|word| is_of(word, class::REJECTED))
            || is_any(&["lie"])
            || is_text && (said.iter().any(|word| is_of(word, class::UNTRUE)) || is_any(&SPOILT));
        let is_no_truth = denied && is_any(&["true", "genuine", "authentic", "real"]);
        (is_pronoun || is_text) && (is_false && !denied || is_no_truth)
    }
}

/// Verbs by which a rejection is another's.
const SAYING: [&str; 7] = ["according", "added", "claimed", "claims", "insisted", "said", "says"];

/// "It is false, Moscow said"; not "no such words were ever said".
fn is_said(words: impl Iterator<Item = String>) -> bool {
    let mut before = String::new();
    for word in words {
        let is_passive = matches!(&*before, "was" | "were" | "been" | "ever" | "never");
        if SAYING.contains(&&*word) && !is_passive {
            return true;
        }
        before = word;
    }
    false
}
