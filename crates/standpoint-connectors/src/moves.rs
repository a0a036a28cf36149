//! Moves files so that at every moment each is in one place, and none replaces another.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, CWD, RenameFlags, renameat, renameat_with, statat};
use rustix::io::Errno;
use tracing::warn;

/// Moves a file to `to`, which must be free, on this file system or another. The new name is on the
/// disk once [`sync_folder`] was called; on another file system it is at once.
///
/// - `tag`: part of a draft's name where the file must be copied, no other mover's;
/// - `sync`: whether anything is to be synced at all.
///
/// # Errors
///
/// `AlreadyExists` when `to` is taken; what the system says otherwise.
pub(crate) fn move_file(from: &Path, to: &Path, tag: &str, sync: bool) -> io::Result<()> {
    match rename_without_replacing(CWD, from, CWD, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy(from, &with_ending(to, &format!(".{tag}.part")), to)?;
            // The new name must be on the disk before the old one goes.
            if sync {
                sync_folder(parent_of(to));
            }
            fs::remove_file(from)
        }
        result => result,
    }
}

/// Syncs the names in a folder to the disk; a file system that cannot is told of.
pub(crate) fn sync_folder(folder: &Path) {
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        warn!(folder = %folder.display(), error = %error, "cannot sync a folder to the disk");
    }
}

/// The folder of a file.
pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// `a.txt` becomes `a~2.txt`, so that the ending still says the format.
pub(crate) fn numbered(path: &Path, copy: u64) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default();
    let mut name = stem.to_owned();
    name.push(format!("~{copy}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// A path with `ending` behind it.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Renames what is called `old` in one folder to `new` in another.
///
/// # Errors
///
/// `AlreadyExists` when the name is taken; what the system says otherwise.
pub(crate) fn rename_without_replacing(
    from: BorrowedFd<'_>,
    old: &Path,
    to: BorrowedFd<'_>,
    new: &Path,
) -> io::Result<()> {
    match renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
        // Some network file systems do not know the flag.
        Err(Errno::INVAL | Errno::NOSYS) => {
            if statat(to, new, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Ok(renameat(from, old, to, new)?)
        }
        result => Ok(result?),
    }
}

/// Copies a file to another file system: the copy is whole and on the disk before it gets its name.
fn copy(from: &Path, draft: &Path, to: &Path) -> io::Result<()> {
    let copied = fs::copy(from, draft)
        .and_then(|_| File::open(draft)?.sync_all())
        .and_then(|()| rename_without_replacing(CWD, draft, CWD, to));
    if copied.is_err() {
        // What is left of the draft would be mistaken for a file of the archive.
        let _ = fs::remove_file(draft);
    }
    copied
}

/// Removes `folder` and the folders above it up to `root` as far as they are empty.
pub(crate) fn remove_empty(folder: &Path, root: &Path) {
    let above = folder.ancestors().take_while(|ancestor| *ancestor != root);
    for ancestor in above {
        if fs::remove_dir(ancestor).is_err() {
            break;
        }
    }
}
