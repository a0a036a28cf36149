//! The id that recognises a document when it comes again.
//!
//! An id is made of what the document is and where it was found: no time, no randomness, no
//! inode. So a document that is read again after a crash has the id that it had before, and a sink
//! can tell.

use std::collections::HashMap;

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
    seen: HashMap<[u8; ID_BYTES], u64>,
}

impl RecordIds {
    /// For the records of the file at `path`, relative to the folder of `source`.
    #[must_use]
    pub fn new(source: &str, path: &str) -> Self {
        Self { source: source.to_owned(), path: path.to_owned(), seen: HashMap::new() }
    }

    /// The id of the next record: `given` if the record names one, else made of `content`.
    pub fn next(&mut self, given: Option<&str>, content: &[u8]) -> String {
        let (source, path) = (self.source.as_bytes(), self.path.as_bytes());
        if let Some(given) = given {
            return digest(&[b"given", source, path, given.as_bytes()]);
        }
        let content = blake3::hash(content);
        // A shortened digest as key keeps a file of a million records at some 40 MB.
        let mut key = [0; ID_BYTES];
        key.copy_from_slice(&content.as_bytes()[..ID_BYTES]);
        let before = self.seen.entry(key).or_default();
        let id = digest(&[b"record", source, path, content.as_bytes(), &before.to_le_bytes()]);
        *before += 1;
        id
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
    fn a_given_id_recognises_a_record_whatever_its_content() {
        let mut ids = RecordIds::new("news", "a.jsonl");
        assert_eq!(ids.next(Some("7"), b"old"), ids.next(Some("7"), b"new"));
        assert_ne!(ids.next(Some("8"), b"old"), ids.next(Some("7"), b"old"));
    }
}
