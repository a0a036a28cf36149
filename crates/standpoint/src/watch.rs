//! A sink that minds which targets no document names, for a hint at the end of a run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use standpoint_document::{Document, state_called};
use standpoint_engine::{Sink, SinkError};

/// The most names of documents that are kept for a hint.
const MOST_NAMES: usize = 20_000;

/// A sink that minds which targets no document names.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Targets that are no states, by name, and whether a document names them.
    strange: Vec<(String, bool)>,
    /// Names in the documents.
    names: BTreeSet<String>,
}

impl Watch {
    /// Minds documents that went through a chain without this sink.
    pub(crate) fn over(documents: &[Document<'_>]) -> Self {
        let mut seen = Seen::default();
        for document in documents {
            seen.mind(document);
        }
        Self(Arc::new(Mutex::new(seen)))
    }

    /// The targets that nothing in any document was, and the names that documents have.
    pub(crate) fn strangers(&self) -> (Vec<String>, BTreeSet<String>) {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let strange = seen.strange.iter().filter(|(_, named)| !named);
        (strange.map(|(name, _)| name.clone()).collect(), seen.names.clone())
    }
}

impl Seen {
    fn mind(&mut self, document: &Document<'_>) {
        for stance in document.stance() {
            let target = &stance.target;
            let entity = document.entities().iter().find(|entity| entity.id == target.id);
            // Another document may know it only by the name that was asked for.
            if let Some(entity) = entity.filter(|entity| !self.names.contains(&entity.name)) {
                self.names.extend(entity.aliases.iter().map(str::to_owned));
            }
            if state_called(&target.id).is_some() {
                continue;
            }
            let named = entity.is_some();
            match self.strange.iter_mut().find(|(name, _)| *name == target.name) {
                Some((_, known)) => *known |= named,
                None => self.strange.push((target.name.clone(), named)),
            }
        }
        for entity in document.entities() {
            if self.names.len() < MOST_NAMES && !self.names.contains(&entity.name) {
                self.names.insert(entity.name.clone());
            }
        }
    }
}

#[async_trait]
impl Sink for Watch {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for document in documents {
            seen.mind(document);
        }
        Ok(vec![Ok(()); documents.len()])
    }
}
