//! Messages as they were read, borrowed from librdkafka's buffers until the batch is dropped.

use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::bindings::{
    rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_destroy,
    rd_kafka_message_headers, rd_kafka_message_t, rd_kafka_message_timestamp,
    rd_kafka_timestamp_type_t, rd_kafka_topic_name,
};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::ErrorCode;
use super::queue::Shared;
use crate::model::{Headers, Offset, Record, Timestamp, TopicPartition};

/// What one read gave. Keeps the client; may be kept aside for as long as the worker likes, but
/// its messages hold their fetch buffers until it is dropped.
#[derive(Debug)]
pub struct Batch {
    messages: Vec<Message>,
    // Behind the messages, which must be destroyed while the client lives.
    _queue: Arc<Shared>,
}

// SAFETY: messages belong to no thread. (Not `Sync`: headers are parsed inside the message when
// they are first asked for.)
unsafe impl Send for Batch {}

impl Batch {
    /// # Safety
    /// The messages were handed over by a read of `queue`, each once.
    pub(super) unsafe fn adopt(
        messages: Vec<NonNull<rd_kafka_message_t>>,
        queue: &Arc<Shared>,
    ) -> Self {
        let messages = messages.into_iter().map(Message).collect();
        Self { messages, _queue: Arc::clone(queue) }
    }

    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns the message at `index`, in the order of arrival.
    pub fn get(&self, index: usize) -> Option<&Message> {
        self.messages.get(index)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for message in &self.messages {
            // SAFETY: ours, destroyed once; every borrow of it ends before the batch.
            unsafe { rd_kafka_message_destroy(message.0.as_ptr()) }
        }
    }
}

/// One message of a batch: a record, or something that happened to its partition. Lent by its
/// batch, and valid for as long.
pub struct Message(NonNull<rd_kafka_message_t>);

/// Whose a message is, to compare with another one *of the same batch* at the price of two
/// integers. Equal means the same partition; unequal may be the same partition in rare cases, so
/// ask `Message::is_of` then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'batch> {
    topic: usize,
    partition: i32,
    // Topics live as long as a message of theirs, so behind the batch an address means nothing.
    batch: PhantomData<&'batch Batch>,
}

impl Place<'_> {
    /// The place of messages that are not librdkafka's: any number that tells topics apart.
    pub fn of(topic: usize, partition: i32) -> Self {
        Self { topic, partition, batch: PhantomData }
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug)]
pub enum Content<'message> {
    Record(Record<'message>),
    /// The partition's end was reached (`enable.partition.eof`); the offset is the next one to come.
    End(Offset),
    /// The partition cannot be read.
    Error {
        code: ErrorCode,
        offset: Option<Offset>,
    },
}

impl Message {
    pub fn place(&self) -> Place<'_> {
        // SAFETY: the message is valid for as long as its batch.
        let topic = unsafe { (*self.0.as_ptr()).rkt };
        Place { topic: topic.addr(), partition: self.partition(), batch: PhantomData }
    }

    pub fn is_of(&self, partition: &TopicPartition) -> bool {
        self.partition() == partition.partition.value()
            && self.topic() == partition.topic.as_str().as_bytes()
    }

    /// Returns the name of the topic, empty for an error that belongs to none.
    pub fn topic(&self) -> &[u8] {
        // SAFETY: valid for as long as the batch; the message holds its topic, which holds its name.
        unsafe {
            let topic = (*self.0.as_ptr()).rkt;
            if topic.is_null() {
                b""
            } else {
                CStr::from_ptr(rd_kafka_topic_name(topic)).to_bytes()
            }
        }
    }

    pub fn partition(&self) -> i32 {
        // SAFETY: the message is valid for as long as its batch.
        unsafe { (*self.0.as_ptr()).partition }
    }

    pub fn content(&self) -> Content<'_> {
        // SAFETY: valid as above. The code may be any number, so it is read as one.
        let (code, offset) = unsafe {
            let message = self.0.as_ptr();
            ((&raw const (*message).err).cast::<i32>().read(), (*message).offset)
        };
        match (ErrorCode::new(code), Offset::new(offset)) {
            (None, Ok(offset)) => Content::Record(self.record(offset)),
            (None, Err(_)) => {
                Content::Error { code: RDKafkaErrorCode::BadMessage.into(), offset: None }
            }
            (Some(code), Ok(offset)) if code == PARTITION_END => Content::End(offset),
            (Some(code), offset) => Content::Error { code, offset: offset.ok() },
        }
    }

    fn record(&self, offset: Offset) -> Record<'_> {
        // SAFETY: as above; pointer and length of key and payload belong together.
        let (key, value) = unsafe {
            let message = self.0.as_ptr();
            (bytes((*message).key, (*message).key_len), bytes((*message).payload, (*message).len))
        };
        Record { offset, timestamp: self.timestamp(), key, value, headers: self }
    }

    fn timestamp(&self) -> Option<Timestamp> {
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid; librdkafka sets the kind to one of the three it knows.
        let millis = unsafe { rd_kafka_message_timestamp(self.0.as_ptr(), &mut kind) };
        (kind != rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && millis != -1)
            .then_some(Timestamp::from_millis(millis))
    }

    /// Returns the headers, null without any. librdkafka parses them at the first call.
    fn headers(&self) -> *mut rd_kafka_headers_t {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is valid and, as batches are not `Sync`, nobody else parses it now.
        // Headers that cannot be parsed count as none. The code is one of librdkafka's own.
        let code = unsafe { rd_kafka_message_headers(self.0.as_ptr(), &mut headers) };
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { headers } else { ptr::null_mut() }
    }
}

const PARTITION_END: ErrorCode = ErrorCode::of(RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF);

/// Returns the bytes, or none for null, which is not the same as empty.
///
/// # Safety
/// `start` is null, or `length` bytes lie there for `'a`.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: by contract.
    Some(unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
}

impl Headers for Message {
    fn get(&self, index: usize) -> Option<(&[u8], Option<&[u8]>)> {
        let headers = self.headers();
        if headers.is_null() {
            return None;
        }
        let mut name: *const c_char = ptr::null();
        let mut value: *const c_void = ptr::null();
        let mut length = 0;
        // SAFETY: the headers belong to the message; behind the last index a code is answered.
        let code =
            unsafe { rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut length) };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        // SAFETY: name and value belong to the message and live as long; the name is a C string.
        unsafe { Some((CStr::from_ptr(name).to_bytes(), bytes(value, length))) }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = String::from_utf8_lossy(self.topic());
        write!(formatter, "Message({topic}/{})", self.partition())
    }
}
