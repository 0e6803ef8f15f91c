//! The mailbox of a worker: small facts from other threads, and how they wake it.
//!
//! It owns: the queue of facts, waking a worker wherever it waits.
//! It does not own: what the facts mean. Records never travel here.
//!
//! Bound: each fact answers something that the worker asked for (a job, a commit, a settlement) or
//! is one of a rebalance, so there are never more of them than partitions and jobs under way.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::engine::{Address, ObjectId, StopReason};
use crate::kafka::ffi::Committed;
use crate::kafka::seat::Fetcher;
use crate::model::{SealReason, TopicPartition};
use crate::s3::{Answer, Etag};

use super::settler::Settlement;

/// One fact.
#[derive(Debug)]
pub(super) enum Mail {
    /// A client begins: this is to be read.
    Client(Box<dyn Fetcher>),
    /// The client ends: drop everything of it, then answer.
    ClientGone {
        done: SyncSender<()>,
    },
    Assigned {
        address: Address,
        partition: TopicPartition,
        /// None: it could not be read in time.
        committed: Option<Committed>,
    },
    /// Finish what can be finished of these partitions; each is answered when it has.
    Drain {
        partitions: Vec<TopicPartition>,
        reason: SealReason,
        done: UnboundedSender<TopicPartition>,
    },
    /// Their tokens are dead: throw them away, then answer.
    Drop {
        partitions: Vec<TopicPartition>,
        done: UnboundedSender<()>,
    },
    /// A rebalance has begun: read every partition on from its machine's cursor, by a seek.
    Reposition {
        done: UnboundedSender<()>,
    },
    Settled {
        address: Address,
        result: Box<Result<Settlement, StopReason>>,
    },
    Committed(Address),
    CommitRefused {
        address: Address,
        code: String,
    },
    /// An answer about an object.
    Upload {
        address: Address,
        object: ObjectId,
        answer: Answer,
    },
    /// A part is stored: its bytes are free.
    PartStored {
        address: Address,
        answer: Answer,
    },
    /// An answer about the partition's claim.
    Claim {
        address: Address,
        answer: Answer,
    },
    /// The claim of a stopped partition holds a decision that was not there before.
    Decided {
        address: Address,
        claim: Etag,
    },
    /// The log's start and end, asked for because a position was out of range.
    Watermarks {
        address: Address,
        low: crate::model::Offset,
        high: crate::model::Offset,
    },
    /// Where an idle log ended, asked at that time.
    LogEnd {
        address: Address,
        end: crate::model::Offset,
        asked: crate::model::Timestamp,
    },
    /// Whether Kafka has a leader for the partition.
    HasLeader {
        address: Address,
        is_there: bool,
    },
    /// The topic was created anew or is gone.
    TopicIs {
        partition: TopicPartition,
        found: crate::model::TopicId,
    },
    /// Close every open batch.
    Seal,
    /// Try the partitions that are stopped again, without waiting for their time.
    TryAgain,
    SettingsChanged,
    Stop,
}

#[derive(Debug, Default)]
struct Shared {
    mails: Mutex<Inner>,
    arrived: Condvar,
}

/// Ends a wait of the reader.
type Waker = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Inner {
    mails: VecDeque<Mail>,
    waker: Option<Waker>,
    is_closed: bool,
}

impl fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.mails).finish()
    }
}

/// Both ends: whoever holds it may send; the worker takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Mailbox(Arc<Shared>);

impl Mailbox {
    pub(super) fn send(&self, mail: Mail) {
        let waker = {
            let mut inner = self.0.mails.lock().unwrap_or_else(PoisonError::into_inner);
            if inner.is_closed {
                return; // whoever waits for an answer sees its own channel end
            }
            inner.mails.push_back(mail);
            inner.waker.clone()
        };
        self.0.arrived.notify_one();
        if let Some(wake) = waker {
            wake();
        }
    }

    /// Returns what closes the mailbox when it is dropped: when the worker's thread ends, by a panic
    /// too, nobody may wait for it.
    pub(super) fn closed_at_end(self) -> CloseAtEnd {
        CloseAtEnd(self)
    }

    /// The worker reads elsewhere from now on, and this ends its wait there.
    pub(super) fn wakes(&self, waker: Option<Waker>) {
        self.0.mails.lock().unwrap_or_else(PoisonError::into_inner).waker = waker;
    }

    /// Takes all that is there.
    pub(super) fn take(&self) -> VecDeque<Mail> {
        let mut inner = self.0.mails.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut inner.mails)
    }

    pub(super) fn has_mail(&self) -> bool {
        !self.0.mails.lock().unwrap_or_else(PoisonError::into_inner).mails.is_empty()
    }

    /// Waits for mail without reading records.
    pub(super) fn wait(&self, at_most: Duration) {
        let inner = self.0.mails.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.mails.is_empty() {
            drop(self.0.arrived.wait_timeout(inner, at_most));
        }
    }
}

/// Closes a mailbox when it is dropped.
#[derive(Debug)]
pub(super) struct CloseAtEnd(Mailbox);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        let mut inner = self.0.0.mails.lock().unwrap_or_else(PoisonError::into_inner);
        inner.is_closed = true;
        let unread = std::mem::take(&mut inner.mails);
        drop(inner); // an answer that is dropped may send mail
        drop(unread);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn nobody_waits_for_a_worker_that_is_gone() {
        let (mailbox, (done, mut gone)) = (Mailbox::default(), unbounded_channel());
        mailbox.send(Mail::Reposition { done: done.clone() });
        drop(mailbox.clone().closed_at_end());
        mailbox.send(Mail::Reposition { done });
        assert!(
            gone.blocking_recv().is_none(),
            "unread and late mail is dropped, with its channel"
        );
        assert!(!mailbox.has_mail());
    }
}
