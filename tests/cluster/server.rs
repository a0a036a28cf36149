//! A NATS server of a test's own: a free port, a folder that goes with it, ended by its pid.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness;
use crate::wire::Wire;

/// The server; it ends with the value.
pub(crate) struct Server {
    pub(crate) port: u16,
    /// What the program calls it.
    pub(crate) host: &'static str,
    /// Where it listens.
    address: &'static str,
    folder: PathBuf,
    configuration: String,
    child: Option<Child>,
    /// How a test logs in.
    login: Value,
}

/// Whether there is a server to start.
///
/// Says so where there is none, and fails where its absence is a fault.
pub(crate) fn is_installed() -> bool {
    let asked = Command::new("nats-server").arg("--version").output();
    if asked.is_ok_and(|asked| asked.status.success()) {
        return true;
    }
    let told = "NOT TESTED: there is no `nats-server` on the path; `apt-get install nats-server` \
                brings it";
    assert!(std::env::var_os("CI").is_none(), "{told}");
    eprintln!("{told}");
    false
}

impl Server {
    /// Starts one in `folder`.
    ///
    /// - `configuration`: lines of its configuration file, besides port and store.
    pub(crate) fn start(folder: &Path, configuration: &str) -> Self {
        Self::start_for(folder, configuration, json!({}))
    }

    /// The same, for whoever logs in.
    pub(crate) fn start_for(folder: &Path, configuration: &str, login: Value) -> Self {
        let mut server = Self::start_unasked(folder, configuration);
        server.login = login;
        server.wait();
        server
    }

    /// Starts one that other hosts get to, who call this one `host`.
    #[cfg(feature = "postgres")]
    pub(crate) fn start_at(host: &'static str, folder: &Path) -> Self {
        let mut server = Self::new(folder, "");
        (server.host, server.address) = (host, "0.0.0.0");
        server.up();
        server
    }

    /// Starts one that speaks TLS alone, which a test cannot ask anything.
    pub(crate) fn start_in_secret(folder: &Path, configuration: &str) -> Self {
        let server = Self::start_unasked(folder, configuration);
        let answers = || std::net::TcpStream::connect(("127.0.0.1", server.port)).is_ok();
        assert!(harness::becomes_true(answers), "no answer: {}", server.log());
        server
    }

    fn start_unasked(folder: &Path, configuration: &str) -> Self {
        let mut server = Self::new(folder, configuration);
        server.spawn();
        server
    }

    fn new(folder: &Path, configuration: &str) -> Self {
        // Free now; whoever takes it meanwhile makes the server fail loudly.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = folder.join("nats");
        fs::create_dir_all(&folder).unwrap();
        let configuration = configuration.to_owned();
        let (host, address) = ("127.0.0.1", "127.0.0.1");
        Self { port, host, address, folder, configuration, child: None, login: json!({}) }
    }

    /// Starts it, again or for the first time, and waits until it answers.
    pub(crate) fn up(&mut self) {
        self.spawn();
        self.wait();
    }

    fn spawn(&mut self) {
        let Self { port, address, folder, configuration, .. } = &*self;
        let file = folder.join("nats.conf");
        let store = folder.join("store");
        let text = format!(
            "listen: {address}:{port}\njetstream {{ store_dir: {:?} }}\n{configuration}\n",
            store.display().to_string()
        );
        fs::write(&file, text).unwrap();
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    fn wait(&self) {
        let answers = || {
            let info = self.wire().and_then(|mut wire| wire.ask("INFO", &Value::Null));
            info.is_some_and(|info| info.get("error").is_none())
        };
        assert!(harness::becomes_true(answers), "no answer: {}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// As by a loss of power of this process alone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The same, and what it has stored is gone.
    pub(crate) fn wipe(&mut self) {
        self.kill();
        fs::remove_dir_all(self.folder.join("store")).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn wire(&self) -> Option<Wire> {
        Wire::connect(self.port, &self.login)
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}:{}", self.host, self.port)
    }

    /// How many messages a stream holds; `None` where there is no stream, or no answer.
    pub(crate) fn messages(&self, stream: &str) -> Option<u64> {
        let info = self.wire()?.ask(&format!("STREAM.INFO.{stream}"), &Value::Null)?;
        info["state"]["messages"].as_u64()
    }

    /// Whether a stream has no message. Asked for the first one, because a server that was killed
    /// may miscount.
    pub(crate) fn is_empty(&self, stream: &str) -> bool {
        let first = json!({ "seq": 1, "next_by_subj": ">" });
        let answer =
            self.wire().and_then(|mut wire| wire.ask(&format!("STREAM.MSG.GET.{stream}"), &first));
        // "no message found"
        answer.is_some_and(|answer| answer["error"]["err_code"] == 10037)
    }

    /// What the server says of the stream, of its shared consumer, and of the first document, for a
    /// test that fails.
    pub(crate) fn told(&self) -> String {
        let mut wire = self.wire().unwrap();
        let first = json!({ "seq": 1, "next_by_subj": ">" });
        let mut ask = |what: &str, request: &Value| {
            let mut answer = wire.ask(what, request).unwrap_or_default();
            answer["config"] = Value::Null;
            answer["message"]["data"] = Value::Null;
            answer.to_string()
        };
        let stream = ask("STREAM.INFO.DOCS", &Value::Null);
        let consumer = ask("CONSUMER.INFO.DOCS.workers", &Value::Null);
        format!("{stream}\n{consumer}\n{}", ask("STREAM.MSG.GET.DOCS", &first))
    }

    /// What a stream holds, in its order: headers and payload.
    pub(crate) fn read(&self, stream: &str) -> Vec<(String, Value)> {
        let mut wire = self.wire().unwrap();
        let info = wire.ask(&format!("STREAM.INFO.{stream}"), &Value::Null).unwrap();
        let first = info["state"]["first_seq"].as_u64().unwrap();
        let last = info["state"]["last_seq"].as_u64().unwrap();
        let mut found = Vec::new();
        for sequence in first..=last {
            let get = format!("STREAM.MSG.GET.{stream}");
            let answer = wire.ask(&get, &json!({ "seq": sequence })).unwrap();
            let Some(message) = answer.get("message") else { continue };
            let text = |key: &str| {
                let text = message[key].as_str().unwrap_or_default();
                String::from_utf8(unbase64(text)).unwrap()
            };
            let payload = serde_json::from_str(&text("data")).unwrap_or(Value::Null);
            found.push((text("hdrs"), payload));
        }
        found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The bytes behind standard base64.
pub(crate) fn unbase64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("no base64: {byte}"),
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        bits = bits << 6 | u32::from(digit(byte));
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[test]
fn what_the_server_sends_is_read() {
    for (text, expected) in [("", ""), ("TQ==", "M"), ("TWE=", "Ma"), ("TWFu", "Man")] {
        assert_eq!(unbase64(text), expected.as_bytes());
    }
}
