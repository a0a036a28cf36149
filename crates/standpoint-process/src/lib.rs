//! A stage in a process of its own: the protocol, and both of its sides.
//!
//! A stage that crashes, hangs or eats memory costs its document and no other, and its program can
//! be written in any language: it reads frames from standard input and writes frames to standard
//! output.
//!
//! # The protocol, versions 1 and 2
//!
//! A frame is nine bytes and a payload: the payload's length (`u32`, little-endian), a kind (`u8`)
//! and the number of the request that it belongs to (`u32`, little-endian). Kinds are in
//! [`protocol::Kind`].
//!
//! 1. The host says [`HostHello`](protocol::HostHello): the versions and forms that it speaks. The
//!    stage answers [`StageHello`](protocol::StageHello): the version and form that it chose, and
//!    its manifest.
//! 2. The host says [`Start`](protocol::Start): the stage's id, the folder of the pipeline file and
//!    the settings. The stage answers with an empty `result`, or with an `error`.
//! 3. For each `document` the stage answers a `result` or an `error` with the same number; for each
//!    `batch`, which it gets only if its hello says so, a `batch_result`. Documents and results are
//!    in the form that was chosen, which `standpoint-wire` has: in version 1 packed or JSON, in
//!    version 2, which has no other difference, binary or JSON.
//! 4. `log` may come at any time. `cancel` asks that a request be given up; whoever does not look
//!    for it is ended after a second. `shutdown`, or the end of standard input, ends the stage.
//!
//! What is written to standard error goes into the host's log. Anything on standard output that is
//! not a frame ends the process, with a message that shows it.
//!
//! # A stage in Rust
//!
//! A program whose `main` calls [`serve`]`::<Hedge>(...)`; `default-features = false` does.
//!
//! # The host
//!
//! [`ProcessStage::start`](host::ProcessStage::start) makes a
//! [`Stage`](standpoint_stage::Stage) like any other. Each process has a group of its own, no
//! environment but what is given to it, no open file but the three of the protocol, limits of
//! memory and open files, no way to gain rights, and ends with the thread that watches it. The
//! limits are set by the program itself, run once more as a launcher ([`launch`](host::launch)).
//! What is long is lent to its pipe and not copied into it, where the system does that.
//!
//! Modules in reading order: [`protocol`], `serve` (the side of the stage), [`host`] (the side of
//! the program).

#[cfg(feature = "host")]
pub mod host;
pub mod protocol;
mod serve;

pub use serve::{About, serve};
