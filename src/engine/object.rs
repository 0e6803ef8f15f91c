//! One object of a batch while it grows: frames, compressed members, parts that may go up early.
//!
//! It owns: the buffers of the object, when a frame is compressed and a part is full.
//! It does not own: which records belong to it, its name, sending anything.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use crate::format::{Compression, Compressors, Encoding};
use crate::layout::Layout;
use crate::model::{BatchId, ObjectKey, Offset, Record, TopicPartition};

/// S3 refuses parts below this size, but for the last ("Amazon S3 multipart upload limits").
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// S3 takes 10,000 parts; what is left covers frames that are already on their way at the seal.
pub const PARTS_MAX: u32 = 9_000;
/// Parts after which the size of the next ones doubles, so that 9,000 parts hold terabytes.
const PARTS_PER_DOUBLING: u32 = 2_000;
/// Buffers grow by doubling up to here, then to `LARGE`, then to a part.
const DOUBLED_UP_TO: usize = 512 << 10;
const LARGE: usize = 2 << 20;
/// ... or by this share of what they have, to one of as many sizes a doubling: blocks of few sizes
/// fit again, and leave no holes.
const TIGHT: usize = 8;
/// Where sizes begin.
const LEAST: usize = 64;
/// What an object costs beside its buffers: its route, its key, its entries in maps.
pub(super) const OBJECT_OVERHEAD_BYTES: usize = 512;

/// What an object is called between the engine and the edge that uploads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u64);

impl ObjectId {
    /// Returns the first id behind those that `count` objects got from this one on.
    pub(super) fn behind(self, count: usize) -> Self {
        Self(self.0.saturating_add(u64::try_from(count).unwrap_or(u64::MAX)))
    }
}

/// All that is said of an object when it is created in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDescription {
    pub id: ObjectId,
    pub key: ObjectKey,
    pub content_type: &'static str,
    pub partition: TopicPartition,
    pub batch: BatchId,
    /// Start of the batch, which is the committed offset that the plan stands beside.
    pub batch_start: Offset,
    /// Offset of the object's own first record.
    pub first: Offset,
    /// The batch's layout, which names the bucket.
    pub layout: Arc<Layout>,
}

/// Sizes that decide when bytes move on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectSizes {
    /// Uncompressed bytes that become one member.
    pub frame_bytes: usize,
    /// Stored bytes that become one part.
    pub part_bytes: u64,
}

/// The bytes of an object between its first record and the seal.
#[derive(Debug)]
pub(super) struct ObjectBuffer {
    pub(super) first: Offset,
    pub(super) last: Offset,
    pub(super) count: u64,
    /// Records framed and not yet compressed.
    frame: Vec<u8>,
    /// As S3 will store it, without the parts that are gone.
    stored: Vec<u8>,
    sizes: ObjectSizes,
    /// Memory was short: buffers grow by little from now on, until a part is gone.
    is_tight: bool,
    name_bytes: usize,
    /// Bytes that went up as parts, or were counted and not kept.
    gone_bytes: u64,
    parts: u32,
}

/// How a framed record gets into its object.
pub(super) enum Line<'a> {
    Value(&'a [u8]),
    Quarantine(&'a TopicPartition, &'a Record<'a>, crate::format::BadRecord),
}

impl Line<'_> {
    /// Returns the bytes that a record takes; those of the quarantine see to their room themselves.
    fn len(&self, encoding: &Encoding) -> usize {
        match self {
            Self::Value(value) => value.len() + encoding.separator.len().max(1),
            Self::Quarantine(..) => 0,
        }
    }

    fn write(
        self,
        encoding: &Encoding,
        into: &mut Vec<u8>,
    ) -> Result<(), crate::format::BadRecord> {
        match self {
            Self::Value(value) => encoding.frame(value, into)?,
            Self::Quarantine(partition, record, reason) => {
                crate::format::quarantine_line(partition, record, reason, into);
            }
        }
        Ok(())
    }
}

impl ObjectBuffer {
    /// `name_bytes` is what its route and its key take.
    pub(super) fn new(first: Offset, name_bytes: usize, sizes: ObjectSizes) -> Self {
        Self {
            first,
            last: first,
            count: 0,
            frame: Vec::new(),
            stored: Vec::new(),
            sizes,
            is_tight: false,
            name_bytes,
            gone_bytes: 0,
            parts: 0,
        }
    }

