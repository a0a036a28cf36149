//! What is not to blame for how the process ended, however often it was in work then.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{becomes_true, example, is_there, plugins};
use crate::station::{End, Station};

/// More than `max_attempts`.
const RESTARTS: usize = 5;

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Fails unless everything comes out now.
fn goes_on(station: &Station, case: &str) {
    assert_eq!(station.drain(None), End::Code(0), "{case}\n{}", station.log());
    station.check(case);
    assert!(station.quarantined().is_empty(), "{case}: {:?}", station.quarantined());
}

#[test]
fn what_waits_for_a_sink_that_is_away_over_many_restarts() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}/");
    let settings = |order: &str| {
        json!({
            "sources": { "news": { "ordering": order } },
            "sinks": { "hook": { "type": "webhook", "url": url } },
            "shutdown_timeout": "50ms",
        })
    };
    for order in ["none", "per_source"] {
        let mut station = Station::with(&settings(order));
        for number in 0..3 {
            station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
        }
        station.feed_file("one.eml", "Subject: one\n\nAstana agreed.");
        for _ in 0..RESTARTS {
            let mut child = station.start();
            assert!(becomes_true(|| station.log().contains("documents wait")), "{}", station.log());
            signal(&child, Signal::TERM);
            assert!(matches!(station.wait(&mut child), End::Code(_)), "{}", station.log());
            fs::remove_file(station.at("log")).unwrap();
        }
        station.write_pipeline("p.yaml", &json!({}));
        goes_on(&station, order);
    }
}

#[test]
fn what_cannot_be_archived_over_many_restarts() {
    if !is_there("unshare", "-Urm") {
        return;
    }
    let mut station = Station::new();
    for number in 0..3 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    station.feed_lines("b.jsonl", &["One.".to_owned(), "Two.".to_owned()]);
    let script = format!(
        r"
cd '{root}' && mkdir archive && mount -t tmpfs -o size=16k none archive || exit 1
head -c 1m /dev/zero > archive/filler 2>> filling
for _ in $(seq {RESTARTS}); do
  '{program}' daemon -c p.yaml --once 2>> log; echo $? >> ends
done
rm archive/filler
'{program}' daemon -c p.yaml --once 2>> log; echo $? >> ends
cp -a archive kept && umount archive && cp -a kept/. archive/ && rm -r kept
",
        root = station.at("").display(),
        program = env!("CARGO_BIN_EXE_standpoint"),
    );
    let mut daemons = Command::new("unshare");
    daemons.args(["-Urm", "sh", "-c", &script]).env("STANDPOINT_PLUGINS", plugins());
    assert!(daemons.status().unwrap().success(), "{}", station.log());
    let ends = fs::read_to_string(station.at("ends")).unwrap();
    assert_eq!(ends, format!("{}0\n", "1\n".repeat(RESTARTS)), "{}", station.log());
    assert!(station.log().contains("are taken up at the next start"), "{}", station.log());
    goes_on(&station, "archive");
}

#[test]
fn what_a_stage_worked_on_while_the_whole_process_was_stopped() {
    let mut station = Station::with(&json!({
        "stages": ["tokenise", { "use": example("mischief"), "id": "mischief", "timeout": "1s" }],
    }));
    for number in 0..12 {
        station.feed(&format!("{number}.txt"), "Wait 400");
    }
    let mut child = station.start();
    assert!(becomes_true(|| station.written() > 0), "{}", station.log());
    signal(&child, Signal::STOP);
    // Longer than the timeout: that is what this is about.
    thread::sleep(Duration::from_secs(2));
    signal(&child, Signal::CONT);
    assert!(becomes_true(|| station.files("archive").len() == 12), "{}", station.log());
    signal(&child, Signal::TERM);
    assert_eq!(station.wait(&mut child), End::Code(0), "{}", station.log());
    goes_on(&station, "stopped");
}
