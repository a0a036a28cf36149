//! Daemons that share a stream of documents: what this build can do of that, and what it tells of
//! it.
//!
//! Without the features `nats` and `kafka` there is nothing to share over, and a pipeline file that
//! asks for it is refused with the name of the feature.

#[cfg(any(feature = "nats", feature = "kafka"))]
mod engines;
#[cfg(not(any(feature = "nats", feature = "kafka")))]
#[path = "cluster/none.rs"]
mod engines;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

pub(crate) use self::engines::{
    dead_letters, feed, mistake, own, schemas, sink, sink_mistake, sink_schemas, source,
};

/// The name of the source that stands in place of the file's own.
pub(crate) const SOURCE: &str = "cluster";

/// The sinks that belong to one.
pub(crate) const SINKS: [&str; 2] = ["kafka", "nats"];

/// A mistake in settings, with the key that it is about.
pub(crate) type Mistake = (String, String);

/// What a worker says of the stream that it shares.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) stream: String,
    /// Whether the server can be reached.
    pub(crate) connected: bool,
    /// What keeps this worker from its work.
    pub(crate) problem: Option<String>,
    /// Documents in the stream that are not done, whoever has them.
    pub(crate) pending: u64,
    /// How long the oldest of them has been there, in milliseconds.
    pub(crate) oldest_ms: u64,
    /// Those of them that workers hold.
    pub(crate) in_flight: u64,
    /// Those that were delivered more than once and are not done.
    pub(crate) redelivered: u64,
    /// Documents that this worker holds.
    pub(crate) held: u64,
    /// The partitions that this worker has.
    pub(crate) partitions: Vec<u32>,
    pub(crate) acknowledged: u64,
    /// Documents that came again and were recognised.
    pub(crate) recognised: u64,
    /// Documents that failed and are tried again.
    pub(crate) retried: u64,
    pub(crate) dead_lettered: u64,
    /// Connections that were lost.
    pub(crate) disconnects: u64,
    /// Times that reading was begun anew.
    pub(crate) reopened: u64,
    /// Messages that the server had forgotten and that were put in again.
    pub(crate) put_again: u64,
}

impl Cluster {
    /// Why documents should not be counted on to be read now. An error's own words are not for
    /// everybody.
    pub(crate) fn reason(&self) -> Option<String> {
        if !self.connected {
            return Some("the cluster's server is away".to_owned());
        }
        self.problem.as_ref().map(|_| "the cluster's stream cannot be read".to_owned())
    }

    /// The state for people.
    pub(crate) fn text(&self) -> String {
        let connected = if self.connected { "connected" } else { "its server is away" };
        let mut text = format!(
            "cluster    stream {}, {connected}; {} documents wait, the oldest for {}\n\
             worker     {} held, {} acknowledged, {} recognised, {} tried again, {} dead letters\n",
            self.stream,
            self.pending,
            humantime::format_duration(std::time::Duration::from_secs(self.oldest_ms / 1000)),
            self.held,
            self.acknowledged,
            self.recognised,
            self.retried,
            self.dead_lettered,
        );
        if !self.partitions.is_empty() {
            let named: Vec<String> = self.partitions.iter().map(u32::to_string).collect();
            let _ = writeln!(text, "partitions {}", named.join(" "));
        }
        if let Some(problem) = &self.problem {
            let _ = writeln!(text, "problem    {problem}");
        }
        text
    }
}
