//! Names that the settings ask for, found wherever they are written: whatever a chain looks for is
//! an entity of the document, though no table knows it and no tagger takes it for a name.

use rustc_hash::FxHashMap;
use standpoint_document::{EntityKind, Target};

use super::{Named, Reader, is_legal_form};
use crate::atom::{self, Atom, atoms_of_name};
use crate::cues;
use crate::fold::{fold, folded};
use crate::gazetteer::{Form, Gazetteer};

/// How sure a name is at least that is sought.
const CONFIDENCE: f32 = 0.8;

/// How the id begins of what has none of its own.
const NAMED: &str = "name:";

/// What is looked for in every document.
#[derive(Debug, Default)]
pub struct Sought {
    names: Vec<Name>,
    /// The forms by the hash of their first atom: the number of the name, and of its form.
    forms: FxHashMap<u64, Vec<(usize, usize)>>,
}

/// A name that no table knows.
#[derive(Debug)]
struct Name {
    id: String,
    written: String,
    kind: EntityKind,
    /// What it may be written as, in atoms: without an article before it and without what kind of
    /// firm it is, cut at its full stops, in the other number.
    forms: Vec<Vec<Atom>>,
    /// A capital in it is one in the text, too: an Orange is no orange.
    minds_capitals: bool,
}

/// Where a name is written.
struct Place {
    name: usize,
    first: u32,
    end: u32,
    /// The capital may be that of a sentence's beginning.
    doubtful: bool,
}

impl Sought {
    /// What of `targets` the tables do not find by themselves, each as a setting of `stance` names
    /// it, with an id in brackets or without.
    #[must_use]
    pub fn new<'t>(targets: impl Iterator<Item = &'t str>, gazetteer: &Gazetteer) -> Self {
        let mut sought = Self::default();
        for name in targets.filter_map(|target| Name::new(target, gazetteer)) {
            let number = sought.names.len();
            for (form, atoms) in name.forms.iter().enumerate() {
                sought.forms.entry(atoms[0].hash).or_default().push((number, form));
            }
            sought.names.push(name);
        }
        sought
    }

    /// Where names are written, in order and without overlap: of several that begin together the
    /// longest, and of equal ones the first that was asked for.
    fn places(&self, atoms: &[Atom]) -> Vec<Place> {
        let mut places = Vec::new();
        let mut first = 0;
        while first < atoms.len() {
            let forms = self.forms.get(&atoms[first].hash).map_or(&[][..], Vec::as_slice);
            let written = forms
                .iter()
                .filter(|&&(name, form)| self.names[name].is_written(form, &atoms[first..]))
                .map(|&(name, form)| (self.names[name].forms[form].len(), name))
                .max_by_key(|&(length, name)| (length, std::cmp::Reverse(name)));
            let Some((length, name)) = written else {
                first += 1;
                continue;
            };
            let doubtful =
                self.names[name].minds_capitals && atoms[first].is(atom::FIRST | atom::SHOUTED);
            let end = first + length;
            places.push(Place { name, first: first as u32, end: end as u32, doubtful });
            first = end;
        }
        places
    }
}

impl Name {
    fn new(target: &str, gazetteer: &Gazetteer) -> Option<Self> {
        let shown = Target::resolve(target, &[]).shown;
        let whole = atoms_of_name(&shown.name);
        let atoms = core_of(whole.clone());
        let without_article = whole[usize::from(begins_with_article(&whole))..].to_vec();
        let is_known = is_known(whole, gazetteer)
            || is_known(without_article, gazetteer)
            || is_known(atoms.clone(), gazetteer)
            || gazetteer.find(&shown.id).is_some();
        // Whether an id of one word is of a name with a capital nobody knows.
        let may_be_anything = target.trim().starts_with(NAMED) && atoms.len() == 1;
        if is_known || may_be_anything || !atoms.iter().any(|atom| atom.is(atom::WORD)) {
            return None;
        }
        let minds_capitals = atoms.len() == 1 && atoms[0].is(atom::CAPITAL);
        let kind = kind_of(&shown.name, &atoms, gazetteer);
        let mut forms = vec![atoms];
        if shown.name.trim_end_matches('.').contains('.') {
            forms.push(core_of(atoms_of_name(&shown.name.replace('.', " . "))));
        }
        if kind == EntityKind::Other {
            forms.extend(in_other_number(&shown.name, &forms[0]));
        }
        Some(Self { id: shown.id, written: shown.name, kind, forms, minds_capitals })
    }

