//! The worker: a member of the group, and the loop that it does its work in.
//!
//! Everything that changes what is under way happens in this loop, one thing after the other. What
//! takes its time (an answer of the brokers, a dead letter) is done beside it, but for three words
//! that it waits for: that a reader begins, that a document goes alone, and that a partition is let
//! go.

mod commits;
mod partitions;
mod settling;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use standpoint_engine::{Delivery, Outcome, SourceError};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::client::{Change, Membership, member};
use super::handing::{self, Next, Resting, Room, Ticket};
use super::letters::Letters;
use super::partition::{Held, Mark, Partition, State};
use super::source::Plan;
use crate::known::Known;
use crate::meters::{self, Trouble};
use crate::source::{LAST_TRIES, READ_AHEAD, becomes_true};

/// How often offsets are committed.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// How often it is said of a partition that waits for messages, too: a commit that was late may
/// have put its offset back.
const SAY_AGAIN_EVERY: Duration = Duration::from_secs(10);

/// How long brokers may take to keep an offset.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);

/// How often a word that is waited for is tried.
const TRIES: u32 = 3;

/// The pause between them, and after one that a document was waiting for.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a partition that is to be let go is kept for what is under way of it.
const LET_GO: Duration = Duration::from_secs(10);

/// How long a problem counts that the library has told of once.
const PROBLEM_STAYS: Duration = Duration::from_secs(30);

/// The least that waits of a partition before no more is fetched, in messages.
const LEAST_WAITING: usize = 64;

/// What a commit was about, and what came of it.
type Committed = (Vec<(i32, u64, Mark)>, KafkaResult<()>);

/// A member of the group at work.
pub(super) struct Worker {
    /// First, so that it goes before the member does.
    farewell: Farewell,
    plan: Plan,
    member: Arc<StreamConsumer<Membership>>,
    changes: mpsc::Receiver<Change>,
    letters: Letters,
    told: mpsc::Sender<(Ticket, Outcome)>,
    outcomes: mpsc::Receiver<(Ticket, Outcome)>,
    partitions: BTreeMap<i32, Partition>,
    resting: Resting,
    burials: JoinSet<(Ticket, bool)>,
    commits: JoinSet<Committed>,
    /// Partitions that are being let go, and until when what is under way is waited for.
    leaving: Option<(Vec<i32>, Instant)>,
    known: Known,
    /// Documents with the engine, also of partitions that others have now.
    out: usize,
    epoch: u64,
    last: i32,
    /// Whether a document that went alone is settled and the brokers have not heard of it: nothing
    /// is handed out before, so that it does not answer for what another does.
    owes_word: bool,
    /// When offsets were committed last of partitions that wait, too.
    said_again: Instant,
    /// Before that the brokers are not asked again to keep a count.
    not_before: Instant,
    /// When the library last told of a problem that is not known to have passed.
    problem_since: Option<Instant>,
    trouble: Trouble,
    pending: watch::Receiver<Option<u64>>,
}

/// Lets every partition go when the worker ends, however it does: the library waits for that.
struct Farewell(Arc<StreamConsumer<Membership>>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.context().leave();
        if let Err(error) = self.0.unassign() {
            debug!(%error, "partitions are let go with the connection");
        }
    }
}

/// Why the loop ends.
enum Ending {
    Stopped,
    Drained,
    Broken(KafkaError),
}

impl Worker {
    /// Joins the group.
    ///
    /// # Errors
    ///
    /// When an option cannot be.
    pub(super) fn join(plan: Plan, pending: watch::Receiver<Option<u64>>) -> KafkaResult<Self> {
        let settings = &plan.settings;
        let (membership, changes) = Membership::new();
        let consumer: StreamConsumer<Membership> =
            member(settings, &plan.instance).create_with_context(membership)?;
        let letters = Letters::new(settings, plan.stop.clone())?;
        consumer.subscribe(&[&settings.topic])?;
        // As many as can be out at a time.
        let (told, outcomes) = mpsc::channel(settings.max_in_flight.get() + READ_AHEAD);
        let member = Arc::new(consumer);
        Ok(Self {
            farewell: Farewell(Arc::clone(&member)),
            member,
            changes,
            letters,
            told,
            outcomes,
            partitions: BTreeMap::new(),
            resting: Resting::new(),
            burials: JoinSet::new(),
            commits: JoinSet::new(),
            leaving: None,
            known: Known::default(),
            out: 0,
            epoch: 0,
            last: -1,
            owes_word: false,
            said_again: Instant::now(),
            not_before: Instant::now(),
            problem_since: None,
            trouble: Trouble::none(),
            pending,
            plan,
        })
    }

