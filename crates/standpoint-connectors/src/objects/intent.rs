//! What is being put: noted before, so that after a crash it is known which documents to look for,
//! and where.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::moves::{parent_of, sync_folder, with_ending};

/// An object that was going to be put, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intent {
    version: u32,
    /// Its path below the place.
    pub(super) object: String,
    /// The ids of its documents, in their order.
    pub(super) ids: Vec<String>,
}

impl Intent {
    pub(super) fn new(object: String, ids: Vec<String>) -> Self {
        Self { version: 1, object, ids }
    }
}

/// The file with the intent.
#[derive(Debug)]
pub(super) struct Note {
    path: PathBuf,
    sync: bool,
}

impl Note {
    /// Takes the file, which need not be there, and reads what an earlier run left in it.
    ///
    /// # Errors
    ///
    /// When there is one that cannot be read. It is not passed over: it may be the only word of
    /// documents that are there already.
    pub(super) fn open(path: PathBuf, sync: bool) -> io::Result<(Self, Option<Intent>)> {
        fs::create_dir_all(parent_of(&path))?;
        let left = match fs::read(&path) {
            Ok(json) => Some(serde_json::from_slice(&json).map_err(io::Error::other)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok((Self { path, sync }, left))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes what is going to be put. It is on the disk afterwards.
    pub(super) fn write(&self, intent: &Intent) -> io::Result<()> {
        let draft = with_ending(&self.path, ".part");
        let mut file = File::create(&draft)?;
        serde_json::to_writer(&mut file, intent)?;
        file.flush()?;
        if self.sync {
            file.sync_all()?;
        }
        fs::rename(&draft, &self.path)?;
        if self.sync {
            sync_folder(parent_of(&self.path));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_note_is_there_and_one_that_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("objects/a.json");
        let (note, left) = Note::open(path.clone(), true).unwrap();
        assert_eq!(left, None);
        for object in ["d/x.jsonl", "d/y.jsonl"] {
            let intent = Intent::new(object.to_owned(), vec!["1".to_owned()]);
            note.write(&intent).unwrap();
            assert_eq!(Note::open(path.clone(), true).unwrap().1, Some(intent));
        }
        fs::write(&path, "{").unwrap();
        assert!(Note::open(path, true).is_err());
    }
}
