//! Goes round: takes up what an earlier run left, looks for complete files and claims them, to be
//! read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use standpoint_engine::{Delivery, Pause};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::aside::Aside;
use super::claim::Claim;
use super::claims::{Claims, Taken};
use super::hints::Hints;
use super::keeper::Keeper;
use super::pending::Pending;
use super::scan::Scanner;
use super::{Recognise, Until};
use crate::ledger::LedgerError;
use crate::limits::ReadLimits;
use crate::records;

/// How long to wait before what the system refused, such as one more open file, is tried again: at
/// first, and at most.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// How long to wait while many files are to be moved, before looking again.
const WHILE_MOVING: Duration = Duration::from_millis(5);

/// A document with the file that it is from.
pub(super) type Delivered = (Delivery, Pending);

/// What runs on the inbox's thread: finds files, claims them, reads them.
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) max_attempts: u32,
    pub(super) recognise: Recognise,
    pub(super) limits: ReadLimits,
    pub(super) claims: Arc<Claims>,
    pub(super) scanner: Scanner,
    pub(super) hints: Hints,
    pub(super) keeper: Arc<Keeper>,
    pub(super) sender: mpsc::Sender<Vec<Delivered>>,
    /// What was read and is not sent yet, and the bytes of its texts.
    pub(super) outgoing: Vec<Delivered>,
    pub(super) outgoing_bytes: usize,
    pub(super) until: Until,
    pub(super) pause: Pause,
    /// How often the system has refused something since it last did not.
    pub(super) failures: u32,
    /// Claims that were left and are not taken up yet.
    pub(super) left: Vec<Claim>,
    /// Such claims that are passed by for a while.
    pub(super) aside: Aside,
    /// Folders of such claims that cannot be looked into; `None` before they were looked for.
    pub(super) closed: Option<Vec<PathBuf>>,
}

/// The source was closed: nobody takes what is delivered.
pub(super) struct Closed;

/// Why a file is not read now.
pub(super) enum Halt {
    Closed,
    /// The system refused something that it may give later; whatever was in work is taken up again.
    Later(io::Error),
    /// Notes about one claim cannot be read or written, which says nothing of others.
    OfClaim(io::Error),
}

impl Halt {
    /// Why a claim's notes cannot be read or written.
    pub(super) fn of_notes(error: io::Error) -> Self {
        // What the ledger says has the system's word behind it.
        let ledger = error.get_ref().and_then(|inner| inner.downcast_ref::<LedgerError>());
        let passes = match ledger {
            Some(LedgerError::Io { source, .. }) => may_pass(source),
            _ => may_pass(&error),
        };
        if passes { Self::Later(error) } else { Self::OfClaim(error) }
    }
}

impl From<Closed> for Halt {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Later(error)
    }
}

impl Worker {
    /// Goes round until there is nothing more to do; an error says what could not be taken up.
    pub(super) fn run(mut self) -> Result<(), String> {
        self.hints.wait_for_start();
        while !self.hints.is_stopped() {
            // Asked before: what is put in while it is looked for is looked for once more.
            let is_last = self.until.is_last();
            let taken_up = self.find_left().and_then(|()| self.take_up());
            let done = taken_up.and_then(|()| self.look(is_last));
            let sent = self.hand_over().map_err(Halt::from);
            let done = done.and_then(|is_drained| sent.map(|()| is_drained));
            match done.and_then(|is_drained| Ok(is_drained && is_last && self.is_over()?)) {
                Ok(is_over) => {
                    self.failures = 0;
                    self.pause.set("worker", self.missing());
                    if is_over {
                        break;
                    }
                }
                Err(Halt::Closed) => break,
                Err(Halt::Later(error) | Halt::OfClaim(error)) => self.back_off(&error),
            }
        }
        let closed = self.closed.unwrap_or_default().into_iter();
        match closed.chain(self.aside.into_files()).collect::<Vec<_>>().as_slice() {
            [] => Ok(()),
            stay => Err(format!("files of an earlier run stay where they are: {stay:?}")),
        }
    }

    /// Whether nothing comes back that is to be read again, or cannot.
    fn is_over(&self) -> Result<bool, Halt> {
        if !self.keeper.brings_back() {
            return Ok(!self.claims.has_given_back());
        }
        match self.keeper.bring_back() {
            Ok(()) => Ok(false),
            Err(error) if may_pass(&error) => Err(Halt::Later(error)),
            // The keeper says which it leaves.
            Err(_) => Ok(true),
        }
    }

    /// Finds claims of an earlier run, which are taken up before anything new is, and of instances
    /// that live no more.
    fn find_left(&mut self) -> Result<(), Halt> {
        if let Some(closed) = self.closed.take() {
            let mut still = Vec::new();
            for folder in closed {
                match self.claims.left_in(&folder) {
                    Ok(claims) => self.left.extend(claims),
                    Err(_) => still.push(folder),
                }
            }
            self.closed = Some(still);
        } else {
            let (left, closed) = self.claims.left_behind()?;
            if !left.is_empty() {
                info!(files = left.len(), "taking up files that an earlier run left");
            }
            for (folder, error) in &closed {
                warn!(?folder, error = %error, "cannot take up a file that an earlier run left");
            }
            self.left = left;
            self.closed = Some(closed.into_iter().map(|(folder, _)| folder).collect());
        }
        self.left.append(&mut self.aside.sort(self.claims.given_back()));
        if self.left.is_empty() {
            self.left = self.claims.abandoned().unwrap_or_else(|error| {
                // An inbox that is gone is told of by the scan.
                debug!(source = self.name, error = %error, "cannot look for files that were left");
                Vec::new()
            });
        }
        Ok(())
    }

