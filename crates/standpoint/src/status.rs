//! What a daemon says of itself: whether it is ready, and what it has done so far.

use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use standpoint_connectors::jsonl::Maker;
use standpoint_engine::{Shutdown, SinkSnapshot, Snapshot, StageSnapshot, Stats};

use crate::style::{columns, row};

/// The version of [`Status`] as JSON.
pub(crate) const VERSION: u32 = 1;

/// A running pipeline, to be looked at.
#[derive(Debug)]
pub(crate) struct View {
    maker: Maker,
    started: SystemTime,
    /// The same moment, on a clock that nobody sets.
    since: Instant,
    stats: Stats,
    shutdown: Shutdown,
}

impl View {
    /// Looks at a pipeline that starts now.
    pub(crate) fn new(maker: Maker, stats: Stats, shutdown: Shutdown) -> Self {
        Self { maker, started: SystemTime::now(), since: Instant::now(), stats, shutdown }
    }

    pub(crate) fn status(&self) -> Status {
        let snapshot = self.stats.snapshot();
        let reasons = reasons(&snapshot, self.shutdown.is_requested());
        Status {
            version: VERSION,
            standpoint: self.maker.version.clone(),
            pipeline: self.maker.pipeline.clone(),
            started: humantime::format_rfc3339_seconds(self.started).to_string(),
            uptime_seconds: self.since.elapsed().as_secs(),
            ready: reasons.is_empty(),
            reasons,
            documents: Documents::of(&snapshot),
            stages: snapshot.stages.into_iter().map(Stage::of).collect(),
            sinks: snapshot.sinks.into_iter().map(Sink::of).collect(),
        }
    }
}

/// Why documents should not be sent to this pipeline now. What is named comes from the pipeline
/// file; an error's own words are in the status of the sink alone, which not everybody may read.
fn reasons(snapshot: &Snapshot, is_stopping: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    if is_stopping {
        reasons.push("stopping".to_owned());
    }
    if !snapshot.is_healthy {
        let blocked = snapshot.stages.iter().filter(|stage| stage.stuck > 0);
        let named: Vec<_> = blocked.map(|stage| format!("`{}`", stage.id)).collect();
        let named = named.join(", ");
        reasons.push(format!("calls of stage {named} did not return; restart the daemon"));
    }
    let waiting = snapshot.sinks.iter().filter(|sink| sink.paused_by.is_some());
    reasons.extend(waiting.map(|sink| format!("sink `{}` waits to try again", sink.name)));
    reasons
}

/// The state of a daemon, as `/status` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The program's version.
    pub(crate) standpoint: String,
    /// Name and hash of the pipeline, as in the provenance of results.
    pub(crate) pipeline: String,
    /// When the pipeline was started, RFC 3339 in UTC.
    pub(crate) started: String,
    pub(crate) uptime_seconds: u64,
    pub(crate) ready: bool,
    /// Why it is not ready.
    pub(crate) reasons: Vec<String>,
    pub(crate) documents: Documents,
    /// In the order of the chain.
    pub(crate) stages: Vec<Stage>,
    /// In the order of the pipeline file.
    pub(crate) sinks: Vec<Sink>,
}

/// Documents since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Documents {
    pub(crate) read: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Given back to their source undecided.
    pub(crate) returned: u64,
    pub(crate) in_flight: u64,
    pub(crate) bytes_in_flight: u64,
    /// How long the oldest document has been in the pipeline, in milliseconds.
    pub(crate) oldest_in_flight_ms: u64,
    /// Workers that are blocked in a stage now.
    pub(crate) stuck_workers: u32,
}

impl Documents {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            read: snapshot.read,
            done: snapshot.done,
            failed: snapshot.failed,
            returned: snapshot.returned,
            in_flight: snapshot.in_flight,
            bytes_in_flight: snapshot.bytes_in_flight,
            oldest_in_flight_ms: milliseconds(snapshot.oldest_in_flight),
            stuck_workers: snapshot.stuck_workers,
        }
    }
}

/// A stage's documents since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) id: String,
    pub(crate) done: u64,
    /// Passed by, for the stage's condition.
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    /// Attempts that failed and were tried again.
    pub(crate) retried: u64,
    /// Calls that blocked a worker for longer than the stage's timeout.
    pub(crate) stuck: u64,
    /// The time of all its calls together, in milliseconds.
    pub(crate) time_ms: u64,
}

impl Stage {
    fn of(stage: StageSnapshot) -> Self {
        Self {
            id: stage.id,
            done: stage.done,
            skipped: stage.skipped,
            failed: stage.failed,
            retried: stage.retried,
            stuck: stage.stuck,
            time_ms: milliseconds(stage.time),
        }
    }
}

/// A sink's documents since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sink {
    pub(crate) name: String,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Groups of documents that it has written.
    pub(crate) groups: u64,
    /// Errors after which it tried again.
    pub(crate) errors: u64,
    /// The error that it waits out now.
    pub(crate) paused_by: Option<String>,
}

