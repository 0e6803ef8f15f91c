//! What a consumer reads: taking and giving back partitions, pausing, seeking; and where its group
//! stands. All of it natively, because the crate answers texts where codes are needed.

use std::ptr;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_error_destroy, rd_kafka_error_t, rd_kafka_incremental_assign,
    rd_kafka_incremental_unassign, rd_kafka_seek_partitions,
};
use rdkafka::error::RDKafkaErrorCode;
use thiserror::Error;

use super::list::PartitionList;
use super::{Client, ErrorCode, Protocol, milliseconds, native};
use crate::model::{Offset, TopicPartition};

/// Why a call had no effect, or not on every partition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    #[error("the client refuses the call: {0}")]
    Call(ErrorCode),
    #[error("the client refuses the call for partition {partition}: {code}")]
    Partition { partition: TopicPartition, code: ErrorCode },
}

/// What is committed for a partition: offset and metadata of one answer of the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub partition: TopicPartition,
    /// None: the group has no commit for it.
    pub offset: Option<Offset>,
    /// Bytes of anybody's making; empty also where nothing is committed.
    pub metadata: Vec<u8>,
    pub error: Option<ErrorCode>,
}

impl Client<'_> {
    /// Answers an assign callback: reads `partitions` from the given offsets on. Incrementally if
    /// the group's protocol is cooperative, else they become the whole assignment. To be called with
    /// an empty slice too, or the rebalance never ends.
    pub fn assign(self, partitions: &[(TopicPartition, Offset)]) -> Result<(), CallError> {
        let mut list = new_list()?;
        for (partition, offset) in partitions {
            list.push(partition, Some(*offset), b"");
        }
        if self.protocol() == Protocol::Cooperative {
            // SAFETY: client and list are valid; the list is copied; the error is ours.
            return unsafe { check(rd_kafka_incremental_assign(self.as_ptr(), list.as_ptr())) };
        }
        // SAFETY: as above.
        let code = unsafe { native::rd_kafka_assign(self.as_ptr(), list.as_ptr()) };
        ErrorCode::check(code).map_err(CallError::Call)
    }

    /// Answers a revoke callback: gives `partitions` back if the protocol is cooperative, else
    /// everything (which is what such a callback asks for). Returns when they have stopped: stopping
    /// undoes a partition's way into a queue, also one that was set meanwhile.
    pub fn unassign(self, partitions: &[TopicPartition]) -> Result<(), CallError> {
        let given_back = if self.protocol() == Protocol::Cooperative {
            let list = list_of(partitions)?;
            // SAFETY: client and list are valid; the list is copied; the error is ours.
            unsafe { check(rd_kafka_incremental_unassign(self.as_ptr(), list.as_ptr())) }
        } else {
            // SAFETY: the client is valid; null means no partition at all.
            let code = unsafe { native::rd_kafka_assign(self.as_ptr(), ptr::null()) };
            ErrorCode::check(code).map_err(CallError::Call)
        };
        // The stops are in the queue of librdkafka's main thread by now, and this waits for its answer.
        self.protocol();
        given_back
    }

    /// Stops fetching, and throws away what was fetched and not read. Lasts until `resume`, through
    /// revoke and assign too: librdkafka keeps the mark at the partition.
    pub fn pause(self, partitions: &[TopicPartition]) -> Result<(), CallError> {
        let list = list_of(partitions)?;
        // SAFETY: client and list are valid; the answer is written into the list.
        let code = unsafe { native::rd_kafka_pause_partitions(self.as_ptr(), list.as_ptr()) };
        ErrorCode::check(code).map_err(CallError::Call)?;
        check_each(&list)
    }

    /// Fetches again, from behind the last message that a read has returned.
    pub fn resume(self, partitions: &[TopicPartition]) -> Result<(), CallError> {
        let list = list_of(partitions)?;
        // SAFETY: as above.
        let code = unsafe { native::rd_kafka_resume_partitions(self.as_ptr(), list.as_ptr()) };
        ErrorCode::check(code).map_err(CallError::Call)?;
        check_each(&list)
    }

    /// Reads on from other offsets. With a timeout of zero only the wish is checked and sent;
    /// messages from before it that are still queued are then struck out by librdkafka as they are
    /// read, those in an array that was returned already are not. Returns those that were refused.
    pub fn seek(
        self,
        partitions: &[(TopicPartition, Offset)],
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, ErrorCode)>, CallError> {
        let mut list = new_list()?;
        for (partition, offset) in partitions {
            list.push(partition, Some(*offset), b"");
        }
        let timeout = milliseconds(timeout);
        // SAFETY: client and list are valid; the answer is written into the list; the error is ours.
        unsafe { check(rd_kafka_seek_partitions(self.as_ptr(), list.as_ptr(), timeout))? };
        Ok(refused(&list))
    }

    /// Asks the coordinator what is committed, once for all `partitions`. With
    /// `isolation.level=read_committed` it waits for stable offsets. Repeats by itself while there
    /// is no coordinator, until `timeout` has passed.
    pub fn committed(
        self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Committed>, CallError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let list = list_of(partitions)?;
        // SAFETY: client and list are valid; the answer is written into the list.
        let code = unsafe {
            native::rd_kafka_committed(self.as_ptr(), list.as_ptr(), milliseconds(timeout))
        };
        ErrorCode::check(code).map_err(CallError::Call)?;
        let committed = list.elements().into_iter().map(|element| Committed {
            partition: element.partition,
            offset: element.offset,
            metadata: element.metadata,
            error: element.error,
        });
        Ok(committed.collect())
    }
}

fn new_list() -> Result<PartitionList, CallError> {
    PartitionList::new().ok_or_else(|| CallError::Call(RDKafkaErrorCode::Fail.into()))
}

fn list_of(partitions: &[TopicPartition]) -> Result<PartitionList, CallError> {
    PartitionList::of(partitions).ok_or_else(|| CallError::Call(RDKafkaErrorCode::Fail.into()))
}

/// Returns the first error of a partition.
fn check_each(list: &PartitionList) -> Result<(), CallError> {
    match refused(list).into_iter().next() {
        Some((partition, code)) => Err(CallError::Partition { partition, code }),
        None => Ok(()),
    }
}

/// Returns the partitions with an error. "In progress" is what a call that does not wait answers.
fn refused(list: &PartitionList) -> Vec<(TopicPartition, ErrorCode)> {
    let under_way = ErrorCode::from(RDKafkaErrorCode::InProgress);
    let answers = list.elements().into_iter();
    let errors = answers.filter_map(|element| Some((element.partition, element.error?)));
    errors.filter(|(_, code)| *code != under_way).collect()
}

/// # Safety
/// `error` is null or an error that the caller owns; it is destroyed here.
unsafe fn check(error: *mut rd_kafka_error_t) -> Result<(), CallError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null, so valid and ours by contract.
    let code = unsafe {
        let code = native::rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        code
    };
    ErrorCode::check(code).map_err(CallError::Call)
}
