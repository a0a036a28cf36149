//! The program of the benchmark.

use std::process::ExitCode;

use spans::Spans;
use standpoint_process::{About, serve};

#[path = "../../standpoint-stage/benches/boundary/spans.rs"]
mod spans;

fn main() -> ExitCode {
    let about = About { version: "1.0.0", description: "marks every twelfth token" };
    match serve::<Spans>(about) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
