//! Keeps a file that is written to one process.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::debug;

/// A file that no other process holds, until the last of the values is dropped.
///
/// Within the process it may be held more than once: a sink that is reloaded opens its file while
/// the sink before it still has it, and nothing is written by both.
#[derive(Debug)]
pub(crate) struct Hold {
    identity: Identity,
}

/// File system and number of a file.
type Identity = (u64, u64);

/// A file that this process holds.
struct Held {
    identity: Identity,
    /// Has the lock.
    file: File,
    holders: usize,
}

/// What this process holds. A lock belongs to an open file and not to the process, so a second one
/// would be refused to ourselves, too.
static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

impl Hold {
    /// Holds a file; `None` while another process does. Where files have no locks, as on some
    /// network file systems, nobody is kept from it.
    pub(crate) fn of(file: &File) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        let mut held = held();
        if let Some(known) = held.iter_mut().find(|held| held.identity == identity) {
            known.holders += 1;
            return Ok(Some(Self { identity }));
        }
        let file = file.try_clone()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => debug!(%error, "cannot lock an output"),
        }
        held.push(Held { identity, file, holders: 1 });
        Ok(Some(Self { identity }))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = held();
        let Some(own) = held.iter().position(|held| held.identity == self.identity) else { return };
        held[own].holders -= 1;
        if held[own].holders == 0 {
            // As `Instance` does: a child that is just being started has a copy of the file. It
            // cannot fail on a lock that we have.
            let _ = held.swap_remove(own).file.unlock();
        }
    }
}

fn held() -> MutexGuard<'static, Vec<Held>> {
    // Nothing that can panic runs under the lock.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
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
