//! Goes round: takes up what an earlier run left, looks for complete files, claims and reads them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use standpoint_document::Document;
use standpoint_engine::{Delivery, Outcome, Pause};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::aside::Aside;
use super::below::Like;
use super::care;
use super::caution::{Caution, Judgement};
use super::claim::Claim;
use super::claims::{Claims, Fate, Taken};
use super::hints::Hints;
use super::keeper::Keeper;
use super::pending::Pending;
use super::scan::Scanner;
use super::{Recognise, Until};
use crate::files::with_causes;
use crate::ledger::LedgerError;
use crate::ledger::ids::{Id, id_of};
use crate::limits::ReadLimits;
use crate::quarantine::Reason;
use crate::read::{self, Documents, Origin};
use crate::records;
use crate::refusal::ReadError;

/// How long to wait before what the system refused, such as one more open file, is tried again: at
/// first, and at most.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// How many documents, and how many bytes of their texts, are handed over at once: each handing over
/// costs a change of threads, and nobody counts these bytes yet.
const TOGETHER: usize = 64;
const TOGETHER_BYTES: usize = 1 << 20;

/// How long to wait while many files are to be moved, before looking again.
const WHILE_MOVING: Duration = Duration::from_millis(5);

/// How large a file may be to be read at once, in bytes.
const AT_ONCE_BYTES: u64 = 256 << 10;

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
struct Closed;

/// Why a file is not read now.
enum Halt {
    Closed,
    /// The system refused something that it may give later; whatever was in work is taken up again.
    Later(io::Error),
    /// Notes about one claim cannot be read or written, which says nothing of others.
    OfClaim(io::Error),
}

