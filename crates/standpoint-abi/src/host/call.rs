//! One call of a stage: what it writes, checked when it arrives and applied when all is well.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;
use standpoint_document::{
    Annotation, Document, Entity, Layer, LayerError, SentimentRecord, TargetStance, Vectors, layers,
};
use standpoint_stage::{StageError, StageErrorKind};

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

/// What a stage wrote, not yet in the document.
// Invariant: the layers fit the text of the call, and all names are in the contract.
#[derive(Debug, Default)]
pub(super) struct Writes {
    layers: Vec<(&'static str, Layer<'static>)>,
    /// With the JSON that they came as.
    entities: Option<(Vec<Entity>, String)>,
    sentiment: Option<SentimentRecord>,
    stance: Option<Vec<TargetStance>>,
    attributes: Vec<(&'static str, Value)>,
    language: Option<String>,
    notes: Vec<String>,
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
        layer.check(name, self.text)?;
        put(&mut self.writes.layers, name, layer);
        Ok(())
    }

    pub(super) fn set_record(&mut self, name: &str, json: &str) -> Result<(), StageError> {
        let name = self.writable(name.as_bytes())?;
        match name {
            layers::ENTITIES => {
                self.writes.entities = Some((parse(name, json)?, json.to_owned()));
            }
            layers::SENTIMENT => self.writes.sentiment = Some(parse(name, json)?),
            layers::STANCE => {
                let stance: Vec<TargetStance> = parse(name, json)?;
                for target in &stance {
                    target.check(self.text)?;
                }
                self.writes.stance = Some(stance);
            }
            _ => {
                let message = format!(
                    "`{name}` is not a record; records are `entities`, `sentiment` and `stance`, \
                     and anything else is an attribute"
                );
                return Err(StageError::stage(message));
            }
        }
        Ok(())
    }

    pub(super) fn set_attribute(&mut self, name: &str, json: &str) -> Result<(), StageError> {
        let name = self.writable(name.as_bytes())?;
        let value = parse(name, json)?;
        put(&mut self.writes.attributes, name, value);
        Ok(())
    }

    pub(super) fn set_language(&mut self, code: &str) -> Result<(), StageError> {
        self.writable(layers::LANGUAGE.as_bytes())?;
        self.writes.language = Some(code.to_owned());
        Ok(())
    }

    pub(super) fn add_note(&mut self, note: &str) {
        self.writes.notes.push(note.to_owned());
    }

    /// The contract's own copy of a name that the stage may write.
    fn writable(&self, name: &[u8]) -> Result<&'static str, StageError> {
        self.writable.iter().find(|known| known.as_bytes() == name).copied().ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            StageError::stage(format!(
                "it writes `{name}`, which its contract does not name: add it to `writes`"
            ))
        })
    }
}

fn put<T>(slots: &mut Vec<(&'static str, T)>, name: &'static str, value: T) {
    match slots.iter_mut().find(|(known, _)| *known == name) {
        Some((_, slot)) => *slot = value,
        None => slots.push((name, value)),
    }
}

fn parse<T: DeserializeOwned>(name: &str, json: &str) -> Result<T, StageError> {
    serde_json::from_str(json)
        .map_err(|error| StageError::stage(format!("what it writes as `{name}` is wrong: {error}")))
}

impl Writes {
    /// Applies all, or nothing.
    ///
    /// # Errors
    ///
    /// [`StageError`] when the parts do not fit each other: links that leave the table of
    /// entities, a sentiment without an entry for each sentence and mention.
    pub(super) fn commit(&mut self, document: &mut Document<'_>) -> Result<(), StageError> {
        self.check(document)?;
        for (name, layer) in self.layers.drain(..) {
            document.lend_layer(name, layer);
        }
        if let Some((entities, json)) = self.entities.take() {
            document.lend_entities_of_json(entities, json);
        }
        if let Some(sentiment) = self.sentiment.take() {
            document.lend_sentiment(Some(sentiment));
        }
        if let Some(stance) = self.stance.take() {
            document.lend_stance(stance);
        }
        for (name, value) in self.attributes.drain(..) {
            document.lend_attribute(name, value);
        }
        if let Some(language) = self.language.take() {
            document.set_language(language);
        }
        for note in self.notes.drain(..) {
            document.add_note(note);
        }
        Ok(())
    }

    fn check(&self, document: &Document<'_>) -> Result<(), LayerError> {
        let written = |name: &str| self.layers.iter().find(|(known, _)| *known == name);
        let mentions = match written(layers::ENTITIES) {
            Some((_, layer)) => &*layer.annotations,
            None => document.mentions(),
        };
        if written(layers::ENTITIES).is_some() || self.entities.is_some() {
            let written = self.entities.as_ref().map(|(entities, _)| entities.as_slice());
            let table = written.unwrap_or(document.entities()).len();
            let beyond = mentions.iter().position(|mention| mention.link as usize >= table);
            if let Some(index) = beyond {
                return Err(LayerError::link(layers::ENTITIES, index, table));
            }
        }
        if let Some(sentiment) = &self.sentiment {
            let sentences = match written(layers::SENTENCES) {
                Some((_, layer)) => layer.annotations.len(),
                None => document.sentences().len(),
            };
            let parts = [
                (sentiment.sentences.len(), sentences),
                (sentiment.mentions.len(), mentions.len()),
            ];
            if let Some((found, rows)) = parts.into_iter().find(|(found, rows)| found != rows) {
                return Err(LayerError::rows(layers::SENTIMENT, found, rows));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use standpoint_document::Span;

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
