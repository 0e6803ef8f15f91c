//! Where partitions start: asks Kafka and the claims, on a thread of its own, and tells the worker.
//!
//! It owns: the questions that block (topic ids, members, committed offsets, log ends), the group
//! object of `start = "latest"`, watching for topics that are created anew.
//! It does not own: the decision (`engine::settle`), pins and claims that are written (the worker).
//!
//! Nothing is given up: what cannot be asked now is asked again, as long as the token lives.

mod ask;
mod decide;
mod edges;
mod latest;
mod look;
mod orders;
mod silence;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use tracing::warn;

use super::clock::Clock;
use super::gate::Gate;
use super::live::Live;
use super::mailbox::{Mail, Mailbox};
use super::run::Brokers;
use super::said::Said;
use super::stores::Stores;
use crate::engine::{Address, CommittedOffset, Places, Source, StopReason, Verdict};
use crate::kafka::admin::{Admin, is_denied};
use crate::kafka::ffi::{ClientHandle, Committed, ErrorCode};
use crate::model::{ClusterId, GroupId, Offset, TopicId, TopicPartition, Uptime};
use crate::s3::{Claim, Claims, Etag};

use decide::{Asked, decide};
use edges::Together;
pub(super) use orders::{AskEnd, Look, Order, Request, Settler};
use silence::Silence;

/// One question to the brokers.
const ASK: Duration = Duration::from_secs(10);
/// Between two tries of what could not be answered.
const RETRY: Duration = Duration::from_secs(1);
/// Partitions of one assignment come one by one; so long a silence ends them. What is asked about many
/// costs as much as what is asked about one.
const GATHER: Duration = Duration::from_millis(20);
const GATHER_MAX: Duration = Duration::from_millis(500);
/// One round of questions; behind it other orders are looked at.
const ROUND_MAX: Duration = Duration::from_secs(10);
/// Rule 9: topic ids are compared while running.
const WATCH: Duration = Duration::from_secs(60);
/// More orders than this wait at the sender.
const ORDERS_MAX: usize = 16_384;

/// What settling found, for the worker to carry out.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) source: Source,
    pub(super) verdict: Verdict,
    /// The claim as it stands.
    pub(super) claim: Option<(Claim, Etag)>,
}

/// What the thread needs to know.
#[derive(Clone, Debug)]
pub(super) struct SettlerOptions {
    pub(super) group: GroupId,
    pub(super) claims_prefix: String,
    pub(super) starts_at_end: bool,
    pub(super) brokers: Brokers,
    pub(super) settings: Live,
}

/// A partition whose topic id is compared each minute.
#[derive(Debug)]
struct Watched {
    address: Address,
    topic_id: TopicId,
    mailbox: Mailbox,
}

/// The thread's own.
#[derive(Debug)]
pub(super) struct SettlerLoop {
    orders: Receiver<Order>,
    options: SettlerOptions,
    gate: Arc<Gate>,
    stores: Arc<Stores>,
    clock: Clock,
    client: Option<ClientHandle>,
    cluster: Option<ClusterId>,
    waiting: Vec<Request>,
    out_of_range: Vec<(Address, TopicPartition, Mailbox)>,
    /// The newest question of each idle partition.
    idle: BTreeMap<Address, AskEnd>,
    watched: BTreeMap<TopicPartition, Watched>,
    /// As it was when topics were looked at last.
    leaderless: BTreeSet<TopicPartition>,
    look_at: Uptime,
    /// Until then no question is asked about many partitions at once.
    one_by_one_until: Uptime,
    /// Questions about many partitions that failed in turn.
    unanswered_together: u32,
    /// Until then nobody is asked where idle logs end.
    no_ends_until: Uptime,
    latest: latest::Latest,
    said: Said,
    silence: Silence,
}

impl SettlerLoop {
    pub(super) fn new(
        options: SettlerOptions,
        gate: Arc<Gate>,
        stores: Arc<Stores>,
        clock: Clock,
    ) -> (Settler, Self) {
        let (sender, orders) = sync_channel(ORDERS_MAX);
        let thread = Self {
            orders,
            options,
            gate,
            stores,
            clock,
            client: None,
            cluster: None,
            waiting: Vec::new(),
            out_of_range: Vec::new(),
            idle: BTreeMap::new(),
            leaderless: BTreeSet::new(),
            no_ends_until: Uptime::ZERO,
            watched: BTreeMap::new(),
            look_at: Uptime::ZERO.after(WATCH),
            one_by_one_until: Uptime::ZERO,
            unanswered_together: 0,
            latest: latest::Latest::default(),
            said: Said::default(),
            silence: Silence::default(),
        };
        (Settler::new(sender), thread)
    }

