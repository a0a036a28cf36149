//! A plugin for the tests of the program: misbehaves where the text says so, and marks the others.

#![allow(clippy::panic, reason = "it panics when asked to, to test what follows")]

use std::thread;
use std::time::{Duration, Instant};

use standpoint_abi::prelude::*;

export_stage!(Mischief);

/// How long it waits at a time.
const STEP: Duration = Duration::from_millis(10);

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
                let wait = words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
                let mut left = Duration::from_millis(wait);
                while !left.is_zero() {
                    let begun = Instant::now();
                    thread::sleep(STEP.min(left));
                    // On a busy machine a step takes longer; one in which the process was stopped
                    // counts little.
                    left = left.saturating_sub(begun.elapsed().min(STEP * 10));
                }
            }
            _ => document.set_attribute("well_behaved", true.into()),
        }
        Ok(())
    }
}
