//! Tables for other programs: columns with a type, and the cells of a row.
//!
//! With the feature `parquet`, `parquet::Table` writes rows as they come.

#[cfg(feature = "parquet")]
pub mod parquet;

/// What a column holds; in any row it may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Unicode text.
    Text,
    /// A number with a fraction.
    Number,
    /// A whole number.
    Count,
    /// Yes or no.
    Flag,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A value in a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'c> {
    /// A text.
    Text(&'c str),
    /// A number with a fraction.
    Number(f64),
    /// A whole number.
    Count(i64),
    /// Yes or no.
    Flag(bool),
    /// No value.
    None,
}

impl<'c> From<&'c Option<String>> for Cell<'c> {
    fn from(text: &'c Option<String>) -> Self {
        text.as_deref().map_or(Self::None, Self::Text)
    }
}

impl From<Option<u32>> for Cell<'_> {
    fn from(count: Option<u32>) -> Self {
        count.map_or(Self::None, |count| Self::Count(count.into()))
    }
}

impl From<Option<f64>> for Cell<'_> {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::None, Self::Number)
    }
}
