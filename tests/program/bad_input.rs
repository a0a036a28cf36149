//! Bad input gets a clear line each, the other documents go on, and nothing hangs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::thread;

use crate::harness::{
    Folder, RESULTS, becomes_true, command, finish, obey_rights, pipeline, run, run_with_input,
};

const GOOD: &str = "Kazakhstan condemned Russia.";

#[test]
fn every_bad_file_is_named_and_the_good_ones_come_out() {
    let folder = Folder::new();
    folder.write("in/a-good.txt", GOOD);
    folder.write("in/z-good.txt", GOOD);
    folder.write("in/empty.txt", "");
    folder.write("in/white.txt", " \n\t ");
    folder.write("in/rubbish.txt", (0..=255).cycle().take(4096).collect::<Vec<u8>>());
    folder.write("in/deep.json", "{\"text\":".to_owned() + &"[".repeat(10_000));
    folder.write("in/no-text.json", "{\"title\": \"x\"}");
    symlink("nowhere", folder.at("in/broken.txt")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.at("in/pipe.txt").as_str(), 0o600.into()).unwrap();

    let ran = run(&["run", &folder.at("in")]).expect(3);
    let results = ran.results();
    let mut good: Vec<&str> =
        results.iter().map(|result| result["source"]["path"].as_str().unwrap()).collect();
    // Documents come out in the order in which they are done.
    good.sort_unstable();
    assert_eq!(good, ["a-good.txt", "z-good.txt"], "{}", ran.stderr);
    let cases = [
        ("empty.txt", "it holds no text"),
        ("white.txt", "it holds no text"),
        ("rubbish.txt", "it is not text"),
        ("deep.json", "max_json_depth"),
        ("no-text.json", "text"),
        ("broken.txt", "it is a link that leads nowhere"),
        ("pipe.txt", "it is a pipe, socket or device"),
    ];
    for (file, reason) in cases {
        let named = |line: &&str| line.contains(file);
        let line = ran.stderr.lines().find(named).unwrap_or_else(|| panic!("{file} is not named"));
        assert!(line.starts_with("failed ") && line.contains(reason), "{line}");
    }
    assert!(ran.stderr.contains("7 of 9 documents failed"), "{}", ran.stderr);
}

#[test]
fn a_file_that_holds_no_document_is_told_of() {
    let folder = Folder::new();
    let files = [("a.json", "[]"), ("b.jsonl", "\n\n"), ("c.csv", "text\n"), ("d.rss", "<rss/>")];
    for (name, content) in files {
        folder.write(&format!("inbox/{name}"), content);
    }
    let ran = run(&["run", &folder.at("inbox")]).expect(0);
    let pipeline = folder.write("p.yaml", pipeline("[tokenise]", RESULTS, ""));
    let log = run(&["daemon", "--once", "-c", &pipeline]).expect(0).stderr;
    for (name, _) in files {
        let is_told = |line: &str| line.ends_with(&format!("{name}: it holds no document"));
        assert!(ran.stderr.lines().any(is_told), "{name}: {}", ran.stderr);
        let is_logged = |line: &str| line.contains("held no document") && line.contains(name);
        assert!(log.lines().any(is_logged), "{name}: {log}");
    }
    assert_eq!(folder.files("archive", true).len(), files.len());
}

#[test]
fn odd_encodings_are_read() {
    let utf16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    let note = "read as UTF-16LE, though it has no byte order mark: every other byte is zero";
    let replaced = "read as UTF-8, in which some of its bytes mean nothing: they became U+FFFD";
    let marked = [b"\xef\xbb\xbf", GOOD.as_bytes(), b" Caf\xe9 \xff."].concat();
    let cases: [(&str, Vec<u8>, Option<&str>); 7] = [
        ("byte order mark", [b"\xef\xbb\xbf", GOOD.as_bytes()].concat(), None),
        ("UTF-16", utf16(GOOD), None),
        ("NUL bytes", [b"\0", GOOD.repeat(4).as_bytes(), b"\0"].concat(), None),
        ("invalid UTF-8", [GOOD.as_bytes(), b" Caf\xe9 \xff."].concat(), None),
        ("invalid UTF-8 behind its mark", marked, Some(replaced)),
        ("no UTF-16", [b"\xff\xfe is no mark. ", GOOD.as_bytes()].concat(), None),
        ("UTF-16 without a mark", utf16(GOOD)[2..].to_vec(), Some(note)),
    ];
    let folder = Folder::new();
    for (case, bytes, note) in cases {
        let path = folder.write("a.txt", bytes);
        let result = &run(&["run", &path]).expect(0).results()[0];
        let text = result["text"].as_str().unwrap();
        assert!(text.contains(GOOD) && !text.contains('\u{feff}'), "{case}: {text:?}");
        assert_eq!(result["notes"][0].as_str(), note, "{case}");
    }
}

