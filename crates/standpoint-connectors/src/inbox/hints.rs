//! What the system reports of a folder: it makes the inbox faster, and may be wrong or lost.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::{info, warn};

use crate::meters::{self, Meter};

use super::Watch;
use super::claims::OWN_FOLDER;

/// How many reports are kept; after more, the folder is looked through.
const MOST_REPORTS: usize = 1024;

/// Each claim is reported, and to hear of many one by one costs as much as to make them. So after one
/// the reports gather for so long, and what has gathered may take so long to be heard.
const GATHER: Duration = Duration::from_millis(2);
const AT_ONCE: Duration = Duration::from_micros(200);

/// File systems that report nothing of what other machines do, by their numbers in `statfs`: NFS,
/// SMB in three ages, FUSE, 9p, Ceph, AFS.
const ON_NETWORK: [i64; 8] =
    [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546, 0x0102_1997, 0x00C3_6400, 0x5346_414F];

/// Whether a folder is on a file system of another machine, as far as the system tells.
pub(super) fn is_on_network(folder: &Path) -> bool {
    #[cfg(target_os = "linux")]
    if let Ok(status) = rustix::fs::statfs(folder) {
        #[expect(clippy::unnecessary_cast, reason = "the type differs between machines")]
        return ON_NETWORK.contains(&(status.f_type as i64));
    }
    false
}

/// What the system reports of a folder. Clones share what they hear.
#[derive(Debug, Clone)]
pub(super) struct Hints {
    heard: Arc<Heard>,
    watch: Watch,
}

#[derive(Debug, Default)]
struct Heard {
    state: Mutex<State>,
    changed: Condvar,
    /// `None` where the system does not watch.
    watcher: Mutex<Option<RecommendedWatcher>>,
}

#[derive(Debug, Default)]
struct State {
    taken: Taken,
    /// The folders below the inbox that are listened to.
    folders: HashSet<PathBuf>,
    started: bool,
    stopped: bool,
}

/// What was heard since the last time.
#[derive(Debug, Default, Clone)]
pub(super) struct Taken {
    /// Files that were moved in, or closed by their writer.
    pub(super) complete: Vec<PathBuf>,
    /// Files that a writer has open.
    writing: HashSet<PathBuf>,
    /// Renames of such files whose second half was not heard yet.
    moving: HashSet<usize>,
    /// Whether something happened that only a walk can find out.
    pub(super) rescan: bool,
}

impl Hints {
    /// Starts to listen; a folder that the system cannot watch is only looked through.
    pub(super) fn watch(folder: &Path, watch: Watch) -> Self {
        let hints = Self { heard: Arc::default(), watch };
        hints.watch_again(folder);
        hints
    }

    /// Listens to the folder that is there now, in place of one that is gone.
    pub(super) fn watch_again(&self, folder: &Path) {
        let watched = match self.watch {
            Watch::Poll => None,
            Watch::Auto if is_on_network(folder) => {
                info!(folder = %folder.display(), "not watched: on the network, only looked through");
                None
            }
            Watch::Auto | Watch::Inotify => self.listen(folder),
        };
        let is_watched = u64::from(watched.is_some());
        meters::set(Meter::Watched, &folder.to_string_lossy(), is_watched);
        self.heard.lock().folders.clear();
        *self.heard.watcher.lock().unwrap_or_else(PoisonError::into_inner) = watched;
    }

