//! What must be known of a file of records that was in work when the process ended.
//!
//! Which of its records are done is told by the ledger, or by the sinks. What neither knows is
//! which record ended the process. So from then on its records go out one at a time, each noted
//! here before it is read. Whichever is noted when the process ends again has a strike against it:
//! one is nothing, for the process may have been killed from outside, and some record is always
//! out; but a record that is out every time is refused, and the others go on. How far the records
//! went out together is noted as well: the file counts as harmless only behind that.
//!
//! The notes lie beside the file, in the folder of its claim, and go where that goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::ledger::LedgerError;
use crate::ledger::log::Log;

/// The name of the notes. No file of the inbox is called so: hidden ones are left alone.
const NAME: &str = ".care";

/// Removes the notes in a folder, also those that were being made when the process ended, and those
/// that were damaged.
pub(super) fn remove(folder: &Path) {
    for name in [NAME.to_owned(), format!("{NAME}.draft"), format!("{NAME}.damaged")] {
        // There only if the file ever ended the process.
        let _ = fs::remove_file(folder.join(name));
    }
}

/// How many records go out one at a time before the file counts as harmless: more than can have
/// been under way when the process ended.
pub(super) const RECORDS: u64 = 640;

/// What is in hand while a file is opened, before its first record.
pub(super) const OPENING: u64 = u64::MAX - 1;

/// What is noted of a file.
#[derive(Debug, Default)]
pub(super) struct Care {
    path: PathBuf,
    log: Option<Log>,
    /// Attempts up to this one say nothing against the file.
    cleared_at: u32,
    /// Records before this one may have gone out together.
    reached: u64,
    in_hand: Option<u64>,
    /// How often the process ended while a record was out alone.
    strikes: BTreeMap<u64, u32>,
    refused: BTreeSet<u64>,
}

const CLEARED: u8 = 1;
const IN_HAND: u8 = 2;
const REFUSED: u8 = 3;
const STRUCK: u8 = 4;
const REACHED: u8 = 5;

impl Care {
    /// Reads the notes in the folder of a claim, if there are any.
    pub(super) fn of(folder: &Path) -> Result<Self, LedgerError> {
        let mut care = Self { path: folder.join(NAME), ..Self::default() };
        if care.path.symlink_metadata().is_ok() {
            let path = care.path.clone();
            care.log = Some(Log::open(&path, |payload| care.apply(payload))?);
        }
        Ok(care)
    }

    /// How many attempts speak against the file, of so many.
    pub(super) const fn attempts(&self, attempt: u32) -> u32 {
        attempt.saturating_sub(self.cleared_at)
    }

    /// The record that was out alone when the process ended.
    pub(super) const fn in_hand(&self) -> Option<u64> {
        self.in_hand
    }

    /// How often the process ended while a record was out alone.
    pub(super) fn strikes(&self, record: u64) -> u32 {
        self.strikes.get(&record).copied().unwrap_or_default()
    }

    /// Counts a strike against a record.
    pub(super) fn strike(&mut self, record: u64) -> io::Result<()> {
        self.note(STRUCK, record)
    }

    /// Whether a record ended the process too often.
    pub(super) fn refuses(&self, record: u64) -> bool {
        self.refused.contains(&record)
    }

    /// Notes that a record goes out alone; `None` once it is back.
    pub(super) fn hold(&mut self, record: Option<u64>) -> io::Result<()> {
        let number = record.map_or(u64::MAX, |record| record);
        self.note(IN_HAND, number)
    }

    /// Notes that a record is not to go out again.
    pub(super) fn refuse(&mut self, record: u64) -> io::Result<()> {
        self.note(REFUSED, record)
    }

    /// Notes that the attempts so far were no fault of the file.
    pub(super) fn clear(&mut self, attempt: u32) -> io::Result<()> {
        self.note(CLEARED, attempt.into())
    }

    /// Up to which record they may have gone out together.
    pub(super) const fn reached(&self) -> u64 {
        self.reached
    }

    /// Notes that a record goes out together with others, and ahead of those that follow, so that
    /// few notes are needed.
    pub(super) fn reach(&mut self, record: u64) -> io::Result<()> {
        if record < self.reached {
            return Ok(());
        }
        self.note(REACHED, record.saturating_add(RECORDS))
    }

    fn note(&mut self, kind: u8, number: u64) -> io::Result<()> {
        let mut payload = vec![kind];
        payload.extend(number.to_le_bytes());
        match &mut self.log {
            Some(log) => log.append(&payload)?,
            none => *none = Some(Log::create(&self.path, &[&payload])?),
        }
        self.apply(&payload);
        Ok(())
    }

    fn apply(&mut self, payload: &[u8]) {
        let Some((kind, number)) = payload.split_first() else { return };
        let Ok(number) = number.try_into().map(u64::from_le_bytes) else { return };
        match *kind {
            CLEARED => {
                self.cleared_at = u32::try_from(number).unwrap_or(u32::MAX);
                self.in_hand = None;
            }
            IN_HAND => self.in_hand = (number != u64::MAX).then_some(number),
            REFUSED => {
                self.refused.insert(number);
            }
            REACHED => self.reached = number,
            STRUCK => {
                *self.strikes.entry(number).or_default() += 1;
                self.in_hand = None;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut care = Care::of(folder.path()).unwrap();
        assert_eq!((care.attempts(3), care.in_hand()), (3, None));
        assert!(!folder.path().join(NAME).exists(), "a file without notes has none");
        care.hold(Some(7)).unwrap();
        let mut care = Care::of(folder.path()).unwrap();
        assert_eq!(care.in_hand(), Some(7));
        care.strike(7).unwrap();
        care.strike(7).unwrap();
        care.refuse(7).unwrap();
        care.clear(2).unwrap();
        care.reach(8).unwrap();
        let mut care = Care::of(folder.path()).unwrap();
        assert!(care.refuses(7) && !care.refuses(8));
        assert_eq!((care.strikes(7), care.strikes(8)), (2, 0));
        assert_eq!((care.attempts(3), care.in_hand()), (1, None));
        assert_eq!(care.reached(), 8 + RECORDS);
        let bytes = fs::metadata(folder.path().join(NAME)).unwrap().len();
        care.reach(9).unwrap();
        assert_eq!(fs::metadata(folder.path().join(NAME)).unwrap().len(), bytes);
        care.hold(Some(9)).unwrap();
        care.hold(None).unwrap();
        assert_eq!(Care::of(folder.path()).unwrap().in_hand(), None);
    }
}
