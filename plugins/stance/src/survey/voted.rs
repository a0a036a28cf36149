//! Votes on a text of which the sentence before has told: "The resolution condemned X. Chile voted
//! for it, and Mali against."

use super::scene::Scene;
use super::{Holder, Survey, TARGET};
use crate::edge::{is_text, of_vote};
use crate::judge::Judgement;

/// How the words for votes begin. Most sentences have none of them.
const VOTES: &[&str] = &["vot", "veto"];
/// How others begin that are votes where the text was described just before.
const DECISIONS: &[&str] = &[
    "back",
    "support",
    "endors",
    "approv",
    "adopt",
    "draft",
    "sponsor",
    "cosponsor",
    "tabl",
    "introduc",
    "reject",
    "oppos",
    "block",
];

/// How often such a vote is on that text.
const SURE: f32 = 0.75;

impl Survey<'_> {
    /// Files the votes that a scene tells of, on the text that `before` describes.
    ///
    /// - `just_before`: nothing stands between the two;
    /// - returns: whether there are any.
    pub(super) fn judge_votes(
        &mut self,
        scene: &Scene<'_>,
        before: &Scene<'_>,
        just_before: bool,
    ) -> bool {
        let words = |scene: &Scene<'_>| {
            let words = scene.tokens.iter().map(|token| self.document.slice(token.span));
            words.map(str::to_lowercase).collect::<Vec<_>>()
        };
        let begins = |word: &str, stems: &[&str]| stems.iter().any(|stem| word.starts_with(stem));
        let tells = scene.tokens.iter().any(|token| {
            let word = self.document.slice(token.span);
            begins(word, VOTES) || just_before && begins(word, DECISIONS)
        });
        if !tells || scene.parties.is_empty() {
            return false;
        }
        // "The bill" is no resolution of which the sentence before has told.
        let described = words(before);
        let is_other = |word: &String| {
            is_text(word) && !matches!(&**word, "text" | "draft") && !described.contains(word)
        };
        if words(scene).iter().any(is_other) {
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
