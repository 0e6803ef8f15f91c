//! The real store: Amazon S3, or what speaks its protocol, by its SDK.
//!
//! It owns: the requests and how their answers become ours.
//! It does not own: the client's settings (`client`), what every
//! request asks for objects (`headers`), what its errors mean (`failure`), repeating:
//! the SDK's own retries are off, since after a lost answer they would meet our own object.
//!
//! It assumes of the other side: `If-None-Match` and `If-Match` are exact where
//! `conditional_writes` says so, an acknowledged write stays. A checksum (CRC-32) travels with every
//! body, since some stores keep a body that was cut on the way.

mod client;
mod failure;
mod headers;
mod lifecycle;
mod listed;
mod options;

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};

pub use client::{AwsStores, StoresError};
use failure::failure;
pub use lifecycle::LeftUploads;
use listed::{listed_object, listed_upload};
pub use options::{
    AssumedRole, CustomerKey, Encryption, ObjectOptions, ProxyChoice, S3Options, StaticCredentials,
    Way,
};

use super::deadline::Attempt;
use super::error::{Operation, StoreError, StoreErrorKind};
use super::metadata::ObjectMetadata;
use super::store::{
    ByteRange, Condition, Etag, Found, Got, ListedObject, ListedUpload, ObjectStore, Page,
    PartNumber, Put, StoreFuture, StoredPart, Target, UploadId, Writes,
};
use crate::model::{Bucket, ObjectKey};

/// "Amazon S3 API Reference", `max-keys` and `max-uploads`.
const PAGE_MAX: i32 = 1_000;

/// Whether a body's SHA-256 is part of the signature. Over https it is not: TLS protects the body
/// and the CRC-32 checks it, for a third of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    Signed,
    Unsigned,
}

/// One bucket.
#[derive(Debug)]
struct AwsStore {
    client: Client,
    bucket: Bucket,
    writes: Writes,
    payload: Payload,
}

impl AwsStore {
    fn attempt<'a>(&'a self, operation: Operation, key: Option<&'a ObjectKey>) -> Attempt<'a> {
        Attempt { operation, bucket: &self.bucket, key, body_bytes: 0 }
    }

    /// Returns `If-None-Match` and `If-Match`. A store that does not keep their promises may refuse
    /// them altogether, so it is sent neither.
    fn headers_of(&self, condition: &Condition) -> (Option<String>, Option<String>) {
        match (self.writes, condition) {
            (Writes::HeadFirst, _) | (Writes::Conditional, Condition::None) => (None, None),
            (Writes::Conditional, Condition::IfNoneMatch) => (Some("*".to_owned()), None),
            (Writes::Conditional, Condition::IfMatch(etag)) => {
                (None, Some(etag.as_str().to_owned()))
            }
        }
    }

    async fn try_put(&self, attempt: Attempt<'_>, put: Put<'_>) -> Result<Etag, StoreError> {
        let (if_none_match, if_match) = self.headers_of(&put.condition);
        let request = self
            .client
            .put_object()
            .bucket(self.bucket.as_str())
            .key(put.key.as_str())
            .content_type(put.content_type)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .set_metadata(put.metadata.map(pairs_of))
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .body(ByteStream::from(put.body))
            .customize();
        let request = match self.payload {
            Payload::Signed => request,
            Payload::Unsigned => request.disable_payload_signing(),
        };
        let answer = request.send().await.map_err(|error| failure(&attempt, error))?;
        etag_of(&attempt, answer.e_tag())
    }

    async fn try_get(
        &self,
        attempt: Attempt<'_>,
        key: &ObjectKey,
        (range, bytes_max): (Option<String>, usize),
    ) -> Result<Got, StoreError> {
        let request = self.client.get_object().bucket(self.bucket.as_str()).key(key.as_str());
        let request = request.set_range(range);
        let mut answer = request.send().await.map_err(|error| failure(&attempt, error))?;
        let etag = etag_of(&attempt, answer.e_tag())?;
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk.map_err(|_broken| attempt.failed(StoreErrorKind::Transport))?;
            if body.len() + chunk.len() > bytes_max {
                return Err(attempt.failed(StoreErrorKind::TooLarge));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Got { etag, body: body.freeze() })
    }

