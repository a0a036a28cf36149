//! The daemon as its users run it: a process over an inbox, killed, stopped and started again.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take on a busy machine before the test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder with a pipeline file and an inbox.
struct House(TempDir);

impl House {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("inbox")).unwrap();
        fs::write(
            root.path().join("pipeline.yaml"),
            "version: 1\n\
             name: test\n\
             data_dir: ./state\n\
             sources:\n  \
               news:\n    \
                 type: inbox\n    \
                 path: ./inbox\n    \
                 settle: 1ms\n    \
                 on_success: { archive: ./archive }\n\
             stages: [tokenise]\n\
             sinks: { results: { type: jsonl, path: ./out/results.jsonl } }\n\
             quarantine: { path: ./quarantine }\n",
        )
        .unwrap();
        Self(root)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Puts a file into the inbox as a careful producer does, by renaming it in.
    fn drop_in(&self, name: &str, text: &str) {
        let draft = self.at(&format!("{name}.draft"));
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.at("inbox").join(name)).unwrap();
    }

    fn daemon(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_standpoint"));
        command
            .args(["daemon", "-c"])
            .arg(self.at("pipeline.yaml"))
            .args(more)
            .env("STANDPOINT_PLUGINS", plugins())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn once(&self) -> Output {
        let output = self.daemon(&["--once"]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("panicked"), "{errors}");
        output
    }

    /// How often each document, by the path of its file, stands in the output.
    fn results(&self) -> BTreeMap<String, usize> {
        let text = fs::read_to_string(self.at("out/results.jsonl")).unwrap_or_default();
        let mut results = BTreeMap::new();
        for line in text.lines() {
            let result: Value = serde_json::from_str(line).unwrap();
            let path = result["source"]["path"].as_str().unwrap().to_owned();
            *results.entry(path).or_default() += 1;
        }
        results
    }

    /// The names of the files in a folder.
    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.at(folder))
            .map(|entries| {
                entries
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .filter(|name| !name.starts_with('.'))
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        names
    }
}

/// Where a build puts the libraries of the standard stages.
fn plugins() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_standpoint"));
    program.parent().unwrap().join("deps")
}

/// Waits until a condition holds.
fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::yield_now();
    }
}

/// A daemon that is killed when the test ends before it does.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn once_archives_what_is_done_and_quarantines_what_is_not() {
    let house = House::new();
    house.drop_in("good.txt", "Astana refused.");
    house.drop_in("empty.txt", "");
    house.drop_in("strange.pdf", "%PDF");
    let output = house.once();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(house.names("archive"), ["good.txt"]);
    assert_eq!(
        house.names("quarantine"),
        ["empty.txt", "empty.txt.reason.json", "strange.pdf", "strange.pdf.reason.json"]
    );
    assert_eq!(house.results(), BTreeMap::from([("good.txt".to_owned(), 1)]));
    assert_eq!(house.names("inbox"), [""; 0]);
}

#[test]
fn a_file_that_is_dropped_while_it_runs_is_done_and_sigterm_ends_it_cleanly() {
    let house = House::new();
    let mut daemon = Running(house.daemon(&[]).spawn().unwrap());
    wait_for("the daemon to start", || house.at("inbox/.standpoint").exists());
    house.drop_in("a.txt", "Astana refused.");
    wait_for("the archive", || house.names("archive") == ["a.txt"]);
    assert_eq!(house.results().len(), 1);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_daemon_on_the_same_data_folder_is_refused() {
    let house = House::new();
    let _first = Running(house.daemon(&[]).spawn().unwrap());
    wait_for("the daemon to start", || house.at("inbox/.standpoint").exists());
    let second = house.once();
    assert_eq!(second.status.code(), Some(4));
    let errors = String::from_utf8_lossy(&second.stderr);
    assert!(errors.contains("another instance holds the data folder"), "{errors}");
}

#[test]
fn however_often_it_is_killed_every_document_stands_once_and_every_file_in_one_place() {
    const FILES: usize = 300;
    let house = House::new();
    for number in 0..FILES {
        house.drop_in(&format!("{number:03}.txt"), &format!("This is document {number}."));
    }
    // Killed as soon as it has written something, and again at the next thing that it writes.
    for _ in 0..4 {
        let before = house.results_length();
        let daemon = Running(house.daemon(&[]).spawn().unwrap());
        wait_for("something written", || {
            house.results_length() > before || house.names("archive").len() == FILES
        });
        daemon.signal(Signal::KILL);
    }
    let output = house.once();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let results = house.results();
    assert_eq!(results.len(), FILES, "each file has its result");
    let doubled: Vec<_> = results.iter().filter(|(_, count)| **count != 1).collect();
    assert!(doubled.is_empty(), "written more than once: {doubled:?}");
    assert_eq!(house.names("archive").len(), FILES);
    assert_eq!(house.names("inbox"), [""; 0]);
    assert_eq!(house.names("quarantine"), [""; 0]);
}

impl House {
    fn results_length(&self) -> u64 {
        fs::metadata(self.at("out/results.jsonl")).map_or(0, |metadata| metadata.len())
    }
}
