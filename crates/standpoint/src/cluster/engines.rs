//! What a cluster shares its work over, in a build that knows of at least one such engine.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;
use standpoint_cluster::meters;
use standpoint_cluster::settings::SettingsError;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Sink, Source};

#[cfg(feature = "kafka")]
use super::kafka;
#[cfg(feature = "nats")]
use super::nats;
use super::{Cluster, Mistake};
use crate::cli::QuarantineCommand;
use crate::exit::{self, Exit};

/// What a cluster can share its work over, with the schema of its settings.
pub(crate) fn schemas() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        #[cfg(feature = "kafka")]
        ("kafka", kafka::schema()),
        #[cfg(feature = "nats")]
        ("nats", nats::schema()),
    ])
}

/// Sinks that come with it.
pub(crate) fn sink_schemas() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        #[cfg(feature = "kafka")]
        ("kafka", kafka::sink_schema()),
        #[cfg(feature = "nats")]
        ("nats", nats::sink_schema()),
    ])
}

/// What a schema cannot say of the settings of a cluster.
pub(crate) fn mistake(kind: &str, settings: &Value) -> Option<Mistake> {
    let error = match kind {
        #[cfg(feature = "kafka")]
        "kafka" => kafka::mistake(settings),
        #[cfg(feature = "nats")]
        "nats" => nats::mistake(settings),
        _ => None,
    };
    error.map(told)
}

/// The same for a sink.
pub(crate) fn sink_mistake(kind: &str, settings: &Value) -> Option<Mistake> {
    let error = match kind {
        #[cfg(feature = "kafka")]
        "kafka" => kafka::sink_mistake(settings),
        #[cfg(feature = "nats")]
        "nats" => nats::sink_mistake(settings),
        _ => None,
    };
    error.map(told)
}

fn told(error: SettingsError) -> Mistake {
    (error.key.to_owned(), error.problem)
}

/// The source of a worker, and whether it keeps an order.
pub(crate) fn source(
    kind: &str,
    settings: Value,
    limits: ReadLimits,
    instance: &str,
    until_drained: bool,
) -> Result<(Box<dyn Source>, bool)> {
    match kind {
        #[cfg(feature = "kafka")]
        "kafka" => kafka::source(settings, limits, instance, until_drained),
        #[cfg(feature = "nats")]
        "nats" => nats::source(settings, limits, instance, until_drained),
        other => Err(lacking(other)),
    }
}

/// A sink of a pipeline file.
pub(crate) fn sink(
    kind: &str,
    settings: Value,
    maker: Maker,
    instance: &str,
) -> Result<Box<dyn Sink>> {
    match kind {
        #[cfg(feature = "kafka")]
        "kafka" => kafka::sink(settings, maker, instance),
        #[cfg(feature = "nats")]
        "nats" => nats::sink(settings, maker, instance),
        other => Err(lacking(other)),
    }
}

/// A sink that feeds the stream, once its server has answered.
pub(crate) fn feed(kind: &str, settings: Value) -> Result<Box<dyn Sink>> {
    match kind {
        #[cfg(feature = "kafka")]
        "kafka" => kafka::feed(settings),
        #[cfg(feature = "nats")]
        "nats" => nats::feed(settings),
        other => Err(lacking(other)),
    }
}

/// Answers `quarantine` with the dead letters of the stream.
pub(crate) fn dead_letters(
    kind: &str,
    settings: Value,
    most_bytes: u64,
    command: &QuarantineCommand,
) -> Result<(String, Exit)> {
    match kind {
        #[cfg(feature = "nats")]
        "nats" => crate::letters::answer(settings, most_bytes, command),
        #[cfg(feature = "kafka")]
        "kafka" => kafka::dead_letters(settings, most_bytes, command),
        other => Err(lacking(other)),
    }
}

fn lacking(kind: &str) -> anyhow::Error {
    exit::usage(format!("this build speaks no {kind}: build the program with `--features {kind}`"))
}

/// What this process says; `None` if it is no worker.
pub(crate) fn own() -> Option<Cluster> {
    let reading = meters::reading()?;
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
