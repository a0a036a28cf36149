//! One call of a stage: what it writes, checked when it arrives and applied when all is well.

use std::borrow::Cow;

use standpoint_document::{Annotation, Entity, Layer, SentimentRecord, Vectors, layers};
use standpoint_stage::{StageError, StageErrorKind};
use standpoint_wire::{Writes, writable};

use crate::layout::RawCall;

/// The host's side of a call, which the plugin knows by a pointer.
#[derive(Debug)]
pub(super) struct Call<'d> {
    text: &'d str,
    /// The names that the stage may write.
    writable: &'static [&'static str],
    /// By themselves, because they outlive the call, and are large to move out of it.
    writes: &'d mut Writes,
    /// The first write that was refused; it fails the call whatever the plugin returns.
    refused: Option<StageError>,
    /// What the plugin said.
    error: Option<StageError>,
}

/// A layer as a plugin lends it for a moment.
#[derive(Debug)]
pub(super) struct LentLayer<'p> {
    pub(super) name: &'p [u8],
    pub(super) annotations: &'p [Annotation],
    pub(super) labels: Vec<&'p str>,
    pub(super) vector_width: u32,
    pub(super) vectors: &'p [f32],
}

impl<'d> Call<'d> {
    /// A call about `text`, in which the names in `writable` may be written, into `writes`.
    pub(super) fn new(
        text: &'d str,
        writable: &'static [&'static str],
        writes: &'d mut Writes,
    ) -> Self {
        Self { text, writable, writes, refused: None, error: None }
    }

    /// The pointer by which a plugin knows this call. It lasts as long as the call stays where it
    /// is and is not used otherwise.
    pub(super) fn lend(&mut self) -> *mut RawCall {
        std::ptr::from_mut(self).cast()
    }

    /// Whether what was written may be committed: unless a write was refused.
    pub(super) fn finish(self) -> Result<(), StageError> {
        self.refused.map_or(Ok(()), Err)
    }

    /// Why the call failed. A refused write explains more than what the plugin made of it.
    pub(super) fn into_error(self) -> StageError {
        self.refused.or(self.error).unwrap_or_else(|| {
            StageError::stage("it failed without saying why; a stage says so with `set_error`")
        })
    }

    pub(super) fn refuse(&mut self, error: StageError) {
        self.refused.get_or_insert(error);
    }

    pub(super) fn set_error(&mut self, kind: StageErrorKind, message: &str) {
        self.error = Some(StageError::new(kind, message));
    }

    pub(super) fn set_layer(&mut self, lent: LentLayer<'_>) -> Result<(), StageError> {
        let name = self.writable(lent.name)?;
        let vectors = (lent.vector_width > 0).then(|| Vectors {
            width: lent.vector_width,
            values: Cow::Owned(lent.vectors.to_vec()),
        });
        let layer = Layer {
            annotations: Cow::Owned(lent.annotations.to_vec()),
            labels: lent.labels.into_iter().map(|label| Cow::Owned(label.to_owned())).collect(),
            vectors,
        };
        self.writes.set_layer(name, layer, self.text)
    }

    pub(super) fn set_record(&mut self, name: &str, json: &str) -> Result<(), StageError> {
        let name = self.writable(name.as_bytes())?;
        self.writes.set_record(name, json, self.text)
    }

    pub(super) fn set_entities(&mut self, entities: Vec<Entity>) -> Result<(), StageError> {
        self.writable(layers::ENTITIES.as_bytes())?;
        self.writes.set_entities(entities);
        Ok(())
    }

    pub(super) fn set_sentiment(&mut self, record: SentimentRecord) -> Result<(), StageError> {
        self.writable(layers::SENTIMENT.as_bytes())?;
        self.writes.set_sentiment(record);
        Ok(())
    }

    pub(super) fn set_attribute(&mut self, name: &str, json: &str) -> Result<(), StageError> {
        let name = self.writable(name.as_bytes())?;
        self.writes.set_attribute(name, json)
    }

    pub(super) fn set_language(&mut self, code: &str) -> Result<(), StageError> {
        self.writable(layers::LANGUAGE.as_bytes())?;
        self.writes.set_language(code);
        Ok(())
    }

    pub(super) fn add_note(&mut self, note: &str) {
        self.writes.add_note(note);
    }

    /// The contract's own copy of a name that the stage may write.
    fn writable(&self, name: &[u8]) -> Result<&'static str, StageError> {
        writable(self.writable, name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use standpoint_document::{Document, Span};

    use super::*;

    proptest! {
        /// Whatever spans a plugin passes, the document only ever gets those that fit it.
        #[test]
        fn only_layers_that_fit_are_taken(
            text in "[a-zй世 ]{0,12}",
            spans in prop::collection::vec((0_u32..30, 0_u32..30, 0_u32..3), 0..6),
        ) {
            let annotations: Vec<_> = spans
                .into_iter()
                .map(|(start, end, label)| Annotation::new(Span::new(start, end)).with_label(label))
                .collect();
            let mut document = Document::new("d", text.clone()).unwrap();
            let mut writes = Writes::default();
            let mut call = Call::new(&text, &[layers::TOKENS], &mut writes);
            let taken = call.set_layer(LentLayer {
                name: b"tokens",
                annotations: &annotations,
                labels: vec!["one", "two"],
                vector_width: 0,
                vectors: &[],
            });
            let layer = Layer {
                annotations: Cow::Borrowed(&annotations),
                labels: vec!["one".into(), "two".into()],
                vectors: None,
            };
            prop_assert_eq!(taken.is_ok(), layer.check(layers::TOKENS, &text).is_ok());
            if let Err(refusal) = taken {
                call.refuse(refusal);
                prop_assert!(call.finish().is_err());
            } else {
                call.finish().unwrap();
                writes.commit(&mut document).unwrap();
                prop_assert_eq!(document.tokens(), &annotations[..]);
            }
        }
    }
}
