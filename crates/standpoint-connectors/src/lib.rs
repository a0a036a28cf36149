//! Where documents come from and go to.
//!
//! A source reads files, standard input or an inbox folder and delivers documents to the engine;
//! a sink keeps what comes out. Both implement the engine's traits, and each module owns its
//! settings, its errors and its tests. What a file holds is hostile: nothing in it is executed,
//! fetched or followed, and every limit that it breaks is named.
//!
//! Modules in reading order: [`formats`] and [`read`] turn a file into documents, with
//! [`encoding`], [`guard`], [`limits`], [`identity`] and [`refusal`]; [`files`] is the source of
//! one pass and [`inbox`] the one that never ends, with [`instance`], [`quarantine`] and `records`;
//! [`jsonl`] has the sink that writes result lines, with `hold` and [`rotation`], [`stream`] those
//! that print, [`sqlite`] and [`postgres`] the stores that analysts query, [`webhook`] the one that
//! sends them elsewhere; [`ledger`] remembers what they hold; [`retention`] and [`forget`] delete.
//! `objects` (feature `objects`) reads from and writes to object storage. [`meters`] count what is
//! no document; [`failpoint`] lets tests kill the program where it hurts.

pub mod encoding;
pub mod failpoint;
pub mod files;
pub mod forget;
pub mod formats;
pub mod guard;
mod hold;
pub mod identity;
pub mod inbox;
pub mod instance;
pub mod jsonl;
pub mod ledger;
pub mod limits;
pub mod meters;
mod moves;
#[cfg(feature = "objects")]
pub mod objects;
pub mod postgres;
pub mod quarantine;
pub mod read;
mod records;
pub mod refusal;
pub mod retention;
pub mod rotation;
pub mod sqlite;
pub mod stream;
pub mod webhook;
