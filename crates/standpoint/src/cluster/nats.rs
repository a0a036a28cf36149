//! A cluster over NATS.

use anyhow::Result;
use standpoint_cluster::settings::{NatsSettings, NatsSinkSettings, Ordering, SettingsError};
use standpoint_cluster::sink::NatsSink;
use standpoint_cluster::source::ClusterSource;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::SinkError;

use super::kind::Kind;
use crate::cli::QuarantineCommand;
use crate::exit::Exit;
use crate::letters;

pub(super) struct Nats;

impl Kind for Nats {
    const SHARED: &'static str = "stream";
    type Settings = NatsSettings;
    type SinkSettings = NatsSinkSettings;
    type Sink = NatsSink;

    fn check(settings: &NatsSettings) -> Result<(), SettingsError> {
        settings.check()
    }

    fn check_sink(settings: &NatsSinkSettings) -> Result<(), SettingsError> {
        settings.check()
    }

    fn keeps_order(settings: &NatsSettings) -> bool {
        settings.ordering == Ordering::PerSource
    }

    fn source(
        settings: &NatsSettings,
        limits: ReadLimits,
        instance: &str,
        until_drained: bool,
    ) -> Result<ClusterSource, SettingsError> {
        ClusterSource::over_nats(settings, limits, instance, until_drained)
    }

    fn sink(
        settings: &NatsSinkSettings,
        maker: Maker,
        instance: &str,
        keeps_order: bool,
    ) -> Result<NatsSink, SettingsError> {
        NatsSink::new(settings, maker, instance, keeps_order)
    }

    fn feeding(settings: &NatsSettings) -> Result<NatsSink, SettingsError> {
        NatsSink::feeding(settings)
    }

    async fn probe(sink: &NatsSink) -> Result<(), SinkError> {
        sink.probe().await
    }

    fn dead_letters(
        settings: &NatsSettings,
        most_bytes: u64,
        command: &QuarantineCommand,
    ) -> Result<(String, Exit)> {
        letters::answer(settings, most_bytes, command)
    }
}
