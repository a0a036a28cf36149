//! How carefully a file is read that was in work when the process ended.

use std::io;

use super::care::{self, Care};
use super::claim::Claim;
use crate::records;

/// What was in work when the process ended goes out alone the next time, so that only one that does
/// it again has that counted against it.
pub(super) struct Caution {
    /// Notes of its records; `None` for a file that is one document.
    care: Option<Care>,
    /// How many more documents go out one at a time, those that were done before not counted.
    left: u64,
    /// And up to which record they do in any case.
    until: u64,
    attempt: u32,
}

/// Whether a file is read at all.
pub(super) enum Judgement {
    Read(Caution),
    /// It ended the process so often.
    GiveUp {
        deaths: u32,
    },
}

/// How often a record ended the process: the first time, when it was with others, has no note.
fn deaths(care: &Care, record: u64) -> u32 {
    care.strikes(record) + 1
}

impl Caution {
    /// How carefully a claimed file is to be read.
    pub(super) fn of(claim: &Claim, max_attempts: u32) -> io::Result<Judgement> {
        let notes = claim.notes().filter(|_| records::can_be_separated(&claim.relative_name()));
        let Some(notes) = notes else {
            let left = if claim.attempt > 1 { u64::MAX } else { 0 };
            let whole = Self { care: None, left, until: 0, attempt: claim.attempt };
            return Ok(Judgement::Read(whole));
        };
        let mut care = Care::of(&notes).map_err(io::Error::other)?;
        // The first time was with others.
        let most = max_attempts.saturating_sub(1).max(1);
        if let Some(record) = care.in_hand() {
            care.strike(record)?;
            if care.strikes(record) >= most {
                care.refuse(record)?;
            }
            // It ends the process even when it is only passed over, or before any record is there.
            let allowed = if record == care::OPENING { most - 1 } else { 2 * most };
            if care.strikes(record) > allowed {
                return Ok(Judgement::GiveUp { deaths: deaths(&care, record) });
            }
        }
        let left = if care.attempts(claim.attempt) > 1 { care::RECORDS } else { 0 };
        let until = care.reached();
        Ok(Judgement::Read(Self { care: Some(care), left, until, attempt: claim.attempt }))
    }

    /// Whether the next document goes out alone.
    pub(super) const fn is_alone(&self) -> bool {
        self.left > 0
    }

    /// Notes what is in hand, or that nothing is, if that is to be known should the process end.
    pub(super) fn hold(&mut self, record: Option<u64>) -> io::Result<()> {
        match &mut self.care {
            Some(care) if self.left > 0 => care.hold(record),
            _ => Ok(()),
        }
    }

    /// Notes that a record is read next, alone or together with others.
    pub(super) fn begin(&mut self, record: u64) -> io::Result<()> {
        match &mut self.care {
            Some(care) if self.left == 0 => care.reach(record),
            _ => self.hold(Some(record)),
        }
    }

    /// How often a record ended the process that is not to go out again for that.
    pub(super) fn refused_after(&self, record: u64) -> Option<u32> {
        let care = self.care.as_ref().filter(|care| care.refuses(record))?;
        Some(deaths(care, record))
    }

    /// Counts a document that went out alone and harmed nobody.
    pub(super) fn count(&mut self, record: u64) -> io::Result<()> {
        // What went out with others before may be what ended the process.
        if self.left > 1 || record + 1 >= self.until {
            self.left -= 1;
        }
        if self.left == 0 { self.clear() } else { Ok(()) }
    }

    /// Notes that the whole file went out.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if self.left > 0 { self.clear() } else { Ok(()) }
    }

    fn clear(&mut self) -> io::Result<()> {
        self.care.as_mut().map_or(Ok(()), |care| care.clear(self.attempt - 1))
    }
}
