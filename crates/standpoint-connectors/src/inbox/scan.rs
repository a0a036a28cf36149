//! Finds complete files by looking through the folder, which is the truth; what the system reports
//! of it only makes it faster.
//!
//! The folder is read as a stream that stops when enough was found and goes on from there the next
//! time. So a million files that wait are never listed into memory, and looking through them costs
//! once for each file.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::Dir;
use tracing::{info, warn};

use super::below::Like;
use super::claims::Claims;
use super::hints::{Hints, is_on_network};
use super::home::OWN_FOLDER;
use super::wanted::{Wanted, is_hidden};
use super::{InboxError, InboxSettings, Marker};

/// How many files one look through the folder brings at most.
const MOST_AT_ONCE: usize = 512;

/// How many files may settle at once. What is beyond is looked at in the next round.
const MOST_SETTLING: usize = 1 << 14;

/// How deep folders may nest below the inbox: each level keeps one of them open.
pub(super) const MOST_DEEP: usize = 32;

/// How many times as long as a walk takes the next one waits at least, where nothing is heard or
/// settles: an inbox of a hundred thousand folders must not keep a core busy.
const REST: u32 = 20;

/// How long a file that its writer has open may stay unchanged before it is taken all the same:
/// the report of its closing may have been lost.
const WRITER_FORGOTTEN: Duration = Duration::from_mins(1);

/// How long a file must be unchanged where the pipeline file does not say: here, and on a file
/// system of another machine, which shows a change later.
const USUAL_SETTLE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// Looks through a folder.
#[derive(Debug)]
pub(super) struct Scanner {
    folder: PathBuf,
    wanted: Arc<Wanted>,
    marker: Option<Marker>,
    settle: Duration,
    every: Duration,
    claims: Arc<Claims>,
    /// Files that were seen and not yet unchanged for long enough.
    settling: HashMap<PathBuf, Seen>,
    /// What was reported, so that it is reported once.
    reported: HashSet<PathBuf>,
    walk: Option<Walk>,
    last_walk: Option<Instant>,
    /// How long the last walk took that came to its end, without what was done with its files.
    walked_for: Duration,
    /// Which folder the inbox is; `None` while it cannot be looked into.
    identity: Option<(u64, u64)>,
    /// Whom the program runs as.
    user: u32,
}

/// A look through the folder that is under way.
#[derive(Debug)]
struct Walk {
    /// The folder that is read now, and those above it.
    folders: Vec<(PathBuf, Dir)>,
    seen: HashMap<PathBuf, Seen>,
    /// How long until the next of those that settle may be complete.
    shortest: Option<Duration>,
    took: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    length: u64,
    modified: (i64, u64),
    since: Instant,
}

/// What a look through the folder brought.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Complete files, by their paths below the folder.
    pub(super) ready: Vec<PathBuf>,
    /// How long until the next of the others may be.
    pub(super) settling: Option<Duration>,
    /// Whether the look stopped before its end.
    pub(super) has_more: bool,
}

impl Scanner {
    pub(super) fn new(settings: &InboxSettings, claims: Arc<Claims>) -> Result<Self, InboxError> {
        let [here, on_network] = USUAL_SETTLE;
        let settle = settings.settle.unwrap_or_else(|| {
            if is_on_network(&settings.path) {
                info!(settle = ?on_network, "files on the network settle longer");
                return on_network;
            }
            here
        });
        Ok(Self {
            folder: settings.path.clone(),
            wanted: Arc::new(Wanted::of(
                &settings.include,
                &settings.ignore,
                settings.complete_marker.clone(),
            )?),
            marker: settings.complete_marker.clone(),
            settle,
            every: settings.scan_every,
            claims,
            settling: HashMap::new(),
            reported: HashSet::new(),
            walk: None,
            last_walk: None,
            walked_for: Duration::ZERO,
            identity: identity_of(&settings.path).ok(),
            user: rustix::process::geteuid().as_raw(),
        })
    }

    /// Which files it takes.
    pub(super) fn wanted(&self) -> Arc<Wanted> {
        Arc::clone(&self.wanted)
    }

    /// How often the folder is to be looked through.
    pub(super) const fn every(&self) -> Duration {
        self.every
    }

