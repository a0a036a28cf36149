//! A pipeline file as it was written: maps, lists and scalars, each with its place.

use serde_json::{Map, Number, Value};

use crate::diagnostic::Place;

/// A value and where it was written: a scalar at itself, a map or a list at its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// What a value is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the file. Invariant: no key occurs twice.
    Map(Vec<Entry>),
}

/// A key, where it was written, and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

/// A value that is neither a map nor a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Scalar {
    /// The text after quotes, escapes and substitutions.
    pub(crate) text: String,
    /// Whether it was written without quotes, and so may be a number, a boolean or nothing.
    pub(crate) plain: bool,
    /// What was written, when a substitution changed it.
    pub(crate) written: Option<String>,
    /// Whether it was filled from a file, which is where secrets are kept.
    pub(crate) secret: bool,
    /// Whether its substitution failed, so that its text means nothing.
    pub(crate) broken: bool,
}

/// A scalar as YAML 1.2's core schema reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meaning<'a> {
    Nothing,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(&'a str),
}

impl Node {
    pub(crate) fn map(place: Place, entries: Vec<Entry>) -> Self {
        Self { place, kind: Kind::Map(entries) }
    }

    pub(crate) fn text(place: Place, text: impl Into<String>) -> Self {
        let scalar = Scalar { text: text.into(), ..Scalar::default() };
        Self { place, kind: Kind::Scalar(scalar) }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Where `key_path` (`stages[2].with.window`) was written, or the part of it that was.
    pub(crate) fn place_of(&self, key_path: &str) -> Place {
        self.nearest_to(key_path).map_or(Place::Nowhere, |(node, _)| node.place.clone())
    }

    /// The value at `key_path`.
    pub(crate) fn at(&self, key_path: &str) -> Option<&Self> {
        self.nearest_to(key_path).filter(|(_, is_all)| *is_all).map(|(node, _)| node)
    }

    /// The value at `key_path`, or at the part of it that is there, and which of both.
    fn nearest_to(&self, key_path: &str) -> Option<(&Self, bool)> {
        let mut node = self;
        let mut found = None;
        for step in key_path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let index = step.strip_suffix(']').and_then(|index| index.parse::<usize>().ok());
            let next = match index {
                Some(index) => node.items().get(index),
                None => node.get(step),
            };
            let Some(next) = next else { return found.map(|node| (node, false)) };
            node = next;
            found = Some(node);
        }
        found.map(|node| (node, true))
    }

    /// Calls `visit` for each scalar below, with the path of its key; `path` is the node's own.
    pub(crate) fn visit_scalars(
        &mut self,
        path: &str,
        visit: &mut impl FnMut(&str, &Place, &mut Scalar),
    ) {
        match &mut self.kind {
            Kind::Scalar(scalar) => visit(path, &self.place, scalar),
            Kind::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    item.visit_scalars(&format!("{path}[{index}]"), visit);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    entry.value.visit_scalars(&join(path, &entry.key), visit);
                }
            }
        }
    }

    /// The value as JSON, each scalar as the core schema reads it.
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.to_json(),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// A tree of defaults, which stand nowhere in the file.
    pub(crate) fn from_json(value: &Value) -> Self {
        let kind = match value {
            Value::String(text) => Kind::Scalar(Scalar { text: text.clone(), ..Scalar::default() }),
            Value::Array(items) => Kind::List(items.iter().map(Self::from_json).collect()),
            Value::Object(fields) => {
                let entry = |(key, value): (&String, &Value)| Entry {
                    key: key.clone(),
                    place: Place::Nowhere,
                    value: Self::from_json(value),
                };
                Kind::Map(fields.iter().map(entry).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                Kind::Scalar(Scalar { text: value.to_string(), plain: true, ..Scalar::default() })
            }
        };
        Self { place: Place::Nowhere, kind }
    }
}

