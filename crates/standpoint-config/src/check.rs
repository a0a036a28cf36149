//! Checks a tree against a JSON Schema, and gives it the types that the schema names.
//!
//! It knows the part of JSON Schema that `schemars` writes for settings; keywords beyond it are
//! left to whoever reads the settings in the end. Unlike a validator of JSON it sees the text of
//! each scalar, so that `1.10` stays as written where a string is meant, and each mistake has its
//! line. It never stops at a mistake: what it cannot read becomes null, and the checking goes on.

mod choice;

use std::path::Path;

use serde_json::{Map, Number, Value};

use crate::diagnostic::{Diagnostic, Fault, Origin, Place, listed, nearest, quoted};
use crate::secret::is_secret_key;
use crate::tree::{Entry, Kind, Meaning, Node, Scalar, integer_to_json, join};
use crate::units::{
    DURATION_FORMAT, DURATION_RANGE_FORMAT, DurationRange, PATH_FORMAT, SIZE_FORMAT,
    parse_duration, parse_size,
};

/// Checks `node`, found at `key_path`, against `schema`, whose `$ref`s point into itself.
///
/// Returns what the schema makes of the node. When `findings` grew by an error, that is only part
/// of it.
pub(crate) fn check(
    node: &Node,
    key_path: &str,
    schema: &Value,
    origin: &Origin,
    findings: &mut Vec<Diagnostic>,
) -> Value {
    let mut checker = Checker { root: schema, origin, faults: Vec::new() };
    let value = checker.check(node, key_path, schema, 0);
    findings.extend(
        checker
            .faults
            .into_iter()
            .map(|found| origin.diagnostic(&found.place, &found.key_path, found.fault)),
    );
    value
}

/// What was checked without the keys that could not be read, so that they have their defaults. In
/// lists all stays in its place.
pub(crate) fn readable(checked: Value) -> Value {
    match checked {
        Value::Object(map) => {
            let known = map.into_iter().filter(|(_, value)| !value.is_null());
            known.map(|(key, value)| (key, readable(value))).collect()
        }
        Value::Array(list) => list.into_iter().map(readable).collect(),
        other => other,
    }
}

/// Deepest chain of schemas in schemas; `$ref`s may go round in circles.
const MAX_SCHEMA_DEPTH: usize = 200;

struct Checker<'a> {
    root: &'a Value,
    origin: &'a Origin,
    faults: Vec<Found>,
}

/// A fault and where it is.
struct Found {
    place: Place,
    key_path: String,
    fault: Fault,
    /// Whether the value is of another kind altogether, rather than wrong in some part.
    is_mismatch: bool,
}

impl<'a> Checker<'a> {
    fn check(&mut self, node: &Node, path: &str, schema: &'a Value, depth: usize) -> Value {
        let schema = self.followed(schema);
        let Some(keywords) = schema.as_object().filter(|_| depth < MAX_SCHEMA_DEPTH) else {
            if schema == &Value::Bool(false) {
                self.report(node, path, Fault::new("nothing may be set here"));
            }
            return node.to_json();
        };
        if node.scalar().is_some_and(|scalar| scalar.broken) {
            return Value::Null;
        }
        if let Some(branches) = branches_of(keywords) {
            return self.choose(node, path, branches, depth);
        }
        let value = match &node.kind {
            Kind::Scalar(scalar) => self.scalar(node, scalar, path, keywords),
            Kind::List(items) => self.list(node, items, path, keywords, depth),
            Kind::Map(entries) => self.map(node, entries, path, keywords, depth),
        };
        let parts = keywords.get("allOf").and_then(Value::as_array).into_iter().flatten();
        parts.fold(value, |value, part| overlay(value, self.check(node, path, part, depth + 1)))
    }

