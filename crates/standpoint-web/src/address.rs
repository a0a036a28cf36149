//! What stands in a page's address: the filter, and where a list goes on.

use standpoint_store::Filter;
use standpoint_store::filter::Holders;

/// A page's query, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which part of the store is looked at.
    pub filter: Filter,
    /// The cursor behind which a list goes on.
    pub after: Option<String>,
    /// How many rows.
    pub limit: Option<usize>,
    /// Days of the window that shifts are looked for in.
    pub window: u32,
    /// How many actors.
    pub actors: usize,
}

/// Days that shifts are looked for in, unless told otherwise.
pub const WINDOW: u32 = 30;

/// Actors that are shown, unless told otherwise.
pub const ACTORS: usize = 24;

/// The longest value that is looked at, in bytes.
const MOST_BYTES: usize = 500;

impl Query {
    /// Reads a query. What it does not know it passes over, as it does values that cannot be: an
    /// address that somebody mangled still shows a page.
    ///
    /// - `target`: toward whom, where the query does not say.
    #[must_use]
    pub fn read(query: &str, target: &str) -> Self {
        let mut filter = Filter::toward(target);
        let mut read = Self {
            filter: filter.clone(),
            after: None,
            limit: None,
            window: WINDOW,
            actors: ACTORS,
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim().to_owned();
            if value.is_empty() || value.len() > MOST_BYTES {
                continue;
            }
            let one_of = |known: &[&str]| known.contains(&value.as_str()).then(|| value.clone());
            match key.as_ref() {
                "target" => filter.target = value,
                "from" => filter.from = day(&value, "01").or(filter.from),
                "to" => filter.to = day(&value, "31").or(filter.to),
                "source" if filter.sources.len() < 100 => filter.sources.push(value),
                "who" => filter.who = Some(value),
                "words" => filter.words = Some(value),
                "holders" => {
                    filter.holders = match value.as_str() {
                        "authors" => Holders::Authors,
                        "all" => Holders::All,
                        _ => Holders::Actors,
                    };
                }
                "voice" => filter.voice = one_of(&["author", "quoted", "reported"]),
                "time" => filter.time = one_of(&["past", "present", "future", "hypothetical"]),
                "verdict" => filter.verdict = one_of(&["accepted", "rejected", "none"]),
                "after" => read.after = Some(value),
                "limit" => read.limit = value.parse().ok(),
                "window" => read.window = value.parse().unwrap_or(WINDOW).clamp(1, 36_500),
                "actors" => read.actors = value.parse().unwrap_or(ACTORS).clamp(1, 500),
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
        let window = (self.window != WINDOW).then(|| self.window.to_string());
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

/// A day as the store has it; a month or a year stands for its first or last day.
fn day(value: &str, end: &str) -> Option<String> {
    let number = |part: &str, length, most: u32| {
        let is_number = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().is_ok_and(|number| is_number && (1..=most).contains(&number))
    };
    let (year, month, day) = (
        |part: &str| number(part, 4, 9999),
        |part: &str| number(part, 2, 12),
        |part: &str| number(part, 2, 31),
    );
    let parts: Vec<&str> = value.split('-').collect();
    match parts.as_slice() {
        [one] if year(one) => {
            Some(format!("{one}-{}-{end}", if end == "01" { "01" } else { "12" }))
        }
        [one, two] if year(one) && month(two) => Some(format!("{one}-{two}-{end}")),
        [one, two, three] if year(one) && month(two) && day(three) => Some(value.to_owned()),
        _ => None,
    }
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
        assert_eq!(Query::read("from=2024-05", "RUS").filter.from.as_deref(), Some("2024-05-01"));
    }

    #[test]
    fn an_id_survives_being_part_of_a_path() {
        for id in ["9f2c", "a/b?c#d", "é %20+&=", ""] {
            assert_eq!(decoded(&encoded(id)).as_deref(), Some(id), "{id}");
        }
    }
}
