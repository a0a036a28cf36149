//! A file of records, each with its length and checksum before it, that is only appended to.
//!
//! ```text
//! length (4 bytes) | CRC-32 of the payload (4 bytes) | payload          ... and so on
//! ```
//!
//! Numbers are little endian. The first record says what the file is and its version. Whatever
//! follows the last whole record is what a crash left, or damage: it is cut off and counted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::{FORMAT, LedgerError};
use crate::failpoint;
use crate::moves::{parent_of, sync_folder, with_ending};

/// How every file of the ledger begins, after length and checksum.
const MAGIC: &[u8; 10] = b"standpoint";

/// Before each payload: its length and its checksum.
const FRAME: usize = 8;

/// No record is longer; a length beyond it is damage.
pub const MOST_BYTES: usize = 4 << 20;

/// A file of records, open to append to it.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    /// Bytes up to the end of the last whole record.
    good: u64,
    /// Whether something may stand behind `good`, which the next append cuts off.
    is_torn: bool,
    /// Bytes of a torn tail that were cut off when it was opened.
    cut: u64,
}

/// What was found in a file of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// Whole records, the first one not counted.
    pub records: u64,
    /// Bytes up to the end of the last whole one; 0 where even the first is damaged.
    pub good: u64,
    /// Bytes in all.
    pub length: u64,
    /// The version that the file says.
    pub version: u32,
}

impl Scan {
    /// Bytes that belong to no whole record.
    #[must_use]
    pub const fn torn(&self) -> u64 {
        self.length - self.good
    }
}

impl Log {
    /// Opens a file of records, or makes it, and gives each of its payloads to `read`.
    ///
    /// A bad tail is cut off; a file whose beginning is damaged is set aside, and an empty one
    /// takes its place. Both are told in the log.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Newer`] for a version that this program does not know; what the system says
    /// otherwise.
    pub fn open(path: &Path, read: impl FnMut(&[u8])) -> Result<Self, LedgerError> {
        let fail = |source| LedgerError::Io { path: path.to_owned(), source };
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Self::create(path, &[]).map_err(fail);
            }
            Err(error) => return Err(fail(error)),
        };
        let scan = scan(&file, read).map_err(fail)?;
        if scan.good == 0 {
            let aside = set_aside(path).map_err(fail)?;
            let (shown, aside) = (path.display(), aside.display());
            warn!(path = %shown, %aside, "set a damaged file of the ledger aside");
            return Self::create(path, &[]).map_err(fail);
        }
        if scan.version > FORMAT {
            return Err(LedgerError::Newer { path: path.to_owned(), found: scan.version });
        }
        if scan.torn() > 0 {
            let (path, bytes) = (path.display(), scan.torn());
            warn!(%path, bytes, "cut off a torn tail of the ledger");
            file.set_len(scan.good).map_err(fail)?;
        }
        Ok(Self { path: path.to_owned(), file, good: scan.good, is_torn: false, cut: scan.torn() })
    }

    /// Makes a file with these records, in place of one that is there.
    ///
    /// # Errors
    ///
    /// What the system says; then the file is as it was.
    pub fn create(path: &Path, payloads: &[&[u8]]) -> io::Result<Self> {
        let draft = with_ending(path, ".draft");
        let mut bytes = framed(&header());
        for payload in payloads {
            bytes.extend(framed(payload));
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(&bytes)?;
        // The name must not be on the disk before what it names.
        file.sync_all()?;
        failpoint::reached("file of records drafted");
        fs::rename(&draft, path)?;
        sync_folder(parent_of(path));
        Ok(Self { path: path.to_owned(), file, good: bytes.len() as u64, is_torn: false, cut: 0 })
    }

    /// Appends a record. After an error the file holds what it held before.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.good)?;
        }
        let bytes = framed(payload);
        self.is_torn = true;
        self.file.write_all_at(&bytes, self.good)?;
        self.is_torn = false;
        self.good += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes of a torn tail were cut off when it was opened.
    #[must_use]
    pub const fn cut(&self) -> u64 {
        self.cut
    }

    /// Waits until the records are on the disk.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The file's length in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.good
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Gives each payload of a file of records to `read`, up to the first that is damaged, and changes
/// nothing.
///
/// # Errors
///
/// When the file cannot be read.
pub fn scan(file: &File, mut read: impl FnMut(&[u8])) -> io::Result<Scan> {
    let mut found = Scan { length: file.metadata()?.len(), ..Scan::default() };
    let mut bytes = BufReader::new(file);
    let mut payload = Vec::new();
    while next_payload(&mut bytes, &mut payload)? {
        let is_first = found.good == 0;
        if is_first {
            let Some(version) = version_in(&payload) else { return Ok(found) };
            found.version = version;
        }
        found.good += (FRAME + payload.len()) as u64;
        // Records of another version are not ours to read.
        if found.version > FORMAT {
            return Ok(found);
        }
        if !is_first {
            found.records += 1;
            read(&payload);
        }
    }
    Ok(found)
}

