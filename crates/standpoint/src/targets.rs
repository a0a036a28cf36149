//! Whom the stages of a chain look for: telling them, and what does not fit, such as stages that
//! look for others and names that nobody has.

use std::path::Path;

use serde_json::{Value, json};
use standpoint_config::{Diagnostic, PipelineFile, Severity, StageSettings, nearest};
use standpoint_document::{
    StanceTarget, Target, is_same_name, is_state_id, state_called, state_names,
};

use crate::plugins::{Installed, Plugin, Wanted};
use crate::watch::Watch;

/// The target of a stage whose settings name none.
const DEFAULT_TARGET: &str = "Russia";

/// The names that the stage `entity` knows unless it is given tables of its own.
const TABLES: [&str; 4] = [
    include_str!("../../../plugins/entity/gazetteer/states.tsv"),
    include_str!("../../../plugins/entity/gazetteer/organisations.tsv"),
    include_str!("../../../plugins/entity/gazetteer/people.tsv"),
    include_str!("../../../plugins/entity/gazetteer/places.tsv"),
];

/// Targets that can be none, and stages whose targets nobody before them prepares: `stance` toward
/// one state, behind an `encode` that reads the sentences about another, is judged without the
/// model, and nobody sees it.
pub(crate) fn mistakes(file: &PipelineFile, installed: &Installed) -> Vec<Diagnostic> {
    let folder = file.resolve(Path::new(""));
    // What each stage before writes, with its targets.
    let mut written: Vec<(String, Vec<String>, Vec<String>)> = Vec::new();
    let mut mistakes = Vec::new();
    for stage in &file.stages {
        let Some((plugin, settings)) = with_targets(stage, &folder, installed) else { continue };
        let wrong = wrong_in(&settings);
        if !wrong.is_empty() {
            let tell = |(key, problem, help): (String, String, &str)| {
                stage.settings.diagnostic(&key, problem, Some(help.to_owned()))
            };
            mistakes.extend(wrong.into_iter().map(tell));
            continue;
        }
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
                mistakes.push(stage.settings.diagnostic(key_of(&settings), problem, Some(help)));
            }
        }
        // A stage that reads every sentence serves every target.
        if settings.get("sentences").and_then(Value::as_str) != Some("actors") {
            written.push((stage.id.clone(), plugin.manifest.writes.clone(), own));
        }
    }
    mistakes
}

/// Targets that are there twice or perhaps misspelt, each once. Any name can be one, so that only
/// what is close to a name of the tables is told.
pub(crate) fn warnings(file: &PipelineFile, installed: &Installed) -> Vec<Diagnostic> {
    let folder = file.resolve(Path::new(""));
    let mut told: Vec<String> = Vec::new();
    let mut warnings = Vec::new();
    for stage in &file.stages {
        let Some((_, settings)) = with_targets(stage, &folder, installed) else { continue };
        let mut warn = |index: usize, problem: String, help: &str| {
            let key = key_at(&settings, index);
            let mut found = stage.settings.diagnostic(&key, problem, Some(help.to_owned()));
            found.severity = Severity::Warning;
            warnings.push(found);
        };
        let names = targets_of(&settings);
        for (index, name) in names.iter().enumerate() {
            if let Some(first) = names[..index].iter().find(|first| is_same(first, name)) {
                let problem = format!("the target {name:?} is in the list twice, as {first:?}");
                warn(index, problem, "remove one of them");
            } else if let Some(problem) = unknown(name)
                && !told.contains(name)
            {
                let help =
                    "any name can be a target; who is meant has to be called so in documents";
                warn(index, problem, help);
                told.push(name.clone());
            }
        }
    }
    warnings
}

/// The targets of all stages, each as a document that does not name it has it.
pub(crate) fn all(file: &PipelineFile, installed: &Installed) -> Vec<StanceTarget> {
    let names = named(file, installed);
    names.iter().map(|name| Target::resolve(name, &[]).shown).collect()
}

