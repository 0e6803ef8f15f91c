//! gzip by ISA-L, which compresses large frames at two to three times libdeflate's speed.
//!
//! It owns: the sizes that it is good for.
//! It does not own: its memory (the library takes 300 KB for each call and gives it back).

use isal::{Codec, CompressionLevel, compress_into};

/// Below this the library's preparation of its tables takes longer than libdeflate takes in all.
pub(super) const FRAME_BYTES_MIN: usize = 16 << 10;
/// Of a block that is stored as it is, with 5 bytes before it: RFC 1951, 3.2.4.
const STORED_BLOCK_BYTES: usize = 65_535;
/// Header and trailer of the member: RFC 1952, 2.3; and as much again that the library wants free.
const AROUND_BYTES: usize = 64;

/// Returns the most that a frame can become.
pub(super) fn bound(frame_bytes: usize) -> usize {
    let blocks = frame_bytes.div_ceil(STORED_BLOCK_BYTES);
    frame_bytes.saturating_add(5 * blocks).saturating_add(AROUND_BYTES)
}

/// Returns how many bytes the member has, none if the library refuses the frame, as it does one
/// above 4 GiB.
pub(super) fn compress(frame: &[u8], out: &mut [u8]) -> Option<usize> {
    u32::try_from(out.len()).ok()?;
    compress_into(frame, out, CompressionLevel::One, Codec::Gzip).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn compressed(frame: &[u8]) -> Vec<u8> {
        let mut out = vec![0; bound(frame.len())];
        let written = compress(frame, &mut out).unwrap();
        out.truncate(written);
        out
    }

    fn read(member: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        flate2::read::GzDecoder::new(member).read_to_end(&mut frame).unwrap();
        frame
    }

    #[test]
    fn what_cannot_be_compressed_fits_into_the_bound() {
        for bytes in [FRAME_BYTES_MIN, STORED_BLOCK_BYTES, 100_000, 1 << 20, 3 << 20] {
            let frame: Vec<u8> = (0..bytes).map(|_| rand::random()).collect();
            assert!(read(&compressed(&frame)) == frame, "{bytes}");
        }
    }

    #[test]
    fn a_member_has_no_time_and_no_name() {
        // Magic, deflate, no flags, time zero, no claim of effort, an unknown system.
        assert_eq!(compressed(&[7; 50_000])[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    }

    #[test]
    fn room_that_is_short_is_refused() {
        let frame: Vec<u8> = (0..50_000).map(|_| rand::random()).collect();
        assert_eq!(compress(&frame, &mut [0; 50_000]), None);
    }

    proptest! {
        #[test]
        fn equal_frames_become_equal_members_that_read_back(
            bytes in prop::collection::vec(any::<u8>(), 1..300),
            times in 60..3_000_usize,
        ) {
            let frame = bytes.repeat(times);
            prop_assert!(compressed(&frame) == compressed(&frame));
            prop_assert!(read(&compressed(&frame)) == frame);
        }
    }
}
