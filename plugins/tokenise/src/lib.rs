//! The standard stage tokenise.
