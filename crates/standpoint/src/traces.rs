//! Traces over OTLP: what a sample of the documents cost, sent to a collector as JSON over HTTP.
//!
//! A trace is a document, with a span for each stage that it went through. It comes from the tap,
//! after the fact: so tracing costs nothing while the collector is slow or gone, and nothing of a
//! document's text leaves the process.

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use standpoint_document::Document;
use standpoint_engine::Tap;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// The variables that OpenTelemetry has for where traces go: the first as it is, the second with
/// [`PATH`] behind it.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PATH: &str = "/v1/traces";

/// The pause between two documents that are looked at: the others pass unseen.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// How many traces are sent together, at most.
const TOGETHER: usize = 20;

/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause after the collector failed.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// Where traces go, if anywhere.
///
/// # Errors
///
/// When a variable holds no address of a collector.
pub(crate) fn collector() -> Result<Option<Uri>> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let found = variable(TRACES_ENDPOINT).map(|address| (TRACES_ENDPOINT, address)).or_else(|| {
        let address = variable(ENDPOINT)?;
        Some((ENDPOINT, format!("{}{PATH}", address.trim_end_matches('/'))))
    });
    let Some((name, address)) = found else { return Ok(None) };
    let uri: Uri = address.parse().with_context(|| format!("{name} is no address: {address}"))?;
    if uri.scheme_str() != Some("http") || uri.host().is_none() {
        bail!("{name} is {address}: expected http://HOST:PORT of a collector");
    }
    Ok(Some(uri))
}

/// Sends traces until it is dropped.
///
/// - `version`: the program's.
pub(crate) async fn send(collector: Uri, tap: Tap, version: String) {
    info!(%collector, "traces are sent");
    let mut is_failing = false;
    loop {
        // Opened anew for each message: while one is sent, documents pass unseen and uncopied.
        let Some(mut passing) = tap.open(None) else {
            sleep(AFTER_FAILURE).await;
            continue;
        };
        let mut spans = Vec::new();
        let mut wait = Duration::MAX;
        for _ in 0..TOGETHER {
            let Ok(Some(document)) = timeout(wait, passing.recv()).await else { break };
            spans.extend(spans_of(&document, SystemTime::now()));
            wait = 10 * SAMPLE_EVERY;
            sleep(SAMPLE_EVERY).await;
        }
        drop(passing);
        let sent = timeout(PATIENCE, post(&collector, message(&spans, &version))).await;
        match sent.context("no answer in time").and_then(|sent| sent) {
            Ok(()) => is_failing = false,
            Err(error) => {
                // Once for each outage: traces are not worth a full log.
                if !std::mem::replace(&mut is_failing, true) {
                    warn!(%collector, error = format!("{error:#}"), "traces are lost");
                }
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}

/// The spans of a document that has gone through its stages just now, one after another.
fn spans_of(document: &Document<'_>, now: SystemTime) -> Vec<Value> {
    let end = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let took = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default();
    let all: Duration = document.stages().iter().map(|stage| took(stage.ms)).sum();
    let seed = format!("{} {}", document.id(), end.as_nanos());
    let hash = blake3::hash(seed.as_bytes()).to_hex();
    let (trace, root) = (&hash[..32], &hash[32..48]);
    let nanos = |at: Duration| at.as_nanos().to_string();
    let mut at = end.saturating_sub(all);
    let mut spans = vec![json!({
        "traceId": trace,
        "spanId": root,
        "name": "document",
        "kind": 1,
        "startTimeUnixNano": nanos(at),
        "endTimeUnixNano": nanos(end),
        "attributes": [
            attribute("standpoint.document", document.id()),
            attribute("standpoint.source", &document.metadata().source.name),
            attribute("standpoint.status", document.status()),
        ],
    })];
    for (index, stage) in document.stages().iter().enumerate() {
        let begun = at;
        at += took(stage.ms);
        let seed = format!("{hash} {index}");
        spans.push(json!({
            "traceId": trace,
            "spanId": &blake3::hash(seed.as_bytes()).to_hex()[..16],
            "parentSpanId": root,
            "name": stage.name,
            "kind": 1,
            "startTimeUnixNano": nanos(begun),
            "endTimeUnixNano": nanos(at),
            "attributes": [attribute("standpoint.version", &stage.version)],
        }));
    }
    spans
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn message(spans: &[Value], version: &str) -> String {
    let resource = [attribute("service.name", "standpoint"), attribute("service.version", version)];
    let scope = json!({ "scope": { "name": "standpoint", "version": version }, "spans": spans });
    let traces = json!({ "resource": { "attributes": resource }, "scopeSpans": [scope] });
    json!({ "resourceSpans": [traces] }).to_string()
}

async fn post(collector: &Uri, message: String) -> Result<()> {
    let host = collector.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, collector.port_u16().unwrap_or(4318))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let path = collector.path_and_query().map_or(PATH, |path| path.as_str());
    let authority = collector.authority().map_or("", |authority| authority.as_str());
    let request = Request::post(path)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(message)))
        .context("cannot ask")?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        // What it says is read so that it can finish; no more than a page of it.
        let _ = Limited::new(answer.into_body(), 1 << 16).collect().await;
        anyhow::Ok(status)
    };
    // The connection moves the bytes that the answer waits for.
    let status = tokio::select! {
        answered = answer => answered?,
        ended = connection => {
            ended?;
            bail!("the collector hung up");
        }
    };
    if !status.is_success() {
        bail!("the collector answered {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use standpoint_document::StageRecord;

    #[test]
    fn a_document_is_a_trace_and_its_stages_follow_one_another() {
        let mut document = Document::new("d1", "Secret words.").unwrap();
        for (name, ms) in [("tokenise", 2.0), ("stance", 3.0)] {
            let (name, version) = (name.to_owned(), "0.1.0".to_owned());
            document.add_stage(StageRecord { name, version, model: None, ms });
        }
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let spans = spans_of(&document, now);
        let times: Vec<_> = spans
            .iter()
            .map(|span| {
                let time = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
                let base = 1_000_000_000_000_000 - 5_000_000;
                let name = span["name"].as_str().unwrap();
                (name, time("startTimeUnixNano") - base, time("endTimeUnixNano") - base)
            })
            .collect();
        assert_eq!(
            times,
            [
                ("document", 0, 5_000_000),
                ("tokenise", 0, 2_000_000),
                ("stance", 2_000_000, 5_000_000)
            ]
        );
        assert!(spans.iter().all(|span| span["traceId"] == spans[0]["traceId"]));
        assert!(spans[1..].iter().all(|span| span["parentSpanId"] == spans[0]["spanId"]));
        assert!(!message(&spans, "0.1.0").contains("Secret"));
    }
}
