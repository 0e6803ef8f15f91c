//! The group object: where each partition ended when a group with `start = "latest"` began.

use std::collections::BTreeMap;

use super::super::line::Lines;
use super::super::metadata::parse_offset;
use super::{ClaimError, VERSION, check_version};
use crate::model::{Offset, PartitionIndex, Topic, TopicId, TopicPartition};

/// 200,000 partitions (what Kafka calls the limit of a cluster under ZooKeeper) of 20 bytes each,
/// and as much again for names.
pub const GROUP_OBJECT_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// The partitions that were there when the group began. What it does not name is new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupObject {
    pub topics: BTreeMap<Topic, TopicEnds>,
}

/// The end offset of each partition of one topic, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicEnds {
    pub topic_id: TopicId,
    pub ends: Vec<Offset>,
}

impl GroupObject {
    /// Returns where the partition ended, if it was there under the same topic id (an unknown id
    /// on either side is no difference).
    pub fn end_of(&self, partition: &TopicPartition, topic_id: TopicId) -> Option<Offset> {
        let topic = self.topics.get(&partition.topic)?;
        let is_same =
            topic.topic_id == topic_id || !topic.topic_id.is_known() || !topic_id.is_known();
        let index = index_of(partition.partition);
        is_same.then(|| topic.ends.get(index).copied()).flatten()
    }

    /// Returns the text, or none if it would be longer than `GROUP_OBJECT_BYTES_MAX`.
    pub fn encode(&self) -> Option<String> {
        let mut out = format!("sluice-group {VERSION}\n");
        for (topic, of) in &self.topics {
            out.push_str(&format!("topic {topic} {} ", of.topic_id));
            for (index, end) in of.ends.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                out.push_str(&format!("{comma}{end}"));
            }
            out.push('\n');
        }
        out.push_str("end\n");
        (out.len() <= GROUP_OBJECT_BYTES_MAX).then_some(out)
    }

    /// Parses exactly what `encode` writes: topics in order, each once.
    pub fn parse(text: &[u8]) -> Result<Self, ClaimError> {
        let mut lines = Lines::new(text, GROUP_OBJECT_BYTES_MAX)?;
        check_version(&mut lines, "sluice-group")?;
        let mut topics = BTreeMap::new();
        while let Some(value) = lines.take_if("topic") {
            let (topic, ends) = parse_topic(value).ok_or_else(|| lines.fault("topic"))?;
            let is_behind = topics.last_key_value().is_none_or(|(last, _ends)| *last < topic);
            if !is_behind {
                return Err(lines.fault("topic").into());
            }
            topics.insert(topic, ends);
        }
        lines.end()?;
        Ok(Self { topics })
    }
}

fn index_of(partition: PartitionIndex) -> usize {
    usize::try_from(partition.value()).unwrap_or(usize::MAX)
}

fn parse_topic(value: &str) -> Option<(Topic, TopicEnds)> {
    let (topic, rest) = value.split_once(' ')?;
    let (topic_id, ends) = rest.split_once(' ')?;
    let ends: Option<Vec<Offset>> = match ends {
        "" => Some(Vec::new()),
        ends => ends.split(',').map(parse_offset).collect(),
    };
    Some((Topic::new(topic).ok()?, TopicEnds { topic_id: TopicId::parse(topic_id)?, ends: ends? }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(value: i64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn topic(name: &str, id: u128, ends: &[i64]) -> (Topic, TopicEnds) {
        let ends = ends.iter().copied().map(at).collect();
        (Topic::new(name).unwrap(), TopicEnds { topic_id: TopicId::from_u128(id), ends })
    }

    fn sample() -> GroupObject {
        let topics =
            [topic("pin", 0xff, &[7, 0, 12]), topic("geo", 0, &[]), topic("user", 1, &[3])];
        GroupObject { topics: topics.into_iter().collect() }
    }

    /// Never edited, only added to.
    const GOLDEN_1: &str = "sluice-group 1\n\
        topic geo 00000000000000000000000000000000 \n\
        topic pin 000000000000000000000000000000ff 7,0,12\n\
        topic user 00000000000000000000000000000001 3\n\
        end\n";

    #[test]
    fn the_golden_sample_stays() {
        assert_eq!(sample().encode().as_deref(), Some(GOLDEN_1));
        assert_eq!(GroupObject::parse(GOLDEN_1.as_bytes()), Ok(sample()));
    }

    #[test]
    fn refuses_a_text_that_was_cut_or_changed() {
        for length in 0..GOLDEN_1.len() {
            assert!(GroupObject::parse(&GOLDEN_1.as_bytes()[..length]).is_err(), "{length}");
        }
        let changes = [
            ("sluice-group 1", "sluice-group 2"),
            ("topic pin", "topic user"),
            ("topic pin", "topic a"),
            ("topic pin", "topic p/n"),
            ("7,0,12", "7,,12"),
            ("7,0,12", "7,0,12,"),
            ("7,0,12", "7,-1,12"),
            ("7,0,12", "7, 0,12"),
            ("ff 7", "fe7"),
            ("end\n", "end\n\n"),
        ];
        for (from, to) in changes {
            let text = GOLDEN_1.replacen(from, to, 1);
            assert!(GroupObject::parse(text.as_bytes()).is_err(), "{from:?} -> {to:?}");
        }
        assert!(GroupObject::parse(&vec![b'a'; GROUP_OBJECT_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn names_only_what_was_there_under_the_same_id() {
        let pin = |index| TopicPartition::new("pin", index).unwrap();
        let id = TopicId::from_u128(0xff);
        assert_eq!(sample().end_of(&pin(2), id), Some(at(12)));
        assert_eq!(sample().end_of(&pin(3), id), None, "a new partition");
        assert_eq!(sample().end_of(&pin(2), TopicId::from_u128(1)), None, "created anew");
        assert_eq!(sample().end_of(&pin(2), TopicId::UNKNOWN), Some(at(12)));
    }

    #[test]
    fn a_hundred_thousand_partitions_fit_and_a_million_do_not() {
        let large = |count| {
            let ends = vec![at(i64::MAX); count];
            let (name, of) = topic("large", 1, &[]);
            GroupObject { topics: [(name, TopicEnds { ends, ..of })].into_iter().collect() }
        };
        assert!(large(200_000).encode().is_some());
        assert!(large(1_000_000).encode().is_none());
    }

    proptest! {
        #[test]
        fn round_trips(
            topics in proptest::collection::btree_map(
                "[a-z][a-z0-9._-]{0,20}",
                (any::<u128>(), proptest::collection::vec(0..=i64::MAX, 0..20)),
                0..10,
            ),
        ) {
            let topics = topics.iter().map(|(name, (id, ends))| topic(name, *id, ends)).collect();
            let group = GroupObject { topics };
            let text = group.encode().unwrap();
            prop_assert_eq!(GroupObject::parse(text.as_bytes()), Ok(group));
        }
    }
}
