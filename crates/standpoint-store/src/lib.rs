//! What was found, kept: one database that sinks write, reports and dashboards read, and people
//! correct.
//!
//! One file in WAL mode, so that readers never wait for the writer. People read its views
//! (`documents`, `actor_stance`, `author_stance`, `evidence`, `entities`, `provenance`,
//! `corrections`) and search the full text through `document_text`; the tables behind them may
//! change with the store's version, which is in `PRAGMA user_version`.
//!
//! Three ideas carry the rest. A **record** is a document as its result line has it, and the store
//! keeps it as it came. A **story** is one text however often it was printed: copies are
//! recognised when they come, and figures count a story once. A **correction** is what a person
//! said of a passage; it is kept beside the record, under the document's id, and holds when the
//! document comes again.
//!
//! Modules in reading order: [`record`] and [`schema`]; [`write`](mod@write) puts records in, with
//! [`story`]; [`filter`] says what is asked for; [`figures`], [`shifts`], [`feed`] and [`documents`] answer;
//! [`corrections`] is what people say.

pub mod corrections;
pub mod documents;
pub mod feed;
pub mod figures;
pub mod filter;
pub mod record;
pub mod schema;
pub mod shifts;
pub mod story;
pub mod write;

pub use filter::Filter;
pub use record::Record;
pub use schema::{Store, StoreError};
