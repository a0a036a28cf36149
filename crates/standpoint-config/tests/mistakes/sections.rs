//! Sections that contradict each other, what a build has, or what it takes to be served.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::json;
use standpoint_config::{Catalogue, Draft, Environment};

use super::{mistakes, mistakes_beside};

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
