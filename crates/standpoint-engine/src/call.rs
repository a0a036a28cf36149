//! One call of a stage: watched, limited in time, with panics caught.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use standpoint_stage::{StageError, StageErrorKind};
use thiserror::Error;
use tokio::time::timeout;

use crate::flight::{Call, Ticket};
use crate::pool::panic_message;

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum CallError {
    #[error("{0}")]
    Stage(StageError),
    #[error("panicked: {0}")]
    Panicked(String),
    #[error("took longer than its timeout of {0:?}")]
    TimedOut(Duration),
    #[error("documents answered for: {found}, expected: {expected}")]
    Miscounted { found: usize, expected: usize },
    /// Nobody waits for the result any more.
    #[error("was given up")]
    Lost,
}

impl CallError {
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Stage(error) if error.kind() == StageErrorKind::Transient)
    }

    /// Whether the call as a whole failed, so that one document of a group may have failed the
    /// others.
    pub(crate) const fn blames_nobody(&self) -> bool {
        matches!(self, Self::Panicked(_) | Self::TimedOut(_) | Self::Miscounted { .. })
    }
}

/// A future in a box, as an async trait makes it.
pub(crate) type Boxed<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// Waits for a stage's future within the limits of `call`; without one, for as long as it takes.
///
/// - `ticket`: of the document that is worked on, or of the first of several.
pub(crate) async fn within<T>(
    future: Boxed<'_, T>,
    ticket: &Ticket,
    call: Option<Call>,
) -> Result<T, CallError> {
    let Some(call) = call else {
        return Caught(future).await.map_err(CallError::Panicked);
    };
    let limit = call.limit;
    ticket.set_call(Some(call));
    let result = in_time(limit, Watched { future: Caught(future), ticket }).await;
    ticket.set_call(None);
    match result {
        Some(Some(result)) => result.map_err(CallError::Panicked),
        Some(None) => Err(CallError::Lost),
        None => {
            // The future is dropped by now; this is for work that it left running elsewhere.
            ticket.cancelled.store(true, Ordering::Relaxed);
            Err(CallError::TimedOut(limit))
        }
    }
}

/// Waits for a future for as long as `limit`; a time in which the whole process was stopped counts
/// as an eighth of a long one at most, because no stage is to blame for it.
async fn in_time<T>(limit: Duration, mut future: impl Future<Output = T> + Unpin) -> Option<T> {
    // Timers tick in milliseconds.
    let parts = if limit < Duration::from_millis(80) { 1 } else { 8 };
    for _ in 0..parts {
        if let Ok(result) = timeout(limit / parts, &mut future).await {
            return Some(result);
        }
    }
    None
}

/// Turns a panic in a poll into an error with its message.
pub(crate) struct Caught<'f, T>(pub(crate) Boxed<'f, T>);

impl<T> Future for Caught<'_, T> {
    type Output = Result<T, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let poll = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context)));
        poll.map_or_else(
            |panic| Poll::Ready(Err(panic_message(&*panic).to_owned())),
            |poll| poll.map(Ok),
        )
    }
}

/// Shows the watchdog how long each poll takes. Gives `None` when the watchdog gave up on it.
struct Watched<'f, T> {
    future: Caught<'f, T>,
    ticket: &'f Ticket,
}

impl<T> Future for Watched<'_, T> {
    type Output = Option<Result<T, String>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.ticket.begin_poll();
        let poll = Pin::new(&mut self.future).poll(context);
        if self.ticket.end_poll() { Poll::Ready(None) } else { poll.map(Some) }
    }
}
