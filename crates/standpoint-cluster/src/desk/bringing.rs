//! How documents come from the desk to the engine: read, judged and handed over, in the order of
//! their lane.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::jetstream::AckKind;
use async_nats::{HeaderValue, Message};
use standpoint_connectors::files::with_causes;
use standpoint_document::Document;
use standpoint_engine::{Delivery, Outcome, Receipt};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::debug;

use super::{Desk, Place, lock, mark_of};
use crate::queue::Object;
use crate::record::{OBJECT_HEADER, RECORD_HEADER, decode, message_id};
use crate::source::becomes_true;

/// From which delivery on a document is treated as one that may end its worker.
const SUSPICIOUS: i64 = 3;

/// How long the content of a document may take to come out of the object store.
const FETCH: Duration = Duration::from_secs(30);

/// How long a content of which there is no trace is looked for: a server that was started anew may
/// not have all at once.
const LOOKED_FOR: Duration = Duration::from_mins(1);

/// The content of a message cannot be had now.
#[derive(Debug)]
pub(crate) struct Unavailable(pub(crate) String);

/// What is in a message, or in its object.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
enum Content {
    /// A document, or why it will never be one.
    Read(Result<Document<'static>, String>),
    /// Somebody who had done the document has deleted it.
    Done,
    /// There is no trace of it.
    Missing,
}

/// What is to be done with a message whose content was read.
enum Standing {
    /// It was done before.
    Known,
    /// It has ended too many workers.
    Condemned,
    /// It may have ended workers.
    Suspect,
    Usual,
}

impl Desk {
    /// Brings what a lane holds to the engine in its order, until the lane ends.
    ///
    /// # Errors
    ///
    /// As [`bring`](Self::bring); what stands behind is given back.
    pub(crate) async fn bring_all(
        self: Arc<Self>,
        mut waiting: mpsc::Receiver<Place>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Unavailable> {
        while let Some(place) = waiting.recv().await {
            if *stop.borrow() || *self.stop.borrow() {
                self.give_back(place).await;
                continue;
            }
            if let Err(unavailable) = self.bring(place, &mut stop).await {
                // The lane sees that, and sends nothing more.
                waiting.close();
                while let Some(place) = waiting.recv().await {
                    self.give_back(place).await;
                }
                return Err(unavailable);
            }
        }
        Ok(())
    }

    /// Brings the document of a message that is held to the engine, which may have to make room
    /// first.
    ///
    /// - `stop`: becomes true when it is to be given back instead.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where there is an order, in which nothing may come before this one.
    async fn bring(
        self: &Arc<Self>,
        place: Place,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Unavailable> {
        let Some((message, _, delivered)) = self.of(place) else { return Ok(()) };
        let document = match self.read(&message).await {
            Ok(Content::Read(document)) => document,
            Ok(Content::Done) => {
                if let Some(acker) = self.release(place) {
                    self.recognise(&acker).await;
                }
                return Ok(());
            }
            Ok(Content::Missing) if is_young(place) => {
                return self.postpone(place, delivered, "it is not in the object store").await;
            }
            Ok(Content::Missing) => Err("its content is not in the object store".to_owned()),
            Err(error) => return self.postpone(place, delivered, &error.to_string()).await,
        };
        let standing = self.judge(place, document.as_ref().ok());
        let delivery = |receipt| match document {
            Ok(document) => Delivery::new(document, receipt),
            Err(reason) => Delivery::unreadable(&self.queue.name, reason, receipt),
        };
        match standing {
            None => {}
            Some(Standing::Known) => {
                if let Some(acker) = self.release(place) {
                    self.recognise(&acker).await;
                }
            }
            Some(Standing::Condemned) => {
                let failure = self.ended_workers(delivered.max(1) as u64);
                self.receipt(place).settle(Outcome::Failed(failure));
            }
            Some(Standing::Suspect) => {
                // There is room for as many as can be held.
                let suspect = (place, delivery(self.receipt(place)));
                if let Err(refused) = self.suspects.try_send(suspect) {
                    refused.into_inner().1.receipt.settle(Outcome::Returned);
                }
            }
            Some(Standing::Usual) => {
                self.hand_over(delivery(self.receipt(place)), stop).await;
            }
        }
        Ok(())
    }

    /// Notes what is known of a message now that its content has been read, and says what that is.
    ///
    /// - `document`: `None` if it is none, and never will be.
    fn judge(&self, place: Place, document: Option<&Document<'_>>) -> Option<Standing> {
        let mut all = lock(&self.held);
        let held = all.get_mut(&place)?;
        if let Some(document) = document {
            document.id().clone_into(&mut held.id);
            held.mark = mark_of(&held.id, &held.message);
        }
        if !held.id.is_empty() && lock(&self.known).has(&held.mark) {
            return Some(Standing::Known);
        }
        if document.is_none() {
            held.delivered = held.delivered.max(self.most_attempts());
        }
        if held.taking.condemned == Some(place.sequence) {
            return Some(Standing::Condemned);
        }
        held.is_suspect =
            document.is_some() && held.taking.partition.is_none() && held.delivered >= SUSPICIOUS;
        Some(if held.is_suspect { Standing::Suspect } else { Standing::Usual })
    }

    /// Leaves a message for later, because its content cannot be had now.
    async fn postpone(
        &self,
        place: Place,
        delivered: i64,
        reason: &str,
    ) -> Result<(), Unavailable> {
        debug!(sequence = place.sequence, reason, "the content of a document cannot be had now");
        let is_ordered = self.is_ordered(place);
        let Some(acker) = self.release(place) else { return Ok(()) };
        if is_ordered {
            return Err(Unavailable(format!("the content of a document cannot be had: {reason}")));
        }
        self.say(&acker, AckKind::Nak(Some(self.delay(delivered)))).await;
        Ok(())
    }

    /// Gives a delivery to the engine, which may have to make room first.
    pub(super) async fn hand_over(&self, delivery: Delivery, stop: &mut watch::Receiver<bool>) {
        tokio::select! {
            biased;
            () = self.stopped() => delivery.receipt.settle(Outcome::Returned),
            () = becomes_true(stop) => delivery.receipt.settle(Outcome::Returned),
            place = self.deliveries.reserve() => match place {
                Ok(place) => place.send(Ok(delivery)),
                Err(_) => delivery.receipt.settle(Outcome::Returned),
            },
        }
    }

    fn receipt(self: &Arc<Self>, place: Place) -> Receipt {
        let outcomes = self.outcomes.clone();
        Receipt::new(move |outcome| {
            // There is room for as many as are held; the desk is there as long as any is.
            let _ = outcomes.try_send((place, outcome));
        })
    }

    /// Reads the document of a message.
    ///
    /// # Errors
    ///
    /// When it cannot be had now.
    async fn read(&self, message: &Message) -> Result<Content, async_nats::Error> {
        let name = message.headers.as_ref().and_then(|headers| headers.get(OBJECT_HEADER));
        let payload = match name {
            Some(name) => {
                let most = self.limits.max_document_bytes.saturating_mul(2);
                match timeout(FETCH, self.queue.object(name.as_str(), most)).await?? {
                    Object::Content(content) => content,
                    Object::TooLarge => {
                        let reason = "its content is larger than `limits.max_document_bytes`";
                        return Ok(Content::Read(Err(reason.to_owned())));
                    }
                    Object::Deleted => return Ok(Content::Done),
                    Object::Missing => return Ok(Content::Missing),
                }
            }
            None => message.payload.clone(),
        };
        let (headers, subject) = (message.headers.as_ref(), message.subject.as_str());
        let version = headers.and_then(|headers| headers.get(RECORD_HEADER));
        let known = headers.and_then(message_id);
        let (version, known) = (version.map(HeaderValue::as_str), known.map(HeaderValue::as_str));
        let document = decode(version, known, &payload, &self.queue.name, subject, &self.limits);
        Ok(Content::Read(document.map_err(|error| with_causes(&error))))
    }
}

/// Whether a message was published so lately that what is not there may still come.
fn is_young(place: Place) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let age = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX) - place.published;
    age < LOOKED_FOR.as_nanos() as i128
}
