//! Object storage in and out: at a server that speaks S3, which the test starts, and in folders.

mod clouds;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::daemon::signal;
use crate::harness::{Folder, Ran, STAGES, ask, becomes_true, command, finish, is_there, run};

/// What a [`Server`] wants to see.
const LOGIN: &str = "Authorization: AWS4-HMAC-SHA256 \
    Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// A server that speaks S3 and keeps everything in memory.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts it with two buckets; `None`, said loudly, where it is not installed.
    fn start(port: u16) -> Option<Self> {
        // Of the Python package `moto[server]`.
        if !is_there("moto_server", "--help") {
            return None;
        }
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, port };
        assert!(becomes_true(|| TcpStream::connect(("127.0.0.1", port)).is_ok()), "no server");
        for bucket in ["input", "output"] {
            server.ask("PUT", &format!("/{bucket}"), b"");
        }
        Some(server)
    }

    /// What it answers; it looks at no signature, but wants to see one.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n{LOGIN}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        assert!(head.split(' ').nth(1) == Some("200"), "{method} {path}: {head}");
        answer.split_off(end + 4)
    }

    fn put(&self, key: &str, text: &str) {
        self.ask("PUT", &format!("/input/{key}"), text.as_bytes());
    }

    /// What lies in the bucket `output`, by its keys.
    fn out(&self) -> BTreeMap<String, String> {
        let list = String::from_utf8(self.ask("GET", "/output?list-type=2", b"")).unwrap();
        let keys = list.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap());
        keys.map(|key| {
            let text = self.ask("GET", &format!("/output/{key}"), b"");
            (key.to_owned(), String::from_utf8(text).unwrap())
        })
        .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A pipeline from one place to another.
fn pipeline(from: &str, to: &str) -> String {
    format!(
        "version: 1
data_dir: ./state
commit: {{ max_documents: 8 }}
sources:
  news: {{ type: objects, url: '{from}', poll_every: 200ms, max_bytes_ahead: 1KiB, max_object_bytes: 9KiB,
          # What is in work in each of these crashes is not to blame.
          max_attempts: 9 }}
stages: {STAGES}
sinks:
  results: {{ type: objects, url: '{to}' }}
quarantine: {{ path: ./quarantine }}
"
    )
}

/// Which nobody may be told.
const SECRET: &str = "hush-this-is-secret";

/// The program, with the server's address and somebody's keys in its environment.
fn at(port: u16, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.env("AWS_ENDPOINT", format!("http://127.0.0.1:{port}")).env("AWS_ALLOW_HTTP", "true");
    command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", SECRET);
    command
}

/// How often each document is in results, by the path that it was read from.
fn counts<'t>(texts: impl IntoIterator<Item = &'t String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in texts.into_iter().flat_map(|text| text.lines()) {
        let result: Value = serde_json::from_str(line).unwrap();
        let path = result["source"]["path"].as_str().unwrap();
        *counts.entry(path.to_owned()).or_insert(0) += 1;
    }
    counts
}

/// Whether a name is that of an object with result lines.
fn is_lines(name: impl AsRef<Path>) -> bool {
    name.as_ref().extension().is_some_and(|ending| ending == "jsonl")
}

