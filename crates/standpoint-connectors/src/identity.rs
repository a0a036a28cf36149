//! The id that recognises a document when it comes again.
//!
//! An id is made of what the document is and where it was found: no time, no randomness, no
//! inode. So a document that is read again after a crash has the id that it had before, and a sink
//! can tell.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// Bytes of the hash that an id keeps: 128 bits, in 32 hexadecimal digits.
const ID_BYTES: usize = 16;

/// The id of a document that is a whole file.
///
/// - `source`: the source's name in the pipeline;
/// - `path`: relative to the source's folder, `/` between its parts;
/// - `content`: the file's bytes as they were found.
#[must_use]
pub fn of_file(source: &str, path: &str, content: &[u8]) -> String {
    digest(&[b"file", source.as_bytes(), path.as_bytes(), blake3::hash(content).as_bytes()])
}

/// Gives ids to the records inside one file.
///
/// A record with an id of its own is recognised by that; another by its content and by how often
/// that content came before in the file, so that appending a line renews nothing.
#[derive(Debug)]
pub struct RecordIds {
    source: String,
    path: String,
    seen: Seen,
    given: Given,
}

impl RecordIds {
    /// For the records of the file at `path`, relative to the folder of `source`.
    #[must_use]
    pub fn new(source: &str, path: &str) -> Self {
        let (seen, given) = (Seen::default(), Given::default());
        Self { source: source.to_owned(), path: path.to_owned(), seen, given }
    }

    /// The id of the next record: `given` if the record names one, else made of `content`.
    pub fn next(&mut self, given: Option<&str>, content: &[u8]) -> String {
        let (source, path) = (self.source.as_bytes(), self.path.as_bytes());
        if let Some(given) = given {
            return digest(&[b"given", source, path, given.as_bytes()]);
        }
        let content = blake3::hash(content);
        let before = self.seen.count(&content);
        digest(&[b"record", source, path, content.as_bytes(), &before.to_le_bytes()])
    }

    /// Notes what a record says that brings an id of its own: whether the first one in the file
    /// with that id says the same; `None` if it is the first.
    pub(crate) fn note(&mut self, given: &str, said: &blake3::Hash) -> Option<bool> {
        let id = blake3::hash(given.as_bytes());
        let [part, key @ ..] = id.as_bytes().first_chunk::<8>().expect("a hash has 32 bytes");
        let said = *said.as_bytes().first_chunk().expect("a hash has 32 bytes");
        match self.given.0[usize::from(*part) % Seen::PARTS].entry(*key) {
            Entry::Occupied(first) => Some(*first.get() == said),
            Entry::Vacant(none) => {
                none.insert(said);
                None
            }
        }
    }
}

/// What the records of a file say that bring ids of their own, in some 25 bytes of memory for each.
///
/// Ids are told apart by 60 bits of their hash, and what is said by 32.
#[derive(Debug, Default)]
struct Given([HashMap<[u8; 7], [u8; 4]>; Seen::PARTS]);

/// How often each content came in a file, in some 15 bytes of memory for each.
///
/// Contents are told apart by 52 bits of their hash. Two that have these in common count as one,
/// which does no harm: their ids are made of the whole hash and so differ, and which of them comes
/// first is the same each time the file is read.
#[derive(Debug, Default)]
struct Seen {
    /// What came once or more, in parts, since a set that grows needs its old room and the new.
    once: [HashSet<Key>; Self::PARTS],
    /// How often what came again did so.
    again: HashMap<(usize, Key), u64>,
}

type Key = [u8; 6];

impl Seen {
    const PARTS: usize = 16;

    /// How often this content came before.
    fn count(&mut self, content: &blake3::Hash) -> u64 {
        let [first, key @ ..] = content.as_bytes().first_chunk::<7>().expect("a hash has 32 bytes");
        let (part, key) = (usize::from(*first) % Self::PARTS, *key);
        if self.once[part].insert(key) {
            return 0;
        }
        let again = self.again.entry((part, key)).or_default();
        *again += 1;
        *again
    }
}

/// The first [`ID_BYTES`] of a BLAKE3 hash over the parts, each with its length before it, so that
/// no two lists of parts hash alike.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let hash = hasher.finalize().to_hex();
    hash[..2 * ID_BYTES].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_file_has_the_same_id_and_another_has_not() {
        let id = of_file("news", "a/b.txt", b"text");
        assert_eq!(id.len(), 32);
        assert_eq!(id, of_file("news", "a/b.txt", b"text"));
        for other in [
            of_file("news", "a/b.txt", b"text!"),
            of_file("news", "a/c.txt", b"text"),
            of_file("mail", "a/b.txt", b"text"),
            // The boundary between the parts counts.
            of_file("newsa", "/b.txt", b"text"),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn a_record_keeps_its_id_when_lines_are_appended() {
        let ids = |lines: &[&str]| -> Vec<String> {
            let mut ids = RecordIds::new("news", "a.jsonl");
            lines.iter().map(|line| ids.next(None, line.as_bytes())).collect()
        };
        let before = ids(&["one", "two", "one"]);
        let after = ids(&["one", "two", "one", "three"]);
        assert_eq!(before[..], after[..3]);
        assert_ne!(before[0], before[2], "the second occurrence is a document of its own");
    }

    #[test]
    fn every_record_has_an_id_of_its_own_however_often_its_content_comes() {
        let mut ids = RecordIds::new("news", "a.jsonl");
        let all: HashSet<String> =
            (0..3000).map(|number| ids.next(None, &[b'a' + (number % 7) as u8])).collect();
        assert_eq!(all.len(), 3000);
        // Written down: another value here would double what sinks already have.
        let mut ids = RecordIds::new("news", "a.jsonl");
        let lines = ["One.", "One.", "Two.", "One."];
        let found = lines.map(|text| ids.next(None, format!(r#"{{"text": "{text}"}}"#).as_bytes()));
        let expected = [
            "610bfa38f9cc95cf04b6f62b239db47b",
            "0cc33613aea3019196a6f422bfc56918",
            "ae911584e34e9fd87d98200e4b33c97c",
            "4750e72b9858e7906b2c2907a3519f02",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_given_id_recognises_a_record_whatever_its_content() {
        let mut ids = RecordIds::new("news", "a.jsonl");
        assert_eq!(ids.next(Some("7"), b"old"), ids.next(Some("7"), b"new"));
        assert_ne!(ids.next(Some("8"), b"old"), ids.next(Some("7"), b"old"));
    }

    #[test]
    fn a_record_is_held_against_the_first_one_with_its_id() {
        let mut ids = RecordIds::new("news", "a.jsonl");
        let records = [("7", "old"), ("8", "old"), ("7", "new"), ("7", "old"), ("7", "new")];
        let found = records.map(|(id, said)| ids.note(id, &blake3::hash(said.as_bytes())));
        assert_eq!(found, [None, None, Some(false), Some(true), Some(false)]);
    }
}
