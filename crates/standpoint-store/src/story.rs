//! Stories: one text, however often it was printed.
//!
//! A text becomes the set of its shingles, runs of five words; two texts are copies when they
//! share at least half of them and were printed within two weeks. The set is kept as a sketch: its
//! smallest hashes, from which the share of common shingles can be estimated (bottom-k
//! sampling: Broder, "On the resemblance and containment of documents", 1997). The very smallest
//! few are indexed: copies share one of them but for bad luck (below one in a thousand at half of
//! the shingles in common).

use std::collections::{BTreeSet, HashSet};

use crate::base::{self, Base, Value, values};
use crate::days;

/// Words of a shingle.
const SHINGLE: usize = 5;
/// Hashes of a sketch.
const SKETCH: usize = 64;
/// Hashes by which sketches are looked up.
const INDEXED: usize = 12;
/// The share of common shingles from which on texts are copies.
const ENOUGH: f64 = 0.5;
/// The same for texts of fewer shingles than [`SHORT`]: two headlines of one pattern are no copies.
const ENOUGH_OF_SHORT: f64 = 0.9;
/// Texts of fewer shingles are short.
const SHORT: usize = 24;
/// Days between a story and its copies. What is said again a year later is said again.
const DAYS: u64 = 14;
/// The most documents that one is compared with: the latest that share a hash.
const CANDIDATES: usize = 64;

/// The smallest hashes of a text's shingles, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch(Vec<u64>);

impl Sketch {
    /// The sketch of a text; empty for one of fewer words than a shingle has.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let words: Vec<u64> = text
            .split(|character: char| !character.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(hash_of_word)
            .collect();
        let mut smallest = BTreeSet::new();
        for shingle in words.windows(SHINGLE) {
            let hash = shingle.iter().fold(0, |hash, word| mixed(hash ^ word));
            if smallest.len() < SKETCH {
                smallest.insert(hash);
            } else if smallest.last().is_some_and(|largest| hash < *largest)
                && smallest.insert(hash)
            {
                smallest.pop_last();
            }
        }
        Self(smallest.into_iter().collect())
    }

    /// The estimated share of common shingles, 0 to 1.
    #[must_use]
    pub fn resemblance(&self, other: &Self) -> f64 {
        let union: BTreeSet<u64> = self.0.iter().chain(&other.0).copied().collect();
        let (mine, theirs): (HashSet<_>, HashSet<_>) =
            (self.0.iter().collect(), other.0.iter().collect());
        let sample: Vec<&u64> = union.iter().take(SKETCH).collect();
        if sample.is_empty() {
            return 0.0;
        }
        let common = sample.iter().filter(|hash| mine.contains(*hash) && theirs.contains(*hash));
        common.count() as f64 / sample.len() as f64
    }

    fn is_copy_of(&self, other: &Self) -> bool {
        let is_short = self.0.len().min(other.0.len()) < SHORT;
        self.resemblance(other) >= if is_short { ENOUGH_OF_SHORT } else { ENOUGH }
    }

    fn indexed(&self) -> impl Iterator<Item = i64> {
        self.0.iter().take(INDEXED).map(|hash| hash.cast_signed())
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|hash| hash.to_le_bytes()).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let hashes = bytes
            .chunks_exact(8)
            .map(|chunk| chunk.iter().rev().fold(0, |hash, byte| hash << 8 | u64::from(*byte)));
        Self(hashes.collect())
    }
}

