//! Which documents were had, and how far an output is good.
//!
//! A folder holds one log, to which ids are appended, and runs: when the log has
//! [`RUN_IDS`] ids, they are sealed as a run and a new log begins. The oldest
//! runs go when there are more ids than the window allows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::warn;

use super::LedgerError;
use super::ids::{Id, RUN_IDS, Run};
use super::latest::Latest;
use super::log::{self, Log};
use crate::failpoint;
use crate::meters::{self, Meter};

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many ids, at least; up to [`RUN_IDS`] more may be.
    pub max_ids: u64,
    /// How long, at least; `None` is for ever.
    pub max_age: Option<Duration>,
}

impl Default for Window {
    /// Two million ids, whatever their age: 32 MB on the disk and 3 MB of memory.
    fn default() -> Self {
        Self { max_ids: 1 << 21, max_age: None }
    }
}

/// Where an output ended when it was good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The file system of the output.
    pub device: u64,
    /// The file in it.
    pub inode: u64,
    /// The length of the output in bytes.
    pub end: u64,
}

/// Remembers ids, on the disk or for as long as the process lives.
#[derive(Debug)]
pub struct Memory {
    /// `None` where nothing is kept on the disk.
    disk: Option<Disk>,
    /// The latest ids.
    latest: Latest,
    /// Those before them, where there is no disk to hold them.
    earlier: Latest,
    position: Option<Position>,
    /// What the disk has not taken.
    unsaved: Vec<Id>,
    is_unsaved: bool,
}

#[derive(Debug)]
struct Disk {
    folder: PathBuf,
    window: Window,
    number: u64,
    log: Log,
    /// The oldest first.
    runs: Vec<(u64, Run)>,
}

/// How many ids are remembered at least without a disk.
pub const WITHOUT_DISK: usize = 1 << 17;

/// The kinds of records in a log: ids; ids with the position behind them; an id to forget.
pub(super) const IDS: u8 = 1;
pub(super) const IDS_AND_POSITION: u8 = 2;
pub(super) const FORGOTTEN: u8 = 3;

impl Memory {
    /// Remembers the last [`WITHOUT_DISK`] ids, as long as the process lives.
    #[must_use]
    pub fn without_disk() -> Self {
        Self {
            disk: None,
            latest: Latest::default(),
            earlier: Latest::default(),
            position: None,
            unsaved: Vec::new(),
            is_unsaved: false,
        }
    }

    /// Opens what is remembered in `folder`, making it if needed. What is damaged is set aside.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it is newer than this program or cannot be read.
    pub fn open(folder: &Path, window: Window) -> Result<Self, LedgerError> {
        let fail = |source| LedgerError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(fail)?;
        let (logs, runs) = numbered_files(folder).map_err(fail)?;
        let mut opened = Vec::new();
        for number in runs {
            let path = folder.join(run_name(number));
            if let Some(run) = Run::open(&path)? {
                opened.push((number, run));
            } else {
                let aside = log::set_aside(&path).map_err(fail)?;
                warn!(aside = %aside.display(), "set a damaged part of the ledger aside");
            }
        }
        let number = logs
            .last()
            .copied()
            .unwrap_or_else(|| opened.last().map_or(1, |(number, _)| number.saturating_add(1)));
        for old in logs.iter().filter(|old| **old < number) {
            // Sealed; only its removal was missed.
            fs::remove_file(folder.join(log_name(*old))).map_err(fail)?;
        }
        let (mut latest, mut position) = (Latest::default(), None);
        // Sealed, but its log was not begun anew: the log has it all.
        opened.retain(|(sealed, _)| *sealed != number);
        let log = Log::open(&folder.join(log_name(number)), |payload| {
            apply(payload, &mut latest, &mut position);
        })?;
        if log.cut() > 0 {
            meters::count(Meter::TornTails, &folder.to_string_lossy());
        }
        let disk = Disk { folder: folder.to_owned(), window, number, log, runs: opened };
        let mut memory = Self { disk: Some(disk), latest, position, ..Self::without_disk() };
        memory.seal_if_full().map_err(fail)?;
        Ok(memory)
    }

