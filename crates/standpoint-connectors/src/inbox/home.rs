//! The folder in an inbox that holds the claims of one instance, and those of others beside it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, OFlags};

use super::below::{Below, Held, Like};
use super::claim::{files_in, number_and_attempt};

/// The folder beside the files of an inbox that holds what is in work.
pub(super) const OWN_FOLDER: &str = ".standpoint";

/// How long to wait for the lock of the claims.
const MOST_WAIT: Duration = Duration::from_secs(5);

/// The inbox, and the folder in it that holds this instance's claims.
#[derive(Debug, Clone)]
pub(super) struct Home {
    pub(super) inbox: Arc<Below>,
    pub(super) claimed: Arc<Held>,
    /// Held while this instance lives, however it ends: others leave its claims alone.
    lock: Arc<File>,
}

impl Home {
    pub(super) fn open(inbox: &Path, own: &Path) -> io::Result<Self> {
        Self::open_after(None, inbox, own)
    }

    /// Opens it again. Where it is the same folder as before, such as one that was renamed and
    /// back, its lock is ours already: it would be refused to us as to any other.
    pub(super) fn again(&self, inbox: &Path, own: &Path) -> io::Result<Self> {
        Self::open_after(Some(&self.lock), inbox, own)
    }

    fn open_after(held: Option<&Arc<File>>, inbox: &Path, own: &Path) -> io::Result<Self> {
        let inbox = Below::open(inbox)?;
        let claimed = inbox.own(own)?;
        let file = lock_file(claimed.path())?;
        let lock = match held {
            Some(held) if is_same_file(held, &file)? => Arc::clone(held),
            _ => Arc::new(locked(file)?),
        };
        Ok(Self { inbox: Arc::new(inbox), claimed: Arc::new(claimed), lock })
    }
}

/// The files that any instance has in work for a source, each with its name below the inbox.
pub(crate) fn claimed_files(inbox: &Path, source: &str) -> io::Result<Vec<(PathBuf, String)>> {
    let all = inbox.join(OWN_FOLDER).join("claimed");
    let mut found = Vec::new();
    for instance in folders_in(&all)? {
        for folder in folders_in(&instance.join(source))? {
            let mut files = Vec::new();
            match files_in(&folder, Path::new(""), &mut files) {
                // Whoever has it in work was done with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                looked => looked?,
            }
            found.extend(files.into_iter().map(|relative| {
                let name = relative.to_string_lossy().into_owned();
                (folder.join(relative), name)
            }));
        }
    }
    Ok(found)
}

/// The folders in a folder, none of them a link; none where there is no such folder.
fn folders_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The folders in a folder below the inbox, none of them a link.
pub(super) fn subfolders(inbox: &Below, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = inbox.entries(folder)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "."
            && name != ".."
            && Like::of_entry(entries.fd()?, name)?.kind == FileType::Directory
        {
            found.push(folder.join(name));
        }
    }
    Ok(found)
}

fn is_same_file(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (Like::of_file(one)?, Like::of_file(other)?);
    Ok((one.device, one.inode) == (other.device, other.inode))
}

/// Takes the lock of the claims in a folder. An instance that takes over what an earlier run left
/// has it for a moment; whoever has it for longer has it for good.
fn locked(lock: File) -> io::Result<File> {
    let start = Instant::now();
    while let Err(refused) = lock.try_lock() {
        match refused {
            TryLockError::WouldBlock if start.elapsed() < MOST_WAIT => {
                thread::sleep(MOST_WAIT / 100);
            }
            TryLockError::WouldBlock => {
                return Err(io::Error::other(
                    "another process holds the lock of the files that are in work: is a second \
                     daemon with this `data_dir` running?",
                ));
            }
            TryLockError::Error(error) => return Err(error),
        }
    }
    Ok(lock)
}

/// The file whose lock an instance holds while it lives, in the folder of its claims.
pub(super) fn lock_file(claimed: &Path) -> io::Result<File> {
    // Strangers can write below the inbox: neither follow a link nor wait for a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.cast_signed())
        .open(claimed.join("lock"))
}

/// The highest number of a claim in a folder.
pub(super) fn highest_number(claimed: &Path) -> Option<u64> {
    let entries = fs::read_dir(claimed).ok()?;
    entries.flatten().filter_map(|entry| Some(number_and_attempt(&entry.path())?.0)).max()
}
