//! The burial of a document that failed for the last time: its letter is put among the dead ones,
//! and then its message is taken from the queue, so that it is always in one of them.

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::AckKind;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use standpoint_engine::Failure;
use tracing::warn;

use super::{Desk, Place};
use crate::meters::{self, Trouble};
use crate::queue::ensure_dead;
use crate::record::{
    ATTEMPTS_HEADER, MESSAGE_ID_HEADER, MOST_REASON, OBJECT_HEADER, REASON_HEADER, RECORD_HEADER,
    REPLAY_HEADER, STAGE_HEADER, id_of_copy, message_id,
};
use crate::source::LONGEST_DELAY;

/// What is left of somebody else's headers where a letter is too large with all of them.
const NEEDED: [&str; 7] = [
    RECORD_HEADER,
    OBJECT_HEADER,
    MESSAGE_ID_HEADER,
    REPLAY_HEADER,
    STAGE_HEADER,
    REASON_HEADER,
    ATTEMPTS_HEADER,
];

/// The longest of them, in bytes: reasons are [`MOST_REASON`] characters.
const MOST_OF_HEADER: usize = 4 * MOST_REASON;

/// A dead letter on its way.
struct Letter {
    subject: String,
    /// The same for each attempt to send it, so that it stands there once.
    id: String,
    headers: HeaderMap,
    payload: Bytes,
    is_small: bool,
}

impl Letter {
    fn new(
        subject: String,
        place: Place,
        message: &Message,
        failure: &Failure,
        delivered: i64,
    ) -> Self {
        let id = id_of_copy("dead", place.sequence, place.published);
        let mut headers = message.headers.clone().unwrap_or_default();
        if let Some(first) = message_id(&headers).cloned() {
            headers.insert(MESSAGE_ID_HEADER, first);
        }
        let reason: String = failure.reason.chars().take(MOST_REASON).collect();
        set(&mut headers, STAGE_HEADER, &failure.stage);
        set(&mut headers, REASON_HEADER, &reason);
        set(&mut headers, ATTEMPTS_HEADER, &delivered.to_string());
        headers.insert(NATS_MESSAGE_ID, id.as_str());
        Self { subject, id, headers, payload: message.payload.clone(), is_small: false }
    }

    async fn send(&self, desk: &Desk) -> Result<(), PublishError> {
        let message =
            PublishMessage::build().payload(self.payload.clone()).headers(self.headers.clone());
        desk.queue.context.send_publish(self.subject.clone(), message).await?.await.map(drop)
    }

    /// Puts the content into the object store, and leaves out headers that nobody here reads.
    async fn shrink(&mut self, desk: &Desk) -> Result<(), PublishError> {
        let mut headers = HeaderMap::new();
        for name in NEEDED {
            let value = self.headers.get(name);
            if let Some(value) = value.filter(|value| value.as_str().len() <= MOST_OF_HEADER) {
                headers.insert(name, value.clone());
            }
        }
        headers.insert(NATS_MESSAGE_ID, self.id.as_str());
        if !self.payload.is_empty() {
            let name = desk.queue.put_object("dead", &self.payload).await?;
            headers.insert(OBJECT_HEADER, name.as_str());
            self.payload = Bytes::new();
        }
        self.headers = headers;
        self.is_small = true;
        Ok(())
    }
}

impl Desk {
    /// Buries a message, however long that takes. Until then it is held, so that nobody else tries
    /// it and the server does not lose patience.
    pub(crate) async fn bury(&self, place: Place, failure: Failure) {
        let Some((message, id, delivered)) = self.of(place) else { return };
        let subject = self.queue.dead_subject(message.subject.as_str());
        let mut letter = Letter::new(subject, place, &message, &failure, delivered);
        let trouble = Trouble::none();
        let mut pause = self.settings.retry_delay;
        loop {
            let mut sent = letter.send(self).await;
            if let Err(error) = &sent
                && error.kind() == PublishErrorKind::MaxPayloadExceeded
                && !letter.is_small
            {
                sent = match letter.shrink(self).await {
                    Ok(()) => letter.send(self).await,
                    Err(error) => Err(error),
                };
            }
            let Err(error) = sent else { break };
            warn!(id, %error, "a dead letter is sent again later");
            let dead = format!("{}_DEAD", self.queue.name);
            trouble.tell(Some(format!("a dead letter cannot be put into stream {dead}: {error}")));
            if error.kind() == PublishErrorKind::StreamNotFound
                && let Err(error) = ensure_dead(&self.queue.context, &self.settings).await
            {
                warn!(%error, "the stream of dead letters cannot be made");
            }
            if !self.pause(pause).await {
                // The document stays in the queue and fails again there.
                self.release(place);
                return;
            }
            pause = pause.saturating_mul(2).min(LONGEST_DELAY);
        }
        // Its id is not known: one that is published again is to be tried again.
        if let Some(acker) = self.release(place) {
            self.say(&acker, AckKind::Term).await;
        }
        meters::change(|reading| reading.dead_lettered += 1);
        let stage = failure.stage;
        warn!(id, stage, reason = failure.reason, "a document went to the dead letters");
    }
}

/// Sets a header, without what a header may not hold.
fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    headers.insert(name, value.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_holds_one_line() {
        let mut headers = HeaderMap::new();
        set(&mut headers, "Standpoint-Reason", "a\r\nNats-Msg-Id: b");
        assert_eq!(headers.get("Standpoint-Reason").unwrap().as_str(), "a  Nats-Msg-Id: b");
    }
}
