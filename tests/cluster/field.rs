//! A server, the workers on it, and the account of what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness;
use crate::server::Server;
use crate::workers::{Workers, merge};

/// A server and its workers; all of them end with the value.
pub(crate) struct Field {
    /// First, so that they end before what they speak to does.
    pub(crate) workers: Workers,
    pub(crate) server: Server,
    _root: TempDir,
}

/// What came out of the stream of results.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// How often each document stands there, by its text.
    pub(crate) copies: BTreeMap<String, usize>,
    /// Texts in the order of the stream, with the path that they came from.
    pub(crate) in_order: Vec<(String, String)>,
    /// How often each document stands there whose result is in the object store, by its id.
    pub(crate) large: BTreeMap<String, usize>,
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
        let workers = Workers::new(root.path());
        let field = Self { workers, server, _root: root };
        field.write_pipeline("worker.yaml", cluster, pipeline);
        field
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

    /// Waits until the stream is empty.
    pub(crate) fn drained(&self, patience: Duration) {
        let start = Instant::now();
        while start.elapsed() < patience {
            if self.server.is_empty("DOCS") {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("documents are left after {patience:?}: {}\n{}", self.server.told(), self.log());
    }

    pub(crate) fn account(&self) -> Account {
        let mut account = Account::default();
        for (headers, result) in self.server.read("RESULTS") {
            if header(&headers, "Standpoint-Object").is_some() {
                let id = header(&headers, "Nats-Msg-Id").unwrap().to_owned();
                *account.large.entry(id).or_default() += 1;
                continue;
            }
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
        self.check_with(texts, 0);
    }

    /// The same, and that as many more did that are too large for a message.
    #[track_caller]
    pub(crate) fn check_with(&self, texts: &[String], large: usize) {
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
            "lost {lost:?}, from nowhere {more:?}, doubled {doubled:?}, dead {:?}\n{log}",
            self.server.read("DOCS_DEAD")
        );
        let copies: Vec<_> = account.large.values().copied().collect();
        assert_eq!(copies, vec![1; large], "large ones");
        assert_eq!(self.server.messages("DOCS_DEAD"), Some(0), "{log}");
    }
}

/// Files of feeds with `each` so many documents, all of a feed in one.
pub(crate) fn feeds(
    feeds: usize,
    each: usize,
    text: impl Fn(usize, usize) -> String,
) -> Vec<(String, String)> {
    let line = |feed, number| json!({ "text": text(feed, number) }).to_string();
    let lines = |feed| (0..each).map(|number| line(feed, number)).collect::<Vec<_>>().join("\n");
    (0..feeds).map(|feed| (format!("feed-{feed}/all.jsonl"), lines(feed))).collect()
}

/// The path and text of what is in a store, in the order in which it was written first.
#[cfg(feature = "postgres")]
pub(crate) const WRITTEN: &str = "SELECT path, text FROM standpoint.document ORDER BY key";

/// Checks that the documents of each of so many feeds stand in their order, by their paths and
/// texts.
#[cfg(feature = "postgres")]
#[track_caller]
pub(crate) fn check_order<'d>(documents: impl Iterator<Item = (&'d str, &'d str)>, feeds: usize) {
    let mut of_path: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (path, text) in documents {
        if let Ok(number) = text.rsplit(' ').next().unwrap().parse() {
            of_path.entry(path).or_default().push(number);
        }
    }
    assert_eq!(of_path.len(), feeds);
    for (path, numbers) in of_path {
        assert!(numbers.is_sorted(), "{path} is out of order: {numbers:?}");
    }
}

/// The value of a header of a message.
pub(crate) fn header<'h>(headers: &'h str, name: &str) -> Option<&'h str> {
    headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

impl Deref for Field {
    type Target = Workers;

    fn deref(&self) -> &Workers {
        &self.workers
    }
}

impl DerefMut for Field {
    fn deref_mut(&mut self) -> &mut Workers {
        &mut self.workers
    }
}
