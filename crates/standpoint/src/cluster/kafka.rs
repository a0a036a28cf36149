//! A cluster over Kafka.

use anyhow::{Context, Result};
use serde_json::Value;
use standpoint_cluster::kafka::settings::{KafkaSettings, KafkaSinkSettings};
use standpoint_cluster::kafka::sink::KafkaSink;
use standpoint_cluster::kafka::source::KafkaSource;
use standpoint_cluster::settings::{Ordering, SettingsError};
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Sink, Source};

use crate::cli::QuarantineCommand;
use crate::exit::{self, Exit};

/// The schema of `cluster.kafka`.
pub(super) fn schema() -> Value {
    schemars::schema_for!(KafkaSettings).to_value()
}

/// The schema of the sink.
pub(super) fn sink_schema() -> Value {
    schemars::schema_for!(KafkaSinkSettings).to_value()
}

/// What a schema cannot say of the settings of a cluster.
pub(super) fn mistake(settings: &Value) -> Option<SettingsError> {
    let settings: KafkaSettings = serde_json::from_value(settings.clone()).ok()?;
    settings.check().err()
}

/// The same for the sink.
pub(super) fn sink_mistake(settings: &Value) -> Option<SettingsError> {
    let settings: KafkaSinkSettings = serde_json::from_value(settings.clone()).ok()?;
    settings.check().err()
}

/// The source of a worker, and whether it keeps an order.
pub(super) fn source(
    settings: Value,
    limits: ReadLimits,
    instance: &str,
    until_drained: bool,
) -> Result<(Box<dyn Source>, bool)> {
    let settings: KafkaSettings = serde_json::from_value(settings)?;
    let keeps_order = settings.ordering == Ordering::PerSource;
    let source = KafkaSource::new(&settings, limits, instance, until_drained);
    Ok((Box::new(source.map_err(|error| exit::usage(error.to_string()))?), keeps_order))
}

/// A sink of a pipeline file.
pub(super) fn sink(settings: Value, maker: Maker, instance: &str) -> Result<Box<dyn Sink>> {
    let settings: KafkaSinkSettings = serde_json::from_value(settings)?;
    let sink = KafkaSink::new(&settings, maker, instance);
    Ok(Box::new(sink.map_err(|error| exit::usage(error.to_string()))?))
}

/// A sink that feeds the stream, once its server has answered.
pub(super) fn feed(settings: Value) -> Result<Box<dyn Sink>> {
    let settings: KafkaSettings = serde_json::from_value(settings)?;
    let sink = KafkaSink::feeding(&settings).map_err(|error| exit::usage(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(sink.probe()).context("the topic cannot be used")?;
    Ok(Box::new(sink))
}

/// Refuses to be asked for dead letters, and says where they are: Kafka's own tools read a topic.
pub(super) fn dead_letters(
    settings: Value,
    _: u64,
    _: &QuarantineCommand,
) -> Result<(String, Exit)> {
    let settings: KafkaSettings = serde_json::from_value(settings)?;
    Err(exit::usage(format!(
        "dead letters are in topic `{}` of {}: read them with a consumer of Kafka's; one that is \
         published to `{}` as it is, is tried again",
        settings.dead_topic(),
        settings.brokers,
        settings.topic,
    )))
}
