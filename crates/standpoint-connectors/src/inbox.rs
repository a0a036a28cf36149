//! The source `inbox`: a folder into which others put files.
//!
//! A file is picked up once it is complete, claimed by renaming it into a folder beside the inbox,
//! read, and after every sink has its documents durably, archived. What cannot be read or
//! processed goes to the quarantine with a file that says why. So at any moment, crash or not, a
//! file that was dropped completely is in exactly one of inbox, claimed, archive, quarantine:
//! every step is one rename, and a step that did not happen is taken again at the next start.
//!
//! ```text
//! inbox/a.txt ──claim──► inbox/.standpoint/claimed/<instance>/<number>.<attempt>/a.txt
//!      ▲                          │ done            │ failed, or crashed too often
//!      └──stopped before done─────┤                 ▼
//!                                 ▼           quarantine/a.txt + a.txt.reason.json
//!                            archive/a.txt
//! ```
//!
//! The number of attempts is part of the claim's name, so it survives whatever happens to the
//! process: a file that brings it down again and again is quarantined.
//!
//! Of a file with many records only the record is, which `care` finds out.
//!
//! Modules in reading order: `scan` finds complete files with the `hints` of the system, `claims`
//! moves them, `keeper` acts on outcomes.

mod care;
mod claims;
mod hints;
mod keeper;
mod scan;

use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;
use standpoint_engine::{Delivery, Outcome, Source, SourceError};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task;
use tracing::{debug, info, warn};

use self::care::Care;
use self::claims::{Claim, Claims, Fate};
use self::hints::Hints;
use self::keeper::{Keeper, Pending};
use self::scan::Scanner;
use crate::files::with_causes;
use crate::ledger::ids::{Id, id_of};
use crate::ledger::{Ledger, LedgerError};
use crate::limits::ReadLimits;
use crate::quarantine::Reason;
use crate::read::{self, Origin};
use crate::records;
use crate::refusal::ReadError;

/// Settings of the `inbox` source: a folder whose files are processed and then moved away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InboxSettings {
    /// The folder, relative to the pipeline file. It must exist.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,

    /// Which files to take, as patterns over the path below the folder.
    #[serde(default = "all_files")]
    pub include: Vec<String>,

    /// Which files to leave, besides hidden ones and `*.tmp`, `*.part`, `*.partial`,
    /// `*.crdownload` and `*~`.
    #[serde(default)]
    pub ignore: Vec<String>,

    /// How long a file must be unchanged before it counts as complete, where its writer gives no
    /// other sign; a file that is moved in, or closed by its writer, is taken at once. Left out, it is
    /// 500ms, and 5s on a file system of another machine.
    #[serde(default, with = "humantime_serde")]
    #[schemars(with = "Option<String>", extend("format" = "duration"))]
    pub settle: Option<Duration>,

    /// How often the folder is looked through, besides what the system reports.
    #[serde(default = "five_seconds", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub scan_every: Duration,

    /// Whether the system is asked to report what happens in the folder.
    #[serde(default)]
    pub watch: Watch,

    /// A file that says that another is complete, such as `{name}.done` beside it; a file without
    /// one is left alone. Who drops the files writes it last; it is deleted once the file is taken.
    #[serde(default)]
    pub complete_marker: Option<Marker>,

    /// The size of one document, in place of the pipeline's `limits.max_document_bytes`.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "size"))]
    pub max_document_bytes: Option<Size>,

    /// What becomes of a file once every sink has its documents.
    pub on_success: OnSuccess,
}

/// What becomes of a file once every sink has its documents.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnSuccess {
    /// It is moved to this folder, relative to the pipeline file, and never replaces another.
    Archive(#[schemars(extend("format" = "path"))] PathBuf),
    /// It is deleted.
    Delete,
    /// It goes back to where it was, and is remembered until it changes. While it is in work it is
    /// not there.
    Keep,
}

/// Whether the system is asked to report what happens in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Watch {
    /// Where it can: not on network file systems, which report nothing of other machines.
    #[default]
    Auto,
    /// In any case.
    Inotify,
    /// No: the folder is only looked through, every `scan_every`.
    Poll,
}

/// How the file is called that says that another is complete: a name with `{name}` in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Marker(String);

impl TryFrom<String> for Marker {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_name = text.matches("{name}").count() == 1 && !text.contains('/');
        if is_name && text != "{name}" {
            return Ok(Self(text));
        }
        Err(format!(
            "`{text}` is no name of a marker: write `{{name}}` in it once, as in `{{name}}.done`"
        ))
    }
}

impl Marker {
    /// The marker of a file.
    fn of(&self, path: &Path) -> PathBuf {
        let name = path.file_name().unwrap_or_default();
        let (before, after) = self.0.split_once("{name}").unwrap_or_default();
        let mut marker = std::ffi::OsString::from(before);
        marker.push(name);
        marker.push(after);
        path.with_file_name(marker)
    }

    /// Whether a file is the marker of another.
    fn is_one(&self, path: &Path) -> bool {
        let (before, after) = self.0.split_once("{name}").unwrap_or_default();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.strip_prefix(before.as_bytes())
            .and_then(|rest| rest.strip_suffix(after.as_bytes()))
            .is_some_and(|name| !name.is_empty())
    }
}

/// When a document counts as had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recognise {
    /// When its id is known.
    #[default]
    Id,
    /// When its text is known, under whatever name.
    Content,
    /// Never.
    Nothing,
}

fn all_files() -> Vec<String> {
    vec!["**/*".to_owned()]
}

const fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

/// A number of bytes, written with its unit, such as `16MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse::<bytesize::ByteSize>().map(|size| Self(size.as_u64()))
    }
}

/// What an inbox needs to know besides its settings.
#[derive(Debug, Clone)]
pub struct Places {
    /// Which instance of the program it is: names the folder of its claims.
    pub instance: String,
    /// Where files go that failed.
    pub quarantine: PathBuf,
    /// How often a file may be in work when the process ends before it goes there.
    pub max_attempts: NonZeroU32,
    /// Whether moves are synced to the disk.
    pub sync: bool,
    /// What was had before is remembered here.
    pub ledger: Ledger,
    /// When a document counts as had before.
    pub recognise: Recognise,
}

/// Why an inbox cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InboxError {
    /// A folder is missing or closed.
    #[error("cannot use the {what} {}", path.display())]
    Folder {
        /// Which one: inbox, archive, quarantine.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// What is remembered of the source cannot be used.
    #[error("cannot remember what the inbox {} has had", path.display())]
    Ledger {
        /// The inbox.
        path: PathBuf,
        /// Why.
        source: LedgerError,
    },

    /// A pattern in `include` or `ignore` that is none.
    #[error("`{pattern}` is not a pattern of file names")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        source: globset::Error,
    },
}

/// How many documents wait to be taken.
const READ_AHEAD: usize = 4;

/// How long to wait before what the system refused, such as one more open file, is tried again: at
/// first, and at most.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// Delivers the documents of the files in a folder.
#[derive(Debug)]
pub struct InboxSource {
    deliveries: mpsc::Receiver<(Delivery, Pending)>,
    hints: Hints,
    /// `None` once closed: the claims are let go of, for whoever opens the inbox next.
    keeper: Option<Arc<Keeper>>,
    threads: Vec<JoinHandle<()>>,
}

impl InboxSource {
    /// Takes up what an earlier run left and starts to watch the folder.
    ///
    /// - `name`: the source's name, which is part of the documents' ids;
    /// - `until_drained`: whether the source ends once the folder holds nothing more to take.
    ///
    /// # Errors
    ///
    /// [`InboxError`] when a folder or the ledger cannot be used or a pattern is none.
    pub fn open(
        name: &str,
        settings: &InboxSettings,
        places: &Places,
        mut limits: ReadLimits,
        until_drained: bool,
    ) -> Result<Self, InboxError> {
        if let Some(Size(bytes)) = settings.max_document_bytes {
            limits.max_document_bytes = bytes;
        }
        let remember = |name: &str| {
            let path = settings.path.clone();
            places.ledger.of_source(name).map_err(|source| InboxError::Ledger { path, source })
        };
        let recognise = places.recognise;
        let seen = (recognise != Recognise::Nothing).then(|| remember(name)).transpose()?;
        let keeps = settings.on_success == OnSuccess::Keep;
        let kept = keeps.then(|| remember(&format!("{name} kept"))).transpose()?;
        let claims = Arc::new(Claims::open(name, settings, places, kept)?);
        let scanner = Scanner::new(settings, Arc::clone(&claims))?;
        let hints = Hints::watch(&settings.path, settings.watch);
        let keeper = Arc::new(Keeper::new(Arc::clone(&claims), limits.clone(), seen));
        let (sender, deliveries) = mpsc::channel(READ_AHEAD);
        let worker = Worker {
            name: name.to_owned(),
            max_attempts: places.max_attempts.get(),
            recognise,
            limits,
            claims,
            scanner,
            hints: hints.clone(),
            keeper: Arc::clone(&keeper),
            sender,
            until_drained,
            failures: 0,
        };
        let keeping = Arc::clone(&keeper);
        let fail =
            |source| InboxError::Folder { what: "inbox", path: settings.path.clone(), source };
        let threads = vec![
            thread::Builder::new()
                .name(format!("inbox-{name}"))
                .spawn(move || worker.run())
                .map_err(fail)?,
            thread::Builder::new()
                .name(format!("keep-{name}"))
                .spawn(move || keeping.run())
                .map_err(fail)?,
        ];
        Ok(Self { deliveries, hints, keeper: Some(keeper), threads })
    }
}

#[async_trait]
impl Source for InboxSource {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        Ok(self.deliveries.recv().await.map(|(delivery, file)| {
            file.take();
            delivery
        }))
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        self.deliveries.close();
        // What was read and not taken goes back with its file.
        while let Some((delivery, _)) = self.deliveries.recv().await {
            delivery.receipt.settle(Outcome::Returned);
        }
        self.hints.stop();
        if let Some(keeper) = self.keeper.take() {
            keeper.finish();
        }
        let threads = std::mem::take(&mut self.threads);
        let joined =
            task::spawn_blocking(move || threads.into_iter().try_for_each(JoinHandle::join));
        match joined.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(SourceError::new("a thread of the inbox ended early")),
        }
    }
}

/// What runs on the inbox's thread: finds files, claims them, reads them.
struct Worker {
    name: String,
    max_attempts: u32,
    recognise: Recognise,
    limits: ReadLimits,
    claims: Arc<Claims>,
    scanner: Scanner,
    hints: Hints,
    keeper: Arc<Keeper>,
    sender: mpsc::Sender<(Delivery, Pending)>,
    until_drained: bool,
    /// How often the system has refused something since it last did not.
    failures: u32,
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
    fn run(mut self) {
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
fn may_pass(error: &io::Error) -> bool {
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
