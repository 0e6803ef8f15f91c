//! Publishing one object, first writer wins (protocol, rules 16 and 18).
//!
//! It owns: putting and completing under a condition, and finding out whose an object is that is
//! already there.
//! It does not own: when an object may be published, uploading its parts.
//!
//! | answer | then HEAD says | outcome |
//! |---|---|---|
//! | 200 | (not asked) | published |
//! | 412 | ours / another's | published already / what was found |
//! | 412 | absent | somebody deleted it: asked again |
//! | Complete: no such upload, 404, 409, a part is missing | ours / another's | as above |
//! | Complete: the same | absent | the upload is lost |
//! | no definite answer, 403, 409 of a put | (not asked) | asked again: the condition makes it safe |
//! | a connection that broke in a put | ours / another's | as above, before it is asked again |
//! | the same | absent | asked again |
//!
//! Why a broken connection: a server may refuse a large body that it has not read, and close. Then its 412
//! is lost with the connection each time, while the object is there.
//!
//! 403 is never "absent": it is asked again until somebody grants the permission.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::error::{StoreError, StoreErrorKind};
use super::metadata::{MetadataError, ObjectMetadata};
use super::retry::{Retry, Stopped};
use super::store::{Condition, Found, ObjectStore, Put, StoredPart, Target, UploadId, Writes};
use crate::mutant::Mutant;

/// What came of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishOutcome {
    /// The object is there and ours.
    Published { already: bool },
    /// Another batch's object has the name: topic recreated, or two pipelines on one prefix.
    Foreign { found: Box<ObjectMetadata> },
    /// Our batch id with another first offset or count: a bug.
    Mismatch { found: Box<ObjectMetadata> },
    /// An object without a batch id has the name: a predecessor's.
    NoBatchId,
    /// An object has the name whose metadata cannot be read (another release, a changed text).
    Unreadable { error: MetadataError },
    /// The upload does not exist any more, and neither does the object.
    UploadLost,
}

/// One object that is to be published, the store, and how its requests are repeated.
#[derive(Clone, Copy, Debug)]
pub struct Publisher<'a> {
    pub store: &'a dyn ObjectStore,
    pub retry: &'a Retry,
    pub target: &'a Target,
}

