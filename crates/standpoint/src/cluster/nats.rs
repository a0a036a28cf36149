//! A cluster over NATS.

use anyhow::{Context, Result};
use serde_json::Value;
use standpoint_cluster::settings::{NatsSettings, NatsSinkSettings, Ordering, SettingsError};
use standpoint_cluster::sink::NatsSink;
use standpoint_cluster::source::NatsSource;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Sink, Source};

use crate::exit;

/// The schema of `cluster.nats`.
pub(super) fn schema() -> Value {
    schemars::schema_for!(NatsSettings).to_value()
}

/// The schema of the sink.
pub(super) fn sink_schema() -> Value {
    schemars::schema_for!(NatsSinkSettings).to_value()
}

/// What a schema cannot say of the settings of a cluster.
pub(super) fn mistake(settings: &Value) -> Option<SettingsError> {
    let settings: NatsSettings = serde_json::from_value(settings.clone()).ok()?;
    settings.check().err()
}

/// The same for the sink.
pub(super) fn sink_mistake(settings: &Value) -> Option<SettingsError> {
    let settings: NatsSinkSettings = serde_json::from_value(settings.clone()).ok()?;
    settings.check().err()
}

/// The source of a worker, and whether it keeps an order.
pub(super) fn source(
    settings: Value,
    limits: ReadLimits,
    instance: &str,
    until_drained: bool,
) -> Result<(Box<dyn Source>, bool)> {
    let settings: NatsSettings = serde_json::from_value(settings)?;
    let keeps_order = settings.ordering == Ordering::PerSource;
    let source = NatsSource::new(&settings, limits, instance, until_drained);
    Ok((Box::new(source.map_err(|error| exit::usage(error.to_string()))?), keeps_order))
}

/// A sink of a pipeline file.
pub(super) fn sink(settings: Value, maker: Maker, instance: &str) -> Result<Box<dyn Sink>> {
    let settings: NatsSinkSettings = serde_json::from_value(settings)?;
    let sink = NatsSink::new(&settings, maker, instance);
    Ok(Box::new(sink.map_err(|error| exit::usage(error.to_string()))?))
}

/// A sink that feeds the stream, once its server has answered.
pub(super) fn feed(settings: Value) -> Result<Box<dyn Sink>> {
    let settings: NatsSettings = serde_json::from_value(settings)?;
    let sink = NatsSink::feeding(&settings).map_err(|error| exit::usage(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(sink.probe()).context("the stream cannot be used")?;
    Ok(Box::new(sink))
}
