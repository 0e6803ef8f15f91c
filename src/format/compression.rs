//! Compression of frames: each call makes one whole gzip member or zstd frame.
//!
//! It owns: the compressors, their levels, and the memory that they work in.
//! It does not own: when a frame is full, and what it belongs to.
//!
//! Equal frames become equal bytes: gzip's header has no time (zero) and no name. A gzip member
//! carries a CRC and its length, a zstd frame its length and a checksum, so that readers notice
//! what was damaged on the way.
//!
//! With the feature `isa-l` frames that are large enough for it are compressed by ISA-L, in less than
//! half of the time: other bytes, the same records. A digest is of what is in a frame, so builds of
//! both kinds may finish each other's plans.
//!
//! Why not where they belong at once: the room that compression asks for is above the input's size,
//! so an object would keep a multiple of what it holds. The copy is of compressed bytes only.

#[cfg(feature = "isa-l")]
mod isa_l;

use std::fmt;

use libdeflater::CompressionLvl;
use zstd::bulk;
use zstd::zstd_safe::{CParameter, compress_bound};

use super::Compression;

/// The fastest that compresses. libdeflater 1.26 calls level 0 the fastest, which only stores.
const GZIP_LEVEL: i32 = 1;
/// Level 3 takes nearly twice the time for a few percent.
const ZSTD_LEVEL: i32 = 1;
/// What is kept between two frames: a frame is closed at about 1 MiB, and the room for what it
/// becomes is hardly larger. What a huge record needed is given back.
const SCRATCH_BYTES_MAX: usize = 4 << 20;

/// One compressor of each kind, for as long as its worker lives.
pub struct Compressors {
    gzip: libdeflater::Compressor,
    zstd: bulk::Compressor<'static>,
    /// As long as the largest frame so far needed, at most `SCRATCH_BYTES_MAX` between frames; so
    /// it is set to zero once and not for each frame.
    scratch: Vec<u8>,
}

impl Compressors {
    #[expect(clippy::expect_used, reason = "the messages prove that it cannot happen")]
    pub fn new() -> Self {
        let mut zstd = bulk::Compressor::new(ZSTD_LEVEL).expect("level 1 exists");
        zstd.set_parameter(CParameter::ContentSizeFlag(true)).expect("every zstd has this flag");
        zstd.set_parameter(CParameter::ChecksumFlag(true)).expect("every zstd has this flag");
        let level = CompressionLvl::new(GZIP_LEVEL).expect("level 1 exists");
        Self { gzip: libdeflater::Compressor::new(level), zstd, scratch: Vec::new() }
    }

    /// Gives `take` the frame as one gzip member or zstd frame, or as it is. An empty frame becomes
    /// an empty member.
    pub fn compress(&mut self, compression: Compression, frame: &[u8], take: impl FnOnce(&[u8])) {
        let written = match compression {
            Compression::None => return take(frame),
            Compression::Gzip => self.gzip(frame),
            Compression::Zstd => self.zstd(frame),
        };
        take(&self.scratch[..written]);
        if self.scratch.len() > SCRATCH_BYTES_MAX {
            self.scratch = Vec::new();
        }
    }

    #[expect(clippy::expect_used, reason = "the message proves that it cannot happen")]
    fn gzip(&mut self, frame: &[u8]) -> usize {
        #[cfg(feature = "isa-l")]
        if frame.len() >= isa_l::FRAME_BYTES_MIN {
            self.make_room(isa_l::bound(frame.len()));
            if let Some(written) = isa_l::compress(frame, &mut self.scratch) {
                return written;
            }
        }
        let bound = self.gzip.gzip_compress_bound(frame.len());
        self.make_room(bound);
        self.gzip
            .gzip_compress(frame, &mut self.scratch)
            .expect("the scratch is as long as the bound, and want of room is the only error")
    }

    #[expect(clippy::expect_used, reason = "the message proves that it cannot happen")]
    fn zstd(&mut self, frame: &[u8]) -> usize {
        self.make_room(compress_bound(frame.len()));
        self.zstd
            .compress_to_buffer(frame, self.scratch.as_mut_slice())
            .expect("the scratch is as long as the bound; without memory the process ends anyway")
    }

