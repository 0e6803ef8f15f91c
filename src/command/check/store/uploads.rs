//! The part of the walk that is about uploads of parts: complete one, meet it with another, abort.
//!
//! It owns: those questions. It does not own: the rest of the walk (`probe`).

use bytes::Bytes;

use super::finding::Question;
use super::judge::{Stop, describe, failed};
use super::probe::{CONTENT_TYPE, FIRST, Objects, Probe, SECOND, UNCONDITIONAL};
use crate::model::ObjectKey;
use crate::s3::{
    Condition, Etag, ObjectMetadata, PartNumber, StoreError, StoreErrorKind, Target, UploadId,
};

impl Probe<'_, '_> {
    /// Returns whether an object may be left.
    pub(super) async fn multipart(&mut self, objects: &Objects) -> Result<bool, Stop> {
        let metadata = ObjectMetadata { count: None, plan: None, ..objects.metadata.clone() };
        let target = Target { key: objects.uploaded.clone(), content_type: CONTENT_TYPE, metadata };
        let Some(upload) = self.create(&target).await? else { return Ok(false) };
        self.list_uploads(&upload).await?;
        match self.finish(&target.key, &upload, FIRST).await {
            Ok(_) => self.at.ok(Question::Multipart, "an upload of parts becomes an object"),
            Err(error) => {
                failed(self.at, Question::Multipart, &error)?;
                self.abort(&target.key, &upload).await?;
                return Ok(false);
            }
        }
        let Some(mut upload) = self.create(&target).await? else { return Ok(true) };
        if self.asks_conditions() {
            let question = Question::ConditionalComplete;
            match self.finish(&target.key, &upload, SECOND).await {
                Ok(_) => {
                    let what = "completing a second upload with `If-None-Match: *` overwrites";
                    self.at.fail(question, what, UNCONDITIONAL);
                    let Some(third) = self.create(&target).await? else { return Ok(true) };
                    upload = third;
                }
                Err(error) => {
                    let name = "completing a second upload with `If-None-Match: *`";
                    self.refused_or_failed(question, (name, &error))?;
                }
            }
        }
        self.abort(&target.key, &upload).await?;
        Ok(true)
    }

    async fn create(&mut self, target: &Target) -> Result<Option<UploadId>, Stop> {
        match self.store.create_upload(target).await {
            Ok(upload) => Ok(Some(upload)),
            Err(error) => self.failed_write(Question::Multipart, &error).map(|()| None),
        }
    }

    /// Puts one part up and completes: the last part may be as small as it likes.
    async fn finish(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        body: &'static [u8],
    ) -> Result<Etag, StoreError> {
        #[expect(clippy::expect_used, reason = "one is a number of a part")]
        let number = PartNumber::new(1).expect("parts are numbered from one");
        let part = self.store.upload_part(key, upload, number, Bytes::from_static(body)).await?;
        self.store.complete_upload(key, upload, &[part], Condition::IfNoneMatch).await
    }

    /// Sluice runs without it: people look for what is left.
    async fn list_uploads(&mut self, upload: &UploadId) -> Result<(), Stop> {
        let question = Question::ListUploads;
        match self.store.list_uploads(&self.folder, None).await {
            Ok(page) if page.items.iter().any(|listed| listed.upload == *upload) => {
                self.at.ok(question, "unfinished uploads are listed");
            }
            Ok(_) => self.at.warn(
                question,
                "an unfinished upload is not listed",
                "Sluice does without; look for what crashes leave by other means",
            ),
            Err(error) => self.at.warn(
                question,
                describe(&error),
                "Sluice does without; to see what crashes leave, grant \
                 `s3:ListBucketMultipartUploads` on the bucket",
            ),
        }
        Ok(())
    }

    async fn abort(&mut self, key: &ObjectKey, upload: &UploadId) -> Result<(), Stop> {
        match self.store.abort_upload(key, upload).await {
            Ok(()) => {
                self.at.ok(Question::Abort, "an unfinished upload can be aborted");
                Ok(())
            }
            Err(error) if error.kind == StoreErrorKind::NoSuchUpload => {
                self.at.ok(Question::Abort, "an upload that failed is gone by itself");
                Ok(())
            }
            Err(error) => failed(self.at, Question::Abort, &error),
        }
    }
}
