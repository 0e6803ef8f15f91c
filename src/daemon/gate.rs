//! The gate before Kafka's commits, and the thread that serves the answers.
//!
//! It owns: the one committer of the process, behind a lock under which tokens die and requests
//! are handed to librdkafka, so that nothing of a dead token is enqueued after its death.
//! It does not own: what is committed (the machines), when tokens die (the group).

mod commits;
mod orphans;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracing::{debug, warn};

use super::clock::Clock;
use super::mailbox::{Mail, Mailbox};
use super::metrics::Metrics;
use crate::engine::{
    Address, CommitAnswer, CommitRequest, Committer, FaultCode, GroupProtocol, Membership, Outcome,
};
use crate::kafka::Protocol;
use crate::kafka::ffi::{self, ClientHandle, CommitQueue, CommitWaker};
use crate::model::{Offset, TopicPartition, Uptime};

pub(super) use commits::CommitLoop;
use orphans::Orphans;

/// What the polling thread has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Resubscribe,
    NewClient,
}

#[derive(Debug)]
struct Inner {
    committer: Committer,
    /// Whose answers go where.
    mailboxes: BTreeMap<Address, Mailbox>,
    next_address: u64,
    order: Option<Order>,
    orphans: Orphans,
    is_closed: bool,
}

/// Shared by all threads.
#[derive(Debug)]
pub(super) struct Gate {
    inner: Mutex<Inner>,
    answered: Notify,
    waker: Mutex<Option<CommitWaker>>,
    protocol: Protocol,
    clock: Clock,
    metrics: Metrics,
}

impl Gate {
    pub(super) fn new(protocol: Protocol, clock: Clock, metrics: Metrics) -> Arc<Self> {
        let engine_protocol = match protocol {
            Protocol::Classic => GroupProtocol::Classic,
            Protocol::Consumer => GroupProtocol::Consumer,
        };
        let inner = Inner {
            committer: Committer::new(engine_protocol),
            mailboxes: BTreeMap::new(),
            next_address: 1,
            order: None,
            orphans: Orphans::default(),
            is_closed: false,
        };
        Arc::new(Self {
            inner: Mutex::new(inner),
            answered: Notify::new(),
            waker: Mutex::new(None),
            protocol,
            clock,
            metrics,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake();
        }
    }

    /// Gives a partition a token, and its machine an address.
    pub(super) fn assign(&self, partition: &TopicPartition, mailbox: &Mailbox) -> Address {
        let mut inner = self.lock();
        let address = inner.new_address();
        inner.committer.assigned(address, partition.clone());
        inner.orphans.remove(partition);
        inner.mailboxes.insert(address, mailbox.clone());
        address
    }

    /// Gives a machine that starts anew another address; none if its token is dead or a commit of
    /// it has not been answered.
    pub(super) fn replace(&self, old: Address) -> Option<Address> {
        let mut inner = self.lock();
        let address = inner.new_address();
        if !inner.committer.replace(old, address) {
            return None;
        }
        let mailbox = inner.mailboxes.remove(&old)?;
        inner.mailboxes.insert(address, mailbox);
        Some(address)
    }

    pub(super) fn is_alive(&self, address: Address) -> bool {
        self.lock().committer.is_alive(address)
    }

    pub(super) fn enqueue(&self, address: Address, offset: Offset, metadata: String) {
        let now = self.clock.uptime();
        self.lock().committer.enqueue(now, address, offset, metadata);
        self.wake();
    }

    /// Kills the tokens of these partitions. Nothing of them is enqueued from here on.
    pub(super) fn kill(&self, partitions: &[TopicPartition]) -> Vec<Address> {
        let mut inner = self.lock();
        let addresses = inner.committer.addresses_of(partitions);
        inner.committer.kill(&addresses);
        for address in &addresses {
            inner.mailboxes.remove(address);
        }
        for partition in partitions {
            inner.orphans.remove(partition);
        }
        addresses
    }

    /// Kills one token, while its partition stays assigned until a rebalance takes it, or the group
    /// is entered anew.
    pub(super) fn kill_address(&self, address: Address) {
        let now = self.clock.uptime();
        let mut inner = self.lock();
        if let Some(partition) = inner.committer.partition_of(address).cloned() {
            inner.orphans.add(partition, now);
        }
        inner.committer.kill(&[address]);
        inner.mailboxes.remove(&address);
    }

    /// Waits until no commit of these addresses is on its way.
    pub(super) async fn answered(&self, addresses: &[Address]) {
        loop {
            // Before the look: an answer between the two must not be missed.
            let mut answered = pin!(self.answered.notified());
            answered.as_mut().enable();
            if !self.is_in_flight(addresses) {
                return;
            }
            answered.await;
        }
    }

    fn is_in_flight(&self, addresses: &[Address]) -> bool {
        let inner = self.lock();
        inner.committer.is_in_flight(addresses) && !inner.is_closed
    }

    pub(super) fn has_token(&self, partition: &TopicPartition) -> bool {
        !self.lock().committer.addresses_of(std::slice::from_ref(partition)).is_empty()
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.lock().committer.is_frozen()
    }

    pub(super) fn rebalanced(&self) {
        self.lock().committer.rebalanced();
        self.wake();
    }

    pub(super) fn membership(&self, found: Option<ffi::Membership>) {
        let Some(found) = found else { return };
        let membership = Membership { member: found.member_id, generation: found.generation };
        let now = self.clock.uptime();
        let mut inner = self.lock();
        inner.committer.membership(membership);
        inner.committer.tick(now);
        self.carry_out(&mut inner);
        drop(inner);
        self.wake();
    }

    pub(super) fn take_order(&self) -> Option<Order> {
        self.lock().order.take()
    }

    /// Asks the polling thread for something. A new client makes everything else superfluous.
    pub(super) fn order(&self, order: Order) {
        let mut inner = self.lock();
        if inner.order != Some(Order::NewClient) {
            inner.order = Some(order);
        }
    }

    /// A new client: no token, no membership, nothing on its way.
    pub(super) fn client_is_new(
        &self,
        client: &ClientHandle,
    ) -> Result<CommitLoop, ffi::QueueError> {
        let queue = CommitQueue::new(client)?;
        self.begin_anew();
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue.waker());
        Ok(CommitLoop::new(queue))
    }

