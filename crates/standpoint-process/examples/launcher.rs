//! A launcher for the tests, which have no program of their own that could be one.

use std::process::ExitCode;

fn main() -> ExitCode {
    standpoint_process::host::launch::asked(std::env::args_os()).unwrap_or(ExitCode::FAILURE)
}