/// The targets of all stages, as the file names them.
fn named(file: &PipelineFile, installed: &Installed) -> Vec<String> {
    let folder = file.resolve(Path::new(""));
    let stages = file.stages.iter().filter_map(|stage| with_targets(stage, &folder, installed));
    stages.flat_map(|(_, settings)| targets_of(&settings)).collect()
}

/// Tells the stage `entity` what the others look for, beside what its own setting says, so that it
/// finds whom no table knows.
///
/// - `targets`: in place of those that the file names, if not empty.
pub(crate) fn hand_on(
    file: &PipelineFile,
    installed: &Installed,
    targets: &[String],
    settings: &mut Value,
) {
    let mut sought = strings(settings.get("targets"));
    sought.extend(if targets.is_empty() { named(file, installed) } else { targets.to_vec() });
    set(settings, &sought);
}

/// Whether a plugin's settings name targets.
pub(crate) fn are_set_for(plugin: &Plugin) -> bool {
    plugin.settings_schema().pointer("/properties/targets").is_some()
}

/// Puts other targets in the place of those that settings name.
pub(crate) fn set(settings: &mut Value, targets: &[String]) {
    if let Some(settings) = settings.as_object_mut() {
        settings.remove("target");
        settings.insert("targets".to_owned(), json!(targets));
    }
}

/// Why a target was perhaps misspelt.
fn unknown(name: &str) -> Option<String> {
    if let Some(meant) = meant(name, std::iter::empty()) {
        return Some(format!("no table knows the target {name:?}; did you mean {meant:?}?"));
    }
    let is_code = is_state_id(name) && state_called(name).is_none() && !is_in_tables(name);
    is_code.then(|| format!("no state has the code {name:?}, and no table knows such a name"))
}

/// Targets and ids in the tests of a pipeline file that are perhaps misspelt: a test that waits for
/// nobody fails, and one whose `absent` names nobody passes.
pub(crate) fn warnings_of_tests(file: &PipelineFile) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    let mut warn = |key: String, problem: String| {
        let mut warning = file.diagnostic(&key, problem, None);
        warning.severity = Severity::Warning;
        warnings.push(warning);
    };
    for (index, test) in file.tests.iter().enumerate() {
        if let Some(problem) = test.target.as_deref().and_then(unknown) {
            warn(format!("tests[{index}].target"), problem);
        }
        let expect = &test.expect;
        let actors = expect.actors.keys().map(|id| (format!("actors.{id}"), id));
        let numbered = |list: &'static str| move |(item, id)| (format!("{list}[{item}]"), id);
        let absent = expect.absent.iter().enumerate().map(numbered("absent"));
        let entities = expect.entities.iter().enumerate().map(numbered("entities"));
        for (key, id) in actors.chain(absent).chain(entities) {
            if let Some(problem) = wrong_with_id(id) {
                warn(format!("tests[{index}].expect.{key}"), problem);
            }
        }
    }
    warnings
}

/// Why nobody in a document will have an id; whom no table knows has one with a colon.
fn wrong_with_id(id: &str) -> Option<String> {
    if id.contains(':') || ids().any(|known| known == id) {
        return None;
    }
    // Codes of three letters are close to many others.
    let near = || nearest(id, ids()).filter(|_| id.len() > 4).map(str::to_owned);
    let meant = id_of(id).or_else(near);
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant:?}?"));
    Some(format!("no table has the id {id:?}{meant}"))
}

/// The ids of the tables.
fn ids() -> impl Iterator<Item = &'static str> {
    let lines = TABLES.iter().flat_map(|table| table.lines());
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').next())
}

/// The standard stages that have targets. What the key means in another's stage is its author's to
/// say.
const WITH_TARGETS: [&str; 2] = ["encode", "stance"];

/// The plugin and the settings of a standard stage that has targets.
fn with_targets(
    stage: &StageSettings,
    folder: &Path,
    installed: &Installed,
) -> Option<(Plugin, Value)> {
    let wanted = Wanted { plugin: &stage.plugin, runtime: &stage.runtime, folder };
    let plugin = installed.find(wanted).ok()?;
    if !WITH_TARGETS.contains(&plugin.name()) {
        return None;
    }
    let schema = plugin.settings_schema();
    schema.pointer("/properties/targets")?;
    let settings = stage.settings.conform(schema).ok()?;
    Some((plugin, settings))
}