    /// `schema`, or what it refers to.
    fn followed(&self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..MAX_SCHEMA_DEPTH {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return schema };
            let pointer = reference.strip_prefix('#').unwrap_or_default();
            match self.root.pointer(pointer) {
                Some(target) => schema = target,
                None => return &Value::Bool(true),
            }
        }
        &Value::Bool(true)
    }

    fn report(&mut self, node: &Node, path: &str, fault: Fault) {
        self.report_at(&node.place, path, fault);
    }

    fn report_at(&mut self, place: &Place, path: &str, fault: Fault) {
        let (place, key_path) = (place.clone(), path.to_owned());
        self.faults.push(Found { place, key_path, fault, is_mismatch: false });
    }

    fn report_mismatch(&mut self, node: &Node, path: &str, fault: Fault) {
        self.report(node, path, fault);
        if let Some(found) = self.faults.last_mut() {
            found.is_mismatch = true;
        }
    }

    fn mismatch(&mut self, node: &Node, path: &str, keywords: &Map<String, Value>) -> Value {
        let mut fault =
            Fault::new(format!("expected {}, found {}", expectation(keywords), shown(node, path)));
        match node.scalar().map(|scalar| (scalar.meaning(), scalar.plain)) {
            Some((Meaning::Nothing, _)) => {
                fault = fault.help("give it a value, or remove the key to have the default");
            }
            Some((Meaning::Text(text), false)) if reads_unquoted(text, keywords) => {
                fault = fault.help("remove the quotes");
            }
            Some((Meaning::Text("yes" | "on" | "Yes" | "On" | "YES" | "ON"), _))
                if accepts(keywords, "boolean") =>
            {
                fault = fault.help("write `true`");
            }
            Some((Meaning::Text("no" | "off" | "No" | "Off" | "NO" | "OFF"), _))
                if accepts(keywords, "boolean") =>
            {
                fault = fault.help("write `false`");
            }
            _ => {}
        }
        self.report_mismatch(node, path, fault);
        Value::Null
    }

    fn scalar(
        &mut self,
        node: &Node,
        scalar: &Scalar,
        path: &str,
        keywords: &Map<String, Value>,
    ) -> Value {
        let Some(value) = typed(scalar, keywords) else {
            return self.mismatch(node, path, keywords);
        };
        if let Some(allowed) = allowed_values(keywords)
            && !allowed.contains(&&value)
        {
            let fault = unknown_value(scalar, path, &allowed);
            self.report_mismatch(node, path, fault);
            return Value::Null;
        }
        match &value {
            Value::Number(number) => self.number(node, number, path, keywords),
            Value::String(text) => return self.text(node, text, path, keywords),
            _ => {}
        }
        value
    }

    fn number(&mut self, node: &Node, number: &Number, path: &str, keywords: &Map<String, Value>) {
        let value = number.as_f64().unwrap_or(f64::NAN);
        let bound = |keyword: &str| keywords.get(keyword).and_then(Value::as_f64);
        // `schemars` gives wide integers a format instead of a maximum.
        let widest = match keywords.get("format").and_then(Value::as_str) {
            Some("uint32") => Some(f64::from(u32::MAX)),
            Some("int32") => Some(f64::from(i32::MAX)),
            _ => None,
        };
        let too = |word: &str, bound: f64| Some(format!("must be {word} {bound}"));
        let complaint = match (bound("minimum"), bound("maximum").or(widest)) {
            (Some(least), _) if value < least => too("at least", least),
            (_, Some(most)) if value > most => too("at most", most),
            _ => match (bound("exclusiveMinimum"), bound("exclusiveMaximum")) {
                (Some(least), _) if value <= least => too("above", least),
                (_, Some(most)) if value >= most => too("below", most),
                _ => None,
            },
        };
        if let Some(complaint) = complaint {
            self.report(
                node,
                path,
                Fault::new(format!("{complaint}, found {}", shown(node, path))),
            );
        }
    }

    fn text(
        &mut self,
        node: &Node,
        text: &str,
        path: &str,
        keywords: &Map<String, Value>,
    ) -> Value {
        let length = text.chars().count() as u64;
        let bound = |keyword: &str| keywords.get(keyword).and_then(Value::as_u64);
        if bound("minLength").is_some_and(|least| length < least) {
            let least = bound("minLength").unwrap_or_default();
            let fault = if least == 1 {
                "must not be empty".to_owned()
            } else {
                format!("must have at least {least} characters")
            };
            self.report(node, path, Fault::new(fault));
        }
        if let Some(most) = bound("maxLength").filter(|most| length > *most) {
            self.report(node, path, Fault::new(format!("must have at most {most} characters")));
        }
        let unit_error = match keywords.get("format").and_then(Value::as_str) {
            Some(DURATION_FORMAT) => parse_duration(text).err(),
            Some(DURATION_RANGE_FORMAT) => DurationRange::parse(text).err(),
            Some(SIZE_FORMAT) => parse_size(text).err(),
            Some(PATH_FORMAT) => {
                let resolved = self.origin.resolve(Path::new(text));
                return Value::String(resolved.to_string_lossy().into_owned());
            }
            _ => None,
        };
        if let Some(error) = unit_error {
            self.report(node, path, Fault::new(format!("{}: {error}", shown(node, path))));
            return Value::Null;
        }
        Value::String(text.to_owned())
    }

    fn list(
        &mut self,
        node: &Node,
        items: &[Node],
        path: &str,
        keywords: &'a Map<String, Value>,
        depth: usize,
    ) -> Value {
        if !accepts(keywords, "array") {
            return self.mismatch(node, path, keywords);
        }
        let count = items.len() as u64;
        let bound = |keyword: &str| keywords.get(keyword).and_then(Value::as_u64);
        if let Some(least) = bound("minItems").filter(|least| count < *least) {
            let things = if least == 1 { "item" } else { "items" };
            self.report(
                node,
                path,
                Fault::new(format!("needs at least {least} {things}, has {count}")),
            );
        }
        if let Some(most) = bound("maxItems").filter(|most| count > *most) {
            self.report(node, path, Fault::new(format!("takes at most {most} items, has {count}")));
        }
        let first =
            keywords.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let rest = keywords.get("items").unwrap_or(&Value::Bool(true));
        let values: Vec<Value> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let schema = first.get(index).unwrap_or(rest);
                self.check(item, &format!("{path}[{index}]"), schema, depth + 1)
            })
            .collect();
        if keywords.get("uniqueItems") == Some(&Value::Bool(true)) {
            for (index, value) in values.iter().enumerate() {
                if values[..index].contains(value) {
                    let item = &items[index];
                    let fault = Fault::new(format!("{} is in the list twice", shown(item, path)));
                    self.report(item, &format!("{path}[{index}]"), fault);
                }
            }
        }
        Value::Array(values)
    }

    fn map(
        &mut self,
        node: &Node,
        entries: &[Entry],
        path: &str,
        keywords: &'a Map<String, Value>,
        depth: usize,
    ) -> Value {
        if !accepts(keywords, "object") {
            return self.mismatch(node, path, keywords);
        }
        let properties = keywords.get("properties").and_then(Value::as_object);
        let others = ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .find_map(|keyword| keywords.get(*keyword))
            .unwrap_or(&Value::Bool(true));
        let mut values = Map::new();
        let mut meant = Vec::new();
        for entry in entries {
            let path = join(path, &entry.key);
            let known = properties.and_then(|properties| properties.get(&entry.key));
            if known.is_none() && others == &Value::Bool(false) {
                let known: Vec<&str> =
                    properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
                let mut fault = unknown_key(&entry.key, &known);
                meant.extend(nearest(&entry.key, known.iter().copied()));
                if nearest(&entry.key, known.iter().copied()).is_none()
                    && let Some((section, meant)) = self.nearest_below(&entry.key, keywords)
                {
                    fault = Fault::new(format!(
                        "unknown key {}; did you mean {} under {}?",
                        quoted(&entry.key),
                        quoted(meant),
                        quoted(&format!("{section}:"))
                    ));
                }
                self.report_at(&entry.place, &path, fault);
                continue;
            }
            let before = self.faults.len();
            let value = self.check(&entry.value, &path, known.unwrap_or(others), depth + 1);
            let plural = format!("{}s", entry.key);
            if let Kind::List(_) = entry.value.kind
                && properties.is_some_and(|properties| properties.contains_key(&plural))
                && let Some(found) = self.faults.get_mut(before).filter(|found| found.is_mismatch)
            {
                found.fault.help = Some(format!("several go under {}", quoted(&plural)));
            }
            values.insert(entry.key.clone(), value);
        }
        let required = keywords.get("required").and_then(Value::as_array).into_iter().flatten();
        for key in required.filter_map(Value::as_str) {
            // One that is there under a misspelt name was told already.
            if entries.iter().any(|entry| entry.key == key) || meant.contains(&key) {
                continue;
            }
            let mut fault = Fault::new(format!("the key {} is missing", quoted(key)));
            let schema = properties.and_then(|properties| properties.get(key));
            if let Some(description) = schema.and_then(|schema| self.description(schema)) {
                fault = fault.help(format!("{key}: {description}"));
            }
            self.report(node, &join(path, key), fault);
        }
        Value::Object(values)
    }

    /// A key one level further down that `key` was probably meant to be, and the key above it.
    fn nearest_below(
        &self,
        key: &str,
        keywords: &'a Map<String, Value>,
    ) -> Option<(&'a str, &'a str)> {
        let sections = keywords.get("properties")?.as_object()?;
        sections.iter().find_map(|(section, schema)| {
            let inner = self.followed(schema).get("properties")?.as_object()?;
            Some((section.as_str(), nearest(key, inner.keys().map(String::as_str))?))
        })
    }

    /// The first sentence of what a schema says about itself.
    fn description(&self, schema: &'a Value) -> Option<String> {
        let described =
            schema.get("description").or_else(|| self.followed(schema).get("description"));
        let text = described?.as_str()?.replace('\n', " ");
        let end = text.find(". ").unwrap_or(text.len());
        Some(text[..end].trim_end_matches('.').to_owned())
    }
}

