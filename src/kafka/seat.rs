//! What the daemon's loops ask of the client, as traits: librdkafka stands behind them, and in the
//! simulation a model of it and of the brokers.
//!
//! It owns: the traits and their thin bridges to `ffi`. It does not own: any behaviour.

use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::ffi::{
    Batch, CallError, Client, ClientHandle, Committed, Content, ErrorCode, Membership, Message,
    Place, QueueError, QueueHandle, WorkerQueue,
};
use crate::model::{Offset, TopicPartition};

/// One thing that was read.
pub trait Read: Debug {
    fn place(&self) -> Place<'_>;
    fn topic(&self) -> &[u8];
    fn partition(&self) -> i32;
    fn content(&self) -> Content<'_>;
}

/// What one read gave, in the order of arrival. Its messages stay valid until it is dropped.
pub trait Messages: Debug {
    fn get(&self, index: usize) -> Option<&dyn Read>;
}

/// What a worker reads from: its queue, and the client behind it.
pub trait Fetcher: Debug + Send {
    /// Returns what is there, at most `max` messages; if nothing is, waits for the first one, for
    /// `wait`, or until it is woken. `is_called` is asked before it waits, because a wake may have
    /// come before: then it does not.
    fn read(
        &mut self,
        max: usize,
        wait: Duration,
        is_called: &dyn Fn() -> bool,
    ) -> Option<Rc<dyn Messages>>;
    /// Returns what ends a wait of `read` from any thread.
    fn waker(&self) -> Arc<dyn Fn() + Send + Sync>;
    fn pause(&self, partition: &TopicPartition) -> Result<(), CallError>;
    fn resume(&self, partition: &TopicPartition) -> Result<(), CallError>;
    /// Reads on from elsewhere; returns those that were refused.
    fn seek(
        &self,
        offsets: &[(TopicPartition, Offset)],
        at_most: Duration,
    ) -> Result<Vec<(TopicPartition, ErrorCode)>, CallError>;
    /// Returns the log's end as the last fetch has told it.
    fn log_end_seen(&self, partition: &TopicPartition) -> Option<Offset>;
}

/// Where a partition's messages go.
pub trait Forward: Debug + Send + Sync {
    /// Sends what is fetched of the partition to this queue.
    fn forward(&self, partition: &TopicPartition) -> Result<(), QueueError>;
    /// Ends that.
    fn unforward(&self, partition: &TopicPartition);
}

/// The group's member, inside a rebalance callback.
pub trait Member: Debug {
    fn membership(&self) -> Option<Membership>;
    fn committed(
        &self,
        partitions: &[TopicPartition],
        at_most: Duration,
    ) -> Result<Vec<Committed>, CallError>;
    fn assign(&self, partitions: &[(TopicPartition, Offset)]) -> Result<(), CallError>;
    fn pause(&self, partitions: &[TopicPartition]) -> Result<(), CallError>;
    fn unassign(&self, partitions: &[TopicPartition]) -> Result<(), CallError>;
}

impl Read for Message {
    fn place(&self) -> Place<'_> {
        self.place()
    }

    fn topic(&self) -> &[u8] {
        self.topic()
    }

    fn partition(&self) -> i32 {
        self.partition()
    }

    fn content(&self) -> Content<'_> {
        self.content()
    }
}

impl Messages for Batch {
    fn get(&self, index: usize) -> Option<&dyn Read> {
        self.get(index).map(|message| message as &dyn Read)
    }
}

/// A worker's queue together with the client that it is of.
#[derive(Debug)]
pub struct ClientFetcher {
    pub queue: WorkerQueue,
    pub client: ClientHandle,
}

impl Fetcher for ClientFetcher {
    fn read(
        &mut self,
        max: usize,
        wait: Duration,
        is_called: &dyn Fn() -> bool,
    ) -> Option<Rc<dyn Messages>> {
        let mut batch = self.queue.read_batch(Duration::ZERO, max);
        // The call may have swallowed a wake, but not what it was for.
        if batch.is_empty() && !is_called() {
            // The call waits for as many as it was asked for: for one, then.
            batch = self.queue.read_batch(wait, 1);
        }
        (!batch.is_empty()).then(|| Rc::new(batch) as Rc<dyn Messages>)
    }

    fn waker(&self) -> Arc<dyn Fn() + Send + Sync> {
        let handle = self.queue.handle();
        Arc::new(move || handle.wake())
    }

    fn pause(&self, partition: &TopicPartition) -> Result<(), CallError> {
        self.client.client().pause(std::slice::from_ref(partition))
    }

    fn resume(&self, partition: &TopicPartition) -> Result<(), CallError> {
        self.client.client().resume(std::slice::from_ref(partition))
    }

    fn seek(
        &self,
        offsets: &[(TopicPartition, Offset)],
        at_most: Duration,
    ) -> Result<Vec<(TopicPartition, ErrorCode)>, CallError> {
        self.client.client().seek(offsets, at_most)
    }

    fn log_end_seen(&self, partition: &TopicPartition) -> Option<Offset> {
        self.client.client().log_end_seen(partition)
    }
}

impl Forward for QueueHandle {
    fn forward(&self, partition: &TopicPartition) -> Result<(), QueueError> {
        self.forward(partition)
    }

    fn unforward(&self, partition: &TopicPartition) {
        self.unforward(partition);
    }
}

impl Member for Client<'_> {
    fn membership(&self) -> Option<Membership> {
        (*self).membership()
    }

    fn committed(
        &self,
        partitions: &[TopicPartition],
        at_most: Duration,
    ) -> Result<Vec<Committed>, CallError> {
        (*self).committed(partitions, at_most)
    }

    fn assign(&self, partitions: &[(TopicPartition, Offset)]) -> Result<(), CallError> {
        (*self).assign(partitions)
    }

    fn pause(&self, partitions: &[TopicPartition]) -> Result<(), CallError> {
        (*self).pause(partitions)
    }

    fn unassign(&self, partitions: &[TopicPartition]) -> Result<(), CallError> {
        (*self).unassign(partitions)
    }
}
