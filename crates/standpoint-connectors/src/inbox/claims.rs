//! Where a file is: in the inbox, claimed, archived or in quarantine. Every step is one rename.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Mode, RenameFlags, mkdirat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use tracing::{debug, warn};

use super::below::{Below, Held, Like};
use super::claim::{Claim, Folder, files_in, number_and_attempt, remove_leftovers};
use super::home::{Home, OWN_FOLDER, highest_number, lock_file, subfolders};
use super::worker::may_pass;
use super::{InboxError, InboxSettings, Marker, OnSuccess, Places, care, lock};
use crate::failpoint;
use crate::ledger::ids::Id;
use crate::ledger::memory::Memory;
use crate::meters::{self, Meter};
use crate::moves::{self, numbered, parent_of};
use crate::quarantine::{self, Reason};

/// How many files that are claimed share a folder. The system looks through a folder from its
/// start, several times for each rename; more folders cost more to make and remove than that saves.
const TOGETHER: usize = 64;

/// Moves the files of one inbox.
#[derive(Debug)]
pub(super) struct Claims {
    path: PathBuf,
    /// Below the inbox: where claims of this instance are.
    own: PathBuf,
    home: Mutex<Home>,
    on_success: OnSuccess,
    quarantine: PathBuf,
    sync: bool,
    next_number: AtomicU64,
    marker: Option<Marker>,
    /// Files that stay in the inbox and are done, by what they were like then.
    kept: Option<Mutex<Memory>>,
    /// Folders whose names are not on the disk yet.
    touched: Mutex<BTreeSet<PathBuf>>,
    /// Where the files that are claimed now go together, and how many more may.
    shared: Mutex<Option<(Arc<Folder>, usize)>>,
    /// Claims that are to be taken up again, and do not count what has become of them.
    given_back: Mutex<Vec<Claim>>,
}

/// Folders that cannot be looked into, each with why.
pub(super) type Closed = Vec<(PathBuf, io::Error)>;

/// What comes of claiming a file.
#[derive(Debug)]
pub(super) enum Taken {
    Claimed(Claim),
    /// It is not there any more.
    Gone,
    /// The system does not let this one be moved, and may let others.
    Refused(io::Error),
}

/// What becomes of a claimed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Archived or deleted, as the settings say.
    Done,
    /// Deleted where others are archived: its records came out of the quarantine and went back
    /// there, and it holds nothing else. The archive has the file that they were first in.
    Parted,
    /// Into quarantine.
    Quarantined(Reason),
    /// Back into the inbox: it was not in work when the program stopped.
    Returned,
    /// Still claimed: it was in work when the program stopped, which counts as an attempt.
    InWork,
    /// Still claimed, but not for this attempt.
    Uncounted,
}

impl Claims {
    pub(super) fn open(
        name: &str,
        settings: &InboxSettings,
        places: &Places,
        kept: Option<Memory>,
    ) -> Result<Self, InboxError> {
        let inbox = settings.path.clone();
        let fail = |what, path: &Path| {
            let path = path.to_owned();
            move |source| InboxError::Folder { what, path, source }
        };
        let own = Path::new(OWN_FOLDER).join("claimed").join(&places.instance).join(name);
        let home = Home::open(&inbox, &own).map_err(fail("inbox", &inbox))?;
        if let OnSuccess::Archive(archive) = &settings.on_success {
            fs::create_dir_all(archive).map_err(fail("archive", archive))?;
        }
        let quarantine = places.quarantine.clone();
        fs::create_dir_all(&quarantine).map_err(fail("quarantine", &quarantine))?;
        let highest = highest_number(home.claimed.path());
        let next_number = AtomicU64::new(highest.map_or(0, |highest| highest.saturating_add(1)));
        Ok(Self {
            path: inbox,
            own,
            home: Mutex::new(home),
            on_success: settings.on_success.clone(),
            quarantine,
            sync: places.sync,
            next_number,
            marker: settings.complete_marker.clone(),
            kept: kept.map(Mutex::new),
            touched: Mutex::default(),
            shared: Mutex::default(),
            given_back: Mutex::default(),
        })
    }

