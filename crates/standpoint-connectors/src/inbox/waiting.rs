//! What waits in the inboxes that are open, for whoever asks.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::below::{Like, age_of};
use super::claims::Claims;
use super::scan::MOST_DEEP;
use super::wanted::{Wanted, is_hidden};

/// The files that are in an inbox and not taken yet, also those that never will be because they
/// cannot be read or nothing marks them complete; those that are kept there are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// How many.
    pub files: u64,
    /// For how long the oldest has been there, by the clock of its file system.
    pub oldest: Duration,
}

/// An inbox that is open, as long as its claims are.
type Open = (Weak<Claims>, Arc<Wanted>);

static OPEN: Mutex<BTreeMap<String, Open>> = Mutex::new(BTreeMap::new());

/// Lets an inbox be looked into.
pub(super) fn watch(source: &str, claims: &Arc<Claims>, wanted: Arc<Wanted>) {
    lock().insert(source.to_owned(), (Arc::downgrade(claims), wanted));
}

/// What waits in each inbox that is open, by the names of the sources.
///
/// It reads every name in their folders, as a stream: a million of them take seconds and no memory.
#[must_use]
pub fn waiting() -> BTreeMap<String, Waiting> {
    let open: Vec<_> = {
        let mut open = lock();
        open.retain(|_, (claims, _)| claims.strong_count() > 0);
        let held = |(name, (claims, wanted)): (&String, &Open)| {
            Some((name.clone(), claims.upgrade()?, Arc::clone(wanted)))
        };
        open.iter().filter_map(held).collect()
    };
    let count = |(name, claims, wanted): (String, Arc<Claims>, Arc<Wanted>)| {
        let mut waiting = Waiting::default();
        look(&claims, &wanted, Path::new(""), MOST_DEEP, &mut waiting);
        (name, waiting)
    };
    open.into_iter().map(count).collect()
}

/// Counts what is in a folder below an inbox; one that cannot be read holds nothing that is seen.
fn look(claims: &Claims, wanted: &Wanted, below: &Path, deep: usize, waiting: &mut Waiting) {
    let Ok(mut entries) = claims.inbox().entries(below) else { return };
    let mut folders: Vec<PathBuf> = Vec::new();
    while let Some(Ok(entry)) = entries.read() {
        let relative = below.join(OsStr::from_bytes(entry.file_name().to_bytes()));
        // Our own folder is hidden, too.
        if is_hidden(&relative) {
            continue;
        }
        let name = entry.file_name();
        let Ok(like) = entries.fd().map_err(Into::into).and_then(|at| Like::of_entry(at, name))
        else {
            continue;
        };
        if like.kind.is_dir() && deep > 1 {
            folders.push(relative);
        } else if like.kind.is_file() && wanted.covers(&relative) && !claims.is_kept(&like) {
            waiting.files += 1;
            waiting.oldest = waiting.oldest.max(age_of(like.changed).unwrap_or_default());
        }
    }
    drop(entries);
    for folder in folders {
        look(claims, wanted, &folder, deep - 1, waiting);
    }
}

fn lock() -> MutexGuard<'static, BTreeMap<String, Open>> {
    // Nothing that can panic runs under the lock.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}
