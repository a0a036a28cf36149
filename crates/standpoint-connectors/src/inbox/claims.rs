//! Where a file is: in the inbox, claimed, archived or in quarantine. Every step is one rename.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use tracing::{debug, info};

use super::{InboxError, InboxSettings, OnSuccess, Places};
use crate::moves::{self, numbered, parent_of, remove_empty};
use crate::quarantine::{self, Reason};

/// The folder beside the files of an inbox that holds what is in work.
pub(super) const OWN_FOLDER: &str = ".standpoint";

/// Moves the files of one inbox.
#[derive(Debug)]
pub(super) struct Claims {
    inbox: PathBuf,
    claimed: PathBuf,
    on_success: OnSuccess,
    quarantine: PathBuf,
    sync: bool,
    next_number: AtomicU64,
    /// Held while this instance lives, however it ends: others leave its claims alone.
    _lock: File,
}

/// A file that this instance has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// The folder that holds it, `<number>.<attempt>`.
    folder: PathBuf,
    /// Its path below the inbox.
    pub(super) relative: PathBuf,
    /// How often it has been in work, this time included.
    pub(super) attempt: u32,
}

/// What becomes of a claimed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Archived or deleted, as the settings say.
    Done,
    /// Into quarantine.
    Quarantined(Reason),
    /// Back into the inbox, because the program stopped first.
    Returned,
}

impl Claim {
    /// Opens the file, if it is a regular one and no link.
    pub(super) fn open(&self) -> io::Result<File> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
        let file =
            OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(self.path())?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(file)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(&self.relative)
    }

    /// The path below the inbox, `/` between its parts, invalid UTF-8 replaced.
    pub(super) fn relative_name(&self) -> String {
        let parts: Vec<_> = self.relative.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }
}

impl Claims {
    pub(super) fn open(
        name: &str,
        settings: &InboxSettings,
        places: &Places,
    ) -> Result<Self, InboxError> {
        let inbox = settings.path.clone();
        let fail = |what, path: &Path| {
            let path = path.to_owned();
            move |source| InboxError::Folder { what, path, source }
        };
        fs::read_dir(&inbox).map_err(fail("inbox", &inbox))?;
        let claimed = inbox.join(OWN_FOLDER).join("claimed").join(&places.instance).join(name);
        fs::create_dir_all(&claimed).map_err(fail("inbox", &inbox))?;
        if let OnSuccess::Archive(archive) = &settings.on_success {
            fs::create_dir_all(archive).map_err(fail("archive", archive))?;
        }
        let quarantine = places.quarantine.clone();
        fs::create_dir_all(&quarantine).map_err(fail("quarantine", &quarantine))?;
        // Waits for an instance that is just taking over what an earlier run left.
        let lock = lock_file(&claimed)
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(fail("inbox", &inbox))?;
        let next_number =
            AtomicU64::new(highest_number(&claimed).map_or(0, |highest| highest.saturating_add(1)));
        Ok(Self {
            inbox,
            claimed,
            on_success: settings.on_success.clone(),
            quarantine,
            sync: places.sync,
            next_number,
            _lock: lock,
        })
    }

