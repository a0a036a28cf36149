//! Pipeline files that are right: what they mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::json;
use standpoint_config::{
    Catalogue, Concurrency, Dedupe, Diagnostics, Draft, Durability, Environment, OnError, Override,
    PipelineFile, PluginReference, Runtime, schema,
};

const FULL: &str = include_str!("files/full.yaml");

fn parse_in(
    text: &str,
    variables: &[(&str, &str)],
    overrides: &[&str],
) -> Result<PipelineFile, Diagnostics> {
    let environment: Environment = variables.iter().copied().collect();
    let overrides: Vec<Override> =
        overrides.iter().filter_map(|text| Override::parse(text)).collect();
    PipelineFile::parse(text, "pipeline.yaml", Path::new("conf"), &environment, &overrides)
}

fn parse(text: &str) -> PipelineFile {
    parse_in(text, &[], &[]).expect("the file is right")
}

/// The `with` of the only stage of a file, as the core schema reads it.
fn with(settings: &str) -> serde_json::Value {
    parse(&format!("version: 1\nstages:\n  - use: a\n    with: {settings}\n")).stages[0]
        .settings
        .to_json()
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let pipeline = parse(FULL);
    assert_eq!(pipeline.name, "stance-toward-russia");
    assert_eq!(pipeline.data_dir, Path::new("conf/state"));
    assert_eq!(pipeline.plugins.paths, [PathBuf::from("conf/plugins")]);
    assert_eq!(pipeline.commit.durability, Durability::Batch);
    let ids: Vec<&str> = pipeline.stages.iter().map(|stage| stage.id.as_str()).collect();
    assert_eq!(ids, ["tokenise", "entity", "sentiment", "stance"]);
    let sinks: Vec<_> =
        pipeline.sinks.iter().map(|sink| (sink.name.as_str(), sink.kind.as_str())).collect();
    assert_eq!(sinks, [("results", "jsonl"), ("store", "sqlite")]);
    let news = &pipeline.sources[0];
    assert_eq!(
        (news.kind.as_str(), news.dedupe, news.max_attempts.get()),
        ("inbox", Dedupe::Id, 3)
    );
    assert_eq!(news.settings.to_json()["on_success"], json!({ "archive": "./archive" }));
    assert!(news.settings.to_json().get("type").is_none());
    let stance = &pipeline.stages[3];
    assert_eq!(stance.settings.to_json(), json!({ "target": "Russia" }));
    assert_eq!(stance.when.as_deref(), Some("language == 'en'"));
    assert_eq!((stance.timeout, stance.on_error), (Duration::from_secs(30), OnError::Continue));
    assert_eq!(stance.concurrency, Concurrency::Auto);
    assert_eq!(stance.batch.as_ref().map(|batch| batch.max_documents.get()), Some(16));
    assert_eq!(stance.retry, pipeline.defaults.retry);
}

#[test]
fn scalars_mean_what_yaml_1_2_says() {
    let cases = [
        (
            "{ a: NO, b: on, c: yes, d: 22:22 }",
            json!({"a": "NO", "b": "on", "c": "yes", "d": "22:22"}),
        ),
        ("{ a: 012, b: 0o14, c: 0x1F, d: 1.10 }", json!({"a": 12, "b": 12, "c": 31, "d": 1.1})),
        ("{ a: '1', b: \"true\", c: !!str 7 }", json!({"a": "1", "b": "true", "c": "7"})),
        ("{ a: ~, b: , c: null }", json!({"a": null, "b": null, "c": null})),
        ("{ a: 2022-09-21, b: 1_000 }", json!({"a": "2022-09-21", "b": "1_000"})),
        ("{ a: &x [1], b: *x }", json!({"a": [1], "b": [1]})),
        ("{}", json!({})),
    ];
    for (text, expected) in cases {
        assert_eq!(with(text), expected, "{text}");
    }
}

#[test]
fn a_number_stays_as_written_where_text_is_meant() {
    let text = "version: 1\nname: 1.10\nstages:\n  - use: a\n    with: { version: 1.10, on: yes, count: 012 }\n";
    let pipeline = parse(text);
    assert_eq!(pipeline.name, "1.10");
    let schema = json!({ "type": "object", "properties": {
        "version": { "type": "string" }, "on": { "type": "string" }, "count": { "type": ["integer", "null"] },
    } });
    let settings = pipeline.stages[0].settings.conform(&schema).unwrap();
    assert_eq!(settings, json!({ "version": "1.10", "on": "yes", "count": 12 }));
}

