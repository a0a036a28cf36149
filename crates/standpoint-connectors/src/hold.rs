//! Keeps a file that is written to one process.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tracing::debug;

/// A file that no other process holds, until the last of the values is dropped.
///
/// Within the process it may be held more than once: a sink that is reloaded opens its file while the
/// sink before it still has it, and nothing is written by both.
#[derive(Debug)]
pub(crate) struct Hold {
    /// File system and number of the file.
    identity: (u64, u64),
    /// Has the lock.
    _file: File,
}

/// What this process holds. A lock belongs to an open file and not to the process, so a second one
/// would be refused to ourselves, too.
static HELD: Mutex<Vec<Weak<Hold>>> = Mutex::new(Vec::new());

impl Hold {
    /// Holds a file; `None` while another process does. Where files have no locks, as on some network
    /// file systems, nobody is kept from it.
    pub(crate) fn of(file: &File) -> io::Result<Option<Arc<Self>>> {
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|hold| hold.strong_count() > 0);
        let known = held.iter().filter_map(Weak::upgrade).find(|hold| hold.identity == identity);
        if known.is_some() {
            return Ok(known);
        }
        let file = file.try_clone()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => debug!(%error, "cannot lock an output"),
        }
        let new = Arc::new(Self { identity, _file: file });
        held.push(Arc::downgrade(&new));
        Ok(Some(new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_held_until_the_last_holder_of_the_process_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let open = || File::options().create(true).append(true).open(&path).unwrap();
        // As another process would have it open.
        let other = open();
        let first = Hold::of(&open()).unwrap().unwrap();
        let second = Hold::of(&open()).unwrap().unwrap();
        drop(first);
        assert!(other.try_lock().is_err());
        drop(second);
        other.try_lock().unwrap();
        assert!(Hold::of(&open()).unwrap().is_none());
    }
}
