//! From passages to actors: for whom a person or body speaks, and who is listed with what.

use rustc_hash::FxHashMap;
use standpoint_document::{ActorStance, EntityKind, StanceTarget, TargetStance, is_state_id};

use super::{Holder, Survey};
use crate::sum::{Limits, Piece, sum_up};

impl Survey<'_> {
    /// The state for which a person or body speaks.
    pub(super) fn state_of(&self, entity: u32) -> Option<Holder> {
        let table = self.document.entities();
        let found = table.get(entity as usize)?;
        let country = found
            .country
            .as_deref()
            .filter(|&country| found.speaks_for_country && found.id != country)?;
        if country == self.target.shown.id {
            return None;
        }
        match table.iter().position(|entity| entity.id == country) {
            Some(state) => Some(Holder::Entity(state as u32)),
            // One entry for all who speak for it: the first of them.
            None => table
                .iter()
                .position(|other| {
                    other.speaks_for_country && other.country.as_deref() == Some(country)
                })
                .map(|first| Holder::StateOf(first as u32)),
        }
    }

    pub(super) fn conclude(mut self, limits: Limits) -> TargetStance {
        let author = if self.author.is_target {
            None
        } else {
            // A reporter's turn of phrase is no stance; a speaker's single sentence is.
            let alone_is_not_enough = self.document.metadata().author.is_none();
            let limits = Limits { alone_is_not_enough, ..limits };
            self.pieces.remove(&Holder::Author).and_then(|pieces| sum_up(pieces, limits))
        };
        self.pieces.remove(&Holder::Author);
        let mut mentions: FxHashMap<u32, u32> = FxHashMap::default();
        for mention in self.document.mentions() {
            *mentions.entry(mention.link).or_insert(0) += 1;
        }
        let mut holders: Vec<(Holder, Vec<Piece>)> =
            std::mem::take(&mut self.pieces).into_iter().collect();
        holders.sort_by_key(|(holder, _)| *holder);
        let mut actors: Vec<ActorStance> = Vec::new();
        for (holder, pieces) in holders {
            if let Some(stance) = sum_up(pieces, limits)
                && let Some(actor) = self.actor(holder, stance, &mentions)
            {
                actors.push(actor);
            }
        }
        let strength =
            |actor: &ActorStance| actor.stance.score.get().abs() * actor.stance.confidence.get();
        actors.sort_by(|left, right| {
            strength(right).total_cmp(&strength(left)).then_with(|| left.id.cmp(&right.id))
        });
        let shown = StanceTarget { id: self.target.shown.id, name: self.target.shown.name };
        TargetStance { target: shown, author, actors }
    }

    fn actor(
        &self,
        holder: Holder,
        stance: standpoint_document::Stance,
        mentions: &FxHashMap<u32, u32>,
    ) -> Option<ActorStance> {
        let table = self.document.entities();
        match holder {
            Holder::Author => None,
            Holder::Entity(index) => {
                let entity = table.get(index as usize)?;
                Some(ActorStance {
                    id: entity.id.clone(),
                    name: entity.name.clone(),
                    kind: entity.kind,
                    country: entity
                        .country
                        .clone()
                        .or_else(|| is_state_id(&entity.id).then(|| entity.id.clone())),
                    mentions: mentions.get(&index).copied().unwrap_or(0),
                    stance,
                })
            }
            Holder::StateOf(index) => {
                let country = table.get(index as usize)?.country.clone()?;
                let count = |(at, entity): (usize, &standpoint_document::Entity)| {
                    let speaks =
                        entity.speaks_for_country && entity.country.as_ref() == Some(&country);
                    if speaks { mentions.get(&(at as u32)).copied().unwrap_or(0) } else { 0 }
                };
                Some(ActorStance {
                    id: country.clone(),
                    name: country.clone(),
                    kind: EntityKind::Country,
                    mentions: table.iter().enumerate().map(count).sum(),
                    country: Some(country),
                    stance,
                })
            }
        }
    }
}
