//! Ctrl-C and SIGTERM: the first asks the pipeline to drain, the second ends the process at once.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use standpoint_engine::Shutdown;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::info;

use crate::console;

/// Told when a file would grow over the limit of the process; the same number on Linux and macOS.
const SIGXFSZ: i32 = 25;

/// How long the log may take to come out before a second signal ends the process.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Listens for signals until it is dropped.
pub(crate) struct Listening {
    _until_dropped: oneshot::Sender<()>,
}

/// Begins to listen for signals.
///
/// On a thread of its own: whatever the program waits for, it can be told to end.
///
/// - `say`: tells whoever sits before it what the first signal did; the log has it, too.
///
/// # Errors
///
/// When the system refuses a handler or the thread.
pub(crate) fn listen(
    shutdown: Shutdown,
    say: impl FnOnce(&str) + Send + 'static,
) -> io::Result<Listening> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let within = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A handler that does nothing: a file that may not grow is then an error like a full disk, and
    // not the end of the process.
    drop(signal(SignalKind::from_raw(SIGXFSZ))?);
    drop(within);
    let (until_dropped, dropped) = oneshot::channel();
    let obey = async move {
        let first = either(&mut interrupt, &mut terminate).await;
        info!(signal = first, "stopping after the documents under way; a second signal stops now");
        shutdown.drain();
        say("stopping after the documents under way; a second Ctrl-C ends it at once");
        let second = either(&mut interrupt, &mut terminate).await;
        console::finish(LAST_WORDS);
        // What is claimed stays claimed, and the next start takes it up: nothing is lost by not
        // waiting here.
        process::exit(128 + second);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = dropped => {}
                () = obey => {}
            }
        });
    })?;
    Ok(Listening { _until_dropped: until_dropped })
}

/// Waits for one of the two and returns its number.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
    }
}
