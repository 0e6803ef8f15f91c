//! Commit requests between clients and the coordinator: late, lost, doubled, out of order.
//!
//! It owns: what becomes of each request and of its answer. It does not own: when (`world`).

use super::client::Kafka;
use super::code;
use super::coordinator::{Identity, InstanceId};
use super::seen::Scenario;
use crate::config::Protocol;
use crate::engine::{CommitAnswer, CommitEntry, CommitRequest, FaultCode, Metadata};
use crate::kafka;
use crate::kafka::ffi::ErrorCode;
use crate::model::TopicPartition;

/// A request that librdkafka has sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) instance: InstanceId,
    /// As it was when it was sent.
    pub(super) is_alive: bool,
    identity: Identity,
    id: u64,
    entries: Vec<CommitEntry>,
    /// Its connection was cut: it may still arrive, and nobody waits for its answer.
    is_ghost: bool,
}

/// What is on its way.
#[derive(Debug, Default)]
pub(super) struct Wire {
    pub(super) sent: Vec<Sent>,
    pub(super) answers: Vec<(InstanceId, CommitAnswer)>,
    /// How often answers go wrong, of a thousand.
    pub(super) faults: usize,
    /// How often a request stays behind when its connection is cut, of a thousand.
    pub(super) ghosts: usize,
}

impl Wire {
    /// librdkafka's own thread sends a commit, stamped with what it is at this moment.
    pub(super) fn send(&mut self, kafka: &mut Kafka, instance: InstanceId) {
        let Some(client) = kafka.clients.get_mut(&instance) else { return };
        let Some(CommitRequest { id, entries }) = client.commits.pop_front() else { return };
        let identity = client.identity.clone();
        let (is_alive, is_ghost) = (true, false);
        self.sent.push(Sent { instance, is_alive, identity, id, entries, is_ghost });
    }

    /// Returns whether a commit of this instance for the partition was sent.
    pub(super) fn holds(&self, instance: InstanceId, of: &TopicPartition) -> bool {
        let mut sent = self.sent.iter().filter(|sent| sent.instance == instance);
        sent.any(|sent| sent.entries.iter().any(|entry| entry.partition == *of))
    }

    /// The client is gone: what it has sent may still arrive.
    pub(super) fn client_is_gone(&mut self, instance: InstanceId) {
        for sent in self.sent.iter_mut().filter(|sent| sent.instance == instance) {
            (sent.is_alive, sent.is_ghost) = (false, true);
        }
        self.answers.retain(|(of, _)| *of != instance);
    }

    /// A request arrives.
    pub(super) fn arrive(&mut self, kafka: &mut Kafka, which: usize) {
        if which >= self.sent.len() {
            return;
        }
        let sent = self.sent.remove(which);
        if sent.is_ghost {
            drop(self.apply(kafka, &sent));
            return;
        }
        let fault = kafka.dice.chance(self.faults);
        let codes = match kafka.dice.below(if fault { 8 } else { 1 }) {
            0 => self.apply(kafka, &sent),
            1 | 2 => self.apply_and_lose(kafka, &sent),
            3 => self.mixed(kafka, &sent),
            4 => vec![of_rebalance(kafka)],
            5 if kafka.dice.chance(100) => vec![code::of(code::OFFSET_METADATA_TOO_LARGE)],
            5 => vec![code::of(code::UNLISTED)],
            _ => vec![ambiguous(kafka)],
        };
        let is_cut = codes.contains(&code::of(code::TRANSPORT));
        let answer = answer(kafka.coordinator.protocol, sent.id, &codes);
        let instance = sent.instance;
        if is_cut && kafka.dice.chance(self.ghosts) {
            self.sent.push(Sent { is_ghost: true, ..sent });
        }
        self.answers.push((instance, answer));
    }

    fn apply(&mut self, kafka: &mut Kafka, sent: &Sent) -> Vec<ErrorCode> {
        if let Err(code) = kafka.coordinator.judge(&sent.identity) {
            return vec![code];
        }
        for entry in &sent.entries {
            self.store(kafka, sent, entry);
        }
        Vec::new()
    }

    fn apply_and_lose(&mut self, kafka: &mut Kafka, sent: &Sent) -> Vec<ErrorCode> {
        if self.apply(kafka, sent).is_empty() {
            kafka.seen.met(Scenario::CommitAppliedAnswerLost);
        }
        vec![code::of(code::TIMED_OUT)]
    }