impl Publisher<'_> {
    /// Publishes the object in one request.
    pub async fn publish_put(&self, body: &Bytes) -> Result<PublishOutcome, Stopped> {
        let was_cut = AtomicBool::new(false);
        self.retry.run(|| self.try_put(body, &was_cut)).await?
    }

    /// Publishes the object by completing its upload; `parts` are in order.
    pub async fn publish_complete(
        &self,
        upload: &UploadId,
        parts: &[StoredPart],
    ) -> Result<PublishOutcome, Stopped> {
        self.retry.run(|| self.try_complete(upload, parts)).await?
    }

    /// The outer result is what may be asked again.
    async fn try_put(
        &self,
        body: &Bytes,
        was_cut: &AtomicBool,
    ) -> Result<Result<PublishOutcome, Stopped>, StoreError> {
        if was_cut.load(Ordering::Relaxed) {
            match self.find().await {
                Ok(Some(found)) => return Ok(Ok(self.compare(found))),
                Ok(None) => {}
                Err(stopped) => return Ok(Err(stopped)),
            }
        }
        let condition = match self.look_first().await {
            Ok(Looked::Write(condition)) => condition,
            Ok(Looked::Taken(outcome)) => return Ok(Ok(outcome)),
            Err(stopped) => return Ok(Err(stopped)),
        };
        let put = Put {
            key: &self.target.key,
            body: body.clone(),
            content_type: self.target.content_type,
            metadata: Some(&self.target.metadata),
            condition,
        };
        match self.store.put(put).await {
            Ok(_etag) => Ok(Ok(PublishOutcome::Published { already: false })),
            Err(error) if error.kind == StoreErrorKind::PreconditionFailed412 => {
                self.resolve(error, Absent::AskAgain).await
            }
            Err(error) => {
                was_cut.store(error.kind == StoreErrorKind::Transport, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    async fn try_complete(
        &self,
        upload: &UploadId,
        parts: &[StoredPart],
    ) -> Result<Result<PublishOutcome, Stopped>, StoreError> {
        let condition = match self.look_first().await {
            Ok(Looked::Write(condition)) => condition,
            Ok(Looked::Taken(outcome)) => return Ok(Ok(outcome)),
            Err(stopped) => return Ok(Err(stopped)),
        };
        let completed =
            self.store.complete_upload(&self.target.key, upload, parts, condition).await;
        let error = match completed {
            Ok(_etag) => return Ok(Ok(PublishOutcome::Published { already: false })),
            Err(error) => error,
        };
        match error.kind {
            StoreErrorKind::PreconditionFailed412 => self.resolve(error, Absent::AskAgain).await,
            StoreErrorKind::NoSuchUpload
            | StoreErrorKind::NotFound
            | StoreErrorKind::Conflict409
            | StoreErrorKind::InvalidPart => self.resolve(error, Absent::Lost).await,
            StoreErrorKind::Timeout
            | StoreErrorKind::Unavailable5xx
            | StoreErrorKind::SlowDown
            | StoreErrorKind::Transport
            | StoreErrorKind::ExpiredCredentials
            | StoreErrorKind::NoCredentials
            | StoreErrorKind::AccessDenied
            | StoreErrorKind::NoSuchBucket
            | StoreErrorKind::WrongRegion
            | StoreErrorKind::ClockSkew
            | StoreErrorKind::Vanished
            | StoreErrorKind::TooLarge
            | StoreErrorKind::Invalid
            | StoreErrorKind::Other => Err(error),
        }
    }

    /// Without conditional writes: looks whether the name is taken, then writes without condition.
    async fn look_first(&self) -> Result<Looked, Stopped> {
        match self.store.writes() {
            Writes::Conditional if Mutant::LastWriterWins.is_on() => {
                Ok(Looked::Write(Condition::None))
            }
            Writes::Conditional => Ok(Looked::Write(Condition::IfNoneMatch)),
            Writes::HeadFirst => match self.find().await? {
                Some(found) => Ok(Looked::Taken(self.compare(found))),
                None => Ok(Looked::Write(Condition::None)),
            },
        }
    }

    /// Finds out what is there after a refusal.
    async fn resolve(
        &self,
        refusal: StoreError,
        absent: Absent,
    ) -> Result<Result<PublishOutcome, Stopped>, StoreError> {
        match (self.find().await, absent) {
            (Err(stopped), _) => Ok(Err(stopped)),
            (Ok(Some(found)), _) => Ok(Ok(self.compare(found))),
            (Ok(None), Absent::Lost) => Ok(Ok(PublishOutcome::UploadLost)),
            (Ok(None), Absent::AskAgain) => {
                Err(StoreError { kind: StoreErrorKind::Vanished, ..refusal })
            }
        }
    }

    /// Returns what has the name, none if nothing has. Repeats what heals, 403 too.
    async fn find(&self) -> Result<Option<Found>, Stopped> {
        match self.retry.run(|| self.store.head(&self.target.key)).await {
            Ok(found) => Ok(Some(found)),
            Err(Stopped::Definite(error)) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(stopped) => Err(stopped),
        }
    }

    /// Compares what is there with what should be.
    fn compare(&self, found: Found) -> PublishOutcome {
        if Mutant::AnyObjectIsOurs.is_on() {
            return PublishOutcome::Published { already: true };
        }
        let ours = &self.target.metadata;
        let found = match found.metadata {
            Ok(found) => found,
            Err(MetadataError::NoBatchId) => return PublishOutcome::NoBatchId,
            Err(error) => return PublishOutcome::Unreadable { error },
        };
        if found.batch != ours.batch {
            return PublishOutcome::Foreign { found: Box::new(found) };
        }
        let is_other_count =
            found.count.zip(ours.count).is_some_and(|(theirs, ours)| theirs != ours);
        if found.first != ours.first || is_other_count {
            return PublishOutcome::Mismatch { found: Box::new(found) };
        }
        PublishOutcome::Published { already: true }
    }
}

/// What looking first says.
enum Looked {
    Write(Condition),
    Taken(PublishOutcome),
}

/// What it means that nothing is there after a refusal.
#[derive(Clone, Copy)]
enum Absent {
    AskAgain,
    Lost,
}

#[cfg(test)]
mod tests;
