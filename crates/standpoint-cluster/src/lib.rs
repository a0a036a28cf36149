//! How many daemons share one stream of documents: a queue of NATS (`JetStream`) in and out, or,
//! with the feature `kafka`, a topic of Kafka.
//!
//! A worker takes documents from a work queue on the server, sends them through its pipeline and
//! acknowledges each when the engine has settled it: what the claim of a file is to an inbox, an
//! unacknowledged message is here. Workers know nothing of each other. Without an order all of them
//! read one durable consumer; with one, each partition of the stream has one reader at a time, by a
//! lease.
//!
//! What the engine says becomes what the server hears:
//!
//! | outcome | word | and then |
//! |---|---|---|
//! | done | `Ack` | it leaves the stream |
//! | failed, attempts left | `Nak` with a delay | any worker gets it again |
//! | failed for the last time | `Progress`, and `Term` after it is among the dead letters | it leaves the stream |
//! | returned | `Nak` | another worker gets it now |
//! | none yet | `Progress`, again and again | it stays with this worker |
//! | none, for the worker is gone | nothing | another gets it after `ack_wait`, or with the lease |
//!
//! Modules in reading order: [`settings`]; `record` (a document as a message), `partition` and
//! `known`; [`source`], which is the engine's side of every worker; then of NATS `connect`; `queue`
//! (what there is on the server); `worker`, with `desk` (what is held), `lane` (how it is read),
//! `leases` and `watch`; `letters` (what was given up); `sink`; then `kafka`, which tells its own
//! story; [`meters`].

#[cfg(feature = "nats")]
mod connect;
#[cfg(feature = "nats")]
mod desk;
#[cfg(feature = "kafka")]
pub mod kafka;
mod known;
#[cfg(feature = "nats")]
mod lane;
#[cfg(feature = "nats")]
mod leases;
#[cfg(feature = "nats")]
pub mod letters;
pub mod meters;
mod partition;
#[cfg(feature = "nats")]
mod queue;
mod record;
pub mod settings;
#[cfg(feature = "nats")]
pub mod sink;
pub mod source;
#[cfg(feature = "nats")]
mod watch;
#[cfg(feature = "nats")]
mod worker;