    pub(super) fn begin_anew(&self) {
        let mut inner = self.lock();
        inner.committer.client_is_new();
        inner.mailboxes.clear();
        inner.orphans.clear();
        (inner.order, inner.is_closed) = (None, false);
    }

    /// Hands out the next request, if one may go now, while the gate is locked. Returns when to come
    /// again if nothing else happens.
    pub(super) fn send_next(
        &self,
        now: Uptime,
        send: impl FnOnce(CommitRequest) -> Result<(), NotSent>,
    ) -> Option<Uptime> {
        let mut inner = self.lock();
        inner.committer.tick(now);
        inner.look_at_orphans(now);
        if let Some(request) = inner.committer.poll_request(now) {
            let id = request.id;
            if let Err(NotSent) = send(request) {
                let fault = crate::model::CommitFault::Ambiguous;
                let faults = vec![FaultCode { fault, code: "NOT_SENT".to_owned() }];
                inner.committer.answered(now, &CommitAnswer { id, faults });
                self.metrics.retried("commit");
            }
        }
        self.carry_out(&mut inner);
        inner.committer.poll_deadline()
    }

    /// Takes the answer to a request.
    pub(super) fn take_answer(&self, now: Uptime, answer: &CommitAnswer) {
        let mut inner = self.lock();
        if let Some(since) = inner.committer.in_flight_since().filter(|_| answer.faults.is_empty())
        {
            self.metrics.offsets_committed(now.since(since));
        }
        inner.committer.answered(now, answer);
        self.carry_out(&mut inner);
        drop(inner);
        self.answered.notify_waiters();
    }

    fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Returns what closes the gate when it is dropped: when the commit thread ends, by a panic too,
    /// nobody may wait for an answer.
    pub(super) fn closed_at_end(self: &Arc<Self>) -> CloseAtEnd {
        CloseAtEnd(Arc::clone(self))
    }

    /// Ends the commit thread of the present client.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.answered.notify_waiters();
        self.wake();
    }

    fn carry_out(&self, inner: &mut Inner) {
        while let Some(outcome) = inner.committer.poll_outcome() {
            match outcome {
                Outcome::Committed(address) => inner.tell(address, Mail::Committed(address)),
                Outcome::Refused { address, code } => {
                    inner.tell(address, Mail::CommitRefused { address, code });
                }
                Outcome::KilledAll { code } => {
                    warn!(
                        code,
                        "the group has thrown this member out: nothing more is committed under it"
                    );
                    inner.mailboxes.clear();
                    self.metrics.error_handled("membership_lost");
                }
                Outcome::Frozen { code } => {
                    debug!(code, "a rebalance is running: commits wait");
                    self.metrics.retried("commit_frozen");
                }
                Outcome::NewClient { code } => {
                    warn!(code, "the client cannot go on: it is made anew");
                    inner.order = Some(Order::NewClient);
                }
                Outcome::Resubscribe => {
                    warn!("commits were held back for too long: the group is entered anew");
                    inner.order.get_or_insert(Order::Resubscribe);
                }
                Outcome::Retried { code } => {
                    debug!(code, "a commit is repeated");
                    self.metrics.retried("commit");
                }
            }
        }
    }
}

impl Inner {
    fn new_address(&mut self) -> Address {
        self.next_address += 1;
        Address(self.next_address)
    }

    fn look_at_orphans(&mut self, now: Uptime) {
        if self.orphans.is_overdue(now) {
            warn!("a partition stays assigned and may not be written: the group is entered anew");
            self.order.get_or_insert(Order::Resubscribe);
        }
    }

    fn tell(&self, address: Address, mail: Mail) {
        if let Some(mailbox) = self.mailboxes.get(&address) {
            mailbox.send(mail);
        }
    }
}

/// Closes the gate when it is dropped.
#[derive(Debug)]
pub(super) struct CloseAtEnd(Arc<Gate>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A request that was not taken on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotSent;
