//! What lies below a folder that strangers can write to: reached from a handle, step by step, and
//! never through a link. So nothing outside of the folder is read, moved or written, whatever is
//! put in the place of a folder in the meantime.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{
    Access, AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, accessat, fchmod, fstat, mkdirat,
    openat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::moves::rename_without_replacing;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder that is held open.
#[derive(Debug)]
pub(crate) struct Below(OwnedFd);

impl Below {
    /// Holds the folder at `path`, which whoever runs the program has chosen: links to it are
    /// followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// What stands in the folder at `relative`.
    pub(super) fn entries(&self, relative: &Path) -> io::Result<Dir> {
        let mut folder = openat(&self.0, ".", FOLDER, Mode::empty())?;
        for name in names(relative)? {
            folder = openat(&folder, name, FOLDER, Mode::empty())?;
        }
        Ok(Dir::new(folder)?)
    }

    /// What the file at `relative` is like, a link itself if it is one.
    pub(super) fn like(&self, relative: &Path) -> io::Result<Like> {
        self.at(relative, |folder, name| Like::of_entry(folder, name))
    }

    /// Whether this user may read the file at `relative`.
    pub(super) fn is_readable(&self, relative: &Path) -> io::Result<bool> {
        let allowed = self.at(relative, |folder, name| {
            Ok(accessat(folder, name, Access::READ_OK, AtFlags::EACCESS))
        })?;
        Ok(!matches!(allowed, Err(Errno::ACCESS | Errno::PERM)))
    }

    /// Moves the file at `relative` to `to` below `home`, which is on the same file system.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when `to` is taken; what the system says otherwise.
    pub(super) fn take(&self, relative: &Path, home: impl AsFd, to: &Path) -> io::Result<()> {
        self.at(relative, |folder, name| {
            rename_without_replacing(folder, Path::new(name), home.as_fd(), to)
        })
    }

    /// Moves the file at `from` below `home`, on the same file system, to `relative`, which must be
    /// free; folders on the way are made.
    pub(crate) fn put(&self, home: impl AsFd, from: &Path, relative: &Path) -> io::Result<()> {
        self.make_folders(parent(relative), Mode::from(0o777))?;
        self.at(relative, |folder, name| {
            rename_without_replacing(home.as_fd(), from, folder, Path::new(name))
        })
    }

    /// Makes a file at `relative`, which must be free; folders on the way are made.
    pub(crate) fn create(&self, relative: &Path) -> io::Result<File> {
        self.make_folders(parent(relative), Mode::from(0o777))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        self.at(relative, |folder, name| {
            Ok(File::from(openat(folder, name, flags, Mode::from(0o666))?))
        })
    }

    /// Gives the file at `relative` another name in its folder, which must be free.
    pub(crate) fn rename(&self, relative: &Path, name: &OsStr) -> io::Result<()> {
        self.at(relative, |folder, old| {
            rename_without_replacing(folder, Path::new(old), folder, Path::new(name))
        })
    }

    /// Deletes the file at `relative`.
    pub(crate) fn remove(&self, relative: &Path) -> io::Result<()> {
        self.at(relative, |folder, name| Ok(unlinkat(folder, name, AtFlags::empty())?))
    }

    /// Makes the folder at `relative`, which is this user's alone, and holds it.
    ///
    /// # Errors
    ///
    /// What the system says; when the first folder on the way is somebody else's.
    pub(super) fn own(&self, relative: &Path) -> io::Result<Held> {
        self.make_folders(relative, Mode::RWXU)?;
        let mut folder = openat(&self.0, ".", FOLDER, Mode::empty())?;
        for (depth, name) in names(relative)?.into_iter().enumerate() {
            folder = openat(&folder, name, FOLDER, Mode::empty())?;
            if depth > 0 {
                continue;
            }
            let owner = fstat(&folder)?.st_uid;
            if owner != rustix::process::geteuid().as_raw() {
                return Err(io::Error::other(format!(
                    "the folder {} in it belongs to user {owner}, and must belong to the user that the \
                     program runs as: delete it, or run the program as that user",
                    name.display()
                )));
            }
            fchmod(&folder, Mode::RWXU)?;
        }
        Held::new(folder)
    }

    fn make_folders(&self, relative: &Path, mode: Mode) -> io::Result<()> {
        let mut folder: Option<OwnedFd> = None;
        for name in names(relative)? {
            let above = folder.as_ref().map_or(self.0.as_fd(), AsFd::as_fd);
            match mkdirat(above, name, mode) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            folder = Some(openat(above, name, FOLDER, Mode::empty())?);
        }
        Ok(())
    }

