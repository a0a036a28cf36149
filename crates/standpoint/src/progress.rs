//! A progress bar on standard error, where that is a terminal.

use std::fmt;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use standpoint_engine::{Snapshot, Stats};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::console;
use crate::style::many;

/// How often the bar is drawn.
const REFRESH: Duration = Duration::from_millis(100);

/// A bar that counts documents; silent where nobody looks.
#[derive(Clone)]
pub(crate) struct Progress {
    bars: MultiProgress,
    bar: ProgressBar,
    input: Arc<OnceLock<Files>>,
}

/// The files that are read, of which it is known how much they hold.
#[derive(Debug)]
struct Files {
    bytes: u64,
    taken: Arc<AtomicU64>,
}

impl Progress {
    /// A bar on standard error, if that is a terminal and `wanted`.
    pub(crate) fn new(wanted: bool) -> Self {
        let visible = wanted && std::io::stderr().is_terminal();
        let target =
            if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let bar = bars.add(ProgressBar::no_length());
        let style = "{spinner} {done}, {rate}, {elapsed}{msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            let done = |state: &ProgressState, out: &mut dyn fmt::Write| {
                // Where a bar is drawn nothing can be done about one that is not.
                let _ = out.write_str(&many(state.pos(), "document"));
            };
            let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
                let _ = write!(out, "{:.1}/s", state.per_sec());
            };
            bar.set_style(style.with_key("done", done).with_key("rate", rate));
        }
        Self { bars, bar, input: Arc::default() }
    }

    /// Tells what is read, so that the bar can say how long is left.
    ///
    /// - `taken`: how many bytes of it were read, as it goes on.
    pub(crate) fn reads(&self, paths: &[PathBuf], taken: Arc<AtomicU64>) {
        // Nobody looks, or nobody knows how much comes from standard input.
        if self.bar.is_hidden() || paths.iter().any(|path| path == Path::new("-")) {
            return;
        }
        let bytes = paths.iter().map(|path| size(path)).sum();
        // Told once, before the run.
        let _ = self.input.set(Files { bytes, taken });
    }

    /// Redraws the bar from the engine's counters until the returned task is aborted.
    pub(crate) fn follow(&self, stats: Stats) -> JoinHandle<()> {
        let (bar, input) = (self.bar.clone(), Arc::clone(&self.input));
        tokio::spawn(async move {
            let start = Instant::now();
            let mut ticks = tokio::time::interval(REFRESH);
            loop {
                ticks.tick().await;
                let counts = stats.snapshot();
                bar.set_position(counts.done + counts.failed);
                let left = input.get().and_then(|files| files.left(&counts, start.elapsed()));
                bar.set_message(message(left, counts.failed));
                bar.tick();
            }
        })
    }

    /// Prints a line on standard error without breaking the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bars.suspend(|| console::say(line));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A file, or all that is in a folder, as far as it can be looked at.
fn size(path: &Path) -> u64 {
    let Ok(metadata) = fs::metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    // What is hidden is not read, and a link to a folder not followed.
    let read = entries.filter(|entry| {
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        !is_hidden && (!entry.path().is_symlink() || entry.path().is_file())
    });
    read.map(|entry| size(&entry.path())).sum()
}

impl Files {
    /// How long the rest takes if it goes on as it went so far; `None` while that says nothing.
    fn left(&self, counts: &Snapshot, elapsed: Duration) -> Option<Duration> {
        let taken = self.taken.load(Ordering::Relaxed);
        let finished = counts.done + counts.failed;
        if finished == 0 || taken == 0 || elapsed < Duration::from_secs(1) {
            return None;
        }
        // Of what was read some is still under way.
        let done = taken as f64 * finished as f64 / counts.read.max(finished) as f64;
        let rest = (self.bytes as f64 - done).max(0.0);
        Duration::try_from_secs_f64(elapsed.as_secs_f64() * rest / done).ok()
    }
}

/// What stands behind the counts.
fn message(left: Option<Duration>, failed: u64) -> String {
    let left = left.filter(|left| left.as_secs() > 0);
    let left = left.map(|left| format!(", about {} left", HumanDuration(left)));
    let failed = (failed > 0).then(|| format!(" ({failed} failed)"));
    [left, failed].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_by_the_bytes_that_are_finished() {
        let files = |taken| Files { bytes: 1000, taken: Arc::new(AtomicU64::new(taken)) };
        let counts = |read, done, failed| Snapshot { read, done, failed, ..Snapshot::default() };
        let second = Duration::from_secs(1);
        let cases = [
            ("a quarter is done", 250, counts(10, 10, 0), 10 * second, Some(30)),
            ("half of what was read is under way", 500, counts(10, 4, 1), 10 * second, Some(30)),
            ("a file grew", 2000, counts(10, 10, 0), 10 * second, Some(0)),
            ("nothing is done", 250, counts(10, 0, 0), 10 * second, None),
            ("it has only begun", 250, counts(10, 10, 0), second / 2, None),
        ];
        for (case, taken, counts, elapsed, expected) in cases {
            let left = files(taken).left(&counts, elapsed);
            assert_eq!(left, expected.map(Duration::from_secs), "{case}");
        }
        let minute = Some(Duration::from_mins(1));
        assert_eq!(message(minute, 2), ", about 60 seconds left (2 failed)");
        assert_eq!(message(None, 2), " (2 failed)");
        assert_eq!(message(Some(second / 2), 0), "", "it is over before that is read");
    }

    #[test]
    fn what_is_not_read_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("sub")).unwrap();
        for name in ["a.txt", "sub/b.txt", ".hidden"] {
            fs::write(root.path().join(name), "text").unwrap();
        }
        std::os::unix::fs::symlink(root.path(), root.path().join("loop")).unwrap();
        assert_eq!(size(root.path()), 8);
    }
}
