//! The state of a daemon for Prometheus, in its text format 0.0.4.
//!
//! Labels are names from the pipeline file. Nothing that a document says becomes a label: whoever
//! can write to an inbox could otherwise make as many series as he likes.

use std::fmt::{Display, Write as _};

use crate::cluster::Cluster;
use crate::status::{Inbox, Status};

/// The `Content-Type` of what [`render`] gives.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes every metric.
pub(crate) fn render(status: &Status) -> String {
    let mut page = Page::default();
    let documents = &status.documents;
    page.family("build_info", Kind::Gauge, "The program's version and its pipeline; always 1.");
    page.sample(&[("version", &status.standpoint), ("pipeline", &status.pipeline)], 1);
    page.family("uptime_seconds", Kind::Gauge, "Time since the pipeline was started.");
    page.sample(&[], status.uptime_seconds);
    page.family("ready", Kind::Gauge, "1 where /readyz answers 200, else 0.");
    page.sample(&[], u8::from(status.ready));
    page.family("documents_read_total", Kind::Counter, "Documents that sources delivered.");
    page.sample(&[], documents.read);
    page.family("documents_settled_total", Kind::Counter, "Documents by what became of them.");
    page.sample(&[("outcome", "done")], documents.done);
    page.sample(&[("outcome", "failed")], documents.failed);
    page.sample(&[("outcome", "returned")], documents.returned);
    page.family("documents_unrouted_total", Kind::Counter, "Documents that no route takes.");
    page.sample(&[], documents.unrouted);
    page.family("documents_in_flight", Kind::Gauge, "Documents in the pipeline now.");
    page.sample(&[], documents.in_flight);
    page.family("in_flight_bytes", Kind::Gauge, "Their memory, as counted against the limit.");
    page.sample(&[], documents.bytes_in_flight);
    page.family("oldest_in_flight_seconds", Kind::Gauge, "Age of the oldest document in flight.");
    page.sample(&[], Seconds(documents.oldest_in_flight_ms));
    page.family("stuck_workers", Kind::Gauge, "Workers that are blocked in a stage now.");
    page.sample(&[], documents.stuck_workers);
    page.family("generation", Kind::Gauge, "How many times the pipeline was reloaded, and 1.");
    page.sample(&[], status.generation);
    page.family("config_reload_failed", Kind::Gauge, "1 after a refused reload, until one is not.");
    page.sample(&[], u8::from(status.config_reload_failed.is_some()));
    page.family("config_reload_failures_total", Kind::Counter, "Reloads that were refused.");
    page.sample(&[], status.config_reload_failures);
    page.family("process_resident_bytes", Kind::Gauge, "Memory that the process has.");
    page.sample(&[], status.process.resident_bytes);
    page.family("process_open_files", Kind::Gauge, "Files, sockets and pipes that it has open.");
    page.sample(&[], status.process.open_files);
    page.family("process_threads", Kind::Gauge, "Its threads.");
    page.sample(&[], status.process.threads);
    page.family("log_lines_lost_total", Kind::Counter, "Lines of the log that nobody read.");
    page.sample(&[], status.log_lines_lost);
    page.family(
        "torn_tails_total",
        Kind::Counter,
        "Torn ends that were cut off outputs and the ledger.",
    );
    for (path, value) in &status.torn_tails {
        page.sample(&[("path", path)], value);
    }
    page.family("ledger_bytes", Kind::Gauge, "What the ledger takes of the disk.");
    page.sample(&[], status.ledger_bytes);
    inbox(&mut page, &status.inbox);
    if let Some(status) = &status.cluster {
        cluster(&mut page, status);
    }
    sources(&mut page, status);
    stages(&mut page, status);
    sinks(&mut page, status);
    page.0
}

