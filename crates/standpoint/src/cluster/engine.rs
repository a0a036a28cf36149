//! What a cluster shares its work over: the engines that this build knows, behind one face.

use anyhow::Result;
use serde_json::Value;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Sink, Source};

use super::Mistake;
use crate::cli::QuarantineCommand;
use crate::exit::{self, Exit};

/// The engines of this build, by the key of `cluster` and the type of sink.
pub(super) const ENGINES: &[(&str, &dyn Engine)] = &[
    #[cfg(feature = "kafka")]
    ("kafka", &super::kafka::Kafka),
    #[cfg(feature = "nats")]
    ("nats", &super::nats::Nats),
];

/// The engine of this name.
///
/// # Errors
///
/// A mistake of usage, with the feature to build with, where this build does not know it.
pub(super) fn engine(name: &str) -> Result<&'static dyn Engine> {
    let known = ENGINES.iter().find(|(known, _)| *known == name);
    known.map(|(_, engine)| *engine).ok_or_else(|| {
        exit::usage(format!(
            "this build speaks no {name}: build the program with `--features {name}`"
        ))
    })
}

/// Something that workers can share a stream over. Settings come as the pipeline file has them.
pub(super) trait Engine: Sync {
    /// The schema of a worker's settings.
    fn schema(&self) -> Value;

    /// The schema of the sink.
    fn sink_schema(&self) -> Value;

    /// What a schema cannot say of a worker's settings.
    fn mistake(&self, settings: &Value) -> Option<Mistake>;

    /// The same for the sink.
    fn sink_mistake(&self, settings: &Value) -> Option<Mistake>;

    /// The source of a worker, and whether it keeps an order.
    fn source(
        &self,
        settings: Value,
        limits: ReadLimits,
        instance: &str,
        until_drained: bool,
    ) -> Result<(Box<dyn Source>, bool)>;

    /// Whether a worker with these settings keeps an order.
    fn keeps_order(&self, settings: Value) -> Result<bool>;

    /// A sink of a pipeline file.
    ///
    /// - `keeps_order`: whether its worker does, so that what is tried again must not come behind
    ///   what was to follow it.
    fn sink(
        &self,
        settings: Value,
        maker: Maker,
        instance: &str,
        keeps_order: bool,
    ) -> Result<Box<dyn Sink>>;

    /// A sink that feeds the stream, once its server has answered.
    fn feed(&self, settings: Value) -> Result<Box<dyn Sink>>;

    /// Answers `quarantine` with the dead letters of the stream.
    ///
    /// - `most_bytes`: how much of a letter is shown.
    fn dead_letters(
        &self,
        settings: Value,
        most_bytes: u64,
        command: &QuarantineCommand,
    ) -> Result<(String, Exit)>;
}
