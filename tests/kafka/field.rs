//! Brokers, the workers on them, and the account of what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::brokers::Brokers;
use crate::harness;

/// Brokers and their workers; all of them end with the value.
pub(crate) struct Field {
    root: TempDir,
    pub(crate) brokers: Brokers,
    workers: Vec<Child>,
    started: usize,
}

impl Field {
    /// - `cluster`, `sink`: settings in place of the usual ones.
    pub(crate) fn new(cluster: &Value, sink: &Value) -> Self {
        let root = tempfile::tempdir().unwrap();
        let brokers = Brokers::start();
        let field = Self { root, brokers, workers: Vec::new(), started: 0 };
        let mut kafka = json!({
            "brokers": field.brokers.addresses(), "topic": "docs", "retry_delay": "50ms",
            "max_in_flight": 16,
            // The brokers wait for 3 s whether more members come, and hear nothing of those who join.
            "options": { "session.timeout.ms": "6000", "heartbeat.interval.ms": "300" },
        });
        merge(&mut kafka, cluster);
        let mut results = json!({
            "type": "kafka", "brokers": field.brokers.addresses(), "topic": "results",
        });
        merge(&mut results, sink);
        let whole = json!({
            "version": 1,
            "name": "kafka",
            "cluster": { "kafka": kafka },
            "stages": [{ "use": harness::example("mischief"), "id": "mischief", "concurrency": 1 }],
            "sinks": { "results": results },
            "defaults": { "retry": { "backoff": "10ms..100ms", "max_attempts": 1 } },
            "shutdown_timeout": "5s",
        });
        fs::write(field.at("worker.yaml"), whole.to_string()).unwrap();
        field
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Publishes files by their paths and contents.
    pub(crate) fn publish(&self, files: &[(String, String)]) -> harness::Ran {
        let folder = self.at("input");
        let _ = fs::remove_dir_all(&folder);
        for (path, content) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let pipeline = self.at("worker.yaml");
        harness::run(&["publish", "-c", pipeline.to_str().unwrap(), folder.to_str().unwrap()])
    }

    /// Publishes texts, each a record of one file.
    pub(crate) fn publish_texts<'t>(&self, texts: impl Iterator<Item = &'t String>) {
        let lines: String = texts.map(|text| format!("{}\n", json!({ "text": text }))).collect();
        self.publish(&[("all.jsonl".to_owned(), lines)]).expect(0);
    }

    /// Starts a worker and gives its number.
    pub(crate) fn start(&mut self) -> usize {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&mut self, arguments: &[&str]) -> usize {
        self.started += 1;
        let child = self.worker(self.started, arguments);
        self.workers.push(child);
        self.workers.len() - 1
    }

    /// Starts a worker in place of one that is gone, in its folder.
    pub(crate) fn restart(&mut self, number: usize) {
        self.workers[number] = self.worker(number + 1, &[]);
    }

    fn worker(&self, state: usize, arguments: &[&str]) -> Child {
        let pipeline = self.at("worker.yaml");
        let data = format!("data_dir={}", self.at(&format!("state-{state}")).display());
        let mut all = vec!["daemon", "-c", pipeline.to_str().unwrap(), "--set", &data];
        all.extend(arguments);
        let log = File::options().create(true).append(true).open(self.at("log")).unwrap();
        harness::command(&all).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    pub(crate) fn kill(&mut self, number: usize) {
        self.workers[number].kill().unwrap();
        self.workers[number].wait().unwrap();
    }

    /// Sends a signal to a worker.
    pub(crate) fn signal(&self, number: usize, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.workers[number].id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
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

    /// Waits until so many results are there, some of them twice, or every document is settled.
    #[track_caller]
    pub(crate) fn comes_to(&self, results: i64) {
        let is_there = || self.brokers.count("results") >= results || self.brokers.left().0 == 0;
        assert!(harness::becomes_true(is_there), "{}", self.log());
    }

    /// Waits until a worker has partitions.
    #[track_caller]
    pub(crate) fn has_partitions(&self, number: usize) {
        let has_some = || {
            let status = self.status(number);
            status.is_some_and(|it| it["cluster"]["partitions"].get(0).is_some())
        };
        assert!(harness::becomes_true(has_some), "{}", self.log());
    }

    /// Waits until every document is settled.
    #[track_caller]
    pub(crate) fn drained(&self) {
        let is_drained = || self.brokers.left().0 == 0;
        assert!(harness::becomes_true(is_drained), "{:?} {}", self.brokers.left(), self.log());
    }

    /// Checks that every text is among the results, once for each id; how many stand there again.
    #[track_caller]
    pub(crate) fn check(&self, texts: &[String]) -> usize {
        let log = self.log();
        assert!(!log.contains("panicked at"), "{log}");
        let results = self.brokers.read("results");
        let mut of_id: BTreeMap<&str, &Value> = BTreeMap::new();
        for result in &results {
            assert_eq!(result.headers["Standpoint-Result"], "1");
            let before = of_id.insert(&result.headers["Standpoint-Id"], &result.value);
            assert!(before.is_none_or(|before| before["text"] == result.value["text"]));
        }
        let found: Vec<&str> =
            of_id.values().map(|value| value["text"].as_str().unwrap()).collect();
        let expected: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
        let distinct: BTreeSet<&str> = found.iter().copied().collect();
        let lost: Vec<_> = expected.difference(&distinct).take(10).collect();
        let more: Vec<_> = distinct.difference(&expected).take(10).collect();
        assert!(lost.is_empty() && more.is_empty(), "lost {lost:?}, from nowhere {more:?}\n{log}");
        assert_eq!(found.len(), texts.len(), "one id for each document");
        results.len() - found.len()
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

/// Puts `over` over `under`, map by map.
fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
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
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        // Xorshift: Marsaglia, "Xorshift RNGs", 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}
