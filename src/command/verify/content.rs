//! What stands in an object, read as a stream: a few megabytes of it are in memory at a time.
//!
//! It owns: the ranges that are asked for, asking again, unpacking by the key's extension, the hash
//! of what was unpacked.
//! It does not own: what should stand there (`expected`).

use std::io::Write as _;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use flate2::write::MultiGzDecoder;
use thiserror::Error;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use crate::model::ObjectKey;
use crate::s3::{ByteRange, Etag, Healing, Store, StoreError, StoreErrorKind};

/// One request: large beside its round trip, small beside the memory.
const RANGE_BYTES: u32 = 4 << 20;
const _: () = assert!(RANGE_BYTES > 0);
/// What is unpacked at a time: a thousandfold of it (deflate's limit) is bearable.
const PIECE_BYTES: usize = 16 << 10;
/// Half of a block of zstd: what does not fit comes with the next turn.
const SCRATCH_BYTES: usize = 64 << 10;

/// How often a request is made that time may heal, and how long is waited before the second.
const ATTEMPTS_MAX: u32 = 6;
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Makes a request again while time may heal it. What needs a person is an answer here.
pub(in crate::command) async fn ask<T, R>(mut request: impl FnMut() -> R) -> Result<T, StoreError>
where
    R: Future<Output = Result<T, StoreError>>,
{
    let mut attempt = 1;
    loop {
        match request().await {
            Err(error) if error.kind.healing() == Healing::Itself && attempt < ATTEMPTS_MAX => {
                tokio::time::sleep(RETRY_DELAY * (1 << (attempt - 1))).await;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

/// Returns whether the store gives no answers at all, so that going on makes no sense.
pub(in crate::command) fn is_store_away(error: &StoreError) -> bool {
    let is_denied = error.kind == StoreErrorKind::AccessDenied;
    error.kind.healing() != Healing::Never && !is_denied
}

/// Why an object could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ContentError {
    #[error(transparent)]
    Store(StoreError),
    #[error("it was replaced while it was read")]
    Replaced,
    #[error("what is compressed in it is damaged or cut")]
    Damaged,
}

/// All that is kept of an object's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: u64,
    pub(super) newlines: u64,
    pub(super) ends_with_newline: bool,
    pub(super) hash: blake3::Hash,
}

/// Reads an object from its beginning to its end.
#[derive(Debug)]
pub(super) struct ObjectReader {
    store: Store,
    key: ObjectKey,
    size: u64,
    /// What was asked for, and of that what is not unpacked yet.
    asked: u64,
    waiting: Bytes,
    etag: Option<Etag>,
    unpacker: Unpacker,
    is_done: bool,
}

impl ObjectReader {
    pub(super) fn new(store: &Store, key: &ObjectKey, size: u64) -> Self {
        Self {
            store: Store::clone(store),
            key: key.clone(),
            size,
            asked: 0,
            waiting: Bytes::new(),
            etag: None,
            unpacker: Unpacker::of(key.as_str()),
            is_done: false,
        }
    }

    /// Returns some bytes more, unpacked (may be none of them yet); none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, ContentError> {
        if self.waiting.is_empty() {
            if self.asked >= self.size {
                if std::mem::replace(&mut self.is_done, true) {
                    return Ok(None);
                }
                return self.unpacker.end().map(Some);
            }
            self.waiting = self.fetch().await?;
        }
        let piece = self.waiting.split_to(self.waiting.remaining().min(PIECE_BYTES));
        self.unpacker.unpack(&piece).map(Some)
    }

    async fn fetch(&mut self) -> Result<Bytes, ContentError> {
        let length = NonZeroU32::new(RANGE_BYTES).unwrap_or(NonZeroU32::MIN);
        let range = ByteRange { start: self.asked, length };
        let got =
            ask(|| self.store.get_range(&self.key, range)).await.map_err(|error| {
                match error.kind {
                    StoreErrorKind::NotFound | StoreErrorKind::Invalid => ContentError::Replaced,
                    _ => ContentError::Store(error),
                }
            })?;
        let is_same = self.etag.as_ref().is_none_or(|etag| *etag == got.etag);
        let wanted = (self.size - self.asked).min(u64::from(RANGE_BYTES));
        if !is_same || u64::try_from(got.body.len()) != Ok(wanted) {
            return Err(ContentError::Replaced);
        }
        self.etag = Some(got.etag);
        self.asked += wanted;
        Ok(got.body)
    }
}

/// Reads an object whole and keeps only what it comes to.
pub(super) async fn read_content(mut reader: ObjectReader) -> Result<Content, ContentError> {
    let mut hasher = blake3::Hasher::new();
    let (mut bytes, mut newlines, mut last) = (0, 0, None);
    while let Some(piece) = reader.next().await? {
        hasher.update(&piece);
        bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        newlines += u64::try_from(memchr::memchr_iter(b'\n', &piece).count()).unwrap_or(u64::MAX);
        last = piece.last().copied().or(last);
    }
    let ends_with_newline = last == Some(b'\n');
    Ok(Content { bytes, newlines, ends_with_newline, hash: hasher.finalize() })
}

enum Unpacker {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd {
        decoder: Decoder<'static>,
        is_between_frames: bool,
    },
    /// zstd without memory.
    Broken,
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Unpacker")
    }
}

impl Unpacker {
    fn of(key: &str) -> Self {
        if key.ends_with(".gz") {
            Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
        } else if key.ends_with(".zst") {
            match Decoder::new() {
                Ok(decoder) => Self::Zstd { decoder, is_between_frames: true },
                Err(_) => Self::Broken,
            }
        } else {
            Self::Plain
        }
    }

    fn unpack(&mut self, piece: &[u8]) -> Result<Vec<u8>, ContentError> {
        match self {
            Self::Plain => Ok(piece.to_vec()),
            Self::Gzip(decoder) => {
                decoder.write_all(piece).map_err(|_| ContentError::Damaged)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Zstd { decoder, is_between_frames } => {
                let mut unpacked = Vec::new();
                let mut scratch = vec![0; SCRATCH_BYTES];
                let mut input = InBuffer::around(piece);
                loop {
                    let mut output = OutBuffer::around(scratch.as_mut_slice());
                    let hint = decoder.run(&mut input, &mut output);
                    *is_between_frames = hint.map_err(|_| ContentError::Damaged)? == 0;
                    unpacked.extend_from_slice(output.as_slice());
                    // zstd keeps a byte back as long as a frame's last bytes have had no room.
                    if input.pos() == piece.len() {
                        return Ok(unpacked);
                    }
                }
            }
            Self::Broken => Err(ContentError::Damaged),
        }
    }

    /// Returns what was still held back; a stream that ends inside of a frame is damaged.
    fn end(&mut self) -> Result<Vec<u8>, ContentError> {
        match self {
            Self::Plain => Ok(Vec::new()),
            Self::Gzip(decoder) => {
                decoder.try_finish().map_err(|_| ContentError::Damaged)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Zstd { is_between_frames: true, .. } => Ok(Vec::new()),
            Self::Zstd { is_between_frames: false, .. } | Self::Broken => {
                Err(ContentError::Damaged)
            }
        }
    }
}

#[cfg(test)]
mod tests;
