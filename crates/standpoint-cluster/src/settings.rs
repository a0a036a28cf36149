//! What a pipeline file may say of a cluster and of the sink `nats`.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// `cluster: { nats: ... }`: this daemon is one of many workers that share a stream of documents on
/// a NATS server with `JetStream`. The file's own sources are not used then.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NatsSettings {
    /// The server, such as `nats://127.0.0.1:4222` or `tls://nats.example.org`; several servers of
    /// one cluster with commas between them.
    #[schemars(length(min = 1))]
    pub url: String,

    /// The stream that holds the documents that wait; made if it is not there. Its subjects begin
    /// with its name in lower case. Letters, digits, `-` and `_`.
    #[serde(default = "default_stream")]
    #[schemars(length(min = 1, max = 64))]
    pub stream: String,

    /// What documents have in common that belong to one partition.
    #[serde(default)]
    pub partition_by: PartitionBy,

    /// Whether results keep the order in which documents of one partition were published.
    #[serde(default)]
    pub ordering: Ordering,

    /// Into how many partitions documents are divided; with `ordering: per_source`, no more
    /// workers than that have anything to do. Fixed once the stream is made.
    #[serde(default = "default_partitions")]
    #[schemars(range(min = 1, max = 1024))]
    pub partitions: NonZeroU32,

    /// How many documents a worker holds at a time.
    #[serde(default = "default_max_in_flight")]
    pub max_in_flight: NonZeroUsize,

    /// How long the server hears nothing of a document before it gives it to another worker.
    /// A worker speaks up three times as often while it holds one.
    #[serde(default = "default_ack_wait", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub ack_wait: Duration,

    /// How often a document is tried, by whichever workers, before it goes to the dead letters.
    /// With `ordering: per_source` one that fails goes there at once, so that nobody waits for it.
    #[serde(default = "default_max_attempts")]
    pub max_attempts: NonZeroU32,

    /// How long before a document that failed is tried again: doubled each time, up to a minute.
    #[serde(default = "default_retry_delay", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub retry_delay: Duration,

    /// How long a worker may be silent before others take its partitions; with
    /// `ordering: per_source`.
    #[serde(default = "default_lease", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub lease: Duration,

    /// How long the server recognises an id that is published again. Longer than the longest
    /// outage after which a publisher tries again.
    #[serde(default = "default_duplicate_window", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub duplicate_window: Duration,

    /// On how many servers of the cluster the streams are kept, when they are made.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1, max = 5))]
    pub replicas: NonZeroUsize,

    /// Who this is to the server.
    #[serde(default)]
    pub auth: AuthSettings,

    /// How the server is recognised.
    #[serde(default)]
    pub tls: TlsSettings,
}

/// Settings of the `nats` sink, which publishes each document to a NATS server with `JetStream`,
/// with the document's id as `Nats-Msg-Id`, so that one that comes twice within the stream's window
/// stands there once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NatsSinkSettings {
    /// The server, such as `nats://127.0.0.1:4222`; several of one cluster with commas between.
    #[schemars(length(min = 1))]
    pub url: String,

    /// `results` publishes result lines. `documents` publishes the documents themselves, for the
    /// workers of a cluster to process: this is how an inbox feeds one.
    #[serde(default)]
    pub publish: Publish,

    /// The stream. One of results is made if it is not there; one of documents is made by its
    /// workers or by `standpoint publish`, whose settings say how it is divided.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    pub stream: Option<String>,

    /// The subject of results; the name of the stream in lower case if left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    pub subject: Option<String>,

    /// How long the server recognises a result that is published again; when the stream is made.
    #[serde(default = "default_duplicate_window", with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration"))]
    pub duplicate_window: Duration,

    /// On how many servers of the cluster a stream of results is kept, when it is made.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1, max = 5))]
    pub replicas: NonZeroUsize,

    /// Who this is to the server.
    #[serde(default)]
    pub auth: AuthSettings,

    /// How the server is recognised.
    #[serde(default)]
    pub tls: TlsSettings,
}

/// What a sink publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Publish {
    /// Result lines.
    #[default]
    Results,
    /// Documents for the workers of a cluster.
    Documents,
}

/// What documents of one partition have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartitionBy {
    /// The name of their source.
    #[default]
    Source,
    /// Their source and the folder that they were found in, such as one folder for each feed.
    Folder,
    /// Whose text they are.
    Author,
    /// Nothing: each is divided by its id.
    Id,
}

