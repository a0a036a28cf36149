//! A partition that this worker has: what of it waits, what is under way, and the offset from which
//! the next reader begins.

use std::collections::{BTreeMap, VecDeque};

use rdkafka::message::{Message, OwnedMessage};

use super::count::Count;

/// How many bytes of a partition wait before no more are fetched.
const MOST_WAITING_BYTES: usize = 1 << 20;

/// A partition of the topic.
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
#[derive(Debug)]
pub(super) struct Partition {
    /// Which time it is that this worker has it, so that outcomes of an earlier one are told apart.
    pub(super) epoch: u64,
    /// Read and not yet handed out, in their order.
    waiting: VecDeque<OwnedMessage>,
    waiting_bytes: usize,
    /// Handed out and not settled, by offset.
    open: BTreeMap<i64, Held>,
    open_bytes: usize,
    /// The offset behind the last message that was read, or where reading began.
    position: i64,
    /// What the group has, as far as is known.
    committed: i64,
    /// What stood with the offset where reading began, before this reader counted itself; later,
    /// with the one that careful reading has come to.
    kept: (i64, Count),
    /// How many documents go alone, still.
    pub(super) alone: usize,
    /// The offset of the document that went alone last.
    pub(super) alone_offset: Option<i64>,
    /// The offset of a document that has ended too many workers, and how many.
    pub(super) condemned: Option<(i64, u32)>,
    /// Whether it is to be let go, so that nothing more is handed out.
    is_closed: bool,
    /// Whether nothing is fetched for now.
    pub(super) is_paused: bool,
    /// Whether something stands with the offset that the group has.
    is_counted: bool,
    /// Whether there is nothing behind the last message that was read.
    is_at_end: bool,
}

/// A message that is under way.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: OwnedMessage,
    pub(super) id: String,
    /// How often it was handed out.
    pub(super) attempts: u32,
    pub(super) state: State,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// With the engine.
    Out,
    /// Failed, and waits to be tried again.
    Resting,
    /// On its way to the dead letters.
    Buried,
    /// Not settled, and left to the next reader.
    Left,
}

/// What is to be committed of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) offset: i64,
    pub(super) count: Count,
}

impl Partition {
    /// - `start`: the offset where reading begins;
    /// - `kept`: what stood with it;
    /// - `alone`: how many documents go alone if it is read with care.
    pub(super) fn new(epoch: u64, start: i64, kept: Count, alone: usize) -> Self {
        Self {
            epoch,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            open: BTreeMap::new(),
            open_bytes: 0,
            position: start,
            committed: start,
            kept: (start, kept),
            alone: if kept.begin().is_careful() { alone } else { 0 },
            alone_offset: None,
            condemned: None,
            is_closed: false,
            is_paused: false,
            is_counted: true,
            is_at_end: false,
        }
    }

    /// Takes a message that was read; one that is not wanted any more, or is known, is passed over.
    pub(super) fn take(&mut self, message: OwnedMessage) {
        if self.is_closed || message.offset() < self.position {
            return;
        }
        self.position = message.offset() + 1;
        self.is_at_end = false;
        self.waiting_bytes += size(&message);
        self.waiting.push_back(message);
    }

    /// The next message to hand out; what it will be by is for [`hold`](Self::hold) to note.
    pub(super) fn next(&mut self) -> Option<OwnedMessage> {
        let next = self.waiting.pop_front()?;
        self.waiting_bytes -= size(&next);
        Some(next)
    }

    pub(super) fn hold(&mut self, held: Held) {
        self.open_bytes += size(&held.message);
        self.open.insert(held.message.offset(), held);
    }

    pub(super) fn held(&mut self, offset: i64) -> Option<&mut Held> {
        self.open.get_mut(&offset)
    }

    /// Its message is done with.
    pub(super) fn settle(&mut self, offset: i64) -> Option<Held> {
        let held = self.open.remove(&offset)?;
        self.open_bytes -= size(&held.message);
        Some(held)
    }

    /// How many bytes of messages are handed out and not settled.
    pub(super) const fn open_bytes(&self) -> usize {
        self.open_bytes
    }

    /// Whether its document that goes alone is with the engine now.
    pub(super) fn is_alone_out(&self) -> bool {
        let alone = self.alone_offset.and_then(|offset| self.open.get(&offset));
        alone.is_some_and(|held| held.state == State::Out)
    }

    /// The offset from which another reader would begin: behind the longest run of settled
    /// documents.
    pub(super) fn floor(&self) -> i64 {
        let open = self.open.keys().next().copied();
        let waiting = self.waiting.front().map(Message::offset);
        [open, waiting].into_iter().flatten().min().unwrap_or(self.position)
    }

