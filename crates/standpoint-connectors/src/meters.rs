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
    /// Documents that were not processed again, because what they are recognised by was known.
    DocumentsKnown,
    /// Torn ends that were cut off, by the file of an output or the folder of a part of the ledger.
    TornTails,
    /// 1 while the system tells of changes in an inbox, 0 while it is only looked through.
    Watched,
}

type Values = BTreeMap<Meter, BTreeMap<String, u64>>;

static VALUES: Mutex<Values> = Mutex::new(BTreeMap::new());

/// Counts one.
///
/// Whatever becomes of a file ends its being in work. Both change at once, so that at any moment as
/// many were taken as are in work or accounted for.
///
/// - `of`: the name of the source, or of what is watched.
pub(crate) fn count(meter: Meter, of: &str) {
    let mut values = lock();
    change(&mut values, meter, of, |value| value + 1);
    match meter {
        Meter::FilesTaken => change(&mut values, Meter::FilesInWork, of, |value| value + 1),
        Meter::FilesDone | Meter::FilesQuarantined | Meter::FilesReturned | Meter::FilesGone => {
            change(&mut values, Meter::FilesInWork, of, |value| value.saturating_sub(1));
        }
        _ => {}
    }
}

/// Counts so many.
pub(crate) fn add(meter: Meter, of: &str, more: u64) {
    change(&mut lock(), meter, of, |value| value + more);
}

fn change(values: &mut Values, meter: Meter, of: &str, to: impl Fn(u64) -> u64) {
    let values = values.entry(meter).or_default();
    match values.get_mut(of) {
        Some(value) => *value = to(*value),
        None => drop(values.insert(of.to_owned(), to(0))),
    }
}

/// Sets what goes up and down.
pub(crate) fn set(meter: Meter, of: &str, value: u64) {
    change(&mut lock(), meter, of, |_| value);
}

/// Every value, with whose it is.
#[must_use]
pub fn all() -> Vec<(Meter, String, u64)> {
    let values = lock();
    let each = values
        .iter()
        .flat_map(|(meter, values)| values.iter().map(|(of, value)| (*meter, of.clone(), *value)));
    each.collect()
}

/// The values of one meter, by whose they are.
#[must_use]
pub fn of(wanted: Meter) -> BTreeMap<String, u64> {
    lock().get(&wanted).cloned().unwrap_or_default()
}

fn lock() -> MutexGuard<'static, Values> {
    // Nothing that can panic runs under the lock.
    VALUES.lock().unwrap_or_else(PoisonError::into_inner)
}
