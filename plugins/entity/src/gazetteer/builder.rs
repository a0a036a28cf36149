//! Makes the trie of the rows of the tables.

use standpoint_document::{EntityKind, slug};

use super::{BUILT_IN, Form, Gazetteer, Record, Role, Sense, hash_of_name};
use crate::atom::{self, atoms_of_name};
use crate::cues;
use crate::date::Period;
use crate::fold::fold;

/// Kinds of organisation that speak for their state.
const SPEAKING_BODIES: [&str; 8] = [
    "government",
    "parliament",
    "ministry",
    "military",
    "agency",
    "central-bank",
    "state-body",
    "union-body",
];

/// A trie under construction.
pub(super) struct Builder {
    gazetteer: Gazetteer,
    /// By node.
    senses_of: Vec<Vec<Sense>>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self { gazetteer: Gazetteer::default(), senses_of: vec![Vec::new()] }
    }

    /// Takes a row of a table in; an error says what is wrong with it.
    pub(super) fn row(&mut self, file: &str, columns: &[&str]) -> Result<(), String> {
        // A path given by a user counts by its last part.
        let table = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let expect = |count: usize| {
            if columns.len() == count {
                return Ok(());
            }
            Err(format!("found {} columns, expected {count} separated by tabs", columns.len()))
        };
        match table {
            "states.tsv" => expect(7).map(|()| self.state(columns)),
            "organisations.tsv" => expect(6).and_then(|()| self.organisation(columns)),
            "people.tsv" => expect(5).and_then(|()| self.person(columns)),
            "places.tsv" => expect(3).map(|()| self.place(columns)),
            "events.tsv" => expect(2).map(|()| self.event(columns)),
            "words.tsv" => expect(2).map(|()| self.name(columns[0], 0, Form::Nothing)),
            "cues.tsv" => expect(2).and_then(|()| {
                let kind = columns[0];
                let bit =
                    cues::kind(kind).ok_or_else(|| format!("`{kind}` is not a kind of cue"))?;
                self.mark(columns[1].split_whitespace().map(fold), bit);
                Ok(())
            }),
            other => Err(format!(
                "`{other}` is not the name of a table; expected one of {}",
                BUILT_IN.map(|(name, _)| name).join(", ")
            )),
        }
    }

    fn state(&mut self, columns: &[&str]) {
        let &[id, name, aliases, adjectives, people, capitals, seats] = columns else { return };
        let mut record = Record::new(id, name, EntityKind::Country);
        record.country = Some(id.to_owned());
        record.speaks = true;
        record.aliases = list(aliases).chain(list(seats)).map(bare).collect();
        let state = self.put(record);
        self.name(name, state, Form::Name);
        for (names, form) in [
            (aliases, Form::Name),
            (adjectives, Form::Adjective),
            (capitals, Form::Capital),
            (seats, Form::Seat),
        ] {
            for name in list(names) {
                self.name(name, state, form);
                if form == Form::Capital {
                    self.capital(name, state, id);
                }
            }
        }
        let nation = list(people).last().map_or_else(|| format!("people of {name}"), bare);
        let mut citizens = Record::new(&format!("{id}.PEOPLE"), &nation, EntityKind::Group);
        citizens.country = Some(id.to_owned());
        let citizens = self.put(citizens);
        self.gazetteer.citizens_of.insert(state, citizens);
        for name in list(people) {
            self.name(name, state, Form::People);
        }
    }

    fn capital(&mut self, name: &str, state: u32, country: &str) {
        let name = bare(name);
        let mut record = Record::new(&format!("name:{}", slug(&name)), &name, EntityKind::Place);
        record.country = Some(country.to_owned());
        let place = self.put(record);
        let hash = hash_of_name(&name);
        self.gazetteer.capitals.entry(state).or_default().insert(hash, place);
    }

    fn organisation(&mut self, columns: &[&str]) -> Result<(), String> {
        let &[id, name, aliases, label, kind, country] = columns else { return Ok(()) };
        let label = EntityKind::ALL
            .into_iter()
            .find(|kind| kind.name() == label)
            .ok_or_else(|| format!("`{label}` is not a label of an entity"))?;
        let mut record = Record::new(id, name, label);
        record.country = (!country.is_empty()).then(|| country.to_owned());
        record.speaks = SPEAKING_BODIES.contains(&kind);
        record.party = kind == "party";
        record.union = matches!(kind, "union" | "alliance");
        record.aliases = list(aliases).map(bare).collect();
        let index = self.put(record);
        self.name(name, index, Form::Name);
        for alias in list(aliases) {
            self.name(alias, index, Form::Name);
        }
        Ok(())
    }

    fn person(&mut self, columns: &[&str]) -> Result<(), String> {
        let &[id, name, aliases, country, roles] = columns else { return Ok(()) };
        let mut record = Record::new(id, name, EntityKind::Person);
        record.country = Some(country.to_owned());
        record.aliases = list(aliases).map(bare).collect();
        record.roles = list(roles).map(role).collect::<Result<_, _>>()?;
        let index = self.put(record);
        self.gazetteer.people_of.entry(country.to_owned()).or_default().push(index);
        self.name(name, index, Form::Name);
        for alias in list(aliases) {
            self.name(alias, index, Form::Name);
        }
        if let Some((first, _)) = name.split_once(' ') {
            self.mark([fold(first)], cues::FIRST_NAME);
        }
        Ok(())
    }

    fn place(&mut self, columns: &[&str]) {
        let &[name, aliases, country] = columns else { return };
        let mut record = Record::new(&format!("name:{}", slug(name)), name, EntityKind::Place);
        record.country = (!country.is_empty()).then(|| country.to_owned());
        record.aliases = list(aliases).map(bare).collect();
        let index = self.put(record);
        // A name whose doubtful form stands among the aliases is doubtful itself.
        let doubtful = list(aliases).any(|alias| alias.strip_prefix('?') == Some(name));
        if !doubtful {
            self.name(name, index, Form::Name);
        }
        for alias in list(aliases) {
            self.name(alias, index, Form::Name);
        }
    }

    fn event(&mut self, columns: &[&str]) {
        let &[name, aliases] = columns else { return };
        let mut record = Record::new(&format!("name:{}", slug(name)), name, EntityKind::Event);
        record.aliases = list(aliases).map(bare).collect();
        let index = self.put(record);
        self.name(name, index, Form::Name);
        for alias in list(aliases) {
            self.name(alias, index, Form::Name);
        }
    }

    fn put(&mut self, record: Record) -> u32 {
        let gazetteer = &mut self.gazetteer;
        if let Some(&index) = gazetteer.record_of.get(&record.id) {
            gazetteer.records[index as usize] = record;
            return index;
        }
        let index = gazetteer.records.len() as u32;
        gazetteer.record_of.insert(record.id.clone(), index);
        gazetteer.records.push(record);
        index
    }

    /// Enters a name, whose marks are `?` (needs context) and `!` (not in a line of capitals).
    fn name(&mut self, name: &str, record: u32, form: Form) {
        let ambiguous = name.starts_with('?');
        let not_shouted = name.starts_with('!');
        let atoms = atoms_of_name(&bare(name));
        let Some(first) = atoms.first() else { return };
        let article = atoms.len() > 1 && !first.is(atom::CAPITAL) && first.hash == fold("the");
        let (mut capital, mut upper) = (0_u16, 0_u16);
        for (index, atom) in atoms.iter().take(16).enumerate() {
            if atom.is(atom::CAPITAL) {
                capital |= 1 << index;
            }
            // A single capital letter says nothing.
            let length = atom.span.end - atom.span.start;
            // "Let" is not "LeT", but "Youtube" is "YouTube".
            if atom.is(atom::UPPER) && 1 < length || atom.is(atom::MIXED) && length < 5 {
                upper |= 1 << index;
            }
        }
        let known = self.gazetteer.beginning(first.hash).node;
        let mut node = if known == 0 { self.node() } else { known };
        self.gazetteer.words.entry(first.hash).or_default().node = node;
        for atom in &atoms[1..] {
            let edge = (node, atom.hash);
            let known = self.gazetteer.edges.get(&edge).copied();
            node = known.unwrap_or_else(|| self.node());
            self.gazetteer.edges.insert(edge, node);
        }
        let senses = &mut self.senses_of[node as usize];
        let known = senses.iter().any(|sense| sense.record == record && sense.form == form);
        if !known || form == Form::Nothing {
            senses.push(Sense { record, form, ambiguous, not_shouted, article, capital, upper });
        }
    }

    fn node(&mut self) -> u32 {
        self.senses_of.push(Vec::new());
        self.senses_of.len() as u32 - 1
    }

    /// Marks words, by their folded hashes, as cues of a kind.
    fn mark(&mut self, words: impl IntoIterator<Item = u64>, kind: u32) {
        for word in words {
            self.gazetteer.words.entry(word).or_default().cues |= kind;
        }
    }

    pub(super) fn finish(mut self) -> Gazetteer {
        self.mark(crate::anaphora::referring_words(), cues::REFERRING);
        let mut gazetteer = self.gazetteer;
        for senses in self.senses_of {
            gazetteer.nodes.push((gazetteer.senses.len() as u32, senses.len().min(32) as u16));
            gazetteer.senses.extend(senses);
        }
        gazetteer
    }
}

fn list(column: &str) -> impl Iterator<Item = &str> {
    column.split(';').map(str::trim).filter(|part| !part.is_empty())
}

/// A name without the marks that tables put before it.
fn bare(name: &str) -> String {
    name.trim_start_matches(['?', '!']).to_owned()
}

fn role(text: &str) -> Result<Role, String> {
    let (office, period) =
        text.split_once(' ').ok_or_else(|| format!("role `{text}` lacks its dates"))?;
    let (of, office) = match office.split_once(':') {
        Some((of, office)) => (Some(of.to_owned()), office),
        None => (None, office),
    };
    let period = Period::parse(period.trim())
        .ok_or_else(|| format!("`{period}` is not a period such as 2019-03..2024-11"))?;
    Ok(Role { office: office.to_owned(), of, period })
}
