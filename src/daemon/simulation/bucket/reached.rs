//! The store that one instance reaches: every request waits for its fate.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Fate, REQUEST_MAX, S3, Waiting};
use crate::daemon::simulation::coordinator::InstanceId;
use crate::daemon::simulation::seen::Scenario;
use crate::model::{Bucket, ObjectKey};
use crate::s3::memory::MemoryStore;
use crate::s3::{
    Buckets, ByteRange, Condition, Found, Got, ListedObject, ListedUpload, ObjectMetadata,
    ObjectStore, Operation, Page, PartNumber, Put, Store, StoreError, StoreErrorKind, StoreFuture,
    StoredPart, Target, UploadId, Writes,
};

/// The buckets as one instance reaches them.
#[derive(Clone, Debug)]
pub(in crate::daemon::simulation) struct Reach {
    pub(in crate::daemon::simulation) s3: S3,
    pub(in crate::daemon::simulation) instance: InstanceId,
}

impl Buckets for Reach {
    fn bucket(&self, bucket: &Bucket) -> Store {
        let memory = self.s3.bucket(bucket.as_str());
        Arc::new(Reached { s3: self.s3.clone(), instance: self.instance, memory })
    }
}

#[derive(Debug)]
struct Reached {
    s3: S3,
    instance: InstanceId,
    memory: Arc<MemoryStore>,
}

impl Reached {
    /// Sends a request. It goes its way even if whoever asked is gone before the answer.
    fn ask<'a, T: Send + 'static>(
        &'a self,
        operation: Operation,
        key: Option<&ObjectKey>,
        work: impl FnOnce(Arc<MemoryStore>) -> StoreFuture<'static, T> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        let (decide, decided) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let bucket = self.memory.bucket().clone();
        let failed = {
            let key = key.cloned();
            move |kind| StoreError::without_answer(operation, &bucket, key.as_ref(), kind)
        };
        {
            let mut inner = self.s3.lock();
            if !inner.gone.contains(&self.instance) {
                let key = key.map(|key| key.as_str().to_owned()).unwrap_or_default();
                inner.waiting.push(Waiting { instance: self.instance, operation, key, decide });
            }
        }
        let (memory, kafka, lost) =
            (Arc::clone(&self.memory), self.s3.kafka.clone(), failed.clone());
        let is_write = matches!(operation, Operation::Put | Operation::CompleteUpload);
        tokio::spawn(async move {
            let Ok(fate) = decided.await else { return };
            let result = match fate {
                Fate::Failed(kind) => Err(lost(kind)),
                Fate::Done => work(memory).await,
                Fate::DoneAndLost => {
                    if work(memory).await.is_ok() && is_write {
                        kafka.lock().seen.met(Scenario::Lost200);
                    }
                    Err(lost(StoreErrorKind::Transport))
                }
            };
            drop(answer.send(result));
        });
        Box::pin(async move {
            match tokio::time::timeout(REQUEST_MAX, answered).await {
                Ok(Ok(result)) => result,
                // The instance is gone: nobody hears this.
                Ok(Err(_)) => std::future::pending().await,
                Err(_elapsed) => Err(failed(StoreErrorKind::Timeout)),
            }
        })
    }

    /// Returns what notes how a write of an object ended.
    fn noted<T>(
        s3: &S3,
        memory: &MemoryStore,
        (by, key, ours): (InstanceId, &ObjectKey, Option<&ObjectMetadata>),
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Some(ours) = ours else { return result };
        match &result {
            Ok(_) => {
                s3.appeared(by, key, ours);
            }
            Err(error) if error.kind == StoreErrorKind::PreconditionFailed412 => {
                let theirs = memory.object(key).and_then(|object| {
                    let pairs = object.metadata.iter();
                    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str()));
                    ObjectMetadata::parse(pairs).ok()
                });
                let is_own = theirs.is_some_and(|theirs| theirs.batch == ours.batch);
                let scenario = if is_own { Scenario::Own412 } else { Scenario::Foreign412 };
                s3.kafka.lock().seen.met(scenario);
            }
            Err(_) => {}
        }
        result
    }
}

