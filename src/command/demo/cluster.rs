//! A Kafka in this process, on loopback: librdkafka's mock cluster with the demo's topics.
//!
//! It owns: how many records it can hold, and so how many partitions a demo needs. The mock drops
//! the oldest records of a partition beyond 5 MiB, which neither the daemon nor the check would
//! see as a loss: so no partition is given more than it keeps, and posts go to them in turn.
//! It does not own: the records.

use std::fmt;

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use thiserror::Error;

use crate::command::posts::Kind;
use crate::model::Topic;

/// 5 MiB are kept of a partition (librdkafka 2.12, `rd_kafka_mock_partition_new`); a pin has 870
/// bytes and its framing 10 to 70: 4.7 MB at most.
const POSTS_PER_PARTITION: u64 = 5_000;
/// A demo shows more than one partition even when one would hold it all.
const PARTITIONS_MIN: u32 = 3;
/// 64 x 5,000 posts of 1.1 kB are 350 MB in this process: more is no demo.
const PARTITIONS_MAX: u32 = 64;

/// The most records that a demo can have, over its three topics.
pub const RECORDS_MAX: u64 = capacity(PARTITIONS_MAX);

const fn capacity(partitions: u32) -> u64 {
    partitions as u64 * POSTS_PER_PARTITION * Kind::ALL.len() as u64
}

/// Why there is no cluster.
#[derive(Debug, Error)]
pub enum ClusterError {
    #[error("{records} records are more than a demo holds: at most {RECORDS_MAX}")]
    TooManyRecords { records: u64 },
    #[error("the mock cluster does not start: {0}")]
    Start(#[source] KafkaError),
    #[error("the mock cluster does not take topic `{topic}`: {source}")]
    Topic { topic: Topic, source: KafkaError },
}

/// Returns how many partitions each topic needs so that `records` in all, over the three topics,
/// stay where they are.
pub fn partitions_for(records: u64) -> Result<u32, ClusterError> {
    let posts = records.div_ceil(Kind::ALL.len() as u64);
    let partitions = u32::try_from(posts.div_ceil(POSTS_PER_PARTITION)).unwrap_or(u32::MAX);
    if partitions > PARTITIONS_MAX {
        return Err(ClusterError::TooManyRecords { records });
    }
    Ok(partitions.max(PARTITIONS_MIN))
}

/// A running cluster of one broker. It ends when it is dropped; it cannot leave its thread.
pub struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    partitions: u32,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cluster").field("partitions", &self.partitions).finish()
    }
}

impl Cluster {
    /// Starts a cluster with `topics`, each of `partitions` partitions.
    pub fn start(topics: &[Topic], partitions: u32) -> Result<Self, ClusterError> {
        let mock = MockCluster::new(1).map_err(ClusterError::Start)?;
        let count = i32::try_from(partitions).unwrap_or(i32::MAX);
        for topic in topics {
            mock.create_topic(topic.as_str(), count, 1)
                .map_err(|source| ClusterError::Topic { topic: topic.clone(), source })?;
        }
        Ok(Self { mock, partitions })
    }

    /// Returns the value for `kafka.bootstrap_servers`.
    pub fn bootstrap_servers(&self) -> String {
        self.mock.bootstrap_servers()
    }

    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Returns how many records, over the three topics, the cluster keeps.
    pub fn capacity(&self) -> u64 {
        capacity(self.partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_grow_with_the_records() {
        assert_eq!(partitions_for(1).unwrap(), 3);
        assert_eq!(partitions_for(45_000).unwrap(), 3);
        assert_eq!(partitions_for(45_001).unwrap(), 4);
        assert_eq!(partitions_for(RECORDS_MAX).unwrap(), PARTITIONS_MAX);
        assert_eq!(
            partitions_for(RECORDS_MAX + 1).unwrap_err().to_string(),
            "960001 records are more than a demo holds: at most 960000"
        );
    }
}
