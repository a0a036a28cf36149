//! A document as a message: JSON that people and other programs can read and write.
//!
//! Ours carry the header `Standpoint-Record: 1` and everything that a document has before the first
//! stage. A message without that header is somebody else's: a JSON object with `text`, and `id`,
//! `title`, `author`, `published`, `language` and `source` where it has them, like a line of an
//! inbox's JSONL.

#[cfg(feature = "nats")]
use async_nats::header::NATS_MESSAGE_ID;
#[cfg(feature = "nats")]
use async_nats::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use standpoint_connectors::formats::json;
use standpoint_connectors::identity::RecordIds;
use standpoint_connectors::limits::ReadLimits;
use standpoint_connectors::read::{self, Origin, lend_outlet, outlet};
use standpoint_connectors::refusal::ReadError;
use standpoint_document::{Document, Metadata, SourceRef};
use thiserror::Error;

/// Says that a message is one of ours, and of which version.
pub(crate) const RECORD_HEADER: &str = "Standpoint-Record";

/// The version that this build writes.
pub(crate) const RECORD_VERSION: &str = "1";

/// Says that a message is a result line of ours, and of which version.
pub(crate) const RESULT_HEADER: &str = "Standpoint-Result";

/// The version that this build writes.
pub(crate) const RESULT_VERSION: &str = "1";

/// The object that holds a document that is too large for a message.
#[cfg(feature = "nats")]
pub(crate) const OBJECT_HEADER: &str = "Standpoint-Object";

/// The id that a message was published with first, where it was published again: the server would
/// take it for a repetition under that id.
#[cfg(feature = "nats")]
pub(crate) const MESSAGE_ID_HEADER: &str = "Standpoint-Message-Id";

/// Says that somebody had a dead letter tried again, and which: what became of its document before
/// says nothing of it now.
#[cfg(feature = "nats")]
pub(crate) const REPLAY_HEADER: &str = "Standpoint-Replay";

/// Says which stage gave a document up.
pub(crate) const STAGE_HEADER: &str = "Standpoint-Stage";

/// Says why.
pub(crate) const REASON_HEADER: &str = "Standpoint-Reason";

/// Says how often the document was tried before.
pub(crate) const ATTEMPTS_HEADER: &str = "Standpoint-Attempts";

/// The longest reason of a dead letter, in characters.
pub(crate) const MOST_REASON: usize = 1000;

/// The longest id that is taken from a message.
const MOST_ID_BYTES: usize = 256;

/// How the ids begin that messages of ours are published under besides those of documents.
#[cfg(feature = "nats")]
const COPY: &str = "standpoint ";

/// The most notes that are taken from a message, and characters of one: a reader has few to make.
const MOST_NOTES: usize = 16;
const MOST_OF_NOTE: usize = 1000;

/// A document before the first stage.
// What builds before this one do not know, they pass over; what they do not write may be left out.
#[derive(Debug, Serialize, Deserialize)]
struct Record<'r> {
    id: std::borrow::Cow<'r, str>,
    source: Found<'r>,
    title: Option<std::borrow::Cow<'r, str>>,
    author: Option<std::borrow::Cow<'r, str>>,
    published: Option<std::borrow::Cow<'r, str>>,
    language: Option<std::borrow::Cow<'r, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outlet: Option<std::borrow::Cow<'r, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<std::borrow::Cow<'r, str>>,
    text: std::borrow::Cow<'r, str>,
}

/// Where it was found.
#[derive(Debug, Serialize, Deserialize)]
struct Found<'r> {
    name: std::borrow::Cow<'r, str>,
    path: Option<std::borrow::Cow<'r, str>>,
    id: Option<std::borrow::Cow<'r, str>>,
}

/// Why a message is no document.
#[derive(Debug, Error)]
pub(crate) enum RecordError {
    /// It is not JSON of that form.
    #[error("the message is no document: {reason}")]
    Form {
        /// What is wrong with it.
        reason: String,
    },

