//! The system refuses a call, or the process ends in one: the Nth of a kind, for one N after the
//! other.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{is_there, plugins, run};
use crate::station::{Account, End, Station};

/// The calls that move, write and remove.
const MOVES: &str = "rename,renameat,renameat2,unlink,unlinkat,ftruncate";

/// Runs the program; strace does to it what `inject` says, counted in each of its threads and where
/// `only` says.
fn tampered(station: &Station, inject: &str, only: &[&str], arguments: &[&str]) -> End {
    let log = fs::File::options().create(true).append(true).open(station.at("log")).unwrap();
    let mut child = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={inject}")])
        .args(only)
        .arg(env!("CARGO_BIN_EXE_standpoint"))
        .args(arguments)
        .args(["-c", station.at("p.yaml").to_str().unwrap()])
        .env("STANDPOINT_PLUGINS", plugins())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    station.wait(&mut child)
}

fn fed(count: u32) -> Station {
    let mut station = Station::new();
    for number in 0..count {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    station.feed_lines("b.jsonl", &["One.".to_owned(), "Two.".to_owned()]);
    station
}

#[test]
fn the_nth_call_that_fails_loses_and_doubles_nothing() {
    if !is_there("strace", "-V") {
        return;
    }
    for call in ["write", "fsync", "fdatasync", "renameat", "renameat2", "mkdirat", MOVES] {
        for nth in [1, 2, 3, 5, 8] {
            let station = fed(6);
            let case = format!("{call}:error=EIO:when={nth}");
            // Threads wake each other by writing, too, and that has no disk to fail.
            let output = station.at("out/results.jsonl");
            let output = output.to_str().unwrap();
            let only: &[&str] = if call == "write" { &["-P", output] } else { &[] };
            tampered(&station, &case, only, &["daemon", "--once"]);
            // What the daemon says of it is no document's matter.
            let _ = fs::rename(station.at("log"), station.at("log.faults"));
            assert_eq!(station.drain(None), End::Code(0), "{case}\n{}", station.log());
            station.check(&case);
            assert!(station.quarantined().is_empty(), "{case}: {:?}", station.quarantined());
        }
    }
}

/// Runs a command that ends in its first call that moves something, then in its second, and so on,
/// until it comes through.
fn killed_in_each_call(
    arguments: &[&str],
    begin: impl Fn() -> Station,
    check: impl Fn(&Station, &str),
) {
    if !is_there("strace", "-V") {
        return;
    }
    for nth in 1..100 {
        let station = begin();
        let case = format!("{arguments:?} killed in call {nth}");
        let end = tampered(&station, &format!("{MOVES}:signal=KILL:when={nth}"), &[], arguments);
        check(&station, &case);
        match end {
            End::Code(0) if nth > 1 => return,
            End::Signal(9) => {}
            other => panic!("{case}: {other:?}\n{}", station.log()),
        }
    }
    panic!("it never comes through");
}

#[test]
fn a_replay_that_is_killed_leaves_each_file_in_one_place() {
    let begin = || {
        let mut station = fed(1);
        station.feed_file("c.txt", " ");
        station.feed_file("sub/d.txt", " ");
        assert_eq!(station.drain(None), End::Code(3), "{}", station.log());
        station
    };
    let arguments = ["quarantine", "replay", "--all"];
    killed_in_each_call(&arguments, begin, |station, case| {
        let pipeline = station.at("p.yaml");
        let again = [&arguments[..], &["-c", pipeline.to_str().unwrap()]].concat();
        run(&again).expect(0);
        assert_eq!(station.account(&["out/results.jsonl"]), Account::default(), "{case}");
        assert!(station.quarantined().is_empty(), "{case}: {:?}", station.quarantined());
        let found = station.files("inbox");
        assert!(found.contains("c.txt") && found.contains("sub/d.txt"), "{case}: {found:?}");
    });
}

#[test]
fn a_document_whose_forgetting_was_killed_is_forgotten_the_next_time() {
    let id = |station: &Station| {
        let lines = fs::read_to_string(station.at("out/results.jsonl")).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_first = |line: &Value| line["source"]["path"] == "0.txt";
        lines.into_iter().find(of_first).map(|line| line["id"].as_str().unwrap().to_owned())
    };
    let begin = || {
        let mut station = fed(3);
        assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
        station.give_up("0.txt", "Report 0. Astana agreed.");
        station
    };
    let known = id(&begin()).unwrap();
    killed_in_each_call(&["forget", &known], begin, |station, case| {
        let pipeline = station.at("p.yaml");
        run(&["forget", &known, "-c", pipeline.to_str().unwrap()]);
        assert_eq!(id(station), None, "{case}");
        let account = station.account(&["out/results.jsonl"]);
        assert!(account.lost.is_empty() && account.doubled.is_empty(), "{case}: {account:?}");
        assert!(!station.files("archive").contains("0.txt"), "{case}");
    });
}
