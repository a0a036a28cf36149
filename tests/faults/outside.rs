//! What the system around the daemon does: events that are lost or never come, clocks that jump,
//! calls that fail now and then.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{becomes_true, command, is_there};
use crate::station::{End, Station};

fn feed(station: &mut Station, round: &str, count: u32) {
    for number in 0..count {
        let text = format!("Report {round}.{number}. Astana agreed.");
        station.feed(&format!("{round}-{number}.txt"), &text);
    }
}

fn archived(station: &Station) -> usize {
    station.files("archive").len()
}

fn end(station: &Station, child: &mut Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    assert_eq!(station.wait(child), End::Code(0), "{}", station.log());
}

/// Nothing but events, or the report that some were lost, can find a file here.
fn that_hardly_looks() -> Station {
    Station::with(&json!({ "sources": { "news": { "scan_every": "1h" } } }))
}

#[test]
fn events_that_are_lost_lose_no_file() {
    let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
    let most: u32 = most.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(16_384);
    if most > 200_000 {
        eprintln!("SKIPPED: the system queues {most} events, too many to overflow");
        return;
    }
    let mut station = that_hardly_looks();
    feed(&mut station, "before", 1);
    let mut child = station.start();
    assert!(becomes_true(|| archived(&station) == 1), "{}", station.log());
    let process = Pid::from_child(&child);
    kill_process(process, Signal::STOP).unwrap();
    // Events of files that are none of its business, of two in turn: equal ones would be merged.
    let drafts = [".one", ".other"].map(|name| station.at("inbox").join(name));
    for draft in &drafts {
        fs::write(draft, "").unwrap();
    }
    for event in 0..most {
        let mode = fs::Permissions::from_mode(if event & 2 == 0 { 0o600 } else { 0o644 });
        fs::set_permissions(&drafts[event as usize & 1], mode).unwrap();
    }
    feed(&mut station, "lost", 50);
    kill_process(process, Signal::CONT).unwrap();
    assert!(becomes_true(|| archived(&station) == 51), "{}", station.log());
    end(&station, &mut child);
    for draft in drafts {
        fs::remove_file(draft).unwrap();
    }
    station.check("lost events");
}

#[test]
fn an_inbox_that_the_system_does_not_watch_is_looked_through() {
    let mut station = Station::with(&json!({ "sources": { "news": { "watch": "poll" } } }));
    let mut child = station.start();
    assert!(becomes_true(|| station.at("state/control.sock").exists()));
    feed(&mut station, "polled", 50);
    assert!(becomes_true(|| archived(&station) == 50), "{}", station.log());
    end(&station, &mut child);
    station.check("polled");

    // Nobody may watch anything, as where others hold all that there is.
    if !is_there("unshare", "-Urm") {
        return;
    }
    let mut station = Station::new();
    let daemon = command(&["daemon", "-c", station.at("p.yaml").to_str().unwrap()]);
    let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"";
    let mut child = Command::new("unshare")
        .args(["-Ur", "sh", "-c", script, "sh"])
        .arg(daemon.get_program())
        .args(daemon.get_args())
        .envs(daemon.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stderr(fs::File::options().create(true).append(true).open(station.at("log")).unwrap())
        .spawn()
        .unwrap();
    assert!(becomes_true(|| station.at("state/control.sock").exists()), "{}", station.log());
    feed(&mut station, "unwatched", 50);
    assert!(becomes_true(|| archived(&station) == 50), "{}", station.log());
    end(&station, &mut child);
    station.check("unwatched");
    assert_eq!(station.log().matches("not watched").count(), 1, "{}", station.log());
}

/// What makes a program see another time; `None` where it is not installed.
fn false_clock() -> Option<String> {
    if !is_there("faketime", "--version") {
        return None;
    }
    let told = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
    Some(String::from_utf8(told.unwrap().stdout).unwrap().trim().to_owned())
}

#[test]
fn a_clock_that_jumps_loses_and_doubles_nothing() {
    let Some(library) = false_clock() else { return };
    let mut station = Station::new();
    // Between two runs, and running fast: what waits must not wait for ever.
    for (round, clock) in [("later", "+2y"), ("earlier", "-30d"), ("fast", "+0 x50")] {
        feed(&mut station, round, 10);
        let mut child = station
            .command(&["--once"])
            .env("LD_PRELOAD", &library)
            .env("FAKETIME", clock)
            // Nobody sets the clock that only goes forward.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .spawn()
            .unwrap();
        assert_eq!(station.wait(&mut child), End::Code(0), "{clock}\n{}", station.log());
    }
    // And while it runs.
    let clock = station.at("clock");
    fs::write(&clock, "+0").unwrap();
    let mut child = station
        .command(&[])
        .env("LD_PRELOAD", &library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .spawn()
        .unwrap();
    for (round, set) in ["+0", "-30d", "+2y", "-2y"].iter().enumerate() {
        fs::write(&clock, set).unwrap();
        feed(&mut station, &format!("set-{round}"), 10);
        let expected = 30 + 10 * (round + 1);
        assert!(becomes_true(|| archived(&station) == expected), "{set}\n{}", station.log());
    }
    end(&station, &mut child);
    station.check("clocks");
    assert!(station.quarantined().is_empty(), "{:?}", station.quarantined());
}

#[test]
fn calls_that_fail_at_random_lose_and_double_nothing() {
    at_random(&["0.02"], 20);
}

#[test]
#[ignore = "long form"]
fn calls_that_fail_at_random_seldom_and_often_lose_and_double_nothing() {
    at_random(&["0.001", "0.01"], 40);
}

/// Has calls of each kind fail with each probability while so many files are in work.
fn at_random(probabilities: &[&str], files: u32) {
    if !is_there("fiu-run", "true") {
        return;
    }
    let mut ends = Vec::new();
    let calls = ["rw/write", "rw/read", "sync/fsync", "sync/fdatasync", "dir/rename"];
    for (number, call) in calls.iter().enumerate() {
        for (round, probability) in probabilities.iter().enumerate() {
            let mut station = Station::new();
            feed(&mut station, &format!("{number}-{round}"), files);
            let daemon = station.command(&["--once"]);
            let fault = format!("enable_random name=posix/io/{call},probability={probability}");
            let mut child = Command::new("fiu-run")
                .args(["-x", "-c", &fault])
                .arg(daemon.get_program())
                .args(daemon.get_args())
                .envs(daemon.get_envs().filter_map(|(name, value)| Some((name, value?))))
                .stderr(
                    fs::File::options().append(true).create(true).open(station.at("log")).unwrap(),
                )
                .spawn()
                .unwrap();
            let start = Instant::now();
            while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(30) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            ends.push(format!("{call} {probability}: {:?}", station.wait(&mut child)));
            // What the faults put out of the program's own tools is no matter of documents.
            let _ = fs::rename(station.at("log"), station.at("log.faults"));
            let end = station.drain(None);
            assert!(matches!(end, End::Code(0 | 3)), "{call}: {end:?}\n{}", station.log());
            // Who cannot be read is in quarantine, and nobody is for anything else.
            for (file, reason) in station.quarantined() {
                assert!(
                    *call == "rw/read" && reason.contains("cannot read it"),
                    "{call}: {reason}"
                );
                let of_file = file.trim_end_matches(".txt").rsplit_once('-').unwrap();
                station
                    .give_up(&file, &format!("Report {}.{}. Astana agreed.", of_file.0, of_file.1));
            }
            station.check(call);
        }
    }
    println!("calls that fail at random: {ends:?}; lost 0, doubled 0");
}