    fn listen(&self, folder: &Path) -> Option<RecommendedWatcher> {
        // Weak, or what is heard would keep the watcher and the watcher what is heard.
        let hearing = Arc::downgrade(&self.heard);
        let mut gathered = Instant::now();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let is_claim = event.as_ref().is_ok_and(is_rename_away);
            if let Some(heard) = hearing.upgrade() {
                heard.note(event.ok());
            }
            if is_claim && gathered.elapsed() > AT_ONCE {
                thread::sleep(GATHER);
                gathered = Instant::now();
            }
        })
        .and_then(|mut watcher| {
            // Not what lies below, for there is our own folder, in which each claim is a folder: to
            // listen to all of them costs more than all else that is done with a file.
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watcher.inspect_err(|error| {
            warn!(folder = %folder.display(), error = %error, "not watched, only looked through");
        });
        watcher.ok()
    }

    /// Listens to a folder below the inbox, too; call it before the folder is looked through.
    pub(super) fn watch_below(&self, folder: &Path) {
        let is_new = self.heard.lock().folders.insert(folder.to_owned());
        // Not under the lock of what is heard: the watcher may be waiting for it.
        let mut watcher = self.heard.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watcher) = watcher.as_mut().filter(|_| is_new)
            && let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
        {
            warn!(folder = %folder.display(), error = %error, "not watched, only looked through");
        }
    }

    /// Takes what was heard; files that are being written stay.
    pub(super) fn take(&self) -> Taken {
        let mut state = self.heard.lock();
        let complete = std::mem::take(&mut state.taken.complete);
        let rescan = std::mem::take(&mut state.taken.rescan);
        Taken { complete, rescan, ..Taken::default() }
    }

    /// Whether a writer has a file open, as far as was heard.
    pub(super) fn is_written(&self, path: &Path) -> bool {
        self.heard.lock().taken.writing.contains(path)
    }

    /// Waits for `time`, or until every wait is to end.
    pub(super) fn pause(&self, time: Duration) {
        let state = self.heard.lock();
        drop(self.heard.changed.wait_timeout_while(state, time, |state| !state.stopped));
    }

    /// Waits until something is heard, but no longer than `longest`.
    pub(super) fn wait(&self, longest: Duration) {
        let state = self.heard.lock();
        let nothing = |state: &mut State| {
            state.taken.complete.is_empty() && !state.taken.rescan && !state.stopped
        };
        drop(self.heard.changed.wait_timeout_while(state, longest, nothing));
    }

    /// Lets the inbox be looked into, now that somebody takes what is found.
    pub(super) fn start(&self) {
        let mut state = self.heard.lock();
        if !state.started {
            state.started = true;
            drop(state);
            self.heard.changed.notify_all();
        }
    }

    /// Waits until somebody takes what is found: an attempt that nobody can make must not count.
    pub(super) fn wait_for_start(&self) {
        let state = self.heard.lock();
        let is_early = |state: &mut State| !state.started && !state.stopped;
        drop(self.heard.changed.wait_while(state, is_early));
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
        let State { taken, folders, .. } = &mut *state;
        let Some(event) = event.filter(|event| !event.need_rescan()) else {
            *taken = Taken {
                rescan: true,
                complete: std::mem::take(&mut taken.complete),
                ..Taken::default()
            };
            self.changed.notify_all();
            return;
        };
        let is_ours = |path: &Path| path.iter().any(|part| part == OWN_FOLDER);
        let rename = event.tracker();
        let paths = event.paths.into_iter().filter(|path| !is_ours(path));
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                for path in paths {
                    taken.writing.remove(&path);
                    taken.complete.push(path);
                }
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                // Who renames a file that he still writes to has not finished it.
                let is_open = rename.is_some_and(|rename| taken.moving.remove(&rename));
                if is_open {
                    taken.writing.extend(paths);
                } else {
                    taken.complete.extend(paths);
                }
            }
            // A walk listens to it and finds what came before.
            EventKind::Create(CreateKind::Folder) => taken.rescan |= paths.count() > 0,
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_)) => {
                taken.writing.extend(paths);
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                for path in paths {
                    folders.remove(&path);
                    if taken.writing.remove(&path) {
                        taken.moving.extend(rename);
                    }
                }
            }
            EventKind::Remove(_) => {
                for path in paths {
                    taken.writing.remove(&path);
                    folders.remove(&path);
                }
            }
            _ => return,
        }
        // A burst: a walk finds all of it.
        let is_much = taken.writing.len().max(taken.moving.len()) > 16 * MOST_REPORTS;
        if taken.complete.len() > MOST_REPORTS || is_much {
            *taken = Taken { rescan: true, ..Taken::default() };
        }
        if !taken.complete.is_empty() || taken.rescan {
            self.changed.notify_all();
        }
    }
}

/// Whether a file was renamed or moved away, as a claim does.
fn is_rename_away(event: &Event) -> bool {
    event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::From))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;

    /// What is heard of what was just done, whatever the system tells first.
    fn heard(hints: &Hints, is_there: impl Fn(&Taken) -> bool) -> bool {
        (0..50).any(|_| {
            hints.wait(Duration::from_millis(200));
            is_there(&hints.take())
        })
    }

    #[test]
    fn folders_below_are_heard_once_they_are_met_and_our_own_never() {
        let folder = tempfile::tempdir().unwrap();
        let (own, below) = (folder.path().join(OWN_FOLDER), folder.path().join("desk"));
        fs::create_dir(&own).unwrap();
        let hints = Hints::watch(folder.path(), Watch::Inotify);
        fs::create_dir(&below).unwrap();
        assert!(heard(&hints, |taken| taken.rescan), "a new folder asks for a walk");

        // Again and again, as each walk does.
        for name in ["one.txt", "two.txt"] {
            hints.watch_below(&below);
            fs::write(own.join(name), "ours").unwrap();
            fs::write(below.join(name), "news").unwrap();
            let file = below.join(name);
            assert!(heard(&hints, |taken| taken.complete == [file.clone()]), "{name}");
        }

        // One that went and came again is another.
        fs::remove_dir_all(&below).unwrap();
        fs::create_dir(&below).unwrap();
        assert!(heard(&hints, |taken| taken.rescan), "a folder that came again");
        hints.watch_below(&below);
        fs::write(below.join("three.txt"), "news").unwrap();
        let file = below.join("three.txt");
        assert!(heard(&hints, |taken| taken.complete.contains(&file)), "three.txt");
    }
}
