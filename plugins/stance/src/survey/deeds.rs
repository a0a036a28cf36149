//! What others say of a deed toward the target that the sentence before tells of: "Peru expelled
//! three of its envoys. Chile welcomed the move, and Bolivia criticised it."

use standpoint_document::{Annotation, Document, Span, Time};

use super::scene::Scene;
use super::{DEED, Holder, MAX_HOLDERS, Survey};
use crate::lexicon::{Lexicon, class};

impl Survey<'_> {
    /// Files who is for or against the deed that the sentence before tells of, if a scene speaks
    /// of it.
    ///
    /// - returns: whether it does.
    pub(super) fn judge_deed(&mut self, scene: &mut Scene<'_>) -> bool {
        let Some(deed) = deed_in(self.lexicon, self.document, scene.tokens) else { return false };
        let named = scene.entities.clone();
        let is_of_another =
            |holder| !matches!(holder, Holder::Entity(entity) if named.contains(&entity));
        let Some(said) = self.said_before(scene, is_of_another) else { return false };
        if !Self::insert(scene, deed, DEED) {
            return false;
        }
        let parties = &scene.parties;
        let Some(at) = parties.iter().position(|party| party.actor == DEED) else { return false };
        let holders = (0..parties.len()).filter(|&index| index != at && !parties[index].inert);
        let pairs: Vec<(Option<u16>, u16)> =
            holders.take(MAX_HOLDERS).map(|holder| (Some(holder as u16), at as u16)).collect();
        for (&(holder, _), judgement) in pairs.iter().zip(self.judge_pairs(scene, &pairs)) {
            let Some(holder) = holder.map(usize::from) else { continue };
            // Only what a pattern confirms: a model has not learnt to read deeds as goals.
            let is_said = judgement.is_by_pattern();
            if judgement.score == 0.0 || !is_said || judgement.time == Time::Hypothetical {
                continue;
            }
            let (sign, rule) = if judgement.score > 0.0 {
                (1.0, "welcomes what another does")
            } else {
                (-1.0, "rejects what another does")
            };
            let mut piece = self.like(&said, scene, scene.parties[holder].span, rule);
            piece.score *= sign;
            piece.time = judgement.time;
            self.keep(Holder::Entity(scene.entities[holder]), piece);
        }
        true
    }
}

/// "The move", "this decision": a noun that means what was told just before; not "the decision to
/// build a port", which says itself what is meant.
fn deed_in(lexicon: &Lexicon, document: &Document<'_>, tokens: &[Annotation]) -> Option<Span> {
    const DEFINITE: [&str; 5] = ["the", "this", "that", "these", "those"];
    const DETAILS: [&str; 12] = [
        "against", "by", "for", "from", "in", "of", "on", "that", "to", "toward", "towards",
        "which",
    ];
    let word = |index: usize| tokens.get(index).map_or("", |token| document.slice(token.span));
    (1..tokens.len().min(256))
        .find(|&at| {
            lexicon.is_of(word(at), class::DEED)
                && DEFINITE.iter().any(|known| word(at - 1).eq_ignore_ascii_case(known))
                && !DETAILS.contains(&word(at + 1))
        })
        .map(|at| tokens[at].span)
}
