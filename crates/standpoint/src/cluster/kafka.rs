//! A cluster over Kafka.

use anyhow::Result;
use standpoint_cluster::kafka::settings::{KafkaSettings, KafkaSinkSettings};
use standpoint_cluster::kafka::sink::KafkaSink;
use standpoint_cluster::settings::{Ordering, SettingsError};
use standpoint_cluster::source::ClusterSource;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::SinkError;

use super::kind::Kind;
use crate::cli::QuarantineCommand;
use crate::exit::{self, Exit};

pub(super) struct Kafka;

impl Kind for Kafka {
    const SHARED: &'static str = "topic";
    type Settings = KafkaSettings;
    type SinkSettings = KafkaSinkSettings;
    type Sink = KafkaSink;

    fn check(settings: &KafkaSettings) -> Result<(), SettingsError> {
        settings.check()
    }

    fn check_sink(settings: &KafkaSinkSettings) -> Result<(), SettingsError> {
        settings.check()
    }

    fn keeps_order(settings: &KafkaSettings) -> bool {
        settings.ordering == Ordering::PerSource
    }

    fn source(
        settings: &KafkaSettings,
        limits: ReadLimits,
        instance: &str,
        until_drained: bool,
    ) -> Result<ClusterSource, SettingsError> {
        ClusterSource::over_kafka(settings, limits, instance, until_drained)
    }

    fn sink(
        settings: &KafkaSinkSettings,
        maker: Maker,
        instance: &str,
        keeps_order: bool,
    ) -> Result<KafkaSink, SettingsError> {
        KafkaSink::new(settings, maker, instance, keeps_order)
    }

    fn feeding(settings: &KafkaSettings) -> Result<KafkaSink, SettingsError> {
        KafkaSink::feeding(settings)
    }

    async fn probe(sink: &KafkaSink) -> Result<(), SinkError> {
        sink.probe().await
    }

    /// Refuses, and says where they are: Kafka's own tools read a topic.
    fn dead_letters(
        settings: &KafkaSettings,
        _: u64,
        _: &QuarantineCommand,
    ) -> Result<(String, Exit)> {
        Err(exit::usage(format!(
            "dead letters are in topic `{}` of {}: read them with a consumer of Kafka's; one that is \
             published to `{}` as it is, is tried again",
            settings.dead_topic(),
            settings.brokers,
            settings.topic,
        )))
    }
}
