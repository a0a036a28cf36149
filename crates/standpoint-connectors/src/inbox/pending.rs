//! A file whose documents are on their way, and what becomes of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use standpoint_engine::{Outcome, Receipt};
use tracing::{info, warn};

use super::below::Like;
use super::claim::Claim;
use super::claims::Fate;
use super::keeper::{Decided, Keeper};
use super::lock;
use crate::ledger::ids::Id;
use crate::meters::{self, Meter};
use crate::quarantine::{self, Reason};
use crate::records;

/// A file whose documents are on their way.
#[derive(Debug, Clone)]
pub(super) struct Pending(Arc<PendingFile>);

#[derive(Debug)]
struct PendingFile {
    keeper: Arc<Keeper>,
    claim: Claim,
    like: Option<Like>,
    tally: Mutex<Tally>,
    /// Told when a document is settled.
    settled: Condvar,
    /// Whether a document of it was taken into work.
    was_taken: AtomicBool,
}

/// What has become of the documents of a file.
#[derive(Debug, Default)]
struct Tally {
    /// Receipts that were given out and not settled.
    open: u64,
    documents: u64,
    failed: u64,
    returned: u64,
    /// Waited for a sink when the pipeline ended.
    unsent: u64,
    known: u64,
    known_by_own_id: u64,
    /// Records that say once more what an earlier one with their id says, and the first of them:
    /// its number and the id.
    repeated: u64,
    first_repeated: Option<(u64, String)>,
    /// The first of the failures, each with the number of its record.
    failures: Vec<(u64, String)>,
    /// The ids of documents that were refused for them, by the numbers of their records.
    same_ids: BTreeMap<u64, String>,
    /// Whether what failed is the file and not a record.
    is_condemned: bool,
    goes_back: bool,
    /// Whether somebody waits for the last one to be settled.
    is_awaited: bool,
}

impl Pending {
    /// Follows a file whose documents go out now; its fate is decided when the value and all its
    /// receipts are gone.
    ///
    /// - `like`: what the file was like when it was opened.
    pub(super) fn new(keeper: &Arc<Keeper>, claim: Claim, like: Option<Like>) -> Self {
        keeper.expect();
        Self(Arc::new(PendingFile {
            keeper: Arc::clone(keeper),
            claim,
            like,
            tally: Mutex::default(),
            settled: Condvar::new(),
            was_taken: AtomicBool::new(false),
        }))
    }

    /// The receipt for one more document of the file.
    ///
    /// - `number`: of its record, from 0;
    /// - `id`: what it is recognised by when it comes again.
    pub(super) fn receipt(&self, number: u64, id: Option<Id>) -> Receipt {
        let file = Arc::clone(&self.0);
        lock(&file.tally).open += 1;
        Receipt::new(move |outcome| {
            match id {
                Some(id) if outcome == Outcome::Done => file.keeper.note(id),
                Some(id) => file.keeper.end(&id),
                None => {}
            }
            let mut tally = lock(&file.tally);
            tally.open -= 1;
            tally.documents += 1;
            match outcome {
                Outcome::Done => {}
                Outcome::Returned => tally.returned += 1,
                Outcome::Unsent => tally.unsent += 1,
                Outcome::Failed(failure) => {
                    tally.failed += 1;
                    if tally.failures.len() < Reason::MOST_FAILURES {
                        tally.failures.push((number, failure.to_string()));
                    }
                }
            }
            let is_awaited = tally.is_awaited;
            drop(tally);
            if is_awaited {
                file.settled.notify_all();
            }
        })
    }

    /// The file's path below the inbox.
    pub(super) fn relative(&self) -> &Path {
        &self.0.claim.relative
    }

    /// Notes that a document of the file was taken into work.
    pub(super) fn take(&self) {
        self.0.was_taken.store(true, Ordering::Relaxed);
    }

    /// Counts a document that was done before.
    ///
    /// - `has_own_id`: whether it is recognised by an id that it brings, whatever its text is now.
    pub(super) fn pass_over(&self, has_own_id: bool) {
        let mut tally = lock(&self.0.tally);
        tally.documents += 1;
        tally.known += 1;
        tally.known_by_own_id += u64::from(has_own_id);
    }

    /// Counts a record that says once more what an earlier one of the file with its id says.
    ///
    /// - `number`: of the record, from 1.
    pub(super) fn repeat(&self, number: u64, id: String) {
        let mut tally = lock(&self.0.tally);
        tally.documents += 1;
        tally.repeated += 1;
        tally.first_repeated.get_or_insert((number, id));
    }

    /// Notes that a record is refused, since an earlier one has its document's id and says
    /// something else.
    ///
    /// - `number`: of the record, from 0.
    pub(super) fn refuse_for_id(&self, number: u64, document: &str) {
        let same_ids = &mut lock(&self.0.tally).same_ids;
        if same_ids.len() < Reason::MOST_FAILURES {
            same_ids.insert(number, document.to_owned());
        }
    }

    /// Waits until every document that went out is settled; whether none has come back.
    pub(super) fn wait(&self) -> bool {
        let mut tally = lock(&self.0.tally);
        tally.is_awaited = true;
        let tally = self.0.settled.wait_while(tally, |tally| tally.open > 0);
        let tally = tally.unwrap_or_else(PoisonError::into_inner);
        tally.returned + tally.unsent == 0
    }

