//! Why a partition stops, with what was found and what a person can do about it.
//!
//! It owns: the reasons, their words for logs, pages and the metric's label.
//! It does not own: the decision to stop, nor when it is tried again.
//!
//! An object's key is named where a person needs it to act, without what `layout.path` takes from
//! records: nothing of a record is ever among the words.

use thiserror::Error;

use super::MetadataError;
use crate::format::BadRecord;
use crate::model::{BatchId, ObjectKey, Offset, OffsetRange};

/// A definite reason for one partition to read and write nothing more. The others go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StopReason {
    #[error("record {offset} cannot be written as asked ({}) and `records.on_bad` is `stop`: repair the producer, then set `quarantine` or skip the record", reason.as_str())]
    BadRecord { offset: Offset, reason: BadRecord },
    #[error(
        "record {offset} has no value and `records.on_null` is `stop`: set `skip` or `quarantine`"
    )]
    NullRecord { offset: Offset },
    #[error(
        "record {offset} lacks what the path asks for and `records.on_missing_route` is `stop`: set `default` or `quarantine`"
    )]
    MissingRoute { offset: Offset },
    #[error(
        "records from {position} to {log_start} were deleted before they were read and `kafka.on_lost_records` is `stop`: lengthen the topic's retention, then set `skip` to go on behind the gap"
    )]
    LostRecords { position: Offset, log_start: Offset },
    #[error(
        "the position {position} lies above the log's end {log_end}: the topic was created anew or lost its end; see `sluice recover`"
    )]
    AheadOfLog { position: Offset, log_end: Offset },
    #[error(
        "the pending plan {range} promised {planned} records and only {found} are left: compaction or retention took some; set `kafka.on_lost_records` to `skip`, or see `sluice recover`"
    )]
    ReplayShort { range: OffsetRange, planned: u64, found: u64 },
    #[error(
        "the replay of the pending plan {range} gives other objects than were promised ({found} records, {planned} planned): this release reads records differently, or somebody rewrote them; run the release that wrote the plan, or see `sluice recover`"
    )]
    ReplayDiffers { range: OffsetRange, planned: u64, found: u64 },
    #[error(
        "the log ends at {log_end}, below the end of the pending plan {range}, for longer than {minutes} minutes: records were lost in Kafka; see `sluice recover`"
    )]
    LogEndsBelowPlan { range: OffsetRange, log_end: Offset, minutes: u64 },
    #[error(
        "the object `{}` is there already and belongs to batch {found}, not to ours ({ours}): the topic was created anew or two pipelines write to one prefix; give one of them another `layout.prefix`",
        key.shown()
    )]
    ForeignObject { key: ObjectKey, ours: BatchId, found: BatchId },
    #[error(
        "the object `{}` is there already and names no batch: another program wrote it, perhaps the connector that ran before; give Sluice another `layout.prefix` or move the object away",
        key.shown()
    )]
    UnknownObject { key: ObjectKey },
    #[error(
        "the object `{}` is of our batch {batch} but begins or counts otherwise: please report this with the log",
        key.shown()
    )]
    ObjectMismatch { key: ObjectKey, batch: BatchId },
    #[error(
        "Kafka refused the commit at {offset} ({code}): repair it there (authorization, topic, limits); it is tried again every 10 minutes"
    )]
    CommitRefused { offset: Offset, code: String },
    #[error(
        "the plan has {bytes} bytes, at most {max} are allowed: shorten `layout.path`, `layout.name` or the prefixes"
    )]
    PlanTooLong { bytes: usize, max: usize },
    #[error(
        "uploads were lost {times} times without a commit between: look for a job or a lifecycle rule that aborts uploads early"
    )]
    UploadsLost { times: u32 },
    #[error(
        "the object `{}` needs part {part}, S3 takes {max}: set `s3.part_size` to at least what it was when the batch was planned",
        key.shown()
    )]
    TooManyParts { key: ObjectKey, part: u32, max: u16 },
    #[error(
        "the store refuses an object ({found}): change what it refuses; it is tried again every 10 minutes"
    )]
    ObjectRefused { key: Option<ObjectKey>, found: String },
    #[error("the committed metadata claims to be Sluice's, but {0}")]
    Metadata(#[from] MetadataError),
    #[error(
        "the committed metadata was written for {what} `{found}`, this is `{expected}`: another cluster or topic under this group; see `sluice recover`"
    )]
    OtherSource { what: &'static str, found: String, expected: String },
    #[error(
        "the committed offset is {committed}, its metadata was written beside {written}: another tool moved it; see `sluice recover`"
    )]
    OffsetMoved { committed: Offset, written: Offset },
    #[error(
        "the group has no commit for this partition, but the claim says that it was taken from {first_start} on: committed offsets were lost (they expire); see `sluice recover`"
    )]
    OffsetsLost { first_start: Offset },
    #[error(
        "the committed offset {committed} lies below the last plan in the claim, {planned}: it fell back; see `sluice recover`"
    )]
    OffsetsFellBack { committed: Offset, planned: Offset },
    #[error(
        "somebody committed {committed} without our metadata after this group had taken the partition: offsets were reset, which also wipes a pending plan; see `sluice recover`"
    )]
    OffsetsReset { committed: Offset },
    #[error("the claim `{key}` cannot be read: {found}; see `sluice recover`")]
    Claim { key: String, found: String },
    #[error(
        "the claim belongs to another topic of this name ({found}, now {expected}): the topic was created anew; see `sluice recover`"
    )]
    TopicRecreated { found: String, expected: String },
    #[error(
        "`sluice recover` decided that this partition goes on below `layout.prefix` = `{prefix}` and `quarantine.prefix` = `{quarantine_prefix}`, which this configuration does not have: set them and start the daemon again, or decide anew"
    )]
    DecidedElsewhere { prefix: String, quarantine_prefix: String },
    #[error(
        "a member with client id `{client_id}` consumes in this group: the old consumer still runs; stop it first"
    )]
    ForeignMember { client_id: String },
    #[error(
        "the brokers let this user describe neither topic nor group as is needed ({code}): grant `Describe` on topic `{topic}` and `Read` on the group; it is tried again every 10 minutes"
    )]
    NotAllowed { topic: String, code: String },
    #[error("the pending plan writes to bucket `{bucket}`{}, which cannot be reached with this configuration: finish it with the configuration that wrote it", endpoint.as_deref().map(|at| format!(" at `{at}`")).unwrap_or_default())]
    OtherBucket { bucket: String, endpoint: Option<String> },
    #[error(
        "the pending plan writes to bucket `{bucket}`, which is not the configured one and cannot be used ({found}): finish it with the configuration that wrote it, or give this one the right to"
    )]
    BucketUnreached { bucket: String, found: String },
    #[error("{0}: please report this with the log")]
    Bug(#[from] PartitionError),
}

