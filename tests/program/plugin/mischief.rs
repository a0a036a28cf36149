//! A plugin for the tests of the program: misbehaves where the text says so, and marks the others.

#![allow(clippy::panic, reason = "it panics when asked to, to test what follows")]

use std::thread;
use std::time::Duration;

use standpoint_abi::prelude::*;

export_stage!(Mischief);

/// Does what the first word of the text says.
struct Mischief;

impl StageDefinition for Mischief {
    const NAME: &'static str = "mischief";
    const CONTRACT: Contract = Contract { reads: &[], writes: &["well_behaved"] };
    type Settings = NoSettings;

    fn start(_: NoSettings, _: &StartContext) -> Result<Self, StageError> {
        Ok(Self)
    }
}

#[async_trait]
impl Stage for Mischief {
    async fn process(
        &self,
        document: &mut Document<'_>,
        _: &StageContext<'_>,
    ) -> Result<(), StageError> {
        let mut words = document.text().split_whitespace();
        match words.next() {
            Some("Panic") => panic!("asked to panic"),
            // What a fault in native code does: nobody is told.
            Some("Abort") => std::process::abort(),
            // For ever: nothing unparks it, and nothing can stop it from outside.
            Some("Block") => loop {
                thread::park();
            },
            // Milliseconds of work, in which the process as a whole is not stopped.
            Some("Wait") => {
                let mut left = words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
                // In steps, so that the time in which the process is stopped counts little; in no smaller
                // ones, for on a busy machine each takes some milliseconds more.
                while left > 0 {
                    let step = u64::min(left, 10);
                    thread::sleep(Duration::from_millis(step));
                    left -= step;
                }
            }
            _ => document.set_attribute("well_behaved", true.into()),
        }
        Ok(())
    }
}
