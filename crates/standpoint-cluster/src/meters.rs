//! What a worker counts of the cluster, for whoever shows it.
//!
//! There is one set for the process, because a source that is reloaded goes on counting where the
//! one before it was.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is known of the cluster at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The stream's name.
    pub stream: String,
    /// Whether the server can be reached.
    pub is_connected: bool,
    /// What keeps this worker from its work, while something does.
    pub problem: Option<String>,
    /// Documents in the stream that are not done, whoever has them.
    pub pending: u64,
    /// How long the oldest of them has been there.
    pub oldest: Duration,
    /// Those of them that workers hold; with an order, this worker's own.
    pub in_flight: u64,
    /// Those that were delivered more than once and are not done.
    pub redelivered: u64,
    /// Documents that this worker holds.
    pub held: u64,
    /// The partitions that this worker has; none without an order.
    pub partitions: BTreeSet<u32>,
    /// Documents that this worker has acknowledged.
    pub acknowledged: u64,
    /// Documents that came again and were recognised.
    pub recognised: u64,
    /// Documents that failed and are tried again.
    pub retried: u64,
    /// Documents that went to the dead letters.
    pub dead_lettered: u64,
    /// Connections that were lost.
    pub disconnects: u64,
    /// Times that reading was begun anew.
    pub reopened: u64,
    /// Messages that the server had forgotten to deliver and that were put in again.
    pub put_again: u64,
}

static READING: Mutex<Option<Reading>> = Mutex::new(None);

/// What is known now; `None` in a program that is no worker.
#[must_use]
pub fn reading() -> Option<Reading> {
    lock().clone()
}

/// Begins to count.
pub(crate) fn begin(stream: &str) {
    let mut reading = lock();
    let reading = reading.get_or_insert_default();
    stream.clone_into(&mut reading.stream);
    reading.problem = Some("not connected yet".to_owned());
}

/// Changes what is counted, in a program that is a worker.
pub(crate) fn change(by: impl FnOnce(&mut Reading)) {
    if let Some(reading) = lock().as_mut() {
        by(reading);
    }
}

/// Notes whether the server can be reached.
pub(crate) fn connected(is_connected: bool) {
    change(|reading| {
        reading.disconnects += u64::from(reading.is_connected && !is_connected);
        reading.is_connected = is_connected;
    });
}

/// Notes what keeps this worker from its work.
pub(crate) fn problem(problem: Option<String>) {
    change(|reading| reading.problem = problem);
}

fn lock() -> MutexGuard<'static, Option<Reading>> {
    // Nothing that can panic runs under the lock.
    READING.lock().unwrap_or_else(PoisonError::into_inner)
}
