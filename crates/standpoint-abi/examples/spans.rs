//! The plugin of the benchmark.

use spans::Spans;
use standpoint_abi::export_stage;

#[path = "../../standpoint-stage/benches/boundary/spans.rs"]
mod spans;

export_stage!(Spans);
