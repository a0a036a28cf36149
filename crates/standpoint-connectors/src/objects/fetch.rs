//! Looks through a bucket again and again, and fetches what is new into the spool.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use object_store::{GetOptions, ObjectMeta, ObjectStore};
use standpoint_engine::Pause;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::listing::{Listed, Listing};
use super::place::Place;
use super::spool::Spool;
use crate::failpoint;
use crate::files::with_causes;
use crate::formats::Format;
use crate::inbox::Wanted;
use crate::ledger::ids::id_of;
use crate::ledger::memory::Memory;

/// How long to wait until room is looked for again.
const ROOM_EVERY: Duration = Duration::from_millis(100);

/// How long to wait after a failed look: at first, and at most.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];

/// How often a look may fail before a source that is to end gives up.
const MOST_FAILURES: u32 = 5;

/// How many objects may fail one behind the other before the look is given up: then it is hardly
/// for the objects.
const MOST_FAILED_OBJECTS: u32 = 5;

/// Of how many objects that are passed over the log tells.
const MOST_REPORTED: usize = 512;

/// How far a fetcher is, for whoever reads what it fetches.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Whether nothing more will be fetched.
    pub(super) is_over: Arc<AtomicBool>,
    failure: Mutex<Option<String>>,
}

impl Feed {
    /// Why it gave up, if it did.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Fetches objects.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) spool: Spool,
    pub(super) wanted: Wanted,
    /// The versions of objects that were fetched.
    pub(super) memory: Memory,
    /// How many objects are remembered for certain.
    pub(super) most_objects: u64,
    pub(super) max_object_bytes: u64,
    /// Objects that were passed over and told of, so that each is told of once.
    pub(super) reported: HashSet<String>,
    pub(super) poll_every: Duration,
    pub(super) until_drained: bool,
    pub(super) pause: Pause,
    pub(super) feed: Arc<Feed>,
}

/// Why a look through the bucket ended early, or an object was not fetched.
#[derive(Debug, Error)]
enum FetchError {
    #[error("cannot look through {place}: is it there, and may we read it?")]
    List { place: String, source: object_store::Error },

    #[error("cannot fetch {key}")]
    Get { key: String, source: object_store::Error },

    #[error("{key} has {found} bytes and was listed with {expected}")]
    Length { key: String, found: u64, expected: u64 },

    #[error("cannot keep {key} on this machine")]
    Keep { key: String, source: io::Error },

    #[error("cannot note that {key} was fetched")]
    Note { key: String, source: io::Error },

    #[error(
        "{place} holds more than the {most} objects that are remembered, and others would be \
         fetched again: raise `retention.ledger.max_documents`, or name a longer prefix"
    )]
    TooMany { place: String, most: u64 },

    #[error("{failed} objects could not be fetched, and are tried again; the first: {first}")]
    Some { failed: u64, first: String },
}

impl FetchError {
    /// Whether the object is gone or another: the next look shows what there is.
    fn is_changed(&self) -> bool {
        use object_store::Error::{NotFound, Precondition};
        match self {
            Self::Get { source, .. } => matches!(source, NotFound { .. } | Precondition { .. }),
            Self::Length { .. } => true,
            _ => false,
        }
    }

    /// Whether no file can have this name.
    fn is_of_the_name(&self) -> bool {
        let Self::Keep { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput)
    }
}

impl Fetcher {
    /// Fetches until a stop is asked for, or everything is there if that is the end.
    pub(super) async fn run(mut self, stop: oneshot::Receiver<()>) {
        let feed = Arc::clone(&self.feed);
        tokio::select! {
            biased;
            _ = stop => {}
            () = self.rounds() => {}
        }
        feed.is_over.store(true, Ordering::Release);
    }

