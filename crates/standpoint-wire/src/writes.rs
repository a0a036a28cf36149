//! What a stage wrote: checked when it arrives, applied when all is well.

use serde::de::DeserializeOwned;
use serde_json::Value;
use standpoint_document::{
    Document, Entity, Layer, LayerError, SentimentRecord, TargetStance, layers,
};
use standpoint_stage::StageError;

/// What a stage wrote, not yet in the document.
// Invariant: the layers fit the text of the call, and all names are in the contract.
#[derive(Debug, Default)]
pub struct Writes {
    layers: Vec<(&'static str, Layer<'static>)>,
    /// With the JSON that they came as, if any.
    entities: Option<(Vec<Entity>, Option<String>)>,
    sentiment: Option<SentimentRecord>,
    stance: Option<Vec<TargetStance>>,
    attributes: Vec<(&'static str, Value)>,
    language: Option<String>,
    notes: Vec<String>,
}

/// Names of a contract that live as long as the stage's code, which is for ever.
#[must_use]
pub fn keep_names(names: &[String]) -> &'static [&'static str] {
    let names: Vec<&'static str> = names.iter().map(|name| &*name.clone().leak()).collect();
    names.leak()
}

/// The contract's own copy of a name that the stage may write.
///
/// # Errors
///
/// That the contract does not name it.
pub fn writable(
    contract: &'static [&'static str],
    name: &[u8],
) -> Result<&'static str, StageError> {
    contract.iter().find(|known| known.as_bytes() == name).copied().ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        StageError::stage(format!(
            "it writes `{name}`, which its contract does not name: add it to `writes`"
        ))
    })
}

impl Writes {
    /// Takes a layer over `text`; `name` comes from [`writable`], as in all of these.
    ///
    /// # Errors
    ///
    /// Which annotation does not fit the text.
    pub fn set_layer(
        &mut self,
        name: &'static str,
        layer: Layer<'static>,
        text: &str,
    ) -> Result<(), StageError> {
        layer.check(name, text)?;
        put(&mut self.layers, name, layer);
        Ok(())
    }

    /// Takes the record `entities`, `sentiment` or `stance` as JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or that there is no such record.
    pub fn set_record(
        &mut self,
        name: &'static str,
        json: &str,
        text: &str,
    ) -> Result<(), StageError> {
        match name {
            layers::ENTITIES => {
                self.entities = Some((parse(name, json)?, Some(json.to_owned())));
            }
            layers::SENTIMENT => self.sentiment = Some(parse(name, json)?),
            layers::STANCE => {
                let stance: Vec<TargetStance> = parse(name, json)?;
                for target in &stance {
                    target.check(text)?;
                }
                self.stance = Some(stance);
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

    /// Takes the record `entities`.
    pub fn set_entities(&mut self, entities: Vec<Entity>) {
        self.entities = Some((entities, None));
    }

    /// Takes the record `sentiment`.
    pub fn set_sentiment(&mut self, record: SentimentRecord) {
        self.sentiment = Some(record);
    }

    /// Takes an attribute as JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with the JSON.
    pub fn set_attribute(&mut self, name: &'static str, json: &str) -> Result<(), StageError> {
        let value = parse(name, json)?;
        put(&mut self.attributes, name, value);
        Ok(())
    }

    /// Takes the language, an ISO 639-1 code.
    pub fn set_language(&mut self, code: &str) {
        self.language = Some(code.to_owned());
    }

    /// Takes a note on what was skipped.
    pub fn add_note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// Applies all, or nothing.
    ///
    /// # Errors
    ///
    /// [`StageError`] when the parts do not fit each other: links that leave the table of
    /// entities, a sentiment without an entry for each sentence and mention.
    pub fn commit(&mut self, document: &mut Document<'_>) -> Result<(), StageError> {
        self.check(document)?;
        for (name, layer) in self.layers.drain(..) {
            document.lend_layer(name, layer);
        }
        if let Some((entities, json)) = self.entities.take() {
            match json {
                Some(json) => document.lend_entities_of_json(entities, json),
                None => document.lend_entities(entities),
            }
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

    /// Forgets all, and keeps the room for it.
    pub fn clear(&mut self) {
        let Self { layers, entities, sentiment, stance, attributes, language, notes } = self;
        layers.clear();
        attributes.clear();
        notes.clear();
        (*entities, *sentiment, *stance, *language) = (None, None, None, None);
    }

    fn check(&self, document: &Document<'_>) -> Result<(), LayerError> {
        let written = |name: &str| self.layers.iter().find(|(known, _)| *known == name);
        if self.entities.is_none()
            && self.sentiment.is_none()
            && written(layers::ENTITIES).is_none()
        {
            return Ok(());
        }
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