/// The key that names the targets.
fn key_of(settings: &Value) -> &'static str {
    if settings.get("targets").is_some_and(Value::is_array) { "targets" } else { "target" }
}

/// The key of the target at `index`.
fn key_at(settings: &Value, index: usize) -> String {
    match key_of(settings) {
        "targets" => format!("targets[{index}]"),
        key => key.to_owned(),
    }
}

/// Whether a target is the name of nobody.
pub(crate) fn is_nameless(name: &str) -> bool {
    !name.contains(char::is_alphabetic)
}

/// What to write in place of a target that is the name of nobody.
pub(crate) const A_NAME: &str = "give a name, an alias or an id, such as Russia or RUS";

/// What can be no targets: the key, the problem, and what to do.
fn wrong_in(settings: &Value) -> Vec<(String, String, &'static str)> {
    let is_list = key_of(settings) == "targets";
    if is_list && settings.get("target").is_some_and(Value::is_string) {
        let problem = "`target` and `targets` are both given".to_owned();
        return vec![("target".to_owned(), problem, "keep one of them")];
    }
    let names = targets_of(settings);
    if names.is_empty() {
        let problem = "`targets` names nobody".to_owned();
        return vec![("targets".to_owned(), problem, "remove the key to look for Russia")];
    }
    let nameless = names.iter().enumerate().filter(|(_, name)| is_nameless(name));
    let wrong = nameless.map(|(index, name)| {
        let problem = format!("{name:?} is the name of nobody");
        (key_at(settings, index), problem, A_NAME)
    });
    wrong.collect()
}

fn targets_of(settings: &Value) -> Vec<String> {
    let several = settings.get("targets").filter(|several| several.is_array());
    let one = settings.get("target").and_then(Value::as_str);
    match (several, one) {
        (Some(_), _) => strings(several),
        (None, Some(one)) => vec![one.to_owned()],
        (None, None) => vec![DEFAULT_TARGET.to_owned()],
    }
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether two names mean the same target, as far as that can be told without a document.
fn is_same(one: &str, other: &str) -> bool {
    let id = |name: &str| {
        let known = || called(name).map(|(id, _)| id);
        let state = || state_of(name).map(str::to_owned);
        state().or_else(known).unwrap_or_else(|| Target::resolve(name, &[]).shown.id)
    };
    is_same_name(one, other) || id(one) == id(other)
}

/// Puts the state in the place of each target of a stage that is another name, the capital or the
/// seat of one, gives whom the tables know the id that documents which name him will have, and
/// leaves out what is the same target again.
pub(crate) fn settle(plugin: &Plugin, settings: &mut Value) {
    if !WITH_TARGETS.contains(&plugin.name()) {
        return;
    }
    let known = |name: &str| called(name).filter(|(id, _)| state_called(id).is_none());
    let settled = |name: &str| match (state_of(name), known(name)) {
        (Some(state), _) => state.to_owned(),
        (None, Some((id, name))) => format!("{name} ({id})"),
        (None, None) => name.to_owned(),
    };
    if let Some(Value::String(name)) = settings.get_mut("target") {
        *name = settled(name);
    }
    if let Some(Value::Array(names)) = settings.get_mut("targets") {
        let mut once: Vec<String> = Vec::new();
        for name in names.iter().filter_map(Value::as_str) {
            if !once.iter().any(|first| is_same(first, name)) {
                once.push(settled(name));
            }
        }
        *names = once.into_iter().map(Value::String).collect();
    }
}

/// The id of the state for which a name stands that is not its own: another name of it, its capital
/// or the seat of its government.
fn state_of(name: &str) -> Option<&'static str> {
    if state_called(name.trim()).is_some() {
        return None;
    }
    let mut ids = standing_for(name, false);
    ids.next().filter(|_| ids.next().is_none())
}

