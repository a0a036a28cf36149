//! How a pipeline is told to stop.

use tokio::sync::watch;

/// Asks a pipeline to stop: first politely, then at once. Clones ask the same pipeline.
#[derive(Debug, Clone)]
pub struct Shutdown {
    level: watch::Sender<Level>,
}

/// How urgent the stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nobody asked.
    Running,
    /// Sources stop; what they delivered is finished.
    Drain,
    /// What is under way goes back to its source.
    Now,
}

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self { level: watch::Sender::new(Level::Running) }
    }

    /// Closes the front door: sources stop, and the pipeline empties itself.
    pub fn drain(&self) {
        self.raise(Level::Drain);
    }

    /// Stops at once: what is under way goes back to its source.
    pub fn now(&self) {
        self.raise(Level::Now);
    }

    /// What a signal asks for: the first one to drain, any further one to stop at once.
    pub fn escalate(&self) {
        self.level.send_modify(|level| {
            *level = if *level == Level::Running { Level::Drain } else { Level::Now };
        });
    }

    /// Whether a stop has been requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.level.borrow() >= Level::Drain
    }

    /// Waits until a stop of this urgency, or a greater one, is requested.
    pub(crate) async fn reached(&self, wanted: Level) {
        let mut level = self.level.subscribe();
        // An error would mean that no sender is left, and `self` is one.
        let _ = level.wait_for(|level| *level >= wanted).await;
    }

    fn raise(&self, to: Level) {
        self.level.send_if_modified(|level| {
            let raised = *level < to;
            *level = (*level).max(to);
            raised
        });
    }
}
