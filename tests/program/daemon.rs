//! The daemon: nothing is lost, nothing is doubled, whatever happens to the process.

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;

use serde_json::Value;

use crate::harness::{Folder, RESULTS, STAGES, becomes_true, command, finish, pipeline, run};

/// A folder with an inbox and the pipeline that watches it.
struct Station {
    folder: Folder,
    pipeline: String,
}

impl Station {
    fn new() -> Self {
        let folder = Folder::new();
        let pipeline = folder.write("p.yaml", pipeline(STAGES, RESULTS, ""));
        fs::create_dir(folder.at("inbox")).unwrap();
        Self { folder, pipeline }
    }

    /// Puts a file into the inbox whole, by renaming it in.
    fn drop_in(&self, name: &str, text: &str) {
        let draft = self.folder.write("draft", text);
        fs::rename(draft, self.folder.at(&format!("inbox/{name}"))).unwrap();
    }

    fn start(&self) -> Child {
        command(&["daemon", "-c", &self.pipeline]).spawn().unwrap()
    }

    /// How often each file is in the results.
    fn counts(&self) -> BTreeMap<String, usize> {
        let text = fs::read_to_string(self.folder.at("out/results.jsonl")).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            let result: Value = serde_json::from_str(line).unwrap();
            *counts.entry(result["source"]["path"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        counts
    }
}

pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(process, signal).unwrap();
}

#[test]
fn once_archives_what_is_good_and_quarantines_the_rest() {
    let station = Station::new();
    station.drop_in("good.txt", "Kazakhstan condemned Russia.");
    station.drop_in("empty.txt", " ");
    run(&["daemon", "-c", &station.pipeline, "--once"]).expect(3);
    assert_eq!(station.folder.files("inbox", true), [""; 0]);
    assert_eq!(station.folder.files("archive", false), ["good.txt"]);
    assert_eq!(station.folder.files("quarantine", false), ["empty.txt", "empty.txt.reason.json"]);
    let reason = fs::read(station.folder.at("quarantine/empty.txt.reason.json")).unwrap();
    let reason: Value = serde_json::from_slice(&reason).unwrap();
    assert!(reason["reason"].as_str().unwrap().contains("it holds no text"), "{reason}");
    assert_eq!(station.counts(), BTreeMap::from([("good.txt".to_owned(), 1)]));

    // The same again does nothing, and a file of the same name and new content is a new document.
    run(&["daemon", "-c", &station.pipeline, "--once"]).expect(0);
    station.drop_in("good.txt", "Belarus praised Russia.");
    run(&["daemon", "-c", &station.pipeline, "--once"]).expect(0);
    assert_eq!(station.folder.files("archive", false).len(), 2);
    assert_eq!(station.counts(), BTreeMap::from([("good.txt".to_owned(), 2)]));
}

#[test]
fn killed_in_the_middle_it_has_every_document_once() {
    let station = Station::new();
    let names: Vec<String> = (0..60).map(|index| format!("{index:02}.txt")).collect();
    for killed_at in [1, 20] {
        for name in &names {
            let is_known = station.folder.files("", false).contains(name);
            if !is_known {
                station.drop_in(name, &format!("Report {name}. Kazakhstan condemned Russia."));
            }
        }
        let mut child = station.start();
        assert!(becomes_true(|| station.counts_so_far() >= killed_at), "no results");
        child.kill().unwrap();
        finish(child);
    }
    run(&["daemon", "-c", &station.pipeline, "--once"]).expect(0);
    let counts = station.counts();
    assert_eq!(counts.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    assert!(counts.values().all(|&count| count == 1), "{counts:?}");
    assert_eq!(station.folder.files("archive", false), names);
    assert_eq!(station.folder.files("inbox", true), [""; 0]);
    assert_eq!(station.folder.files("quarantine", false), [""; 0]);
}

impl Station {
    /// How many lines the results have; the last may be half a line.
    fn counts_so_far(&self) -> usize {
        let text = fs::read(self.folder.at("out/results.jsonl")).unwrap_or_default();
        String::from_utf8_lossy(&text).matches('\n').count()
    }
}

#[test]
fn sigterm_drains_and_a_second_instance_is_refused() {
    let station = Station::new();
    station.drop_in("a.txt", "Kazakhstan condemned Russia.");
    let child = station.start();
    assert!(becomes_true(|| station.folder.files("archive", false) == ["a.txt"]), "not archived");
    let second = run(&["daemon", "-c", &station.pipeline, "--once"]).expect(4);
    assert!(second.stderr.contains(&child.id().to_string()), "{}", second.stderr);
    let told = run(&["forget", "-c", &station.pipeline, "0123"]).expect(4).stderr;
    assert!(told.contains("stop it first: a document is forgotten while no daemon runs"), "{told}");

    signal(&child, rustix::process::Signal::TERM);
    finish(child).expect(0);
    assert_eq!(station.counts(), BTreeMap::from([("a.txt".to_owned(), 1)]));
}

#[test]
fn the_store_holds_every_document_once_beside_the_result_lines() {
    let station = Station::new();
    let with_store = fs::read_to_string(&station.pipeline).unwrap().replace(
        "quarantine:",
        "  store: { type: sqlite, path: ./out/standpoint.db }\nquarantine:",
    );
    fs::write(&station.pipeline, with_store).unwrap();
    for round in 0..2 {
        for name in ["a.txt", "b.txt"] {
            station.drop_in(name, "Kazakhstan condemned Russia on Monday.");
        }
        run(&["daemon", "--once", "-c", &station.pipeline]).expect(0);
        let store = rusqlite::Connection::open(station.folder.at("out/standpoint.db")).unwrap();
        let query = "SELECT group_concat(path || ' ' || actor_id || ' ' || label, ', ')
             FROM (SELECT * FROM actor_stance JOIN documents ON id = document_id ORDER BY path)";
        let told: String = store.query_row(query, [], |row| row.get(0)).unwrap();
        assert_eq!(told, "a.txt KAZ opposed, b.txt KAZ opposed", "round {round}");
    }
}

#[test]
fn a_store_that_cannot_be_used_ends_the_daemon_with_a_message() {
    let station = Station::new();
    let store = station.folder.write("not-a-store", "some notes\n".repeat(500));
    let with_store = fs::read_to_string(&station.pipeline)
        .unwrap()
        .replace("quarantine:", "  store: { type: sqlite, path: ./not-a-store }\nquarantine:");
    fs::write(&station.pipeline, with_store).unwrap();
    station.drop_in("a.txt", "Kazakhstan condemned Russia.");
    let told = run(&["daemon", "--once", "-c", &station.pipeline]).expect(1).stderr;
    assert!(told.contains("is not a store of Standpoint (not a SQLite database)"), "{told}");
    assert!(fs::exists(station.folder.at("inbox/a.txt")).unwrap());
    assert!(fs::read_to_string(store).unwrap().starts_with("some notes"));
}
