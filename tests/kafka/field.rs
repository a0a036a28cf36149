//! Brokers, the workers on them, and the account of what came out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::{Deref, DerefMut};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::brokers::Brokers;
use crate::harness;
use crate::workers::{Workers, merge};

/// Brokers and their workers; all of them end with the value.
pub(crate) struct Field {
    /// First, so that they end before what they speak to does.
    pub(crate) workers: Workers,
    pub(crate) brokers: Brokers,
    _root: TempDir,
}

impl Field {
    /// - `cluster`, `sink`: settings in place of the usual ones.
    pub(crate) fn new(cluster: &Value, sink: &Value) -> Self {
        let root = tempfile::tempdir().unwrap();
        let brokers = Brokers::start();
        let workers = Workers::new(root.path());
        let field = Self { workers, brokers, _root: root };
        let mut kafka = json!({
            "brokers": field.brokers.addresses(), "topic": "docs", "retry_delay": "50ms",
            "max_in_flight": 16,
            // The brokers wait for 3 s whether more members come, and hear nothing of those who
            // join.
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

    /// Waits until so many results are there, some of them twice, or every document is settled.
    #[track_caller]
    pub(crate) fn comes_to(&self, results: i64) {
        let is_there = || self.brokers.count("results") >= results || self.brokers.left().0 == 0;
        assert!(harness::becomes_true(is_there), "{}", self.log());
    }

    /// Waits until a worker has at least so many partitions.
    #[track_caller]
    pub(crate) fn has_partitions(&self, number: usize, least: usize) {
        let has_some = || {
            let status = self.status(number);
            status.is_some_and(|it| it["cluster"]["partitions"].get(least - 1).is_some())
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
