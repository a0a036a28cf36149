//! Which document is handed out next.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::partition::Partition;

/// Which delivery of a message an outcome is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    pub(super) partition: i32,
    pub(super) epoch: u64,
    pub(super) offset: i64,
}

/// What to hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// One that failed, again.
    Again(Ticket),
    /// The next of a partition.
    Of(i32),
    /// The next of a partition, with nothing beside it.
    Alone(i32),
}

/// Documents that failed, by when they are tried again.
pub(super) type Resting = BTreeSet<(Instant, Ticket)>;

/// How many documents may be under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// With the engine now.
    pub(super) out: usize,
    /// How many may be at a time.
    pub(super) most: usize,
}

/// How many times more may rest, or be on their way to the dead letters, than are with the engine.
const MOST_UNSETTLED: usize = 4;

/// With how many bytes of them no more is handed out.
const MOST_UNSETTLED_BYTES: usize = 64 << 20;

/// Chooses.
///
/// One that failed comes before new ones, and partitions take turns. A partition that is read with
/// care has its documents alone in this worker, so that one that ends it is known by that.
///
/// - `last`: the partition that had the last turn.
pub(super) fn next(
    partitions: &BTreeMap<i32, Partition>,
    resting: &Resting,
    now: Instant,
    room: Room,
    last: i32,
) -> Option<Next> {
    if partitions.values().any(Partition::is_alone_out) {
        return None;
    }
    let is_careful = |number: &i32| partitions.get(number).is_some_and(|one| one.alone > 0);
    let mut due = resting.iter().take_while(|(when, _)| *when <= now).map(|(_, ticket)| *ticket);
    let again = due.clone().find(|ticket| is_careful(&ticket.partition));
    let alone = partitions
        .iter()
        .find(|(_, one)| one.alone > 0 && one.has_waiting() && one.open() == 0)
        .map(|(number, _)| *number);
    let careful = again.map(Next::Again).or(alone.map(Next::Alone));
    if careful.is_some() {
        return careful.filter(|_| room.out == 0);
    }
    if room.out >= room.most {
        return None;
    }
    if let Some(ticket) = due.next() {
        return Some(Next::Again(ticket));
    }
    let unsettled: usize = partitions.values().map(Partition::open).sum();
    let bytes: usize = partitions.values().map(Partition::open_bytes).sum();
    if unsettled >= room.most.saturating_mul(MOST_UNSETTLED) || bytes >= MOST_UNSETTLED_BYTES {
        return None;
    }
    let after = partitions.range(last.saturating_add(1)..);
    let mut in_turn = after.chain(partitions.range(..=last));
    let chosen = in_turn.find(|(_, one)| one.alone == 0 && one.has_waiting());
    chosen.map(|(number, _)| Next::Of(*number))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;

    use super::*;
    use crate::kafka::count::Count;
    use crate::kafka::partition::{Held, State};

    fn partition(kept: Count, waiting: i64) -> Partition {
        let mut partition = Partition::new(0, 0, kept, 2);
        for offset in 0..waiting {
            partition.take(message(offset));
        }
        partition
    }

    fn message(offset: i64) -> OwnedMessage {
        let timestamp = Timestamp::NotAvailable;
        OwnedMessage::new(None, None, "t".to_owned(), timestamp, 0, offset, None)
    }

    fn hold_next(partition: &mut Partition, state: State) {
        let message = partition.next().unwrap();
        partition.hold(Held { message, id: String::new(), attempts: 1, state });
    }

    const FREE: Room = Room { out: 0, most: 2 };

    #[tokio::test(start_paused = true)]
    async fn partitions_take_turns_as_long_as_there_is_room() {
        let now = Instant::now();
        let count = Count::default();
        let some = BTreeMap::from([
            (0, partition(count, 1)),
            (1, partition(count, 0)),
            (2, partition(count, 1)),
        ]);
        let resting = Resting::new();
        for (last, expected) in [(-1, 0), (0, 2), (1, 2), (2, 0), (9, 0)] {
            assert_eq!(next(&some, &resting, now, FREE, last), Some(Next::Of(expected)), "{last}");
        }
        assert_eq!(next(&some, &resting, now, Room { out: 2, most: 2 }, 0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_failed_comes_first_once_it_is_due() {
        let now = Instant::now();
        let some = BTreeMap::from([(0, partition(Count::default(), 1))]);
        let ticket = Ticket { partition: 0, epoch: 0, offset: 7 };
        let resting = Resting::from([(now + Duration::from_secs(1), ticket)]);
        assert_eq!(next(&some, &resting, now, FREE, 0), Some(Next::Of(0)));
        let later = now + Duration::from_secs(1);
        assert_eq!(next(&some, &resting, later, FREE, 0), Some(Next::Again(ticket)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_with_care_goes_alone() {
        let now = Instant::now();
        let mut some = BTreeMap::from([
            (0, partition(Count::default(), 3)),
            (1, partition(Count::CAREFUL, 3)),
        ]);
        let resting = Resting::new();
        assert_eq!(next(&some, &resting, now, FREE, 1), Some(Next::Alone(1)));
        // Not before the others are done.
        assert_eq!(next(&some, &resting, now, Room { out: 1, most: 2 }, 1), None);
        // Nor does another go out beside it.
        let careful = some.get_mut(&1).unwrap();
        careful.goes_alone();
        hold_next(careful, State::Out);
        assert_eq!(next(&some, &resting, now, Room { out: 1, most: 2 }, 1), None);
        some.get_mut(&1).unwrap().held(0).unwrap().state = State::Resting;
        // While its document rests, the others go on.
        assert_eq!(next(&some, &resting, now, FREE, 1), Some(Next::Of(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_unsettled_than_there_is_room_for() {
        let mut some = BTreeMap::from([(0, partition(Count::default(), 9))]);
        for _ in 0..8 {
            hold_next(some.get_mut(&0).unwrap(), State::Buried);
        }
        assert_eq!(next(&some, &Resting::new(), Instant::now(), FREE, 0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_large_ones_are_enough() {
        let mut some = BTreeMap::from([(0, partition(Count::default(), 0))]);
        let one = some.get_mut(&0).unwrap();
        let timestamp = Timestamp::NotAvailable;
        let large = Some(vec![b' '; MOST_UNSETTLED_BYTES]);
        one.take(OwnedMessage::new(large, None, "t".to_owned(), timestamp, 0, 0, None));
        one.take(message(1));
        let choose = |some: &BTreeMap<i32, Partition>| {
            next(some, &Resting::new(), Instant::now(), Room { out: 0, most: 9 }, 0)
        };
        assert_eq!(choose(&some), Some(Next::Of(0)), "however large it is");
        hold_next(some.get_mut(&0).unwrap(), State::Buried);
        assert_eq!(choose(&some), None);
        some.get_mut(&0).unwrap().settle(0);
        assert_eq!(choose(&some), Some(Next::Of(0)));
    }
}
