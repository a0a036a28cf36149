//! What becomes of a document: it is handed to the engine, and done with, tried again or buried.

use rdkafka::message::{Headers, Message, OwnedMessage};
use standpoint_connectors::files::with_causes;
use standpoint_engine::{Delivery, Failure, Outcome, Receipt};
use tokio::time::Instant;
use tracing::debug;

use super::{PAUSE, Worker};
use crate::kafka::handing::Ticket;
use crate::kafka::partition::State;
use crate::meters;
use crate::record::{RECORD_HEADER, decode};
use crate::settings::Ordering;
use crate::source::LONGEST_DELAY;

impl Worker {
    /// A delivery, which counts as out from here on, and the document's id.
    pub(super) fn deliver(&mut self, ticket: Ticket, message: &OwnedMessage) -> (Delivery, String) {
        self.out += 1;
        let told = self.told.clone();
        let receipt = Receipt::new(move |outcome| {
            // There is room for as many as are out; the worker is there as long as any is.
            let _ = told.try_send((ticket, outcome));
        });
        let topic = &self.plan.settings.topic;
        let version = message.headers().and_then(|headers| {
            let ours = headers.iter().find(|header| header.key == RECORD_HEADER)?;
            Some(String::from_utf8_lossy(ours.value.unwrap_or_default()).into_owned())
        });
        let payload = message.payload().unwrap_or_default();
        match decode(version.as_deref(), None, payload, topic, topic, &self.plan.limits) {
            Ok(document) => {
                let id = document.id().to_owned();
                (Delivery::new(document, receipt), id)
            }
            Err(error) => {
                // What is no document now will never be one.
                let delivery = Delivery::unreadable(topic, with_causes(&error), receipt);
                (delivery, String::new())
            }
        }
    }

    pub(super) fn settle(&mut self, ticket: Ticket, outcome: Outcome) {
        self.out = self.out.saturating_sub(1);
        let Some(partition) = self.partitions.get_mut(&ticket.partition) else { return };
        if partition.epoch != ticket.epoch {
            return;
        }
        let is_closed = partition.is_closed();
        let Some(held) = partition.held(ticket.offset) else { return };
        match outcome {
            Outcome::Done => {
                let is_new = !self.known.has(&held.id);
                self.known.add(&held.id);
                partition.settle(ticket.offset);
                self.owes_word |= partition.alone_offset == Some(ticket.offset);
                meters::change(|reading| reading.acknowledged += u64::from(is_new));
            }
            // The next reader has it.
            Outcome::Returned | Outcome::Unsent if is_closed => held.state = State::Left,
            Outcome::Returned | Outcome::Unsent => {
                held.state = State::Resting;
                held.attempts = held.attempts.saturating_sub(1);
                self.resting.insert((Instant::now() + PAUSE, ticket));
            }
            Outcome::Failed(failure) => {
                let most = self.plan.settings.max_attempts.get();
                let is_last = self.plan.settings.ordering == Ordering::PerSource
                    || held.id.is_empty()
                    || held.attempts >= most;
                if is_last {
                    held.state = State::Buried;
                    self.bury(ticket, failure);
                } else if is_closed {
                    held.state = State::Left;
                } else {
                    held.state = State::Resting;
                    let doublings = (held.attempts - 1).min(16);
                    let delay = self.plan.settings.retry_delay.saturating_mul(1 << doublings);
                    debug!(id = held.id, %failure, "a document is tried again");
                    self.resting.insert((Instant::now() + delay.min(LONGEST_DELAY), ticket));
                    meters::change(|reading| reading.retried += 1);
                }
            }
        }
    }

    pub(super) fn bury(&mut self, ticket: Ticket, failure: Failure) {
        let partition = self.partitions.get_mut(&ticket.partition);
        let Some(held) = partition.and_then(|one| one.held(ticket.offset)) else { return };
        let letter = self.letters.clone().send(held.message.clone(), failure, held.attempts);
        self.burials.spawn(async move { (ticket, letter.await) });
    }

    pub(super) fn buried(&mut self, buried: Option<(Ticket, bool)>) {
        let Some((ticket, is_there)) = buried else { return };
        if is_there {
            meters::change(|reading| reading.dead_lettered += 1);
        }
        let Some(partition) = self.partitions.get_mut(&ticket.partition) else { return };
        if partition.epoch != ticket.epoch {
            return;
        }
        if is_there {
            // Its id is not known: a letter that is published again is to be tried again.
            partition.settle(ticket.offset);
            self.owes_word |= partition.alone_offset == Some(ticket.offset);
        } else if let Some(held) = partition.held(ticket.offset) {
            held.state = State::Left;
        }
    }

    pub(super) fn ended_workers(&self, times: u32) -> Failure {
        Failure {
            stage: self.plan.settings.topic.clone(),
            reason: format!("its worker ended, or was lost, {times} times while it had it alone"),
            attempts: times,
        }
    }
}
