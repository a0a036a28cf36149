//! Which partitions a worker reads: what it does when the group divides them anew, and when enough
//! of one waits.

use std::sync::Arc;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::{LEAST_WAITING, LET_GO, PAUSE, TRIES, Worker};
use crate::kafka::client::Change;
use crate::kafka::count::Count;
use crate::kafka::offsets::places;
use crate::kafka::partition::{Mark, Partition};
use crate::meters;
use crate::source::READ_AHEAD;

impl Worker {
    /// Acts on what the group has changed.
    pub(super) async fn change(&mut self, change: Change) -> KafkaResult<()> {
        match change {
            Change::Assigned(partitions) => self.begin(partitions).await?,
            Change::Revoked { partitions, is_lost: true } => {
                warn!(?partitions, "partitions were lost: the group has not heard of this worker");
                meters::change(|reading| reading.reopened += 1);
                self.unassign(&partitions)?;
            }
            Change::Revoked { partitions, is_lost: false } => {
                debug!(?partitions, "partitions are let go");
                for number in &partitions {
                    if let Some(partition) = self.partitions.get_mut(number) {
                        partition.close();
                    }
                }
                self.resting.retain(|(_, ticket)| !partitions.contains(&ticket.partition));
                self.leaving = Some((partitions, Instant::now() + LET_GO));
            }
        }
        self.tell();
        Ok(())
    }

    /// Begins to read partitions, this reader counted first.
    async fn begin(&mut self, numbers: Vec<i32>) -> KafkaResult<()> {
        debug!(partitions = ?numbers, "partitions are read");
        self.problem(None);
        let most = self.plan.settings.max_attempts.get();
        let alone = self.plan.settings.max_in_flight.get() + READ_AHEAD + 1;
        let mut list = TopicPartitionList::new();
        let mut marks = Vec::new();
        let places = if numbers.is_empty() { Vec::new() } else { self.places(&numbers).await };
        for (number, place) in places {
            self.epoch += 1;
            let mut assigned = list.add_partition(&self.plan.settings.topic, number);
            let (start, kept) = place.unwrap_or((-1, Count::default()));
            if start >= 0 {
                // An offset that is not negative is one.
                let _ = assigned.set_offset(Offset::Offset(start));
                marks.push((number, Mark { offset: start, count: kept.begin() }));
            }
            let mut partition = Partition::new(self.epoch, start, kept, alone);
            partition.condemned = (kept.alone >= most).then_some((start, kept.alone));
            if partition.alone > 0 {
                warn!(partition = number, offset = start, "workers ended here: read with care");
            }
            self.partitions.insert(number, partition);
        }
        if let Err(error) = self.commit_now(&marks).await {
            // Another reader will find one less here than there were.
            warn!(%error, "the brokers did not keep who reads");
        }
        self.member.incremental_assign(&list)
    }

    /// From where partitions are to be read, and what stands there; `None` where nobody says so in
    /// time, and the library is to find out.
    async fn places(&self, numbers: &[i32]) -> Vec<(i32, Option<(i64, Count)>)> {
        let topic = self.plan.settings.topic.clone();
        for tries in 1..=TRIES {
            let (member, topic, numbers) =
                (Arc::clone(&self.member), topic.clone(), numbers.to_vec());
            let asked = spawn_blocking(move || places(&member, &topic, &numbers)).await;
            match asked {
                Ok(Ok(places)) => {
                    return places
                        .into_iter()
                        .map(|(number, place)| (number, Some(place)))
                        .collect();
                }
                Ok(Err(error)) => debug!(%error, tries, "from where to read is not known"),
                Err(error) => debug!(%error, tries, "from where to read is not known"),
            }
            if *self.plan.stop.borrow() {
                break;
            }
            sleep(PAUSE).await;
        }
        numbers.iter().map(|number| (*number, None)).collect()
    }

    /// Lets partitions go once nothing of them is under way, or there is no more time.
    pub(super) async fn let_go_if_settled(&mut self) -> KafkaResult<()> {
        let Some((numbers, until)) = &self.leaving else { return Ok(()) };
        let is_busy = |number| self.partitions.get(number).is_some_and(Partition::is_busy);
        if numbers.iter().any(is_busy) && Instant::now() < *until {
            return Ok(());
        }
        let Some((numbers, _)) = self.leaving.take() else { return Ok(()) };
        let marks = self.last_words(&numbers);
        if let Err(error) = self.commit_now(&marks).await {
            debug!(%error, "what was settled last is read again by others");
        }
        self.unassign(&numbers)?;
        self.tell();
        Ok(())
    }

    /// Forgets partitions and lets them go.
    ///
    /// # Errors
    ///
    /// When the library takes it for a mistake: it waits for ever then, and with it the group.
    fn unassign(&mut self, numbers: &[i32]) -> KafkaResult<()> {
        let (mut all, mut paused) = (TopicPartitionList::new(), TopicPartitionList::new());
        for number in numbers {
            all.add_partition(&self.plan.settings.topic, *number);
            if self.partitions.remove(number).is_some_and(|partition| partition.is_paused) {
                paused.add_partition(&self.plan.settings.topic, *number);
            }
        }
        self.resting.retain(|(_, ticket)| !numbers.contains(&ticket.partition));
        // The library keeps a pause beyond the assignment: a partition that came back to this
        // worker would never be fetched.
        if paused.count() > 0 {
            self.member.resume(&paused)?;
        }
        self.member.incremental_unassign(&all)
    }

    /// Fetches no more of partitions of which enough waits.
    pub(super) fn throttle(&mut self) {
        let most = self.plan.settings.max_in_flight.get().max(LEAST_WAITING);
        let topic = &self.plan.settings.topic;
        let (mut full, mut low) = (TopicPartitionList::new(), TopicPartitionList::new());
        for (number, partition) in &mut self.partitions {
            if !partition.is_paused && partition.is_full(most) {
                partition.is_paused = true;
                full.add_partition(topic, *number);
            } else if partition.is_paused && partition.is_low(most) {
                partition.is_paused = false;
                low.add_partition(topic, *number);
            }
        }
        if full.count() > 0
            && let Err(error) = self.member.pause(&full)
        {
            debug!(%error, "partitions that are not read any more");
        }
        if low.count() > 0
            && let Err(error) = self.member.resume(&low)
        {
            debug!(%error, "partitions that are not read any more");
        }
    }
}
