//! The sink `objects`: a group of results as one object, each document once in all of them.

use std::collections::HashSet;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use object_store::{GetOptions, ObjectStore, PutOptions, PutPayload};
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use tracing::debug;

use super::ObjectsError;
use super::body::ObjectFormat;
use super::intent::{Intent, Note};
use super::place::{Place, mistake_in};
use crate::failpoint;
use crate::inbox::Size;
use crate::jsonl::Maker;
use crate::ledger::ids::{Id, id_of};
use crate::ledger::memory::Memory;

/// Settings of the `objects` sink, which puts results into a bucket, each group of documents as one
/// object. Credentials and endpoints come from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectsSinkSettings {
    /// The bucket and prefix, such as `s3://bucket/results`, `gs://bucket/results`,
    /// `az://container/results` or `file:///srv/results`.
    #[schemars(length(min = 1))]
    pub url: String,

    /// A file with credentials, as lines `NAME=value` with the names of the environment, before
    /// which they go.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub credentials_file: Option<PathBuf>,

    /// What an object holds.
    #[serde(default)]
    pub format: ObjectFormat,

    /// How large an object may be, as lines, before what is left of a group goes into another. A
    /// document is not divided.
    #[serde(default = "usual_object_bytes")]
    #[schemars(with = "String", extend("format" = "size"))]
    pub max_object_bytes: Size,
}

const fn usual_object_bytes() -> Size {
    Size(32 << 20)
}

impl ObjectsSinkSettings {
    /// What no schema can say of the settings: the key, and what is wrong with it.
    #[must_use]
    pub fn mistake(&self) -> Option<(&'static str, String)> {
        if let Some(lack) = self.format.lack() {
            return Some(("format", lack.to_owned()));
        }
        mistake_in(&self.url)
    }
}

/// Puts results into a bucket.
#[derive(Debug)]
pub struct ObjectsSink {
    place: Place,
    format: ObjectFormat,
    most_bytes: usize,
    maker: Maker,
    /// The documents that are there.
    written: Memory,
    /// `None` where nothing outlives the process.
    note: Option<Note>,
    /// What was being put when it was not known whether it arrived.
    open: Option<Intent>,
    /// Whether what is open was left by an earlier run, whose documents may never come again.
    is_left: bool,
}

impl ObjectsSink {
    /// Takes the settings and what an earlier run left; nobody is asked for anything yet.
    ///
    /// - `sync`: whether notes, and objects in a folder, are on the disk before they count;
    /// - `written`: the documents that are there;
    /// - `note`: the file in which it is noted what is being put, if anything outlives the process.
    ///
    /// # Errors
    ///
    /// [`ObjectsError`] when the address is none, or a note cannot be read.
    pub fn open(
        settings: &ObjectsSinkSettings,
        maker: Maker,
        sync: bool,
        written: Memory,
        note: Option<&Path>,
    ) -> Result<Self, ObjectsError> {
        if let Some(lack) = settings.format.lack() {
            return Err(ObjectsError::Format { lack });
        }
        let place = Place::of(&settings.url, settings.credentials_file.as_deref(), sync)?;
        let most_bytes = usize::try_from(settings.max_object_bytes.0).unwrap_or(usize::MAX);
        let opened = note.map(|path| {
            let fail = |source| ObjectsError::Folder { path: path.to_owned(), source };
            Note::open(path.to_owned(), sync).map_err(fail)
        });
        let (note, open) = match opened.transpose()? {
            Some((note, open)) => (Some(note), open),
            None => (None, None),
        };
        let is_left = open.is_some();
        let format = settings.format;
        Ok(Self { place, format, most_bytes, maker, written, note, open, is_left })
    }

    fn transient(&self, what: &str) -> SinkError {
        SinkError::transient(format!("{what} {}", self.place))
    }

    /// Finds out whether what was being put is there, when its documents do not come again by
    /// themselves.
    async fn settle(&mut self) -> Result<(), SinkError> {
        let Some(open) = &self.open else { return Ok(()) };
        let path = self.place.below(&open.object);
        let is_there =
            match self.place.store.get_opts(&path, GetOptions::new().with_head(true)).await {
                Ok(_) => true,
                Err(object_store::Error::NotFound { .. }) => false,
                Err(error) => {
                    let what = "cannot ask whether an object is in";
                    return Err(self.transient(what).caused_by(error));
                }
            };
        debug!(object = open.object, is_there, "looked for the object that was put last");
        let ids = open.ids.clone();
        self.done(if is_there { &ids } else { &[] })
    }

