//! What an open batch gives back when memory is short.
//!
//! It owns: how small a part may be then. It does not own: when memory is short.

use std::sync::Arc;

use super::{OpenBatch, Part, Workshop};
use crate::engine::PART_BYTES_MIN;

/// Parts of one object that may be as small as S3 takes them; those behind it are full. 2,000 small
/// parts and 8,000 full ones hold more than the 9,000 at which an open batch of the same part size
/// is sealed (60,000 part sizes against 46,000, as they double every 2,000 parts).
const RELIEF_PARTS_MAX: u32 = 2_000;

impl OpenBatch {
    /// Sends up what S3 takes as a part already, and gives unfilled memory back.
    pub(in crate::engine) fn relieve(&mut self, workshop: &mut Workshop) {
        let compression = self.birth.layout.encoding.compression;
        for object in &mut self.objects {
            object.buffer.compress(compression, &mut workshop.compressors);
            let Some(description) = &object.description else { continue };
            let least = relief_bytes(object.buffer.parts(), object.buffer.part_bytes());
            if let Some((number, body)) = object.buffer.take_part(least) {
                self.parts.push(Part { object: Arc::clone(description), number, body });
                self.parts_max = self.parts_max.max(number);
            }
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        for object in &mut self.objects {
            object.buffer.shrink();
        }
        self.held_bytes = self.objects.iter().map(|object| object.buffer.held_bytes()).sum();
    }
}

/// Returns the least size of a part that goes up because memory is short. An object of many parts
/// waits until its next one is full: a replay that is short of memory all the time would need more
/// of them than S3 takes.
fn relief_bytes(parts: u32, part_bytes: u64) -> u64 {
    if parts < RELIEF_PARTS_MAX { PART_BYTES_MIN } else { part_bytes.max(PART_BYTES_MIN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relief_sends_no_small_parts_of_an_object_that_has_many() {
        let full = 4 * PART_BYTES_MIN;
        assert_eq!(relief_bytes(0, full), PART_BYTES_MIN);
        assert_eq!(relief_bytes(RELIEF_PARTS_MAX - 1, full), PART_BYTES_MIN);
        assert_eq!(relief_bytes(RELIEF_PARTS_MAX, full), full);
        assert_eq!(relief_bytes(RELIEF_PARTS_MAX, 1), PART_BYTES_MIN);
    }
}
