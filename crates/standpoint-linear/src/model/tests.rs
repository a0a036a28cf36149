//! What a model tells, and what of a damaged file.

use super::*;
use proptest::prelude::*;

#[test]
fn softmax_sums_to_one_and_survives_large_scores() {
    for scores in [[0.0, 0.0, 0.0], [1e30, 0.0, -1e30], [-800.0, -801.0, -802.0]] {
        let probabilities = softmax(scores);
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{scores:?}");
        assert!(probabilities.iter().all(|p| p.is_finite()));
    }
}

proptest! {
    /// Each weight is off by at most half a step, a step being 1/127 of the largest weight,
    /// and a feature without a row adds nothing.
    #[test]
    fn quantised_scores_stay_close_to_the_float_ones(
        rows in prop::collection::btree_map(0..4096_u32, [-3.0..3.0_f32, -1.0..1.0_f32], 1..200),
        known in prop::collection::vec((any::<prop::sample::Index>(), -2.0..2.0_f32), 0..50),
        unknown in prop::collection::vec(0..4096_u32, 0..50),
    ) {
        let rows: Vec<(u32, [f32; 2])> = rows.into_iter().collect();
        let prior = [0.5, -0.5];
        let model = LinearModel::<2>::quantise("test", 12, prior, &rows);
        let model = LinearModel::<2>::from_bytes(&model.to_bytes(), "test").unwrap();

        let mut entries = Vec::new();
        let (mut exact, mut reach) = (prior, 0.0);
        for (index, value) in known {
            let (bucket, row) = rows[index.index(rows.len())];
            entries.push((bucket << 20 | 0x7_1234, value));
            for class in 0..2 {
                exact[class] += value * row[class];
            }
            reach += value.abs();
        }
        for bucket in unknown {
            if rows.binary_search_by_key(&bucket, |row| row.0).is_err() {
                entries.push((bucket << 20, 1.0));
            }
        }

        let scores = model.scores(&Features::from_entries(entries));
        for class in 0..2 {
            let largest = rows.iter().map(|row| row.1[class].abs()).fold(0.0, f32::max);
            let allowed = reach * largest / 127.0 * 0.51 + 1e-3;
            prop_assert!((scores[class] - exact[class]).abs() <= allowed);
        }
    }
}
