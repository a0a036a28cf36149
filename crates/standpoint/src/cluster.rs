//! Daemons that share a stream of documents: what this build can do of that, and what it tells of
//! it.
//!
//! Without the features `nats` and `kafka` there is nothing to share over, and a pipeline file that
//! asks for it is refused with the name of the feature.

mod engine;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(any(feature = "nats", feature = "kafka"))]
mod kind;
#[cfg(feature = "nats")]
mod nats;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Sink, Source};

use self::engine::{ENGINES, engine};
use crate::cli::QuarantineCommand;
use crate::exit::Exit;
use crate::style::many;

/// The name of the source that stands in place of the file's own.
pub(crate) const SOURCE: &str = "cluster";

/// The sinks that belong to one.
pub(crate) const SINKS: [&str; 2] = ["kafka", "nats"];

/// A mistake in settings, with the key that it is about.
pub(crate) type Mistake = (String, String);

/// What a cluster can share its work over, with the schema of its settings.
pub(crate) fn schemas() -> BTreeMap<&'static str, Value> {
    ENGINES.iter().map(|(name, engine)| (*name, engine.schema())).collect()
}

/// Sinks that come with it.
pub(crate) fn sink_schemas() -> BTreeMap<&'static str, Value> {
    ENGINES.iter().map(|(name, engine)| (*name, engine.sink_schema())).collect()
}

/// What a schema cannot say of the settings of a cluster.
pub(crate) fn mistake(kind: &str, settings: &Value) -> Option<Mistake> {
    engine(kind).ok()?.mistake(settings)
}

/// The same for a sink.
pub(crate) fn sink_mistake(kind: &str, settings: &Value) -> Option<Mistake> {
    engine(kind).ok()?.sink_mistake(settings)
}

/// The source of a worker, and whether it keeps an order.
pub(crate) fn source(
    kind: &str,
    settings: Value,
    limits: ReadLimits,
    instance: &str,
    until_drained: bool,
) -> Result<(Box<dyn Source>, bool)> {
    engine(kind)?.source(settings, limits, instance, until_drained)
}

/// Whether a worker with these settings keeps an order.
pub(crate) fn keeps_order(kind: &str, settings: Value) -> Result<bool> {
    engine(kind)?.keeps_order(settings)
}

/// A sink of a pipeline file, whose worker may keep an order.
pub(crate) fn sink(
    kind: &str,
    settings: Value,
    maker: Maker,
    instance: &str,
    keeps_order: bool,
) -> Result<Box<dyn Sink>> {
    engine(kind)?.sink(settings, maker, instance, keeps_order)
}

/// A sink that feeds the stream, once its server has answered.
pub(crate) fn feed(kind: &str, settings: Value) -> Result<Box<dyn Sink>> {
    engine(kind)?.feed(settings)
}

/// Answers `quarantine` with the dead letters of the stream.
pub(crate) fn dead_letters(
    kind: &str,
    settings: Value,
    most_bytes: u64,
    command: &QuarantineCommand,
) -> Result<(String, Exit)> {
    engine(kind)?.dead_letters(settings, most_bytes, command)
}

/// What this process says; `None` if it is no worker.
#[cfg(any(feature = "nats", feature = "kafka"))]
pub(crate) fn own() -> Option<Cluster> {
    let reading = standpoint_cluster::meters::reading()?;
    Some(Cluster {
        stream: reading.stream,
        connected: reading.is_connected,
        problem: reading.problem,
        pending: reading.pending,
        oldest_ms: u64::try_from(reading.oldest.as_millis()).unwrap_or(u64::MAX),
        in_flight: reading.in_flight,
        redelivered: reading.redelivered,
        held: reading.held,
        partitions: reading.partitions.into_iter().collect(),
        acknowledged: reading.acknowledged,
        recognised: reading.recognised,
        retried: reading.retried,
        dead_lettered: reading.dead_lettered,
        disconnects: reading.disconnects,
        reopened: reading.reopened,
        put_again: reading.put_again,
    })
}

#[cfg(not(any(feature = "nats", feature = "kafka")))]
pub(crate) const fn own() -> Option<Cluster> {
    None
}

/// What a worker says of the stream that it shares.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) stream: String,
    /// Whether the server can be reached.
    pub(crate) connected: bool,
    /// What keeps this worker from its work.
    pub(crate) problem: Option<String>,
    /// Documents in the stream that are not done, whoever has them.
    pub(crate) pending: u64,
    /// How long the oldest of them has been there, in milliseconds.
    pub(crate) oldest_ms: u64,
    /// Those of them that workers hold.
    pub(crate) in_flight: u64,
    /// Those that were delivered more than once and are not done.
    pub(crate) redelivered: u64,
    /// Documents that this worker holds.
    pub(crate) held: u64,
    /// The partitions that this worker has.
    pub(crate) partitions: Vec<u32>,
    pub(crate) acknowledged: u64,
    /// Documents that came again and were recognised.
    pub(crate) recognised: u64,
    /// Documents that failed and are tried again.
    pub(crate) retried: u64,
    pub(crate) dead_lettered: u64,
    /// Connections that were lost.
    pub(crate) disconnects: u64,
    /// Times that reading was begun anew.
    pub(crate) reopened: u64,
    /// Messages that the server had forgotten and that were put in again.
    pub(crate) put_again: u64,
}

impl Cluster {
    /// Why documents should not be counted on to be read now. An error's own words are not for
    /// everybody.
    pub(crate) fn reason(&self) -> Option<String> {
        if !self.connected {
            return Some("the cluster's server is away".to_owned());
        }
        self.problem.as_ref().map(|_| "the cluster's stream cannot be read".to_owned())
    }

    /// The state for people.
    pub(crate) fn text(&self) -> String {
        let connected = if self.connected { "connected" } else { "its server is away" };
        let mut text = format!(
            "cluster    stream {}, {connected}; {} {}, the oldest for {}\n\
             worker     {} held, {} acknowledged, {} recognised, {} tried again, {}\n",
            self.stream,
            many(self.pending, "document"),
            if self.pending == 1 { "waits" } else { "wait" },
            humantime::format_duration(std::time::Duration::from_secs(self.oldest_ms / 1000)),
            self.held,
            self.acknowledged,
            self.recognised,
            self.retried,
            many(self.dead_lettered, "dead letter"),
        );
        if !self.partitions.is_empty() {
            let named: Vec<String> = self.partitions.iter().map(u32::to_string).collect();
            let _ = writeln!(text, "partitions {}", named.join(" "));
        }
        if let Some(problem) = &self.problem {
            let _ = writeln!(text, "problem    {problem}");
        }
        text
    }
}
