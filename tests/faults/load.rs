//! Many files at once, and a long file that is killed half way: the long form alone.

use std::fmt::Write as _;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{becomes_true, run};
use crate::limits::fs_size;
use crate::station::{Dice, End, Station};

/// Moves so many files in at once; how long until the first result, and until all are archived.
fn burst(count: u32) -> (Duration, Duration) {
    let mut station = Station::new();
    station.feed("warm.txt", "Astana agreed.");
    let mut child = station.start();
    while station.files("archive").is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    let before = station.written();
    fs::create_dir(station.at("draft-folder")).unwrap();
    for number in 0..count {
        let text = format!("Report {number}. Astana agreed.");
        fs::write(station.at("draft-folder").join(format!("{number}.txt")), &text).unwrap();
        station.expect(&format!("{number}.txt"), &text);
    }
    let start = Instant::now();
    for number in 0..count {
        let name = format!("{number}.txt");
        fs::rename(station.at("draft-folder").join(&name), station.at("inbox").join(&name))
            .unwrap();
    }
    let mut first = None;
    // The output says it: listing the archive would be the work.
    let mut length = 0;
    while length < count as usize + 1 {
        let written = station.written();
        if first.is_none() && written > before {
            first = Some(start.elapsed());
        }
        thread::sleep(Duration::from_millis(20));
        length = fs::read_dir(station.at("archive")).unwrap().count();
        assert!(start.elapsed() < Duration::from_mins(15), "{}", station.log());
    }
    let all = start.elapsed();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(station.wait(&mut child), End::Code(0), "{}", station.log());
    station.check("burst");
    (first.unwrap(), all)
}

#[test]
#[ignore = "long form"]
fn twice_as_many_files_take_no_more_than_twice_and_a_half_as_long() {
    let (first, ten) = burst(10_000);
    let (_, twenty) = burst(20_000);
    println!("10,000 files at once: {ten:?}, the first result after {first:?}; 20,000: {twenty:?}");
    assert!(twenty < ten.mul_f64(2.5), "{ten:?} and {twenty:?}");
    assert!(first < Duration::from_secs(1), "{first:?}");
}

#[test]
fn a_long_file_that_is_killed_half_way_stands_once() {
    long_file(20_000);
}

#[test]
#[ignore = "long form"]
fn a_file_of_a_million_lines_that_is_killed_half_way_stands_once() {
    long_file(1_000_000);
}

fn long_file(count: usize) {
    let mut station = Station::new();
    let mut lines = String::new();
    for number in 0..count {
        writeln!(lines, "{{\"text\": \"Record {number} fell.\"}}").unwrap();
    }
    station.feed_file("a.jsonl", lines);
    let mut kills = 0;
    for part in [3, 5, 8] {
        let mut child = station.start();
        // A result is some 700 bytes long.
        let until = (count as u64 / 10) * part * 600;
        while station.written() < until && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(10));
        }
        let peak = peak_memory(child.id());
        child.kill().unwrap();
        kills += u32::from(station.wait(&mut child) == End::Signal(9));
        println!("killed at {} bytes of output, {peak}", station.written());
    }
    let start = Instant::now();
    assert_eq!(station.drain(None), End::Code(0), "{}", station.log());
    let rest = start.elapsed();
    let results = fs::read(station.at("out/results.jsonl")).unwrap();
    let mut ids: Vec<&[u8]> = results
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        // `{"version":1,"id":"` and 32 digits.
        .map(|line| &line[19..51])
        .collect();
    let found = ids.len();
    ids.sort_unstable();
    ids.dedup();
    println!("{kills} kills; {found} lines, {} ids, the rest took {rest:?}", ids.len());
    assert_eq!((found, ids.len()), (count, count));
    assert!(station.quarantined().is_empty());
}

/// What the process took at most, as the system tells it.
fn peak_memory(process: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap_or("VmHWM: not told").to_owned()
}

/// What a process takes: descriptors, threads, and kilobytes of memory.
fn taken(process: u32) -> [u64; 3] {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count() as u64;
    [descriptors, number("Threads:"), number("VmRSS:")]
}

