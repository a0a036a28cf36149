//! Azure and Google, at servers that stand in for them: documents go into a container and out of it
//! again, whoever is killed.
//!
//! For Google that is the server of S3, whose lists and objects are those of Google's XML
//! interface. For Azure it is Azurite, which is a package for Node; where it is in the `PATH`:
//!
//! ```sh
//! cargo test -p standpoint --features objects --test program -- --ignored azure
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use super::{LOGIN, Server, free_port, pipeline};
use crate::harness::{Folder, becomes_true, command, finish, is_there};

/// How many documents go.
const COUNT: usize = 20;

/// Reads from one place into another until all is done, killed at these points before.
fn carry(folder: &Folder, name: &str, from: &str, to: &str, env: &[(&str, String)], at: &[&str]) {
    let text = pipeline(from, to).replace("./state", &format!("./{name}-state"));
    // What the first of them puts, the second one fetches.
    let text = text.replace("9KiB", "1MiB");
    let file = folder.write(&format!("{name}.yaml"), text);
    let run = |crash: Option<&str>| {
        let mut command = command(&["daemon", "--once", "-c", &file]);
        command.envs(env.iter().map(|(name, value)| (*name, value)));
        command.envs(crash.map(|point| ("STANDPOINT_CRASH_AT", point)));
        finish(command.spawn().unwrap())
    };
    for point in at {
        let ran = run(Some(point));
        assert_eq!(ran.code, None, "{point}: {}", ran.stderr);
    }
    run(None).expect(0);
    // Nothing is read or put again.
    run(None).expect(0);
}

/// Documents go from a folder into `place` and from there into another folder.
fn goes_there_and_back(place: &str, env: &[(&str, String)]) {
    let folder = Folder::new();
    let mut expected = BTreeMap::new();
    for number in 0..COUNT {
        let text = format!("Report {number}. Kazakhstan condemned Russia.");
        folder.write(&format!("bucket/{number:02} of the day.txt"), &text);
        expected.insert(text, 1);
    }
    let (from, to) = (folder.at("bucket"), folder.at("out"));
    let points = ["object noted:1", "object put:1", "object put:2"];
    carry(&folder, "in", &format!("file://{from}"), place, env, &points);
    carry(&folder, "out", place, &format!("file://{to}"), env, &["object fetched:2"]);
    let mut found = BTreeMap::new();
    for below in fs::read_dir(&to).unwrap() {
        for object in fs::read_dir(below.unwrap().path()).unwrap() {
            for line in fs::read_to_string(object.unwrap().path()).unwrap().lines() {
                let result: Value = serde_json::from_str(line).unwrap();
                *found.entry(result["text"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(found, expected);
}

/// Leads to a server what asks for it, with a login that it knows in place of Google's; the port to
/// ask at.
fn under_a_login_of_s3(port: u16) -> u16 {
    let door = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let at = door.local_addr().unwrap().port();
    thread::spawn(move || {
        for asker in door.incoming() {
            let asker = asker.unwrap();
            thread::spawn(move || lead(&asker, port));
        }
    });
    at
}

/// Leads one request and its answer.
fn lead(mut asker: &TcpStream, port: u16) -> io::Result<()> {
    let mut lines = BufReader::new(asker);
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if !line.to_lowercase().starts_with("authorization:") {
            server.write_all(line.as_bytes())?;
        }
    }
    write!(server, "{LOGIN}\r\nConnection: close\r\n\r\n")?;
    let mut into = server.try_clone()?;
    let mut rest = BufReader::new(lines.buffer()).chain(asker.try_clone()?);
    thread::scope(|scope| {
        scope.spawn(move || io::copy(&mut rest, &mut into));
        io::copy(&mut server, &mut asker)?;
        asker.shutdown(Shutdown::Both)
    })
}

#[test]
fn a_bucket_of_google_is_filled_and_read() {
    let Some(server) = Server::start(free_port()) else { return };
    let folder = Folder::new();
    let account = json!({
        "private_key": "none", "private_key_id": "none", "client_email": "none",
        "disable_oauth": true,
        "gcs_base_url": format!("http://127.0.0.1:{}", under_a_login_of_s3(server.port)),
    });
    let env = [
        ("GOOGLE_SERVICE_ACCOUNT", folder.write("account.json", account.to_string())),
        ("GOOGLE_ALLOW_HTTP", "true".to_owned()),
    ];
    goes_there_and_back("gs://output/results", &env);
}

/// Azurite, which keeps everything in memory.
struct Azurite(Child);

impl Azurite {
    /// What its one user, whom everybody knows, says to make the container `output` on the first of
    /// January 2026: the signature is of that and of no port.
    const MAKE: &str = "PUT /devstoreaccount1/output?restype=container HTTP/1.0\r\nHost: 127.0.0.1\r\n\
        Content-Length: 0\r\nx-ms-date: Thu, 01 Jan 2026 00:00:00 GMT\r\nx-ms-version: 2021-12-02\r\n\
        Authorization: SharedKey devstoreaccount1:Xyp7hHonyZCI7OTz4uiRWwzOp+/LMtvj8siQq0gkNII=\r\n\r\n";

    fn start(port: u16) -> Option<Self> {
        const PROGRAM: &str = "azurite-blob";
        if !is_there(PROGRAM, "--version") {
            return None;
        }
        let child = Command::new(PROGRAM)
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            // It need not know the newest version of the interface.
            .args(["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let azurite = Self(child);
        let made = || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            stream.write_all(Self::MAKE.as_bytes()).ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.starts_with("HTTP/1.1 201").then_some(())
        };
        assert!(becomes_true(|| made().is_some()), "no container");
        Some(azurite)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "long form: needs `azurite-blob` (the package `azurite` for Node)"]
fn a_container_of_azure_is_filled_and_read() {
    let port = free_port();
    let Some(_azurite) = Azurite::start(port) else { return };
    let env = [
        ("AZURE_STORAGE_USE_EMULATOR", "true".to_owned()),
        ("AZURITE_BLOB_STORAGE_URL", format!("http://127.0.0.1:{port}")),
    ];
    goes_there_and_back("az://output/results", &env);
}
