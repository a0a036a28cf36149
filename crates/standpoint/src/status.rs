//! What a daemon says of itself: whether it is ready, and what it has done so far.

mod measures;
mod rate;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use standpoint_connectors::meters::{self, Meter};
use standpoint_engine::{Shutdown, SinkSnapshot, Snapshot, SourceSnapshot, StageSnapshot, Stats};

use self::measures::{Measures, Process};
use self::rate::{Lately, Rate};
use crate::cluster::{self, Cluster};
use crate::console;
use crate::reload::Configuration;

/// The version of [`Status`] as JSON.
pub(crate) const VERSION: u32 = 1;

/// A running pipeline, to be looked at.
#[derive(Debug)]
pub(crate) struct View {
    configuration: Arc<Configuration>,
    /// The program's.
    version: String,
    started: SystemTime,
    /// The same moment, on a clock that nobody sets.
    since: Instant,
    stats: Stats,
    shutdown: Shutdown,
    measures: Arc<Measures>,
    rate: Rate,
}

impl View {
    /// Looks at a pipeline that starts now.
    pub(crate) fn new(
        configuration: Arc<Configuration>,
        version: String,
        stats: Stats,
        shutdown: Shutdown,
        ledger: PathBuf,
    ) -> Self {
        let (started, since) = (SystemTime::now(), Instant::now());
        let measures = Arc::new(Measures::of(ledger));
        Self {
            configuration,
            version,
            started,
            since,
            stats,
            shutdown,
            measures,
            rate: Rate::default(),
        }
    }

    /// Counts documents every few seconds, until the future is dropped, so that there is a rate.
    pub(crate) async fn count(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(rate::EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.rate.note(Instant::now(), self.stats.snapshot().done);
        }
    }

    /// The program's version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Why documents should not be sent to this pipeline now; none where it is ready.
    ///
    /// Anybody may ask, and often: what this takes are the engine's counters alone.
    pub(crate) fn reasons(&self) -> Vec<String> {
        reasons(&self.stats.snapshot(), self.shutdown.is_requested())
    }

    /// The state, with what is measured no older than it must be.
    pub(crate) async fn fresh_status(&self) -> Status {
        Arc::clone(&self.measures).refresh().await;
        self.status()
    }

    /// The same for whoever may block.
    pub(crate) fn fresh_status_here(&self) -> Status {
        if self.measures.is_due() {
            self.measures.measure();
        }
        self.status()
    }

    /// The state, with what was measured last.
    pub(crate) fn status(&self) -> Status {
        let snapshot = self.stats.snapshot();
        let current = self.configuration.current();
        let generation = snapshot.generation;
        let refused = current.refused.map(|refused| Refusal {
            generation: generation + 1,
            at: time(refused.at),
            reason: refused.reason,
        });
        let cluster = cluster::own();
        let mut reasons = reasons(&snapshot, self.shutdown.is_requested());
        reasons.extend(cluster.as_ref().and_then(Cluster::reason));
        let measured = self.measures.last();
        let lately = self.rate.lately(Instant::now(), snapshot.done);
        let documents = Documents { lately, ..Documents::of(&snapshot) };
        Status {
            documents,
            version: VERSION,
            standpoint: self.version.clone(),
            pipeline: current.pipeline,
            generation,
            loaded: time(current.loaded),
            config_reload_failed: refused,
            config_reload_failures: current.refusals,
            started: time(self.started),
            uptime_seconds: self.since.elapsed().as_secs(),
            process: measured.process,
            inbox: Inbox {
                waiting: measured.waiting,
                oldest_waiting_seconds: measured.oldest_waiting_seconds,
                ..Inbox::own()
            },
            torn_tails: meters::of(Meter::TornTails),
            ledger_bytes: measured.ledger_bytes,
            log_lines_lost: console::lost(),
            cluster,
            ..Status::of(snapshot, reasons)
        }
    }
}

fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
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
    let waiting = snapshot.sources.iter().filter(|source| source.paused_by.is_some());
    reasons.extend(waiting.map(|source| format!("source `{}` waits to try again", source.name)));
    let is_awaited = |sink: &&SinkSnapshot| sink.paused_by.is_some() && !sink.is_optional;
    let waiting = snapshot.sinks.iter().filter(is_awaited);
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
    /// How many times it was reloaded, and 1.
    pub(crate) generation: u64,
    /// When this generation was loaded, RFC 3339 in UTC.
    pub(crate) loaded: String,
    /// The reload that was refused since, while this generation goes on.
    pub(crate) config_reload_failed: Option<Refusal>,
    /// How many reloads were refused since the start.
    pub(crate) config_reload_failures: u64,
    /// When the pipeline was started, RFC 3339 in UTC.
    pub(crate) started: String,
    pub(crate) uptime_seconds: u64,
    pub(crate) ready: bool,
    /// Why it is not ready.
    pub(crate) reasons: Vec<String>,
    pub(crate) documents: Documents,
    pub(crate) process: Process,
    pub(crate) inbox: Inbox,
    /// Torn ends that were cut off outputs and the ledger, by the file or folder.
    pub(crate) torn_tails: BTreeMap<String, u64>,
    /// Lines of the log that nobody read in time.
    pub(crate) log_lines_lost: u64,
    /// What the ledger takes of the disk.
    pub(crate) ledger_bytes: u64,
    /// The stream that this daemon shares with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<Cluster>,
    /// In the order of the pipeline file.
    pub(crate) sources: Vec<Source>,
    /// In the order of the chain.
    pub(crate) stages: Vec<Stage>,
    /// In the order of the pipeline file.
    pub(crate) sinks: Vec<Sink>,
}

impl Status {
    /// What the engine's counts say; the rest is empty.
    fn of(snapshot: Snapshot, reasons: Vec<String>) -> Self {
        Self {
            version: VERSION,
            standpoint: String::new(),
            pipeline: String::new(),
            generation: snapshot.generation,
            loaded: String::new(),
            config_reload_failed: None,
            config_reload_failures: 0,
            started: String::new(),
            uptime_seconds: 0,
            ready: reasons.is_empty(),
            reasons,
            documents: Documents::of(&snapshot),
            process: Process::default(),
            inbox: Inbox::default(),
            torn_tails: BTreeMap::new(),
            log_lines_lost: 0,
            ledger_bytes: 0,
            cluster: None,
            sources: snapshot.sources.into_iter().map(Source::of).collect(),
            stages: snapshot.stages.into_iter().map(Stage::of).collect(),
            sinks: snapshot.sinks.into_iter().map(Sink::of).collect(),
        }
    }
}

/// A reload that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// The generation that it would have been.
    pub(crate) generation: u64,
    /// When, RFC 3339 in UTC.
    pub(crate) at: String,
    pub(crate) reason: String,
}

/// What has become of the files of inboxes since the start, by source, and which inboxes the system
/// tells of changes in, by folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Inbox {
    /// Each time that one was; as many are `in_work` or accounted for below, at any moment.
    pub(crate) taken: BTreeMap<String, u64>,
    pub(crate) in_work: BTreeMap<String, u64>,
    pub(crate) done: BTreeMap<String, u64>,
    pub(crate) quarantined: BTreeMap<String, u64>,
    pub(crate) returned: BTreeMap<String, u64>,
    /// Taken away by somebody while they were in work.
    pub(crate) gone: BTreeMap<String, u64>,
    /// Settled after more than one attempt.
    pub(crate) tried_again: BTreeMap<String, u64>,
    /// Documents that were not processed again, because what they are recognised by was known.
    #[serde(default)]
    pub(crate) documents_known: BTreeMap<String, u64>,
    /// Files that are in the inbox and not taken yet, and since when the oldest of them has been
    /// there.
    #[serde(default)]
    pub(crate) waiting: BTreeMap<String, u64>,
    #[serde(default)]
    pub(crate) oldest_waiting_seconds: BTreeMap<String, u64>,
    pub(crate) watched: BTreeMap<String, u64>,
}

impl Inbox {
    fn own() -> Self {
        let mut own = Self::default();
        for (meter, of, value) in meters::all() {
            let values = match meter {
                Meter::FilesTaken => &mut own.taken,
                Meter::FilesInWork => &mut own.in_work,
                Meter::FilesGone => &mut own.gone,
                Meter::TornTails => continue,
                Meter::FilesDone => &mut own.done,
                Meter::FilesQuarantined => &mut own.quarantined,
                Meter::FilesReturned => &mut own.returned,
                Meter::FilesTriedAgain => &mut own.tried_again,
                Meter::DocumentsKnown => &mut own.documents_known,
                Meter::Watched => &mut own.watched,
            };
            values.insert(of, value);
        }
        own
    }
}