#[test]
fn plugins_are_named_or_given_by_path() {
    let stages =
        parse("version: 1\nstages: [a, ./libb.so, { use: /x/libstandpoint_c.so }, libd.so]\n")
            .stages;
    let found: Vec<_> = stages.into_iter().map(|stage| (stage.id, stage.plugin)).collect();
    let path = |path: &str| PluginReference::Path(path.into());
    let expected = [
        ("a", PluginReference::Name("a".into())),
        ("b", path("conf/libb.so")),
        ("c", path("/x/libstandpoint_c.so")),
        ("d", path("conf/libd.so")),
    ];
    assert_eq!(found, expected.map(|(id, plugin)| (id.to_owned(), plugin)));
}

#[test]
fn a_stage_in_a_process_says_what_it_may_use() {
    let text = "\
version: 1
stages:
  - use: [python3, -u, plugins/hedge.py]
    processes: 4
    env: { LANG: C.UTF-8, DEPTH: 2 }
    limits: { memory: 1GiB, open_files: 64 }
    restart: { backoff: 1s..2s }
  - { use: ./plugins/other }
  - { use: ./m.wasm, limits: { deadline: 200ms, instances: 8 } }
";
    let stages = parse(text).stages;
    let kinds: Vec<_> =
        stages.iter().map(|stage| (stage.id.as_str(), stage.runtime.runtime)).collect();
    assert_eq!(
        kinds,
        [("hedge", Runtime::Process), ("other", Runtime::Process), ("m", Runtime::Wasm)]
    );
    let words = ["python3", "-u", "plugins/hedge.py"].map(str::to_owned);
    assert_eq!(stages[0].plugin, PluginReference::Command(words.into()));
    let of = &stages[0].runtime;
    assert_eq!((of.processes.get(), of.limits.memory), (4, Some(1 << 30)));
    assert_eq!(of.env["DEPTH"], "2");
    assert_eq!(of.restart.backoff.to_string(), "1s..2s");
    assert_eq!(of.restart.max_per_minute.get(), 10);
    assert_eq!(stages[2].runtime.limits.instances.unwrap().get(), 8);
}

#[test]
fn substitutions_fill_scalars_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "s3cr3t\n").unwrap();
    let environment: Environment =
        [("NAME", "x"), ("EMPTY", ""), ("EVIL", "a\nadmin: true, b: [1]"), ("N", "4")]
            .into_iter()
            .collect();
    let cases = [
        ("\"${NAME}-${NAME}\"", json!("x-x")),
        ("${N}", json!(4)),
        ("'${N}'", json!("4")),
        ("\"${EVIL}\"", json!("a\nadmin: true, b: [1]")),
        ("${MISSING:-d e}", json!("d e")),
        ("${EMPTY:-d}", json!("d")),
        ("${MISSING:-${NAME}!}", json!("x!")),
        ("${NAME:?unset}", json!("x")),
        ("$$NAME $5 a$", json!("$NAME $5 a$")),
        ("$${NAME}", json!("${NAME}")),
        ("${file:token}", json!("s3cr3t")),
    ];
    for (text, expected) in cases {
        let text = format!("version: 1\nstages:\n  - use: a\n    with:\n      v: {text}\n");
        let pipeline =
            PipelineFile::parse(&text, "p.yaml", folder.path(), &environment, &[]).unwrap();
        assert_eq!(pipeline.stages[0].settings.to_json()["v"], expected, "{text}");
    }
}

#[test]
fn higher_layers_win() {
    let variables = [
        ("STANDPOINT__DEFAULTS__TIMEOUT", "5s"),
        ("STANDPOINT__COMMIT__DURABILITY", "os"),
        ("STANDPOINT__SINKS__RESULTS__PATH", "/env.jsonl"),
        ("STANDPOINT__SOURCES__NEWS__ON_SUCCESS", "keep"),
        ("STANDPOINT__PLUGINS__PATHS", "[/a, /b]"),
        ("STANDPOINT_PLUGINS", "not ours"),
    ];
    let flags = ["commit.durability=strict", "sinks.extra={ type: jsonl, path: e.jsonl }"];
    let pipeline = parse_in(FULL, &variables, &flags).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(pipeline.defaults.timeout, Duration::from_secs(5), "the environment over the file");
    assert_eq!(pipeline.stages[0].timeout, Duration::from_secs(5), "defaults reach the stages");
    assert_eq!(pipeline.stages[3].timeout, Duration::from_secs(30), "a stage's own stays");
    assert_eq!(pipeline.commit.durability, Durability::Strict, "flags over the environment");
    assert_eq!(pipeline.commit.max_documents.get(), 256, "the default beside them");
    assert_eq!(pipeline.sinks[0].settings.to_json()["path"], "/env.jsonl");
    assert_eq!(pipeline.sources[0].settings.to_json()["on_success"], "keep");
    assert_eq!(pipeline.plugins.paths, [PathBuf::from("/a"), PathBuf::from("/b")]);
    assert_eq!(pipeline.sinks[2].name, "extra");
}

