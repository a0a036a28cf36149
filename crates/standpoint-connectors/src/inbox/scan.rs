//! Finds complete files: looking through the folder is the truth, what the system reports of it
//! only makes it faster.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::{info, warn};

use super::claims::OWN_FOLDER;
use super::{InboxError, InboxSettings};

/// How many files one look through the folder brings at most, so that a folder with a million
/// files is never listed into memory.
const MOST_AT_ONCE: usize = 1024;

/// How long a file that its writer has open may stay unchanged before it is taken all the same:
/// the report of its closing may have been lost.
const WRITER_FORGOTTEN: Duration = Duration::from_mins(1);

/// Endings of files that are still being written, by custom.
const DRAFTS: [&str; 5] = [".tmp", ".part", ".partial", ".crdownload", "~"];

/// Looks through a folder.
#[derive(Debug)]
pub(super) struct Scanner {
    folder: PathBuf,
    include: GlobSet,
    ignore: GlobSet,
    settle: Duration,
    every: Duration,
    /// Files that were seen and not yet unchanged for long enough.
    settling: HashMap<PathBuf, Seen>,
    /// What was reported as no file, so that it is reported once.
    reported: HashSet<PathBuf>,
    last_walk: Option<Instant>,
    /// Whether the last walk stopped at [`MOST_AT_ONCE`].
    has_more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    length: u64,
    modified: Option<SystemTime>,
    since: Instant,
}

/// What a look through the folder brought.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Complete files, by their paths below the folder.
    pub(super) ready: Vec<PathBuf>,
    /// How long until the next of the others may be.
    pub(super) settling: Option<Duration>,
}

impl Scanner {
    pub(super) fn new(settings: &InboxSettings) -> Result<Self, InboxError> {
        Ok(Self {
            folder: settings.path.clone(),
            include: patterns(&settings.include)?,
            ignore: patterns(&settings.ignore)?,
            settle: settings.settle,
            every: settings.scan_every,
            settling: HashMap::new(),
            reported: HashSet::new(),
            last_walk: None,
            has_more: false,
        })
    }

    /// How often the folder is to be looked through.
    pub(super) const fn every(&self) -> Duration {
        self.every
    }

    /// Gives the files that hints call complete, and those that a walk finds if one is due.
    ///
    /// - `always_walk`: whether a walk is due in any case.
    pub(super) fn scan(&mut self, hints: &Taken, always_walk: bool) -> Found {
        let mut found = Found::default();
        for path in &hints.complete {
            let Ok(relative) = path.strip_prefix(&self.folder) else { continue };
            let metadata = fs::symlink_metadata(path);
            let is_file = metadata.is_ok_and(|metadata| metadata.is_file());
            if is_file && self.is_wanted(relative) {
                self.settling.remove(relative);
                found.ready.push(relative.to_owned());
            }
        }
        let is_due = self.last_walk.is_none_or(|last| last.elapsed() >= self.every)
            || hints.rescan
            || self.has_more
            || !self.settling.is_empty();
        if always_walk || is_due {
            self.walk(hints, &mut found);
        }
        found
    }

    fn walk(&mut self, hints: &Taken, found: &mut Found) {
        self.last_walk = Some(Instant::now());
        self.has_more = false;
        let mut seen = HashMap::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(below) = folders.pop() {
            let entries = match fs::read_dir(self.folder.join(&below)) {
                Ok(entries) => entries,
                Err(error) => {
                    let folder = self.folder.join(&below);
                    warn!(folder = %folder.display(), error = %error, "cannot look into a folder");
                    continue;
                }
            };
            for entry in entries.flatten() {
                let relative = below.join(entry.file_name());
                // Does not follow links.
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    if relative != Path::new(OWN_FOLDER) && !is_hidden(&relative) {
                        folders.push(relative);
                    }
                } else if !metadata.is_file() {
                    self.report(&relative);
                } else if self.is_wanted(&relative) {
                    self.look_at(relative, &metadata, hints, &mut seen, found);
                    if found.ready.len() >= MOST_AT_ONCE {
                        self.has_more = true;
                        self.settling.extend(seen);
                        return;
                    }
                }
            }
        }
        self.settling = seen;
    }

    /// Decides whether a file is complete, or since when it has been as it is.
    fn look_at(
        &self,
        relative: PathBuf,
        metadata: &Metadata,
        hints: &Taken,
        seen: &mut HashMap<PathBuf, Seen>,
        found: &mut Found,
    ) {
        if found.ready.contains(&relative) {
            return;
        }
        let now = Instant::now();
        let modified = metadata.modified().ok();
        let is_open = hints.writing.contains(&self.folder.join(&relative));
        // By the clock of the file system; a time in the future says nothing.
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if !is_open && age.is_some_and(|age| age >= self.settle) {
            found.ready.push(relative);
            return;
        }
        let length = metadata.len();
        let since = match self.settling.get(&relative) {
            Some(known) if known.length == length && known.modified == modified => known.since,
            _ => now,
        };
        let needed = if is_open { WRITER_FORGOTTEN.max(self.settle) } else { self.settle };
        let left = needed.saturating_sub(now.duration_since(since));
        if left.is_zero() {
            found.ready.push(relative);
            return;
        }
        found.settling = Some(found.settling.map_or(left, |shortest| shortest.min(left)));
        seen.insert(relative, Seen { length, modified, since });
    }

    fn is_wanted(&self, relative: &Path) -> bool {
        let name = relative.file_name().unwrap_or_default().to_string_lossy();
        let is_draft = DRAFTS.iter().any(|ending| name.ends_with(ending));
        !is_draft
            && !is_hidden(relative)
            && !relative.starts_with(OWN_FOLDER)
            && self.include.is_match(relative)
            && !self.ignore.is_match(relative)
    }

    fn report(&mut self, relative: &Path) {
        if self.reported.len() < MOST_AT_ONCE && self.reported.insert(relative.to_owned()) {
            warn!(path = ?relative, "left alone: it is a link, pipe, socket or device");
        }
    }
}

