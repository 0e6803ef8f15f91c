//! The walk through a bucket: writes first, writes again, changes, uploads, aborts, removes.
//!
//! It owns: what is asked in which order, and which answers are good. It does not own: uploads of
//! parts (`uploads`), what a failure of a request means (`judge`).
//!
//! Each request ends within the store's own deadline, and the first that gets no answer ends the
//! walk.

use bytes::Bytes;

use super::finding::{At, Question};
use super::judge::{Stop, describe, failed, is_about_keys};
use crate::model::{
    BatchId, GroupId, NameError, ObjectKey, Offset, TOPIC_BYTES_MAX, TopicId, TopicPartition,
};
use crate::s3::{
    Condition, Etag, ObjectMetadata, ObjectStore, PLAN_BYTES_MAX, PlanText, Put, StoreError,
    StoreErrorKind, Writes,
};

pub(super) const CONTENT_TYPE: &str = "text/plain";
/// Different, since equal bytes may have equal etags.
pub(super) const FIRST: &[u8] = b"sluice check: may be deleted\n";
pub(super) const SECOND: &[u8] = b"sluice check: may be deleted, second\n";
const THIRD: &[u8] = b"sluice check: may be deleted, third\n";
const FOURTH: &[u8] = b"sluice check: may be deleted, fourth\n";
const BODY_BYTES_MAX: usize = 1_024;
pub(super) const UNCONDITIONAL: &str = "set `s3.conditional_writes` = false (Sluice then looks before it \
    writes, which is weaker), or use a store that keeps this promise";
const NO_IF_MATCH: &str = "claims are not safe there: use a store that keeps this promise, or \
    set `s3.conditional_writes` = false (claims are then advisory)";

const NO_LIST_BUCKET: &str = "grant `s3:ListBucket` on the bucket: without it Sluice cannot tell a \
    missing object from a forbidden one";

/// How far the walk came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probed {
    Whole,
    /// The rest would have been answered alike.
    Cut,
}

pub(super) struct Probe<'a, 'b> {
    pub(super) store: &'a dyn ObjectStore,
    pub(super) at: &'a mut At<'b>,
    /// Below the prefix of claims, random.
    pub(super) folder: String,
    pub(super) group: &'a GroupId,
    /// Where the same permissions are needed.
    pub(super) elsewhere: String,
    pub(super) region: String,
    /// What writing needs beside `s3:PutObject`, by what the file asks for.
    pub(super) also_needed: Vec<&'static str>,
}

/// The keys and the metadata of the probe.
pub(super) struct Objects {
    absent: ObjectKey,
    put: ObjectKey,
    pub(super) uploaded: ObjectKey,
    pub(super) metadata: ObjectMetadata,
}

impl Probe<'_, '_> {
    pub(super) async fn run(mut self) -> Probed {
        let objects = match self.objects() {
            Ok(objects) => objects,
            Err(error) => {
                let advice = "shorten `s3.claims_prefix`";
                self.at.fail(Question::Put, error.to_string(), advice);
                return Probed::Cut;
            }
        };
        let mut written = Vec::new();
        if self.walk(&objects, &mut written).await.is_ok() {
            return Probed::Whole;
        }
        for key in written {
            self.at.warn(
                Question::Delete,
                format!("`{}` is left", key.as_str()),
                "it may be deleted",
            );
        }
        Probed::Cut
    }

    fn objects(&self) -> Result<Objects, NameError> {
        let key = |name| ObjectKey::new(&format!("{}/{name}", self.folder));
        let longest = TopicPartition::new(&"t".repeat(TOPIC_BYTES_MAX), i32::MAX)?;
        let last = Offset::new(i64::MAX).unwrap_or(Offset::ZERO);
        Ok(Objects {
            absent: key("absent")?,
            put: key("put")?,
            uploaded: key("uploaded")?,
            metadata: ObjectMetadata {
                batch: BatchId::new(0),
                group: self.group.clone(),
                partition: longest,
                topic_id: TopicId::UNKNOWN,
                batch_start: last,
                first: last,
                count: Some(u64::MAX),
                plan: PlanText::new(&"p".repeat(PLAN_BYTES_MAX)).ok(),
            },
        })
    }

