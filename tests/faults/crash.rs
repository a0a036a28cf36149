//! `kill -9` at every named point, at random moments, when the output grows, and while it starts.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::{Value, json};

use crate::harness::{becomes_true, run};
use crate::station::{Account, Dice, End, Station};

const KILLED: End = End::Signal(9);

/// Texts, a file of records with a bad one, and an empty file.
fn corpus(station: &mut Station) {
    station.feed("a.txt", "Kazakhstan condemned Russia.");
    station.feed("sub/b.txt", "Belarus praised Russia.");
    station.feed_file("empty.txt", " ");
    let texts = ["One fell.", "rubbish", "Two rose.", "Three left."].map(str::to_owned);
    station.feed_lines("c.jsonl", &texts);
}

fn check_corpus(station: &Station, case: &str) {
    station.check(case);
    let quarantined: Vec<String> = station.quarantined().into_keys().collect();
    assert_eq!(quarantined, ["c.record-2.jsonl", "empty.txt"], "{case}");
    assert_eq!(station.expected(), 5);
}

/// Dies at the first point, the second, and so on until a run comes through; after each death a
/// second run must leave everything as if nothing had happened. Returns the number of deaths.
fn at_every_point(settings: &Value, check: fn(&Station, &str)) -> u32 {
    let station = || {
        let mut station = Station::with(settings);
        corpus(&mut station);
        station
    };
    at_every_point_of(station, check)
}

/// The same over a station that `make` makes anew each time.
fn at_every_point_of(make: impl Fn() -> Station, check: impl Fn(&Station, &str)) -> u32 {
    for point in 1.. {
        let station = make();
        let end = station.drain(Some(&point.to_string()));
        if end == KILLED {
            let end = station.drain(None);
            assert!(matches!(end, End::Code(0 | 3)), "point {point}: {end:?}\n{}", station.log());
        } else {
            assert_eq!(end, End::Code(3), "{}", station.log());
        }
        check(&station, &format!("point {point}"));
        if end != KILLED {
            return point - 1;
        }
    }
    unreachable!("a run comes through in the end")
}

#[test]
fn killed_at_each_point_it_loses_and_doubles_nothing() {
    let deaths = at_every_point(&json!({}), check_corpus);
    assert!(deaths >= 18, "only {deaths} points were met: are they compiled in?");
    println!("kills at named points: {deaths}, lost 0, doubled 0");
}

#[test]
fn killed_at_each_point_where_outputs_are_rotated_and_compressed() {
    let make = |compress: &str| {
        let rotate = json!({ "max_bytes": "1KiB", "compress": compress });
        let mut station = Station::with(&json!({ "sinks": { "results": { "rotate": rotate } } }));
        station.feed("before.txt", &"Astana agreed. ".repeat(80));
        assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
        corpus(&mut station);
        station
    };
    let check = |station: &Station, case: &str| {
        let found = station.files("out");
        // A run may end while an old file is being compressed; the next one goes on with it.
        let counts =
            |name: &&String| !name.contains(".part") && !found.contains(&format!("{name}.gz"));
        let outputs: Vec<String> =
            found.iter().filter(counts).map(|name| format!("out/{name}")).collect();
        assert!(outputs.len() > 1, "{case}: {outputs:?}");
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let account = station.account(&outputs);
        assert_eq!(account, Account::default(), "{case}: {outputs:?}\n{}", station.log());
    };
    let plain = at_every_point_of(|| make("none"), check);
    let packed = at_every_point_of(|| make("gzip"), check);
    println!("kills at named points, rotating: {plain}, compressing: {packed}; lost 0, doubled 0");
}

#[test]
fn killed_at_each_point_where_the_archive_is_on_another_file_system() {
    let other = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let make = || {
        let (archive, quarantine) = (other.path().join("archive"), other.path().join("quarantine"));
        let _ = fs::remove_dir_all(&archive);
        let _ = fs::remove_dir_all(&quarantine);
        let mut station = Station::with(&json!({
            "sources": { "news": { "on_success": { "archive": archive } } },
            "quarantine": { "path": quarantine },
        }));
        // For those who count them.
        symlink(archive, station.at("archive")).unwrap();
        symlink(quarantine, station.at("quarantine")).unwrap();
        corpus(&mut station);
        station
    };
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(other.path()) == device(&make().at("")) {
        eprintln!("SKIPPED: there is no second file system here");
        return;
    }
    let deaths = at_every_point_of(make, check_corpus);
    println!("kills at named points, archive elsewhere: {deaths}, lost 0, doubled 0");
}

#[test]
fn killed_at_each_point_while_it_takes_up_what_another_left() {
    let make = || {
        let mut station = Station::new();
        station.feed("a.txt", "Astana agreed.");
        station.feed("sub/b.txt", "Minsk agreed.");
        station.feed_file("empty.txt", " ");
        station.write_pipeline("p.yaml", &json!({ "data_dir": "./other" }));
        assert_eq!(station.drain(Some("claimed:2")), KILLED, "{}", station.log());
        station.write_pipeline("p.yaml", &json!({}));
        station
    };
    let deaths = at_every_point_of(make, |station, case| station.check(case));
    println!("kills at named points, taking up another's files: {deaths}, lost 0, doubled 0");
}