    /// Gives the files that hints call complete, and those that a walk finds if one is due.
    ///
    /// - `always_walk`: whether a walk is due in any case.
    ///
    /// # Errors
    ///
    /// What may pass, such as too few descriptors; an inbox that is gone is told of once, and
    /// waited for.
    pub(super) fn scan(&mut self, hints: &Hints, always_walk: bool) -> io::Result<Found> {
        let heard = hints.take();
        let mut ready = HashSet::new();
        let mut has_folder = false;
        for path in &heard.complete {
            let Ok(relative) = path.strip_prefix(&self.folder) else { continue };
            let Ok(like) = self.claims.inbox().like(relative) else { continue };
            has_folder |= like.kind.is_dir();
            if like.kind.is_file()
                && self.wanted.covers(relative)
                && self.may_be_taken(relative, &like)
            {
                self.settling.remove(relative);
                ready.insert(relative.to_owned());
            }
        }
        let rest = self.every.max(self.walked_for * REST);
        let is_due = self.last_walk.is_none_or(|last| last.elapsed() >= rest)
            || heard.rescan
            || has_folder
            || !self.settling.is_empty();
        if self.walk.is_none() && (always_walk || is_due) {
            self.begin(hints)?;
        }
        let mut found = Found::default();
        if self.walk.is_some() {
            self.go_on(hints, &mut ready, &mut found)?;
        }
        found.ready = ready.into_iter().collect();
        // In the order of their names, as far as one look goes.
        found.ready.sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
        Ok(found)
    }

    /// Begins a walk, if the folder is there.
    fn begin(&mut self, hints: &Hints) -> io::Result<()> {
        self.last_walk = Some(Instant::now());
        let identity = match identity_of(&self.folder) {
            Ok(identity) => identity,
            Err(error) if super::worker::may_pass(&error) => return Err(error),
            Err(error) => {
                if self.identity.take().is_some() {
                    let folder = self.folder.display();
                    warn!(%folder, error = %error, "cannot look into the inbox, and waits for it");
                }
                return Ok(());
            }
        };
        if self.identity != Some(identity) {
            info!(folder = %self.folder.display(), "the inbox is there again");
            self.claims.renew()?;
            hints.watch_again(&self.folder);
            self.identity = Some(identity);
        }
        let entries = self.claims.inbox().entries(Path::new(""))?;
        let folders = vec![(PathBuf::new(), entries)];
        self.walk =
            Some(Walk { folders, seen: HashMap::new(), shortest: None, took: Duration::ZERO });
        Ok(())
    }

