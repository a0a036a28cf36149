//! Acts on the outcomes of claimed files, on a thread of its own.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use standpoint_engine::{Outcome, Pause, Receipt};
use tracing::{info, warn};

use super::below::Like;
use super::claim::Claim;
use super::claims::{Claims, Fate};
use crate::failpoint;
use crate::formats::Compression;
use crate::ledger::ids::Id;
use crate::ledger::memory::Memory;
use crate::limits::ReadLimits;
use crate::meters::{self, Meter};
use crate::quarantine::Reason;
use crate::records;

/// How long to wait before what failed, as on a full disk, is tried again: at first, and at most.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(10)];

/// How long moves may wait to be synced together.
const SYNC_EVERY: Duration = Duration::from_millis(100);

/// How many documents of long files may be done before the ledger is told.
const AT_ONCE: usize = 256;

/// How many files may wait to be moved before no more are claimed. What is refused when it is read,
/// as an empty file is, is decided at once and takes no room in the pipeline.
const MOST_UNMOVED: usize = 512;

/// How many done documents may wait for the ledger's disk before no more are read.
const MOST_UNSAVED: usize = 1 << 14;

/// Moves files to where their outcomes send them.
#[derive(Debug)]
pub(super) struct Keeper {
    /// The source's.
    name: String,
    claims: Arc<Claims>,
    pause: Pause,
    limits: ReadLimits,
    /// What was had, if documents are to be recognised when they come again.
    seen: Option<Mutex<Memory>>,
    state: Mutex<State>,
    /// Told to whoever moves files, when there is something to do.
    changed: Condvar,
    /// Told when something is no longer under way, or nothing is left to be noted.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Decided, and not moved yet.
    decided: VecDeque<Decided>,
    /// How many are decided and not moved, those among them that are being moved.
    unmoved: usize,
    /// How many of these are to be read again.
    coming_back: usize,
    /// Documents that are done, and not in the ledger yet.
    had: Vec<Id>,
    /// What is recognised by its content, and not decided. No more than documents in work.
    under_way: HashSet<Id>,
    /// Files whose documents are on their way.
    pending: usize,
    finishing: bool,
    /// Somebody waits until no more than so many files are on their way, and what has become of all others
    /// is on the disk.
    awaited: Option<usize>,
    /// Whether [`Keeper::run`] waits. To wake it costs more than to note what has become of a file.
    is_idle: bool,
}

impl State {
    /// Whether somebody waits for nothing but the disk.
    fn is_asked(&self) -> bool {
        self.awaited.is_some_and(|files| self.pending <= files)
    }
}

/// A file whose fate is known.
#[derive(Debug)]
struct Decided {
    claim: Claim,
    fate: Fate,
    /// Its records that failed, by their numbers: each goes into quarantine by itself.
    failed: BTreeMap<u64, Reason>,
}

impl Decided {
    const fn comes_back(&self) -> bool {
        matches!(self.fate, Fate::Returned | Fate::Uncounted)
    }
}

