//! Which entities of a document are the target, and which belong to it.

use crate::entity::{Entity, EntityKind, mention};
use crate::layer::Annotation;
use crate::name::{is_same_name, slug};
use crate::stance::StanceTarget;

/// A target as a document knows it: a state with those who speak for it, an organisation with its
/// bodies, a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What it is called.
    pub shown: StanceTarget,
    /// For each entity of the table whether it is the target or a part of it.
    own: Vec<bool>,
}

impl Target {
    /// Finds a target in the entity table by id, name or alias.
    ///
    /// A target that the document does not name has the id that stands behind its name
    /// (`Vladimir Putin (RUS.PUTIN)`), else one made of its name, and nothing is its.
    #[must_use]
    pub fn resolve(wanted: &str, entities: &[Entity]) -> Self {
        let (name, id) = name_and_id(wanted);
        // A state has the id that it has, whatever stands behind its name: "UAE".
        let id = id.filter(|id| id.contains('.') || state_called(name).is_none());
        // An id and a code of a state are no name of a stranger, even where a text calls it so
        // ("condemned RUS").
        let has_id = id.is_some() || is_state_id(name) && state_called(name).is_some();
        let may_be = |found: &&Entity| !(has_id && found.id.starts_with("name:"));
        let found = find_entity(id.unwrap_or(name), entities);
        let Some(found) = found.filter(may_be) else {
            // A state may be meant by its leaders and bodies alone.
            let id = id.map_or_else(|| id_of(name), str::to_owned);
            let shown = StanceTarget { id, name: name_of(name) };
            let is_state = is_state_id(&shown.id);
            let own = entities
                .iter()
                .map(|entity| {
                    has_id && entity.name == name && !is_state_id(&entity.id)
                        || is_state
                            && entity.speaks_for_country
                            && entity.country.as_deref() == Some(&*shown.id)
                })
                .collect();
            return Self { shown, own };
        };
        let is_state = is_state_id(&found.id);
        let own = entities.iter().map(|entity| belongs(entity, found, is_state)).collect();
        let shown = StanceTarget { id: found.id.clone(), name: found.name.clone() };
        Self { shown, own }
    }

    /// Whether a mention means the target as somebody or something toward which one can stand: not
    /// a part of a title or a word of its culture, nor its land, unless a place or a thing is the
    /// target itself.
    ///
    /// - `entities`: the table that the target was resolved with.
    #[must_use]
    pub fn is_meant_by(&self, mention: &Annotation, entities: &[Entity]) -> bool {
        let entity = mention.link as usize;
        self.owns(entity)
            && mention.flags & (mention::NESTED | mention::NOT_AN_ACTOR) == 0
            && (EntityKind::from_code(mention.label).is_none_or(EntityKind::can_act)
                || entities.get(entity).is_some_and(|entity| !entity.kind.can_act()))
    }

    /// Whether an entity is the target or a part of it.
    #[must_use]
    pub fn owns(&self, entity: usize) -> bool {
        self.own.get(entity).copied().unwrap_or(false)
    }
}

/// A target's name, and the id behind it, where one stands there: `Vladimir Putin (RUS.PUTIN)`.
fn name_and_id(wanted: &str) -> (&str, Option<&str>) {
    let wanted = wanted.trim();
    let is_id = |id: &str| {
        let mut letters = id.bytes();
        letters.next().is_some_and(|first| first.is_ascii_uppercase())
            && letters.all(|c| matches!(c, b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_'))
    };
    match wanted.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")) {
        Some((name, id)) if is_id(id) => (name.trim_end(), Some(id)),
        _ => (wanted, None),
    }
}

/// The entity that a setting or a document's author names, by id, name or alias, with accents or
/// without.
#[must_use]
pub fn find_entity<'e>(wanted: &str, entities: &'e [Entity]) -> Option<&'e Entity> {
    let same = |name: &str| is_same_name(name, wanted);
    entities
        .iter()
        .find(|entity| same(&entity.id))
        .or_else(|| entities.iter().find(|entity| same(&entity.name)))
        .or_else(|| entities.iter().find(|entity| entity.aliases.iter().any(same)))
}

