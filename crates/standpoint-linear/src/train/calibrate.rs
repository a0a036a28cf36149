//! How sure to be: the temperature that makes scores into honest probabilities.

use crate::model::softmax;

/// The temperature under which `scores` make the true classes most likely.
///
/// - `scores`: raw log-odds of examples that the model was not trained on, one row each.
/// - `classes`: their true classes, as many.
/// - returns: between 0.1 and 10; 1 when there are no examples.
///
/// # Source
///
/// Temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, §4.2.
#[must_use]
pub fn fit_temperature<const C: usize>(scores: &[[f32; C]], classes: &[usize]) -> f32 {
    if scores.is_empty() {
        return 1.0;
    }
    let loss = |log_temperature: f32| -> f64 {
        let temperature = log_temperature.exp();
        let surprise = |(scores, &class): (&[f32; C], &usize)| {
            let likelihood = softmax(scores.map(|score| score / temperature))[class];
            -f64::from(likelihood.max(f32::MIN_POSITIVE)).ln()
        };
        scores.iter().zip(classes).map(surprise).sum()
    };
    // The loss has one valley in the logarithm of the temperature, so a golden-section search
    // finds its floor.
    let golden = (5.0_f32.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (0.1_f32.ln(), 10.0_f32.ln());
    for _ in 0..40 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if loss(left) < loss(right) {
            high = right;
        } else {
            low = left;
        }
    }
    f32::midpoint(low, high).exp()
}
