//! A server, the workers on it, and the account of what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness;
use crate::server::Server;

/// A server and its workers; all of them end with the value.
pub(crate) struct Field {
    root: TempDir,
    pub(crate) server: Server,
    workers: Vec<Child>,
    started: usize,
}

/// What came out of the stream of results.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// How often each document stands there, by its text.
    pub(crate) copies: BTreeMap<String, usize>,
    /// Texts in the order of the stream, with the path that they came from.
    pub(crate) in_order: Vec<(String, String)>,
}

impl Field {
    pub(crate) fn new(cluster: &Value) -> Self {
        Self::on(Server::start, cluster, &json!({}))
    }

    /// - `start`: starts the server in a folder;
    /// - `cluster`, `pipeline`: settings in place of the usual ones.
    pub(crate) fn on(
        start: impl FnOnce(&Path, &str) -> Server,
        cluster: &Value,
        pipeline: &Value,
    ) -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = start(root.path(), "");
        let field = Self { root, server, workers: Vec::new(), started: 0 };
        field.write_pipeline("worker.yaml", cluster, pipeline);
        field
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Writes the workers' pipeline file: YAML takes JSON.
    pub(crate) fn write_pipeline(&self, name: &str, cluster: &Value, pipeline: &Value) {
        let url = self.server.url();
        let mut nats = json!({
            "url": url, "stream": "DOCS", "ack_wait": "2s", "lease": "2s", "retry_delay": "50ms",
            "partitions": 4,
        });
        merge(&mut nats, cluster);
        let mut whole = json!({
            "version": 1,
            "name": "cluster",
            "cluster": { "nats": nats },
            "stages": [{ "use": harness::example("mischief"), "id": "mischief", "concurrency": 1 }],
            "sinks": { "results": { "type": "nats", "url": url, "stream": "RESULTS" } },
            "defaults": { "retry": { "backoff": "10ms..100ms", "max_attempts": 1 } },
            "shutdown_timeout": "5s",
        });
        merge(&mut whole, pipeline);
        fs::write(self.at(name), whole.to_string()).unwrap();
    }

    /// Publishes files by their paths and contents, as `standpoint publish` does.
    pub(crate) fn publish(&self, files: &[(String, String)]) {
        let folder = self.at("input");
        let _ = fs::remove_dir_all(&folder);
        for (path, content) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let pipeline = self.at("worker.yaml");
        let arguments = ["publish", "-c", pipeline.to_str().unwrap(), folder.to_str().unwrap()];
        harness::run(&arguments).expect(0);
    }

    /// Publishes texts, each a record of one file.
    pub(crate) fn publish_texts<'t>(&self, texts: impl Iterator<Item = &'t String>) {
        let lines: String = texts.map(|text| format!("{}\n", json!({ "text": text }))).collect();
        self.publish(&[("all.jsonl".to_owned(), lines)]);
    }

    /// Starts a worker and gives its number.
    pub(crate) fn start(&mut self) -> usize {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&mut self, arguments: &[&str]) -> usize {
        self.started += 1;
        let child = self.worker(&format!("state-{}", self.started), arguments);
        self.workers.push(child);
        self.workers.len() - 1
    }

    /// Starts a worker in place of one that is gone, in its folder.
    pub(crate) fn restart(&mut self, number: usize) {
        self.workers[number] = self.worker(&format!("state-{}", number + 1), &[]);
    }

    fn worker(&self, state: &str, arguments: &[&str]) -> Child {
        let pipeline = self.at("worker.yaml");
        let data = format!("data_dir={}", self.at(state).display());
        let mut all = vec!["daemon", "-c", pipeline.to_str().unwrap(), "--set", &data];
        all.extend(arguments);
        let mut command = harness::command(&all);
        let log = File::options().create(true).append(true).open(self.at("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    pub(crate) fn pid(&self, number: usize) -> u32 {
        self.workers[number].id()
    }

    pub(crate) fn kill(&mut self, number: usize) {
        self.workers[number].kill().unwrap();
        self.workers[number].wait().unwrap();
    }

    /// Sends a signal to a worker.
    pub(crate) fn signal(&self, number: usize, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid(number)).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for a worker that was told to end, or ends by itself; its exit code.
    pub(crate) fn wait(&mut self, number: usize) -> Option<i32> {
        harness::wait(&mut self.workers[number]).code()
    }

    /// Whether a worker has ended by itself.
    pub(crate) fn has_ended(&mut self, number: usize) -> bool {
        self.workers[number].try_wait().unwrap().is_some()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }

    /// What `standpoint status` says of a worker.
    pub(crate) fn status(&self, number: usize) -> Option<Value> {
        let state = self.at(&format!("state-{}", number + 1));
        let arguments = ["status", "--data-dir", state.to_str().unwrap(), "--format", "json"];
        let ran = harness::run(&arguments);
        (ran.code == Some(0)).then(|| serde_json::from_str(&ran.stdout).unwrap())
    }

    /// Waits until the stream is empty.
    pub(crate) fn drained(&self, patience: Duration) {
        let start = Instant::now();
        while start.elapsed() < patience {
            if self.server.is_empty("DOCS") {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let left = self.server.messages("DOCS");
        panic!("{left:?} documents are left after {patience:?}\n{}", self.log());
    }

    pub(crate) fn account(&self) -> Account {
        let mut account = Account::default();
        for (_, result) in self.server.read("RESULTS") {
            let text = result["text"].as_str().unwrap().to_owned();
            let path = result["source"]["path"].as_str().unwrap_or_default().to_owned();
            *account.copies.entry(text.clone()).or_default() += 1;
            account.in_order.push((path, text));
        }
        account
    }

    /// Checks that every text came out exactly once.
    #[track_caller]
    pub(crate) fn check(&self, texts: &[String]) {
        let log = self.log();
        assert!(!log.contains("panicked at"), "{log}");
        let account = self.account();
        let expected: BTreeSet<&String> = texts.iter().collect();
        let found: BTreeSet<&String> = account.copies.keys().collect();
        let lost: Vec<_> = expected.difference(&found).take(10).collect();
        let more: Vec<_> = found.difference(&expected).take(10).collect();
        let doubled: Vec<_> =
            account.copies.iter().filter(|(_, copies)| **copies > 1).take(10).collect();
        assert!(
            lost.is_empty() && more.is_empty() && doubled.is_empty(),
            "lost {lost:?}, from nowhere {more:?}, doubled {doubled:?}"
        );
        assert_eq!(self.server.messages("DOCS_DEAD"), Some(0), "{log}");
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // One that is stopped ends, too.
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// Puts `over` over `under`, map by map; null takes a key away.
fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                if value.is_null() {
                    under.remove(key);
                    continue;
                }
                merge(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// From 0 to below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        // Xorshift: Marsaglia, "Xorshift RNGs", 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}
