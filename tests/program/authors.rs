//! From nothing to a stage of one's own: what `plugin new` makes works untouched, from any place;
//! `plugin test` finds what is wrong with a stage; `inspect` and `doctor` say what would not load.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Folder, command, finish, plugins, repository, run};

/// A C compiler, as `cc` or in $CC.
fn compile(source: &str, library: &str, flags: &[&str]) {
    let output = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c11", "-fPIC", "-shared", "-o", library, "-I"])
        .arg(repository("crates/standpoint-abi/include"))
        .args(flags)
        .arg(repository(source))
        .output()
        .expect("a C compiler, as `cc` or in $CC");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The verdicts of `plugin test`, by check.
fn verdicts(arguments: &[&str], code: i32) -> Vec<(String, String, String)> {
    let ran = run(&[&["plugin", "test", "--format", "json"][..], arguments].concat()).expect(code);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = told["checks"].as_array().unwrap().iter();
    checks.map(|c| (text(&c["check"]), text(&c["verdict"]), text(&c["why"]))).collect()
}

/// Runs the commands that `plugin new` tells, word for word but for the first, which a test in C or
/// Python may run as it is, too.
fn follow(folder: &Folder, language: &str) {
    let made = folder.at("word-list");
    let mut new = command(&["plugin", "new", "word-list", "--lang", language]);
    let told = finish(new.current_dir(folder.at("")).spawn().unwrap()).expect(0).stdout;
    let commands: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(commands[0], "cd word-list");
    assert_eq!(commands.len(), 4, "{told}");
    let readme = std::fs::read_to_string(format!("{made}/README.md")).unwrap();
    for line in commands[1..].iter().copied() {
        assert!(readme.contains(line), "{line}");
        let program = Path::new(env!("CARGO_BIN_EXE_standpoint")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(&made)
            .env("PATH", format!("{}:{path}", program.display()))
            .env("STANDPOINT_PLUGINS", plugins())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line}\n{out}\n{err}");
        if line.contains(" plugin test ") {
            assert!(out.ends_with(" 0 warned, 0 failed\n"), "{out}");
        }
        if line.contains(" run ") {
            let result: Value = serde_json::from_str(&out).unwrap();
            assert_eq!(result["layers"]["word-list"].as_array().unwrap().len(), 3, "{out}");
        }
    }
    // It is there, so it is not made again.
    let mut again = command(&["plugin", "new", "word-list", "--lang", language]);
    let again = finish(again.current_dir(folder.at("")).spawn().unwrap()).expect(2);
    assert!(again.stderr.contains("word-list is there already"), "{}", again.stderr);
}

#[test]
fn a_stage_in_c_is_made_tried_and_run() {
    follow(&Folder::new(), "c");
}

#[test]
fn a_stage_in_python_is_made_tried_and_run() {
    follow(&Folder::new(), "python");
}

#[test]
fn a_new_stage_needs_a_name_and_for_rust_the_crates() {
    let folder = Folder::new();
    let refused = |arguments: &[&str]| {
        let mut new = command(&[&["plugin", "new"][..], arguments].concat());
        finish(new.current_dir(folder.at("")).spawn().unwrap()).expect(2).stderr
    };
    assert!(refused(&["Word List"]).contains("cannot be the name of a stage"));
    assert!(
        refused(&["x", "--sdk", "/nowhere"]).contains("name a clone of Standpoint with `--sdk`")
    );
    // The crates of the clone that this program was built from.
    let mut new = command(&["plugin", "new", "x"]);
    finish(new.current_dir(folder.at("")).spawn().unwrap()).expect(0);
    let manifest = std::fs::read_to_string(folder.at("x/Cargo.toml")).unwrap();
    assert!(manifest.contains("crates/standpoint-abi\" }"), "{manifest}");
    let mut new = command(&["plugin", "new", "y", "--sdk", "https://example.org/standpoint.git"]);
    finish(new.current_dir(folder.at("")).spawn().unwrap()).expect(0);
    let manifest = std::fs::read_to_string(folder.at("y/Cargo.toml")).unwrap();
    assert!(manifest.contains("{ git = \"https://example.org/standpoint.git\" }"), "{manifest}");
}

#[test]
fn the_standard_stages_pass_the_suite_of_every_stage() {
    for stage in ["tokenise", "entity", "sentiment", "stance"] {
        for (check, verdict, why) in verdicts(&[stage], 0) {
            assert_ne!(verdict, "failed", "{stage}: {check}: {why}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_stage_is_found_and_a_crash_is_a_result() {
    let folder = Folder::new();
    let library = folder.at("libbad.so");
    compile("crates/standpoint-abi/tests/c/bad.c", &library, &[]);
    let found = verdicts(&[&library], 1);
    let of = |name: &str| found.iter().find(|(check, ..)| check == name).unwrap();
    assert_eq!(of("texts").1, "failed", "{found:?}");

    let script = |name: &str, body: &str| {
        folder.write(
            name,
            format!(
                "import sys, os
sys.path.insert(0, {sdk:?})
from standpoint_stage import Stage, serve
class Odd(Stage):
    name = 'odd'
    writes = ['odd']
    calls = 0
    def process(self, document):
        {body}
serve(Odd)
",
                sdk = repository("crates/standpoint-process/python")
            ),
        )
    };
    let cases = [
        ("crash.py", "os.abort()", "texts", "its process was ended by signal 6 (SIGABRT)"),
        ("raise.py", "raise KeyError('x')", "texts", "KeyError: 'x' at raise.py:9"),
        (
            "count.py",
            "Odd.calls += 1; document.set_attribute('odd', Odd.calls)",
            "deterministic",
            "it says another thing when asked again",
        ),
        ("foreign.py", "document.set_attribute('other', 1)", "texts", "it writes `other`"),
    ];
    for (name, body, check, expected) in cases {
        let path = script(name, body);
        let found = verdicts(&["--", "python3", "-B", &path], 1);
        let of = found.iter().find(|(found, ..)| found == check).unwrap();
        assert!(of.1 == "failed" && of.2.contains(expected), "{name}: {found:?}");
    }
    let good = script("good.py", "document.set_attribute('odd', len(document.text))");
    let found = verdicts(&["--", "python3", "-B", &good], 0);
    assert!(found.iter().all(|(_, verdict, _)| verdict != "failed"), "{found:?}");
    let in_process = ["--in-process", "--bench", "--", "python3", "-B", good.as_str()];
    assert!(verdicts(&in_process, 0).len() == found.len());
}

#[test]
fn inspect_and_doctor_say_what_would_not_load() {
    let folder = Folder::new();
    let library = folder.at("libhedge_c.so");
    compile("crates/standpoint-abi/examples/c/hedge.c", &library, &[]);
    let inspected = run(&["plugin", "inspect", &library]).expect(0).stdout;
    assert!(inspected.ends_with("loads here: yes\n"), "{inspected}");
    assert!(inspected.contains("natively, with all rights of the program"), "{inspected}");
    let text = folder.write("libtext.so", "no library");
    let inspected = run(&["plugin", "inspect", &text]).expect(1).stdout;
    assert!(inspected.starts_with("loads here: no, because "), "{inspected}");
    let python = repository("crates/standpoint-process/python/examples/hedge.py");
    let ran = run(&["plugin", "inspect", "--", "python3", "-B", &python]).expect(1).stdout;
    assert!(ran.contains("No module named 'standpoint_stage'"), "{ran}");

    let doctor = run(&["plugin", "doctor"]).expect(0).stdout;
    for part in ["yes native", "yes process   Python 3.", "yes tokenise", "folders"] {
        assert!(doctor.contains(part), "{part}: {doctor}");
    }
    let doctor = run(&["plugin", "doctor", "--path", &folder.at("")]).expect(1).stdout;
    assert!(doctor.contains("libtext.so\n      "), "{doctor}");
    let json = run(&["plugin", "doctor", "--json"]).expect(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["runtimes"]["native"]["works"], true);
}

#[test]
fn what_is_no_program_yet_is_told_with_what_to_do() {
    let folder = Folder::new();
    let script = folder.write("stage.py", "#!/usr/bin/env python3\n");
    let pipeline = folder.write("p.yaml", "version: 1\nstages: [tokenise]\n");
    let cases = [
        (&script, "stage.py is not executable: `chmod +x` it, or name what runs it before it"),
        (&pipeline, "p.yaml is a pipeline file and no plugin: `standpoint validate"),
    ];
    for (path, expected) in cases {
        let ran = run(&["plugin", "inspect", path]).expect(1);
        assert!(ran.stdout.contains(expected), "{}", ran.stdout);
        let ran = run(&["plugin", "test", path]);
        assert!((ran.stdout.clone() + &ran.stderr).contains(expected), "{}", ran.stderr);
    }
}
