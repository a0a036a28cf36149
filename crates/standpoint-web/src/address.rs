//! What stands in a page's address: the filter, and where a list goes on.

use standpoint_store::filter::Holders;
use standpoint_store::{Filter, days_in};

use crate::near::{nearest, suggestion};

/// A page's query, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which part of the store is looked at.
    pub filter: Filter,
    /// The cursor behind which a list goes on.
    pub after: Option<String>,
    /// How many rows.
    pub limit: Option<usize>,
    /// Days of the window that shifts are looked for in; the site's own if left out.
    pub window: Option<u32>,
    /// How many actors.
    pub actors: usize,
}

/// Days that shifts are looked for in, unless the address or the site says otherwise.
pub const WINDOW: u32 = 30;

/// Actors that are shown, unless told otherwise.
pub const ACTORS: usize = 24;

/// The longest value that is looked at, in bytes.
const MOST_BYTES: usize = 500;

/// The most sources that are looked at.
const MOST_SOURCES: usize = 100;

/// What a query may say, what that means, and an example.
pub type Known = (&'static str, &'static str, &'static str);

/// All that a list's query may say.
pub const KNOWN: [Known; 14] = [
    (
        "target",
        "Toward whom, an id or a name; the target with the most stances if left out.",
        "RUS",
    ),
    ("from", "The first day, month or year of publication.", "2024-05"),
    ("to", "The last one.", "2024-12-31"),
    ("source", "The name of a source; may be repeated.", "wire"),
    ("who", "An actor's id or name, or `author:` and a name.", "KAZ"),
    (
        "words",
        "Words that the documents hold; of those in the days and sources that are asked for, the 2,500 that came last are looked at.",
        "gas exports",
    ),
    ("holders", "`actors`, `authors` or `all`.", "all"),
    ("voice", "`author`, `quoted` or `reported`; of passages.", "quoted"),
    ("time", "`past`, `present`, `future` or `hypothetical`; of passages.", "present"),
    ("verdict", "`accepted`, `rejected` or `none`; of passages.", "none"),
    (
        "window",
        "Days that shifts are looked for in; those of the alerts, else 30, if left out.",
        "90",
    ),
    ("actors", "How many actors, those with the most stories.", "10"),
    ("after", "The cursor of the last row that was seen.", "2024-05-01~17"),
    ("limit", "How many rows, at most 1000.", "50"),
];

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A key that nothing here knows.
    #[error("found the parameter `{found}`, expected {}{}", among(known), hint(found, known))]
    Unknown {
        /// Which.
        found: String,
        /// Those that are known.
        known: Vec<&'static str>,
    },
    /// A key that is given again, although only one value can be meant.
    #[error("found `{key}` more than once, expected one")]
    Again {
        /// Which.
        key: &'static str,
    },
    /// A value that cannot be.
    #[error("found `{key}={found}`, expected {expected}{}", hint(found, choices(key)))]
    Value {
        /// Of which key.
        key: &'static str,
        /// What was given.
        found: String,
        /// What can be.
        expected: &'static str,
    },
}

fn among(known: &[&str]) -> String {
    match known {
        [] => "no parameter at all here".to_owned(),
        known => format!("one of `{}`", known.join("`, `")),
    }
}

/// What may have been meant, where something is near.
fn hint(found: &str, known: &[&str]) -> String {
    let known = known.iter().map(|known| ((*known).to_owned(), (*known).to_owned())).collect();
    suggestion(nearest(found, known).into_iter().next().map(|(known, _)| known))
}

