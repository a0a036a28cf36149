//! Dates as people and programs write them, as ISO 8601.

use mail_parser::DateTime;
use standpoint_store::days_in;

/// English months by their first three letters.
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A date as ISO 8601; `None` for what cannot be read.
///
/// Taken as they are: `2024`, `2024-05`, `2024-05-01` and what begins so. Read: the dates of mail
/// and feeds (`Wed, 01 May 2024 08:00:00 GMT`), English ones (`May 1, 2024`, `1st May 2024`), and
/// with full stops (`1.5.2024`, the day first). Not read are `1/5/2024`, which means two days, and
/// a day that does not exist.
pub(crate) fn iso(text: &str) -> Option<String> {
    let text = text.trim();
    if is_iso(text) {
        return Some(text.to_owned());
    }
    if let Some(date) = DateTime::parse_rfc822(text).filter(DateTime::is_valid) {
        return Some(date.to_rfc3339());
    }
    let (year, month, day) = english(text).or_else(|| dotted(text))?;
    let is_day = (1000..=9999).contains(&year) && (1..=days_in(year, month)).contains(&day);
    is_day.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

fn is_iso(text: &str) -> bool {
    let number = |place: std::ops::Range<usize>| {
        let part = text.get(place)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok()).flatten()
    };
    let follows = |at: usize| text.as_bytes().get(at).is_none_or(|byte| *byte == b'-');
    let day_ends = text.as_bytes().get(10).is_none_or(|byte| !byte.is_ascii_digit());
    let Some(year) = number(0..4) else { return false };
    let days = || number(5..7).map_or(0, |month| days_in(year, month));
    match text.len() {
        4 => true,
        7 => follows(4) && days() > 0,
        10.. => {
            let is_day = number(8..10).is_some_and(|day| (1..=days()).contains(&day));
            is_day && follows(4) && follows(7) && day_ends
        }
        _ => false,
    }
}

/// `May 1, 2024`, `Wednesday, 1st of May 2024`.
fn english(text: &str) -> Option<(u32, u32, u32)> {
    let words = text.split(|mark: char| mark.is_whitespace() || ",.".contains(mark));
    let (mut year, mut month, mut day) = (None, None, None);
    for word in words.filter(|word| !word.is_empty()).take(6) {
        let lower = word.to_ascii_lowercase();
        let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        match digits.len() {
            4 if digits.len() == lower.len() => year = year.or(digits.parse().ok()),
            1 | 2 => day = day.or(digits.parse().ok()),
            _ => {
                let number = MONTHS.iter().position(|name| lower.starts_with(name));
                month = month.or(number.map(|number| number as u32 + 1));
            }
        }
    }
    Some((year?, month?, day?))
}

/// `1.5.2024`.
fn dotted(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    let (Some(Ok(day)), Some(Ok(month)), Some(Ok(year)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    Some((year, month, day))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        for (text, expected) in [
            ("2024-05-01", Some("2024-05-01")),
            ("2024-05-01T08:00:00+02:00", Some("2024-05-01T08:00:00+02:00")),
            (" 2024-05 ", Some("2024-05")),
            ("2024", Some("2024")),
            ("Wed, 01 May 2024 08:00:00 GMT", Some("2024-05-01T08:00:00Z")),
            ("June 26, 2022", Some("2022-06-26")),
            ("Wednesday, 1st of May 2024", Some("2024-05-01")),
            ("26 Sept. 2022", Some("2022-09-26")),
            ("05.06.2026", Some("2026-06-05")),
            ("31.13.2026", None),
            ("2024-06-31", None),
            ("2023-02-29T08:00:00Z", None),
            ("2024-02-29", Some("2024-02-29")),
            ("2024-13", None),
            ("31 June 2024", None),
            ("5/6/2026", None),
            ("20240501", None),
            ("yesterday", None),
            ("May 2024", None),
            ("", None),
        ] {
            assert_eq!(iso(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_is_read_as_it_is(text in "\\PC{0,40}|[0-9]{1,2}[ .][A-Za-z0-9]{1,9}[ .][0-9]{1,4}") {
            if let Some(date) = iso(&text) {
                prop_assert_eq!(iso(&date), Some(date.clone()));
            }
        }
    }
}
