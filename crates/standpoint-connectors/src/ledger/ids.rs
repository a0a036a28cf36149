//! A sealed set of ids on the disk: sorted, with a filter in memory that knows most strangers.
//!
//! ```text
//! magic | version | how many | CRC-32 of the filter, of the ids, of this header | filter | ids
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::warn;

use super::{FORMAT, LedgerError};
use crate::moves::{parent_of, sync_folder, with_ending};

/// What a document is recognised by: 128 bits of a hash.
pub type Id = [u8; 16];

const ID_BYTES: usize = size_of::<Id>();

/// How many ids a run holds, usually; fewer after some were forgotten, and up to a group more.
pub const RUN_IDS: usize = 55 << 10;

const MAGIC: &[u8; 12] = b"standpoint\0r";
const HEADER: usize = MAGIC.len() + 5 * 4;

/// At least 16 bits for each id and 8 of them set.
const FILTER_BYTES: usize = 1 << 17;
const FILTER_HASHES: u64 = 8;

/// What is held of it in memory: its halves laid over each other. A stranger passes once in 80
/// times, and is then looked for on the disk.
const HELD_BYTES: usize = FILTER_BYTES / 2;

/// How many ids are read at once: nearly always enough to have the one that is looked for among
/// them.
const READ_IDS: usize = 512;

/// The id of a document as the ledger keeps it.
///
/// Ids that this program makes are 32 hexadecimal digits and stand for themselves; any other text
/// is hashed.
#[must_use]
pub fn id_of(text: &str) -> Id {
    let digits = text.as_bytes();
    let mut id = [0; ID_BYTES];
    if digits.len() == 2 * ID_BYTES && put_digits(&mut id, digits).is_some() {
        return id;
    }
    id.copy_from_slice(&blake3::hash(digits).as_bytes()[..ID_BYTES]);
    id
}

/// Reads two hexadecimal digits, in lower case, into each byte; `None` where something else stands.
fn put_digits(bytes: &mut [u8], digits: &[u8]) -> Option<()> {
    let value = |digit: u8| char::from(digit).to_digit(16).filter(|_| !digit.is_ascii_uppercase());
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (value(pair[0])? << 4 | value(pair[1])?) as u8;
    }
    Some(())
}

/// A sealed set of ids.
#[derive(Debug)]
pub struct Run {
    path: PathBuf,
    file: File,
    count: usize,
    filter: Box<[u8]>,
    made: SystemTime,
}

impl Run {
    /// Writes a run in place of one that is there.
    ///
    /// - `ids`: in their order, each once.
    ///
    /// # Errors
    ///
    /// What the system says; then the file is as it was.
    pub fn write(path: &Path, ids: &[Id]) -> io::Result<Self> {
        let mut filter = vec![0; FILTER_BYTES];
        for id in ids {
            for bit in bits(id) {
                filter[bit / 8] |= 1 << (bit % 8);
            }
        }
        let ids = ids.as_flattened();
        let count = ids.len() / ID_BYTES;
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        for number in [FORMAT, count as u32, crc32fast::hash(&filter), crc32fast::hash(ids)] {
            header.extend(number.to_le_bytes());
        }
        header.extend(crc32fast::hash(&header).to_le_bytes());
        let draft = with_ending(path, ".draft");
        let mut file =
            File::options().read(true).write(true).create(true).truncate(true).open(&draft)?;
        for part in [&header, &filter, ids] {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&draft, path)?;
        sync_folder(parent_of(path));
        let (path, filter) = (path.to_owned(), held(&filter));
        Ok(Self { path, file, count, filter, made: SystemTime::now() })
    }

