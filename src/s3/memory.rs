//! A bucket in memory whose failures are written down beforehand.
//!
//! It owns: the objects, the unfinished uploads, the script of faults, the record of requests.
//! It does not own: anything random, any clock but tokio's.
//!
//! It answers as Amazon S3 does, and runs the same conformance suite as the real store.

mod bucket;
mod script;

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::deadline::Attempt;
use super::error::{Operation, StoreError, StoreErrorKind, classify, printable};
use super::metadata::ObjectMetadata;
use super::store::{
    ByteRange, Condition, Etag, Found, Got, ListedObject, ListedUpload, ObjectStore, Page,
    PartNumber, Put, StoreFuture, StoredPart, Target, UploadId, Writes,
};
use crate::model::{Bucket, ObjectKey};

pub use bucket::StoredObject;
pub use script::{Fault, Recorder, When};

use bucket::{Contents, Refused};
use script::Script;

/// The store.
#[derive(Debug)]
pub struct MemoryStore {
    bucket: Bucket,
    writes: Writes,
    contents: Mutex<Contents>,
    script: Mutex<Script>,
}

impl MemoryStore {
    pub fn new(bucket: Bucket, writes: Writes) -> Self {
        Self { bucket, writes, contents: Mutex::default(), script: Mutex::default() }
    }

    /// Makes the `nth` request (from one, counted from now) of this kind on a key that ends with
    /// `key_end` go wrong.
    pub fn fail(&self, operation: Operation, key_end: &str, nth: u32, fault: Fault) {
        self.script().add(operation, key_end, nth, fault);
    }

    /// Returns every request so far, with its key.
    pub fn requests(&self) -> Vec<(Operation, String)> {
        self.script().requests().to_vec()
    }

    /// Returns an object's bytes and metadata as stored.
    pub fn object(&self, key: &ObjectKey) -> Option<StoredObject> {
        self.contents().object(key.as_str()).cloned()
    }

    /// Returns how many objects there are.
    pub fn object_count(&self) -> usize {
        self.contents().object_count()
    }

    /// Returns how many unfinished uploads there are.
    pub fn upload_count(&self) -> usize {
        self.contents().upload_count()
    }

    /// Stores an object as another program would.
    pub fn plant(&self, key: &ObjectKey, body: &[u8], metadata: &[(&str, &str)]) -> Etag {
        self.contents().plant(key.as_str(), body, metadata)
    }

    /// Removes every unfinished upload, as a lifecycle rule would.
    pub fn sweep_uploads(&self) {
        self.contents().sweep_uploads();
    }

    /// Returns what an unfinished upload says of its object.
    pub fn upload_metadata(&self, key: &ObjectKey, upload: &UploadId) -> Option<ObjectMetadata> {
        self.contents().upload_metadata(key.as_str(), upload)
    }

    /// Returns the keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.contents().keys()
    }

    /// Removes an object or the unfinished uploads of its key, as another program would.
    pub fn remove(&self, key: &ObjectKey) {
        self.contents().remove(key.as_str());
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a request as the script wants it.
    fn request<'a, T: Send + 'a>(
        &'a self,
        attempt: Attempt<'a>,
        work: impl FnOnce(&mut Contents) -> Result<T, Refused> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let key = attempt.key.map_or("", ObjectKey::as_str);
            let fault = self.script().next(attempt.operation, key);
            let do_it = || {
                let mut contents = self.contents();
                work(&mut contents).map_err(|refused| answer(&attempt, refused.0, refused.1))
            };
            let Some(fault) = fault else { return do_it() };
            if fault.when() == When::After {
                // the store takes it, the answer is another one
                drop(do_it());
            }
            match fault {
                Fault::Answer { code, status, .. } => Err(answer(&attempt, code, status)),
                Fault::Reset(_) => Err(attempt.failed(StoreErrorKind::Transport)),
                Fault::NoCredentials => Err(attempt.failed(StoreErrorKind::NoCredentials)),
                Fault::Hang(_) => attempt.within(std::future::pending()).await,
            }
        })
    }

    /// Returns the condition that reaches the store: none if it keeps no promises.
    fn sent(&self, condition: Condition) -> Condition {
        match self.writes {
            Writes::Conditional => condition,
            Writes::HeadFirst => Condition::None,
        }
    }

    fn attempt<'a>(&'a self, operation: Operation, key: Option<&'a ObjectKey>) -> Attempt<'a> {
        Attempt { operation, bucket: &self.bucket, key, body_bytes: 0 }
    }
}

/// Makes the error that the real store would make of this answer. HEAD has no body and so no code.
fn answer(attempt: &Attempt<'_>, code: &str, status: u16) -> StoreError {
    let has_body = !matches!(attempt.operation, Operation::Head | Operation::HeadBucket);
    let code = has_body.then_some(code).filter(|code| !code.is_empty());
    let kind = classify(attempt.operation, code, Some(status));
    StoreError { code: code.map(printable), status: Some(status), ..attempt.failed(kind) }
}

