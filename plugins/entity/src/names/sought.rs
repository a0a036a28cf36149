//! Names that the settings ask for, found wherever they are written: whatever a chain looks for is
//! an entity of the document, though no table knows it and no tagger takes it for a name.

use standpoint_document::{EntityKind, Target};

use super::{Named, Reader, is_legal_form};
use crate::atom::{self, Atom, atoms_of_name};
use crate::cues;
use crate::fold::{fold, folded};
use crate::gazetteer::{Form, Gazetteer};

/// How sure a name is that nothing but the setting takes for one.
const CONFIDENCE: f32 = 0.8;

/// A name that no table knows.
#[derive(Debug)]
pub struct Sought {
    id: String,
    name: String,
    kind: EntityKind,
    /// What it may be written as, in atoms: without an article before it and what kind of firm it
    /// is behind, cut at its full stops, in the plural.
    forms: Vec<Vec<Atom>>,
    /// A capital in it is one in the text, too: an Orange is no orange.
    minds_capitals: bool,
}

impl Sought {
    /// What to look for, or `None` where the tables find the name by themselves.
    ///
    /// - `target`: as a setting of `stance` names it, with an id in brackets or without.
    #[must_use]
    pub fn new(target: &str, gazetteer: &Gazetteer) -> Option<Self> {
        let shown = Target::resolve(target, &[]).shown;
        let whole = atoms_of_name(&shown.name);
        let atoms = core_of(whole.clone());
        let is_known = is_name(whole, gazetteer)
            || is_name(atoms.clone(), gazetteer)
            || gazetteer.find(&shown.id).is_some();
        if is_known || !atoms.iter().any(|atom| atom.is(atom::WORD)) {
            return None;
        }
        let kind = kind_of(&shown.name, &atoms, gazetteer);
        let minds_capitals = atoms.len() == 1;
        let mut forms = vec![atoms];
        let apart = core_of(atoms_of_name(&shown.name.replace('.', " . ")));
        if shown.name.trim_end_matches('.').contains('.') {
            forms.push(apart);
        }
        if kind == EntityKind::Other {
            forms.extend(other_number(&shown.name, &forms[0]));
        }
        Some(Self { id: shown.id, name: shown.name, kind, forms, minds_capitals })
    }

    /// How many atoms the name takes up where it is written from there on.
    fn begins(&self, atoms: &[Atom]) -> Option<usize> {
        let is_written = |form: &&Vec<Atom>| {
            let Some(written) = atoms.get(..form.len()) else { return false };
            let mut pairs = form.iter().zip(written).enumerate();
            pairs.all(|(index, (ours, theirs))| {
                let has_case = !self.minds_capitals
                    || !ours.is(atom::CAPITAL)
                    || theirs.is(atom::CAPITAL | atom::WHISPERED);
                ours.hash == theirs.hash
                    && has_case
                    && !theirs.is(atom::PASSED_OVER)
                    && (index == 0 || !theirs.is(atom::FIRST))
            })
        };
        self.forms.iter().filter(is_written).map(Vec::len).max()
    }
}

