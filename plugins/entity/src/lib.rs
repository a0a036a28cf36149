//! The standard stage `entity`.

pub mod atom;
pub mod cues;
pub mod date;
pub mod fold;
pub mod gazetteer;
pub mod sight;
pub mod tagger;
