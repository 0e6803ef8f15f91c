//! One Kafka client from its first poll to its close.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::parts::{Parts, budget_options, spawn};
use super::reload::{Subscription, reload};
use super::{Control, RunError, START_MAX, Watcher};
use crate::config::{self, Topics};
use crate::daemon::clock::wall;
use crate::daemon::connect::consumer_options;
use crate::daemon::gate::Order;
use crate::daemon::group::WorkerSide;
use crate::daemon::mailbox::Mail;
use crate::daemon::notify::Notify;
use crate::daemon::status::{LoopName, SeenError};
use crate::kafka::ffi::{Membership, WorkerQueue};
use crate::kafka::seat::ClientFetcher;
use crate::kafka::{GroupConsumer, Seen};
use crate::model::{SealReason, Topic, Uptime};

/// One poll; the membership is looked at between polls.
const POLL: Duration = Duration::from_millis(100);
/// Topics by pattern are looked for this often.
const TOPICS_EVERY: Duration = Duration::from_secs(30);
const TOPICS_MAX: Duration = Duration::from_secs(2);
/// Leaving the group, once everything is drained.
const LEAVE_MAX: Duration = Duration::from_secs(10);
/// Topics are looked for again this soon when they could not be listed.
const TOPICS_AGAIN: Duration = Duration::from_secs(1);

/// How a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientEnd {
    Stopped,
    Renew,
}

pub(super) struct ClientRun {
    consumer: GroupConsumer,
    commits: JoinHandle<()>,
    subscribed: Vec<Topic>,
    topics_at: Uptime,
}

impl ClientRun {
    pub(super) fn start(parts: &mut Parts) -> Result<Self, RunError> {
        let name = format!("{:08x}", rand::random::<u32>());
        let settings = parts.settings.get();
        parts.budget.limits_are(budget_options(&settings.limits));
        let options = consumer_options(&settings, name);
        let consumer = GroupConsumer::new(&options, parts.rebalancer.clone())?;
        let client = consumer.handle();
        let no_queue = |_| RunError::Bug { what: "a queue of the client" };
        let now = parts.clock.uptime();
        let mut sides = Vec::new();
        for worker in &parts.workers {
            let queue = WorkerQueue::new(&client).map_err(no_queue)?;
            let side =
                WorkerSide { mailbox: worker.mailbox.clone(), queue: Arc::new(queue.handle()) };
            let fetcher = ClientFetcher { queue, client: client.clone() };
            worker.mailbox.send(Mail::Client(Box::new(fetcher)));
            sides.push(side);
        }
        parts.rebalancer.workers_are(sides, parts.status.loop_started(LoopName::Poll, now));
        parts.settler.client(client.clone());
        let commits = parts.gate.client_is_new(&client).map_err(no_queue)?;
        let gate = Arc::clone(&parts.gate);
        let heartbeat = parts.status.loop_started(LoopName::Commit, now);
        let commits = spawn("sluice-commit", move || {
            let _closed = gate.closed_at_end();
            commits.run(&gate, |now| heartbeat.beat(now));
            heartbeat.finish();
        })?;
        drop(client);
        let mut run = Self { consumer, commits, subscribed: Vec::new(), topics_at: now };
        run.subscribe(parts)?;
        Ok(run)
    }

    /// Subscribes, or changes the subscription if the topics that match the pattern have changed.
    fn subscribe(&mut self, parts: &Parts) -> Result<(), RunError> {
        self.topics_at = parts.clock.uptime().after(TOPICS_EVERY);
        let settings = parts.settings.get();
        let topics = match &settings.kafka.topics {
            Topics::Names(names) => names.clone(),
            Topics::Pattern(pattern) => {
                let all = match self.consumer.topic_names(TOPICS_MAX) {
                    Ok(all) => all,
                    Err(error) => {
                        warn!(%error, "topics could not be listed, it is tried again");
                        self.topics_at = parts.clock.uptime().after(TOPICS_AGAIN);
                        return Ok(());
                    }
                };
                let mut found = settings.kafka.topics.among(all);
                found.sort();
                if found.is_empty() {
                    warn!(pattern = pattern.as_str(), "no topic matches `kafka.topics_regex` yet");
                    self.topics_at = parts.clock.uptime().after(TOPICS_AGAIN * 5);
                    return Ok(());
                }
                found
            }
        };
        if topics != self.subscribed {
            info!(topics = topics.len(), "subscribing");
            self.consumer.subscribe(&topics)?;
            parts.settler.topics(topics.clone());
            self.subscribed = topics;
        }
        Ok(())
    }

    /// Polls until the daemon is asked to stop, or the client has to be made anew.
    pub(super) fn poll(
        &mut self,
        parts: &mut Parts,
        control: &Control,
        notify: &Notify,
        watcher: &dyn Watcher,
    ) -> Result<ClientEnd, RunError> {
        loop {
            if let Some(end) = self.poll_once(parts) {
                return Ok(end);
            }
            if control.is_stopping() {
                self.drain(parts, notify, watcher);
                return Ok(ClientEnd::Stopped);
            }
            if control.take_seal() {
                info!("every open batch is sealed, as was asked");
                for worker in &parts.workers {
                    worker.mailbox.send(Mail::Seal);
                }
            }
            if control.take_try_again() {
                info!("every stopped partition is tried again, as was asked");
                for worker in &parts.workers {
                    worker.mailbox.send(Mail::TryAgain);
                }
            }
            for read in control.take_reloads() {
                if reload(parts, read) == Subscription::Changes {
                    self.subscribe(parts)?;
                }
            }
            let now = parts.clock.uptime();
            self.check(parts, now)?;
            watcher.written(parts.metrics.totals().written_records);
            if now >= self.topics_at
                && matches!(parts.settings.get().kafka.topics, Topics::Pattern(_))
            {
                self.subscribe(parts)?;
            }
        }
    }