impl ObjectStore for MemoryStore {
    fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    fn writes(&self) -> Writes {
        self.writes
    }

    fn put<'a>(&'a self, put: Put<'a>) -> StoreFuture<'a, Etag> {
        let body_bytes = put.body.len();
        let attempt = Attempt { body_bytes, ..self.attempt(Operation::Put, Some(put.key)) };
        let put = Put { condition: self.sent(put.condition), ..put };
        self.request(attempt, move |contents| contents.put(put))
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, Found> {
        self.request(self.attempt(Operation::Head, Some(key)), move |contents| {
            let object = contents.object(key.as_str()).ok_or(Refused("", 404))?;
            let pairs = object.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            Ok(Found {
                etag: object.etag.clone(),
                size: object.size(),
                content_type: Some(object.content_type.clone()),
                metadata: ObjectMetadata::parse(pairs),
            })
        })
    }

    fn get<'a>(&'a self, key: &'a ObjectKey, bytes_max: usize) -> StoreFuture<'a, Got> {
        let attempt = self.attempt(Operation::Get, Some(key));
        self.request(attempt, move |contents| {
            let object = contents.object(key.as_str()).ok_or(Refused("NoSuchKey", 404))?;
            if object.body.len() > bytes_max {
                return Err(Refused("EntityTooLarge", 400));
            }
            Ok(Got { etag: object.etag.clone(), body: object.body.clone() })
        })
    }

    fn get_range<'a>(&'a self, key: &'a ObjectKey, range: ByteRange) -> StoreFuture<'a, Got> {
        let attempt = self.attempt(Operation::Get, Some(key));
        self.request(attempt, move |contents| {
            let object = contents.object(key.as_str()).ok_or(Refused("NoSuchKey", 404))?;
            let start = usize::try_from(range.start).unwrap_or(usize::MAX);
            let length = usize::try_from(range.length.get()).unwrap_or(usize::MAX);
            if start >= object.body.len() {
                return Err(Refused("InvalidRange", 416));
            }
            let end = start.saturating_add(length).min(object.body.len());
            Ok(Got { etag: object.etag.clone(), body: object.body.slice(start..end) })
        })
    }

    fn create_upload<'a>(&'a self, target: &'a Target) -> StoreFuture<'a, UploadId> {
        let attempt = self.attempt(Operation::CreateUpload, Some(&target.key));
        self.request(attempt, move |contents| Ok(contents.create_upload(target)))
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
        self.request(attempt, move |contents| contents.upload_part(key, upload, number, body))
    }

    fn complete_upload<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        parts: &'a [StoredPart],
        condition: Condition,
    ) -> StoreFuture<'a, Etag> {
        let attempt = self.attempt(Operation::CompleteUpload, Some(key));
        let condition = self.sent(condition);
        self.request(attempt, move |contents| contents.complete(key, upload, parts, &condition))
    }

    fn abort_upload<'a>(&'a self, key: &'a ObjectKey, upload: &'a UploadId) -> StoreFuture<'a, ()> {
        let attempt = self.attempt(Operation::AbortUpload, Some(key));
        self.request(attempt, move |contents| contents.abort(key, upload))
    }

    fn list_uploads<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
    ) -> StoreFuture<'a, Page<ListedUpload>> {
        let attempt = self.attempt(Operation::ListUploads, None);
        self.request(attempt, move |contents| Ok(contents.list_uploads(prefix, from)))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, ()> {
        let attempt = self.attempt(Operation::Delete, Some(key));
        self.request(attempt, move |contents| {
            contents.delete(key.as_str());
            Ok(())
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        count_max: u16,
    ) -> StoreFuture<'a, Page<ListedObject>> {
        let attempt = self.attempt(Operation::List, None);
        self.request(attempt, move |contents| Ok(contents.list(prefix, from, count_max)))
    }

    fn head_bucket(&self) -> StoreFuture<'_, ()> {
        self.request(self.attempt(Operation::HeadBucket, None), |_contents| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{conformance, uploads_are_listed_by_prefix};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn obeys_the_conformance_suite() {
        let bucket = Bucket::new("abc").unwrap();
        let store = MemoryStore::new(bucket, Writes::Conditional);
        conformance(&store, "suite").await;
        uploads_are_listed_by_prefix(&store, "suite").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_after_the_work_leaves_the_object() {
        let store = MemoryStore::new(Bucket::new("abc").unwrap(), Writes::Conditional);
        let key = ObjectKey::new("a/b").unwrap();
        store.fail(Operation::Put, "b", 2, Fault::answer_after("SlowDown", 503));
        let put = || Put {
            key: &key,
            body: Bytes::from_static(b"x"),
            content_type: "text/plain",
            metadata: None,
            condition: Condition::None,
        };
        assert!(store.put(put()).await.is_ok());
        store.remove(&key);
        assert_eq!(store.put(put()).await.unwrap_err().kind, StoreErrorKind::SlowDown);
        assert_eq!(store.object(&key).unwrap().body, "x");
        assert_eq!(store.requests().len(), 2);
    }
}
