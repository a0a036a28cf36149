//! Short forms that the entity table has beside the full name: "the Court", "Mr Moe".

use standpoint_document::{Entity, EntityKind};

/// How many entities of a document are compared with each other.
const MOST: usize = 400;

/// For each entity the one whose name holds its only word, if just one other of its kind does; else
/// itself. What a table of names knows is not compared: it has its short forms there.
pub(super) fn same(entities: &[Entity]) -> Vec<u32> {
    let mut same: Vec<u32> = (0..entities.len() as u32).collect();
    for (index, entity) in entities.iter().enumerate().take(MOST) {
        let Some(word) = only_word(entity) else { continue };
        let mut fuller = entities.iter().take(MOST).enumerate().filter(|&(other, fuller)| {
            other != index && is_alike(entity.kind, fuller.kind) && has_word(fuller, word)
        });
        if let (Some((fuller, _)), None) = (fuller.next(), fuller.next()) {
            same[index] = fuller as u32;
        }
    }
    same
}

/// The only word of a name that no table knows, without a title.
fn only_word(entity: &Entity) -> Option<&str> {
    let acts =
        matches!(entity.kind, EntityKind::Person | EntityKind::Organisation | EntityKind::Group);
    if !entity.id.starts_with("name:") || !acts {
        return None;
    }
    let title = |word: &&str| {
        ["mr", "mrs", "ms", "dr", "the"]
            .iter()
            .any(|title| word.trim_end_matches('.').eq_ignore_ascii_case(title))
    };
    let mut words = entity.name.split_whitespace().skip_while(title);
    let word = words.next()?;
    (words.next().is_none() && word.len() > 2).then_some(word)
}

fn is_alike(one: EntityKind, other: EntityKind) -> bool {
    (one == EntityKind::Person) == (other == EntityKind::Person)
        && !matches!(other, EntityKind::Country | EntityKind::Place | EntityKind::Event)
}

/// Whether a name of several words has a word.
fn has_word(entity: &Entity, word: &str) -> bool {
    let mut words = entity.name.split_whitespace();
    entity.name.contains(' ') && words.any(|own| own.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use standpoint_document::Aliases;

    use super::*;

    #[test]
    fn short_forms_are_who_is_named_in_full() {
        use EntityKind::{Country, Organisation, Person};
        let table = [
            ("ICJ", "International Court of Justice", Organisation),
            ("name:court", "Court", Organisation),
            ("name:ola-moe", "Ola Moe", Person),
            ("name:mr-moe", "Mr. Moe", Person),
            ("name:kari-lie", "Kari Lie", Person),
            ("name:jon-lie", "Jon Lie", Person),
            ("name:lie", "Lie", Person),
            ("NOR", "Kingdom of Norway", Country),
            ("name:norway", "Norway", Organisation),
        ];
        let entities: Vec<Entity> = table
            .iter()
            .map(|&(id, name, kind)| Entity {
                id: id.into(),
                name: name.into(),
                kind,
                country: None,
                speaks_for_country: false,
                aliases: Aliases::new(),
            })
            .collect();
        // Two are called Lie, and a state is no body.
        assert_eq!(same(&entities), [0, 0, 2, 2, 4, 5, 6, 7, 8]);
    }
}
