//! Rotation of an output file: a full one gets a number, is compressed, and goes when it is old.
//!
//! ```text
//! out/results.jsonl              is written to
//! out/results.000002.jsonl       is full; waits to be compressed
//! out/results.000001.jsonl.zst   is compressed
//! ```
//!
//! A file is renamed before a group is written to it and never after, so that what has a number is
//! complete, every document in it counts as written, and readers may take it away. Each step is
//! one rename or one removal, and what a crash left half done is done again at the next start: a
//! compressed file gets its name once it is whole, on the disk, and was read back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use schemars::JsonSchema;
use serde::Deserialize;
use tracing::{debug, info, warn};

use crate::inbox::Size;
use crate::moves::{move_file, parent_of, sync_folder, with_ending};
use crate::read::expand::Frames;

/// When the output file is closed and a new one begun, and what becomes of the old one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RotateSettings {
    /// The size from which on a new file is begun, such as `256MiB`.
    #[schemars(with = "Option<String>", extend("format" = "size"))]
    pub max_bytes: Option<Size>,

    /// The age from which on a new file is begun, such as `1day`. It is looked at when there is
    /// something to write.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Option<String>", extend("format" = "duration"))]
    pub max_age: Option<Duration>,

    /// How old files are compressed.
    pub compress: Compress,

    /// How many old files are kept; all of them if left out. The oldest are deleted.
    pub keep_files: Option<NonZeroU32>,

    /// How long old files are kept, such as `90days`; for ever if left out.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Option<String>", extend("format" = "duration"))]
    pub keep_for: Option<Duration>,
}

/// How old files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compress {
    /// Not at all.
    #[default]
    None,
    /// As `.gz`.
    Gzip,
    /// As `.zst`.
    Zstd,
}

impl Compress {
    const fn ending(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some(".gz"),
            Self::Zstd => Some(".zst"),
        }
    }

    /// What a file's name says.
    fn of_name(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// A file that is begun anew from time to time.
#[derive(Debug)]
pub(crate) struct Rotation {
    path: PathBuf,
    settings: RotateSettings,
    sync: bool,
    next_number: u64,
    /// Since when the file has been written to, as far as this run knows.
    since: Instant,
    /// How old it was then.
    age_before: Duration,
    upkeep: Arc<Upkeep>,
}

impl Rotation {
    /// Looks at the old files of `path` and goes on with what an earlier run left undone.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub(crate) fn start(path: &Path, settings: RotateSettings, sync: bool) -> io::Result<Self> {
        let newest = old_files(path)?.last().map_or(0, |file| file.number);
        let upkeep = Arc::new(Upkeep {
            path: path.to_owned(),
            settings: settings.clone(),
            sync,
            is_asked: AtomicBool::new(false),
        });
        let mut rotation = Self {
            path: path.to_owned(),
            settings,
            sync,
            next_number: newest.saturating_add(1),
            since: Instant::now(),
            age_before: Duration::ZERO,
            upkeep,
        };
        rotation.age_before = age_of(path);
        rotation.upkeep.ask();
        Ok(rotation)
    }

    /// Whether a new file is to be begun before more is written to one of so many bytes.
    pub(crate) fn is_due(&self, bytes: u64) -> bool {
        let is_large = self.settings.max_bytes.is_some_and(|Size(most)| bytes >= most);
        let age = self.age_before.saturating_add(self.since.elapsed());
        let is_old = self.settings.max_age.is_some_and(|most| age >= most);
        bytes > 0 && (is_large || is_old)
    }

    /// Gives the file its number, so that a new one can be made in its place. All that it holds
    /// must be complete, and on the disk if that is promised.
    ///
    /// # Errors
    ///
    /// When it cannot be renamed; it is as it was then.
    pub(crate) fn rotate(&mut self) -> io::Result<PathBuf> {
        let numbered = loop {
            let numbered = numbered(&self.path, self.next_number);
            match move_file(&self.path, &numbered, "rotate", self.sync) {
                // Somebody put a file there since the start.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.next_number = self.next_number.saturating_add(1);
                }
                result => {
                    result?;
                    break numbered;
                }
            }
        };
        info!(path = %numbered.display(), "a full output file got its number");
        self.next_number = self.next_number.saturating_add(1);
        (self.since, self.age_before) = (Instant::now(), Duration::ZERO);
        self.upkeep.ask();
        Ok(numbered)
    }
}

/// Gives the lines of the file that was rotated last.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn read_last(path: &Path, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let Some(file) = old_files(path)?.pop() else { return Ok(()) };
    let mut lines = match file.open() {
        Ok(lines) => lines,
        // Retention, or a reader that takes files away, was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        take(&line);
        line.clear();
    }
    Ok(())
}

/// How long ago a file was made; zero where the system does not tell, or the clock was set back.
fn age_of(path: &Path) -> Duration {
    let made = fs::metadata(path).and_then(|found| found.created().or_else(|_| found.modified()));
    made.ok().and_then(|made| SystemTime::now().duration_since(made).ok()).unwrap_or_default()
}

