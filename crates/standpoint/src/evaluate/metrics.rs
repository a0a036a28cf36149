//! Counts of right and wrong answers, and the figures that they make.

use serde::Serialize;

/// What happened to one class: how many answers were right, given and labelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Answers of this class that agree with the label.
    pub(super) right: u64,
    /// Answers of this class.
    pub(super) found: u64,
    /// Labels of this class.
    pub(super) labelled: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.found += other.found;
        self.labelled += other.labelled;
    }

    fn is_empty(self) -> bool {
        self.found == 0 && self.labelled == 0
    }

    /// Right answers among those given; 0 when none was given.
    pub(super) fn precision(self) -> f64 {
        ratio(self.right, self.found)
    }

    /// Labels that were answered rightly; 0 when there is no label.
    pub(super) fn recall(self) -> f64 {
        ratio(self.right, self.labelled)
    }

    /// The harmonic mean of precision and recall; 0 when there is neither answer nor label.
    pub(super) fn f1(self) -> f64 {
        ratio(2 * self.right, self.found + self.labelled)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The counts of all classes over some sentences or documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// One entry for each class.
    pub(super) classes: Vec<Counts>,
    /// Questions that were answered rightly; only where every question has one answer.
    pub(super) right: u64,
    /// Questions; 0 where answers are spans, which have no fixed number.
    pub(super) questions: u64,
}

impl Tally {
    /// An empty tally of `classes` classes.
    pub(super) fn new(classes: usize) -> Self {
        Self { classes: vec![Counts::default(); classes], right: 0, questions: 0 }
    }

    /// Counts one question with one answer. Both are indices of classes.
    pub(super) fn judge(&mut self, expected: usize, found: usize) {
        self.classes[expected].labelled += 1;
        self.classes[found].found += 1;
        self.questions += 1;
        if expected == found {
            self.classes[expected].right += 1;
            self.right += 1;
        }
    }

    /// Adds the counts of `other`, which has the same classes.
    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            mine.add(*theirs);
        }
        self.right += other.right;
        self.questions += other.questions;
    }

    /// The sum of `tallies`, all of `classes` classes.
    pub(super) fn sum<'t>(classes: usize, tallies: impl IntoIterator<Item = &'t Self>) -> Self {
        let mut total = Self::new(classes);
        for tally in tallies {
            total.add(tally);
        }
        total
    }

    /// What always answering with the most frequent class would have got; the class's index
    /// beside it.
    pub(super) fn majority(&self) -> (usize, Self) {
        // The first of equals, so that the answer does not depend on the order of iteration.
        let mut most = 0;
        for (class, counts) in self.classes.iter().enumerate() {
            if self.classes[most].labelled < counts.labelled {
                most = class;
            }
        }
        let mut tally = Self::new(self.classes.len());
        for (class, counts) in self.classes.iter().enumerate() {
            tally.classes[class].labelled = counts.labelled;
        }
        let right = self.classes.get(most).map_or(0, |counts| counts.labelled);
        if let Some(counts) = tally.classes.get_mut(most) {
            *counts = Counts { right, found: self.questions, labelled: right };
        }
        tally.right = right;
        tally.questions = self.questions;
        (most, tally)
    }

    /// The share of questions answered rightly; `None` where answers are spans.
    pub(super) fn accuracy(&self) -> Option<f64> {
        (self.questions > 0).then(|| ratio(self.right, self.questions))
    }

    /// The unweighted mean of the classes' F1. A class that is neither labelled nor answered
    /// does not count; one that is answered but never labelled counts with 0.
    pub(super) fn macro_f1(&self) -> f64 {
        let used: Vec<f64> = self
            .classes
            .iter()
            .filter(|counts| !counts.is_empty())
            .map(|counts| counts.f1())
            .collect();
        if used.is_empty() { 0.0 } else { used.iter().sum::<f64>() / used.len() as f64 }
    }

    /// All classes taken together.
    pub(super) fn micro(&self) -> Counts {
        let mut total = Counts::default();
        for counts in &self.classes {
            total.add(*counts);
        }
        total
    }
}

/// Where a figure lies with 95% confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Interval {
    /// 2.5% of resamples lie below.
    pub(super) low: f64,
    /// 2.5% of resamples lie above.
    pub(super) high: f64,
}

/// The figures of a tally with their intervals, in the order of [`figures`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Intervals {
    /// Accuracy.
    pub(super) accuracy: Interval,
    /// Macro F1.
    pub(super) macro_f1: Interval,
    /// Precision, recall and F1 of all classes together.
    pub(super) micro: [Interval; 3],
    /// Precision, recall and F1 of each class.
    pub(super) classes: Vec<[Interval; 3]>,
}

/// How often the units are drawn again.
const RESAMPLES: usize = 1000;

/// The seed of the draws: figures of the same answers have the same intervals.
const SEED: u64 = 0x5747_414e_4450_4f49;

