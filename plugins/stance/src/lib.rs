//! The standard stage stance.
