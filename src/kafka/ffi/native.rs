//! Functions of librdkafka that answer error codes, declared with numbers instead of the crate's
//! enum (see `code`). The names and every other type are those of `rdkafka.h`.

use std::ffi::{c_char, c_int, c_void};

use rdkafka::bindings::{
    rd_kafka_ConfigResource_t, rd_kafka_error_t, rd_kafka_event_t, rd_kafka_queue_t, rd_kafka_t,
    rd_kafka_topic_partition_list_t,
};

/// A callback for commits, which is never given: answers come as events of a queue.
type CommitCallback =
    unsafe extern "C" fn(*mut rd_kafka_t, c_int, *mut rd_kafka_topic_partition_list_t, *mut c_void);

unsafe extern "C" {
    pub fn rd_kafka_err2name(code: c_int) -> *const c_char;
    pub fn rd_kafka_error_code(error: *const rd_kafka_error_t) -> c_int;
    pub fn rd_kafka_event_error(event: *mut rd_kafka_event_t) -> c_int;
    pub fn rd_kafka_ConfigResource_error(config: *const rd_kafka_ConfigResource_t) -> c_int;
    pub fn rd_kafka_commit_queue(
        client: *mut rd_kafka_t,
        offsets: *const rd_kafka_topic_partition_list_t,
        queue: *mut rd_kafka_queue_t,
        callback: Option<CommitCallback>,
        opaque: *mut c_void,
    ) -> c_int;
    pub fn rd_kafka_committed(
        client: *mut rd_kafka_t,
        partitions: *mut rd_kafka_topic_partition_list_t,
        timeout_ms: c_int,
    ) -> c_int;
    pub fn rd_kafka_assign(
        client: *mut rd_kafka_t,
        partitions: *const rd_kafka_topic_partition_list_t,
    ) -> c_int;
    pub fn rd_kafka_pause_partitions(
        client: *mut rd_kafka_t,
        partitions: *mut rd_kafka_topic_partition_list_t,
    ) -> c_int;
    pub fn rd_kafka_resume_partitions(
        client: *mut rd_kafka_t,
        partitions: *mut rd_kafka_topic_partition_list_t,
    ) -> c_int;
    pub fn rd_kafka_query_watermark_offsets(
        client: *mut rd_kafka_t,
        topic: *const c_char,
        partition: i32,
        low: *mut i64,
        high: *mut i64,
        timeout_ms: c_int,
    ) -> c_int;
    pub fn rd_kafka_get_watermark_offsets(
        client: *mut rd_kafka_t,
        topic: *const c_char,
        partition: i32,
        low: *mut i64,
        high: *mut i64,
    ) -> c_int;
    pub fn rd_kafka_oauthbearer_set_token(
        client: *mut rd_kafka_t,
        token: *const c_char,
        ends_ms: i64,
        principal: *const c_char,
        extensions: *mut *const c_char,
        extensions_count: usize,
        text: *mut c_char,
        text_size: usize,
    ) -> c_int;
    pub fn rd_kafka_oauthbearer_set_token_failure(
        client: *mut rd_kafka_t,
        text: *const c_char,
    ) -> c_int;
    pub fn rd_kafka_fatal_error(
        client: *mut rd_kafka_t,
        text: *mut c_char,
        text_size: usize,
    ) -> c_int;
}
