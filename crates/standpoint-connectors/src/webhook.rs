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

mod client;
mod connect;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::body::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use tokio::time::{Instant, sleep_until};

pub use self::client::{Client, Endpoint, NotNow, Verdict, WebhookError};
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

/// Sends documents to a server.
#[derive(Debug)]
pub struct WebhookSink {
    max_documents: NonZeroUsize,
    maker: Maker,
    client: Client,
    /// What was answered for documents of a group that is not complete, so that a retry does not
    /// send them again.
    answered: HashMap<String, Result<(), String>>,
    /// Until when the server asked to be left alone.
    not_before: Option<Instant>,
}

impl WebhookSink {
    /// Takes the settings; no connection is made yet.
    ///
    /// # Errors
    ///
    /// [`WebhookError`] when they cannot work.
    pub fn open(settings: &WebhookSettings, maker: Maker) -> Result<Self, WebhookError> {
        let WebhookSettings { url, token_file, ca_file, max_documents, timeout } = settings.clone();
        let client = Client::open(Endpoint { url, token_file, ca_file, timeout }, &maker.version)?;
        Ok(Self { max_documents, maker, client, answered: HashMap::new(), not_before: None })
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
        let is_single = self.max_documents == NonZeroUsize::MIN;
        let kind = if is_single { "application/json" } else { "application/x-ndjson" };
        self.client.post(Bytes::from(lines), kind, &key(documents)).await.map_err(|not_now| {
            self.not_before = not_now.retry_after.map(|pause| Instant::now() + pause);
            not_now.error
        })
    }
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

#[async_trait]
impl Sink for WebhookSink {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        if let Some(then) = self.not_before.take() {
            sleep_until(then).await;
        }
        for part in documents.chunks(self.max_documents.get()) {
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
}
