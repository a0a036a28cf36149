//! Full disks, too few descriptors, files that may not grow, files that are too large.

use std::fs::{self, File};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{becomes_true, is_there, plugins, run};
use crate::station::{End, Station};

fn fed(count: u32) -> Station {
    let mut station = Station::new();
    for number in 0..count {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    station
}

/// The daemon under a limit of the shell.
pub(crate) fn limited(station: &Station, limit: &str, arguments: &str) -> Command {
    let program = env!("CARGO_BIN_EXE_standpoint");
    let pipeline = station.at("p.yaml");
    let script =
        format!("{limit} && exec '{program}' daemon -c '{}' {arguments}", pipeline.display());
    let mut command = Command::new("sh");
    let log = File::options().create(true).append(true).open(station.at("log")).unwrap();
    command.args(["-c", &script]).env("STANDPOINT_PLUGINS", plugins()).stderr(log);
    command
}

#[test]
fn an_output_that_may_not_grow_is_waited_for() {
    let mut station = Station::new();
    station.feed("first.txt", "Astana agreed.");
    // The copies of the plugins are larger than the limit, and made once.
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    for number in 0..40 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    let mut child = limited(&station, "ulimit -f 8", "").spawn().unwrap();
    assert!(becomes_true(|| station.log().contains("cannot write")), "{}", station.log());
    assert!(child.try_wait().unwrap().is_none(), "the limit ended it:\n{}", station.log());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let end = station.wait(&mut child);
    assert!(matches!(end, End::Code(_)), "{end:?}\n{}", station.log());
    assert_eq!(station.account(&["out/results.jsonl"]).torn, 0);
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    station.check("file size limit");
    assert!(station.quarantined().is_empty(), "{:?}", station.quarantined());
}

#[test]
fn too_few_descriptors_quarantine_nothing() {
    let station = fed(40);
    for descriptors in [12, 16, 20, 24, 32] {
        let limit = format!("ulimit -n {descriptors}");
        let mut child = limited(&station, &limit, "--once").spawn().unwrap();
        let start = Instant::now();
        while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(5));
        }
        // Killed or ended, whatever it came to.
        let _ = child.kill();
        station.wait(&mut child);
        assert!(station.quarantined().is_empty(), "{descriptors}: {:?}", station.quarantined());
    }
    assert!(station.log().contains("Too many open files"), "{}", station.log());
    // What cannot even start may say so as it likes; that is not what this is about.
    fs::remove_file(station.at("log")).unwrap();
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    station.check("few descriptors");
}

#[test]
fn a_file_of_a_gigabyte_is_refused_by_its_size_at_once() {
    let mut station = fed(3);
    let draft = station.at("draft");
    File::create(&draft).unwrap().set_len(1 << 30).unwrap();
    fs::rename(draft, station.at("inbox/huge.txt")).unwrap();
    station.feed("after.txt", "Minsk agreed.");
    let start = Instant::now();
    assert_eq!(station.drain(None), End::Code(3), "{}", station.log());
    let elapsed = start.elapsed();
    station.check("a gigabyte");
    let reason = &station.quarantined()["huge.txt"];
    assert!(reason.contains("max_document_bytes is 16777216"), "{reason}");
    // The run as a whole; on a machine that is busy with other things, too.
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
    println!("a file of 1 GB among others: {elapsed:?} for the whole run");
}

