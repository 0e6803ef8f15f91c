//! What a rebalance does: protocol rules 2 and 8, on the polling thread.
//!
//! It owns: which partition is with which worker, the order of steps at assign and revoke, waiting
//! for the workers with a deadline.
//! It does not own: tokens and commits (`gate`), settling (`settler`), records (`worker`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{error, info, warn};

use super::clock::Clock;
use super::gate::{Gate, Order};
use super::mailbox::{Mail, Mailbox};
use super::metrics::Metrics;
use super::status::{Heartbeat, Status};
use crate::kafka::Group;
use crate::kafka::ffi::{Client, Committed, QueueHandle};
use crate::model::{Offset, SealReason, TopicPartition, Uptime};

/// How often a wait inside a callback looks around.
const LOOK: Duration = Duration::from_millis(100);
/// A worker answers within one step; longer than this is said aloud.
const SLOW: Duration = Duration::from_secs(10);
/// For the committed offsets, inside a callback. What is not answered then is asked outside of it.
const COMMITTED_MAX: Duration = Duration::from_secs(10);
/// A commit on its way is answered in seconds, or within librdkafka's time-outs of a minute. Beyond
/// this the client is made anew, before `max.poll.interval.ms` (5 minutes) is over.
const ANSWERED_MAX: Duration = Duration::from_secs(180);

/// A worker as the polling thread sees it.
#[derive(Debug)]
pub(super) struct WorkerSide {
    pub(super) mailbox: Mailbox,
    pub(super) queue: Option<QueueHandle>,
}

#[derive(Debug, Default)]
struct Inner {
    workers: Vec<WorkerSide>,
    assigned: BTreeMap<TopicPartition, usize>,
    heartbeat: Option<Heartbeat>,
}

/// The group's members as this process sees itself.
#[derive(Debug)]
pub(super) struct Rebalancer {
    inner: Mutex<Inner>,
    gate: Arc<Gate>,
    /// For planned and open batches of revoked partitions.
    drain: Duration,
    /// The whole process has drained and stops: a revoke has nothing more to wait for.
    is_drained: AtomicBool,
    clock: Clock,
    metrics: Metrics,
    status: Status,
}

