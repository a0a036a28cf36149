//! Votes on a text of which the sentence before has told: "The resolution condemned X. Chile voted for
//! it, and Mali against."

use super::scene::Scene;
use super::{Holder, Survey, TARGET};
use crate::edge::of_vote;
use crate::judge::Judgement;

/// How the words for votes begin. Most sentences have none of them.
const VOTES: &[&str] =
    &["vot", "back", "support", "endors", "approv", "adopt", "reject", "oppos", "veto", "block"];

/// How often such a vote is on that text.
const SURE: f32 = 0.75;

impl Survey<'_> {
    /// Files the votes that a scene tells of, on the text that `before` describes.
    ///
    /// - returns: whether there are any.
    pub(super) fn judge_votes(&mut self, scene: &Scene<'_>, before: &Scene<'_>) -> bool {
        let tells = scene.tokens.iter().any(|token| {
            let word = self.document.slice(token.span);
            VOTES.iter().any(|stem| word.starts_with(stem))
        });
        if !tells || scene.parties.is_empty() {
            return false;
        }
        let cast = self.judge.votes(&self.sentence(scene)).cast;
        if cast.is_empty() {
            return false;
        }
        let is_target = |party: u16| before.parties[usize::from(party)].actor == TARGET;
        let texts = self.judge.votes(&self.sentence(before)).texts;
        let Some((_, text)) = texts.into_iter().find(|&(party, _)| is_target(party)) else {
            return false;
        };
        for (party, vote) in cast {
            if scene.parties[usize::from(party)].inert {
                continue;
            }
            let judgement = Judgement {
                score: of_vote(vote, text) / 2.0,
                confidence: SURE,
                rule: "votes on a text about the target",
                ..Judgement::unsure()
            };
            let piece = self.piece(scene, Some(party), None, &judgement);
            self.keep(Holder::Entity(scene.entities[usize::from(party)]), piece);
        }
        true
    }
}
