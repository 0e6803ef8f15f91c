//! What a request to a broker is.
//!
//! It owns: the header of every kind, and the body of commits, in both directions.
//! It does not own: other bodies; a rule that needs one looks for bytes in it.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequest;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::Refusal;
use crate::support::proxy::rules::On;

/// The kinds that tests tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Produce,
    Fetch,
    ListOffsets,
    Metadata,
    OffsetCommit,
    OffsetFetch,
    FindCoordinator,
    JoinGroup,
    Heartbeat,
    LeaveGroup,
    SyncGroup,
    ConsumerGroupHeartbeat,
    Other(i16),
}

impl Kind {
    /// By the protocol's `ApiKey`.
    const fn of(api_key: i16) -> Self {
        match api_key {
            0 => Self::Produce,
            1 => Self::Fetch,
            2 => Self::ListOffsets,
            3 => Self::Metadata,
            8 => Self::OffsetCommit,
            9 => Self::OffsetFetch,
            10 => Self::FindCoordinator,
            11 => Self::JoinGroup,
            12 => Self::Heartbeat,
            13 => Self::LeaveGroup,
            14 => Self::SyncGroup,
            68 => Self::ConsumerGroupHeartbeat,
            other => Self::Other(other),
        }
    }
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct KafkaRequest {
    pub kind: Kind,
    pub version: i16,
    pub correlation_id: i32,
    pub client_id: String,
    /// The frame without its length; empty for Produce, which may be large.
    frame: Bytes,
}

/// One partition of an OffsetCommit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub metadata: String,
}

/// Requests of this kind.
pub fn on(kind: Kind) -> On<KafkaRequest> {
    On::matching(move |request: &KafkaRequest| request.kind == kind)
}

impl On<KafkaRequest> {
    /// Only with this text somewhere inside: a group, a topic, a member id.
    #[must_use]
    pub fn containing(self, text: &str) -> Self {
        let text = text.as_bytes().to_vec();
        self.and(move |request| request.frame.windows(text.len()).any(|window| window == text))
    }

    /// Only commits with a partition for which this holds.
    #[must_use]
    pub fn with_commit(self, wanted: impl Fn(&Commit) -> bool + Send + Sync + 'static) -> Self {
        self.and(move |request| request.commits().iter().any(&wanted))
    }
}

impl KafkaRequest {
    /// None if this is no frame of a client.
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let mut rest = frame;
        let api_key = rest.try_get_i16().ok()?;
        let version = rest.try_get_i16().ok()?;
        let correlation_id = rest.try_get_i32().ok()?;
        let client_id_bytes = usize::try_from(rest.try_get_i16().ok()?).unwrap_or(0);
        let client_id = String::from_utf8_lossy(rest.get(..client_id_bytes)?).into_owned();
        let kind = Kind::of(api_key);
        let kept = if kind == Kind::Produce { &[] } else { frame };
        let frame = Bytes::copy_from_slice(kept);
        Some(Self { kind, version, correlation_id, client_id, frame })
    }

    /// What a commit carries; nothing for other kinds.
    pub fn commits(&self) -> Vec<Commit> {
        let Some(request) = self.decode_commit() else { return Vec::new() };
        let commits = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|one| Commit {
                topic: topic.name.0.to_string(),
                partition: one.partition_index,
                offset: one.committed_offset,
                metadata: one
                    .committed_metadata
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            })
        });
        commits.collect()
    }

    fn decode_commit(&self) -> Option<OffsetCommitRequest> {
        if self.kind != Kind::OffsetCommit {
            return None;
        }
        let mut frame = self.frame.clone();
        let header_version = ApiKey::OffsetCommit.request_header_version(self.version);
        RequestHeader::decode(&mut frame, header_version).expect("the header of a commit");
        Some(OffsetCommitRequest::decode(&mut frame, self.version).expect("the body of a commit"))
    }

    /// The frame, without its length, that refuses every partition of this commit.
    pub(super) fn refused(&self, refusal: Refusal) -> Bytes {
        let request = self.decode_commit().expect("only commits are refused");
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|one| {
                OffsetCommitResponsePartition::default()
                    .with_partition_index(one.partition_index)
                    .with_error_code(refusal.0)
            });
            OffsetCommitResponseTopic::default()
                .with_partitions(partitions.collect())
                .with_name(topic.name)
                .with_topic_id(topic.topic_id)
        });
        let response = OffsetCommitResponse::default().with_topics(topics.collect());
        let mut frame = BytesMut::new();
        let header_version = ApiKey::OffsetCommit.response_header_version(self.version);
        ResponseHeader::default()
            .with_correlation_id(self.correlation_id)
            .encode(&mut frame, header_version)
            .expect("a header of ours");
        response.encode(&mut frame, self.version).expect("a response of ours");
        frame.freeze()
    }
}