impl Rebalancer {
    pub(super) fn new(
        gate: Arc<Gate>,
        drain: Duration,
        clock: Clock,
        told: (Metrics, Status),
    ) -> Arc<Self> {
        let (metrics, status) = told;
        let inner = Mutex::new(Inner::default());
        let is_drained = AtomicBool::new(false);
        Arc::new(Self { inner, gate, drain, is_drained, clock, metrics, status })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The workers, with the queues of a new client.
    pub(super) fn workers_are(&self, workers: Vec<WorkerSide>, heartbeat: Heartbeat) {
        *self.lock() = Inner { workers, assigned: BTreeMap::new(), heartbeat: Some(heartbeat) };
    }

    /// The client is closed: the heartbeat ends as intended.
    pub(super) fn workers_gone(&self) {
        let inner = std::mem::take(&mut *self.lock());
        if let Some(heartbeat) = inner.heartbeat {
            heartbeat.finish();
        }
    }

    pub(super) fn assigned_partitions(&self) -> Vec<TopicPartition> {
        self.lock().assigned.keys().cloned().collect()
    }

    /// What could be finished is finished: from now on partitions are given back at once.
    pub(super) fn drained(&self) {
        self.is_drained.store(true, Ordering::SeqCst);
    }

    pub(super) fn beat(&self) {
        let now: Uptime = self.clock.uptime();
        if let Some(heartbeat) = &self.lock().heartbeat {
            heartbeat.beat(now);
        }
    }

    /// Takes partitions: a token, a worker and its queue for each; read from where they are
    /// committed, paused until they are settled.
    fn take(&self, client: Client<'_>, partitions: &[TopicPartition]) {
        let committed = self.ask_committed(client, partitions);
        let placed: Vec<_> = partitions.iter().map(|partition| self.place(partition)).collect();
        let offset = |found: &Option<Committed>| found.as_ref().and_then(|found| found.offset);
        let offsets: Vec<_> = partitions
            .iter()
            .zip(&committed)
            .map(|(partition, found)| (partition.clone(), offset(found).unwrap_or(Offset::ZERO)))
            .collect();
        if let Err(error) = client.assign(&offsets) {
            error!(%error, "an assignment was refused: the group is entered anew");
            self.gate.order(Order::Resubscribe);
            return;
        }
        if !partitions.is_empty()
            && let Err(error) = client.pause(partitions)
        {
            warn!(%error, "fresh partitions could not be paused");
        }
        for ((partition, committed), mailbox) in partitions.iter().zip(committed).zip(placed) {
            if let Some(mailbox) = mailbox {
                self.introduce(&mailbox, partition, committed);
            }
        }
    }

    /// Returns each partition's commit; none where it could not be read, which is no reason to
    /// keep the group waiting: it is settled without, and asked again until it is answered.
    fn ask_committed(
        &self,
        client: Client<'_>,
        partitions: &[TopicPartition],
    ) -> Vec<Option<Committed>> {
        self.beat();
        let answer = client.committed(partitions, COMMITTED_MAX);
        self.beat();
        let found = match answer {
            Ok(found) => found,
            Err(error) => {
                warn!(%error, "the committed offsets could not be read yet");
                Vec::new()
            }
        };
        let mut readable = readable(found);
        partitions.iter().map(|partition| readable.remove(partition)).collect()
    }

    fn introduce(
        &self,
        mailbox: &Mailbox,
        partition: &TopicPartition,
        committed: Option<Committed>,
    ) {
        let (address, partition) = (self.gate.assign(partition, mailbox), partition.clone());
        mailbox.send(Mail::Assigned { address, partition, committed });
    }

    /// Finds the worker with the fewest partitions and forwards the partition's queue to it.
    fn place(&self, partition: &TopicPartition) -> Option<Mailbox> {
        let mut inner = self.lock();
        let load = |index: usize| inner.assigned.values().filter(|at| **at == index).count();
        let index = (0..inner.workers.len()).min_by_key(|index| load(*index))?;
        let worker = inner.workers.get(index)?;
        let mailbox = worker.mailbox.clone();
        if let Err(error) = worker.queue.as_ref()?.forward(partition) {
            error!(%partition, %error, "a partition's queue could not be forwarded");
            self.gate.order(Order::Resubscribe);
            return None;
        }
        inner.assigned.insert(partition.clone(), index);
        Some(mailbox)
    }

    /// Partitions that stayed ours although their token died (a "lost" that was skipped) begin
    /// anew, with a new token.
    fn revive(&self, client: Client<'_>, but: &[TopicPartition]) {
        let assigned = self.assigned_partitions();
        let is_dead = |at: &&TopicPartition| !but.contains(at) && !self.gate.has_token(at);
        let dead: Vec<_> = assigned.iter().filter(is_dead).cloned().collect();
        if dead.is_empty() {
            return;
        }
        info!(partitions = dead.len(), "partitions that stayed begin anew after a lost membership");
        self.let_go(&dead);
        for (partition, committed) in dead.iter().zip(self.ask_committed(client, &dead)) {
            let worker = self.lock().assigned.get(partition).copied();
            if let Some(mailbox) = worker.and_then(|at| self.mailbox(at)) {
                self.introduce(&mailbox, partition, committed);
            }
        }
    }

    fn mailbox(&self, worker: usize) -> Option<Mailbox> {
        self.lock().workers.get(worker).map(|worker| worker.mailbox.clone())
    }

    fn by_worker(&self, partitions: &[TopicPartition]) -> Vec<(Mailbox, Vec<TopicPartition>)> {
        let inner = self.lock();
        let of = |index: usize| -> Vec<TopicPartition> {
            let is_its = |at: &&TopicPartition| inner.assigned.get(at) == Some(&index);
            partitions.iter().filter(is_its).cloned().collect()
        };
        let workers = inner.workers.iter().enumerate();
        let with = workers.map(|(index, worker)| (worker.mailbox.clone(), of(index)));
        with.filter(|(_, partitions)| !partitions.is_empty()).collect()
    }

    /// Rule 2 (a): what is planned may finish, what is open is sealed if there is time.
    fn drain(&self, partitions: &[TopicPartition]) {
        if self.is_drained.load(Ordering::SeqCst) {
            return;
        }
        let (sender, receiver) = sync_channel(partitions.len());
        let mut waiting = 0;
        for (mailbox, partitions) in self.by_worker(partitions) {
            waiting += partitions.len();
            let (reason, done) = (SealReason::Revoke, sender.clone());
            mailbox.send(Mail::Drain { partitions, reason, done });
        }
        drop(sender);
        let deadline = self.clock.uptime().after(self.drain);
        while waiting > 0 {
            self.beat();
            match receiver.recv_timeout(LOOK) {
                Ok(_) => waiting -= 1,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let dead = || !partitions.iter().any(|partition| self.gate.has_token(partition));
            if self.gate.is_frozen() || self.clock.uptime() >= deadline || dead() {
                return;
            }
        }
    }

    /// Rule 2 (b) and (c): tokens die, the readers let go, no commit is on its way any more.
    fn let_go(&self, partitions: &[TopicPartition]) {
        let addresses = self.gate.kill(partitions);
        let workers = self.by_worker(partitions);
        let (sender, receiver) = sync_channel(workers.len().max(1));
        for (mailbox, partitions) in workers {
            mailbox.send(Mail::Drop { partitions, done: Some(sender.clone()) });
        }
        drop(sender);
        self.wait_for_all(&receiver);
        let deadline = self.clock.uptime().after(ANSWERED_MAX);
        while !self.gate.wait_answered(&addresses, LOOK) {
            self.beat();
            if self.clock.uptime() >= deadline {
                error!("a commit was not answered for minutes: the client is made anew");
                self.gate.order(Order::NewClient);
                return;
            }
        }
    }

    /// Waits until every sender is gone: each worker answers once and drops its own.
    fn wait_for_all(&self, receiver: &Receiver<()>) {
        let mut slow_at = self.clock.uptime().after(SLOW);
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.beat();
                    if self.clock.uptime() >= slow_at {
                        warn!("a worker takes long to let go of its partitions");
                        slow_at = self.clock.uptime().after(SLOW);
                    }
                }
            }
        }
    }

    /// Before a rebalance is answered: librdkafka has paused every partition and would read on from
    /// a position that is one too high behind the end of a log (see `Worker::pause`). So each
    /// worker strikes out what it has not handed in, and reads on by seeks of its own.
    fn reposition(&self) {
        let mailboxes: Vec<_> = {
            let inner = self.lock();
            inner.workers.iter().map(|worker| worker.mailbox.clone()).collect()
        };
        let (done, answered) = sync_channel(mailboxes.len().max(1));
        for mailbox in mailboxes {
            mailbox.send(Mail::Reposition { done: done.clone() });
        }
        drop(done);
        self.wait_for_all(&answered);
    }

    fn forget(&self, partitions: &[TopicPartition]) {
        let mut inner = self.lock();
        for partition in partitions {
            let worker = inner.assigned.remove(partition);
            let worker = worker.and_then(|index| inner.workers.get(index));
            if let Some(queue) = worker.and_then(|worker| worker.queue.as_ref()) {
                queue.unforward(partition);
            }
        }
        drop(inner);
        for partition in partitions {
            self.metrics.partition_lost(partition);
            self.status.partition_lost(partition);
        }
    }
}