    /// The inbox itself.
    pub(super) fn inbox(&self) -> Arc<Below> {
        Arc::clone(&lock(&self.home).inbox)
    }

    fn claimed(&self) -> Arc<Held> {
        Arc::clone(&lock(&self.home).claimed)
    }

    /// The source's name.
    fn name(&self) -> Cow<'_, str> {
        self.own.file_name().unwrap_or_default().to_string_lossy()
    }

    /// Claims the file at `relative` below the inbox.
    ///
    /// # Errors
    ///
    /// What keeps every file from being claimed, or may pass.
    pub(super) fn claim(&self, relative: &Path) -> io::Result<Taken> {
        let Home { inbox, claimed: home, .. } = lock(&self.home).clone();
        let folder = self.shared_folder(&home)?;
        let claim = Claim { folder, relative: relative.to_owned(), attempt: 1 };
        match Self::take(&inbox, &claim) {
            Ok(()) => {
                // Not synced: when the power goes the file is in one of the two places.
                failpoint::reached("claimed");
                self.remove_marker(&claim);
                Ok(Taken::Claimed(claim))
            }
            Err(error) if may_pass(&error) => Err(error),
            Err(error) => {
                // What stands in a folder's place now is none of ours.
                let is_gone = matches!(
                    Errno::from_io_error(&error),
                    Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
                );
                Ok(if is_gone { Taken::Gone } else { Taken::Refused(error) })
            }
        }
    }

    fn take(inbox: &Below, claim: &Claim) -> io::Result<()> {
        let folder = parent_of(&claim.relative);
        if !folder.as_os_str().is_empty() {
            fs::create_dir_all(parent_of(&claim.path()))?;
        }
        inbox.take(&claim.relative, claim.home(), &claim.below())
    }

    /// Lets the next file that is claimed go into another folder than those before it.
    pub(super) fn part(&self) {
        drop(lock(&self.shared).take());
    }

    /// The folder for the next file that is claimed.
    fn shared_folder(&self, home: &Arc<Held>) -> io::Result<Arc<Folder>> {
        let mut shared = lock(&self.shared);
        if let Some((folder, room)) = &mut *shared
            && *room > 0
            && Arc::ptr_eq(&folder.home, home)
        {
            *room -= 1;
            return Ok(Arc::clone(folder));
        }
        let folder = Folder::new(home, self.number(), 1, true);
        mkdirat(&**home, &folder.name, Mode::RWXU)?;
        failpoint::reached("folder of a claim made");
        *shared = Some((Arc::clone(&folder), TOGETHER - 1));
        Ok(folder)
    }

    fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// The claims of an earlier run of this instance, in the order in which they were made; and the
    /// folders of those that cannot be looked into, each with why.
    pub(super) fn left_behind(&self) -> io::Result<(Vec<Claim>, Closed)> {
        let (mut left, mut closed) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(self.claimed().path())? {
            let folder = entry?.path();
            match self.left_in(&folder) {
                Ok(mut claims) => left.append(&mut claims),
                Err(error) => closed.push((folder, error)),
            }
        }
        left.sort_by(|one, other| one.order().cmp(&other.order()));
        Ok((left, closed))
    }

    /// The claims in a folder of an earlier run.
    pub(super) fn left_in(&self, folder: &Path) -> io::Result<Vec<Claim>> {
        let Some((number, attempt)) = number_and_attempt(folder) else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        files_in(folder, Path::new(""), &mut files)?;
        if files.is_empty() {
            // The run ended between making the folder and claiming, or while it removed it.
            remove_leftovers(folder);
            return Ok(Vec::new());
        }
        let folder = Folder::new(&self.claimed(), number, attempt, files.len() > 1);
        Ok(folder.claims(files).collect())
    }

    pub(super) fn has_given_back(&self) -> bool {
        !lock(&self.given_back).is_empty()
    }

    /// Takes the claims that are to be taken up again.
    pub(super) fn given_back(&self) -> Vec<Claim> {
        std::mem::take(&mut *lock(&self.given_back))
    }

    /// Removes the file that said that a claimed one is complete, unless a later file of the same
    /// name has brought its own.
    fn remove_marker(&self, claim: &Claim) {
        let Some(marker) = &self.marker else { return };
        let (inbox, marker) = (self.inbox(), marker.of(&claim.relative));
        let changed = |like: Like| like.changed;
        // The claim changed the file's own time.
        let written = inbox.like(&marker).ok().map(changed);
        if written.is_some() && written <= claim.like().ok().map(changed) {
            let _ = inbox.remove(&marker);
        }
    }

    /// Opens the folder for claims again, and makes it in an inbox that was removed and made anew.
    pub(super) fn renew(&self) -> io::Result<()> {
        let home = lock(&self.home).clone();
        let home = home.again(&self.path, &self.own)?;
        *lock(&self.home) = home;
        Ok(())
    }

    /// Whether a file was done, is kept, and has not changed since.
    pub(super) fn is_kept(&self, like: &Like) -> bool {
        self.kept.as_ref().is_some_and(|kept| lock(kept).contains(&likeness(like)))
    }

    fn keep(&self, claim: &Claim) -> io::Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let like = claim.like()?;
        // Before it is moved: what is back and not remembered would be taken again.
        lock(kept).add(&[likeness(&like)], None)?;
        failpoint::reached("kept file noted");
        self.give_back(claim)
    }

    /// Counts one more attempt, before it is made.
    pub(super) fn count(&self, mut claim: Claim) -> io::Result<Claim> {
        self.remove_marker(&claim);
        self.recount(&mut claim, |attempt| attempt.saturating_add(1))?;
        failpoint::reached("attempt counted");
        Ok(claim)
    }

    fn recount(&self, claim: &mut Claim, change: impl Fn(u32) -> u32) -> io::Result<()> {
        let Some((number, attempt)) = claim.folder.number_and_attempt() else { return Ok(()) };
        let (home, attempt) = (&claim.folder.home, change(attempt));
        let folder = if claim.folder.is_shared {
            // The others in the folder keep their count.
            let folder = Folder::new(home, self.number(), attempt, false);
            fs::create_dir_all(parent_of(&folder.path().join(&claim.relative)))?;
            failpoint::reached("folder of a claim's own made");
            let to = Path::new(&folder.name).join(&claim.relative);
            renameat(&**home, claim.below(), &**home, to)?;
            folder
        } else {
            let folder = Folder::new(home, number, attempt, false);
            renameat(&**home, &claim.folder.name, &**home, &folder.name)?;
            folder
        };
        claim.folder = folder;
        claim.attempt = attempt;
        Ok(())
    }

    /// Takes over the claims of other instances of this inbox that live no more.
    ///
    /// Whether one lives is told by its lock. On a network file system without locks across
    /// machines a living one may be robbed: its documents are then read twice, and none is lost.
    pub(super) fn abandoned(&self) -> io::Result<Vec<Claim>> {
        let Home { inbox, claimed, .. } = lock(&self.home).clone();
        let all = Path::new(OWN_FOLDER).join("claimed");
        let mut folders = Vec::new();
        for instance in subfolders(&inbox, &all)? {
            folders.extend(subfolders(&inbox, &instance)?);
        }
        let mut taken = Vec::new();
        for folder in folders.iter().filter(|folder| **folder != self.own) {
            // One that is closed must not keep the others waiting; the next round tries it again.
            let theirs = inbox.own(folder);
            let done =
                theirs.and_then(|theirs| self.take_over(theirs.path(), &claimed, &mut taken));
            if let Err(error) = done {
                debug!(?folder, error = %error, "cannot take over claims");
            }
        }
        Ok(taken)
    }

    /// Takes over the claims in `theirs` if no instance holds its lock.
    fn take_over(&self, theirs: &Path, home: &Arc<Held>, taken: &mut Vec<Claim>) -> io::Result<()> {
        if highest_number(theirs).is_none() {
            return Ok(());
        }
        let lock = lock_file(theirs)?;
        if lock.try_lock().is_err() {
            return Ok(());
        }
        for entry in fs::read_dir(theirs)? {
            let folder = entry?.path();
            let Some((_, attempt)) = number_and_attempt(&folder) else { continue };
            // Looked into before it is ours: what cannot be is tried again in the next round.
            let mut files = Vec::new();
            files_in(&folder, Path::new(""), &mut files)?;
            if files.is_empty() {
                remove_leftovers(&folder);
                continue;
            }
            let ours = Folder::new(home, self.number(), attempt, files.len() > 1);
            fs::rename(&folder, ours.path())?;
            taken.extend(ours.claims(files));
        }
        Ok(())
    }

    /// Moves a claimed file to where it belongs; [`Claims::sync`] puts that on the disk.
    pub(super) fn settle(&self, claim: &Claim, fate: Fate) -> io::Result<()> {
        let meter = match fate {
            Fate::Done | Fate::Parted => Meter::FilesDone,
            Fate::Quarantined(_) => Meter::FilesQuarantined,
            Fate::Returned | Fate::InWork | Fate::Uncounted => Meter::FilesReturned,
        };
        let stays = matches!(fate, Fate::InWork | Fate::Uncounted);
        match fate {
            Fate::Parted if matches!(self.on_success, OnSuccess::Archive(_)) => {
                unlinkat(claim.home(), claim.below(), AtFlags::empty())?;
            }
            Fate::Done | Fate::Parted => match &self.on_success {
                OnSuccess::Archive(archive) => {
                    self.move_to(claim, archive, &claim.relative).map(drop)?;
                }
                OnSuccess::Delete => unlinkat(claim.home(), claim.below(), AtFlags::empty())?,
                OnSuccess::Keep => self.keep(claim)?,
            },
            Fate::Returned => self.give_back(claim)?,
            Fate::Quarantined(reason) => self.quarantine(claim, reason)?,
            Fate::InWork => {}
            Fate::Uncounted => {
                let mut claim = claim.clone();
                self.recount(&mut claim, |attempt| attempt.saturating_sub(1))?;
                lock(&self.given_back).push(claim);
            }
        }
        let name = self.name();
        meters::count(meter, &name);
        if stays {
            return Ok(());
        }
        failpoint::reached("file moved");
        if claim.attempt > 1 {
            meters::count(Meter::FilesTriedAgain, &name);
        }
        if let Some(notes) = claim.notes() {
            care::remove(&notes);
        }
        Ok(())
    }

    /// Whether no move waits for [`Claims::sync`].
    pub(super) fn is_synced(&self) -> bool {
        self.touched().is_empty()
    }

    /// Puts the moves since the last call on the disk.
    pub(super) fn sync(&self) {
        let touched = std::mem::take(&mut *self.touched());
        if self.sync {
            for folder in &touched {
                moves::sync_folder(folder);
            }
        }
    }

    fn touch(&self, folder: &Path) {
        let mut touched = self.touched();
        if !touched.contains(folder) {
            touched.insert(folder.to_owned());
        }
    }

    fn touched(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        lock(&self.touched)
    }

    /// Puts one record of a claimed file into quarantine by itself.
    ///
    /// - `name`: the record's own, beside the file's;
    /// - `bytes`: of a file that holds this record alone.
    pub(super) fn quarantine_record(
        &self,
        claim: &Claim,
        name: &str,
        bytes: &mut dyn Read,
        mut reason: Reason,
    ) -> io::Result<()> {
        Self::complete(claim, &mut reason);
        let _lock = quarantine::lock(&self.quarantine)?;
        let relative = claim.relative.with_file_name(name);
        let place = quarantine::put(&self.quarantine, &relative, bytes, &reason, self.sync)?;
        self.touch(parent_of(&place));
        failpoint::reached("record in quarantine");
        Ok(())
    }

    fn quarantine(&self, claim: &Claim, mut reason: Reason) -> io::Result<()> {
        Self::complete(claim, &mut reason);
        // Another daemon may use the same quarantine: none may take the name in between.
        let _lock = quarantine::lock(&self.quarantine)?;
        // A run that ended while it moved the file to another file system may have left it in both.
        let holds = || quarantine::holds(&self.quarantine, &claim.relative, &claim.path(), &reason);
        if claim.attempt > 1 && holds()? {
            return fs::remove_file(claim.path());
        }
        let relative = quarantine::explain(&self.quarantine, &claim.relative, &reason, self.sync)?;
        failpoint::reached("reason written");
        self.move_to(claim, &self.quarantine, &relative).map(drop)
    }

    /// Fills in what the claim knows.
    fn complete(claim: &Claim, reason: &mut Reason) {
        reason.path = claim.relative_name();
        reason.attempts = claim.attempt;
        // A clock before 1970 is wrong, and 0 says so.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        reason.quarantined_at = now.as_secs();
        warn!(path = ?reason.path, record = reason.record, reason = ?reason.found, "quarantined");
    }

    /// Moves a claimed file to `relative` below `folder`, or beside it under a name that is free;
    /// returns where it is now.
    fn move_to(&self, claim: &Claim, folder: &Path, relative: &Path) -> io::Result<PathBuf> {
        let wanted = folder.join(relative);
        let to = renameat_with(claim.home(), claim.below(), CWD, &wanted, RenameFlags::NOREPLACE);
        if to.is_ok() {
            self.touch(parent_of(&wanted));
            return Ok(wanted);
        }
        // The name is taken, the folder is not there yet, or it is on another file system.
        let wanted = moves::with_folders(folder, relative)?;
        self.touch(parent_of(&wanted));
        // Named after the mover, who moves one file at a time: another daemon may bring a file of
        // the same name, and who ends in the middle writes over his own draft the next time.
        let instance = parent_of(&self.own).file_name().unwrap_or_default().to_string_lossy();
        let tag = format!("{instance}-{}", self.name());
        let mut target = wanted.clone();
        for copy in 2_u64.. {
            match moves::move_file(&claim.path(), &target, &tag, self.sync) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    target = numbered(&wanted, copy);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(target)
    }

    /// Moves a claimed file back to where it was in the inbox, or beside that if the place is
    /// taken.
    fn give_back(&self, claim: &Claim) -> io::Result<()> {
        let inbox = self.inbox();
        let mut target = claim.relative.clone();
        for copy in 2_u64.. {
            match inbox.put(claim.home(), &claim.below(), &target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    target = numbered(&claim.relative, copy);
                }
                // A file stands where a folder was.
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    let mut names = claim.relative.components();
                    let first = names.next().map(|name| numbered(name.as_ref(), copy));
                    target = first.unwrap_or_default().join(names);
                }
                result => {
                    result?;
                    break;
                }
            }
        }
        self.touch(parent_of(&self.path.join(&target)));
        Ok(())
    }
}

/// What a file is like; moving it changes nothing of it, writing to it does.
fn likeness(like: &Like) -> Id {
    let (seconds, nanoseconds) = like.modified;
    let numbers = [like.device, like.inode, like.length, seconds.cast_unsigned(), nanoseconds];
    let mut id = [0; 16];
    let hash = blake3::hash(numbers.map(u64::to_le_bytes).as_flattened());
    id.copy_from_slice(&hash.as_bytes()[..16]);
    id
}
