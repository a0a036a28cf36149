//! A progress bar on standard error, where that is a terminal.

use std::fmt;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use standpoint_engine::Stats;
use tokio::task::JoinHandle;

use crate::console;
use crate::style::many;

/// How often the bar is drawn.
const REFRESH: Duration = Duration::from_millis(100);

/// A bar that counts documents; silent where nobody looks.
#[derive(Clone)]
pub(crate) struct Progress {
    bars: MultiProgress,
    bar: ProgressBar,
}

impl Progress {
    /// A bar on standard error, if that is a terminal and `wanted`.
    pub(crate) fn new(wanted: bool) -> Self {
        let visible = wanted && std::io::stderr().is_terminal();
        let target =
            if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let bar = bars.add(ProgressBar::no_length());
        let style = "{spinner} {done}, {per_sec}, {elapsed} {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            let done = |state: &ProgressState, out: &mut dyn fmt::Write| {
                // Where a bar is drawn nothing can be done about one that is not.
                let _ = out.write_str(&many(state.pos(), "document"));
            };
            bar.set_style(style.with_key("done", done));
        }
        Self { bars, bar }
    }

    /// Redraws the bar from the engine's counters until the returned task is aborted.
    pub(crate) fn follow(&self, stats: Stats) -> JoinHandle<()> {
        let bar = self.bar.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(REFRESH);
            loop {
                ticks.tick().await;
                let counts = stats.snapshot();
                bar.set_position(counts.done + counts.failed);
                if counts.failed > 0 {
                    bar.set_message(format!("({} failed)", counts.failed));
                }
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