    /// Runs until it is stopped.
    pub(super) fn run(mut self) {
        loop {
            let is_idle = self.waiting.is_empty() && self.out_of_range.is_empty();
            let wait = if is_idle { WATCH } else { RETRY };
            let wait = wait.min(self.look_at.since(self.clock.uptime()).max(RETRY));
            match self.orders.recv_timeout(wait) {
                Ok(order) => {
                    if !self.take(order) {
                        return;
                    }
                    let until = self.clock.uptime().after(GATHER_MAX);
                    while self.clock.uptime() < until
                        && let Ok(order) = self.orders.recv_timeout(GATHER)
                    {
                        if !self.take(order) {
                            return;
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.settle_waiting();
            self.tell_watermarks();
            self.tell_idle_ends();
            if self.clock.uptime() >= self.look_at {
                self.look_at_topics();
            }
        }
    }

    fn take(&mut self, order: Order) -> bool {
        match order {
            Order::Client(client) => self.client = Some(client),
            Order::ClientGone { done } => {
                // The next client's servers may have become another cluster's.
                (self.client, self.cluster) = (None, None);
                self.silence.answered();
                self.waiting.clear();
                self.out_of_range.clear();
                self.idle.clear();
                self.watched.clear();
                done.send(()).ok();
            }
            Order::Settle(request) => self.waiting.push(*request),
            Order::Watermarks { address, partition, mailbox } => {
                self.out_of_range.push((address, partition, mailbox));
            }
            Order::LogEnd(ask) => drop(self.idle.insert(ask.address, *ask)),
            Order::Look(look) => self.look(*look),
            Order::Topics(topics) => self.latest.topics_are(topics),
            Order::LookAtTopics => self.look_at = self.clock.uptime(),
            Order::Stop => return false,
        }
        true
    }

    fn admin(&self) -> Option<Admin> {
        self.client.as_ref().map(|client| Admin::new(client, ASK))
    }

    /// Settles what waits, all in one go; what cannot be answered now stays.
    fn settle_waiting(&mut self) {
        self.waiting.retain(|request| self.gate.is_alive(request.address));
        if self.waiting.is_empty() {
            return;
        }
        let Some(admin) = self.admin() else { return };
        if self.cluster.is_none() {
            self.cluster = admin.cluster_id();
        }
        let Some(cluster) = self.cluster.clone() else {
            if self.said.may_say("cluster id") {
                warn!("the cluster's id is not known yet, partitions wait");
            }
            return;
        };
        let (topics, foreign) = match self.ask(&admin) {
            Ok(answers) => answers,
            Err(error) => return self.unanswered(&error),
        };
        let starts = self.log_starts(&admin);
        let until = self.clock.uptime().after(ROUND_MAX);
        let mut unasked = Vec::new();
        for request in std::mem::take(&mut self.waiting) {
            if self.clock.uptime() >= until {
                unasked.push(request);
                continue;
            }
            if let Some(client_id) = &foreign {
                refuse(request, StopReason::ForeignMember { client_id: client_id.clone() });
                continue;
            }
            match topics.get(&request.partition.topic) {
                Some(Ok(description)) => {
                    let (partition, topic_id) = (request.partition.clone(), description.id);
                    let source = Source { cluster: cluster.clone(), partition, topic_id };
                    if let Some(unanswered) = self.settle_one((&admin, &starts), source, request) {
                        self.waiting.push(unanswered);
                    }
                }
                Some(Err(code)) if is_denied(*code) => {
                    let reason = not_allowed(&request, *code);
                    refuse(request, reason);
                }
                Some(Err(code)) => {
                    let topic = &request.partition.topic;
                    if self.said.may_say(topic.as_str()) {
                        warn!(%topic, %code, "the topic cannot be described yet");
                    }
                    self.waiting.push(request);
                }
                None => self.waiting.push(request),
            }
        }
        // Who was not asked goes before who did not answer.
        unasked.append(&mut self.waiting);
        self.waiting = unasked;
    }

    /// Gathers what is known of one partition and hands it on to read the claim; returns it if
    /// Kafka did not answer.
    fn settle_one(
        &mut self,
        (admin, starts): (&Admin, &Together<Offset>),
        source: Source,
        request: Request,
    ) -> Option<Request> {
        let committed = match &request.committed {
            Some(committed) => committed.clone(),
            None => match self.ask_committed(&request.partition) {
                Some(committed) => committed,
                None => return Some(request),
            },
        };
        let start = match committed.offset {
            Some(offset) => offset,
            None => match self.first_start((admin, starts), &source) {
                Some(start) => start,
                None => return Some(request),
            },
        };
        let Request { address, partition, mailbox, .. } = request;
        let (topic_id, mail) = (source.topic_id, mailbox.clone());
        self.watched.insert(partition, Watched { address, topic_id, mailbox: mail });
        let committed =
            committed.offset.map(|offset| CommittedOffset { offset, metadata: committed.metadata });
        let (stores, gate) = (Arc::clone(&self.stores), Arc::clone(&self.gate));
        let facts = KafkaFacts { source, committed, start };
        let decision = decide_from(stores, facts, self.options.clone());
        self.stores.runtime().spawn(async move {
            if let Some(result) = decision.await.filter(|_| gate.is_alive(address)) {
                mailbox.send(Mail::Settled { address, result: Box::new(result) });
            }
        });
        None
    }

    fn ask_committed(&self, partition: &TopicPartition) -> Option<Committed> {
        let client = self.client.as_ref()?;
        match client.client().committed(std::slice::from_ref(partition), ASK) {
            Ok(found) => found.into_iter().find(|found| found.error.is_none()),
            Err(error) => {
                if self.said.may_say("committed") {
                    warn!(%partition, %error, "the committed offset could not be read, it is tried again");
                }
                None
            }
        }
    }

    /// Where a partition starts that the group has never committed for.
    fn first_start(
        &mut self,
        (admin, starts): (&Admin, &Together<Offset>),
        source: &Source,
    ) -> Option<Offset> {
        let ask = || admin.watermarks(&source.partition).map(|at| at.low);
        let low = match starts.of(&source.partition, ask)? {
            Ok(low) => low,
            Err(error) => {
                if self.said.may_say("log start") {
                    warn!(partition = %source.partition, %error, "the log's start is not known yet");
                }
                return None;
            }
        };
        if !self.options.starts_at_end {
            return Some(low);
        }
        let ask = latest::Ask { admin, client: self.client.as_ref()?, stores: &self.stores };
        let named = self.latest.end_of(&self.options, ask, source)?;
        Some(named.map_or(low, |end| end.max(low)))
    }
}

/// What Kafka says of a partition.
#[derive(Clone, Debug)]
pub(super) struct KafkaFacts {
    pub(super) source: Source,
    pub(super) committed: Option<CommittedOffset>,
    /// Where it begins if nobody has committed for it.
    pub(super) start: Offset,
}

/// Reads the claim and decides; none if the process ends.
pub(super) async fn decide_from(
    stores: Arc<Stores>,
    facts: KafkaFacts,
    options: SettlerOptions,
) -> Option<Result<Settlement, StopReason>> {
    let KafkaFacts { source, committed, start } = facts;
    let layout = options.settings.get().for_topic(&source.partition.topic).layout;
    let places = Places {
        prefix: layout.prefix.clone(),
        quarantine_prefix: layout.quarantine_prefix.clone(),
    };
    match Claims::new(&options.claims_prefix, &source.cluster, &options.group) {
        Ok(claims) => decide(&stores, &claims, Asked { source, committed, start, places }).await,
        Err(error) => {
            let (key, found) = ("s3.claims_prefix".to_owned(), error.to_string());
            Some(Err(StopReason::Claim { key, found }))
        }
    }
}

fn not_allowed(request: &Request, code: ErrorCode) -> StopReason {
    StopReason::NotAllowed { topic: request.partition.topic.to_string(), code: code.name() }
}

fn refuse(request: Request, reason: StopReason) {
    let result = Box::new(Err(reason));
    request.mailbox.send(Mail::Settled { address: request.address, result });
}

#[cfg(test)]
mod tests;
