//! The ledger: what a daemon must remember and the file system cannot hold.
//!
//! Where a file is, and how often it was tried, is told by the folder that it lies in (see
//! [`inbox`](crate::inbox)). What is left is which documents an output or a source has had, and how
//! far each output was good. That is kept here, in files of checksummed records that are only
//! appended to.
//!
//! The outputs are the truth and the ledger is a memory of them: it is written after an output was
//! synced, and what it lacks at the next start is read out of the output again. So it needs no sync
//! of its own, and a ledger that lost its tail, or all of it, loses no document.
//!
//! Modules in reading order: [`log`] is a file of records, [`ids`] a sealed set of ids, `latest`
//! those that are not sealed yet, [`memory`] joins them, [`inspect`] shows what they hold.

pub mod ids;
pub mod inspect;
mod latest;
pub mod log;
pub mod memory;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::memory::{Memory, Window};

/// The version of the ledger's files that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Why the ledger cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// A newer program wrote it.
    #[error(
        "{} has ledger version {found} and this program reads up to {FORMAT}; use the newer \
         program, or move the file away to begin without its memory",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
    },
    /// It cannot be read or written.
    #[error("cannot use the ledger {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The ledger of one data folder, which one process uses at a time.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: PathBuf,
    window: Window,
}

impl Ledger {
    /// The ledger in `data_dir`, which remembers as much as `window` says.
    #[must_use]
    pub fn new(data_dir: &Path, window: Window) -> Self {
        Self { folder: folder(data_dir), window }
    }

    /// What the output of a sink holds.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it is newer or cannot be read.
    pub fn of_sink(&self, name: &str) -> Result<Memory, LedgerError> {
        Memory::open(&self.folder.join(format!("sink-{}", escaped(name))), self.window)
    }

    /// What a source has had done.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it is newer or cannot be read.
    pub fn of_source(&self, name: &str) -> Result<Memory, LedgerError> {
        Memory::open(&self.folder.join(format!("source-{}", escaped(name))), self.window)
    }

    /// Which objects a source has fetched. However long ago that was, they are still there.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it is newer or cannot be read.
    #[cfg(feature = "objects")]
    pub(crate) fn of_objects(&self, name: &str) -> Result<Memory, LedgerError> {
        Memory::open(&self.folder.join(format!("objects-{}", escaped(name))), self.ageless())
    }

    /// Which files a source has had that it leaves where they are. However long ago that was, they
    /// are still there.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it is newer or cannot be read.
    pub(crate) fn of_kept(&self, name: &str) -> Result<Memory, LedgerError> {
        let name = escaped(&format!("{name} kept"));
        Memory::open(&self.folder.join(format!("source-{name}")), self.ageless())
    }

    const fn ageless(&self) -> Window {
        Window { max_age: None, ..self.window }
    }

    /// How many ids are remembered at least.
    #[cfg(feature = "objects")]
    pub(crate) const fn most_ids(&self) -> u64 {
        self.window.max_ids
    }
}

/// Where the ledger of a data folder lies.
#[must_use]
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("ledger")
}

/// A name of the pipeline file as the name of a folder: any character but letters, digits, `-` and
/// `_` becomes its code.
pub(crate) fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '-' | '_') {
            escaped.push(character);
        } else {
            // Infallible: a String takes whatever is written.
            let _ = write!(escaped, "%{:x}.", u32::from(character));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ids::id_of;
    use super::*;

    #[test]
    fn what_stays_where_it_is_has_no_age() {
        let folder = tempfile::tempdir().unwrap();
        let window = Window { max_age: Some(Duration::ZERO), ..Window::default() };
        let ledger = Ledger::new(folder.path(), window);
        // So many that the oldest are put away together.
        let ids: Vec<_> = (0..70_000).map(|number| id_of(&number.to_string())).collect();
        for (mut memory, knows) in
            [(ledger.of_source("news").unwrap(), false), (ledger.of_kept("news").unwrap(), true)]
        {
            memory.add(&ids, None).unwrap();
            assert_eq!(memory.contains(&ids[0]), knows);
        }
    }
}