/// What a key that nobody knows was probably meant to be.
pub(crate) fn unknown_key(key: &str, known: &[&str]) -> Fault {
    let message = format!("unknown key {}", quoted(key));
    match nearest(key, known.iter().copied()) {
        Some(meant) => Fault::new(format!("{message}; did you mean {}?", quoted(meant))),
        None if known.is_empty() => Fault::new(message).help("no keys are known here"),
        None => Fault::new(message).help(format!("known keys: {}", listed(known, "and"))),
    }
}

/// The alternatives of a schema, of which a value must fit one.
fn branches_of(keywords: &Map<String, Value>) -> Option<&Vec<Value>> {
    ["oneOf", "anyOf"].iter().find_map(|keyword| keywords.get(*keyword)?.as_array())
}

/// What a scalar is where the schema expects certain types; `None` when it is none of them.
fn typed(scalar: &Scalar, keywords: &Map<String, Value>) -> Option<Value> {
    let as_text = || accepts(keywords, "string").then(|| Value::String(scalar.text.clone()));
    match scalar.meaning() {
        Meaning::Nothing => accepts(keywords, "null").then_some(Value::Null),
        Meaning::Boolean(value) if accepts(keywords, "boolean") => Some(Value::Bool(value)),
        Meaning::Integer(value) if accepts(keywords, "integer") || accepts(keywords, "number") => {
            Some(integer_to_json(value))
        }
        Meaning::Float(value) if accepts(keywords, "number") => {
            Number::from_f64(value).map(Value::Number)
        }
        // Where a string is meant, a plain number or boolean stays as it was written.
        Meaning::Boolean(_) | Meaning::Integer(_) | Meaning::Float(_) | Meaning::Text(_) => {
            as_text()
        }
    }
}