    /// Takes a record, or only counts it if the bytes are not kept. An error leaves the object as it
    /// was.
    pub(super) fn take(
        &mut self,
        is_kept: bool,
        encoding: &Encoding,
        offset: Offset,
        line: Line<'_>,
    ) -> Result<(), crate::format::BadRecord> {
        if is_kept {
            let (part_bytes, frame_bytes) = (self.part_bytes(), self.sizes.frame_bytes);
            let (into, full) = match encoding.compression {
                Compression::None => (&mut self.stored, size(part_bytes)),
                Compression::Gzip | Compression::Zstd => (&mut self.frame, frame_bytes),
            };
            make_room(into, line.len(encoding), (full, self.is_tight));
            line.write(encoding, into)?;
        } else {
            let mut unkept = Vec::new();
            line.write(encoding, &mut unkept)?;
            self.gone_bytes += stored_len(&unkept);
        }
        self.last = offset;
        self.count += 1;
        Ok(())
    }

    /// Compresses the frame if it is full.
    pub(super) fn compress_full_frame(
        &mut self,
        compression: Compression,
        compressors: &mut Compressors,
    ) {
        if self.frame.len() >= self.sizes.frame_bytes {
            self.compress(compression, compressors);
        }
    }

    /// Compresses what is framed as one member.
    pub(super) fn compress(&mut self, compression: Compression, compressors: &mut Compressors) {
        if self.frame.is_empty() {
            return;
        }
        let (room, stored) = ((size(self.part_bytes()), self.is_tight), &mut self.stored);
        compressors.compress(compression, &self.frame, |member| {
            make_room(stored, member.len(), room);
            stored.extend_from_slice(member);
        });
        self.frame.clear();
    }

    /// Takes the stored bytes as a part if there are `at_least` of them, with its number from 1.
    pub(super) fn take_part(&mut self, at_least: u64) -> Option<(u32, Bytes)> {
        if self.stored.is_empty() || stored_len(&self.stored) < at_least {
            return None;
        }
        let body = body_of(&mut self.stored);
        self.is_tight = false;
        self.gone_bytes += u64::try_from(body.len()).unwrap_or(u64::MAX);
        self.parts += 1;
        Some((self.parts, body))
    }

    /// Takes what is left as the whole object, if no part went before.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        (self.parts == 0).then(|| body_of(&mut self.stored))
    }

    /// Returns the size at which the next part is full.
    pub(super) fn part_bytes(&self) -> u64 {
        self.sizes.part_bytes << (self.parts / PARTS_PER_DOUBLING).min(8)
    }

    pub(super) fn parts(&self) -> u32 {
        self.parts
    }

    /// Returns the size as stored so far: what is gone, finished members, not the frame.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.gone_bytes + stored_len(&self.stored)
    }

    /// Returns the memory that the object holds, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.frame.capacity() + self.stored.capacity() + self.name_bytes + OBJECT_OVERHEAD_BYTES
    }

    /// Gives memory back that no byte fills, and takes little more from now on: what was given back
    /// would be taken again by the next records, of every object at once.
    pub(super) fn shrink(&mut self) {
        self.is_tight = true;
        for buffer in [&mut self.frame, &mut self.stored] {
            buffer.shrink_to(if buffer.is_empty() { 0 } else { rounded_up(buffer.len()) });
        }
    }
}

/// Returns the next of the sizes that buffers have while memory is tight.
fn rounded_up(bytes: usize) -> usize {
    let bytes = bytes.max(LEAST);
    bytes.next_multiple_of((1 << bytes.ilog2()) / TIGHT)
}

/// Makes room for `more` bytes in a buffer that moves on when it has `full` of them: by doubling
/// while it is small, then in two steps to what a full one takes, and no further. Large blocks are
/// of few sizes so, and those that were freed fit the next object. While memory is tight it grows by
/// an eighth.
fn make_room(buffer: &mut Vec<u8>, more: usize, (full, is_tight): (usize, bool)) {
    let needed = buffer.len() + more;
    if needed <= buffer.capacity() {
        return;
    }
    let most = full.saturating_add(full / 16);
    let step = if is_tight {
        rounded_up(needed + needed / TIGHT)
    } else if needed <= DOUBLED_UP_TO {
        needed.next_power_of_two()
    } else if needed <= LARGE {
        LARGE
    } else {
        most
    };
    let capacity = if needed <= most { step.min(most) } else { needed };
    buffer.reserve_exact(capacity - buffer.len());
}

