//! Reads a claimed file and sends its documents on their way.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use standpoint_document::Document;
use standpoint_engine::{Delivery, Outcome};
use tracing::{debug, info};

use super::Recognise;
use super::below::Like;
use super::care;
use super::caution::{Caution, Judgement};
use super::claim::Claim;
use super::claims::Fate;
use super::pending::Pending;
use super::worker::{Closed, Halt, Worker, may_pass, named};
use crate::files::with_causes;
use crate::ledger::ids::{Id, id_of};
use crate::quarantine::Reason;
use crate::read::{self, Documents, Origin};
use crate::refusal::ReadError;

/// How many documents, and how many bytes of their texts, are handed over at once: each handing
/// over costs a change of threads, and nobody counts these bytes yet.
const TOGETHER: usize = 64;
const TOGETHER_BYTES: usize = 1 << 20;

/// How large a file may be to be read at once, in bytes.
const AT_ONCE_BYTES: u64 = 256 << 10;

impl Worker {
    /// Fails a file that ended the process too often, without reading it.
    pub(super) fn give_up(&mut self, claim: Claim, deaths: u32) -> Result<(), Closed> {
        let pending = Pending::new(&self.keeper, claim, None);
        pending.condemn();
        self.refuse(&pending, 0, deaths)
    }

    /// Delivers the documents of a claimed file.
    pub(super) fn read(&mut self, claim: Claim) -> Result<(), Halt> {
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
        match &sent {
            Err(Halt::Later(_) | Halt::OfClaim(_)) => pending.give_back(),
            // What is not read any more is not done, also where nothing of the file went out.
            Err(Halt::Closed) => pending.receipt(0, None).settle(Outcome::Unsent),
            Ok(()) => {}
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
            Err(ReadError::Again { number, id, .. }) => {
                file.repeat(number, id);
                return Ok(false);
            }
            Err(error) => {
                if let ReadError::SameId { document, .. } = &error {
                    file.refuse_for_id(number, document);
                }
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
    pub(super) fn hand_over(&mut self) -> Result<(), Closed> {
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

    /// Lets no more than so many files be on their way, so that no other is blamed for what comes
    /// next.
    pub(super) fn wait_for_all_but(&mut self, files: usize) -> Result<(), Closed> {
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
