//! Deletes what was kept for long enough, oldest first: archived files, files in quarantine.
//!
//! A folder is walked as a stream and never listed, so that a million files in it cost no memory.
//! Age counts from when a file was put there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::{debug, info, warn};

use crate::moves::with_ending;
use crate::quarantine;

/// How often folders are looked through.
const EVERY: Duration = Duration::from_hours(1);

/// How deep folders nest that are looked into.
const MOST_DEEP: usize = 64;

/// How much of something is kept; nothing is deleted where neither is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// How long.
    pub max_age: Option<Duration>,
    /// How many bytes.
    pub max_bytes: Option<u64>,
}

impl Keep {
    /// Whether everything is kept for ever.
    #[must_use]
    pub const fn is_endless(&self) -> bool {
        self.max_age.is_none() && self.max_bytes.is_none()
    }
}

/// A folder and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The folder.
    pub folder: PathBuf,
    /// How much.
    pub keep: Keep,
    /// Whether each file has a reason beside it, which goes after it.
    pub is_quarantine: bool,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Looks through folders every hour, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Upkeep {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    /// Starts; does nothing where everything is kept for ever.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(holdings: Vec<Holding>) -> io::Result<Self> {
        let holdings: Vec<_> =
            holdings.into_iter().filter(|holding| !holding.keep.is_endless()).collect();
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        if holdings.is_empty() {
            return Ok(Self { stop, thread: None });
        }
        let stopping = Arc::clone(&stop);
        let thread = thread::Builder::new().name("retention".to_owned()).spawn(move || {
            loop {
                for holding in &holdings {
                    tell(holding, expire(holding, SystemTime::now()));
                }
                let (stop, changed) = &*stopping;
                let state = stop.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = changed.wait_timeout_while(state, EVERY, |stop| !*stop);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    return;
                }
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        // Not joined: a walk through a million files must not hold up the end of the program.
        drop(self.thread.take());
    }
}

fn tell(holding: &Holding, deleted: io::Result<Deleted>) {
    let folder = holding.folder.display();
    match deleted {
        Ok(Deleted { files: 0, .. }) => {}
        Ok(Deleted { files, bytes }) => {
            info!(%folder, files, bytes, "deleted what was kept long enough");
        }
        Err(error) => warn!(%folder, error = %error, "cannot delete what was kept long enough"),
    }
}

/// Deletes what `holding` does not keep.
///
/// - `now`: what ages are counted to.
///
/// # Errors
///
/// When the folder cannot be read; a file that cannot be deleted is left.
pub fn expire(holding: &Holding, now: SystemTime) -> io::Result<Deleted> {
    let before = cutoff(holding, now)?;
    let mut deleted = Deleted::default();
    let Some(before) = before else { return Ok(deleted) };
    let _lock = holding.is_quarantine.then(|| quarantine::lock(&holding.folder)).transpose()?;
    walk(&holding.folder, holding.is_quarantine, &mut |path, minute, bytes| {
        if minute >= before {
            return;
        }
        if let Err(error) = fs::remove_file(path) {
            debug!(path = ?path, error = %error, "cannot delete a file");
            return;
        }
        if holding.is_quarantine {
            // The reason goes after the file: a reason alone says nothing wrong.
            let _ = fs::remove_file(with_ending(path, quarantine::ENDING));
        }
        deleted.files += 1;
        deleted.bytes += bytes;
    })?;
    Ok(deleted)
}

/// The minute since 1970 before which files go; `None` if none does.
fn cutoff(holding: &Holding, now: SystemTime) -> io::Result<Option<i64>> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed() / 60;
    let by_age = holding.keep.max_age.map(|age| {
        now.saturating_sub(i64::try_from(age.as_secs().div_ceil(60)).unwrap_or(i64::MAX))
    });
    let Some(most) = holding.keep.max_bytes else { return Ok(by_age) };
    // A year has half a million minutes, however many files there are.
    let mut bytes_of: BTreeMap<i64, u64> = BTreeMap::new();
    walk(&holding.folder, holding.is_quarantine, &mut |_, minute, bytes| {
        *bytes_of.entry(minute).or_default() += bytes;
    })?;
    let mut kept = 0_u64;
    let mut by_bytes = None;
    // The newest stay.
    for (minute, bytes) in bytes_of.into_iter().rev() {
        kept = kept.saturating_add(bytes);
        if kept > most {
            by_bytes = Some(minute.saturating_add(1));
            break;
        }
    }
    Ok(by_age.max(by_bytes))
}

/// Gives each file below a folder with the minute in which it was put there and its length.
fn walk(
    folder: &Path,
    is_quarantine: bool,
    each: &mut impl FnMut(&Path, i64, u64),
) -> io::Result<()> {
    let mut folders = match fs::read_dir(folder) {
        Ok(entries) => vec![(folder.to_owned(), entries)],
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    while let Some((below, entries)) = folders.last_mut() {
        let Some(entry) = entries.next() else {
            // Goes only if it is empty; the folder itself stays.
            if below != folder {
                let _ = fs::remove_dir(&*below);
            }
            folders.pop();
            continue;
        };
        let entry = entry?;
        let path = entry.path();
        // Does not follow links.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            if folders.len() < MOST_DEEP
                && let Ok(entries) = fs::read_dir(&path)
            {
                folders.push((path, entries));
            }
            continue;
        }
        // Of the quarantine only what has a reason is ours.
        if is_quarantine && !with_ending(&path, quarantine::ENDING).exists() {
            continue;
        }
        each(&path, metadata.ctime() / 60, metadata.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(folder: &Path, keep: Keep) -> Holding {
        Holding { folder: folder.to_owned(), keep, is_quarantine: false }
    }

    #[test]
    fn what_is_old_or_too_much_goes_and_the_rest_stays() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("sub")).unwrap();
        for name in ["a.txt", "sub/b.txt"] {
            fs::write(root.path().join(name), "1234567890").unwrap();
        }
        let now = SystemTime::now();
        let later = now + Duration::from_hours(2);
        let age = |hours| Keep { max_age: Some(Duration::from_hours(hours)), max_bytes: None };
        let bytes = |bytes| Keep { max_age: None, max_bytes: Some(bytes) };
        let nothing = Deleted::default();
        assert_eq!(expire(&holding(root.path(), age(1)), now).unwrap(), nothing);
        assert_eq!(expire(&holding(root.path(), age(3)), later).unwrap(), nothing);
        assert_eq!(expire(&holding(root.path(), bytes(20)), now).unwrap(), nothing);
        assert_eq!(expire(&holding(root.path(), Keep::default()), later).unwrap(), nothing);
        let both = Deleted { files: 2, bytes: 20 };
        assert_eq!(expire(&holding(root.path(), age(1)), later).unwrap(), both);
        assert!(!root.path().join("sub").exists() && root.path().exists());
        fs::write(root.path().join("a.txt"), "1234567890").unwrap();
        let one = Deleted { files: 1, bytes: 10 };
        assert_eq!(expire(&holding(root.path(), bytes(9)), now).unwrap(), one);
    }

    #[test]
    fn only_what_has_a_reason_goes_from_a_quarantine() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.txt", "a.txt.reason.json", "stranger.txt"] {
            fs::write(root.path().join(name), "{}").unwrap();
        }
        let keep = Keep { max_age: Some(Duration::from_mins(1)), max_bytes: None };
        let holding = Holding { is_quarantine: true, ..holding(root.path(), keep) };
        let later = SystemTime::now() + Duration::from_hours(1);
        assert_eq!(expire(&holding, later).unwrap().files, 1);
        assert!(root.path().join("stranger.txt").exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