#[test]
#[ignore = "long form"]
fn killed_at_each_point_where_files_are_kept_or_deleted() {
    let sources = |fate: &str| json!({ "sources": { "news": { "on_success": fate } } });
    let delete = |station: &Station, case: &str| {
        let account = station.account(&["out/results.jsonl"]);
        assert!(account.lost.is_empty() && account.doubled.is_empty(), "{case}: {account:?}");
    };
    let deaths = at_every_point(&sources("delete"), delete);
    let keep = |station: &Station, case: &str| {
        let account = station.account(&["out/results.jsonl"]);
        assert!(account.lost.is_empty() && account.doubled.is_empty(), "{case}: {account:?}");
        assert!(account.misplaced.is_empty(), "{case}: {account:?}");
        assert!(station.files("inbox").contains("sub/b.txt"), "{case}");
    };
    let kept = at_every_point(&sources("keep"), keep);
    println!("kills at named points, deleting: {deaths}, keeping: {kept}; lost 0, doubled 0");
}

#[test]
#[ignore = "long form"]
fn killed_twice_in_a_row_at_named_points() {
    let mut deaths = 0;
    for first in (1..60).step_by(4) {
        for second in (1..40).step_by(3) {
            let mut station = Station::new();
            corpus(&mut station);
            deaths += u32::from(station.drain(Some(&first.to_string())) == KILLED);
            deaths += u32::from(station.drain(Some(&second.to_string())) == KILLED);
            station.drain(None);
            check_corpus(&station, &format!("points {first} and {second}"));
        }
    }
    println!("kills twice in a row: {deaths}, lost 0, doubled 0");
}

/// A set of ids is sealed once there are 56,320 of them, which no short form comes to.
#[test]
#[ignore = "long form"]
fn killed_where_the_ledger_seals_what_it_knows() {
    let texts: Vec<String> = (0..57_000).map(|number| format!("Record {number} fell.")).collect();
    // That of the inbox and that of the output.
    for point in ["ledger sealed:1", "ledger sealed:2"] {
        let mut station = Station::new();
        station.feed_lines("a.jsonl", &texts);
        assert_eq!(station.drain(Some(point)), KILLED, "{}", station.log());
        assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
        // What was sealed is known: the same lines again give nothing new.
        station.feed_file("a.jsonl", fs::read(station.at("archive/a.jsonl")).unwrap());
        assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
        station.check(point);
    }
    println!(
        "kills where ledgers are sealed: 2, of {} documents each; lost 0, doubled 0",
        texts.len()
    );
}

/// When to kill.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// After some milliseconds, up to this many.
    Random(u64),
    /// When the output has grown.
    Growth,
}

/// Feeds files and files of records and kills the daemon so often; returns the kills that hit.
fn kill(seed: u64, kills: u32, moment: Moment) -> u32 {
    let mut dice = Dice::new(seed);
    let mut station = Station::new();
    let mut hits = 0;
    for round in 0..kills {
        for number in 0..20 {
            let text = format!("Report {round}.{number}. Kazakhstan condemned Russia.");
            station.feed(&format!("{round}-{number}.txt"), &text);
        }
        let texts: Vec<String> =
            (0..300).map(|number| format!("Record {round}.{number} fell.")).collect();
        station.feed_lines(&format!("{round}.jsonl"), &texts);
        let mut child = station.start();
        match moment {
            Moment::Random(most) => {
                thread::sleep(Duration::from_micros(dice.below(most * 1000)));
            }
            Moment::Growth => {
                let until = station.written() + 1 + dice.below(60_000);
                let start = Instant::now();
                while station.written() < until && start.elapsed() < Duration::from_secs(20) {
                    thread::yield_now();
                }
            }
        }
        child.kill().unwrap();
        hits += u32::from(station.wait(&mut child) == KILLED);
    }
    let end = station.drain(None);
    let failed = station.quarantined();
    assert_eq!(end, End::Code(0), "seed {seed}, {moment:?}: {failed:?}\n{}", station.log());
    station.check(&format!("seed {seed}, {moment:?}"));
    // Nobody is to blame for a kill from outside.
    assert!(station.quarantined().is_empty(), "seed {seed}: {:?}", station.quarantined());
    hits
}

#[test]
fn killed_when_the_output_grows_it_loses_and_doubles_nothing() {
    let hits = kill(1, 5, Moment::Growth);
    println!("kills on growth of the output: {hits}, lost 0, doubled 0");
}

#[test]
fn killed_at_random_and_while_it_starts_it_loses_and_doubles_nothing() {
    let late = kill(2, 3, Moment::Random(600));
    let early = kill(3, 6, Moment::Random(30));
    println!("kills at random: {late}, in the first 30 ms: {early}; lost 0, doubled 0");
}

