//! What the system reports of a folder: it makes the inbox faster, and may be wrong or lost.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, Event, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tracing::{info, warn};

use crate::meters::{self, Meter};

use super::Watch;
use super::home::OWN_FOLDER;

/// How many reports are kept; after more, the folder is looked through.
const MOST_REPORTS: usize = 1024;

/// How many folders are listened to, the inbox among them, for each takes memory here and in the
/// system. The others are only looked through, which finds all that is in them.
const MOST_FOLDERS: usize = 4096;

/// Each claim is reported, and to hear of many one by one costs as much as to make them. So after
/// reports of claims alone the next ones gather for so long.
const GATHER: Duration = Duration::from_millis(2);

/// How many bytes of reports are heard at once: some hundreds of them.
const HEARD_BYTES: usize = 16 << 10;

/// What is reported of the names in a folder.
const REPORTED: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ONLYDIR);

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
    watcher: Mutex<Option<Watcher>>,
}

/// The folders that the system reports of.
#[derive(Debug)]
struct Watcher {
    reports: Arc<OwnedFd>,
    inbox: i32,
    folders: HashMap<i32, PathBuf>,
    /// Folders that it does not report of, each told once.
    refused: HashSet<PathBuf>,
}

#[derive(Debug, Default)]
struct State {
    taken: Taken,
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
    moving: HashSet<u32>,
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
        *self.heard.watcher() = watched;
    }

    /// Not to what lies below the folder, for there is our own, in which each claim is a change.
    fn listen(&self, folder: &Path) -> Option<Watcher> {
        let listener = Arc::downgrade(&self.heard);
        let watcher = Watcher::of(folder).and_then(|watcher| {
            let (reports, inbox) = (Arc::clone(&watcher.reports), watcher.inbox);
            let hear = move || hear(&reports, inbox, &listener);
            thread::Builder::new().name("hints".to_owned()).spawn(hear)?;
            Ok(watcher)
        });
        watcher
            .inspect_err(|error| {
                let folder = folder.display();
                warn!(%folder, error = %error, "not watched, only looked through");
            })
            .ok()
    }

    /// Listens to a folder below the inbox, too; call it before the folder is looked through.
    pub(super) fn watch_below(&self, folder: &Path) {
        if let Some(watcher) = self.heard.watcher().as_mut() {
            watcher.add(folder);
        }
    }

    /// Takes what was heard; files that are being written stay.
    pub(super) fn take(&self) -> Taken {
        let mut state = self.heard.lock();
        let complete = std::mem::take(&mut state.taken.complete);
        let rescan = std::mem::take(&mut state.taken.rescan);
        Taken { complete, rescan, ..Taken::default() }
    }

    /// Whether a writer has the file at `relative` below `folder` open, as far as was heard.
    pub(super) fn is_written(&self, folder: &Path, relative: &Path) -> bool {
        let writing = &self.heard.lock().taken.writing;
        !writing.is_empty() && writing.contains(&folder.join(relative))
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

    fn watcher(&self) -> MutexGuard<'_, Option<Watcher>> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a report.
    fn note(&self, event: &Event<'_>) {
        let kind = event.events();
        if kind.contains(ReadFlags::QUEUE_OVERFLOW) {
            // What is written to now is not known any more.
            let mut state = self.lock();
            let complete = std::mem::take(&mut state.taken.complete);
            state.taken = Taken { rescan: true, complete, ..Taken::default() };
            self.changed.notify_all();
            return;
        }
        if kind.contains(ReadFlags::IGNORED) {
            if let Some(watcher) = self.watcher().as_mut() {
                watcher.folders.remove(&event.wd());
            }
            return;
        }
        let is_folder = kind.contains(ReadFlags::ISDIR);
        if is_leaving(kind) && !is_folder && self.lock().taken.writing.is_empty() {
            return;
        }
        let Some(path) = self.path_of(event) else { return };
        if is_leaving(kind) && is_folder {
            if let Some(watcher) = self.watcher().as_mut() {
                watcher.remove(&path);
            }
            return;
        }
        let mut state = self.lock();
        let taken = &mut state.taken;
        if kind.contains(ReadFlags::CREATE) && is_folder {
            // A walk listens to it and finds what came before.
            taken.rescan = true;
        } else if kind.intersects(ReadFlags::CREATE | ReadFlags::MODIFY) {
            taken.writing.insert(path);
        } else if kind.contains(ReadFlags::CLOSE_WRITE) {
            taken.writing.remove(&path);
            taken.complete.push(path);
        } else if kind.contains(ReadFlags::MOVED_TO) {
            // Who renames a file that he still writes to has not finished it.
            if taken.moving.remove(&event.cookie()) {
                taken.writing.insert(path);
            } else {
                taken.complete.push(path);
            }
        } else if taken.writing.remove(&path) && kind.contains(ReadFlags::MOVED_FROM) {
            taken.moving.insert(event.cookie());
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

    /// What a report is about; `None` for a folder itself, for our own, and for what is not
    /// listened to any more.
    fn path_of(&self, event: &Event<'_>) -> Option<PathBuf> {
        let name = OsStr::from_bytes(event.file_name()?.to_bytes());
        let mut watcher = self.watcher();
        let folders = &mut watcher.as_mut()?.folders;
        (name != OWN_FOLDER).then(|| folders.get(&event.wd()).map(|folder| folder.join(name)))?
    }
}

impl Watcher {
    fn of(folder: &Path) -> io::Result<Self> {
        let reports = inotify::init(CreateFlags::CLOEXEC)?;
        let inbox = inotify::add_watch(&reports, folder, REPORTED)?;
        let folders = HashMap::from([(inbox, folder.to_owned())]);
        Ok(Self { reports: Arc::new(reports), inbox, folders, refused: HashSet::new() })
    }

    /// Has the system report of a folder, if it does not yet.
    fn add(&mut self, folder: &Path) {
        if self.folders.len() >= MOST_FOLDERS {
            return;
        }
        let flags = REPORTED | WatchFlags::DONT_FOLLOW;
        match inotify::add_watch(&*self.reports, folder, flags) {
            Ok(number) => drop(self.folders.insert(number, folder.to_owned())),
            Err(error) => {
                if self.refused.len() < MOST_FOLDERS && self.refused.insert(folder.to_owned()) {
                    let folder = folder.display();
                    warn!(%folder, error = %error, "not watched, only looked through");
                }
            }
        }
    }

    /// Has it report no more of a folder that is not where it was, nor of what lies below.
    fn remove(&mut self, folder: &Path) {
        self.folders.retain(|number, watched| {
            let is_gone = watched.starts_with(folder);
            if is_gone {
                // Fails for one that was deleted.
                let _ = inotify::remove_watch(&*self.reports, *number);
            }
            !is_gone
        });
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Which is reported, too, and ends the thread; where the folder is gone, that was reported.
        let _ = inotify::remove_watch(&*self.reports, self.inbox);
    }
}

/// Hears reports until none come of the inbox any more.
fn hear(reports: &OwnedFd, inbox: i32, listener: &Weak<Heard>) {
    let mut buffer = [MaybeUninit::uninit(); HEARD_BYTES];
    let mut reader = Reader::new(reports, &mut buffer);
    let mut are_claims = true;
    loop {
        let event = match reader.next() {
            Ok(event) => event,
            Err(Errno::INTR) => continue,
            Err(error) => {
                warn!(error = %error, "cannot hear what happens in an inbox, which is only looked through");
                return;
            }
        };
        if event.wd() == inbox && event.events().contains(ReadFlags::IGNORED) {
            return;
        }
        are_claims &= is_leaving(event.events());
        // Nobody asks any more.
        let Some(heard) = listener.upgrade() else { return };
        heard.note(&event);
        drop(heard);
        if reader.is_buffer_empty() {
            if are_claims {
                thread::sleep(GATHER);
            }
            are_claims = true;
        }
    }
}

/// Whether a name went away, as a claimed file's does.
const fn is_leaving(kind: ReadFlags) -> bool {
    kind.intersects(ReadFlags::MOVED_FROM.union(ReadFlags::DELETE))
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

    #[test]
    fn no_more_folders_are_listened_to_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let hints = Hints::watch(folder.path(), Watch::Inotify);
        for number in 0..=MOST_FOLDERS {
            let below = folder.path().join(number.to_string());
            fs::create_dir(&below).unwrap();
            hints.watch_below(&below);
        }
        assert_eq!(hints.heard.watcher().as_ref().unwrap().folders.len(), MOST_FOLDERS);
    }
}
