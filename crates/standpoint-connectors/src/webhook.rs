//! The sink `webhook`: results sent to a server by HTTP POST.
//!
//! A server may get a document more than once: after a crash, and whenever its answer was lost. So
//! each request carries an `Idempotency-Key`, which is the document's id where it holds one
//! document, and a hash of the ids where it holds several: the same documents have the same key.
//!
//! What an answer means:
//!
//! | answer | meaning |
//! |---|---|
//! | 2xx | the server has the documents |
//! | 400, 406, 411, 413, 414, 415, 422, 431, 451 | it refuses them: several are sent again one by one until the one that it refuses is found, which goes to quarantine |
//! | any other, or none | it cannot take any document now: they wait, and the request is sent again after a pause, or after `Retry-After` |
//!
//! A redirect is not followed, so that no answer can send documents elsewhere.

mod connect;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use thiserror::Error;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::debug;

use self::connect::{Connection, Peer};
use crate::jsonl::Maker;

/// Settings of the `webhook` sink, which sends each result to a server by HTTP POST.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// The address, such as `https://example.org/results`. Redirects are not followed.
    #[schemars(length(min = 1))]
    pub url: String,

    /// A file that holds a token, which is sent as `Authorization: Bearer TOKEN`. It is read again
    /// after the server has refused it.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub token_file: Option<PathBuf>,

    /// A file with certificates (PEM) that the server's may be signed with, besides those that the
    /// system trusts.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub ca_file: Option<PathBuf>,

    /// The most documents in one request. One goes as a JSON object (`application/json`); where
    /// there may be more, each is a line (`application/x-ndjson`).
    #[serde(default = "one")]
    pub max_documents: NonZeroUsize,

    /// How long a request may take, from the connection to the last byte of the answer.
    #[serde(default = "half_a_minute", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub timeout: Duration,
}

const fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

const fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

