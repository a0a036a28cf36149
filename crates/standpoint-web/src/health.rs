//! How the pipeline is: documents, stages, sinks, and what is in quarantine.

use maud::{Markup, html};
use serde_json::Value;

use crate::site::Daemon;
use crate::text::{counted, line, many, moment};

/// The most files of the quarantine on the page.
const MOST_FILES: usize = 50;

/// The section of the daemon's health.
///
/// - `is_page`: whether the page shows nothing else, so that its heading is the section's.
#[must_use]
pub fn section(daemon: &dyn Daemon, is_page: bool) -> Markup {
    let status = daemon.status();
    let is_ready = status["ready"] == true;
    let reasons: Vec<&str> =
        status["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let documents = &status["documents"];
    let done = number(&documents["done"]);
    html! {
        p {
            @if is_ready { span.badge.accepted { "\u{2713} ready" } }
            @else { span.badge.rejected { "\u{2717} not ready" } " " (line(&reasons.join("; "))) }
            " "
            (many(number(&documents["read"]), "document")) " read, " (counted(done)) " done, "
            (counted(number(&documents["failed"]))) " failed, "
            (counted(number(&documents["in_flight"]))) " under way since "
            (moment(status["started"].as_str().unwrap_or_default()))
            "."
        }
        (rate(&documents["lately"]))
        (waiting(&status["inbox"]))
        (left(documents, &status["inbox"]))
        div.wide tabindex="0" role="region" aria-label="Stages and sinks" {
            table.stages {
                thead {
                    tr {
                        th scope="col" { "Stage" } th.number scope="col" { "Done" }
                        th.number scope="col" { "Passed by" } th.number scope="col" { "Failed" }
                        th.number scope="col" { "Again" } th.number scope="col" { "Stuck" }
                        th.number scope="col" { "Milliseconds each" }
                    }
                }
                tbody {
                    @for stage in status["stages"].as_array().into_iter().flatten() {
                        @let calls = number(&stage["done"]);
                        tr {
                            th scope="row" { (line(stage["id"].as_str().unwrap_or_default())) }
                            td.number { (counted(calls)) }
                            td.number { (counted(number(&stage["skipped"]))) }
                            td.number { (counted(number(&stage["failed"]))) }
                            td.number { (counted(number(&stage["retried"]))) }
                            td.number { (counted(number(&stage["stuck"]))) }
                            td.number { (format!("{:.2}", number(&stage["time_ms"]) as f64 / calls.max(1) as f64)) }
                        }
                    }
                }
            }
            table.sinks {
                thead {
                    tr {
                        th scope="col" { "Sink" } th.number scope="col" { "Done" }
                        th.number scope="col" { "Failed" } th.number scope="col" { "Errors" }
                        th scope="col" { "Waits for" }
                    }
                }
                tbody {
                    @for sink in status["sinks"].as_array().into_iter().flatten() {
                        tr {
                            th scope="row" { (line(sink["name"].as_str().unwrap_or_default())) }
                            td.number { (counted(number(&sink["done"]))) }
                            td.number { (counted(number(&sink["failed"]))) }
                            td.number { (counted(number(&sink["errors"]))) }
                            td { (line(sink["paused_by"].as_str().unwrap_or("\u{2013}"))) }
                        }
                    }
                }
            }
        }
        @if is_page { h2 { "Quarantine" } } @else { h3 { "Quarantine" } }
        (letters(&status["cluster"]))
        (quarantine(daemon.quarantine()))
    }
}

fn quarantine(files: Result<Vec<Value>, String>) -> Markup {
    let files = match files {
        Ok(files) => files,
        Err(error) => return html! { p.complaint { (line(&error)) } },
    };
    html! {
        @if files.is_empty() { p.empty { "Nothing is in quarantine." } }
        @else {
            ul.quarantine {
                @for file in files.iter().take(MOST_FILES) {
                    @let name = file["file"].as_str().unwrap_or_default();
                    @let found = file["reason"]["reason"].as_str().or_else(|| file["unreadable"].as_str());
                    li {
                        b { bdi { (line(name)) } } " "
                        span.faint { (many(number(&file["bytes"]), "byte")) }
                        p { (line(found.unwrap_or_default())) }
                        button.scripted type="button" data-replay=(name) { "Try again" }
                    }
                }
            }
            @if files.len() > MOST_FILES {
                p.faint { a href="/api/v1/quarantine" { "And " (files.len() - MOST_FILES) " more" } " (JSON)." }
            }
        }
    }
}

/// How many documents a second are done now, not since the start: a daemon that slept through the
/// night is no slow one.
fn rate(lately: &Value) -> Markup {
    let (done, ms) = (number(&lately["done"]), number(&lately["ms"]));
    html! {
        @if ms >= 1000 {
            p.rate {
                b { (format!("{:.2}", done as f64 * 1000.0 / ms as f64)) " documents a second" }
                ": " (counted(done)) " done within the last " (many(ms / 1000, "second")) "."
            }
        }
    }
}

/// Files that are in inboxes and not taken yet.
fn waiting(inbox: &Value) -> Markup {
    let none = serde_json::Map::new();
    let files = inbox["waiting"].as_object().unwrap_or(&none);
    html! {
        @for (source, files) in files {
            @let files = number(files);
            @let oldest = number(&inbox["oldest_waiting_seconds"][source]);
            p.waiting {
                @if files == 0 { "No file waits in " b { bdi { (line(source)) } } "." }
                @else {
                    b { (many(files, "file")) } (if files == 1 { " waits in " } else { " wait in " })
                    b { bdi { (line(source)) } } ", the oldest for " (lasting(oldest)) "."
                }
            }
        }
    }
}

/// How long what waits takes, as fast as it goes now.
fn left(documents: &Value, inbox: &Value) -> Markup {
    let (done, ms) = (number(&documents["lately"]["done"]), number(&documents["lately"]["ms"]));
    let files: i64 =
        inbox["waiting"].as_object().into_iter().flat_map(|files| files.values()).map(number).sum();
    html! {
        // What is under way alone is over before anybody has read how long it takes.
        @if files > 0 && done > 0 && ms >= 1000 {
            @let to_do = files + number(&documents["in_flight"]);
            // How many documents a file holds is known when it is read.
            p.left {
                "At this pace at least " b { (lasting(to_do.saturating_mul(ms) / done / 1000 + 1)) }
                " are left, more where a file holds several documents."
            }
        }
    }
}

/// Seconds in words.
fn lasting(seconds: i64) -> String {
    match seconds {
        ..120 => many(seconds, "second"),
        120..7200 => many(seconds / 60, "minute"),
        7200..172_800 => many(seconds / 3600, "hour"),
        _ => many(seconds / 86_400, "day"),
    }
}

/// Where a worker's failures are, which are not among the files of this machine.
fn letters(cluster: &Value) -> Markup {
    html! {
        @if let Some(stream) = cluster["stream"].as_str() {
            p.letters {
                "This daemon is a worker of the stream " b { bdi { (line(stream)) } }
                ": documents that its workers gave up are dead letters there ("
                (counted(number(&cluster["dead_lettered"]))) " by this one since it started). "
                code { "standpoint quarantine list -c PIPELINE.yaml" } " shows them, "
                code { "replay" } " puts them back into the stream. Below are the files of this machine alone."
            }
        }
    }
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}
