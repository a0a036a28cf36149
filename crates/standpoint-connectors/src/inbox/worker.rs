//! Goes round: takes up what an earlier run left, looks for complete files, claims and reads them.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use standpoint_document::Document;
use standpoint_engine::{Delivery, Outcome};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::Recognise;
use super::care::{self, Care};
use super::claims::{Claim, Claims, Fate};
use super::hints::Hints;
use super::keeper::{Keeper, Pending};
use super::scan::Scanner;
use crate::files::with_causes;
use crate::ledger::ids::{Id, id_of};
use crate::limits::ReadLimits;
use crate::quarantine::Reason;
use crate::read::{self, Origin};
use crate::records;
use crate::refusal::ReadError;

/// How long to wait before what the system refused, such as one more open file, is tried again: at
/// first, and at most.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// What runs on the inbox's thread: finds files, claims them, reads them.
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) max_attempts: u32,
    pub(super) recognise: Recognise,
    pub(super) limits: ReadLimits,
    pub(super) claims: Arc<Claims>,
    pub(super) scanner: Scanner,
    pub(super) hints: Hints,
    pub(super) keeper: Arc<Keeper>,
    pub(super) sender: mpsc::Sender<(Delivery, Pending)>,
    pub(super) until_drained: bool,
    /// How often the system has refused something since it last did not.
    pub(super) failures: u32,
}

/// The source was closed: nobody takes what is delivered.
struct Closed;

/// Why a file is not read now.
enum Halt {
    Closed,
    /// The system refused something that it may give later; whatever was in work is taken up again.
    Later(io::Error),
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
    pub(super) fn run(mut self) {
        // Claims of an earlier run, which are taken up before anything new is.
        let mut left = self.listed(self.claims.left_behind());
        if !left.is_empty() {
            info!(files = left.len(), "taking up files that an earlier run left");
        }
        while !self.hints.is_stopped() {
            if left.is_empty() {
                left = self.listed(self.claims.abandoned());
            }
            let done = self.take_up(&mut left).and_then(|()| self.look());
            match done {
                Ok(is_drained) => {
                    self.failures = 0;
                    if is_drained && self.until_drained {
                        return;
                    }
                }
                Err(Halt::Closed) => return,
                Err(Halt::Later(error)) => self.back_off(&error),
            }
        }
    }

    fn listed(&self, claims: io::Result<Vec<Claim>>) -> Vec<Claim> {
        claims.unwrap_or_else(|error| {
            // A folder that is gone is told of by the scan.
            debug!(source = self.name, error = %error, "cannot look for files that were left");
            Vec::new()
        })
    }

    /// Waits longer from one refusal of the system to the next.
    fn back_off(&mut self, error: &io::Error) {
        self.failures = self.failures.saturating_add(1);
        let doublings = self.failures.min(16) - 1;
        let pause = (RETRY_AFTER[0] * (1 << doublings)).min(RETRY_AFTER[1]);
        // The first time and whenever the count has doubled, so that a long want stays readable.
        if self.failures.is_power_of_two() {
            let (source, failures) = (&self.name, self.failures);
            warn!(source, error = %error, failures, ?pause, "the inbox waits");
        }
        self.hints.pause(pause);
    }

    /// Looks for complete files and reads them, or waits for some; whether there is nothing more.
    fn look(&mut self) -> Result<bool, Halt> {
        if self.keeper.is_behind() {
            return Err(Halt::Later(io::Error::other("the ledger cannot be written")));
        }
        let found = self.scanner.scan(&self.hints, self.until_drained)?;
        for path in &found.ready {
            if self.hints.is_stopped() {
                return Err(Halt::Closed);
            }
            // Somebody else was faster, or it was taken away: both are fine.
            if let Some(claim) = self.claims.claim(path).map_err(|error| named(path, &error))? {
                self.read(claim)?;
            }
        }
        if found.ready.is_empty() && !found.has_more && !self.until_drained {
            let until = found.settling.unwrap_or(self.scanner.every());
            self.hints.wait(until.min(self.scanner.every()));
        } else if found.ready.is_empty() && found.settling.is_some() {
            self.hints.pause(found.settling.unwrap_or_default());
        }
        Ok(found.ready.is_empty() && !found.has_more && found.settling.is_none())
    }