/// Looks for what [`Query::read`] would pass over. A person's address that somebody mangled still
/// shows a page, which says what was passed over; a program that misspells a filter gets no answer.
///
/// - `known`: what may stand there.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn check(query: &str, known: &[Known]) -> Result<(), QueryError> {
    let mut seen = Vec::new();
    for (found, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(&(key, _, example)) = known.iter().find(|(key, ..)| *key == found) else {
            let known = known.iter().map(|(key, ..)| *key).collect();
            return Err(QueryError::Unknown { found: found.into_owned(), known });
        };
        if key != "source" && seen.contains(&key) {
            return Err(QueryError::Again { key });
        }
        seen.push(key);
        let value = value.trim();
        // A form sends its empty fields, too; they say nothing.
        let expected = if value.is_empty() { None } else { expected(key, value, example) };
        let expected = match expected {
            None if value.len() > MOST_BYTES => Some("at most 500 bytes"),
            None if seen.iter().filter(|key| **key == "source").count() > MOST_SOURCES => {
                Some("at most 100 sources")
            }
            expected => expected,
        };
        if let Some(expected) = expected {
            let found = value.chars().take(60).collect();
            return Err(QueryError::Value { key, found, expected });
        }
    }
    Ok(())
}

/// Looks whether the days of a query are in their order; a page says so in its own words.
///
/// # Errors
///
/// When the last day is before the first.
pub(crate) fn check_days(query: &str) -> Result<(), QueryError> {
    match Query::read(query, "").filter {
        Filter { from: Some(from), to: Some(to), .. } if to < from => Err(QueryError::Value {
            key: "to",
            found: to,
            expected: "a day that is not before `from`",
        }),
        _ => Ok(()),
    }
}

/// What a key's value should be, where this one cannot be it.
fn expected(key: &str, value: &str, example: &str) -> Option<&'static str> {
    let number = |most: usize| value.parse().is_ok_and(|number| (1..=most).contains(&number));
    let is_choice = choices(key).contains(&value);
    let (is_right, expected) = match key {
        "from" | "to" => return expected_day(value),
        "holders" => (is_choice, "`actors`, `authors` or `all`"),
        "voice" => (is_choice, "`author`, `quoted` or `reported`"),
        "time" => (is_choice, "`past`, `present`, `future` or `hypothetical`"),
        "verdict" => (is_choice, "`accepted`, `rejected` or `none`"),
        "window" => (number(MOST_DAYS as usize), "days, 1 to 36500"),
        "actors" => (number(MOST_ACTORS), "a number of 1 to 500"),
        "after" => (is_cursor(value, example), "the `next` of the rows before"),
        "limit" => (number(MOST_ROWS), "a number of 1 to 1000"),
        _ => (true, ""),
    };
    (!is_right).then_some(expected)
}

/// What a date should be, where this is none.
#[must_use]
pub fn expected_day(value: &str) -> Option<&'static str> {
    if day(value, End::First).is_some() {
        return None;
    }
    let is_day = |value: &str| day(value, End::First).is_some();
    // It is one in a month that has as many days as any.
    let is_form = value.rsplit_once('-').is_some_and(|(month, day)| {
        month.len() == 7 && is_day(month) && is_day(&format!("2024-01-{day}"))
    });
    Some(if is_form {
        "a day that exists: its month is shorter"
    } else {
        "a day, month or year such as 2024-05-01"
    })
}

/// Whether a value has the form of a cursor: a day or nothing, and as many numbers as the example
/// has.
fn is_cursor(value: &str, example: &str) -> bool {
    let mut numbers = value.split('~');
    let begins =
        numbers.next().is_some_and(|part| part.is_empty() || day(part, End::First).is_some());
    let is_long_enough = value.matches('~').count() == example.matches('~').count();
    begins && is_long_enough && numbers.all(|part| part.parse::<i64>().is_ok())
}

/// The words that may stand behind a key; none where others may, too.
fn choices(key: &str) -> &'static [&'static str] {
    match key {
        "holders" => &["actors", "authors", "all"],
        "voice" => &["author", "quoted", "reported"],
        "time" => &["past", "present", "future", "hypothetical"],
        "verdict" => &["accepted", "rejected", "none"],
        _ => &[],
    }
}

/// The longest window, in days: a century.
pub(crate) const MOST_DAYS: u32 = 36_500;

/// The most actors that are shown.
pub(crate) const MOST_ACTORS: usize = 500;

/// The most rows that a program may ask for at once.
pub(crate) const MOST_ROWS: usize = 1000;