#[test]
fn keys_of_the_file_are_found_by_variables_in_any_case() {
    let text = "version: 1\nstages: [a]\nsinks: { My-Sink: { type: jsonl, path: a } }\n";
    let pipeline = parse_in(text, &[("STANDPOINT__SINKS__MY_SINK__PATH", "b")], &[]).unwrap();
    assert_eq!(pipeline.sinks[0].settings.to_json(), json!({ "path": "b" }));
}

#[test]
fn mistakes_in_overrides_name_the_variable() {
    let variables = [
        ("STANDPOINT__DEFALTS__TIMEOUT", "5s"),
        ("STANDPOINT__COMMIT__MAX_DELAY", "5"),
        ("STANDPOINT__STAGES__0__TIMEOUT", "5s"),
        ("STANDPOINT____X", "5s"),
        ("STANDPOINT__PLUGINS__PATHS", "[a"),
    ];
    let found = parse_in(FULL, &variables, &["nmae=x"]).unwrap_err();
    assert_snapshot!(found, @r"
    STANDPOINT__PLUGINS__PATHS: error: not valid YAML: this `[` is not closed

    STANDPOINT__STAGES__0__TIMEOUT: error: `stages` is a list, whose items can only be set in the file
       = help: replace the list as a whole, with a value in `[ ]`

    STANDPOINT____X: error: an empty key
       = help: write `STANDPOINT__A__B` for the key `b` of `a`

    STANDPOINT__COMMIT__MAX_DELAY: error: `5`: a bare number has no unit; write it like `10s`

    STANDPOINT__DEFALTS__TIMEOUT: error: unknown key `defalts`; did you mean `defaults`?

    --set nmae: error: unknown key `nmae`; did you mean `name`?
    ");
    assert!(Override::parse("name").is_none() && Override::parse("a..b=1").is_none());
}

fn catalogue() -> Catalogue {
    let path = json!({ "type": "string", "format": "path" });
    let inbox = json!({
        "type": "object", "additionalProperties": false, "required": ["path"],
        "properties": {
            "path": path.clone(),
            "include": { "type": "array", "items": { "type": "string" } },
            "settle": { "type": "string", "format": "duration" },
            "max_document_bytes": { "type": "string", "format": "size" },
            "on_success": { "$ref": "#/$defs/OnSuccess" },
        },
        "$defs": { "OnSuccess": { "oneOf": [
            { "type": "string", "enum": ["delete", "keep"] },
            { "type": "object", "additionalProperties": false, "required": ["archive"],
              "properties": { "archive": path.clone() } },
        ] } },
    });
    let file = json!({
        "type": "object", "additionalProperties": false, "required": ["path"],
        "properties": { "path": path },
    });
    let stance = json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "target": { "type": ["string", "null"] },
            "window": { "type": "integer", "minimum": 1, "maximum": 100, "format": "uint8" },
            "weights": { "type": "object", "additionalProperties": { "type": "number" } },
        },
    });
    let nothing = json!({ "type": "object", "additionalProperties": false });
    Catalogue {
        sources: [("inbox".to_owned(), inbox)].into(),
        sinks: [("jsonl".to_owned(), file.clone()), ("sqlite".to_owned(), file)].into(),
        plugins: [
            ("tokenise", nothing.clone()),
            ("entity", nothing.clone()),
            ("sentiment", nothing),
            ("stance", stance),
        ]
        .map(|(name, schema)| (name.to_owned(), schema))
        .into(),
        ..Catalogue::default()
    }
}

fn checked(text: &str) -> Result<(PipelineFile, Diagnostics), Diagnostics> {
    let none = Environment::empty();
    let mut draft = Draft::parse(text, "pipeline.yaml", Path::new("conf"), &none, &[]);
    draft.check_settings(&catalogue());
    draft.finish()
}