#[test]
fn a_line_of_fifty_megabytes_is_passed_over() {
    let mut input = b"{\"text\":\"".to_vec();
    input.resize(50_000_000, b'x');
    input.extend_from_slice(b"\"}\n{\"text\":\"Rain.\"}\n");
    let ran = run_with_input(&["run"], &input).expect(3);
    assert_eq!(ran.results().len(), 1);
    assert!(ran.stderr.contains("max_line_bytes is 16777216"), "{}", ran.stderr);
}

#[test]
fn a_text_of_one_line_of_fifty_megabytes_is_refused_by_its_size() {
    let folder = Folder::new();
    folder.write("in/huge.txt", vec![b'x'; 50_000_000]);
    folder.write("in/good.txt", GOOD);
    let ran = run(&["run", &folder.at("in")]).expect(3);
    assert_eq!(ran.results().len(), 1);
    let told = ran.stderr.lines().find(|line| line.contains("huge.txt")).unwrap();
    assert!(told.contains("max_document_bytes is 16777216"), "{told}");
}

#[test]
fn a_folder_without_rights_is_named() {
    let folder = Folder::new();
    folder.write("in/shut/a.txt", GOOD);
    folder.write("in/good.txt", GOOD);
    let set = |mode: u32| fs::set_permissions(folder.at("in/shut"), Permissions::from_mode(mode));
    set(0).unwrap();
    // A thread of its own, as what it gives up is gone for good.
    let path = folder.at("in");
    let ran = thread::spawn(move || {
        obey_rights();
        run(&["run", &path])
    });
    let ran = ran.join().unwrap().expect(3);
    set(0o700).unwrap();
    assert_eq!(ran.results().len(), 1);
    assert!(ran.stderr.contains("Permission denied"), "{}", ran.stderr);
}

