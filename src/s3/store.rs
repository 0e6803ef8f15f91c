//! What Sluice asks of a bucket: the trait, and the values that go in and out.
//!
//! It owns: `ObjectStore`, conditions, upload ids, parts, pages of listings.
//! It does not own: what a failure means (`error`), when a request is repeated (`retry`).

use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::error::StoreError;
use super::metadata::{MetadataError, ObjectMetadata};
use crate::model::{Bucket, ObjectKey};

/// What a request of a store is while it runs. Boxed by hand, so that the trait can be an object
/// without a macro of somebody else.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store of one bucket, shared.
pub type Store = Arc<dyn ObjectStore>;

/// One bucket. Every method is one request and is never repeated here; each ends within a deadline
/// of its own, a hang included.
pub trait ObjectStore: Send + Sync + fmt::Debug {
    fn bucket(&self) -> &Bucket;

    /// Whether the store keeps the promises of `If-None-Match` and `If-Match`.
    fn writes(&self) -> Writes;

    fn put<'a>(&'a self, put: Put<'a>) -> StoreFuture<'a, Etag>;

    fn head<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, Found>;

    /// Reads an object whole; one of more than `bytes_max` is `TooLarge`.
    fn get<'a>(&'a self, key: &'a ObjectKey, bytes_max: usize) -> StoreFuture<'a, Got>;

    /// Reads `length` bytes from `start` on, or up to the object's end if that comes first. An object
    /// of no bytes at all has no range. Whoever reads several compares their etags.
    fn get_range<'a>(&'a self, key: &'a ObjectKey, range: ByteRange) -> StoreFuture<'a, Got>;

    fn create_upload<'a>(&'a self, target: &'a Target) -> StoreFuture<'a, UploadId>;

    fn upload_part<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        number: PartNumber,
        body: Bytes,
    ) -> StoreFuture<'a, StoredPart>;

    /// Makes the parts one object. They are in order of their numbers.
    fn complete_upload<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        parts: &'a [StoredPart],
        condition: Condition,
    ) -> StoreFuture<'a, Etag>;

    fn abort_upload<'a>(&'a self, key: &'a ObjectKey, upload: &'a UploadId) -> StoreFuture<'a, ()>;

    /// Returns one page of unfinished uploads below `prefix`, from the sign of an earlier page on.
    fn list_uploads<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
    ) -> StoreFuture<'a, Page<ListedUpload>>;

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, ()>;

    /// Returns one page of at most `count_max` (and at most 1,000) objects below `prefix`.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        count_max: u16,
    ) -> StoreFuture<'a, Page<ListedObject>>;

    fn head_bucket(&self) -> StoreFuture<'_, ()>;
}

/// How a store can make sure that it writes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    Conditional,
    /// No conditions are sent; whoever writes looks first.
    HeadFirst,
}

/// What must hold in the bucket for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    None,
    /// `If-None-Match: *`: nothing is there yet.
    IfNoneMatch,
    /// `If-Match`: exactly this is there.
    IfMatch(Etag),
}

/// Where buckets are found by their names.
pub trait Buckets: fmt::Debug + Send + Sync {
    /// Returns the store of one bucket; asks nothing.
    fn bucket(&self, bucket: &Bucket) -> Store;
}

/// An object that is to be: everything but its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub key: ObjectKey,
    pub content_type: &'static str,
    pub metadata: ObjectMetadata,
}

/// A write in one request. Claims carry no metadata of a batch.
#[derive(Clone, Debug)]
pub struct Put<'a> {
    pub key: &'a ObjectKey,
    pub body: Bytes,
    pub content_type: &'static str,
    pub metadata: Option<&'a ObjectMetadata>,
    pub condition: Condition,
}

/// What HEAD says of an object. The metadata is somebody's claim, not yet a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub etag: Etag,
    pub size: u64,
    pub content_type: Option<String>,
    pub metadata: Result<ObjectMetadata, MetadataError>,
}

/// Some bytes of an object: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    pub start: u64,
    pub length: NonZeroU32,
}

/// An object, whole or a range of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub etag: Etag,
    pub body: Bytes,
}

/// A page of a listing, and the sign to ask for the next one with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// As listed: need not be a key that Sluice would write.
    pub key: String,
    pub size: u64,
    /// Milliseconds since 1970, where the store says it.
    pub modified_millis: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUpload {
    pub key: String,
    pub upload: UploadId,
    pub initiated_millis: Option<i64>,
}

/// What a store calls one version of an object's bytes. Opaque, with its quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Etag(Arc<str>);

impl Etag {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a store calls an unfinished upload. Opaque.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UploadId(Arc<str>);

impl UploadId {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The number of a part, 1 to 10,000 (Amazon S3 User Guide, "multipart upload limits").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartNumber(u16);

impl PartNumber {
    pub const MAX: u16 = 10_000;

    pub fn new(number: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    pub fn value(self) -> u16 {
        self.0
    }
}

/// A part that is in the store: what Complete must say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart {
    pub number: PartNumber,
    pub etag: Etag,
    /// CRC-32 as base64, where the store answered one.
    pub crc32: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbered_from_one_to_ten_thousand() {
        assert_eq!(PartNumber::new(0), None);
        assert_eq!(PartNumber::new(1).map(PartNumber::value), Some(1));
        assert_eq!(PartNumber::new(10_000).map(PartNumber::value), Some(10_000));
        assert_eq!(PartNumber::new(10_001), None);
    }
}
