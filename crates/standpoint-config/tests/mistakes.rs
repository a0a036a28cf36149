//! Broken pipeline files, and what their authors are told.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::json;
use standpoint_config::{Catalogue, Draft, Environment, PipelineFile};

/// What is said about `text`; nothing when it is right.
fn mistakes(text: &str) -> String {
    let none = Environment::empty();
    match PipelineFile::parse(text, "pipeline.yaml", Path::new(""), &none, &[]) {
        Ok(_) => String::new(),
        Err(found) => found.to_string(),
    }
}

/// What is said about a file that is right but for `rest`.
fn mistakes_beside(rest: &str) -> String {
    mistakes(&format!("version: 1\nstages: [tokenise]\n{rest}"))
}

#[test]
fn mistakes_of_every_kind_are_told_together() {
    let text = "\
version: 2
timout: 5s
sources:
  news: { type: inbx, path: ./inbox }
  wire: { type: inbox, settle: 500 }
stages:
  - tokenize
  - use: stance
    with: { targt: Russia }
    concurrency: 0
sinks:
  out: { type: jsonl }
";
    let own = |properties: serde_json::Value, required: serde_json::Value| {
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    };
    let path = json!({ "type": "string" });
    let inbox = own(
        json!({ "path": path, "settle": { "type": "string", "format": "duration" } }),
        json!(["path"]),
    );
    let catalogue = Catalogue {
        sources: [("inbox".to_owned(), inbox)].into(),
        sinks: [("jsonl".to_owned(), own(json!({ "path": path }), json!(["path"])))].into(),
        plugins: [
            ("tokenise".to_owned(), own(json!({}), json!([]))),
            ("stance".to_owned(), own(json!({ "target": path }), json!([]))),
        ]
        .into(),
        ..Catalogue::default()
    };
    let none = Environment::empty();
    let mut draft = Draft::parse(text, "pipeline.yaml", Path::new(""), &none, &[]);
    draft.check_settings(&catalogue);
    draft.report("stages[1].concurrency", "the program has a word to say, too".to_owned(), None);
    let found = draft.finish().unwrap_err();
    let lines: Vec<String> = found
        .iter()
        .map(|found| format!("{}:{} {}", found.line.unwrap(), found.column.unwrap(), found.message))
        .collect();
    assert_snapshot!(lines.join("\n"), @r"
    1:10 version 2 of the format is not known
    2:1 unknown key `timout`; did you mean `timeout` under `defaults:`?
    4:17 unknown source type `inbx`; did you mean `inbox`?
    5:3 the key `path` is missing
    5:32 `500`: a bare number has no unit; write it like `10s`
    7:5 unknown plugin `tokenize`; did you mean `tokenise`?
    9:13 unknown key `targt`; did you mean `target`?
    10:18 must be at least 1, found `0`
    10:18 the program has a word to say, too
    12:3 the key `path` is missing
    ");
}

#[test]
fn settings_of_a_type_of_another_build_are_not_checked_against_a_guess() {
    let text = "version: 1\nstages: [tokenise]\nsinks:\n  out: { type: jsons, own: 1 }\n";
    let jsonl = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let catalogue = Catalogue {
        sinks: [("jsonl".to_owned(), jsonl.clone())].into(),
        features: [("sink type jsons".to_owned(), "more".to_owned())].into(),
        plugins: [("tokenise".to_owned(), jsonl)].into(),
        ..Catalogue::default()
    };
    let none = Environment::empty();
    let mut draft = Draft::parse(text, "pipeline.yaml", Path::new(""), &none, &[]);
    draft.check_settings(&catalogue);
    let found = draft.finish().unwrap_err();
    let told: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(told, ["this build has no sink type `jsons`"]);
}

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    let text = "\
version: 2
nmae: stance
defaults: { timeout: 10, on_error: quarantin }
plugins: [./plugins]
sources:
  my news: { type: inbox }
  wire: { path: ./wire }
stages:
  - tokenise
  - use: tokenise
    concurrency: 0
    retry: { backoff: 10s..1s }
sinks:
  results: jsonl
";
    assert_snapshot!(mistakes(text), @r"
    pipeline.yaml:1:10: error: version 2 of the format is not known
      1 | version: 2
        |          ^
        = help: this build reads `version: 1`

    pipeline.yaml:2:1: error: unknown key `nmae`; did you mean `name`?
      2 | nmae: stance
        | ^^^^

    pipeline.yaml:3:22: error: `10`: a bare number has no unit; write it like `10s`
      3 | defaults: { timeout: 10, on_error: quarantin }
        |                      ^^

    pipeline.yaml:3:36: error: unknown value `quarantin`; did you mean `quarantine`?
      3 | defaults: { timeout: 10, on_error: quarantin }
        |                                    ^^^^^^^^^
        = help: known values: `quarantine`, `continue` and `stop`

    pipeline.yaml:4:1: error: expected a map, found a list
      4 | plugins: [./plugins]
        | ^^^^^^^

    pipeline.yaml:6:3: error: `my news` cannot be a name
      6 |   my news: { type: inbox }
        |   ^^^^^^^
        = help: names start with a letter or a digit and go on with letters, digits, `-` and `_`; at most 64 characters, plain ASCII

    pipeline.yaml:7:3: error: the key `type` is missing
      7 |   wire: { path: ./wire }
        |   ^^^^
        = help: type: What kind of source it is, such as `inbox`

    pipeline.yaml:10:10: error: two stages are called `tokenise`
     10 |   - use: tokenise
        |          ^^^^^^^^
        = help: the first is on line 9; give one of them another `id`

    pipeline.yaml:11:18: error: must be at least 1, found `0`
     11 |     concurrency: 0
        |                  ^

    pipeline.yaml:12:23: error: `10s..1s`: the range starts at 10s and ends earlier, at 1s
     12 |     retry: { backoff: 10s..1s }
        |                       ^^^^^^^

    pipeline.yaml:14:12: error: expected a map, found `jsonl`
     14 |   results: jsonl
        |            ^^^^^
    ");
    assert_eq!(mistakes(text).matches(": error: ").count(), 11);
}

#[test]
fn syntax_is_explained() {
    assert_snapshot!(mistakes(""), @r"
    pipeline.yaml: error: the file is empty
       = help: a pipeline needs at least `version: 1` and `stages`
    ");
    assert_snapshot!(mistakes("# only a comment\n"), @r"
    pipeline.yaml: error: the file is empty
       = help: a pipeline needs at least `version: 1` and `stages`
    ");
    assert_snapshot!(mistakes("- a\n- b\n"), @r"
    pipeline.yaml:1:1: error: expected a map with keys such as `version` and `stages`
      1 | - a
        | ^
    ");
    assert_snapshot!(mistakes("version: 1\nstages:\n\t- tokenise\n"), @r"
    pipeline.yaml:3:1: error: not valid YAML: this line is indented with a tab
      3 |  - tokenise
        | ^
        = help: YAML is indented with spaces, never with tabs
    ");
    assert_snapshot!(mistakes("version: 1\nstages: [tokenise\nname: x\n"), @r"
    pipeline.yaml:2:9: error: not valid YAML: this `[` is not closed
      2 | stages: [tokenise
        |         ^
        = help: put `]` behind its last item
    ");
    assert_snapshot!(mistakes_beside("data_dir: { a: ${HOME} }\n"), @r"
    pipeline.yaml:3:17: error: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
      3 | data_dir: { a: ${HOME} }
        |                 ^
        = help: inside `{ }` or `[ ]`, a value with `${` needs quotes
    ");
    assert_snapshot!(mistakes_beside("---\nversion: 1\n"), @r"
    pipeline.yaml:3:1: error: a second YAML document starts here
      3 | ---
        | ^^^
        = help: a pipeline file holds one; remove the `---` and what follows
    ");
    assert_snapshot!(mistakes_beside("? [a, b]\n: c\n"), @r"
    pipeline.yaml:3:3: error: a map or a list cannot be a key
      3 | ? [a, b]
        |   ^
        = help: a value with `{`, `[` or `${` at its start or inside `{ }` needs quotes
    ");
}

#[test]
fn what_readers_of_yaml_disagree_about_is_refused() {
    assert_snapshot!(mistakes_beside("name: a\nname: b\n"), @r"
    pipeline.yaml:4:1: error: the key `name` is here twice
      4 | name: b
        | ^^^^
        = help: it was first on line 3; remove one of them
    ");
    assert_snapshot!(mistakes("version: 1\nstages:\n  - use: a\n    with: { b: 1, b: 2 }\n"), @r"
    pipeline.yaml:4:19: error: the key `b` is here twice
      4 |     with: { b: 1, b: 2 }
        |                   ^
        = help: it was first on line 4; remove one of them
    ");
    assert_snapshot!(mistakes("a: &a { x: 1 }\nversion: 1\nstages: [{ <<: *a, use: b }]\n"), @r"
    pipeline.yaml:1:1: error: unknown key `a`
      1 | a: &a { x: 1 }
        | ^
        = help: known keys: `cluster`, `commit`, `data_dir`, `defaults`, `limits`, `name`, `plugins`, `quarantine`, `retention`, `routes`, `server`, `shutdown_timeout`, `sinks`, `sources`, `stages`, `tests` and `version`

    pipeline.yaml:3:12: error: merge keys (`<<`) are not part of YAML 1.2
      3 | stages: [{ <<: *a, use: b }]
        |            ^^
        = help: write the keys out, or set them once under `defaults`
    ");
    assert_snapshot!(mistakes_beside("name: !!binary aGk=\n"), @r"
    pipeline.yaml:3:7: error: the tag `!!binary` is not supported
      3 | name: !!binary aGk=
        |       ^^^^^^^^^^^^^
        = help: remove it; put a value in quotes to make it text

    pipeline.yaml:3:7: error: `aGk=` cannot be a name
      3 | name: !!binary aGk=
        |       ^^^^^^^^^^^^^
        = help: names start with a letter or a digit and go on with letters, digits, `-`, `_` and `.`; at most 64 characters, plain ASCII
    ");
    assert_snapshot!(mistakes_beside("name: !secret x\n"), @r"
    pipeline.yaml:3:7: error: the tag `!secret` is not supported
      3 | name: !secret x
        |       ^^^^^^^^^
        = help: remove it; put a value in quotes to make it text
    ");
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += format!("a{level}: &a{level} [{below}]\n").as_str();
    }
    assert_snapshot!(mistakes(&bomb), @r"
    pipeline.yaml:5:10: error: more than 20000 values, aliases filled in
      5 | a4: &a4 [*a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3, *a3]
        |          ^^^
    ");
    assert_snapshot!(mistakes("a: &a [*a]\n"), @r"
    pipeline.yaml:1:8: error: an alias inside the value it repeats
      1 | a: &a [*a]
        |        ^^
    ");
    let deep = format!("a: {}1{}", "[".repeat(70), "]".repeat(70));
    assert!(mistakes(&deep).contains("nested more than 64 levels deep"));
    assert!(mistakes(&"- ".repeat(500_000)).contains("nested more than 64 levels deep"));
    let long = format!("# {}", "x".repeat(1 << 20));
    assert_snapshot!(mistakes(&long), @"pipeline.yaml: error: the file has 1048578 bytes, above the limit of 1MiB");
}

#[test]
fn keys_and_types_are_checked() {
    assert_snapshot!(mistakes("name: x\n"), @r"
    pipeline.yaml:1:1: error: the key `version` is missing
      1 | name: x
        | ^
        = help: version: The version of this format; always 1

    pipeline.yaml:1:1: error: the key `stages` is missing
      1 | name: x
        | ^
        = help: stages: What is done with each document, in this order
    ");
    assert_snapshot!(mistakes_beside("defaults:\n"), @r"
    pipeline.yaml:3:9: error: expected a map, found nothing
      3 | defaults:
        |         ^
        = help: give it a value, or remove the key to have the default
    ");
    assert_snapshot!(mistakes_beside("limits: { max_json_depth: '64', max_line_bytes: 5MB }\n"), @r"
    pipeline.yaml:3:27: error: expected a whole number, found the text `64`
      3 | limits: { max_json_depth: '64', max_line_bytes: 5MB }
        |                           ^^^^
        = help: remove the quotes
    ");
    assert_snapshot!(mistakes_beside("commit: { max_documents: many, durability: [os] }\n"), @r"
    pipeline.yaml:3:26: error: expected a whole number, found `many`
      3 | commit: { max_documents: many, durability: [os] }
        |                          ^^^^

    pipeline.yaml:3:32: error: expected `strict` or `batch` or `os`, found a list
      3 | commit: { max_documents: many, durability: [os] }
        |                                ^^^^^^^^^^
    ");
    assert_snapshot!(mistakes_beside("plugins: { strict: no }\n"), @r"
    pipeline.yaml:3:20: error: expected `true` or `false`, found `no`
      3 | plugins: { strict: no }
        |                    ^^
        = help: write `false`
    ");
    assert_snapshot!(mistakes_beside("colour: red\n"), @r"
    pipeline.yaml:3:1: error: unknown key `colour`
      3 | colour: red
        | ^^^^^^
        = help: known keys: `cluster`, `commit`, `data_dir`, `defaults`, `limits`, `name`, `plugins`, `quarantine`, `retention`, `routes`, `server`, `shutdown_timeout`, `sinks`, `sources`, `stages`, `tests` and `version`
    ");
    assert_snapshot!(mistakes("version: one\nstages: []\n"), @r"
    pipeline.yaml:1:10: error: expected a whole number, found `one`
      1 | version: one
        |          ^^^

    pipeline.yaml:2:1: error: needs at least 1 item, has 0
      2 | stages: []
        | ^^^^^^
    ");
    assert_snapshot!(mistakes("version: 1\nstages:\n  -\n  - 'use'\n  - {}\n"), @r"
    pipeline.yaml:3:4: error: expected text or a map, found nothing
      3 |   -
        |    ^

    pipeline.yaml:5:5: error: the key `use` is missing
      5 |   - {}
        |     ^
        = help: use: The name of an installed plugin, the path of one (with a `/` in it), or the command of a program as a list
    ");
}

#[test]
fn quantities_carry_their_units() {
    assert_snapshot!(mistakes_beside("shutdown_timeout: 30\n"), @r"
    pipeline.yaml:3:19: error: `30`: a bare number has no unit; write it like `10s`
      3 | shutdown_timeout: 30
        |                   ^^
    ");
    assert_snapshot!(mistakes_beside("shutdown_timeout: 30sec\n"), @r"
    pipeline.yaml:3:19: error: `30sec`: unknown unit `sec`; use `us`, `ms`, `s`, `m`, `h` or `d`
      3 | shutdown_timeout: 30sec
        |                   ^^^^^
    ");
    assert_snapshot!(mistakes_beside("limits: { max_document_bytes: 16M }\n"), @r"
    pipeline.yaml:3:31: error: `16M`: unknown unit `M`; use `B`, `KiB`, `MiB`, `GiB`, `TiB`, or `kB`, `MB`, `GB`, `TB`
      3 | limits: { max_document_bytes: 16M }
        |                               ^^^
    ");
    assert_snapshot!(mistakes_beside("limits: { max_document_bytes: 16777216 }\n"), @r"
    pipeline.yaml:3:31: error: `16777216`: a bare number has no unit; write it like `16MiB`
      3 | limits: { max_document_bytes: 16777216 }
        |                               ^^^^^^^^
    ");
    assert_snapshot!(mistakes_beside("defaults: { retry: { backoff: 10s..200ms } }\n"), @r"
    pipeline.yaml:3:31: error: `10s..200ms`: the range starts at 10s and ends earlier, at 200ms
      3 | defaults: { retry: { backoff: 10s..200ms } }
        |                               ^^^^^^^^^^
    ");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    assert_snapshot!(mistakes_beside("sources: { a: { type: files, max_attempts: 0 } }\n"), @r"
    pipeline.yaml:3:44: error: must be at least 1, found `0`
      3 | sources: { a: { type: files, max_attempts: 0 } }
        |                                            ^
    ");
    assert_snapshot!(mistakes_beside("sinks: { a/b: { type: jsonl } }\n"), @r"
    pipeline.yaml:3:10: error: `a/b` cannot be a name
      3 | sinks: { a/b: { type: jsonl } }
        |          ^^^
        = help: names start with a letter or a digit and go on with letters, digits, `-` and `_`; at most 64 characters, plain ASCII
    ");
    assert_snapshot!(mistakes("version: 1\nstages:\n  - use: ./libhedge.so\n  - hedge\n"), @r"
    pipeline.yaml:4:5: error: two stages are called `hedge`
      4 |   - hedge
        |     ^^^^^
        = help: the first is on line 3; give one of them another `id`
    ");
    assert_snapshot!(mistakes("version: 1\nstages:\n  - { use: a, concurrency: fast }\n"), @r"
    pipeline.yaml:3:28: error: unknown value `fast`; expected `auto`
      3 |   - { use: a, concurrency: fast }
        |                            ^^^^
        = help: a whole number is possible, too
    ");
    assert_snapshot!(mistakes("version: 1\nstages:\n  - { use: a, batch: { max_documents: 0 } }\n"), @r"
    pipeline.yaml:3:39: error: must be at least 1, found `0`
      3 |   - { use: a, batch: { max_documents: 0 } }
        |                                       ^
    ");
}

#[test]
fn a_cluster_is_of_one_kind_that_this_build_has() {
    assert_snapshot!(mistakes("version: 1\nstages: [a]\ncluster: {}\n"), @r"
    pipeline.yaml:3:1: error: `cluster` needs exactly one entry, has 0
      3 | cluster: {}
        | ^^^^^^^
        = help: such as `nats: { url: nats://127.0.0.1:4222 }`
    ");
    let own = json!({
        "type": "object", "additionalProperties": false, "required": ["url"],
        "properties": { "url": { "type": "string" } },
    });
    let catalogue = Catalogue {
        clusters: [("nats".to_owned(), own)].into(),
        features: [("kind of cluster kafka".to_owned(), "kafka".to_owned())].into(),
        ..Catalogue::default()
    };
    let told = |cluster: &str| {
        let text = format!("version: 1\nstages: [{{ use: ./a.so }}]\ncluster: {cluster}\n");
        let mut draft = Draft::parse(&text, "p.yaml", Path::new(""), &Environment::empty(), &[]);
        draft.check_settings(&catalogue);
        draft.finish().map_or_else(|found| found.render(false), |(file, _)| format!("{file:?}"))
    };
    let cases = [
        ("{ nats: { url: a } }", "url: a"),
        ("{ nats: { urll: a } }", "unknown key `urll`; did you mean `url`?"),
        ("{ nats: { } }", "the key `url` is missing"),
        ("{ natz: { url: a } }", "unknown kind of cluster `natz`; did you mean `nats`?"),
        ("{ kafka: { url: a } }", "build the program with `--features kafka`"),
        ("{ kafak: { url: a } }", "did you mean `kafka`?"),
        ("{ kafak: { url: a } }", "build the program with `--features kafka`"),
    ];
    for (cluster, expected) in cases {
        let told = told(cluster);
        assert!(told.contains(expected), "{cluster}: {told}");
    }
}

#[test]
fn what_belongs_to_another_runtime_is_said() {
    let text = "\
version: 1
stages:
  - { use: [python3, hedge.py], runtime: native }
  - { use: [python3, other.py], limits: { memory: 1GiB, deadline: 1s } }
  - { use: ./libx.so, limits: { memory: 1GiB }, processes: 2 }
  - { use: ./y.wasm, env: { A: b } }
  - { use: tokenise, runtime: process }
  - { use: ./z.so, runtime: wasm }
  - { use: ./program, limits: { memroy: 1GiB }, restart: { backoff: 10s..1s } }
";
    assert_snapshot!(mistakes(text), @r"
    pipeline.yaml:3:42: error: a command cannot be run natively
      3 |   - { use: [python3, hedge.py], runtime: native }
        |                                          ^^^^^^
        = help: leave `runtime` out, or name a library

    pipeline.yaml:4:67: error: `deadline` is for `runtime: wasm`, and this stage runs as `process`
      4 |   - { use: [python3, other.py], limits: { memory: 1GiB, deadline: 1s } }
        |                                                                   ^^
        = help: remove it

    pipeline.yaml:5:23: error: a native plugin has no limits: it can do whatever the program can
      5 |   - { use: ./libx.so, limits: { memory: 1GiB }, processes: 2 }
        |                       ^^^^^^
        = help: remove `limits`, or run it as `process` or `wasm`

    pipeline.yaml:5:60: error: `processes` is for `runtime: process`, and this stage runs as `native`
      5 |   - { use: ./libx.so, limits: { memory: 1GiB }, processes: 2 }
        |                                                            ^
        = help: remove it

    pipeline.yaml:6:22: error: `env` is for `runtime: process`, and this stage runs as `wasm`
      6 |   - { use: ./y.wasm, env: { A: b } }
        |                      ^^^
        = help: remove it

    pipeline.yaml:7:31: error: an installed plugin is a library, which runs natively
      7 |   - { use: tokenise, runtime: process }
        |                               ^^^^^^^
        = help: name a program or module by its path, with a `/`, or a command as a list

    pipeline.yaml:8:29: error: a shared library can only be run natively
      8 |   - { use: ./z.so, runtime: wasm }
        |                             ^^^^
        = help: leave `runtime` out

    pipeline.yaml:9:33: error: unknown key `memroy`; did you mean `memory`?
      9 |   - { use: ./program, limits: { memroy: 1GiB }, restart: { backoff: 10s..1s } }
        |                                 ^^^^^^

    pipeline.yaml:9:69: error: `10s..1s`: the range starts at 10s and ends earlier, at 1s
      9 |   - { use: ./program, limits: { memroy: 1GiB }, restart: { backoff: 10s..1s } }
        |                                                                     ^^^^^^^
    ");
}

#[test]
fn routes_lead_to_sinks_that_there_are() {
    let text = "\
version: 1
stages: [tokenise]
sinks:
  results: { type: jsonl, path: r.jsonl }
  rest: { type: jsonl, path: rest.jsonl }
routes:
  - to: [resluts]
  - { when: length > 3, to: [nowhere, results], name: long }
";
    assert_snapshot!(mistakes(text), @r"
    pipeline.yaml:5:3: warning: no route leads to the sink `rest`
      5 |   rest: { type: jsonl, path: rest.jsonl }
        |   ^^^^
        = help: name it in `to` of a route, or remove it

    pipeline.yaml:6:1: warning: a document that no route takes goes to no sink
      6 | routes:
        | ^^^^^^
        = help: end the list with a route without `when`, such as `- { to: [results] }`, or with `- { to: [] }` to say that it is meant

    pipeline.yaml:7:5: error: a route without `when` takes what no other takes
      7 |   - to: [resluts]
        |     ^
        = help: move it to the end, or give it a condition

    pipeline.yaml:7:10: error: there is no sink `resluts`; did you mean `results`?
      7 |   - to: [resluts]
        |          ^^^^^^^

    pipeline.yaml:8:30: error: there is no sink `nowhere`
      8 |   - { when: length > 3, to: [nowhere, results], name: long }
        |                              ^^^^^^^
        = help: known sinks: `results` and `rest`

    pipeline.yaml:8:49: error: unknown key `name`
      8 |   - { when: length > 3, to: [nowhere, results], name: long }
        |                                                 ^^^^
        = help: known keys: `to` and `when`
    ");
}

#[test]
fn tests_say_what_they_read_and_expect() {
    let text = "\
version: 1
stages: [tokenise]
tests:
  - { expect: { author: { label: angry } } }
  - { text: a, path: b.txt, expect: {} }
";
    assert_snapshot!(mistakes(text), @r"
    pipeline.yaml:4:5: error: the test says neither `text` nor `path`
      4 |   - { expect: { author: { label: angry } } }
        |     ^^
        = help: give it a `text`, or the `path` of a file with one document

    pipeline.yaml:4:34: error: unknown value `angry`; expected `opposed`, `neutral` or `supportive`
      4 |   - { expect: { author: { label: angry } } }
        |                                  ^^^^^

    pipeline.yaml:5:5: warning: the test expects nothing, so that it cannot fail
      5 |   - { text: a, path: b.txt, expect: {} }
        |     ^^

    pipeline.yaml:5:22: error: a test reads its `text` or its `path`, not both
      5 |   - { text: a, path: b.txt, expect: {} }
        |                      ^^^^^
    ");
}

#[test]
fn a_strict_file_pins_every_plugin() {
    let pin = "0123456789abcdef".repeat(4);
    let text = format!(
        "version: 1\nplugins: {{ strict: true }}\nstages:\n  - tokenise\n  \
         - {{ use: entity, sha256: {pin} }}\n"
    );
    assert_snapshot!(mistakes(&text), @r"
    pipeline.yaml:4:5: error: `plugins.strict` asks for the `sha256` of each plugin
      4 |   - tokenise
        |     ^^^^^^^^
        = help: `sha256sum` prints the digest of the plugin's library
    ");
}

#[test]
fn a_server_for_other_machines_needs_a_token() {
    let cases = [
        ("localhost", Some("`localhost` is not an address with a port")),
        ("127.0.0.1", Some("is not an address with a port")),
        ("0.0.0.0:8686", Some("needs a `token_file`")),
        ("0.0.0.0:8686, token_file: ./token", None),
        ("'[::1]:8686'", None),
        ("127.0.0.1:8686", None),
    ];
    for (listen, expected) in cases {
        let told = mistakes_beside(&format!("server: {{ listen: {listen} }}\n"));
        let found = [" is not an address with a port", " needs a `token_file`"];
        match expected {
            Some(expected) => assert!(told.contains(expected), "{listen}: {told}"),
            None => assert!(!found.iter().any(|found| told.contains(found)), "{listen}: {told}"),
        }
    }
}

#[test]
fn a_key_that_belongs_elsewhere_is_sent_there() {
    assert_snapshot!(mistakes_beside("timout: 5s\nmax_jsn_depth: 3\n"), @r"
    pipeline.yaml:3:1: error: unknown key `timout`; did you mean `timeout` under `defaults:`?
      3 | timout: 5s
        | ^^^^^^

    pipeline.yaml:4:1: error: unknown key `max_jsn_depth`; did you mean `max_json_depth` under `limits:`?
      4 | max_jsn_depth: 3
        | ^^^^^^^^^^^^^
    ");
}

#[test]
fn an_excerpt_shows_no_secret() {
    let text = "\
version: 1
stages:
  - use: stance
    with: { token: hunter2, taget: x }
    password: hunter2
";
    let told = mistakes(text);
    assert!(told.contains("    password: *******") && !told.contains("hunter2"), "{told}");
}

#[test]
fn substitutions_that_fail_are_told_at_their_place() {
    assert_snapshot!(mistakes_beside("name: ${PIPELINE_NAME}\n"), @r"
    pipeline.yaml:3:7: error: the environment variable `PIPELINE_NAME` is not set
      3 | name: ${PIPELINE_NAME}
        |       ^^^^^^^^^^^^^^^^
        = help: set it, or write `${PIPELINE_NAME:-a default}`
    ");
    assert_snapshot!(mistakes_beside("name: \"${PIPELINE_NAME:?say what it is called}\"\n"), @r#"
    pipeline.yaml:3:7: error: the environment variable `PIPELINE_NAME`: say what it is called
      3 | name: "${PIPELINE_NAME:?say what it is called}"
        |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(mistakes_beside("name: ${A-b}\n"), @r"
    pipeline.yaml:3:7: error: `-b` after the name A means nothing
      3 | name: ${A-b}
        |       ^^^^^^
        = help: write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`
    ");
    assert_snapshot!(mistakes_beside("name: x${\n"), @r"
    pipeline.yaml:3:7: error: `${` without its `}`
      3 | name: x${
        |       ^^^
        = help: write `$$` for a dollar sign
    ");
    assert_snapshot!(mistakes_beside("name: ${file:/no/such/file}\n"), @r"
    pipeline.yaml:3:7: error: cannot read /no/such/file: No such file or directory (os error 2)
      3 | name: ${file:/no/such/file}
        |       ^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn findings_are_also_json() {
    let none = Environment::empty();
    let found =
        PipelineFile::parse("version: 1\n", "p.yaml", Path::new(""), &none, &[]).unwrap_err();
    assert_snapshot!(found.to_json(), @r#"[{"column":1,"file":"p.yaml","help":"stages: What is done with each document, in this order","key_path":"stages","line":1,"message":"the key `stages` is missing","severity":"error"}]"#);
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let text = mistakes_beside("\"na\\u001b[31mme\": x\n");
    assert!(text.contains("unknown key") && !text.contains('\u{1b}'), "{text}");
}
