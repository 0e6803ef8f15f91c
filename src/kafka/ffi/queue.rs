//! Queues of librdkafka: the one of a worker, to which its partitions' queues are forwarded.
//!
//! Who keeps what alive: a queue of ours must be gone before its client, so each holds the client.
//! The handles that travel (to the poll thread, into mailboxes) are weak: a consumer's context may
//! keep them without keeping its own consumer alive.
//! A forwarded partition queue keeps the worker's queue in memory but not in use: once the worker's
//! queue is destroyed, what still arrives is thrown away. So the reader, when it goes, first ends
//! each forward that it still has.
//!
//! To librdkafka 2.12 every read of every queue is a poll of the application: as long as one worker
//! reads, `max.poll.interval.ms` does not notice a polling thread that hangs.

use std::collections::BTreeMap;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_message_t, rd_kafka_queue_destroy,
    rd_kafka_queue_forward, rd_kafka_queue_get_partition, rd_kafka_queue_new, rd_kafka_queue_t,
    rd_kafka_queue_yield,
};
use thiserror::Error;

use super::list::topic_text;
use super::{Batch, ClientHandle, milliseconds};
use crate::model::TopicPartition;

/// Messages per call: beyond a thousand the call costs nothing any more beside its messages.
pub const BATCH_MESSAGES_MAX: usize = 1_000;

/// Why a queue cannot be had or joined.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueueError {
    #[error("the client gives no queue")]
    NotCreated,
    #[error("the client gives no queue for partition {0}")]
    NoPartition(TopicPartition),
    #[error("the reader of the queue is gone")]
    ReaderGone,
}

/// The queue of one worker. Its messages are read here and nowhere else.
#[derive(Debug)]
pub struct WorkerQueue {
    shared: Arc<Shared>,
    array: Vec<*mut rd_kafka_message_t>,
}

// SAFETY: the array holds no message between two calls; the rest is `Send` by itself.
unsafe impl Send for WorkerQueue {}

impl WorkerQueue {
    pub fn new(client: &ClientHandle) -> Result<Self, QueueError> {
        let queue = NativeQueue::new(client)?;
        let shared = Arc::new(Shared { forwarded: Mutex::new(Some(BTreeMap::new())), queue });
        Ok(Self { shared, array: vec![ptr::null_mut(); BATCH_MESSAGES_MAX] })
    }

    /// Returns what other threads do with the queue: forward partitions to it, wake its reader.
    pub fn handle(&self) -> QueueHandle {
        QueueHandle(Arc::downgrade(&self.shared))
    }

    /// Waits until `max` messages are there (at most `BATCH_MESSAGES_MAX`), `timeout` has passed or
    /// somebody wakes it, and returns what is there, often nothing. A wake that comes between two
    /// calls ends the next one as soon as it would wait.
    pub fn read_batch(&mut self, timeout: Duration, max: usize) -> Batch {
        let max = max.min(self.array.len());
        // SAFETY: the queue is valid for as long as `shared`, the array has room for `max`.
        let count = unsafe {
            rd_kafka_consume_batch_queue(
                self.shared.queue.as_ptr(),
                milliseconds(timeout),
                self.array.as_mut_ptr(),
                max,
            )
        };
        // A negative count is an error of the arguments; there is nothing to destroy then.
        let count = usize::try_from(count).unwrap_or(0);
        let messages = self.array.iter().take(count).filter_map(|message| NonNull::new(*message));
        // SAFETY: the call has handed these messages over to us, each once.
        unsafe { Batch::adopt(messages.collect(), &self.shared) }
    }
}

impl Drop for WorkerQueue {
    fn drop(&mut self) {
        for queue in self.shared.forwarded().take().into_iter().flat_map(BTreeMap::into_values) {
            queue.forward(None);
        }
    }
}

/// What a worker's queue and the batches read from it share.
#[derive(Debug)]
pub(super) struct Shared {
    /// None once the reader is gone.
    forwarded: Mutex<Option<BTreeMap<TopicPartition, NativeQueue>>>,
    queue: NativeQueue,
}

