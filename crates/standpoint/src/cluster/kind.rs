//! An engine by the types of its settings, sources and sinks.

use anyhow::{Context, Result};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use standpoint_cluster::settings::SettingsError;
use standpoint_cluster::source::ClusterSource;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Sink, SinkError, Source};

use super::Mistake;
use super::engine::Engine;
use crate::cli::QuarantineCommand;
use crate::exit::{self, Exit};

/// What an [`Engine`] is made of.
pub(super) trait Kind: Sync {
    /// What workers share, for people.
    const SHARED: &'static str;
    type Settings: DeserializeOwned + JsonSchema;
    type SinkSettings: DeserializeOwned + JsonSchema;
    type Sink: Sink + 'static;

    fn check(settings: &Self::Settings) -> Result<(), SettingsError>;

    fn check_sink(settings: &Self::SinkSettings) -> Result<(), SettingsError>;

    fn keeps_order(settings: &Self::Settings) -> bool;

    fn source(
        settings: &Self::Settings,
        limits: ReadLimits,
        instance: &str,
        until_drained: bool,
    ) -> Result<ClusterSource, SettingsError>;

    fn sink(
        settings: &Self::SinkSettings,
        maker: Maker,
        instance: &str,
        keeps_order: bool,
    ) -> Result<Self::Sink, SettingsError>;

    fn feeding(settings: &Self::Settings) -> Result<Self::Sink, SettingsError>;

    /// Asks whether what is fed is there.
    async fn probe(sink: &Self::Sink) -> Result<(), SinkError>;

    fn dead_letters(
        settings: &Self::Settings,
        most_bytes: u64,
        command: &QuarantineCommand,
    ) -> Result<(String, Exit)>;
}

impl<K: Kind> Engine for K {
    fn schema(&self) -> Value {
        schemars::schema_for!(K::Settings).to_value()
    }

    fn sink_schema(&self) -> Value {
        schemars::schema_for!(K::SinkSettings).to_value()
    }

    fn mistake(&self, settings: &Value) -> Option<Mistake> {
        mistake(settings, K::check)
    }

    fn sink_mistake(&self, settings: &Value) -> Option<Mistake> {
        mistake(settings, K::check_sink)
    }

    fn source(
        &self,
        settings: Value,
        limits: ReadLimits,
        instance: &str,
        until_drained: bool,
    ) -> Result<(Box<dyn Source>, bool)> {
        let settings: K::Settings = serde_json::from_value(settings)?;
        let source =
            K::source(&settings, limits, instance, until_drained).map_err(|error| usage(&error))?;
        Ok((Box::new(source), K::keeps_order(&settings)))
    }

    fn keeps_order(&self, settings: Value) -> Result<bool> {
        Ok(K::keeps_order(&serde_json::from_value(settings)?))
    }

    fn sink(
        &self,
        settings: Value,
        maker: Maker,
        instance: &str,
        keeps_order: bool,
    ) -> Result<Box<dyn Sink>> {
        let settings: K::SinkSettings = serde_json::from_value(settings)?;
        let sink = K::sink(&settings, maker, instance, keeps_order);
        Ok(Box::new(sink.map_err(|error| usage(&error))?))
    }

    fn feed(&self, settings: Value) -> Result<Box<dyn Sink>> {
        let settings: K::Settings = serde_json::from_value(settings)?;
        let sink = K::feeding(&settings).map_err(|error| usage(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let fail = || format!("the {} cannot be used", K::SHARED);
        runtime.block_on(K::probe(&sink)).with_context(fail)?;
        Ok(Box::new(sink))
    }

    fn dead_letters(
        &self,
        settings: Value,
        most_bytes: u64,
        command: &QuarantineCommand,
    ) -> Result<(String, Exit)> {
        K::dead_letters(&serde_json::from_value(settings)?, most_bytes, command)
    }
}

/// What a check finds in settings that have the form of their schema.
fn mistake<S: DeserializeOwned>(
    settings: &Value,
    check: impl Fn(&S) -> Result<(), SettingsError>,
) -> Option<Mistake> {
    let settings: S = serde_json::from_value(settings.clone()).ok()?;
    check(&settings).err().map(|error| (error.key.to_owned(), error.problem))
}

fn usage(error: &SettingsError) -> anyhow::Error {
    exit::usage(error.to_string())
}