    /// Whether a form of the name is written from there on.
    fn is_written(&self, form: usize, atoms: &[Atom]) -> bool {
        let form = &self.forms[form];
        let Some(written) = atoms.get(..form.len()) else { return false };
        if self.minds_capitals && !written[0].is(atom::CAPITAL | atom::WHISPERED) {
            return false;
        }
        form.iter().zip(written).enumerate().all(|(index, (ours, theirs))| {
            ours.hash == theirs.hash
                && !theirs.is(atom::PASSED_OVER)
                && (index == 0 || !theirs.is(atom::FIRST))
        })
    }

    /// Whether somebody gave it an id that is not made of its name.
    fn has_own_id(&self) -> bool {
        !self.id.starts_with(NAMED)
    }
}

/// A name without its article and without the "Inc." of a firm.
fn core_of(mut atoms: Vec<Atom>) -> Vec<Atom> {
    // "The Who" is no "who".
    if 2 < atoms.len() && begins_with_article(&atoms) {
        atoms.remove(0);
    }
    while 1 < atoms.len()
        && atoms.last().is_some_and(|last| is_legal_form(last.hash) || !last.is(atom::WORD))
    {
        atoms.pop();
    }
    atoms
}

fn begins_with_article(atoms: &[Atom]) -> bool {
    const THE: [u64; 1] = folded(["the"]);
    1 < atoms.len() && THE.contains(&atoms[0].hash)
}

/// Whether the tables have the whole name, however it is typed.
fn is_known(mut atoms: Vec<Atom>, gazetteer: &Gazetteer) -> bool {
    for atom in &mut atoms {
        atom.node = gazetteer.beginning(atom.hash).node;
        atom.flags |= atom::CAPITAL | atom::UPPER;
    }
    let Some(&[found]) = gazetteer.matches(&atoms).first_chunk() else { return false };
    let is_whole = (found.first, found.end as usize) == (0, atoms.len());
    is_whole && gazetteer.best_sense(found).form != Form::Nothing
}

/// A person where the first word is a first name, an organisation where all words of some length
/// have a capital, else a thing: "Article 5", "the Rwanda plan". The tagger may know better.
fn kind_of(name: &str, atoms: &[Atom], gazetteer: &Gazetteer) -> EntityKind {
    let has_first_name = gazetteer.beginning(atoms[0].hash).cues & cues::FIRST_NAME != 0;
    let is_written_big = |atom: &Atom| {
        let written = name.get(atom.span.range()).unwrap_or_default();
        !atom.is(atom::WORD) || atom.is(atom::CAPITAL) || written.chars().count() <= 3
    };
    let has_digit = name.contains(|letter: char| letter.is_ascii_digit());
    let is_proper = atoms[0].is(atom::CAPITAL) && atoms.iter().all(is_written_big) && !has_digit;
    if !is_proper {
        EntityKind::Other
    } else if has_first_name && 1 < atoms.len() {
        EntityKind::Person
    } else {
        EntityKind::Organisation
    }
}

/// "Carbon taxes" of "carbon tax", and the other way round. A word alone may be another without
/// its "s": "news".
fn in_other_number(name: &str, atoms: &[Atom]) -> Vec<Vec<Atom>> {
    let Some((last, before)) = atoms.split_last().filter(|(_, before)| !before.is_empty()) else {
        return Vec::new();
    };
    let word = name.get(last.span.range()).unwrap_or_default();
    let hisses = |word: &str| ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end));
    let singular = match (word.strip_suffix("es"), word.strip_suffix('s')) {
        (Some(short), _) if hisses(short) => short.to_owned(),
        (_, Some(short)) if 2 < short.len() && !hisses(short) => short.to_owned(),
        _ => format!("{word}{}", if hisses(word) { "es" } else { "s" }),
    };
    vec![[before, &[Atom { hash: fold(&singular), ..*last }]].concat()]
}

