//! The gate before Kafka's commits, and the thread that serves the answers.
//!
//! It owns: the one committer of the process, behind a lock under which tokens die and requests
//! are handed to librdkafka, so that nothing of a dead token is enqueued after its death.
//! It does not own: what is committed (the machines), when tokens die (the group).

mod orphans;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{debug, warn};

use super::clock::Clock;
use super::mailbox::{Mail, Mailbox};
use super::metrics::Metrics;
use crate::engine::{
    Address, CommitAnswer, Committer, FaultCode, GroupProtocol, Membership, Outcome,
};
use crate::kafka::ffi::{self, ClientHandle, CommitQueue, CommitWaker};
use crate::kafka::{Protocol, commit_fault};
use crate::model::{Offset, TopicPartition, Uptime};

use orphans::Orphans;

/// How long the commit thread waits for an answer before it looks around.
const POLL: Duration = Duration::from_millis(200);

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
    answered: Condvar,
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
            answered: Condvar::new(),
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

    /// Waits until no commit of these addresses is on its way; false if it still is.
    pub(super) fn wait_answered(&self, addresses: &[Address], at_most: Duration) -> bool {
        let inner = self.lock();
        let waits = |inner: &mut Inner| inner.committer.is_in_flight(addresses) && !inner.is_closed;
        let waited = self.answered.wait_timeout_while(inner, at_most, waits);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !inner.committer.is_in_flight(addresses) || inner.is_closed
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
        let mut inner = self.lock();
        inner.committer.client_is_new();
        inner.mailboxes.clear();
        inner.orphans.clear();
        (inner.order, inner.is_closed) = (None, false);
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue.waker());
        Ok(CommitLoop { queue, request: None })
    }

    /// Returns what closes the gate when it is dropped: when the commit thread ends, by a panic too,
    /// nobody may wait for an answer.
    pub(super) fn closed_at_end(self: &Arc<Self>) -> CloseAtEnd {
        CloseAtEnd(Arc::clone(self))
    }

    /// Ends the commit thread of the present client.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.answered.notify_all();
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

/// The commit thread's own: the queue of one client.
#[derive(Debug)]
pub(super) struct CommitLoop {
    queue: CommitQueue,
    /// The request on its way, as librdkafka and as the committer call it.
    request: Option<(ffi::RequestId, u64)>,
}

impl CommitLoop {
    /// Sends and receives until the gate is closed. `beat` is called at least every `POLL`.
    pub(super) fn run(mut self, gate: &Gate, beat: impl Fn(Uptime)) {
        loop {
            let now = gate.clock.uptime();
            beat(now);
            let mut inner = gate.lock();
            if inner.is_closed {
                return;
            }
            inner.committer.tick(now);
            inner.look_at_orphans(now);
            self.send_next(gate, &mut inner, now);
            gate.carry_out(&mut inner);
            let deadline = inner.committer.poll_deadline();
            drop(inner);
            let wait = deadline.map_or(POLL, |at| at.since(now).min(POLL));
            let wait = wait.max(Duration::from_millis(1));
            if let Some(answer) = self.queue.poll(wait) {
                self.answered(gate, answer);
            }
        }
    }

    /// Hands the next request to librdkafka while the gate is locked.
    fn send_next(&mut self, gate: &Gate, inner: &mut Inner, now: Uptime) {
        let Some(request) = inner.committer.poll_request(now) else { return };
        let entries: Vec<_> = request
            .entries
            .into_iter()
            .map(|entry| ffi::CommitEntry {
                partition: entry.partition,
                offset: entry.offset,
                metadata: entry.metadata,
            })
            .collect();
        match self.queue.send(&entries) {
            Ok(sent) => self.request = Some((sent, request.id)),
            Err(error) => {
                warn!(%error, "a commit could not be sent, it is repeated");
                let fault = crate::model::CommitFault::Ambiguous;
                let faults = vec![FaultCode { fault, code: "NOT_SENT".to_owned() }];
                inner.committer.answered(now, &CommitAnswer { id: request.id, faults });
                gate.metrics.retried("commit");
            }
        }
    }

    fn answered(&mut self, gate: &Gate, answer: ffi::CommitAnswer) {
        let Some((_, id)) = self.request.take_if(|(sent, _)| *sent == answer.request) else {
            return;
        };
        let codes = answer.partitions.iter().filter_map(|(_, code)| *code).chain(answer.error);
        let faults: Vec<_> = codes
            .map(|code| FaultCode { fault: commit_fault(code, gate.protocol), code: code.name() })
            .collect();
        let now = gate.clock.uptime();
        let mut inner = gate.lock();
        if let Some(since) = inner.committer.in_flight_since().filter(|_| faults.is_empty()) {
            gate.metrics.offsets_committed(now.since(since));
        }
        inner.committer.answered(now, &CommitAnswer { id, faults });
        gate.carry_out(&mut inner);
        drop(inner);
        gate.answered.notify_all();
    }
}
