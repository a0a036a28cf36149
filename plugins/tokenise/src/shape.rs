//! What kind of token stands beside a place where a sentence could end.

use crate::lists::{Abbreviation, Lists};

/// The kind of a token, coarse enough to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Before the first or behind the last token.
    Nothing,
    Lower,
    Capitalised,
    Upper,
    SingleUpper,
    /// "J."
    Initial,
    /// "U.S."
    Acronym,
    Abbreviation(Abbreviation),
    Number,
    /// "2nd", "1,000"
    NumberLike,
    /// "1."
    ListNumber,
    /// Two or more full stops, or an ellipsis.
    Dots,
    /// "!!", "?!"
    Stops,
    OpeningQuote,
    ClosingQuote,
    Dash,
    /// A letter of another script without cases.
    OtherLetter,
    Symbol,
    /// One or more ASCII marks, by the first.
    Mark(u8),
}

impl Shape {
    /// A number for each shape; part of the recipe of the features.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Lower => 1,
            Self::Capitalised => 2,
            Self::Upper => 3,
            Self::SingleUpper => 4,
            Self::Initial => 5,
            Self::Acronym => 6,
            Self::Abbreviation(class) => 8 + class as u8,
            Self::Number => 16,
            Self::NumberLike => 17,
            Self::ListNumber => 18,
            Self::Dots => 19,
            Self::Stops => 20,
            Self::OpeningQuote => 21,
            Self::ClosingQuote => 22,
            Self::Dash => 23,
            Self::OtherLetter => 24,
            Self::Symbol => 25,
            Self::Mark(byte) => byte,
        }
    }

    /// The shape of a word whose full stop does not matter, because it is the word after a place.
    pub(crate) fn without_stop(self, token: &str) -> Self {
        match self {
            Self::Abbreviation(_)
                if token.starts_with(|first: char| first.is_ascii_uppercase()) =>
            {
                Self::Capitalised
            }
            Self::Abbreviation(_) => Self::Lower,
            shape => shape,
        }
    }
}

/// The kind of `token`.
pub(crate) fn shape(token: &str, lists: &Lists) -> Shape {
    let bytes = token.as_bytes();
    let Some(&first) = bytes.first() else { return Shape::Nothing };
    if !first.is_ascii() {
        return wide_shape(token);
    }
    if bytes.len() > 1
        && first.is_ascii_alphabetic()
        && let Some(stem) = token.strip_suffix('.')
    {
        if stem.len() == 1 {
            return Shape::Initial;
        }
        return match lists.abbreviation(stem) {
            Some(class) => Shape::Abbreviation(class),
            None => Shape::Acronym,
        };
    }
    match first {
        b'a'..=b'z' => Shape::Lower,
        b'A'..=b'Z' if bytes.len() == 1 => Shape::SingleUpper,
        b'A'..=b'Z' if bytes.iter().any(u8::is_ascii_lowercase) => Shape::Capitalised,
        b'A'..=b'Z' => Shape::Upper,
        b'0'..=b'9' if bytes.iter().all(u8::is_ascii_digit) => Shape::Number,
        b'0'..=b'9' if bytes.ends_with(b".") => Shape::ListNumber,
        b'0'..=b'9' => Shape::NumberLike,
        b'.' if bytes.len() > 1 => Shape::Dots,
        b'!' | b'?' if bytes.len() > 1 => Shape::Stops,
        b'-' if bytes.len() > 1 => Shape::Dash,
        // A clitic such as "'s" or a decade such as "'90s".
        b'\'' if bytes.len() > 1 => Shape::Lower,
        _ => Shape::Mark(first),
    }
}

fn wide_shape(token: &str) -> Shape {
    match token.chars().next() {
        Some('“' | '‘' | '«' | '„') => Shape::OpeningQuote,
        Some('’') if token.len() > '’'.len_utf8() => Shape::Lower,
        Some('”' | '’' | '»') => Shape::ClosingQuote,
        Some('–' | '—' | '―') => Shape::Dash,
        Some('…') => Shape::Dots,
        Some('。' | '！' | '？' | '।' | '؟' | '۔') => Shape::Mark(b'.'),
        Some(first) if first.is_lowercase() => Shape::Lower,
        Some(first) if first.is_uppercase() => Shape::Capitalised,
        Some(first) if first.is_alphanumeric() => Shape::OtherLetter,
        _ => Shape::Symbol,
    }
}