    /// Remembers documents that are there. The note stays until the next is written: what a loss of
    /// power takes of the memory is known by it.
    fn done(&mut self, ids: &[String]) -> Result<(), SinkError> {
        let ids: Vec<Id> = ids.iter().map(|id| id_of(id)).collect();
        let remembered = self.written.add(&ids, None);
        remembered.map_err(|error| {
            SinkError::transient("cannot remember which documents are in object storage")
                .caused_by(error)
        })?;
        (self.open, self.is_left) = (None, false);
        Ok(())
    }

    /// Puts documents as one object.
    async fn put(
        &mut self,
        intent: Intent,
        documents: &[&Arc<Document<'static>>],
        lines: Vec<u8>,
    ) -> Result<(), SinkError> {
        let body = self.format.body(documents, lines).map_err(|error| {
            SinkError::transient("cannot write an object's table").caused_by(error)
        })?;
        if self.open.as_ref() != Some(&intent)
            && let Some(note) = &self.note
        {
            note.write(&intent).map_err(|error| {
                let path = note.path().display();
                SinkError::transient(format!("cannot write {path}")).caused_by(error)
            })?;
            failpoint::reached("object noted");
        }
        let (path, ids) = (self.place.below(&intent.object), intent.ids.clone());
        self.open = Some(intent);
        let payload = PutPayload::from(body);
        let put = self.place.store.put_opts(&path, payload, PutOptions::default()).await;
        put.map_err(|error| self.transient("cannot put an object into").caused_by(error))?;
        failpoint::reached("object put");
        self.done(&ids)
    }

    /// Puts documents as objects, none of them too large.
    async fn put_all(&mut self, documents: &[&Arc<Document<'static>>]) -> Result<(), SinkError> {
        let (mut lines, mut first) = (Vec::new(), 0);
        for (index, document) in documents.iter().enumerate() {
            let before = lines.len();
            self.maker.line(document, &mut lines);
            if before > 0 && lines.len() > self.most_bytes {
                let next = lines.split_off(before);
                let lines = mem::replace(&mut lines, next);
                self.put_new(&documents[first..index], lines).await?;
                first = index;
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.put_new(&documents[first..], lines).await
    }

    async fn put_new(
        &mut self,
        documents: &[&Arc<Document<'static>>],
        lines: Vec<u8>,
    ) -> Result<(), SinkError> {
        let ids: Vec<_> = documents.iter().map(|document| document.id().to_owned()).collect();
        let name = name_of(&ids, self.format.ending());
        self.put(Intent::new(name, ids), documents, lines).await
    }
}

/// The name of an object with these documents: a hash of their ids, so that the same ones take the
/// place of what was there. Its beginning is a folder, for those who look at folders.
fn name_of(ids: &[String], ending: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for id in ids {
        hasher.update(&(id.len() as u64).to_le_bytes());
        hasher.update(id.as_bytes());
    }
    let hash = hasher.finalize().to_hex();
    format!("{}/{}.{ending}", &hash[..2], &hash[..32])
}

#[async_trait]
impl Sink for ObjectsSink {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        let mut seen = HashSet::new();
        let mut wanted: Vec<_> = documents
            .iter()
            .filter(|document| {
                let id = id_of(document.id());
                !self.written.contains(&id) && seen.insert(id)
            })
            .collect();
        if let Some(open) = self.open.clone() {
            let again: Option<Vec<_>> = open
                .ids
                .iter()
                .map(|id| wanted.iter().find(|document| document.id() == id).copied())
                .collect();
            match again {
                // The same under the same name, in place of what may have arrived of it.
                Some(again) if !self.is_left => {
                    let mut lines = Vec::new();
                    for document in &again {
                        self.maker.line(document, &mut lines);
                    }
                    self.put(open, &again, lines).await?;
                }
                _ => self.settle().await?,
            }
            wanted.retain(|document| !self.written.contains(&id_of(document.id())));
        }
        self.put_all(&wanted).await?;
        Ok(vec![Ok(()); documents.len()])
    }
}