    /// Acts on a name in the folder that holds it.
    fn at<T>(
        &self,
        relative: &Path,
        act: impl FnOnce(BorrowedFd<'_>, &OsStr) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut names = names(relative)?;
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let mut folder: Option<OwnedFd> = None;
        for name in names {
            let above = folder.as_ref().map_or(self.0.as_fd(), AsFd::as_fd);
            folder = Some(openat(above, name, FOLDER | OFlags::PATH, Mode::empty())?);
        }
        act(folder.as_ref().map_or(self.0.as_fd(), AsFd::as_fd), name)
    }
}

/// The names in a relative path that only goes down.
fn names(relative: &Path) -> io::Result<Vec<&OsStr>> {
    let name = |part| match part {
        Component::Normal(name) => Ok(name),
        _ => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    };
    relative.components().map(name).collect()
}

fn parent(relative: &Path) -> &Path {
    relative.parent().unwrap_or(relative)
}

/// A folder that is held open: its path leads to it, whatever is put in its place.
#[derive(Debug)]
pub(super) struct Held {
    path: PathBuf,
    handle: OwnedFd,
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Held {
    fn new(handle: OwnedFd) -> io::Result<Self> {
        let path = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        if !path.is_dir() {
            return Err(io::Error::other(
                "/proc is needed to hold a folder open, and is not mounted",
            ));
        }
        Ok(Self { path, handle })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// What a file is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Like {
    pub(super) kind: FileType,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) length: u64,
    /// When it was written to last, in seconds and nanoseconds since 1970.
    pub(super) modified: (i64, u64),
    /// When it was last written to, moved or renamed.
    pub(super) changed: (i64, u64),
    /// Whose it is, and the permission bits.
    owner: u32,
    mode: u32,
}

impl Like {
    /// What a file in a folder is like.
    pub(super) fn of_entry(folder: impl AsFd, name: impl rustix::path::Arg) -> io::Result<Self> {
        Ok(Self::of(&statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        Ok(Self::of(&fstat(file)?))
    }

    #[expect(clippy::unnecessary_cast, reason = "the types differ between machines")]
    fn of(stat: &Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            length: stat.st_size as u64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u64),
            owner: stat.st_uid,
            mode: stat.st_mode as u32,
        }
    }

    /// Whether it is `user`'s own, who may read it: then nobody need be asked.
    pub(super) fn is_readable_by_its_owner(&self, user: u32) -> bool {
        self.owner == user && Mode::from_raw_mode(self.mode as _).contains(Mode::RUSR)
    }

    /// Whether nothing was written to it since it was like `earlier`.
    pub(super) fn has_content_of(&self, earlier: &Self) -> bool {
        (self.length, self.modified) == (earlier.length, earlier.modified)
    }

    /// How long ago it was written to by the clock of its file system; a time in the future says
    /// nothing.
    pub(super) fn age(&self) -> Option<Duration> {
        age_of(self.modified)
    }
}

/// How long ago a time of a file system was, in seconds and nanoseconds since 1970; `None` for the
/// future.
pub(super) fn age_of((seconds, nanoseconds): (i64, u64)) -> Option<Duration> {
    let since = Duration::from_secs(seconds.unsigned_abs());
    let second =
        if seconds < 0 { UNIX_EPOCH.checked_sub(since) } else { UNIX_EPOCH.checked_add(since) };
    let modified = second?.checked_add(Duration::from_nanos(nanoseconds))?;
    SystemTime::now().duration_since(modified).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn nothing_is_reached_through_a_link_or_above() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("in/real")).unwrap();
        fs::create_dir_all(at("outside")).unwrap();
        fs::write(at("in/real/a"), "a").unwrap();
        fs::write(at("outside/secret"), "s").unwrap();
        symlink(at("outside"), at("in/link")).unwrap();
        let below = Below::open(&at("in")).unwrap();
        for path in ["link/secret", "../outside/secret", "/etc/passwd", "real/../link/secret", ""] {
            let path = Path::new(path);
            assert!(below.like(path).is_err(), "{path:?}");
            assert!(below.is_readable(path).is_err(), "{path:?}");
            assert!(below.take(path, CWD, &at("taken")).is_err(), "{path:?}");
            assert!(below.remove(path).is_err(), "{path:?}");
            assert!(below.put(CWD, &at("in/real/a"), path).is_err(), "{path:?}");
        }
        assert!(below.entries(Path::new("link")).is_err());
        assert!(below.own(Path::new("link/claimed")).is_err());
        assert!(at("outside/secret").exists() && at("in/real/a").exists());

        assert_eq!(below.like(Path::new("real/a")).unwrap().length, 1);
        assert_eq!(below.like(Path::new("link")).unwrap().kind, FileType::Symlink);
        below.take(Path::new("real/a"), CWD, &at("in/b")).unwrap();
        below.put(CWD, &at("in/b"), Path::new("new/deep/a")).unwrap();
        fs::write(at("in/c"), "c").unwrap();
        let taken = below.put(CWD, &at("in/c"), Path::new("new/deep/a")).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_folder_of_ones_own_stays_reachable_when_another_takes_its_name() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let below = Below::open(root.path()).unwrap();
        let held = below.own(Path::new(".own/claimed")).unwrap();
        assert_eq!(fs::metadata(at(".own")).unwrap().mode() & 0o777, 0o700);
        fs::rename(at(".own"), at("moved")).unwrap();
        fs::create_dir(at("outside")).unwrap();
        symlink(at("outside"), at(".own")).unwrap();
        fs::write(held.path().join("a"), "a").unwrap();
        assert!(at("moved/claimed/a").exists());
        assert!(below.own(Path::new(".own/claimed")).is_err(), "a link is no folder of ours");
    }
}
