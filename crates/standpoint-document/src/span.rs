//! A stretch of text, and the way from bytes to code points.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A stretch of a document's text, `start..end`, in UTF-8 bytes.
///
/// A span alone may be anything; it is checked against the text once, when a layer or record that
/// holds it enters a [`Document`](crate::Document).
#[repr(C)]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
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
/// Built once per text in one pass; a look-up then scans at most [`CodePoints::BLOCK`] bytes, and
/// an ASCII text needs no table at all.
#[derive(Debug)]
pub struct CodePoints<'t> {
    text: &'t [u8],
    /// Code points before each block; empty when the text is ASCII.
    before_block: Vec<u32>,
}

impl<'t> CodePoints<'t> {
    /// Bytes per entry of the table.
    pub const BLOCK: usize = 64;

    /// Prepares the look-up for `text`.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        if bytes.is_ascii() {
            return Self { text: bytes, before_block: Vec::new() };
        }
        let mut count = 0;
        let before_block = bytes
            .chunks(Self::BLOCK)
            .map(|block| {
                let before = count;
                count += count_code_points(block);
                before
            })
            .collect();
        Self { text: bytes, before_block }
    }

    /// The code-point offset of the byte offset `byte`, which must lie on a character boundary of
    /// the text; an offset behind the text counts as its end.
    #[must_use]
    pub fn at(&self, byte: u32) -> u32 {
        let byte = (byte as usize).min(self.text.len());
        if self.before_block.is_empty() {
            return byte as u32;
        }
        let block = (byte / Self::BLOCK).min(self.before_block.len() - 1);
        self.before_block[block] + count_code_points(&self.text[block * Self::BLOCK..byte])
    }
}

/// Counts the bytes that begin a character.
fn count_code_points(bytes: &[u8]) -> u32 {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u32
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