/// The ids of the states for which a name stands.
///
/// - `with_marked`: also where the tables have a mark before it, because it is as often the name of
///   something else.
fn standing_for(name: &str, with_marked: bool) -> impl Iterator<Item = &'static str> {
    let name = name.trim();
    let bare = name.split_once(' ').filter(|(first, _)| first.eq_ignore_ascii_case("the"));
    let names = [name, bare.map_or(name, |(_, rest)| rest)].map(str::to_owned);
    let [states, ..] = TABLES;
    let stands_for = move |row: &&str| {
        let cells = [2, 5, 6].into_iter().filter_map(|column| row.split('\t').nth(column));
        let mut known = cells
            .flat_map(|cell| cell.split(';'))
            .filter(|known| !known.is_empty() && (with_marked || !known.starts_with('?')));
        known.any(|known| names.iter().any(|name| is_same_name(known, name)))
    };
    let rows = states.lines().filter(|line| !line.starts_with('#')).filter(stands_for);
    rows.filter_map(|row| row.split('\t').next())
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// A line for each target that nothing in any document was, with the name that was meant.
pub(crate) fn hints(watch: &Watch) -> Vec<String> {
    let (strange, names) = watch.strangers();
    // Where one document names it, others that do not know it by the name that was asked for.
    let is_named = |name: &&String| {
        let known = called(name).map(|(_, known)| known);
        names.iter().any(|found| is_same_name(found, name) || known.as_ref() == Some(found))
    };
    let hint = |name: &String| match meant(name, names.iter().map(String::as_str)) {
        Some(near) => format!("no document names the target {name:?}; did you mean {near:?}?"),
        None => format!(
            "no document names the target {name:?}; give a name, an alias or an id as documents \
             have it"
        ),
    };
    strange.iter().filter(|name| !is_named(name)).map(hint).collect()
}

/// The name that was probably meant by one that neither the tables nor `others` have.
fn meant<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// A shorter name is close to too many others, and to abbreviations.
    const FEWEST_LETTERS: usize = 5;
    if name.chars().filter(|c| c.is_alphabetic()).count() < FEWEST_LETTERS {
        return None;
    }
    let is_known = !Target::resolve(name, &[]).shown.id.starts_with("name:")
        || is_in_tables(name)
        || standing_for(name, true).next().is_some();
    if is_known {
        return None;
    }
    // States first: of two names that are as near the more usual target is meant.
    let mut known: Vec<&'a str> = state_names().collect();
    known.extend(others);
    for name in table_names() {
        known.push(name);
    }
    nearest(name, known)
}

/// The id of somebody whose name is known; `None` for what is an id, and for whom nobody knows.
pub(crate) fn id_of(name: &str) -> Option<String> {
    let rows =
        || TABLES.iter().flat_map(|table| table.lines()).filter(|line| !line.starts_with('#'));
    let id = |row: &'static str| row.split('\t').next().unwrap_or_default();
    if rows().any(|row| id(row) == name) {
        return None;
    }
    let state = Target::resolve(name, &[]).shown.id;
    if !state.starts_with("name:") {
        return (state != name).then_some(state);
    }
    let is_called = |row: &&str| {
        let names = row.split('\t').skip(1).take(2).flat_map(|cell| cell.split(';'));
        names.into_iter().any(|known| !known.is_empty() && is_same_name(known, name))
    };
    rows().find(is_called).map(|row| id(row).to_owned())
}

/// The id and the name of whom the tables know by this id, name or alias; a capital or a seat is
/// its state. Other places take no stance, and a name that needs a context is nobody's without one.
pub(crate) fn called(name: &str) -> Option<(String, String)> {
    let [holders @ .., _] = TABLES;
    let rows = holders.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#'));
    let rows = rows.filter_map(|row| {
        let mut cells = row.split('\t');
        Some((cells.next()?, cells.next()?, cells.next().unwrap_or_default()))
    });
    let is_called = |(id, known, aliases): &(&str, &str, &str)| {
        let names = aliases.split(';').chain([*id, *known]);
        let mut names = names.filter(|name| !name.is_empty() && !name.starts_with('?'));
        names.any(|known| is_same_name(known, name))
    };
    let (id, name, _) = rows
        .clone()
        .find(|row| row.0 == name)
        .or_else(|| rows.clone().find(is_called))
        .or_else(|| state_of(name).and_then(|state| rows.clone().find(|row| row.0 == state)))?;
    Some((id.to_owned(), name.to_owned()))
}