    async fn try_upload_part(
        &self,
        attempt: Attempt<'_>,
        part: PartRequest<'_>,
    ) -> Result<StoredPart, StoreError> {
        let request = self
            .client
            .upload_part()
            .bucket(self.bucket.as_str())
            .key(part.key.as_str())
            .upload_id(part.upload.as_str())
            .part_number(i32::from(part.number.value()))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(part.body))
            .customize();
        let request = match self.payload {
            Payload::Signed => request,
            Payload::Unsigned => request.disable_payload_signing(),
        };
        let answer = request.send().await.map_err(|error| failure(&attempt, error))?;
        let etag = etag_of(&attempt, answer.e_tag())?;
        let crc32 = answer.checksum_crc32().map(Arc::from);
        Ok(StoredPart { number: part.number, etag, crc32 })
    }
}

/// A part that is to go up.
#[derive(Debug)]
struct PartRequest<'a> {
    key: &'a ObjectKey,
    upload: &'a UploadId,
    number: PartNumber,
    body: Bytes,
}

impl ObjectStore for AwsStore {
    fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    fn writes(&self) -> Writes {
        self.writes
    }

    fn put<'a>(&'a self, put: Put<'a>) -> StoreFuture<'a, Etag> {
        let body_bytes = put.body.len();
        let attempt = Attempt { body_bytes, ..self.attempt(Operation::Put, Some(put.key)) };
        Box::pin(async move { attempt.within(self.try_put(attempt, put)).await })
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, Found> {
        let attempt = self.attempt(Operation::Head, Some(key));
        let request = self.client.head_object().bucket(self.bucket.as_str()).key(key.as_str());
        Box::pin(async move {
            let request = async {
                let answer = request.send().await.map_err(|error| failure(&attempt, error))?;
                let pairs = answer.metadata().into_iter().flatten();
                let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
                Ok(Found {
                    etag: etag_of(&attempt, answer.e_tag())?,
                    size: size_of(answer.content_length()),
                    content_type: answer.content_type().map(str::to_owned),
                    metadata: ObjectMetadata::parse(pairs),
                })
            };
            attempt.within(request).await
        })
    }

    fn get<'a>(&'a self, key: &'a ObjectKey, bytes_max: usize) -> StoreFuture<'a, Got> {
        let attempt = Attempt { body_bytes: bytes_max, ..self.attempt(Operation::Get, Some(key)) };
        Box::pin(async move { attempt.within(self.try_get(attempt, key, (None, bytes_max))).await })
    }

    fn get_range<'a>(&'a self, key: &'a ObjectKey, range: ByteRange) -> StoreFuture<'a, Got> {
        let body_bytes = usize::try_from(range.length.get()).unwrap_or(usize::MAX);
        let attempt = Attempt { body_bytes, ..self.attempt(Operation::Get, Some(key)) };
        let last = range.start.saturating_add(u64::from(range.length.get()) - 1);
        let header = format!("bytes={}-{last}", range.start);
        // A store that knows no ranges answers with the whole object: more than was asked for.
        let wanted = (Some(header), body_bytes);
        Box::pin(async move { attempt.within(self.try_get(attempt, key, wanted)).await })
    }

    fn create_upload<'a>(&'a self, target: &'a Target) -> StoreFuture<'a, UploadId> {
        let attempt = self.attempt(Operation::CreateUpload, Some(&target.key));
        let request = self
            .client
            .create_multipart_upload()
            .bucket(self.bucket.as_str())
            .key(target.key.as_str())
            .content_type(target.content_type)
            .set_metadata(Some(pairs_of(&target.metadata)))
            // named here, or stores refuse a list of parts with checksums; composite is what each
            // part's own checksum adds up to
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .checksum_type(ChecksumType::Composite);
        Box::pin(async move {
            let request = async {
                let answer = request.send().await.map_err(|error| failure(&attempt, error))?;
                let upload = answer.upload_id().map(UploadId::new);
                upload.ok_or_else(|| attempt.failed(StoreErrorKind::Unavailable5xx))
            };
            attempt.within(request).await
        })
    }

    fn upload_part<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        number: PartNumber,
        body: Bytes,
    ) -> StoreFuture<'a, StoredPart> {
        let body_bytes = body.len();
        let attempt = Attempt { body_bytes, ..self.attempt(Operation::UploadPart, Some(key)) };
        let part = PartRequest { key, upload, number, body };
        Box::pin(async move { attempt.within(self.try_upload_part(attempt, part)).await })
    }

    fn complete_upload<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        parts: &'a [StoredPart],
        condition: Condition,
    ) -> StoreFuture<'a, Etag> {
        let attempt = self.attempt(Operation::CompleteUpload, Some(key));
        let (if_none_match, if_match) = self.headers_of(&condition);
        let parts = parts.iter().map(completed_part).collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(self.bucket.as_str())
            .key(key.as_str())
            .upload_id(upload.as_str())
            .checksum_type(ChecksumType::Composite)
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .multipart_upload(parts);
        Box::pin(async move {
            let request = async {
                let answer = request.send().await.map_err(|error| failure(&attempt, error))?;
                etag_of(&attempt, answer.e_tag())
            };
            attempt.within(request).await
        })
    }

    fn abort_upload<'a>(&'a self, key: &'a ObjectKey, upload: &'a UploadId) -> StoreFuture<'a, ()> {
        let attempt = self.attempt(Operation::AbortUpload, Some(key));
        let request = self
            .client
            .abort_multipart_upload()
            .bucket(self.bucket.as_str())
            .key(key.as_str())
            .upload_id(upload.as_str());
        Box::pin(async move {
            let request = async {
                let answer = request.send().await;
                answer.map(|_aborted| ()).map_err(|error| failure(&attempt, error))
            };
            attempt.within(request).await
        })
    }

    fn list_uploads<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
    ) -> StoreFuture<'a, Page<ListedUpload>> {
        let attempt = self.attempt(Operation::ListUploads, None);
        // the sign of a page is the key and the upload that it ended with
        let (key, upload) = from.and_then(|sign| sign.rsplit_once('\n')).unzip();
        let request = self
            .client
            .list_multipart_uploads()
            .bucket(self.bucket.as_str())
            .prefix(prefix)
            .set_key_marker(key.map(str::to_owned))
            .set_upload_id_marker(upload.map(str::to_owned))
            .max_uploads(PAGE_MAX);
        Box::pin(async move {
            let request = async {
                let answer = request.send().await.map_err(|error| failure(&attempt, error))?;
                let sign = answer.next_key_marker().zip(answer.next_upload_id_marker());
                let next = sign.map(|(key, upload)| format!("{key}\n{upload}"));
                let next = next.filter(|_sign| answer.is_truncated() == Some(true));
                let items = answer.uploads().iter().filter_map(listed_upload).collect();
                Ok(Page { items, next })
            };
            attempt.within(request).await
        })
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, ()> {
        let attempt = self.attempt(Operation::Delete, Some(key));
        let request = self.client.delete_object().bucket(self.bucket.as_str()).key(key.as_str());
        Box::pin(async move {
            let request = async {
                let answer = request.send().await.map(|_deleted| ());
                match answer.map_err(|error| failure(&attempt, error)) {
                    Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
                    answer => answer,
                }
            };
            attempt.within(request).await
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        count_max: u16,
    ) -> StoreFuture<'a, Page<ListedObject>> {
        let attempt = self.attempt(Operation::List, None);
        let request = self
            .client
            .list_objects_v2()
            .bucket(self.bucket.as_str())
            .prefix(prefix)
            .set_continuation_token(from.map(str::to_owned))
            .max_keys(i32::from(count_max).min(PAGE_MAX));
        Box::pin(async move {
            let request = async {
                let answer = request.send().await.map_err(|error| failure(&attempt, error))?;
                let next = answer.next_continuation_token().map(str::to_owned);
                let next = next.filter(|_sign| answer.is_truncated() == Some(true));
                let items = answer.contents().iter().filter_map(listed_object).collect();
                Ok(Page { items, next })
            };
            attempt.within(request).await
        })
    }

    fn head_bucket(&self) -> StoreFuture<'_, ()> {
        let attempt = self.attempt(Operation::HeadBucket, None);
        let request = self.client.head_bucket().bucket(self.bucket.as_str());
        Box::pin(async move {
            let request = async {
                let answer = request.send().await;
                answer.map(|_there| ()).map_err(|error| failure(&attempt, error))
            };
            attempt.within(request).await
        })
    }
}

fn pairs_of(metadata: &ObjectMetadata) -> std::collections::HashMap<String, String> {
    let pairs = metadata.encode().into_iter();
    pairs.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn completed_part(part: &StoredPart) -> CompletedPart {
    CompletedPart::builder()
        .part_number(i32::from(part.number.value()))
        .e_tag(part.etag.as_str())
        .set_checksum_crc32(part.crc32.as_deref().map(str::to_owned))
        .build()
}

/// An answer of success without an etag is not one that S3 gives: nobody knows what was done.
fn etag_of(attempt: &Attempt<'_>, etag: Option<&str>) -> Result<Etag, StoreError> {
    etag.map(Etag::new).ok_or_else(|| attempt.failed(StoreErrorKind::Unavailable5xx))
}

fn size_of(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0)
}
