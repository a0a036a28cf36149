//! The trait that the engine calls.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use standpoint_document::Document;

use crate::error::StageError;

/// A step of a pipeline. Several workers share one value.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Reads layers of `document` and writes others.
    ///
    /// # Errors
    ///
    /// [`StageError`] says whether trying again may help. The document's annotation is then
    /// discarded back to what it was before.
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError>;

    /// Waits until the stage can begin to work. The host waits for it before each call, and the
    /// call's timeout does not count the wait: a document is not to blame for what the one before
    /// it broke.
    ///
    /// The default is always ready.
    async fn ready(&self) {}

    /// Does the same for several documents at once, where that is cheaper, as it is for models.
    ///
    /// Returns one result for each document, in their order. The default goes through them one by
    /// one.
    async fn process_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Vec<Result<(), StageError>> {
        let mut results = Vec::with_capacity(documents.len());
        for document in documents {
            results.push(self.process(document, context).await);
        }
        results
    }
}

/// What a stage is told about the call it is in.
#[derive(Debug, Clone, Copy)]
pub struct StageContext<'c> {
    /// The stage's id in the pipeline.
    pub stage: &'c str,
    /// Which attempt at this document it is, from 1.
    pub attempt: u32,
    cancelled: &'c AtomicBool,
}

impl<'c> StageContext<'c> {
    /// The context of a call; `cancelled` becomes true when its result is no longer wanted.
    #[must_use]
    pub const fn new(stage: &'c str, attempt: u32, cancelled: &'c AtomicBool) -> Self {
        Self { stage, attempt, cancelled }
    }

    /// Whether the result is no longer wanted, because the stage's time is up or the program
    /// ends. A stage that sees it returns [`StageError::cancelled`].
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The flag behind [`StageContext::is_cancelled`], to hand on.
    #[must_use]
    pub const fn cancellation(&self) -> &'c AtomicBool {
        self.cancelled
    }
}
