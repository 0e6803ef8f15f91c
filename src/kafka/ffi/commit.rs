//! Commits: requests with offset and metadata, whose answers come as events of a queue of their own.
//!
//! Why not the crate's `commit`: asynchronous ones never call back, synchronous ones have no
//! timeout, and both hide the errors of single partitions.
//! What librdkafka 2.12 does with a request: it stamps member id and generation when it processes
//! it, not when it is sent; it repeats by itself on some errors; without a coordinator it keeps the
//! request for `session.timeout.ms`. Each request is answered once, except when the client is
//! destroyed meanwhile. The answer carries the number of its request.

use std::collections::BTreeSet;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rdkafka::bindings::{
    RD_KAFKA_EVENT_OFFSET_COMMIT, rd_kafka_event_destroy, rd_kafka_event_opaque, rd_kafka_event_t,
    rd_kafka_event_topic_partition_list, rd_kafka_event_type, rd_kafka_queue_poll,
    rd_kafka_queue_yield,
};
use thiserror::Error;

use super::list::{PartitionList, read_list};
use super::queue::NativeQueue;
use super::{ClientHandle, ErrorCode, QueueError, milliseconds, native};
use crate::model::{Offset, TopicPartition};

/// What is to be written down for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitEntry {
    pub partition: TopicPartition,
    pub offset: Offset,
    /// Never empty: an empty one would wipe a plan.
    pub metadata: String,
}

/// The number of a request, counted from one for each queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(usize);

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitAnswer {
    pub request: RequestId,
    /// Of the request as a whole. None means that every partition was accepted. Where the broker
    /// refuses some, librdkafka gives one of their errors to the request and to each partition, the
    /// accepted ones too: only a request of one partition tells what became of it.
    pub error: Option<ErrorCode>,
    /// Each partition with its own error, sorted by topic; empty if librdkafka gave none.
    pub partitions: Vec<(TopicPartition, Option<ErrorCode>)>,
}

/// Why a request was not sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    #[error("a commit request holds no partition")]
    Empty,
    #[error("a commit request holds partition {0} twice")]
    Twice(TopicPartition),
    #[error("the commit of partition {0} has no metadata, which would wipe its plan")]
    NoMetadata(TopicPartition),
    #[error("the client takes no commit request")]
    NoMemory,
    #[error("the client refuses a commit request: {0}")]
    Refused(ErrorCode),
}

/// Sends commits and receives their answers. For one thread, never the polling one.
#[derive(Debug)]
pub struct CommitQueue {
    queue: Arc<NativeQueue>,
    last: RequestId,
}

/// Ends the wait of a commit queue from any thread. Does not keep the client.
#[derive(Clone, Debug)]
pub struct CommitWaker(Weak<NativeQueue>);

impl CommitQueue {
    pub fn new(client: &ClientHandle) -> Result<Self, QueueError> {
        Ok(Self { queue: Arc::new(NativeQueue::new(client)?), last: RequestId(0) })
    }

    pub fn waker(&self) -> CommitWaker {
        CommitWaker(Arc::downgrade(&self.queue))
    }

    /// Hands one request over to librdkafka. An error means that nothing was sent.
    pub fn send(&mut self, entries: &[CommitEntry]) -> Result<RequestId, SendError> {
        self.send_list(&list_of(entries)?)
    }

    pub(super) fn send_list(&mut self, list: &PartitionList) -> Result<RequestId, SendError> {
        let request = RequestId(self.last.0.wrapping_add(1));
        // SAFETY: client, list and queue are valid; the list is copied; without a callback the
        // answer is an event of the queue, and the number is handed back and never followed.
        let code = unsafe {
            native::rd_kafka_commit_queue(
                self.queue.client.as_ptr(),
                list.as_ptr(),
                self.queue.as_ptr(),
                None,
                ptr::without_provenance_mut(request.0),
            )
        };
        ErrorCode::check(code).map_err(SendError::Refused)?;
        self.last = request;
        Ok(request)
    }

    /// Waits for an answer until `timeout` has passed or somebody wakes it.
    pub fn poll(&mut self, timeout: Duration) -> Option<CommitAnswer> {
        let event = Event::poll(&self.queue, timeout)?;
        if event.kind() != RD_KAFKA_EVENT_OFFSET_COMMIT {
            return None;
        }
        // SAFETY: the event is valid and of the kind that has a list, which belongs to it.
        let (list, request) = unsafe {
            (
                read_list(rd_kafka_event_topic_partition_list(event.as_ptr())),
                rd_kafka_event_opaque(event.as_ptr()).addr(),
            )
        };
        let partitions = list.into_iter().map(|element| (element.partition, element.error));
        Some(CommitAnswer {
            request: RequestId(request),
            error: event.error(),
            partitions: partitions.collect(),
        })
    }
}

impl CommitWaker {
    pub fn wake(&self) {
        if let Some(queue) = self.0.upgrade() {
            // SAFETY: valid for as long as `queue`; librdkafka locks its queues.
            unsafe { rd_kafka_queue_yield(queue.as_ptr()) }
        }
    }
}

fn list_of(entries: &[CommitEntry]) -> Result<PartitionList, SendError> {
    if entries.is_empty() {
        return Err(SendError::Empty);
    }
    let mut seen = BTreeSet::new();
    let mut list = PartitionList::new().ok_or(SendError::NoMemory)?;
    for entry in entries {
        if entry.metadata.is_empty() {
            return Err(SendError::NoMetadata(entry.partition.clone()));
        }
        if !seen.insert(&entry.partition) {
            return Err(SendError::Twice(entry.partition.clone()));
        }
        list.push(&entry.partition, Some(entry.offset), entry.metadata.as_bytes());
    }
    Ok(list)
}

/// An event of a queue, destroyed when dropped.
pub(super) struct Event(NonNull<rd_kafka_event_t>);

impl Event {
    pub fn poll(queue: &NativeQueue, timeout: Duration) -> Option<Self> {
        // SAFETY: the queue is valid; the event is handed over to us.
        NonNull::new(unsafe { rd_kafka_queue_poll(queue.as_ptr(), milliseconds(timeout)) })
            .map(Self)
    }

    pub fn kind(&self) -> i32 {
        // SAFETY: the event is valid for as long as `self`, here and below.
        unsafe { rd_kafka_event_type(self.0.as_ptr()) }
    }

    pub fn error(&self) -> Option<ErrorCode> {
        // SAFETY: as above.
        ErrorCode::new(unsafe { native::rd_kafka_event_error(self.0.as_ptr()) })
    }

    pub fn as_ptr(&self) -> *mut rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once; what was read from it was copied.
        unsafe { rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: i32, metadata: &str) -> CommitEntry {
        let partition = TopicPartition::new("pin", index).unwrap();
        CommitEntry { partition, offset: Offset::ZERO, metadata: metadata.to_owned() }
    }

    #[test]
    fn nothing_is_sent_that_would_wipe_a_plan_or_commit_twice() {
        let pin = |index| TopicPartition::new("pin", index).unwrap();
        let cases = [
            (vec![], SendError::Empty),
            (vec![entry(0, "plan"), entry(1, "")], SendError::NoMetadata(pin(1))),
            (vec![entry(0, "plan"), entry(0, "other")], SendError::Twice(pin(0))),
        ];
        for (entries, error) in cases {
            assert_eq!(list_of(&entries).err(), Some(error));
        }
        assert!(list_of(&[entry(0, "plan"), entry(1, "plan")]).is_ok());
    }
}
