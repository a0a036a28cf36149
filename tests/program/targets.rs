//! What is told of targets and ids in a pipeline file before it runs.

use crate::harness::{Folder, pipeline, repository, run};

#[test]
fn stages_that_look_for_other_targets_are_a_mistake() {
    let folder = Folder::new();
    let chain = |encode: &str, stance: &str| {
        format!(
            "version: 1\nstages: [tokenise, entity, {{ use: encode, with: {{ {encode} }} }}, \
             {{ use: stance, with: {{ judge: neural{stance} }} }}]\n"
        )
    };
    let cases = [
        ("target: Russia", ", target: RUS", None),
        ("", ", target: Russia", None),
        ("targets: [China, Turkey]", ", target: Turkey", None),
        ("target: Russia, sentences: actors", ", target: Turkey", None),
        ("target: China", ", target: Turkey", Some("\"Turkey\"")),
        ("", ", targets: [Russia, NATO]", Some("\"NATO\"")),
        ("target: China", "", Some("\"Russia\"")),
    ];
    for (encode, stance, missing) in cases {
        let file = folder.write("p.yaml", chain(encode, stance));
        let told = run(&["validate", &file]).expect(if missing.is_some() { 2 } else { 0 });
        let told = told.stdout + &told.stderr;
        match missing {
            None => assert!(!told.contains("looks for"), "{encode} {stance}: {told}"),
            Some(name) => {
                let problem = format!("`stance` looks for {name}, but `encode`");
                assert!(told.contains(&problem), "{encode} {stance}: {told}");
                assert!(told.contains("the same `target` or `targets`"), "{told}");
            }
        }
    }
}

#[test]
fn whose_an_id_is_in_tables_of_ones_own_is_not_doubted() {
    let folder = Folder::new();
    folder.write(
        "organisations.tsv",
        "# Organisations. version: 1\nGazprom\tGazprom\t\torganisation\tcompany\tRUS\n",
    );
    let never = "`e.id` is an id and never `Gazprom`; did you mean `RUS.GAZPROM`?";
    let when = "entities.exists(e, e.id == 'Gazprom' || e.label == 'compny')";
    for (with, is_doubted) in [
        ("{}", true),
        ("{ built_in: true }", true),
        ("{ gazetteer: [organisations.tsv] }", false),
        ("{ gazetteer: [organisations.tsv], built_in: false }", false),
    ] {
        let stages = format!("[tokenise, {{ use: entity, with: {with} }}]");
        let routes = format!("routes: [{{ when: \"{when}\", to: [out] }}]\n");
        let file =
            folder.write("p.yaml", pipeline(&stages, "out: { type: jsonl, path: o }", &routes));
        let told = run(&["validate", &file]).expect(0).stdout;
        assert_eq!(told.contains(never), is_doubted, "{with}: {told}");
        assert!(told.contains("never `compny`"), "{with}: {told}");
    }
}

#[test]
fn ids_in_tests_that_nobody_has_are_warnings_with_their_places() {
    let folder = Folder::new();
    let tests = "tests:
  - text: Kazakhstan condemned Russia.
    target: Rusia
    expect: { actors: { KZA: { label: opposed } }, absent: [BLR, Belarus], entities: ['name:x', RUS.PUTN] }
";
    let write = |entity: &str| {
        let stages = format!("version: 1\nstages: [tokenise, {entity}, stance]\n");
        folder.write("p.yaml", format!("{stages}{tests}"))
    };
    let told = run(&["validate", &write("entity")]).expect(0).stdout;
    for (place, expected) in [
        ("5:13", "no table knows the target \"Rusia\"; did you mean \"Russia\"?"),
        ("6:25", "no table has the id \"KZA\""),
        ("6:66", "no table has the id \"Belarus\"; did you mean \"BLR\"?"),
        ("6:97", "no table has the id \"RUS.PUTN\"; did you mean \"RUS.PUTIN\"?"),
    ] {
        assert!(
            told.contains(&format!("p.yaml:{place}: warning: {expected}")),
            "{expected}: {told}"
        );
    }
    assert_eq!(told.matches("warning").count(), 4, "{told}");
    // A pipeline's own tables may have others.
    folder.write("own.tsv", "");
    let own = write("{ use: entity, with: { gazetteer: [own.tsv] } }");
    assert!(!run(&["validate", &own]).expect(0).stdout.contains("no table has"));
}