impl Keeper {
    pub(super) fn new(
        name: &str,
        claims: Arc<Claims>,
        limits: ReadLimits,
        seen: Option<Memory>,
        pause: Pause,
    ) -> Self {
        let (name, seen) = (name.to_owned(), seen.map(Mutex::new));
        let (changed, ended) = (Condvar::new(), Condvar::new());
        Self { name, claims, pause, limits, seen, state: Mutex::default(), changed, ended }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Hands a file over whose fate is known.
    pub(super) fn settle(&self, claim: Claim, fate: Fate) {
        meters::count(Meter::FilesTaken, &self.name);
        self.decide(self.lock(), Decided { claim, fate, failed: BTreeMap::new() });
    }

    /// Has a file moved to where its fate sends it.
    fn decide(&self, mut state: MutexGuard<'_, State>, decided: Decided) {
        state.unmoved += 1;
        state.coming_back += usize::from(decided.comes_back());
        state.decided.push_back(decided);
        self.wake(state);
    }

    /// Wakes whoever moves files.
    fn wake(&self, state: MutexGuard<'_, State>) {
        let is_idle = state.is_idle;
        drop(state);
        if is_idle {
            self.changed.notify_one();
        }
    }

    /// Whether a document that is recognised by `id` is under way.
    pub(super) fn is_under_way(&self, id: &Id) -> bool {
        self.lock().under_way.contains(id)
    }

    /// Waits until no other document that is recognised by `id` is under way, so that whether it is
    /// done is known.
    pub(super) fn begin(&self, id: Id) {
        let state = self.lock();
        let mut state = self
            .ended
            .wait_while(state, |state| state.under_way.contains(&id))
            .unwrap_or_else(PoisonError::into_inner);
        state.under_way.insert(id);
    }

    /// Lets others that are recognised by `id` go on.
    pub(super) fn end(&self, id: &Id) {
        if self.lock().under_way.remove(id) {
            self.ended.notify_all();
        }
    }

    /// Whether a document was done before.
    pub(super) fn has_seen(&self, id: &Id) -> bool {
        self.seen.as_ref().is_some_and(|seen| lock(seen).contains(id))
    }

    /// Whether so many files wait to be moved that no more should be claimed.
    pub(super) fn has_much_to_move(&self) -> bool {
        self.lock().unmoved >= MOST_UNMOVED
    }

    /// Whether a file that is to be read again is on its way.
    pub(super) fn brings_back(&self) -> bool {
        self.lock().coming_back > 0
    }

    /// Whether so much waits for a full disk that no more should be read.
    pub(super) fn is_behind(&self) -> bool {
        self.lock().had.len() > MOST_UNSAVED
    }

    /// Follows a file whose documents go out now; its fate is decided when the value and all its
    /// receipts are gone.
    ///
    /// - `like`: what the file was like when it was opened.
    pub(super) fn pend(
        self: &Arc<Self>,
        source: &str,
        claim: Claim,
        like: Option<Like>,
    ) -> Pending {
        meters::count(Meter::FilesTaken, &self.name);
        self.lock().pending += 1;
        Pending(Arc::new(PendingFile {
            keeper: Arc::clone(self),
            source: source.to_owned(),
            claim,
            like,
            tally: Mutex::default(),
            settled: Condvar::new(),
            was_taken: AtomicBool::new(false),
        }))
    }

    /// Waits until no more than so many files are on their way, and what has become of all others is on
    /// the disk, or cannot be put there: should the process end later, that says nothing against them.
    pub(super) fn wait_for_all_but(&self, files: usize) {
        let mut state = self.lock();
        state.awaited = Some(files);
        if state.is_idle {
            self.changed.notify_one();
        }
        drop(self.ended.wait_while(state, |state| state.awaited.is_some()));
    }

    /// Lets [`Keeper::run`] end once nothing is pending.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        state.finishing = true;
        self.wake(state);
    }

