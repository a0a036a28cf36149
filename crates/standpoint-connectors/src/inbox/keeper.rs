//! Acts on the outcomes of claimed files, on a thread of its own.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use standpoint_engine::{Outcome, Receipt};
use tracing::warn;

use super::claims::{Claim, Claims, Fate};
use crate::quarantine::Reason;

/// How long to wait before a move that failed, as on a full disk, is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Moves files to where their outcomes send them.
#[derive(Debug)]
pub(super) struct Keeper {
    claims: Arc<Claims>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Decided, and not moved yet. No longer than there are files in work.
    decided: VecDeque<(Claim, Fate)>,
    /// Files whose documents are on their way.
    pending: usize,
    finishing: bool,
}

impl Keeper {
    pub(super) fn new(claims: Arc<Claims>) -> Self {
        Self { claims, state: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a file over whose fate is known.
    pub(super) fn settle(&self, claim: Claim, fate: Fate) {
        self.lock().decided.push_back((claim, fate));
        self.changed.notify_one();
    }

    /// Follows a file whose documents go out now; its fate is decided when the value and all its
    /// receipts are gone.
    pub(super) fn pend(self: &Arc<Self>, source: &str, claim: Claim) -> Pending {
        self.lock().pending += 1;
        let keeper = Arc::clone(self);
        let source = source.to_owned();
        Pending(Arc::new(PendingFile { keeper, source, claim, tally: Mutex::default() }))
    }

    /// Lets [`Keeper::run`] end once nothing is pending.
    pub(super) fn finish(&self) {
        self.lock().finishing = true;
        self.changed.notify_one();
    }

    /// Moves files until [`Keeper::finish`] is called and all are moved, or cannot be.
    pub(super) fn run(&self) {
        let mut failed: VecDeque<(Claim, Fate)> = VecDeque::new();
        loop {
            let (decided, is_last) = self.wait(!failed.is_empty());
            for (claim, fate) in failed.drain(..).chain(decided).collect::<Vec<_>>() {
                if let Err(error) = self.claims.settle(&claim, fate.clone()) {
                    if error.kind() == io::ErrorKind::NotFound {
                        warn!(path = ?claim.relative, "a claimed file is gone");
                        continue;
                    }
                    warn!(path = ?claim.relative, error = %error, "cannot move a file, will retry");
                    failed.push_back((claim, fate));
                }
            }
            if is_last {
                if !failed.is_empty() {
                    let files = failed.len();
                    warn!(files, "files stay claimed and are taken up at the next start");
                }
                return;
            }
        }
    }

    /// Waits for decided files; says whether they are the last. With `has_failed` it waits no
    /// longer than until those should be tried again.
    fn wait(&self, has_failed: bool) -> (Vec<(Claim, Fate)>, bool) {
        let mut state = self.lock();
        while state.decided.is_empty() && !(state.finishing && state.pending == 0) {
            if has_failed {
                let (guard, _) = self
                    .changed
                    .wait_timeout(state, RETRY_AFTER)
                    .unwrap_or_else(PoisonError::into_inner);
                state = guard;
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let decided = state.decided.drain(..).collect();
        (decided, state.finishing && state.pending == 0)
    }
}

/// A file whose documents are on their way.
#[derive(Debug, Clone)]
pub(super) struct Pending(Arc<PendingFile>);

#[derive(Debug)]
struct PendingFile {
    keeper: Arc<Keeper>,
    source: String,
    claim: Claim,
    tally: Mutex<Tally>,
}

/// What has become of the documents of a file.
#[derive(Debug, Default)]
struct Tally {
    documents: u64,
    failed: u64,
    returned: u64,
    /// The first of the failures.
    failures: Vec<String>,
}

impl Pending {
    /// The receipt for one more document of the file.
    pub(super) fn receipt(&self) -> Receipt {
        let file = Arc::clone(&self.0);
        Receipt::new(move |outcome| {
            let mut tally = file.tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.documents += 1;
            match outcome {
                Outcome::Done => {}
                Outcome::Returned => tally.returned += 1,
                Outcome::Failed(failure) => {
                    tally.failed += 1;
                    if tally.failures.len() < Reason::MOST_FAILURES {
                        tally.failures.push(failure.to_string());
                    }
                }
            }
        })
    }

    /// Sends the file back to the inbox, whatever becomes of its documents.
    pub(super) fn give_back(&self) {
        self.0.tally.lock().unwrap_or_else(PoisonError::into_inner).returned += 1;
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        let tally = std::mem::take(self.tally.get_mut().unwrap_or_else(PoisonError::into_inner));
        let fate = fate_of(&self.source, tally);
        let mut state = self.keeper.lock();
        state.pending -= 1;
        state.decided.push_back((self.claim.clone(), fate));
        drop(state);
        self.keeper.changed.notify_one();
    }
}

/// A file with a document that was not decided goes back as a whole; its ids stay the same, so the
/// sinks know the documents that they have already.
fn fate_of(source: &str, tally: Tally) -> Fate {
    if tally.returned > 0 {
        return Fate::Returned;
    }
    if tally.failed == 0 {
        return Fate::Done;
    }
    let reason = match tally.failures.first() {
        Some(only) if tally.documents == 1 => only.clone(),
        _ => format!(
            "{} of its {} documents failed; the others are in the sinks",
            tally.failed, tally.documents
        ),
    };
    let mut told = Reason::new(source, reason);
    told.failed = tally.failed;
    if tally.documents > 1 {
        told.failures = tally.failures;
    }
    Fate::Quarantined(told)
}
