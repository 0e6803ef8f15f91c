//! What is shown of one partition.
//!
//! It owns: the row. It does not own: how a partition gets from one state to the next.

use std::sync::Arc;

use crate::model::{ObjectKey, Offset, Timestamp};

/// One partition at one moment. Offsets are those of the next record at that stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionRow {
    /// What it is doing, in a word.
    pub state: &'static str,
    pub consumed: Option<Offset>,
    pub published: Option<Offset>,
    pub committed: Option<Offset>,
    pub log_end: Option<Offset>,
    /// Up to which time records are in S3, as far as one is known.
    pub published_time: Option<Timestamp>,
    pub open_records: u64,
    pub open_bytes: u64,
    pub last_key: Option<ObjectKey>,
    pub stopped: Option<Stopped>,
}

/// Why a partition waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub reason: &'static str,
    /// A setting of the user asked for it (`on_... = "stop"`).
    pub was_asked_for: bool,
    /// What was found, and what to do about it.
    pub text: Arc<str>,
    /// The object's key that is in the text as logs show it.
    pub key: Option<ObjectKey>,
}

impl PartitionRow {
    /// Returns how far the frontier is behind the end, if both are known.
    pub fn lag(&self) -> Option<u64> {
        Some(self.log_end?.distance_from(self.committed?))
    }

    /// Returns for how many seconds records wait to be in S3, if that is known.
    pub fn behind_s(&self, wall: Timestamp) -> Option<u64> {
        if self.lag() == Some(0) {
            return Some(0);
        }
        let millis = wall.millis().saturating_sub(self.published_time?.millis());
        Some(u64::try_from(millis / 1_000).unwrap_or(0))
    }
}