    /// Works until told to stop, or until nothing is left where that ends it; then leaves the
    /// group.
    ///
    /// # Errors
    ///
    /// When the library cannot go on.
    pub(super) async fn work(mut self) -> Result<(), SourceError> {
        let ending = self.read().await;
        if let Ending::Drained = ending {
            info!("the topic is empty");
        }
        self.farewell().await;
        match ending {
            Ending::Broken(error) => {
                Err(SourceError::new("cannot go on reading from Kafka").caused_by(error))
            }
            Ending::Stopped | Ending::Drained => Ok(()),
        }
    }

    async fn read(&mut self) -> Ending {
        let member = Arc::clone(&self.member);
        let deliveries = self.plan.deliveries.clone();
        let mut stop = self.plan.stop.clone();
        let mut tick = interval(COMMIT_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.owes_word && self.not_before <= Instant::now() {
                self.give_word().await;
            }
            let now = Instant::now();
            let next = self.next(now);
            let wake = self.wake(now);
            tokio::select! {
                // What makes room before what takes it.
                biased;
                () = becomes_true(&mut stop) => return Ending::Stopped,
                Some(change) = self.changes.recv() => {
                    if let Err(error) = self.change(change).await {
                        return Ending::Broken(error);
                    }
                }
                Some((ticket, outcome)) = self.outcomes.recv() => self.settle(ticket, outcome),
                Some(buried) = self.burials.join_next() => self.buried(buried.ok()),
                Some(committed) = self.commits.join_next() => self.committed(committed.ok()),
                _ = tick.tick() => {
                    self.commit();
                    // The library tells again of one that stays.
                    if self.problem_since.is_some_and(|since| since.elapsed() > PROBLEM_STAYS) {
                        self.problem(None);
                    }
                    self.tell();
                    if self.is_drained() {
                        return Ending::Drained;
                    }
                }
                place = deliveries.reserve(), if next.is_some() => {
                    let (Ok(place), Some(next)) = (place, next) else { return Ending::Stopped };
                    if let Some(delivery) = self.hand_out(next).await {
                        place.send(Ok(delivery));
                    }
                }
                message = member.recv() => match message {
                    Ok(message) => self.take(&message),
                    Err(KafkaError::PartitionEOF(number)) => {
                        if let Some(partition) = self.partitions.get_mut(&number) {
                            partition.comes_to_its_end();
                        }
                    }
                    Err(error @ KafkaError::MessageConsumptionFatal(_)) => {
                        return Ending::Broken(error);
                    }
                    Err(error) => self.complain(&error),
                },
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
            self.throttle();
            if let Err(error) = self.let_go_if_settled().await {
                return Ending::Broken(error);
            }
        }
    }

    fn next(&self, now: Instant) -> Option<Next> {
        let room = Room { out: self.out, most: self.plan.settings.max_in_flight.get() };
        let next = handing::next(&self.partitions, &self.resting, now, room, self.last);
        let may_go_alone = self.not_before <= now;
        next.filter(|next| may_go_alone || !matches!(next, Next::Alone(_)))
            .filter(|_| !self.owes_word)
    }

    /// When something is due that nobody tells of.
    fn wake(&self, now: Instant) -> Option<Instant> {
        let rested = self.resting.first().map(|(when, _)| *when);
        let counted = (self.not_before > now).then_some(self.not_before);
        let left = self.leaving.as_ref().map(|(_, until)| *until);
        [rested, counted, left].into_iter().flatten().filter(|when| *when > now).min()
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        if self.problem_since.is_some() {
            self.problem(None);
        }
        if let Some(partition) = self.partitions.get_mut(&message.partition()) {
            partition.take(message.detach());
        }
    }

    /// Makes a delivery; `None` where there is nothing to deliver, which makes room for another.
    async fn hand_out(&mut self, next: Next) -> Option<Delivery> {
        let (number, is_alone) = match next {
            Next::Again(ticket) => {
                self.resting.retain(|(_, other)| *other != ticket);
                let held = self.partitions.get_mut(&ticket.partition)?.held(ticket.offset)?;
                held.attempts += 1;
                held.state = State::Out;
                let message = held.message.clone();
                return Some(self.deliver(ticket, &message).0);
            }
            Next::Of(number) => (number, false),
            Next::Alone(number) => (number, true),
        };
        self.last = number;
        let partition = self.partitions.get(&number)?;
        let epoch = partition.epoch;
        let is_condemned =
            partition.condemned.is_some_and(|(offset, _)| offset == partition.floor());
        if is_alone && !is_condemned {
            let mark = partition.alone_word();
            if let Err(error) = self.commit_now(&[(number, mark)]).await {
                debug!(%error, "what is not counted is not tried");
                self.not_before = Instant::now() + PAUSE;
                return None;
            }
        }
        let partition = self.partitions.get_mut(&number)?;
        if is_alone {
            partition.goes_alone();
        }
        let condemned = partition.condemned.take();
        let message = partition.next()?;
        let ticket = Ticket { partition: number, epoch, offset: message.offset() };
        // Another is there where what ended its workers is not any more.
        if let Some((_, times)) = condemned.filter(|(offset, _)| *offset == ticket.offset) {
            let id = String::new();
            partition.hold(Held { message, id, attempts: times, state: State::Buried });
            self.bury(ticket, self.ended_workers(times));
            return None;
        }
        let (delivery, id) = self.deliver(ticket, &message);
        let is_known = !id.is_empty() && self.known.has(&id);
        let held = Held { message, id, attempts: 1, state: State::Out };
        self.partitions.get_mut(&number)?.hold(held);
        if is_known {
            meters::change(|reading| reading.recognised += 1);
            delivery.receipt.settle(Outcome::Done);
            return None;
        }
        Some(delivery)
    }

    /// Settles what is under way, commits, and leaves the group.
    async fn farewell(mut self) {
        let numbers: Vec<i32> = self.partitions.keys().copied().collect();
        for partition in self.partitions.values_mut() {
            partition.close();
        }
        self.resting.clear();
        let mut last_tries = None;
        let member = Arc::clone(&self.member);
        while self.out > 0 || !self.burials.is_empty() {
            if self.out == 0 {
                last_tries.get_or_insert_with(|| Instant::now() + LAST_TRIES);
            }
            tokio::select! {
                biased;
                Some((ticket, outcome)) = self.outcomes.recv() => self.settle(ticket, outcome),
                Some(buried) = self.burials.join_next() => self.buried(buried.ok()),
                // A worker that ends takes no more partitions.
                Some(Change::Revoked { partitions, is_lost }) = self.changes.recv() => {
                    let change = Change::Revoked { partitions, is_lost };
                    if let Err(error) = self.change(change).await {
                        debug!(%error, "partitions are let go with the connection");
                    }
                }
                // Served, so that the group hears of this worker; what comes is left to others.
                _ = member.recv() => {}
                () = sleep_until(last_tries.unwrap_or_else(Instant::now)), if last_tries.is_some() => {
                    break;
                }
            }
            if let Err(error) = self.let_go_if_settled().await {
                debug!(%error, "partitions are let go with the connection");
            }
        }
        let marks = self.last_words(&numbers);
        if let Err(error) = self.commit_now(&marks).await {
            warn!(%error, "what was settled last is read again by others");
        }
        let Self { farewell, member: last, .. } = self;
        let leave = spawn_blocking(move || {
            drop(farewell);
            drop(member);
            drop(last);
        });
        if timeout(COMMIT_PATIENCE, leave).await.is_err() {
            warn!("the group will miss this worker when its session ends");
        }
    }

    /// Whether every document of the topic is settled, where that ends the worker.
    fn is_drained(&self) -> bool {
        let is_idle =
            |one: &Partition| one.open() == 0 && !one.has_waiting() && one.due(false).is_none();
        self.plan.until_drained
            && self.leaving.is_none()
            && *self.pending.borrow() == Some(0)
            && self.partitions.values().all(is_idle)
    }

    fn complain(&mut self, error: &KafkaError) {
        use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, Resolve};
        debug!(%error, "the topic is not read now");
        // Whether brokers are there is for the lookout to say.
        let code = error.rdkafka_error_code();
        if !matches!(code, Some(AllBrokersDown | BrokerTransportFailure | Resolve)) {
            self.problem(Some(error.to_string()));
        }
    }

    fn problem(&mut self, problem: Option<String>) {
        self.problem_since = problem.is_some().then(Instant::now);
        self.trouble.tell(problem);
    }

    /// Tells the meters what this worker has.
    fn tell(&self) {
        let held: usize = self.partitions.values().map(Partition::open).sum();
        let oldest = self.partitions.values().filter_map(Partition::oldest_millis).min();
        let now = rdkafka::Timestamp::now().to_millis().unwrap_or_default();
        let age = oldest.map_or(0, |oldest| u64::try_from(now - oldest).unwrap_or_default());
        let has = self.partitions.keys().filter_map(|number| u32::try_from(*number).ok()).collect();
        meters::change(|reading| {
            reading.held = held as u64;
            reading.in_flight = held as u64;
            reading.oldest = Duration::from_millis(age);
            reading.partitions = has;
        });
    }
}
