//! The standard stage entity.
