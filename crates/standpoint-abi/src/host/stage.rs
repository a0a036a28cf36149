//! A plugin's stage as the engine sees it: a [`Stage`] like any other.

use std::sync::Arc;

use async_trait::async_trait;
use standpoint_document::Document;
use standpoint_stage::{Stage, StageContext, StageError, StartContext};
use tokio::sync::Semaphore;

use super::load::LoadedPlugin;
use super::manifest::Manifest;
use super::run::Instance;
use super::seat::Seat;

/// A stage that runs in a plugin.
///
/// After a panic, the instance in which it happened is left to the calls that are still in it,
/// and the next call gets a new one, made with the same settings. A stage of which
/// [`MAX_PANICS`](super::MAX_PANICS) instances in a row have panicked rests: its calls fail at
/// once, and it is tried again after a second, two, four, and so on up to five minutes.
#[derive(Debug)]
pub struct HostedStage {
    plugin: LoadedPlugin,
    settings: String,
    start: StartContext,
    seat: Seat,
    /// How many calls may be in the plugin at once, where it sets a limit.
    permits: Option<Semaphore>,
}

impl HostedStage {
    pub(super) fn new(
        plugin: LoadedPlugin,
        settings: String,
        start: StartContext,
        instance: Instance,
    ) -> Self {
        let permits =
            plugin.manifest().concurrency.map(|limit| Semaphore::new(limit.get() as usize));
        Self { plugin, settings, start, seat: Seat::new(instance), permits }
    }

    /// What the plugin says of itself: name, version, model, contract, settings' schema.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.plugin.manifest()
    }

    /// The plugin that the stage comes from.
    #[must_use]
    pub fn plugin(&self) -> &LoadedPlugin {
        &self.plugin
    }

    /// The names that the stage reads and those that it writes.
    #[must_use]
    pub fn contract(&self) -> (&[String], &[String]) {
        let manifest = self.manifest();
        (&manifest.reads, &manifest.writes)
    }

    /// An instance to call.
    fn instance(&self) -> Result<Arc<Instance>, StageError> {
        self.seat.instance(&self.start.stage, || {
            Instance::create(Arc::clone(self.plugin.loaded()), &self.settings, &self.start)
        })
    }
}

#[async_trait]
impl Stage for HostedStage {
    async fn process(
        &self,
        document: &mut Document<'_>,
        context: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let _permit = match &self.permits {
            // Never closed, so a permit always comes.
            Some(permits) => permits.acquire().await.ok(),
            None => None,
        };
        let instance = self.instance()?;
        let result = instance.process(document, context).await;
        self.seat.note_return(&self.start.stage, &instance);
        result
    }

    async fn process_batch(
        &self,
        documents: &mut [Document<'_>],
        context: &StageContext<'_>,
    ) -> Vec<Result<(), StageError>> {
        let permit = match &self.permits {
            Some(permits) => permits.acquire().await.ok(),
            None => None,
        };
        let instance = match self.instance() {
            Ok(instance) => instance,
            Err(error) => return vec![Err(error); documents.len()],
        };
        if let Some(results) = instance.process_batch(documents, context).await {
            self.seat.note_return(&self.start.stage, &instance);
            return results;
        }
        drop(permit);
        let mut results = Vec::with_capacity(documents.len());
        for document in documents {
            results.push(self.process(document, context).await);
        }
        results
    }
}
