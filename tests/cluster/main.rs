//! Many daemons over one stream, on a real NATS server that the tests start themselves: workers
//! killed and stopped at random, the server killed, workers cut off from it, order, dead letters,
//! large documents.
//!
//! The short form is run by two commands, the first of which makes the plugin that misbehaves; the
//! long form, which prints figures, by the second with what follows it here. Without `postgres`,
//! `hosts` and `rows` are left out.
//!
//! ```sh
//! cargo build -p standpoint --features nats,postgres --example mischief
//! cargo test -p standpoint --features nats,postgres --test cluster -- --ignored --nocapture --test-threads=1
//! ```
//!
//! Without `nats-server` (Debian's package of that name) the tests say so and pass; where the
//! variable `CI` is set they fail. So it is with the hosts of `hosts` and `ip` (of `iproute2`), and
//! where the system lets nobody make network namespaces, those tests say so and pass.
//!
//! Modules: `wire` speaks to the server, `server` is one, `cable` leads to it, `network` has hosts
//! for both, `field` is a server with its workers and the account of what came out; the others
//! break something each.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test stops where something is not as it should be, and tells what it measured"
)]

mod cable;
mod chaos;
#[cfg(feature = "postgres")]
#[expect(dead_code, reason = "the store's own tests need more of it")]
#[path = "../../crates/standpoint-store/tests/cluster/mod.rs"]
mod cluster;
mod documented;
mod field;
#[path = "../program/harness.rs"]
#[expect(dead_code, reason = "shared with the other tests of the program")]
mod harness;
#[cfg(feature = "postgres")]
mod hosts;
mod letters;
mod logins;
#[cfg(feature = "postgres")]
mod network;
mod operations;
mod order;
mod partition;
#[cfg(feature = "postgres")]
mod rows;
mod scaling;
mod server;
mod stalls;
mod wire;
#[path = "../program/workers.rs"]
mod workers;
