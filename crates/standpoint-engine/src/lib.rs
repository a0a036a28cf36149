//! How documents move: sources, stages and sinks joined by bounded queues, acknowledged, retried,
//! drained.
//!
//! The crate knows no connector, plugin, file format or setting by name. The program puts a
//! [`Pipeline`] together from plain data and runs it with [`Engine`].
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use standpoint_document::Document;
//! use standpoint_engine::{
//!     Delivery, Engine, Limits, Outcome, Pipeline, Settlements, Sink, SinkError, SinkStep, Source,
//!     SourceError, SourceStep,
//! };
//!
//! /// Delivers one greeting and says what became of it.
//! struct Greeting {
//!     text: Option<String>,
//!     outcomes: Settlements<&'static str>,
//! }
//!
//! #[async_trait]
//! impl Source for Greeting {
//!     async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
//!         let Some(text) = self.text.take() else { return Ok(None) };
//!         let document =
//!             Document::new("greeting", text).map_err(|e| SourceError::new(e.to_string()))?;
//!         Ok(Some(Delivery::new(document, self.outcomes.receipt("greeting"))))
//!     }
//!
//!     async fn close(&mut self) -> Result<(), SourceError> {
//!         while let Some((key, outcome)) = self.outcomes.next().await {
//!             // Here an inbox moves the file to the archive, or to quarantine.
//!             assert_eq!((key, outcome), ("greeting", Outcome::Done));
//!         }
//!         Ok(())
//!     }
//! }
//!
//! /// Takes everything and keeps nothing.
//! struct Nowhere;
//!
//! #[async_trait]
//! impl Sink for Nowhere {
//!     async fn write(
//!         &mut self,
//!         documents: &[Arc<Document<'static>>],
//!     ) -> Result<Vec<Result<(), String>>, SinkError> {
//!         Ok(vec![Ok(()); documents.len()])
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let greeting = Greeting { text: Some("Hello.".into()), outcomes: Settlements::new() };
//! let engine = Engine::new(Pipeline {
//!     sources: vec![SourceStep::new("greeting", Box::new(greeting))],
//!     stages: Vec::new(),
//!     sinks: vec![SinkStep::new("nowhere", Box::new(Nowhere))],
//!     limits: Limits::default(),
//! });
//! let summary = engine.run().await;
//! assert_eq!((summary.counts.done, summary.errors.len()), (1, 0));
//! # }
//! ```
//!
//! # The life of a document
//!
//! 1. A [`Source`] hands over a [`Delivery`]: a document and its [`Receipt`]. Each source has a
//!    task of its own on the caller's runtime.
//! 2. The task waits until the document fits the limits on documents and bytes in flight. This is
//!    the only place where back-pressure meets a source, and the only one that listens for a stop.
//! 3. The document gets a ticket, which holds its receipt, and becomes a task on the workers. It
//!    walks through the stages back to back; a stage with a [`Group`] makes it wait for others that
//!    are on their way, and one of them makes the call for all. A call is watched: a panic, an
//!    error, a timeout or a condition that cannot be decided fails this document alone, or is
//!    noted, as [`OnError`] says.
//! 4. It is shared out to the queues of the sinks that want it. Each share owes an answer.
//! 5. A [`Sink`] gets groups, one call at a time, on the caller's runtime. A group leaves when it
//!    is full, when its time is up, or when nothing else is under way. What passes by itself, such
//!    as a full disk, is waited out; the queues fill, the limits are reached, and the sources
//!    pause.
//! 6. When the last share has spoken, the receipt is settled with the worst that was said, and the
//!    source acts on it: archive, quarantine, or deliver again.
//!
//! Documents have no order, so that a slow one does not hold up those behind it, unless their
//! source asks for it ([`SourceStep::keeps_order`]).
//!
//! # Who may fail without whom
//!
//! - Stages run on threads of their own, so a busy one delays neither sources nor sinks. All
//!   workers share one queue of tasks. A stage that blocks in one poll cannot be stopped from
//!   outside: a watchdog fails its document, puts another worker in its place, counts it
//!   ([`Snapshot::is_healthy`]), and ends the pipeline when too many threads are lost. Neither it
//!   nor the end of the pipeline waits for the thread. It needs a timeout to know.
//! - A source that fails ends alone. A sink that fails for good ends the pipeline, and so does a
//!   stage with [`OnError::Stop`]. The [`Summary`] names them.
//! - On [`Shutdown::drain`] sources stop and the pipeline empties from the front; what has not been
//!   settled when [`Limits::shutdown_timeout`] is over goes back to its source.
//! - A source that waits for something outside says why ([`Pause`]), as a sink does by its error.
//! - [`Reloads::reload`] makes another pipeline of it between two documents, or refuses and leaves
//!   it.
//!
//! Modules in reading order: `source`, `receipt`, `sink`, `pipeline`, `engine`, `run`, `reload`,
//! `intake`, `flight`, `chain`, `call`, `batch`, `outlet`, `pool`, `watchdog`, `shutdown`, `stats`,
//! `tap`.

mod batch;
mod call;
mod chain;
mod engine;
mod flight;
mod intake;
mod outlet;
mod pipeline;
mod pool;
mod receipt;
mod reload;
mod run;
mod shutdown;
mod sink;
mod source;
mod stats;
mod tap;
mod watchdog;

pub use chain::skipped_note;
pub use engine::{Engine, RunError, Summary};
pub use pipeline::{
    Backoff, Compute, Condition, Group, Limits, OnError, Pipeline, Retry, SinkStep, SourceStep,
    StageStep,
};
pub use receipt::{Failure, Outcome, Receipt, Settlements};
pub use reload::{Open, ReloadError, Reloads, Revision, SinkPart, SourceChange, SourcePart};
pub use shutdown::Shutdown;
pub use sink::{Sink, SinkError};
pub use source::{Delivery, Pause, Source, SourceError};
pub use stats::{SinkSnapshot, Snapshot, SourceSnapshot, StageSnapshot, Stats};
pub use tap::Tap;
