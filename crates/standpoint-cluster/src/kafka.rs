//! The same over Kafka, for those who run it already: a topic in place of the stream.
//!
//! Workers are members of one consumer group, which divides the topic's partitions between them. A
//! broker keeps one number for each partition, the offset from which the next reader begins. So a
//! worker notes what is under way, commits the offset behind the longest run of settled documents,
//! and does for itself what another engine's server would: it tries a document again, and puts one
//! that fails for the last time among the dead letters.
//!
//! | outcome | and then |
//! |---|---|
//! | done | its offset counts as settled |
//! | failed, attempts left | this worker tries it again after a pause; others of its partition go on |
//! | failed for the last time | its offset counts as settled once it is in the topic of dead letters |
//! | returned | its offset stays; whoever has the partition next reads it again |
//! | none, for the worker is gone | the same, after the group has missed the worker |
//!
//! Modules in reading order: [`settings`]; `client` (who speaks to the brokers, and how); [`sink`];
//! `partition` (what is under way of one, and from where the next reader begins), `count` (readers
//! that ended where they began); `source`, with `worker` (the loop; what it does with partitions,
//! with documents, and what it commits), `handing` (which document is next), `offsets` (what the
//! group keeps), `letters` (the dead ones) and `lookout` (what waits in the topic).

mod client;
mod count;
mod handing;
mod letters;
mod lookout;
mod offsets;
mod partition;
pub mod settings;
pub mod sink;
mod source;
mod worker;
