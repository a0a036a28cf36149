//! The sinks `jsonl` and `stdout`: one result line for each document.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::{Document, ResultLine};
use standpoint_engine::{Sink, SinkError};
use thiserror::Error;
use tokio::task;
use tracing::{info, warn};

/// Settings of the `jsonl` sink, which appends one result line for each document to a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonlSettings {
    /// The file, relative to the pipeline file. Folders above it are made.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
}

/// Settings of the `stdout` sink, which prints one result line for each document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StdoutSettings {}

/// Who made the results, for their provenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// The pipeline's name, `@`, and its hash.
    pub pipeline: String,
    /// The program's version.
    pub version: String,
}

impl Maker {
    /// The lines of a group of documents, one after another.
    fn lines(&self, documents: &[Arc<Document<'static>>]) -> io::Result<Vec<u8>> {
        let mut lines = Vec::new();
        for document in documents {
            let line = ResultLine::new(document, &self.pipeline, &self.version);
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
        Ok(lines)
    }
}

/// Appends result lines to a file that holds whole lines only, and each document once.
///
/// A document counts as written once its line is synced to the disk. What a crash left behind the
/// last whole line is cut off at the start, and a document whose line is among the last
/// [`JsonlSink::REMEMBERED`] of the file is not written again: so a document that comes twice, or
/// that was written and whose input could not be archived before a crash, stands there once.
#[derive(Debug)]
pub struct JsonlSink {
    /// `None` while a blocking thread has it, and after a call that was dropped half way.
    output: Option<Output>,
    path: PathBuf,
}

/// The file and how far it is good.
#[derive(Debug)]
struct Output {
    path: PathBuf,
    maker: Maker,
    sync: bool,
    /// `None` after a failed write or sync: the kernel may have dropped what it could not write,
    /// so the file is opened anew.
    file: Option<File>,
    /// Bytes up to the end of the last line that counts as written.
    good: u64,
    /// `None` where the file is written anew: then nothing was there before, and what comes twice
    /// is in the input twice.
    written: Option<Recent>,
}

/// Why a JSONL file cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file or its folder cannot be made, read or written.
    #[error("cannot write to {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl JsonlSink {
    /// How many of the last lines are remembered, also over a restart. A file of records is
    /// archived when all of its records are written, so after a crash as many may come again as
    /// one file holds; 131,072 ids take about 8 MB.
    pub const REMEMBERED: usize = 1 << 17;

    /// Opens the file to append to it, or makes it.
    ///
    /// - `sync`: whether a document counts as written only once it is on the disk.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when that does not work.
    pub fn append(path: &Path, maker: Maker, sync: bool) -> Result<Self, OpenError> {
        Self::open(path, maker, sync, false)
    }

    /// Opens the file to write it anew, with a line for each document that comes.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when that does not work.
    pub fn create(path: &Path, maker: Maker) -> Result<Self, OpenError> {
        Self::open(path, maker, false, true)
    }

    fn open(path: &Path, maker: Maker, sync: bool, anew: bool) -> Result<Self, OpenError> {
        let path = path.to_owned();
        let fail = |source| OpenError::Io { path: path.clone(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        let mut file = OpenOptions::new()
            .read(!anew)
            .write(true)
            .create(true)
            .truncate(anew)
            .open(&path)
            .map_err(fail)?;
        // A pipe or a device has no lines to look at again.
        let is_file = file.metadata().map_err(fail)?.is_file();
        let recovered = if anew || !is_file {
            Recovered::default()
        } else {
            recover(&mut file, &path).map_err(fail)?
        };
        let output = Output {
            path: path.clone(),
            maker,
            sync: sync && is_file,
            file: is_file.then_some(file),
            good: recovered.good,
            written: (!anew).then_some(recovered.written),
        };
        Ok(Self { output: Some(output), path })
    }
}

/// What a file held when it was opened.
#[derive(Debug, Default)]
struct Recovered {
    good: u64,
    written: Recent,
}

/// The ids of the last lines, each as a digest of 16 bytes.
#[derive(Debug, Default)]
struct Recent {
    known: HashSet<[u8; 16]>,
    /// The oldest first.
    order: VecDeque<[u8; 16]>,
}

impl Recent {
    fn contains(&self, id: &str) -> bool {
        self.known.contains(&Self::digest(id))
    }

    /// Those of a group that are not known, each once.
    fn unknown(&self, documents: &[Arc<Document<'static>>]) -> Vec<Arc<Document<'static>>> {
        let mut in_group = HashSet::new();
        let is_new = |one: &&Arc<Document<'static>>| {
            !self.contains(one.id()) && in_group.insert(one.id().to_owned())
        };
        documents.iter().filter(is_new).cloned().collect()
    }

    fn add(&mut self, id: &str) {
        let digest = Self::digest(id);
        if !self.known.insert(digest) {
            return;
        }
        self.order.push_back(digest);
        if self.order.len() > JsonlSink::REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn digest(id: &str) -> [u8; 16] {
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
        digest
    }
}

/// How much of a file's end is looked at for ids, in bytes.
const LOOK_BACK: u64 = 256 << 20;

/// Cuts a torn last line off and remembers the ids of the last lines.
fn recover(file: &mut File, path: &Path) -> io::Result<Recovered> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LOOK_BACK);
    file.seek(SeekFrom::Start(from))?;
    let mut lines = BufReader::new(&mut *file);
    let mut good = from;
    let mut written = Recent::default();
    let mut line = Vec::new();
    // In the middle of a long file the first line is a part of one.
    let mut is_whole = from == 0;
    loop {
        line.clear();
        let count = lines.by_ref().take(LOOK_BACK).read_until(b'\n', &mut line)?;
        if count == 0 || line.last() != Some(&b'\n') {
            break;
        }
        good += count as u64;
        if let Some(id) = id_of(&line).filter(|_| is_whole) {
            written.add(&id);
        }
        is_whole = true;
    }
    if good == from && from > 0 {
        return Err(io::Error::other(format!(
            "its last {LOOK_BACK} bytes hold no line end, so it is not a file of result lines"
        )));
    }
    if good < length {
        let bytes = length - good;
        warn!(path = %path.display(), bytes, "cut off a torn last line");
        file.set_len(good)?;
    }
    file.seek(SeekFrom::Start(good))?;
    Ok(Recovered { good, written })
}

/// The id in a result line.
fn id_of(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Known {
        id: String,
    }
    serde_json::from_slice::<Known>(line).ok().map(|known| known.id)
}

impl Output {
    fn write(&mut self, documents: &[Arc<Document<'static>>]) -> io::Result<()> {
        let new = match &self.written {
            Some(written) => written.unknown(documents),
            None => documents.to_vec(),
        };
        if new.len() < documents.len() {
            let known = documents.len() - new.len();
            info!(known, "documents that were written before are not written again");
        }
        let lines = self.maker.lines(&new)?;
        if let Err(error) = self.put(&lines) {
            self.file = None;
            return Err(error);
        }
        if let Some(written) = &mut self.written {
            for document in new {
                written.add(document.id());
            }
        }
        Ok(())
    }

    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.reopen()?,
        };
        file.write_all(lines)?;
        if self.sync {
            file.sync_data()?;
        }
        self.good += lines.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Opens the file again after a failure and cuts off what the failed call left.
    fn reopen(&self) -> io::Result<File> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() {
            if metadata.len() < self.good {
                return Err(io::Error::other(format!(
                    "it has {} bytes and {} were written: was it replaced?",
                    metadata.len(),
                    self.good
                )));
            }
            file.set_len(self.good)?;
            file.seek(SeekFrom::Start(self.good))?;
        }
        Ok(file)
    }
}

#[async_trait]
impl Sink for JsonlSink {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        let path = self.path.display();
        let lost = || SinkError::fatal(format!("writing to {path} was interrupted"));
        let mut output = self.output.take().ok_or_else(lost)?;
        let group = documents.to_vec();
        // Off the I/O runtime, because a slow disk must not delay anything else.
        let (output, result) = task::spawn_blocking(move || {
            let result = output.write(&group);
            (output, result)
        })
        .await
        .map_err(|_| lost())?;
        self.output = Some(output);
        match result {
            Ok(()) => Ok(vec![Ok(()); documents.len()]),
            Err(error) => Err(SinkError::transient(format!(
                "cannot write to {path}; make room or mend the disk"
            ))
            .caused_by(error)),
        }
    }
}

/// Writes result lines to a stream, such as standard output.
#[derive(Debug)]
pub struct StreamSink<W> {
    stream: W,
    name: &'static str,
    maker: Maker,
}

impl<W: Write + Send> StreamSink<W> {
    /// For the stream that messages call `name`.
    #[must_use]
    pub fn new(stream: W, name: &'static str, maker: Maker) -> Self {
        Self { stream, name, maker }
    }
}

#[async_trait]
impl<W: Write + Send> Sink for StreamSink<W> {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        let lines = self.maker.lines(documents);
        lines
            .and_then(|lines| self.stream.write_all(&lines))
            .and_then(|()| self.stream.flush())
            .map_err(|error| {
                // Half a line may be out, and a stream cannot take it back.
                SinkError::fatal(format!("cannot write to {}", self.name)).caused_by(error)
            })?;
        Ok(vec![Ok(()); documents.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker() -> Maker {
        Maker { pipeline: "p@1".into(), version: "0.1.0".into() }
    }

    fn group(ids: &[&str]) -> Vec<Arc<Document<'static>>> {
        ids.iter().map(|id| Arc::new(Document::new((*id).to_owned(), "x").unwrap())).collect()
    }

    fn ids(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| id_of(line.as_bytes()).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_torn_line_is_cut_and_a_written_document_stands_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/out.jsonl");
        let mut sink = JsonlSink::append(&path, maker(), true).unwrap();
        sink.write(&group(&["a", "b"])).await.unwrap();
        drop(sink);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"version\":1,\"id\":\"c\",\"te").unwrap();

        let mut sink = JsonlSink::append(&path, maker(), true).unwrap();
        assert_eq!(ids(&path), ["a", "b"]);
        let results = sink.write(&group(&["b", "c"])).await.unwrap();
        assert_eq!(results, [Ok(()), Ok(())]);
        assert_eq!(ids(&path), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_document_that_comes_again_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let mut sink = JsonlSink::append(&path, maker(), false).unwrap();
        sink.write(&group(&["a", "b", "a"])).await.unwrap();
        sink.write(&group(&["b", "c"])).await.unwrap();
        assert_eq!(ids(&path), ["a", "b", "c"]);
    }

    #[test]
    fn only_the_oldest_ids_are_forgotten() {
        let mut recent = Recent::default();
        for number in 0..=JsonlSink::REMEMBERED {
            recent.add(&number.to_string());
        }
        assert!(!recent.contains("0"));
        assert!(recent.contains("1"));
        assert_eq!(recent.known.len(), JsonlSink::REMEMBERED);
    }

    #[tokio::test]
    async fn after_a_failed_write_the_same_group_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let mut sink = JsonlSink::append(&path, maker(), false).unwrap();
        sink.write(&group(&["a"])).await.unwrap();
        // What a full disk leaves: part of the group, and no file to go on with.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"version\":1,\"id\":\"b\"").unwrap();
        sink.output.as_mut().unwrap().file = None;
        sink.write(&group(&["b"])).await.unwrap();
        assert_eq!(ids(&path), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let mut sink = JsonlSink::append(&path, maker(), false).unwrap();
        sink.write(&group(&["a"])).await.unwrap();
        fs::write(&path, "other\n").unwrap();
        sink.output.as_mut().unwrap().file = None;
        let error = sink.write(&group(&["b"])).await.unwrap_err();
        assert!(matches!(error, SinkError::Transient { .. }));
        assert_eq!(fs::read_to_string(&path).unwrap(), "other\n");
    }

    #[tokio::test]
    async fn a_full_device_pauses_and_does_not_fail() {
        let mut sink = JsonlSink::append(Path::new("/dev/full"), maker(), true).unwrap();
        let error = sink.write(&group(&["a"])).await.unwrap_err();
        assert!(matches!(error, SinkError::Transient { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_new_file_takes_the_place_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        fs::write(&path, "old\n").unwrap();
        let mut sink = JsonlSink::create(&path, maker()).unwrap();
        sink.write(&group(&["a"])).await.unwrap();
        assert_eq!(ids(&path), ["a"]);
    }
}