    async fn rounds(&mut self) {
        let mut failures: u32 = 0;
        loop {
            let Err(error) = self.round().await else {
                failures = 0;
                self.pause.set("objects", None);
                if self.until_drained {
                    return;
                }
                sleep(self.poll_every).await;
                continue;
            };
            let error = with_causes(&error);
            self.pause.set("objects", Some(error.clone()));
            failures = failures.saturating_add(1);
            if self.until_drained && failures >= MOST_FAILURES {
                *self.feed.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
            let pause = (RETRY_AFTER[0] * (1 << (failures - 1).min(16))).min(RETRY_AFTER[1]);
            if failures.is_power_of_two() {
                warn!(source = self.name, error, failures, ?pause, "the source of objects waits");
            }
            sleep(pause).await;
        }
    }

    /// Looks through the bucket once.
    async fn round(&mut self) -> Result<(), FetchError> {
        let place = self.place.clone();
        self.memory
            .save()
            .map_err(|source| FetchError::Note { key: "an object".to_owned(), source })?;
        let mut listing = Listing::of(&place);
        let (mut listed, mut fetched, mut failed, mut in_a_row) = (0, 0_u64, 0, 0);
        let mut first = String::new();
        while let Some(next) = listing.next().await {
            let next =
                next.map_err(|source| FetchError::List { place: place.to_string(), source })?;
            listed += 1;
            if listed > self.most_objects {
                let (place, most) = (place.to_string(), self.most_objects);
                return Err(FetchError::TooMany { place, most });
            }
            let object = match next {
                Listed::Object(object) => object,
                Listed::Unreadable(key) => {
                    self.pass_over(&key, "its key is no path");
                    continue;
                }
            };
            let Some(relative) = self.relative(&object) else { continue };
            if object.size > self.max_object_bytes {
                let (found, most) = (object.size, self.max_object_bytes);
                let reason = format!("it has {found} bytes and `max_object_bytes` is {most}");
                self.pass_over(&relative, &reason);
                continue;
            }
            let id = id_of(&version_of(&object));
            if self.memory.contains(&id) {
                continue;
            }
            match self.fetch(&object, &relative).await {
                Ok(()) => {
                    fetched += 1;
                    failpoint::reached("object fetched");
                }
                Err(error) if error.is_changed() => {
                    debug!(source = self.name, error = with_causes(&error), "looked at later");
                    continue;
                }
                Err(error) if error.is_of_the_name() => {
                    self.pass_over(&relative, "no file can be called so");
                }
                Err(error) => {
                    failed += 1;
                    in_a_row += 1;
                    if first.is_empty() {
                        first = with_causes(&error);
                    }
                    if in_a_row == MOST_FAILED_OBJECTS {
                        return Err(error);
                    }
                    continue;
                }
            }
            in_a_row = 0;
            self.memory
                .add(&[id], None)
                .map_err(|source| FetchError::Note { key: relative, source })?;
        }
        if fetched > 0 {
            info!(source = self.name, objects = fetched, "fetched new objects");
        }
        if failed > 0 { Err(FetchError::Some { failed, first }) } else { Ok(()) }
    }

    /// Tells of an object that is not read.
    fn pass_over(&mut self, key: &str, reason: &str) {
        if self.reported.len() < MOST_REPORTED && self.reported.insert(key.to_owned()) {
            warn!(source = self.name, key = ?key, reason, "passed over an object");
        }
    }

    /// The path below the prefix of an object that is to be read; `None` for any other.
    fn relative(&self, object: &ObjectMeta) -> Option<String> {
        let parts = object.location.prefix_match(&self.place.prefix)?;
        let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
        let relative = parts.join("/");
        // A bucket is not ours alone: what is no document for an inbox is left alone here.
        let is_read = !relative.is_empty()
            && self.wanted.covers(relative.as_ref())
            && Format::of_path(&relative).is_ok();
        is_read.then_some(relative)
    }

    /// Fetches one object into the inbox.
    async fn fetch(&self, object: &ObjectMeta, relative: &str) -> Result<(), FetchError> {
        let key = || relative.to_owned();
        let keep = |source| FetchError::Keep { key: key(), source };
        let get = |source| FetchError::Get { key: key(), source };
        while !self.spool.has_room().map_err(keep)? {
            sleep(ROOM_EVERY).await;
        }
        let options = GetOptions::new().with_if_match(object.e_tag.clone());
        let store = &self.place.store;
        let got = store.get_opts(&object.location, options).await.map_err(get)?;
        let mut stream = got.into_stream();
        let mut draft = self.spool.draft().map_err(keep)?;
        let mut found = 0;
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(get)?;
            found += bytes.len() as u64;
            draft.write_all(&bytes).map_err(keep)?;
        }
        if found != object.size {
            return Err(FetchError::Length { key: key(), found, expected: object.size });
        }
        self.spool.put(draft, relative).map_err(keep)
    }
}

/// What tells a version of an object from another.
fn version_of(object: &ObjectMeta) -> String {
    let tag = object.e_tag.clone().unwrap_or_else(|| object.last_modified.to_rfc3339());
    format!("{}\n{}\n{tag}", object.location, object.size)
}
