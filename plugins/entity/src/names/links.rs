//! Names that mean whom the text named before: surnames alone, acronyms, "the Fund".

use rustc_hash::FxHashMap;
use standpoint_document::EntityKind;

use super::{Named, Reader};
use crate::atom::{self, Atom};
use crate::fold::{fold, folded};

impl Reader<'_> {
    /// Links a surname alone to the one person of the text whose whole name ends in it.
    pub(super) fn short_forms(&mut self) {
        let mut person_of: FxHashMap<u64, Option<u32>> = FxHashMap::default();
        for named in &self.named {
            if named.kind == EntityKind::Person && named.first + 1 < named.end {
                let surname = self.sight.atoms[named.end as usize - 1].hash;
                // Two people of one surname: the surname alone says nothing.
                let slot = person_of.entry(surname).or_insert(Some(named.entity));
                if *slot != Some(named.entity) {
                    *slot = None;
                }
            }
        }
        self.link(&person_of, EntityKind::Person, 0.85, |atom, _| {
            atom.is(atom::CAPITAL) && !atom.is(atom::HYPHENATED)
        });
    }

    /// Links "the Fund" to the one organisation of the text whose name ends so.
    pub(super) fn bodies(&mut self) {
        const BODIES: [u64; 14] = folded([
            "fund",
            "bank",
            "commission",
            "council",
            "court",
            "agency",
            "alliance",
            "assembly",
            "league",
            "tribunal",
            "authority",
            "committee",
            "institute",
            "department",
        ]);
        const THE: [u64; 1] = folded(["the"]);
        let mut body_of: FxHashMap<u64, Option<u32>> = FxHashMap::default();
        for named in &self.named {
            let entity = &self.table.entities[named.entity as usize];
            if entity.kind != EntityKind::Organisation || !entity.name.contains(' ') {
                continue;
            }
            let word = fold(entity.name.rsplit(' ').next().unwrap_or_default());
            if BODIES.contains(&word) {
                let slot = body_of.entry(word).or_insert(Some(named.entity));
                if *slot != Some(named.entity) {
                    *slot = None;
                }
            }
        }
        self.link(&body_of, EntityKind::Organisation, 0.8, |atom, before| {
            let article = before.is_some_and(|before| THE.contains(&before.hash));
            article && atom.is(atom::CAPITAL) && !atom.is(atom::SHOUTED)
        });
    }

    /// Learns "Collective Security Treaty Organization (CSTO)" and links "CSTO" from there on.
    pub(super) fn acronyms(&mut self) {
        let mut entity_of: FxHashMap<u64, Option<u32>> = FxHashMap::default();
        for index in 0..self.named.len() {
            let named = self.named[index];
            let acts = matches!(
                named.kind,
                EntityKind::Organisation
                    | EntityKind::Group
                    | EntityKind::Country
                    | EntityKind::Event
            );
            let at = named.end as usize;
            let Some([open, short, close]) = self.sight.atoms.get(at..at + 3) else { continue };
            let bracketed = self.text.get(open.span.range()) == Some("(")
                && self.text.get(close.span.range()) == Some(")");
            if acts && bracketed && short.is(atom::UPPER) && self.initials(named, short) {
                entity_of.insert(short.hash, Some(named.entity));
                let alias = self.text.get(short.span.range()).unwrap_or_default();
                self.table.alias(named.entity, alias);
            }
        }
        self.link(&entity_of, EntityKind::Organisation, 0.9, |atom, _| atom.is(atom::UPPER));
    }

    /// Whether an acronym's letters are initials of the name, in order.
    fn initials(&self, named: Named, short: &Atom) -> bool {
        let letters = self.text.get(short.span.range()).unwrap_or_default();
        let atoms = &self.atoms()[named.first as usize..named.end as usize];
        if atoms.len() < 2 {
            return false;
        }
        let mut initials = atoms.iter().filter_map(|atom| {
            self.text.get(atom.span.range())?.chars().next().map(|first| first.to_ascii_uppercase())
        });
        letters
            .chars()
            .filter(|letter| letter.is_alphabetic())
            .all(|letter| initials.any(|initial| initial == letter))
    }

    /// Links single atoms to entities, in place of what the tagger alone made of them.
    ///
    /// - `fits`: whether an atom may be meant, by it and the one before.
    fn link(
        &mut self,
        entity_of: &FxHashMap<u64, Option<u32>>,
        kind: EntityKind,
        confidence: f32,
        fits: impl Fn(&Atom, Option<&Atom>) -> bool,
    ) {
        if entity_of.is_empty() {
            return;
        }
        let mut linked = Vec::with_capacity(self.named.len());
        let mut named = std::mem::take(&mut self.named).into_iter().peekable();
        for (index, atom) in self.sight.atoms.iter().enumerate() {
            let index = index as u32;
            while let Some(before) = named.next_if(|name| name.end <= index) {
                linked.push(before);
            }
            let Some(&Some(entity)) = entity_of.get(&atom.hash) else { continue };
            let before = (index as usize).checked_sub(1).and_then(|at| self.sight.atoms.get(at));
            if !fits(atom, before) || atom.is(atom::PASSED_OVER) {
                continue;
            }
            let kind = if kind == EntityKind::Person {
                kind
            } else {
                self.table.entities[entity as usize].kind
            };
            let link = Named { first: index, end: index + 1, entity, kind, flags: 0, confidence };
            match named.peek() {
                Some(name) if name.first <= index && index < name.end => {
                    let alone = name.first == index && name.end == index + 1;
                    let guessed = self.table.records[name.entity as usize].is_none();
                    if alone && guessed && name.entity != entity {
                        named.next();
                        linked.push(link);
                    }
                }
                _ => linked.push(link),
            }
        }
        linked.extend(named);
        self.named = linked;
    }
}