/// The bound that the daemon prints at its start, in MiB.
pub(crate) fn memory_bound(station: &Station) -> u64 {
    let log = station.log();
    let told = log.split("grow beyond ").nth(1).unwrap_or_else(|| panic!("no bound in\n{log}"));
    told.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn no_file_makes_the_memory_grow_beyond_what_the_daemon_says_at_its_start() {
    let mut station = fed(3);
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    let bound = memory_bound(&station);
    let marks = "\"".repeat((16 << 20) - 1);
    station.feed_file("marks.txt", &marks);
    // Longer once it is decoded.
    station.feed_file("latin.txt", vec![0xAB; (16 << 20) - 1]);
    station.feed_file("many.json", format!("[{}{{}}]", "{},".repeat(5 << 20)));
    station.feed_file("many.rss", format!("<rss>{}<item>", "<item/>".repeat(2 << 20)));
    station.feed_file("headers.eml", "a:\n".repeat(5 << 20));
    for number in 0..8 {
        station.feed(&format!("marks-{number}.txt"), &format!("{number}{}", &marks[..1 << 17]));
    }
    let limit = format!("ulimit -v {}", 2 * bound * 1024);
    let mut child = limited(&station, &limit, "--once").spawn().unwrap();
    assert_eq!(station.wait(&mut child), End::Code(3), "{}", station.log());
    station.check("the bound of the memory");
    let quarantined = station.quarantined();
    for (name, reason) in [
        ("marks.txt", "max_text_bytes is 4194304 bytes and this has 16777215"),
        ("latin.txt", "max_text_bytes is 4194304"),
        ("many.json", "max_records_per_file is 1000000"),
        ("many.rss", "in the middle"),
        ("headers.eml", "the length of a mail's head"),
    ] {
        let told = quarantined.get(name);
        assert!(told.is_some_and(|told| told.contains(reason)), "{name}: {told:?}");
    }
}

/// Runs the daemon in a namespace where `folder` is a tiny file system that is full until it has
/// complained; `false` where the system gives no namespaces.
fn on_a_full_disk(station: &Station, folder: &str, options: &str, fill: &str) -> bool {
    let can = Command::new("unshare").args(["-Urm", "true"]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no user namespaces here, so no full disk");
        return false;
    }
    let root = station.at("");
    let script = format!(
        r#"
set -e
cd '{root}'
mkdir -p keep && cp -a {folder}/. keep/
mount -t tmpfs -o {options} none {folder}
cp -a keep/. {folder}/
{fill}
'{program}' daemon -c p.yaml 2>> log &
pid=$!
tries=0
until grep -q 'No space left' log; do
  sleep 0.05; tries=$((tries+1)); [ $tries -lt 800 ] || {{ kill -9 $pid; exit 90; }}
done
kill -0 $pid
is_ready() {{ '{program}' status -c p.yaml | grep -q "^ready  *$1"; }}
tries=0
until is_ready no:; do
  sleep 0.05; tries=$((tries+1)); [ $tries -lt 100 ] || {{ kill -9 $pid; exit 92; }}
done
rm -rf {folder}/filler*
tries=0
until [ "$(ls archive | wc -l)" -ge {count} ]; do
  sleep 0.05; tries=$((tries+1)); [ $tries -lt 800 ] || {{ kill -9 $pid; exit 91; }}
done
tries=0
until is_ready yes; do
  sleep 0.05; tries=$((tries+1)); [ $tries -lt 400 ] || {{ kill -9 $pid; exit 93; }}
done
kill -TERM $pid
wait $pid
rm -rf keep && cp -a {folder} keep
umount {folder}
cp -a keep/. {folder}/
rm -rf keep
"#,
        root = root.display(),
        program = env!("CARGO_BIN_EXE_standpoint"),
        count = station.expected(),
    );
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", &script])
        .env("STANDPOINT_PLUGINS", plugins())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}\n{told}\n{}", output.status, station.log());
    true
}

#[test]
fn a_full_output_disk_is_waited_for_and_work_goes_on_without_a_restart() {
    let mut station = fed(1);
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    for number in 1..60 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    let fill = "head -c 500k /dev/zero > out/filler 2>> filling || true";
    if on_a_full_disk(&station, "out", "size=256k", fill) {
        station.check("full output disk");
        assert!(station.quarantined().is_empty(), "{:?}", station.quarantined());
    }
}