fn inbox(page: &mut Page, inbox: &Inbox) {
    page.family("inbox_files_total", Kind::Counter, "Files of an inbox by what became of them.");
    let outcomes = [
        ("done", &inbox.done),
        ("quarantined", &inbox.quarantined),
        ("returned", &inbox.returned),
        ("gone", &inbox.gone),
    ];
    for (outcome, values) in outcomes {
        for (source, value) in values {
            page.sample(&[("source", source), ("outcome", outcome)], value);
        }
    }
    // At any moment: taken = in work + done + quarantined + returned + gone.
    page.family(
        "inbox_attempts_total",
        Kind::Counter,
        "Files taken into work, each time that one was.",
    );
    for (source, value) in &inbox.taken {
        page.sample(&[("source", source)], value);
    }
    page.family("inbox_files_in_work", Kind::Gauge, "Files taken and not settled yet.");
    for (source, value) in &inbox.in_work {
        page.sample(&[("source", source)], value);
    }
    page.family(
        "inbox_files_tried_again_total",
        Kind::Counter,
        "Those that took a second attempt.",
    );
    for (source, value) in &inbox.tried_again {
        page.sample(&[("source", source)], value);
    }
    page.family(
        "inbox_documents_known_total",
        Kind::Counter,
        "Documents that were not processed again, because they were known.",
    );
    for (source, value) in &inbox.documents_known {
        page.sample(&[("source", source)], value);
    }
    page.family("inbox_files_waiting", Kind::Gauge, "Files that are there and not taken yet.");
    for (source, value) in &inbox.waiting {
        page.sample(&[("source", source)], value);
    }
    page.family(
        "inbox_oldest_waiting_seconds",
        Kind::Gauge,
        "How long the oldest of them has been there.",
    );
    for (source, value) in &inbox.oldest_waiting_seconds {
        page.sample(&[("source", source)], value);
    }
    page.family("inbox_watched", Kind::Gauge, "1 where the system tells of changes, else 0.");
    for (folder, value) in &inbox.watched {
        page.sample(&[("folder", folder)], value);
    }
}

fn cluster(page: &mut Page, cluster: &Cluster) {
    let stream = [("stream", cluster.stream.as_str())];
    let mut one = |name, kind, help, value: u64| {
        page.family(name, kind, help);
        page.sample(&stream, value);
    };
    let (gauge, counter) = (Kind::Gauge, Kind::Counter);
    one("cluster_connected", gauge, "1 while the server can be reached.", cluster.connected.into());
    one("cluster_pending", gauge, "Documents in the stream that are not done.", cluster.pending);
    one("cluster_oldest_seconds", gauge, "Age of the oldest of them.", cluster.oldest_ms / 1000);
    one("cluster_in_flight", gauge, "Those that workers hold.", cluster.in_flight);
    one("cluster_redelivered", gauge, "Those delivered more than once.", cluster.redelivered);
    one("cluster_held", gauge, "Documents that this worker holds.", cluster.held);
    let partitions = cluster.partitions.len() as u64;
    one("cluster_partitions", gauge, "Partitions that this worker has.", partitions);
    let done = cluster.acknowledged;
    one("cluster_acknowledged_total", counter, "Documents that it acknowledged.", done);
    let again = cluster.recognised;
    one("cluster_recognised_total", counter, "Repeated documents that it recognised.", again);
    one(
        "cluster_retried_total",
        counter,
        "Documents given back to be tried again.",
        cluster.retried,
    );
    let dead = cluster.dead_lettered;
    one("cluster_dead_lettered_total", counter, "Documents that it gave up.", dead);
    one("cluster_disconnects_total", counter, "Connections that were lost.", cluster.disconnects);
    one("cluster_reopened_total", counter, "Times that reading began anew.", cluster.reopened);
    let forgotten = cluster.put_again;
    one("cluster_put_again_total", counter, "Messages that the server forgot.", forgotten);
}

fn sources(page: &mut Page, status: &Status) {
    page.family("source_documents_total", Kind::Counter, "Documents that a source delivered.");
    for source in &status.sources {
        page.sample(&[("source", &source.name)], source.read);
    }
    page.family("source_unreadable_total", Kind::Counter, "Items that could not be read.");
    for source in &status.sources {
        page.sample(&[("source", &source.name)], source.unreadable);
    }
    page.family("source_waiting", Kind::Gauge, "1 while a source waits out an error, else 0.");
    for source in &status.sources {
        page.sample(&[("source", &source.name)], u8::from(source.paused_by.is_some()));
    }
}

fn stages(page: &mut Page, status: &Status) {
    page.family("stage_documents_total", Kind::Counter, "Documents of a stage by outcome.");
    for stage in &status.stages {
        page.sample(&[("stage", &stage.id), ("outcome", "done")], stage.done);
        page.sample(&[("stage", &stage.id), ("outcome", "failed")], stage.failed);
        page.sample(&[("stage", &stage.id), ("outcome", "skipped")], stage.skipped);
    }
    page.family("stage_retries_total", Kind::Counter, "Attempts that failed and were repeated.");
    for stage in &status.stages {
        page.sample(&[("stage", &stage.id)], stage.retried);
    }
    page.family("stage_stuck_calls_total", Kind::Counter, "Calls that blocked past the timeout.");
    for stage in &status.stages {
        page.sample(&[("stage", &stage.id)], stage.stuck);
    }
    page.family("stage_seconds_total", Kind::Counter, "Time in a stage, summed over its calls.");
    for stage in &status.stages {
        page.sample(&[("stage", &stage.id)], Seconds(stage.time_ms));
    }
}

