//! A daemon under strain: strangers who keep silent, full load, a plugin that hangs at the end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::daemon::signal;
use crate::harness::{Folder, RESULTS, becomes_true, command, pipeline, run, wait};

struct Strained {
    folder: Folder,
    pipeline: String,
    child: Child,
    address: String,
}

impl Strained {
    /// Starts a daemon with these stages and lines besides.
    fn start(stages: &str, more: &str) -> Self {
        let folder = Folder::new();
        let more = format!("server: {{ listen: 127.0.0.1:0 }}\n{more}");
        let pipeline = folder.write("p.yaml", pipeline(stages, RESULTS, &more));
        fs::create_dir(folder.at("inbox")).unwrap();
        let log = fs::File::create(folder.at("log")).unwrap();
        let child = command(&["--log-format", "json", "daemon", "-c", &pipeline])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut address = None;
        let log = folder.at("log");
        assert!(becomes_true(|| {
            let log = fs::read_to_string(&log).unwrap();
            let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut listening = events.filter(|event| event["fields"]["message"] == "listening");
            let found = listening.next();
            address = found.map(|event| event["fields"]["address"].as_str().unwrap().to_owned());
            address.is_some()
        }));
        Self { folder, pipeline, child, address: address.unwrap() }
    }

    fn drop_in(&self, name: &str, text: &str) {
        let draft = self.folder.write("draft", text);
        fs::rename(draft, self.folder.at(&format!("inbox/{name}"))).unwrap();
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// How long a page takes, and what it says.
    fn timed(&self, page: &str) -> (Duration, String) {
        let started = Instant::now();
        let mut stream = self.connect();
        write!(stream, "GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (started.elapsed(), answer)
    }

    /// The longest of a few looks at the health.
    fn slowest(&self) -> Duration {
        let look = |page: &&str| {
            let (took, answer) = self.timed(page);
            assert!(answer.starts_with("HTTP/1.1 200"), "{page}: {answer}");
            took
        };
        ["/livez", "/readyz", "/status", "/metrics"].iter().map(look).max().unwrap()
    }

    fn resident_bytes(&self) -> u64 {
        let status = self.timed("/status").1;
        let body = status.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str::<Value>(body).unwrap()["process"]["resident_bytes"].as_u64().unwrap()
    }

    fn end(&mut self) -> Option<i32> {
        signal(&self.child, Signal::TERM);
        let code = wait(&mut self.child).code();
        let log = fs::read_to_string(self.folder.at("log")).unwrap();
        assert!(!log.contains("panicked at"), "{log}");
        code
    }
}

/// What a health check is promised.
const PROMISED: Duration = Duration::from_secs(1);

#[test]
fn silent_slow_and_huge_requests_keep_nobody_from_asking() {
    let mut daemon = Strained::start("[tokenise]", "");
    let _silent: Vec<TcpStream> = (0..1000).map(|_| daemon.connect()).collect();
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = daemon.connect();
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: local").unwrap();
            stream
        })
        .collect();
    for number in 0..20 {
        daemon.drop_in(&format!("{number}.txt"), "Kazakhstan met Russia.");
    }
    assert!(daemon.slowest() < 2 * PROMISED, "{:?}", daemon.slowest());
    assert!(becomes_true(|| daemon.folder.files("archive", false).len() == 20));

    // A body that never ends is not read: the answer comes, and the connection goes.
    let before = daemon.resident_bytes();
    let mut huge = daemon.connect();
    huge.write_all(
        b"POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n",
    )
    .unwrap();
    let piece = vec![b'x'; 1 << 20];
    let written = (0..1000).take_while(|_| huge.write_all(&piece).is_ok()).count();
    assert!(written < 100, "it took {written} MiB");
    let grown = daemon.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "it grew by {grown} bytes");
    assert!(daemon.slowest() < 2 * PROMISED, "{:?}", daemon.slowest());
    drop(slow);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn health_is_told_within_a_second_under_full_load() {
    let mut daemon = Strained::start("[tokenise, entity, sentiment, stance]", "");
    let seeds = fs::read_to_string(crate::harness::repository("README.md")).unwrap();
    let text = seeds.repeat(8);
    for number in 0..40 {
        daemon.drop_in(&format!("{number}.txt"), &format!("Report {number}.\n\n{text}"));
    }
    let is_busy = || daemon.timed("/status").1.contains("\"in_flight\":0,");
    assert!(becomes_true(|| !is_busy()), "nothing to do");
    // Other programs share this machine: one good round of three will do.
    let rounds: Vec<Duration> = (0..3).map(|_| daemon.slowest()).collect();
    assert!(rounds.iter().any(|slowest| *slowest < PROMISED), "{rounds:?}");
    signal(&daemon.child, Signal::TERM);
    let _ = wait(&mut daemon.child);
}

#[test]
fn a_hung_plugin_does_not_hold_up_a_stop_and_its_document_is_not_lost() {
    let mischief = Path::new(env!("CARGO_BIN_EXE_standpoint")).with_file_name(format!(
        "examples/{}mischief{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    ));
    assert!(mischief.is_file(), "build it first, with `cargo build -p standpoint --examples`");
    let stages = format!("[tokenise, {{ use: {}, id: mischief }}]", mischief.display());
    // So long a timeout that only the stop can end it.
    let more = "defaults: { timeout: 1h }\nshutdown_timeout: 1s\n";
    let mut daemon = Strained::start(&stages, more);
    daemon.drop_in("good.txt", "Kazakhstan met Russia.");
    assert!(becomes_true(|| daemon.folder.files("archive", false) == ["good.txt"]));
    daemon.drop_in("hangs.txt", "Block this.");
    assert!(becomes_true(|| daemon.timed("/status").1.contains("\"in_flight\":1,")));
    let started = Instant::now();
    assert_eq!(daemon.end(), Some(1), "it was not drained");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert_eq!(daemon.folder.files("archive", false), ["good.txt"]);

    // Without the plugin the document is read, once.
    let text = fs::read_to_string(&daemon.pipeline).unwrap().replace(&stages, "[tokenise]");
    fs::write(&daemon.pipeline, text).unwrap();
    run(&["daemon", "-c", &daemon.pipeline, "--once"]).expect(0);
    assert_eq!(daemon.folder.files("archive", false), ["good.txt", "hangs.txt"]);
    let results = fs::read_to_string(daemon.folder.at("out/results.jsonl")).unwrap();
    assert_eq!(results.matches("hangs.txt").count(), 1);
}