impl ObjectStore for Reached {
    fn bucket(&self) -> &Bucket {
        self.memory.bucket()
    }

    fn writes(&self) -> Writes {
        Writes::Conditional
    }

    fn put<'a>(&'a self, put: Put<'a>) -> StoreFuture<'a, crate::s3::Etag> {
        let (key, body, metadata) = (put.key.clone(), put.body, put.metadata.cloned());
        let (content_type, condition) = (put.content_type, put.condition);
        let (s3, by) = (self.s3.clone(), self.instance);
        self.ask(Operation::Put, Some(put.key), move |memory| {
            Box::pin(async move {
                let metadata = metadata.as_ref();
                let put = Put { key: &key, body, content_type, metadata, condition };
                let result = memory.put(put).await;
                Self::noted(&s3, &memory, (by, &key, metadata), result)
            })
        })
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, Found> {
        let of = key.clone();
        self.ask(Operation::Head, Some(key), move |memory| {
            Box::pin(async move { memory.head(&of).await })
        })
    }

    fn get<'a>(&'a self, key: &'a ObjectKey, bytes_max: usize) -> StoreFuture<'a, Got> {
        let of = key.clone();
        self.ask(Operation::Get, Some(key), move |memory| {
            Box::pin(async move { memory.get(&of, bytes_max).await })
        })
    }

    fn get_range<'a>(&'a self, key: &'a ObjectKey, range: ByteRange) -> StoreFuture<'a, Got> {
        let of = key.clone();
        self.ask(Operation::Get, Some(key), move |memory| {
            Box::pin(async move { memory.get_range(&of, range).await })
        })
    }

    fn create_upload<'a>(&'a self, target: &'a Target) -> StoreFuture<'a, UploadId> {
        let of = target.clone();
        self.ask(Operation::CreateUpload, Some(&target.key), move |memory| {
            Box::pin(async move { memory.create_upload(&of).await })
        })
    }

    fn upload_part<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        number: PartNumber,
        body: Bytes,
    ) -> StoreFuture<'a, StoredPart> {
        let (of, upload) = (key.clone(), upload.clone());
        self.ask(Operation::UploadPart, Some(key), move |memory| {
            Box::pin(async move { memory.upload_part(&of, &upload, number, body).await })
        })
    }

    fn complete_upload<'a>(
        &'a self,
        key: &'a ObjectKey,
        upload: &'a UploadId,
        parts: &'a [StoredPart],
        condition: Condition,
    ) -> StoreFuture<'a, crate::s3::Etag> {
        let (of, upload, parts) = (key.clone(), upload.clone(), parts.to_vec());
        let (s3, by) = (self.s3.clone(), self.instance);
        self.ask(Operation::CompleteUpload, Some(key), move |memory| {
            Box::pin(async move {
                let ours = memory.upload_metadata(&of, &upload);
                let result = memory.complete_upload(&of, &upload, &parts, condition).await;
                Self::noted(&s3, &memory, (by, &of, ours.as_ref()), result)
            })
        })
    }

    fn abort_upload<'a>(&'a self, key: &'a ObjectKey, upload: &'a UploadId) -> StoreFuture<'a, ()> {
        let (of, upload) = (key.clone(), upload.clone());
        self.ask(Operation::AbortUpload, Some(key), move |memory| {
            Box::pin(async move { memory.abort_upload(&of, &upload).await })
        })
    }

    fn list_uploads<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
    ) -> StoreFuture<'a, Page<ListedUpload>> {
        self.memory.list_uploads(prefix, from)
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> StoreFuture<'a, ()> {
        self.memory.delete(key)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        from: Option<&'a str>,
        count_max: u16,
    ) -> StoreFuture<'a, Page<ListedObject>> {
        self.memory.list(prefix, from, count_max)
    }

    fn head_bucket(&self) -> StoreFuture<'_, ()> {
        self.ask(Operation::HeadBucket, None, |memory| {
            Box::pin(async move { memory.head_bucket().await })
        })
    }
}