fn sinks(page: &mut Page, status: &Status) {
    page.family("sink_documents_total", Kind::Counter, "Documents of a sink by outcome.");
    for sink in &status.sinks {
        page.sample(&[("sink", &sink.name), ("outcome", "done")], sink.done);
        page.sample(&[("sink", &sink.name), ("outcome", "failed")], sink.failed);
    }
    page.family("sink_groups_total", Kind::Counter, "Groups of documents that a sink wrote.");
    for sink in &status.sinks {
        page.sample(&[("sink", &sink.name)], sink.groups);
    }
    page.family("sink_errors_total", Kind::Counter, "Errors after which a sink tried again.");
    for sink in &status.sinks {
        page.sample(&[("sink", &sink.name)], sink.errors);
    }
    page.family("sink_waiting", Kind::Gauge, "1 while a sink waits out an error, else 0.");
    for sink in &status.sinks {
        page.sample(&[("sink", &sink.name)], u8::from(sink.paused_by.is_some()));
    }
    page.family("sink_queue_documents", Kind::Gauge, "Documents that wait for a sink.");
    for sink in &status.sinks {
        page.sample(&[("sink", &sink.name)], sink.waiting);
    }
    page.family("sink_missed_total", Kind::Counter, "Documents that an optional sink missed.");
    for sink in &status.sinks {
        page.sample(&[("sink", &sink.name)], sink.missed);
    }
    page.family("sink_ended", Kind::Gauge, "1 where an optional sink is not used any more.");
    for sink in &status.sinks {
        page.sample(&[("sink", &sink.name)], u8::from(sink.ended_by.is_some()));
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// Milliseconds, written as seconds.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// A page of metrics, and the name of the family that is being written.
#[derive(Default)]
struct Page(String, String);

impl Page {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.1 = format!("standpoint_{name}");
        let name = &self.1;
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(&self.1);
        for (index, (label, text)) in labels.iter().enumerate() {
            let opening = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{opening}{label}=\"{}\"", escaped(text));
        }
        let closing = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{closing} {value}");
    }
}

/// A label's value, in which the format escapes three characters.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::{snapshot, status};

    #[test]
    fn every_family_is_introduced_and_labels_are_escaped() {
        let page = render(&status(snapshot(), false));
        let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        insta::assert_snapshot!(samples.join("\n"), @r#"
        standpoint_build_info{version="0.1.0",pipeline="news@abc"} 1
        standpoint_uptime_seconds 3661
        standpoint_ready 1
        standpoint_documents_read_total 12
        standpoint_documents_settled_total{outcome="done"} 9
        standpoint_documents_settled_total{outcome="failed"} 1
        standpoint_documents_settled_total{outcome="returned"} 0
        standpoint_documents_unrouted_total 0
        standpoint_documents_in_flight 2
        standpoint_in_flight_bytes 4096
        standpoint_oldest_in_flight_seconds 1.500
        standpoint_stuck_workers 0
        standpoint_generation 2
        standpoint_config_reload_failed 0
        standpoint_config_reload_failures_total 0
        standpoint_process_resident_bytes 0
        standpoint_process_open_files 0
        standpoint_process_threads 0
        standpoint_log_lines_lost_total 0
        standpoint_ledger_bytes 0
        standpoint_source_documents_total{source="news"} 12
        standpoint_source_unreadable_total{source="news"} 1
        standpoint_source_waiting{source="news"} 0
        standpoint_stage_documents_total{stage="stance",outcome="done"} 10
        standpoint_stage_documents_total{stage="stance",outcome="failed"} 0
        standpoint_stage_documents_total{stage="stance",outcome="skipped"} 1
        standpoint_stage_retries_total{stage="stance"} 2
        standpoint_stage_stuck_calls_total{stage="stance"} 0
        standpoint_stage_seconds_total{stage="stance"} 0.040
        standpoint_sink_documents_total{sink="results \"a\"",outcome="done"} 9
        standpoint_sink_documents_total{sink="results \"a\"",outcome="failed"} 0
        standpoint_sink_groups_total{sink="results \"a\""} 3
        standpoint_sink_errors_total{sink="results \"a\""} 1
        standpoint_sink_waiting{sink="results \"a\""} 0
        standpoint_sink_queue_documents{sink="results \"a\""} 0
        standpoint_sink_missed_total{sink="results \"a\""} 0
        standpoint_sink_ended{sink="results \"a\""} 0
        "#);
        for sample in samples {
            let name = sample.split(['{', ' ']).next().unwrap_or_default();
            for comment in ["HELP", "TYPE"] {
                assert!(page.contains(&format!("# {comment} {name} ")), "{comment} of {name}");
            }
        }
        assert_eq!(escaped("a\\b\"c\nd"), r#"a\\b\"c\nd"#);
    }
}