    /// Whether an id is remembered.
    #[must_use]
    pub fn contains(&self, id: &Id) -> bool {
        self.latest.contains(id)
            || self.earlier.contains(id)
            || self
                .disk
                .as_ref()
                .is_some_and(|disk| disk.runs.iter().rev().any(|(_, run)| run.contains(id)))
    }

    /// Where the output ended when ids were last added.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// How many ids are remembered.
    #[must_use]
    pub fn count(&self) -> u64 {
        let sealed = self.disk.iter().flat_map(|disk| &disk.runs).map(|(_, run)| run.count());
        (sealed.sum::<usize>() + self.latest.len() + self.earlier.len()) as u64
    }

    /// Remembers ids, and the position behind them. What the disk does not take is remembered all
    /// the same; [`Memory::save`] tries again.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn add(&mut self, ids: &[Id], position: Option<Position>) -> io::Result<()> {
        self.latest.add(ids);
        self.position = position.or(self.position);
        if self.disk.is_some() {
            self.unsaved.extend(ids);
            self.is_unsaved = true;
            return self.save();
        }
        if self.latest.len() >= WITHOUT_DISK {
            self.earlier = std::mem::take(&mut self.latest);
        }
        Ok(())
    }

    /// Writes what the disk has not taken.
    ///
    /// # Errors
    ///
    /// What the system says, as on a full disk.
    pub fn save(&mut self) -> io::Result<()> {
        let Some(disk) = self.disk.as_mut().filter(|_| self.is_unsaved) else { return Ok(()) };
        // Within the longest record; the position belongs behind the last.
        let most = (log::MOST_BYTES - 25) / size_of::<Id>();
        while self.unsaved.len() > most {
            let part: Vec<Id> = self.unsaved[..most].to_vec();
            disk.log.append(&record(&part, None))?;
            self.unsaved.drain(..most);
        }
        disk.log.append(&record(&self.unsaved, self.position))?;
        self.unsaved.clear();
        self.is_unsaved = false;
        failpoint::reached("ledger appended");
        self.seal_if_full()
    }

    /// Forgets an id, as if it had never been.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn forget(&mut self, id: &Id) -> io::Result<bool> {
        let mut was_known = self.latest.remove(id) | self.earlier.remove(id);
        let Some(disk) = &mut self.disk else { return Ok(was_known) };
        if was_known {
            disk.log.append(&[[FORGOTTEN].as_slice(), id].concat())?;
        }
        for (_, run) in disk.runs.iter_mut().filter(|(_, run)| run.contains(id)) {
            let rest: Vec<Id> = run.ids()?.into_iter().filter(|other| other != id).collect();
            *run = Run::write(run.path(), &rest)?;
            was_known = true;
        }
        Ok(was_known)
    }

    /// Seals the log as a run when it is full, and drops runs beyond the window.
    fn seal_if_full(&mut self) -> io::Result<()> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        if self.latest.len() >= RUN_IDS {
            let path = disk.folder.join(run_name(disk.number));
            let run = Run::write(&path, self.latest.sorted())?;
            failpoint::reached("ledger sealed");
            let next = disk.number.saturating_add(1);
            let first = record(&[], self.position);
            let log = Log::create(&disk.folder.join(log_name(next)), &[&first])?;
            failpoint::reached("ledger begun anew");
            let old = std::mem::replace(&mut disk.log, log);
            disk.runs.push((disk.number, run));
            disk.number = next;
            self.latest.clear();
            fs::remove_file(old.path())?;
        }
        disk.prune()
    }
}

