//! How many readers ended where they began: kept with a partition's committed offset, so that a
//! document that ends its workers is found.
//!
//! A reader that begins at an offset counts itself before it reads, and one that comes further, or
//! ends in peace, takes that back. Whoever finds an offset from which a reader before it came no
//! further reads one document at a time, each counted before it is handed out; one that ended a
//! worker each time it was alone is guilty.

use serde::{Deserialize, Serialize};

/// What is kept with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Count {
    /// Readers that began here; no more are counted than make the next one careful.
    pub(super) begun: u32,
    /// How often the document here was handed out alone.
    pub(super) alone: u32,
}

/// From so many readers on that began at an offset one document goes at a time.
const CAREFUL: u32 = 2;

impl Count {
    /// What is kept with an offset that careful reading has come to.
    pub(super) const CAREFUL: Self = Self { begun: CAREFUL, alone: 0 };

    /// Reads what was kept; what cannot be read was written by somebody else and counts nothing.
    pub(super) fn read(kept: &str) -> Self {
        serde_json::from_str(kept).unwrap_or_default()
    }

    /// What to keep; nothing where there is nothing to say.
    pub(super) fn text(self) -> String {
        if self == Self::default() {
            return String::new();
        }
        serde_json::to_string(&self).expect("a count is two numbers")
    }

    /// With one reader more.
    pub(super) fn begin(self) -> Self {
        Self { begun: self.begun.saturating_add(1).min(CAREFUL), ..self }
    }

    /// With the document here handed out alone once more.
    pub(super) fn alone_again(self) -> Self {
        Self { alone: self.alone.saturating_add(1), ..self }
    }

    /// Whether documents go one at a time.
    pub(super) fn is_careful(self) -> bool {
        self.begun >= CAREFUL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_rubbish_counts_nothing() {
        for count in [Count::default(), Count::CAREFUL, Count { begun: 2, alone: 3 }] {
            assert_eq!(Count::read(&count.text()), count);
        }
        for kept in ["", "rubbish", "[]", r#"{"begun":-1}"#, r#"{"begun":"x"}"#] {
            assert_eq!(Count::read(kept), Count::default(), "{kept}");
        }
        assert_eq!(Count::read(r#"{"begun": 1}"#), Count { begun: 1, alone: 0 });
    }

    #[test]
    fn the_second_reader_that_begins_at_an_offset_is_careful() {
        let first = Count::default().begin();
        let second = first.begin();
        assert!(!first.is_careful() && second.is_careful());
        assert_eq!(second.begin(), second, "it does not grow for ever");
    }
}