#[test]
fn wherever_it_is_killed_each_object_is_read_and_each_document_put_once() {
    let Some(server) = Server::start(free_port()) else { return };
    let folder = Folder::new();
    let file = folder.write("p.yaml", pipeline("s3://input/news", "s3://output/results"));
    let mut expected = BTreeMap::new();
    for number in 0..30 {
        let key = format!("2026/{number:02}.txt");
        server.put(&format!("news/{key}"), &format!("{key}. Kazakhstan condemned Russia."));
        expected.insert(key, 1);
    }
    server.put(
        "news/many.jsonl",
        "{\"text\": \"Belarus praised Russia.\"}\nno record\n{\"text\": \"Kazakhstan condemned Russia.\"}\n",
    );
    expected.insert("many.jsonl".to_owned(), 2);
    // None of these is a document of the source.
    for key in ["news/picture.png", "news/.hidden.txt", "news/draft.txt.tmp", "newsletter/x.txt"] {
        server.put(key, "Belarus praised Russia.");
    }

    // Keys that are no paths, and what is too large.
    let hostile = [
        "news/%2E%2E/%2E%2E/etc/a.txt",
        "news/2026//b.txt",
        "news/%2E/c.txt",
        "news/2026/a%09b.txt",
    ];
    for key in hostile {
        server.put(key, "Belarus praised Russia.");
    }
    server.put("news/large.txt", &"Belarus praised Russia. ".repeat(1000));

    let once = ["daemon", "--once", "-c", file.as_str()];
    let points =
        ["object fetched:5", "object noted:1", "object put:1", "object put:2", "ledger appended:9"];
    for point in points {
        let child = at(server.port, &once).env("STANDPOINT_CRASH_AT", point).spawn().unwrap();
        assert_eq!(finish(child).code, None, "{point}");
    }
    let ran =
        |expected: i32| -> Ran { finish(at(server.port, &once).spawn().unwrap()).expect(expected) };
    let told = ran(3).stderr;
    for named in ["large.txt", "`max_object_bytes` is 9216", "../../etc/a.txt", "2026//b.txt"] {
        assert!(told.contains(named), "{named}: {told}");
    }
    assert!(!told.contains(SECRET));
    let out = server.out();
    assert_eq!(counts(out.values()), expected);
    assert!(out.keys().all(|key| key.starts_with("results/") && is_lines(key)));
    assert_eq!(
        folder.files("quarantine", false),
        ["many.record-2.jsonl", "many.record-2.jsonl.reason.json"]
    );

    // Nothing is read again; a new version and a new object are.
    ran(0);
    assert_eq!(server.out(), out);
    server.put("news/2026/00.txt", "Another text. Belarus praised Russia.");
    server.put("news/new.txt", "Belarus praised Russia.");
    ran(0);
    expected.insert("2026/00.txt".to_owned(), 2);
    expected.insert("new.txt".to_owned(), 1);
    assert_eq!(counts(server.out().values()), expected);

    // What failed is tried again from the quarantine, though no inbox is named in the file.
    let replayed = run(&["quarantine", "replay", "--all", "-c", &file]).expect(0);
    ran(3);
    assert_eq!(counts(server.out().values()), expected, "{}", replayed.stdout);
}

#[test]
fn a_server_that_is_away_is_waited_for_and_readiness_says_so() {
    let port = free_port();
    let Some(server) = Server::start(port) else { return };
    drop(server);
    let folder = Folder::new();
    let file = folder.write("p.yaml", pipeline("s3://input/news", "s3://output/results"));
    let state = folder.at("state");
    let daemon = at(port, &["daemon", "-c", &file]).spawn().unwrap();
    let says =
        |page: &str, what: &str| ask(&state, page).is_some_and(|(_, said)| said.contains(what));
    assert!(becomes_true(|| says("/readyz", " 503 ")), "{:?}", ask(&state, "/readyz"));
    assert!(says("/status", "cannot look through s3://input/news"), "{:?}", ask(&state, "/status"));
    assert!(!says("/status", SECRET));

    let server = Server::start(port).unwrap();
    server.put("news/a.txt", "Kazakhstan condemned Russia.");
    assert!(becomes_true(|| !server.out().is_empty()), "{:?}", ask(&state, "/status"));
    assert!(becomes_true(|| says("/readyz", " 200 ")), "{:?}", ask(&state, "/readyz"));
    drop(server);
    signal(&daemon, Signal::TERM);
    let ran = finish(daemon).expect(0);
    assert!(
        ran.stderr.contains("s3://input/news") && !ran.stderr.contains(SECRET),
        "{}",
        ran.stderr
    );

    let gave_up = finish(at(port, &["daemon", "--once", "-c", &file]).spawn().unwrap());
    assert!(
        gave_up.code != Some(0) && gave_up.stderr.contains("s3://input/news"),
        "{}",
        gave_up.stderr
    );
}

