//! Uploads for threads that do not wait: jobs go in, each is answered once.
//!
//! It owns: the upload ids, the parts that are stored, the order of create, parts and complete, the
//! number of requests at once, calling off what is not wanted any more.
//! It does not own: which objects there are and when they may be published, nor the memory: the
//! bodies of jobs are admitted by the caller's permits, in bytes, and are freed before their
//! answers are sent. So the queue, which has no bound of its own, holds no more jobs than the
//! caller has permits, and one claim job for each partition.

mod actor;
mod object;
mod request;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::error::StoreError;
use super::observe::UploadObserver;
use super::publish::PublishOutcome;
use super::retry::Retry;
use super::store::{Condition, Etag, PartNumber, Store, Target};
use crate::model::ObjectKey;

use actor::Actor;

/// Requests at once, over all objects: enough to fill 10 Gbit/s at S3's 80 MB/s a connection.
pub const REQUESTS_MAX: usize = 16;

/// The caller's name of an object in the making. Each is used for one object only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectId(pub u64);

/// The object that a job is about. Create uses the target of the first part, Put and Complete their
/// own: by then the count is known.
#[derive(Clone, Debug)]
pub struct Object {
    pub id: ObjectId,
    pub store: Store,
    pub target: Arc<Target>,
}

/// What is to be done. Parts may come in any order and Complete before them. Whoever sent a part
/// ends the object with Complete or Abort.
#[derive(Debug)]
pub enum Job {
    /// Stores a part, after making the upload if it is the first.
    Part { object: Object, number: PartNumber, body: Bytes, answer: AnswerTo },
    /// Publishes the object in one request.
    Put { object: Object, body: Bytes, answer: AnswerTo },
    /// Publishes the object when all its parts, up to the last number, are stored.
    Complete { object: Object, last: PartNumber, answer: AnswerTo },
    /// Calls off what runs for the object and removes what is stored, as far as that is possible.
    /// A put or complete in flight may still take effect.
    Abort { object: ObjectId, answer: AnswerTo },
    /// Reads a small object.
    ReadClaim { store: Store, key: ObjectKey, bytes_max: usize, answer: AnswerTo },
    /// Writes a small object.
    WriteClaim {
        store: Store,
        key: ObjectKey,
        text: String,
        condition: Condition,
        answer: AnswerTo,
    },
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    PartStored,
    /// Of Put and Complete.
    Published(PublishOutcome),
    /// The upload is gone, and the part with it.
    UploadLost,
    ClaimRead(ClaimText),
    /// Of a read: there is none. Of a write with `IfMatch`: there is none any more.
    ClaimAbsent,
    ClaimWritten(Etag),
    /// The condition did not hold: this is there instead.
    ClaimChanged(ClaimText),
    /// Called off, or the uploads are closed. Whether it took effect is unknown.
    Aborted,
    /// A definite refusal.
    Failed(StoreError),
}

/// A small object as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimText {
    pub text: Bytes,
    pub etag: Etag,
}

/// Where one answer goes. It is always sent: dropped without one, it says `Aborted`.
pub struct AnswerTo(Option<Box<dyn FnOnce(Answer) + Send>>);

impl AnswerTo {
    /// The function runs on the upload runtime's threads and must not block.
    pub fn new(send: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self(Some(Box::new(send)))
    }

    fn send(mut self, answer: Answer) {
        if let Some(send) = self.0.take() {
            send(answer);
        }
    }
}

impl Drop for AnswerTo {
    fn drop(&mut self) {
        if let Some(send) = self.0.take() {
            send(Answer::Aborted);
        }
    }
}

impl fmt::Debug for AnswerTo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AnswerTo")
    }
}

enum Message {
    Job(Job),
    Close,
}

/// The end that takes jobs. Cheap to clone, never blocks.
#[derive(Clone, Debug)]
pub struct Uploads(mpsc::UnboundedSender<Message>);

impl Uploads {
    /// Starts the uploads on a runtime; they are repeated as `retry` does, and called off one by one. The second value belongs to who stops the program.
    pub fn start(
        runtime: &Handle,
        observer: Arc<dyn UploadObserver>,
        retry: &Retry,
        requests_max: usize,
    ) -> (Self, UploadsTask) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let task = runtime.spawn(Actor::new(receiver, observer, retry, requests_max).run());
        (Self(sender.clone()), UploadsTask { sender, task })
    }

    /// Takes a job. After the close it is answered `Aborted` at once.
    pub fn submit(&self, job: Job) {
        // a refused job is dropped, and so answered
        drop(self.0.send(Message::Job(job)));
    }
}

/// The running uploads, to be awaited by their owner.
#[derive(Debug)]
pub struct UploadsTask {
    sender: mpsc::UnboundedSender<Message>,
    task: JoinHandle<()>,
}

/// How the uploads came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UploadsEnd {
    #[error("the uploads did not end in {within:?}: unfinished ones are left to the bucket's rule")]
    Deadline { within: Duration },
    #[error("the uploads ended by a bug")]
    Bug,
}

impl UploadsTask {
    /// Calls off everything, removes unfinished uploads as far as `within` allows, and ends.
    pub async fn close(mut self, within: Duration) -> Result<(), UploadsEnd> {
        drop(self.sender.send(Message::Close));
        match tokio::time::timeout(within, &mut self.task).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_panicked)) => Err(UploadsEnd::Bug),
            Err(_elapsed) => {
                self.task.abort();
                Err(UploadsEnd::Deadline { within })
            }
        }
    }

    /// Returns whether the uploads have ended without having been closed, which is a bug.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

#[cfg(test)]
mod tests;