#[test]
fn a_full_state_disk_is_waited_for_and_work_goes_on_without_a_restart() {
    let station = fed(1);
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    let mut station = station;
    for number in 1..600 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    let size = fs_size(&station.at("state")) + (64 << 10);
    // Room for the start, which writes who holds the folder, and for no record of the ledger.
    // The ledger's last pages have room for some two hundred documents, and no more.
    let fill = "head -c 10m /dev/zero > state/filler 2>> filling || true";
    if on_a_full_disk(&station, "state", &format!("size={size}"), fill) {
        station.check("full state disk");
        assert!(station.quarantined().is_empty(), "{:?}", station.quarantined());
    }
}

#[test]
fn a_state_disk_without_inodes_stops_nothing() {
    let mut station = fed(1);
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    for number in 1..20 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    let texts: Vec<String> = (0..50).map(|number| format!("Record {number} fell.")).collect();
    station.feed_lines("a.jsonl", &texts);
    if !is_there("unshare", "-Urm") {
        return;
    }
    // Room for the socket alone: whatever else is written has its file already.
    let script = r#"
set -e
mkdir keep && cp -a state/. keep/
mount -t tmpfs -o size=64m,nr_inodes=100 none state
cp -a keep/. state/
while touch state/filler$((number+=1)) 2>> filling; do :; done
rm state/filler1
"$0" daemon --once -c p.yaml 2>> log
rm -rf keep state/filler* && cp -a state keep
umount state
cp -a keep/. state/
"#;
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script, env!("CARGO_BIN_EXE_standpoint")])
        .current_dir(station.at(""))
        .env("STANDPOINT_PLUGINS", plugins())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}\n{}", station.log());
    assert!(fs::read_to_string(station.at("filling")).unwrap().contains("No space left"));
    station.check("no inodes for the state");
    assert!(station.quarantined().is_empty(), "{:?}", station.quarantined());
}

#[test]
fn an_archive_without_inodes_is_waited_for_and_work_goes_on_without_a_restart() {
    let mut station = fed(1);
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    for number in 1..20 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    let fill = "for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
        : > archive/filler$number
    done";
    if on_a_full_disk(&station, "archive", "size=4m,nr_inodes=40", fill) {
        station.check("no inodes");
        assert!(station.quarantined().is_empty(), "{:?}", station.quarantined());
    }
}

pub(crate) fn fs_size(folder: &std::path::Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                fs_size(&entry.path())
            } else {
                metadata.len().div_ceil(4096) * 4096
            }
        })
        .sum()
}

#[test]
fn a_daemon_that_was_stopped_for_a_while_goes_on() {
    let mut station = fed(30);
    let mut child = station.start();
    assert!(becomes_true(|| station.written() > 0), "{}", station.log());
    let process = Pid::from_child(&child);
    kill_process(process, Signal::STOP).unwrap();
    for number in 30..60 {
        station.feed(&format!("{number}.txt"), &format!("Report {number}. Astana agreed."));
    }
    // Longer than every timeout that could blame a document.
    thread::sleep(Duration::from_secs(1));
    kill_process(process, Signal::CONT).unwrap();
    assert!(becomes_true(|| station.files("archive").len() == 60), "{}", station.log());
    kill_process(process, Signal::TERM).unwrap();
    assert_eq!(station.wait(&mut child), End::Code(0), "{}", station.log());
    station.check("stopped and continued");
}

#[test]
fn two_daemons_share_an_inbox_and_double_nothing() {
    let station = fed(200);
    station.write_pipeline(
        "p.yaml",
        &json!({ "data_dir": "./other", "sinks": { "results": { "path": "./out/other.jsonl" } } }),
    );
    let mut other = station.command(&["--once"]).spawn().unwrap();
    // The command has its file name only once it is read.
    assert!(becomes_true(|| station.at("other/lock").exists()), "{}", station.log());
    station.write_pipeline("p.yaml", &json!({}));
    let one = station.drain(None);
    let other = station.wait(&mut other);
    assert_eq!((one, other), (End::Code(0), End::Code(0)), "{}", station.log());
    let account = station.account(&["out/results.jsonl", "out/other.jsonl"]);
    assert_eq!(account, crate::station::Account::default(), "{}", station.log());
}

