//! Durations, sizes and ranges of durations: numbers that carry their unit.
//!
//! A bare number is refused, because a reader of the file cannot know whether `timeout: 10`
//! means seconds or milliseconds.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Why a text is not the quantity that a setting expects.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnitError {
    /// A number alone.
    #[error("a bare number has no unit; write it like `{example}`")]
    NoUnit {
        /// How it should look.
        example: &'static str,
    },
    /// A unit that does not exist.
    #[error("unknown unit `{unit}`; use {known}")]
    UnknownUnit {
        /// What was found.
        unit: String,
        /// The units that are known.
        known: &'static str,
    },
    /// Something else altogether.
    #[error("expected {what} such as `{example}`")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// How it should look.
        example: &'static str,
    },
    /// More than can be counted.
    #[error("too large")]
    TooLarge,
    /// A range whose ends are the wrong way round.
    #[error("the range starts at {low} and ends earlier, at {high}")]
    Reversed {
        /// The first end.
        low: String,
        /// The second end.
        high: String,
    },
}

const DURATION_UNITS: &str = "`us`, `ms`, `s`, `m`, `h` or `d`";
const SIZE_UNITS: &str = "`B`, `KiB`, `MiB`, `GiB`, `TiB`, or `kB`, `MB`, `GB`, `TB`";

/// Reads a duration such as `500ms`, `10s`, `2m` or `1h30m`.
///
/// Units are `us`, `ms`, `s`, `m` (minutes), `h` and `d` (24 hours); parts add up.
///
/// # Errors
///
/// [`UnitError`] says what is wrong with the text, except for [`UnitError::Reversed`].
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let malformed = UnitError::Malformed { what: "a duration", example: "500ms" };
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(malformed);
    }
    while !rest.is_empty() {
        let (number, unit, after) = split_quantity(rest).ok_or_else(|| malformed.clone())?;
        let nanos_per_unit: u64 = match unit {
            "" => return Err(UnitError::NoUnit { example: "10s" }),
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => {
                let unit = unit.to_owned();
                return Err(UnitError::UnknownUnit { unit, known: DURATION_UNITS });
            }
        };
        let nanos = scaled(number, nanos_per_unit)?;
        total = total.checked_add(Duration::from_nanos(nanos)).ok_or(UnitError::TooLarge)?;
        rest = after.trim_start();
    }
    Ok(total)
}

/// Reads a size such as `16MiB` (1024 * 1024 bytes each) or `1GB` (10^9 bytes), in bytes.
///
/// # Errors
///
/// [`UnitError`] says what is wrong with the text, except for [`UnitError::Reversed`].
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let malformed = UnitError::Malformed { what: "a size", example: "16MiB" };
    let (number, unit, rest) = split_quantity(text.trim()).ok_or_else(|| malformed.clone())?;
    if !rest.is_empty() {
        return Err(malformed);
    }
    let bytes_per_unit: u64 = match unit {
        "" => return Err(UnitError::NoUnit { example: "16MiB" }),
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(UnitError::UnknownUnit { unit: unit.to_owned(), known: SIZE_UNITS }),
    };
    scaled(number, bytes_per_unit)
}

/// Writes a duration so that [`parse_duration`] reads the same one, in its largest whole unit.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    const UNITS: [(u128, &str); 6] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    // Below a microsecond there is no unit: settings are never that fine.
    let whole = UNITS.iter().find(|(unit, _)| nanos.is_multiple_of(*unit));
    let (unit, name) = whole.unwrap_or(&UNITS[5]);
    format!("{}{name}", nanos / unit)
}

/// Writes a size so that [`parse_size`] reads the same one, in its largest whole unit.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes != 0 && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// A range of durations such as `200ms..10s`, both ends included.
// Invariant: `low <= high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationRange {
    low: Duration,
    high: Duration,
}

impl DurationRange {
    /// Returns `None` when `high` is less than `low`.
    #[must_use]
    pub fn new(low: Duration, high: Duration) -> Option<Self> {
        (low <= high).then_some(Self { low, high })
    }