fn is_hidden(relative: &Path) -> bool {
    relative.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn patterns(texts: &[String]) -> Result<GlobSet, InboxError> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let fail = |source| InboxError::Pattern { pattern: text.clone(), source };
        set.add(GlobBuilder::new(text).literal_separator(true).build().map_err(fail)?);
    }
    set.build().map_err(|source| InboxError::Pattern { pattern: texts.join(", "), source })
}

/// What the system reports of a folder. Clones share what they hear.
#[derive(Debug, Clone)]
pub(super) struct Hints {
    heard: Arc<Heard>,
    /// Stops to watch when the last clone goes; `None` where the system does not watch.
    _watcher: Option<Arc<RecommendedWatcher>>,
}

#[derive(Debug, Default)]
struct Heard {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: Taken,
    stopped: bool,
}

/// What was heard since the last time.
#[derive(Debug, Default, Clone)]
pub(super) struct Taken {
    /// Files that were moved in, or closed by their writer.
    complete: Vec<PathBuf>,
    /// Files that a writer has open.
    writing: HashSet<PathBuf>,
    /// Whether something happened that only a walk can find out.
    rescan: bool,
}

impl Hints {
    /// Starts to listen; a folder that the system cannot watch is only looked through.
    pub(super) fn watch(folder: &Path) -> Self {
        let heard = Arc::new(Heard::default());
        let hearing = Arc::clone(&heard);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            hearing.note(event.ok());
        })
        .and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::Recursive)?;
            Ok(Arc::new(watcher))
        });
        let watcher = watcher.inspect_err(|error| {
            info!(folder = %folder.display(), error = %error, "not watched, only looked through");
        });
        Self { heard, _watcher: watcher.ok() }
    }

    /// Takes what was heard; files that are being written stay.
    pub(super) fn take(&self) -> Taken {
        let mut state = self.heard.lock();
        let complete = std::mem::take(&mut state.taken.complete);
        let rescan = std::mem::take(&mut state.taken.rescan);
        Taken { complete, writing: state.taken.writing.clone(), rescan }
    }

    /// Waits until something is heard, but no longer than `longest`.
    pub(super) fn wait(&self, longest: Duration) {
        let state = self.heard.lock();
        let nothing = |state: &mut State| {
            state.taken.complete.is_empty() && !state.taken.rescan && !state.stopped
        };
        drop(self.heard.changed.wait_timeout_while(state, longest, nothing));
    }

    /// Ends every wait, now and later.
    pub(super) fn stop(&self) {
        self.heard.lock().stopped = true;
        self.heard.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.heard.lock().stopped
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an event; `None` is one that the system lost.
    fn note(&self, event: Option<Event>) {
        let mut state = self.lock();
        let taken = &mut state.taken;
        let Some(event) = event.filter(|event| !event.need_rescan()) else {
            taken.rescan = true;
            taken.writing.clear();
            self.changed.notify_all();
            return;
        };
        let is_ours = |path: &Path| path.iter().any(|part| part == OWN_FOLDER);
        let paths = event.paths.into_iter().filter(|path| !is_ours(path));
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                for path in paths {
                    taken.writing.remove(&path);
                    taken.complete.push(path);
                }
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => taken.complete.extend(paths),
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_)) => {
                taken.writing.extend(paths);
            }
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                for path in paths {
                    taken.writing.remove(&path);
                }
            }
            _ => return,
        }
        // A burst: a walk finds all of it.
        if taken.complete.len() > MOST_AT_ONCE || taken.writing.len() > 16 * MOST_AT_ONCE {
            taken.complete.clear();
            taken.writing.clear();
            taken.rescan = true;
        }
        if !taken.complete.is_empty() || taken.rescan {
            self.changed.notify_all();
        }
    }
}
