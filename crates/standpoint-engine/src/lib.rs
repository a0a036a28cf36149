//! How documents move: sources, stages and sinks joined by bounded queues.

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
mod shutdown;
mod sink;
mod source;
mod stats;
mod watchdog;

pub use engine::{Engine, RunError, Summary};
pub use pipeline::{
    Backoff, Compute, Condition, Group, Limits, OnError, Pipeline, Retry, SinkStep, SourceStep,
    StageStep,
};
pub use receipt::{Failure, Outcome, Receipt, Settlements};
pub use shutdown::Shutdown;
pub use sink::{Sink, SinkError};
pub use source::{Delivery, Source, SourceError};
pub use stats::{SinkSnapshot, Snapshot, StageSnapshot, Stats};