    /// The shortest duration of the range.
    #[must_use]
    pub const fn low(self) -> Duration {
        self.low
    }

    /// The longest duration of the range.
    #[must_use]
    pub const fn high(self) -> Duration {
        self.high
    }

    /// Reads `200ms..10s`; a single duration is a range of itself.
    ///
    /// # Errors
    ///
    /// [`UnitError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let (low, high) = (parse_duration(low)?, parse_duration(high)?);
        Self::new(low, high).ok_or_else(|| UnitError::Reversed {
            low: format_duration(low),
            high: format_duration(high),
        })
    }
}

impl std::fmt::Display for DurationRange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}..{}", format_duration(self.low), format_duration(self.high))
    }
}

impl Serialize for DurationRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DurationRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl JsonSchema for DurationRange {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "DurationRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": DURATION_RANGE_FORMAT })
    }
}

/// The `format` of a JSON Schema string that holds a duration.
pub const DURATION_FORMAT: &str = "duration";
/// The `format` of a JSON Schema string that holds a range of durations.
pub const DURATION_RANGE_FORMAT: &str = "duration-range";
/// The `format` of a JSON Schema string that holds a size.
pub const SIZE_FORMAT: &str = "size";
/// The `format` of a JSON Schema string that holds a path: it is resolved against the folder of
/// the pipeline file.
pub const PATH_FORMAT: &str = "path";

/// Number, unit and what follows; `None` when `text` starts with no number.
fn split_quantity(text: &str) -> Option<(&str, &str, &str)> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let (number, rest) = text.split_at(text.find(|c| !is_number(c)).unwrap_or(text.len()));
    let rest = rest.trim_start();
    let (unit, rest) = rest.split_at(rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len()));
    let well_formed = number.starts_with(|c: char| c.is_ascii_digit())
        && number.matches('.').count() <= 1
        && !number.ends_with('.')
        && (!unit.is_empty() || rest.is_empty());
    well_formed.then_some((number, unit, rest))
}

/// `number * unit` in whole numbers, so that `0.1GB` is exact; what is below one is cut off.
fn scaled(number: &str, unit: u64) -> Result<u64, UnitError> {
    // Beyond 15 digits a fraction is below a byte or a nanosecond of any unit.
    const MOST_DIGITS: usize = 15;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| UnitError::TooLarge)?;
    let fraction = &fraction[..fraction.len().min(MOST_DIGITS)];
    let scale = 10_u128.pow(fraction.len() as u32);
    let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse().unwrap_or(0) };
    let total = u128::from(whole) * u128::from(unit) + parts * u128::from(unit) / scale;
    u64::try_from(total).map_err(|_| UnitError::TooLarge)
}

/// Serde and schema of a [`Duration`] written as text.
pub(crate) mod duration_text {
    use super::{
        Cow, Deserialize, Deserializer, Duration, Serializer, de, format_duration, parse_duration,
    };

    pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format_duration(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        parse_duration(&Cow::<str>::deserialize(from)?).map_err(de::Error::custom)
    }

    pub(crate) fn schema(_: &mut super::SchemaGenerator) -> super::Schema {
        super::json_schema!({ "type": "string", "format": super::DURATION_FORMAT })
    }
}

/// Serde and schema of an optional [`Duration`] written as text.
pub(crate) mod optional_duration_text {
    use super::{Deserialize, Deserializer, Duration, Serializer, duration_text};

    #[derive(Deserialize)]
    struct Text(#[serde(with = "duration_text")] Duration);

    #[expect(clippy::ref_option, reason = "the form that serde calls")]
    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => duration_text::serialize(value, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Text>::deserialize(from)?.map(|text| text.0))
    }

    pub(crate) fn schema(_: &mut super::SchemaGenerator) -> super::Schema {
        super::json_schema!({ "type": ["string", "null"], "format": super::DURATION_FORMAT })
    }
}

