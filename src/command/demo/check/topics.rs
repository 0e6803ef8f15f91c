//! What is in the topics, read by a consumer of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Offset as KafkaOffset;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message};

use super::{CheckError, Digest};
use crate::model::{Offset, Topic, TopicPartition};

/// For each question to the broker.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// Between two messages, while there are some to come.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Between two looks at the clock.
const POLL_WAIT: Duration = Duration::from_millis(200);

/// The records of all partitions that were read, empty partitions too.
pub type Records = BTreeMap<TopicPartition, PartitionRecords>;

/// The records of one partition that have a value, in the order of their offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionRecords {
    pub offsets: Vec<Offset>,
    pub values: Vec<Digest>,
}

impl PartitionRecords {
    pub fn push(&mut self, offset: Offset, value: Digest) {
        self.offsets.push(offset);
        self.values.push(value);
    }

    /// Returns the values from the record at `offset` on, none if there is no such record.
    pub fn from(&self, offset: Offset) -> Option<&[Digest]> {
        let index = self.offsets.binary_search(&offset).ok()?;
        self.values.get(index..)
    }
}

/// Reads `topics` from the first to the last record that they hold now. `watch` is told how many
/// records are read.
pub fn read_topics(
    bootstrap_servers: &str,
    topics: &[Topic],
    watch: &mut dyn FnMut(u64),
) -> Result<Records, CheckError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        // A name that nothing is committed under; assigning by hand joins no group.
        .set("group.id", "sluice-demo-check")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .create()
        .map_err(CheckError::Settings)?;
    let mut reading = Reading::default();
    for topic in topics {
        reading.add(&consumer, topic)?;
    }
    consumer.assign(&reading.assignment().map_err(CheckError::Read)?).map_err(CheckError::Read)?;
    reading.read_all(&consumer, watch)?;
    Ok(reading.records)
}

/// The state of one pass over the topics.
#[derive(Debug, Default)]
struct Reading {
    records: Records,
    /// The end of each partition that has more to read.
    ends: BTreeMap<TopicPartition, Offset>,
    read: u64,
}

impl Reading {
    fn add(&mut self, consumer: &BaseConsumer, topic: &Topic) -> Result<(), CheckError> {
        let failed = |source| CheckError::Topic { topic: topic.clone(), source };
        let metadata =
            consumer.fetch_metadata(Some(topic.as_str()), ANSWER_WAIT_MAX).map_err(failed)?;
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            let (low, high) = consumer
                .fetch_watermarks(topic.as_str(), partition.id(), ANSWER_WAIT_MAX)
                .map_err(failed)?;
            let Ok(partition) = TopicPartition::new(topic.as_str(), partition.id()) else {
                continue;
            };
            let first = Offset::new(low).unwrap_or(Offset::ZERO);
            if first > Offset::ZERO {
                return Err(CheckError::Dropped { partition, first });
            }
            self.records.insert(partition.clone(), PartitionRecords::default());
            if high > low {
                self.ends.insert(partition, Offset::new(high).unwrap_or(Offset::ZERO));
            }
        }
        Ok(())
    }

    fn assignment(&self) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for partition in self.ends.keys() {
            let (topic, index) = (partition.topic.as_str(), partition.partition.value());
            list.add_partition_offset(topic, index, KafkaOffset::Offset(0))?;
        }
        Ok(list)
    }

    fn read_all(
        &mut self,
        consumer: &BaseConsumer,
        watch: &mut dyn FnMut(u64),
    ) -> Result<(), CheckError> {
        let mut last_heard = Instant::now();
        while !self.ends.is_empty() {
            match consumer.poll(POLL_WAIT) {
                Some(Ok(message)) => {
                    last_heard = Instant::now();
                    self.take(&message);
                    watch(self.read);
                }
                Some(Err(error)) if is_fatal(&error) => return Err(CheckError::Read(error)),
                Some(Err(_)) | None if last_heard.elapsed() < SILENCE_MAX => {}
                Some(Err(_)) | None => {
                    let seconds = SILENCE_MAX.as_secs();
                    return Err(CheckError::Stalled { seconds, partitions: self.ends.len() });
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let partition = TopicPartition::new(message.topic(), message.partition());
        let (Ok(partition), Ok(offset)) = (partition, Offset::new(message.offset())) else {
            return;
        };
        let Some(end) = self.ends.get(&partition).copied() else { return };
        if let (Some(value), Some(records)) = (message.payload(), self.records.get_mut(&partition))
        {
            records.push(offset, Digest::of(value));
        }
        self.read += 1;
        if offset.next() >= end {
            self.ends.remove(&partition);
        }
    }
}

/// Errors of the connection heal by themselves; those of a message or an offset do not.
fn is_fatal(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    !matches!(
        error.rdkafka_error_code(),
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut)
    )
}