    async fn walk<'k>(
        &mut self,
        objects: &'k Objects,
        written: &mut Vec<&'k ObjectKey>,
    ) -> Result<(), Stop> {
        self.bucket().await?;
        self.absent_key(&objects.absent).await?;
        if let Some(etag) = self.put(objects).await? {
            written.push(&objects.put);
            self.metadata(objects).await?;
            let body = self.rewrite(&objects.put, etag).await?;
            self.get(&objects.put, body).await?;
        }
        if self.multipart(objects).await? {
            written.push(&objects.uploaded);
        }
        for key in std::mem::take(written) {
            self.delete(key).await?;
        }
        Ok(())
    }

    async fn bucket(&mut self) -> Result<(), Stop> {
        match self.store.head_bucket().await {
            Ok(()) => {
                self.at.ok(Question::Bucket, format!("is there, in {}", self.region));
                Ok(())
            }
            Err(error) => {
                let told = self.told_in_full(error).await;
                failed(self.at, Question::Bucket, &told)
            }
        }
    }

    /// HEAD has no body and so no code: 400 and 403 may be about keys, regions or permissions. A
    /// listing needs the same permission and says which.
    async fn told_in_full(&self, error: StoreError) -> StoreError {
        if error.code.is_some() || !matches!(error.status, Some(400 | 403)) {
            return error;
        }
        match self.store.list(&self.folder, None, 1).await {
            Err(told) if told.code.is_some() => told,
            Ok(_) | Err(_) => error,
        }
    }

    /// A key that is missing must not look like one that is forbidden: protocol, rule 16.
    async fn absent_key(&mut self, key: &ObjectKey) -> Result<(), Stop> {
        let question = Question::AbsentKey;
        match self.store.head(key).await {
            Err(error) if error.kind == StoreErrorKind::NotFound => {
                self.at.ok(question, "HEAD of a missing key answers 404");
                Ok(())
            }
            Err(error) if error.kind == StoreErrorKind::AccessDenied => {
                // a listing shows which of the two permissions it is
                let advice = match self.store.list(&self.folder, None, 1).await {
                    Ok(_) => "grant `s3:GetObject` on the objects: `s3:ListBucket` is there",
                    Err(_) => NO_LIST_BUCKET,
                };
                self.at.fail(question, "HEAD of a missing key answers 403, not 404", advice);
                Ok(())
            }
            Err(error) => failed(self.at, question, &error),
            Ok(_) => {
                let what = format!("HEAD finds `{}`, which nobody wrote", key.as_str());
                self.at.fail(question, what, "use a store that says what is there");
                Ok(())
            }
        }
    }

    pub(super) fn asks_conditions(&self) -> bool {
        self.store.writes() == Writes::Conditional
    }

    fn request<'a>(
        (key, body): (&'a ObjectKey, &'static [u8]),
        metadata: Option<&'a ObjectMetadata>,
        condition: Condition,
    ) -> Put<'a> {
        let body = Bytes::from_static(body);
        Put { key, body, content_type: CONTENT_TYPE, metadata, condition }
    }

    /// Writes the first object as Sluice does; returns its etag if it is there.
    async fn put(&mut self, objects: &Objects) -> Result<Option<Etag>, Stop> {
        let metadata = Some(&objects.metadata);
        let request = |condition| Self::request((&objects.put, FIRST), metadata, condition);
        let mut result = self.store.put(request(Condition::IfNoneMatch)).await;
        if let Err(error) = &result
            && error.kind == StoreErrorKind::Invalid
            && self.asks_conditions()
        {
            let what = format!("`If-None-Match: *` is refused: {}", describe(error));
            self.at.fail(Question::ConditionalPut, what, UNCONDITIONAL);
            result = self.store.put(request(Condition::None)).await;
        }
        match result {
            Ok(etag) => {
                let what = format!(
                    "an object can be written below the claims; the same must hold below {}",
                    self.elsewhere
                );
                self.at.ok(Question::Put, what);
                Ok(Some(etag))
            }
            Err(error) => self.failed_write(Question::Put, &error).map(|()| None),
        }
    }

    /// Tells a failure of what makes an object: what the file asks for needs permissions of its own.
    pub(super) fn failed_write(
        &mut self,
        question: Question,
        error: &StoreError,
    ) -> Result<(), Stop> {
        let is_plain = error.kind == StoreErrorKind::AccessDenied && error.action().is_none();
        if !is_plain || self.also_needed.is_empty() || is_about_keys(error) {
            return failed(self.at, question, error);
        }
        let also = self.also_needed.join(", ");
        let advice =
            format!("grant `s3:PutObject` on the objects, and what the file needs: {also}");
        self.at.fail(question, describe(error), &advice);
        Ok(())
    }

    /// Objects prove whose they are by their metadata, 2 KB at their longest.
    async fn metadata(&mut self, objects: &Objects) -> Result<(), Stop> {
        let bytes = objects.metadata.encoded_bytes();
        match self.store.head(&objects.put).await {
            Ok(found) if found.metadata.as_ref() == Ok(&objects.metadata) => {
                self.at
                    .ok(Question::Metadata, format!("an object keeps {bytes} bytes of metadata"));
                Ok(())
            }
            Ok(_) => {
                self.at.fail(
                    Question::Metadata,
                    format!("an object does not keep {bytes} bytes of metadata"),
                    "Sluice could not tell its own objects from others: use a store that keeps 2 KB",
                );
                Ok(())
            }
            Err(error) => failed(self.at, Question::Metadata, &error),
        }
    }

    /// Writes over the object as only its owner may; returns what is in it at the end.
    async fn rewrite(&mut self, key: &ObjectKey, etag: Etag) -> Result<&'static [u8], Stop> {
        if !self.asks_conditions() {
            self.at.warn(
                Question::ConditionalPut,
                "not asked, since `s3.conditional_writes` = false",
                "set it to true unless the store has no `If-None-Match`: two writers at one \
                 moment are told apart by it only, and claims are advisory",
            );
            return Ok(FIRST);
        }
        let (mut etag, mut body) = (etag, FIRST);
        let again = Self::request((key, SECOND), None, Condition::IfNoneMatch);
        if let Some(overwritten) = self.must_refuse(Question::ConditionalPut, again).await? {
            (etag, body) = (overwritten, SECOND);
        }
        let change = Self::request((key, THIRD), None, Condition::IfMatch(etag.clone()));
        match self.store.put(change).await {
            Ok(_) => body = THIRD,
            Err(error) if error.kind == StoreErrorKind::Invalid => {
                let what = format!("`If-Match` is refused: {}", describe(&error));
                self.at.fail(Question::IfMatch, what, NO_IF_MATCH);
                return Ok(body);
            }
            Err(error) => {
                failed(self.at, Question::IfMatch, &error)?;
                return Ok(body);
            }
        }
        let late = Self::request((key, FOURTH), None, Condition::IfMatch(etag));
        let overwritten = self.must_refuse(Question::IfMatch, late).await?;
        Ok(if overwritten.is_some() { FOURTH } else { body })
    }

    /// Sends a write whose condition does not hold; returns the new etag if it was done all the
    /// same.
    async fn must_refuse(
        &mut self,
        question: Question,
        put: Put<'_>,
    ) -> Result<Option<Etag>, Stop> {
        let (name, advice) = match &put.condition {
            Condition::IfMatch(_) => ("`If-Match` with an old etag", NO_IF_MATCH),
            Condition::IfNoneMatch | Condition::None => {
                ("a second write with `If-None-Match: *`", UNCONDITIONAL)
            }
        };
        match self.store.put(put).await {
            Ok(etag) => {
                self.at.fail(question, format!("{name} overwrites the object"), advice);
                Ok(Some(etag))
            }
            Err(error) => {
                self.refused_or_failed(question, (name, &error))?;
                Ok(None)
            }
        }
    }

    pub(super) fn refused_or_failed(
        &mut self,
        question: Question,
        (name, error): (&str, &StoreError),
    ) -> Result<(), Stop> {
        if error.kind == StoreErrorKind::PreconditionFailed412 {
            self.at.ok(question, format!("{name} is refused with 412"));
            return Ok(());
        }
        failed(self.at, question, error)
    }

    async fn get(&mut self, key: &ObjectKey, body: &'static [u8]) -> Result<(), Stop> {
        match self.store.get(key, BODY_BYTES_MAX).await {
            Ok(got) if got.body == body => {
                self.at.ok(Question::Get, "what was written last is read back");
                Ok(())
            }
            Ok(_) => {
                self.at.fail(
                    Question::Get,
                    "an old version is read back",
                    "use a store that shows a write at once",
                );
                Ok(())
            }
            Err(error) => failed(self.at, Question::Get, &error),
        }
    }

    /// Sluice never deletes, so that it lacks the permission is no fault.
    async fn delete(&mut self, key: &ObjectKey) -> Result<(), Stop> {
        match self.store.delete(key).await {
            Ok(()) => {
                self.at.ok(Question::Delete, format!("`{}` is removed again", key.as_str()));
                Ok(())
            }
            Err(error) if error.kind == StoreErrorKind::AccessDenied => {
                self.at.warn(
                    Question::Delete,
                    format!("`{}` is left, since `s3:DeleteObject` is not granted", key.as_str()),
                    "Sluice does without; delete it by hand",
                );
                Ok(())
            }
            Err(error) => failed(self.at, Question::Delete, &error),
        }
    }
}