/// Documents since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Documents {
    pub(crate) read: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Given back to their source undecided.
    pub(crate) returned: u64,
    /// Done without having gone anywhere, because no route takes them.
    pub(crate) unrouted: u64,
    pub(crate) in_flight: u64,
    pub(crate) bytes_in_flight: u64,
    /// How long the oldest document has been in the pipeline, in milliseconds.
    pub(crate) oldest_in_flight_ms: u64,
    /// Workers that are blocked in a stage now.
    pub(crate) stuck_workers: u32,
    /// Those of the last minute.
    #[serde(default)]
    pub(crate) lately: Lately,
}

impl Documents {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            read: snapshot.read,
            done: snapshot.done,
            failed: snapshot.failed,
            returned: snapshot.returned,
            unrouted: snapshot.unrouted,
            in_flight: snapshot.in_flight,
            bytes_in_flight: snapshot.bytes_in_flight,
            oldest_in_flight_ms: milliseconds(snapshot.oldest_in_flight),
            stuck_workers: snapshot.stuck_workers,
            lately: Lately::default(),
        }
    }
}

/// A source's documents since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) read: u64,
    /// Items that could not be read.
    pub(crate) unreadable: u64,
    /// What it waits out now.
    pub(crate) paused_by: Option<String>,
}

impl Source {
    fn of(source: SourceSnapshot) -> Self {
        let SourceSnapshot { name, read, unreadable, paused_by } = source;
        Self { name, read, unreadable, paused_by }
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
    /// Documents that wait for it.
    pub(crate) waiting: u64,
    /// Whether documents are done without it.
    pub(crate) optional: bool,
    /// Documents that it missed, being optional.
    pub(crate) missed: u64,
    /// Why it is not used any more, being optional.
    pub(crate) ended_by: Option<String>,
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
            waiting: sink.waiting,
            optional: sink.is_optional,
            missed: sink.missed,
            ended_by: sink.ended_by,
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A pipeline that has seen a little of everything.
    pub(crate) fn snapshot() -> Snapshot {
        Snapshot {
            generation: 2,
            sources: vec![SourceSnapshot {
                name: "news".to_owned(),
                read: 12,
                unreadable: 1,
                paused_by: None,
            }],
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
            standpoint: "0.1.0".to_owned(),
            pipeline: "news@abc".to_owned(),
            loaded: "2026-11-24T10:00:00Z".to_owned(),
            started: "2026-11-24T10:00:00Z".to_owned(),
            uptime_seconds: 3661,
            ..Status::of(snapshot, reasons)
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
        let gone = |mut snapshot: Snapshot| {
            snapshot.sources[0].paused_by = Some("no such folder /srv/secret".to_owned());
            snapshot
        };
        assert_eq!(reasons(&gone(snapshot()), false), ["source `news` waits to try again"]);
        let optional = |mut snapshot: Snapshot| {
            snapshot.sinks[0].is_optional = true;
            snapshot
        };
        assert_eq!(reasons(&optional(waiting(snapshot())), false), Vec::<String>::new());
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
        let mut status = status(snapshot, false);
        status.inbox.documents_known = [("mail".to_owned(), 2), ("news".to_owned(), 1)].into();
        insta::assert_snapshot!(status.text(), @r#"
        pipeline   news@abc, generation 2 since 2026-11-24T10:00:00Z
        program    0.1.0
        started    2026-11-24T10:00:00Z (1h 1m 1s ago)
        ready      no: sink `results "a"` waits to try again
        documents  12 read, 9 done, 1 failed, 0 returned
        in flight  2 documents of 4096 bytes, the oldest for 1s 500ms
        known      3 documents, not read again: had before, or in a file twice

        source  read  unreadable
        news      12           1

        stage   done  skipped  failed  retried  stuck  ms
        stance    10        1       0        2      0  40

        sink         done  failed  groups  errors  waiting  missed
        results "a"     9       0       3       1        0       0

        sink `results "a"` waits: disk full
        "#);
    }
}
