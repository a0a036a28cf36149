//! Long sentences in windows that overlap, so that every piece is read with what surrounds it; and
//! windows of one length in batches.

use std::ops::Range;

/// How many word pieces of one text are encoded; some 6,000 words.
pub const MAX_PIECES: usize = 8192;

/// What stands around the pieces of a window.
pub(crate) const MARKS: usize = 2;

/// How many windows run together. More gains no speed and takes memory.
const BATCH: usize = 8;

/// A stretch of a text that is encoded at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    /// The pieces that are read.
    pub(crate) reads: Range<usize>,
    /// The pieces whose vectors are kept: each piece is kept by one window, away from its edges.
    pub(crate) keeps: Range<usize>,
}

/// A window of a text, to be read by a network.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Index of the text.
    pub(crate) text: usize,
    pub(crate) window: Window,
}

/// The windows of texts of so many pieces, in batches of windows of one length; no batch is empty.
///
/// The windows of one text come in order, for all of them are of one length.
pub(crate) fn batches(counts: &[usize], width: usize, overlap: usize) -> Vec<Vec<Job>> {
    let mut jobs = Vec::new();
    for (text, &count) in counts.iter().enumerate() {
        let windows = windows(count, width, overlap).into_iter();
        jobs.extend(windows.map(|window| Job { text, window }));
    }
    jobs.sort_by_key(|job| job.window.reads.len());
    jobs.chunk_by(|one, next| one.window.reads.len() == next.window.reads.len())
        .flat_map(|alike| alike.chunks(BATCH))
        .map(<[Job]>::to_vec)
        .collect()
}

/// Covers `count` pieces with windows.
///
/// - `width`: how many pieces a window reads at most, above 0;
/// - `overlap`: how many two neighbours share, below `width`;
/// - returns one window where all fits, and always at least one, even for no pieces.
fn windows(count: usize, width: usize, overlap: usize) -> Vec<Window> {
    let mut made = Vec::new();
    let (mut start, mut kept) = (0, 0);
    loop {
        let end = count.min(start + width);
        let is_last = end == count;
        let keeps_to = if is_last { end } else { end - overlap / 2 };
        made.push(Window { reads: start..end, keeps: kept..keeps_to });
        if is_last {
            return made;
        }
        kept = keeps_to;
        // The last window is as wide as the others: it begins earlier rather than being short.
        start = (end - overlap).min(count - width);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_is_one_window() {
        for count in [0, 1, 10] {
            assert_eq!(windows(count, 10, 4), [Window { reads: 0..count, keeps: 0..count }]);
        }
    }

    #[test]
    fn neighbours_share_and_divide_their_overlap() {
        assert_eq!(
            windows(17, 10, 4),
            [
                Window { reads: 0..10, keeps: 0..8 },
                Window { reads: 6..16, keeps: 8..14 },
                Window { reads: 7..17, keeps: 14..17 },
            ]
        );
    }

    #[test]
    fn windows_of_one_length_run_together() {
        let seen: Vec<Vec<(usize, Range<usize>)>> = batches(&[3, 5, 3, 17, 10], 10, 4)
            .into_iter()
            .map(|jobs| jobs.into_iter().map(|job| (job.text, job.window.reads)).collect())
            .collect();
        let long = vec![(3, 0..10), (3, 6..16), (3, 7..17), (4, 0..10)];
        assert_eq!(seen, [vec![(0, 0..3), (2, 0..3)], vec![(1, 0..5)], long]);
        assert_eq!(batches(&[7; 20], 10, 4).iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 4]);
    }

    proptest! {
        /// Every piece is kept once, by a window that reads it.
        #[test]
        fn every_piece_is_kept_once(count in 0_usize..500, width in 1_usize..60, share in 0_usize..60) {
            let overlap = share % width;
            let mut next = 0;
            for window in windows(count, width, overlap) {
                prop_assert_eq!(window.keeps.start, next);
                prop_assert!(window.reads.start <= window.keeps.start);
                prop_assert!(window.keeps.end <= window.reads.end);
                prop_assert!(window.reads.len() <= width);
                next = window.keeps.end;
            }
            prop_assert_eq!(next, count);
        }
    }
}