    /// It was written by a program that is newer than this one.
    #[error("the message is a record of version {found:?} and this build reads {RECORD_VERSION}")]
    Version {
        /// The version that it says.
        found: String,
    },

    /// It is too large.
    #[error("max_document_bytes is {allowed} and this has {found}")]
    Large {
        /// The limit.
        allowed: u64,
        /// What was found.
        found: u64,
    },
}

/// Writes a document.
pub(crate) fn encode(document: &Document<'_>) -> Vec<u8> {
    let metadata = document.metadata();
    let some = |text: &'_ Option<String>| text.clone().map(std::borrow::Cow::Owned);
    let record = Record {
        id: document.id().into(),
        source: Found {
            name: metadata.source.name.as_str().into(),
            path: some(&metadata.source.path),
            id: some(&metadata.source.id),
        },
        title: some(&metadata.title),
        author: some(&metadata.author),
        published: some(&metadata.published),
        language: some(&metadata.language),
        outlet: outlet(document).map(Into::into),
        // Those of stages are made again by whoever runs them.
        notes: if document.stages().is_empty() {
            document.notes().iter().map(|note| note.as_str().into()).collect()
        } else {
            Vec::new()
        },
        text: document.text().into(),
    };
    serde_json::to_vec(&record).expect("a record is text and nothing else")
}

/// Reads a document.
///
/// - `version`: what the message's header says of it, if it is one of ours;
/// - `known`: what the message is known by, if it says so in a header of its engine;
/// - `payload`: of the message, from the object store where it lies there;
/// - `stream`, `subject`: where a foreign message was found, which its id is made of.
///
/// # Errors
///
/// [`RecordError`]: it will never be a document.
pub(crate) fn decode(
    version: Option<&str>,
    known: Option<&str>,
    payload: &[u8],
    stream: &str,
    subject: &str,
    limits: &ReadLimits,
) -> Result<Document<'static>, RecordError> {
    let found = payload.len() as u64;
    if found > limits.max_document_bytes.saturating_mul(2) {
        return Err(RecordError::Large { allowed: limits.max_document_bytes, found });
    }
    let form = |reason: String| RecordError::Form { reason };
    let text = std::str::from_utf8(payload).map_err(|error| form(error.to_string()))?;
    let document = match version {
        Some(RECORD_VERSION) => ours(text)?,
        Some(other) => {
            return Err(RecordError::Version { found: other.chars().take(20).collect() });
        }
        None => {
            let content = json::read_record(text, 1, limits.max_json_depth)
                .map_err(|error| form(error.to_string()))?;
            let given = content.id.as_deref().or(known);
            let id = RecordIds::new(stream, subject).next(given, payload);
            let origin = Origin { source: stream.to_owned(), path: subject.to_owned() };
            let found = content.text.len() as u64;
            read::document(id, content, &origin).map_err(|error| match error {
                ReadError::Empty { .. } => form(NO_TEXT.to_owned()),
                _ => RecordError::Large { allowed: Document::MAX_BYTES as u64, found },
            })?
        }
    };
    if document.text().trim().is_empty() {
        return Err(form(NO_TEXT.to_owned()));
    }
    let found = document.text().len() as u64;
    if found > limits.max_document_bytes {
        return Err(RecordError::Large { allowed: limits.max_document_bytes, found });
    }
    Ok(document)
}

const NO_TEXT: &str = "it holds no text";

/// The id that a message was published with first.
#[cfg(feature = "nats")]
pub(crate) fn message_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    let of_document = |id: &&HeaderValue| !id.as_str().starts_with(COPY);
    headers.get(MESSAGE_ID_HEADER).or_else(|| headers.get(NATS_MESSAGE_ID).filter(of_document))
}

