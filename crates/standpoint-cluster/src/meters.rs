//! What a worker counts of the cluster, for whoever shows it.
//!
//! There is one set for the process, because a source that is reloaded goes on counting where the
//! one before it was.

use std::collections::{BTreeMap, BTreeSet};
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

/// What is counted, and who is kept from its work.
#[derive(Debug)]
struct Meters {
    reading: Option<Reading>,
    /// What is told of by each part that cannot work, by its number.
    troubles: BTreeMap<u64, String>,
    /// The number of the next part.
    next: u64,
}

static METERS: Mutex<Meters> =
    Mutex::new(Meters { reading: None, troubles: BTreeMap::new(), next: 0 });

/// What is known now; `None` in a program that is no worker.
#[must_use]
pub fn reading() -> Option<Reading> {
    lock().reading.clone()
}

/// Begins to count.
pub(crate) fn begin(stream: &str) {
    let mut meters = lock();
    let reading = meters.reading.get_or_insert_default();
    stream.clone_into(&mut reading.stream);
    reading.problem = Some("not connected yet".to_owned());
}

/// Changes what is counted, in a program that is a worker.
pub(crate) fn change(by: impl FnOnce(&mut Reading)) {
    if let Some(reading) = lock().reading.as_mut() {
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

/// What keeps a part of the worker from its work, until it says otherwise or is gone: a worker has
/// several, and what ails one says nothing of the others.
#[derive(Debug)]
pub(crate) struct Trouble {
    number: u64,
}

impl Trouble {
    pub(crate) fn none() -> Self {
        let mut meters = lock();
        meters.next += 1;
        Self { number: meters.next }
    }

    /// Notes what it is; `None` once it has passed.
    pub(crate) fn tell(&self, problem: Option<String>) {
        let mut meters = lock();
        match problem {
            Some(problem) => meters.troubles.insert(self.number, problem),
            None => meters.troubles.remove(&self.number),
        };
        let first = meters.troubles.values().next().cloned();
        if let Some(reading) = meters.reading.as_mut() {
            reading.problem = first;
        }
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.tell(None);
    }
}

fn lock() -> MutexGuard<'static, Meters> {
    // Nothing that can panic runs under the lock.
    METERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_a_problem_as_long_as_a_part_of_it_has() {
        begin("DOCS");
        let problem = || reading().unwrap().problem;
        assert_eq!(problem().as_deref(), Some("not connected yet"));
        let (lane, letter) = (Trouble::none(), Trouble::none());
        lane.tell(None);
        assert_eq!(problem(), None);
        lane.tell(Some("no stream".to_owned()));
        letter.tell(Some("no room".to_owned()));
        // A lane that is gone, such as one whose partition another has, takes its own along.
        drop(lane);
        assert_eq!(problem().as_deref(), Some("no room"));
        letter.tell(None);
        assert_eq!(problem(), None);
    }
}
