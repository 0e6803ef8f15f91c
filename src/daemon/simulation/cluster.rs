//! The brokers' logs, and what ought to become of every record.
//!
//! It owns: producing, transactions, retention, compaction, topics created anew, partitions added.
//! It does not own: the group (`coordinator`), reading (`client`).

use std::collections::{BTreeMap, BTreeSet};

use super::dice::Dice;
use super::seen::{Scenario, Seen};
use crate::model::{TopicId, TopicPartition};

/// The topic of every run.
pub(super) const TOPIC: &str = "pin";
/// Partitions that a topic may grow to.
const PARTITIONS_MAX: i32 = 5;

/// What stands at one offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A record that readers get; none is a tombstone.
    Record(Option<Vec<u8>>),
    /// A marker, a record of an aborted transaction, or what compaction took: nobody gets it.
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
    /// The first offset that is left.
    pub(super) start: usize,
    /// What compaction took.
    compacted: BTreeSet<usize>,
}

impl Log {
    pub(super) fn end(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether Kafka took something of a range after it was produced.
    pub(super) fn has_lost(&self, from: usize, to: usize) -> bool {
        self.start > from || self.compacted.range(from..to).next().is_some()
    }

    /// Returns whether nobody gets anything of a range.
    pub(super) fn is_silent(&self, from: usize, to: usize) -> bool {
        let entries = self.entries.get(from..to).unwrap_or_default();
        entries.iter().all(|entry| *entry == Entry::Nothing)
    }
}

/// What the bucket must say of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    Once,
    /// Kafka lost it before everybody had read it, or its topic: it may be missing.
    AtMostOnce,
    Never,
}

/// A record that was produced, and its fate.
#[derive(Clone, Debug)]
pub(super) struct Produced {
    pub(super) partition: TopicPartition,
    pub(super) topic_id: TopicId,
    pub(super) offset: usize,
    pub(super) must: Must,
}

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) logs: BTreeMap<TopicPartition, Log>,
    pub(super) topic_id: TopicId,
    pub(super) produced: Vec<Produced>,
    recreated: u128,
}

pub(super) fn partition(index: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, index).expect("the topic's name is one")
}

impl Cluster {
    pub(super) fn new(partitions: i32) -> Self {
        let logs = (0..partitions).map(|index| (partition(index), Log::default())).collect();
        Self { logs, topic_id: TopicId::from_u128(7), produced: Vec::new(), recreated: 0 }
    }

    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        self.logs.keys().cloned().collect()
    }

    /// Appends a few records to a partition, some of them in a transaction.
    pub(super) fn produce(&mut self, burst: usize, dice: &mut Dice, seen: &mut Seen) {
        let Some(to) = dice.pick(&self.partitions()) else { return };
        let count = 1 + dice.below(burst);
        match dice.below(10) {
            0 | 1 => {
                self.append(&to, (0..count).map(|_| Entry::Nothing).collect());
                seen.met(Scenario::AbortedTransaction);
            }
            2 => {
                self.append_records(&to, count, dice);
                self.append(&to, vec![Entry::Nothing]);
            }
            _ => self.append_records(&to, count, dice),
        }
    }

    fn append(&mut self, to: &TopicPartition, entries: Vec<Entry>) {
        if let Some(log) = self.logs.get_mut(to) {
            log.entries.extend(entries);
        }
    }

    fn append_records(&mut self, to: &TopicPartition, count: usize, dice: &mut Dice) {
        for _ in 0..count {
            let Some(log) = self.logs.get_mut(to) else { return };
            let id = self.produced.len();
            let (value, must) = match dice.below(16) {
                0 => (None, Must::Never),
                1 => (Some(format!("bad {id}")), Must::Once),
                kind => (Some(format!(r#"{{"id":{id},"kind":"k{}"}}"#, kind % 3)), Must::Once),
            };
            let offset = log.entries.len();
            log.entries.push(Entry::Record(value.map(String::into_bytes)));
            let (partition, topic_id) = (to.clone(), self.topic_id);
            self.produced.push(Produced { partition, topic_id, offset, must });
        }
    }

    /// Deletes from the start of a log; what the group has committed past is safe.
    pub(super) fn retain(&mut self, of: &TopicPartition, count: usize, frontier: usize) {
        let Some(log) = self.logs.get_mut(of) else { return };
        log.start = (log.start + count).min(log.entries.len());
        let start = log.start;
        self.excuse(of, |offset| offset >= frontier && offset < start);
    }

    /// Takes one record away.
    pub(super) fn compact(&mut self, of: &TopicPartition, offset: usize, frontier: usize) {
        let Some(log) = self.logs.get_mut(of) else { return };
        if let Some(entry) = log.entries.get_mut(offset) {
            *entry = Entry::Nothing;
            log.compacted.insert(offset);
        }
        self.excuse(of, |at| at == offset && at >= frontier);
    }

    /// The records of a partition's present topic need not be in the bucket any more.
    pub(super) fn excuse(&mut self, of: &TopicPartition, is_lost: impl Fn(usize) -> bool) {
        for record in &mut self.produced {
            let is_of = record.partition == *of && record.topic_id == self.topic_id;
            if is_of && record.must == Must::Once && is_lost(record.offset) {
                record.must = Must::AtMostOnce;
            }
        }
    }

    /// Deletes the topic and creates one of the same name.
    pub(super) fn recreate(&mut self) {
        for partition in self.partitions() {
            self.excuse(&partition, |_| true);
        }
        self.recreated += 1;
        self.topic_id = TopicId::from_u128(7 + self.recreated);
        for log in self.logs.values_mut() {
            *log = Log::default();
        }
    }

    pub(super) fn grow(&mut self) {
        let count = i32::try_from(self.logs.len()).unwrap_or(PARTITIONS_MAX);
        if count < PARTITIONS_MAX {
            self.logs.insert(partition(count), Log::default());
        }
    }
}