    /// Takes up claims of a run that ended while they were in work.
    fn take_up(&self, left: &mut Vec<Claim>) -> Result<(), Halt> {
        while let Some(claim) = left.first() {
            let claim = match self.claims.count(claim.clone()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                counted => counted,
            };
            left.remove(0);
            let Ok(claim) = claim else { continue };
            let is_too_often = claim.attempt > self.max_attempts;
            if is_too_often && !records::can_be_separated(&claim.relative_name()) {
                self.give_up(claim)?;
                continue;
            }
            self.read(claim)?;
        }
        Ok(())
    }

    /// Fails a file that ended the process too often, without reading it.
    fn give_up(&self, claim: Claim) -> Result<(), Closed> {
        let deaths = claim.attempt - 1;
        let pending = self.keeper.pend(&self.name, claim);
        pending.condemn();
        self.refuse(&pending, 0, deaths)
    }

    /// Delivers the documents of a claimed file.
    fn read(&self, claim: Claim) -> Result<(), Halt> {
        let origin = Origin { source: self.name.clone(), path: claim.relative_name() };
        debug!(path = origin.path, attempt = claim.attempt, "reading a file");
        let file = match claim.open() {
            Ok(file) => file,
            Err(error) if may_pass(&error) => {
                self.keeper.settle(claim.clone(), returned(&claim));
                return Err(named(&claim.relative, &error).into());
            }
            Err(error) => {
                let reason = Reason::new(&self.name, with_causes(&error));
                self.keeper.settle(claim, Fate::Quarantined(reason));
                return Ok(());
            }
        };
        let Some(caution) = self.caution(&claim)? else {
            return Ok(self.give_up(claim)?);
        };
        let before = as_it_is(&file);
        let watched = file.try_clone();
        let pending = self.keeper.pend(&self.name, claim);
        let documents = match read::documents(file, &origin, &self.limits) {
            Ok(documents) => documents,
            Err(ReadError::Io { source }) if may_pass(&source) => {
                pending.give_back();
                return Err(named(Path::new(&origin.path), &source).into());
            }
            Err(error) => {
                pending.condemn();
                return Ok(self.deliver(&pending, 0, Err(error))?);
            }
        };
        if watched.is_ok_and(|file| as_it_is(&file) != before) {
            info!(path = origin.path, "a file changed while it was read; it is read again later");
            pending.give_back();
            return Ok(());
        }
        let sent = self.deliver_all(&pending, documents, caution);
        if matches!(sent, Err(Halt::Later(_))) {
            pending.give_back();
        }
        sent
    }

    /// How carefully a file is to be read; `None` if not at all.
    ///
    /// What was in work when the process ended goes out alone the next time, so that only one that
    /// does it again has that counted against it.
    fn caution(&self, claim: &Claim) -> Result<Option<Caution>, Halt> {
        if !records::can_be_separated(&claim.relative_name()) {
            let left = if claim.attempt > 1 { u64::MAX } else { 0 };
            return Ok(Some(Caution { care: None, left, attempt: claim.attempt }));
        }
        let mut care = Care::of(&claim.folder).map_err(io::Error::other)?;
        // The first time was with others.
        let most = self.max_attempts.saturating_sub(1).max(1);
        if let Some(record) = care.in_hand() {
            care.strike(record)?;
            if care.strikes(record) >= most {
                care.refuse(record)?;
            }
            // It ends the process even when it is only passed over.
            if care.strikes(record) > 2 * most {
                return Ok(None);
            }
        }
        let left = if care.attempts(claim.attempt) > 1 { care::RECORDS } else { 0 };
        Ok(Some(Caution { care: Some(care), left, attempt: claim.attempt }))
    }

