//! Numbers that cannot be wrong: scores and confidences.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How negative (-1) to positive (+1) something is; stances use the same scale.
// Invariant: finite and within [-1, 1], so the mean of polarities is a polarity.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Polarity(f32);

impl Polarity {
    /// Neither negative nor positive.
    pub const NEUTRAL: Self = Self(0.0);

    /// Returns `None` when `score` is NaN or off the scale.
    #[must_use]
    pub fn new(score: f32) -> Option<Self> {
        (-1.0..=1.0).contains(&score).then_some(Self(score))
    }

    /// Brings `score` onto the scale; NaN becomes neutral.
    #[must_use]
    pub fn saturating(score: f32) -> Self {
        Self(if score.is_nan() { 0.0 } else { score.clamp(-1.0, 1.0) })
    }

    /// The number, from -1 to 1.
    #[must_use]
    pub const fn get(self) -> f32 {
        self.0
    }
}

/// How sure a judgement is: 0 (a guess) to 1 (certain). Calibrated: of judgements with
/// confidence 0.8, about 80% should be right.
// Invariant: finite and within [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Confidence(f32);

impl Confidence {
    /// Returns `None` when `confidence` is NaN or off the scale.
    #[must_use]
    pub fn new(confidence: f32) -> Option<Self> {
        (0.0..=1.0).contains(&confidence).then_some(Self(confidence))
    }

    /// Brings `confidence` onto the scale; NaN becomes 0.
    #[must_use]
    pub fn saturating(confidence: f32) -> Self {
        Self(if confidence.is_nan() { 0.0 } else { confidence.clamp(0.0, 1.0) })
    }

    /// The number, from 0 to 1.
    #[must_use]
    pub const fn get(self) -> f32 {
        self.0
    }
}

/// A number that is off the scale of its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreError {
    found: f32,
    lowest: f32,
}

impl fmt::Display for ScoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a number from {} to 1", self.found, self.lowest)
    }
}

impl std::error::Error for ScoreError {}

impl TryFrom<f32> for Polarity {
    type Error = ScoreError;

    fn try_from(score: f32) -> Result<Self, ScoreError> {
        Self::new(score).ok_or(ScoreError { found: score, lowest: -1.0 })
    }
}

impl TryFrom<f32> for Confidence {
    type Error = ScoreError;

    fn try_from(confidence: f32) -> Result<Self, ScoreError> {
        Self::new(confidence).ok_or(ScoreError { found: confidence, lowest: 0.0 })
    }
}

impl From<Polarity> for f32 {
    fn from(polarity: Polarity) -> Self {
        polarity.0
    }
}

impl From<Confidence> for f32 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_refuse_what_lies_outside() {
        for wrong in [f32::NAN, f32::INFINITY, -1.01, 1.01] {
            assert_eq!(Polarity::new(wrong), None, "{wrong}");
            assert_eq!(Confidence::new(wrong), None, "{wrong}");
        }
        assert_eq!(Confidence::new(-0.5), None);
        assert_eq!(Polarity::saturating(f32::NAN), Polarity::NEUTRAL);
        let message = serde_json::from_str::<Polarity>("1.5").unwrap_err().to_string();
        assert!(message.contains("1.5 is not a number from -1 to 1"), "{message}");
    }
}
