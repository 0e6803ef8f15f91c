//! librdkafka as the daemon sees it: fetching, the rebalance calls, commits that are stamped when
//! they are sent.
//!
//! It owns: positions, pauses, what a read gives, the queue of commits that librdkafka's own thread
//! has not sent yet.
//! It does not own: the brokers (`cluster`, `coordinator`), when anything happens (`world`).

mod seat;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::cluster::{Cluster, Entry};
use super::coordinator::{Coordinator, Identity, InstanceId};
use super::dice::Dice;
use super::seen::{Scenario, Seen};
use crate::engine::{CommitRequest, StopReason};
use crate::model::{BatchId, TopicPartition, Uptime};

pub(super) use seat::{Seat, offset};

/// A commit that is not answered for so long is not waited for: the client is made anew.
const PATIENCE: Duration = Duration::from_secs(180);

/// Kafka's side of the world.
#[derive(Debug)]
pub(super) struct Kafka {
    pub(super) cluster: Cluster,
    pub(super) coordinator: Coordinator,
    pub(super) clients: BTreeMap<InstanceId, Client>,
    pub(super) dice: Dice,
    pub(super) now: Uptime,
    pub(super) seen: Seen,
    /// Calls go wrong, so many times of a thousand.
    pub(super) trouble: usize,
    /// Which instance has promised a batch, with which configuration.
    pub(super) planned: BTreeMap<BatchId, (InstanceId, usize)>,
    /// The configuration of each instance.
    pub(super) choices: BTreeMap<InstanceId, usize>,
    /// Partitions whose commits or objects others than the daemons have changed, and how.
    pub(super) tampered: BTreeMap<TopicPartition, &'static str>,
    /// What must never be and was.
    pub(super) violations: Vec<String>,
    /// Partitions that were seen stopped, by whom and why.
    stops: BTreeSet<(InstanceId, TopicPartition, &'static str)>,
}

impl Kafka {
    pub(super) fn new(cluster: Cluster, coordinator: Coordinator, dice: Dice) -> Self {
        Self {
            cluster,
            coordinator,
            clients: BTreeMap::new(),
            dice,
            now: Uptime::ZERO,
            seen: Seen::default(),
            trouble: 0,
            planned: BTreeMap::new(),
            choices: BTreeMap::new(),
            tampered: BTreeMap::new(),
            violations: Vec::new(),
            stops: BTreeSet::new(),
        }
    }

    /// The commit thread hands a request over: of what is assigned only (rule 2).
    pub(super) fn hand_over(&mut self, instance: InstanceId, request: CommitRequest) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(&instance) else { return };
        let mut wrong = Vec::new();
        for entry in &request.entries {
            if !client.fetches.contains_key(&entry.partition) {
                wrong.push(format!("a commit of {} followed its revoke", entry.partition));
            }
            client.unanswered.insert(entry.partition.clone(), now);
        }
        client.commits.push_back(request);
        self.violations.append(&mut wrong);
    }

    pub(super) fn answered(&mut self, instance: InstanceId) {
        if let Some(client) = self.clients.get_mut(&instance) {
            client.unanswered.clear();
        }
    }

    pub(super) fn violated(&mut self, what: String) {
        self.violations.push(what);
    }

    /// Returns the offset and the kind of the next record that the group has not written.
    pub(super) fn next_record(&self, of: &TopicPartition) -> Option<(usize, String)> {
        let (log, from) = (self.cluster.logs.get(of)?, self.coordinator.frontier(of));
        let mut left = log.entries.iter().enumerate().skip(from);
        left.find_map(|(offset, entry)| match entry {
            Entry::Record(Some(value)) => {
                let text = String::from_utf8_lossy(value);
                let kind = text.split('"').nth_back(1).unwrap_or_default().to_owned();
                Some((offset, kind))
            }
            Entry::Record(None) | Entry::Nothing => None,
        })
    }

    /// A partition was seen stopped: only what others have done, or a definite refusal, does that.
    pub(super) fn stopped(&mut self, by: InstanceId, of: &TopicPartition, reason: &StopReason) {
        // A sleeper that wakes up holds an old commit against the claim of its successor, and stops
        // for a moment, until it hears that it has lost the partition.
        if !self.coordinator.is_owner(by, of)
            || !self.stops.insert((by, of.clone(), reason.label()))
        {
            return;
        }
        match reason {
            StopReason::OffsetsLost { .. }
            | StopReason::OffsetsFellBack { .. }
            | StopReason::OffsetsReset { .. } => self.seen.met(Scenario::LostOffsetsFound),
            _ => {}
        }
        let is_refused =
            matches!(reason, StopReason::CommitRefused { .. } | StopReason::UploadsLost { .. });
        if !is_refused && !self.tampered.contains_key(of) {
            self.violated(format!("{of} stopped: {reason}"));
        }
    }

    /// Returns whether a partition was seen stopped.
    pub(super) fn was_stopped(&self, of: &TopicPartition) -> bool {
        self.stops.iter().any(|(_, partition, _)| partition == of)
    }

    /// An object of this batch was published.
    pub(super) fn published(&mut self, by: InstanceId, batch: BatchId) {
        let Some((planner, choice)) = self.planned.get(&batch).copied() else { return };
        if planner != by {
            self.seen.met(Scenario::PlanFinishedByAnother);
            if self.choices.get(&by) != Some(&choice) {
                self.seen.met(Scenario::LayoutChangedUnderPlan);
            }
        }
    }
}

/// Shared by all that stands in librdkafka's place.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Kafka>>);

impl Shared {
    pub(super) fn new(kafka: Kafka) -> Self {
        Self(Arc::new(Mutex::new(kafka)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Kafka> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far one partition is fetched.
#[derive(Debug)]
struct Fetch {
    position: usize,
    /// The end of the log that was told last.
    end_told: Option<usize>,
    /// Out of range: nothing comes any more, and seeks are refused.
    has_ended: bool,
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) identity: Identity,
    fetches: BTreeMap<TopicPartition, Fetch>,
    paused: BTreeSet<TopicPartition>,
    forwards: BTreeMap<TopicPartition, usize>,
    /// Commits that wait for librdkafka's own thread.
    pub(super) commits: VecDeque<CommitRequest>,
    /// What was handed over and is not answered, and since when.
    unanswered: BTreeMap<TopicPartition, Uptime>,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            identity: Identity { member: String::new(), generation: -1 },
            fetches: BTreeMap::new(),
            paused: BTreeSet::new(),
            forwards: BTreeMap::new(),
            commits: VecDeque::new(),
            unanswered: BTreeMap::new(),
        }
    }

    pub(super) fn assigned(&self) -> BTreeSet<TopicPartition> {
        self.fetches.keys().cloned().collect()
    }
}