    /// One poll, the membership, and what the gate asks for.
    fn poll_once(&mut self, parts: &Parts) -> Option<ClientEnd> {
        parts.rebalancer.beat();
        match self.consumer.poll(POLL) {
            Seen::Nothing => {}
            Seen::Trouble { code, text, remedy } => {
                debug!(code, text, "the client reports trouble and goes on");
                parts.metrics.error_handled("kafka");
                parts.status.error_seen(SeenError::new(wall(), "kafka", &text, remedy));
            }
            Seen::Fatal { code, text } => {
                error!(code, text, "the client cannot go on");
                parts.metrics.error_handled("kafka_fatal");
                return Some(ClientEnd::Renew);
            }
        }
        if self.consumer.is_stale() {
            return Some(ClientEnd::Renew);
        }
        let handle = self.consumer.handle();
        let membership = handle.client().membership();
        show_membership(parts, membership.as_ref());
        parts.gate.membership(membership);
        match parts.gate.take_order() {
            None => None,
            Some(Order::NewClient) => Some(ClientEnd::Renew),
            Some(Order::Resubscribe) => {
                self.consumer.unsubscribe();
                self.poll_until_given_back(parts);
                let topics = std::mem::take(&mut self.subscribed);
                if self.consumer.subscribe(&topics).is_err() {
                    return Some(ClientEnd::Renew);
                }
                self.subscribed = topics;
                None
            }
        }
    }

    fn poll_until_given_back(&self, parts: &Parts) {
        let deadline = parts.clock.uptime().after(LEAVE_MAX);
        while !parts.rebalancer.assigned_partitions().is_empty() && parts.clock.uptime() < deadline
        {
            parts.rebalancer.beat();
            self.consumer.poll(POLL);
        }
    }

    /// What ends the process: threads that died, brokers never reached, everything stopped.
    fn check(&self, parts: &mut Parts, now: Uptime) -> Result<(), RunError> {
        if self.commits.is_finished() {
            return Err(RunError::Bug { what: "the commit thread" });
        }
        if self.consumer.has_lost_its_login() {
            return Err(RunError::Bug { what: "the login thread" });
        }
        if let Some(what) = parts.ended() {
            return Err(RunError::Bug { what });
        }
        if !parts.is_kafka_reached {
            let handle = self.consumer.handle();
            parts.is_kafka_reached = handle.client().cluster_id(Duration::ZERO).is_some();
            if !parts.is_kafka_reached && now.since_start() >= START_MAX {
                return Err(RunError::KafkaUnreached);
            }
        }
        if parts.status.is_all_stopped_as_asked(&parts.rebalancer.assigned_partitions()) {
            return Err(RunError::AllStopped);
        }
        Ok(())
    }

    /// Takes no more records, and lets every batch be finished within `limits.drain`.
    fn drain(&mut self, parts: &mut Parts, notify: &Notify, watcher: &dyn Watcher) {
        info!("draining: open batches are sealed, planned, published and committed");
        parts.status.drain_started();
        notify.stopping();
        let partitions = parts.rebalancer.assigned_partitions();
        let mut draining = parts.rebalancer.start_draining(&partitions, SealReason::Shutdown);
        let deadline = parts.clock.uptime().after(parts.settings.get().limits.drain);
        while !draining.is_over() && parts.clock.uptime() < deadline {
            if self.poll_once(parts).is_some() {
                return;
            }
            watcher.written(parts.metrics.totals().written_records);
        }
        parts.rebalancer.drained();
        if !draining.is_over() {
            warn!("`limits.drain` is over: what is not finished is finished at the next start");
        }
    }

    /// Leaves the group and closes the client, once every thread has let go of it.
    pub(super) fn end(self, parts: &mut Parts) {
        self.consumer.unsubscribe();
        self.poll_until_given_back(parts);
        for worker in &parts.workers {
            let (done, gone) = sync_channel(1);
            worker.mailbox.send(Mail::ClientGone { done });
            gone.recv().ok();
        }
        parts.settler.client_gone();
        parts.gate.close();
        if self.commits.join().is_err() {
            warn!("the commit thread ended by a bug");
        }
        drop(self.consumer);
        parts.rebalancer.workers_gone();
    }
}

/// What the status says of the group. Under KIP-848 librdkafka (2.12, `rdkafka_cgrp.c`) makes no callback for a first assignment that is empty, so being a member is
/// what counts; a classic group always answers with a callback.
fn show_membership(parts: &Parts, membership: Option<&Membership>) {
    let member = membership.filter(|found| !found.member_id.is_empty() && found.generation > 0);
    let Some(member) = member else {
        parts.status.assignment_lost();
        return parts.status.member_is("not in the group");
    };
    if parts.settings.get().kafka.protocol == config::Protocol::Consumer {
        parts.status.assignment_received();
    }
    parts.status.member_is(&format!("in the group, generation {}", member.generation));
}
