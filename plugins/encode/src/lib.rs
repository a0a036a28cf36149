//! The standard stage `encode`: the vectors by which `sentiment` and `stance` judge.
//!
//! Encoding is the dear part of a neural model, so the stage reads a sentence once, whoever asks
//! about it how often, and reads only sentences that somebody will ask about: those that name a
//! target of the pipeline, or what refers to one. Sentences of several documents run together.
//!
//! Modules in reading order: `settings`, `choice` (which sentences, and what in them), `stage`.

mod choice;
mod settings;
mod stage;

pub use settings::{EncodeSettings, Sentences};
pub use stage::EncodeStage;

standpoint_abi::export_stage!(EncodeStage, settings: "settings.schema.json");
