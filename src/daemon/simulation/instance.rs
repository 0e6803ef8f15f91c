//! One daemon: its gate, rebalancer, workers and uploads, with models in place of its edges.
//!
//! It owns: what the polling thread, the commit thread and the settling thread of a real daemon do
//! between their waits. It does not own: when they do it (`world`).

mod settling;
mod workers;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::bucket::{Reach, S3};
use super::client::{Client, Seat, Shared};
use super::coordinator::{InstanceId, Todo};
use super::seen::Scenario;
use super::wire::Wire;
use crate::config::Settings;
use crate::daemon::budget::{Budget, BudgetOptions};
use crate::daemon::clock::Clock;
use crate::daemon::connect::protocol;
use crate::daemon::gate::{Gate, Order as GateOrder};
use crate::daemon::group::{Draining, Rebalancer, Waits, WorkerSide};
use crate::daemon::live::Live;
use crate::daemon::mailbox::{Mail, Mailbox};
use crate::daemon::metrics::{Metrics, PartitionSeries};
use crate::daemon::observe::StoreObserver;
use crate::daemon::settler::{Order, Request, Settler};
use crate::daemon::status::{LoopName, Status};
use crate::daemon::stores::Stores;
use crate::daemon::worker::{Surroundings, Worker};
use crate::engine::Partition;
use crate::kafka::seat::Member;
use crate::model::{SealReason, Timestamp, TopicPartition, Uptime};
use crate::s3::{Canceller, Retry, UploadObserver, Uploads, UploadsTask, cancellation};

use workers::start_workers;

/// Requests to S3 at once.
const REQUESTS_MAX: usize = 4;
/// Rule 9: topic ids are compared this often.
const WATCH: Duration = Duration::from_secs(60);

/// What comes when the group was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Rejoin,
    Renew,
    Stop,
}

/// An orderly stop.
#[derive(Debug)]
struct Stopping {
    draining: Draining,
    deadline: Uptime,
    is_over: bool,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) is_asleep: bool,
    /// It has stopped as it was asked to.
    pub(super) has_stopped: bool,
    kafka: Shared,
    settings: Live,
    clock: Clock,
    gate: Arc<Gate>,
    rebalancer: Arc<Rebalancer>,
    pub(super) workers: Vec<Worker>,
    mailboxes: Vec<Mailbox>,
    stores: Arc<Stores>,
    orders: Receiver<Order>,
    requests: Vec<Request>,
    /// Whose topic ids are compared: those that were settled.
    watched: Vec<(TopicPartition, crate::model::TopicId, Mailbox)>,
    watch_at: Uptime,
    status: Status,
    callback: Option<JoinHandle<()>>,
    leaving: Option<Leaving>,
    stopping: Option<Stopping>,
    was_frozen: bool,
    uploads: Option<UploadsTask>,
    _canceller: Canceller,
}

/// What an instance is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) id: InstanceId,
    pub(super) settings: Arc<Settings>,
    pub(super) kafka: Shared,
    pub(super) s3: S3,
    pub(super) wall: Timestamp,
    pub(super) memory_bytes: u64,
    pub(super) seed: u64,
}

impl Instance {
    pub(super) fn start(parts: Parts) -> Self {
        let Parts { id, settings, kafka, s3, wall, memory_bytes, seed } = parts;
        let runtime = tokio::runtime::Handle::current();
        let clock = Clock::simulated(wall);
        let metrics = Metrics::new(PartitionSeries::Hidden).expect("the table of metrics is whole");
        let status = Status::new();
        let observer = StoreObserver { metrics: metrics.clone(), status: status.clone(), clock };
        let observer: Arc<dyn UploadObserver> = Arc::new(observer);
        let (canceller, cancelled) = cancellation();
        let retry = Retry::new(Arc::clone(&observer), cancelled).jittered_by(|| 0.5);
        let (bucket, endpoint) = (&settings.s3.bucket, settings.s3.endpoint.clone());
        let told = (retry, Arc::clone(&observer));
        let reach = Box::new(Reach { s3, instance: id });
        let stores = Arc::new(Stores::new(runtime.clone(), reach, bucket, endpoint, told));
        let (uploads, task) = Uploads::start(&runtime, observer, stores.retry(), REQUESTS_MAX);
        let gate = Gate::new(protocol(settings.kafka.protocol), clock, metrics.clone());
        let interval = settings.kafka.poll_interval;
        let waits = (Waits::new(settings.limits.drain, interval), runtime);
        let told = (metrics.clone(), status.clone());
        let rebalancer = Rebalancer::new(Arc::clone(&gate), waits, clock, told);
        let (sender, orders) = sync_channel(1_000);
        let live = Live::new(Arc::clone(&settings));
        let around = Surroundings {
            settings: live.clone(),
            clock,
            gate: Arc::clone(&gate),
            settler: Settler::new(sender),
            uploads,
            stores: Arc::clone(&stores),
            budget: Budget::new(BudgetOptions {
                // Half of it is used, since nobody looks at the memory of this process.
                limit_bytes: 2 * memory_bytes,
                prefetch_bytes: 0,
                upload_bytes: 0,
                objects_max: 10_000,
            }),
            metrics,
            status: status.clone(),
            frame_bytes: 64,
        };
        let (workers, mailboxes) = start_workers(&around, seed);
        let mut instance = Self {
            id,
            is_asleep: false,
            has_stopped: false,
            kafka,
            settings: live,
            clock,
            gate,
            rebalancer,
            workers,
            mailboxes,
            stores,
            orders,
            requests: Vec::new(),
            watched: Vec::new(),
            watch_at: Uptime::ZERO.after(WATCH),
            status,
            callback: None,
            leaving: None,
            stopping: None,
            was_frozen: false,
            uploads: Some(task),
            _canceller: canceller,
        };
        instance.begin_client();
        instance
    }

