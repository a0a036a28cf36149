//! Months, as fine as offices need to be dated.

/// A month, counted from the year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(u32);

impl Month {
    /// Reads the beginning of an ISO 8601 date: `2022-09`, `2022-09-21T10:00`. A year alone is
    /// its July, the middle.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let year: u32 = text.get(..4)?.parse().ok()?;
        let month = match text.get(4..) {
            None | Some("") => 7,
            Some(rest) => rest.strip_prefix('-')?.get(..2)?.parse().ok()?,
        };
        (1..=12).contains(&month).then_some(Self(year * 12 + month - 1))
    }
}

/// From a month to a month, or until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first month.
    pub from: Month,
    /// The last month; open when absent.
    pub to: Option<Month>,
}

impl Period {
    /// Reads `2019-03..2024-11` or `2019-03..`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once("..")?;
        let from = Month::parse(from)?;
        let to = if to.is_empty() { None } else { Some(Month::parse(to)?) };
        to.is_none_or(|to| from <= to).then_some(Self { from, to })
    }

    /// Whether the month lies in the period, both ends included.
    #[must_use]
    pub fn contains(self, month: Month) -> bool {
        self.from <= month && self.to.is_none_or(|to| month <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_documents_become_months() {
        for (text, expected) in [
            ("2022-09-21", Some(Month(2022 * 12 + 8))),
            ("2022-09-21T10:00:00Z", Some(Month(2022 * 12 + 8))),
            ("2022-01", Some(Month(2022 * 12))),
            ("2022", Some(Month(2022 * 12 + 6))),
            ("2022-13", None),
            ("21 September", None),
            ("", None),
        ] {
            assert_eq!(Month::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_period_includes_both_ends() {
        let period = Period::parse("2019-03..2019-05").unwrap();
        let inside = ["2019-02", "2019-03", "2019-05", "2019-06"]
            .map(|month| period.contains(Month::parse(month).unwrap()));
        assert_eq!(inside, [false, true, true, false]);
        assert_eq!(Period::parse("2020..2019"), None);
    }
}
