//! What a daemon says of itself, for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::rate::Lately;
use super::{Refusal, Status};
use crate::style::{columns, many, row};

impl Status {
    /// The state for people.
    pub(crate) fn text(&self) -> String {
        let uptime = humantime::format_duration(Duration::from_secs(self.uptime_seconds));
        let ready =
            if self.ready { "yes".to_owned() } else { format!("no: {}", self.reasons.join("; ")) };
        let documents = &self.documents;
        let mut text = format!(
            "pipeline   {}, generation {} since {}\nprogram    {}\nstarted    {} ({uptime} ago)\nready      {ready}\n\
             documents  {} read, {} done, {} failed, {} returned\n\
             in flight  {} of {}, the oldest for {}\n",
            self.pipeline,
            self.generation,
            self.loaded,
            self.standpoint,
            self.started,
            documents.read,
            documents.done,
            documents.failed,
            documents.returned,
            many(documents.in_flight, "document"),
            many(documents.bytes_in_flight, "byte"),
            humantime::format_duration(Duration::from_millis(documents.oldest_in_flight_ms)),
        );
        if let Some(per_second) = documents.lately.per_second() {
            let Lately { done, ms } = documents.lately;
            let _ = writeln!(
                text,
                "rate       {per_second:.2} documents a second, {done} within {} s",
                ms / 1000
            );
        }
        let known: u64 = self.inbox.documents_known.values().sum();
        if known > 0 {
            let known = many(known, "document");
            let _ = writeln!(
                text,
                "known      {known}, not read again: had before, or in a file twice"
            );
        }
        if documents.unrouted > 0 {
            let unrouted = many(documents.unrouted, "document");
            let _ = writeln!(text, "unrouted   {unrouted}, which no route takes");
        }
        if let Some(cluster) = &self.cluster {
            text.push_str(&cluster.text());
        }
        if let Some(Refusal { generation, at, reason }) = &self.config_reload_failed {
            let _ = writeln!(text, "reload     generation {generation} refused at {at}:\n{reason}");
        }
        let mut rows = vec![row(["source", "read", "unreadable"])];
        rows.extend(self.sources.iter().map(|source| {
            row([&source.name, &source.read.to_string(), &source.unreadable.to_string()])
        }));
        text.push('\n');
        text.push_str(&columns(&rows));
        let mut rows = vec![row(["stage", "done", "skipped", "failed", "retried", "stuck", "ms"])];
        rows.extend(self.stages.iter().map(|stage| {
            let counts = [stage.done, stage.skipped, stage.failed, stage.retried, stage.stuck];
            let mut cells = vec![stage.id.clone()];
            cells.extend(counts.iter().chain([&stage.time_ms]).map(u64::to_string));
            cells
        }));
        text.push('\n');
        text.push_str(&columns(&rows));
        let mut rows =
            vec![row(["sink", "done", "failed", "groups", "errors", "waiting", "missed"])];
        rows.extend(self.sinks.iter().map(|sink| {
            let counts =
                [sink.done, sink.failed, sink.groups, sink.errors, sink.waiting, sink.missed];
            let mut cells = vec![sink.name.clone()];
            cells.extend(counts.iter().map(u64::to_string));
            cells
        }));
        text.push('\n');
        text.push_str(&columns(&rows));
        for source in &self.sources {
            if let Some(reason) = &source.paused_by {
                let _ = write!(text, "\nsource `{}` waits: {reason}\n", source.name);
            }
        }
        for sink in &self.sinks {
            if let Some(error) = &sink.paused_by {
                let _ = write!(text, "\nsink `{}` waits: {error}\n", sink.name);
            }
            if let Some(error) = &sink.ended_by {
                let _ = write!(text, "\nsink `{}` is not used any more: {error}\n", sink.name);
            }
        }
        text
    }
}
