//! What a cluster shares its work over, in a build that knows of nothing.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;
use standpoint_connectors::jsonl::Maker;
use standpoint_connectors::limits::ReadLimits;
use standpoint_engine::{Sink, Source};

use super::{Cluster, Mistake};
use crate::cli::QuarantineCommand;
use crate::exit::{self, Exit};

pub(crate) fn schemas() -> BTreeMap<&'static str, Value> {
    BTreeMap::new()
}

pub(crate) fn sink_schemas() -> BTreeMap<&'static str, Value> {
    BTreeMap::new()
}

pub(crate) fn mistake(_: &str, _: &Value) -> Option<Mistake> {
    None
}

pub(crate) fn sink_mistake(_: &str, _: &Value) -> Option<Mistake> {
    None
}

pub(crate) fn source(
    kind: &str,
    _: Value,
    _: ReadLimits,
    _: &str,
    _: bool,
) -> Result<(Box<dyn Source>, bool)> {
    Err(lacking(kind))
}

pub(crate) fn sink(kind: &str, _: Value, _: Maker, _: &str) -> Result<Box<dyn Sink>> {
    Err(lacking(kind))
}

pub(crate) fn feed(kind: &str, _: Value) -> Result<Box<dyn Sink>> {
    Err(lacking(kind))
}

pub(crate) fn own() -> Option<Cluster> {
    None
}

pub(crate) fn dead_letters(
    kind: &str,
    _: Value,
    _: u64,
    _: &QuarantineCommand,
) -> Result<(String, Exit)> {
    Err(lacking(kind))
}

fn lacking(kind: &str) -> anyhow::Error {
    exit::usage(format!("this build speaks no {kind}: build the program with `--features {kind}`"))
}