    /// Walks until enough is found or the folder ends.
    fn go_on(
        &mut self,
        hints: &Hints,
        ready: &mut HashSet<PathBuf>,
        found: &mut Found,
    ) -> io::Result<()> {
        let Some(mut walk) = self.walk.take() else { return Ok(()) };
        let begun = Instant::now();
        while let Some((below, entries)) = walk.folders.last_mut() {
            if ready.len() >= MOST_AT_ONCE {
                found.has_more = true;
                found.settling = walk.shortest;
                walk.took += begun.elapsed();
                self.walk = Some(walk);
                return Ok(());
            }
            let Some(Ok(entry)) = entries.next() else {
                walk.folders.pop();
                continue;
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let relative = below.join(name);
            // What was taken in the meantime is not there any more.
            let like =
                entries.fd().map_err(io::Error::from).and_then(|at| Like::of_entry(at, name));
            let Ok(like) = like else { continue };
            if like.kind.is_dir() {
                self.enter(relative, hints, &mut walk)?;
                continue;
            }
            if !self.wanted.covers(&relative) {
                continue;
            }
            if !like.kind.is_file() {
                self.report(&relative, "it is a link, pipe, socket or device");
            } else if self.may_be_taken(&relative, &like)
                && self.is_complete(&relative, &like, hints, &mut walk)
            {
                ready.insert(relative);
            }
        }
        found.settling = walk.shortest;
        self.walked_for = walk.took + begun.elapsed();
        self.settling = walk.seen;
        Ok(())
    }

    fn enter(&mut self, relative: PathBuf, hints: &Hints, walk: &mut Walk) -> io::Result<()> {
        if relative == Path::new(OWN_FOLDER) || is_hidden(&relative) {
            return Ok(());
        }
        if walk.folders.len() >= MOST_DEEP {
            self.report(&relative, "it lies too deep below the inbox");
            return Ok(());
        }
        hints.watch_below(&self.folder.join(&relative));
        match self.claims.inbox().entries(&relative) {
            Ok(entries) => walk.folders.push((relative, entries)),
            Err(error) if super::worker::may_pass(&error) => return Err(error),
            Err(error) => self.report(&relative, &error.to_string()),
        }
        Ok(())
    }

    /// Whether a file is neither one that was kept, nor closed to this user.
    fn may_be_taken(&mut self, relative: &Path, like: &Like) -> bool {
        if self.claims.is_kept(like) {
            return false;
        }
        let inbox = self.claims.inbox();
        if let Some(marker) = &self.marker
            && inbox.like(&marker.of(relative)).is_err()
        {
            return false;
        }
        if !like.is_readable_by_its_owner(self.user)
            && inbox.is_readable(relative).is_ok_and(|is_readable| !is_readable)
        {
            self.report(relative, "this user may not read it");
            return false;
        }
        true
    }

    /// Decides whether a file is complete, or notes since when it has been as it is.
    fn is_complete(&self, relative: &Path, like: &Like, hints: &Hints, walk: &mut Walk) -> bool {
        if self.marker.is_some() {
            return true;
        }
        let now = Instant::now();
        let is_open = hints.is_written(&self.folder, relative);
        if !is_open && like.age().is_some_and(|age| age >= self.settle) {
            return true;
        }
        let (length, modified) = (like.length, like.modified);
        let since = match self.settling.get(relative) {
            Some(known) if known.length == length && known.modified == modified => known.since,
            _ => now,
        };
        let needed = if is_open { WRITER_FORGOTTEN.max(self.settle) } else { self.settle };
        let left = needed.saturating_sub(now.duration_since(since));
        if left.is_zero() {
            return true;
        }
        walk.shortest = Some(walk.shortest.map_or(left, |shortest| shortest.min(left)));
        if walk.seen.len() < MOST_SETTLING {
            walk.seen.insert(relative.to_owned(), Seen { length, modified, since });
        }
        false
    }

    /// Tells of a file that is left alone, once.
    pub(super) fn report(&mut self, relative: &Path, reason: &str) {
        if self.reported.len() < MOST_AT_ONCE && self.reported.insert(relative.to_owned()) {
            warn!(path = ?relative, reason, "left alone");
        }
    }
}

/// Tells a folder from another that took its place.
fn identity_of(folder: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(folder)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use serde_json::json;

    use super::super::claims::{Fate, Taken};
    use super::super::home::lock_file;
    use super::super::{Places, Recognise};
    use super::*;
    use crate::ledger::Ledger;
    use crate::ledger::memory::Window;

    #[test]
    fn a_folder_that_goes_and_comes_back_is_read_on_and_stays_locked() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("in")).unwrap();
        let settings = json!({
            "path": at("in"), "watch": "poll", "settle": "0s", "on_success": { "archive": at("done") },
        });
        let settings: InboxSettings = serde_json::from_value(settings).unwrap();
        let places = Places {
            instance: "0123456789abcdef".to_owned(),
            quarantine: at("quarantine"),
            max_attempts: NonZeroU32::MIN,
            sync: false,
            ledger: Ledger::new(&at("state"), Window::default()),
            recognise: Recognise::Id,
        };
        let claims = Arc::new(Claims::open("news", &settings, &places, None).unwrap());
        let mut scanner = Scanner::new(&settings, Arc::clone(&claims)).unwrap();
        let hints = Hints::watch(&settings.path, settings.watch);
        let lock = lock_file(&at("in/.standpoint/claimed/0123456789abcdef/news")).unwrap();
        let mut claim = |name: &str| {
            fs::write(at("in").join(name), "Text.").unwrap();
            assert_eq!(scanner.scan(&hints, true).unwrap().ready, [Path::new(name)]);
            let Taken::Claimed(claim) = claims.claim(Path::new(name)).unwrap() else {
                panic!("{name} is not claimed");
            };
            fs::rename(at("in"), at("away")).unwrap();
            assert!(scanner.scan(&hints, true).unwrap().ready.is_empty());
            assert!(lock.try_lock().is_err(), "another could rob what is in work");
            fs::rename(at("away"), at("in")).unwrap();
            claim
        };
        // Both were in work while the folder was away, the second after it had been away before.
        for claim in ["a.txt", "b.txt"].map(&mut claim) {
            claims.settle(&claim, Fate::Done).unwrap();
        }
        assert!(at("done/a.txt").exists() && at("done/b.txt").exists());
        assert!(scanner.scan(&hints, true).unwrap().ready.is_empty());
        assert!(lock.try_lock().is_err(), "another could rob what is in work");
        drop((claims, scanner));
        lock.try_lock().unwrap();
    }
}
