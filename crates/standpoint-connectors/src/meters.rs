//! What connectors count of themselves besides documents, for whoever shows it.
//!
//! There is one set for the process, because a source that is reloaded goes on counting where the
//! one before it was. Its size is bounded by the names in the pipeline file.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meter {
    /// Files of an inbox that were taken into work, each time that one was.
    FilesTaken,
    /// Those of them that are in work now: taken, and none of what follows.
    FilesInWork,
    /// Files of an inbox that are done.
    FilesDone,
    /// Files of an inbox that went into quarantine.
    FilesQuarantined,
    /// Files of an inbox that went back undecided.
    FilesReturned,
    /// Files of an inbox that somebody took away while they were in work.
    FilesGone,
    /// Files of an inbox that were settled after more than one attempt.
    FilesTriedAgain,
    /// Torn last lines that were cut off, by the file.
    TornTails,
    /// 1 while the system tells of changes in an inbox, 0 while it is only looked through.
    Watched,
}

type Values = BTreeMap<(Meter, String), u64>;

static VALUES: Mutex<Values> = Mutex::new(BTreeMap::new());

/// Counts one.
///
/// Whatever becomes of a file ends its being in work. Both change at once, so that at any moment as
/// many were taken as are in work or accounted for.
///
/// - `of`: the name of the source, or of what is watched.
pub(crate) fn count(meter: Meter, of: &str) {
    let mut values = lock();
    *values.entry((meter, of.to_owned())).or_default() += 1;
    let in_work = values.entry((Meter::FilesInWork, of.to_owned()));
    match meter {
        Meter::FilesTaken => *in_work.or_default() += 1,
        Meter::FilesDone | Meter::FilesQuarantined | Meter::FilesReturned | Meter::FilesGone => {
            in_work.and_modify(|count| *count = count.saturating_sub(1));
        }
        _ => {}
    }
}

/// Sets what goes up and down.
pub(crate) fn set(meter: Meter, of: &str, value: u64) {
    lock().insert((meter, of.to_owned()), value);
}

/// Every value, with whose it is.
#[must_use]
pub fn all() -> Vec<(Meter, String, u64)> {
    lock().iter().map(|((meter, of), value)| (*meter, of.clone(), *value)).collect()
}

/// The values of one meter, by whose they are.
#[must_use]
pub fn of(wanted: Meter) -> BTreeMap<String, u64> {
    let values = lock();
    let own = values.iter().filter(|((meter, _), _)| *meter == wanted);
    own.map(|((_, of), value)| (of.clone(), *value)).collect()
}

fn lock() -> MutexGuard<'static, Values> {
    // Nothing that can panic runs under the lock.
    VALUES.lock().unwrap_or_else(PoisonError::into_inner)
}