/// A name without its article and without the "Inc." of a firm.
fn core_of(mut atoms: Vec<Atom>) -> Vec<Atom> {
    const THE: [u64; 1] = folded(["the"]);
    if 1 < atoms.len() && THE.contains(&atoms[0].hash) {
        atoms.remove(0);
    }
    while 1 < atoms.len() && atoms.last().is_some_and(|last| is_legal_form(last.hash)) {
        atoms.pop();
        if 1 < atoms.len() && atoms.last().is_some_and(|last| !last.is(atom::WORD)) {
            atoms.pop();
        }
    }
    atoms
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

/// A person where the first word is a first name, an organisation where all words of some length
/// have a capital, else a thing: "Article 5", "the Rwanda plan". The tagger may know better.
fn kind_of(name: &str, atoms: &[Atom], gazetteer: &Gazetteer) -> EntityKind {
    let has_first_name = gazetteer.beginning(atoms[0].hash).cues & cues::FIRST_NAME != 0;
    let is_name = |atom: &Atom| {
        let written = &name[atom.span.range()];
        !atom.is(atom::WORD) || atom.is(atom::CAPITAL) || written.chars().count() <= 3
    };
    let has_digit = name.contains(|letter: char| letter.is_ascii_digit());
    let is_written_as_name = atoms.iter().all(is_name) && atoms[0].is(atom::CAPITAL) && !has_digit;
    match (is_written_as_name, has_first_name && 1 < atoms.len()) {
        (true, true) => EntityKind::Person,
        (true, false) => EntityKind::Organisation,
        (false, _) => EntityKind::Other,
    }
}

/// "Carbon taxes" of "carbon tax", and the other way round.
fn other_number(name: &str, atoms: &[Atom]) -> Vec<Vec<Atom>> {
    let Some((last, before)) = atoms.split_last() else { return Vec::new() };
    let word = &name[last.span.range()];
    let plurals = ["s", "es"].map(|ending| format!("{word}{ending}"));
    let singulars = ["s", "es"].into_iter().filter_map(|ending| word.strip_suffix(ending));
    let singulars = singulars.filter(|word| 2 < word.len()).map(str::to_owned);
    let with = |word: String| [before, &[Atom { hash: fold(&word), ..*last }]].concat();
    plurals.into_iter().chain(singulars).map(with).collect()
}

impl Reader<'_> {
    /// Enters what is sought where it is written, in place of what the tagger made of it or of a
    /// part of it. A longer name stays another's: "Orinda Mining" is not in "Orinda Mining Museum".
    pub(super) fn find_sought(&mut self, sought: &[Sought]) {
        for name in sought {
            if let Some(person) = self.surnamed(name) {
                self.table.alias(person, &name.name);
                continue;
            }
            let mut first = 0;
            while first < self.sight.atoms.len() {
                let length = name.begins(&self.sight.atoms[first..]);
                if let Some(length) = length {
                    self.enter(name, first as u32, (first + length) as u32);
                }
                first += length.unwrap_or(1);
            }
        }
    }

    /// The one person whose name ends in what is sought: "Smith" of "John Smith".
    fn surnamed(&self, name: &Sought) -> Option<u32> {
        let [surname] = name.forms[0][..] else { return None };
        if !surname.is(atom::CAPITAL) {
            return None;
        }
        let mut people = self.named.iter().filter(|named| {
            let last = &self.sight.atoms[named.end as usize - 1];
            named.kind == EntityKind::Person
                && named.first + 1 < named.end
                && last.hash == surname.hash
        });
        let person = people.next()?.entity;
        people.all(|other| other.entity == person).then_some(person)
    }

    fn enter(&mut self, name: &Sought, first: u32, end: u32) {
        let from = self.named.partition_point(|named| named.end <= first);
        let inside = self.named[from..].iter().take_while(|named| named.first < end).count();
        let over = from..from + inside;
        let gives_way = |named: &Named| {
            let is_part = first <= named.first && named.end <= end;
            let is_longer = named.first <= first && end < named.end;
            let is_guessed = self.table.records[named.entity as usize].is_none();
            is_part || is_guessed && (!is_longer || self.is_firm(*named, end))
        };
        if !self.named[over.clone()].iter().all(gives_way) {
            return;
        }
        // What the tagger takes the whole name for is known better than by how it is written.
        let whole = |named: &&Named| named.first == first && end <= named.end;
        let guess = self.named[over.clone()].iter().find(whole).copied();
        let kind = guess.map_or(name.kind, |named| named.kind);
        let end = guess.map_or(end, |named| named.end);
        let entity = self.table.called(&name.name, &name.id, kind);
        let kind = self.table.entities[entity as usize].kind;
        let named = Named { first, end, entity, kind, flags: 0, confidence: CONFIDENCE };
        self.named.splice(over, [named]);
    }

    /// Whether nothing but what kind of firm it is stands in a name behind `end`.
    fn is_firm(&self, named: Named, end: u32) -> bool {
        let mut rest = self.sight.atoms[end as usize..named.end as usize].iter();
        rest.all(|atom| is_legal_form(atom.hash) || !atom.is(atom::WORD))
    }
}
