//! Why a stage could not do its work on a document.

use std::error::Error;
use std::iter;

use serde::{Deserialize, Serialize};
use standpoint_document::LayerError;

/// Why a stage could not do its work, in words for whoever runs the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StageError {
    kind: StageErrorKind,
    message: String,
}

/// What follows from a [`StageError`]. The discriminants are part of the plugin ABI.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageErrorKind {
    /// The document is at fault: trying again gives the same.
    Document = 1,
    /// Something passing: trying again may help.
    Transient = 2,
    /// The stage is at fault, by a panic or by output that does not fit the text.
    Stage = 3,
    /// The call was cancelled.
    Cancelled = 4,
}

impl StageErrorKind {
    /// The kind with this code; an unknown code counts as the stage's fault.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Document,
            2 => Self::Transient,
            4 => Self::Cancelled,
            _ => Self::Stage,
        }
    }
}

impl StageError {
    /// An error of a kind; the message says what was found, what was expected and what to do, in
    /// lower case and without a full stop.
    #[must_use]
    pub fn new(kind: StageErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// This document cannot be processed, and trying again gives the same.
    #[must_use]
    pub fn document(message: impl Into<String>) -> Self {
        Self::new(StageErrorKind::Document, message)
    }

    /// Something passing went wrong; trying again may help.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(StageErrorKind::Transient, message)
    }

    /// The stage itself is at fault.
    #[must_use]
    pub fn stage(message: impl Into<String>) -> Self {
        Self::new(StageErrorKind::Stage, message)
    }

    /// The stage itself cannot work, for this reason and its causes, in one line.
    #[must_use]
    pub fn caused_by(error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let causes = iter::successors(error.source(), |&cause| cause.source());
        for cause in causes {
            message.push_str(": ");
            message.push_str(&cause.to_string());
        }
        Self::stage(message)
    }

    /// The call was cancelled, as [`StageContext::is_cancelled`](crate::StageContext::is_cancelled)
    /// said.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(StageErrorKind::Cancelled, "cancelled")
    }

    /// What follows from the error.
    #[must_use]
    pub const fn kind(&self) -> StageErrorKind {
        self.kind
    }

    /// What went wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<LayerError> for StageError {
    /// A stage that writes spans that do not fit is at fault itself.
    fn from(error: LayerError) -> Self {
        Self::stage(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Because(&'static str, #[source] Option<Box<Because>>);

    #[test]
    fn every_cause_is_told() {
        let disk = Because("the disk is full", None);
        let file = Because("words.txt cannot be written", Some(Box::new(disk)));
        let error = StageError::caused_by(&Because("there are no words", Some(Box::new(file))));
        assert_eq!(
            error.message(),
            "there are no words: words.txt cannot be written: the disk is full"
        );
        assert_eq!(error.kind(), StageErrorKind::Stage);
    }
}