    /// Says that what failed is the file as a whole.
    pub(super) fn condemn(&self) {
        lock(&self.0.tally).is_condemned = true;
    }

    /// Sends the file back to the inbox, whatever becomes of its documents.
    pub(super) fn give_back(&self) {
        lock(&self.0.tally).goes_back = true;
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        let tally = std::mem::take(self.tally.get_mut().unwrap_or_else(PoisonError::into_inner));
        if tally.known > 0 {
            let (path, known) = (&self.claim.relative, tally.known);
            let own_ids = tally.known_by_own_id;
            meters::add(Meter::DocumentsKnown, self.keeper.name(), known);
            if own_ids > 0 {
                info!(
                    ?path,
                    known,
                    own_ids,
                    "documents that were done before are not processed again; those with an id of \
                     their own whatever they say now: `dedupe: content` reads what changed"
                );
            } else {
                info!(?path, known, "documents that were done before are not processed again");
            }
        }
        if let Some((record, id)) = &tally.first_repeated {
            let (path, repeated) = (&self.claim.relative, tally.repeated);
            meters::add(Meter::DocumentsKnown, self.keeper.name(), repeated);
            info!(
                ?path,
                repeated,
                record,
                ?id,
                "records with the id of an earlier one in their file, which says the same, are not \
                 processed again; the first of them is named"
            );
        }
        if tally.documents == 0 && !tally.goes_back {
            info!(path = ?self.claim.relative, "a file held no document");
        }
        let decided = self.decide(tally);
        self.keeper.conclude(decided);
    }
}

impl PendingFile {
    /// A file with a document that was not decided is taken up again as a whole; its ids stay the
    /// same, so that what is done is not done again.
    fn decide(&self, tally: Tally) -> Decided {
        let claim = self.claim.clone();
        let decide = |fate| Decided { claim, fate, failed: BTreeMap::new() };
        let has_records = || records::can_be_separated(&self.claim.relative_name());
        if tally.goes_back || tally.returned + tally.unsent > 0 {
            let was_taken = self.was_taken.load(Ordering::Relaxed);
            let is_one_of_several = tally.documents > 1 && has_records();
            return decide(match (tally.goes_back, was_taken) {
                // One of several is not to blame for the time that the others take, and none for
                // that of the sinks.
                (false, true) if is_one_of_several || tally.returned == 0 => Fate::Uncounted,
                (false, true) => Fate::InWork,
                _ => self.claim.unread(),
            });
        }
        // Somebody had it open all the time: what he wrote since is not in the documents.
        let now = self.claim.like().ok();
        if let (Some(like), Some(now)) = (self.like, now)
            && !now.has_content_of(&like)
        {
            warn!(path = ?self.claim.relative, "a file was written to after it was read; it is read again");
            return decide(Fate::Returned);
        }
        if tally.failed == 0 {
            return decide(Fate::Done);
        }
        // Records that were tried again are told apart as they were before.
        let opened = self.claim.open();
        let numbers = opened.map(|(file, _)| quarantine::noted_numbers(&file, tally.documents));
        let numbers = numbers.unwrap_or_default();
        // A file of which nothing is done stays as it is, unless its records are all of its bytes.
        let is_all = tally.failed == tally.documents;
        let may_part = || self.keeper.may_part(&self.claim, tally.documents, !numbers.is_empty());
        let is_separate = !tally.is_condemned
            && tally.failures.len() as u64 == tally.failed
            && has_records()
            && (!is_all || may_part());
        if is_separate {
            let mut same_ids = tally.same_ids;
            let failed = tally.failures.into_iter().map(|(number, found)| {
                let mut reason = Reason::new(self.keeper.name(), found);
                let noted = usize::try_from(number).ok().and_then(|index| numbers.get(index));
                reason.record = Some(noted.copied().unwrap_or(number + 1));
                reason.same_id = same_ids.remove(&number);
                reason.failed = 1;
                (number, reason)
            });
            let fate = if is_all && !numbers.is_empty() { Fate::Parted } else { Fate::Done };
            return Decided { failed: failed.collect(), ..decide(fate) };
        }
        let reason = match tally.failures.first() {
            Some((_, only)) if tally.documents == 1 => only.clone(),
            _ => some_failed(tally.failed, tally.documents),
        };
        let mut told = Reason::new(self.keeper.name(), reason);
        told.failed = tally.failed;
        if tally.documents > 1 {
            told.failures = tally.failures.into_iter().map(|(_, found)| found).collect();
        }
        decide(Fate::Quarantined(told))
    }
}

/// What is said of a file some of whose documents failed, or all of them.
fn some_failed(failed: u64, documents: u64) -> String {
    let others = match documents.saturating_sub(failed) {
        0 => return format!("all of its {documents} documents failed"),
        1 => "the other one is",
        _ => "the others are",
    };
    format!("{failed} of its {documents} documents failed; {others} in the sinks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_failed_is_told_with_whoever_did_not() {
        let cases = [
            (2, 2, "all of its 2 documents failed"),
            (1, 2, "1 of its 2 documents failed; the other one is in the sinks"),
            (2, 5, "2 of its 5 documents failed; the others are in the sinks"),
        ];
        for (failed, documents, expected) in cases {
            assert_eq!(some_failed(failed, documents), expected);
        }
    }
}
