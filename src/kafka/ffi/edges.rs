//! Where logs begin and end, of many partitions in one question to each leader.
//!
//! A question for one partition waits behind the fetch that its leader holds open on the same
//! connection, half a second each; two thousand of them are a quarter of an hour.

use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::bindings::rd_kafka_OffsetSpec_t as Spec;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;
use rdkafka::error::RDKafkaErrorCode;

use super::describe::{Question, array};
use super::list::{PartitionList, read_element};
use super::{ClientHandle, ErrorCode};
use crate::model::{Offset, TopicPartition};

/// An end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Edge {
    Start,
    /// As `read_committed` sees it: the last stable offset.
    End,
}

/// Where a log begins or ends, or why its leader does not say it.
#[derive(Debug)]
pub(in super::super) struct LogEdge {
    pub partition: TopicPartition,
    pub offset: Result<Offset, ErrorCode>,
}

impl ClientHandle {
    /// Returns what the leaders answer, which may leave out partitions or give an error for one.
    /// Fails as a whole if a partition has no leader that can be reached.
    pub(in super::super) fn log_edges(
        &self,
        partitions: &[TopicPartition],
        edge: Edge,
        timeout: Duration,
    ) -> Result<Vec<LogEdge>, ErrorCode> {
        let list =
            PartitionList::of(partitions).ok_or_else(|| ErrorCode::from(RDKafkaErrorCode::Fail))?;
        list.offsets_are(match edge {
            Edge::Start => Spec::RD_KAFKA_OFFSET_SPEC_EARLIEST as i64,
            Edge::End => Spec::RD_KAFKA_OFFSET_SPEC_LATEST as i64,
        });
        let operation = Operation::RD_KAFKA_ADMIN_OP_LISTOFFSETS;
        let question = Question::new(self, operation, timeout)?;
        question.options.read_committed()?;
        // SAFETY: list, options and queue are valid during the call, which copies them.
        unsafe {
            native::rd_kafka_ListOffsets(
                self.as_ptr(),
                list.as_ptr(),
                question.options.as_ptr(),
                question.queue.as_ptr(),
            );
        }
        let answer = question.wait(native::RD_KAFKA_EVENT_LISTOFFSETS_RESULT)?;
        let mut count = 0;
        // SAFETY: the event is of the kind asked for; the array belongs to it, and so do the elements.
        let found = unsafe {
            let result = native::rd_kafka_event_ListOffsets_result(answer.as_ptr());
            let infos = native::rd_kafka_ListOffsets_result_infos(result, &mut count);
            array(infos, count).iter().filter_map(|info| {
                read_element(native::rd_kafka_ListOffsetsResultInfo_topic_partition(*info))
            })
        };
        let edges = found.map(|element| {
            let missing = || RDKafkaErrorCode::BadMessage.into();
            let offset = element.error.map_or_else(|| element.offset.ok_or_else(missing), Err);
            LogEdge { partition: element.partition, offset }
        });
        Ok(edges.collect())
    }
}
