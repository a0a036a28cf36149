//! The resolved pipeline: every layer applied, every default shown, every secret hidden.

use serde_json::Value;

use crate::pipeline::PipelineFile;
use crate::secret;
use crate::tree::{Kind, Meaning, Node, Scalar};

impl PipelineFile {
    /// The pipeline as YAML that reads back to itself, except for its secrets.
    ///
    /// Paths stay as they were written, relative to the pipeline file.
    #[must_use]
    pub fn resolved_yaml(&self) -> String {
        let mut text = String::new();
        write_yaml(&self.shown_tree(), 0, &mut text);
        text
    }

    /// The pipeline as JSON, its secrets hidden.
    #[must_use]
    pub fn resolved_json(&self) -> Value {
        self.shown_tree().to_json()
    }

    /// Twelve hexadecimal digits that change when anything in the pipeline but its secrets does.
    ///
    /// Neither the order of keys, comments, nor where the file lies plays a part, so that the same
    /// pipeline on two machines has one hash.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hash_node(&self.shown_tree(), &mut hasher);
        hasher.finalize().to_hex()[..12].to_owned()
    }

    fn shown_tree(&self) -> Node {
        let mut tree = self.tree.clone();
        secret::hide(&mut tree);
        if tree.get("name").is_none()
            && let Kind::Map(entries) = &mut tree.kind
        {
            let (key, place) = ("name".to_owned(), tree.place.clone());
            let value = Node::text(place.clone(), &self.name);
            entries.insert(0, crate::tree::Entry { key, place, value });
        }
        tree
    }
}

/// Each part is preceded by its kind and length, so that no two trees give the same bytes.
fn hash_node(node: &Node, hasher: &mut blake3::Hasher) {
    let mut part = |kind: u8, length: usize, bytes: &[u8]| {
        hasher.update(&[kind]);
        hasher.update(&(length as u64).to_le_bytes());
        hasher.update(bytes);
    };
    match &node.kind {
        Kind::Scalar(scalar) => {
            let (kind, text) = match scalar.meaning() {
                Meaning::Nothing => (b'n', ""),
                Meaning::Text(text) => (b't', text),
                Meaning::Boolean(_) | Meaning::Integer(_) | Meaning::Float(_) => {
                    (b'p', scalar.text.as_str())
                }
            };
            part(kind, text.len(), text.as_bytes());
        }
        Kind::List(items) => {
            part(b'l', items.len(), b"");
            for item in items {
                hash_node(item, hasher);
            }
        }
        Kind::Map(entries) => {
            part(b'm', entries.len(), b"");
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by_key(|entry| &entry.key);
            for entry in sorted {
                hash_node(&Node::text(node.place.clone(), &entry.key), hasher);
                hash_node(&entry.value, hasher);
            }
        }
    }
}

fn write_yaml(node: &Node, indent: usize, text: &mut String) {
    let margin = "  ".repeat(indent);
    match &node.kind {
        Kind::Scalar(scalar) => text.extend([&margin, yaml_scalar(scalar).as_str(), "\n"]),
        Kind::Map(entries) => {
            for entry in entries {
                let key = Scalar { text: entry.key.clone(), ..Scalar::default() };
                text.extend([&margin, yaml_scalar(&key).as_str(), ":"]);
                write_value(&entry.value, indent + 1, text);
            }
        }
        Kind::List(items) => {
            for item in items {
                if matches!(item.kind, Kind::Scalar(_)) || is_empty(item) {
                    text.extend([&margin, "-"]);
                    write_value(item, indent + 1, text);
                } else {
                    // The first line of the item stands behind the dash.
                    let dash = text.len() + margin.len();
                    write_yaml(item, indent + 1, text);
                    text.replace_range(dash..dash + 2, "- ");
                }
            }
        }
    }
}

/// What stands behind a key or a dash.
fn write_value(node: &Node, indent: usize, text: &mut String) {
    match &node.kind {
        Kind::Scalar(scalar) => text.extend([" ", yaml_scalar(scalar).as_str(), "\n"]),
        Kind::List(items) if items.is_empty() => text.push_str(" []\n"),
        Kind::Map(entries) if entries.is_empty() => text.push_str(" {}\n"),
        Kind::List(_) | Kind::Map(_) => {
            text.push('\n');
            write_yaml(node, indent, text);
        }
    }
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(_) => false,
        Kind::List(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
    }
}

/// A scalar without quotes where that cannot be misread, else in double quotes. Dollars are
/// doubled, so that nothing is filled in again.
fn yaml_scalar(scalar: &Scalar) -> String {
    if scalar.plain && !matches!(scalar.meaning(), Meaning::Text(_)) {
        return if scalar.text.is_empty() { "null".to_owned() } else { scalar.text.clone() };
    }
    let text = scalar.text.replace('$', "$$");
    let plain = Scalar { text: text.clone(), plain: true, ..Scalar::default() };
    let is_safe = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " ./_-+:".contains(c))
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && plain.meaning() == Meaning::Text(&text);
    if is_safe { text } else { escaped(&text) }
}

fn escaped(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.extend([format!("\\U{:08X}", u32::from(c))]);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
