//! Broken pipeline files, and what their authors are told.

mod sections;

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
