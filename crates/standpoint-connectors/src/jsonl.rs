//! The sink `jsonl`, one result line for each document, and the settings of `stdout`.

use std::collections::HashSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::{Document, ResultLine};
use standpoint_engine::{Sink, SinkError};
use thiserror::Error;
use tokio::task;
use tracing::{debug, info, warn};

use crate::failpoint;
use crate::hold::Hold;
use crate::ledger::ids::{Id, id_of};
use crate::ledger::memory::{Memory, Position};
use crate::meters::{self, Meter};
use crate::moves::{parent_of, sync_folder};
use crate::rotation::{self, RotateSettings, Rotation};
use crate::stream::Printer;

/// Settings of the `jsonl` sink, which appends one result line for each document to a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonlSettings {
    /// The file, relative to the pipeline file. Folders above it are made.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,

    /// When the file is closed and a new one begun; left out, it grows for ever.
    #[serde(default)]
    pub rotate: Option<RotateSettings>,
}

/// Settings of the `stdout` sink, which prints one result line for each document. While nobody
/// reads them, documents wait; when nobody can any more, the pipeline ends and its documents go
/// back.
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

/// Lines are written once so many bytes of them are there.
const PIECE_BYTES: usize = 512 << 10;

impl Maker {
    /// Appends the line of a document.
    pub fn line(&self, document: &Document<'static>, lines: &mut Vec<u8>) {
        ResultLine::new(document, &self.pipeline, &self.version).write(lines);
        lines.push(b'\n');
    }
}

impl Printer for Maker {
    fn print(&mut self, document: &Document<'static>, out: &mut Vec<u8>) {
        self.line(document, out);
    }
}

/// Appends result lines to a file that holds whole lines only, and each document once.
///
/// A document counts as written once its line is synced to the disk. What a crash left behind the
/// last whole line is cut off at the start, and a document that the sink's [`Memory`] knows is not
/// written again: so a document that comes twice, or that was written and whose input could not be
/// archived before a crash, stands there once.
///
/// The memory is written after the lines were synced, and says how long the file was then. At the
/// start the lines behind that are synced and read, so that the memory lacks none.
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
    written: Option<Memory>,
    /// File system and number of the file.
    identity: (u64, u64),
    /// Keeps other processes from writing to it.
    hold: Option<Hold>,
    rotation: Option<Rotation>,
    /// Lines that are to be written, empty between two groups.
    lines: Vec<u8>,
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

    /// Another process writes to it.
    #[error(
        "another process writes to {}, and two writers would spoil it: end that one, or name another \
         file",
        path.display()
    )]
    Held {
        /// Which file.
        path: PathBuf,
    },

    /// Lines that were written are not there any more.
    #[error(
        "{} has {found} bytes and {written} were written: lines are missing; put them back, or move \
         the file away to begin a new one",
        path.display()
    )]
    Shorter {
        /// Which file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// What its length was.
        written: u64,
    },
}

impl JsonlSink {
    /// Opens the file to append to it, or makes it.
    ///
    /// - `sync`: whether a document counts as written only once it is on the disk;
    /// - `written`: the documents that the file and those before it hold.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when that does not work, or lines are missing.
    pub fn append(
        settings: &JsonlSettings,
        maker: Maker,
        sync: bool,
        written: Memory,
    ) -> Result<Self, OpenError> {
        Self::open(&settings.path, settings.rotate.as_ref(), maker, sync, Some(written))
    }

    /// Opens the file to write it anew, with a line for each document that comes.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when that does not work.
    pub fn create(path: &Path, maker: Maker) -> Result<Self, OpenError> {
        Self::open(path, None, maker, false, None)
    }

