//! The glossary as types: what the words of Sluice mean, checked once at the edge.
//!
//! It owns: offsets and ranges, names of Kafka and S3, times, records, the seal policy, secrets.
//! It does not own: any rule of the protocol, any text format but those of the names themselves.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod commit;
mod hex;
mod name;
mod object;
mod offset;
mod record;
mod seal;
mod secret;
mod time;

pub use commit::CommitFault;
pub(crate) use hex::parse_hex;
pub use name::{
    ClusterId, GroupId, NameError, PartitionIndex, TOPIC_BYTES_MAX, Topic, TopicId, TopicPartition,
};
pub use object::{BatchId, Bucket, KEY_BYTES_MAX, ObjectKey};
pub use offset::{EmptyRange, NegativeOffset, Offset, OffsetRange};
pub use record::{Headers, NoHeaders, Record};
pub use seal::{BatchStats, SealPolicy, SealReason};
pub use secret::{Secret, SecretKey};
pub use time::{Timestamp, Uptime};
