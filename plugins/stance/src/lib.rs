//! The standard stage stance.

mod clause;
mod edge;
mod feature;
pub mod judge;
mod lexicon;
mod reading;

pub use lexicon::{CueError, Lexicon};
pub use reading::Party;