/// Whether `keywords` allow values of the type `name`.
///
/// A `const` or an `enum` without a type allows the types of its values.
fn accepts(keywords: &Map<String, Value>, name: &str) -> bool {
    match keywords.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(names)) => names.iter().any(|known| known == name),
        _ => match allowed_values(keywords) {
            Some(allowed) => allowed.iter().any(|value| type_of(value) == name),
            None => true,
        },
    }
}

fn allowed_values(keywords: &Map<String, Value>) -> Option<Vec<&Value>> {
    if let Some(value) = keywords.get("const") {
        return Some(vec![value]);
    }
    Some(keywords.get("enum")?.as_array()?.iter().collect())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether the text would be right without its quotes.
fn reads_unquoted(text: &str, keywords: &Map<String, Value>) -> bool {
    let plain = Scalar { text: text.to_owned(), plain: true, ..Scalar::default() };
    typed(&plain, keywords).is_some()
}

/// What is expected, in words.
fn expectation(keywords: &Map<String, Value>) -> String {
    let types: Vec<&str> = match keywords.get("type") {
        Some(Value::String(only)) => vec![only.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => match allowed_values(keywords) {
            Some(allowed) => allowed.into_iter().map(type_of).collect(),
            None => Vec::new(),
        },
    };
    let mut words: Vec<&str> = types
        .into_iter()
        // Null only says that the key may be left out.
        .filter(|name| *name != "null")
        .map(|name| match (name, keywords.get("format").and_then(Value::as_str)) {
            ("string", Some(DURATION_FORMAT)) => "a duration such as `10s`",
            ("string", Some(DURATION_RANGE_FORMAT)) => "a range of durations such as `200ms..10s`",
            ("string", Some(SIZE_FORMAT)) => "a size such as `16MiB`",
            ("string", Some(PATH_FORMAT)) => "a path",
            ("string", _) => "text",
            ("integer", _) => "a whole number",
            ("number", _) => "a number",
            ("boolean", _) => "`true` or `false`",
            ("array", _) => "a list",
            ("object", _) => "a map",
            _ => "something else",
        })
        .collect();
    words.dedup();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" or ") }
}

