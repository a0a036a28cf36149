//! From passages to actors: for whom a person or body speaks, and who is listed with what.

use rustc_hash::FxHashMap;
use standpoint_document::{
    ActorStance, Entity, EntityKind, StanceTarget, TargetStance, is_state_id, state_called,
};

use super::{Holder, Survey};
use crate::sum::{Limits, Piece, sum_up};

/// Organisations whose bodies decide for themselves.
const FORUMS: &[&str] = &["UN"];

/// How many speak in a joint statement at most.
const MAX_JOINT_AUTHORS: usize = 12;

/// Whether a text holds a name as words of its own; "EU" is none of "Neutral".
fn holds_name(text: &str, name: &str) -> bool {
    let ends_word = |next: Option<char>| next.is_none_or(|next| !next.is_alphanumeric());
    name.len() > 1
        && text.match_indices(name).any(|(at, _)| {
            ends_word(text[..at].chars().next_back())
                && ends_word(text[at + name.len()..].chars().next())
        })
}

/// A title up to what it is about: "Joint statement by Y on X".
fn without_topic(title: &str) -> &str {
    let topic = [
        " on ",
        " about ",
        " regarding ",
        " concerning ",
        " condemning ",
        " against ",
        " in ",
        " to ",
        " following ",
        " after ",
        ":",
    ];
    let start = topic.iter().filter_map(|word| title.find(word)).min();
    &title[..start.unwrap_or(title.len())]
}

impl Survey<'_> {
    /// The state for which a person or body speaks.
    pub(super) fn state_of(&self, entity: u32) -> Option<Holder> {
        let table = self.document.entities();
        let found = table.get(entity as usize)?;
        let country = found
            .country
            .as_deref()
            .filter(|&country| found.speaks_for_country && found.id != country)?;
        if country == self.target.shown.id || FORUMS.contains(&country) {
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
        let limits = Limits { sentences: self.document.sentences().len(), ..limits };
        self.share_with_joint_authors();
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
            let limits = Limits { is_stranger: self.is_stranger(holder), ..limits };
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

    /// Whether no table knows a holder: such a name may be none, or that of somebody who only
    /// stands beside what is said.
    fn is_stranger(&self, holder: Holder) -> bool {
        let Holder::Entity(entity) = holder else { return false };
        let entity = self.document.entities().get(entity as usize);
        entity.is_some_and(|entity| entity.id.starts_with("name:"))
    }

    /// Whoever the title of a joint statement names speaks in it, other than those whom it is
    /// about.
    fn share_with_joint_authors(&mut self) {
        let Some(title) = self.document.metadata().title.as_deref() else { return };
        let title = title.to_lowercase();
        let is_joint = ["joint statement", "joint declaration", "joint communiqu"]
            .iter()
            .any(|kind| title.contains(kind));
        let Some(pieces) = self.pieces.get(&Holder::Author).filter(|_| is_joint).cloned() else {
            return;
        };
        let title = without_topic(&title);
        let table = self.document.entities();
        let names_in_title = |entity: &Entity| {
            let mut names = std::iter::once(&*entity.name).chain(entity.aliases.iter());
            names.any(|name| holds_name(title, &name.to_lowercase()))
        };
        let is_author = |entity: &Entity| {
            matches!(entity.kind, EntityKind::Country | EntityKind::Organisation)
                && !entity.id.starts_with("name:")
                && names_in_title(entity)
        };
        let authors: Vec<u32> = (0..table.len() as u32)
            .filter(|&index| is_author(&table[index as usize]))
            .filter(|&index| !self.target.owns(index as usize))
            .filter(|&index| self.author.entity != Some(index))
            .take(MAX_JOINT_AUTHORS)
            .collect();
        for author in authors {
            for piece in &pieces {
                self.file(Holder::Entity(author), piece.clone());
            }
        }
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
                let count = |(at, entity): (usize, &Entity)| {
                    let speaks =
                        entity.speaks_for_country && entity.country.as_ref() == Some(&country);
                    if speaks { mentions.get(&(at as u32)).copied().unwrap_or(0) } else { 0 }
                };
                let name = state_called(&country).map_or(&*country, |(_, name)| name);
                Some(ActorStance {
                    id: country.clone(),
                    name: name.to_owned(),
                    kind: EntityKind::Country,
                    mentions: table.iter().enumerate().map(count).sum(),
                    country: Some(country),
                    stance,
                })
            }
        }
    }
}
