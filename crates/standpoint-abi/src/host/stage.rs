//! A plugin's stage as the engine sees it: a [`Stage`] like any other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use standpoint_document::Document;
use standpoint_stage::{Stage, StageContext, StageError, StartContext};
use tokio::sync::Semaphore;

use super::load::LoadedPlugin;
use super::manifest::Manifest;
use super::run::Instance;

/// How many calls in a row may panic before a stage is given up. Each is followed by a new
/// instance; one call that does not panic starts the count again.
pub const MAX_PANICS: u32 = 32;

/// A stage that runs in a plugin.
///
/// After a panic, the instance in which it happened is left to the calls that are still in it,
/// and the next call gets a new one, made with the same settings.
#[derive(Debug)]
pub struct HostedStage {
    plugin: LoadedPlugin,
    settings: String,
    start: StartContext,
    instance: RwLock<Arc<Instance>>,
    panics_in_a_row: AtomicU32,
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
        Self {
            plugin,
            settings,
            start,
            instance: RwLock::new(Arc::new(instance)),
            panics_in_a_row: AtomicU32::new(0),
            permits,
        }
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

    /// An instance to call: the one there is, or a new one in place of one that panicked.
    fn instance(&self) -> Result<Arc<Instance>, StageError> {
        let current = Arc::clone(&self.instance.read().unwrap_or_else(PoisonError::into_inner));
        if !current.is_poisoned() {
            return Ok(current);
        }
        if self.panics_in_a_row.load(Ordering::Relaxed) >= MAX_PANICS {
            return Err(StageError::stage(format!(
                "plugin `{}` is given up, because its last {MAX_PANICS} calls panicked",
                self.manifest().name
            )));
        }
        let mut slot = self.instance.write().unwrap_or_else(PoisonError::into_inner);
        // Another call may have been faster.
        if slot.is_poisoned() {
            let plugin = Arc::clone(self.plugin.loaded());
            *slot = Arc::new(Instance::create(plugin, &self.settings, &self.start)?);
            tracing::warn!(stage = self.start.stage, "restarted a stage that panicked");
        }
        Ok(Arc::clone(&slot))
    }

    /// Counts panics in a row.
    fn note(&self, instance: &Instance) {
        if instance.is_poisoned() {
            self.panics_in_a_row.fetch_add(1, Ordering::Relaxed);
        } else if self.panics_in_a_row.load(Ordering::Relaxed) > 0 {
            self.panics_in_a_row.store(0, Ordering::Relaxed);
        }
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
        self.note(&instance);
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
            self.note(&instance);
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
