//! The codes that the model answers, by Kafka's and librdkafka's numbers.

use crate::kafka::ffi::ErrorCode;

pub(super) const OFFSET_OUT_OF_RANGE: i32 = 1;
pub(super) const REQUEST_TIMED_OUT: i32 = 7;
pub(super) const OFFSET_METADATA_TOO_LARGE: i32 = 12;
pub(super) const COORDINATOR_LOAD_IN_PROGRESS: i32 = 14;
pub(super) const COORDINATOR_NOT_AVAILABLE: i32 = 15;
pub(super) const NOT_COORDINATOR: i32 = 16;
pub(super) const ILLEGAL_GENERATION: i32 = 22;
pub(super) const UNKNOWN_MEMBER_ID: i32 = 25;
pub(super) const REBALANCE_IN_PROGRESS: i32 = 27;
pub(super) const GROUP_ID_NOT_FOUND: i32 = 69;
pub(super) const STALE_MEMBER_EPOCH: i32 = 113;
/// In no list of this release.
pub(super) const UNLISTED: i32 = 9_999;
pub(super) const TRANSPORT: i32 = -195;
pub(super) const TIMED_OUT: i32 = -185;
pub(super) const WAIT_COORD: i32 = -180;
pub(super) const WRONG_STATE: i32 = -172;

/// What rule 4 calls ambiguous.
pub(super) const AMBIGUOUS: [i32; 7] = [
    REQUEST_TIMED_OUT,
    COORDINATOR_LOAD_IN_PROGRESS,
    COORDINATOR_NOT_AVAILABLE,
    NOT_COORDINATOR,
    TRANSPORT,
    TIMED_OUT,
    WAIT_COORD,
];

pub(super) fn of(number: i32) -> ErrorCode {
    ErrorCode::new(number).expect("none of these is the zero of success")
}
