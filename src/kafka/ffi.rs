//! The calls of librdkafka that the crate does not offer, or not as needed, with a safe face.
//!
//! It owns: every `unsafe` block of this program; queues, batches of messages, commits, committed
//! offsets, membership, assignment, what describes topics and groups, and the allocator that we share
//! with librdkafka.
//! It does not own: the client (a `BaseConsumer` of the crate), its callbacks, any rule of the
//! protocol.
//!
//! It assumes of librdkafka 2.12: that it may be called from every thread, and that a client
//! outlives its queues and messages. So whatever owns a native object holds a `ClientHandle`, and
//! whatever only looks borrows a `Client`.
#![allow(unsafe_code)]

mod allocator;
mod assignment;
mod batch;
mod code;
mod commit;
mod describe;
mod edges;
mod list;
mod login;
mod membership;
mod native;
mod queue;

use std::any::Any;
use std::ffi::c_int;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::rd_kafka_t;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};

pub use allocator::{LargeBlocks, give_blocks_back, give_memory_back, keep_blocks, set_up_memory};
pub use assignment::{CallError, Committed};
pub use batch::{Batch, Content, Message, Place};
pub use code::ErrorCode;
pub use commit::{CommitAnswer, CommitEntry, CommitQueue, CommitWaker, RequestId, SendError};
pub(super) use describe::Rights;
pub(super) use edges::Edge;
pub use membership::{Membership, Protocol};
pub use queue::{BATCH_MESSAGES_MAX, QueueError, QueueHandle, WorkerQueue};

/// A client borrowed for a few calls, for instance inside a callback.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    native: *mut rd_kafka_t,
    consumer: PhantomData<&'a ()>,
}

impl<'a> Client<'a> {
    pub fn of<C: ConsumerContext>(consumer: &'a BaseConsumer<C>) -> Self {
        Self { native: consumer.client().native_ptr(), consumer: PhantomData }
    }

    fn as_ptr(self) -> *mut rd_kafka_t {
        self.native
    }
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Client").field(&self.native).finish()
    }
}

/// A share of the consumer: its client lives until the last one is dropped, and whoever drops that
/// one closes the consumer on its own thread. So threads that hold one end before the polling one.
#[derive(Clone)]
pub struct ClientHandle {
    native: *mut rd_kafka_t,
    _consumer: Arc<dyn Any + Send + Sync>,
}

// SAFETY: librdkafka's clients may be used from every thread.
unsafe impl Send for ClientHandle {}
// SAFETY: as above.
unsafe impl Sync for ClientHandle {}

impl ClientHandle {
    pub fn new<C: ConsumerContext + 'static>(consumer: &Arc<BaseConsumer<C>>) -> Self {
        Self { native: consumer.client().native_ptr(), _consumer: Arc::clone(consumer) as _ }
    }

    /// A share of what owns the consumer and whatever has to end before it.
    pub(super) fn of_owner<C, O>(owner: &Arc<O>) -> Self
    where
        C: ConsumerContext + 'static,
        O: Any + Send + Sync + AsRef<BaseConsumer<C>>,
    {
        let consumer: &BaseConsumer<C> = owner.as_ref().as_ref();
        Self { native: consumer.client().native_ptr(), _consumer: Arc::clone(owner) as _ }
    }

    /// A share of a producer.
    pub fn of_producer<C: ProducerContext + 'static>(producer: &Arc<ThreadedProducer<C>>) -> Self {
        Self { native: producer.client().native_ptr(), _consumer: Arc::clone(producer) as _ }
    }

    pub fn client(&self) -> Client<'_> {
        Client { native: self.native, consumer: PhantomData }
    }

    fn as_ptr(&self) -> *mut rd_kafka_t {
        self.native
    }
}

impl fmt::Debug for ClientHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ClientHandle").field(&self.native).finish()
    }
}

/// Returns a timeout as librdkafka counts it. At most 24 days: never the -1 that means "for ever".
fn milliseconds(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

#[cfg(test)]
mod tests;