/// A file that was rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OldFile {
    number: u64,
    path: PathBuf,
}

impl OldFile {
    fn open(&self) -> io::Result<Box<dyn BufRead>> {
        let bytes = BufReader::new(File::open(&self.path)?);
        Ok(match Compress::of_name(&self.path) {
            Compress::None => Box::new(bytes),
            Compress::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(bytes))),
            Compress::Zstd => Box::new(BufReader::new(Frames::Between(bytes))),
        })
    }
}

/// `results.jsonl` becomes `results.000001.jsonl`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{number:06}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// The old files of `path`, the oldest first. One that is compressed and was not removed yet counts
/// once, as the compressed one.
fn old_files(path: &Path) -> io::Result<Vec<OldFile>> {
    let folder = folder_of(path);
    let mut files: Vec<OldFile> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let found = folder.join(entry?.file_name());
        if let Some(number) = number_of(path, &found) {
            files.push(OldFile { number, path: found });
        }
    }
    // Of two with one number the longer name is the compressed one.
    files.sort_by(|a, b| (a.number, &b.path).cmp(&(b.number, &a.path)));
    files.dedup_by_key(|file| file.number);
    Ok(files)
}

fn folder_of(path: &Path) -> &Path {
    let folder = parent_of(path);
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The number in the name of an old file of `path`; `None` for any other file.
fn number_of(path: &Path, found: &Path) -> Option<u64> {
    let name = found.file_name()?.to_str()?;
    let stem = path.file_stem()?.to_str()?;
    let mut rest = name.strip_prefix(stem)?.strip_prefix('.')?;
    rest = rest.strip_suffix(".gz").or_else(|| rest.strip_suffix(".zst")).unwrap_or(rest);
    if let Some(ending) = path.extension() {
        rest = rest.strip_suffix(ending.to_str()?)?.strip_suffix('.')?;
    }
    let is_number = rest.len() >= 6 && rest.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { rest.parse().ok() } else { None }
}

/// What is done with old files, on a thread of its own, so that no document waits for it.
#[derive(Debug)]
struct Upkeep {
    path: PathBuf,
    settings: RotateSettings,
    sync: bool,
    /// Whether there may be something to do.
    is_asked: AtomicBool,
}

/// Held by the thread that works: one at a time, because a sink that is reloaded may see to the
/// same files as the one before it.
static RUNNING: Mutex<()> = Mutex::new(());

impl Upkeep {
    /// Sees to the old files soon.
    fn ask(self: &Arc<Self>) {
        let is_idle = self.settings.compress == Compress::None
            && self.settings.keep_files.is_none()
            && self.settings.keep_for.is_none();
        if is_idle || self.is_asked.swap(true, Ordering::AcqRel) {
            return;
        }
        let upkeep = Arc::clone(self);
        let spawned = thread::Builder::new().name("rotate".to_owned()).spawn(move || {
            let _one_at_a_time = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            upkeep.is_asked.store(false, Ordering::Release);
            if let Err(error) = upkeep.work() {
                let path = upkeep.path.display();
                warn!(%path, %error, "old output files could not be seen to; next time again");
            }
        });
        if let Err(error) = spawned {
            self.is_asked.store(false, Ordering::Release);
            warn!(%error, "old output files wait: no thread could be started");
        }
    }

    fn work(&self) -> io::Result<()> {
        self.remove_drafts()?;
        self.expire()?;
        if let Some(ending) = self.settings.compress.ending() {
            for file in old_files(&self.path)? {
                if Compress::of_name(&file.path) == Compress::None {
                    self.compress(&file, ending)?;
                }
            }
        }
        Ok(())
    }

    /// Removes what a crash left: drafts, and files whose compressed form is whole.
    fn remove_drafts(&self) -> io::Result<()> {
        let folder = folder_of(&self.path);
        let counted = old_files(&self.path)?;
        for entry in fs::read_dir(folder)? {
            let found = folder.join(entry?.file_name());
            if self.is_left_over(&found, &counted) {
                fs::remove_file(&found)?;
            }
        }
        Ok(())
    }

    /// Whether a file is a draft, or has a number that another of those that were counted has.
    ///
    /// One with a new number is neither: the sink may have given it since they were counted.
    fn is_left_over(&self, found: &Path, counted: &[OldFile]) -> bool {
        let is_draft = found.extension().is_some_and(|ending| ending == "part")
            && number_of(&self.path, &found.with_extension("")).is_some();
        let is_double = number_of(&self.path, found).is_some_and(|number| {
            counted.iter().any(|file| file.number == number && file.path != found)
        });
        is_draft || is_double
    }

    /// Deletes files that are too many or too old.
    fn expire(&self) -> io::Result<()> {
        let files = old_files(&self.path)?;
        let most = self.settings.keep_files.map_or(usize::MAX, |most| most.get() as usize);
        let surplus = files.len().saturating_sub(most);
        for (index, file) in files.into_iter().enumerate() {
            let is_old = self.settings.keep_for.is_some_and(|most| {
                let modified = fs::metadata(&file.path).and_then(|found| found.modified());
                modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > most))
            });
            if index < surplus || is_old {
                fs::remove_file(&file.path)?;
                info!(path = %file.path.display(), "deleted an old output file");
            }
        }
        Ok(())
    }

    /// Puts a compressed file in the place of an old one.
    fn compress(&self, file: &OldFile, ending: &str) -> io::Result<()> {
        let whole = with_ending(&file.path, ending);
        let draft = with_ending(&whole, ".part");
        let out = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
        let compressed = compress(&mut file.open()?, out, self.settings.compress)
            .and_then(|out| if self.sync { out.sync_all() } else { Ok(()) })
            .and_then(|()| self.check(file, &draft));
        if let Err(error) = compressed {
            // On a full disk the draft's room is what is needed most.
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        keep_times(&file.path, &draft);
        fs::rename(&draft, &whole)?;
        if self.sync {
            sync_folder(folder_of(&whole));
        }
        fs::remove_file(&file.path)?;
        debug!(path = %whole.display(), "compressed an old output file");
        Ok(())
    }

    /// Reads a compressed file back: the only proof that the original may go.
    fn check(&self, file: &OldFile, draft: &Path) -> io::Result<()> {
        let bytes = BufReader::new(File::open(draft)?);
        let mut again: Box<dyn Read> = match self.settings.compress {
            Compress::Gzip => Box::new(MultiGzDecoder::new(bytes)),
            Compress::Zstd => Box::new(Frames::Between(bytes)),
            Compress::None => Box::new(bytes),
        };
        let (mut as_written, mut as_read) = (blake3::Hasher::new(), blake3::Hasher::new());
        io::copy(&mut File::open(&file.path)?, &mut as_written)?;
        io::copy(&mut again, &mut as_read)?;
        if as_written.finalize() != as_read.finalize() {
            return Err(io::Error::other(format!(
                "{} does not give back what was put in; the original stays",
                draft.display()
            )));
        }
        Ok(())
    }
}

