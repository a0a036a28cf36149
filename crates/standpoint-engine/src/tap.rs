//! A look at documents that pass, for whoever runs the pipeline.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use standpoint_document::Document;
use tokio::sync::mpsc;

/// How many documents wait to be looked at; further ones pass unseen.
const ROOM: usize = 16;

/// The most that may look at once.
const MOST_LOOKS: usize = 8;

/// Shows a sample of the documents that pass. Clones show the same pipeline.
///
/// A document is copied only while somebody looks, and only when there is room for it: the pipeline
/// never waits for whoever looks.
#[derive(Debug, Clone, Default)]
pub struct Tap {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// How many look, to be read without a lock.
    count: AtomicUsize,
    looks: Mutex<Vec<Look>>,
}

/// Somebody who looks.
#[derive(Debug)]
struct Look {
    /// After which stage; `None` for before the sinks.
    stage: Option<String>,
    documents: mpsc::Sender<Arc<Document<'static>>>,
}

impl Tap {
    /// Begins to look, until the receiver is dropped; `None` when too many do already.
    ///
    /// - `stage`: the id of the stage after which documents are shown; `None` for the end of the
    ///   chain.
    #[must_use]
    pub fn open(&self, stage: Option<String>) -> Option<mpsc::Receiver<Arc<Document<'static>>>> {
        let (documents, receiver) = mpsc::channel(ROOM);
        let mut looks = self.looks();
        looks.retain(|look| !look.documents.is_closed());
        if looks.len() >= MOST_LOOKS {
            return None;
        }
        looks.push(Look { stage, documents });
        self.shared.count.store(looks.len(), Ordering::Relaxed);
        Some(receiver)
    }

    /// Shows a document to those who look at this place.
    pub(crate) fn show(&self, stage: Option<&str>, document: &Document<'static>) {
        if self.shared.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut looks = self.looks();
        looks.retain(|look| !look.documents.is_closed());
        self.shared.count.store(looks.len(), Ordering::Relaxed);
        let mut copy = None;
        for look in looks.iter().filter(|look| look.stage.as_deref() == stage) {
            if let Ok(place) = look.documents.try_reserve() {
                let copy = copy.get_or_insert_with(|| Arc::new(document.clone()));
                place.send(Arc::clone(copy));
            }
        }
    }

    fn looks(&self) -> MutexGuard<'_, Vec<Look>> {
        // Nothing that can panic runs under the lock, so the list is whole.
        self.shared.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_looked_at_is_shown_and_nobody_waits_for_it() {
        let tap = Tap::default();
        let document = Document::new("a", "text").unwrap();
        tap.show(None, &document);
        let mut end = tap.open(None).unwrap();
        let mut stage = tap.open(Some("entity".to_owned())).unwrap();
        tap.show(Some("entity"), &document);
        for _ in 0..2 * ROOM {
            tap.show(None, &document);
        }
        assert_eq!(std::iter::from_fn(|| end.try_recv().ok()).count(), ROOM);
        assert_eq!(std::iter::from_fn(|| stage.try_recv().ok()).count(), 1);
        drop((end, stage));
        tap.show(None, &document);
        assert_eq!(tap.shared.count.load(Ordering::Relaxed), 0);
        let looks: Vec<_> = (0..=MOST_LOOKS).map(|_| tap.open(None)).collect();
        assert_eq!(looks.iter().filter(|look| look.is_none()).count(), 1);
    }
}