impl Query {
    /// Reads a query. What it does not know it passes over, as it does values that cannot be: an
    /// address that somebody mangled still shows a page.
    ///
    /// - `target`: toward whom, where the query does not say.
    #[must_use]
    pub fn read(query: &str, target: &str) -> Self {
        let mut filter = Filter::toward(target);
        let mut read =
            Self { filter: filter.clone(), after: None, limit: None, window: None, actors: ACTORS };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim().to_owned();
            if value.is_empty() || value.len() > MOST_BYTES {
                continue;
            }
            let chosen = || choices(&key).contains(&value.as_str()).then(|| value.clone());
            match key.as_ref() {
                "target" => filter.target = value,
                "from" => filter.from = day(&value, End::First).or(filter.from),
                "to" => filter.to = day(&value, End::Last).or(filter.to),
                "source" if filter.sources.len() < MOST_SOURCES => filter.sources.push(value),
                "who" => filter.who = Some(value),
                "words" => filter.words = Some(value),
                "holders" => {
                    filter.holders = match value.as_str() {
                        "authors" => Holders::Authors,
                        "all" => Holders::All,
                        _ => Holders::Actors,
                    };
                }
                "voice" => filter.voice = chosen(),
                "time" => filter.time = chosen(),
                "verdict" => filter.verdict = chosen(),
                "after" => read.after = Some(value),
                "limit" => read.limit = value.parse().ok(),
                "window" => {
                    read.window = value.parse().ok().map(|days: u32| days.clamp(1, MOST_DAYS));
                }
                "actors" => read.actors = value.parse().unwrap_or(ACTORS).clamp(1, MOST_ACTORS),
                _ => {}
            }
        }
        Self { filter, ..read }
    }

    /// The query that says the same, `?` in front; lists begin anew.
    #[must_use]
    pub fn address(&self) -> String {
        self.address_with(&[])
    }

    /// The same with other values: `("who", Some("KAZ"))` sets one, `None` takes it away.
    #[must_use]
    pub fn address_with(&self, changes: &[(&str, Option<&str>)]) -> String {
        let filter = &self.filter;
        let holders = match filter.holders {
            Holders::Actors => None,
            Holders::Authors => Some("authors"),
            Holders::All => Some("all"),
        };
        let window = self.window.map(|days| days.to_string());
        let actors = (self.actors != ACTORS).then(|| self.actors.to_string());
        let mut pairs = vec![
            ("target", Some(filter.target.as_str())),
            ("from", filter.from.as_deref()),
            ("to", filter.to.as_deref()),
            ("who", filter.who.as_deref()),
            ("words", filter.words.as_deref()),
            ("holders", holders),
            ("voice", filter.voice.as_deref()),
            ("time", filter.time.as_deref()),
            ("verdict", filter.verdict.as_deref()),
            ("window", window.as_deref()),
            ("actors", actors.as_deref()),
        ];
        pairs.extend(filter.sources.iter().map(|source| ("source", Some(source.as_str()))));
        pairs.retain(|(key, _)| changes.iter().all(|(changed, _)| changed != key));
        pairs.extend(changes);
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in pairs {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                query.append_pair(key, value);
            }
        }
        format!("?{}", query.finish())
    }
}

/// Which day a month or a year stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

/// A day as the store has it; a month or a year stands for its first or last day.
fn day(value: &str, end: End) -> Option<String> {
    let number = |part: &str, length, most: u32| {
        let is_number = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|number| is_number && (1..=most).contains(number))
    };
    let parts: Vec<&str> = value.split('-').collect();
    let year = number(parts[0], 4, 9999)?;
    let month = match (parts.get(1), end) {
        (Some(month), _) => number(month, 2, 12)?,
        (None, End::First) => 1,
        (None, End::Last) => 12,
    };
    let day = match (parts.get(2), end) {
        (Some(day), _) => number(day, 2, days_in(year, month))?,
        (None, End::First) => 1,
        (None, End::Last) => days_in(year, month),
    };
    (parts.len() <= 3).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// A document's id as part of a path.
