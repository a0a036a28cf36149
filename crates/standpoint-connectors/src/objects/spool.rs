//! The folder into which objects are fetched: an inbox of the pipeline's own, and a draft beside
//! it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::moves::{parent_of, sync_folder};

/// Files that may wait at once: each look through the folder sees them all.
const MOST_FILES: u64 = 256;

/// Where fetched objects lie until they are done.
#[derive(Debug)]
pub(super) struct Spool {
    draft: PathBuf,
    inbox: PathBuf,
    most_bytes: u64,
    sync: bool,
}

impl Spool {
    /// Makes the folders if needed.
    pub(super) fn open(folder: &Path, most_bytes: u64, sync: bool) -> io::Result<Self> {
        let inbox = folder.join("inbox");
        fs::create_dir_all(&inbox)?;
        Ok(Self { draft: folder.join("draft"), inbox, most_bytes, sync })
    }

    /// Whether one more file may come: there is never more than one beyond the bound.
    pub(super) fn has_room(&self) -> io::Result<bool> {
        let (files, bytes) = held(&self.inbox)?;
        Ok(files < MOST_FILES && bytes < self.most_bytes)
    }

    /// A file to write an object into.
    pub(super) fn draft(&self) -> io::Result<File> {
        File::create(&self.draft)
    }

    /// Puts the draft into the inbox, in place of an older version that still waits there.
    pub(super) fn put(&self, mut draft: File, relative: &str) -> io::Result<()> {
        draft.flush()?;
        if self.sync {
            draft.sync_all()?;
        }
        let to = self.inbox.join(relative);
        let folder = parent_of(&to);
        fs::create_dir_all(folder)?;
        if to.is_dir() {
            // One that is left of keys below this one; it goes if it is empty.
            fs::remove_dir(&to)?;
        }
        fs::rename(&self.draft, &to)?;
        if self.sync {
            for above in folder.ancestors().take_while(|above| above.starts_with(&self.inbox)) {
                sync_folder(above);
            }
        }
        Ok(())
    }
}

/// How many files lie in a folder, and how many bytes they have.
fn held(folder: &Path) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let entry = entry?;
            // What was taken in the meantime is not there any more.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                bytes += metadata.len();
            }
        }
    }
    Ok((files, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(spool: &Spool, relative: &str, text: &str) -> io::Result<()> {
        let mut draft = spool.draft()?;
        draft.write_all(text.as_bytes())?;
        spool.put(draft, relative)
    }

    #[test]
    fn it_is_full_by_bytes_and_by_files() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 10, true).unwrap();
        put(&spool, "a/b/c.txt", "123456789").unwrap();
        assert!(spool.has_room().unwrap());
        put(&spool, "d.txt", "123456789").unwrap();
        assert!(!spool.has_room().unwrap());
        fs::remove_file(folder.path().join("inbox/d.txt")).unwrap();
        for number in 0..MOST_FILES - 1 {
            assert!(spool.has_room().unwrap());
            put(&spool, &format!("{number}.txt"), "").unwrap();
        }
        assert!(!spool.has_room().unwrap());
    }

    #[test]
    fn a_key_that_was_a_folder_takes_its_place_once_that_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1000, false).unwrap();
        put(&spool, "a/b.txt", "x").unwrap();
        assert!(put(&spool, "a", "y").is_err());
        fs::remove_file(folder.path().join("inbox/a/b.txt")).unwrap();
        put(&spool, "a", "y").unwrap();
        assert!(put(&spool, "a/b.txt", "x").is_err());
        put(&spool, "a", "newer").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("inbox/a")).unwrap(), "newer");
    }
}
