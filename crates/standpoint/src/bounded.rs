//! A stage that may not find more than a limit allows.

use std::sync::Arc;

use async_trait::async_trait;
use standpoint_document::Document;
use standpoint_stage::{Stage, StageContext, StageError};

/// A stage, and the most entities that a document may have after it.
pub(crate) struct Bounded {
    stage: Arc<dyn Stage>,
    max_entities: usize,
}

impl Bounded {
    pub(crate) fn new(stage: Arc<dyn Stage>, max_entities: usize) -> Self {
        Self { stage, max_entities }
    }

    fn check(&self, document: &Document<'_>, before: usize) -> Result<(), StageError> {
        let found = document.entities().len();
        // What an earlier stage found is not this one's fault.
        if found <= self.max_entities || found <= before {
            return Ok(());
        }
        let allowed = self.max_entities;
        Err(StageError::document(format!("max_entities is {allowed} and this has {found}")))
    }
}

#[async_trait]
impl Stage for Bounded {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let before = document.entities().len();
        self.stage.process(document, context).await?;
        self.check(document, before)
    }

    async fn ready(&self) {
        self.stage.ready().await;
    }

    async fn process_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Vec<Result<(), StageError>> {
        let before: Vec<usize> = documents.iter().map(|one| one.entities().len()).collect();
        let mut results = self.stage.process_batch(documents, context).await;
        // A stage that answers for more or fewer is the engine's to judge.
        for ((result, document), before) in results.iter_mut().zip(documents).zip(before) {
            if result.is_ok() {
                *result = self.check(document, before);
            }
        }
        results
    }
}
