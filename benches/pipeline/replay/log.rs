//! Records as a producer has sent them, given again and again under growing offsets.
//!
//! It owns: the batches of a partition and their offsets. A batch says its first offset outside of
//! what its checksum covers ("Apache Kafka: Message Format", record batch), so giving it again is
//! a copy and a patch of eight bytes.
//! It does not own: who asks.

use bytes::{Bytes, BytesMut};

/// Fields of a record batch: `baseOffset`, `batchLength`, `lastOffsetDelta`.
const LENGTH_AT: usize = 8;
const AFTER_LENGTH: usize = 12;
const LAST_DELTA_AT: usize = 23;

/// One partition.
#[derive(Debug, Default)]
pub struct Log {
    /// In their order, with the offset of each within one round.
    batches: Vec<(i64, Bytes)>,
    /// Records of one round.
    records: i64,
    /// Records to give in all, rounded up to a whole batch; 0 gives one round.
    wanted: i64,
    /// Whether it gives no more than its share of what all such partitions have given.
    is_in_step: bool,
    /// Where a reader asked last.
    position: i64,
}

impl Log {
    pub fn new(wanted: i64, is_in_step: bool) -> Self {
        Self { wanted, is_in_step, ..Self::default() }
    }

    /// Notes where a reader is.
    pub fn is_asked_at(&mut self, offset: i64) {
        self.position = offset;
    }

    /// Returns how much of it was read, from 0 to 1; none if it waits for no other.
    pub fn done(&self) -> Option<f64> {
        self.is_in_step.then(|| self.position as f64 / self.end() as f64)
    }

    /// Takes what a producer sent; returns the offset of its first record.
    pub fn append(&mut self, mut sent: Bytes) -> i64 {
        let first = self.records;
        while !sent.is_empty() {
            let bytes = AFTER_LENGTH + usize::try_from(number(&sent, LENGTH_AT)).unwrap();
            let batch = sent.split_to(bytes);
            let count = i64::from(number(&batch, LAST_DELTA_AT)) + 1;
            self.batches.push((self.records, batch));
            self.records += count;
        }
        first
    }

    /// The offset behind the last record that is given.
    pub fn end(&self) -> i64 {
        if self.records == 0 || self.wanted == 0 {
            return self.records;
        }
        let (rounds, rest) = (self.wanted / self.records, self.wanted % self.records);
        let cut = self.batches.iter().map(|(start, _)| *start).find(|start| *start >= rest);
        rounds * self.records + cut.unwrap_or(self.records)
    }

    /// Appends batches from the one on that holds `offset`: whole ones, at least one, no more than
    /// `bytes_max` otherwise; none from beyond its `share` if it is in step with others.
    pub fn read(&self, offset: i64, (bytes_max, share): (usize, f64), into: &mut BytesMut) {
        let share = if self.is_in_step { share.min(1.0) } else { 1.0 };
        let end = (self.end() as f64 * share).ceil() as i64;
        if offset < 0 || offset >= end {
            return;
        }
        let (mut round, within) = (offset / self.records, offset % self.records);
        let mut index = self.batches.partition_point(|(start, _)| *start <= within) - 1;
        let before = into.len();
        loop {
            let (start, batch) = &self.batches[index];
            let base = round * self.records + start;
            let taken = into.len() - before;
            if base >= end || (taken > 0 && taken + batch.len() > bytes_max) {
                return;
            }
            into.extend_from_slice(&base.to_be_bytes());
            into.extend_from_slice(&batch[LENGTH_AT..]);
            index += 1;
            if index == self.batches.len() {
                (round, index) = (round + 1, 0);
            }
        }
    }
}

fn number(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}
