//! A store that shares a budget of requests with others and tells how each one went.
//!
//! It owns: the permit around each request, and its turn below a prefix that the store slows down.
//! Waiting between two attempts holds neither, and waiting for a turn no permit, so a bucket or prefix
//! that is down does not starve another.
//! It does not own: the number of permits, what the observer counts.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::error::{Operation, StoreError, StoreErrorKind};
use super::observe::{Request, UploadObserver};
use super::store::{
    ByteRange, Condition, Etag, Found, Got, ListedObject, ListedUpload, ObjectStore, Page,
    PartNumber, Put, Store, StoreFuture, StoredPart, Target, UploadId, Writes,
};
use super::throttle::Throttle;
use crate::model::{Bucket, ObjectKey};

/// A store whose requests take permits and are counted.
#[derive(Clone, Debug)]
pub struct Metered {
    inner: Store,
    requests: Arc<Semaphore>,
    throttle: Arc<Throttle>,
    observer: Arc<dyn UploadObserver>,
}

impl Metered {
    pub fn new(
        inner: Store,
        requests: Arc<Semaphore>,
        throttle: Arc<Throttle>,
        observer: Arc<dyn UploadObserver>,
    ) -> Self {
        Self { inner, requests, throttle, observer }
    }

    /// A request about one object: it waits for its turn below the object's prefix. It is made only
    /// then: requests that wait are many, and each takes kilobytes.
    fn in_turn<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        key: &'a ObjectKey,
        body_bytes: usize,
        request: impl FnOnce() -> StoreFuture<'a, T> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let turn = self.throttle.turn(self.bucket(), key).await;
            let result = self.measured(operation, body_bytes, request).await;
            match &result {
                Ok(_value) => turn.succeeded(),
                Err(error) if error.kind == StoreErrorKind::SlowDown => turn.slowed_down(),
                Err(_other) => {}
            }
            result
        })
    }

    fn measured<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        body_bytes: usize,
        request: impl FnOnce() -> StoreFuture<'a, T> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            // nobody closes the semaphore; without a permit the request would still be right
            let _permit = self.requests.acquire().await;
            let started = Instant::now();
            let result = request().await;
            let outcome = result.as_ref().map(|_value| ()).map_err(|error: &StoreError| error.kind);
            let duration = started.elapsed();
            self.observer.request(&Request { operation, outcome, duration, body_bytes });
            result
        })
    }
}

impl ObjectStore for Metered {
    fn bucket(&self) -> &Bucket {
        self.inner.bucket()
    }

    fn writes(&self) -> Writes {
        self.inner.writes()
    }

    fn put<'a>(&'a self, put: Put<'a>) -> StoreFuture<'a, Etag> {
        self.in_turn(Operation::Put, put.key, put.body.len(), move || self.inner.put(put))
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, Found> {
        self.in_turn(Operation::Head, key, 0, || self.inner.head(key))
    }

    fn get<'a>(&'a self, key: &'a ObjectKey, bytes_max: usize) -> StoreFuture<'a, Got> {
        self.in_turn(Operation::Get, key, 0, move || self.inner.get(key, bytes_max))
    }

    fn get_range<'a>(&'a self, key: &'a ObjectKey, range: ByteRange) -> StoreFuture<'a, Got> {
        self.measured(Operation::Get, 0, move || self.inner.get_range(key, range))
    }

    fn create_upload<'a>(&'a self, target: &'a Target) -> StoreFuture<'a, UploadId> {
        self.in_turn(Operation::CreateUpload, &target.key, 0, || self.inner.create_upload(target))
    }

    fn upload_part<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        number: PartNumber,
        body: Bytes,
    ) -> StoreFuture<'a, StoredPart> {
        let body_bytes = body.len();
        let request = move || self.inner.upload_part(key, upload, number, body);
        self.in_turn(Operation::UploadPart, key, body_bytes, request)
    }

    fn complete_upload<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        parts: &'a [StoredPart],
        condition: Condition,
    ) -> StoreFuture<'a, Etag> {
        let request = move || self.inner.complete_upload(key, upload, parts, condition);
        self.in_turn(Operation::CompleteUpload, key, 0, request)
    }

    fn abort_upload<'a>(&'a self, key: &'a ObjectKey, upload: &'a UploadId) -> StoreFuture<'a, ()> {
        self.measured(Operation::AbortUpload, 0, || self.inner.abort_upload(key, upload))
    }

    fn list_uploads<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
    ) -> StoreFuture<'a, Page<ListedUpload>> {
        self.measured(Operation::ListUploads, 0, move || self.inner.list_uploads(prefix, from))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, ()> {
        self.measured(Operation::Delete, 0, || self.inner.delete(key))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        count_max: u16,
    ) -> StoreFuture<'a, Page<ListedObject>> {
        self.measured(Operation::List, 0, move || self.inner.list(prefix, from, count_max))
    }

    fn head_bucket(&self) -> StoreFuture<'_, ()> {
        self.measured(Operation::HeadBucket, 0, || self.inner.head_bucket())
    }
}
