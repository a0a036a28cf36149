//! Names that the settings ask for, found wherever they are written: whatever a chain looks for is
//! an entity of the document, though no table knows it and no tagger takes it for a name.

use standpoint_document::{EntityKind, Target};

use super::{Named, Reader};
use crate::atom::{self, Atom, atoms_of_name};
use crate::cues;
use crate::fold::folded;
use crate::gazetteer::{Form, Gazetteer};

/// How sure a name is that nothing but the setting takes for one.
const CONFIDENCE: f32 = 0.8;

/// A name that no table knows.
#[derive(Debug)]
pub struct Sought {
    id: String,
    name: String,
    kind: EntityKind,
    /// Without an article before it.
    atoms: Vec<Atom>,
}

impl Sought {
    /// What to look for, or `None` where the tables find the name by themselves.
    ///
    /// - `target`: as a setting of `stance` names it, with an id in brackets or without.
    #[must_use]
    pub fn new(target: &str, gazetteer: &Gazetteer) -> Option<Self> {
        const THE: [u64; 1] = folded(["the"]);
        let shown = Target::resolve(target, &[]).shown;
        let mut atoms = atoms_of_name(&shown.name);
        if 1 < atoms.len() && THE.contains(&atoms[0].hash) {
            atoms.remove(0);
        }
        // A table's name may need its article: "the Hill".
        let is_known = is_name(atoms_of_name(&shown.name), gazetteer)
            || is_name(atoms.clone(), gazetteer)
            || gazetteer.find(&shown.id).is_some();
        if is_known || atoms.is_empty() {
            return None;
        }
        let has_first_name = gazetteer.beginning(atoms[0].hash).cues & cues::FIRST_NAME != 0;
        let kind = if !atoms.iter().any(|atom| atom.is(atom::CAPITAL)) {
            EntityKind::Other
        } else if has_first_name && 1 < atoms.len() {
            EntityKind::Person
        } else {
            EntityKind::Organisation
        };
        Some(Self { id: shown.id, name: shown.name, kind, atoms })
    }

    /// Whether the name is written from there on; a capital in it is one in the text.
    fn begins(&self, atoms: &[Atom]) -> bool {
        let Some(written) = atoms.get(..self.atoms.len()) else { return false };
        let mut pairs = self.atoms.iter().zip(written).enumerate();
        pairs.all(|(index, (ours, theirs))| {
            ours.hash == theirs.hash
                && (theirs.is(atom::CAPITAL) || !ours.is(atom::CAPITAL))
                && !theirs.is(atom::PASSED_OVER)
                && (index == 0 || !theirs.is(atom::FIRST))
        })
    }
}

/// Whether the tables have the whole name.
fn is_name(mut atoms: Vec<Atom>, gazetteer: &Gazetteer) -> bool {
    for atom in &mut atoms {
        atom.node = gazetteer.beginning(atom.hash).node;
    }
    let Some(&[found]) = gazetteer.matches(&atoms).first_chunk() else { return false };
    let is_whole = (found.first, found.end as usize) == (0, atoms.len());
    is_whole && gazetteer.best_sense(found).form != Form::Nothing
}

impl Reader<'_> {
    /// Enters what is sought where it is written, in place of what the tagger made of it or of a
    /// part of it. A longer name stays another's: "Orinda Mining" is not in "Orinda Mining Museum".
    pub(super) fn find_sought(&mut self, sought: &[Sought]) {
        for name in sought {
            let mut first = 0;
            while first < self.sight.atoms.len() {
                let end = first + name.atoms.len();
                if name.begins(&self.sight.atoms[first..]) {
                    self.enter(name, first as u32, end as u32);
                    first = end;
                } else {
                    first += 1;
                }
            }
        }
    }

    fn enter(&mut self, name: &Sought, first: u32, end: u32) {
        let from = self.named.partition_point(|named| named.end <= first);
        let inside = self.named[from..].iter().take_while(|named| named.first < end).count();
        let over = from..from + inside;
        let gives_way = |named: &Named| {
            let is_part = first <= named.first && named.end <= end;
            let is_longer = named.first <= first && end <= named.end;
            let is_guessed = self.table.records[named.entity as usize].is_none();
            is_part && (named.first, named.end) != (first, end) || is_guessed && !is_longer
        };
        if !self.named[over.clone()].iter().all(gives_way) {
            return;
        }
        let entity = self.table.called(&name.name, &name.id, name.kind);
        let kind = self.table.entities[entity as usize].kind;
        let named = Named { first, end, entity, kind, flags: 0, confidence: CONFIDENCE };
        self.named.splice(over, [named]);
    }
}
