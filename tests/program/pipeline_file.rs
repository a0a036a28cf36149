//! What sections of a pipeline file do: routes, tests, and plugins that must be pinned.

use serde_json::Value;

use crate::harness::{Folder, command, finish, pipeline, plugins, run};

const ARTICLE: &str = "Kazakhstan condemned Russia.";

/// A pipeline that routes by stance and by length.
const ROUTED: &str = "version: 1
stages: [tokenise, entity, sentiment, stance]
sources:
  given: { type: files, path: ./in }
sinks:
  against: { type: jsonl, path: ./against.jsonl }
  short: { type: jsonl, path: ./short.jsonl }
  rest: { type: jsonl, path: ./rest.jsonl }
routes:
  - { when: \"stance.exists(s, s.actor == 'KAZ' && s.score < 0.0)\", to: [against] }
  - { when: \"length < 40\", to: [short, against] }
  - { to: [rest] }
";

/// The names of the files whose records a sink holds, in their order.
fn paths(folder: &Folder, sink: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.at(sink)).unwrap();
    let results = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut paths: Vec<String> =
        results.map(|result| result["source"]["path"].as_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

#[test]
fn routes_choose_the_sinks() {
    let folder = Folder::new();
    let file = folder.write("p.yaml", ROUTED);
    let long = "The committee met on Tuesday and talked about the harvest for two hours.";
    folder.write("in/both.txt", ARTICLE);
    folder.write("in/long.txt", long);
    folder.write("in/short.txt", "Rain fell.");
    folder.write("in/stance.txt", format!("{ARTICLE} {long}"));
    run(&["daemon", "--once", "-c", &file]).expect(0);
    assert_eq!(paths(&folder, "against.jsonl"), ["both.txt", "short.txt", "stance.txt"]);
    assert_eq!(paths(&folder, "short.jsonl"), ["both.txt", "short.txt"]);
    assert_eq!(paths(&folder, "rest.jsonl"), ["long.txt"]);
}

#[test]
fn a_document_that_no_route_takes_is_done_and_validate_warns() {
    let folder = Folder::new();
    let file = folder.write("p.yaml", ROUTED.replace("  - { to: [rest] }\n", ""));
    folder.write("in/long.txt", "The committee met on Tuesday and talked about the harvest.");
    let told = run(&["validate", &file]).expect(0).stdout;
    assert!(told.contains("warning: a document that no route takes goes to no sink"), "{told}");
    assert!(told.contains("warning: no route leads to the sink `rest`"), "{told}");
    run(&["daemon", "--once", "-c", &file]).expect(0);
    for sink in ["against.jsonl", "short.jsonl", "rest.jsonl"] {
        assert!(paths(&folder, sink).is_empty(), "{sink}");
    }
}

#[test]
fn the_graph_shows_routes() {
    let folder = Folder::new();
    let file = folder.write("p.yaml", ROUTED);
    let drawn = run(&["graph", "-c", &file]).expect(0).stdout;
    for edge in [
        "stage3 -->|\"length < 40\"| sink1",
        "stage3 -->|\"length < 40\"| sink0",
        "stage3 -->|\"otherwise\"| sink2",
    ] {
        assert!(drawn.contains(edge), "{edge}:\n{drawn}");
    }
    let drawn = run(&["graph", "-c", &file, "--format", "dot"]).expect(0).stdout;
    assert!(drawn.contains("stage3 -> sink2 [label=\"otherwise\"];"), "{drawn}");
}

#[test]
fn tests_in_a_pipeline_file_pass_and_fail() {
    let folder = Folder::new();
    folder.write("a.txt", ARTICLE);
    let file = folder.write(
        "p.yaml",
        "version: 1
stages: [tokenise, entity, sentiment, stance]
tests:
  - name: a state that condemns
    path: a.txt
    expect:
      actors: { KAZ: { label: opposed } }
      absent: [BLR]
      entities: [KAZ, RUS]
      holds: [\"stance.size() == 1\"]
  - text: Kazakhstan condemned Turkey.
    target: Turkey
    expect: { actors: { KAZ: { label: opposed } } }
",
    );
    let told = run(&["test", &file]).expect(0).stdout;
    assert_eq!(
        told,
        "ok    a state that condemns\nok    Kazakhstan condemned Turkey.\n2 tests, 0 failed\n"
    );

    let file = folder.write(
        "bad.yaml",
        "version: 1
stages: [tokenise, entity, sentiment, stance]
tests:
  - name: wrong in every way
    path: a.txt
    expect:
      actors: { KAZ: { label: supportive }, BLR: { degree: leaning } }
      absent: [KAZ]
      entities: [FRA]
      holds: [\"length > 1000\"]
  - name: a file that is not there
    path: none.txt
    expect: {}
  - text: Rain fell.
    expect: { absent: [KAZ] }
",
    );
    let told = run(&["test", &file]).expect(1).stdout;
    assert_eq!(
        told,
        "FAIL  wrong in every way
      actors.BLR.degree: expected leaning, found no stance
      actors.KAZ.label: expected supportive, found opposed
      absent: expected no stance of KAZ, found opposed
      entities: expected FRA, found KAZ, RUS
      holds: expected length > 1000, found false
FAIL  a file that is not there
      expected a document, found none: NONE: there is no such file or folder
ok    Rain fell.
3 tests, 2 failed
"
        .replace("NONE", &folder.at("none.txt"))
    );
    let told = run(&["test", "--format", "json", &file]).expect(1).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["failed"], 2);
    assert_eq!(told["tests"][0]["differences"][1]["key"], "actors.KAZ.label");
    assert_eq!(told["tests"][2]["passed"], true);
}

#[test]
fn a_test_that_cannot_be_run_is_wrong_usage() {
    let folder = Folder::new();
    let start = "version: 1\nstages: [tokenise]\n";
    let cases = [
        ("no tests", String::new(), "there are no `tests`"),
        (
            "bad condition",
            "tests: [{ text: a, expect: { holds: [lenght] } }]\n".to_owned(),
            "lenght",
        ),
    ];
    for (case, tests, reason) in cases {
        let file = folder.write("p.yaml", format!("{start}{tests}"));
        let ran = run(&["test", &file]).expect(2);
        assert!(ran.stderr.contains(reason), "{case}: {}", ran.stderr);
    }
}

#[test]
fn a_mistake_in_a_condition_has_its_own_column() {
    let folder = Folder::new();
    let cases = [
        (
            "\"entities.exist(e, e.id == 'KAZ')\"",
            "3:38: error: unknown function `exist`; did you mean `exists`?",
        ),
        ("length = 5", "3:35: error: `=` is no comparison; write `==`"),
        ("'langage == title'", "3:29: error: unknown variable `langage`; did you mean `language`?"),
        (
            "sentiment.scor > 0",
            "3:38: error: `sentiment` has no field `scor`; did you mean `score`?",
        ),
        ("length > 'a'", "3:37: error: `length` is a number; it cannot be compared with a word"),
    ];
    for (when, expected) in cases {
        let stages = format!("stages:\n  - {{ use: tokenise, when: {when} }}\n");
        let file = folder.write("p.yaml", format!("version: 1\n{stages}"));
        let told = run(&["validate", &file]).expect(2).stdout;
        assert!(told.contains(&format!("p.yaml:{expected}")), "{when}: {told}");
    }
}

#[test]
fn a_condition_that_is_never_so_is_a_warning() {
    let folder = Folder::new();
    let condition = "stance.exists(s, s.target == 'Russia')";
    let routes =
        format!("routes:\n  - {{ when: \"{condition}\", to: [out] }}\n  - {{ to: [out] }}\n");
    let sinks = "sinks:\n  out: { type: stdout }\n";
    let stages = "version: 1\nstages: [tokenise, entity, stance]\n";
    let file = folder.write("p.yaml", format!("{stages}{sinks}{routes}"));
    let told = run(&["validate", &file]).expect(0).stdout;
    let found = "p.yaml:6:43: warning: `s.target` is an id and never `Russia`; did you mean `RUS`?";
    assert!(told.contains(found), "{told}");
}

#[test]
fn a_condition_that_nothing_in_the_pipeline_meets_is_a_warning() {
    let folder = Folder::new();
    folder.write("inbox/.keep", "");
    let cases = [
        ("source == 'nwes'", ":8:19: warning: no source is called `nwes`; did you mean `news`?"),
        (
            "source in ['news', 'run', 'x']",
            ":8:35: warning: no source is called `x`; there is news",
        ),
        (
            "stance.exists(s, s.score < 0)",
            ":8:9: warning: no stage before this one writes `stance`",
        ),
        ("\"false\"", ":8:9: warning: it is never so, whatever the document"),
        ("entities.size() > 0 || source == 'news'", "p.yaml: no mistakes"),
    ];
    for (when, expected) in cases {
        let text = format!(
            "version: 1
sources: {{ news: {{ type: inbox, path: ./inbox, on_success: delete }} }}
stages:
- tokenise
- entity
- sentiment
- use: stance
  when: {when}
"
        );
        let file = folder.write("p.yaml", text);
        let told = run(&["validate", &file]).expect(0).stdout;
        assert!(told.contains(expected), "{when}: {told}");
    }
}

#[test]
fn a_strict_file_loads_only_what_it_pins_and_nobody_else_can_change() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let library = format!("libstandpoint_tokenise{}", std::env::consts::DLL_SUFFIX);
    let copy = folder.write(&library, fs::read(plugins().join(&library)).unwrap());
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    let digest = std::process::Command::new("sha256sum").arg(&copy).output().unwrap().stdout;
    let digest = String::from_utf8(digest).unwrap();
    let digest = digest.split_whitespace().next().unwrap();
    let start = "version: 1\nplugins: { strict: true }\nstages:\n";
    let pinned = format!("{start}  - {{ use: ./{library}, sha256: {digest} }}\n");
    folder.write("a.txt", ARTICLE);

    let file = folder.write("p.yaml", format!("{start}  - ./{library}\n"));
    let told = run(&["validate", &file]).expect(2).stdout;
    assert!(told.contains("asks for the `sha256` of each plugin"), "{told}");

    let wrong = pinned.replace(digest, &"0".repeat(64));
    let file = folder.write("wrong.yaml", wrong);
    let told = run(&["validate", &file]).expect(2).stdout;
    assert!(told.contains("wrong.yaml:4:") && told.contains("has the SHA-256"), "{told}");

    let file = folder.write("p.yaml", pinned);
    run(&["run", "-c", &file, &folder.at("a.txt")]).expect(0);
    fs::set_permissions(&copy, Permissions::from_mode(0o775)).unwrap();
    let told = run(&["validate", &file]).expect(2).stdout;
    assert!(told.contains("can be written to by others"), "{told}");
    run(&["run", "-c", &file, &folder.at("a.txt")]).expect(2);
}

#[test]
fn a_file_with_every_part_has_no_mistakes() {
    let folder = Folder::new();
    let pipeline = folder.write("pipeline.yaml", include_str!("every-part.yaml"));
    folder.write("plugins/.keep", "");
    folder.write("inbox/.keep", "");
    let ran = run(&["validate", &pipeline]).expect(0);
    assert_eq!(ran.stdout, format!("{pipeline}: no mistakes\n"));
}

#[test]
fn one_mistake_hides_no_other() {
    let folder = Folder::new();
    let text = "version: 1
routs: 1
sources:
  news: { type: inbox, path: ./inbox, on_success: delete }
stages:
  - tokenise
  - entity
  - use: stance
    when: \"sentiment.scor > 1 && stance.exists(s, s.lable == 'x')\"
    with: { targets: [] }
sinks:
  out: { type: jsonl, path: ./inbox/out.jsonl, fromat: 1 }
";
    let file = folder.write("p.yaml", text);
    let told = run(&["validate", &file]).expect(2).stdout;
    for expected in [
        "unknown key `routs`",
        "no field `scor`",
        "no field `lable`",
        "`targets` names nobody",
        "lies in the inbox of `news`",
        "unknown key `fromat`",
    ] {
        assert_eq!(told.matches(expected).count(), 1, "{expected}: {told}");
    }
}

#[test]
fn a_sink_that_this_build_lacks_is_named_with_its_feature() {
    let folder = Folder::new();
    for (kind, is_built) in
        [("postgres", cfg!(feature = "postgres")), ("nats", cfg!(feature = "nats"))]
    {
        let sink = format!("store: {{ type: {kind}, url: '{kind}://127.0.0.1' }}");
        let pipeline = folder.write("p.yaml", pipeline("[tokenise]", &sink, ""));
        let ran = run(&["validate", &pipeline]);
        let refusal = format!("this build has no sink type `{kind}`");
        assert_eq!(ran.stdout.contains(&refusal), !is_built, "{kind}: {}", ran.stdout);
        let advice = format!("build the program with `--features {kind}`");
        assert_eq!(ran.stdout.contains(&advice), !is_built, "{kind}: {}", ran.stdout);
    }
}

#[test]
fn what_may_become_of_a_file_is_told_with_the_map_that_is_possible() {
    let folder = Folder::new();
    let source = "sources: { news: { type: inbox, path: ./in, on_success: archive } }";
    let file = folder.write("p.yaml", format!("version: 1\n{source}\nstages: [tokenise]\n"));
    let told = run(&["validate", &file]).expect(2).stdout;
    assert!(told.contains("expected `delete` or `keep`"), "{told}");
    assert!(told.contains("`{ archive: … }` is possible, too"), "{told}");
}

#[test]
fn a_judge_without_vectors_is_a_warning_with_its_place() {
    let folder = Folder::new();
    let judge = |encode: &str| {
        let stages = format!(
            "version: 1\nstages:\n  - tokenise\n  - entity\n  {encode}\n  - use: stance\n    with: {{ judge: neural }}\n"
        );
        run(&["validate", &folder.write("p.yaml", stages)]).expect(0).stdout
    };
    let told = judge("# - encode");
    assert!(
        told.contains("p.yaml:7:20: warning: no stage before this one writes vectors"),
        "{told}"
    );
    assert!(told.contains("put `encode` before it"), "{told}");
    assert!(!judge("- encode").contains("warning"));
}

/// A pipeline over the folder `inbox`, with an archive, a quarantine and a second sink.
fn places(archive: &str, quarantine: &str, second: &str) -> String {
    format!(
        "version: 1
sources:
  news:
    type: inbox
    path: ./inbox
    on_success: {{ archive: {archive} }}
stages: [tokenise]
sinks:
  one: {{ type: jsonl, path: ./out/results.jsonl }}
  two: {{ type: jsonl, path: {second} }}
quarantine: {{ path: {quarantine} }}
"
    )
}

#[test]
fn folders_and_files_that_are_each_others_are_found_before_the_start() {
    let folder = Folder::new();
    folder.write("inbox/.keep", "");
    std::os::unix::fs::symlink("inbox", folder.at("link")).unwrap();
    std::os::unix::fs::symlink("out/results.jsonl", folder.at("results")).unwrap();
    folder.write("out/results.jsonl", "");
    let (archive, two) = ("./archive", "./out/two.jsonl");
    let (lies, writes) = ("lies in the inbox of `news`", "to the file of sink `one`");
    let absolute = folder.at("out/results.jsonl");
    let cases = [
        (archive, "./quarantine", two, None),
        ("./inbox/.archive", "./link/.quarantine", two, None),
        ("./inbox/archive", "./quarantine", two, Some((":6:28", lies))),
        ("./inbox/../inbox", "./quarantine", two, Some((":6:28", lies))),
        ("./link/archive", "./quarantine", two, Some((":6:28", lies))),
        (archive, "./inbox/quarantine", two, Some((":11:21", lies))),
        (archive, "./quarantine", "out/results.jsonl", Some((":10:29", writes))),
        (archive, "./quarantine", "./inbox/../out/results.jsonl", Some((":10:29", writes))),
        (archive, "./quarantine", "./results", Some((":10:29", writes))),
        (archive, "./quarantine", &absolute, Some((":10:29", writes))),
    ];
    for (archive, quarantine, second, mistake) in cases {
        let file = folder.write("p.yaml", places(archive, quarantine, second));
        let told = run(&["validate", &file]).expect(if mistake.is_some() { 2 } else { 0 }).stdout;
        let case = format!("{archive} {quarantine} {second}");
        match mistake {
            None => assert!(told.starts_with(&format!("{file}: no mistakes")), "{case}: {told}"),
            Some((place, problem)) => {
                assert!(told.contains(&format!("p.yaml{place}: error: ")), "{case}: {told}");
                assert!(told.contains(problem), "{case}: {told}");
            }
        }
    }
    let file = folder.write("p.yaml", places("./inbox/archive", "./quarantine", two));
    assert!(run(&["daemon", "--once", "-c", &file]).expect(2).stderr.contains(lies));
}

#[test]
fn what_may_pass_is_no_mistake_in_the_file() {
    let folder = Folder::new();
    let file = folder.write("p.yaml", places("./archive", "./quarantine", "./two.jsonl"));
    let told = run(&["validate", &file]).expect(0).stdout;
    assert!(told.contains("p.yaml:5:11: warning: the inbox "), "{told}");
    assert!(told.contains("cannot be looked into: No such file"), "{told}");
    let daemon = || run(&["daemon", "--once", "-c", &file]).expect(1).stderr;
    assert!(daemon().contains("cannot use the inbox"));

    // As on a full disk: neither the data folder nor a copy of a plugin can be written.
    folder.write("inbox/a.txt", ARTICLE);
    std::fs::remove_dir_all(folder.at("state")).unwrap();
    folder.write("state/plugins", "");
    assert!(daemon().contains("cannot keep a private copy of a plugin"));
    std::fs::remove_dir_all(folder.at("state")).unwrap();
    folder.write("state", "");
    assert!(daemon().contains("cannot use the data folder"));
}

#[test]
fn a_section_that_is_needed_and_may_be_misspelt_is_not_guessed() {
    let folder = Folder::new();
    let whole = pipeline("[tokenise]", "out: { type: jsonl, path: ./out.jsonl }", "");
    let whole = folder.write("p.yaml", whole.replace("./quarantine", "./q"));
    folder.write("inbox/a.txt", " ");
    run(&["daemon", "--once", "-c", &whole]).expect(3);
    let text =
        "\u{feff}quarantine: { path: ./q }\nversion: 1\nstages: [tokenise\ndata_dir: ./other\n";
    let asked = |command: &[&str], text: &str| {
        let file = folder.write("p.yaml", text);
        run(&[command, &["-c", &file]].concat())
    };
    let told = asked(&["quarantine", "list"], text).expect(0).stdout;
    assert!(told.contains("a.txt"), "{told}");
    for name in ["quarantne", "Quarantine", "quarantined", "put_aside"] {
        let text = text.replace("quarantine:", &format!("{name}:"));
        let told = asked(&["quarantine", "list"], &text).expect(2);
        assert_eq!(told.stdout, "", "{name}");
    }
    for (name, code) in [("datadir", 2), ("folder", 2), ("data_dir", 0)] {
        let text = text.replace("data_dir", name);
        asked(&["ledger", "check"], &text).expect(code);
    }
    // What a container sets in sections that are left out is not looked at; what may be one is.
    let file = folder.write("p.yaml", text);
    for (variable, code) in
        [("SOURCES__NEWS__PATH", 0), ("QUARANTINE__PATH", 0), ("QUARANTNE__PATH", 2)]
    {
        let mut list = command(&["quarantine", "list", "-c", &file]);
        list.env(format!("STANDPOINT__{variable}"), "./elsewhere");
        let told = finish(list.spawn().unwrap()).expect(code).stdout;
        assert_eq!(told.contains("a.txt"), variable.starts_with("SOURCES"), "{variable}: {told}");
    }
}
