//! Standard error: what the program says besides results.
//!
//! Whoever reads it may stop reading. A daemon must go on all the same, so its lines wait in a
//! queue for a thread that does nothing but write them; those that the queue cannot hold are lost,
//! counted, and told of when somebody reads again. The other commands are read by whoever started
//! them: they write as they go, so that their lines keep their place among the results.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use standpoint_connectors::guard;
use tracing::warn;

/// How long the last lines of a daemon may take to come out.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// The most bytes that wait to be written.
const MOST_BYTES: usize = 256 << 10;

/// What a line takes besides its bytes, so that many empty ones are bounded, too.
const LINE_BYTES: usize = 64;

/// The lines of a daemon.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Says a line.
pub(crate) fn say(line: &str) {
    write(format!("{line}\n").as_bytes());
}

/// How many lines were lost so far because nobody read them.
pub(crate) fn lost() -> u64 {
    LINES.get().map_or(0, |lines| lines.lock().lost)
}

/// Waits for the lines that are not written yet, but no longer than `patience`.
pub(crate) fn finish(patience: Duration) {
    if let Some(lines) = LINES.get() {
        let is_busy = |state: &mut State| !state.waiting.is_empty() || state.is_writing;
        let _ = lines.changed.wait_timeout_while(lines.lock(), patience, is_busy);
    }
}

/// Writes through a thread and a queue from now on.
///
/// # Errors
///
/// When the system gives no thread.
pub(crate) fn start_thread() -> io::Result<()> {
    let lines = LINES.get_or_init(Lines::default);
    thread::Builder::new().name("log".to_owned()).spawn(|| lines.write_to(&mut io::stderr()))?;
    Ok(())
}

/// Has panics told here from now on: the standard library would wait for whoever reads, and quote
/// what a file holds.
pub(crate) fn tell_panics() {
    panic::set_hook(Box::new(|panic| say(&panic_line(panic))));
}

/// What the standard library would write by itself; of a reader's panic no more than where it was,
/// because what it says may quote the file.
fn panic_line(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let place = panic.location().map_or_else(|| "?".to_owned(), ToString::to_string);
    let what = match guard::reading() {
        Some(path) => format!("while it read {path:?}"),
        None => panic.payload_as_str().unwrap_or("it does not say why").to_owned(),
    };
    let backtrace = Backtrace::capture();
    let mut line = format!("thread '{name}' panicked at {place}:\n{what}");
    if backtrace.status() == BacktraceStatus::Captured {
        line = format!("{line}\n{backtrace}");
    }
    line
}

fn write(bytes: &[u8]) {
    match LINES.get() {
        Some(lines) => lines.push(bytes),
        // There is nobody to tell that it cannot be told.
        None => drop(io::stderr().write_all(bytes)),
    }
}

/// Where the log goes: each call is one line.
#[derive(Debug)]
pub(crate) struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines on their way.
#[derive(Debug, Default)]
struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    /// What those take.
    bytes: usize,
    is_writing: bool,
    lost: u64,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.bytes + line.len() + LINE_BYTES > MOST_BYTES {
            state.lost += 1;
            return;
        }
        state.bytes += line.len() + LINE_BYTES;
        state.waiting.push_back(line.to_vec());
        drop(state);
        self.changed.notify_all();
    }

    /// Writes lines for ever.
    fn write_to(&self, out: &mut impl Write) {
        let mut told = 0;
        loop {
            let line = self.next();
            let is_written = out.write_all(&line).and_then(|()| out.flush()).is_ok();
            let mut state = self.lock();
            if !is_written {
                state.lost += 1;
            }
            let (lost, is_idle) = (state.lost, state.waiting.is_empty());
            drop(state);
            // Told once all that waited is out: this line then finds room, and its place. Until it
            // waits, too, the one before counts as under way, or the process could end in between.
            if is_written && is_idle && lost > told {
                warn!(lines = lost - told, "lines of the log are lost: nobody read them");
                told = lost;
            }
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut state = self
            .changed
            .wait_while(self.lock(), |state| state.waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let line = state.waiting.pop_front().unwrap_or_default();
        state.bytes -= line.len() + LINE_BYTES;
        state.is_writing = true;
        line
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use standpoint_connectors::limits::ReadLimits;
    use standpoint_connectors::read::{Origin, documents};

    use super::*;

    struct Breaks;

    impl Read for Breaks {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("what the file holds");
        }
    }

    #[test]
    fn nobody_takes_the_log_for_written_before_it_says_what_it_lost() {
        static LOG: OnceLock<Lines> = OnceLock::new();
        let lines = LOG.get_or_init(Lines::default);
        lines.lock().lost = 3;
        lines.push(b"the last line\n");
        let (sender, is_busy) = std::sync::mpsc::sync_channel(1);
        thread::spawn(move || {
            let asked = move || {
                sender.send(lines.lock().is_writing).unwrap();
                io::sink()
            };
            let subscriber = tracing_subscriber::fmt().with_writer(asked).finish();
            let _guard = tracing::subscriber::set_default(subscriber);
            lines.write_to(&mut io::sink());
        });
        assert!(is_busy.recv().unwrap(), "the process could end before the line about them waits");
    }

    #[test]
    fn of_a_readers_panic_place_and_file_are_told() {
        static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            TOLD.lock().unwrap().push(panic_line(panic));
            before(panic);
        }));
        let origin = Origin { source: "files".to_owned(), path: "sub/a.txt".to_owned() };
        assert!(documents(Breaks, &origin, &ReadLimits::default()).is_err());
        panic::catch_unwind(|| panic!("what the program says")).unwrap_err();
        let told = TOLD.lock().unwrap().join("\n");
        assert!(told.contains("console.rs:") && told.contains("while it read \"sub/a.txt\""));
        assert!(told.contains("what the program says") && !told.contains("what the file holds"));
    }
}
