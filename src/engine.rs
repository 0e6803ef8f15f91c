//! The pure core: records go in, objects, plans and commits come out. No I/O, clock or randomness.
//!
//! It owns: the state machine of a partition (`Partition`), the one way to commits (`Committer`),
//! where to start (`settle`, `decision`), the plan and its text, the digest.
//! It does not own: the threads that drive the machines, the edges that carry their actions out.
//!
//! Why not one machine for all partitions: nothing but commits and memory is shared, and those
//! have machines of their own; so each partition can be tested, stopped and thrown away alone.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod batch;
mod committer;
mod decision;
mod digest;
mod object;
mod partition;
mod plan;
#[cfg(test)]
mod sample;
mod settle;
mod stop;

pub use batch::{Part, Random, SealedObject, Workshop};
pub use committer::{
    Address, CommitAnswer, CommitEntry, CommitRequest, Committer, FREEZE_MAX, FaultCode,
    GroupProtocol, Membership, Outcome,
};
pub use decision::{Decision, Declined, Places, Replaces, take};
pub use digest::{Digest, DigestEntry};
pub use object::{ObjectDescription, ObjectId, ObjectSizes, PART_BYTES_MIN, PARTS_MAX};
pub use partition::{
    Action, Input, Now, OnLostRecords, Partition, PartitionOptions, Report, Start, Step,
};
pub use plan::{EmptyPlan, Metadata, MetadataError, PLAN_BYTES_MAX, Plan};
pub use settle::{ClaimFacts, ClaimStep, CommittedOffset, Verdict, settle};
pub use stop::{PartitionError, StopReason};

use crate::model::{ClusterId, TopicId, TopicPartition};

/// What a machine reads: fixed for its life, and written into every plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub cluster: ClusterId,
    pub partition: TopicPartition,
    /// Zero where brokers have none.
    pub topic_id: TopicId,
}