impl Sink {
    fn of(sink: SinkSnapshot) -> Self {
        Self {
            name: sink.name,
            done: sink.done,
            failed: sink.failed,
            groups: sink.groups,
            errors: sink.errors,
            paused_by: sink.paused_by,
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Status {
    /// The state for people.
    pub(crate) fn text(&self) -> String {
        let uptime = humantime::format_duration(Duration::from_secs(self.uptime_seconds));
        let ready =
            if self.ready { "yes".to_owned() } else { format!("no: {}", self.reasons.join("; ")) };
        let documents = &self.documents;
        let mut text = format!(
            "pipeline   {}\nprogram    {}\nstarted    {} ({uptime} ago)\nready      {ready}\n\
             documents  {} read, {} done, {} failed, {} returned\n\
             in flight  {} documents of {} bytes, the oldest for {}\n",
            self.pipeline,
            self.standpoint,
            self.started,
            documents.read,
            documents.done,
            documents.failed,
            documents.returned,
            documents.in_flight,
            documents.bytes_in_flight,
            humantime::format_duration(Duration::from_millis(documents.oldest_in_flight_ms)),
        );
        let mut rows = vec![row(["stage", "done", "skipped", "failed", "retried", "stuck", "ms"])];
        rows.extend(self.stages.iter().map(|stage| {
            let counts = [stage.done, stage.skipped, stage.failed, stage.retried, stage.stuck];
            let mut cells = vec![stage.id.clone()];
            cells.extend(counts.iter().chain([&stage.time_ms]).map(u64::to_string));
            cells
        }));
        text.push('\n');
        text.push_str(&columns(&rows));
        let mut rows = vec![row(["sink", "done", "failed", "groups", "errors"])];
        rows.extend(self.sinks.iter().map(|sink| {
            let counts = [sink.done, sink.failed, sink.groups, sink.errors];
            let mut cells = vec![sink.name.clone()];
            cells.extend(counts.iter().map(u64::to_string));
            cells
        }));
        text.push('\n');
        text.push_str(&columns(&rows));
        for sink in &self.sinks {
            if let Some(error) = &sink.paused_by {
                let _ = write!(text, "\nsink `{}` waits: {error}\n", sink.name);
            }
        }
        text
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A pipeline that has seen a little of everything.
    pub(crate) fn snapshot() -> Snapshot {
        Snapshot {
            read: 12,
            done: 9,
            failed: 1,
            returned: 0,
            in_flight: 2,
            bytes_in_flight: 4096,
            oldest_in_flight: Duration::from_millis(1500),
            is_healthy: true,
            stuck_workers: 0,
            stages: vec![StageSnapshot {
                id: "stance".to_owned(),
                done: 10,
                skipped: 1,
                retried: 2,
                time: Duration::from_millis(40),
                ..StageSnapshot::default()
            }],
            sinks: vec![SinkSnapshot {
                name: "results \"a\"".to_owned(),
                done: 9,
                groups: 3,
                errors: 1,
                ..SinkSnapshot::default()
            }],
            ..Snapshot::default()
        }
    }

    pub(crate) fn status(snapshot: Snapshot, is_stopping: bool) -> Status {
        let reasons = reasons(&snapshot, is_stopping);
        Status {
            version: VERSION,
            standpoint: "0.1.0".to_owned(),
            pipeline: "news@abc".to_owned(),
            started: "2026-11-24T10:00:00Z".to_owned(),
            uptime_seconds: 3661,
            ready: reasons.is_empty(),
            reasons,
            documents: Documents::of(&snapshot),
            stages: snapshot.stages.into_iter().map(Stage::of).collect(),
            sinks: snapshot.sinks.into_iter().map(Sink::of).collect(),
        }
    }

    #[test]
    fn it_is_not_ready_for_a_reason() {
        let stuck = |mut snapshot: Snapshot| {
            snapshot.is_healthy = false;
            snapshot.stages[0].stuck = 8;
            snapshot
        };
        let waiting = |mut snapshot: Snapshot| {
            snapshot.sinks[0].paused_by = Some("disk full".to_owned());
            snapshot
        };
        assert_eq!(reasons(&snapshot(), false), Vec::<String>::new());
        assert_eq!(reasons(&snapshot(), true), ["stopping"]);
        assert_eq!(
            reasons(&stuck(snapshot()), false),
            ["calls of stage `stance` did not return; restart the daemon"]
        );
        assert_eq!(
            reasons(&waiting(snapshot()), false),
            ["sink `results \"a\"` waits to try again"],
            "the error's words are not for everybody"
        );
    }

    #[test]
    fn people_read_it_in_columns() {
        let mut snapshot = snapshot();
        snapshot.sinks[0].paused_by = Some("disk full".to_owned());
        insta::assert_snapshot!(status(snapshot, false).text(), @r#"
        pipeline   news@abc
        program    0.1.0
        started    2026-11-24T10:00:00Z (1h 1m 1s ago)
        ready      no: sink `results "a"` waits to try again
        documents  12 read, 9 done, 1 failed, 0 returned
        in flight  2 documents of 4096 bytes, the oldest for 1s 500ms

        stage   done  skipped  failed  retried  stuck  ms
        stance    10        1       0        2      0  40

        sink         done  failed  groups  errors
        results "a"     9       0       3       1

        sink `results "a"` waits: disk full
        "#);
    }
}
