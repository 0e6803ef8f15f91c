//! What librdkafka's codes stand for in the protocol.
//!
//! It owns: the meaning of a code for a partition that is read, and for a commit.
//! It does not own: what is done about it.

use rdkafka::error::RDKafkaErrorCode;

use super::Protocol;
use crate::kafka::ffi::ErrorCode;

/// What an error of one partition stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionFault {
    /// The position lies outside of the log.
    OutOfRange,
    /// The brokers do not know topic or partition.
    Unknown,
    /// librdkafka goes on by itself.
    Passing,
}

/// Returns what an error that was read from a partition's queue stands for.
pub fn partition_fault(code: ErrorCode) -> PartitionFault {
    use RDKafkaErrorCode as Code;
    match code.known() {
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => PartitionFault::OutOfRange,
        Some(
            Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicId,
        ) => PartitionFault::Unknown,
        _ => PartitionFault::Passing,
    }
}

/// Returns what a code that answers a commit stands for (protocol rules 4 and 5).
pub fn commit_fault(code: ErrorCode, protocol: Protocol) -> crate::model::CommitFault {
    use crate::model::CommitFault;
    use RDKafkaErrorCode as Code;
    let Some(known) = code.known() else { return CommitFault::Unlisted };
    match known {
        Code::OperationTimedOut
        | Code::MessageTimedOut
        | Code::RequestTimedOut
        | Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::WaitingForCoordinator
        | Code::NotCoordinator
        | Code::CoordinatorNotAvailable
        | Code::CoordinatorLoadInProgress
        | Code::NetworkException
        | Code::InProgress
        | Code::PreviousInProgress
        | Code::InvalidMessage
        | Code::UnstableOffsetCommit => CommitFault::Ambiguous,
        Code::IllegalGeneration | Code::RebalanceInProgress | Code::StaleMemberEpoch => {
            CommitFault::Freeze
        }
        Code::UnknownMemberId | Code::FencedInstanceId | Code::FencedMemberEpoch | Code::Fenced => {
            CommitFault::Kill
        }
        Code::GroupIdNotFound => match protocol {
            Protocol::Consumer => CommitFault::NewClient,
            Protocol::Classic => CommitFault::Kill,
        },
        Code::Fatal => CommitFault::NewClient,
        Code::GroupAuthorizationFailed
        | Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopicId
        | Code::UnknownPartition
        | Code::UnknownTopic
        | Code::OffsetMetadataTooLarge
        | Code::InvalidCommitOffsetSize
        | Code::InvalidGroupId
        | Code::InvalidTopic => CommitFault::Refused,
        _ => CommitFault::Unlisted,
    }
}