    /// Its file was read again.
    pub(super) fn reload(&self, settings: Arc<Settings>) {
        self.settings.set(settings);
        for mailbox in &self.mailboxes {
            mailbox.send(Mail::SettingsChanged);
        }
    }

    /// Returns whether these settings could become its own while it runs.
    pub(super) fn may_reload(&self, settings: &Settings) -> bool {
        self.settings.get().s3 == settings.s3
    }

    fn seat(&self, worker: usize) -> Seat {
        Seat { kafka: self.kafka.clone(), instance: self.id, worker }
    }

    fn begin_client(&mut self) {
        self.kafka.lock().clients.insert(self.id, Client::new());
        let mut sides = Vec::new();
        for (worker, mailbox) in self.mailboxes.iter().enumerate() {
            let queue = Arc::new(self.seat(worker));
            sides.push(WorkerSide { mailbox: mailbox.clone(), queue });
            mailbox.send(Mail::Client(Box::new(self.seat(worker))));
        }
        let heartbeat = self.status.loop_started(LoopName::Poll, self.clock.uptime());
        self.rebalancer.workers_are(sides, heartbeat);
        self.gate.begin_anew();
    }

    /// Whether everything of it is done for now.
    pub(super) fn is_in_callback(&self) -> bool {
        self.callback.is_some()
    }