impl Shared {
    fn forwarded(&self) -> MutexGuard<'_, Option<BTreeMap<TopicPartition, NativeQueue>>> {
        self.forwarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The other end of a worker's queue. Does not keep the client.
#[derive(Clone, Debug)]
pub struct QueueHandle(Weak<Shared>);

impl QueueHandle {
    /// Ends the reader's wait, or its next one if it does not wait now. No effect without a reader.
    pub fn wake(&self) {
        if let Some(shared) = self.0.upgrade() {
            // SAFETY: valid for as long as `shared`; librdkafka locks its queues.
            unsafe { rd_kafka_queue_yield(shared.queue.as_ptr()) }
        }
    }

    /// Sends what is fetched of `partition` to this worker from now on. To be called inside the
    /// assign callback and before the assign; a partition that is with another worker is taken from
    /// that one by `unforward` first.
    pub fn forward(&self, partition: &TopicPartition) -> Result<(), QueueError> {
        let shared = self.0.upgrade().ok_or(QueueError::ReaderGone)?;
        let mut forwarded = shared.forwarded();
        let forwarded = forwarded.as_mut().ok_or(QueueError::ReaderGone)?;
        let queue = NativeQueue::of_partition(&shared.queue.client, partition)?;
        queue.forward(Some(&shared.queue));
        forwarded.insert(partition.clone(), queue);
        Ok(())
    }

    /// Ends the forward. To be called when the reader has let go of the partition and the partition
    /// is unassigned: what arrives between is kept in the partition's own queue, unread.
    pub fn unforward(&self, partition: &TopicPartition) {
        let Some(shared) = self.0.upgrade() else { return };
        let queue = shared.forwarded().as_mut().and_then(|queues| queues.remove(partition));
        if let Some(queue) = queue {
            queue.forward(None);
        }
    }
}

/// A reference to a queue, together with the client that must outlive it.
pub(super) struct NativeQueue {
    queue: NonNull<rd_kafka_queue_t>,
    pub client: ClientHandle,
}

// SAFETY: librdkafka locks its queues; every function used here may be called on any thread.
unsafe impl Send for NativeQueue {}
// SAFETY: as above.
unsafe impl Sync for NativeQueue {}

impl NativeQueue {
    pub fn new(client: &ClientHandle) -> Result<Self, QueueError> {
        // SAFETY: the client is valid for as long as its handle, a copy of which is kept.
        let queue = unsafe { rd_kafka_queue_new(client.as_ptr()) };
        let queue = NonNull::new(queue).ok_or(QueueError::NotCreated)?;
        Ok(Self { queue, client: client.clone() })
    }

    fn of_partition(client: &ClientHandle, of: &TopicPartition) -> Result<Self, QueueError> {
        let topic = topic_text(&of.topic);
        // SAFETY: as above; the topic is a C string that is copied.
        let queue = unsafe {
            rd_kafka_queue_get_partition(client.as_ptr(), topic.as_ptr(), of.partition.value())
        };
        let queue = NonNull::new(queue).ok_or_else(|| QueueError::NoPartition(of.clone()))?;
        Ok(Self { queue, client: client.clone() })
    }

    fn forward(&self, to: Option<&Self>) {
        let to = to.map_or(ptr::null_mut(), Self::as_ptr);
        // SAFETY: both are valid; the source keeps its own reference to the target's inner queue.
        unsafe { rd_kafka_queue_forward(self.as_ptr(), to) }
    }

    pub fn as_ptr(&self) -> *mut rd_kafka_queue_t {
        self.queue.as_ptr()
    }
}

impl Drop for NativeQueue {
    fn drop(&mut self) {
        // SAFETY: one reference was given to us, it is returned once, before the client's handle
        // (a field, so dropped behind this body).
        unsafe { rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

impl fmt::Debug for NativeQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("NativeQueue").field(&self.queue).finish()
    }
}