    /// Moves files until [`Keeper::finish`] is called and all are moved; an error says which cannot be.
    pub(super) fn run(&self) -> Result<(), String> {
        let mut failed: VecDeque<Decided> = VecDeque::new();
        let mut pause = RETRY_AFTER[0];
        let mut synced = Instant::now();
        loop {
            let retries = !failed.is_empty() || !self.lock().had.is_empty();
            let until = if self.claims.is_synced() { None } else { Some(SYNC_EVERY) };
            let until =
                if retries { Some(until.map_or(pause, |until| until.min(pause))) } else { until };
            let (decided, had, is_last) = self.next(until);
            let mut trouble = self.remember(had).err();
            failed.extend(decided);
            let coming =
                |files: &VecDeque<Decided>| files.iter().filter(|file| file.comes_back()).count();
            let (to_move, to_come) = (failed.len(), coming(&failed));
            for file in std::mem::take(&mut failed) {
                match self.act(&file) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        warn!(path = ?file.claim.relative, "a claimed file is gone");
                        meters::count(Meter::FilesGone, &self.name);
                    }
                    Err(error) => {
                        let path = &file.claim.relative;
                        warn!(?path, error = %error, ?pause, "cannot move a file, will retry");
                        trouble = Some(format!("cannot move a file: {error}"));
                        failed.push_back(file);
                    }
                }
            }
            let mut state = self.lock();
            state.unmoved -= to_move - failed.len();
            state.coming_back -= to_come - coming(&failed);
            let is_well = trouble.is_none();
            if !is_well || state.is_asked() && state.decided.is_empty() && state.had.is_empty() {
                state.awaited = None;
                self.ended.notify_all();
            }
            drop(state);
            self.pause.set("keeper", trouble.clone());
            // A move that is lost when the power goes is made again, so there is no hurry.
            if is_last || synced.elapsed() >= SYNC_EVERY {
                self.claims.sync();
                synced = Instant::now();
                failpoint::reached("moves synced");
            }
            pause = if is_well { RETRY_AFTER[0] } else { (2 * pause).min(RETRY_AFTER[1]) };
            if is_last {
                return trouble.map_or(Ok(()), |trouble| Err(self.leave(&failed, trouble)));
            }
        }
    }

    /// Leaves files claimed whose moves failed, for the next start; says so.
    fn leave(&self, files: &VecDeque<Decided>, trouble: String) -> String {
        if files.is_empty() {
            return trouble;
        }
        for file in files {
            // A full disk says nothing against what is to go there.
            if let Err(error) = self.claims.settle(&file.claim, Fate::Uncounted) {
                warn!(path = ?file.claim.relative, error = %error, "an attempt stays counted");
            }
        }
        let files = files.len();
        warn!(files, "files stay claimed and are taken up at the next start");
        format!("{trouble} ({files} of its files are taken up at the next start)")
    }

    /// Tells the ledger which documents are done; what it does not take is kept for the next time.
    fn remember(&self, had: Vec<Id>) -> Result<(), String> {
        let Some(seen) = &self.seen else { return Ok(()) };
        if had.is_empty() {
            return Ok(());
        }
        if let Err(error) = lock(seen).add(&had, None) {
            warn!(error = %error, "cannot write the ledger, will retry");
            // The memory knows them already; that it is told again does no harm.
            self.lock().had.extend(had);
            return Err(format!("cannot write the ledger: {error}"));
        }
        failpoint::reached("done noted");
        let mut state = self.lock();
        if !state.under_way.is_empty() {
            for id in &had {
                state.under_way.remove(id);
            }
            drop(state);
            self.ended.notify_all();
        }
        Ok(())
    }

    fn act(&self, file: &Decided) -> io::Result<()> {
        let Decided { claim, fate, failed } = file;
        if !failed.is_empty() {
            let name = claim.relative_name();
            let wanted = failed.keys().copied().collect();
            records::separate(
                claim.open()?.0,
                &name,
                &self.limits,
                &wanted,
                &mut |number, bytes| {
                    let Some(reason) = failed.get(&number) else { return Ok(()) };
                    self.quarantine(claim, number, bytes, reason)
                },
            )?;
        }
        self.claims.settle(claim, fate.clone())?;
        // Those stay where they are, and so are nothing that a move would count.
        if matches!(fate, Fate::InWork | Fate::Uncounted) {
            meters::count(Meter::FilesReturned, &self.name);
        }
        Ok(())
    }

    fn quarantine(
        &self,
        claim: &Claim,
        number: u64,
        bytes: &mut dyn Read,
        reason: &Reason,
    ) -> io::Result<()> {
        // A name says how its bytes are to be read, and they are not compressed any more.
        let name = claim.relative.file_name().unwrap_or_default().to_string_lossy();
        let (plain, _) = Compression::of_name(&name);
        let (stem, ending) = plain.rsplit_once('.').unwrap_or((plain, ""));
        let name = format!("{stem}.record-{}.{ending}", number + 1);
        self.claims.quarantine_record(claim, &name, bytes, reason.clone())
    }

    /// Waits for something to do; says whether it is the last. With `retry` it waits no longer.
    fn next(&self, retry: Option<Duration>) -> (VecDeque<Decided>, Vec<Id>, bool) {
        let mut state = self.lock();
        let nothing = |state: &mut State| {
            let is_last = state.finishing && state.pending == 0;
            let is_asked = state.had.last().is_some_and(|id| state.under_way.contains(id));
            let had_enough = retry.is_none() && (is_asked || state.had.len() >= AT_ONCE);
            state.decided.is_empty() && !had_enough && !is_last && !state.is_asked()
        };
        state.is_idle = true;
        state = if let Some(pause) = retry {
            let waited = self.changed.wait_timeout_while(state, pause, nothing);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            self.changed.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner)
        };
        state.is_idle = false;
        let is_last = state.finishing && state.pending == 0;
        (std::mem::take(&mut state.decided), std::mem::take(&mut state.had), is_last)
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
    /// The first of the failures, each with the number of its record.
    failures: Vec<(u64, String)>,
    /// Whether what failed is the file and not a record.
    is_condemned: bool,
    goes_back: bool,
    /// Whether somebody waits for the last one to be settled.
    is_awaited: bool,
}

