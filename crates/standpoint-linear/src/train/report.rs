//! How good answers are, class by class.

use std::fmt;

/// Counts of true against predicted classes, and the figures that follow from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Report<const C: usize> {
    /// Rows are true classes, columns predicted ones.
    pub confusion: [[usize; C]; C],
    /// Of the answers with a given confidence (in tenths): how many, the sum of confidences, and
    /// how many are right.
    reliability: [(usize, f64, usize); 10],
}

impl<const C: usize> Report<C> {
    /// Compares answers with the truth; the likeliest class is the answer.
    ///
    /// - `answers`: probabilities and the true class, below `C`.
    pub fn new(answers: impl IntoIterator<Item = ([f32; C], usize)>) -> Self {
        let mut report = Self { confusion: [[0; C]; C], reliability: [(0, 0.0, 0); 10] };
        for (probabilities, class) in answers {
            let mut answer = 0;
            for candidate in 1..C {
                if probabilities[candidate] > probabilities[answer] {
                    answer = candidate;
                }
            }
            let confidence = probabilities[answer];
            report.confusion[class][answer] += 1;
            let bin = &mut report.reliability[((confidence * 10.0) as usize).min(9)];
            bin.0 += 1;
            bin.1 += f64::from(confidence);
            bin.2 += usize::from(answer == class);
        }
        report
    }

    /// How many answers were compared.
    #[must_use]
    pub fn count(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// The share of right answers; 0 when there are none.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        ratio((0..C).map(|class| self.confusion[class][class]).sum(), self.count())
    }

    /// Of the answers `class`, the share that is right; 0 when there are none.
    #[must_use]
    pub fn precision(&self, class: usize) -> f64 {
        let answered = self.confusion.iter().map(|row| row[class]).sum();
        ratio(self.confusion[class][class], answered)
    }

    /// Of what is `class`, the share that was found; 0 when there is none.
    #[must_use]
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.confusion[class][class], self.confusion[class].iter().sum())
    }

    /// The harmonic mean of precision and recall.
    #[must_use]
    pub fn f1(&self, class: usize) -> f64 {
        let (precision, recall) = (self.precision(class), self.recall(class));
        if precision + recall == 0.0 {
            return 0.0;
        }
        2.0 * precision * recall / (precision + recall)
    }

    /// The mean F1 of the classes, each counting alike.
    #[must_use]
    pub fn macro_f1(&self) -> f64 {
        (0..C).map(|class| self.f1(class)).sum::<f64>() / C as f64
    }

    /// How far confidence and truth lie apart: the mean gap over ten bins of confidence, weighted
    /// by how many answers a bin holds.
    ///
    /// # Source
    ///
    /// Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    /// Binning", AAAI 2015.
    #[must_use]
    pub fn expected_calibration_error(&self) -> f64 {
        let gap = |&(_, confidence, right): &(usize, f64, usize)| (confidence - right as f64).abs();
        self.reliability.iter().map(gap).sum::<f64>() / self.count().max(1) as f64
    }
}

impl<const C: usize> fmt::Display for Report<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "class  precision  recall  f1     true")?;
        for class in 0..C {
            let count: usize = self.confusion[class].iter().sum();
            let (precision, recall, f1) =
                (self.precision(class), self.recall(class), self.f1(class));
            writeln!(formatter, "{class:<5}  {precision:<9.3}  {recall:<6.3}  {f1:.3}  {count}")?;
        }
        write!(
            formatter,
            "macro F1 {:.4}  accuracy {:.4}  calibration error {:.4}  n {}",
            self.macro_f1(),
            self.accuracy(),
            self.expected_calibration_error(),
            self.count(),
        )
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