impl Disk {
    fn prune(&mut self) -> io::Result<()> {
        let mut total: u64 = self.runs.iter().map(|(_, run)| run.count() as u64).sum();
        let now = SystemTime::now();
        while let Some((_, oldest)) = self.runs.first() {
            let count = oldest.count() as u64;
            // A run that is younger than now by a clock that went back is kept.
            let age = now.duration_since(oldest.made()).unwrap_or_default();
            let is_old = self.window.max_age.is_some_and(|most| age > most);
            if !is_old && total.saturating_sub(count) < self.window.max_ids {
                break;
            }
            match fs::remove_file(oldest.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            self.runs.remove(0);
            total -= count;
        }
        Ok(())
    }
}

/// A record with ids and, if there is one, the position behind them.
fn record(ids: &[Id], position: Option<Position>) -> Vec<u8> {
    let mut payload = vec![if position.is_some() { IDS_AND_POSITION } else { IDS }];
    if let Some(Position { device, inode, end }) = position {
        payload.extend([device, inode, end].map(u64::to_le_bytes).as_flattened());
    }
    payload.extend(ids.as_flattened());
    payload
}

/// What a record says: its kind, its ids and its position. `None` for one that says nothing that
/// this program knows.
pub(super) fn read(payload: &[u8]) -> Option<(u8, Vec<Id>, Option<Position>)> {
    let (&kind, mut rest) = payload.split_first()?;
    let mut position = None;
    if kind == IDS_AND_POSITION {
        let (numbers, ids) = rest.split_at_checked(24)?;
        let mut numbers = numbers.chunks_exact(8).map(|eight| {
            let mut number = [0; 8];
            number.copy_from_slice(eight);
            u64::from_le_bytes(number)
        });
        let mut next = || numbers.next().unwrap_or_default();
        position = Some(Position { device: next(), inode: next(), end: next() });
        rest = ids;
    }
    let (ids, []) = rest.as_chunks::<16>() else { return None };
    matches!(kind, IDS | IDS_AND_POSITION | FORGOTTEN).then(|| (kind, ids.to_vec(), position))
}

fn apply(payload: &[u8], latest: &mut Latest, position: &mut Option<Position>) {
    let Some((kind, ids, behind)) = read(payload) else { return };
    if kind == FORGOTTEN {
        for id in &ids {
            latest.remove(id);
        }
    } else {
        latest.add(&ids);
    }
    *position = behind.or(*position);
}

fn log_name(number: u64) -> String {
    format!("{number:08}.log")
}

fn run_name(number: u64) -> String {
    format!("{number:08}.run")
}

/// The numbers of the logs and of the runs in a folder, sorted.
pub(super) fn numbered_files(folder: &Path) -> io::Result<(Vec<u64>, Vec<u64>)> {
    let (mut logs, mut runs) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        match (path.extension().and_then(|ending| ending.to_str()), number) {
            (Some("log"), Some(number)) => logs.push(number),
            (Some("run"), Some(number)) => runs.push(number),
            _ => {}
        }
    }
    logs.sort_unstable();
    runs.sort_unstable();
    Ok((logs, runs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::ids::id_of;

    fn ids(range: std::ops::Range<u32>) -> Vec<Id> {
        range.map(|number| id_of(&number.to_string())).collect()
    }

    fn window(max_ids: u64) -> Window {
        Window { max_ids, max_age: None }
    }

    #[test]
    fn what_was_added_is_known_after_a_restart_across_runs() {
        let folder = tempfile::tempdir().unwrap();
        let all = ids(0..200_000);
        let mut memory = Memory::open(folder.path(), window(1 << 20)).unwrap();
        for (index, part) in all.chunks(999).enumerate() {
            let position = Position { device: 1, inode: 2, end: index as u64 };
            memory.add(part, Some(position)).unwrap();
        }
        for memory in [memory, Memory::open(folder.path(), window(1 << 20)).unwrap()] {
            assert_eq!(memory.position().unwrap().end, 200);
            assert_eq!(memory.count(), 200_000);
            assert!(all.iter().all(|id| memory.contains(id)));
            assert!(!ids(200_000..210_000).iter().any(|id| memory.contains(id)));
        }
    }

    #[test]
    fn only_the_oldest_go_when_the_window_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::open(folder.path(), window(100_000)).unwrap();
        for part in ids(0..400_000).chunks(1000) {
            memory.add(part, None).unwrap();
        }
        assert!(ids(300_000..400_000).iter().all(|id| memory.contains(id)));
        assert!(!ids(0..100_000).iter().any(|id| memory.contains(id)));
        assert!(memory.count() < 100_000 + 2 * RUN_IDS as u64, "{}", memory.count());
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert!(files <= 4, "{files} files");
    }

    #[test]
    fn without_a_disk_at_least_the_last_ones_are_known() {
        let mut memory = Memory::without_disk();
        for part in ids(0..400_000).chunks(1000) {
            memory.add(part, None).unwrap();
        }
        let last = 400_000 - WITHOUT_DISK as u32;
        assert!(ids(last..400_000).iter().all(|id| memory.contains(id)));
        assert!(memory.count() <= 2 * WITHOUT_DISK as u64);
    }

    #[test]
    fn a_forgotten_id_is_unknown_in_the_log_and_in_runs() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::open(folder.path(), window(1 << 20)).unwrap();
        memory.add(&ids(0..70_000), None).unwrap();
        memory.add(&ids(70_000..70_010), None).unwrap();
        for number in [5, 70_005] {
            let id = ids(number..number + 1)[0];
            assert!(memory.forget(&id).unwrap());
            assert!(!memory.forget(&id).unwrap());
        }
        let memory = Memory::open(folder.path(), window(1 << 20)).unwrap();
        let known = |number: u32| memory.contains(&ids(number..number + 1)[0]);
        assert!(!known(5) && !known(70_005) && known(6) && known(70_006));
    }

