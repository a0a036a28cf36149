//! Requests of a webhook, and what their answers mean.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use rustix::fs::OFlags;
use standpoint_engine::SinkError;
use thiserror::Error;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::debug;

use super::connect::{self, Connection, Peer};

/// Where requests go, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address, `http` or `https`.
    pub url: String,
    /// A file that holds a token.
    pub token_file: Option<PathBuf>,
    /// A file with more certificates (PEM) to trust.
    pub ca_file: Option<PathBuf>,
    /// How long a request may take.
    pub timeout: Duration,
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

/// The most bytes of a file with a token.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// Sends requests to one address.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    agent: String,
    peer: Peer,
    uri: Uri,
    token: Option<HeaderValue>,
    /// Kept from request to request.
    connection: Option<Connection>,
}

/// What an answer means for what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The server has it.
    Taken,
    /// It refuses this, and says why.
    Refused(String),
}

/// Why a server has not taken what it may take later.
#[derive(Debug)]
pub struct NotNow {
    /// What went wrong.
    pub error: SinkError,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl NotNow {
    fn new(message: String) -> Self {
        Self { error: SinkError::transient(message), retry_after: None }
    }

    fn caused_by(self, cause: impl Into<connect::Error>) -> Self {
        Self { error: self.error.caused_by(cause), ..self }
    }
}

impl Client {
    /// Takes the settings; no connection is made yet.
    ///
    /// - `version`: the program's.
    ///
    /// # Errors
    ///
    /// [`WebhookError`] when they cannot work.
    pub fn open(endpoint: Endpoint, version: &str) -> Result<Self, WebhookError> {
        let url = |reason| WebhookError::Url { found: endpoint.url.clone(), reason };
        let uri: Uri = endpoint.url.parse().map_err(|_| url(""))?;
        let peer = Peer::of(&uri, endpoint.ca_file.as_deref()).map_err(|error| match error {
            connect::PeerError::Url(reason) => url(reason),
            connect::PeerError::Tls(reason) => WebhookError::Tls { reason },
        })?;
        let token = endpoint.token_file.as_deref().map(token).transpose()?;
        let agent = format!("standpoint/{version}");
        Ok(Self { endpoint, agent, peer, uri, token, connection: None })
    }

    /// Sends one request.
    ///
    /// - `kind`: the type of what is sent, for the header;
    /// - `key`: what the server recognises it by when it comes again.
    ///
    /// # Errors
    ///
    /// [`NotNow`] when the server is not to be reached or cannot take anything.
    pub async fn post(&mut self, body: Bytes, kind: &str, key: &str) -> Result<Verdict, NotNow> {
        let address = self.peer.to_string();
        let limit = self.endpoint.timeout;
        let answer = match timeout(limit, self.exchange(body, kind, key)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(NotNow::new(format!("cannot reach {address}")).caused_by(error));
            }
            Err(_) => {
                self.connection = None;
                return Err(NotNow::new(format!("{address} did not answer within {limit:?}")));
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
        let not_now = NotNow { retry_after: answer.retry_after, ..NotNow::new(told) };
        if answer.status == StatusCode::UNAUTHORIZED
            && let Some(path) = self.endpoint.token_file.clone()
        {
            // Somebody may have put a new one there. Off the runtime, for a disk may be slow.
            match spawn_blocking(move || token(&path)).await {
                Ok(Ok(token)) => self.token = Some(token),
                Ok(Err(error)) => return Err(not_now.caused_by(error)),
                Err(error) => return Err(not_now.caused_by(error)),
            }
        }
        Err(not_now)
    }

    /// Sends a request over the connection that is there, or over a new one.
    async fn exchange(
        &mut self,
        body: Bytes,
        kind: &str,
        key: &str,
    ) -> Result<Answer, connect::Error> {
        if let Some(mut connection) = self.connection.take() {
            match connection.send(self.request(body.clone(), kind, key)).await {
                Ok(answer) => return self.read(answer, connection).await,
                // The server may close it at any time. The key tells it what it has already.
                Err(error) => debug!(%error, "an old connection is not used any more"),
            }
        }
        let mut connection = self.peer.connect().await?;
        let answer = connection.send(self.request(body, kind, key)).await?;
        self.read(answer, connection).await
    }

    fn request(&self, body: Bytes, kind: &str, key: &str) -> Request<Full<Bytes>> {
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
        set(header::USER_AGENT, &self.agent);
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
    let text = read_regular(path)
        .map_err(|error| fail(format!("cannot read the webhook's token: {error}")))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim()))
        .ok()
        .filter(|_| !text.trim().is_empty() && !text.trim().contains(char::is_whitespace))
        .ok_or_else(|| fail("expected a token, which is one word".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads a file that is one: a pipe that somebody put in its place would never end.
fn read_regular(path: &Path) -> io::Result<String> {
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    file.take(MAX_TOKEN_BYTES).read_to_string(&mut text)?;
    Ok(text)
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
    fn an_answer_is_told_in_one_harmless_line() {
        assert_eq!(told(" a\r\n\x1b[2Jb "), ": a [2Jb");
        assert_eq!(told(&"x".repeat(1000)).len(), 2 + TOLD_CHARACTERS);
        assert_eq!(told(""), "");
    }

    #[test]
    fn a_token_is_read_from_a_regular_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, pipe) =
            (folder.path().join("token"), folder.path().join("link"), folder.path().join("pipe"));
        std::fs::write(&file, "secret\n").unwrap();
        // As where secrets are mounted.
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(token(&link).unwrap(), "Bearer secret");
        for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
            let told = token(path).unwrap_err().to_string();
            assert!(told.contains("no regular file") || told.contains("directory"), "{told}");
        }
    }
}