/// Takes the bytes without the room behind them: a body is held until S3 has it, and its length is
/// what the budget counts.
fn body_of(stored: &mut Vec<u8>) -> Bytes {
    let mut body = mem::take(stored);
    body.shrink_to_fit();
    Bytes::from(body)
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn stored_len(stored: &[u8]) -> u64 {
    u64::try_from(stored.len()).unwrap_or(u64::MAX)
}

/// What became of a record that was handed to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Written { object: usize },
    Quarantined { object: usize, reason: crate::format::BadRecord },
    Skipped,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;

    const NAME_BYTES: usize = 40;

    fn buffer(compression: Compression, values: usize) -> ObjectBuffer {
        let sizes = ObjectSizes { frame_bytes: 1 << 20, part_bytes: 8 << 20 };
        let mut buffer = ObjectBuffer::new(Offset::ZERO, NAME_BYTES, sizes);
        let encoding = Encoding::new(Format::Json, compression);
        for _ in 0..values {
            buffer.take(true, &encoding, Offset::ZERO, Line::Value(b"{\"k\":1}")).unwrap();
        }
        buffer
    }

    #[test]
    fn an_object_holds_its_buffers_its_names_and_a_little_more() {
        let mut buffer = buffer(Compression::Gzip, 1_000);
        buffer.shrink();
        assert_eq!(buffer.held_bytes(), 8 * 1_024 + NAME_BYTES + OBJECT_OVERHEAD_BYTES);
        buffer.compress(Compression::Gzip, &mut Compressors::new());
        buffer.shrink();
        let stored = usize::try_from(buffer.stored_bytes()).unwrap();
        assert!((20..200).contains(&stored), "{stored}");
        assert_eq!(buffer.held_bytes(), rounded_up(stored) + NAME_BYTES + OBJECT_OVERHEAD_BYTES);
    }

    #[test]
    fn tight_buffers_are_of_eight_sizes_a_doubling() {
        for (bytes, rounded) in
            [(1, 64), (64, 64), (65, 72), (1_000, 1_024), (1_025, 1_152), (70_000, 73_728)]
        {
            assert_eq!(rounded_up(bytes), rounded);
        }
    }

    #[test]
    fn a_buffer_has_no_more_room_than_a_full_one_takes() {
        let mut buffer = Vec::new();
        for (len, capacity) in [
            (1, 1),
            (3, 4),
            (5, 8),
            (300_000, 512 << 10),
            (600_000, 2 << 20),
            (3_000_000, 17 << 19),
            (17 << 19, 17 << 19),
            (9_000_000, 9_000_000),
        ] {
            let more = len - buffer.len();
            make_room(&mut buffer, more, (8 << 20, false));
            buffer.resize(len, 0);
            assert_eq!(buffer.capacity(), capacity, "for {len}");
        }
        let mut frame = Vec::new();
        make_room(&mut frame, 600_000, (1 << 20, false));
        assert_eq!(frame.capacity(), 17 << 16, "a sixteenth more than 1 MiB");
    }

    #[test]
    fn what_was_given_back_is_not_taken_again_by_the_next_record() {
        let mut buffer = buffer(Compression::None, 100_000);
        buffer.shrink();
        let held = buffer.held_bytes();
        let encoding = Encoding::new(Format::Json, Compression::None);
        buffer.take(true, &encoding, Offset::ZERO, Line::Value(b"1")).unwrap();
        assert!(buffer.held_bytes() < held + held / 7, "{held} {}", buffer.held_bytes());
        buffer.take_part(0).unwrap();
        for _ in 0..100_000 {
            buffer.take(true, &encoding, Offset::ZERO, Line::Value(b"{\"k\":1}")).unwrap();
        }
        assert!(buffer.held_bytes() > 2 * 800_000, "a new part grows in large steps");
    }

    #[test]
    fn a_part_is_taken_as_soon_as_it_is_full() {
        let mut buffer = buffer(Compression::None, 10);
        assert_eq!(buffer.take_part(81), None);
        assert_eq!(buffer.take_part(80).map(|(number, body)| (number, body.len())), Some((1, 80)));
        assert_eq!(buffer.take_part(0), None, "nothing is left");
        assert_eq!(buffer.stored_bytes(), 80);
    }
}
