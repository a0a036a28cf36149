//! Where documents come from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use standpoint_document::Document;
use thiserror::Error;

use crate::receipt::{Failure, Receipt};

/// Delivers documents, and deals with what has become of them.
///
/// The engine calls [`Source::next`] until it returns `None` or an error, or until a stop is
/// requested; then it calls [`Source::close`] once, while deliveries are still on their way.
#[async_trait]
pub trait Source: Send {
    /// Waits for the next delivery; `None` when there will be no more.
    ///
    /// Must be cancel safe: the engine drops the future when a stop is requested, and no item may
    /// be lost by that. It is not called while the pipeline is full, so it is the place to act on
    /// outcomes too (see [`Settlements`](crate::Settlements)), but no delivery may wait for them.
    ///
    /// # Errors
    ///
    /// [`SourceError`] ends this source for good; other sources go on. An item that cannot be read
    /// is no error but an unreadable [`Delivery`]; what passes by itself the source waits out.
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError>;

    /// Acts on the outcomes of all deliveries that are still on their way, and returns when there
    /// are none left. Every receipt is settled by the end of the shutdown timeout, so the wait
    /// ends.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when an outcome could not be acted on.
    async fn close(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Where the source says why it waits, if it ever does; asked for once, before the first
    /// delivery.
    fn pause(&self) -> Pause {
        Pause::default()
    }
}

/// Why a source waits for something that may pass, such as a full disk. Clones say the same.
#[derive(Debug, Clone, Default)]
pub struct Pause(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Pause {
    /// Says why a part of the source waits; `None` when it works again.
    pub fn set(&self, part: &'static str, reason: Option<String>) {
        let mut reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => drop(reasons.insert(part, reason)),
            None => drop(reasons.remove(part)),
        }
    }

    /// What all parts say; `None` while none waits.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told: Vec<&str> = reasons.values().map(String::as_str).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// What a source hands to the pipeline: a document, or an item that it could not read, and the
/// receipt for it.
#[derive(Debug)]
pub struct Delivery {
    /// The document, or why there is none.
    pub content: Result<Document<'static>, Failure>,
    /// Settled once the outcome is known.
    pub receipt: Receipt,
}

impl Delivery {
    /// A document.
    #[must_use]
    pub fn new(document: Document<'static>, receipt: Receipt) -> Self {
        Self { content: Ok(document), receipt }
    }

    /// An item that could not be read, so that it is counted and settled like any that failed.
    ///
    /// - `source`: the source's name, which takes the place of the stage in the [`Failure`].
    pub fn unreadable(
        source: impl Into<String>,
        reason: impl Into<String>,
        receipt: Receipt,
    ) -> Self {
        let failure = Failure { stage: source.into(), reason: reason.into(), attempts: 1 };
        Self { content: Err(failure), receipt }
    }
}

/// Why a source cannot go on.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct SourceError {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SourceError {
    /// Says what was found and what to do, in lower case and without a full stop.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// Names the cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }
}
