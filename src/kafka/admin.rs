//! Questions to the brokers about topics, groups and themselves.
//!
//! It owns: topic ids, who is in a group, watermarks, the limit of commit metadata.
//! It does not own: any change of anything: nothing here writes.
//!
//! Each call blocks until its answer or its timeout, and none needs the polling thread: call them
//! from a side thread, with the client that consumes.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use super::ffi::{ClientHandle, Edge, ErrorCode, Rights};
use crate::model::{ClusterId, GroupId, Offset, PartitionIndex, Topic, TopicId, TopicPartition};

/// What a topic is at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    pub id: TopicId,
    pub partitions: usize,
    /// Those that nobody can read or write now, by number.
    pub leaderless: Vec<i32>,
}

impl TopicDescription {
    pub fn is_leaderless(&self, partition: PartitionIndex) -> bool {
        self.leaderless.contains(&partition.value())
    }
}

/// A member of a group, as its coordinator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub client_id: String,
    pub member_id: String,
    pub host: String,
}

/// The offsets that a partition holds: from `low`, up to and without `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    pub low: Offset,
    /// Under `isolation.level=read_committed` the last stable offset.
    pub high: Offset,
}

/// Why the brokers gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AdminError {
    #[error("the brokers answer {0}")]
    Refused(ErrorCode),
    #[error("the brokers say `{name}` = `{value}`, which is not a number")]
    NotANumber { name: &'static str, value: String },
}

impl AdminError {
    /// Returns the code with which the brokers say that this user may not ask.
    pub fn denied(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(code) if is_denied(*code) => Some(*code),
            Self::Refused(_) | Self::NotANumber { .. } => None,
        }
    }
}

/// Returns whether a code says that this user may not do what was asked for.
pub fn is_denied(code: ErrorCode) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    matches!(
        code.known(),
        Some(
            Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
        )
    )
}

/// Asks with the client of a consumer, each question with one timeout.
#[derive(Clone, Debug)]
pub struct Admin {
    client: ClientHandle,
    timeout: Duration,
}

const METADATA_SETTING: &str = "offset.metadata.max.bytes";

impl Admin {
    pub fn new(client: &ClientHandle, timeout: Duration) -> Self {
        Self { client: client.clone(), timeout }
    }

    /// Returns id and size of each topic, or why there is none (`UNKNOWN_TOPIC_OR_PART`; no right
    /// to describe it). A topic that was created a moment ago may be unknown for a moment.
    pub fn topics(
        &self,
        topics: &[Topic],
    ) -> Result<BTreeMap<Topic, Result<TopicDescription, ErrorCode>>, AdminError> {
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let answers = self.client.describe_topics(topics, Rights::Unasked, self.timeout);
        let answers = answers.map_err(AdminError::Refused)?;
        let described = answers.into_iter().filter_map(|answer| {
            let topic = Topic::new(&answer.name).ok()?;
            let id = TopicId::from_halves(answer.id_most, answer.id_least);
            let description = TopicDescription {
                id,
                partitions: answer.partitions,
                leaderless: answer.leaderless,
            };
            Some((topic, answer.error.map_or(Ok(description), Err)))
        });
        Ok(described.collect())
    }

    /// Returns the members of a group of either protocol; none for a group that does not exist.
    /// Members of a group that is just forming may have no assignment yet, but they are there.
    pub fn members(&self, group: &GroupId) -> Result<Vec<Member>, AdminError> {
        let group = self.client.describe_group(group, Rights::Unasked, self.timeout);
        let group = group.map_err(AdminError::Refused)?;
        if let Some(code) = group.error {
            let absent = code == rdkafka::error::RDKafkaErrorCode::GroupIdNotFound.into();
            return if absent { Ok(Vec::new()) } else { Err(AdminError::Refused(code)) };
        }
        let members = group.members.into_iter().map(|member| Member {
            client_id: member.client_id,
            member_id: member.member_id,
            host: member.host,
        });
        Ok(members.collect())
    }

    /// Returns the topics of which the brokers say that this user may not read them.
    pub fn unreadable_topics(&self, topics: &[Topic]) -> Result<Vec<Topic>, AdminError> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.client.describe_topics(topics, Rights::Asked, self.timeout);
        let answers = answers.map_err(AdminError::Refused)?.into_iter();
        let denied =
            answers.filter(|answer| answer.error.is_none() && answer.may_read == Some(false));
        Ok(denied.filter_map(|answer| Topic::new(&answer.name).ok()).collect())
    }

    /// Returns whether this user may read, and so join and commit for, the group; none if the
    /// brokers do not say it.
    pub fn may_read_group(&self, group: &GroupId) -> Result<Option<bool>, AdminError> {
        let group = self.client.describe_group(group, Rights::Asked, self.timeout);
        group.map(|group| group.may_read).map_err(AdminError::Refused)
    }

    pub fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks, AdminError> {
        let answer = self.client.client().watermarks(partition, self.timeout);
        answer.map(|(low, high)| Watermarks { low, high }).map_err(AdminError::Refused)
    }

    /// Returns where logs begin, or what was said instead, of those partitions that were answered.
    pub fn log_starts(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Result<Offset, ErrorCode>>, AdminError> {
        self.edges(partitions, Edge::Start)
    }

    /// Returns how far logs reach, or what was said instead, of those partitions that were answered.
    pub fn watermarks_of(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Result<Watermarks, ErrorCode>>, AdminError> {
        let mut ends = self.edges(partitions, Edge::End)?;
        let starts = self.log_starts(partitions)?.into_iter();
        let both = starts.filter_map(|(partition, low)| {
            let high = ends.remove(&partition)?;
            let both = low.and_then(|low| Ok(Watermarks { low, high: high? }));
            Some((partition, both))
        });
        Ok(both.collect())
    }

    /// Returns where logs end, or what was said instead, of those partitions that were answered.
    pub fn log_ends(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Result<Offset, ErrorCode>>, AdminError> {
        self.edges(partitions, Edge::End)
    }

    fn edges(
        &self,
        partitions: &[TopicPartition],
        edge: Edge,
    ) -> Result<BTreeMap<TopicPartition, Result<Offset, ErrorCode>>, AdminError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let answers = self.client.log_edges(partitions, edge, self.timeout);
        let answers = answers.map_err(AdminError::Refused)?.into_iter();
        Ok(answers.map(|edge| (edge.partition, edge.offset)).collect())
    }

    /// Returns the value of a setting of the brokers; none if they do not say it.
    pub fn broker_setting(&self, name: &'static str) -> Result<Option<String>, AdminError> {
        self.client.broker_setting(name, self.timeout).map_err(AdminError::Refused)
    }

    /// Returns the brokers' `offset.metadata.max.bytes`; none if they do not say it.
    pub fn commit_metadata_max(&self) -> Result<Option<u64>, AdminError> {
        let Some(value) = self.broker_setting(METADATA_SETTING)? else { return Ok(None) };
        match value.parse() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Err(AdminError::NotANumber { name: METADATA_SETTING, value }),
        }
    }

    pub fn cluster_id(&self) -> Option<ClusterId> {
        self.client.client().cluster_id(self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::error::RDKafkaErrorCode as Code;

    #[test]
    fn only_what_a_person_has_to_grant_counts_as_denied() {
        let denied = |code: Code| AdminError::Refused(code.into()).denied().is_some();
        assert!(denied(Code::TopicAuthorizationFailed) && denied(Code::GroupAuthorizationFailed));
        assert!(!denied(Code::UnknownTopicOrPartition) && !denied(Code::RequestTimedOut));
    }
}