/// Whether results keep an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// Results come as they are ready, and any worker takes any document.
    #[default]
    None,
    /// Results of one partition come in the order of its documents: one worker at a time has it.
    PerSource,
}

/// Who this is to the server: nobody in particular, or one of user and password, token, `NKey` and
/// credentials file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// The user's name.
    pub user: Option<String>,

    /// Its password, such as `${file:./password}`.
    pub password: Option<Secret>,

    /// A token, such as `${NATS_TOKEN}`.
    pub token: Option<Secret>,

    /// A file that holds the seed of an `NKey`, which begins with `SU`.
    #[schemars(extend("format" = "path"))]
    pub nkey_file: Option<PathBuf>,

    /// A credentials file, as `nsc` makes it: a JWT and its seed.
    #[schemars(extend("format" = "path"))]
    pub credentials_file: Option<PathBuf>,
}

/// How the server is recognised, and how it recognises this.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// Whether a connection without TLS is refused; `tls://` in the address says the same.
    pub required: bool,

    /// A file with certificates (PEM) that the server's may be signed with, besides those that the
    /// system trusts.
    #[schemars(extend("format" = "path"))]
    pub ca_file: Option<PathBuf>,

    /// A file with this client's own certificate (PEM).
    #[schemars(extend("format" = "path"))]
    pub certificate_file: Option<PathBuf>,

    /// A file with the key of that certificate (PEM).
    #[schemars(extend("format" = "path"))]
    pub key_file: Option<PathBuf>,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// What is wrong with settings that a schema cannot say.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{key}`: {problem}")]
pub struct SettingsError {
    /// The key, from the settings' own top.
    pub key: &'static str,
    /// What was found, what was expected, what to do.
    pub problem: String,
}

impl NatsSettings {
    /// Checks what a schema cannot say.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self) -> Result<(), SettingsError> {
        check_stream(&self.stream)?;
        if self.partitions.get() > 1024 {
            return Err(refuse("partitions", format!("found {}, at most 1024", self.partitions)));
        }
        for (key, found) in [("ack_wait", self.ack_wait), ("lease", self.lease)] {
            if found < Duration::from_secs(1) {
                return Err(refuse(key, format!("found {found:?}, expected at least 1s")));
            }
        }
        self.auth.check()?;
        self.tls.check()
    }
}

impl NatsSinkSettings {
    /// Checks what a schema cannot say.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self) -> Result<(), SettingsError> {
        match (self.publish, &self.stream, &self.subject) {
            (Publish::Documents, None, _) => {
                let problem = "`publish: documents` needs the stream of the workers";
                return Err(refuse("stream", problem.to_owned()));
            }
            (Publish::Documents, Some(_), Some(_)) => {
                let problem =
                    "the subjects of documents are made of their stream's name; remove it";
                return Err(refuse("subject", problem.to_owned()));
            }
            (Publish::Results, None, None) => {
                let problem = "name the stream that keeps the results, or at least a `subject` that \
                               some stream takes";
                return Err(refuse("stream", problem.to_owned()));
            }
            _ => {}
        }
        if let Some(stream) = &self.stream {
            check_stream(stream)?;
        }
        let is_subject = |subject: &String| {
            let is_plain = |c: char| c.is_ascii_graphic() && !"*>".contains(c);
            subject.chars().all(is_plain) && subject.split('.').all(|token| !token.is_empty())
        };
        if let Some(subject) = self.subject.as_ref().filter(|subject| !is_subject(subject)) {
            let problem = format!(
                "found {subject:?}, expected words with dots between them, such as `results.stance`"
            );
            return Err(refuse("subject", problem));
        }
        self.auth.check()?;
        self.tls.check()
    }
}

impl AuthSettings {
    fn check(&self) -> Result<(), SettingsError> {
        if self.user.is_some() != self.password.is_some() {
            return Err(refuse("auth", "`user` and `password` go together".to_owned()));
        }
        let ways = [
            self.user.is_some(),
            self.token.is_some(),
            self.nkey_file.is_some(),
            self.credentials_file.is_some(),
        ];
        if ways.iter().filter(|is_used| **is_used).count() > 1 {
            let problem = "choose one of `user` and `password`, `token`, `nkey_file` and \
                           `credentials_file`";
            return Err(refuse("auth", problem.to_owned()));
        }
        Ok(())
    }
}

