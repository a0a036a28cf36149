//! Who is named in a document.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What kind of thing an entity is.
///
/// The discriminants are the labels of the layer [`layers::ENTITIES`](crate::layers::ENTITIES)
/// and part of the plugin ABI.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A human being.
    Person = 0,
    /// A body: ministry, party, company, alliance of states.
    Organisation = 1,
    /// A state, its government, or a name that stands for them.
    Country = 2,
    /// A place that does not act.
    Place = 3,
    /// People named together: a nation's citizens, an armed group.
    Group = 4,
    /// Something that happened or happens.
    Event = 5,
    /// A name of something else.
    Other = 6,
}

impl EntityKind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::Person,
        Self::Organisation,
        Self::Country,
        Self::Place,
        Self::Group,
        Self::Event,
        Self::Other,
    ];

    /// The kind with this code.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.get(code as usize).copied()
    }

    /// The code, as [`Annotation::label`](crate::Annotation::label) holds it.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// Whether it is somebody who can hold a stance, and no place, event or thing.
    #[must_use]
    pub const fn can_act(self) -> bool {
        !matches!(self, Self::Place | Self::Event | Self::Other)
    }

    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Organisation => "organisation",
            Self::Country => "country",
            Self::Place => "place",
            Self::Group => "group",
            Self::Event => "event",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An entity of the document; its mentions link to it by its index in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// ISO 3166-1 alpha-3 for states, `<ISO3>.<NAME>` for people and bodies that belong to one,
    /// a name such as `EU` for organisations of states, else `name:<slug>`.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// What it is.
    pub kind: EntityKind,
    /// The state that it belongs to, as ISO 3166-1 alpha-3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Whether it spoke or acted for that state when the document was published: a leader in
    /// office, a ministry, a parliament.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub speaks_for_country: bool,
    /// Other names by which it is known, for settings that name it (`target: Turkey`).
    #[serde(default, skip_serializing_if = "Aliases::is_empty")]
    pub aliases: Aliases,
}

/// Names by which an entity is also known: a list in JSON, and one shared text in memory, because
/// most entities of most documents have many of them and few readers ever ask.
// Invariant: no name is empty or has a line break, and `joined` does not begin or end with one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Aliases {
    joined: Arc<str>,
}

impl Aliases {
    /// No names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The names in a text with a line break between each two.
    #[must_use]
    pub fn from_lines(lines: &str) -> Self {
        if lines.starts_with('\n') || lines.ends_with('\n') || lines.contains("\n\n") {
            return lines.split('\n').collect();
        }
        Self { joined: lines.into() }
    }

    /// The names with a line break between each two.
    #[must_use]
    pub fn as_lines(&self) -> &str {
        &self.joined
    }

    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        // An empty text has no name rather than one that is empty.
        self.joined.split('\n').filter(|name| !name.is_empty())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    /// Adds a name.
    pub fn push(&mut self, name: &str) {
        *self = self.iter().chain([name]).collect();
    }
}

impl<S: AsRef<str>> FromIterator<S> for Aliases {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut joined = String::new();
        for name in names {
            for part in name.as_ref().split('\n').filter(|part| !part.is_empty()) {
                if !joined.is_empty() {
                    joined.push('\n');
                }
                joined.push_str(part);
            }
        }
        Self { joined: joined.into() }
    }
}

impl From<Vec<String>> for Aliases {
    fn from(names: Vec<String>) -> Self {
        names.into_iter().collect()
    }
}

impl From<Aliases> for Vec<String> {
    fn from(aliases: Aliases) -> Self {
        aliases.iter().map(str::to_owned).collect()
    }
}

/// Flags of the layer [`layers::ENTITIES`](crate::layers::ENTITIES), whose annotations are
/// mentions: `label` is the code of an [`EntityKind`] as meant at this place, `score` the
/// confidence (0 to 1), `link` the index of the entity in the table.
pub mod mention {
    /// An adjective or noun of belonging: "Russian", "Kazakhs".
    pub const DEMONYM: u32 = 1;
    /// A capital, seat or leader's office that stands for a state: "the Kremlin", "Astana".
    pub const METONYM: u32 = 1 << 1;
    /// A pronoun or description: "it", "the country", "the ministry".
    pub const ANAPHOR: u32 = 1 << 2;
    /// The name of an actor used for something that does not act: "a Moscow hospital", "Russian
    /// novels"; it is named, but nobody's stance.
    pub const NOT_AN_ACTOR: u32 = 1 << 3;
    /// Inside another mention, as "Kazakh" in "Kazakh President Kassym-Jomart Tokayev".
    pub const NESTED: u32 = 1 << 4;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_a_list_in_json_and_one_text_in_memory() {
        let cases = [
            (&[][..], "[]"),
            (&["Turkiye"], r#"["Turkiye"]"#),
            (&["a", "", "b\nc"], r#"["a","b","c"]"#),
        ];
        for (names, json) in cases {
            let aliases: Aliases = names.iter().collect();
            assert_eq!(serde_json::to_string(&aliases).unwrap(), json);
            assert_eq!(serde_json::from_str::<Aliases>(json).unwrap(), aliases);
            assert_eq!(Aliases::from_lines(aliases.as_lines()), aliases);
        }
        assert_eq!(Aliases::from_lines("\na\n\nb\n").as_lines(), "a\nb");
        let mut aliases = Aliases::new();
        aliases.push("CSTO");
        aliases.push("ODKB");
        assert_eq!(aliases.iter().collect::<Vec<_>>(), ["CSTO", "ODKB"]);
    }
}