/// Documents that were written and done again, as the daemon itself counts them when its sink
/// recognises them.
fn done_again(log: &str) -> u64 {
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_told = |event: &Value| {
        event["fields"]["message"] == "documents that were written before are not written again"
    };
    events.filter(is_told).filter_map(|event| event["fields"]["known"].as_u64()).sum()
}

/// What may be under way when the process ends, and what may be done and not in the ledger yet:
/// that is told of 256 together, and while a slow disk takes them more come, until no more are
/// read.
const UNDER_WAY: u64 = 256;
const NOT_NOTED: u64 = 1 << 14;

#[test]
fn after_a_kill_no_more_is_done_again_than_was_under_way() {
    let mut dice = Dice::new(5);
    let mut station = Station::new();
    let mut worst = 0;
    // Four times, and again where every kill came when nothing was open, up to sixteen.
    for round in 0..16 {
        if round >= 4 && worst > 0 {
            break;
        }
        let texts: Vec<String> =
            (0..2_000).map(|number| format!("Record {round}.{number} fell.")).collect();
        station.feed_lines(&format!("{round}.jsonl"), &texts);
        let run = |arguments: &[&str]| {
            let _ = fs::remove_file(station.at("log"));
            let log = ["--log", "standpoint_connectors=debug", "--log-format", "json"];
            station.command_after(&log, arguments).spawn().unwrap()
        };
        let mut child = run(&[]);
        let until = station.written() + 200_000 + dice.below(500_000);
        assert!(becomes_true(|| station.written() > until), "{}", station.log());
        child.kill().unwrap();
        station.wait(&mut child);
        let mut child = run(&["--once"]);
        assert_eq!(station.wait(&mut child), End::Code(0), "{}", station.log());
        worst = worst.max(done_again(&station.log()));
    }
    station.check("done again");
    println!("done again after a kill: at most {worst} documents");
    assert!(worst <= UNDER_WAY + NOT_NOTED, "{worst}");
    assert!(worst > 0, "the window was not hit");
}

#[test]
#[ignore = "long form"]
fn twenty_runs_of_twenty_kills_lose_and_double_nothing() {
    let mut hits = [0; 3];
    for seed in 0..20 {
        let moments = [Moment::Random(400), Moment::Growth, Moment::Random(30)];
        let moment = seed as usize % 3;
        hits[moment] += kill(seed + 100, 20, moments[moment]);
    }
    let [random, growth, early] = hits;
    println!(
        "kills at random {random}, on growth {growth}, in the first 30 ms {early}; lost 0, doubled 0"
    );
}

#[test]
fn a_move_to_another_file_system_that_a_kill_cut_short_leaves_one_file() {
    let other = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = |name: &str| other.path().join(name);
    for (name, text, folder, expected) in [
        ("b.txt", "Astana agreed.", "archive", &["b.txt"][..]),
        ("empty.txt", " ", "quarantine", &["empty.txt", "empty.txt.reason.json"]),
    ] {
        let mut station = Station::with(&json!({
            "sources": { "news": { "on_success": { "archive": at("archive") } } },
            "quarantine": { "path": at("quarantine") },
        }));
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        if device(other.path()) == device(&station.at("")) {
            eprintln!("SKIPPED: there is no second file system here");
            return;
        }
        station.feed_file(name, text);
        assert_eq!(station.drain(Some("file copied:1")), KILLED, "{}", station.log());
        let end = station.drain(None);
        assert!(matches!(end, End::Code(0 | 3)), "{name}: {end:?}\n{}", station.log());
        let mut found: Vec<_> = fs::read_dir(at(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        assert_eq!(found, expected, "{}", station.log());
        assert!(!station.files("inbox").iter().any(|file| file.ends_with(name)));
    }
}

#[test]
fn a_document_that_waits_is_forgotten_and_one_in_work_is_named() {
    let mut station = Station::new();
    let pipeline = station.at("p.yaml");
    station.feed_file("a.txt", "Astana agreed.");
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    let line: Value =
        serde_json::from_slice(&fs::read(station.at("out/results.jsonl")).unwrap()).unwrap();
    let id = line["id"].as_str().unwrap();
    let forget = || run(&["forget", id, "-c", pipeline.to_str().unwrap()]);

    station.feed_file("a.txt", "Astana agreed.");
    forget().expect(0);
    assert!(station.files("archive").is_empty() && !station.files("inbox").contains("a.txt"));

    station.feed_file("a.txt", "Astana agreed.");
    assert_eq!(station.drain(Some("claimed:1")), KILLED, "{}", station.log());
    let told = forget().expect(1).stdout;
    assert!(told.contains("LEFT, for it is in work and comes again"), "{told}");
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    assert!(station.written() > 0);
    forget().expect(0);
    assert_eq!((station.drain(None), station.written()), (End::Code(0), 0), "{}", station.log());
}
