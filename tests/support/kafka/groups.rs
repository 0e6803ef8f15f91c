//! Consumer groups, seen and disturbed by an independent client.
//!
//! It owns: committed offsets with their metadata, lag, members, and commits by a stranger.
//! It does not own: anything that joins a group.

use std::time::Duration;

use rdkafka::admin::AdminOptions;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::Kafka;
use crate::support::{runtime, wait};

const ANSWER_IN: Duration = Duration::from_secs(60);

/// What a group has committed for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub partition: i32,
    /// None: nothing was ever committed, or it expired.
    pub offset: Option<i64>,
    pub metadata: String,
}

/// A member of a classic group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub client_id: String,
}

impl Kafka {
    /// The commits of a group for every partition of a topic.
    pub fn committed(&self, group: &str, topic: &str) -> Vec<Committed> {
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions(topic) {
            list.add_partition(topic, partition);
        }
        let consumer = self.in_group(group);
        let answer = patiently(|| consumer.committed_offsets(list.clone(), ANSWER_IN));
        let elements = answer.elements();
        let committed = elements.iter().map(|element| Committed {
            partition: element.partition(),
            offset: element.offset().to_raw().filter(|offset| *offset >= 0),
            metadata: element.metadata().to_owned(),
        });
        committed.collect()
    }

    /// Offsets of the topic that the group has not committed yet; without a commit, all of them.
    pub fn lag(&self, group: &str, topic: &str) -> i64 {
        let ends = self.end_offsets(topic);
        let committed = self.committed(group, topic);
        ends.iter().zip(&committed).map(|(end, one)| end - one.offset.unwrap_or(0)).sum()
    }

    /// Commits as another tool would. Brokers refuse that while the group has members.
    pub fn commit_as_stranger(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        commit: (i64, &str),
    ) {
        let (offset, metadata) = commit;
        let mut list = TopicPartitionList::new();
        {
            let mut element = list.add_partition(topic, partition);
            element.set_offset(Offset::Offset(offset)).unwrap();
            element.set_metadata(metadata);
        }
        let consumer = self.in_group(group);
        // A group with members refuses strangers: those that were stopped a moment ago, or killed,
        // are members until they have left or their session has ended.
        patiently(|| match consumer.commit(&list, CommitMode::Sync) {
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownMemberId) => {
                Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::RequestTimedOut))
            }
            answer => answer,
        });
    }

    /// Forgets everything that an empty group has committed.
    pub fn delete_group(&self, group: &str) {
        let admin = self.admin();
        let options = AdminOptions::new();
        let deleted = patiently(|| runtime().block_on(admin.delete_groups(&[group], &options)));
        assert_eq!(deleted, [Ok(group.to_owned())]);
    }

    /// The members of a classic group; groups of the new protocol are not described by this call.
    pub fn members(&self, group: &str) -> Vec<Member> {
        let consumer = self.in_group(group);
        let list = patiently(|| consumer.fetch_group_list(Some(group), ANSWER_IN));
        let members = list.groups().iter().flat_map(|group| group.members());
        let members = members.map(|member| Member {
            id: member.id().to_owned(),
            client_id: member.client_id().to_owned(),
        });
        members.collect()
    }

    fn in_group(&self, group: &str) -> BaseConsumer {
        self.client().set("group.id", group).set("enable.auto.commit", "false").create().unwrap()
    }
}

/// Asks until a coordinator answers: it may be on the move, or still be reading its topic.
fn patiently<T>(ask: impl Fn() -> KafkaResult<T>) -> T {
    let mut last = None;
    let answer = wait::until_or(ANSWER_IN, || match ask() {
        Ok(answer) => Some(Ok(answer)),
        Err(error) if is_passing(&error) => {
            last = Some(error);
            None
        }
        Err(error) => Some(Err(error)),
    });
    answer.unwrap_or_else(|| Err(last.expect("asked at least once"))).unwrap()
}

fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::WaitingForCoordinator
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
        )
    )
}