    /// The partitions of `__consumer_offsets` answer differently.
    fn mixed(&mut self, kafka: &mut Kafka, sent: &Sent) -> Vec<ErrorCode> {
        if let Err(code) = kafka.coordinator.judge(&sent.identity) {
            return vec![code];
        }
        let mut codes = Vec::new();
        for entry in &sent.entries {
            if kafka.dice.chance(500) {
                self.store(kafka, sent, entry);
            } else {
                codes.push(ambiguous(kafka));
            }
        }
        codes
    }

    fn store(&self, kafka: &mut Kafka, sent: &Sent, entry: &CommitEntry) {
        let partition = &entry.partition;
        let is_owner = kafka.coordinator.is_owner(sent.instance, partition);
        let before = kafka.coordinator.commits.get(partition).cloned();
        if !is_owner || !sent.is_alive {
            kafka.seen.met(Scenario::ZombieCommitAccepted);
        }
        if !is_owner {
            kafka.tampered.insert(partition.clone(), "a zombie's commit");
        }
        if let Some(before) = &before
            && before.offset > entry.offset
        {
            let is_ours = is_owner && !sent.is_ghost && !kafka.tampered.contains_key(partition);
            if is_ours {
                kafka.violated(format!(
                    "the frontier of {partition} fell from {} to {} by its owner",
                    before.offset, entry.offset
                ));
            }
            kafka.tampered.insert(partition.clone(), "a late commit");
        }
        if let Ok(Metadata::Plan(plan)) = Metadata::parse(entry.metadata.as_bytes()) {
            let choice = kafka.choices.get(&sent.instance).copied().unwrap_or_default();
            kafka.planned.entry(plan.batch).or_insert((sent.instance, choice));
        }
        if let Some(before) = &before {
            excuse_given_up(kafka, partition, &before.metadata);
        }
        let is_empty =
            |metadata: &[u8]| matches!(Metadata::parse(metadata), Ok(Metadata::Empty(_)));
        if let (Some(before), Some(log)) = (&before, kafka.cluster.logs.get(partition)) {
            let range = (before.offset.value(), entry.offset.value());
            let (from, to) = (usize::try_from(range.0), usize::try_from(range.1));
            if let (Ok(from), Ok(to)) = (from, to)
                && from < to
                && log.is_silent(from, to)
                && is_empty(&before.metadata)
                && is_empty(entry.metadata.as_bytes())
            {
                kafka.seen.met(Scenario::EofOnlyAdvance);
            }
        }
        kafka.coordinator.store(entry, sent.instance);
    }
}

/// A plan of whose range Kafka lost something may have been given up as a whole (rule 10).
fn excuse_given_up(kafka: &mut Kafka, partition: &TopicPartition, before: &[u8]) {
    let Ok(Metadata::Plan(plan)) = Metadata::parse(before) else { return };
    let at = |offset: crate::model::Offset| usize::try_from(offset.value()).unwrap_or(0);
    let (from, to) = (at(plan.range.start()), at(plan.range.end()));
    if kafka.cluster.logs.get(partition).is_some_and(|log| log.has_lost(from, to)) {
        kafka.cluster.excuse(partition, |offset| (from..to).contains(&offset));
    }
}

fn ambiguous(kafka: &mut Kafka) -> ErrorCode {
    code::of(kafka.dice.pick(&code::AMBIGUOUS).unwrap_or(code::TIMED_OUT))
}

/// A rebalance begins: everybody's commits are refused until they have heard of it.
fn of_rebalance(kafka: &mut Kafka) -> ErrorCode {
    let partitions = kafka.cluster.partitions();
    kafka.coordinator.rebalance(&partitions, &mut kafka.dice);
    code::of(match kafka.coordinator.protocol {
        Protocol::Classic => code::REBALANCE_IN_PROGRESS,
        Protocol::Consumer => code::STALE_MEMBER_EPOCH,
    })
}

fn answer(protocol: Protocol, id: u64, codes: &[ErrorCode]) -> CommitAnswer {
    let protocol = match protocol {
        Protocol::Classic => kafka::Protocol::Classic,
        Protocol::Consumer => kafka::Protocol::Consumer,
    };
    let fault = |code: &ErrorCode| FaultCode {
        fault: kafka::commit_fault(*code, protocol),
        code: code.name(),
    };
    CommitAnswer { id, faults: codes.iter().map(fault).collect() }
}
