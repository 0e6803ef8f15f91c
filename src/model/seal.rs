//! When a batch is closed: the limits a partition has, and the reason a batch met.

use std::time::Duration;

use super::Uptime;

/// Whichever comes first closes the batch; `None` is "off". They count per partition, over all
/// its paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealPolicy {
    pub records: Option<u64>,
    /// Of record values, before compression.
    pub bytes: Option<u64>,
    /// Of the batch's largest object, as stored.
    pub object_bytes: Option<u64>,
    /// Since the batch's first record was read.
    pub age: Option<Duration>,
}

/// What a batch has gathered so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchStats {
    /// Delivered records, skipped ones too.
    pub records: u64,
    pub value_bytes: u64,
    pub largest_object_bytes: u64,
    /// When its first record was read.
    pub opened: Uptime,
}

/// Why a batch was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealReason {
    Records,
    Bytes,
    ObjectBytes,
    Age,
    /// The process is over its budget, or has too many open objects.
    Memory,
    /// The batch's largest object is at the limit of parts that S3 allows.
    Parts,
    Revoke,
    Shutdown,
    /// A person asked, by SIGUSR1.
    Request,
    /// Kafka deleted what comes next; what is in memory is finished as usual.
    LostRecords,
    /// The partition stops at the next record; what comes before it is finished as usual.
    Stop,
}

impl SealReason {
    pub const ALL: [Self; 11] = [
        Self::Records,
        Self::Bytes,
        Self::ObjectBytes,
        Self::Age,
        Self::Memory,
        Self::Parts,
        Self::Revoke,
        Self::Shutdown,
        Self::Request,
        Self::LostRecords,
        Self::Stop,
    ];

    /// Returns the word for logs and the label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Bytes => "bytes",
            Self::ObjectBytes => "object_bytes",
            Self::Age => "age",
            Self::Memory => "memory",
            Self::Parts => "parts",
            Self::Revoke => "revoke",
            Self::Shutdown => "shutdown",
            Self::Request => "request",
            Self::LostRecords => "lost_records",
            Self::Stop => "stop",
        }
    }
}

impl SealPolicy {
    /// Returns the first limit that `stats` has met at `now`.
    pub fn check(&self, stats: &BatchStats, now: Uptime) -> Option<SealReason> {
        let met = |limit: Option<u64>, value: u64| limit.is_some_and(|limit| value >= limit);
        if met(self.records, stats.records) {
            return Some(SealReason::Records);
        }
        if met(self.bytes, stats.value_bytes) {
            return Some(SealReason::Bytes);
        }
        if met(self.object_bytes, stats.largest_object_bytes) {
            return Some(SealReason::ObjectBytes);
        }
        self.deadline(stats).is_some_and(|deadline| now >= deadline).then_some(SealReason::Age)
    }

    /// Returns when age closes the batch, the same rule asked the other way.
    pub fn deadline(&self, stats: &BatchStats) -> Option<Uptime> {
        self.age.map(|age| stats.opened.after(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFF: SealPolicy =
        SealPolicy { records: None, bytes: None, object_bytes: None, age: None };
    const STATS: BatchStats = BatchStats {
        records: 10,
        value_bytes: 1_000,
        largest_object_bytes: 500,
        opened: Uptime::ZERO,
    };

    fn at(seconds: u64) -> Uptime {
        Uptime::new(Duration::from_secs(seconds))
    }

    #[test]
    fn each_limit_seals_when_it_is_met_and_not_before() {
        let cases = [
            (SealPolicy { records: Some(10), ..OFF }, Some(SealReason::Records)),
            (SealPolicy { records: Some(11), ..OFF }, None),
            (SealPolicy { bytes: Some(1_000), ..OFF }, Some(SealReason::Bytes)),
            (SealPolicy { bytes: Some(1_001), ..OFF }, None),
            (SealPolicy { object_bytes: Some(500), ..OFF }, Some(SealReason::ObjectBytes)),
            (SealPolicy { object_bytes: Some(501), ..OFF }, None),
            (OFF, None),
        ];
        for (policy, reason) in cases {
            assert_eq!(policy.check(&STATS, at(1_000)), reason, "{policy:?}");
        }
    }

    #[test]
    fn the_deadline_and_the_check_are_one_rule() {
        let policy = SealPolicy { age: Some(Duration::from_secs(60)), ..OFF };
        assert_eq!(policy.deadline(&STATS), Some(at(60)));
        assert_eq!(policy.check(&STATS, at(59)), None);
        assert_eq!(policy.check(&STATS, at(60)), Some(SealReason::Age));
    }
}
