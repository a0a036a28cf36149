//! A file in work, and the folder that holds it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::below::{Held, Like};
use super::care;
use super::claims::Fate;
use super::wanted::is_hidden;

/// A folder that holds claimed files, `<number>.<attempt>`. It goes with the last claim in it,
/// unless a file stays.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) home: Arc<Held>,
    pub(super) name: String,
    /// Whether several files may be in it, which is so the first time only: whatever is told of one
    /// of them later, as another attempt, is told of a folder of its own.
    pub(super) is_shared: bool,
}

/// A file that this instance has claimed.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// What holds it.
    pub(super) folder: Arc<Folder>,
    /// Its path below the inbox.
    pub(super) relative: PathBuf,
    /// How often it has been in work, this time included.
    pub(super) attempt: u32,
}

impl Folder {
    pub(super) fn new(home: &Arc<Held>, number: u64, attempt: u32, is_shared: bool) -> Arc<Self> {
        Arc::new(Self { home: Arc::clone(home), name: format!("{number}.{attempt}"), is_shared })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.home.path().join(&self.name)
    }

    pub(super) fn number_and_attempt(&self) -> Option<(u64, u32)> {
        number_and_attempt(Path::new(&self.name))
    }

    /// The claims of the files in it.
    pub(super) fn claims(self: &Arc<Self>, files: Vec<PathBuf>) -> impl Iterator<Item = Claim> {
        let attempt = self.number_and_attempt().map_or(1, |(_, attempt)| attempt);
        let folder = Arc::clone(self);
        files.into_iter().map(move |relative| Claim {
            folder: Arc::clone(&folder),
            relative,
            attempt,
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path = self.path();
        // Folders of the inbox may be left in it.
        if fs::remove_dir(&path).is_err() {
            remove_tree_of_folders(&path);
        }
    }
}

impl Claim {
    /// Opens the file, if it is a regular one and no link, and says what it is like.
    pub(super) fn open(&self) -> io::Result<(File, Like)> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |flags| openat(self.home(), self.below(), flags, Mode::empty());
        // Nobody asks when it was read last, and to note that takes time; only its owner may do
        // without.
        let opened = match open(flags | OFlags::NOATIME) {
            Err(Errno::PERM) => open(flags),
            opened => opened,
        };
        let file = File::from(opened?);
        let like = Like::of_file(&file)?;
        if !like.kind.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok((file, like))
    }

    /// Where it goes when it was not read: what was tried before keeps its count.
    pub(super) const fn unread(&self) -> Fate {
        if self.attempt > 1 { Fate::Uncounted } else { Fate::Returned }
    }

    /// What the file is like now.
    pub(super) fn like(&self) -> io::Result<Like> {
        Like::of_entry(self.home(), self.below())
    }

    pub(super) fn home(&self) -> &Held {
        &self.folder.home
    }

    /// Its path below [`Claim::home`] while it is in work.
    pub(super) fn below(&self) -> PathBuf {
        Path::new(&self.folder.name).join(&self.relative)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.home().path().join(self.below())
    }

    /// Where notes about it are, and about no other file; `None` the first time that it is in work,
    /// when there are none.
    pub(super) fn notes(&self) -> Option<PathBuf> {
        (!self.folder.is_shared).then(|| self.folder.path())
    }

    /// In which order claims were made.
    pub(super) fn order(&self) -> (Option<(u64, u32)>, &Path) {
        (self.folder.number_and_attempt(), &self.relative)
    }

    /// The path below the inbox, `/` between its parts, invalid UTF-8 replaced.
    pub(super) fn relative_name(&self) -> String {
        let parts: Vec<_> = self.relative.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }
}

/// The number and attempt in the name of a claim's folder.
pub(super) fn number_and_attempt(folder: &Path) -> Option<(u64, u32)> {
    let (number, attempt) = folder.file_name()?.to_str()?.split_once('.')?;
    Some((number.parse().ok()?, attempt.parse().ok()?))
}

/// Finds the paths of the claimed files below `folder`; a hidden one is none, but notes.
pub(super) fn files_in(folder: &Path, below: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files_in(folder, &path, files)?;
        } else if !is_hidden(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Removes the folder of a claim whose file is gone; leaves it if there is a file after all.
pub(super) fn remove_leftovers(folder: &Path) {
    care::remove(folder);
    remove_tree_of_folders(folder);
}

/// Removes a folder that holds nothing but folders; leaves it if there is a file after all.
fn remove_tree_of_folders(folder: &Path) {
    if let Ok(entries) = fs::read_dir(folder) {
        for entry in entries.flatten() {
            remove_tree_of_folders(&entry.path());
        }
    }
    // Fails, as it should, when something is in it.
    let _ = fs::remove_dir(folder);
}
