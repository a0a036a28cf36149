//! The entities of a document as they are found, each once.

use rustc_hash::FxHashMap;
use standpoint_document::{Aliases, Entity, EntityKind, is_same_name, slug};

use super::Named;
use crate::date::Month;
use crate::gazetteer::Gazetteer;

/// The entities of one document.
#[derive(Debug, Default)]
pub struct Table {
    /// In the order of their first mention.
    pub entities: Vec<Entity>,
    /// For each entity, its record, where it has one.
    pub records: Vec<Option<u32>>,
    index_of: FxHashMap<String, u32>,
    /// The same for records, which are asked for again and again.
    index_of_record: FxHashMap<u32, u32>,
}

impl Table {
    /// The index of a record's entity, entered when it is new.
    pub fn record(&mut self, gazetteer: &Gazetteer, record: u32, at: Option<Month>) -> u32 {
        if let Some(&index) = self.index_of_record.get(&record) {
            return index;
        }
        let known = gazetteer.record(record);
        if let Some(&index) = self.index_of.get(&known.id) {
            self.index_of_record.insert(record, index);
            return index;
        }
        let (country, speaks_for_country) = known.allegiance(at);
        let entity = Entity {
            id: known.id.clone(),
            name: known.name.clone(),
            kind: known.kind,
            country: country.map(str::to_owned),
            speaks_for_country,
            aliases: known.aliases.clone(),
        };
        let index = self.put(entity, Some(record));
        self.index_of_record.insert(record, index);
        index
    }

    /// The index of an entity that no table knows.
    pub fn unknown(&mut self, name: &str, kind: EntityKind, country: Option<(&str, bool)>) -> u32 {
        let id = match country {
            Some((country, _)) => {
                format!("{country}.{}", slug(name).replace('-', "_").to_uppercase())
            }
            None => format!("name:{}", slug(name)),
        };
        if let Some(&index) = self.index_of.get(&id) {
            return index;
        }
        let entity = Entity {
            id,
            // A name may run on in the next line.
            name: name.split_whitespace().collect::<Vec<_>>().join(" "),
            kind,
            country: country.map(|(country, _)| country.to_owned()),
            speaks_for_country: country.is_some_and(|(_, speaks)| speaks),
            aliases: Aliases::new(),
        };
        self.put(entity, None)
    }

    /// The index of an entity that is looked for, by the id and the name that it is looked for by:
    /// of one that a guess has found, or of a new one. Guesses have to be entered before.
    pub fn called(&mut self, name: &str, id: &str, kind: EntityKind) -> u32 {
        let known = (0..self.entities.len())
            .filter(|&index| self.records[index].is_none())
            .find(|&index| is_same_name(&self.entities[index].name, name));
        if let Some(index) = known {
            let entity = &mut self.entities[index];
            // In small letters it may be made of an id, which has lost the capitals.
            if slug(name) != name.replace(' ', "-") {
                name.clone_into(&mut entity.name);
            }
            id.clone_into(&mut entity.id);
            return index as u32;
        }
        let entity = Entity {
            id: id.to_owned(),
            name: name.to_owned(),
            kind,
            country: None,
            speaks_for_country: false,
            aliases: Aliases::new(),
        };
        self.put(entity, None)
    }

    /// The entities, without guesses that nobody is called any more, for others have taken their
    /// places.
    ///
    /// - `named`: is told their new numbers.
    pub fn into_entities(self, named: &mut [Named]) -> Vec<Entity> {
        let mut numbers: Vec<Option<u32>> =
            self.records.iter().map(|record| record.map(|_| 0)).collect();
        for name in named.iter() {
            numbers[name.entity as usize] = Some(0);
        }
        let mut kept = Vec::with_capacity(self.entities.len());
        for (entity, number) in self.entities.into_iter().zip(&mut numbers) {
            if let Some(number) = number {
                *number = kept.len() as u32;
                kept.push(entity);
            }
        }
        for name in named {
            name.entity = numbers[name.entity as usize].unwrap_or_default();
        }
        kept
    }

    fn put(&mut self, entity: Entity, record: Option<u32>) -> u32 {
        let index = self.entities.len() as u32;
        self.index_of.insert(entity.id.clone(), index);
        self.entities.push(entity);
        self.records.push(record);
        index
    }

    /// Adds a name that the document introduces: "(CSTO)".
    pub fn alias(&mut self, entity: u32, alias: &str) {
        let entity = &mut self.entities[entity as usize];
        if entity.name != alias && !entity.aliases.iter().any(|known| known == alias) {
            entity.aliases.push(alias);
        }
    }
}