#[test]
fn a_second_daemon_with_the_same_output_is_refused_and_a_reload_is_not() {
    let mut station = fed(30);
    let mut first = station.start();
    assert!(becomes_true(|| station.written() > 0), "{}", station.log());
    station.write_pipeline("p.yaml", &json!({ "data_dir": "./other" }));
    assert_eq!(station.drain(None), End::Code(1), "{}", station.log());
    assert!(station.log().contains("another process writes to"), "{}", station.log());

    let rotate = json!({ "sinks": { "results": { "rotate": { "max_bytes": "1GiB" } } } });
    station.write_pipeline("p.yaml", &rotate);
    let state = station.at("state");
    run(&["reload", "--data-dir", state.to_str().unwrap(), "--wait"]).expect(0);
    station.feed("last.txt", "Minsk agreed.");
    assert!(becomes_true(|| station.files("archive").len() == 31), "{}", station.log());
    kill_process(Pid::from_child(&first), Signal::TERM).unwrap();
    assert_eq!(station.wait(&mut first), End::Code(0), "{}", station.log());
    station.check("one output");
}

/// What the daemon asked of the system, in its order, with the paths of descriptors; `None` where
/// there is nothing that tells.
fn system_calls(station: &Station) -> Option<Vec<String>> {
    let trace = station.at("trace");
    let pipeline = station.at("p.yaml");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-qq", "-e", "trace=write,fsync,fdatasync,rename,renameat,renameat2"])
        .args(["-s", "0", "-o", trace.to_str().unwrap(), env!("CARGO_BIN_EXE_standpoint")])
        .args(["daemon", "--once", "-c", pipeline.to_str().unwrap()])
        .env("STANDPOINT_PLUGINS", plugins());
    if !is_there("strace", "-V") {
        return None;
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(fs::read_to_string(trace).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn whoever_syncs_does_so_before_the_file_moves() {
    for (durability, syncs) in [("strict", true), ("batch", true), ("os", false)] {
        let mut station = Station::with(&json!({ "commit": { "durability": durability } }));
        station.feed("a.txt", "Astana agreed.");
        let Some(calls) = system_calls(&station) else { return };
        let place = |parts: &[&str]| {
            calls.iter().position(|call| parts.iter().all(|part| call.contains(part)))
        };
        let written = place(&["write(", "results.jsonl>"]).unwrap();
        let moved = place(&["rename", "archive/a.txt"]).unwrap();
        let synced = place(&["fdatasync(", "results.jsonl>"]);
        let folder = place(&["fsync(", "/archive>"]);
        assert!(written < moved, "{durability}");
        assert_eq!(synced.is_some(), syncs, "{durability}: {synced:?}");
        assert_eq!(folder.is_some(), syncs, "{durability}: {folder:?}");
        if let (Some(synced), Some(folder)) = (synced, folder) {
            let order = [written, synced, moved, folder];
            assert!(order.is_sorted(), "{durability}: {order:?}");
        }
    }
}

#[test]
fn lines_that_a_killed_run_did_not_sync_are_synced_before_their_file_moves() {
    let mut station = Station::new();
    station.feed("a.txt", "Astana agreed.");
    assert_eq!(station.drain(Some("output written:1")), End::Signal(9), "{}", station.log());
    let Some(calls) = system_calls(&station) else { return };
    let place =
        |parts: &[&str]| calls.iter().position(|call| parts.iter().all(|part| call.contains(part)));
    let synced = place(&["fdatasync(", "results.jsonl>"]);
    let moved = place(&["rename", "archive/a.txt"]);
    assert!(synced.is_some() && synced < moved, "{synced:?}, {moved:?}: {calls:#?}");
    station.check("synced at the start");
}
