//! Claims that could not be taken up and are passed by for a while: one must stop no other.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::warn;

use super::claim::Claim;
use super::worker::pause_after;

/// What tells a claim from others while its attempts are counted: the number of its folder, and its
/// file's path below the inbox, which several may have.
type Key = (Option<u64>, PathBuf);

fn key(claim: &Claim) -> Key {
    let number = claim.folder.number_and_attempt().map(|(number, _)| number);
    (number, claim.relative.clone())
}

/// What is passed by now.
#[derive(Debug, Default)]
pub(super) struct Aside {
    claims: Vec<Claim>,
    /// The files of these, and of those that are on their way back.
    files: BTreeSet<Key>,
    /// How often one failed since there was none.
    failures: u32,
    until: Option<Instant>,
}

impl Aside {
    /// Notes that a claim failed: when it is back, it is passed by for a while.
    pub(super) fn fail(&mut self, claim: &Claim, error: &io::Error) {
        let is_new = self.files.insert(key(claim));
        self.failures = self.failures.saturating_add(1);
        let pause = pause_after(self.failures);
        self.until = Some(Instant::now() + pause);
        if is_new || self.failures.is_power_of_two() {
            let path = &claim.relative;
            warn!(?path, error = %error, ?pause, "cannot take up a file that an earlier run left");
        }
    }

    /// Notes that nothing is wrong with a claim any more.
    pub(super) fn forgive(&mut self, claim: &Claim) {
        if self.files.remove(&key(claim)) && self.files.is_empty() {
            (self.failures, self.until) = (0, None);
        }
    }

    /// Notes that a claim has another folder now, as it has once it was counted.
    pub(super) fn follow(&mut self, before: &Claim, now: &Claim) {
        if self.files.remove(&key(before)) {
            self.files.insert(key(now));
        }
    }

    /// Keeps a claim that failed and never left.
    pub(super) fn keep(&mut self, claim: Claim) {
        self.claims.push(claim);
    }

    /// Keeps what failed of the claims that are back; gives those that are to be taken up now.
    pub(super) fn sort(&mut self, back: Vec<Claim>) -> Vec<Claim> {
        let (failed, mut now): (Vec<_>, Vec<_>) =
            back.into_iter().partition(|claim| self.files.contains(&key(claim)));
        self.claims.extend(failed);
        if self.wait().is_some_and(|wait| wait.is_zero()) {
            // Some may not be back yet.
            self.until = Some(Instant::now() + pause_after(self.failures));
            now.append(&mut self.claims);
        }
        now
    }

    /// How long until what is passed by is tried again; `None` where there is nothing.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// The files that are passed by.
    pub(super) fn into_files(self) -> impl Iterator<Item = PathBuf> {
        self.files.into_iter().map(|(_, path)| path)
    }
}