/// What was found, in words; secrets are not told.
fn shown(node: &Node, path: &str) -> String {
    let scalar = match &node.kind {
        Kind::List(_) => return "a list".to_owned(),
        Kind::Map(_) => return "a map".to_owned(),
        Kind::Scalar(scalar) => scalar,
    };
    let text = quoted(visible(scalar, path));
    match scalar.meaning() {
        Meaning::Nothing => "nothing".to_owned(),
        Meaning::Text(_) if !scalar.plain => format!("the text {text}"),
        _ => text,
    }
}

/// The part of a scalar that may be told: what was written rather than what was filled in.
fn visible<'s>(scalar: &'s Scalar, path: &str) -> &'s str {
    let key = path.rsplit('.').next().unwrap_or_default();
    match &scalar.written {
        Some(written) => written,
        None if is_secret_key(key) => "***",
        None => &scalar.text,
    }
}

fn unknown_value(scalar: &Scalar, path: &str, allowed: &[&Value]) -> Fault {
    let words: Vec<String> = allowed
        .iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let message = format!("unknown value {}", quoted(visible(scalar, path)));
    match nearest(&scalar.text, words.iter().copied()) {
        Some(meant) => Fault::new(format!("{message}; did you mean {}?", quoted(meant)))
            .help(format!("known values: {}", listed(&words, "and"))),
        None => Fault::new(format!("{message}; expected {}", listed(&words, "or"))),
    }
}

/// Both maps in one; what is not a map is replaced.
fn overlay(below: Value, above: Value) -> Value {
    match (below, above) {
        (Value::Object(mut below), Value::Object(above)) => {
            below.extend(above);
            Value::Object(below)
        }
        (below, Value::Null) => below,
        (_, above) => above,
    }
}