#[test]
fn settings_of_connectors_and_plugins_fit_their_schemas() {
    let (pipeline, warnings) = checked(FULL).expect("the settings fit");
    assert!(warnings.is_empty(), "{warnings}");
    let settings = pipeline.sources[0].settings.conform(&catalogue().sources["inbox"]).unwrap();
    assert_eq!(settings["path"], "conf/inbox");
    assert_eq!(settings["on_success"]["archive"], "conf/archive");
}

#[test]
fn mistakes_in_settings_of_connectors_and_plugins_have_their_places() {
    let text = "\
version: 1
sources:
  news:
    type: inbox
    orderng: none
    settle: 500
    on_success: { archiv: ./a }
  wire: { type: inbx }
stages:
  - tokenize
  - use: stance
    with:
      window: 1000
      targt: Russia
      weights: { a: heavy }
  - use: ./unseen.so
    with: { anything: goes }
sinks:
  out: { type: jsonl, path: [a] }
";
    let found = checked(text).unwrap_err();
    assert_snapshot!(found, @r"
    pipeline.yaml:3:3: error: the key `path` is missing
      3 |   news:
        |   ^^^^

    pipeline.yaml:5:5: error: unknown key `orderng`; did you mean `ordering`?
      5 |     orderng: none
        |     ^^^^^^^

    pipeline.yaml:6:13: error: `500`: a bare number has no unit; write it like `10s`
      6 |     settle: 500
        |             ^^^

    pipeline.yaml:7:19: error: unknown key `archiv`; did you mean `archive`?
      7 |     on_success: { archiv: ./a }
        |                   ^^^^^^

    pipeline.yaml:8:3: error: the key `path` is missing
      8 |   wire: { type: inbx }
        |   ^^^^

    pipeline.yaml:8:17: error: unknown source type `inbx`; did you mean `inbox`?
      8 |   wire: { type: inbx }
        |                 ^^^^

    pipeline.yaml:10:5: error: unknown plugin `tokenize`; did you mean `tokenise`?
     10 |   - tokenize
        |     ^^^^^^^^

    pipeline.yaml:13:15: error: must be at most 100, found `1000`
     13 |       window: 1000
        |               ^^^^

    pipeline.yaml:14:7: error: unknown key `targt`; did you mean `target`?
     14 |       targt: Russia
        |       ^^^^^

    pipeline.yaml:15:21: error: expected a number, found `heavy`
     15 |       weights: { a: heavy }
        |                     ^^^^^

    pipeline.yaml:19:23: error: expected a path, found a list
     19 |   out: { type: jsonl, path: [a] }
        |                       ^^^^
    ");
}

#[test]
fn programs_can_add_findings_of_their_own() {
    let pipeline = parse(FULL);
    let finding = pipeline.diagnostic("stages[3].when", "unknown name `langage`".into(), None);
    assert_snapshot!(finding, @r#"
    pipeline.yaml:21:11: error: unknown name `langage`
     21 |     when: "language == 'en'"          # CEL over the document
        |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    let finding =
        pipeline.stages[3].settings.diagnostic("target", "nobody is called that".into(), None);
    assert_snapshot!(finding, @r"
    pipeline.yaml:20:21: error: nobody is called that
     20 |     with: { target: Russia }          # the plugin's own settings, checked against its schema
        |                     ^^^^^^
    ");
}

#[test]
fn secrets_are_hidden() {
    let text = "\
version: 1
stages: [a]
sinks:
  api: { type: http, url: 'https://ann:hunter2@example.org/', token: '${TOKEN}', token_file: ./t }
  mail: { type: mail, password: hunter2, headers: { secret: { a: [hunter2] } }, tokens: 5 }
";
    let pipeline = parse_in(text, &[("TOKEN", "hunter2")], &[]).unwrap();
    let shown = pipeline.resolved_yaml();
    assert!(
        !shown.contains("hunter2")
            && shown.contains("token_file: ./t")
            && shown.contains("tokens: 5"),
        "{shown}"
    );
    assert!(!format!("{pipeline:?} {:?}", pipeline.sinks).contains("hunter2"));
    let other = parse_in(text, &[("TOKEN", "changed")], &[]).unwrap();
    assert_eq!(pipeline.hash(), other.hash(), "a secret is no part of what a pipeline does");
    let number = json!({ "type": "object", "properties": { "token": { "type": "integer" } } });
    let found = pipeline.sinks[0].settings.conform(&number).unwrap_err();
    assert!(!found.to_json().to_string().contains("hunter2"), "{found}");
}

#[test]
fn the_resolved_file_reads_back_to_itself() {
    let text = format!("{FULL}\nlimits: {{ max_json_depth: 7 }}\n");
    let odd = text.replace(
        "target: Russia",
        "target: \"a: #\\u0007\\u2028 ${X} $$ 'q' \\\\\", z: '1.10', n: , e: [[], {}, [a]]",
    );
    let pipeline =
        parse_in(&odd, &[("X", "- '$y'")], &[]).unwrap_or_else(|found| panic!("{found}"));
    let again =
        parse_in(&pipeline.resolved_yaml(), &[], &[]).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(again.resolved_json(), pipeline.resolved_json());
    assert_eq!(again.hash(), pipeline.hash());
    assert_eq!(again.stages[3].settings.to_json(), pipeline.stages[3].settings.to_json());
}

#[test]
fn the_hash_changes_with_the_pipeline_alone() {
    let hash = parse(FULL).hash();
    assert_eq!(hash.len(), 12);
    let commented = FULL.replace("version: 1", "# a comment\nversion: 1");
    assert_eq!(parse(&commented).hash(), hash);
    let elsewhere =
        PipelineFile::parse(FULL, "pipeline.yaml", Path::new("/else"), &Environment::empty(), &[]);
    assert_eq!(elsewhere.unwrap().hash(), hash);
    assert_ne!(parse(&FULL.replace("Russia }", "Turkey }")).hash(), hash);
}

#[test]
fn the_schema_knows_what_is_installed() {
    let schema = schema(&catalogue());
    let inbox = &schema["$defs"]["SourceEntry.inbox"];
    assert_eq!(inbox["properties"]["type"]["const"], "inbox");
    assert_eq!(
        inbox["properties"]["on_success"]["$ref"],
        "#/$defs/SourceEntry.inbox/$defs/OnSuccess"
    );
    assert_eq!(inbox["required"], json!(["type", "path"]));
    assert!(inbox["properties"]["dedupe"].is_object());
    assert_eq!(schema["properties"]["shutdown_timeout"]["default"], "30s");
    assert_eq!(schema["$defs"]["StageDefaults"]["properties"]["timeout"]["default"], "10s");
    let target = &schema["$defs"]["plugin.stance"]["properties"]["target"];
    assert_eq!(target["type"], json!(["string", "null"]));
}

#[test]
fn files_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let none = Environment::empty();
    let load = |name: &str| {
        PipelineFile::load(&folder.path().join(name), &none, &[]).unwrap_err().to_string()
    };
    std::fs::write(folder.path().join("latin1.yaml"), b"version: 1\nname: caf\xe9\n").unwrap();
    assert!(load("latin1.yaml").contains("not UTF-8: byte 21 (line 2)"), "{}", load("latin1.yaml"));
    assert!(load("missing.yaml").contains("cannot read the file"));
    assert!(load(".").contains("it is not a file"));
    std::fs::write(folder.path().join("bom.yaml"), "\u{feff}version: 1\nstages: [a]\n").unwrap();
    let pipeline = PipelineFile::load(&folder.path().join("bom.yaml"), &none, &[]).unwrap();
    assert_eq!((pipeline.name.as_str(), pipeline.data_dir), ("bom", folder.path().join("state")));
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse_in(&text, &[], &[]);
    }

    #[test]
    fn no_yaml_like_text_panics(text in "([a-c&*!?|>%@:,#${}\\[\\]\"'\n\t -]|version: 1|stages:|- |: |<<|\\$\\{A:-|!!str ){0,60}") {
        if let Err(found) = parse_in(&text, &[("A", "x")], &[]) {
            prop_assert!(!found.to_string().is_empty());
        }
    }

    #[test]
    fn no_damage_to_a_good_file_panics(at in 0..FULL.len(), cut in 0_usize..40, put in "[\\PC\n\t]{0,8}") {
        prop_assume!(FULL.is_char_boundary(at));
        let end = (at..=FULL.len()).filter(|index| FULL.is_char_boundary(*index)).nth(cut).unwrap_or(FULL.len());
        let text = format!("{}{put}{}", &FULL[..at], &FULL[end..]);
        if let Ok(pipeline) = parse_in(&text, &[], &[]) {
            let _ = (pipeline.resolved_yaml(), checked(&text));
        }
    }

    #[test]
    fn no_override_panics(keys in "[a-zA-Z_.\\[\\]]{0,20}", value in any::<String>()) {
        let name = format!("STANDPOINT__{keys}");
        let flag = format!("{keys}={value}");
        let _ = parse_in(FULL, &[(&name, &value)], &[&flag]);
    }
}
