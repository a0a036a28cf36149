//! Where documents go.

use std::sync::Arc;

use async_trait::async_trait;
use standpoint_document::Document;
use thiserror::Error;

/// Keeps finished documents.
#[async_trait]
pub trait Sink: Send {
    /// Writes a group of documents and returns once it has them durably, as far as its settings
    /// promise durability.
    ///
    /// Returns one entry for each document, in their order: whether it has the document, or why it
    /// refuses that one and would refuse it again.
    ///
    /// # Errors
    ///
    /// [`SinkError::Transient`] when the sink cannot write just now, whatever the document, such
    /// as on a full disk or a lost connection. No document fails for it: the engine waits and
    /// calls again with the same group, or with a group that begins with it. What the failed call
    /// left half written must not show then: the sink cuts it off, or writes by id.
    /// [`SinkError::Fatal`] when it never will again. The future is dropped when the pipeline is
    /// stopped at once; the documents count as not written then.
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError>;

    /// Called once, after the last group: finishes what the sink has open. It is not called after
    /// an error of [`Sink::write`], nor when a write had to be dropped.
    ///
    /// # Errors
    ///
    /// As for [`Sink::write`]; it is not called again.
    async fn close(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Why a sink cannot write, whatever the document.
#[derive(Debug, Error)]
pub enum SinkError {
    /// It may pass: the engine pauses and tries again.
    #[error("{message}")]
    Transient {
        /// What was found and what to do, such as to make room on the disk.
        message: String,
        /// The cause.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// It does not pass: the pipeline ends with an error, and what the sink lacks goes back to its
    /// source.
    #[error("{message}")]
    Fatal {
        /// What was found and what to do.
        message: String,
        /// The cause.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl SinkError {
    /// Something that may pass.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), source: None }
    }

    /// Something that does not pass.
    #[must_use]
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::Fatal { message: message.into(), source: None }
    }

    /// Names the cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let (Self::Transient { source, .. } | Self::Fatal { source, .. }) = &mut self;
        *source = Some(cause.into());
        self
    }
}