/// Intervals of all figures by the percentile bootstrap: whole units are drawn with replacement,
/// since the answers in one sentence or document lean on each other.
///
/// - `units`: one tally for each sentence or document, all of `classes` classes.
///
/// # Source
///
/// Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
pub(super) fn bootstrap(classes: usize, units: &[&Tally]) -> Intervals {
    let mut random = SplitMix(SEED);
    let mut columns = vec![Vec::with_capacity(RESAMPLES); figures(&Tally::new(classes)).len()];
    for _ in 0..RESAMPLES {
        let mut total = Tally::new(classes);
        for _ in 0..units.len() {
            total.add(units[random.below(units.len())]);
        }
        for (column, figure) in columns.iter_mut().zip(figures(&total)) {
            column.push(figure);
        }
    }
    let mut intervals = columns.into_iter().map(percentiles);
    let mut next = || intervals.next().unwrap_or(Interval { low: 0.0, high: 0.0 });
    Intervals {
        accuracy: next(),
        macro_f1: next(),
        micro: [next(), next(), next()],
        classes: (0..classes).map(|_| [next(), next(), next()]).collect(),
    }
}

/// All figures of a tally in one row.
fn figures(tally: &Tally) -> Vec<f64> {
    let mut row = vec![tally.accuracy().unwrap_or(0.0), tally.macro_f1()];
    for counts in std::iter::once(tally.micro()).chain(tally.classes.iter().copied()) {
        row.extend([counts.precision(), counts.recall(), counts.f1()]);
    }
    row
}

fn percentiles(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (share * values.len().saturating_sub(1) as f64).round() as usize;
        values.get(index).copied().unwrap_or(0.0)
    };
    Interval { low: at(0.025), high: at(0.975) }
}

/// A small generator, good enough to draw indices.
///
/// # Source
///
/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        // The high half of the product: the bias is below bound / 2^64.
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 to below 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The interval of a share of independent answers; all of [0, 1] when there is none.
///
/// # Source
///
/// Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
pub(super) fn wilson(right: u64, of: u64) -> Interval {
    const Z: f64 = 1.959_963_985;
    if of == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (n, share) = (of as f64, ratio(right, of));
    let centre = share + Z * Z / (2.0 * n);
    let margin = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Interval {
        low: ((centre - margin) / scale).max(0.0),
        high: ((centre + margin) / scale).min(1.0),
    }
}

/// How well confidences agree with how often the answers are right.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Calibration {
    /// Answers that carry a confidence.
    pub(super) n: usize,
    /// The mean distance between confidence and share of right answers, weighted by bin.
    pub(super) expected_error: f64,
    /// Where that error would lie with 95% probability if each answer were right as often as its
    /// confidence says: few answers miss by chance alone.
    pub(super) by_chance: Interval,
    /// Ten bins of equal width; those without an answer are left out.
    pub(super) bins: Vec<Bin>,
}

/// The answers whose confidence lies within a tenth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Bin {
    /// Lower bound of the confidence.
    pub(super) from: f64,
    /// Upper bound of the confidence.
    pub(super) to: f64,
    /// Answers.
    pub(super) n: usize,
    /// Their mean confidence.
    pub(super) confidence: f64,
    /// The share of right ones.
    pub(super) accuracy: f64,
}

/// Bins of the reliability diagram.
const BINS: usize = 10;

/// Puts answers into ten bins by confidence and compares; `None` without answers.
///
/// - `answers`: confidence (0 to 1) and whether the answer is right.
///
/// # Source
///
/// Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, §2; for the error by chance
/// Bröcker and Smith, "Increasing the Reliability of Reliability Diagrams", Weather and Forecasting
/// 2007, §3.
pub(super) fn calibration(answers: &[(f64, bool)]) -> Option<Calibration> {
    if answers.is_empty() {
        return None;
    }
    let bins = binned(answers.iter().copied());
    let mut random = SplitMix(SEED);
    let drawn = (0..RESAMPLES).map(|_| {
        let drawn =
            answers.iter().map(|&(confidence, _)| (confidence, random.share() < confidence));
        error(&binned(drawn))
    });
    let by_chance = percentiles(drawn.collect());
    Some(Calibration { n: answers.len(), expected_error: error(&bins), by_chance, bins })
}

fn binned(answers: impl Iterator<Item = (f64, bool)>) -> Vec<Bin> {
    let mut bins = [(0_usize, 0.0_f64, 0_u64); BINS];
    for (confidence, right) in answers {
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += 1;
        bin.1 += confidence;
        bin.2 += u64::from(right);
    }
    bins.iter()
        .enumerate()
        .filter(|(_, (n, ..))| *n > 0)
        .map(|(index, &(n, sum, right))| Bin {
            from: index as f64 / BINS as f64,
            to: (index + 1) as f64 / BINS as f64,
            n,
            confidence: sum / n as f64,
            accuracy: ratio(right, n as u64),
        })
        .collect()
}

