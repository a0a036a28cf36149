//! How many documents are done of late: counts taken now and then, and the difference between them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How often the count is taken.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// How many counts are kept: those of a minute and the one before.
const KEPT: usize = 13;

/// Documents that were done within the last minute, or since the start where that is not so long
/// ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Lately {
    pub(crate) done: u64,
    /// Within how many milliseconds; 0 where nobody has counted yet.
    pub(crate) ms: u64,
}

impl Lately {
    /// How many a second; `None` where it was not counted for long enough to say so.
    pub(crate) fn per_second(self) -> Option<f64> {
        (self.ms >= 1000).then(|| self.done as f64 * 1000.0 / self.ms as f64)
    }
}

/// What was done by when.
#[derive(Debug, Default)]
pub(super) struct Rate(Mutex<VecDeque<(Instant, u64)>>);

impl Rate {
    /// Takes a count down.
    pub(super) fn note(&self, now: Instant, done: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.push_back((now, done));
        if counts.len() > KEPT {
            counts.pop_front();
        }
    }

    /// What was done since the oldest count that is kept.
    pub(super) fn lately(&self, now: Instant, done: u64) -> Lately {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((at, before)) = counts.front() else { return Lately::default() };
        let ms = u64::try_from(now.saturating_duration_since(*at).as_millis()).unwrap_or(u64::MAX);
        Lately { done: done.saturating_sub(*before), ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_last_minute_and_not_of_all_time() {
        let (rate, start) = (Rate::default(), Instant::now());
        assert_eq!(rate.lately(start, 7), Lately::default(), "nobody has counted");
        rate.note(start, 0);
        for count in 1..=200_u32 {
            let now = start + EVERY * count;
            // Ten a second at first, then nothing.
            let by = |count: u32| u64::from(count * 50).min(5000);
            rate.note(now, by(count));
            let lately = rate.lately(now, by(count));
            let done = by(count) - by(count.saturating_sub(12));
            assert_eq!(lately, Lately { done, ms: u64::from(count.min(12)) * 5000 });
        }
        let now = start + EVERY * 200;
        assert_eq!(rate.lately(now, 5000).per_second(), Some(0.0), "idle is idle");
    }
}