/// Feeds so many files, with words that were never seen, in rounds; what the daemon takes must be
/// the same after each of them.
fn soak(rounds: u32, files: u32) {
    let mut station = Station::new();
    let mut child = station.start();
    let mut all = Vec::new();
    for round in 0..rounds {
        for number in 0..files {
            let word = format!("word{round}x{number}");
            station
                .feed(&format!("{round}-{number}.txt"), &format!("Astana {word} agreed. {word}."));
        }
        let archived = ((round + 1) * files) as usize;
        let start = Instant::now();
        while fs::read_dir(station.at("archive")).map_or(0, Iterator::count) < archived {
            assert!(start.elapsed() < Duration::from_mins(10), "{}", station.log());
            thread::sleep(Duration::from_millis(20));
        }
        // Threads that wait for more work end after some seconds, unless there is more.
        all.push(taken(child.id()));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(station.wait(&mut child), End::Code(0), "{}", station.log());
    station.check("soak");
    println!("{rounds} rounds of {files} files: descriptors, threads, kB are {all:?}");
    let (first, last) = (all[0], all[all.len() - 1]);
    assert!(last[0] <= first[0] + 2, "descriptors: {all:?}");
    assert!(last[1] <= first[1] + 2, "threads: {all:?}");
    assert!(last[2] <= first[2] + 16 * 1024, "memory: {all:?}");
}

#[test]
fn descriptors_threads_and_memory_stay_flat() {
    soak(5, 200);
}

#[test]
#[ignore = "long form"]
fn descriptors_threads_and_memory_stay_flat_over_many_documents() {
    soak(10, 10_000);
}

/// Feeds files in rounds and kills the daemon in the middle of each; what it takes when all are
/// done must be the same whenever it was started, and its state must not grow by more than its
/// memory of documents.
fn soak_with_kills(rounds: u32, files: u32) {
    let mut dice = Dice::new(7);
    let mut station = Station::new();
    let (mut all, mut states, mut kills) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        let mut child = station.start();
        let mut archived = (2 * round * files) as usize;
        for part in ["whole", "killed"] {
            for number in 0..files {
                let word = format!("{part}{round}x{number}");
                station.feed(&format!("{word}.txt"), &format!("Astana {word} agreed."));
            }
            archived += files as usize;
            if part == "killed" {
                thread::sleep(Duration::from_micros(dice.below(300_000)));
                child.kill().unwrap();
                kills += u32::from(station.wait(&mut child) == End::Signal(9));
                child = station.start();
            }
            let start = Instant::now();
            while fs::read_dir(station.at("archive")).map_or(0, Iterator::count) < archived {
                assert!(start.elapsed() < Duration::from_mins(5), "{}", station.log());
                thread::sleep(Duration::from_millis(5));
            }
        }
        // All may be archived before the last one has come up.
        let is_up =
            || run(&["status", "-c", station.at("p.yaml").to_str().unwrap()]).code == Some(0);
        assert!(becomes_true(is_up), "{}", station.log());
        all.push(taken(child.id()));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(station.wait(&mut child), End::Code(0), "{}", station.log());
        states.push(fs_size(&station.at("state/ledger")));
    }
    station.check("soak with kills");
    assert!(station.quarantined().is_empty(), "{:?}", station.quarantined());
    let (few, most) = (all[0], |index: usize| all.iter().map(|taken| taken[index]).max().unwrap());
    println!(
        "{kills} kills among {} files: lost 0, doubled 0; descriptors, threads, kB at first {few:?}, \
         at most {:?}; ledger {} and {} bytes",
        2 * rounds * files,
        [most(0), most(1), most(2)],
        states[0],
        states[states.len() - 1],
    );
    assert!(most(0) <= few[0] + 2, "descriptors: {all:?}");
    assert!(most(1) <= few[1] + 2, "threads: {all:?}");
    assert!(most(2) <= few[2] + 16 * 1024, "memory: {all:?}");
    // What is remembered of a document, in the ledgers of its source and of its sink.
    let grown = states[states.len() - 1].saturating_sub(states[0]);
    assert!(grown <= u64::from(2 * rounds * files) * 128 + (64 << 10), "state: {states:?}");
}

#[test]
fn kills_leave_nothing_behind() {
    soak_with_kills(3, 100);
}

#[test]
#[ignore = "long form"]
fn kills_leave_nothing_behind_over_many_documents() {
    soak_with_kills(100, 500);
}

/// The daemon lists no folder into memory: what it takes does not depend on how many files wait.
fn memory_with(waiting: u32) -> u64 {
    let station = Station::new();
    let inbox = station.at("inbox");
    for number in 0..waiting {
        fs::write(inbox.join(format!("{number}.txt")), "Astana agreed.").unwrap();
    }
    let mut child = station.start();
    let start = Instant::now();
    while station.written() < 200_000 && start.elapsed() < Duration::from_mins(2) {
        thread::sleep(Duration::from_millis(20));
    }
    let told = peak_memory(child.id());
    child.kill().unwrap();
    station.wait(&mut child);
    told.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap()
}

#[test]
fn files_that_wait_cost_no_memory() {
    let [few, many] = [500, 20_000].map(memory_with);
    println!("peak memory with 500 files waiting: {few} kB, with 20,000: {many} kB");
    assert!(many < few + 16 * 1024, "{few} kB and {many} kB");
}

#[test]
#[ignore = "long form"]
fn a_million_files_that_wait_cost_no_memory() {
    let [few, many] = [500, 1_000_000].map(memory_with);
    println!("peak memory with 500 files waiting: {few} kB, with a million: {many} kB");
    assert!(many < few + 32 * 1024, "{few} kB and {many} kB");
}
