//! The group coordinator, as real ones behave.
//!
//! It owns: members, generations and epochs, who is to have which partition, the commits and how
//! they are judged. Ownership is not: a commit of any member of the present generation is taken,
//! and on an empty group one of nobody at a negative generation (seen on Kafka 4.3.1).
//! It does not own: what is on its way (`wire`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::code;
use super::dice::Dice;
use crate::config::Protocol;
use crate::engine::{CommitEntry, Metadata};
use crate::kafka::ffi::ErrorCode;
use crate::model::{Offset, TopicPartition, Uptime};

/// A member that was not heard of for so long is out.
pub(super) const SESSION: Duration = Duration::from_secs(6);

/// An instance of the daemon, alive or dead; each has a number of its own.
pub(super) type InstanceId = usize;

/// What a commit request is stamped with when librdkafka sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) member: String,
    pub(super) generation: i32,
}

#[derive(Debug)]
struct Member {
    instance: InstanceId,
    /// As it said last.
    owned: BTreeSet<TopicPartition>,
    target: BTreeSet<TopicPartition>,
    /// The generation or epoch that it was told last.
    epoch: i32,
    heard: Uptime,
}

/// A commit as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) offset: Offset,
    pub(super) metadata: Vec<u8>,
    pub(super) by: InstanceId,
}

/// What a member has to do after a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Todo {
    Nothing,
    Assign(Vec<TopicPartition>),
    Revoke(Vec<TopicPartition>),
    /// The group has gone on without it.
    Lost,
}

#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) protocol: Protocol,
    epoch: i32,
    members: BTreeMap<String, Member>,
    pub(super) commits: BTreeMap<TopicPartition, Stored>,
    /// Everything that was ever taken.
    history: BTreeMap<TopicPartition, Vec<Stored>>,
    named: usize,
    /// The group's protocol of KIP-848 was forgotten with the group.
    is_deleted: bool,
}

