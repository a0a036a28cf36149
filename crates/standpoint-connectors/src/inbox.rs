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
//! Modules in reading order: `scan` finds complete files, `claims` moves them, `keeper` acts on
//! outcomes.

mod claims;
mod keeper;
mod scan;

use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;
use standpoint_engine::{Delivery, Outcome, Source, SourceError};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task;
use tracing::{debug, info, warn};

use self::claims::{Claim, Claims, Fate};
use self::keeper::{Keeper, Pending};
use self::scan::{Hints, Scanner};
use crate::files::with_causes;
use crate::limits::ReadLimits;
use crate::quarantine::Reason;
use crate::read::{self, Origin};
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
    /// other sign; a file that is moved in, or closed by its writer, is taken at once.
    #[serde(default = "half_a_second", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub settle: std::time::Duration,

    /// How often the folder is looked through, besides what the system reports.
    #[serde(default = "five_seconds", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub scan_every: std::time::Duration,

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
}

fn all_files() -> Vec<String> {
    vec!["**/*".to_owned()]
}

const fn half_a_second() -> std::time::Duration {
    std::time::Duration::from_millis(500)
}

const fn five_seconds() -> std::time::Duration {
    std::time::Duration::from_secs(5)
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

/// Delivers the documents of the files in a folder.
#[derive(Debug)]
pub struct InboxSource {
    deliveries: mpsc::Receiver<Delivery>,
    hints: Hints,
    keeper: Arc<Keeper>,
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
    /// [`InboxError`] when a folder cannot be used or a pattern is none.
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
        let claims = Arc::new(Claims::open(name, settings, places)?);
        let scanner = Scanner::new(settings)?;
        let hints = Hints::watch(&settings.path);
        let keeper = Arc::new(Keeper::new(Arc::clone(&claims)));
        let (sender, deliveries) = mpsc::channel(READ_AHEAD);
        let worker = Worker {
            name: name.to_owned(),
            max_attempts: places.max_attempts,
            limits,
            claims,
            scanner,
            hints: hints.clone(),
            keeper: Arc::clone(&keeper),
            sender,
            until_drained,
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
        Ok(Self { deliveries, hints, keeper, threads })
    }
}

#[async_trait]
impl Source for InboxSource {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        Ok(self.deliveries.recv().await)
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        self.deliveries.close();
        // What was read and not taken goes back with its file.
        while let Some(delivery) = self.deliveries.recv().await {
            delivery.receipt.settle(Outcome::Returned);
        }
        self.hints.stop();
        self.keeper.finish();
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
    max_attempts: NonZeroU32,
    limits: ReadLimits,
    claims: Arc<Claims>,
    scanner: Scanner,
    hints: Hints,
    keeper: Arc<Keeper>,
    sender: mpsc::Sender<Delivery>,
    until_drained: bool,
}

/// The source was closed: nobody takes what is delivered.
struct Closed;

impl Worker {
    fn run(mut self) {
        if self.take_up(self.claims.left_behind()).is_err() {
            return;
        }
        loop {
            if self.take_up(self.claims.abandoned()).is_err() {
                return;
            }
            let found = self.scanner.scan(&self.hints.take(), self.until_drained);
            for path in &found.ready {
                if self.hints.is_stopped() || self.file(path).is_err() {
                    return;
                }
            }
            if self.hints.is_stopped() {
                return;
            }
            let is_drained = found.ready.is_empty() && found.settling.is_none();
            if self.until_drained && is_drained {
                return;
            }
            if found.ready.is_empty() {
                let until = found.settling.unwrap_or(self.scanner.every());
                self.hints.wait(until.min(self.scanner.every()));
            }
        }
    }

    /// Takes up claims of a run that ended while they were in work.
    fn take_up(&self, left: io::Result<Vec<Claim>>) -> Result<(), Closed> {
        let left = match left {
            Ok(left) => left,
            Err(error) => {
                warn!(error = %error, "cannot look for files that an earlier run left");
                return Ok(());
            }
        };
        if !left.is_empty() {
            info!(files = left.len(), "taking up files that an earlier run left");
        }
        for claim in left {
            if claim.attempt > self.max_attempts.get() {
                let reason = format!(
                    "the process ended {} times while this was in work; max_attempts is {}",
                    claim.attempt - 1,
                    self.max_attempts
                );
                self.keeper.settle(claim, Fate::Quarantined(Reason::new(&self.name, reason)));
                continue;
            }
            self.read(claim)?;
        }
        Ok(())
    }

    fn file(&self, path: &Path) -> Result<(), Closed> {
        match self.claims.claim(path) {
            Ok(Some(claim)) => self.read(claim),
            // Somebody else was faster, or it was taken away: both are fine.
            Ok(None) => Ok(()),
            Err(error) => {
                warn!(path = %path.display(), error = %error, "cannot claim a file");
                Ok(())
            }
        }
    }

    /// Delivers the documents of a claimed file.
    fn read(&self, claim: Claim) -> Result<(), Closed> {
        let origin = Origin { source: self.name.clone(), path: claim.relative_name() };
        debug!(path = origin.path, attempt = claim.attempt, "reading a file");
        let file = match claim.open() {
            Ok(file) => file,
            Err(error) => {
                let reason = Reason::new(&self.name, with_causes(&error));
                self.keeper.settle(claim, Fate::Quarantined(reason));
                return Ok(());
            }
        };
        let before = as_it_is(&file);
        let watched = file.try_clone();
        let pending = self.keeper.pend(&self.name, claim);
        let documents = match read::documents(file, &origin, &self.limits) {
            Ok(documents) => documents,
            Err(error) => return self.deliver(&pending, Err(error)),
        };
        if watched.is_ok_and(|file| as_it_is(&file) != before) {
            info!(path = origin.path, "a file changed while it was read; it is read again later");
            pending.give_back();
            return Ok(());
        }
        for document in documents {
            self.deliver(&pending, document)?;
        }
        Ok(())
    }

    fn deliver(
        &self,
        file: &Pending,
        content: Result<Document<'static>, ReadError>,
    ) -> Result<(), Closed> {
        let receipt = file.receipt();
        let delivery = match content {
            Ok(document) => Delivery::new(document, receipt),
            Err(error) => Delivery::unreadable(&self.name, with_causes(&error), receipt),
        };
        self.sender.blocking_send(delivery).map_err(|refused| {
            refused.0.receipt.settle(Outcome::Returned);
            Closed
        })
    }
}

/// What shows that a file was written to; `None` where the system does not tell.
fn as_it_is(file: &File) -> Option<(u64, SystemTime)> {
    let metadata = file.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}
