//! Targets that do not fit: stages of one chain that look for others, and names that nobody has.

use std::path::Path;

use serde_json::Value;
use standpoint_config::{Diagnostic, PipelineFile, nearest};
use standpoint_document::{Target, is_same_name, state_names};

use crate::plugins::{Installed, Wanted};
use crate::watch::Watch;

/// The target of a stage whose settings name none.
const DEFAULT_TARGET: &str = "Russia";

/// Stages whose targets nobody before them prepares: `stance` toward one state, behind an `encode`
/// that reads the sentences about another, is judged without the model, and nobody sees it.
pub(crate) fn mistakes(file: &PipelineFile, installed: &Installed) -> Vec<Diagnostic> {
    let folder = file.resolve(Path::new(""));
    // What each stage before writes, with its targets.
    let mut written: Vec<(String, Vec<String>, Vec<String>)> = Vec::new();
    let mut mistakes = Vec::new();
    for stage in &file.stages {
        let wanted = Wanted { plugin: &stage.plugin, runtime: &stage.runtime, folder: &folder };
        let Ok(plugin) = installed.find(wanted) else { continue };
        let schema = plugin.settings_schema();
        if schema.pointer("/properties/targets").is_none() {
            continue;
        }
        let Ok(settings) = stage.settings.conform(schema) else { continue };
        let own = targets_of(&settings);
        for (id, layers, targets) in &written {
            let reads = plugin.manifest.reads.iter().any(|layer| layers.contains(layer));
            let missing = own.iter().find(|name| !targets.iter().any(|known| is_same(known, name)));
            if let Some(missing) = missing.filter(|_| reads) {
                let problem = format!(
                    "`{}` looks for {missing:?}, but `{id}`, whose work it builds on, looks for {}",
                    stage.id,
                    listed(targets)
                );
                let help = format!("give `{id}` and `{}` the same `target` or `targets`", stage.id);
                let key = if settings.get("targets").is_some_and(Value::is_array) {
                    "targets"
                } else {
                    "target"
                };
                mistakes.push(stage.settings.diagnostic(key, problem, Some(help)));
            }
        }
        // A stage that reads every sentence serves every target.
        if settings.get("sentences").and_then(Value::as_str) != Some("actors") {
            written.push((stage.id.clone(), plugin.manifest.writes.clone(), own));
        }
    }
    mistakes
}

fn targets_of(settings: &Value) -> Vec<String> {
    let several = settings.get("targets").and_then(Value::as_array);
    let one = settings.get("target").and_then(Value::as_str);
    match (several, one) {
        (Some(several), _) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        (None, Some(one)) => vec![one.to_owned()],
        (None, None) => vec![DEFAULT_TARGET.to_owned()],
    }
}

/// Whether two names mean the same target, as far as that can be told without a document.
fn is_same(one: &str, other: &str) -> bool {
    let id = |name: &str| Target::resolve(name, &[]).shown.id;
    is_same_name(one, other) || id(one) == id(other)
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// A line for each target that nothing in any document was, with the name that was meant.
pub(crate) fn hints(watch: &Watch) -> Vec<String> {
    let (strange, names) = watch.strangers();
    let mut known: Vec<&str> = state_names().collect();
    known.extend(names.iter().map(String::as_str));
    let hint = |name: &String| match nearest(name, known.iter().copied()) {
        Some(near) => format!("no document names the target {name:?}; did you mean {near:?}?"),
        None => format!(
            "no document names the target {name:?}; give a name, an alias or an id as documents \
             have it"
        ),
    };
    strange.iter().map(hint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_state_are_the_same_target() {
        let cases = [
            ("Russia", "RUS", true),
            ("Turkey", " turkey", true),
            ("China", "Chad", false),
            ("Ilse Brandvold", "ilse brandvold", true),
            ("Erdoğan", "Erdogan", true),
        ];
        for (one, other, same) in cases {
            assert_eq!(is_same(one, other), same, "{one} {other}");
        }
    }
}
