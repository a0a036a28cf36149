//! `top`: what a daemon does, again and again, with rates between two looks.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cli;
use crate::control;
use crate::exit::Exit;
use crate::status::Status;
use crate::style::{columns, many, row};

/// Clears a terminal and goes to its upper left corner.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Prints tables until nobody reads them, or as many as were asked for.
///
/// # Errors
///
/// When no daemon answers.
pub(crate) fn show(arguments: &cli::Top) -> Result<Exit> {
    let every = arguments.every.max(Duration::from_millis(100));
    let mut out = io::stdout().lock();
    let clear = if out.is_terminal() { CLEAR } else { "" };
    let mut before = control::ask_status(&arguments.daemon)?;
    let mut looked = Instant::now();
    let mut count = 0;
    while arguments.count.is_none_or(|most| count < most) {
        thread::sleep(every);
        let now = control::ask_status(&arguments.daemon)?;
        let seconds = looked.elapsed().as_secs_f64();
        looked = Instant::now();
        let table = table(&before, &now, seconds);
        let written = write!(out, "{clear}{table}").and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            result => result?,
        }
        before = now;
        count += 1;
    }
    Ok(Exit::Done)
}

/// What has changed between two looks that are `seconds` apart.
fn table(before: &Status, now: &Status, seconds: f64) -> String {
    let rate = |now: u64, before: u64| {
        // A daemon that was started again counts from 0.
        format!("{:.1}", now.saturating_sub(before) as f64 / seconds.max(0.001))
    };
    let (documents, earlier) = (&now.documents, &before.documents);
    let ready = if now.ready { "ready".to_owned() } else { now.reasons.join("; ") };
    let mut text = format!(
        "{}  generation {}  {ready}\nin flight {}, {}, the oldest for {}\n",
        now.pipeline,
        now.generation,
        many(documents.in_flight, "document"),
        many(documents.bytes_in_flight, "byte"),
        humantime::format_duration(Duration::from_millis(documents.oldest_in_flight_ms)),
    );
    if let Some(refused) = &now.config_reload_failed {
        let first = refused.reason.lines().next().unwrap_or_default();
        let _ = writeln!(text, "the last reload was refused at {}: {first}", refused.at);
    }
    let mut rows = vec![row(["all", "per second", "total"])];
    for (name, now, before) in [
        ("read", documents.read, earlier.read),
        ("done", documents.done, earlier.done),
        ("failed", documents.failed, earlier.failed),
    ] {
        rows.push(row([name, &rate(now, before), &now.to_string()]));
    }
    text.push('\n');
    text.push_str(&columns(&rows));

    let mut rows = vec![row(["source", "per second", "read", "unreadable"])];
    for source in &now.sources {
        let earlier = before.sources.iter().find(|earlier| earlier.name == source.name);
        let per_second = rate(source.read, earlier.map_or(0, |earlier| earlier.read));
        let (read, unreadable) = (source.read.to_string(), source.unreadable.to_string());
        rows.push(row([&source.name, &per_second, &read, &unreadable]));
    }
    text.push('\n');
    text.push_str(&columns(&rows));

    let mut rows =
        vec![row(["stage", "per second", "done", "failed", "stuck", "ms each", "cores"])];
    for stage in &now.stages {
        let earlier = before.stages.iter().find(|earlier| earlier.id == stage.id);
        let (done, time) = earlier.map_or((0, 0), |earlier| (earlier.done, earlier.time_ms));
        let newly = stage.done.saturating_sub(done);
        let busy = stage.time_ms.saturating_sub(time) as f64;
        let each = if newly == 0 { "-".to_owned() } else { format!("{:.2}", busy / newly as f64) };
        rows.push(row([
            &stage.id,
            &rate(stage.done, done),
            &stage.done.to_string(),
            &stage.failed.to_string(),
            &stage.stuck.to_string(),
            &each,
            &format!("{:.2}", busy / 1e3 / seconds.max(0.001)),
        ]));
    }
    text.push('\n');
    text.push_str(&columns(&rows));

    let mut rows =
        vec![row(["sink", "per second", "done", "failed", "waiting", "errors", "state"])];
    for sink in &now.sinks {
        let earlier = before.sinks.iter().find(|earlier| earlier.name == sink.name);
        let state = match (&sink.ended_by, &sink.paused_by) {
            (Some(_), _) => "ended",
            (None, Some(_)) => "waits",
            (None, None) => "works",
        };
        rows.push(row([
            &sink.name,
            &rate(sink.done, earlier.map_or(0, |earlier| earlier.done)),
            &sink.done.to_string(),
            &sink.failed.to_string(),
            &sink.waiting.to_string(),
            &sink.errors.to_string(),
            state,
        ]));
    }
    text.push('\n');
    text.push_str(&columns(&rows));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::{snapshot, status};

    #[test]
    fn rates_are_what_came_between_two_looks() {
        let before = status(snapshot(), false);
        let mut later = snapshot();
        later.read += 40;
        later.done += 30;
        later.stages[0].done += 20;
        later.stages[0].time += Duration::from_millis(500);
        later.sinks[0].paused_by = Some("disk full".to_owned());
        insta::assert_snapshot!(table(&before, &status(later, false), 2.0), @r#"
        news@abc  generation 2  sink `results "a"` waits to try again
        in flight 2 documents, 4096 bytes, the oldest for 1s 500ms

        all     per second  total
        read          20.0     52
        done          15.0     39
        failed         0.0      1

        source  per second  read  unreadable
        news           0.0    12           1

        stage   per second  done  failed  stuck  ms each  cores
        stance        10.0    30       0      0    25.00   0.25

        sink         per second  done  failed  waiting  errors  state
        results "a"         0.0     9       0        0       1  waits
        "#);
    }
}