impl TlsSettings {
    fn check(&self) -> Result<(), SettingsError> {
        if self.certificate_file.is_some() != self.key_file.is_some() {
            return Err(refuse("tls", "`certificate_file` and `key_file` go together".to_owned()));
        }
        Ok(())
    }
}

/// Names become parts of subjects and of the server's files.
fn check_stream(name: &str) -> Result<(), SettingsError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        let problem = format!("found {name:?}, expected up to 64 letters, digits, `-` and `_`");
        return Err(refuse("stream", problem));
    }
    Ok(())
}

pub(crate) fn refuse(key: &'static str, problem: String) -> SettingsError {
    SettingsError { key, problem }
}

fn default_stream() -> String {
    "DOCUMENTS".to_owned()
}

const fn default_partitions() -> NonZeroU32 {
    NonZeroU32::new(64).expect("64 is not zero")
}

pub(crate) const fn default_max_in_flight() -> NonZeroUsize {
    NonZeroUsize::new(128).expect("128 is not zero")
}

const fn default_ack_wait() -> Duration {
    Duration::from_secs(30)
}

pub(crate) const fn default_max_attempts() -> NonZeroU32 {
    NonZeroU32::new(3).expect("3 is not zero")
}

pub(crate) const fn default_retry_delay() -> Duration {
    Duration::from_secs(1)
}

const fn default_lease() -> Duration {
    Duration::from_secs(10)
}

const fn default_duplicate_window() -> Duration {
    Duration::from_mins(10)
}

const fn default_replicas() -> NonZeroUsize {
    NonZeroUsize::MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_with_what_to_do() {
        let cases = [
            (r#"{"url":"a","stream":"a.b"}"#, "`stream`: found \"a.b\""),
            (r#"{"url":"a","ack_wait":"10ms"}"#, "`ack_wait`: found 10ms"),
            (r#"{"url":"a","lease":"0s"}"#, "`lease`: found 0ns"),
            (r#"{"url":"a","partitions":2000}"#, "`partitions`: found 2000"),
            (r#"{"url":"a","auth":{"user":"u"}}"#, "`auth`: `user` and `password` go together"),
            (r#"{"url":"a","auth":{"token":"t","nkey_file":"f"}}"#, "`auth`: choose one of"),
            (r#"{"url":"a","tls":{"key_file":"f"}}"#, "`tls`: `certificate_file` and"),
        ];
        for (text, expected) in cases {
            let settings: NatsSettings = serde_json::from_str(text).unwrap();
            let told = settings.check().unwrap_err().to_string();
            assert!(told.starts_with(expected), "{text}: {told}");
        }
        let usual: NatsSettings = serde_json::from_str(r#"{"url":"nats://a"}"#).unwrap();
        assert_eq!(usual.check(), Ok(()));
        assert_eq!((usual.stream.as_str(), usual.ordering), ("DOCUMENTS", Ordering::None));
    }

    #[test]
    fn a_sink_says_where_it_publishes_to() {
        let cases = [
            (r#"{"url":"a"}"#, Some("`stream`: name the stream")),
            (r#"{"url":"a","publish":"documents"}"#, Some("`stream`: `publish: documents` needs")),
            (r#"{"url":"a","publish":"documents","stream":"D","subject":"s"}"#, Some("`subject`:")),
            (r#"{"url":"a","subject":"a..b"}"#, Some("`subject`: found \"a..b\"")),
            (r#"{"url":"a","subject":"a.>"}"#, Some("`subject`: found \"a.>\"")),
            (r#"{"url":"a","subject":"results.stance"}"#, None),
            (r#"{"url":"a","stream":"RESULTS"}"#, None),
            (r#"{"url":"a","publish":"documents","stream":"D"}"#, None),
        ];
        for (text, expected) in cases {
            let settings: NatsSinkSettings = serde_json::from_str(text).unwrap();
            let told = settings.check().map_err(|error| error.to_string());
            match expected {
                Some(expected) => assert!(told.unwrap_err().starts_with(expected), "{text}"),
                None => assert_eq!(told, Ok(()), "{text}"),
            }
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = r#"{"url":"a","auth":{"user":"u","password":"hush"}}"#;
        let settings: NatsSettings = serde_json::from_str(text).unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