#[test]
fn a_target_that_is_perhaps_misspelt_is_a_warning_with_its_place() {
    let folder = Folder::new();
    let file = folder.write(
        "p.yaml",
        "version: 1\nstages:\n  - tokenise\n  - entity\n  - use: stance\n    with: { targets: \
         [China, Rusia] }\n  - use: stance\n    id: again\n    with: { target: Rusia }\n",
    );
    let told = run(&["validate", &file]).expect(0).stdout;
    let found = "p.yaml:6:30: warning: no table knows the target \"Rusia\"; did you mean";
    assert!(told.contains(found), "{told}");
    assert_eq!(told.matches("did you mean").count(), 1, "{told}");
    assert!(told.contains(": no mistakes"), "{told}");
    // Whom the tables know, or nobody is called like, is as good a target as any.
    for name in ["Taliban", "Ilse Brandvold", "Turkey", "KAZ"] {
        let stages = format!("[tokenise, entity, {{ use: stance, with: {{ target: {name} }} }}]");
        let file = folder.write("p.yaml", format!("version: 1\nstages: {stages}\n"));
        let told = run(&["validate", &file]).expect(0).stdout;
        assert_eq!(told, format!("{file}: no mistakes\n"));
    }
}

#[test]
fn targets_that_can_be_none_are_mistakes_and_one_that_is_there_twice_a_warning() {
    let folder = Folder::new();
    let cases = [
        ("targets: [China], target: Turkey", 2, ":33: error: `target` and `targets` are both"),
        ("target: ''", 2, ":15: error: \"\" is the name of nobody"),
        ("target: 5", 2, ":15: error: \"5\" is the name of nobody"),
        ("targets: []", 2, ":7: error: `targets` names nobody"),
        ("targets: [China, ' ']", 2, ":24: error: \" \" is the name of nobody"),
        (
            "targets: [Russia, China, RUS]",
            0,
            ":32: warning: the target \"RUS\" is in the list twice, as \"Russia\"",
        ),
    ];
    for stage in ["encode", "stance"] {
        for (settings, code, expected) in cases {
            let stages = format!(
                "stages:\n  - tokenise\n  - entity\n  - use: {stage}\n    with: {{\n      {settings}\n    }}\n"
            );
            let file = folder.write("p.yaml", format!("version: 1\n{stages}"));
            let told = run(&["validate", &file]).expect(code).stdout;
            assert!(told.contains(&format!("p.yaml:7{expected}")), "{settings}: {told}");
            assert_eq!(told.matches("p.yaml:7:").count(), 1, "{settings}: {told}");
        }
    }
    let stages = "stages: [tokenise, entity, { use: stance, with: { target: [Russia] } }]\n";
    let file = folder.write("p.yaml", format!("version: 1\n{stages}"));
    let told = run(&["validate", &file]).expect(2).stdout;
    assert!(told.contains("several go under `targets`"), "{told}");
}

#[test]
fn targets_of_stages_that_are_not_ours_are_for_their_authors_to_judge() {
    let folder = Folder::new();
    folder.write(
        "years.py",
        "from dataclasses import dataclass, field
from standpoint_stage import Stage, serve

class Years(Stage):
    name, version, writes = 'years', '1', ['years']

    @dataclass
    class Settings:
        targets: list[str] = field(default_factory=list)

    def process(self, document):
        document.write('years', [])

serve(Years)
",
    );
    let sdk = repository("crates/standpoint-process/python");
    for targets in ["['2024', '$']", "[]", "['Rusia']"] {
        let stages = format!(
            "stages:
  - use: [python3, years.py]
    env: {{ PYTHONPATH: {sdk}, PYTHONDONTWRITEBYTECODE: 1 }}
    with: {{ targets: {targets} }}
"
        );
        let file = folder.write("p.yaml", format!("version: 1\n{stages}"));
        let told = run(&["validate", &file]).expect(0).stdout;
        assert_eq!(told, format!("{file}: no mistakes\n"), "{targets}");
    }
}
