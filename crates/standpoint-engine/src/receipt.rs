//! Receipts: how a source hears what has become of what it delivered.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracing::error;

/// What has become of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every sink that wanted the document has it, durably.
    Done,
    /// The document was given up; trying it again gives the same.
    Failed(Failure),
    /// Nothing is decided, because the pipeline ended first: deliver it again next time.
    Returned,
    /// The same, and no stage was at work on it any more: it waited for a sink. It is not to be
    /// blamed for that.
    Unsent,
}

impl Outcome {
    /// The worse of two outcomes of one document.
    ///
    /// A document that one sink has and another lacks is not done. `Unsent` is worse than `Failed`:
    /// it will be tried again, so nothing final may be concluded from the failure. `Returned` is
    /// worse still, because something may be to blame.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    /// Whether the document is to be delivered again.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Returned | Self::Unsent)
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed(_) => 1,
            Self::Unsent => 2,
            Self::Returned => 3,
        }
    }
}

/// Who gave a document up, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The id of the stage, or the name of the sink or of the source.
    pub stage: String,
    /// What was found, in words for whoever runs the pipeline.
    pub reason: String,
    /// How often it was tried in this run.
    pub attempts: u32,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.stage, self.reason)
    }
}

/// Settles one delivery, exactly once.
///
/// Whoever holds the receipt owes the source an answer. A receipt that is dropped unsettled is a
/// mistake of the engine; it settles as [`Outcome::Returned`], so that nothing vanishes, and logs
/// an error.
#[must_use = "a dropped receipt returns the document to its source"]
pub struct Receipt {
    /// `None` once settled.
    tell: Option<Box<dyn FnOnce(Outcome) + Send>>,
}

impl Receipt {
    /// A receipt that tells the outcome to `tell`, which is called on any thread and must neither
    /// block nor panic: it notes the outcome down, and the source acts on it later.
    /// [`Settlements`] does that.
    pub fn new(tell: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Self { tell: Some(Box::new(tell)) }
    }

    /// A receipt for a source that does not care.
    pub fn ignored() -> Self {
        Self::new(|_| ())
    }

    /// Tells the source.
    pub fn settle(mut self, outcome: Outcome) {
        if let Some(tell) = self.tell.take() {
            tell(outcome);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(tell) = self.tell.take() {
            error!("the program lost sight of a document, which goes back to its source");
            tell(Outcome::Returned);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receipt").field("settled", &self.tell.is_none()).finish()
    }
}

/// The outcomes that a source has yet to act on.
///
/// A source makes a receipt for each delivery with a key of its own, such as the path of a claimed
/// file, and takes the outcomes when it pleases. It holds no more entries than there are receipts
/// that the source gave out and whose outcomes it has not taken, which the pipeline's limits bound.
#[derive(Debug)]
pub struct Settlements<K> {
    shared: Arc<Shared<K>>,
}

#[derive(Debug)]
struct Shared<K> {
    state: Mutex<State<K>>,
    arrived: Notify,
}

#[derive(Debug)]
struct State<K> {
    settled: VecDeque<(K, Outcome)>,
    /// Receipts given out and not yet settled.
    unsettled: usize,
}

impl<K: Send + 'static> Settlements<K> {
    /// No receipts yet.
    #[must_use]
    pub fn new() -> Self {
        let state = Mutex::new(State { settled: VecDeque::new(), unsettled: 0 });
        Self { shared: Arc::new(Shared { state, arrived: Notify::new() }) }
    }

    /// A receipt whose outcome arrives here, with `key`.
    pub fn receipt(&self, key: K) -> Receipt {
        self.shared.lock().unsettled += 1;
        let shared = Arc::clone(&self.shared);
        Receipt::new(move |outcome| {
            let mut state = shared.lock();
            state.unsettled -= 1;
            state.settled.push_back((key, outcome));
            drop(state);
            shared.arrived.notify_one();
        })
    }

    /// How many outcomes have not been taken, whether they have arrived or not.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        let state = self.shared.lock();
        state.unsettled + state.settled.len()
    }

    /// The next outcome that has arrived already.
    #[must_use]
    pub fn try_next(&self) -> Option<(K, Outcome)> {
        self.shared.lock().settled.pop_front()
    }

    /// Waits for the next outcome; `None` when no receipt is outstanding.
    ///
    /// Cancel safe: an outcome is taken only when it is returned. One caller at a time.
    pub async fn next(&self) -> Option<(K, Outcome)> {
        loop {
            {
                let mut state = self.shared.lock();
                if let Some(next) = state.settled.pop_front() {
                    return Some(next);
                }
                if state.unsettled == 0 {
                    return None;
                }
            }
            // A settlement between the look and the wait has left its permit in `arrived`.
            self.shared.arrived.notified().await;
        }
    }
}

impl<K: Send + 'static> Default for Settlements<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        // Nothing that can panic runs under the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_receipt_returns_the_document() {
        let settlements = Settlements::new();
        drop(settlements.receipt("dropped"));
        settlements.receipt("settled").settle(Outcome::Done);
        assert_eq!(settlements.outstanding(), 2);
        assert_eq!(settlements.try_next(), Some(("dropped", Outcome::Returned)));
        assert_eq!(settlements.try_next(), Some(("settled", Outcome::Done)));
        assert_eq!(settlements.outstanding(), 0);
    }

    #[tokio::test]
    async fn next_waits_while_receipts_are_out() {
        let settlements = Settlements::new();
        let receipt = settlements.receipt(1);
        let settle = async {
            tokio::task::yield_now().await;
            receipt.settle(Outcome::Done);
        };
        let (next, ()) = tokio::join!(settlements.next(), settle);
        assert_eq!(next, Some((1, Outcome::Done)));
        assert_eq!(settlements.next().await, None);
    }

    #[test]
    fn the_worst_outcome_wins_from_either_side() {
        let failed = |stage: &str| {
            let (stage, reason) = (stage.to_owned(), String::new());
            Outcome::Failed(Failure { stage, reason, attempts: 1 })
        };
        let cases = [
            (Outcome::Done, Outcome::Done, Outcome::Done),
            (Outcome::Done, failed("a"), failed("a")),
            (failed("a"), Outcome::Returned, Outcome::Returned),
            (failed("a"), Outcome::Unsent, Outcome::Unsent),
            (Outcome::Unsent, Outcome::Returned, Outcome::Returned),
            (Outcome::Returned, Outcome::Done, Outcome::Returned),
        ];
        for (one, other, worst) in cases {
            assert_eq!(one.clone().worst(other.clone()), worst);
            assert_eq!(other.worst(one), worst);
        }
        // Of two failures the first one stays.
        assert_eq!(failed("a").worst(failed("b")), failed("a"));
    }
}