fn belongs(entity: &Entity, target: &Entity, is_state: bool) -> bool {
    if entity.id == target.id {
        return true;
    }
    if is_state {
        return entity.country.as_deref() == Some(&*target.id)
            && (entity.speaks_for_country || entity.kind == EntityKind::Country);
    }
    // Bodies of an organisation carry its id before a dot, such as `EU.COMMISSION`.
    entity.id.strip_prefix(&*target.id).is_some_and(|rest| rest.starts_with('.'))
        && target.kind == EntityKind::Organisation
}

/// Whether an id is an ISO 3166-1 alpha-3 code.
#[must_use]
pub fn is_state_id(id: &str) -> bool {
    id.len() == 3 && id.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The states by id and name, for targets that a document does not name.
const STATES: &str = include_str!("states.tsv");

fn states() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = STATES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('\t'))
}

/// The names of the states that are known as targets where no document names them.
pub fn state_names() -> impl Iterator<Item = &'static str> {
    states().map(|(_, name)| name)
}

/// Id and name of the state that `wanted` means, by code or name, whether a document names it or
/// not.
#[must_use]
pub fn state_called(wanted: &str) -> Option<(&'static str, &'static str)> {
    states().find(|(id, name)| is_same_name(id, wanted) || is_same_name(name, wanted))
}

fn name_of(wanted: &str) -> String {
    if let Some(slug) = wanted.strip_prefix(NAMED) {
        return slug.replace('-', " ");
    }
    state_called(wanted).map_or_else(|| wanted.to_owned(), |(_, name)| name.to_owned())
}

/// How the id begins of what no table knows.
const NAMED: &str = "name:";

