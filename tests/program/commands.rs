//! The commands that move no documents, and how they are told.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::daemon::signal;
use crate::harness::{Folder, becomes_true, command, finish, repository, run, wait};

#[test]
fn validate_tells_people_and_programs() {
    for name in ["minimal", "fast", "inbox", "routes"] {
        let file = repository(&format!("config/{name}.yaml"));
        let told = run(&["validate", &file]).expect(0).stdout;
        assert!(told.trim_end().ends_with(": no mistakes"), "{told}");
    }
    run(&["test", &repository("config/routes.yaml")]).expect(0);
    let folder = Folder::new();
    let file = folder.write("p.yaml", "version: 1\nstages: [tokenise]\nnmae: x\n");
    let told = run(&["validate", "--format", "json", &file]).expect(2).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told[0]["findings"].as_array().unwrap().len(), 1, "{told:#}");
    assert_eq!(told[0]["findings"][0]["line"], 3, "{told:#}");
}

#[test]
fn a_stage_without_what_it_reads_is_refused_before_the_start() {
    let folder = Folder::new();
    let file = folder.write("p.yaml", "version: 1\nstages: [entity]\n");
    let told = run(&["validate", &file]).expect(2).stdout;
    assert!(told.contains("tokens") && told.contains("tokenise"), "{told}");
}

#[test]
fn the_schema_has_the_settings_of_the_plugins() {
    let schema = run(&["schema"]).expect(0).stdout;
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let text = schema.to_string();
    for word in
        ["targets", "inbox", "jsonl", "max_document_bytes", "routes", "expect", "token_file"]
    {
        assert!(text.contains(word), "the schema lacks {word}");
    }
}

#[test]
fn the_graph_is_drawn_in_two_languages() {
    let file = repository("config/fast.yaml");
    let mermaid = run(&["graph", "-c", &file]).expect(0).stdout;
    assert!(mermaid.contains("tokenise") && mermaid.contains("-->"), "{mermaid}");
    let dot = run(&["graph", &file, "--format", "dot"]).expect(0).stdout;
    assert!(dot.starts_with("digraph") && dot.contains("->"), "{dot}");
    run(&["graph", &file, "-c", &file]).expect(2);
}

#[test]
fn the_resolved_file_hides_secrets_and_shows_every_layer() {
    let folder = Folder::new();
    folder.write("secret", "hunter2");
    let file = folder.write(
        "p.yaml",
        "version: 1\nname: ${NAME:-unnamed}\nstages: [tokenise]\nsinks:\n  \
         out: { type: jsonl, path: \"${file:secret}\" }\n",
    );
    let shown = command(&["config", "show", &file, "--set", "shutdown_timeout=7s"])
        .env("STANDPOINT__DEFAULTS__TIMEOUT", "5s")
        .env("NAME", "from-environment")
        .spawn()
        .unwrap();
    let shown = finish(shown).expect(0).stdout;
    for expected in ["from-environment", "7s", "5s"] {
        assert!(shown.contains(expected), "{expected}:\n{shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn plugins_are_listed_and_looked_into() {
    let list = run(&["plugin", "list"]).expect(0).stdout;
    for stage in ["tokenise", "entity", "sentiment", "stance"] {
        assert!(list.lines().any(|line| line.starts_with(stage)), "{list}");
        let inspected = run(&["plugin", "inspect", stage]).expect(0).stdout;
        assert!(inspected.trim_end().ends_with("loads here: yes"), "{inspected}");
    }
    let json = run(&["plugin", "list", "--json"]).expect(0).stdout;
    serde_json::from_str::<Value>(&json).unwrap();
    run(&["plugin", "inspect", "nobody"]).expect(1);
}

#[test]
fn explain_shows_the_text_and_what_speaks_for_a_stance() {
    let folder = Folder::new();
    let article = folder.write("a.txt", "Kazakhstan condemned Russia. Rain fell.");
    let told = run(&["explain", &article]).expect(0).stdout;
    assert!(told.contains("Kazakhstan → Russia") && told.contains("Rain fell."), "{told}");
    assert!(!told.contains('\u{1b}'), "colour where nobody looks");
    let coloured = run(&["explain", &article, "--color", "always"]).expect(0).stdout;
    assert!(coloured.contains('\u{1b}'));
    let plain = command(&["explain", &article]).env("NO_COLOR", "1").spawn().unwrap();
    assert!(!finish(plain).expect(0).stdout.contains('\u{1b}'));
    let file = folder.at("explained.txt");
    assert_eq!(run(&["explain", &article, "-o", &file]).expect(0).stdout, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), told);
    let refused = run(&["explain", &article, "-o", &article]).expect(2).stderr;
    assert!(refused.contains("is read and would be written over"), "{refused}");
}

#[test]
fn shells_complete_and_help_is_there() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completion", shell]).expect(0).stdout.contains("standpoint"));
    }
    assert!(run(&["--version"]).expect(0).stdout.starts_with("standpoint "));
    assert!(run(&["run", "--help"]).expect(0).stdout.contains("Examples"));
    run(&[]).expect(2);
}