impl Reader<'_> {
    /// Enters what is sought where it is written, in place of a part of it that somebody else was
    /// taken for. A longer name stays another's: "Orinda Mining" is not in "Orinda Mining Museum".
    pub(super) fn find_sought(&mut self, sought: &Sought) {
        let mut places = sought.places(&self.sight.atoms);
        for (number, name) in sought.names.iter().enumerate() {
            if let Some(person) = self.surnamed(name) {
                self.table.alias(person, &name.written);
                places.retain(|place| place.name != number);
            }
        }
        if places.is_empty() {
            return;
        }
        let is_tagged = |place: &Place| {
            let from = self.named.partition_point(|named| named.first < place.first);
            let named = self.named.get(from);
            named.is_some_and(|named| (named.first, named.end) == (place.first, place.end))
        };
        let mut is_sure = vec![false; sought.names.len()];
        for place in &places {
            is_sure[place.name] |= !place.doubtful || is_tagged(place);
        }
        places.retain(|place| is_sure[place.name]);
        self.enter(sought, &places);
    }

    fn enter(&mut self, sought: &Sought, places: &[Place]) {
        let mut entities: Vec<Option<u32>> = vec![None; sought.names.len()];
        let mut entered: Vec<Named> = Vec::with_capacity(self.named.len() + places.len());
        let mut named = std::mem::take(&mut self.named).into_iter().peekable();
        for place in places {
            while let Some(before) = named.next_if(|named| named.end <= place.first) {
                entered.push(before);
            }
            let mut over = Vec::new();
            while let Some(next) = named.next_if(|named| named.first < place.end) {
                over.push(next);
            }
            let is_taken = entered.last().is_some_and(|last| place.first < last.end);
            if is_taken || !over.iter().all(|named| self.gives_way(*named, place)) {
                entered.extend(over);
                continue;
            }
            let name = &sought.names[place.name];
            // What the tagger takes the whole name for is known better than by how it is written.
            let guess =
                over.iter().find(|named| named.first == place.first && place.end <= named.end);
            let kind = guess.map_or(name.kind, |named| named.kind);
            let entity = *entities[place.name]
                .get_or_insert_with(|| self.table.called(&name.written, &name.id, kind));
            entered.push(Named {
                first: place.first,
                end: guess.map_or(place.end, |named| named.end),
                entity,
                kind: self.table.entities[entity as usize].kind,
                flags: 0,
                confidence: guess.map_or(CONFIDENCE, |named| named.confidence.max(CONFIDENCE)),
            });
        }
        entered.extend(named);
        self.named = entered;
    }

    /// The one person whose name ends in what is sought: "Smith" of "John Smith".
    fn surnamed(&self, name: &Name) -> Option<u32> {
        let [surname] = name.forms[0][..] else { return None };
        if !name.minds_capitals || name.has_own_id() {
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

    /// Whether what was found gives way to what is sought: a part of it, a guess that overlaps, or
    /// the whole with a title before it or what kind of firm it is behind.
    fn gives_way(&self, named: Named, place: &Place) -> bool {
        let is_part = place.first <= named.first && named.end <= place.end;
        if is_part {
            return true;
        }
        if self.table.records[named.entity as usize].is_some() {
            return false;
        }
        let is_longer = named.first <= place.first && place.end <= named.end;
        let atoms = &self.sight.atoms;
        let mut before = atoms[named.first.min(place.first) as usize..place.first as usize].iter();
        let mut behind = atoms[place.end as usize..named.end.max(place.end) as usize].iter();
        !is_longer
            || before.all(|atom| atom.cues(cues::TITLE))
                && behind.all(|atom| is_legal_form(atom.hash) || !atom.is(atom::WORD))
    }
}
