//! The standard stage `entity`: who is named in a document, by canonical id.
//!
//! It reads `tokens` and `sentences` and writes the layer `entities`, whose annotations are
//! mentions with the flags of [`standpoint_document::mention`], and the table of entities that
//! they link to. Three sources agree on a name: tables that an analyst can read and edit
//! (`gazetteer/`, see its README), a trained tagger for what no table knows (`model/CARD.md`), and
//! the document itself, which introduces surnames and acronyms.
//!
//! # What later stages may rely on
//!
//! - A target named in a setting (`target: Turkey`) is found by comparing it with
//!   [`Entity::id`](standpoint_document::Entity::id), `name` and `aliases` of the document's
//!   table: the aliases are all those of the gazetteer, not only the ones seen.
//! - The entity of a mention is the actor; the mention's `label` is how it is meant there. "Moscow
//!   said" links to `RUS` with the flag `METONYM`; "in Moscow" links to the place `name:moscow`.
//! - An adjective links to its state with the flag `DEMONYM`, and with `NOT_AN_ACTOR` where it
//!   speaks of a culture ("Russian novels"). Citizens ("Kazakhs") are the group `KAZ.PEOPLE`;
//!   "the Kazakhs" with nothing that narrows them are the state.
//! - `NESTED` marks an adjective that only belongs to a person's title or office ("Kazakh" in
//!   "Kazakh President Kassym-Jomart Tokayev", "Russian" in "the Russian president").
//! - `ANAPHOR` marks pronouns and descriptions, with a lower confidence. Their spans may contain
//!   another mention.
//! - `country` and `speaks_for_country` are those of the document's date; an undated document
//!   accepts any office that somebody ever held.
//!
//! Modules in reading order: `stage`, [`sight`], [`events`], [`names`], [`context`], [`voices`],
//! [`anaphora`], [`gazetteer`], [`cues`], [`tagger`], [`vocabulary`], [`learned`], [`atom`],
//! [`fold`], [`date`].

pub mod anaphora;
pub mod atom;
pub mod bodies;
pub mod context;
pub mod cues;
pub mod date;
pub mod events;
pub mod fold;
pub mod gazetteer;
pub mod learned;
pub mod names;
pub mod sight;
mod stage;
pub mod tagger;
pub mod vocabulary;
pub mod voices;

pub use stage::{EntitySettings, EntityStage, MODEL};