/// Reads the next record; whether it is whole.
fn next_payload(bytes: &mut impl BufRead, payload: &mut Vec<u8>) -> io::Result<bool> {
    let mut frame = [0; FRAME];
    if !fill(bytes, &mut frame)? {
        return Ok(false);
    }
    let [length, checksum] = [&frame[..4], &frame[4..]].map(|four| {
        let mut number = [0; 4];
        number.copy_from_slice(four);
        u32::from_le_bytes(number)
    });
    // No record is empty; what a file system fills with zeros is.
    if length == 0 || length as usize > MOST_BYTES {
        return Ok(false);
    }
    payload.clear();
    payload.resize(length as usize, 0);
    Ok(fill(bytes, payload)? && crc32fast::hash(payload) == checksum)
}

/// Fills a buffer; `false` at the end of the file.
fn fill(bytes: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match bytes.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME + payload.len());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(payload).to_le_bytes());
    bytes.extend(payload);
    bytes
}

fn header() -> Vec<u8> {
    [MAGIC.as_slice(), &FORMAT.to_le_bytes()].concat()
}

/// The version in a first record; `None` where it is none of ours.
fn version_in(payload: &[u8]) -> Option<u32> {
    let version = payload.strip_prefix(MAGIC)?;
    Some(u32::from_le_bytes(version.try_into().ok()?))
}

/// Moves a damaged file out of the way, for whoever wants to look at it; the last one of its name
/// is kept.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = with_ending(path, ".damaged");
    fs::rename(path, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with these records, and what is read of it.
    fn read(path: &Path) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        Log::open(path, |payload| records.push(payload.to_vec())).unwrap();
        records
    }

    fn three_records(path: &Path) -> Vec<u8> {
        let mut log = Log::open(path, |_| ()).unwrap();
        for record in [b"one".as_slice(), b"2", b"three"] {
            log.append(record).unwrap();
        }
        fs::read(path).unwrap()
    }

    #[test]
    fn a_file_cut_at_any_length_gives_the_records_before_the_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let whole = three_records(&path);
        let records = [b"one".to_vec(), b"2".to_vec(), b"three".to_vec()];
        assert_eq!(read(&path), records);
        let mut most = 0;
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let found = read(&path);
            assert_eq!(found, records[..found.len()], "cut at {length}");
            assert!(found.len() >= most, "cut at {length}");
            most = found.len();
            // And it can be appended to.
            Log::open(&path, |_| ()).unwrap().append(b"new").unwrap();
            assert_eq!(read(&path).last().unwrap(), b"new", "cut at {length}");
        }
        assert_eq!(most, 2);
    }

    #[test]
    fn a_tail_of_zeros_is_no_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let whole = three_records(&path);
        fs::write(&path, [&whole[..], &[0; 64]].concat()).unwrap();
        assert_eq!(read(&path).len(), 3);
        assert_eq!(fs::read(&path).unwrap(), whole, "it is cut off");
    }

    #[test]
    fn a_flipped_bit_costs_what_follows_it_and_never_gives_a_wrong_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let whole = three_records(&path);
        for bit in (0..whole.len() * 8).step_by(5) {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &damaged).unwrap();
            let mut found = Vec::new();
            let opened = Log::open(&path, |payload| found.push(payload.to_vec()));
            opened.unwrap();
            let records = [b"one".as_slice(), b"2", b"three"];
            assert!(found.len() < 3, "bit {bit}");
            assert_eq!(found, records[..found.len()], "bit {bit}");
        }
    }

    #[test]
    fn a_newer_file_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let newer = framed(&[MAGIC.as_slice(), &2_u32.to_le_bytes()].concat());
        fs::write(&path, &newer).unwrap();
        let error = Log::open(&path, |_| ()).unwrap_err().to_string();
        assert!(error.contains("has ledger version 2 and this program reads up to 1"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), newer);
    }

    #[test]
    fn a_file_of_others_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        fs::write(&path, "notes of somebody\n").unwrap();
        assert!(read(&path).is_empty());
        let aside = fs::read_to_string(folder.path().join("a.log.damaged")).unwrap();
        assert_eq!(aside, "notes of somebody\n");
    }
}