    fn open(
        path: &Path,
        rotate: Option<&RotateSettings>,
        maker: Maker,
        sync: bool,
        mut written: Option<Memory>,
    ) -> Result<Self, OpenError> {
        let path = path.to_owned();
        let fail = |source| OpenError::Io { path: path.clone(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        let mut file = OpenOptions::new()
            .read(written.is_some())
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        // A pipe or a device has no lines to look at again.
        let is_file = metadata.is_file();
        let hold = if is_file { Some(hold(&file, &path)?) } else { None };
        if is_file && written.is_none() {
            file.set_len(0).map_err(fail)?;
        }
        let mut good = 0;
        let rotation = rotate
            .filter(|_| is_file)
            .map(|rotate| Rotation::start(&path, rotate.clone(), sync))
            .transpose()
            .map_err(fail)?;
        if let Some(written) = written.as_mut().filter(|_| is_file) {
            if rotation.is_some() {
                remember_last(&path, &metadata, written).map_err(fail)?;
            }
            let from = start_of_unknown(&path, &metadata, written, sync)?;
            good = recover(&mut file, &path, from, sync, written).map_err(fail)?;
        }
        let output = Output {
            path: path.clone(),
            maker,
            sync: sync && is_file,
            file: is_file.then_some(file),
            good,
            written,
            identity: (metadata.dev(), metadata.ino()),
            hold,
            rotation,
            lines: Vec::new(),
        };
        Ok(Self { output: Some(output), path })
    }
}

/// Has a memory learn what a file holds that it lacks, as the sink does at its start; nobody else
/// writes to the file until the value is dropped.
///
/// # Errors
///
/// As for [`JsonlSink::append`].
pub(crate) fn catch_up(path: &Path, sync: bool, written: &mut Memory) -> Result<Hold, OpenError> {
    let fail = |source| OpenError::Io { path: path.to_owned(), source };
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(fail)?;
    let hold = hold(&file, path)?;
    let metadata = file.metadata().map_err(fail)?;
    remember_last(path, &metadata, written).map_err(fail)?;
    let from = start_of_unknown(path, &metadata, written, sync)?;
    recover(&mut file, path, from, sync, written).map_err(fail)?;
    Ok(hold)
}

/// Keeps other processes from writing to a file.
fn hold(file: &File, path: &Path) -> Result<Hold, OpenError> {
    let path = || path.to_owned();
    match Hold::of(file) {
        Ok(Some(hold)) => Ok(hold),
        Ok(None) => Err(OpenError::Held { path: path() }),
        Err(source) => Err(OpenError::Io { path: path(), source }),
    }
}

/// Reads the file that was rotated last into the memory, unless the memory speaks of the present
/// file: what was added to it before the file was rotated may not have reached the disk.
fn remember_last(path: &Path, metadata: &Metadata, written: &mut Memory) -> io::Result<()> {
    let present = (metadata.dev(), metadata.ino());
    let is_present = |known: Position| (known.device, known.inode) == present;
    if written.position().is_some_and(is_present) {
        return Ok(());
    }
    let mut ids = Vec::new();
    rotation::read_last(path, |line| ids.extend(id_in(line).map(|id| id_of(&id))))?;
    written.add(&ids, None)
}

/// How much of a file's end is looked at for ids where no memory says how far it is known, in
/// bytes.
const LOOK_BACK: u64 = 256 << 20;

/// Where the lines begin that a memory may lack.
fn start_of_unknown(
    path: &Path,
    metadata: &Metadata,
    written: &Memory,
    sync: bool,
) -> Result<u64, OpenError> {
    let length = metadata.len();
    let look_back = length.saturating_sub(LOOK_BACK);
    let Some(known) = written.position() else { return Ok(look_back) };
    if (known.device, known.inode) != (metadata.dev(), metadata.ino()) {
        // The old file was moved away, with the lines that are remembered of it.
        return Ok(look_back);
    }
    if known.end <= length {
        return Ok(known.end);
    }
    let shown = path.display();
    // One that was emptied is as good as a new one. Without a sync the system may have lost lines
    // when the power went, and nobody was promised otherwise.
    if length > 0 && sync {
        return Err(OpenError::Shorter {
            path: path.to_owned(),
            found: length,
            written: known.end,
        });
    }
    warn!(path = %shown, found = length, written = known.end, "the file became shorter");
    Ok(look_back)
}

/// Reads the lines from `from` on into the memory and cuts off what is no whole line; gives the
/// length of what is left.
fn recover(
    file: &mut File,
    path: &Path,
    from: u64,
    sync: bool,
    written: &mut Memory,
) -> io::Result<u64> {
    /// How many ids are given to the memory at once.
    const AT_ONCE: usize = 1 << 12;

    let metadata = file.metadata()?;
    let length = metadata.len();
    if sync && from < length {
        // Whoever wrote them may have ended before he synced them, and what is remembered is
        // archived.
        file.sync_data()?;
        failpoint::reached("output synced at the start");
    }
    file.seek(SeekFrom::Start(from))?;
    let mut lines = BufReader::new(&mut *file);
    let mut good = from;
    let mut ids: Vec<Id> = Vec::new();
    let mut line = Vec::new();
    let position = |end| Some(Position { device: metadata.dev(), inode: metadata.ino(), end });
    let is_known = written.position().is_some_and(|known| known.end == from && from > 0);
    // In the middle of a long file the first line is a part of one.
    let mut is_whole = from == 0 || is_known;
    loop {
        line.clear();
        let count = lines.by_ref().take(LOOK_BACK).read_until(b'\n', &mut line)?;
        // Zeros are what a loss of power leaves where the system had not written yet.
        if count == 0 || line.last() != Some(&b'\n') || line.contains(&0) {
            break;
        }
        good += count as u64;
        if let Some(id) = id_in(&line).filter(|_| is_whole) {
            ids.push(id_of(&id));
        }
        if ids.len() >= AT_ONCE {
            written.add(&ids, position(good))?;
            ids.clear();
        }
        is_whole = true;
    }
    if good == from && from > 0 && !is_known {
        return Err(io::Error::other(format!(
            "its last {LOOK_BACK} bytes hold no line end, so it is not a file of result lines"
        )));
    }
    if good < length {
        let bytes = length - good;
        warn!(path = %path.display(), bytes, "cut off a torn last line");
        meters::count(Meter::TornTails, &path.to_string_lossy());
        file.set_len(good)?;
    }
    file.seek(SeekFrom::Start(good))?;
    if good > 0 {
        written.add(&ids, position(good))?;
    }
    Ok(good)
}

/// The id in a result line.
pub(crate) fn id_in(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Known {
        id: String,
    }
    serde_json::from_slice::<Known>(line).ok().map(|known| known.id)
}

impl Output {
    fn write(&mut self, documents: &[Arc<Document<'static>>]) -> io::Result<()> {
        let Some(written) = &mut self.written else {
            return self.put(documents);
        };
        // Nothing more is written than the memory can take.
        written.save()?;
        let (new, ids) = unknown(written, documents);
        if new.len() < documents.len() {
            let known = documents.len() - new.len();
            debug!(known, "documents that were written before are not written again");
        }
        if new.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.put(&new) {
            // Whoever reads the file meanwhile finds no torn line; if not now, then the next time.
            self.file = self.reopen().ok();
            return Err(error);
        }
        let (device, inode) = self.identity;
        let position = Position { device, inode, end: self.good };
        if let Some(written) = &mut self.written
            && let Err(error) = written.add(&ids, Some(position))
        {
            // The lines are there, so the documents are done; the next group waits.
            info!(error = %error, "the ledger cannot be written");
        }
        Ok(())
    }

    /// Appends lines, all or none of them.
    fn put(&mut self, documents: &[Arc<Document<'static>>]) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.reopen()?,
        };
        // Before a group and never after it: what is in the file by now counts as written.
        if let Some(rotation) = self.rotation.as_mut().filter(|rotation| rotation.is_due(self.good))
        {
            drop(file);
            rotation.rotate()?;
            failpoint::reached("output rotated");
            self.good = 0;
            file = self.reopen()?;
            if self.sync {
                sync_folder(parent_of(&self.path));
            }
            failpoint::reached("output begun anew");
        }
        failpoint::reached("output to be written");
        let mut good = self.good;
        let mut lines = std::mem::take(&mut self.lines);
        for (index, document) in documents.iter().enumerate() {
            self.maker.line(document, &mut lines);
            // A group may be hundreds of documents, whose lines are many times their size.
            if lines.len() < PIECE_BYTES && index + 1 < documents.len() {
                continue;
            }
            // Half and half, so that a crash between them leaves a torn line to find.
            let half = if cfg!(debug_assertions) { lines.len() / 2 } else { 0 };
            file.write_all(&lines[..half])?;
            failpoint::reached("output half written");
            file.write_all(&lines[half..])?;
            good += lines.len() as u64;
            lines.clear();
        }
        failpoint::reached("output written");
        if self.sync {
            file.sync_data()?;
        }
        failpoint::reached("output synced");
        self.good = good;
        self.file = Some(file);
        lines.shrink_to(2 * PIECE_BYTES);
        self.lines = lines;
        Ok(())
    }

    /// Opens the file again after a failure and cuts off what the failed call left.
    fn reopen(&mut self) -> io::Result<File> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)?;
        let metadata = file.metadata()?;
        self.identity = (metadata.dev(), metadata.ino());
        if metadata.is_file() {
            self.hold = Some(hold(&file, &self.path).map_err(io::Error::other)?);
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

/// Those of a group that the memory does not know, each once, and their ids.
fn unknown(
    written: &Memory,
    documents: &[Arc<Document<'static>>],
) -> (Vec<Arc<Document<'static>>>, Vec<Id>) {
    let mut in_group = HashSet::new();
    let (mut new, mut ids) = (Vec::new(), Vec::new());
    for document in documents {
        let id = id_of(document.id());
        if !written.contains(&id) && in_group.insert(id) {
            new.push(Arc::clone(document));
            ids.push(id);
        }
    }
    (new, ids)
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

#[cfg(test)]
mod tests;
