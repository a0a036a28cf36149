//! What a worker tells the group of its partitions, and when.

use std::sync::Arc;

use rdkafka::error::{KafkaError, KafkaResult};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::debug;

use super::{COMMIT_PATIENCE, Committed, PAUSE, SAY_AGAIN_EVERY, TRIES, Worker};
use crate::kafka::offsets::commit;
use crate::kafka::partition::Mark;

impl Worker {
    /// Commits what is settled before anything more is handed out.
    pub(super) async fn give_word(&mut self) {
        let due = self.due(false);
        let marks: Vec<(i32, Mark)> = due.map(|(number, _, mark)| (number, mark)).collect();
        match self.commit_now(&marks).await {
            Ok(()) => self.owes_word = false,
            Err(error) => {
                debug!(%error, "the brokers did not hear who is settled");
                self.not_before = Instant::now() + PAUSE;
            }
        }
    }

    /// What is to be committed of the partitions that are read.
    ///
    /// - `again`: also where it was said before, and nothing is under way.
    fn due(&self, again: bool) -> impl Iterator<Item = (i32, u64, Mark)> {
        let open = self.partitions.iter().filter(|(_, partition)| !partition.is_closed());
        open.filter_map(move |(number, one)| Some((*number, one.epoch, one.due(again)?)))
    }

    /// Commits what is settled, beside the loop; one commit at a time.
    pub(super) fn commit(&mut self) {
        if !self.commits.is_empty() {
            return;
        }
        let again = self.said_again.elapsed() >= SAY_AGAIN_EVERY;
        if again {
            self.said_again = Instant::now();
        }
        let marks: Vec<(i32, u64, Mark)> = self.due(again).collect();
        if marks.is_empty() {
            return;
        }
        let (member, topic) = (Arc::clone(&self.member), self.plan.settings.topic.clone());
        self.commits.spawn_blocking(move || {
            let plain: Vec<(i32, Mark)> =
                marks.iter().map(|(one, _, mark)| (*one, *mark)).collect();
            let committed = commit(&member, &topic, &plain);
            (marks, committed)
        });
    }

    pub(super) fn committed(&mut self, committed: Option<Committed>) {
        let Some((marks, result)) = committed else { return };
        if let Err(error) = result {
            debug!(%error, "offsets are committed again later");
            return;
        }
        for (number, epoch, mark) in marks {
            let partition = self.partitions.get_mut(&number);
            if let Some(partition) = partition.filter(|partition| partition.epoch == epoch) {
                partition.is_committed(mark);
            }
        }
    }

    /// Commits and waits for it.
    pub(super) async fn commit_now(&mut self, marks: &[(i32, Mark)]) -> KafkaResult<()> {
        // Never behind one that is on its way, unless the brokers are away.
        let until = Instant::now() + COMMIT_PATIENCE;
        while let Ok(Some(committed)) = timeout_at(until, self.commits.join_next()).await {
            self.committed(committed.ok());
        }
        self.commits.detach_all();
        if marks.is_empty() {
            return Ok(());
        }
        let mut tries = 1;
        loop {
            let (member, topic) = (Arc::clone(&self.member), self.plan.settings.topic.clone());
            let words = marks.to_vec();
            let asked = spawn_blocking(move || commit(&member, &topic, &words));
            let committed = match timeout(COMMIT_PATIENCE, asked).await {
                Ok(Ok(committed)) => committed,
                Ok(Err(_)) | Err(_) => Err(KafkaError::Canceled),
            };
            match committed {
                Ok(()) => {
                    for (number, mark) in marks {
                        if let Some(partition) = self.partitions.get_mut(number) {
                            partition.is_committed(*mark);
                        }
                    }
                    return Ok(());
                }
                Err(error) if tries == TRIES || *self.plan.stop.borrow() => return Err(error),
                Err(_) => {
                    tries += 1;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    pub(super) fn last_words(&self, numbers: &[i32]) -> Vec<(i32, Mark)> {
        let word = |number: &i32| Some((*number, self.partitions.get(number)?.last_word()));
        numbers.iter().filter_map(word).filter(|(_, mark)| mark.offset >= 0).collect()
    }
}
