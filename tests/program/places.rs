//! What a daemon writes must not lie in an inbox, which would read it as documents.

use crate::harness::{Folder, run};

/// A pipeline over the folder `inbox`.
fn pipeline(include: &str, data_dir: &str, lines: &str, store: &str) -> String {
    format!(
        "version: 1
data_dir: {data_dir}
sources:
  news:
    type: inbox
    path: ./inbox
    include: [\"{include}\"]
    on_success: {{ archive: ./inbox/archive }}
stages: [tokenise]
sinks:
  lines: {{ type: jsonl, path: {lines} }}
  store: {{ type: sqlite, path: {store} }}
quarantine: {{ path: ./inbox/quarantine }}
"
    )
}

#[test]
fn all_that_a_daemon_writes_into_its_inbox_is_told_at_once() {
    let folder = Folder::new();
    folder.write("inbox/.keep", "");
    std::os::unix::fs::symlink("inbox", folder.at("link")).unwrap();
    let lies = [
        (":2:11", "the data folder ", "/inbox/state lies in the inbox of `news`"),
        (":8:28", "the archive ", "/inbox/archive lies in the inbox of `news`"),
        (":11:31", "the output ", "/inbox/out/lines.jsonl lies in the inbox of `news`"),
        (":12:32", "the output ", "/link/store.db lies in the inbox of `news`"),
        (":13:21", "the quarantine ", "/inbox/quarantine lies in the inbox of `news`"),
    ];
    let told = |include, data_dir, lines, store| {
        let file = folder.write("p.yaml", pipeline(include, data_dir, lines, store));
        (run(&["validate", &file]).expect(2).stdout, file)
    };
    let (all, file) = told("**/*", "./inbox/state", "./inbox/out/lines.jsonl", "./link/store.db");
    let at_the_start = run(&["daemon", "--once", "-c", &file]).expect(2).stderr;
    for (place, what, path) in lies {
        for told in [&all, &at_the_start] {
            let line =
                told.lines().find(|line| line.contains(path)).unwrap_or_else(|| panic!("{told}"));
            assert!(line.contains(&format!("p.yaml{place}: error: {what}")), "{line}");
        }
    }
    assert!(all.contains("which would read what is written there as documents"), "{all}");
    assert!(all.contains("put the output beside the inbox, or into a folder whose name"), "{all}");
    assert!(!std::path::Path::new(&folder.at("inbox/state")).exists(), "it did not start");
    // What no pattern of the inbox takes, or is hidden in it, may lie there.
    let (told, _) = told("**/*.txt", "./inbox/.state", "./inbox/lines.jsonl", "./inbox/.out/a.txt");
    for place in ["data folder", "output"] {
        assert!(!told.contains(place), "{told}");
    }
}

#[test]
fn an_output_that_is_a_folder_of_the_daemon_is_a_mistake() {
    let folder = Folder::new();
    folder.write("inbox/.keep", "");
    for (path, what) in [
        ("./bad", Some("quarantine")),
        ("./done/", Some("archive")),
        ("./state", Some("data folder")),
        ("./bad.jsonl", None),
        ("./state/lines.jsonl", None),
    ] {
        let text = format!(
            "version: 1
data_dir: ./state
sources: {{ news: {{ type: inbox, path: ./inbox, on_success: {{ archive: ./done }} }} }}
stages: [tokenise]
sinks:
  lines: {{ type: jsonl, path: {path} }}
quarantine: {{ path: ./bad }}
"
        );
        let file = folder.write("p.yaml", text);
        let told = run(&["validate", &file]).expect(if what.is_some() { 2 } else { 0 }).stdout;
        if let Some(what) = what {
            let line = told.lines().find(|line| line.contains("p.yaml:6:31: error: the output "));
            let expected = format!(" is the {what}, and results go to a file");
            assert!(line.is_some_and(|line| line.contains(&expected)), "{path}: {told}");
        }
    }
}

#[test]
fn an_archive_and_the_quarantine_hold_nothing_but_what_is_put_away() {
    let folder = Folder::new();
    folder.write("inbox/.keep", "");
    let usual = ["./done", "./bad", "./state", "./out/lines.jsonl"];
    let cases = [
        (usual, ""),
        (["./bad", "./bad", "./state", "./lines.jsonl"], ":3:71: error: the archive ./bad lies in"),
        (
            ["./bad/done", "./bad", "./s", "./lines.jsonl"],
            ":3:71: error: the archive ./bad/done lies",
        ),
        (
            ["./done", "./done/bad", "./s", "./lines.jsonl"],
            ":7:21: error: the quarantine ./done/bad",
        ),
        (
            ["./done", "./bad", "./done/s", "./a.jsonl"],
            ":3:71: error: the archive ./done would hold",
        ),
        (
            ["./done", "./bad", "./state", "./bad/a.jsonl"],
            ":6:31: error: the output ./bad/a.jsonl lies",
        ),
        (
            ["./done", "./bad", "./state", "./done/a.jsonl"],
            ":6:31: error: the output ./done/a.jsonl",
        ),
        ([".", "./bad", "./state", "./lines.jsonl"], "would hold the inbox ./inbox"),
        (["./done", ".", "./state", "./lines.jsonl"], "would hold the inbox ./inbox"),
    ];
    for ([archive, quarantine, state, lines], expected) in cases {
        let text = format!(
            "version: 1
data_dir: {state}
sources: {{ news: {{ type: inbox, path: ./inbox, on_success: {{ archive: {archive} }} }} }}
stages: [tokenise]
sinks:
  lines: {{ type: jsonl, path: {lines} }}
quarantine: {{ path: {quarantine} }}
"
        );
        let file = folder.write("p.yaml", text);
        let told = run(&["validate", &file]).expect(if expected.is_empty() { 0 } else { 2 }).stdout;
        let told = told.replace(&folder.at(""), "./").replace("./.", ".");
        assert!(told.contains(expected), "{expected}: {told}");
        assert_eq!(told.matches(": error: ").count(), usize::from(!expected.is_empty()), "{told}");
    }
}

#[test]
fn a_mistake_elsewhere_hides_no_folder_and_no_target() {
    let folder = Folder::new();
    folder.write("inbox/.keep", "");
    for (limits, settle, mistake) in [
        ("{ max_json_depth: many }", "1ms", "p.yaml:2:27: error: "),
        ("{}", "1ms, setle: 2ms", "unknown key `setle`"),
        ("{}", "soon", "p.yaml:7:13: error: "),
    ] {
        let text = format!(
            "version: 1
limits: {limits}
data_dir: ./inbox/state
sources:
  news:
    type: inbox
    settle: {settle}
    path: ./inbox
    on_success: delete
stages:
- tokenise
- entity
- use: stance
  with: {{ targets: [] }}
"
        )
        .replace(", setle", "\n    setle");
        let file = folder.write("p.yaml", text);
        let told = run(&["validate", &file]).expect(2).stdout;
        for expected in [mistake, "lies in the inbox of `news`", "`targets` names nobody"] {
            assert!(told.contains(expected), "{limits} {settle}: {told}");
        }
    }
}

#[test]
fn a_pattern_of_file_names_that_is_none_is_told_with_its_place() {
    let folder = Folder::new();
    folder.write("inbox/.keep", "");
    for (key, patterns, place) in [
        ("include", "['**/*.txt', '[a']", Some("7:27")),
        ("ignore", "['{a']", Some("7:14")),
        ("ignore", "['[a]*', '**/{a,b}.txt']", None),
    ] {
        let text = format!(
            "version: 1
stages: [tokenise]
sources:
  news:
    type: inbox
    path: ./inbox
    {key}: {patterns}
    on_success: delete
sinks: {{ lines: {{ type: jsonl, path: lines.jsonl }} }}
"
        );
        let file = folder.write("p.yaml", text);
        let told = run(&["validate", &file]).expect(if place.is_some() { 2 } else { 0 }).stdout;
        if let Some(place) = place {
            assert!(told.contains(&format!("p.yaml:{place}: error: `")), "{told}");
            assert!(told.contains("` is not a pattern of file names: "), "{told}");
        }
    }
}