    /// Why the folder cannot be looked into, if it cannot: the scan waits for one that is gone.
    fn missing(&self) -> Option<String> {
        let error = std::fs::read_dir(&self.folder).err()?;
        Some(format!("cannot look into {}: {error}", self.folder.display()))
    }

    /// Waits longer from one refusal of the system to the next.
    fn back_off(&mut self, error: &io::Error) {
        self.pause.set("worker", Some(error.to_string()));
        self.failures = self.failures.saturating_add(1);
        let pause = pause_after(self.failures);
        // The first time and whenever the count has doubled, so that a long want stays readable.
        if self.failures.is_power_of_two() {
            let (source, failures) = (&self.name, self.failures);
            warn!(source, error = %error, failures, ?pause, "the inbox waits");
        }
        self.hints.pause(pause);
    }

    /// Looks for complete files and reads them, or waits for some; whether there is nothing more.
    ///
    /// - `is_last`: whether nothing is waited for.
    fn look(&mut self, is_last: bool) -> Result<bool, Halt> {
        if self.keeper.is_behind() {
            return Err(Halt::Later(io::Error::other("the ledger cannot be written")));
        }
        let found = self.scanner.scan(&self.hints, is_last)?;
        let taken = self.take(&found.ready);
        self.claims.part();
        let has_taken = taken?;
        self.hand_over()?;
        if !has_taken && !found.has_more && !is_last {
            let mut until = found.settling.unwrap_or(self.scanner.every());
            until = until.min(self.aside.wait().unwrap_or(until));
            self.hints.wait(until.min(self.scanner.every()));
        } else if !has_taken && found.settling.is_some() {
            self.hints.pause(found.settling.unwrap_or_default());
        }
        Ok(!has_taken && !found.has_more && found.settling.is_none())
    }

    /// Claims files and reads them; whether there was one that could be claimed, or was before.
    fn take(&mut self, ready: &[PathBuf]) -> Result<bool, Halt> {
        let mut has_taken = false;
        for path in ready {
            while self.keeper.has_much_to_move() && !self.hints.is_stopped() {
                self.hand_over()?;
                self.hints.pause(WHILE_MOVING);
            }
            if self.hints.is_stopped() {
                return Err(Halt::Closed);
            }
            match self.claims.claim(path).map_err(|error| named(path, &error))? {
                Taken::Claimed(claim) => self.read(claim)?,
                // Somebody else was faster, or it was taken away: both are fine.
                Taken::Gone => {}
                Taken::Refused(error) => {
                    self.scanner.report(path, &format!("cannot move it: {error}"));
                    continue;
                }
            }
            has_taken = true;
        }
        Ok(has_taken)
    }

    /// Takes up claims of a run that ended while they were in work.
    fn take_up(&mut self) -> Result<(), Halt> {
        while let Some(claim) = self.left.first().cloned() {
            self.wait_for_all_but(0)?;
            if self.hints.is_stopped() {
                return Err(Halt::Closed);
            }
            let counted = match self.claims.count(claim) {
                Err(error) if may_pass(&error) => return Err(error.into()),
                counted => counted,
            };
            let left = self.left.remove(0);
            let claim = match counted {
                Ok(claim) => claim,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.aside.forgive(&left);
                    continue;
                }
                Err(error) => {
                    self.aside.fail(&left, &error);
                    self.aside.keep(left);
                    continue;
                }
            };
            self.aside.follow(&left, &claim);
            let left = claim.clone();
            let is_too_often = claim.attempt > self.max_attempts;
            let is_given_up = is_too_often && !records::can_be_separated(&claim.relative_name());
            let deaths = claim.attempt - 1;
            let read = if is_given_up {
                self.give_up(claim, deaths).map_err(Halt::from)
            } else {
                self.read(claim)
            };
            match read {
                Err(Halt::OfClaim(error)) => self.aside.fail(&left, &error),
                read => {
                    self.aside.forgive(&left);
                    read?;
                }
            }
        }
        Ok(())
    }
}

/// How long to wait after so many failures, one more each time.
pub(super) fn pause_after(failures: u32) -> Duration {
    let doublings = failures.clamp(1, 16) - 1;
    (RETRY_AFTER[0] * (1 << doublings)).min(RETRY_AFTER[1])
}

/// Whether the system may give later what it refuses now: an open file, memory, room.
pub(super) fn may_pass(error: &io::Error) -> bool {
    use rustix::io::Errno;

    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::MFILE
                | Errno::NFILE
                | Errno::NOMEM
                | Errno::NOSPC
                | Errno::DQUOT
                | Errno::INTR
                | Errno::AGAIN
                | Errno::STALE
                | Errno::TIMEDOUT
        )
    )
}

/// An error that says which file it is about.
pub(super) fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot take {}: {error}", path.display()))
}
