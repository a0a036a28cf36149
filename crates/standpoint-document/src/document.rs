//! A document: an immutable text and what stages have found in it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::Entity;
use crate::layer::{Annotation, Layer, LayerError, layers};
use crate::metadata::{Held, Lender, Metadata};
use crate::sentiment::SentimentRecord;
use crate::span::Span;
use crate::stance::TargetStance;

/// An immutable text, its metadata, and the annotation beside it.
///
/// Everything written is checked against the text when it enters, so whoever reads a document may
/// slice the text with any span of it.
// Invariants: every layer passes `Layer::check`, those that are written to a lent document as soon
// as its holder takes them back; every span in a record fits the text; links from
// mentions stay inside the entity table; `written` names what was set since the document was made.
#[derive(Debug, Clone, Default)]
pub struct Document<'a> {
    id: Cow<'a, str>,
    text: Cow<'a, str>,
    /// Whether somebody else holds the document and checks the layers that are written to it.
    is_lent: bool,
    metadata: Held<'a, Metadata>,
    /// Few enough that a search beats a map.
    layers: Vec<(Cow<'static, str>, Layer<'a>)>,
    entities: Held<'a, Vec<Entity>>,
    /// The entities as JSON, where whoever wrote them gave it.
    entities_json: Option<String>,
    sentiment: Option<SentimentRecord>,
    stance: Vec<TargetStance>,
    attributes: BTreeMap<String, Value>,
    notes: Vec<String>,
    stages: Vec<StageRecord>,
    pipeline: Option<Arc<str>>,
    written: Vec<Cow<'static, str>>,
}

/// Which stage did what to a document, for its provenance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// The stage's id in the pipeline.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The model that it used, if any.
    pub model: Option<String>,
    /// Milliseconds that it took.
    pub ms: f64,
}

impl<'a> Document<'a> {
    /// The longest text, in bytes: offsets are 32 bits wide.
    pub const MAX_BYTES: usize = u32::MAX as usize - 1;

    /// A document without annotation.
    ///
    /// # Errors
    ///
    /// [`TextError`] when the text is longer than [`Document::MAX_BYTES`].
    pub fn new(
        id: impl Into<Cow<'a, str>>,
        text: impl Into<Cow<'a, str>>,
    ) -> Result<Self, TextError> {
        let (id, text) = (id.into(), text.into());
        if text.len() > Self::MAX_BYTES {
            return Err(TextError { found: text.len() });
        }
        Ok(Self { id, text, ..Self::default() })
    }

    /// A view of a document that somebody else holds, without its annotation: how a host lends one
    /// to a stage.
    ///
    /// The text is not too long, because the other document was checked.
    #[must_use]
    pub fn lent(id: &'a str, text: &'a str, lender: &'a dyn Lender) -> Self {
        let mut view = Self::default();
        view.lend(id, text, lender);
        view
    }

    /// The same in a document that was [cleared](Document::clear), whose room is used again.
    #[inline]
    pub fn lend(&mut self, id: &'a str, text: &'a str, lender: &'a dyn Lender) {
        (self.id, self.text) = (Cow::Borrowed(id), Cow::Borrowed(text));
        self.is_lent = true;
        self.metadata = Held::lent(lender, |lender| lender.to_metadata());
        self.entities = Held::lent(lender, |lender| lender.to_entities());
    }

    /// Takes everything out of the document and keeps the room of its lists.
    pub fn clear(&mut self) {
        // All by name, so that nothing that is borrowed can be forgotten.
        let Self {
            id,
            text,
            is_lent,
            metadata,
            layers,
            entities,
            entities_json,
            sentiment,
            stance,
            attributes,
            notes,
            stages,
            pipeline,
            written,
        } = self;
        (*id, *text, *is_lent) = (Cow::default(), Cow::default(), false);
        (*metadata, *entities) = (Held::default(), Held::default());
        (*entities_json, *sentiment, *pipeline) = (None, None, None);
        layers.clear();
        stance.clear();
        attributes.clear();
        notes.clear();
        stages.clear();
        written.clear();
    }

