//! What a ledger holds, looked at without changing anything.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::ids::{Id, Run};
use super::memory::{self, FORGOTTEN};
use super::{LedgerError, log};

/// What was found in one file of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, below the ledger's folder.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many records it holds.
    pub records: u64,
    /// How many ids.
    pub ids: u64,
    /// What is wrong with it, and what the next start will do about it.
    pub problem: Option<String>,
}

/// Something in the ledger, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A document that was had.
    Known {
        /// The file that says so, below the ledger's folder.
        file: PathBuf,
        /// The document's id.
        id: String,
    },
    /// A document that was deleted by `forget`.
    Forgotten {
        /// The file that says so, below the ledger's folder.
        file: PathBuf,
        /// The document's id.
        id: String,
    },
    /// How far an output was good.
    Good {
        /// The file that says so, below the ledger's folder.
        file: PathBuf,
        /// The output's length in bytes.
        end: u64,
    },
}

/// Looks at every file of a ledger.
///
/// - `each`: is given what the files hold, in their order.
///
/// # Errors
///
/// When the folder cannot be read; a ledger that is not there holds nothing.
pub fn look(folder: &Path, mut each: impl FnMut(Entry)) -> io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let memories = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(findings),
        memories => memories?,
    };
    let mut names = memories.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder.join(&name))? {
            files.push(Path::new(&name).join(entry?.file_name()));
        }
        files.sort();
        for path in files {
            findings.push(look_at(folder, path, &mut each)?);
        }
    }
    Ok(findings)
}

fn look_at(folder: &Path, path: PathBuf, each: &mut impl FnMut(Entry)) -> io::Result<Finding> {
    let whole = folder.join(&path);
    let bytes = fs::metadata(&whole)?.len();
    let mut finding = Finding { path, bytes, records: 0, ids: 0, problem: None };
    match finding.path.extension().and_then(|ending| ending.to_str()) {
        Some("log") => look_at_log(&whole, &mut finding, each)?,
        Some("run") => look_at_run(&whole, &mut finding, each),
        Some("damaged") => {
            finding.problem = Some("was damaged and set aside; delete it when you like".to_owned());
        }
        Some("draft") => {
            finding.problem = Some("was begun and not finished; it is written anew".to_owned());
        }
        _ => finding.problem = Some("is none of the ledger's files".to_owned()),
    }
    Ok(finding)
}

fn look_at_log(path: &Path, finding: &mut Finding, each: &mut impl FnMut(Entry)) -> io::Result<()> {
    let file = || finding.path.clone();
    let mut count = 0;
    let scan = log::scan(&File::open(path)?, |payload| {
        let Some((kind, ids, position)) = memory::read(payload) else { return };
        count += ids.len() as u64;
        for id in ids {
            let (file, id) = (file(), hex(&id));
            each(match kind {
                FORGOTTEN => Entry::Forgotten { file, id },
                _ => Entry::Known { file, id },
            });
        }
        if let Some(position) = position {
            each(Entry::Good { file: file(), end: position.end });
        }
    })?;
    finding.records = scan.records;
    finding.ids = count;
    finding.problem = if scan.good == 0 {
        Some("its beginning is damaged; the next start sets it aside".to_owned())
    } else if scan.version > super::FORMAT {
        Some(newer(path, scan.version))
    } else if scan.torn() > 0 {
        Some(format!("its last {} bytes are torn; the next start cuts them off", scan.torn()))
    } else {
        None
    };
    Ok(())
}

fn look_at_run(path: &Path, finding: &mut Finding, each: &mut impl FnMut(Entry)) {
    let ids = match Run::open(path) {
        Ok(Some(run)) => run.ids().map_err(|error| error.to_string()),
        Ok(None) => Err("it is damaged; the next start sets it aside".to_owned()),
        Err(LedgerError::Newer { found, .. }) => Err(newer(path, found)),
        Err(error) => Err(crate::files::with_causes(&error)),
    };
    match ids {
        Ok(ids) => {
            finding.records = 1;
            finding.ids = ids.len() as u64;
            for id in ids {
                each(Entry::Known { file: finding.path.clone(), id: hex(&id) });
            }
        }
        Err(problem) => finding.problem = Some(problem),
    }
}

fn newer(path: &Path, found: u32) -> String {
    LedgerError::Newer { path: path.to_owned(), found }.to_string()
}

fn hex(id: &Id) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::ledger::ids::id_of;
    use crate::ledger::memory::{Position, Window};

    #[test]
    fn what_a_ledger_holds_is_shown_and_what_is_wrong_with_it() {
        let root = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(root.path(), Window::default());
        let position = Some(Position { device: 1, inode: 2, end: 30 });
        let mut memory = ledger.of_sink("out/1").unwrap();
        memory.add(&[id_of("a")], position).unwrap();
        drop(memory);
        let folder = super::super::folder(root.path());
        let log = folder.join("sink-out%2f.1/00000001.log");
        let mut entries = Vec::new();
        let findings = look(&folder, |entry| entries.push(entry)).unwrap();
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].records, findings[0].ids), (1, 1));
        assert_eq!(findings[0].problem, None);
        assert_eq!(entries.len(), 2, "{entries:?}");

        let mut torn = fs::read(&log).unwrap();
        torn.extend([7; 5]);
        fs::write(&log, &torn).unwrap();
        let findings = look(&folder, |_| ()).unwrap();
        assert_eq!(
            findings[0].problem.as_deref(),
            Some("its last 5 bytes are torn; the next start cuts them off")
        );
        assert_eq!(fs::read(&log).unwrap(), torn, "looking changes nothing");
    }
}