/// Why a webhook cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The address is none.
    #[error("`url` is {found:?}: expected an address such as https://example.org/results{reason}")]
    Url {
        /// What stands there.
        found: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// The token cannot be read, or is none.
    #[error("{}: {reason}", path.display())]
    Token {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// Certificates cannot be read, or there is no TLS in this build.
    #[error("{reason}")]
    Tls {
        /// What is wrong.
        reason: String,
    },
}

/// The most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How much of an answer is told.
const TOLD_CHARACTERS: usize = 200;

/// The longest pause that a server can ask for.
const LONGEST_WISH: Duration = Duration::from_mins(10);

/// Sends documents to a server.
#[derive(Debug)]
pub struct WebhookSink {
    settings: WebhookSettings,
    maker: Maker,
    peer: Peer,
    uri: Uri,
    token: Option<HeaderValue>,
    /// Kept from request to request.
    connection: Option<Connection>,
    /// What was answered for documents of a group that is not complete, so that a retry does not
    /// send them again.
    answered: HashMap<String, Result<(), String>>,
    /// Until when the server asked to be left alone.
    not_before: Option<Instant>,
}

/// What an answer means for the documents of a request.
enum Verdict {
    Taken,
    Refused(String),
}

impl WebhookSink {
    /// Takes the settings; no connection is made yet.
    ///
    /// # Errors
    ///
    /// [`WebhookError`] when they cannot work.
    pub fn open(settings: &WebhookSettings, maker: Maker) -> Result<Self, WebhookError> {
        let url = |reason| WebhookError::Url { found: settings.url.clone(), reason };
        let uri: Uri = settings.url.parse().map_err(|_| url(""))?;
        let peer = Peer::of(&uri, settings.ca_file.as_deref()).map_err(|error| match error {
            connect::PeerError::Url(reason) => url(reason),
            connect::PeerError::Tls(reason) => WebhookError::Tls { reason },
        })?;
        let token = settings.token_file.as_deref().map(token).transpose()?;
        Ok(Self {
            settings: settings.clone(),
            maker,
            peer,
            uri,
            token,
            connection: None,
            answered: HashMap::new(),
            not_before: None,
        })
    }

    /// Sends documents until each is taken or refused by itself.
    async fn deliver(&mut self, documents: Vec<Arc<Document<'static>>>) -> Result<(), SinkError> {
        let mut parts = vec![documents];
        while let Some(mut part) = parts.pop() {
            match (self.post(&part).await?, part.as_slice()) {
                (Verdict::Taken, _) => {
                    let taken = part.iter().map(|document| (document.id().to_owned(), Ok(())));
                    self.answered.extend(taken);
                }
                (Verdict::Refused(reason), [only]) => {
                    self.answered.insert(only.id().to_owned(), Err(reason));
                }
                (Verdict::Refused(_), _) => {
                    let later = part.split_off(part.len().div_ceil(2));
                    parts.push(later);
                    parts.push(part);
                }
            }
        }
        Ok(())
    }

    /// Sends one request.
    async fn post(&mut self, documents: &[Arc<Document<'static>>]) -> Result<Verdict, SinkError> {
        let mut lines = Vec::new();
        for document in documents {
            self.maker.line(document, &mut lines);
        }
        let body = Bytes::from(lines);
        let key = key(documents);
        let address = self.peer.to_string();
        let limit = self.settings.timeout;
        let answer = match timeout(limit, self.exchange(body, &key)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let message = format!("cannot reach {address}");
                return Err(SinkError::transient(message).caused_by(error));
            }
            Err(_) => {
                self.connection = None;
                let message = format!("{address} did not answer within {limit:?}");
                return Err(SinkError::transient(message));
            }
        };
        debug!(key, status = answer.status.as_u16(), "a webhook answered");
        if answer.status.is_success() {
            return Ok(Verdict::Taken);
        }
        let told = format!("{address} answered {}{}", answer.status, told(&answer.text));
        if blames_the_document(answer.status) {
            return Ok(Verdict::Refused(told));
        }
        self.not_before = answer.retry_after.map(|pause| Instant::now() + pause);
        if answer.status == StatusCode::UNAUTHORIZED
            && let Some(path) = &self.settings.token_file
        {
            // Somebody may have put a new one there.
            match token(path) {
                Ok(token) => self.token = Some(token),
                Err(error) => return Err(SinkError::transient(told).caused_by(error)),
            }
        }
        Err(SinkError::transient(told))
    }

    /// Sends a request over the connection that is there, or over a new one.
    async fn exchange(&mut self, body: Bytes, key: &str) -> Result<Answer, connect::Error> {
        if let Some(mut connection) = self.connection.take() {
            match connection.send(self.request(body.clone(), key)).await {
                Ok(answer) => return self.read(answer, connection).await,
                // The server may close it at any time. The key tells it what it has already.
                Err(error) => debug!(%error, "an old connection is not used any more"),
            }
        }
        let mut connection = self.peer.connect().await?;
        let answer = connection.send(self.request(body, key)).await?;
        self.read(answer, connection).await
    }

    fn request(&self, body: Bytes, key: &str) -> Request<Full<Bytes>> {
        let is_single = self.settings.max_documents == NonZeroUsize::MIN;
        let kind = if is_single { "application/json" } else { "application/x-ndjson" };
        let agent = format!("standpoint/{}", self.maker.version);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Peer::path_of(&self.uri);
        let headers = request.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            // All of them are made of what a header may hold.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::HOST, &self.peer.host_header());
        set(header::CONTENT_TYPE, kind);
        set(header::USER_AGENT, &agent);
        set(HeaderName::from_static("idempotency-key"), key);
        if let Some(token) = &self.token {
            headers.insert(header::AUTHORIZATION, token.clone());
        }
        request
    }

    /// Reads an answer to its end, so that the connection can be used again.
    async fn read(
        &mut self,
        answer: Response<hyper::body::Incoming>,
        connection: Connection,
    ) -> Result<Answer, connect::Error> {
        let status = answer.status();
        let retry_after = retry_after(answer.headers(), SystemTime::now());
        // A longer answer says nothing more of interest, and its connection is given up.
        let text = match Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await {
            Ok(body) => {
                self.connection = Some(connection);
                String::from_utf8_lossy(&body.to_bytes()).into_owned()
            }
            Err(error) => {
                debug!(%error, "the answer of a webhook was not read to its end");
                String::new()
            }
        };
        Ok(Answer { status, retry_after, text })
    }
}

/// What a server said.
struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    text: String,
}

