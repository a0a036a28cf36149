//! Where documents come from and go to.
//!
//! Modules in reading order: `formats`, `read`, `identity`, `encoding`, `limits`.

pub mod encoding;
pub mod formats;
pub mod identity;
pub mod limits;
pub mod read;