/// FNV-1a over the word in lower case: stays what it is when libraries change.
fn hash_of_word(word: &str) -> u64 {
    let bytes = word.chars().flat_map(char::to_lowercase).flat_map(|character| {
        let mut buffer = [0; 4];
        character.encode_utf8(&mut buffer).as_bytes().to_vec()
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of `SplitMix64`, which turns every bit over.
const fn mixed(hash: u64) -> u64 {
    let hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Puts a document into the story that it is a copy of, or into one of its own; gives the story.
pub(crate) fn join(base: &Base, key: i64, sketch: &Sketch) -> base::Result<i64> {
    leave(base, key, sketch)?;
    let story = find(base, key, sketch)?.unwrap_or(key);
    base.run("UPDATE document SET story = ?2 WHERE key = ?1", &values![key, story])?;
    base.run("DELETE FROM sketch WHERE document = ?", &values![key])?;
    let hashes: Vec<Vec<Value<'_>>> =
        sketch.indexed().map(|hash| values![hash, key].into()).collect();
    base.run_each("INSERT INTO sketch VALUES (?, ?) ON CONFLICT DO NOTHING", &hashes)?;
    base.run(
        "INSERT INTO document_sketch VALUES (?, ?)
         ON CONFLICT (document) DO UPDATE SET hashes = excluded.hashes",
        &values![key, sketch.to_bytes()],
    )?;
    Ok(story)
}

/// Gives the copies of a document whose text was another one before a story of their own.
fn leave(base: &Base, key: i64, sketch: &Sketch) -> base::Result<()> {
    let sql = "SELECT hashes FROM document_sketch WHERE document = ?";
    let before: Option<Vec<u8>> = base.row(sql, &values![key], |row| row.get(0))?;
    if before.is_none_or(|before| Sketch::from_bytes(&before) == *sketch) {
        return Ok(());
    }
    if let Some(heir) = inherit(base, key)? {
        crate::write::promote(base, heir)?;
    }
    Ok(())
}

/// Calls a story by another of its documents than the one that it was called by until now; `None`
/// where there is no other.
pub(crate) fn inherit(base: &Base, key: i64) -> base::Result<Option<i64>> {
    let sql = "SELECT min(key) FROM document WHERE story = ?1 AND key <> ?1";
    let heir: Option<Option<i64>> = base.row(sql, &values![key], |row| row.get(0))?;
    let heir = heir.flatten();
    if let Some(heir) = heir {
        for sql in [
            "UPDATE stance SET story = ?2 WHERE story = ?1 AND document <> ?1",
            "UPDATE document SET story = ?2 WHERE story = ?1 AND key <> ?1",
        ] {
            base.run(sql, &values![key, heir])?;
        }
    }
    Ok(heir)
}

fn find(base: &Base, key: i64, sketch: &Sketch) -> base::Result<Option<i64>> {
    let mut hashes: Vec<Value<'_>> = sketch.indexed().map(Value::from).collect();
    if hashes.is_empty() {
        return Ok(None);
    }
    // A date that one of them lacks keeps nobody apart.
    let is_near = |day: &str, own: &str| {
        let days = days::number(day).zip(days::number(own));
        days.is_none_or(|(day, own)| day.abs_diff(own) <= DAYS)
    };
    // The latest that share a hash, all in one question: a server is asked over a wire.
    let latest = format!(
        "SELECT document FROM (SELECT document FROM sketch WHERE hash = ? ORDER BY document DESC
         LIMIT {CANDIDATES}) AS latest"
    );
    let latest = vec![latest; hashes.len()].join(" UNION ");
    // Near the story's first document, too: else a text that is printed every week has no end.
    let own = hashes.len() + 1;
    let sql = format!(
        "SELECT d.story, d.day, first.day, own.day, s.hashes
         FROM (SELECT document FROM ({latest}) AS found WHERE document <> ?{own}
               ORDER BY document DESC LIMIT {CANDIDATES}) AS candidate
         JOIN document AS d ON d.key = candidate.document
         JOIN document_sketch AS s ON s.document = d.key JOIN document AS own ON own.key = ?{own}
         JOIN document AS first ON first.key = d.story ORDER BY d.key DESC"
    );
    hashes.push(key.into());
    let mut story = None;
    base.each(&sql, &hashes, |row| {
        let is_copy = is_near(row.text(1)?, row.text(3)?)
            && is_near(row.text(2)?, row.text(3)?)
            && sketch.is_copy_of(&Sketch::from_bytes(&row.get::<Vec<u8>>(4)?));
        if is_copy {
            story = row.get(0)?;
        }
        Ok(!is_copy)
    })?;
    Ok(story)
}

/// Finds the copies in a store that was kept without looking for them.
pub(crate) fn find_all(base: &Base) -> base::Result<()> {
    let keys = base.rows("SELECT key FROM document ORDER BY key", &[], |row| row.get::<i64>(0))?;
    for key in keys {
        let sql = "SELECT text FROM document WHERE key = ?";
        let sketch = base.row(sql, &values![key], |row| Ok(Sketch::of(row.text(0)?)))?;
        let Some(sketch) = sketch else { continue };
        let story = join(base, key, &sketch)?;
        if story != key {
            base.run("UPDATE stance SET leads = FALSE WHERE document = ?", &values![key])?;
            base.run("UPDATE stance SET story = ?2 WHERE document = ?1", &values![key, story])?;
            crate::write::promote(base, story)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words that are like no others.
    fn article(seed: usize, words: usize) -> String {
        (0..words)
            .map(|word| format!("w{}", mixed((seed * 7919 + word) as u64) % 5000))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn copies_are_told_from_other_stories() {
        let story = article(1, 400);
        let half: String = story.split(' ').take(220).collect::<Vec<_>>().join(" ");
        let cases = [
            ("itself", story.clone(), true),
            ("other case and marks", story.to_uppercase().replace(' ', ", "), true),
            ("with an introduction", format!("{} {story}", article(2, 60)), true),
            ("cut by a third", story.split(' ').take(270).collect::<Vec<_>>().join(" "), true),
            ("quoted in another", format!("{} {half} {}", article(3, 300), article(4, 300)), false),
            ("another", article(5, 400), false),
            ("nothing", String::new(), false),
        ];
        let sketch = Sketch::of(&story);
        for (case, other, expected) in cases {
            assert_eq!(sketch.is_copy_of(&Sketch::of(&other)), expected, "{case}");
        }
    }

    #[test]
    fn headlines_of_one_pattern_are_no_copies() {
        let one =
            Sketch::of("Oil prices rose on Monday as Norway cut exports to its neighbours again");
        let other =
            Sketch::of("Oil prices rose on Monday as Norway cut exports to its partners again");
        assert!(!one.is_copy_of(&other));
        assert!(one.is_copy_of(&one.clone()));
    }

    proptest! {
        #[test]
        fn a_sketch_outlives_being_kept(text in "\\PC{0,400}") {
            let sketch = Sketch::of(&text);
            prop_assert!(sketch.0.len() <= SKETCH);
            prop_assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), sketch);
        }
    }
}
