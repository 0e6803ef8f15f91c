//! What the daemon says of itself at this moment: written by its threads, read by HTTP and systemd.
//!
//! It owns: the facts shown, the rules of healthy and ready, the bounds of what is remembered.
//! It does not own: numbers that only grow (`metrics`), HTML, HTTP.
//!
//! One short lock; a beat of a loop takes none. Nothing here decides anything for the pipeline.

mod errors;
mod heartbeat;
mod partition;
mod rate;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{Timestamp, Topic, TopicPartition, Uptime};

pub use errors::{ERRORS_MAX, SeenError};
pub use heartbeat::{Heartbeat, LoopName};
pub use partition::{PartitionRow, Stopped};
pub use rate::COURSE;

use errors::Errors;
use heartbeat::Beats;
use rate::RateMeter;

/// A loop that has not gone round for this long is stuck: it goes round at least each second, and
/// the longest single step (a record of 100 MB compressed on a busy machine) takes a few.
pub const PROGRESS_WITHIN: Duration = Duration::from_secs(30);

/// Whether S3 answered when it was asked last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    NotAsked,
    Reached,
    /// What was answered instead, and since when.
    Failing {
        since: Uptime,
        why: Arc<str>,
    },
}

/// Whether the loops make progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Moving,
    /// Each loop that is stuck, and for how long.
    Stuck(Vec<(LoopName, Duration)>),
}

/// Whether the daemon does its work, or the first reason why it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    Draining,
    Unassigned { member: Arc<str> },
    StoreUnreached { reach: Reach },
}

#[derive(Debug)]
struct Facts {
    member: Arc<str>,
    assigned: bool,
    draining: bool,
    store: Reach,
    /// When S3 said something last.
    store_heard: Uptime,
    rows: BTreeMap<TopicPartition, PartitionRow>,
    errors: Errors,
    rate: RateMeter,
}

/// The shared state. Cheap to clone; clones are one state.
#[derive(Clone, Debug)]
pub struct Status {
    facts: Arc<Mutex<Facts>>,
    beats: Beats,
}

/// What the page shows, taken at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub health: Health,
    pub readiness: Readiness,
    pub member: Arc<str>,
    pub store: Reach,
    /// The worst first: stopped, then by lag.
    pub rows: Vec<(TopicPartition, PartitionRow)>,
    pub partitions: PartitionSums,
    /// The same by topic.
    pub topics: BTreeMap<Topic, PartitionSums>,
    /// The newest first.
    pub errors: Vec<SeenError>,
    pub records_per_second: Option<f64>,
    /// Records per second in spans of the last minutes, the oldest first, with how long ago each
    /// span ended.
    pub course: Vec<(Duration, f64)>,
}

/// Sums over all partitions, also those without a row in the snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionSums {
    pub held: usize,
    pub stopped: usize,
    /// Of the partitions whose lag is known.
    pub lag: u64,
    pub open_records: u64,
    pub open_bytes: u64,
    /// The longest wait of a record to be in S3, as far as it is known.
    pub behind_s: Option<u64>,
}

impl PartitionSums {
    fn add(&mut self, row: &PartitionRow, wall: Timestamp) {
        self.behind_s = self.behind_s.max(row.behind_s(wall));
        self.held += 1;
        self.stopped += usize::from(row.stopped.is_some());
        self.lag = self.lag.saturating_add(row.lag().unwrap_or(0));
        self.open_records = self.open_records.saturating_add(row.open_records);
        self.open_bytes = self.open_bytes.saturating_add(row.open_bytes);
    }
}

impl Default for Status {
    fn default() -> Self {
        Self::new()
    }
}

impl Status {
    pub fn new() -> Self {
        let facts = Facts {
            member: "starting".into(),
            assigned: false,
            draining: false,
            store: Reach::NotAsked,
            store_heard: Uptime::ZERO,
            rows: BTreeMap::new(),
            errors: Errors::default(),
            rate: RateMeter::default(),
        };
        Self { facts: Arc::new(Mutex::new(facts)), beats: Beats::default() }
    }

    /// Watches a loop from now on; it must beat at least every `PROGRESS_WITHIN`. A new loop of the
    /// same name replaces the old.
    pub fn loop_started(&self, name: LoopName, now: Uptime) -> Heartbeat {
        self.beats.started(name, now)
    }

    /// Says where the member of the group stands, in a few words.
    pub fn member_is(&self, member: &str) {
        self.lock().member = member.into();
    }

    /// The group answered with an assignment, which may be empty.
    pub fn assignment_received(&self) {
        self.lock().assigned = true;
    }

    pub fn assignment_lost(&self) {
        self.lock().assigned = false;
    }

    pub fn store_answered(&self, now: Uptime) {
        let mut facts = self.lock();
        (facts.store, facts.store_heard) = (Reach::Reached, now);
    }

    /// S3 could not be reached or refused; the time of the first failure in a row is kept.
    pub fn store_failed(&self, now: Uptime, why: &str) {
        let mut facts = self.lock();
        let since = match &facts.store {
            Reach::Failing { since, .. } => *since,
            Reach::NotAsked | Reach::Reached => now,
        };
        (facts.store, facts.store_heard) = (Reach::Failing { since, why: why.into() }, now);
    }

