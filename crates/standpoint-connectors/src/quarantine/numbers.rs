//! Which records of their file those are that are tried again, kept beside them in an attribute.

use std::collections::BTreeSet;
use std::fs::File;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
use tracing::debug;

use super::Entry;

/// The attribute of a file in the inbox that says which records of an earlier file its own were.
const NUMBERS: &str = "user.standpoint.records";

/// The most bytes of that attribute: file systems keep little more.
const MOST_NUMBERS_BYTES: usize = 2048;

/// Notes which records of their file these were, so that those that fail again are told apart as
/// before. Where a file system keeps no attributes, or not as many, they are numbered anew.
pub(super) fn note_numbers(file: &File, entries: &[&Entry]) {
    let number = |entry: &&Entry| Some(entry.reason.as_ref().ok()?.record?.to_string());
    let Some(numbers) = entries.iter().map(number).collect::<Option<Vec<_>>>() else { return };
    let numbers = numbers.join(",");
    if numbers.len() <= MOST_NUMBERS_BYTES
        && let Err(error) = fsetxattr(file, NUMBERS, numbers.as_bytes(), XattrFlags::empty())
    {
        debug!(error = %error, "cannot note which records are tried again");
    }
}

/// Which records of an earlier file the records of a file were, from 1; none where it is no replay,
/// or not the one that was noted.
///
/// - `records`: how many it holds.
pub(crate) fn noted_numbers(file: &File, records: u64) -> Vec<u64> {
    let mut bytes = [0; MOST_NUMBERS_BYTES];
    let Ok(length) = fgetxattr(file, NUMBERS, &mut bytes[..]) else { return Vec::new() };
    let text = bytes.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let numbers = text.map(|text| text.split(',').map(str::parse).collect::<Result<Vec<_>, _>>());
    let numbers: Vec<u64> = numbers.and_then(Result::ok).unwrap_or_default();
    // Whoever can write to the inbox can write this, or to the file since: with one number for two
    // records, one of them would be taken for the other and be lost.
    let distinct: BTreeSet<u64> = numbers.iter().copied().filter(|&number| number > 0).collect();
    let is_theirs = distinct.len() == numbers.len() && numbers.len() as u64 == records;
    if is_theirs { numbers } else { Vec::new() }
}
