//! Object storage: what this build can do of it.
//!
//! Without the feature `objects` a pipeline file that asks for it is refused with the name of the
//! feature.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use standpoint_connectors::inbox::{InboxSettings, Places};
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::ledger::Ledger;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Sink, Source};

/// A key, and what is wrong with it.
type Mistake = (&'static str, String);

#[cfg(feature = "objects")]
mod built {
    use standpoint_connectors::files::with_causes;
    use standpoint_connectors::ledger::memory::Memory;
    use standpoint_connectors::objects::{
        ObjectsError, ObjectsSink, ObjectsSinkSettings, ObjectsSource, ObjectsSourceSettings, note,
    };

    use super::{
        BTreeMap, InboxSettings, Ledger, Maker, Mistake, Path, Places, ReadLimits, Result, Sink,
        Source, Value,
    };
    use crate::exit;

    /// The source type, with the schema of its settings.
    pub(crate) fn source_schemas() -> BTreeMap<&'static str, Value> {
        BTreeMap::from([("objects", schemars::schema_for!(ObjectsSourceSettings).to_value())])
    }

    /// The sink type.
    pub(crate) fn sink_schemas() -> BTreeMap<&'static str, Value> {
        BTreeMap::from([("objects", schemars::schema_for!(ObjectsSinkSettings).to_value())])
    }

    /// What a schema cannot say of the settings of a source: the key, and what is wrong with it.
    pub(crate) fn mistake(settings: Value) -> Option<Mistake> {
        let settings: ObjectsSourceSettings = serde_json::from_value(settings).ok()?;
        settings.mistake()
    }

    /// The same for a sink.
    pub(crate) fn sink_mistake(settings: Value) -> Option<Mistake> {
        let settings: ObjectsSinkSettings = serde_json::from_value(settings).ok()?;
        settings.mistake()
    }

    /// The inbox into which a source fetches; `None` when its settings are none.
    pub(crate) fn inbox(settings: Value, data_dir: &Path, source: &str) -> Option<InboxSettings> {
        let settings: ObjectsSourceSettings = serde_json::from_value(settings).ok()?;
        Some(settings.inbox(data_dir, source))
    }

    /// Makes a source.
    ///
    /// # Errors
    ///
    /// Why it cannot start.
    pub(crate) fn source(
        name: &str,
        settings: Value,
        places: &Places,
        limits: ReadLimits,
        data_dir: &Path,
        until_drained: bool,
    ) -> Result<Box<dyn Source>> {
        let settings: ObjectsSourceSettings = serde_json::from_value(settings)?;
        let source = ObjectsSource::open(name, &settings, places, limits, data_dir, until_drained);
        Ok(Box::new(source.map_err(|error| refused(&error))?))
    }

    /// Makes a sink.
    ///
    /// # Errors
    ///
    /// Why it cannot start.
    pub(crate) fn sink(
        name: &str,
        settings: Value,
        maker: Maker,
        sync: bool,
        ledger: Option<&Ledger>,
        data_dir: &Path,
    ) -> Result<Box<dyn Sink>> {
        let settings: ObjectsSinkSettings = serde_json::from_value(settings)?;
        let (written, note) = match ledger {
            Some(ledger) => (ledger.of_sink(name)?, Some(note(data_dir, name))),
            None => (Memory::without_disk(), None),
        };
        let sink = ObjectsSink::open(&settings, maker, sync, written, note.as_deref());
        Ok(Box::new(sink.map_err(|error| refused(&error))?))
    }

    fn refused(error: &ObjectsError) -> anyhow::Error {
        exit::usage(with_causes(error))
    }
}

#[cfg(not(feature = "objects"))]
mod built {
    use super::{
        BTreeMap, InboxSettings, Ledger, Maker, Mistake, Path, Places, ReadLimits, Result, Sink,
        Source, Value,
    };
    use crate::exit;

    pub(crate) const fn source_schemas() -> BTreeMap<&'static str, Value> {
        BTreeMap::new()
    }

    pub(crate) const fn sink_schemas() -> BTreeMap<&'static str, Value> {
        BTreeMap::new()
    }

    pub(crate) fn mistake(_: Value) -> Option<Mistake> {
        None
    }

    pub(crate) fn sink_mistake(_: Value) -> Option<Mistake> {
        None
    }

    pub(crate) fn inbox(_: Value, _: &Path, _: &str) -> Option<InboxSettings> {
        None
    }

    pub(crate) fn source(
        _: &str,
        _: Value,
        _: &Places,
        _: ReadLimits,
        _: &Path,
        _: bool,
    ) -> Result<Box<dyn Source>> {
        Err(lacking())
    }

    pub(crate) fn sink(
        _: &str,
        _: Value,
        _: Maker,
        _: bool,
        _: Option<&Ledger>,
        _: &Path,
    ) -> Result<Box<dyn Sink>> {
        Err(lacking())
    }

    fn lacking() -> anyhow::Error {
        exit::usage(
            "this build knows no object storage: build the program with `--features objects`",
        )
    }
}

pub(crate) use built::{inbox, mistake, sink, sink_mistake, sink_schemas, source, source_schemas};