/// The id under which a message is published once more: the same for whoever does so.
///
/// - `what`: why, in one word;
/// - `sequence`, `published`: of the message, the time in nanoseconds since 1970, because a stream
///   that is made anew gives its sequences anew.
#[cfg(feature = "nats")]
pub(crate) fn id_of_copy(what: &str, sequence: u64, published: i128) -> String {
    format!("{COPY}{what} {sequence} of {published}")
}

fn ours(text: &str) -> Result<Document<'static>, RecordError> {
    let form = |reason: String| RecordError::Form { reason };
    let record: Record<'_> = serde_json::from_str(text).map_err(|error| form(error.to_string()))?;
    if record.id.is_empty() || record.id.len() > MOST_ID_BYTES {
        let found = record.id.len();
        return Err(form(format!("its id has {found} bytes, expected 1 to {MOST_ID_BYTES}")));
    }
    // It becomes a header, which is one line, and whose ends are not kept where they are blank.
    if record.id.trim() != record.id || record.id.contains(char::is_control) {
        return Err(form("its id holds control characters, or blanks at its ends".to_owned()));
    }
    let some = |text: Option<std::borrow::Cow<'_, str>>| text.map(std::borrow::Cow::into_owned);
    let metadata = Metadata {
        source: SourceRef {
            name: record.source.name.into_owned(),
            path: some(record.source.path),
            id: some(record.source.id),
        },
        title: some(record.title),
        author: some(record.author),
        published: some(record.published),
        language: some(record.language),
    };
    let found = record.text.len() as u64;
    let allowed = Document::MAX_BYTES as u64;
    let mut document = Document::new(record.id.into_owned(), record.text.into_owned())
        .map_err(|_| RecordError::Large { allowed, found })?
        .with_metadata(metadata);
    if let Some(outlet) = record.outlet {
        lend_outlet(&mut document, &outlet);
    }
    for note in record.notes.iter().take(MOST_NOTES) {
        document.add_note(note.chars().take(MOST_OF_NOTE).collect::<String>());
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(version: Option<&str>, payload: &[u8]) -> Result<Document<'static>, String> {
        let limits = ReadLimits { max_document_bytes: 100, ..ReadLimits::default() };
        decode(version, None, payload, "DOCS", "docs.3", &limits).map_err(|error| error.to_string())
    }

    #[test]
    fn a_message_of_somebody_else_is_a_document_with_an_id_that_recognises_it() {
        let payload = br#"{"id": 7, "title": "T", "text": "Minsk agreed.", "lang": "en"}"#;
        let one = read(None, payload).unwrap();
        assert_eq!(one.text(), "Minsk agreed.");
        assert_eq!(one.metadata().source.id.as_deref(), Some("7"));
        assert_eq!(one.language(), Some("en"));
        assert_eq!(one.id(), read(None, br#"{"id": "7", "text": "Other."}"#).unwrap().id());
        let plain = br#"{"text": "Minsk agreed."}"#;
        let limits = ReadLimits::default();
        let known = decode(None, Some("m-1"), plain, "DOCS", "docs.3", &limits).unwrap();
        assert_ne!(known.id(), read(None, plain).unwrap().id());
    }

    #[test]
    fn a_message_of_somebody_else_is_read_as_a_line_of_an_inbox_is() {
        let payload = br#"{"text": "Minsk agreed.", "source": " The Post ", "date": "5 May 2024"}"#;
        let document = read(None, payload).unwrap();
        assert_eq!(outlet(&document), Some("The Post"));
        assert_eq!(document.metadata().published.as_deref(), Some("2024-05-05"));
        let unread = br#"{"text": "Minsk agreed.", "published": "some day"}"#;
        let document = read(None, unread).unwrap();
        assert_eq!(document.metadata().published, None);
        assert!(document.notes()[0].starts_with("the date `some day` is not read"));
    }

    #[test]
    fn a_record_of_a_build_that_knew_no_outlet_is_read() {
        let payload = br#"{"id":"7","source":{"name":"news","path":null,"id":null},"title":null,
            "author":null,"published":null,"language":null,"text":"Minsk agreed."}"#;
        let document = read(Some(RECORD_VERSION), payload).unwrap();
        assert_eq!((document.id(), outlet(&document)), ("7", None));
        assert!(document.notes().is_empty());
    }

    #[test]
    #[cfg(feature = "nats")]
    fn what_is_published_again_is_known_by_its_first_id() {
        let mut headers = HeaderMap::new();
        assert_eq!(message_id(&headers), None);
        headers.insert(NATS_MESSAGE_ID, id_of_copy("letter", 3, 7).as_str());
        assert_eq!(message_id(&headers), None);
        headers.insert(NATS_MESSAGE_ID, "m-0");
        assert_eq!(message_id(&headers).unwrap().as_str(), "m-0");
        headers.insert(MESSAGE_ID_HEADER, "m-1");
        assert_eq!(message_id(&headers).unwrap().as_str(), "m-1");
    }

    #[test]
    fn what_is_no_document_says_why() {
        let ours = Some(RECORD_VERSION);
        let large = format!(r#"{{"text": "{}"}}"#, "x".repeat(150));
        let cases: [(Option<&str>, &[u8], &str); 9] = [
            (None, b"rubbish", "the message is no document: line 1"),
            (None, b"\xff", "the message is no document: invalid utf-8"),
            (None, br#"{"text": "  "}"#, "the message is no document: it holds no text"),
            (None, large.as_bytes(), "max_document_bytes is 100 and this has 150"),
            (ours, br#"{"text": "x"}"#, "the message is no document: missing field `id`"),
            (
                ours,
                br#"{"id":"","source":{"name":"n"},"text":"x"}"#,
                "the message is no document: its id has 0 bytes",
            ),
            (
                ours,
                br#"{"id":"a\nb","source":{"name":"n"},"text":"x"}"#,
                "the message is no document: its id holds control characters",
            ),
            (
                ours,
                br#"{"id":"a ","source":{"name":"n"},"text":"x"}"#,
                "the message is no document: its id holds control characters, or blanks",
            ),
            (Some("2"), b"{}", "the message is a record of version \"2\""),
        ];
        for (version, payload, expected) in cases {
            let told = read(version, payload).unwrap_err();
            assert!(told.starts_with(expected), "{told}");
        }
    }

    proptest! {
        #[test]
        fn a_document_comes_out_as_it_went_in(
            text in "\\PC{1,90}", title in any::<Option<String>>(), path in any::<Option<String>>(),
            named in proptest::option::of("\\PC{0,90}"), note in proptest::option::of("\\PC{0,90}"),
        ) {
            prop_assume!(!text.trim().is_empty() && text.len() <= 100);
            let limits = ReadLimits { max_document_bytes: 1000, ..ReadLimits::default() };
            let metadata = Metadata {
                source: SourceRef { name: "news".into(), path, id: Some("7".into()) },
                title,
                ..Metadata::default()
            };
            let mut document = Document::new("id", text).unwrap().with_metadata(metadata);
            if let Some(named) = named {
                lend_outlet(&mut document, &named);
            }
            if let Some(note) = note {
                document.add_note(note);
            }
            let bytes = encode(&document);
            prop_assume!(bytes.len() <= 2000);
            let back = decode(Some(RECORD_VERSION), None, &bytes, "S", "s", &limits).unwrap();
            prop_assert_eq!(back.id(), document.id());
            prop_assert_eq!(back.text(), document.text());
            prop_assert_eq!(back.metadata(), document.metadata());
            prop_assert_eq!(back.attributes(), document.attributes());
            prop_assert_eq!(back.notes(), document.notes());
        }

        #[test]
        fn no_bytes_bring_the_reader_down(bytes in any::<Vec<u8>>(), is_ours in any::<bool>()) {
            let _ = read(is_ours.then_some(RECORD_VERSION), &bytes);
        }
    }
}
