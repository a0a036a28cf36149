//! Acts on the outcomes of claimed files, on a thread of its own.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use standpoint_engine::Pause;
use tracing::warn;

use super::claim::Claim;
use super::claims::{Claims, Fate};
use super::lock;
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
    /// Why one of them could not be moved when that was tried last.
    stuck: Option<io::Error>,
    /// Documents that are done, and not in the ledger yet.
    had: Vec<Id>,
    /// What is recognised by its content, and not decided. No more than documents in work.
    under_way: HashSet<Id>,
    /// Files whose documents are on their way.
    pending: usize,
    finishing: bool,
    /// Somebody waits until no more than so many files are on their way, and what has become of all
    /// others is on the disk.
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
pub(super) struct Decided {
    pub(super) claim: Claim,
    pub(super) fate: Fate,
    /// Its records that failed, by their numbers: each goes into quarantine by itself.
    pub(super) failed: BTreeMap<u64, Reason>,
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

    /// The source's name.
    pub(super) fn name(&self) -> &str {
        &self.name
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

    /// Notes that a document is done.
    pub(super) fn note(&self, id: Id) {
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

    /// Whether the records of a claimed file, of which all failed, can stand in quarantine in its
    /// place.
    ///
    /// - `are_numbered`: whether each is known by a number of its own.
    pub(super) fn may_part(&self, claim: &Claim, records: u64, are_numbered: bool) -> bool {
        let (name, open) = (claim.relative_name(), || Ok(claim.open()?.0));
        are_numbered
            && (records::are_its_bytes(open, &name, &self.limits).unwrap_or(false)
                || records::are_all_of(open, &name, &self.limits, records).unwrap_or(false))
    }

    /// Whether so many files wait to be moved that no more should be claimed.
    pub(super) fn has_much_to_move(&self) -> bool {
        self.lock().unmoved >= MOST_UNMOVED
    }

    /// Whether a file that is to be read again is on its way.
    pub(super) fn brings_back(&self) -> bool {
        self.lock().coming_back > 0
    }

    /// Has all moved that is decided by now.
    ///
    /// # Errors
    ///
    /// Why a file that is to be read again could not be.
    pub(super) fn bring_back(&self) -> io::Result<()> {
        self.wait_for_all_but(usize::MAX);
        self.lock().stuck.take().map_or(Ok(()), Err)
    }

    /// Whether so much waits for a full disk that no more should be read.
    pub(super) fn is_behind(&self) -> bool {
        self.lock().had.len() > MOST_UNSAVED
    }

    /// Expects word of a file whose documents go out now.
    pub(super) fn expect(&self) {
        meters::count(Meter::FilesTaken, &self.name);
        self.lock().pending += 1;
    }

    /// Hands such a file over once its fate is known.
    pub(super) fn conclude(&self, decided: Decided) {
        let mut state = self.lock();
        state.pending -= 1;
        self.decide(state, decided);
    }

    /// Waits until no more than so many files are on their way, and what has become of all others
    /// is on the disk, or cannot be put there: should the process end later, that says nothing
    /// against them.
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

    /// Moves files until [`Keeper::finish`] is called and all are moved; an error says which cannot
    /// be.
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
            let mut stuck = None;
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
                        if file.comes_back() {
                            stuck = Some(error);
                        }
                        failed.push_back(file);
                    }
                }
            }
            let mut state = self.lock();
            state.unmoved -= to_move - failed.len();
            state.coming_back -= to_come - coming(&failed);
            state.stuck = stuck;
            let is_well = trouble.is_none();
            if state.is_asked() && (!is_well || state.decided.is_empty() && state.had.is_empty()) {
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
                    self.quarantine(claim, reason.record.unwrap_or(number + 1), bytes, reason)
                },
            )?;
        }
        self.claims.settle(claim, fate.clone())
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
        let name = format!("{stem}.record-{number}.{ending}");
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
