//! Groups of one member each, under the classic protocol: who joins last is the group.
//!
//! Nothing expires and nobody is fenced: a daemon of a benchmark is alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kafka_protocol::messages::{
    DescribeGroupsRequest, FindCoordinatorResponse, GroupId, JoinGroupRequest, OffsetCommitRequest,
    OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::topics::BROKER;

#[derive(Default)]
struct Group {
    generation: i32,
    member: Option<Member>,
    committed: BTreeMap<(TopicName, i32), (i64, Option<StrBytes>)>,
}

#[derive(Clone)]
struct Member {
    id: StrBytes,
    client: StrBytes,
    protocol: StrBytes,
    metadata: Bytes,
    assignment: Bytes,
}

/// Every group, by name.
pub struct Groups {
    port: u16,
    groups: BTreeMap<GroupId, Group>,
}

impl Groups {
    pub fn new(port: u16) -> Self {
        Self { port, groups: BTreeMap::new() }
    }

    pub fn coordinator(&self) -> FindCoordinatorResponse {
        FindCoordinatorResponse::default()
            .with_node_id(BROKER)
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(self.port.into())
    }

    pub fn join(&mut self, request: &JoinGroupRequest, client: StrBytes) -> JoinGroupResponse {
        let group = self.groups.entry(request.group_id.clone()).or_default();
        group.generation += 1;
        let id = match request.member_id.is_empty() {
            true => StrBytes::from_string(format!("{}-{}", client.as_str(), group.generation)),
            false => request.member_id.clone(),
        };
        let offered = &request.protocols[0];
        let member = Member {
            id: id.clone(),
            client,
            protocol: offered.name.clone(),
            metadata: offered.metadata.clone(),
            assignment: Bytes::new(),
        };
        group.member = Some(member);
        let listed = JoinGroupResponseMember::default()
            .with_member_id(id.clone())
            .with_metadata(offered.metadata.clone());
        JoinGroupResponse::default()
            .with_generation_id(group.generation)
            .with_protocol_type(Some(request.protocol_type.clone()))
            .with_protocol_name(Some(offered.name.clone()))
            .with_leader(id.clone())
            .with_member_id(id)
            .with_members(vec![listed])
    }

    /// The leader is the member, so its own word is the assignment.
    pub fn sync(&mut self, request: &SyncGroupRequest) -> SyncGroupResponse {
        let given = request.assignments.first();
        let assignment = given.map(|given| given.assignment.clone()).unwrap_or_default();
        let group = self.groups.entry(request.group_id.clone()).or_default();
        if let Some(member) = &mut group.member {
            member.assignment = assignment.clone();
        }
        SyncGroupResponse::default().with_assignment(assignment)
    }

    pub fn leave(&mut self, group: &GroupId) {
        self.groups.entry(group.clone()).or_default().member = None;
    }

    pub fn commit(&mut self, request: &OffsetCommitRequest) -> OffsetCommitResponse {
        let group = self.groups.entry(request.group_id.clone()).or_default();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|one| {
                let at = (topic.name.clone(), one.partition_index);
                let value = (one.committed_offset, one.committed_metadata.clone());
                group.committed.insert(at, value);
                OffsetCommitResponsePartition::default().with_partition_index(one.partition_index)
            });
            OffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        OffsetCommitResponse::default().with_topics(topics.collect())
    }

    pub fn committed(&self, request: &OffsetFetchRequest) -> OffsetFetchResponse {
        let group = self.groups.get(&request.group_id);
        let topics = request.topics.iter().flatten().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|index| {
                let at = (topic.name.clone(), *index);
                let found = group.and_then(|group| group.committed.get(&at)).cloned();
                let (offset, metadata) = found.unwrap_or((-1, None));
                OffsetFetchResponsePartition::default()
                    .with_partition_index(*index)
                    .with_committed_offset(offset)
                    .with_metadata(Some(metadata.unwrap_or_default()))
            });
            OffsetFetchResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        OffsetFetchResponse::default().with_topics(topics.collect())
    }

    pub fn describe(&self, request: &DescribeGroupsRequest) -> DescribeGroupsResponse {
        let groups = request.groups.iter().map(|id| {
            let member = self.groups.get(id).and_then(|group| group.member.clone());
            let (state, protocol) = match &member {
                Some(member) => ("Stable", member.protocol.clone()),
                None => ("Dead", StrBytes::default()),
            };
            let members = member.into_iter().map(|member| {
                DescribedGroupMember::default()
                    .with_member_id(member.id)
                    .with_client_id(member.client)
                    .with_client_host(StrBytes::from_static_str("/127.0.0.1"))
                    .with_member_metadata(member.metadata)
                    .with_member_assignment(member.assignment)
            });
            DescribedGroup::default()
                .with_group_id(id.clone())
                .with_group_state(StrBytes::from_static_str(state))
                .with_protocol_type(StrBytes::from_static_str("consumer"))
                .with_protocol_data(protocol)
                .with_members(members.collect())
        });
        DescribeGroupsResponse::default().with_groups(groups.collect())
    }
}
