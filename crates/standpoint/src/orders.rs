//! What a daemon can be told, and shows of documents: to its own user alone, through the socket in
//! its data folder.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Request, StatusCode};
use standpoint_document::{Document, ResultLine};
use standpoint_engine::Tap;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::reload::ReloadRequests;
use crate::status::View;

/// Reloads the pipeline file (POST); with `?wait` the answer comes when it is done.
pub(crate) const RELOAD: &str = "/reload";

/// A sample of the documents that pass (GET), as result lines.
pub(crate) const TAP: &str = "/tap";

/// The header that names the stage after which `TAP` looks.
pub(crate) const STAGE_HEADER: &str = "standpoint-stage";

/// How long a tap waits for a document to pass.
const TAP_PATIENCE: Duration = Duration::from_secs(5);

/// The most documents in one answer of a tap, and the most bytes after which it ends.
const TAP_MOST: usize = 16;
const TAP_MOST_BYTES: usize = 4 << 20;

/// What orders act on.
pub(crate) struct Orders {
    reloads: ReloadRequests,
    tap: Tap,
}

/// An answer: its code, the kind of its text, and the text.
pub(crate) type Told = (StatusCode, &'static str, String);

const TEXT: &str = "text/plain; charset=utf-8";

impl Orders {
    pub(crate) fn new(reloads: ReloadRequests, tap: Tap) -> Self {
        Self { reloads, tap }
    }

    /// Obeys; `None` when the request is no order.
    pub(crate) async fn obey<Body>(&self, request: &Request<Body>, view: &View) -> Option<Told> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, RELOAD) => Some(self.reload(request.uri().query(), view).await),
            (&Method::GET, TAP) => Some(self.tap(request, view).await),
            _ => None,
        }
    }

    async fn reload(&self, query: Option<&str>, view: &View) -> Told {
        if query != Some("wait") {
            self.reloads.ask();
            return (StatusCode::ACCEPTED, TEXT, "the pipeline file is being read again; `reload --wait` tells whether it was taken over\n".to_owned());
        }
        match self.reloads.wait().await {
            Ok(()) => {
                let status = view.status();
                let told = format!("generation {} runs: {}\n", status.generation, status.pipeline);
                (StatusCode::OK, TEXT, told)
            }
            Err(reason) => (StatusCode::CONFLICT, TEXT, format!("{reason}\n")),
        }
    }

    async fn tap<Body>(&self, request: &Request<Body>, view: &View) -> Told {
        let status = view.status();
        let stage = match request.headers().get(STAGE_HEADER) {
            None => None,
            Some(name) => {
                let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
                if !status.stages.iter().any(|stage| stage.id == name) {
                    let known: Vec<_> = status.stages.iter().map(|stage| &*stage.id).collect();
                    let told = format!("there is no stage `{name}`: {}\n", known.join(", "));
                    return (StatusCode::BAD_REQUEST, TEXT, told);
                }
                Some(name)
            }
        };
        let Some(mut passing) = self.tap.open(stage) else {
            let told = "too many look at documents already\n".to_owned();
            return (StatusCode::SERVICE_UNAVAILABLE, TEXT, told);
        };
        let lines = lines(&mut passing, &status.pipeline, &status.standpoint).await;
        (StatusCode::OK, "application/x-ndjson", lines)
    }
}

/// The result lines of the next documents; none when none pass in time.
async fn lines(
    passing: &mut mpsc::Receiver<Arc<Document<'static>>>,
    pipeline: &str,
    version: &str,
) -> String {
    let mut lines = Vec::new();
    let mut next = timeout(TAP_PATIENCE, passing.recv()).await.ok().flatten();
    for _ in 0..TAP_MOST {
        let Some(document) = next else { break };
        ResultLine::new(&document, pipeline, version).write(&mut lines);
        lines.push(b'\n');
        if lines.len() >= TAP_MOST_BYTES {
            break;
        }
        next = passing.try_recv().ok();
    }
    // JSON is text.
    String::from_utf8(lines).unwrap_or_default()
}
