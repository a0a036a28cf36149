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
//! Modules in reading order: `worker` goes round; `scan` finds complete files with the `hints` of
//! the system, `claims` moves them to the folders of `claim` and on, `aside` has those that cannot
//! be taken up now; `reading` sends their documents out, as `caution` says; `keeper` acts on
//! outcomes, which `pending` gathers; `waiting` counts what is left.

mod aside;
mod below;
mod care;
mod caution;
mod claim;
mod claims;
mod hints;
mod home;
mod keeper;
mod pending;
mod reading;
mod scan;
mod waiting;
mod wanted;
mod worker;

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_engine::{Delivery, Outcome, Pause, Source, SourceError};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task;

use self::aside::Aside;
pub(crate) use self::below::Below;
use self::claims::Claims;
use self::hints::Hints;
pub(crate) use self::home::claimed_files;
use self::keeper::Keeper;
use self::scan::Scanner;
pub use self::waiting::{Waiting, waiting};
pub(crate) use self::wanted::Wanted;
pub use self::wanted::check_pattern;
use self::worker::{Delivered, Worker};
use crate::ledger::{Ledger, LedgerError};
use crate::limits::ReadLimits;

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
    /// other sign; a file that is moved in, or closed by its writer, is taken at once. Left out, it
    /// is 500ms, and 5s on a file system of another machine.
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

    /// What becomes of a file once every sink has its documents: `keep`, `delete` or
    /// `{ archive: PATH }`.
    pub on_success: OnSuccess,
}

impl InboxSettings {
    /// Whether files that come into a folder, by its path below the inbox, may be taken.
    #[must_use]
    pub fn takes_from(&self, below: &Path) -> bool {
        // Nobody writes a marker for what is moved there.
        self.complete_marker.is_none() && wanted::reaches(&self.include, &self.ignore, below)
    }