/// How much is compressed in one go.
const PIECE: u64 = 4 << 20;

fn compress(from: &mut dyn BufRead, to: File, how: Compress) -> io::Result<File> {
    if how == Compress::Gzip {
        let mut encoder = GzEncoder::new(to, flate2::Compression::default());
        io::copy(from, &mut encoder)?;
        return encoder.finish();
    }
    // A frame for each piece: the encoder can write to memory alone without a panic on a full disk.
    let mut to = to;
    let mut piece = Vec::new();
    while from.take(PIECE).read_to_end(&mut piece)? > 0 {
        to.write_all(&compress_to_vec(piece.as_slice(), CompressionLevel::Fastest))?;
        piece.clear();
    }
    Ok(to)
}

/// Takes the lines that `is_ours` names out of the old files of `path`; gives the files that had
/// some, and how many.
pub(crate) fn take_out(
    path: &Path,
    is_ours: impl Fn(&[u8]) -> bool,
) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut taken = Vec::new();
    for file in old_files(path)? {
        let draft = with_ending(&file.path, ".forgetting");
        let removed = copy_without(&mut file.open()?, &draft, &is_ours)?;
        if removed > 0 {
            let how = Compress::of_name(&file.path);
            if how != Compress::None {
                let packed = with_ending(&draft, ".packed");
                let mut plain = BufReader::new(File::open(&draft)?);
                compress(&mut plain, File::create(&packed)?, how)?.sync_all()?;
                fs::rename(&packed, &draft)?;
            }
            keep_times(&file.path, &draft);
            fs::rename(&draft, &file.path)?;
            sync_folder(folder_of(path));
            taken.push((file.path, removed));
        }
    }
    Ok(taken)
}

/// Copies lines to `draft` without those that `is_ours` names; gives how many those were. Without
/// any there is no draft.
pub(crate) fn copy_without(
    lines: &mut dyn BufRead,
    draft: &Path,
    mut is_ours: impl FnMut(&[u8]) -> bool,
) -> io::Result<u64> {
    let mut rest = io::BufWriter::new(File::create(draft)?);
    let (mut line, mut removed) = (Vec::new(), 0);
    while lines.read_until(b'\n', &mut line)? > 0 {
        if is_ours(&line) {
            removed += 1;
        } else {
            rest.write_all(&line)?;
        }
        line.clear();
    }
    rest.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    if removed == 0 {
        fs::remove_file(draft)?;
    }
    Ok(removed)
}

/// Gives a compressed file the age of the original, which is what `keep_for` counts.
fn keep_times(from: &Path, to: &Path) {
    let kept = fs::metadata(from)
        .and_then(|found| found.modified())
        .and_then(|at| OpenOptions::new().write(true).open(to)?.set_modified(at));
    if let Err(error) = kept {
        debug!(path = %to.display(), %error, "a compressed file counts as new");
    }
}

#[cfg(test)]
mod tests;
