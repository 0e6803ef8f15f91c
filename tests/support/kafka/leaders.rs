//! Who leads which partition: the group coordinator among them, and how to move it.
//!
//! It owns: the leader of `__consumer_offsets`, moving it to another replica, waiting until every
//! replica is in sync.
//! It does not own: the brokers' processes. It assumes that `__consumer_offsets` has one partition,
//! as the tests' clusters have, so that its leader coordinates every group.

use std::time::Duration;

use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ApiKey, BrokerId,
    ElectLeadersRequest, ElectLeadersResponse, TopicName,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::MetadataPartition;

use super::Kafka;
use crate::support::wait;

const OFFSETS: &str = "__consumer_offsets";
const ANSWER_IN: Duration = Duration::from_secs(60);
/// A killed broker reads its log again and fetches what it missed.
const IN_SYNC_IN: Duration = Duration::from_secs(120);
const REASSIGN_VERSION: i16 = 0;
const ELECT_VERSION: i16 = 2;
const PREFERRED: i8 = 0;
const MS_MAX: i32 = 30_000;

impl Kafka {
    /// The broker (its index) that coordinates every group; none while there is no leader.
    pub fn coordinator(&self) -> Option<usize> {
        let leader = self.ask_offsets_topic(|partition| partition.leader())?;
        usize::try_from(leader).ok()?.checked_sub(1)
    }

    /// Makes another replica the leader of the groups' topic; whether it came to be.
    pub fn move_coordinator(&self) -> bool {
        let Some(before) = self.coordinator() else { return false };
        let replicas = self.ask_offsets_topic(|partition| partition.replicas().to_vec());
        let mut replicas = replicas.unwrap_or_default();
        let of_before = i32::try_from(before).unwrap() + 1;
        let Some(place) = replicas.iter().position(|replica| *replica == of_before) else {
            return false;
        };
        // The first replica is the preferred leader: it becomes the one behind the present leader.
        replicas.rotate_left(place);
        replicas.rotate_left(1);
        self.prefer(&replicas);
        self.elect_preferred();
        wait::until_or(ANSWER_IN, || (self.coordinator()? != before).then_some(())).is_some()
    }

    /// Waits until each partition of each topic has a leader and all its replicas in sync.
    pub fn wait_until_in_sync(&self) {
        wait::until("all replicas to be in sync", IN_SYNC_IN, || {
            let consumer: BaseConsumer = self.client().create().unwrap();
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(5)).ok()?;
            let is_whole = |one: &MetadataPartition| {
                one.leader() >= 0 && one.isr().len() == one.replicas().len()
            };
            let whole =
                metadata.topics().iter().all(|topic| topic.partitions().iter().all(is_whole));
            (whole && metadata.brokers().len() == self.brokers.len()).then_some(())
        });
    }

    fn ask_offsets_topic<T>(&self, ask: impl Fn(&MetadataPartition) -> T) -> Option<T> {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = consumer.fetch_metadata(Some(OFFSETS), Duration::from_secs(10)).ok()?;
        metadata.topics().first()?.partitions().first().map(ask)
    }

    fn prefer(&self, replicas: &[i32]) {
        let replicas = replicas.iter().map(|replica| BrokerId(*replica)).collect();
        let partition = ReassignablePartition::default().with_replicas(Some(replicas));
        let topic =
            ReassignableTopic::default().with_name(offsets()).with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default()
            .with_timeout_ms(MS_MAX)
            .with_topics(vec![topic]);
        let api_key = ApiKey::AlterPartitionReassignments;
        let mut answer = self.ask(api_key, REASSIGN_VERSION, &request);
        let answer =
            AlterPartitionReassignmentsResponse::decode(&mut answer, REASSIGN_VERSION).unwrap();
        assert_eq!(answer.error_code, 0, "{answer:?}");
    }

    /// An election may come too early, or be needless: what counts is who leads afterwards.
    fn elect_preferred(&self) {
        let topic = TopicPartitions::default().with_topic(offsets()).with_partitions(vec![0]);
        let request = ElectLeadersRequest::default()
            .with_election_type(PREFERRED)
            .with_topic_partitions(Some(vec![topic]))
            .with_timeout_ms(MS_MAX);
        let mut answer = self.ask(ApiKey::ElectLeaders, ELECT_VERSION, &request);
        let answer = ElectLeadersResponse::decode(&mut answer, ELECT_VERSION).unwrap();
        assert_eq!(answer.error_code, 0, "{answer:?}");
    }
}

fn offsets() -> TopicName {
    TopicName(StrBytes::from_static_str(OFFSETS))
}
