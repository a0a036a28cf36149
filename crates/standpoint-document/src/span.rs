//! A stretch of text, and the way from bytes to code points.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A stretch of a document's text, `start..end`, in UTF-8 bytes.
///
/// A span alone may be anything; it is checked against the text once, when a layer or record that
/// holds it enters a [`Document`](crate::Document).
#[repr(C)]
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The span `start..end`, in bytes.
    #[must_use]
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The span as a range for indexing.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// How many bytes the span covers; 0 when it runs backwards.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// Whether the span covers nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether `other` lies inside this span.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the two spans share a byte.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether the span is a slice of `text`: not backwards, inside, on character boundaries.
    #[must_use]
    pub fn fits(self, text: &str) -> bool {
        self.start <= self.end
            && text.is_char_boundary(self.start as usize)
            && text.is_char_boundary(self.end as usize)
    }
}

/// Turns byte offsets of one text into code-point offsets, which is what JSON output counts.
///
/// Built once per text in one pass; a look-up then takes a few steps, and an ASCII text needs no
/// table at all.
#[derive(Debug)]
pub struct CodePoints {
    bytes: u32,
    /// One for each [`CodePoints::BLOCK`] bytes, and one behind; empty when the text is ASCII.
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    /// Code points before the block.
    before: u32,
    /// Bit `i` is set where byte `i` begins a character.
    starts: u64,
}

impl CodePoints {
    /// Bytes per entry of the table.
    pub const BLOCK: usize = 64;

    /// Prepares the look-up for `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let bytes = text.len() as u32;
        if text.is_ascii() {
            return Self { bytes, blocks: Vec::new() };
        }
        let mut before = 0;
        let mut blocks: Vec<Block> = text
            .as_bytes()
            .chunks(Self::BLOCK)
            .map(|chunk| {
                let block = Block { before, starts: starts(chunk) };
                before += block.starts.count_ones();
                block
            })
            .collect();
        blocks.push(Block { before, starts: 0 });
        Self { bytes, blocks }
    }

    /// The code-point offset of the byte offset `byte`, which must lie on a character boundary of
    /// the text; an offset behind the text counts as its end.
    #[must_use]
    #[inline]
    pub fn at(&self, byte: u32) -> u32 {
        let byte = byte.min(self.bytes);
        let Some(block) = self.blocks.get(byte as usize / Self::BLOCK) else { return byte };
        let earlier = (1_u64 << (byte as usize % Self::BLOCK)) - 1;
        block.before + (block.starts & earlier).count_ones()
    }
}

impl CodePoints {
    /// The code-point offsets of both ends of a span.
    #[must_use]
    #[inline]
    pub fn of(&self, span: Span) -> (u32, u32) {
        (self.at(span.start), self.at(span.end))
    }
}

/// The bytes of one block that begin a character, as bits.
fn starts(block: &[u8]) -> u64 {
    let begins = |byte: u8| u64::from(byte & 0xC0 != 0x80);
    block.iter().rev().fold(0, |starts, &byte| starts << 1 | begins(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_span_fits_only_on_character_boundaries() {
        let text = "aйb";
        let cases = [(0, 4, true), (0, 1, true), (1, 3, true), (1, 2, false), (3, 1, false)];
        for (start, end, fits) in cases {
            assert_eq!(Span::new(start, end).fits(text), fits, "{start}..{end}");
        }
        assert!(!Span::new(0, 5).fits(text));
    }

    proptest! {
        #[test]
        fn code_points_agree_with_chars(text in any::<String>()) {
            let points = CodePoints::new(&text);
            for (expected, (byte, _)) in text.char_indices().enumerate() {
                prop_assert_eq!(points.at(byte as u32), expected as u32);
            }
            prop_assert_eq!(points.at(text.len() as u32), text.chars().count() as u32);
        }
    }
}
