//! Named points at which a test makes the program die, as by `kill -9`.
//!
//! `STANDPOINT_CRASH_AT=17` kills the process when it comes to a point for the 17th time, and
//! `STANDPOINT_CRASH_AT=claimed:3` when it comes to the point `claimed` for the third. A release
//! build has no such points.

/// Says that the program has come to the point `name`.
#[cfg(debug_assertions)]
pub fn reached(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// Which point, if not any, and for which time.
    static PLAN: OnceLock<Option<(Option<String>, u64)>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);

    let plan = PLAN.get_or_init(|| {
        let plan = std::env::var("STANDPOINT_CRASH_AT").ok()?;
        match plan.split_once(':') {
            Some((point, count)) => Some((Some(point.to_owned()), count.parse().ok()?)),
            None => Some((None, plan.parse().ok()?)),
        }
    });
    let Some((point, at)) = plan else { return };
    if point.as_deref().is_none_or(|point| point == name)
        && COUNT.fetch_add(1, Ordering::Relaxed) + 1 == *at
    {
        // Not `abort`, which says goodbye to nobody either, but writes a core.
        let _ = kill_process(getpid(), Signal::KILL);
        // The signal may take a moment to arrive; nothing may happen until then.
        loop {
            std::thread::park();
        }
    }
}

/// Says that the program has come to the point `name`.
#[cfg(not(debug_assertions))]
pub const fn reached(_: &str) {}