    /// Returns for how long no request to S3 has ended, well or not.
    pub fn store_silent_for(&self, now: Uptime) -> Duration {
        now.since(self.lock().store_heard)
    }

    pub fn drain_started(&self) {
        self.lock().draining = true;
    }

    /// Replaces the rows of the given partitions; one call for all that a worker owns.
    pub fn partitions_are(&self, rows: impl IntoIterator<Item = (TopicPartition, PartitionRow)>) {
        self.lock().rows.extend(rows);
    }

    pub fn partition_lost(&self, partition: &TopicPartition) {
        self.lock().rows.remove(partition);
    }

    /// Returns whether partitions are held and a setting of the user has stopped every one; not one
    /// of which nothing was told yet.
    pub fn is_all_stopped_as_asked(&self, held: &[TopicPartition]) -> bool {
        let facts = self.lock();
        let is_asked = |row: &PartitionRow| row.stopped.as_ref().is_some_and(|at| at.was_asked_for);
        !held.is_empty() && held.iter().all(|at| facts.rows.get(at).is_some_and(is_asked))
    }

    /// Keeps the error for the page; one that is there already is counted and moves to the front.
    pub fn error_seen(&self, error: SeenError) {
        self.lock().errors.push(error);
    }

    /// Notes how many records were written in all, for the rate of the last minute. Called about
    /// once a second.
    pub fn records_written(&self, now: Uptime, total: u64) {
        self.lock().rate.note(now, total);
    }

    pub fn health(&self, now: Uptime) -> Health {
        let stuck = self.beats.silent_for(now, PROGRESS_WITHIN);
        if stuck.is_empty() { Health::Moving } else { Health::Stuck(stuck) }
    }

    pub fn readiness(&self) -> Readiness {
        self.lock().readiness()
    }

    /// Returns one line for `systemctl status`.
    pub fn line(&self) -> String {
        let facts = self.lock();
        let PartitionSums { held, stopped, lag, .. } = facts.sums(super::clock::wall());
        let stopped = if stopped == 0 { String::new() } else { format!(", {stopped} stopped") };
        let partitions = format!("{held} partitions{stopped}, lag {lag}");
        match facts.readiness() {
            Readiness::Ready => partitions,
            not_ready @ (Readiness::Draining
            | Readiness::Unassigned { .. }
            | Readiness::StoreUnreached { .. }) => format!("{not_ready}; {partitions}"),
        }
    }

    /// Returns everything, with at most `rows_max` partitions.
    pub fn snapshot(&self, (now, wall): (Uptime, Timestamp), rows_max: usize) -> Snapshot {
        let health = self.health(now);
        let facts = self.lock();
        let mut rows: Vec<_> = facts.rows.iter().collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse((row.stopped.is_some(), row.lag())));
        rows.truncate(rows_max);
        Snapshot {
            health,
            readiness: facts.readiness(),
            member: Arc::clone(&facts.member),
            store: facts.store.clone(),
            rows: rows.into_iter().map(|(name, row)| (name.clone(), row.clone())).collect(),
            partitions: facts.sums(wall),
            topics: facts.sums_by_topic(wall),
            errors: facts.errors.newest_first(),
            records_per_second: facts.rate.per_second(now),
            course: facts.rate.course(now),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn readiness(&self) -> Readiness {
        if self.draining {
            return Readiness::Draining;
        }
        if !self.assigned {
            return Readiness::Unassigned { member: Arc::clone(&self.member) };
        }
        match &self.store {
            Reach::Reached => Readiness::Ready,
            reach @ (Reach::NotAsked | Reach::Failing { .. }) => {
                Readiness::StoreUnreached { reach: reach.clone() }
            }
        }
    }

    fn sums(&self, wall: Timestamp) -> PartitionSums {
        let mut sums = PartitionSums::default();
        for row in self.rows.values() {
            sums.add(row, wall);
        }
        sums
    }

    fn sums_by_topic(&self, wall: Timestamp) -> BTreeMap<Topic, PartitionSums> {
        let mut all: BTreeMap<Topic, PartitionSums> = BTreeMap::new();
        for (partition, row) in &self.rows {
            match all.get_mut(&partition.topic) {
                Some(sums) => sums.add(row, wall),
                None => all.entry(partition.topic.clone()).or_default().add(row, wall),
            }
        }
        all
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Moving => formatter.write_str("every loop makes progress"),
            Self::Stuck(loops) => {
                formatter.write_str("no progress:")?;
                for (index, (name, silent)) in loops.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(formatter, "{comma} {name} for {} s", silent.as_secs())?;
                }
                Ok(())
            }
        }
    }
}

impl std::fmt::Display for Readiness {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready => formatter.write_str("ready"),
            Self::Draining => formatter.write_str("stopping: open batches are being finished"),
            Self::Unassigned { member } => {
                write!(formatter, "no assignment from the consumer group yet ({member})")
            }
            Self::StoreUnreached { reach: Reach::Failing { why, .. } } => {
                write!(formatter, "s3 does not answer as it should: {why}")
            }
            Self::StoreUnreached { reach: Reach::NotAsked | Reach::Reached } => {
                formatter.write_str("s3 was not asked yet")
            }
        }
    }
}

#[cfg(test)]
mod tests;