    fn make_room(&mut self, bytes: usize) {
        if self.scratch.len() < bytes {
            self.scratch.resize(bytes, 0);
        }
    }
}

impl Default for Compressors {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Compressors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Compressors")
            .field("scratch_bytes", &self.scratch.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn read(compression: Compression, stored: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match compression {
            Compression::None => out.extend_from_slice(stored),
            Compression::Gzip => {
                flate2::read::MultiGzDecoder::new(stored).read_to_end(&mut out).unwrap();
            }
            Compression::Zstd => zstd::stream::copy_decode(stored, &mut out).unwrap(),
        }
        out
    }

    #[test]
    fn a_gzip_member_has_no_time_and_no_name() {
        let mut out = Vec::new();
        Compressors::new()
            .compress(Compression::Gzip, b"{\"a\":1}\n", |bytes| out.extend_from_slice(bytes));
        // Magic, deflate, no flags, time zero, "fastest", an unknown system: RFC 1952, 2.3.
        assert_eq!(out[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
    }

    #[test]
    fn a_zstd_frame_tells_its_length_and_has_a_checksum() {
        let frame = b"{\"a\":1}\n".repeat(100);
        let mut out = Vec::new();
        Compressors::new()
            .compress(Compression::Zstd, &frame, |bytes| out.extend_from_slice(bytes));
        assert_eq!(out[..4], 0xfd2f_b528_u32.to_le_bytes());
        assert_ne!(out[4] & 0b100, 0, "RFC 8878, 3.1.1.1.1: the checksum's flag");
        let length = zstd::zstd_safe::get_frame_content_size(&out).unwrap();
        assert_eq!(length, Some(800));
        let last = out.len() - 1;
        out[last] ^= 1;
        assert!(zstd::stream::decode_all(out.as_slice()).is_err());
    }

    #[test]
    fn an_empty_frame_is_an_empty_member() {
        for compression in Compression::ALL {
            let mut out = Vec::new();
            Compressors::new().compress(compression, b"", |bytes| out.extend_from_slice(bytes));
            assert_eq!(out.is_empty(), compression == Compression::None);
            assert_eq!(read(compression, &out), b"");
        }
    }

    #[test]
    fn a_huge_frame_leaves_no_memory_behind() {
        let frame = b"0123456789abcdef".repeat(1 << 19);
        let mut compressors = Compressors::new();
        for compression in Compression::ALL {
            let mut out = Vec::new();
            compressors.compress(compression, &frame, |bytes| out.extend_from_slice(bytes));
            assert!(read(compression, &out) == frame, "{compression}");
            assert!(compressors.scratch.capacity() <= SCRATCH_BYTES_MAX);
        }
    }

    #[test]
    fn text_becomes_a_fraction_of_itself() {
        let frame = b"{\"country\":\"Albania\",\"ind\":7528}\n".repeat(1_000);
        for compression in [Compression::Gzip, Compression::Zstd] {
            let mut out = Vec::new();
            Compressors::new().compress(compression, &frame, |bytes| out.extend_from_slice(bytes));
            assert!(out.len() < frame.len() / 20, "{compression}: {}", out.len());
            assert!(out.capacity() < frame.len() / 10, "room for it, not for the bound");
        }
    }

    proptest! {
        #[test]
        fn a_row_of_frames_reads_back_as_one_stream(
            frames in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..200), 1..200_usize),
                1..6,
            ),
            compression in prop::sample::select(&Compression::ALL),
        ) {
            let mut compressors = Compressors::new();
            let (mut stored, mut whole) = (Vec::new(), Vec::new());
            for (bytes, times) in frames {
                let frame = bytes.repeat(times);
                let before = stored.clone();
                compressors.compress(compression, &frame, |bytes| stored.extend_from_slice(bytes));
                prop_assert!(stored.starts_with(&before), "what was there stays");
                let mut alone = Vec::new();
                Compressors::new().compress(compression, &frame, |bytes| alone.extend_from_slice(bytes));
                prop_assert!(stored[before.len()..] == alone, "equal frames become equal bytes");
                whole.extend(frame);
            }
            prop_assert!(read(compression, &stored) == whole);
        }
    }
}
