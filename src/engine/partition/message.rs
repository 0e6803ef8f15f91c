//! What goes into the machine of a partition and what comes out of it.
//!
//! It owns: the words between the engine and the shell that drives it.
//! It does not own: what a machine does with them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::PartitionOptions;
use crate::engine::{ObjectDescription, ObjectId, Part, StopReason};
use crate::format::BadRecord;
use crate::model::{ObjectKey, Offset, OffsetRange, Record, SealReason, Timestamp, Uptime};

/// The two clocks at the moment of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub uptime: Uptime,
    /// Wall clock; written down as a batch's opened-at, never used to decide.
    pub wall: Timestamp,
}

/// What the world says.
#[derive(Debug)]
pub enum Input<'a> {
    Record(Record<'a>),
    /// The log ends here, control records included.
    EndOfLog(Offset),
    /// The position lies outside of the log.
    OutOfRange {
        log_start: Offset,
        log_end: Offset,
    },
    Committed,
    CommitRefused {
        code: String,
    },
    ClaimWritten,
    Published(ObjectId),
    /// A definite answer about an object, the claim or the topic that ends this machine.
    CannotGoOn(StopReason),
    /// Close the open batch, whatever its limits say.
    Seal(SealReason),
    /// Send up what can go, because memory is short.
    Relieve,
    /// Throw away what a replay has read, because memory is short, and read it again: in passes
    /// that keep at most so many bytes each, if given.
    ReplayAgain {
        pass_bytes_max: Option<u64>,
    },
    /// What the configuration says from the next batch on.
    Options(PartitionOptions),
    /// Open nothing more, finish what can be finished, then say `Drained`.
    Drain(SealReason),
    Tick,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Commit to Kafka, repeated identically until the answer is definite.
    Commit {
        offset: Offset,
        metadata: String,
    },
    /// A part of an object of the open or just sealed batch; it becomes visible only by `Complete`.
    UploadPart(Part),
    /// Write into the claim that this plan has a multipart object.
    WriteClaim {
        plan: String,
        start: Offset,
    },
    /// Publish in one request. The plan travels in the object's metadata.
    Put {
        object: Arc<ObjectDescription>,
        count: u64,
        plan: Arc<str>,
        body: Bytes,
    },
    /// Publish what went up in parts.
    Complete {
        object: Arc<ObjectDescription>,
        count: u64,
        parts: u32,
    },
    /// Forget this object, whose parts may be in S3.
    Abort(ObjectId),
    /// Read on from here.
    Seek(Offset),
    /// Read on from the machine's cursor, which went back.
    Rewind,
    /// Nothing more is to come but answers to a `Commit`; the machine holds no records.
    Stop(StopReason),
    Drained,
    Report(Report),
}

/// What metrics, logs and the status page want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    Quarantined {
        offset: Offset,
        reason: BadRecord,
    },
    Skipped,
    Sealed {
        reason: SealReason,
        range: OffsetRange,
        records: u64,
        value_bytes: u64,
        objects: u64,
    },
    ReplayStarted {
        range: OffsetRange,
    },
    ReplayAgreed {
        range: OffsetRange,
    },
    /// A pass begins that writes so many objects of the plan; so many are left for later ones.
    ReplayPass {
        range: OffsetRange,
        objects: usize,
        left: usize,
    },
    ObjectPublished {
        key: ObjectKey,
        records: u64,
        stored_bytes: u64,
    },
    BatchPublished {
        range: OffsetRange,
        since_sealed: Duration,
    },
    LostRecords {
        from: Offset,
        to: Offset,
    },
    Committed {
        offset: Offset,
    },
}
