//! What a rebalance does: protocol rules 2 and 8, on the polling thread.
//!
//! It owns: which partition is with which worker, the order of steps at assign and revoke, waiting
//! for the workers with a deadline.
//! It does not own: tokens and commits (`gate`), settling (`settler`), records (`worker`).

mod committed;
mod draining;
mod waits;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::clock::Clock;
use super::gate::{Gate, Order};
use super::mailbox::{Mail, Mailbox};
use super::metrics::Metrics;
use super::status::{Heartbeat, Status};
use crate::kafka::Group;
use crate::kafka::ffi::{Client, Committed};
use crate::kafka::seat::{Forward, Member};
use crate::model::{Offset, SealReason, TopicPartition, Uptime};
use crate::mutant::Mutant;

use committed::readable;
pub(super) use draining::Draining;
pub(super) use waits::Waits;

/// How often a wait inside a callback looks around.
const LOOK: Duration = Duration::from_millis(100);
/// A worker answers within one step; longer than this is said aloud.
const SLOW: Duration = Duration::from_secs(10);

/// A worker as the polling thread sees it.
#[derive(Debug)]
pub(super) struct WorkerSide {
    pub(super) mailbox: Mailbox,
    pub(super) queue: Arc<dyn Forward>,
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
    waits: Mutex<Waits>,
    /// The whole process has drained and stops: a revoke has nothing more to wait for.
    is_drained: AtomicBool,
    /// Where the time-outs of its waits run.
    runtime: Handle,
    clock: Clock,
    metrics: Metrics,
    status: Status,
}

