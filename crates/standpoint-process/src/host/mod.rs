//! The side of the program: starting stages' processes, talking to them, ending them.

mod attendant;
mod error;
pub mod launch;
mod link;
mod program;
mod room;
mod stage;

pub use error::ProcessError;
pub use launch::Launcher;
pub use program::{ProcessLimits, Program};
pub use stage::{ProcessSettings, ProcessStage, Restart, ask};