/// Serde and schema of a number of bytes written as text.
pub(crate) mod size_text {
    use super::{Cow, Deserialize, Deserializer, Serializer, de, format_size, parse_size};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
    pub(crate) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format_size(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        parse_size(&Cow::<str>::deserialize(from)?).map_err(de::Error::custom)
    }

    pub(crate) fn schema(_: &mut super::SchemaGenerator) -> super::Schema {
        super::json_schema!({ "type": "string", "format": super::SIZE_FORMAT })
    }
}

/// The same for a size that may be left out.
pub(crate) mod optional_size_text {
    use super::{Deserialize, Deserializer, Serialize, Serializer, de, format_size, parse_size};

    #[expect(clippy::ref_option, reason = "the form that serde calls")]
    pub(crate) fn serialize<S: Serializer>(value: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        value.map(format_size).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| parse_size(&text)).transpose().map_err(de::Error::custom)
    }

    pub(crate) fn schema(_: &mut super::SchemaGenerator) -> super::Schema {
        super::json_schema!({ "type": ["string", "null"], "format": super::SIZE_FORMAT })
    }
}

/// Schema of a path that starts from the folder of the pipeline file.
pub(crate) fn path_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": PATH_FORMAT, "minLength": 1 })
}

/// The schema of a path that may be left out.
pub(crate) fn optional_path_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "format": PATH_FORMAT })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_carry_a_unit() {
        let cases = [
            ("500ms", Some(500_000)),
            ("10s", Some(10_000_000)),
            ("2m", Some(120_000_000)),
            ("1h30m", Some(5_400_000_000)),
            ("1h 30m", Some(5_400_000_000)),
            ("1.5s", Some(1_500_000)),
            ("250us", Some(250)),
            ("250µs", Some(250)),
            ("1d", Some(86_400_000_000)),
            ("10 s", Some(10_000_000)),
            ("0s", Some(0)),
            ("", None),
            ("10", None),
            ("0", None),
            ("s", None),
            ("-1s", None),
            ("10 seconds", None),
            ("1.2.3s", None),
            ("1.s", None),
            ("10s,", None),
            ("99999999999999999999s", None),
            ("999999999999d", None),
        ];
        for (text, micros) in cases {
            let expected = micros.map(Duration::from_micros);
            assert_eq!(parse_duration(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn sizes_carry_a_unit() {
        let cases = [
            ("16MiB", Some(16 << 20)),
            ("1GB", Some(1_000_000_000)),
            ("1.5KiB", Some(1536)),
            ("0.1GB", Some(100_000_000)),
            ("64 KiB", Some(64 << 10)),
            ("1kB", Some(1000)),
            ("7B", Some(7)),
            ("2TiB", Some(2 << 40)),
            ("3TB", Some(3_000_000_000_000)),
            ("2MB", Some(2_000_000)),
            ("2GiB", Some(2 << 30)),
            ("16M", None),
            ("16mib", None),
            ("16", None),
            ("-1B", None),
            ("1MiB 2KiB", None),
            ("99999999TiB", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_size(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn ranges_run_from_low_to_high() {
        let range = DurationRange::parse("200ms..10s").unwrap();
        assert_eq!(
            (range.low(), range.high()),
            (Duration::from_millis(200), Duration::from_secs(10))
        );
        assert_eq!(range.to_string(), "200ms..10s");
        assert_eq!(DurationRange::parse("1s").unwrap().to_string(), "1s..1s");
        let error = DurationRange::parse("10s..1s").unwrap_err();
        insta::assert_snapshot!(error, @"the range starts at 10s and ends earlier, at 1s");
        assert!(DurationRange::parse("1s..").is_err() && DurationRange::parse("1s...2s").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in 0..u64::MAX / 1000, bytes: u64) {
            let duration = Duration::from_micros(micros);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = (parse_duration(&text), parse_size(&text), DurationRange::parse(&text));
        }
    }
}
