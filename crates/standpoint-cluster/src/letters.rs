//! Dead letters, for whoever looks at them: what was given up and why, and how it is tried again or
//! deleted.

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use standpoint_connectors::files::with_causes;
use thiserror::Error;

use crate::connect::{Address, ConnectError};
use crate::queue::{EVERYTHING, Object, Queue, QueueError};
use crate::record::{
    ATTEMPTS_HEADER, MESSAGE_ID_HEADER, OBJECT_HEADER, REASON_HEADER, REPLAY_HEADER, STAGE_HEADER,
    id_of_copy, message_id,
};
use crate::settings::{NatsSettings, SettingsError};

/// The dead letters of a stream.
#[derive(Debug)]
pub struct Letters {
    queue: Queue,
    dead: Stream<()>,
}

/// A document that was given up, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its number among the dead letters of its stream, which no other gets.
    pub number: u64,
    /// The document's id; of a message that is no document, the id that it was published with.
    pub id: Option<String>,
    /// The stage that gave it up.
    pub stage: String,
    /// Why.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it came here, in seconds since 1970.
    pub buried_at: u64,
    /// How long the message's content is; 0 where it lies in the object store.
    pub bytes: u64,
}

/// Why something cannot be done with dead letters.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LettersError {
    /// The settings cannot work.
    #[error(transparent)]
    Settings(#[from] SettingsError),

    /// The server is away, refuses this, or has no such stream.
    #[error("{0}")]
    Server(String),

    /// There is no letter of this number.
    #[error("there is no dead letter {number}")]
    Missing {
        /// The number.
        number: u64,
    },
}

impl Letters {
    /// Connects to the server and looks for the dead letters of the stream that `settings` name.
    ///
    /// # Errors
    ///
    /// [`LettersError`] when the server does not answer or nobody has made the stream.
    pub async fn open(settings: &NatsSettings) -> Result<Self, LettersError> {
        settings.check()?;
        let address = Address {
            url: settings.url.clone(),
            auth: settings.auth.clone(),
            tls: settings.tls.clone(),
            name: "standpoint quarantine".to_owned(),
            is_worker: false,
        };
        let told = |error: ConnectError| LettersError::Server(with_causes(&error));
        let client = address.connect().await.map_err(told)?;
        let told = |error: QueueError| LettersError::Server(with_causes(&error));
        let queue = Queue::join(client, &settings.stream).await.map_err(told)?;
        let name = format!("{}_DEAD", queue.name);
        let dead = queue.context.get_stream_no_info(&name).await;
        let dead = dead.map_err(|error| told(QueueError::server(format!("open {name}"), error)))?;
        Ok(Self { queue, dead })
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    ///
    /// [`LettersError::Server`].
    pub async fn all(&self) -> Result<Vec<Letter>, LettersError> {
        let mut letters = Vec::new();
        let mut from = 1;
        while let Some(message) = self.next(from).await? {
            from = message.sequence + 1;
            letters.push(letter(&message));
        }
        Ok(letters)
    }

    /// What a letter says: as text, for that is what documents are published as.
    ///
    /// # Errors
    ///
    /// [`LettersError`].
    pub async fn content(&self, number: u64, most_bytes: u64) -> Result<String, LettersError> {
        let message = self.message(number).await?;
        let Some(name) = message.headers.get(OBJECT_HEADER) else {
            return Ok(String::from_utf8_lossy(&message.payload).into_owned());
        };
        let content = self.queue.object(name.as_str(), most_bytes).await;
        let content = content.map_err(|error| server("fetch its content", error))?;
        let Object::Content(content) = content else {
            let told = format!("its content is gone, or larger than {most_bytes} bytes");
            return Err(LettersError::Server(told));
        };
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    /// Puts a letter back into the stream, where it has all its attempts again, then takes it from
    /// the dead letters: in this order, so that it is always in one of them.
    ///
    /// # Errors
    ///
    /// [`LettersError`]; after a failure the letter may be in both, and to replay it once more is
    /// harmless.
    pub async fn replay(&self, number: u64) -> Result<(), LettersError> {
        let message = self.message(number).await?;
        let subject = self.queue.live_subject(message.subject.as_str());
        // Under its old id the server would take it for a repetition, and so would a worker that
        // remembers how it ended.
        let unique = id_of_copy("letter", number, message.time.unix_timestamp_nanos());
        let mut headers = HeaderMap::new();
        for (name, values) in message.headers.iter() {
            let name = name.to_string();
            let is_of_death = [STAGE_HEADER, REASON_HEADER, ATTEMPTS_HEADER].contains(&&*name);
            if is_of_death || name == NATS_MESSAGE_ID.to_string() || name == REPLAY_HEADER {
                continue;
            }
            for value in values {
                headers.append(name.as_str(), value.clone());
            }
        }
        headers.insert(REPLAY_HEADER, unique.as_str());
        if let Some(id) = message_id(&message.headers) {
            headers.insert(MESSAGE_ID_HEADER, id.clone());
        }
        let again = PublishMessage::build().payload(message.payload).headers(headers);
        let again = again.message_id(unique);
        let sent = async { self.queue.context.send_publish(subject, again).await?.await };
        sent.await.map_err(|error| server("put it back", error))?;
        self.delete(number).await
    }

    /// Deletes a letter, and its content where that lies in the object store.
    ///
    /// # Errors
    ///
    /// [`LettersError`].
    pub async fn purge(&self, number: u64) -> Result<(), LettersError> {
        let message = self.message(number).await?;
        self.delete(number).await?;
        if let Some(name) = message.headers.get(OBJECT_HEADER) {
            self.queue.delete_object(name.as_str()).await;
        }
        Ok(())
    }

    async fn delete(&self, number: u64) -> Result<(), LettersError> {
        let deleted = self.dead.delete_message(number).await;
        deleted.map(drop).map_err(|error| server("take it from the dead letters", error))
    }

    /// The first letter of this number or a later one.
    async fn next(&self, from: u64) -> Result<Option<StreamMessage>, LettersError> {
        match self.dead.get_first_raw_message_by_subject(EVERYTHING, from).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(server("read the dead letters", error)),
        }
    }

    async fn message(&self, number: u64) -> Result<StreamMessage, LettersError> {
        let found = self.next(number).await?.filter(|message| message.sequence == number);
        found.ok_or(LettersError::Missing { number })
    }
}

fn server(what: &str, error: impl Into<async_nats::Error>) -> LettersError {
    LettersError::Server(with_causes(&QueueError::server(what, error)))
}

fn letter(message: &StreamMessage) -> Letter {
    let header = |name: &str| message.headers.get(name).map(ToString::to_string);
    Letter {
        number: message.sequence,
        id: message_id(&message.headers).map(ToString::to_string),
        stage: header(STAGE_HEADER).unwrap_or_default(),
        reason: header(REASON_HEADER).unwrap_or_default(),
        attempts: header(ATTEMPTS_HEADER).and_then(|count| count.parse().ok()).unwrap_or_default(),
        buried_at: u64::try_from(message.time.unix_timestamp()).unwrap_or_default(),
        bytes: message.payload.len() as u64,
    }
}
