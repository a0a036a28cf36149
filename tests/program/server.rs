//! The daemon's window: health, status and metrics, and who may look through it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::sync::mpsc::sync_channel;
use std::thread;

use serde_json::Value;

use crate::daemon::signal;
use crate::harness::{Folder, Ran, STAGES, becomes_true, command, is_there, run, wait};

/// A daemon whose server listens on a port of the system's choice.
pub(crate) struct Served {
    pub(crate) folder: Folder,
    pub(crate) pipeline: String,
    pub(crate) child: Kept,
    address: String,
    log: thread::JoinHandle<String>,
}

/// A process that ends with the test, also where that fails.
pub(crate) struct Kept(Child);

impl Deref for Kept {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // One that has ended is none.
        let _ = self.0.kill();
    }
}

impl Served {
    /// Starts it with `settings` beside the address, and further sinks.
    pub(crate) fn start(settings: &str, sinks: &str) -> Self {
        Self::with_stages(STAGES, settings, sinks)
    }

    fn with_stages(stages: &str, settings: &str, sinks: &str) -> Self {
        let folder = Folder::new();
        folder.write("token", "a-token-of-this-test\n");
        let pipeline = folder.write(
            "p.yaml",
            format!(
                "version: 1
data_dir: ./state
sources:
  news:
    {{ type: inbox, path: ./inbox, settle: 1ms, scan_every: 200ms, on_success: {{ archive: ./archive }} }}
stages: {stages}
sinks:
  results: {{ type: jsonl, path: ./out/results.jsonl }}
{sinks}quarantine: {{ path: ./quarantine }}
server: {{ listen: 127.0.0.1:0{settings} }}
"
            ),
        );
        fs::create_dir(folder.at("inbox")).unwrap();
        let mut child =
            Kept(command(&["--log-format", "json", "daemon", "-c", &pipeline]).spawn().unwrap());
        let (sender, told) = sync_channel(1);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = thread::spawn(move || {
            let mut log = String::new();
            for line in stderr.lines().map(Result::unwrap) {
                // What the program says to people is no event.
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                if event["fields"]["message"] == "listening" {
                    sender.send(event["fields"]["address"].as_str().unwrap().to_owned()).unwrap();
                }
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        let Ok(address) = told.recv() else {
            let code = wait(&mut child);
            panic!("the daemon did not listen ({code}): {}", log.join().unwrap());
        };
        Self { folder, pipeline, child, address, log }
    }

    pub(crate) fn drop_in(&self, name: &str, text: &str) {
        let draft = self.folder.write("draft", text);
        fs::rename(draft, self.folder.at(&format!("inbox/{name}"))).unwrap();
    }

    /// Sends a request as it stands, and gives the status code and the whole answer.
    pub(crate) fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        (code.unwrap_or_else(|| panic!("no HTTP: {answer:?}")), answer)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> (Folder, Ran) {
        let code = wait(&mut self.child).code();
        let stderr = self.log.join().unwrap();
        assert!(!stderr.contains("panicked at"), "{stderr}");
        (self.folder, Ran { code, stdout: String::new(), stderr })
    }
}

#[test]
fn it_tells_how_it_is_and_what_it_has_done() {
    let daemon = Served::start("", "");
    daemon.drop_in("a.txt", "Kazakhstan condemned Russia.");
    daemon.drop_in("empty.txt", " ");
    let done = || daemon.get("/metrics").1.contains("settled_total{outcome=\"failed\"} 1");
    assert!(becomes_true(done), "{}", daemon.get("/metrics").1);
    assert!(becomes_true(|| daemon.get("/status").1.contains("\"done\":1,\"failed\":1")));

    assert_eq!(daemon.get("/livez").0, 200);
    assert_eq!(daemon.get("/readyz").0, 200);
    let (code, answer) = daemon.get("/status");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status: Value = serde_json::from_str(body).unwrap();
    assert_eq!((code, &status["version"], &status["ready"]), (200, &1.into(), &true.into()));
    assert_eq!(status["stages"][3]["id"], "stance");
    for header in ["x-content-type-options: nosniff", "content-security-policy: default-src 'none'"]
    {
        assert!(head.contains(header), "{head}");
    }

    let by_file = run(&["status", "-c", &daemon.pipeline]).expect(0);
    assert!(by_file.stdout.contains("ready      yes\n"), "{}", by_file.stdout);
    let state = daemon.folder.at("state");
    let by_folder = run(&["status", "--data-dir", &state, "--format", "json"]).expect(0);
    let asked = &by_folder.results()[0]["documents"];
    for count in ["read", "done", "failed", "returned", "in_flight"] {
        assert_eq!(asked[count], status["documents"][count], "{count}");
    }
    // The last minute is another one with each question.
    assert_eq!((&asked["lately"]["done"], asked["lately"]["ms"].is_u64()), (&1.into(), true));

    // Also while somebody edits the file: where the daemon is, it says all the same.
    let text = std::fs::read_to_string(&daemon.pipeline).unwrap();
    let broken = daemon.folder.write("broken.yaml", text.replace("stages:", "stages: [\nstags:"));
    let told = run(&["status", "-c", &broken]).expect(0);
    assert!(told.stdout.contains("ready      yes\n"), "{}", told.stdout);
    assert!(told.stderr.contains("only `data_dir` is used here"), "{}", told.stderr);
    let unread = daemon.folder.write("broken.yaml", "data_dir: [");
    let told = run(&["status", "-c", &unread]).expect(2);
    assert!(told.stderr.contains("`--data-dir FOLDER` asks the daemon without"), "{}", told.stderr);

    // Somebody who says nothing keeps nobody waiting.
    let _silent = TcpStream::connect(&daemon.address).unwrap();
    signal(&daemon.child, rustix::process::Signal::TERM);
    let gone = daemon.pipeline.clone();
    let (folder, ran) = daemon.finish();
    ran.expect(3);
    assert!(!folder.files("state", true).contains(&"control.sock".to_owned()));
    let told = run(&["status", "-c", &gone]).expect(1);
    assert!(told.stderr.contains("no daemon answers at "), "{}", told.stderr);
    assert!(told.stderr.contains(" (is it running, and this its folder?): "), "{}", told.stderr);
}

#[test]
fn it_is_not_ready_while_it_stops() {
    let daemon = Served::start("", "  store: { type: sqlite, path: ./out/standpoint.db }\n");
    let path = daemon.folder.at("out/standpoint.db");
    let store = rusqlite::Connection::open(path).unwrap();
    store.execute_batch("BEGIN EXCLUSIVE").unwrap();
    daemon.drop_in("a.txt", "Kazakhstan condemned Russia.");
    assert!(becomes_true(|| daemon.get("/status").1.contains("\"in_flight\":1")));
    signal(&daemon.child, rustix::process::Signal::TERM);
    assert!(becomes_true(|| daemon.get("/readyz").0 == 503));
    assert!(daemon.get("/readyz").1.ends_with("\r\n\r\nstopping\n"));
    assert_eq!(daemon.get("/livez").0, 200);
    store.execute_batch("ROLLBACK").unwrap();
    let (folder, ran) = daemon.finish();
    ran.expect(0);
    assert_eq!(folder.files("archive", false), ["a.txt"]);
}

#[test]
fn a_browser_logs_in_by_the_printed_address_and_sees_documents_arrive() {
    let daemon = Served::start("", "  store: { type: sqlite, path: ./out/standpoint.db }\n");
    let token = fs::read_to_string(daemon.folder.at("state/server.token")).unwrap();
    let token = token.trim();
    let as_program = |path: &str| {
        daemon.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
    };
    assert_eq!(daemon.get("/").0, 401);
    assert_eq!(daemon.get("/api/v1/evidence").0, 401);
    assert_eq!(daemon.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").0, 421);
    // Events begin at once, and one comes when a document was kept.
    let mut events = TcpStream::connect(&daemon.address).unwrap();
    write!(
        events,
        "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    let mut events = BufReader::new(events).lines().map(Result::unwrap);
    assert!(events.any(|line| line == "data: {\"documents\":0}"));
    daemon.drop_in("a.txt", "Kazakhstan condemned Russia.");
    assert!(events.any(|line| line == "data: {\"documents\":1}"));
    let (code, answer) = as_program("/api/v1/evidence.csv");
    assert!(code == 200 && answer.contains("Kazakhstan condemned Russia."), "{answer}");
    let (code, page) = as_program("/");
    assert!(code == 200 && page.contains("Kazakhstan"), "{page}");
    assert!(
        page.contains("content-security-policy: default-src 'none'; script-src 'self'"),
        "{page}"
    );

    let large = "x".repeat(100_000);
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{large}",
        large.len()
    );
    assert_eq!(daemon.ask(&request).0, 413);
    signal(&daemon.child, rustix::process::Signal::TERM);
    let (folder, ran) = daemon.finish();
    let ran = ran.expect(0);
    // A log for programs has nothing but objects, and no key.
    let file = folder.at("state/dashboard.url");
    let address = fs::read_to_string(&file).unwrap();
    let key =
        address.trim().strip_prefix("http://").and_then(|line| line.split_once("/#")).unwrap().1;
    assert_eq!(key.len(), 40, "{address}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!ran.stderr.contains(key) && ran.stderr.contains("dashboard.url"), "{}", ran.stderr);
    for line in ran.stderr.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn a_target_of_the_pipeline_is_no_stranger_before_its_first_document() {
    let of_others = "{ use: stance, id: other, when: \"title == 'Air'\", with: { targets: [XQZ, \
                      \"Ilse Brandvold (NOR.BRANDVOLD)\"] } }";
    let stages = STAGES.replace(']', &format!(", {of_others}]"));
    let sinks = "  store: { type: sqlite, path: ./out/standpoint.db }\n";
    let daemon = Served::with_stages(&stages, "", sinks);
    let token = fs::read_to_string(daemon.folder.at("state/server.token")).unwrap();
    let token = token.trim();
    let ask = |path: &str| {
        daemon.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
    };
    daemon.drop_in("a.txt", "Kazakhstan condemned Russia.");
    assert!(becomes_true(|| ask("/api/v1/evidence.csv").1.contains("Kazakhstan condemned")));
    for (target, code) in [
        ("XQZ", 200),
        ("Ilse%20Brandvold", 200),
        ("NOR.BRANDVOLD", 200),
        ("XQY", 400),
        ("Ilse%20Brand", 400),
        ("RUS", 200),
    ] {
        let (found, told) = ask(&format!("/api/v1/evidence?target={target}"));
        assert_eq!(found, code, "{target}: {told}");
        assert_eq!(ask(&format!("/?target={target}")).0, if code == 200 { 200 } else { 404 });
    }
    signal(&daemon.child, rustix::process::Signal::TERM);
    daemon.finish().1.expect(0);
}

#[test]
fn strangers_are_turned_away() {
    let daemon = Served::start("", "");
    for (request, expected) in [
        ("GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        ("GET /status HTTP/1.1\r\n\r\n", 421),
        ("POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405),
        ("GET /../lock HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("nonsense\r\n\r\n", 400),
    ] {
        assert_eq!(daemon.ask(request).0, expected, "{request:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(32 * 1024));
    assert!((400..500).contains(&daemon.ask(&long).0));
    assert_eq!(daemon.get("/livez").0, 200);
    signal(&daemon.child, rustix::process::Signal::TERM);
    daemon.finish().1.expect(0);
}

#[test]
fn with_a_token_only_health_is_for_everybody() {
    let daemon = Served::start(", token_file: ./token", "");
    assert_eq!(daemon.get("/readyz").0, 200);
    let (code, answer) = daemon.get("/metrics");
    assert!(code == 401 && answer.contains("www-authenticate: Bearer"), "{answer}");
    let shown =
        "GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a-token-of-this-test\r\n\r\n";
    assert_eq!(daemon.ask(shown).0, 200);
    run(&["status", "-c", &daemon.pipeline]).expect(0);

    // The address is taken now, and a token must be worth its name.
    let other = |server: &str| {
        let text = fs::read_to_string(&daemon.pipeline).unwrap();
        let text = text.replace("./state", "./other").replace("out/", "other-out/");
        let server_line = text.lines().last().unwrap().to_owned();
        let pipeline = daemon.folder.write("other.yaml", text.replace(&server_line, server));
        run(&["daemon", "-c", &pipeline, "--once"])
    };
    let taken = other(&format!("server: {{ listen: {} }}", daemon.address)).expect(1);
    assert!(taken.stderr.contains("cannot listen on"), "{}", taken.stderr);
    daemon.folder.write("short", "secret");
    let short = other("server: { listen: 127.0.0.1:0, token_file: ./short }").expect(2);
    assert!(short.stderr.contains("expected one word of at least 16"), "{}", short.stderr);
    signal(&daemon.child, rustix::process::Signal::TERM);
    daemon.finish().1.expect(0);
}

/// The samples of a page of metrics, by name and labels.
fn samples(page: &str) -> std::collections::BTreeMap<String, u64> {
    let samples = page.lines().filter(|line| line.starts_with("standpoint_"));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    samples.filter_map(sample).collect()
}

#[test]
fn every_file_that_was_taken_is_accounted_for_at_every_scrape() {
    let daemon = Served::start("", "");
    for number in 0..60 {
        let text = if number % 6 == 5 { " " } else { "Kazakhstan condemned Russia." };
        daemon.drop_in(&format!("{number}.txt"), &format!("{text}{}", "\n".repeat(number % 6)));
    }
    let settled = |metrics: &std::collections::BTreeMap<String, u64>, outcome: &str| {
        let name = format!("inbox_files_total{{source=\"news\",outcome=\"{outcome}\"}}");
        metrics.get(&format!("standpoint_{name}")).copied().unwrap_or_default()
    };
    let mut scrapes = 0;
    let is_done = || {
        let page = daemon.get("/metrics").1;
        let metrics = samples(&page);
        let of =
            |name: &str| metrics.get(&format!("standpoint_{name}{{source=\"news\"}}")).copied();
        let Some(taken) = of("inbox_attempts_total") else { return false };
        let in_work = of("inbox_files_in_work").unwrap();
        let outcomes = ["done", "quarantined", "returned", "gone"];
        let out: u64 = outcomes.iter().map(|outcome| settled(&metrics, outcome)).sum();
        assert_eq!(taken, in_work + out, "{page}");
        scrapes += 1;
        out == 60
    };
    assert!(becomes_true(is_done));
    assert!(scrapes > 1, "it was looked at once");
    let metrics = samples(&daemon.get("/metrics").1);
    assert_eq!((settled(&metrics, "done"), settled(&metrics, "quarantined")), (50, 10));
    // No label of any metric comes from a document or the name of its file.
    assert!(!metrics.keys().any(|name| name.contains(".txt") || name.contains("KAZ")));
    signal(&daemon.child, rustix::process::Signal::TERM);
    let (folder, ran) = daemon.finish();
    ran.expect(3);
    assert_eq!(folder.files("archive", false).len(), 50);
}

#[test]
fn it_is_not_ready_while_its_inbox_is_gone_and_is_when_it_is_back() {
    let daemon = Served::start("", "");
    daemon.drop_in("a.txt", "Kazakhstan condemned Russia.");
    assert!(becomes_true(|| daemon.folder.files("archive", false) == ["a.txt"]));
    assert_eq!(daemon.get("/readyz").0, 200);
    let (inbox, away) = (daemon.folder.at("inbox"), daemon.folder.at("away"));
    fs::rename(&inbox, &away).unwrap();
    assert!(becomes_true(|| daemon.get("/readyz").0 == 503));
    let (_, told) = daemon.get("/readyz");
    assert!(told.ends_with("\r\n\r\nsource `news` waits to try again\n"), "{told}");
    assert_eq!(daemon.get("/livez").0, 200);
    let status = daemon.get("/status").1;
    assert!(status.contains("cannot look into"), "{status}");
    let metrics = daemon.get("/metrics").1;
    assert!(metrics.contains("standpoint_source_waiting{source=\"news\"} 1"), "{metrics}");
    fs::create_dir(&inbox).unwrap();
    assert!(becomes_true(|| daemon.get("/readyz").0 == 200));
    daemon.drop_in("b.txt", "Kazakhstan condemned Russia.");
    assert!(becomes_true(|| daemon.folder.files("archive", false).len() == 2));
    signal(&daemon.child, rustix::process::Signal::TERM);
    daemon.finish().1.expect(0);
}

#[test]
fn an_input_is_done_only_once_the_last_of_its_sinks_has_it() {
    let daemon = Served::start("", "  store: { type: sqlite, path: ./out/standpoint.db }\n");
    let store = rusqlite::Connection::open(daemon.folder.at("out/standpoint.db")).unwrap();
    store.execute_batch("BEGIN EXCLUSIVE").unwrap();
    daemon.drop_in("a.txt", "Kazakhstan condemned Russia.");
    let printed = || fs::read_to_string(daemon.folder.at("out/results.jsonl")).unwrap_or_default();
    assert!(becomes_true(|| printed().ends_with('\n')), "the first sink does not have it");
    // The other one says that it waits, once it has tried.
    assert!(becomes_true(|| daemon.get("/readyz").0 == 503));
    assert_eq!(daemon.folder.files("archive", false), [""; 0]);
    store.execute_batch("ROLLBACK").unwrap();
    assert!(becomes_true(|| daemon.folder.files("archive", false) == ["a.txt"]));
    let kept = || store.query_row("SELECT count(*) FROM documents", [], |row| row.get::<_, u32>(0));
    assert_eq!(kept().unwrap(), 1);
    assert!(becomes_true(|| daemon.get("/readyz").0 == 200));
    assert_eq!(printed().lines().count(), 1);
    signal(&daemon.child, rustix::process::Signal::TERM);
    daemon.finish().1.expect(0);
}

#[test]
fn whether_it_is_ready_costs_no_look_at_the_disk_however_often_it_is_asked() {
    if !is_there("strace", "-V") {
        return;
    }
    let daemon = Served::start("", "");
    let trace = daemon.folder.at("trace");
    let mut strace = std::process::Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=openat,accept4", "-o", &trace, "-p"])
        .arg(daemon.child.id().to_string())
        .spawn()
        .unwrap();
    let calls = || fs::read_to_string(&trace).unwrap_or_default();
    // It is being looked at.
    assert!(becomes_true(|| {
        daemon.get("/livez");
        calls().contains("accept4(")
    }));
    let count = |part: &str| calls().lines().filter(|line| line.contains(part)).count();
    for _ in 0..50 {
        assert_eq!(daemon.get("/readyz").0, 200);
    }
    assert_eq!(count("/proc/self/status"), 0, "{}", calls());
    assert_eq!(count("state/ledger"), 0, "{}", calls());
    // What is asked for in earnest is measured, and for many who ask at a time once.
    for _ in 0..50 {
        assert_eq!(daemon.get("/metrics").0, 200);
    }
    assert!(becomes_true(|| count("/proc/self/status") > 0));
    assert!(count("/proc/self/status") < 25, "{}", calls());
    signal(&daemon.child, rustix::process::Signal::TERM);
    daemon.finish().1.expect(0);
    strace.wait().unwrap();
}