#[must_use]
pub fn encoded(id: &str) -> String {
    form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The other way round; `None` where it is no UTF-8.
#[must_use]
pub fn decoded(part: &str) -> Option<String> {
    // A plus stands for itself in a path.
    let query = format!("v={}", part.replace('+', "%2B").replace('&', "%26"));
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.next().map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_was_read_from_it() {
        for query in [
            "?target=RUS",
            "?target=RUS&from=2024-05-01&to=2024-05-31&who=KAZ&words=gas+exports&holders=all&voice=quoted&time=past&verdict=rejected&window=90&source=a%26b&source=c",
            "?target=name%3Aacme%3F&who=author%3A%C3%89mile",
        ] {
            assert_eq!(Query::read(&query[1..], "X").address(), query);
        }
    }

    #[test]
    fn what_cannot_be_is_passed_over() {
        let query =
            Query::read("from=yesterday&to=2024&voice=loud&limit=x&after=&who=%FF&zzz=1", "RUS");
        let filter = &query.filter;
        assert_eq!((filter.from.as_deref(), filter.to.as_deref()), (None, Some("2024-12-31")));
        assert_eq!((&filter.voice, query.limit, &query.after), (&None, None, &None));
        let days = |given: &str| {
            let filter = Query::read(&format!("from={given}&to={given}"), "RUS").filter;
            filter.from.zip(filter.to).map(|(from, to)| format!("{from} {to}"))
        };
        for (given, expected) in [
            ("2024", Some("2024-01-01 2024-12-31")),
            // A day that is none would be passed over where the address is read again.
            ("2024-06", Some("2024-06-01 2024-06-30")),
            ("2024-02", Some("2024-02-01 2024-02-29")),
            ("2024-06-30", Some("2024-06-30 2024-06-30")),
            ("2024-06-31", None),
            ("2024-06-30-1", None),
            ("0000-06", None),
        ] {
            assert_eq!(days(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_program_is_told_what_a_page_would_pass_over() {
        let known = KNOWN;
        let fine = "target=RUS&from=2024&to=2024-05&source=a&source=b&who=&words=gas+exports\
                    &holders=all&voice=quoted&time=past&verdict=none&window=90&actors=5&limit=1000\
                    &after=2024-05-01~3";
        assert_eq!(check(fine, &known), Ok(()));
        assert_eq!(check("", &[]), Ok(()));
        let long = format!("words={}", "a".repeat(501));
        let many = "source=a&".repeat(101);
        for (query, keys, expected) in [
            (
                "vioce=quoted",
                &known[8..10],
                "found the parameter `vioce`, expected one of `time`, `verdict`",
            ),
            ("vioce=quoted", &known, "`after`, `limit`; did you mean `voice`?"),
            ("voice=quotd", &known, "or `reported`; did you mean `quoted`?"),
            ("zzz=1", &known, "`after`, `limit`"),
            ("target=RUS", &[], "found the parameter `target`, expected no parameter at all here"),
            ("target=RUS&target=UKR", &known, "found `target` more than once, expected one"),
            (
                "from=yesterday",
                &known,
                "found `from=yesterday`, expected a day, month or year such as",
            ),
            ("to=2023-02-29", &known, "expected a day that exists: its month is shorter"),
            ("to=2024-06-32", &known, "expected a day, month or year such as 2024-05-01"),
            ("to=2024-13-30", &known, "expected a day, month or year such as 2024-05-01"),
            ("voice=loud", &known, "found `voice=loud`, expected `author`, `quoted` or"),
            ("limit=1001", &known, "found `limit=1001`, expected a number of 1 to 1000"),
            ("after=rubbish", &known, "expected the `next` of the rows before"),
            ("after=2024-05-01~3~9", &known, "expected the `next` of the rows before"),
            ("limit=-1", &known, "expected a number of 1 to 1000"),
            (&long, &known, "expected at most 500 bytes"),
            (&many, &known, "expected at most 100 sources"),
        ] {
            let error = check(query, keys).unwrap_err().to_string();
            assert!(error.starts_with(expected) || error.ends_with(expected), "{query}: {error}");
        }
    }

    #[test]
    fn an_id_survives_being_part_of_a_path() {
        for id in ["9f2c", "a/b?c#d", "é %20+&=", ""] {
            assert_eq!(decoded(&encoded(id)).as_deref(), Some(id), "{id}");
        }
    }
}