    fn deliver_all(
        &self,
        pending: &Pending,
        mut documents: read::Documents,
        mut caution: Caution,
    ) -> Result<(), Halt> {
        for number in 0.. {
            // Noted before it is read: reading may be what ends the process.
            let is_alone = caution.left > 0;
            if is_alone && let Some(care) = &mut caution.care {
                care.hold(Some(number))?;
            }
            let Some(document) = documents.next() else { break };
            if let Some(care) = caution.care.as_ref().filter(|care| care.refuses(number)) {
                self.refuse(pending, number, care.strikes(number) + 1)?;
                continue;
            }
            match &document {
                Err(ReadError::Io { source }) if may_pass(source) => {
                    return Err(io::Error::from(source.kind()).into());
                }
                Err(error) if error.is_of_the_file() => pending.condemn(),
                _ => {}
            }
            let sent = self.deliver(pending, number, document);
            if is_alone {
                pending.wait();
            }
            if sent.is_err() {
                // An end that was asked for is nobody's fault.
                if let Some(care) = caution.care.as_mut().filter(|_| is_alone) {
                    care.hold(None)?;
                }
                return Err(Halt::Closed);
            }
            if is_alone {
                caution.left -= 1;
                if caution.left == 0
                    && let Some(care) = &mut caution.care
                {
                    care.clear(caution.attempt - 1)?;
                }
            }
        }
        if let Some(care) = caution.care.as_mut().filter(|_| caution.left > 0) {
            care.clear(caution.attempt - 1)?;
        }
        Ok(())
    }

    /// Fails what ended the process so often.
    fn refuse(&self, pending: &Pending, number: u64, deaths: u32) -> Result<(), Closed> {
        let reason = format!(
            "the process ended {deaths} times while this was in work; max_attempts is {}",
            self.max_attempts
        );
        let receipt = pending.receipt(number, None);
        self.send(pending, Delivery::unreadable(&self.name, reason, receipt))
    }

    fn deliver(
        &self,
        file: &Pending,
        number: u64,
        content: Result<Document<'static>, ReadError>,
    ) -> Result<(), Closed> {
        let delivery = match content {
            Ok(document) => {
                let id = self.recognised_by(&document);
                if self.recognise == Recognise::Content
                    && let Some(id) = id
                {
                    self.keeper.begin(id);
                }
                if id.is_some_and(|id| self.keeper.has_seen(&id)) {
                    id.inspect(|id| self.keeper.end(id));
                    file.pass_over();
                    return Ok(());
                }
                Delivery::new(document, file.receipt(number, id))
            }
            Err(error) => {
                let receipt = file.receipt(number, None);
                Delivery::unreadable(&self.name, with_causes(&error), receipt)
            }
        };
        self.send(file, delivery)
    }

    fn send(&self, file: &Pending, delivery: Delivery) -> Result<(), Closed> {
        self.sender.blocking_send((delivery, file.clone())).map_err(|refused| {
            refused.0.0.receipt.settle(Outcome::Returned);
            Closed
        })
    }

    /// What a document is known by when it comes again.
    fn recognised_by(&self, document: &Document<'static>) -> Option<Id> {
        match self.recognise {
            Recognise::Id => Some(id_of(document.id())),
            Recognise::Content => {
                let mut id = [0; 16];
                id.copy_from_slice(&blake3::hash(document.text().as_bytes()).as_bytes()[..16]);
                Some(id)
            }
            Recognise::Nothing => None,
        }
    }
}

/// How carefully a file is read.
struct Caution {
    /// Notes of its records; `None` for a file that is one document.
    care: Option<Care>,
    /// How many documents go out one at a time.
    left: u64,
    attempt: u32,
}

/// Where a claim goes that was not read.
const fn returned(claim: &Claim) -> Fate {
    if claim.attempt > 1 { Fate::Uncounted } else { Fate::Returned }
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
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot take {}: {error}", path.display()))
}

/// What shows that a file was written to; `None` where the system does not tell.
fn as_it_is(file: &File) -> Option<(u64, SystemTime)> {
    let metadata = file.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}