impl Pending {
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

    /// Waits until every document that went out is settled.
    pub(super) fn wait(&self) {
        let mut tally = lock(&self.0.tally);
        tally.is_awaited = true;
        drop(self.0.settled.wait_while(tally, |tally| tally.open > 0));
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

impl Keeper {
    fn note(&self, id: Id) {
        if self.seen.is_none() {
            return;
        }
        let mut state = self.lock();
        state.had.push(id);
        // Somebody may wait to know.
        if state.had.len() >= AT_ONCE || state.under_way.contains(&id) {
            self.wake(state);
        }
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        let tally = std::mem::take(self.tally.get_mut().unwrap_or_else(PoisonError::into_inner));
        if tally.known > 0 {
            let (path, known) = (&self.claim.relative, tally.known);
            let own_ids = tally.known_by_own_id;
            meters::add(Meter::DocumentsKnown, &self.keeper.name, known);
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
        let decided = self.decide(tally);
        let mut state = self.keeper.lock();
        state.pending -= 1;
        self.keeper.decide(state, decided);
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
                // One of several is not to blame for the time that the others take, and none for that of
                // the sinks.
                (false, true) if is_one_of_several || tally.returned == 0 => Fate::Uncounted,
                (false, true) => Fate::InWork,
                // What was tried before keeps its count.
                _ if self.claim.attempt > 1 => Fate::Uncounted,
                _ => Fate::Returned,
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
        let is_separate = !tally.is_condemned
            && tally.failed < tally.documents
            && tally.failures.len() as u64 == tally.failed
            && has_records();
        if is_separate {
            let failed = tally.failures.into_iter().map(|(number, found)| {
                let mut reason = Reason::new(&self.source, found);
                reason.record = Some(number + 1);
                (number, reason)
            });
            return Decided { failed: failed.collect(), ..decide(Fate::Done) };
        }
        let reason = match tally.failures.first() {
            Some((_, only)) if tally.documents == 1 => only.clone(),
            _ => some_failed(tally.failed, tally.documents),
        };
        let mut told = Reason::new(&self.source, reason);
        told.failed = tally.failed;
        if tally.documents > 1 {
            told.failures = tally.failures.into_iter().map(|(_, found)| found).collect();
        }
        decide(Fate::Quarantined(told))
    }
}

/// Locks; nothing that can panic runs under these locks, so a poisoned value is still whole.
/// What is said of a file some of whose documents failed, or all of them.
fn some_failed(failed: u64, documents: u64) -> String {
    let others = match documents.saturating_sub(failed) {
        0 => return format!("all of its {documents} documents failed"),
        1 => "the other one is",
        _ => "the others are",
    };
    format!("{failed} of its {documents} documents failed; {others} in the sinks")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
