//! What the engine costs.
fn main() {}
