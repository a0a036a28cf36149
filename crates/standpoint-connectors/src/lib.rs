//! Where documents come from and go to.
//!
//! A source reads files, standard input or an inbox folder and delivers documents to the engine;
//! a sink keeps what comes out. Both implement the engine's traits, and each module owns its
//! settings, its errors and its tests. What a file holds is hostile: nothing in it is executed,
//! fetched or followed, and every limit that it breaks is named.
//!
//! Modules in reading order: [`formats`] and [`read`] turn a file into documents, with
//! [`encoding`], [`limits`], [`identity`] and [`refusal`]; [`files`] is the source of one pass and
//! [`inbox`] the one that never ends, with [`instance`] and [`quarantine`]; [`jsonl`] has the sinks that write result
//! lines, [`sqlite`] the store that analysts query.

pub mod encoding;
pub mod files;
pub mod formats;
pub mod identity;
pub mod inbox;
pub mod instance;
pub mod jsonl;
pub mod limits;
mod moves;
pub mod quarantine;
pub mod read;
pub mod refusal;
pub mod sqlite;
