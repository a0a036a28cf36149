//! What takes the system a while to tell: measured beside, and only for who asks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use standpoint_connectors::inbox::{self, Waiting};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// What takes the system a while to tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    pub(super) process: Process,
    pub(super) ledger_bytes: u64,
    /// Of each inbox, how many files wait in it, and for how long the oldest.
    pub(super) waiting: BTreeMap<String, u64>,
    pub(super) oldest_waiting_seconds: BTreeMap<String, u64>,
    /// When, and how long it took; `None` before the first time.
    taken: Option<(Instant, Duration)>,
}

/// Measures when somebody asks, on a thread that may block, once at a time and not too often: who
/// asks a thousand times a second costs no more than who asks once.
#[derive(Debug)]
pub(super) struct Measures {
    /// The ledger's folder.
    ledger: PathBuf,
    last: watch::Sender<Measured>,
    is_measuring: AtomicBool,
}

/// How long what was measured is good for.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// How many times as long as the measuring took, at least: it takes at most so small a part of a
/// core.
const GOOD_FOR_TIMES: u32 = 20;

/// How long an answer waits for what is being measured; then it has what was measured before.
const MEASURING_PATIENCE: Duration = Duration::from_millis(250);

impl Measures {
    pub(super) fn of(ledger: PathBuf) -> Self {
        Self { ledger, last: watch::Sender::default(), is_measuring: AtomicBool::new(false) }
    }

    pub(super) fn last(&self) -> Measured {
        self.last.borrow().clone()
    }

    pub(super) async fn refresh(self: Arc<Self>) {
        let mut last = self.last.subscribe();
        if last.borrow_and_update().is_good() {
            return;
        }
        if self.is_due() {
            let measures = Arc::clone(&self);
            spawn_blocking(move || measures.measure());
        }
        let _ = timeout(MEASURING_PATIENCE, last.changed()).await;
    }

    /// Whether the caller is to measure now: it is time, and nobody else does.
    pub(super) fn is_due(&self) -> bool {
        !self.last.borrow().is_good() && !self.is_measuring.swap(true, Ordering::AcqRel)
    }

    pub(super) fn measure(&self) {
        let start = Instant::now();
        let process = Process::own();
        let ledger_bytes = size_of_folder(&self.ledger);
        let inboxes = inbox::waiting();
        let waiting = inboxes.iter().map(|(name, waiting)| (name.clone(), waiting.files)).collect();
        let seconds = |(name, waiting): (String, Waiting)| (name, waiting.oldest.as_secs());
        let oldest_waiting_seconds = inboxes.into_iter().map(seconds).collect();
        let taken = Some((start, start.elapsed()));
        self.last.send_replace(Measured {
            process,
            ledger_bytes,
            waiting,
            oldest_waiting_seconds,
            taken,
        });
        self.is_measuring.store(false, Ordering::Release);
    }
}

impl Measured {
    fn is_good(&self) -> bool {
        let good_for = |took: Duration| GOOD_FOR.max(took * GOOD_FOR_TIMES);
        self.taken.is_some_and(|(at, took)| at.elapsed() < good_for(took))
    }
}

/// The bytes of the files in a folder and in those in it.
fn size_of_folder(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_of_folder(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// What the process takes of the machine, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Memory that it has now.
    pub(crate) resident_bytes: u64,
    pub(crate) open_files: u64,
    pub(crate) threads: u64,
}

impl Process {
    pub(super) fn own() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let open_files = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
        Self {
            resident_bytes: number("VmRSS:").unwrap_or_default() * 1024,
            // The look itself opens one.
            open_files: open_files.saturating_sub(1),
            threads: number("Threads:").unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_often_has_it_measured_once() {
        let folder = tempfile::tempdir().unwrap();
        let measures = Arc::new(Measures::of(folder.path().to_owned()));
        std::fs::write(folder.path().join("a"), "four").unwrap();
        let asked: Vec<_> =
            (0..100).map(|_| tokio::spawn(Arc::clone(&measures).refresh())).collect();
        for one in asked {
            one.await.unwrap();
        }
        let first = measures.last();
        assert_eq!(first.ledger_bytes, 4);
        Arc::clone(&measures).refresh().await;
        assert_eq!(measures.last().taken, first.taken, "measured again within a second");
    }
}
