//! What the client knows of itself: its group's view, its cluster, its own health.

use std::ffi::{CStr, c_char};
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_assignment_lost, rd_kafka_clusterid, rd_kafka_consumer_group_metadata,
    rd_kafka_consumer_group_metadata_destroy, rd_kafka_consumer_group_metadata_generation_id,
    rd_kafka_consumer_group_metadata_member_id, rd_kafka_mem_free, rd_kafka_rebalance_protocol,
};

use super::{Client, ErrorCode, milliseconds, native};
use crate::model::{ClusterId, Offset, TopicPartition};

/// Who this consumer is to its group. Commits are stamped with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Empty before the first join, and after the group has thrown the member out.
    pub member_id: String,
    /// The generation, under KIP-848 the member's epoch; below zero (classic), or zero and below
    /// (KIP-848), outside of a group.
    pub generation: i32,
}

/// How a rebalance is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Not known yet: nothing was ever assigned.
    None,
    /// Everything is given back and taken anew.
    Eager,
    /// Only the difference.
    Cooperative,
}

impl Client<'_> {
    /// Returns what librdkafka's main thread would stamp a commit with now; none without a group.
    /// Asks that thread and waits for it: microseconds.
    pub fn membership(self) -> Option<Membership> {
        // SAFETY: the client is valid; the answer is ours and destroyed once, after its texts were
        // copied.
        unsafe {
            let metadata = rd_kafka_consumer_group_metadata(self.as_ptr());
            if metadata.is_null() {
                return None;
            }
            let membership = Membership {
                member_id: text(rd_kafka_consumer_group_metadata_member_id(metadata)),
                generation: rd_kafka_consumer_group_metadata_generation_id(metadata),
            };
            rd_kafka_consumer_group_metadata_destroy(metadata);
            Some(membership)
        }
    }

    /// Returns the cluster's id, waiting for the first metadata answer; none if it does not come,
    /// or if the brokers have no id that is one.
    pub fn cluster_id(self, timeout: Duration) -> Option<ClusterId> {
        // SAFETY: the client is valid; the text is ours and freed once, after it was copied.
        let id = unsafe {
            let id = rd_kafka_clusterid(self.as_ptr(), milliseconds(timeout));
            let copy = text(id);
            rd_kafka_mem_free(self.as_ptr(), id.cast());
            copy
        };
        ClusterId::new(&id).ok()
    }

    /// Returns why this client will never work again, if so.
    pub fn fatal_error(self) -> Option<ErrorCode> {
        let mut ignored: [c_char; 1] = [0];
        // SAFETY: the client is valid; at most one byte, the end of the text, is written.
        ErrorCode::new(unsafe {
            native::rd_kafka_fatal_error(self.as_ptr(), ignored.as_mut_ptr(), ignored.len())
        })
    }

    /// Returns whether the group has taken the assignment away already. To be asked inside a revoke
    /// callback.
    pub fn assignment_lost(self) -> bool {
        // SAFETY: the client is valid.
        unsafe { rd_kafka_assignment_lost(self.as_ptr()) != 0 }
    }

    pub fn protocol(self) -> Protocol {
        // SAFETY: the client is valid; the answer is null or a constant.
        match unsafe { text(rd_kafka_rebalance_protocol(self.as_ptr())) }.as_str() {
            "COOPERATIVE" => Protocol::Cooperative,
            "EAGER" => Protocol::Eager,
            _ => Protocol::None,
        }
    }

    /// Asks the partition's leader for its log start and its end (under `read_committed` the last
    /// stable offset).
    pub fn watermarks(
        self,
        of: &TopicPartition,
        timeout: Duration,
    ) -> Result<(Offset, Offset), ErrorCode> {
        let topic = super::list::topic_text(&of.topic);
        let (mut low, mut high) = (-1, -1);
        // SAFETY: client and text are valid; both numbers are written before the call returns.
        ErrorCode::check(unsafe {
            native::rd_kafka_query_watermark_offsets(
                self.as_ptr(),
                topic.as_ptr(),
                of.partition.value(),
                &mut low,
                &mut high,
                milliseconds(timeout),
            )
        })?;
        match (Offset::new(low), Offset::new(high)) {
            (Ok(low), Ok(high)) => Ok((low, high)),
            _ => Err(rdkafka::error::RDKafkaErrorCode::BadMessage.into()),
        }
    }

    /// Returns the end of the log as the last fetch of the partition said it; asks nobody. None
    /// before the first.
    pub fn log_end_seen(self, of: &TopicPartition) -> Option<Offset> {
        let topic = super::list::topic_text(&of.topic);
        let (mut low, mut high) = (-1, -1);
        // SAFETY: client and text are valid; both numbers are written before the call returns.
        ErrorCode::check(unsafe {
            native::rd_kafka_get_watermark_offsets(
                self.as_ptr(),
                topic.as_ptr(),
                of.partition.value(),
                &mut low,
                &mut high,
            )
        })
        .ok()?;
        Offset::new(high).ok()
    }
}

/// Copies a text, empty for null.
///
/// # Safety
/// `text` is null or a C string.
pub(super) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, so a C string by contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
