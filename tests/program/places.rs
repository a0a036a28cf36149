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