    /// Whether a file, by its path below the inbox, may be taken.
    #[must_use]
    pub fn takes(&self, below: &Path) -> bool {
        let wanted = Wanted::of(&self.include, &self.ignore, None);
        self.complete_marker.is_none() && wanted.is_ok_and(|wanted| wanted.covers(below))
    }
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

pub(crate) fn all_files() -> Vec<String> {
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

/// Until when an inbox is looked into.
#[derive(Debug, Clone)]
pub(crate) enum Until {
    /// Until it is closed.
    Closed,
    /// Until it holds nothing more to take.
    Drained,
    /// Until it holds nothing more to take after this was set.
    #[cfg_attr(not(feature = "objects"), expect(dead_code, reason = "nobody fills an inbox"))]
    DrainedAfter(Arc<AtomicBool>),
}

impl Until {
    /// Whether a look that finds nothing is the last one.
    fn is_last(&self) -> bool {
        match self {
            Self::Closed => false,
            Self::Drained => true,
            Self::DrainedAfter(over) => over.load(Ordering::Acquire),
        }
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

/// How a thread ended: an error says what it could not do.
type Ended = Result<(), String>;

/// How many handfuls of documents wait to be taken.
const READ_AHEAD: usize = 1;

/// Delivers the documents of the files in a folder.
#[derive(Debug)]
pub struct InboxSource {
    deliveries: mpsc::Receiver<Vec<Delivered>>,
    /// What came together and was not taken yet.
    arrived: VecDeque<Delivered>,
    hints: Hints,
    pause: Pause,
    /// `None` once closed: the claims are let go of, for whoever opens the inbox next.
    keeper: Option<Arc<Keeper>>,
    /// The worker, which says what it could not take up, and the keeper, which says what it could
    /// not move.
    threads: Option<(JoinHandle<Ended>, JoinHandle<Ended>)>,
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
        limits: ReadLimits,
        until_drained: bool,
    ) -> Result<Self, InboxError> {
        let until = if until_drained { Until::Drained } else { Until::Closed };
        Self::open_until(name, settings, places, limits, until)
    }

    /// The same, with an end of its own.
    ///
    /// # Errors
    ///
    /// As for [`InboxSource::open`].
    pub(crate) fn open_until(
        name: &str,
        settings: &InboxSettings,
        places: &Places,
        mut limits: ReadLimits,
        until: Until,
    ) -> Result<Self, InboxError> {
        if let Some(Size(bytes)) = settings.max_document_bytes {
            limits.max_document_bytes = bytes;
        }
        let forgotten = |source| InboxError::Ledger { path: settings.path.clone(), source };
        let recognise = places.recognise;
        let seen = (recognise != Recognise::Nothing).then(|| places.ledger.of_source(name));
        let seen = seen.transpose().map_err(forgotten)?;
        let kept = (settings.on_success == OnSuccess::Keep).then(|| places.ledger.of_kept(name));
        let kept = kept.transpose().map_err(forgotten)?;
        let claims = Arc::new(Claims::open(name, settings, places, kept)?);
        let scanner = Scanner::new(settings, Arc::clone(&claims))?;
        waiting::watch(name, &claims, scanner.wanted());
        let hints = Hints::watch(&settings.path, settings.watch);
        let pause = Pause::default();
        let keeper = Keeper::new(name, Arc::clone(&claims), limits.clone(), seen, pause.clone());
        let keeper = Arc::new(keeper);
        let (sender, deliveries) = mpsc::channel(READ_AHEAD);
        let worker = Worker {
            name: name.to_owned(),
            folder: settings.path.clone(),
            max_attempts: places.max_attempts.get(),
            recognise,
            limits,
            claims,
            scanner,
            hints: hints.clone(),
            keeper: Arc::clone(&keeper),
            sender,
            outgoing: Vec::new(),
            outgoing_bytes: 0,
            until,
            pause: pause.clone(),
            failures: 0,
            left: Vec::new(),
            aside: Aside::default(),
            closed: None,
        };
        let keeping = Arc::clone(&keeper);
        let fail =
            |source| InboxError::Folder { what: "inbox", path: settings.path.clone(), source };
        let worker = thread::Builder::new()
            .name(format!("inbox-{name}"))
            .spawn(move || worker.run())
            .map_err(fail)?;
        let keeping = thread::Builder::new()
            .name(format!("keep-{name}"))
            .spawn(move || keeping.run())
            .map_err(fail)?;
        let threads = Some((worker, keeping));
        let arrived = VecDeque::new();
        Ok(Self { deliveries, arrived, hints, pause, keeper: Some(keeper), threads })
    }
}

#[async_trait]
impl Source for InboxSource {
    async fn next(&mut self) -> Result<Option<Delivery>, SourceError> {
        self.hints.start();
        while self.arrived.is_empty() {
            let Some(arrived) = self.deliveries.recv().await else { return Ok(None) };
            self.arrived = arrived.into();
        }
        Ok(self.arrived.pop_front().map(|(delivery, file)| {
            file.take();
            delivery
        }))
    }

    fn pause(&self) -> Pause {
        self.pause.clone()
    }

    async fn close(&mut self) -> Result<(), SourceError> {
        // Before anything goes back: the worker would take it up again.
        self.hints.stop();
        self.deliveries.close();
        // What was read and not taken goes back with its file.
        let mut arrived = std::mem::take(&mut self.arrived);
        loop {
            for (delivery, _) in arrived {
                delivery.receipt.settle(Outcome::Returned);
            }
            let Some(more) = self.deliveries.recv().await else { break };
            arrived = more.into();
        }
        let (Some(keeper), Some((worker, keeping))) = (self.keeper.take(), self.threads.take())
        else {
            return Ok(());
        };
        // The keeper last: what the worker has in hand until it ends must be moved back, too.
        let joined = task::spawn_blocking(move || {
            let ended = worker.join();
            keeper.finish();
            (ended, keeping.join())
        });
        let Ok((Ok(ended), Ok(kept))) = joined.await else {
            return Err(SourceError::new("a thread of the inbox ended early"));
        };
        ended.and(kept).map_err(SourceError::new)
    }
}

/// Locks; nothing that can panic runs under these locks, so a poisoned value is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