impl Coordinator {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            epoch: 0,
            members: BTreeMap::new(),
            commits: BTreeMap::new(),
            history: BTreeMap::new(),
            named: 0,
            is_deleted: false,
        }
    }

    /// Every session ends.
    pub(super) fn forget_members(&mut self) {
        self.members.clear();
        self.epoch += 1;
    }

    pub(super) fn join(
        &mut self,
        instance: InstanceId,
        now: Uptime,
        partitions: &[TopicPartition],
        dice: &mut Dice,
    ) -> Identity {
        self.named += 1;
        self.is_deleted = false;
        let name = format!("member-{}", self.named);
        let (owned, target) = (BTreeSet::new(), BTreeSet::new());
        let member = Member { instance, owned, target, epoch: 0, heard: now };
        self.members.insert(name.clone(), member);
        self.rebalance(partitions, dice);
        // Its first heartbeat tells it the rest.
        Identity { member: name, generation: -1 }
    }

    pub(super) fn leave(&mut self, member: &str, partitions: &[TopicPartition], dice: &mut Dice) {
        if self.members.remove(member).is_some() {
            self.rebalance(partitions, dice);
        }
    }

    /// Those in `alive` are heard; who was not for too long is out.
    pub(super) fn heartbeats(
        &mut self,
        alive: &[InstanceId],
        now: Uptime,
        partitions: &[TopicPartition],
        dice: &mut Dice,
    ) {
        let before = self.members.len();
        self.members.retain(|_, member| {
            if alive.contains(&member.instance) {
                member.heard = now;
            }
            now.since(member.heard) <= SESSION
        });
        if self.members.len() != before {
            self.rebalance(partitions, dice);
        }
    }

    /// Begins a new generation, in which most partitions stay where they are.
    pub(super) fn rebalance(&mut self, partitions: &[TopicPartition], dice: &mut Dice) {
        self.epoch += 1;
        let names: Vec<String> = self.members.keys().cloned().collect();
        let mut target: BTreeMap<String, BTreeSet<TopicPartition>> = BTreeMap::new();
        let most = partitions.len().div_ceil(names.len().max(1));
        for partition in partitions {
            let holds = |name: &&String| {
                let member = self.members.get(*name);
                member.is_some_and(|member| member.target.contains(partition))
            };
            let has_room = |name: &&String| target.get(*name).is_none_or(|set| set.len() < most);
            let stays = names.iter().find(holds).filter(|_| !dice.chance(150)).filter(has_room);
            let free: Vec<&String> = names.iter().filter(has_room).collect();
            let Some(name) = stays.or_else(|| dice.pick(&free)) else { continue };
            target.entry(name.clone()).or_default().insert(partition.clone());
        }
        for (name, member) in &mut self.members {
            member.target = target.remove(name).unwrap_or_default();
        }
    }

    /// A member is heard: tells it what to do. `assigned` is what it has; `identity` is changed as
    /// its client learns it.
    pub(super) fn heartbeat(
        &mut self,
        identity: &mut Identity,
        assigned: &BTreeSet<TopicPartition>,
        partitions: &[TopicPartition],
        dice: &mut Dice,
    ) -> Todo {
        let Some(member) = self.members.get_mut(&identity.member) else {
            *identity = Identity { member: String::new(), generation: -1 };
            return Todo::Lost;
        };
        let has_given_back = !member.owned.is_subset(assigned);
        member.owned.clone_from(assigned);
        if has_given_back && self.protocol == Protocol::Classic {
            self.epoch += 1; // it rejoins, so that others get what it gave back
        }
        let is_behind = identity.generation != self.epoch;
        if !is_behind && self.protocol == Protocol::Classic {
            return Todo::Nothing;
        }
        let revoked: Vec<_> = assigned.difference(&member.target).cloned().collect();
        if self.protocol == Protocol::Classic {
            (identity.generation, member.epoch) = (self.epoch, self.epoch);
        }
        if !revoked.is_empty() {
            return Todo::Revoke(revoked);
        }
        if self.protocol == Protocol::Consumer {
            // The answer may get lost: the broker knows the new epoch, the client does not.
            member.epoch = self.epoch;
            if is_behind && dice.chance(300) {
                return Todo::Nothing;
            }
            identity.generation = self.epoch;
        }
        let target = member.target.clone();
        let is_free = |partition: &&TopicPartition| {
            let owners = self.members.iter().filter(|(name, _)| **name != identity.member);
            !owners.into_iter().any(|(_, other)| other.owned.contains(*partition))
        };
        let added: Vec<_> = target
            .difference(assigned)
            .filter(|partition| partitions.contains(partition))
            .filter(is_free)
            .cloned()
            .collect();
        if added.is_empty() && self.protocol == Protocol::Consumer {
            return Todo::Nothing;
        }
        if let Some(member) = self.members.get_mut(&identity.member) {
            member.owned.extend(added.iter().cloned());
        }
        Todo::Assign(added)
    }

    /// Judges who commits. The partitions are nobody's concern.
    pub(super) fn judge(&self, identity: &Identity) -> Result<(), ErrorCode> {
        if self.members.is_empty() && identity.generation < 0 {
            return Ok(());
        }
        if self.is_deleted && self.protocol == Protocol::Consumer {
            return Err(code::of(code::GROUP_ID_NOT_FOUND));
        }
        let Some(member) = self.members.get(&identity.member) else {
            return Err(code::of(code::UNKNOWN_MEMBER_ID));
        };
        match self.protocol {
            Protocol::Classic if identity.generation != self.epoch => {
                Err(code::of(code::ILLEGAL_GENERATION))
            }
            Protocol::Consumer if identity.generation != member.epoch => {
                Err(code::of(code::STALE_MEMBER_EPOCH))
            }
            Protocol::Classic | Protocol::Consumer => Ok(()),
        }
    }

    pub(super) fn store(&mut self, entry: &CommitEntry, by: InstanceId) {
        let (offset, metadata) = (entry.offset, entry.metadata.clone().into_bytes());
        let stored = Stored { offset, metadata, by };
        self.history.entry(entry.partition.clone()).or_default().push(stored.clone());
        self.commits.insert(entry.partition.clone(), stored);
    }

    /// Somebody resets the offset with Kafka's own tool: to the earliest, or to the current one.
    pub(super) fn reset(&mut self, of: &TopicPartition, to_earliest: bool) {
        if let Some(stored) = self.commits.get_mut(of) {
            stored.metadata.clear();
            if to_earliest {
                stored.offset = Offset::ZERO;
            }
        }
    }

    /// Somebody puts back what was committed once.
    pub(super) fn restore(&mut self, of: &TopicPartition, dice: &mut Dice) {
        let history = self.history.get(of).map(Vec::as_slice).unwrap_or_default();
        if let Some(stored) = dice.pick(history) {
            self.commits.insert(of.clone(), stored);
        }
    }

    /// Returns whether this instance may work on the partition, as the group sees it.
    pub(super) fn is_owner(&self, instance: InstanceId, of: &TopicPartition) -> bool {
        let mut members = self.members.values();
        members.any(|member| member.instance == instance && member.owned.contains(of))
    }

    /// Returns what is promised for a partition, if something is.
    pub(super) fn promised(&self, of: &TopicPartition) -> Option<Box<crate::engine::Plan>> {
        match Metadata::parse(&self.commits.get(of)?.metadata) {
            Ok(Metadata::Plan(plan)) => Some(plan),
            Ok(Metadata::Empty(_) | Metadata::Foreign) | Err(_) => None,
        }
    }

    /// Returns the offset up to which everything is written, as the group has it.
    pub(super) fn frontier(&self, of: &TopicPartition) -> usize {
        let offset = self.commits.get(of).map_or(0, |stored| stored.offset.value());
        usize::try_from(offset).unwrap_or(0)
    }

    /// Forgets the group: its members are fenced, its commits go.
    pub(super) fn delete(&mut self) {
        self.members.clear();
        self.commits.clear();
        self.is_deleted = true;
        self.epoch += 1;
    }
}