#[test]
fn what_cannot_be_meant_is_wrong_usage_and_what_is_not_there_is_told() {
    let folder = Folder::new();
    let (missing, empty) = (folder.at("none.jsonl"), folder.at("empty"));
    std::fs::create_dir(&empty).unwrap();
    let deep = folder.at("not/there/x.jsonl");
    let article = folder.write("a.txt", "Kazakhstan condemned Russia on Monday.");
    let results = folder.at("results.jsonl");
    run(&["run", &article, "-o", &results]).expect(0);
    let cases = [
        (vec!["evaluate", "stance", &missing], 2, "cannot open"),
        (vec!["corrections", &missing], 2, "none.jsonl: there is no such store"),
        (vec!["report", &results, "--from", "2024-02", "--to", "2024"], 0, "None matches among"),
        (vec!["report", &results, "--from", "2025", "--to", "2024-12"], 2, "nothing lies between"),
        (vec!["run", &empty], 0, "nothing was read"),
        (vec!["run", &article, "-o", &deep], 2, "there is no folder"),
        (vec!["run", &article], 0, ""),
    ];
    for (words, code, told) in cases {
        let ran = run(&words).expect(code);
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.is_empty(), told.is_empty(), "{words:?}: {}", ran.stderr);
    }
}

#[test]
fn a_target_is_a_stranger_only_where_no_document_of_a_run_names_it() {
    let folder = Folder::new();
    let lines =
        "{\"text\":\"Germany praised Poland.\"}\n{\"text\":\"Germany blamed Vladimir Putin.\"}
{\"text\":\"The lawyer Ilse Brandvold criticised Norway.\"}\n{\"text\":\"France praised Japan.\"}\n";
    let news = folder.write("news.jsonl", lines);
    for (target, is_strange) in
        [("Putin", false), ("Ilse Brandvold", false), ("Xi Jinping", true), ("RUX", true)]
    {
        let told = run(&["run", &news, "-t", target]).expect(0).stderr;
        let strange = format!("no document names the target \"{target}\"");
        assert_eq!(told.contains(&strange), is_strange, "{target}: {told}");
    }
}

#[test]
fn a_target_of_the_tables_has_one_id_whether_a_document_names_it_or_not() {
    let folder = Folder::new();
    let lines =
        "{\"text\":\"Germany blamed Vladimir Putin. Poland banned Huawei and left the EU.\"}
{\"text\":\"France praised Japan.\"}\n";
    let news = folder.write("news.jsonl", lines);
    let mut arguments = vec!["run", &news];
    let wanted = ["Putin", "huawei", "European Union", "Kremlin", "Ilse Brandvold (NOR.BRANDVOLD)"];
    arguments.extend(wanted.iter().flat_map(|name| ["-t", name]));
    let ran = run(&arguments).expect(0);
    let targets = ran.stdout.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let targets = line["stance"].as_array().unwrap().iter();
        let name = |target: &Value| format!("{} {}", target["id"], target["name"]).replace('"', "");
        targets.map(|stance| name(&stance["target"])).collect::<Vec<_>>()
    });
    let expected = [
        "RUS.PUTIN Vladimir Putin",
        "CHN.HUAWEI Huawei",
        "EU European Union",
        "RUS Russia",
        "NOR.BRANDVOLD Ilse Brandvold",
    ];
    assert_eq!(targets.collect::<Vec<_>>(), [expected; 2]);
}

#[test]
fn who_gives_no_path_and_no_input_learns_what_was_read() {
    let ran = crate::harness::run_with_input(&["run"], b"").expect(3);
    assert!(ran.stderr.contains("what was read is standard input; name files"), "{}", ran.stderr);
    let folder = Folder::new();
    let ran = run(&["run", &folder.write("a.txt", "")]).expect(3);
    assert!(!ran.stderr.contains("standard input"), "{}", ran.stderr);
}

#[test]
fn a_run_that_is_stopped_before_the_end_of_its_input_has_not_succeeded() {
    let folder = Folder::new();
    let pipeline = folder.write("p.yaml", "version: 1\nstages: [tokenise]\n");
    let results = folder.at("results.jsonl");
    let arguments = ["run", "-", "-c", &pipeline, "-o", &results];
    let mut child = command(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    // Whoever writes has not ended.
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"text\": \"Minsk agreed.\"}\n").unwrap();
    let is_written = || fs::read_to_string(&results).is_ok_and(|lines| lines.ends_with('\n'));
    assert!(becomes_true(is_written));
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(1));
    drop(input);
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("stopped: what was given was not read to its end"), "{told}");
}

#[test]
fn a_run_that_is_interrupted_says_that_it_drains_and_calls_it_no_error() {
    let folder = Folder::new();
    let pipeline = folder.write("p.yaml", "version: 1\nstages: [tokenise]\n");
    let many = folder.write("many.jsonl", "{\"text\": \"Minsk agreed.\"}\n".repeat(20_000));
    // Nobody reads the results on, so that documents wait to be taken.
    let mut child = command(&["run", &many, "-c", &pipeline]).spawn().unwrap();
    let mut results = BufReader::new(child.stdout.take().unwrap());
    results.read_line(&mut String::new()).unwrap();
    signal(&child, Signal::INT);
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    told.read_line(&mut first).unwrap();
    assert_eq!(first, "stopping after the documents under way; a second Ctrl-C ends it at once\n");
    std::io::copy(&mut results, &mut std::io::sink()).unwrap();
    assert_eq!(wait(&mut child).code(), Some(1));
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("stopped: what was given was not read to its end\n"), "{rest}");
    assert!(rest.lines().all(|line| line.starts_with("stopped: ")), "{rest}");
}

#[test]
fn a_run_that_is_stopped_before_its_first_document_says_so_and_has_not_succeeded() {
    let folder = Folder::new();
    let pipeline = folder.write("p.yaml", "version: 1\nstages: [tokenise]\n");
    let mut child = command(&["run", "-", "-c", &pipeline]).stdin(Stdio::piped()).spawn().unwrap();
    let hears_signals = || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (Signal::TERM.as_raw() - 1)) != 0
    };
    assert!(becomes_true(hears_signals));
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(1));
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("stopped: no document was read yet"), "{told}");
    assert!(!told.contains("nothing was read"), "{told}");
}
