//! What the group keeps for its readers: asked for and given, each in one call that waits.

use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::Membership;
use super::count::Count;
use super::lookout::PATIENCE;
use super::partition::Mark;

/// From where partitions are to be read: what the group has, else the first message that is there.
pub(super) fn places(
    member: &StreamConsumer<Membership>,
    topic: &str,
    numbers: &[i32],
) -> KafkaResult<Vec<(i32, (i64, Count))>> {
    let mut asked = TopicPartitionList::new();
    for number in numbers {
        asked.add_partition(topic, *number);
    }
    let committed = member.committed_offsets(asked, PATIENCE)?;
    let mut places = Vec::with_capacity(numbers.len());
    for one in committed.elements() {
        one.error()?;
        let place = if let Offset::Offset(offset) = one.offset() {
            (offset, Count::read(one.metadata()))
        } else {
            let (first, _) = member.fetch_watermarks(topic, one.partition(), PATIENCE)?;
            (first, Count::default())
        };
        places.push((one.partition(), place));
    }
    Ok(places)
}

/// Keeps offsets, each with its count.
pub(super) fn commit(
    member: &StreamConsumer<Membership>,
    topic: &str,
    marks: &[(i32, Mark)],
) -> KafkaResult<()> {
    let mut list = TopicPartitionList::new();
    for (number, mark) in marks {
        let mut one = list.add_partition(topic, *number);
        one.set_offset(Offset::Offset(mark.offset))?;
        one.set_metadata(mark.count.text());
    }
    member.commit(&list, CommitMode::Sync)
}
