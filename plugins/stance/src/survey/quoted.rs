//! What stands for the target inside quotation marks: "you" where it is spoken to, "it" where it is
//! spoken of.

use standpoint_document::Span;

use super::scene::{Scene, quote_state};
use super::{Survey, TARGET};
use crate::reading::{MAX_WORDS, Party};

/// How a sentence leads to the words of its only other actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Talk {
    /// "Told Russia", "turned to the Russian bench".
    To,
    /// "Said of Russia", "spoke about Russia".
    Of,
}

/// Verbs whose object is whom somebody speaks to.
const ADDRESSING: [&str; 9] =
    ["told", "tell", "tells", "telling", "warned", "assured", "reminded", "addressed", "faced"];
/// How many words may stand between such a verb, or "to" and "about", and the target's name.
const MOST_WORDS_BETWEEN: usize = 2;

impl Survey<'_> {
    /// How a sentence brings up the target, where nobody else but one actor is named in it; he
    /// speaks outside quotation marks.
    pub(super) fn talk_in(&self, scene: &Scene<'_>) -> Option<Talk> {
        let speaker = scene.speaker.filter(|&speaker| !self.target.owns(speaker as usize))?;
        let state = |entity: u32| self.document.entities().get(entity as usize)?.country.as_deref();
        let is_alone = scene.parties.iter().zip(&scene.entities).all(|(party, &entity)| {
            let is_same =
                entity == speaker || state(speaker).is_some_and(|s| state(entity) == Some(s));
            party.inert || party.actor == TARGET || is_same
        });
        let target = scene.parties.iter().find(|party| party.actor == TARGET)?;
        if !is_alone || self.is_quoted_at(scene, target.span) {
            return None;
        }
        let before = scene.tokens.partition_point(|token| token.span.start < target.span.start);
        scene.tokens[..before].iter().rev().take(MOST_WORDS_BETWEEN + 1).find_map(|token| {
            let word = self.document.slice(token.span);
            match word {
                "to" => Some(Talk::To),
                _ if ADDRESSING.contains(&word) => Some(Talk::To),
                "of" | "about" | "on" => Some(Talk::Of),
                _ => None,
            }
        })
    }

    /// Lets the words that stand for the target in a scene's quotation be parties of it.
    ///
    /// - returns: whether there are any.
    pub(super) fn insert_references(&self, scene: &mut Scene<'_>, talk: Talk) -> bool {
        let mut quoted = scene.in_quotes;
        let mut found: Vec<Span> = Vec::new();
        for (index, token) in scene.tokens.iter().enumerate().take(MAX_WORDS) {
            if 5 < token.span.len() {
                continue;
            }
            let word = self.document.slice(token.span);
            quoted = quote_state(word, quoted);
            let is_meant = match talk {
                Talk::To => matches!(word, "you" | "You" | "your" | "Your"),
                Talk::Of => {
                    matches!(word, "it" | "It" | "its" | "Its") && !self.announces(scene, index)
                }
            };
            if quoted && is_meant {
                found.push(token.span);
            }
        }
        for &span in &found {
            // Whom the pronoun meant outside quotation marks is who speaks now, as "we".
            match scene.parties.iter().position(|party| party.span == span) {
                Some(taken) => {
                    scene.parties[taken] = Party { span, actor: TARGET, inert: false };
                    scene.entities[taken] = u32::MAX;
                }
                None => {
                    Self::insert(scene, span, TARGET);
                }
            }
        }
        !found.is_empty() && scene.names_target()
    }

    /// Whether an "it" only announces what follows: "it is time to", "it is clear that".
    fn announces(&self, scene: &Scene<'_>, at: usize) -> bool {
        let mut behind =
            scene.tokens[at + 1..].iter().take(7).map(|token| self.document.slice(token.span));
        behind
            .next()
            .is_some_and(|verb| matches!(verb, "is" | "was" | "'s" | "’s" | "will" | "would"))
            && behind.any(|word| matches!(word, "to" | "that" | "for"))
    }

    fn is_quoted_at(&self, scene: &Scene<'_>, span: Span) -> bool {
        scene
            .tokens
            .iter()
            .take_while(|token| token.span.start < span.start)
            .fold(scene.in_quotes, |quoted, token| {
                quote_state(self.document.slice(token.span), quoted)
            })
    }
}
