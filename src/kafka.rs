//! The edge in: what Sluice asks of Kafka, over librdkafka.
//!
//! It owns: reading through worker queues, commits, assignment, logins, questions to brokers; each as a
//! face over librdkafka that is safe and speaks the words of `model`.
//! It does not own: when to commit what, and who may (the protocol's rules), the threads.
//!
//! How a consumer is built on it. The context overrides `ConsumerContext::rebalance`, whose default
//! assigns by itself, and takes over completely:
//! - it runs on the thread that polls, with the partitions of the event and their direction;
//!   `Client::of(consumer)` gives it the calls of this layer;
//! - on assign, in this order: `committed`, `QueueHandle::forward` for each partition, `assign` with
//!   explicit offsets (then `pause` or `resume`: the mark of an earlier pause is still there);
//! - on revoke: `assignment_lost`, the reader lets go of the partitions, the last commit is answered
//!   (on the commit thread), `unassign`, `QueueHandle::unforward`;
//! - every event is answered by one of the two calls, empty ones too;
//! - pre- and post-rebalance callbacks do not run any more, and commit answers never go to
//!   `commit_callback` when they are sent through a `CommitQueue`.
//!
//! Ends in this order: batches and worker queues, commit queue, side threads, and last the consumer
//! on the polling thread: dropping it runs the revoke callback once more.

pub mod admin;
mod consumer;
pub mod ffi;
mod inquiry;
pub mod login;
mod reader;
pub mod seat;

pub use consumer::{
    CLIENT_ID_PREFIX, ConsumerError, ConsumerOptions, Group, GroupConsumer, PartitionFault,
    Protocol, Seen, commit_fault, creation_error, partition_fault,
};
pub use inquiry::{Cluster, Heard, Inquiry, Unreached};
pub use reader::{RangeReader, ReadError};
