//! Files that may not be read, that are written slowly or again, that vanish, that hold one endless
//! line, and an archive that is full of others.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{becomes_true, is_there, obey_rights, plugins, run};
use crate::station::{End, Station};

fn archived(station: &Station) -> usize {
    station.files("archive").len()
}

fn end(station: &Station, child: &mut Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    assert_eq!(station.wait(child), End::Code(0), "{}", station.log());
}

/// The daemon as one that rights of files hold for, also where the tests run as root.
fn start_with_rights(station: &Station) -> Child {
    // A thread of its own, as what it gives up is gone for good.
    thread::scope(|scope| {
        let child = scope.spawn(|| {
            obey_rights();
            station.start()
        });
        child.join().unwrap()
    })
}

fn is_ready(station: &Station) -> bool {
    let told = run(&["status", "-c", station.at("p.yaml").to_str().unwrap()]).stdout;
    told.lines().any(|line| line.starts_with("ready") && line.contains("yes"))
}

#[test]
fn what_may_not_be_read_is_named_and_taken_once_it_may() {
    for (path, expected) in [
        ("inbox/shut.txt", "this user may not read it"),
        ("inbox/shut", "Permission denied"),
        ("inbox", "Permission denied"),
    ] {
        let mut station = Station::new();
        let at = station.at(path);
        let set = |mode: u32| fs::set_permissions(&at, Permissions::from_mode(mode)).unwrap();
        // An inbox that may not be read at the start is refused there.
        let child = (path == "inbox").then(|| start_with_rights(&station));
        if child.is_none() {
            station.feed("shut.txt", "Astana agreed.");
            station.feed("shut/a.txt", "Minsk agreed.");
        } else {
            assert!(becomes_true(|| is_ready(&station)), "{}", station.log());
        }
        let given = fs::metadata(&at).unwrap().permissions().mode();
        set(0);
        let mut child = child.unwrap_or_else(|| start_with_rights(&station));
        let is_told = || station.log().contains(expected);
        assert!(becomes_true(is_told), "{path}: {}", station.log());
        if path == "inbox" {
            assert!(becomes_true(|| !is_ready(&station)), "{}", station.log());
        } else {
            // One that may not be read holds no other up.
            assert!(becomes_true(|| archived(&station) == 1), "{path}: {}", station.log());
        }
        set(given);
        if path == "inbox" {
            station.feed("shut.txt", "Astana agreed.");
            station.feed("shut/a.txt", "Minsk agreed.");
        }
        assert!(becomes_true(|| archived(&station) == 2), "{path}: {}", station.log());
        assert!(becomes_true(|| is_ready(&station)), "{path}: {}", station.log());
        end(&station, &mut child);
        station.check(path);
        assert!(station.quarantined().is_empty(), "{path}: {:?}", station.quarantined());
        let told = station.log().matches(expected).count();
        assert!(told <= 8, "{path}: told {told} times\n{}", station.log());
    }
}

#[test]
fn a_file_that_is_written_slowly_comes_out_whole() {
    let mut station = Station::new();
    let mut child = station.start();
    // Whoever begins before the inbox is watched has `settle` alone, which is short here.
    assert!(becomes_true(|| is_ready(&station)), "{}", station.log());
    let mut file = File::create(station.at("inbox/slow.txt")).unwrap();
    let mut text = String::new();
    for part in 0..3 {
        let words = format!("Part {part} of it. ");
        file.write_all(words.as_bytes()).unwrap();
        text += &words;
        // Those that come after it are taken, so it was looked at and left.
        station.feed(&format!("beside-{part}.txt"), &format!("Beside part {part}."));
        assert!(becomes_true(|| archived(&station) == part + 1), "{}", station.log());
    }
    drop(file);
    station.expect("slow.txt", &text);
    assert!(becomes_true(|| archived(&station) == 4), "{}", station.log());
    end(&station, &mut child);
    station.check("slow writer");
}

#[test]
fn other_content_under_a_name_that_was_done_is_another_document() {
    let mut station = Station::new();
    let mut child = station.start();
    for (round, text) in
        ["Astana agreed.", "Minsk agreed.", "Minsk agreed. So did Baku."].into_iter().enumerate()
    {
        station.feed("again.txt", text);
        assert!(becomes_true(|| archived(&station) == round + 1), "{}", station.log());
    }
    end(&station, &mut child);
    station.check("same name");

    let keep = json!({ "sources": { "news": { "on_success": "keep" } } });
    let mut station = Station::with(&keep);
    station.feed("kept.txt", "Astana agreed.");
    let mut child = station.start();
    assert!(becomes_true(|| station.written() > 0), "{}", station.log());
    // It is put back once its result is there.
    assert!(becomes_true(|| station.at("inbox/kept.txt").exists()), "{}", station.log());
    let written = station.written();
    let mut file = File::options().append(true).open(station.at("inbox/kept.txt")).unwrap();
    file.write_all(b" Minsk too.").unwrap();
    drop(file);
    station.expect("kept.txt", "Astana agreed. Minsk too.");
    assert!(becomes_true(|| station.written() > written), "{}", station.log());
    end(&station, &mut child);
    let account = station.account(&["out/results.jsonl"]);
    assert_eq!(account, crate::station::Account::default(), "{}", station.log());
}

