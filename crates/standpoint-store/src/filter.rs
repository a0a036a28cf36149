//! What is asked for, as it stands in a page's address.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{self, Value};
use crate::schema::Store;

/// Which part of a store is looked at. Everything left out lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Filter {
    /// Toward whom, an id.
    pub target: String,
    /// The first day, `2024-05-01`.
    pub from: Option<String>,
    /// The last day.
    pub to: Option<String>,
    /// Names of sources.
    pub sources: Vec<String>,
    /// Who: an actor's id, or `author:` and a name.
    pub who: Option<String>,
    /// Words that the documents hold.
    pub words: Option<String>,
    /// Whose stances: actors', authors', or both.
    pub holders: Holders,
    /// In whose words the passages are.
    pub voice: Option<String>,
    /// When what they say holds.
    pub time: Option<String>,
    /// What people said of the passages: `accepted`, `rejected` or `none`.
    pub verdict: Option<String>,
    /// The documents that hold the words, once they were looked up: see [`Filter::looked_up`].
    /// Whoever changes words, days or sources of a filter takes them away.
    #[serde(skip)]
    pub found: Option<Arc<[i64]>>,
    /// Whether more documents hold the words than are looked at.
    #[serde(skip)]
    pub is_cut: bool,
}

/// Whose stances are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Holders {
    /// Of the actors that texts name.
    #[default]
    Actors,
    /// Of those who wrote the texts.
    Authors,
    /// Of both.
    All,
}

/// The most documents of a filter's days and sources that words are looked up in, those that came
/// last first: a word that everybody uses must not hold a page up.
pub const MOST_MATCHES: usize = 2_500;

impl Filter {
    /// All that is said toward one target.
    #[must_use]
    pub fn toward(target: impl Into<String>) -> Self {
        Self { target: target.into(), ..Self::default() }
    }

    /// Whether monthly sums can answer, and single rows need not be read.
    pub(crate) fn is_of_whole_sources(&self) -> bool {
        self.sources.is_empty() && self.words.is_none()
    }

    /// What holds of a row of `stance AS s`, and the values for its marks.
    pub(crate) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.add("s.target_id = ?", [self.target.clone().into()]);
        self.add_holder(&mut conditions);
        self.add_days(&mut conditions, "s.day");
        if !self.sources.is_empty() {
            conditions.add_list("s.source", &self.sources);
        }
        let before = conditions.values.len();
        self.add_words(&mut conditions, "s.document");
        conditions.index = match () {
            () if conditions.values.len() > before => "stance_of_document",
            () if self.who.is_some() => "stance_by_who",
            () if !self.sources.is_empty() => "stance_by_source",
            // Whose ids begin alike stand together.
            () if self.holders == Holders::Authors => "stance_by_who",
            () => "stance_by_day",
        };
        conditions
    }

    pub(crate) fn add_holder(&self, conditions: &mut Conditions) {
        if let Some(who) = &self.who {
            conditions.add("s.who = ?", [who.clone().into()]);
        } else {
            match self.holders {
                Holders::Actors => conditions.add("substr(s.who, 1, 7) <> 'author:'", []),
                Holders::Authors => conditions.add("s.who >= 'author:' AND s.who < 'author;'", []),
                Holders::All => {}
            }
        }
    }

    pub(crate) fn add_days(&self, conditions: &mut Conditions, column: &str) {
        if let Some(from) = &self.from {
            conditions.add(&format!("{column} >= ?"), [from.clone().into()]);
        }
        if let Some(to) = &self.to {
            conditions.add(&format!("{column} <= ?"), [to.clone().into()]);
        }
    }

    /// The filter with the documents that hold its words: looked up once, however many questions
    /// are asked with it.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn looked_up(&self, store: &Store) -> base::Result<Cow<'_, Self>> {
        let words = self.words.as_deref().map(quoted).filter(|words| !words.is_empty());
        let Some(words) = words.filter(|_| self.found.is_none()) else {
            return Ok(Cow::Borrowed(self));
        };
        let mut among = self.of_documents("d.");
        let within = if among.values.is_empty() {
            String::new()
        } else if store.base.needs_hints() && are_many(store, &among)? {
            let hint = "INDEXED BY document_days";
            let key = "d.key = document_text.rowid";
            format!(
                "AND EXISTS (SELECT 1 FROM document AS d {hint} WHERE {key} AND {})",
                among.sql()
            )
        } else {
            // The `+` keeps it from being a way into the index, which only the words are.
            format!("AND +rowid IN (SELECT d.key FROM document AS d WHERE {})", among.sql())
        };
        among.values.insert(0, words.into());
        let sql = format!(
            "SELECT rowid FROM document_text WHERE document_text MATCH ? {within}
             ORDER BY rowid DESC LIMIT {}",
            MOST_MATCHES + 1
        );
        let mut found: Vec<i64> = store.base.rows(&sql, &among.values, |row| row.get(0))?;
        let is_cut = found.len() > MOST_MATCHES;
        found.truncate(MOST_MATCHES);
        Ok(Cow::Owned(Self { found: Some(found.into()), is_cut, ..self.clone() }))
    }

    /// What holds of a row of `document` by its day and source.
    ///
    /// - `table`: what its columns are called by, such as `d.`.
    pub(crate) fn of_documents(&self, table: &str) -> Conditions {
        let mut conditions = Conditions::default();
        self.add_days(&mut conditions, &format!("{table}day"));
        if !self.sources.is_empty() {
            conditions.add_list(&format!("{table}source"), &self.sources);
        }
        conditions
    }

    pub(crate) fn add_words(&self, conditions: &mut Conditions, column: &str) {
        if let Some(found) = &self.found {
            let keys = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let condition = format!("{column} IN (SELECT value FROM json_each(?))");
            conditions.add(&condition, [format!("[{keys}]").into()]);
        }
    }
}