    /// When the message at the floor was published, in milliseconds.
    pub(super) fn oldest_millis(&self) -> Option<i64> {
        let open = self.open.values().next().map(|held| &held.message);
        open.or(self.waiting.front()).and_then(|message| message.timestamp().to_millis())
    }

    /// What is to be committed now, if anything.
    ///
    /// A reader that waits at the end of the partition has nothing that could end it.
    ///
    /// - `again`: whether one that waits there says so although it was said before.
    pub(super) fn due(&self, again: bool) -> Option<Mark> {
        let offset = self.floor();
        let is_idle = self.is_at_end && self.open.is_empty() && self.waiting.is_empty();
        if is_idle && (again || self.is_counted) && offset >= 0 {
            return Some(Mark { offset, count: Count::default() });
        }
        (offset > self.committed).then(|| Mark { offset, count: self.count(offset) })
    }

    /// Notes that there is nothing behind the last message that was read.
    pub(super) fn comes_to_its_end(&mut self) {
        self.is_at_end = true;
    }

    /// What is to be committed when it is let go in peace.
    pub(super) fn last_word(&self) -> Mark {
        let offset = self.floor();
        Mark { offset, count: self.count(offset) }
    }

    fn count(&self, offset: i64) -> Count {
        if offset == self.kept.0 {
            self.kept.1
        } else if self.alone > 0 {
            Count::CAREFUL
        } else {
            Count::default()
        }
    }

    /// What is to be committed before the next document is handed out alone; it is the only one.
    pub(super) fn alone_word(&self) -> Mark {
        let offset = self.floor();
        let count = if offset == self.kept.0 { self.kept.1.begin() } else { Count::CAREFUL };
        Mark { offset, count: count.alone_again() }
    }

    /// Notes that a document goes alone now.
    pub(super) fn goes_alone(&mut self) {
        let offset = self.floor();
        if offset != self.kept.0 {
            self.kept = (offset, Count::CAREFUL);
        }
        self.committed = self.committed.max(offset);
        self.is_counted = true;
        self.alone_offset = Some(offset);
        self.alone = self.alone.saturating_sub(1);
    }

    /// Notes what the group has.
    pub(super) fn is_committed(&mut self, mark: Mark) {
        self.committed = self.committed.max(mark.offset);
        self.is_counted = mark.count != Count::default();
        if !self.is_counted {
            self.kept = (mark.offset, mark.count);
        }
    }