impl Group for Rebalancer {
    fn assigned(&self, client: Client<'_>, partitions: &[TopicPartition]) {
        info!(partitions = partitions.len(), "partitions were assigned");
        self.metrics.rebalanced();
        self.gate.rebalanced();
        self.gate.membership(client.membership());
        self.reposition();
        self.take(client, partitions);
        self.revive(client, partitions);
        self.status.assignment_received();
    }

    fn revoked(&self, client: Client<'_>, partitions: &[TopicPartition], lost: bool) {
        info!(partitions = partitions.len(), lost, "partitions are taken away");
        self.metrics.rebalanced();
        if !lost {
            self.gate.rebalanced();
            self.gate.membership(client.membership());
            self.drain(partitions);
        }
        self.let_go(partitions);
        self.reposition();
        if let Err(error) = client.unassign(partitions) {
            warn!(%error, "partitions could not be given back");
        }
        self.forget(partitions);
        if lost {
            self.gate.rebalanced();
            self.status.assignment_lost();
        }
        self.revive(client, partitions);
    }
}

/// Leaves out what was answered with an error: it is no sign that nothing is committed.
fn readable(found: Vec<Committed>) -> BTreeMap<TopicPartition, Committed> {
    let is_readable = |found: &Committed| match found.error {
        None => true,
        Some(code) => {
            warn!(partition = %found.partition, %code, "the committed offset could not be read yet");
            false
        }
    };
    let readable = found.into_iter().filter(is_readable);
    readable.map(|found| (found.partition.clone(), found)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ffi::ErrorCode;

    #[test]
    fn a_committed_offset_that_could_not_be_read_is_not_taken_for_none() {
        let committed = |index, error| {
            let partition = TopicPartition::new("pin", index).unwrap();
            Committed { partition, offset: None, metadata: Vec::new(), error }
        };
        let loading = ErrorCode::new(14); // COORDINATOR_LOAD_IN_PROGRESS
        let found = readable(vec![committed(0, loading), committed(1, None)]);
        assert_eq!(found.into_values().collect::<Vec<_>>(), [committed(1, None)]);
    }
}