/// Whether it takes longer to list the documents of some days and sources than to ask of each that
/// holds the words whether it is among them.
fn are_many(store: &Store, among: &Conditions) -> base::Result<bool> {
    const MANY: i64 = 20_000;
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM document AS d WHERE {} LIMIT {MANY}) AS few",
        among.sql()
    );
    Ok(store.base.number(&sql, &among.values)? >= MANY)
}

/// Words as the full-text search takes them: each in quotation marks, so that none is an operator.
fn quoted(words: &str) -> String {
    // The index reads no further than a U+0000.
    let ends = |mark: char| mark.is_whitespace() || mark.is_control();
    let words = words.split(ends).filter(|word| !word.is_empty()).take(16);
    words.map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect::<Vec<_>>().join(" ")
}

/// Conditions that all hold.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    parts: Vec<String>,
    index: &'static str,
    pub(crate) values: Vec<Value<'static>>,
}

impl Conditions {
    pub(crate) fn add<const N: usize>(&mut self, condition: &str, values: [Value<'static>; N]) {
        self.parts.push(condition.to_owned());
        self.values.extend(values);
    }

    pub(crate) fn add_all(&mut self, condition: &str, values: &[Value<'static>]) {
        self.parts.push(condition.to_owned());
        self.values.extend_from_slice(values);
    }

    pub(crate) fn add_list(&mut self, column: &str, names: &[String]) {
        let marks = vec!["?"; names.len()].join(", ");
        self.parts.push(format!("{column} IN ({marks})"));
        self.values.extend(names.iter().cloned().map(Value::from));
    }

    /// What tells `SQLite` by which index to find the rows of `stance`. It has no statistics to
    /// choose by: a store that is filled while it is read would have none that are true.
    pub(crate) fn hint(&self) -> String {
        format!("INDEXED BY {}", self.index)
    }

    pub(crate) fn sql(&self) -> String {
        if self.parts.is_empty() { "TRUE".to_owned() } else { self.parts.join(" AND ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_words_and_no_language_of_queries() {
        for (words, expected) in [
            ("gas exports", "\"gas\" \"exports\""),
            ("NEAR( \"a\" OR", "\"NEAR(\" \"\"\"a\"\"\" \"OR\""),
            ("  ", ""),
            ("\0", ""),
            ("gas\0exports", "\"gas\" \"exports\""),
        ] {
            assert_eq!(quoted(words), expected);
        }
    }
}
