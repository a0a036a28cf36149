//! Moves files so that at every moment each is in one place, and none replaces another.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, CWD, RenameFlags, renameat, renameat_with, statat};
use rustix::io::Errno;
use tracing::warn;

use crate::failpoint;

/// How long a name may be, in bytes.
const MOST_NAME_BYTES: usize = 255;

/// Moves a file to `to`, which must be free, on this file system or another. The new name is on the
/// disk once [`sync_folder`] was called; on another file system it is at once. There, a file with
/// the same bytes is the copy of a mover who ended before he removed the original.
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
            let ending = format!(".{tag}.part");
            let draft = with_ending(&with_room(to, ending.len()), &ending);
            match copy(from, &draft, to) {
                Err(error) if is_taken(&error) && has_bytes_of(to, from)? => {}
                copied => copied?,
            }
            failpoint::reached("file copied");
            // The new name must be on the disk before the old one goes.
            if sync {
                sync_folder(parent_of(to));
            }
            fs::remove_file(from)
        }
        result => result,
    }
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AlreadyExists
}

/// Whether two regular files hold the same.
pub(crate) fn has_bytes_of(one: &Path, other: &Path) -> io::Result<bool> {
    let digest = |path: &Path| -> io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut File::open(path)?, &mut hasher)?;
        Ok(hasher.finalize())
    };
    let (found, expected) = (one.symlink_metadata()?, other.metadata()?);
    let may_be = found.is_file() && found.len() == expected.len();
    Ok(may_be && digest(one)? == digest(other)?)
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

/// Gives `relative` below `folder`, and makes the folders on the way. Where something else stands
/// in the place of one, the file goes into another beside it.
///
/// # Errors
///
/// What the system says.
pub(crate) fn with_folders(folder: &Path, relative: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut folder = folder.to_owned();
    for name in parent_of(relative) {
        let wanted = folder.join(name);
        folder.clone_from(&wanted);
        for copy in 2.. {
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Err(_) if !folder.is_dir() => folder = numbered(&wanted, copy),
                _ => break,
            }
        }
    }
    Ok(folder.join(relative.file_name().unwrap_or_default()))
}

/// A path whose name leaves room for so many more bytes: a longer one lacks some of its middle, so
/// that the ending still says the format.
pub(crate) fn with_room(path: &Path, room: usize) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let most = MOST_NAME_BYTES - room;
    if name.len() <= most {
        return path.to_owned();
    }
    let bytes = name.as_bytes();
    // Not within a character.
    let is_start = |at: &usize| bytes[*at] & 0xC0 != 0x80;
    let tail = bytes.len() - most / 2;
    let tail = (tail..bytes.len()).find(is_start).unwrap_or(tail);
    let head = most - (bytes.len() - tail);
    let head = (0..=head).rev().find(is_start).unwrap_or(head);
    path.with_file_name(OsStr::from_bytes(&[&bytes[..head], &bytes[tail..]].concat()))
}

/// `a.txt` becomes `a~2.txt`, so that the ending still says the format.
pub(crate) fn numbered(path: &Path, copy: u64) -> PathBuf {
    let number = format!("~{copy}");
    let path = with_room(path, number.len());
    let stem = path.file_stem().unwrap_or_default();
    let mut name = stem.to_owned();
    name.push(number);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_room_loses_of_its_middle() {
        for name in ["ä".repeat(120) + ".txt", "x".repeat(255), "äx".repeat(85), "a.txt".into()] {
            let path = Path::new("sub").join(&name);
            let short = with_room(&path, 20);
            let short = short.strip_prefix("sub").unwrap().to_str().unwrap();
            assert!(short.len() <= 235, "{short}");
            assert_eq!(Path::new(short).extension(), path.extension(), "{short}");
            assert_eq!(short == name, name.len() <= 235, "{short}");
            let copy = numbered(&path, 12_345);
            assert!(copy.file_name().unwrap().len() <= 255, "{copy:?}");
        }
        assert_eq!(numbered(Path::new("sub/a.txt"), 2), Path::new("sub/a~2.txt"));
    }

    #[test]
    fn a_folder_in_whose_place_a_file_stands_is_numbered() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::write(at("sub"), "x").unwrap();
        let place = |relative: &str| with_folders(root.path(), Path::new(relative)).unwrap();
        for _ in 0..2 {
            assert_eq!(place("sub/deep/a.txt"), at("sub~2/deep/a.txt"));
            assert_eq!(place("other/a.txt"), at("other/a.txt"));
        }
        assert_eq!(place("sub"), at("sub"));
        assert!(at("sub~2/deep").is_dir() && at("other").is_dir() && at("sub").is_file());
    }
}
