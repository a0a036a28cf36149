//! Many daemons over one topic of Kafka, on brokers that the tests play themselves: workers killed
//! and stopped, brokers away, order, dead letters, feeding.
//!
//! The brokers are those that Kafka's C library tests itself with. They speak the protocol, keep
//! offsets with their metadata and divide partitions between the members of a group; they keep
//! nothing on a disk and elect no leaders. Run by two commands, the first of which makes the plugin
//! that misbehaves:
//!
//! ```sh
//! cargo build -p standpoint --features kafka --example mischief
//! cargo test -p standpoint --features kafka --test kafka
//! ```
//!
//! The long storm, which prints figures, wants `-- --ignored --nocapture` behind the second.
//!
//! Modules: `brokers` plays them, `field` is brokers with their workers and the account of what
//! came out; the others break something each.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is not as it should be, and tells what it measured"
)]

mod brokers;
mod chaos;
mod feeding;
mod field;
#[path = "../program/harness.rs"]
#[expect(dead_code, reason = "shared with the other tests of the program")]
mod harness;
mod letters;
mod order;
#[path = "../program/workers.rs"]
mod workers;