    /// The id that recognises the document when it comes again.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span of this document.
    ///
    /// Empty for a span that is not one of this document's.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// What is known besides the text.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        self.metadata.get()
    }

    /// Sets what is known besides the text; for sources, before the first stage.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// The document's language, as ISO 639-1 code.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.metadata().language.as_deref()
    }

    /// Sets the language that a stage found, an ISO 639-1 code.
    pub fn set_language(&mut self, code: impl Into<String>) {
        let mut metadata = std::mem::take(&mut self.metadata).into_inner();
        metadata.language = Some(code.into());
        self.metadata = metadata.into();
        self.mark_written(layers::LANGUAGE.into());
    }

    /// Words, numbers and marks; empty before a tokeniser has run.
    #[must_use]
    pub fn tokens(&self) -> &[Annotation] {
        self.annotations(layers::TOKENS)
    }

    /// Sentences; empty before a tokeniser has run.
    #[must_use]
    pub fn sentences(&self) -> &[Annotation] {
        self.annotations(layers::SENTENCES)
    }

    /// Mentions of entities; see [`mention`](crate::mention) for their fields.
    #[must_use]
    pub fn mentions(&self) -> &[Annotation] {
        self.annotations(layers::ENTITIES)
    }

    /// The entities that mentions link to.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        self.entities.get()
    }

    /// The entity that a mention links to.
    #[must_use]
    pub fn entity_of(&self, mention: &Annotation) -> Option<&Entity> {
        self.entities().get(mention.link as usize)
    }

    /// The layer of this name.
    #[must_use]
    #[inline]
    pub fn layer(&self, name: &str) -> Option<&Layer<'a>> {
        self.layers.iter().find(|(known, _)| is_same(known, name)).map(|(_, layer)| layer)
    }

    /// All layers, in the order in which they were first written.
    pub fn layers(&self) -> impl Iterator<Item = (&str, &Layer<'a>)> {
        self.layers.iter().map(|(name, layer)| (name.as_ref(), layer))
    }

    fn annotations(&self, name: &str) -> &[Annotation] {
        self.layer(name).map_or(&[], |layer| &layer.annotations)
    }

    /// Writes a layer, in place of what was there.
    ///
    /// # Errors
    ///
    /// [`LayerError`] when a span does not fit; the document is unchanged then. In a plugin, the
    /// host finds that when the call is over, and fails it with the same words: it would check in
    /// any case, and once is enough.
    pub fn set_layer(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        layer: impl Into<Layer<'a>>,
    ) -> Result<(), LayerError> {
        let (name, layer) = (name.into(), layer.into());
        if !self.is_lent {
            layer.check(&name, &self.text)?;
        }
        self.put_layer(name.clone(), layer);
        self.mark_written(name);
        Ok(())
    }

    /// Takes over a layer that another document of the same text has already checked, without
    /// counting it as written: how a host lends its layers to a stage.
    ///
    /// A layer that was not checked does no harm beyond wrong slices, which
    /// [`Document::slice`] answers with an empty text.
    pub fn lend_layer(&mut self, name: impl Into<Cow<'static, str>>, layer: Layer<'a>) {
        self.put_layer(name.into(), layer);
    }

    /// The same of several layers, of different names that are not there yet.
    #[inline]
    pub fn lend_layers(
        &mut self,
        layers: impl ExactSizeIterator<Item = (Cow<'static, str>, Layer<'a>)>,
    ) {
        self.layers.extend(layers);
    }

    #[inline]
    fn put_layer(&mut self, name: Cow<'static, str>, layer: Layer<'a>) {
        match self.layers.iter_mut().find(|(known, _)| is_same(known, &name)) {
            Some((_, slot)) => *slot = layer,
            None => self.layers.push((name, layer)),
        }
    }

    /// Writes mentions together with the table of entities that they link to.
    ///
    /// # Errors
    ///
    /// [`LayerError`] when a mention's span does not fit or its link leaves the table; the
    /// document is unchanged then.
    pub fn set_entities(
        &mut self,
        mentions: Vec<Annotation>,
        entities: Vec<Entity>,
    ) -> Result<(), LayerError> {
        let beyond = mentions.iter().position(|mention| mention.link as usize >= entities.len());
        if let Some(index) = beyond {
            return Err(LayerError::link(layers::ENTITIES, index, entities.len()));
        }
        self.set_layer(layers::ENTITIES, mentions)?;
        self.lend_entities(entities);
        Ok(())
    }

    /// Takes over an entity table without counting it as written; see [`Document::lend_layer`].
    pub fn lend_entities(&mut self, entities: Vec<Entity>) {
        self.entities = entities.into();
        self.entities_json = None;
    }

    /// Takes over an entity table with its JSON, which a host that lends it again needs not make.
    pub fn lend_entities_of_json(&mut self, entities: Vec<Entity>, json: String) {
        self.entities = entities.into();
        self.entities_json = Some(json);
    }

    /// The entity table as JSON, where it came as such.
    #[must_use]
    pub fn entities_json(&self) -> Option<&str> {
        self.entities_json.as_deref()
    }

    /// The sentiment, once a stage has written it.
    #[must_use]
    pub fn sentiment(&self) -> Option<&SentimentRecord> {
        self.sentiment.as_ref()
    }

    /// Writes the sentiment of the document, its sentences and its mentions.
    ///
    /// # Errors
    ///
    /// [`LayerError`] when there is not one entry for each sentence and one for each mention.
    pub fn set_sentiment(&mut self, sentiment: SentimentRecord) -> Result<(), LayerError> {
        let parts = [
            (sentiment.sentences.len(), self.sentences().len()),
            (sentiment.mentions.len(), self.mentions().len()),
        ];
        if let Some((found, expected)) = parts.into_iter().find(|(found, rows)| found != rows) {
            return Err(LayerError::rows(layers::SENTIMENT, found, expected));
        }
        self.sentiment = Some(sentiment);
        self.mark_written(layers::SENTIMENT.into());
        Ok(())
    }

    /// Takes over a sentiment without counting it as written; see [`Document::lend_layer`].
    pub fn lend_sentiment(&mut self, sentiment: Option<SentimentRecord>) {
        self.sentiment = sentiment;
    }

    /// The stances, one entry for each target.
    #[must_use]
    pub fn stance(&self) -> &[TargetStance] {
        &self.stance
    }

    /// Writes the stances.
    ///
    /// # Errors
    ///
    /// [`LayerError`] when a span of a piece of evidence does not fit; the document is unchanged
    /// then.
    pub fn set_stance(&mut self, stance: Vec<TargetStance>) -> Result<(), LayerError> {
        for target in &stance {
            target.check(&self.text)?;
        }
        self.stance = stance;
        self.mark_written(layers::STANCE.into());
        Ok(())
    }

    /// Takes over stances without counting them as written; see [`Document::lend_layer`].
    pub fn lend_stance(&mut self, stance: Vec<TargetStance>) {
        self.stance = stance;
    }

    /// The attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }

    /// All attributes, by name.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, Value> {
        &self.attributes
    }

    /// Writes an attribute, in place of what was there.
    pub fn set_attribute(&mut self, name: impl Into<String>, value: Value) {
        let name = name.into();
        self.mark_written(Cow::Owned(name.clone()));
        self.attributes.insert(name, value);
    }

    /// Takes over an attribute without counting it as written; see [`Document::lend_layer`].
    pub fn lend_attribute(&mut self, name: impl Into<String>, value: Value) {
        self.attributes.insert(name.into(), value);
    }

    /// `complete`, or `partial` when a note says what was skipped.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.notes().is_empty() { "complete" } else { "partial" }
    }

    /// What was skipped, and why; a document with notes is partial.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Records that something was skipped, which makes the result partial.
    pub fn add_note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The stages that have run, in order.
    #[must_use]
    pub fn stages(&self) -> &[StageRecord] {
        &self.stages
    }

    /// Records that a stage has run; for the engine.
    pub fn add_stage(&mut self, record: StageRecord) {
        self.stages.push(record);
    }

    /// The pipeline that the document passes through, its name and hash, where the engine was told:
    /// one that is reloaded changes its name between two documents.
    #[must_use]
    pub fn pipeline(&self) -> Option<&str> {
        self.pipeline.as_deref()
    }

    /// Records the pipeline; for the engine.
    pub fn set_pipeline(&mut self, pipeline: Arc<str>) {
        self.pipeline = Some(pipeline);
    }

    /// Names of the layers, records and attributes that were set since the document was made:
    /// what a host compares with a stage's contract and takes back from it.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.written.iter().map(AsRef::as_ref)
    }

    fn mark_written(&mut self, name: Cow<'static, str>) {
        if !self.written.contains(&name) {
            self.written.push(name);
        }
    }

    /// Removes and returns a layer, such as one that a stage has just written.
    pub fn take_layer(&mut self, name: &str) -> Option<Layer<'a>> {
        let index = self.layers.iter().position(|(known, _)| known == name)?;
        Some(self.layers.remove(index).1)
    }

    /// The same document, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Document<'static> {
        Document {
            id: Cow::Owned(self.id.into_owned()),
            text: Cow::Owned(self.text.into_owned()),
            is_lent: false,
            metadata: self.metadata.into_inner().into(),
            layers: self
                .layers
                .into_iter()
                .map(|(name, layer)| (name, layer.into_owned()))
                .collect(),
            entities: self.entities.into_inner().into(),
            entities_json: self.entities_json,
            sentiment: self.sentiment,
            stance: self.stance,
            attributes: self.attributes,
            notes: self.notes,
            stages: self.stages,
            pipeline: self.pipeline,
            written: self.written,
        }
    }

    /// About how much memory the document holds, in bytes: text, metadata and layers, for
    /// back-pressure.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let size = |layer: &Layer<'_>| {
            let numbers = layer.vectors.as_ref().map_or(0, |vectors| vectors.values.len());
            layer.annotations.len() * size_of::<Annotation>() + numbers * size_of::<f32>()
        };
        let layers: usize = self.layers.iter().map(|(_, layer)| size(layer)).sum();
        size_of::<Self>() + self.text.len() + self.metadata().size_bytes() + layers
    }
}

/// Whether two names are the same. They are short, so that a loop beats a call.
#[inline]
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().eq(other.bytes())
}

/// A text that is too long to annotate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextError {
    /// Its length in bytes.
    pub found: usize,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the text has {} bytes and a document holds at most {}: split it",
            self.found,
            Document::MAX_BYTES
        )
    }
}

impl std::error::Error for TextError {}

#[cfg(test)]
mod tests;