#[test]
fn files_that_vanish_are_no_trouble() {
    let mut station = Station::new();
    let mut child = station.start();
    let (draft, inbox) = (station.at("vanishing"), station.at("inbox"));
    for number in 0..2_000 {
        // Seen whole by an event, and gone before anybody looks, or claimed just before.
        let name = inbox.join(format!("vanishing-{number}.txt"));
        fs::write(&draft, format!("Gone {number}.")).unwrap();
        fs::rename(&draft, &name).unwrap();
        let _ = fs::remove_file(&name);
        if number % 100 == 0 {
            station.feed(&format!("stays-{number}.txt"), &format!("Stays {number}."));
        }
    }
    let stayed =
        || station.files("archive").iter().filter(|name| name.starts_with("stays")).count();
    assert!(becomes_true(|| stayed() == 20), "{}", station.log());
    end(&station, &mut child);
    station.check("vanishing files");
    assert!(station.quarantined().is_empty(), "{:?}", station.quarantined());
    assert_eq!(station.log().matches("vanishing").count(), 0, "{}", station.log());
}

#[test]
fn a_line_of_200_megabytes_is_refused_by_its_number_and_the_next_is_read() {
    let mut station = Station::new();
    station.feed("warm.txt", "Astana agreed.");
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    let mut lines = b"{\"text\": \"The first line.\"}\n{\"text\": \"".to_vec();
    lines.resize(200 << 20, b'x');
    lines.extend_from_slice(b"\"}\n{\"text\": \"The third line.\"}\n");
    station.feed_file("long.jsonl", lines);
    station.expect("long.jsonl", "The first line.");
    station.expect("long.jsonl", "The third line.");
    let bound = crate::limits::memory_bound(&station);
    let limit = format!("ulimit -v {}", 2 * bound * 1024);
    let mut child = crate::limits::limited(&station, &limit, "--once").spawn().unwrap();
    assert_eq!(station.wait(&mut child), End::Code(3), "{}", station.log());
    station.check("a long line");
    let quarantined: Vec<_> = station.quarantined().into_iter().collect();
    let [(name, reason)] = quarantined.as_slice() else { panic!("{quarantined:?}") };
    assert!(name.contains("record-2"), "{name}: {reason}");
    assert!(reason.contains("max_line_bytes is 16777216"), "{name}: {reason}");
}

/// Starts over an archive of so many files; how long until the first new file is in it, and until
/// fifty more are.
fn beside_archived(count: u32) -> [Duration; 2] {
    let mut station = Station::new();
    fs::create_dir(station.at("archive")).unwrap();
    let old = station.at("archive");
    for number in 0..count {
        File::create(old.join(format!("{number}.txt"))).unwrap();
    }
    station.feed("first.txt", "Astana agreed.");
    let start = Instant::now();
    let mut child = station.start();
    assert!(becomes_true(|| old.join("first.txt").exists()), "{}", station.log());
    let first = start.elapsed();
    let start = Instant::now();
    for number in 0..50 {
        // Of names that are taken.
        station.feed_file(&format!("{number}.txt"), format!("Report {number}."));
    }
    let left = || station.files("inbox").iter().filter(|name| !name.ends_with("/lock")).count();
    assert!(becomes_true(|| left() == 0), "{}", station.log());
    let more = start.elapsed();
    end(&station, &mut child);
    assert!(station.quarantined().is_empty(), "{:?}", station.quarantined());
    println!("{count} files in the archive: the first more after {first:?}, fifty after {more:?}");
    [first, more]
}

#[test]
fn an_archive_is_never_listed() {
    let mut station = Station::new();
    for number in 0..20 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    if !is_there("strace", "-V") {
        return;
    }
    fs::create_dir(station.at("archive")).unwrap();
    let (trace, pipeline) = (station.at("trace"), station.at("p.yaml"));
    let output = Command::new("strace")
        .args(["-f", "-y", "-qq", "-e", "trace=getdents64", "-o", trace.to_str().unwrap()])
        .args([env!("CARGO_BIN_EXE_standpoint"), "daemon", "--once"])
        .args(["-c", pipeline.to_str().unwrap()])
        .env("STANDPOINT_PLUGINS", plugins())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let calls = fs::read_to_string(trace).unwrap();
    assert!(calls.contains("/inbox>"), "{calls}");
    assert!(!calls.contains("/archive>"), "{calls}");
    station.check("archive");
}

#[test]
#[ignore = "long form"]
fn a_million_files_in_the_archive_slow_nothing() {
    let [_, few] = beside_archived(100);
    let [first, many] = beside_archived(1_000_000);
    assert!(first < Duration::from_secs(5), "{first:?}");
    assert!(many < few * 4 + Duration::from_secs(1), "{few:?} and {many:?}");
}