    #[test]
    fn a_crash_while_sealing_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let position = Some(Position { device: 1, inode: 2, end: 77 });
        let mut memory = Memory::open(folder.path(), window(1 << 20)).unwrap();
        memory.add(&ids(0..RUN_IDS as u32 - 1), position).unwrap();
        let before = fs::read(at("00000001.log")).unwrap();
        memory.add(&ids(0..RUN_IDS as u32), position).unwrap();
        drop(memory);
        assert!(at("00000001.run").exists() && !at("00000001.log").exists());
        // As it was before the new log, and before the old one was removed.
        for with_new in [false, true] {
            fs::write(at("00000001.log"), &before).unwrap();
            if !with_new {
                fs::remove_file(at("00000002.log")).unwrap();
            }
            let memory = Memory::open(folder.path(), window(1 << 20)).unwrap();
            assert_eq!(memory.position(), position, "with the new log: {with_new}");
            assert!(ids(0..RUN_IDS as u32 - 1).iter().all(|id| memory.contains(id)));
            drop(memory);
            let _ = Log::create(&at("00000002.log"), &[&record(&[], position)]).unwrap();
        }
    }

    /// A run that counted twice could not be forgotten twice.
    #[test]
    fn a_run_whose_log_was_not_begun_anew_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut memory = Memory::open(folder.path(), window(1 << 20)).unwrap();
        memory.add(&ids(0..RUN_IDS as u32 - 1), None).unwrap();
        let before = fs::read(at("00000001.log")).unwrap();
        memory.add(&ids(0..RUN_IDS as u32), None).unwrap();
        drop(memory);
        fs::write(at("00000001.log"), &before).unwrap();
        fs::remove_file(at("00000002.log")).unwrap();

        let mut memory = Memory::open(folder.path(), window(1)).unwrap();
        assert_eq!(memory.count(), RUN_IDS as u64 - 1);
        for first in [RUN_IDS as u32, 2 * RUN_IDS as u32] {
            memory.add(&ids(first..first + RUN_IDS as u32), None).unwrap();
        }
        assert!(memory.count() <= RUN_IDS as u64, "{}", memory.count());
    }
}