    /// Opens a run; `None` where it is damaged.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Newer`] for a version that this program does not know.
    pub fn open(path: &Path) -> Result<Option<Self>, LedgerError> {
        let fail = |source| LedgerError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        let mut header = [0; HEADER];
        if metadata.len() < (HEADER + FILTER_BYTES) as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut header, 0).map_err(fail)?;
        let number = |place: usize| {
            let at = MAGIC.len() + 4 * place;
            let mut four = [0; 4];
            four.copy_from_slice(&header[at..at + 4]);
            u32::from_le_bytes(four)
        };
        let (version, count) = (number(0), number(1) as usize);
        let is_ours =
            header.starts_with(MAGIC) && crc32fast::hash(&header[..HEADER - 4]) == number(4);
        if is_ours && version > FORMAT {
            return Err(LedgerError::Newer { path: path.to_owned(), found: version });
        }
        let length = HEADER as u64 + FILTER_BYTES as u64 + (count * ID_BYTES) as u64;
        if !is_ours || metadata.len() != length {
            return Ok(None);
        }
        let mut filter = vec![0; FILTER_BYTES];
        file.read_exact_at(&mut filter, HEADER as u64).map_err(fail)?;
        if crc32fast::hash(&filter) != number(2) {
            return Ok(None);
        }
        // A clock that says nothing makes the run look new, so that it is kept.
        let made = metadata.modified().unwrap_or_else(|_| SystemTime::now());
        Ok(Some(Self { path: path.to_owned(), file, count, filter: held(&filter), made }))
    }

    /// Whether the run holds an id. What cannot be read counts as not held, and is told.
    #[must_use]
    pub fn contains(&self, id: &Id) -> bool {
        let is_set = |bit: usize| self.filter[bit / 8 % HELD_BYTES] & (1 << (bit % 8)) != 0;
        bits(id).all(is_set)
            && self.search(id).unwrap_or_else(|error| {
                warn!(path = %self.path.display(), error = %error, "cannot read the ledger");
                false
            })
    }

    fn search(&self, id: &Id) -> io::Result<bool> {
        let mut bytes = [0; READ_IDS * ID_BYTES];
        let (mut low, mut high) = (0, self.count);
        let mut middle = likely_place(id, self.count);
        while low < high {
            let start = middle.saturating_sub(READ_IDS / 2).max(low);
            let end = (start + READ_IDS).min(high);
            let bytes = &mut bytes[..(end - start) * ID_BYTES];
            let at = HEADER + FILTER_BYTES + start * ID_BYTES;
            self.file.read_exact_at(bytes, at as u64)?;
            let ids = bytes.as_chunks::<ID_BYTES>().0;
            match ids.binary_search(id) {
                Ok(_) => return Ok(true),
                Err(0) => high = start,
                Err(place) if place == ids.len() => low = end,
                Err(_) => return Ok(false),
            }
            middle = low.midpoint(high);
        }
        Ok(false)
    }

    /// All ids, in their order.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or are not as they were written.
    pub fn ids(&self) -> io::Result<Vec<Id>> {
        let mut flat = vec![0; self.count * ID_BYTES];
        self.file.read_exact_at(&mut flat, (HEADER + FILTER_BYTES) as u64)?;
        let mut checksum = [0; 4];
        self.file.read_exact_at(&mut checksum, (MAGIC.len() + 12) as u64)?;
        if crc32fast::hash(&flat) != u32::from_le_bytes(checksum) {
            return Err(io::Error::other("its ids do not match their checksum"));
        }
        let id = |bytes: &[u8]| {
            let mut id = [0; ID_BYTES];
            id.copy_from_slice(bytes);
            id
        };
        Ok(flat.chunks_exact(ID_BYTES).map(id).collect())
    }

    /// How many ids there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// When it was sealed.
    #[must_use]
    pub const fn made(&self) -> SystemTime {
        self.made
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What is held of a filter.
fn held(filter: &[u8]) -> Box<[u8]> {
    let (one, other) = filter.split_at(HELD_BYTES);
    one.iter().zip(other).map(|(one, other)| one | other).collect()
}

/// Where an id is in a sorted list of so many, or some places before or behind that: ids are
/// hashes.
pub(super) fn likely_place(id: &Id, count: usize) -> usize {
    let first = id.iter().take(8).fold(0, |first: u64, byte| first << 8 | u64::from(*byte));
    ((u128::from(first) * count as u128) >> 64) as usize
}

/// The places of an id in the filter. Ids are hashes, so their own bits serve.
fn bits(id: &Id) -> impl Iterator<Item = usize> {
    let [one, other] = [&id[..8], &id[8..]].map(|eight| {
        let mut number = [0; 8];
        number.copy_from_slice(eight);
        u64::from_le_bytes(number)
    });
    (0..FILTER_HASHES).map(move |index| {
        // Odd, so that the steps go through all places.
        let step = (other | 1).wrapping_mul(index);
        one.wrapping_add(step) as usize % (FILTER_BYTES * 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Id {
        id_of(&number.to_string())
    }

    fn sorted(ids: impl IntoIterator<Item = Id>) -> Vec<Id> {
        let mut ids: Vec<Id> = ids.into_iter().collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn an_id_of_ours_stands_for_itself_and_another_is_hashed() {
        let ours = "000102030405060708090a0b0c0d0e0f";
        assert_eq!(id_of(ours), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_ne!(id_of(&ours.to_uppercase()), id_of(ours));
        assert_ne!(id_of("+0010203+4050607+8090a0b+c0d0e0f"), id_of(ours));
        assert_ne!(id_of("a"), id_of("b"));
    }

    #[test]
    fn a_run_knows_its_ids_and_no_others_also_when_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.run");
        let written = Run::write(&path, &sorted((0..5000).map(id))).unwrap();
        let opened = Run::open(&path).unwrap().unwrap();
        for run in [written, opened] {
            assert!((0..5000).all(|number| run.contains(&id(number))));
            assert!((5000..20_000).all(|number| !run.contains(&id(number))));
            assert_eq!(run.ids().unwrap().len(), 5000);
        }
    }

    #[test]
    fn ids_that_are_no_hashes_are_found_where_nobody_looks_first() {
        let folder = tempfile::tempdir().unwrap();
        let given =
            |number: u32, shift: u32| id_of(&format!("{:032x}", u128::from(number) << shift));
        for shift in [0, 60, 96] {
            let path = folder.path().join(format!("{shift}.run"));
            let ids = sorted((1..5000).map(|number| given(2 * number, shift)));
            let run = Run::write(&path, &ids).unwrap();
            for number in 1..5000 {
                assert!(run.search(&given(2 * number, shift)).unwrap(), "{number} << {shift}");
                assert!(!run.search(&given(2 * number + 1, shift)).unwrap(), "{number} << {shift}");
            }
        }
    }

    #[test]
    fn a_damaged_run_is_none_or_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.run");
        Run::write(&path, &sorted([id(1), id(2)])).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(1009).chain([whole.len() - 1]) {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(Run::open(&path).unwrap().is_none(), "cut at {length}");
        }
        for byte in (0..whole.len()).filter(|byte| *byte < 40 || byte % 997 == 0) {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(Run::open(&path).unwrap().is_none(), "byte {byte}");
        }
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&path, &damaged).unwrap();
        assert!(Run::open(&path).unwrap().unwrap().ids().is_err());
    }
}
