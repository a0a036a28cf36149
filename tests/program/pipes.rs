//! Whoever reads the daemon's results or its log may stop reading, or go away: work goes on, or
//! waits where it must, and the daemon can be asked and stopped all the same.

use std::fs;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::daemon::signal;
use crate::harness::{Folder, ask, becomes_true, command, pipeline, wait};

/// A daemon whose pipes nobody reads.
struct Unread {
    folder: Folder,
    child: Child,
}

impl Unread {
    /// Starts it with these sinks and lines besides.
    fn start(before: &[&str], sinks: &str, more: &str) -> Self {
        let folder = Folder::new();
        let pipeline = folder.write("p.yaml", pipeline("[tokenise]", sinks, more));
        fs::create_dir(folder.at("inbox")).unwrap();
        let arguments = [before, &["daemon", "-c", &pipeline]].concat();
        let child = command(&arguments).spawn().unwrap();
        let unread = Self { folder, child };
        assert!(becomes_true(|| ask(&unread.state(), "/livez").is_some()), "it does not start");
        unread
    }

    fn state(&self) -> String {
        self.folder.at("state")
    }

    fn page(&self, page: &str) -> String {
        ask(&self.state(), page).expect("nobody answers").1
    }

    /// More than any pipe holds.
    fn feed(&self) {
        for number in 0..40 {
            let text = format!("Report {number}. {}", "Astana agreed with Minsk. ".repeat(200));
            let draft = self.folder.write("draft", text);
            fs::rename(draft, self.folder.at(&format!("inbox/{number:02}.txt"))).unwrap();
        }
    }

    /// How long it takes to end, and how it does.
    fn stop(&mut self, signals: &[Signal]) -> (Duration, Option<i32>) {
        let start = Instant::now();
        for (index, one) in signals.iter().enumerate() {
            if index > 0 {
                // It is another one only once the one before has been heard.
                assert!(becomes_true(|| self.page("/readyz").contains("stopping")));
            }
            signal(&self.child, *one);
        }
        let code = wait(&mut self.child).code();
        (start.elapsed(), code)
    }
}

const PRINTED: &str = "results: { type: stdout }";
const WRITTEN: &str = "results: { type: jsonl, path: ./out/results.jsonl }";

/// A daemon whose results fill the pipe.
fn full(more: &str) -> Unread {
    let daemon = Unread::start(&[], PRINTED, more);
    daemon.feed();
    let is_waiting = || daemon.page("/status").contains("\"read\":40,");
    assert!(becomes_true(is_waiting), "{}", daemon.page("/status"));
    daemon
}

#[test]
fn results_that_nobody_reads_hold_up_neither_health_nor_a_stop() {
    let mut daemon = full("shutdown_timeout: 1s\n");
    for page in ["/livez", "/readyz", "/status", "/metrics"] {
        let (took, answer) = ask(&daemon.state(), page).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{page}: {answer}");
        assert!(took < Duration::from_secs(5), "{page}: {took:?}");
    }
    let (took, code) = daemon.stop(&[Signal::TERM]);
    assert_eq!(code, Some(1), "it was not drained");
    assert!(took < Duration::from_secs(10), "{took:?}");
    // What was not printed is taken up by the next start.
    let archived = daemon.folder.files("archive", false).len();
    let claimed = daemon.folder.files("inbox", false);
    let claimed = claimed.iter().filter(|name| is_text(name)).count();
    assert_eq!(archived + claimed, 40);
    assert!(claimed > 0, "the pipe was not full");
}

#[test]
fn a_second_signal_ends_it_at_once_whatever_it_waits_for() {
    for (signals, expected) in
        [([Signal::TERM, Signal::TERM], 143), ([Signal::TERM, Signal::INT], 130)]
    {
        let mut daemon = full("shutdown_timeout: 1h\n");
        let (took, code) = daemon.stop(&signals);
        assert_eq!(code, Some(expected));
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[test]
fn an_interrupt_drains_like_a_termination() {
    let mut daemon = Unread::start(&[], WRITTEN, "");
    daemon.feed();
    assert!(becomes_true(|| daemon.folder.files("archive", false).len() == 40));
    assert_eq!(daemon.stop(&[Signal::INT]).1, Some(0));
}

#[test]
fn results_that_nobody_can_read_any_more_end_the_daemon_and_go_back() {
    let mut daemon = full("shutdown_timeout: 1h\n");
    drop(daemon.child.stdout.take());
    assert_eq!(wait(&mut daemon.child).code(), Some(1));
    let mut told = String::new();
    daemon.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("cannot write to standard output"), "{told}");
    assert!(told.to_lowercase().contains("broken pipe"), "{told}");
    let left = daemon.folder.files("inbox", false);
    assert!(left.iter().any(|name| is_text(name)), "{left:?}");
    assert_eq!(daemon.folder.files("quarantine", false), [""; 0]);
}

#[test]
fn a_log_that_nobody_reads_stops_no_work_and_says_later_what_it_lost() {
    let mut daemon = Unread::start(&["--log", "trace"], WRITTEN, "");
    let lost = || {
        let metrics = daemon.page("/metrics");
        let line =
            metrics.lines().find(|line| line.starts_with("standpoint_log_lines_lost_total "));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap()
    };
    let mut rounds = 0;
    while lost() == 0 {
        rounds += 1;
        assert!(rounds < 100, "the log does not fill");
        daemon.feed();
        assert!(becomes_true(|| daemon.folder.files("archive", false).len() == rounds * 40));
    }
    // Somebody reads again.
    let mut stderr = daemon.child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut told = String::new();
        stderr.read_to_string(&mut told).unwrap();
        told
    });
    assert_eq!(daemon.stop(&[Signal::TERM]).1, Some(0));
    let told = reader.join().unwrap();
    assert!(told.contains("lines of the log are lost"), "it does not say that it lost lines");
    assert!(told.contains("pipeline drained"), "its last words are lost");
}

#[test]
fn a_log_that_nobody_can_read_any_more_stops_no_work() {
    let mut daemon = Unread::start(&["--log", "debug"], WRITTEN, "");
    drop(daemon.child.stderr.take());
    daemon.feed();
    assert!(becomes_true(|| daemon.folder.files("archive", false).len() == 40));
    assert_eq!(daemon.stop(&[Signal::TERM]).1, Some(0));
}

#[test]
fn a_daemon_that_cannot_start_says_why_and_a_full_log_does_not_keep_it() {
    let folder = Folder::new();
    let pipeline = folder.write("p.yaml", "version: 1\nstages: [tokenise]\n");
    let mut child = command(&["daemon", "-c", &pipeline]).stdout(Stdio::null()).spawn().unwrap();
    assert_eq!(wait(&mut child).code(), Some(2));
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("needs at least one source"), "{told}");
    // Its end waits a moment for its last words and no longer.
    let mut daemon = Unread::start(&["--log", "trace"], WRITTEN, "");
    for _ in 0..3 {
        daemon.feed();
    }
    let (took, code) = daemon.stop(&[Signal::TERM]);
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(20), "{took:?}");
}

fn is_text(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|ending| ending == "txt")
}