#[test]
fn a_sink_waits_for_its_server_and_takes_credentials_from_a_file() {
    let port = free_port();
    let Some(server) = Server::start(port) else { return };
    drop(server);
    let folder = Folder::new();
    folder.write("bucket/a.txt", "Kazakhstan condemned Russia.");
    folder.write(
        "keys",
        format!(
            "# For the bucket\nAWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY={SECRET}\n\
             AWS_ENDPOINT=http://127.0.0.1:{port}\nAWS_ALLOW_HTTP=true\n"
        ),
    );
    let from = format!("file://{}", folder.at("bucket"));
    let text = pipeline(&from, "s3://output/results");
    let text = text.replace("results' }", "results', credentials_file: ./keys }");
    let file = folder.write("p.yaml", text);
    let state = folder.at("state");
    let daemon = command(&["daemon", "-c", &file]).spawn().unwrap();
    let says =
        |page: &str, what: &str| ask(&state, page).is_some_and(|(_, said)| said.contains(what));
    let reason = "cannot put an object into s3://output/results";
    assert!(becomes_true(|| says("/readyz", " 503 ")), "{:?}", ask(&state, "/readyz"));
    assert!(becomes_true(|| says("/status", reason)), "{:?}", ask(&state, "/status"));

    let server = Server::start(port).unwrap();
    assert!(becomes_true(|| !server.out().is_empty()), "{:?}", ask(&state, "/status"));
    assert!(becomes_true(|| says("/readyz", " 200 ")), "{:?}", ask(&state, "/readyz"));
    signal(&daemon, Signal::TERM);
    let ran = finish(daemon).expect(0);
    assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
    let expected = BTreeMap::from([("a.txt".to_owned(), 1)]);
    assert_eq!(counts(server.out().values()), expected);
}

#[test]
fn a_folder_is_a_bucket_too() {
    let folder = Folder::new();
    let (from, to) =
        (format!("file://{}", folder.at("bucket/news")), format!("file://{}", folder.at("out")));
    let file = folder.write("p.yaml", pipeline(&from, &to));
    folder.write("bucket/news/a.txt", "Kazakhstan condemned Russia.");
    folder.write("bucket/other/b.txt", "Kazakhstan condemned Russia.");
    let daemon = command(&["daemon", "-c", &file]).spawn().unwrap();
    let texts = || -> Vec<String> {
        let mut texts = Vec::new();
        for below in fs::read_dir(folder.at("out")).into_iter().flatten() {
            for object in fs::read_dir(below.unwrap().path()).unwrap().map(Result::unwrap) {
                // One that is still being written has `#` in its name.
                if is_lines(object.file_name()) {
                    texts.push(fs::read_to_string(object.path()).unwrap());
                }
            }
        }
        texts
    };
    assert!(becomes_true(|| texts().len() == 1), "{:?}", ask(&folder.at("state"), "/status"));
    folder.write("bucket/news/sub/c.txt", "Belarus praised Russia.");
    assert!(becomes_true(|| texts().len() == 2), "{:?}", ask(&folder.at("state"), "/status"));
    signal(&daemon, Signal::TERM);
    finish(daemon).expect(0);
    let expected = [("a.txt".to_owned(), 1), ("sub/c.txt".to_owned(), 1)];
    assert_eq!(counts(&texts()), BTreeMap::from(expected));
    assert_eq!(folder.files("state/objects/news/inbox", true), [""; 0]);
    // The bucket is as it was.
    assert_eq!(folder.files("bucket", false), ["a.txt", "b.txt", "c.txt"]);
}

#[test]
fn a_sink_writes_tables_where_this_build_can() {
    let folder = Folder::new();
    folder.write("bucket/a.txt", "Kazakhstan condemned Russia.");
    let (from, to) =
        (format!("file://{}", folder.at("bucket")), format!("file://{}", folder.at("out")));
    let text = pipeline(&from, &to).replace("out' }", "out', format: parquet }");
    let file = folder.write("p.yaml", text);
    if !cfg!(feature = "parquet") {
        let ran = run(&["validate", &file]).expect(2);
        assert!(ran.stdout.contains("--features objects,parquet"), "{}", ran.stdout);
        return;
    }
    run(&["daemon", "--once", "-c", &file]).expect(0);
    let folders: Vec<_> = fs::read_dir(folder.at("out")).unwrap().map(Result::unwrap).collect();
    let objects: Vec<_> = fs::read_dir(folders[0].path()).unwrap().map(Result::unwrap).collect();
    assert_eq!((folders.len(), objects.len()), (1, 1));
    assert!(objects[0].path().extension().is_some_and(|ending| ending == "parquet"));
    let bytes = fs::read(objects[0].path()).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[test]
fn an_address_that_is_none_is_refused_at_the_start() {
    let folder = Folder::new();
    for (from, to, expected) in [
        ("bucket/news", "file:///out", "is no place in object storage"),
        ("file:///news", "s3://key:s3cret@bucket/x", "holds a password"),
    ] {
        let file = folder.write("p.yaml", pipeline(from, to));
        let ran = run(&["daemon", "--once", "-c", &file]).expect(2);
        assert!(ran.stderr.contains(expected) && !ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
}