/// Whether the tables have somebody by this id, name or alias.
pub(crate) fn is_in_tables(name: &str) -> bool {
    table_names().any(|known| is_same_name(known, name))
}

/// Ids, names and aliases of the tables.
fn table_names() -> impl Iterator<Item = &'static str> {
    let lines = TABLES.iter().flat_map(|table| table.lines());
    let lines = lines.filter(|line| !line.starts_with('#'));
    let names = lines.flat_map(|line| line.split('\t').take(3).flat_map(|cell| cell.split(';')));
    // An alias that is no name without a context has a mark before it.
    names.map(|name| name.trim_start_matches('?')).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_close_to_a_name_and_is_none_was_perhaps_meant_so() {
        let cases = [
            ("Rusia", Some("Russia")),
            ("Untied States", Some("United States")),
            ("Vladimir Puttin", Some("Vladimir Putin")),
            // Names, aliases and ids that are known, however close they are to others.
            ("russia", None),
            ("KAZ", None),
            ("Macao", None),
            ("Moscow", None),
            ("the Kremlin", None),
            ("Brussels", None),
            ("Taliban", None),
            ("Stalin", None),
            ("Ilse Brandvold", None),
            // So few letters are close to much.
            ("Meta", None),
        ];
        for (name, expected) in cases {
            assert_eq!(meant(name, std::iter::empty()), expected, "{name}");
        }
        assert_eq!(meant("Ilse Branvold", ["Ilse Brandvold"].into_iter()), Some("Ilse Brandvold"));
    }

    #[test]
    fn a_code_that_no_state_has_was_perhaps_misspelt() {
        for (name, expected) in
            [("RUX", true), ("ZZZ", true), ("RUS", false), ("IMF", false), ("Rux", false)]
        {
            assert_eq!(unknown(name).is_some(), expected, "{name}");
        }
        assert!(unknown("RUX").unwrap().contains("no state has the code \"RUX\""));
    }

    #[test]
    fn whom_the_tables_know_has_the_id_that_documents_will_give_them() {
        let eu = Some(("EU", "European Union"));
        for (name, expected) in [
            ("EU", eu),
            ("eu", eu),
            ("European union", eu),
            ("European Community", eu),
            ("NATO", Some(("NATO", "NATO"))),
            ("North Atlantic Treaty Organization", Some(("NATO", "NATO"))),
            ("KAZ", Some(("KAZ", "Kazakhstan"))),
            ("Kyiv", Some(("UKR", "Ukraine"))),
            ("the Kremlin", Some(("RUS", "Russia"))),
            ("Brussels", None),
            ("the Twenty-Seven", None),
            ("Ilse Brandvold", None),
            ("", None),
        ] {
            let found = called(name);
            let found = found.as_ref().map(|(id, name)| (id.as_str(), name.as_str()));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn names_of_one_state_are_the_same_target() {
        let cases = [
            ("Russia", "RUS", true),
            ("Turkey", " turkey", true),
            ("China", "Chad", false),
            ("Ilse Brandvold", "ilse brandvold", true),
            ("Erdoğan", "Erdogan", true),
            ("Russia", "Russian Federation", true),
            ("the Kremlin", "moscow", true),
            ("RUS", "Moscow", true),
            ("NATO", "North Atlantic Treaty Organization", true),
            // As often a place of another state, and as often the institutions there.
            ("Brussels", "Belgium", false),
            ("Georgetown", "Guyana", false),
            ("Ilse Brandvold", "Russia", false),
        ];
        for (one, other, same) in cases {
            assert_eq!(is_same(one, other), same, "{one} {other}");
        }
    }
}