impl Halt {
    /// Why a claim's notes cannot be read or written.
    fn of_notes(error: io::Error) -> Self {
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

    /// Finds claims of an earlier run, which are taken up before anything new is, and of instances that
    /// live no more.
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

    /// Fails a file that ended the process too often, without reading it.
    fn give_up(&mut self, claim: Claim, deaths: u32) -> Result<(), Closed> {
        let pending = Pending::new(&self.keeper, claim, None);
        pending.condemn();
        self.refuse(&pending, 0, deaths)
    }

    /// Delivers the documents of a claimed file.
    fn read(&mut self, claim: Claim) -> Result<(), Halt> {
        let origin = Origin { source: self.name.clone(), path: claim.relative_name() };
        debug!(path = origin.path, attempt = claim.attempt, "reading a file");
        let (file, like) = match claim.open() {
            Ok(opened) => opened,
            Err(error) if may_pass(&error) => {
                self.keeper.settle(claim.clone(), claim.unread());
                return Err(named(&claim.relative, &error).into());
            }
            Err(error) => {
                let reason = Reason::new(&self.name, with_causes(&error));
                self.keeper.settle(claim, Fate::Quarantined(reason));
                return Ok(());
            }
        };
        let judgement = Caution::of(&claim, self.max_attempts).map_err(|error| {
            self.keeper.settle(claim.clone(), claim.unread());
            Halt::of_notes(error)
        })?;
        let mut caution = match judgement {
            Judgement::Read(caution) => caution,
            Judgement::GiveUp { deaths } => return Ok(self.give_up(claim, deaths)?),
        };
        let pending = Pending::new(&self.keeper, claim, Some(like));
        // A file of which nothing was read would count as done.
        let opened = caution
            .hold(Some(care::OPENING))
            .map(|()| self.documents_of(file, &like, &origin))
            .and_then(|opened| caution.hold(None).map(|()| opened))
            .map_err(|error| {
                pending.give_back();
                Halt::of_notes(error)
            })?;
        let documents = match opened {
            Ok(Some(documents)) => documents,
            Ok(None) => {
                info!(
                    path = origin.path,
                    "a file changed while it was read; it is read again later"
                );
                pending.give_back();
                return Ok(());
            }
            Err(ReadError::Io { source }) if may_pass(&source) => {
                pending.give_back();
                return Err(named(Path::new(&origin.path), &source).into());
            }
            Err(error) => {
                pending.condemn();
                self.deliver(&pending, 0, Err(error))?;
                return Ok(());
            }
        };
        let sent = self.deliver_all(&pending, documents, caution);
        if matches!(sent, Err(Halt::Later(_) | Halt::OfClaim(_))) {
            pending.give_back();
        }
        sent
    }

    /// Opens the documents of a file; `None` if it changes meanwhile.
    ///
    /// - `like`: what the file was like when it was opened.
    fn documents_of(
        &self,
        mut file: File,
        like: &Like,
        origin: &Origin,
    ) -> Result<Option<Documents>, ReadError> {
        let is_changed =
            |file: &File| Like::of_file(file).is_ok_and(|now| !now.has_content_of(like));
        if !(1..=AT_ONCE_BYTES).contains(&like.length) {
            let watched = file.try_clone()?;
            let documents = read::documents(file, origin, &self.limits)?;
            return Ok((!is_changed(&watched)).then_some(documents));
        }
        let mut bytes = vec![0; like.length as usize];
        match file.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        if is_changed(&file) {
            return Ok(None);
        }
        read::documents_in(bytes, origin, &self.limits).map(Some)
    }

    fn deliver_all(
        &mut self,
        pending: &Pending,
        mut documents: Documents,
        mut caution: Caution,
    ) -> Result<(), Halt> {
        for number in 0.. {
            // Noted before it is read: reading may be what ends the process.
            let is_alone = caution.is_alone();
            if is_alone {
                self.wait_for_all_but(1)?;
            }
            caution.begin(number).map_err(Halt::of_notes)?;
            let Some(document) = documents.next() else { break };
            let deaths = caution.refused_after(number);
            if let Some(deaths) = deaths.filter(|_| !self.was_done_before(&document)) {
                self.refuse(pending, number, deaths)?;
                continue;
            }
            match &document {
                Err(ReadError::Io { source }) if may_pass(source) => {
                    // That it could not be read is no fault of what was in hand.
                    caution.hold(None).map_err(Halt::of_notes)?;
                    return Err(named(pending.relative(), source).into());
                }
                Err(error) if error.is_of_the_file() => pending.condemn(),
                _ => {}
            }
            let sent = self.deliver(pending, number, document);
            let sent = sent.and_then(|is_out| {
                if is_alone {
                    self.hand_over()?;
                }
                Ok(is_out)
            });
            let is_harmless = is_alone && pending.wait();
            let Ok(is_out) = sent else {
                // An end that was asked for is nobody's fault.
                caution.hold(None).map_err(Halt::of_notes)?;
                return Err(Halt::Closed);
            };
            if is_harmless && is_out {
                caution.count(number).map_err(Halt::of_notes)?;
            }
        }
        caution.end().map_err(Halt::of_notes)
    }

    fn was_done_before(&self, document: &Result<Document<'static>, ReadError>) -> bool {
        let id = document.as_ref().ok().and_then(|document| self.recognised_by(document));
        id.is_some_and(|id| self.keeper.has_seen(&id))
    }

    /// Fails what ended the process so often.
    fn refuse(&mut self, pending: &Pending, number: u64, deaths: u32) -> Result<(), Closed> {
        let reason = format!(
            "the process ended {deaths} times while this was in work; max_attempts is {}",
            self.max_attempts
        );
        let receipt = pending.receipt(number, None);
        self.send(pending, Delivery::unreadable(&self.name, reason, receipt))
    }

    /// Delivers a document, unless it was done before; whether it goes out.
    fn deliver(
        &mut self,
        file: &Pending,
        number: u64,
        content: Result<Document<'static>, ReadError>,
    ) -> Result<bool, Closed> {
        let delivery = match content {
            Ok(document) => {
                let id = self.recognised_by(&document);
                if self.recognise == Recognise::Content
                    && let Some(id) = id
                {
                    if self.keeper.is_under_way(&id) {
                        // The other may not have been sent yet.
                        self.hand_over()?;
                    }
                    self.keeper.begin(id);
                }
                if id.is_some_and(|id| self.keeper.has_seen(&id)) {
                    id.inspect(|id| self.keeper.end(id));
                    let is_given = document.metadata().source.id.is_some();
                    file.pass_over(is_given && self.recognise == Recognise::Id);
                    return Ok(false);
                }
                Delivery::new(document, file.receipt(number, id))
            }
            Err(ReadError::Again { number, id }) => {
                file.repeat(number, id);
                return Ok(false);
            }
            Err(error) => {
                let receipt = file.receipt(number, None);
                Delivery::unreadable(&self.name, with_causes(&error), receipt)
            }
        };
        self.send(file, delivery)?;
        Ok(true)
    }

    fn send(&mut self, file: &Pending, delivery: Delivery) -> Result<(), Closed> {
        self.outgoing_bytes += delivery.content.as_ref().map_or(0, Document::size_bytes);
        self.outgoing.push((delivery, file.clone()));
        if self.outgoing.len() < TOGETHER && self.outgoing_bytes < TOGETHER_BYTES {
            return Ok(());
        }
        self.hand_over()
    }

    /// Sends what was read.
    fn hand_over(&mut self) -> Result<(), Closed> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        self.outgoing_bytes = 0;
        let outgoing = std::mem::take(&mut self.outgoing);
        self.sender.blocking_send(outgoing).map_err(|refused| {
            for (delivery, _) in refused.0 {
                delivery.receipt.settle(Outcome::Returned);
            }
            Closed
        })
    }

    /// Lets no more than so many files be on their way, so that no other is blamed for what comes next.
    fn wait_for_all_but(&mut self, files: usize) -> Result<(), Closed> {
        self.hand_over()?;
        self.keeper.wait_for_all_but(files);
        Ok(())
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
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot take {}: {error}", path.display()))
}
