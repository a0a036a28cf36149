//! A text as the encoder sees it: a vector for each word piece, and where the piece stands.

use std::ops::Range;

use crate::word_pieces::Piece;

/// The vectors of one text.
// Invariant: `vectors` holds `width` numbers for each of `pieces`, and `wholes` is not empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    pub(crate) width: usize,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) vectors: Vec<f32>,
    /// For each window the piece behind the last that it keeps, and the vector of the window.
    pub(crate) wholes: Vec<(usize, Vec<f32>)>,
    pub(crate) is_whole: bool,
}

impl Encoded {
    /// Whether all of the text was read; false where it has more than [`MAX_PIECES`] pieces.
    ///
    /// [`MAX_PIECES`]: crate::MAX_PIECES
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// How many numbers a vector has.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// The mean vector of a stretch of the text.
    ///
    /// - `bytes`: where it stands in the text that was encoded;
    /// - returns [`width`](Self::width) numbers, or `None` where no word piece was read there:
    ///   white space, an empty stretch, or a place behind the cut of a text that is not whole.
    #[must_use]
    pub fn span(&self, bytes: Range<usize>) -> Option<Vec<f32>> {
        self.pieces_in(bytes).map(|pieces| self.mean(pieces))
    }

    /// The windows in which the text was read, one unless it is long: for each the bytes of which
    /// it says more than its neighbours, and its vector as a whole.
    pub fn windows(&self) -> impl Iterator<Item = (Range<usize>, &[f32])> {
        let mut first = 0;
        self.wholes.iter().map(move |(behind, vector)| {
            let kept = &self.pieces[first..*behind];
            first = *behind;
            let start = kept.first().map_or(0, |piece| piece.start as usize);
            let end = kept.last().map_or(start, |piece| piece.end as usize);
            (start..end, &**vector)
        })
    }

    /// The pieces that share a byte with a stretch of the text; never none.
    pub(crate) fn pieces_in(&self, bytes: Range<usize>) -> Option<Range<usize>> {
        let first = self.pieces.partition_point(|piece| piece.end as usize <= bytes.start);
        let behind = self.pieces.partition_point(|piece| (piece.start as usize) < bytes.end);
        (first < behind && bytes.start < bytes.end).then_some(first..behind)
    }

    /// The mean vector of some pieces; `pieces` is not empty.
    pub(crate) fn mean(&self, pieces: Range<usize>) -> Vec<f32> {
        let share = 1.0 / pieces.len() as f32;
        let mut mean = vec![0.0; self.width];
        let rows = &self.vectors[pieces.start * self.width..pieces.end * self.width];
        for row in rows.chunks_exact(self.width) {
            for (sum, value) in mean.iter_mut().zip(row) {
                *sum += value * share;
            }
        }
        mean
    }

    /// The vector of the window that keeps a piece.
    pub(crate) fn around(&self, piece: usize) -> &[f32] {
        let window = self.wholes.partition_point(|&(behind, _)| behind <= piece);
        &self.wholes[window.min(self.wholes.len() - 1)].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three pieces of two bytes each, a space between them; two windows.
    fn encoded() -> Encoded {
        Encoded {
            width: 2,
            pieces: [0, 3, 6].map(|start| Piece { id: 9, start, end: start + 2 }).to_vec(),
            vectors: vec![1.0, 0.0, 3.0, 0.0, 5.0, 6.0],
            wholes: vec![(2, vec![7.0, 7.0]), (3, vec![8.0, 8.0])],
            is_whole: true,
        }
    }

    #[test]
    fn a_span_is_the_mean_of_the_pieces_that_it_touches() {
        let cases = [
            ("one piece", 3..5, Some([3.0, 0.0])),
            ("part of a piece", 4..5, Some([3.0, 0.0])),
            ("two pieces", 0..5, Some([2.0, 0.0])),
            ("all and more", 0..99, Some([3.0, 2.0])),
            ("space", 2..3, None),
            ("nothing", 3..3, None),
            ("behind the text", 8..20, None),
        ];
        for (case, bytes, expected) in cases {
            let found = encoded().span(bytes);
            assert_eq!(found, expected.map(|vector| vector.to_vec()), "{case}");
        }
        #[expect(clippy::reversed_empty_ranges, reason = "what a caller may give by mistake")]
        let backwards = encoded().span(5..0);
        assert_eq!(backwards, None);
    }

    #[test]
    fn windows_share_no_byte() {
        let encoded = encoded();
        let found: Vec<_> = encoded.windows().map(|(bytes, vector)| (bytes, vector[0])).collect();
        assert_eq!(found, [(0..5, 7.0), (6..8, 8.0)]);
    }

    #[test]
    fn a_piece_is_seen_in_its_window() {
        let encoded = encoded();
        let seen: Vec<f32> = (0..4).map(|piece| encoded.around(piece)[0]).collect();
        assert_eq!(seen, [7.0, 7.0, 8.0, 8.0]);
    }
}
