//! Ctrl-C and SIGTERM: the first asks the pipeline to drain, the second ends the process at once.

use std::process;

use standpoint_engine::Shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::info;

/// Told when a file would grow over the limit of the process; the same number on Linux and macOS.
const SIGXFSZ: i32 = 25;

/// Listens for signals until the returned task is aborted.
///
/// # Errors
///
/// When the system refuses a handler.
pub(crate) fn listen(shutdown: Shutdown) -> std::io::Result<JoinHandle<()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A handler that does nothing: a file that may not grow is then an error like a full disk, and
    // not the end of the process.
    drop(signal(SignalKind::from_raw(SIGXFSZ))?);
    Ok(tokio::spawn(async move {
        let first = either(&mut interrupt, &mut terminate).await;
        info!(signal = first, "stopping after the documents under way; a second signal stops now");
        shutdown.drain();
        let second = either(&mut interrupt, &mut terminate).await;
        // What is claimed stays claimed, and the next start takes it up: nothing is lost by not
        // waiting here.
        process::exit(128 + second);
    }))
}

/// Waits for one of the two and returns its number.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
    }
}