    /// Claims the file at `relative` below the inbox; `None` if it is not there any more.
    pub(super) fn claim(&self, relative: &Path) -> io::Result<Option<Claim>> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let folder = self.claimed.join(format!("{number}.1"));
        let claim = Claim { folder, relative: relative.to_owned(), attempt: 1 };
        fs::create_dir_all(parent_of(&claim.path()))?;
        match fs::rename(self.inbox.join(relative), claim.path()) {
            Ok(()) => {
                self.sync_folder(parent_of(&claim.path()));
                self.sync_folder(&self.claimed);
                Ok(Some(claim))
            }
            Err(error) => {
                remove_empty(parent_of(&claim.path()), &self.claimed);
                if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
            }
        }
    }

    /// The claims of an earlier run of this instance, each counted as one more attempt.
    pub(super) fn left_behind(&self) -> io::Result<Vec<Claim>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.claimed)? {
            let folder = entry?.path();
            let Some((number, attempt)) = number_and_attempt(&folder) else { continue };
            let Some(relative) = only_file_in(&folder, Path::new(""))? else {
                // The run ended between making the folder and claiming.
                remove_tree_of_folders(&folder);
                continue;
            };
            let attempt = attempt.saturating_add(1);
            let next = self.claimed.join(format!("{number}.{attempt}"));
            fs::rename(&folder, &next)?;
            left.push(Claim { folder: next, relative, attempt });
        }
        // The attempt must be counted before it is made.
        self.sync_folder(&self.claimed);
        left.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(left)
    }

    /// Takes over the claims of other instances of this inbox that live no more, each counted as
    /// one more attempt.
    ///
    /// Whether one lives is told by its lock. On a network file system without locks across
    /// machines a living one may be robbed: its documents are then read twice, and none is lost.
    pub(super) fn abandoned(&self) -> io::Result<Vec<Claim>> {
        let mut taken = Vec::new();
        for instance in fs::read_dir(self.inbox.join(OWN_FOLDER).join("claimed"))? {
            let instance = instance?;
            if !instance.file_type()?.is_dir() {
                continue;
            }
            for source in fs::read_dir(instance.path())? {
                let source = source?;
                if source.file_type()?.is_dir() && source.path() != self.claimed {
                    // A folder that strangers made must not keep the others waiting.
                    if let Err(error) = self.take_over(&source.path(), &mut taken) {
                        debug!(folder = ?source.path(), error = %error, "cannot take over claims");
                    }
                }
            }
        }
        Ok(taken)
    }

    /// Takes over the claims in `theirs` if no instance holds its lock.
    fn take_over(&self, theirs: &Path, taken: &mut Vec<Claim>) -> io::Result<()> {
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
            let Some(relative) = only_file_in(&folder, Path::new(""))? else {
                remove_tree_of_folders(&folder);
                continue;
            };
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            let attempt = attempt.saturating_add(1);
            let ours = self.claimed.join(format!("{number}.{attempt}"));
            fs::rename(&folder, &ours)?;
            taken.push(Claim { folder: ours, relative, attempt });
        }
        self.sync_folder(&self.claimed);
        Ok(())
    }

    /// Moves a claimed file to where it belongs.
    pub(super) fn settle(&self, claim: &Claim, fate: Fate) -> io::Result<()> {
        match fate {
            Fate::Done => match &self.on_success {
                OnSuccess::Archive(archive) => {
                    self.move_to(claim, archive, &claim.relative).map(drop)?;
                }
                OnSuccess::Delete => fs::remove_file(claim.path())?,
            },
            Fate::Returned => {
                self.move_to(claim, &self.inbox, &claim.relative).map(drop)?;
            }
            Fate::Quarantined(reason) => self.quarantine(claim, reason)?,
        }
        remove_empty(parent_of(&claim.path()), &self.claimed);
        Ok(())
    }

    fn quarantine(&self, claim: &Claim, mut reason: Reason) -> io::Result<()> {
        reason.path = claim.relative_name();
        reason.attempts = claim.attempt;
        // A clock before 1970 is wrong, and 0 says so.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        reason.quarantined_at = now.as_secs();
        info!(path = ?reason.path, reason = ?reason.found, "quarantined");
        // Another daemon may use the same quarantine: none may take the name in between.
        let _lock = quarantine::lock(&self.quarantine)?;
        let relative = quarantine::explain(&self.quarantine, &claim.relative, &reason, self.sync)?;
        self.move_to(claim, &self.quarantine, &relative).map(drop)
    }

    /// Moves a claimed file to `relative` below `folder`, or beside it under a name that is free;
    /// returns where it is now.
    fn move_to(&self, claim: &Claim, folder: &Path, relative: &Path) -> io::Result<PathBuf> {
        let wanted = folder.join(relative);
        fs::create_dir_all(parent_of(&wanted))?;
        // Named after the claim, because another daemon may bring a file of the same name.
        let name = claim.folder.file_name().unwrap_or_default().to_string_lossy();
        let tag = format!("{}-{name}", std::process::id());
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

    fn sync_folder(&self, folder: &Path) {
        if self.sync {
            moves::sync_folder(folder);
        }
    }
}

/// The file whose lock an instance holds while it lives, in the folder of its claims.
fn lock_file(claimed: &Path) -> io::Result<File> {
    // Strangers can write below the inbox: neither follow a link nor wait for a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags.cast_signed())
        .open(claimed.join("lock"))
}

/// The number and attempt in the name of a claim's folder.
fn number_and_attempt(folder: &Path) -> Option<(u64, u32)> {
    let (number, attempt) = folder.file_name()?.to_str()?.split_once('.')?;
    Some((number.parse().ok()?, attempt.parse().ok()?))
}

fn highest_number(claimed: &Path) -> Option<u64> {
    let entries = fs::read_dir(claimed).ok()?;
    entries.flatten().filter_map(|entry| Some(number_and_attempt(&entry.path())?.0)).max()
}

/// The path of the one file below `folder`.
fn only_file_in(folder: &Path, below: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if let Some(found) = only_file_in(folder, &path)? {
                return Ok(Some(found));
            }
        } else {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Removes a folder that holds nothing but folders; leaves it if there is a file after all.
fn remove_tree_of_folders(folder: &Path) {
    if let Ok(entries) = fs::read_dir(folder) {
        for entry in entries.flatten() {
            remove_tree_of_folders(&entry.path());
        }
    }
    // Fails, as it should, when something is in it.
    let _ = fs::remove_dir(folder);
}
