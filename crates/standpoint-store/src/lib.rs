//! What was found, kept: one database that sinks write, reports and dashboards read, and people
//! correct.
//!
//! One file in WAL mode, so that readers never wait for the writer; or, with the feature
//! `postgres`, a schema on a server, where many write. People read its views
//! (`documents`, `actor_stance`, `author_stance`, `evidence`, `entities`, `provenance`,
//! `corrections`) and search the full text through `document_text`; the tables behind them may
//! change with the store's version, which is in `PRAGMA user_version` or the table
//! `standpoint_store`.
//!
//! Three ideas carry the rest. A **record** is a document as its result line has it, and the store
//! keeps it as it came. A **story** is one text however often it was printed: copies are
//! recognised when they come, and figures count a story once. A **correction** is what a person
//! said of a passage; it is kept beside the record, under the document's id, and holds when the
//! document comes again.
//!
//! Modules in reading order: [`record`], [`schema`] and [`server`]; [`base`] is where statements
//! run; [`write`](mod@write) puts records in, with [`story`]; [`filter`] says what is asked for,
//! and [`names`] who is meant; [`figures`], [`shifts`], [`feed`] and [`documents`] answer;
//! [`corrections`] is what people say; [`table`] is rows for other programs.

pub mod base;
pub mod corrections;
mod days;
pub mod documents;
pub mod feed;
pub mod figures;
pub mod filter;
pub mod names;
pub mod record;
pub mod schema;
pub mod server;
pub mod shifts;
pub mod story;
pub mod table;
pub mod write;

pub use base::Error;
pub use days::days_in;
pub use filter::Filter;
pub use record::Record;
pub use schema::{Place, Store, StoreError};
pub use server::Server;
pub use standpoint_document::{is_same_name, is_state_id, slug, state_called, state_names};
