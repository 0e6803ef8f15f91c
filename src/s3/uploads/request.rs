//! The work of one job: the requests that it makes, asked again until they are answered.
//!
//! It owns: what each refusal means for the job.
//! It does not own: the order of jobs (`object`), publishing (`publish`).

use std::sync::Arc;

use bytes::Bytes;

use super::super::cancel::Cancellation;
use super::super::error::StoreErrorKind;
use super::super::metered::Metered;
use super::super::publish::{PublishOutcome, Publisher};
use super::super::retry::{Retry, Stopped};
use super::super::store::{
    Condition, Got, ObjectStore, PartNumber, Put, StoredPart, Target, UploadId,
};
use super::{Answer, ClaimText};
use crate::model::ObjectKey;

/// An upload that cannot be removed in so many attempts is left to the bucket's lifecycle rule.
const ABORT_ATTEMPTS_MAX: u32 = 3;
const CLAIM_CONTENT_TYPE: &str = "text/plain; charset=us-ascii";
/// What is read back of a claim that another one wrote: as much as the largest of them.
const CLAIM_BYTES_MAX: usize = super::super::claim::GROUP_OBJECT_BYTES_MAX;

/// What the requests of one object share.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    pub store: Metered,
    pub retry: Retry,
    pub cancellation: Cancellation,
}

impl Requests {
    /// Makes an upload. Cancelling acts between two attempts, so that no upload is made whose id
    /// nobody learns.
    pub(super) async fn create(self, target: Arc<Target>) -> Result<UploadId, Stopped> {
        self.retry.run(|| self.store.create_upload(&target)).await
    }

    pub(super) async fn part(
        self,
        target: Arc<Target>,
        upload: UploadId,
        number: PartNumber,
        body: Bytes,
    ) -> Result<StoredPart, Stopped> {
        let work =
            self.retry.run(|| self.store.upload_part(&target.key, &upload, number, body.clone()));
        self.unless_cancelled(work).await
    }

    pub(super) async fn put(
        self,
        target: Arc<Target>,
        body: Bytes,
    ) -> Result<PublishOutcome, Stopped> {
        let publisher = Publisher { store: &self.store, retry: &self.retry, target: &target };
        self.unless_cancelled(publisher.publish_put(&body)).await
    }

    pub(super) async fn complete(
        self,
        target: Arc<Target>,
        upload: UploadId,
        parts: Vec<StoredPart>,
    ) -> Result<PublishOutcome, Stopped> {
        let publisher = Publisher { store: &self.store, retry: &self.retry, target: &target };
        self.unless_cancelled(publisher.publish_complete(&upload, &parts)).await
    }

    /// Removes an upload, in a few attempts and whatever comes of it.
    pub(super) async fn abort(self, key: ObjectKey, upload: UploadId) {
        let request = || self.store.abort_upload(&key, &upload);
        match self.retry.run_at_most(ABORT_ATTEMPTS_MAX, request).await {
            Ok(()) | Err(Stopped::Cancelled) => {}
            Err(Stopped::Definite(error)) if error.kind == StoreErrorKind::NoSuchUpload => {}
            Err(Stopped::Definite(error)) => {
                tracing::debug!(key = key.as_str(), "the whole key of what could not be aborted");
                tracing::warn!(%error, "an unfinished upload is left in the bucket");
            }
        }
    }

    pub(super) async fn read_claim(self, key: ObjectKey, bytes_max: usize) -> Answer {
        match self.get(&key, bytes_max).await {
            Ok(Some(found)) => Answer::ClaimRead(found),
            Ok(None) => Answer::ClaimAbsent,
            Err(stopped) => stopped.into(),
        }
    }

    /// Writes a claim. After a lost answer the condition meets our own text: that is success.
    pub(super) async fn write_claim(
        self,
        key: ObjectKey,
        text: Bytes,
        condition: Condition,
    ) -> Answer {
        let put = || {
            self.store.put(Put {
                key: &key,
                body: text.clone(),
                content_type: CLAIM_CONTENT_TYPE,
                metadata: None,
                condition: condition.clone(),
            })
        };
        let error = match self.retry.run(put).await {
            Ok(etag) => return Answer::ClaimWritten(etag),
            Err(Stopped::Cancelled) => return Answer::Aborted,
            Err(Stopped::Definite(error)) => error,
        };
        let is_refused =
            matches!(error.kind, StoreErrorKind::PreconditionFailed412 | StoreErrorKind::NotFound);
        if !is_refused {
            return Answer::Failed(error);
        }
        match self.get(&key, CLAIM_BYTES_MAX).await {
            Ok(Some(found)) if found.text == text => Answer::ClaimWritten(found.etag),
            Ok(Some(found)) => Answer::ClaimChanged(found),
            Ok(None) => Answer::ClaimAbsent,
            Err(stopped) => stopped.into(),
        }
    }

    async fn get(&self, key: &ObjectKey, bytes_max: usize) -> Result<Option<ClaimText>, Stopped> {
        match self.retry.run(|| self.store.get(key, bytes_max)).await {
            Ok(Got { etag, body: text }) => Ok(Some(ClaimText { text, etag })),
            Err(Stopped::Definite(error)) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(stopped) => Err(stopped),
        }
    }

    async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, Stopped>>,
    ) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            // cancel-safe: it only watches
            () = self.cancellation.cancelled() => Err(Stopped::Cancelled),
            // dropped when cancelled: nobody wants the answer any more
            result = work => result,
        }
    }
}

impl From<Stopped> for Answer {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Cancelled => Self::Aborted,
            Stopped::Definite(error) if error.kind == StoreErrorKind::NoSuchUpload => {
                Self::UploadLost
            }
            Stopped::Definite(error) => Self::Failed(error),
        }
    }
}