/// The mean distance between confidence and share of right answers, weighted by bin.
fn error(bins: &[Bin]) -> f64 {
    let n: usize = bins.iter().map(|bin| bin.n).sum();
    bins.iter().map(|bin| bin.n as f64 * (bin.confidence - bin.accuracy).abs()).sum::<f64>()
        / n.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4, "found {found}, expected {expected}");
    }

    /// Labels 0 0 0 1 1 2 against answers 0 0 1 1 2 2, worked out by hand: class 0 has precision
    /// 2/2 and recall 2/3, class 1 has 1/2 and 1/2, class 2 has 1/2 and 1/1.
    fn tally() -> Tally {
        let mut tally = Tally::new(3);
        for (expected, found) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 2)] {
            tally.judge(expected, found);
        }
        tally
    }

    #[test]
    fn figures_agree_with_those_worked_out_by_hand() {
        let tally = tally();
        close(tally.accuracy().unwrap(), 4.0 / 6.0);
        close(tally.classes[0].precision(), 1.0);
        close(tally.classes[0].recall(), 2.0 / 3.0);
        close(tally.classes[0].f1(), 0.8);
        close(tally.classes[1].f1(), 0.5);
        close(tally.classes[2].f1(), 2.0 / 3.0);
        close(tally.macro_f1(), (0.8 + 0.5 + 2.0 / 3.0) / 3.0);
        // With one answer a question, micro F1 is the accuracy.
        close(tally.micro().f1(), 4.0 / 6.0);
    }

    #[test]
    fn majority_answers_with_the_most_frequent_label() {
        let (class, majority) = tally().majority();
        assert_eq!(class, 0);
        close(majority.accuracy().unwrap(), 0.5);
        // Class 0: precision 3/6, recall 1; the other two have F1 0.
        close(majority.macro_f1(), (2.0 / 3.0) / 3.0);
    }

    #[test]
    fn a_class_that_nobody_uses_does_not_count() {
        let mut tally = Tally::new(3);
        tally.judge(0, 0);
        close(tally.macro_f1(), 1.0);
        tally.judge(0, 1);
        // Class 1 is answered but never labelled: its F1 is 0; class 0 has 2/3.
        close(tally.macro_f1(), 1.0 / 3.0);
    }

    #[test]
    fn nothing_makes_no_figure_that_is_not_a_number() {
        let empty = Tally::new(0);
        assert_eq!(empty.accuracy(), None);
        close(empty.macro_f1(), 0.0);
        let (_, majority) = empty.majority();
        assert_eq!(majority.questions, 0);
        let intervals = bootstrap(0, &[]);
        close(intervals.macro_f1.high, 0.0);
    }

    #[test]
    fn the_bootstrap_is_the_same_every_time_and_holds_the_figure() {
        let (mut right, mut wrong) = (Tally::new(2), Tally::new(2));
        right.judge(0, 0);
        wrong.judge(1, 0);
        let units: Vec<&Tally> =
            (0..100).map(|i| if i % 4 == 0 { &wrong } else { &right }).collect();
        let intervals = bootstrap(2, &units);
        assert_eq!(intervals, bootstrap(2, &units));
        // The normal approximation gives 0.75 ± 0.085.
        assert!((intervals.accuracy.low - 0.665).abs() < 0.025, "{:?}", intervals.accuracy);
        assert!((intervals.accuracy.high - 0.835).abs() < 0.025, "{:?}", intervals.accuracy);
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
        let cases = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)];
        for (right, of, low, high) in cases {
            let interval = wilson(right, of);
            close(interval.low, low);
            close(interval.high, high);
        }
    }

    #[test]
    fn calibration_error_is_the_weighted_distance() {
        let answers = [(0.95, true), (0.95, true), (0.95, false), (0.55, true)];
        let calibration = calibration(&answers).unwrap();
        assert_eq!(calibration.bins.len(), 2);
        // 3/4 of |0.95 - 2/3| and 1/4 of |0.55 - 1|.
        close(calibration.expected_error, 0.75 * (0.95 - 2.0 / 3.0) + 0.25 * 0.45);
        assert!(super::calibration(&[]).is_none());
        // A draw is off by |0.9 - k/n| with a binomial k: 14 or fewer of 20 come with 1.1%, 15 with
        // 3.2% more; of 1,000, 2.5% are off by 2.24 standard deviations of 0.0095 or more.
        for (n, high) in [(20, 0.15), (1_000, 0.021)] {
            let by_chance = super::calibration(&vec![(0.9, true); n]).unwrap().by_chance;
            assert!(by_chance.low < 0.01 && (by_chance.high - high).abs() < 0.002, "{by_chance:?}");
        }
        assert_eq!(
            super::calibration(&[(1.0, true)]).unwrap().bins[0].to.to_bits(),
            1.0_f64.to_bits()
        );
    }
}