/// A broken invariant inside one partition: a bug, which stops that partition only.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartitionError {
    #[error("record {found} came where {expected} or later was expected")]
    RecordOutOfOrder { expected: Offset, found: Offset },
    #[error("a record came while the partition could take none")]
    RecordUnasked { offset: Offset },
    #[error("an answer to a commit came and none was on its way")]
    CommitUnasked,
    #[error("the range from {start} to {end} holds nothing and was sealed")]
    EmptySeal { start: Offset, end: Offset },
    #[error("the layout gave an object no key")]
    NoKey,
}

impl StopReason {
    /// Returns the word for the metric's label: bounded, never from data.
    pub fn label(&self) -> &'static str {
        match self {
            Self::BadRecord { .. } => "bad_record",
            Self::NullRecord { .. } => "null_record",
            Self::MissingRoute { .. } => "missing_route",
            Self::LostRecords { .. } => "lost_records",
            Self::AheadOfLog { .. } => "ahead_of_log",
            Self::ReplayShort { .. } => "replay_short",
            Self::ReplayDiffers { .. } => "replay_differs",
            Self::LogEndsBelowPlan { .. } => "log_ends_below_plan",
            Self::ForeignObject { .. } => "foreign_object",
            Self::UnknownObject { .. } => "unknown_object",
            Self::ObjectMismatch { .. } => "object_mismatch",
            Self::CommitRefused { .. } => "commit_refused",
            Self::PlanTooLong { .. } => "plan_too_long",
            Self::UploadsLost { .. } => "uploads_lost",
            Self::TooManyParts { .. } => "too_many_parts",
            Self::ObjectRefused { .. } => "object_refused",
            Self::Metadata(_) => "metadata",
            Self::OtherSource { .. } => "other_source",
            Self::OffsetMoved { .. } => "offset_moved",
            Self::OffsetsLost { .. } => "offsets_lost",
            Self::OffsetsFellBack { .. } => "offsets_fell_back",
            Self::OffsetsReset { .. } => "offsets_reset",
            Self::Claim { .. } => "claim",
            Self::TopicRecreated { .. } => "topic_recreated",
            Self::DecidedElsewhere { .. } => "decided_elsewhere",
            Self::ForeignMember { .. } => "foreign_member",
            Self::NotAllowed { .. } => "not_allowed",
            Self::OtherBucket { .. } => "other_bucket",
            Self::BucketUnreached { .. } => "bucket_unreached",
            Self::Bug(_) => "bug",
        }
    }

    /// Returns the object's key that is among the words, if one is.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::ForeignObject { key, .. }
            | Self::UnknownObject { key }
            | Self::ObjectMismatch { key, .. }
            | Self::TooManyParts { key, .. } => Some(key),
            Self::ObjectRefused { key, .. } => key.as_ref(),
            Self::BadRecord { .. }
            | Self::NullRecord { .. }
            | Self::MissingRoute { .. }
            | Self::LostRecords { .. }
            | Self::AheadOfLog { .. }
            | Self::ReplayShort { .. }
            | Self::ReplayDiffers { .. }
            | Self::LogEndsBelowPlan { .. }
            | Self::CommitRefused { .. }
            | Self::PlanTooLong { .. }
            | Self::UploadsLost { .. }
            | Self::Metadata(_)
            | Self::OtherSource { .. }
            | Self::OffsetMoved { .. }
            | Self::OffsetsLost { .. }
            | Self::OffsetsFellBack { .. }
            | Self::OffsetsReset { .. }
            | Self::Claim { .. }
            | Self::TopicRecreated { .. }
            | Self::DecidedElsewhere { .. }
            | Self::ForeignMember { .. }
            | Self::NotAllowed { .. }
            | Self::OtherBucket { .. }
            | Self::BucketUnreached { .. }
            | Self::Bug(_) => None,
        }
    }

    /// Returns whether a setting of the user asked for this stop (`on_... = "stop"`): when every
    /// partition stopped so, the process ends.
    pub fn was_asked_for(&self) -> bool {
        matches!(
            self,
            Self::BadRecord { .. }
                | Self::NullRecord { .. }
                | Self::MissingRoute { .. }
                | Self::LostRecords { .. }
                | Self::ReplayShort { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_setting_asks_for_may_end_the_process() {
        let (position, log_start) = (Offset::ZERO, Offset::ZERO.next());
        assert!(StopReason::NullRecord { offset: position }.was_asked_for());
        assert!(StopReason::LostRecords { position, log_start }.was_asked_for());
        assert!(!StopReason::UploadsLost { times: 4 }.was_asked_for());
    }
}
