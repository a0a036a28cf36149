//! What a pipeline file may say in time, but this build cannot do yet.
//!
//! A key that is accepted and does nothing would be a lie, so each is refused with its place.
//! Whoever builds one of these removes its row.

use crate::diagnostic::{Diagnostic, Fault, Origin, Place, quoted};
use crate::tree::{Kind, Node, join};

/// The keys that are refused; `[]` stands for any item of a list, `*` for any key.
const UNSUPPORTED: &[Unsupported] = &[
    Unsupported { key: "cluster", value: Any, instead: "remove it" },
    Unsupported {
        key: "stages[].use",
        value: List,
        instead: "name a plugin, or the path of its library",
    },
    Unsupported { key: "stages[].runtime", value: Text("process"), instead: "use `native`" },
    Unsupported { key: "stages[].runtime", value: Text("wasm"), instead: "use `native`" },
    Unsupported {
        key: "stages[].limits",
        value: Any,
        instead: "a native plugin has no limits; remove it",
    },
];

struct Unsupported {
    key: &'static str,
    value: Which,
    /// What to do, as a full phrase.
    instead: &'static str,
}

/// Which values of a key are refused.
enum Which {
    Any,
    Text(&'static str),
    List,
}
use Which::{Any, List, Text};

impl Which {
    fn matches(&self, node: &Node) -> bool {
        match self {
            Any => true,
            Text(text) => node.scalar().is_some_and(|scalar| scalar.text == *text),
            List => matches!(node.kind, Kind::List(_)),
        }
    }
}

/// Reports every key of `tree` that this build cannot do.
pub(crate) fn check(tree: &Node, origin: &Origin, findings: &mut Vec<Diagnostic>) {
    for row in UNSUPPORTED {
        for (place, key_path, node) in find(tree, row.key) {
            if !row.value.matches(node) {
                continue;
            }
            let key = row.key.rsplit('.').next().unwrap_or(row.key);
            let what = match row.value {
                Any => quoted(key),
                Text(text) => quoted(&format!("{key}: {text}")),
                List => "a command as a plugin".to_owned(),
            };
            let fault =
                Fault::new(format!("{what} is not supported by this build")).help(row.instead);
            findings.push(origin.diagnostic(&place, &key_path, fault));
        }
    }
}

/// The values at `pattern`, each with its path and the place of its key.
fn find<'t>(tree: &'t Node, pattern: &str) -> Vec<(Place, String, &'t Node)> {
    let mut found = vec![(Place::Nowhere, String::new(), tree)];
    for step in pattern.split('.') {
        let (key, each_item) = step.strip_suffix("[]").map_or((step, false), |key| (key, true));
        let mut next = Vec::new();
        let entries = found.iter().flat_map(|(_, path, node)| {
            let meant = node.entries().iter().filter(|entry| key == "*" || entry.key == key);
            meant.map(move |entry| (join(path, &entry.key), entry))
        });
        for (path, entry) in entries {
            if each_item {
                let items = entry.value.items().iter().enumerate();
                next.extend(
                    items.map(|(index, item)| {
                        (item.place.clone(), format!("{path}[{index}]"), item)
                    }),
                );
            } else {
                next.push((entry.place.clone(), path, &entry.value));
            }
        }
        found = next;
    }
    found
}