    /// Hands out nothing more. What waits is left to the next reader.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        if let Some(first) = self.waiting.front() {
            self.position = first.offset();
        }
        self.waiting.clear();
        self.waiting_bytes = 0;
        for held in self.open.values_mut().filter(|held| held.state == State::Resting) {
            held.state = State::Left;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether something of it is with the engine, or on its way to the dead letters.
    pub(super) fn is_busy(&self) -> bool {
        self.open.values().any(|held| matches!(held.state, State::Out | State::Buried))
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many messages are under way.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Whether so much waits that no more is to be fetched.
    pub(super) fn is_full(&self, most: usize) -> bool {
        self.waiting.len() >= most || self.waiting_bytes >= MOST_WAITING_BYTES
    }

    /// Whether so little waits that more can be fetched.
    pub(super) fn is_low(&self, most: usize) -> bool {
        self.waiting.len() <= most / 4 && self.waiting_bytes <= MOST_WAITING_BYTES / 4
    }
}

fn size(message: &OwnedMessage) -> usize {
    let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    bytes(message.payload()) + bytes(message.key())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rdkafka::Timestamp;

    use super::*;

    fn message(offset: i64) -> OwnedMessage {
        let text = Some(b"text".to_vec());
        OwnedMessage::new(
            text,
            None,
            "t".to_owned(),
            Timestamp::CreateTime(offset),
            0,
            offset,
            None,
        )
    }

    fn hand_out(partition: &mut Partition) -> Option<i64> {
        let message = partition.next()?;
        let offset = message.offset();
        let held = Held { message, id: String::new(), attempts: 1, state: State::Out };
        partition.hold(held);
        Some(offset)
    }

    proptest! {
        /// Whatever is settled in whatever order, nothing below the floor is unsettled, and the
        /// message at the floor is, unless all are settled.
        #[test]
        fn the_floor_is_behind_the_longest_run_of_settled_documents(
            gaps in prop::collection::vec(1_i64..4, 1..40),
            order in any::<prop::sample::Index>(),
            steps in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
            close_at in 0_usize..80,
        ) {
            let start = 5;
            let mut partition = Partition::new(0, start, Count::default(), 0);
            let mut offsets = Vec::new();
            let mut next = start;
            for gap in gaps {
                next += gap - 1;
                offsets.push(next);
                partition.take(message(next));
                next += 1;
            }
            let mut unsettled = offsets.clone();
            let mut out: Vec<i64> = Vec::new();
            for (number, step) in steps.iter().enumerate() {
                if number == close_at {
                    partition.close();
                    prop_assert!(!partition.has_waiting());
                }
                // Hands out and settles by turns, the latter in any order.
                if number % 2 == order.index(2) {
                    out.extend(hand_out(&mut partition));
                } else if !out.is_empty() {
                    let offset = out.swap_remove(step.index(out.len()));
                    prop_assert!(partition.settle(offset).is_some());
                    unsettled.retain(|one| *one != offset);
                }
                let expected = unsettled.first().copied().unwrap_or(next);
                let floor = partition.floor();
                if unsettled.first() == offsets.first() {
                    // Nothing is settled at the front: no word before the first message is skipped.
                    prop_assert!(floor == expected || floor == start);
                } else {
                    prop_assert_eq!(floor, expected);
                }
                prop_assert_eq!(partition.due(false).is_some(), floor > start);
            }
        }
    }

    #[test]
    fn a_message_that_comes_twice_is_taken_once() {
        let mut partition = Partition::new(0, 3, Count::default(), 0);
        for offset in [2, 3, 4, 3, 4, 5] {
            partition.take(message(offset));
        }
        let taken: Vec<i64> = std::iter::from_fn(|| hand_out(&mut partition)).collect();
        assert_eq!(taken, [3, 4, 5]);
    }

    #[test]
    fn a_reader_that_ends_in_peace_leaves_the_count_as_it_was() {
        let kept = Count { begun: 1, alone: 0 };
        let mut partition = Partition::new(0, 7, kept, 4);
        partition.take(message(7));
        partition.take(message(8));
        assert_eq!(partition.last_word(), Mark { offset: 7, count: kept });
        assert_eq!(partition.alone, 4, "the second reader is careful");
        // The first goes alone, and counted; then in peace.
        let alone = Mark { offset: 7, count: Count { begun: 2, alone: 1 } };
        assert_eq!(partition.alone_word(), alone);
        partition.goes_alone();
        hand_out(&mut partition);
        assert_eq!(partition.last_word(), Mark { offset: 7, count: kept });
        // What comes after it is read with care, too, and by whoever is next.
        partition.settle(7);
        assert_eq!(partition.due(false), Some(Mark { offset: 8, count: Count::CAREFUL }));
        let next = Mark { offset: 8, count: Count { begun: 2, alone: 1 } };
        assert_eq!(partition.alone_word(), next);
    }

    #[test]
    fn a_reader_that_waits_at_the_end_takes_its_count_back() {
        let mut partition = Partition::new(0, 7, Count { begun: 1, alone: 0 }, 2);
        assert_eq!(partition.due(false), None, "something may be there that was not fetched yet");
        partition.comes_to_its_end();
        let mark = Mark { offset: 7, count: Count::default() };
        assert_eq!(partition.due(false), Some(mark));
        partition.is_committed(mark);
        assert_eq!((partition.due(false), partition.last_word()), (None, mark));
        assert_eq!(partition.due(true), Some(mark));
        // What comes then is under way again.
        partition.take(message(7));
        assert_eq!((partition.due(false), partition.due(true)), (None, None));
    }

    #[test]
    fn once_as_many_have_come_through_as_were_under_way_nothing_is_counted() {
        let mut partition = Partition::new(0, 0, Count { begun: 1, alone: 0 }, 1);
        partition.take(message(0));
        partition.goes_alone();
        hand_out(&mut partition);
        partition.settle(0);
        assert_eq!(partition.due(false), Some(Mark { offset: 1, count: Count::default() }));
    }

    #[test]
    fn what_rests_when_it_is_let_go_is_left_to_the_next_reader() {
        let mut partition = Partition::new(0, 0, Count::default(), 0);
        for offset in 0..3 {
            partition.take(message(offset));
        }
        hand_out(&mut partition);
        hand_out(&mut partition);
        partition.held(0).unwrap().state = State::Resting;
        partition.settle(1);
        partition.close();
        assert!(!partition.is_busy());
        assert_eq!(partition.last_word().offset, 0);
    }
}