#[test]
fn what_is_not_there_is_wrong_usage() {
    let cases: [&[&str]; 5] = [
        &["run", "no/such/folder"],
        &["run", "-c", "no/such/file.yaml", "-"],
        &["run", "--no-such-option"],
        &["no-such-command"],
        &["run", "--set", "nothing"],
    ];
    for arguments in cases {
        let ran = run(arguments).expect(2);
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn ten_mistakes_are_told_at_once_with_their_lines() {
    let folder = Folder::new();
    let text = "version: 2
nmae: typo
defaults: { timeout: 10, on_error: explode }
shutdown_timeout: soon
stages:
  - tokenise
  - use: stance
    tyemout: 10s
    concurrency: 0
    batch: { max_documents: many }
limits: { max_line_bytes: 5 }
commit: { durability: never }
sinks: []
";
    let path = folder.write("p.yaml", text);
    let ran = run(&["validate", &path]).expect(2);
    for line in [1, 2, 3, 4, 8, 9, 10, 11, 12, 13] {
        assert!(ran.stdout.contains(&format!("p.yaml:{line}:")), "line {line}:\n{}", ran.stdout);
    }
    let count = ran.stdout.matches(": error: ").count();
    assert!(count >= 10, "{count} mistakes:\n{}", ran.stdout);
    assert!(ran.stdout.contains("did you mean `name`?"), "{}", ran.stdout);
    run(&["run", "-c", &path, "-"]).expect(2);
}

#[test]
fn mistakes_in_what_parts_take_are_told_at_once_too() {
    let folder = Folder::new();
    let text = "version: 1
stages:
  - tokenize
  - tokenise
  - entity
  - use: stance
    with: { taget: Russia }
    when: \"langage == 'en'\"
sinks:
  out: { type: jsnol, path: x }
  two: { type: jsonl }
";
    let path = folder.write("p.yaml", text);
    let told = run(&["validate", &path]).expect(2).stdout;
    for line in [3, 7, 8, 10, 11] {
        assert!(told.contains(&format!("p.yaml:{line}:")), "line {line}:\n{told}");
    }
}

#[test]
fn mistakes_of_every_kind_are_told_in_one_run() {
    let folder = Folder::new();
    let text = "version: 2
timout: 5s
sources:
  news: { type: inbox, path: ./inbox, setle: 500ms }
stages:
  - tokenise
  - entty
  - use: ./libabsent.so
  - use: stance
    with: { taget: Russia }
    when: \"langage == 'en'\"
    concurrency: 0
sinks:
  out: { type: jsnol, path: x }
routes:
  - { when: \"lenght > 3\", to: [outt] }
  - { to: [] }
";
    let path = folder.write("p.yaml", text);
    let told = run(&["validate", &path]).expect(2).stdout;
    let places: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix(&format!("{path}:")))
        .filter(|line| line.contains(": error: "))
        .map(|line| line.split_once(": ").unwrap().0)
        .collect();
    let expected = [
        "1:10", "2:1", "4:3", "4:39", "7:5", "8:10", "10:13", "11:12", "12:18", "14:16", "16:14",
        "16:32",
    ];
    assert_eq!(places, expected, "{told}");

    let told = run(&["validate", "--format", "json", &path]).expect(2).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let findings = told[0]["findings"].as_array().unwrap().iter();
    let errors = findings.filter(|finding| finding["severity"] == "error");
    let json: Vec<String> =
        errors.map(|finding| format!("{}:{}", finding["line"], finding["column"])).collect();
    assert_eq!(json, expected);
}

#[test]
fn an_unknown_stage_hides_no_mistake_that_can_be_told() {
    let folder = Folder::new();
    // One that is misspelt has the settings of the stage that was meant; `entity` reads tokens.
    let cases = [
        (
            "entity, tokenise, { use: stanec, with: { taget: Russia } }",
            ["2:10", "2:10", "2:35", "2:51"].as_slice(),
        ),
        (
            "entity, frobnicate, { use: stance, with: { targets: [] } }",
            &["2:10", "2:10", "2:18", "2:53"],
        ),
    ];
    for (stages, expected) in cases {
        let path = folder.write("p.yaml", format!("version: 1\nstages: [{stages}]\n"));
        let told = run(&["validate", &path]).expect(2).stdout;
        let places = told.lines().filter_map(|line| line.strip_prefix(&format!("{path}:")));
        let places: Vec<&str> = places.map(|line| line.split_once(": ").unwrap().0).collect();
        assert_eq!(places, expected, "{told}");
    }
}

#[test]
fn a_library_that_is_no_plugin_is_refused() {
    let folder = Folder::new();
    folder.write("libfake.so", "not a library");
    let path = folder.write("p.yaml", "version: 1\nstages: [tokenise, ./libfake.so]\n");
    let ran = run(&["run", "-c", &path, "-"]).expect(2);
    assert!(ran.stderr.contains("libfake.so"), "{}", ran.stderr);
    let inspected = run(&["plugin", "inspect", &folder.at("libfake.so")]).expect(1);
    assert!(inspected.stdout.starts_with("loads here: no, because "), "{}", inspected.stdout);
}

#[test]
fn a_plugin_for_another_abi_is_refused() {
    let folder = Folder::new();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-DMAJOR=\"7\"", "-DTABLE_MAJOR=7", "-w", "-I"])
        .arg(crate::harness::repository("crates/standpoint-abi/include"))
        .args(["-o", &folder.at("libbad.so")])
        .arg(crate::harness::repository("crates/standpoint-abi/tests/c/bad.c"))
        .status()
        .unwrap();
    assert!(compiled.success());
    let path = folder.write("p.yaml", "version: 1\nstages: [tokenise, ./libbad.so]\n");
    let ran = run(&["run", "-c", &path, "-"]).expect(2);
    assert!(ran.stderr.contains("ABI") && ran.stderr.contains('7'), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = Folder::new();
    let pipeline = folder.write("p.yaml", "version: 1\nstages: [tokenise]\n");
    // All is read before the first line is written, and is not.
    for count in [200, 20_000] {
        let lines: String =
            (0..count).map(|index| format!("{{\"text\":\"Rain in Russia {index}.\"}}\n")).collect();
        let path = folder.write("feed.jsonl", lines);
        let mut child = command(&["run", "-c", &pipeline, &path]).spawn().unwrap();
        drop(child.stdout.take());
        child.stdout = Some(child_stdout());
        let told = finish(child).expect(0).stderr;
        assert!(!told.contains("stopped") && !told.contains("lost sight"), "{count}: {told}");
    }
}

/// Something to read nothing from, in place of an output that was closed.
fn child_stdout() -> std::process::ChildStdout {
    let mut done = Command::new("true").stdout(std::process::Stdio::piped()).spawn().unwrap();
    assert!(becomes_true(|| done.try_wait().unwrap().is_some()));
    done.stdout.take().unwrap()
}
