//! What the boundary costs: prints a call of the same stage directly and through its shared
//! library, in interleaved rounds. Cargo builds the library only when told to:
//!
//! ```text
//! cargo build --release -p standpoint-abi --examples && cargo bench -p standpoint-abi
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on its output")]

use std::path::{Path, PathBuf};

use boundary::spans::Spans;
use serde_json::Value;
use standpoint_abi::{LoadPolicy, LoadedPlugin};

#[path = "../../standpoint-stage/benches/boundary/mod.rs"]
mod boundary;

fn main() {
    let plugin = LoadedPlugin::load(library(), &LoadPolicy::default()).unwrap();
    let hosted = plugin.create(&Value::Null, &boundary::start()).unwrap();
    boundary::compare(&[("direct", &Spans), ("plugin", &hosted)], 400, 250);
}

fn library() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let profile = program.parent().and_then(Path::parent).unwrap();
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    profile.join("examples").join(format!("{prefix}spans{suffix}"))
}