    /// One round of one worker.
    pub(super) fn turn(&mut self, worker: usize) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.turn();
            let mut kafka = self.kafka.lock();
            for looked in worker.look() {
                if looked.machine.is_some_and(Partition::is_in_passes) {
                    kafka.seen.met(Scenario::ReplayInPasses);
                }
                if let Some(reason) = looked.stopped {
                    kafka.stopped(self.id, looked.partition, reason);
                }
            }
        }
    }

    /// The commit thread: hands the next request to the client.
    pub(super) fn commit(&self) {
        let kafka = self.kafka.clone();
        self.gate.send_next(self.clock.uptime(), |request| {
            kafka.lock().hand_over(self.id, request);
            Ok(())
        });
    }

    pub(super) fn take_answer(&self, answer: &crate::engine::CommitAnswer) {
        self.kafka.lock().answered(self.id);
        self.gate.take_answer(self.clock.uptime(), answer);
    }

    /// The polling thread: callbacks, the membership, orders, an orderly stop.
    pub(super) fn poll(&mut self) {
        if self.callback.as_ref().is_some_and(|callback| !callback.is_finished()) {
            return;
        }
        if self.callback.take().is_some()
            && let Some(leaving) = self.leaving.take()
        {
            return self.left(leaving);
        }
        self.gate.membership(self.seat(0).membership());
        let is_frozen = self.gate.is_frozen();
        if self.was_frozen && !is_frozen {
            self.kafka.lock().seen.met(Scenario::FreezeAndThaw);
        }
        self.was_frozen = is_frozen;
        match self.gate.take_order() {
            Some(GateOrder::Resubscribe) => return self.leave(Leaving::Rejoin),
            Some(GateOrder::NewClient) => return self.leave(Leaving::Renew),
            None => {}
        }
        if let Some(stopping) = &mut self.stopping
            && !stopping.is_over
            && (stopping.draining.is_over() || self.clock.uptime() >= stopping.deadline)
        {
            stopping.is_over = true;
            self.rebalancer.drained();
            return self.leave(Leaving::Stop);
        }
        self.heartbeat();
    }

    fn heartbeat(&mut self) {
        let todo = {
            let mut kafka = self.kafka.lock();
            let kafka = &mut *kafka;
            let partitions = kafka.cluster.partitions();
            let Some(client) = kafka.clients.get_mut(&self.id) else { return };
            let assigned = client.assigned();
            let (coordinator, dice) = (&mut kafka.coordinator, &mut kafka.dice);
            if client.identity.member.is_empty() {
                client.identity = coordinator.join(self.id, kafka.now, &partitions, dice);
                return;
            }
            coordinator.heartbeat(&mut client.identity, &assigned, &partitions, dice)
        };
        match todo {
            Todo::Nothing => {}
            Todo::Assign(partitions) => self.call_back(move |rebalancer, seat| async move {
                rebalancer.on_assigned(&seat, &partitions).await;
            }),
            Todo::Revoke(partitions) => self.revoke(partitions, false),
            Todo::Lost => {
                let assigned = self.assigned();
                if !assigned.is_empty() {
                    self.revoke(assigned, true);
                }
            }
        }
    }

    fn assigned(&self) -> Vec<TopicPartition> {
        let kafka = self.kafka.lock();
        kafka.clients.get(&self.id).into_iter().flat_map(Client::assigned).collect()
    }

    fn revoke(&mut self, partitions: Vec<TopicPartition>, lost: bool) {
        self.call_back(move |rebalancer, seat| async move {
            rebalancer.on_revoked(&seat, &partitions, lost).await;
        });
    }

    fn call_back<F: Future<Output = ()> + 'static>(
        &mut self,
        work: impl FnOnce(Arc<Rebalancer>, Seat) -> F,
    ) {
        let work = work(Arc::clone(&self.rebalancer), self.seat(0));
        self.callback = Some(tokio::task::spawn_local(work));
    }

    /// Leaves the group: everything is given back first.
    fn leave(&mut self, leaving: Leaving) {
        self.leaving = Some(leaving);
        let assigned = self.assigned();
        if assigned.is_empty() {
            self.leaving = None;
            return self.left(leaving);
        }
        self.revoke(assigned, false);
    }

    fn left(&mut self, leaving: Leaving) {
        {
            let mut kafka = self.kafka.lock();
            let kafka = &mut *kafka;
            let partitions = kafka.cluster.partitions();
            if let Some(client) = kafka.clients.get_mut(&self.id) {
                let identity = std::mem::replace(&mut client.identity, Client::new().identity);
                kafka.coordinator.leave(&identity.member, &partitions, &mut kafka.dice);
            }
        }
        match leaving {
            Leaving::Rejoin => {}
            Leaving::Renew => {
                self.end_client();
                self.begin_client();
            }
            Leaving::Stop => {
                self.end_client();
                if let Some(uploads) = self.uploads.take() {
                    tokio::spawn(uploads.close(Duration::from_secs(5)));
                }
                self.has_stopped = true;
            }
        }
    }

    fn end_client(&mut self) {
        let (done, _gone) = sync_channel(self.mailboxes.len());
        for mailbox in &self.mailboxes {
            mailbox.send(Mail::ClientGone { done: done.clone() });
        }
        for worker in &mut self.workers {
            worker.turn();
        }
        self.requests.clear();
        self.watched.clear();
        while self.orders.try_recv().is_ok() {}
        self.gate.close();
        self.rebalancer.workers_gone();
        self.kafka.lock().clients.remove(&self.id);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// SIGTERM.
    pub(super) fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        let partitions = self.rebalancer.assigned_partitions();
        let draining = self.rebalancer.start_draining(&partitions, SealReason::Shutdown);
        let deadline = self.clock.uptime().after(self.settings.get().limits.drain);
        self.stopping = Some(Stopping { draining, deadline, is_over: false });
    }

    /// SIGUSR1.
    pub(super) fn seal(&self) {
        for mailbox in &self.mailboxes {
            mailbox.send(Mail::Seal);
        }
    }

    /// The process dies.
    pub(super) fn die(self, s3: &S3, wire: &mut Wire) {
        s3.is_gone(self.id);
        wire.client_is_gone(self.id);
        self.kafka.lock().clients.remove(&self.id);
        if let Some(callback) = &self.callback {
            callback.abort();
        }
    }
}