/// `path.key`, or the key alone at the top.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Scalar {
    /// Reads the text as the core schema does (YAML 1.2.2, §10.3.2): `NO` and `on` are text,
    /// `012` is twelve, `22:22` is text.
    pub(crate) fn meaning(&self) -> Meaning<'_> {
        let text = self.text.as_str();
        if !self.plain {
            return Meaning::Text(text);
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Meaning::Nothing,
            "true" | "True" | "TRUE" => return Meaning::Boolean(true),
            "false" | "False" | "FALSE" => return Meaning::Boolean(false),
            _ => {}
        }
        integer(text)
            .map(Meaning::Integer)
            .or_else(|| float(text).map(Meaning::Float))
            .unwrap_or(Meaning::Text(text))
    }

    fn to_json(&self) -> Value {
        match self.meaning() {
            Meaning::Nothing => Value::Null,
            Meaning::Boolean(value) => Value::Bool(value),
            Meaning::Integer(value) => integer_to_json(value),
            Meaning::Float(value) => Number::from_f64(value)
                .map_or_else(|| Value::String(self.text.clone()), Value::Number),
            Meaning::Text(text) => Value::String(text.to_owned()),
        }
    }
}

/// `value` as a JSON number; one beyond 64 bits loses its last digits, as in JSON readers.
pub(crate) fn integer_to_json(value: i128) -> Value {
    if let Ok(value) = i64::try_from(value) {
        return Value::from(value);
    }
    u64::try_from(value).map_or_else(|_| Value::from(value as f64), Value::from)
}

fn integer(text: &str) -> Option<i128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return plain_digits(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return plain_digits(digits, 8);
    }
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    plain_digits(digits, 10).map(|value| sign * value)
}

/// Digits only: `from_str_radix` alone would also take a sign.
fn plain_digits(digits: &str, radix: u32) -> Option<i128> {
    let only_digits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    only_digits.then(|| i128::from_str_radix(digits, radix).ok()).flatten()
}

fn float(text: &str) -> Option<f64> {
    match text.trim_start_matches(['-', '+']) {
        ".inf" | ".Inf" | ".INF" if text.len() <= 5 => {
            return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        _ => {}
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    // Rust also reads `inf` and `nan`, which are text in YAML, and refuses a lone `.`.
    let looks_right = text.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && text.bytes().any(|b| b.is_ascii_digit());
    if looks_right { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_follow_the_core_schema_of_yaml_1_2() {
        let cases = [
            ("NO", Meaning::Text("NO")),
            ("no", Meaning::Text("no")),
            ("on", Meaning::Text("on")),
            ("yes", Meaning::Text("yes")),
            ("y", Meaning::Text("y")),
            ("true", Meaning::Boolean(true)),
            ("False", Meaning::Boolean(false)),
            ("tRUE", Meaning::Text("tRUE")),
            ("null", Meaning::Nothing),
            ("~", Meaning::Nothing),
            ("", Meaning::Nothing),
            ("012", Meaning::Integer(12)),
            ("0o14", Meaning::Integer(12)),
            ("0xC", Meaning::Integer(12)),
            ("0b1", Meaning::Text("0b1")),
            ("-7", Meaning::Integer(-7)),
            ("+7", Meaning::Integer(7)),
            ("1_000", Meaning::Text("1_000")),
            ("22:22", Meaning::Text("22:22")),
            ("2022-09-21", Meaning::Text("2022-09-21")),
            ("1.10", Meaning::Float(1.1)),
            (".5", Meaning::Float(0.5)),
            ("5.", Meaning::Float(5.0)),
            ("1e3", Meaning::Float(1000.0)),
            (".inf", Meaning::Float(f64::INFINITY)),
            ("-.INF", Meaning::Float(f64::NEG_INFINITY)),
            ("inf", Meaning::Text("inf")),
            ("nan", Meaning::Text("nan")),
            ("+", Meaning::Text("+")),
            (".", Meaning::Text(".")),
            ("1.2.3", Meaning::Text("1.2.3")),
            ("--.inf", Meaning::Text("--.inf")),
        ];
        for (text, expected) in cases {
            let scalar = Scalar { text: text.to_owned(), plain: true, ..Scalar::default() };
            assert_eq!(scalar.meaning(), expected, "{text:?}");
            let quoted = Scalar { plain: false, ..scalar };
            assert_eq!(quoted.meaning(), Meaning::Text(text), "quoted {text:?}");
        }
    }
}