impl Rebalancer {
    pub(super) fn new(
        gate: Arc<Gate>,
        (waits, runtime): (Waits, Handle),
        clock: Clock,
        told: (Metrics, Status),
    ) -> Arc<Self> {
        let (metrics, status) = told;
        let (inner, waits) = (Mutex::new(Inner::default()), Mutex::new(waits));
        let is_drained = AtomicBool::new(false);
        Arc::new(Self { inner, gate, waits, is_drained, runtime, clock, metrics, status })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits(&self) -> Waits {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings have changed.
    pub(super) fn waits_are(&self, waits: Waits) {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = waits;
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
    fn take(&self, client: &dyn Member, partitions: &[TopicPartition]) {
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
        client: &dyn Member,
        partitions: &[TopicPartition],
    ) -> Vec<Option<Committed>> {
        self.beat();
        let answer = client.committed(partitions, self.waits().committed);
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
        if let Err(error) = worker.queue.forward(partition) {
            error!(%partition, %error, "a partition's queue could not be forwarded");
            self.gate.order(Order::Resubscribe);
            return None;
        }
        inner.assigned.insert(partition.clone(), index);
        Some(mailbox)
    }

    /// Partitions that stayed ours although their token died (a "lost" that was skipped) begin
    /// anew, with a new token.
    async fn revive(&self, client: &dyn Member, but: &[TopicPartition]) {
        let assigned = self.assigned_partitions();
        let is_dead = |at: &&TopicPartition| !but.contains(at) && !self.gate.has_token(at);
        let dead: Vec<_> = assigned.iter().filter(is_dead).cloned().collect();
        if dead.is_empty() {
            return;
        }
        info!(partitions = dead.len(), "partitions that stayed begin anew after a lost membership");
        self.let_go(&dead).await;
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

    /// Asks the workers to finish what can be finished of these partitions.
    pub(super) fn start_draining(
        &self,
        partitions: &[TopicPartition],
        reason: SealReason,
    ) -> Draining {
        let (sender, drained) = unbounded_channel();
        let mut waiting = 0;
        for (mailbox, partitions) in self.by_worker(partitions) {
            waiting += partitions.len();
            mailbox.send(Mail::Drain { partitions, reason, done: sender.clone() });
        }
        Draining { drained, waiting }
    }

    /// Rule 2 (a): what is planned may finish, what is open is sealed if there is time.
    async fn drain(&self, partitions: &[TopicPartition]) {
        if self.is_drained.load(Ordering::SeqCst) {
            return;
        }
        let mut draining = self.start_draining(partitions, SealReason::Revoke);
        let deadline = self.clock.uptime().after(self.waits().drain);
        while !draining.is_over() {
            self.beat();
            draining.next().await;
            let dead = || !partitions.iter().any(|partition| self.gate.has_token(partition));
            if self.gate.is_frozen() || self.clock.uptime() >= deadline || dead() {
                return;
            }
        }
    }

    /// Rule 2 (b) and (c): tokens die, the readers let go, no commit is on its way any more.
    async fn let_go(&self, partitions: &[TopicPartition]) {
        let addresses = self.gate.kill(partitions);
        let (sender, mut answered) = unbounded_channel();
        for (mailbox, partitions) in self.by_worker(partitions) {
            mailbox.send(Mail::Drop { partitions, done: sender.clone() });
        }
        drop(sender);
        self.wait_for_all(&mut answered).await;
        let deadline = self.clock.uptime().after(self.waits().answered);
        if Mutant::RevokeDoesNotWait.is_on() {
            return;
        }
        while timeout(LOOK, self.gate.answered(&addresses)).await.is_err() {
            self.beat();
            if self.clock.uptime() >= deadline {
                error!("a commit was not answered for minutes: the client is made anew");
                self.gate.order(Order::NewClient);
                return;
            }
        }
    }

    /// Waits until every sender is gone: each worker answers once and drops its own.
    async fn wait_for_all(&self, answers: &mut UnboundedReceiver<()>) {
        let mut slow_at = self.clock.uptime().after(SLOW);
        loop {
            match timeout(LOOK, answers.recv()).await {
                Ok(Some(())) => {}
                Ok(None) => return,
                Err(_elapsed) => {
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
    async fn reposition(&self) {
        let mailboxes: Vec<_> = {
            let inner = self.lock();
            inner.workers.iter().map(|worker| worker.mailbox.clone()).collect()
        };
        let (done, mut answered) = unbounded_channel();
        for mailbox in mailboxes {
            mailbox.send(Mail::Reposition { done: done.clone() });
        }
        drop(done);
        self.wait_for_all(&mut answered).await;
    }

    fn forget(&self, partitions: &[TopicPartition]) {
        let mut inner = self.lock();
        for partition in partitions {
            let worker = inner.assigned.remove(partition);
            let worker = worker.and_then(|index| inner.workers.get(index));
            if let Some(worker) = worker {
                worker.queue.unforward(partition);
            }
        }
        drop(inner);
        for partition in partitions {
            self.metrics.partition_lost(partition);
            self.status.partition_lost(partition);
        }
    }
}

impl Rebalancer {
    /// Answers an assign callback.
    pub(super) async fn on_assigned(&self, client: &dyn Member, partitions: &[TopicPartition]) {
        info!(partitions = partitions.len(), "partitions were assigned");
        self.metrics.rebalanced();
        self.gate.rebalanced();
        self.gate.membership(client.membership());
        self.reposition().await;
        self.take(client, partitions);
        self.revive(client, partitions).await;
        self.status.assignment_received();
    }

    /// Answers a revoke callback.
    pub(super) async fn on_revoked(
        &self,
        client: &dyn Member,
        partitions: &[TopicPartition],
        lost: bool,
    ) {
        info!(partitions = partitions.len(), lost, "partitions are taken away");
        self.metrics.rebalanced();
        if !lost {
            self.gate.rebalanced();
            self.gate.membership(client.membership());
            self.drain(partitions).await;
        }
        self.let_go(partitions).await;
        self.reposition().await;
        if let Err(error) = client.unassign(partitions) {
            warn!(%error, "partitions could not be given back");
        }
        self.forget(partitions);
        if lost {
            self.gate.rebalanced();
            self.status.assignment_lost();
        }
        self.revive(client, partitions).await;
    }
}

/// The polling thread waits for each.
impl Group for Rebalancer {
    fn assigned(&self, client: Client<'_>, partitions: &[TopicPartition]) {
        self.runtime.block_on(self.on_assigned(&client, partitions));
    }

    fn revoked(&self, client: Client<'_>, partitions: &[TopicPartition], lost: bool) {
        self.runtime.block_on(self.on_revoked(&client, partitions, lost));
    }
}