/// An id for what no entity of the document is.
fn id_of(name: &str) -> String {
    if let Some((id, _)) = state_called(name) {
        return id.to_owned();
    }
    let is_acronym = name.len() <= 6 && name.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_acronym {
        return name.to_owned();
    }
    format!("{NAMED}{}", slug(name.strip_prefix(NAMED).unwrap_or(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Aliases;

    fn entity(
        id: &str,
        name: &str,
        kind: EntityKind,
        country: Option<&str>,
        speaks: bool,
    ) -> Entity {
        Entity {
            id: id.to_owned(),
            name: name.to_owned(),
            kind,
            country: country.map(str::to_owned),
            speaks_for_country: speaks,
            aliases: if id == "TUR" { Aliases::from_lines("Türkiye") } else { Aliases::new() },
        }
    }

    #[test]
    fn leaders_and_bodies_belong_to_a_state_and_dissidents_do_not() {
        let table = [
            entity("RUS", "Russia", EntityKind::Country, Some("RUS"), true),
            entity("RUS.PUTIN", "Vladimir Putin", EntityKind::Person, Some("RUS"), true),
            entity("name:vera-larina", "Vera Larina", EntityKind::Person, Some("RUS"), false),
            entity("TUR", "Turkey", EntityKind::Country, Some("TUR"), true),
            entity("EU", "European Union", EntityKind::Organisation, None, false),
            entity("EU.COMMISSION", "European Commission", EntityKind::Organisation, None, false),
        ];
        let cases = [
            ("Russia", "RUS", [true, true, false, false, false, false]),
            ("rus", "RUS", [true, true, false, false, false, false]),
            ("TÜRKIYE", "TUR", [false, false, false, true, false, false]),
            ("turkiye", "TUR", [false, false, false, true, false, false]),
            ("EU", "EU", [false, false, false, false, true, true]),
            ("Vladimir Putin", "RUS.PUTIN", [false, true, false, false, false, false]),
            ("Vladimír Putin", "RUS.PUTIN", [false, true, false, false, false, false]),
            ("Nobody At All", "name:nobody-at-all", [false; 6]),
            ("Nóbody", "name:nobody", [false; 6]),
            ("Sao Tome and Principe", "STP", [false; 6]),
            // With an id, by which it is known in other documents.
            ("Wladimir Putin (RUS.PUTIN)", "RUS.PUTIN", [false, true, false, false, false, false]),
            ("Huawei (CHN.HUAWEI)", "CHN.HUAWEI", [false; 6]),
            ("Türkiye (TUR)", "TUR", [false, false, false, true, false, false]),
            ("Nobody (at all)", "name:nobody-at-all", [false; 6]),
            ("Nobody ()", "name:nobody", [false; 6]),
            // The id that results have.
            ("name:vera-larina", "name:vera-larina", [false, false, true, false, false, false]),
            ("name:nobody-at-all", "name:nobody-at-all", [false; 6]),
        ];
        for (wanted, id, own) in cases {
            let target = Target::resolve(wanted, &table);
            assert_eq!(
                (target.shown.id.as_str(), target.own.as_slice()),
                (id, &own[..]),
                "{wanted}"
            );
        }
    }

    #[test]
    fn a_mention_means_the_target_unless_it_is_a_title_a_culture_or_its_land() {
        let table = [
            entity("RUS", "Russia", EntityKind::Country, Some("RUS"), true),
            entity("name:crimea", "Crimea", EntityKind::Place, None, false),
            entity("name:carbon-tax", "carbon tax", EntityKind::Other, None, false),
        ];
        let cases = [
            ("Russia", 0, EntityKind::Country, 0, true),
            ("Russia", 0, EntityKind::Place, 0, false),
            ("Russia", 0, EntityKind::Other, mention::DEMONYM | mention::NOT_AN_ACTOR, false),
            ("Russia", 0, EntityKind::Country, mention::NESTED, false),
            ("Russia", 1, EntityKind::Place, 0, false),
            ("Crimea", 1, EntityKind::Place, 0, true),
            ("carbon tax", 2, EntityKind::Other, 0, true),
            ("carbon tax", 0, EntityKind::Country, 0, false),
        ];
        for (wanted, link, kind, flags, expected) in cases {
            let target = Target::resolve(wanted, &table);
            let mention = Annotation::new(crate::Span::new(0, 1))
                .with_label(kind.code())
                .with_flags(flags)
                .with_link(link);
            assert_eq!(target.is_meant_by(&mention, &table), expected, "{wanted} {mention:?}");
        }
    }

    #[test]
    fn an_id_is_whose_it_is_where_the_text_itself_has_the_name() {
        let stranger = entity("name:rus", "RUS", EntityKind::Other, None, false);
        let putin = entity("RUS.PUTIN", "Vladimir Putin", EntityKind::Person, Some("RUS"), true);
        let target = Target::resolve("RUS", &[stranger.clone(), putin]);
        assert_eq!(
            (&*target.shown.id, &*target.shown.name, target.own),
            ("RUS", "Russia", vec![true; 2])
        );
        let russia = entity("RUS", "Russia", EntityKind::Country, Some("RUS"), true);
        assert_eq!(Target::resolve("RUS", &[stranger, russia]).own, [false, true]);
        let stranger = entity("name:huawei", "Huawei", EntityKind::Person, None, false);
        let target = Target::resolve("Huawei (CHN.HUAWEI)", &[stranger]);
        assert_eq!(
            (&*target.shown.id, &*target.shown.name, target.own),
            ("CHN.HUAWEI", "Huawei", vec![true])
        );
        let georgia = entity("GEO", "Georgia", EntityKind::Country, Some("GEO"), true);
        for (wanted, id, own) in [
            ("United Arab Emirates (UAE)", "ARE", false),
            ("Georgia (USA.GEORGIA)", "USA.GEORGIA", false),
            ("Georgia (GEO)", "GEO", true),
        ] {
            let target = Target::resolve(wanted, std::slice::from_ref(&georgia));
            assert_eq!((&*target.shown.id, target.own), (id, vec![own]), "{wanted}");
        }
    }
}
