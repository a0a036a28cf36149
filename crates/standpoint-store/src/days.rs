//! Days as `2024-05-01`, and arithmetic with them.

use std::time::{SystemTime, UNIX_EPOCH};

/// The day of an ISO 8601 date or time, as the store's column `day` has it.
pub(crate) fn day_of(published: Option<&str>) -> Option<&str> {
    let day = published?.get(..10)?;
    let fits = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    day.bytes().enumerate().all(fits).then_some(day)
}

/// The number of a day, counted from 1970-01-01; `None` for what is no day. One that its month
/// lacks is a day of the next month, as `SQLite` has it: documents bring such.
pub(crate) fn number(day: &str) -> Option<i64> {
    let day = day_of(Some(day))?;
    let part = |range: std::ops::Range<usize>| day.get(range)?.parse::<i64>().ok();
    let (year, month, date) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let is_day = (1..=12).contains(&month) && (1..=31).contains(&date);
    is_day.then(|| of_civil(year, month, date))
}

/// How many days a month has; none where there is no such month.
#[must_use]
pub const fn days_in(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

/// The day with this number.
pub(crate) fn text(number: i64) -> String {
    let (year, month, date) = to_civil(number);
    format!("{year:04}-{month:02}-{date:02}")
}

/// This day, UTC.
pub(crate) fn today() -> String {
    text(since_1970().0.div_euclid(86_400))
}

/// This moment, UTC, in milliseconds: `2024-05-01T12:00:00.000Z`.
pub(crate) fn now() -> String {
    let (seconds, millis) = since_1970();
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z", text(day))
}

fn since_1970() -> (i64, u32) {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(elapsed.as_secs()).unwrap_or_default(), elapsed.subsec_millis())
}

/// Howard Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
fn of_civil(year: i64, month: i64, date: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The same, `civil_from_days`.
fn to_civil(number: i64) -> (i64, i64, i64) {
    let number = number + 719_468;
    let era = number.div_euclid(146_097);
    let day_of_era = number - era * 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_from_what_looks_like_them() {
        for (published, expected) in [
            (Some("2024-05-01"), Some("2024-05-01")),
            (Some("2024-05-01T08:00:00Z"), Some("2024-05-01")),
            (Some("2024-5-1"), None),
            (Some("May 2024, the 1st"), None),
            (Some("2024-05-0é"), None),
            (None, None),
        ] {
            assert_eq!(day_of(published), expected, "{published:?}");
        }
    }

    #[test]
    fn numbers_of_days_are_those_of_the_calendar() {
        for (day, expected) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("2024-12-31", Some(20_088)),
            ("2023-02-29", Some(19_417)),
            ("2023-03-01", Some(19_417)),
            ("2024-05-32", None),
            ("2024-13-01", None),
        ] {
            assert_eq!(number(day), expected, "{day}");
        }
        for number_ in (-719_528..3_000_000).step_by(997) {
            let day = text(number_);
            if day.len() == 10 {
                assert_eq!(number(&day), Some(number_), "{day}");
            }
        }
    }
}
