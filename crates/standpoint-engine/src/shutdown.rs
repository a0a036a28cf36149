//! How a pipeline is told to stop.

use tokio::sync::watch;

/// Asks a pipeline to stop. Clones ask the same pipeline.
///
/// There is no second, more urgent request: whoever cannot wait ends the process, and sources take
/// up at the next start what has no outcome. That works whatever the pipeline is blocked in.
#[derive(Debug, Clone)]
pub struct Shutdown {
    is_requested: watch::Sender<bool>,
}

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self { is_requested: watch::Sender::new(false) }
    }

    /// Closes the front door: sources stop, and the pipeline empties itself.
    pub fn drain(&self) {
        self.is_requested.send_replace(true);
    }

    /// Whether a stop has been requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.is_requested.borrow()
    }

    /// Waits until a stop is requested.
    pub(crate) async fn requested(&self) {
        let mut is_requested = self.is_requested.subscribe();
        // An error would mean that no sender is left, and `self` is one.
        let _ = is_requested.wait_for(|is_requested| *is_requested).await;
    }
}
