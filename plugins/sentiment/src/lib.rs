//! The standard stage sentiment.
