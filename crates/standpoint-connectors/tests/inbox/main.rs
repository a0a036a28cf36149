//! What the inbox promises: at every moment a file is in exactly one of inbox, claimed, archive
//! and quarantine.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod house;
mod outcomes;
mod records;
mod strangers;