/// Reads a token.
fn token(path: &Path) -> Result<HeaderValue, WebhookError> {
    let fail = |reason: String| WebhookError::Token { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path)
        .map_err(|error| fail(format!("cannot read the webhook's token: {error}")))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim()))
        .ok()
        .filter(|_| !text.trim().is_empty() && !text.trim().contains(char::is_whitespace))
        .ok_or_else(|| fail("expected a token, which is one word".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What a server recognises a request by.
fn key(documents: &[Arc<Document<'static>>]) -> String {
    if let [only] = documents {
        return only.id().to_owned();
    }
    let mut hasher = blake3::Hasher::new();
    for document in documents {
        hasher.update(&(document.id().len() as u64).to_le_bytes());
        hasher.update(document.id().as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Whether an answer says that the documents are at fault, and not the address, the token or the
/// server.
fn blames_the_document(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 406 | 411 | 413 | 414 | 415 | 422 | 431 | 451)
}

/// How long the server asks to be left alone: a number of seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok()?,
    };
    Some(pause.min(LONGEST_WISH))
}

/// The start of an answer, on one line, fit for a log.
fn told(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told: String = words.chars().filter(|c| !c.is_control()).take(TOLD_CHARACTERS).collect();
    if told.is_empty() { told } else { format!(": {told}") }
}

#[async_trait]
impl Sink for WebhookSink {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        if let Some(then) = self.not_before.take() {
            sleep_until(then).await;
        }
        for part in documents.chunks(self.settings.max_documents.get()) {
            let is_open =
                |document: &&Arc<Document<'static>>| !self.answered.contains_key(document.id());
            let open: Vec<_> = part.iter().filter(is_open).cloned().collect();
            if !open.is_empty() {
                self.deliver(open).await?;
            }
        }
        let answered = std::mem::take(&mut self.answered);
        let answer = |document: &Arc<Document<'static>>| {
            answered.get(document.id()).cloned().unwrap_or(Ok(()))
        };
        Ok(documents.iter().map(answer).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_for_rest_is_read_in_both_forms_and_bounded() {
        let now = httpdate::parse_http_date("Tue, 24 Nov 2026 10:00:00 GMT").unwrap();
        for (value, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Tue, 24 Nov 2026 10:00:30 GMT", Some(30)),
            ("Tue, 24 Nov 2026 09:00:00 GMT", None),
            ("99999999999", Some(600)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap());
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn the_same_documents_have_the_same_key_and_others_have_not() {
        let documents = |ids: &[&str]| -> Vec<_> {
            ids.iter().map(|id| Arc::new(Document::new((*id).to_owned(), "x").unwrap())).collect()
        };
        assert_eq!(key(&documents(&["a"])), "a");
        assert_eq!(key(&documents(&["a", "b"])), key(&documents(&["a", "b"])));
        assert_ne!(key(&documents(&["a", "b"])), key(&documents(&["b", "a"])));
        assert_ne!(key(&documents(&["a", "bc"])), key(&documents(&["ab", "c"])));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let settings = |url: &str| WebhookSettings {
            url: url.to_owned(),
            token_file: None,
            ca_file: None,
            max_documents: NonZeroUsize::MIN,
            timeout: half_a_minute(),
        };
        let maker = || Maker { pipeline: "p@1".into(), version: "0.1.0".into() };
        let refusal = |settings: &WebhookSettings| {
            WebhookSink::open(settings, maker()).map(drop).unwrap_err().to_string()
        };
        for url in
            ["", "example.org/results", "ftp://example.org/", "http://user:word@host/", "http://"]
        {
            let told = refusal(&settings(url));
            assert!(told.contains("expected an address such as"), "{url}: {told}");
        }
        let path = folder.path().join("token");
        let with_token =
            WebhookSettings { token_file: Some(path.clone()), ..settings("http://a/") };
        assert!(refusal(&with_token).contains("cannot read the webhook's token"));
        std::fs::write(&path, "two words\n").unwrap();
        assert!(refusal(&with_token).contains("expected a token"));
        std::fs::write(&path, "secret\n").unwrap();
        let sink = WebhookSink::open(&with_token, maker()).unwrap();
        assert!(!format!("{sink:?}").contains("secret"), "{sink:?}");
    }

    #[test]
    fn an_answer_is_told_in_one_harmless_line() {
        assert_eq!(told(" a\r\n\x1b[2Jb "), ": a [2Jb");
        assert_eq!(told(&"x".repeat(1000)).len(), 2 + TOLD_CHARACTERS);
        assert_eq!(told(""), "");
    }
}
