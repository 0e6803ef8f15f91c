//! What goes into the committer and what comes out of it.

use crate::model::{CommitFault, Offset, TopicPartition};

/// One machine and one token: answers go to it, never to a partition's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u64);

/// What the client says of its place in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub member: String,
    /// Generation (classic) or member epoch (KIP-848).
    pub generation: i32,
}

/// The lowest generation at which a broker checks commits: below it, it takes them from anybody
/// while the group is empty (rule 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    Classic,
    Consumer,
}

impl GroupProtocol {
    pub(super) fn is_member(self, generation: i32) -> bool {
        match self {
            Self::Classic => generation >= 0,
            Self::Consumer => generation > 0,
        }
    }
}

/// A commit as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitEntry {
    pub partition: TopicPartition,
    pub offset: Offset,
    pub metadata: String,
}

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    pub id: u64,
    pub entries: Vec<CommitEntry>,
}

/// The answer to a request, by code: the whole request's, and each partition's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitAnswer {
    pub id: u64,
    pub faults: Vec<FaultCode>,
}

/// A code that is not success, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultCode {
    pub fault: CommitFault,
    pub code: String,
}

/// What the committer has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Committed(Address),
    Refused {
        address: Address,
        code: String,
    },
    /// Every token is dead: this membership may not commit once more.
    KilledAll {
        code: String,
    },
    Frozen {
        code: String,
    },
    /// The client cannot heal: make a new one.
    NewClient {
        code: String,
    },
    /// Leave the group and come back.
    Resubscribe,
    Retried {
        code: String,
    },
}
