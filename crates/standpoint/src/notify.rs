//! Tells a service manager how the daemon is, over the socket that it names in `NOTIFY_SOCKET`:
//! ready, reloading, stopping, and now and then that it is alive.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use standpoint_engine::{Shutdown, Stats};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::style::many;

/// How often the manager hears of the documents, and the longest until it hears of a stop.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// The socket of a service manager, if there is one.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants a sign of life.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Reads what the manager has put into the environment.
    pub(crate) fn of_environment() -> Self {
        let socket = env::var("NOTIFY_SOCKET").ok().and_then(|name| {
            open(&name)
                .inspect_err(|error| warn!(name, %error, "cannot reach the service manager"))
                .ok()
        });
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let is_for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| is_for_us).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// Tells the manager, such as `READY=1`. One that does not listen is nobody's trouble.
    pub(crate) fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(state.as_bytes(), address);
        }
    }

    /// Tells the manager how the pipeline is, until the future is dropped.
    ///
    /// Signs of life come from the runtime of sources and sinks. So one that is blocked gives none,
    /// and the manager starts the daemon again; a stage that blocks is the engine's own to see.
    pub(crate) async fn keep(self: Arc<Self>, stats: Stats, shutdown: Shutdown) {
        self.tell("READY=1");
        if self.socket.is_none() {
            return;
        }
        // Twice as often as it must be.
        let period = self.watchdog.map_or(TELL_EVERY, |longest| TELL_EVERY.min(longest / 2));
        let mut ticks = interval(period.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_stopping = false;
        loop {
            ticks.tick().await;
            if shutdown.is_requested() && !is_stopping {
                is_stopping = true;
                self.tell("STOPPING=1");
            }
            let counts = stats.snapshot();
            let (done, failed, waiting) = (counts.done, counts.failed, counts.in_flight);
            let done = many(done, "document");
            let told = format!("{done} done, {failed} failed, {waiting} in flight");
            self.tell(&format!("WATCHDOG=1\nSTATUS={told}"));
        }
    }
}

fn open(name: &str) -> std::io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that is busy must not hold up documents.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
