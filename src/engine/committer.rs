//! The one way to Kafka's offset commits, as a machine: protocol rules 1 to 5.
//!
//! It owns: tokens (one per assignment of a partition), which commits may travel, together or
//! alone, what an answer means, freezing and killing.
//! It does not own: sending, the client, which codes are which (`model::CommitFault`).
//!
//! One request is on its way at a time, one commit per partition, in order. Nothing of a token
//! that is dead travels, and what is answered to it later is thrown away.

mod message;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub use message::{
    Address, CommitAnswer, CommitEntry, CommitRequest, FaultCode, GroupProtocol, Membership,
    Outcome,
};

use waiting::Waiting;

use crate::model::{CommitFault, Offset, TopicPartition, Uptime};
use crate::mutant::Mutant;

/// Partitions in one request. Grouped, commits run at thousands a second; one by one they hold up
/// heartbeats on the same connection (rule 3).
pub const ENTRIES_MAX: usize = 64;
/// Bytes of metadata in one request.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Frozen or killed for this long while still assigned: subscribe anew (rule 5).
pub const FREEZE_MAX: Duration = Duration::from_secs(15);

#[derive(Debug)]
struct Token {
    partition: TopicPartition,
    waiting: Option<Waiting>,
    /// What it wanted was refused once: it never travels in a group again.
    was_refused: bool,
}

#[derive(Debug)]
struct Flight {
    id: u64,
    addresses: Vec<Address>,
    stamp: Stamp,
}

impl Flight {
    /// Returns whether a mutant believes an answer that says no.
    fn is_taken_for_success(&self, faults: &[FaultCode]) -> bool {
        let is_mixed = faults.len() < self.addresses.len();
        let is_ambiguous = faults.iter().all(|found| found.fault == CommitFault::Ambiguous);
        (is_mixed && Mutant::MixedAnswersAreSuccess.is_on())
            || (is_ambiguous && Mutant::AmbiguousIsDone.is_on())
    }
}

/// What was true when a request was enqueued; an answer older than the present freezes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    membership: Membership,
    callbacks: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Frozen {
        since: Uptime,
    },
    /// Until the next rebalance callback, which goes with another membership.
    Killed {
        since: Uptime,
    },
}

/// The machine.
#[derive(Debug)]
pub struct Committer {
    protocol: GroupProtocol,
    stamp: Stamp,
    gate: Gate,
    tokens: BTreeMap<Address, Token>,
    /// Addresses with something to commit, in order.
    queue: VecDeque<Address>,
    flight: Option<Flight>,
    next_id: u64,
    outcomes: VecDeque<Outcome>,
}

impl Committer {
    pub fn new(protocol: GroupProtocol) -> Self {
        let membership = Membership { member: String::new(), generation: -1 };
        Self {
            protocol,
            stamp: Stamp { membership, callbacks: 0 },
            gate: Gate::Open,
            tokens: BTreeMap::new(),
            queue: VecDeque::new(),
            flight: None,
            next_id: 1,
            outcomes: VecDeque::new(),
        }
    }

    /// A partition was assigned: this address may commit for it from now on.
    pub fn assigned(&mut self, address: Address, partition: TopicPartition) {
        self.tokens.insert(address, Token { partition, waiting: None, was_refused: false });
    }

    /// Gives the partition of a living token another address; false if the token is dead or has a
    /// commit waiting or on its way.
    pub fn replace(&mut self, old: Address, new: Address) -> bool {
        let is_idle = self.tokens.get(&old).is_some_and(|token| token.waiting.is_none());
        if !is_idle || self.is_in_flight(&[old]) {
            return false;
        }
        if let Some(token) = self.tokens.remove(&old) {
            self.tokens.insert(new, token);
        }
        true
    }

    /// Returns when the oldest commit of the request on its way was enqueued, through every try.
    pub fn in_flight_since(&self) -> Option<Uptime> {
        let waiting = |address| self.tokens.get(address)?.waiting.as_ref();
        self.flight.as_ref()?.addresses.iter().filter_map(waiting).map(|at| at.since).min()
    }

    /// Returns the addresses that commit for these partitions.
    pub fn addresses_of(&self, partitions: &[TopicPartition]) -> Vec<Address> {
        let is_of = |token: &Token| partitions.contains(&token.partition);
        let found = self.tokens.iter().filter(|(_, token)| is_of(token));
        found.map(|(address, _)| *address).collect()
    }

    /// Kills tokens: what they had waiting is gone, what is on its way is answered to nobody.
    pub fn kill(&mut self, addresses: &[Address]) {
        if Mutant::TokensOutliveRevoke.is_on() {
            return;
        }
        for address in addresses {
            self.tokens.remove(address);
        }
        self.queue.retain(|address| self.tokens.contains_key(address));
    }

    /// Returns the partition that this address commits for.
    pub fn partition_of(&self, address: Address) -> Option<&TopicPartition> {
        self.tokens.get(&address).map(|token| &token.partition)
    }

    /// Returns whether this address may still commit.
    pub fn is_alive(&self, address: Address) -> bool {
        self.tokens.contains_key(&address)
    }

    /// Returns whether commits are held back at present.
    pub fn is_frozen(&self) -> bool {
        self.gate != Gate::Open
    }

    /// Returns whether a commit of one of these addresses is on its way.
    pub fn is_in_flight(&self, addresses: &[Address]) -> bool {
        let flight = self.flight.as_ref();
        flight.is_some_and(|flight| flight.addresses.iter().any(|at| addresses.contains(at)))
    }

    /// Takes a commit. Of a dead token it is dropped: its machine goes too.
    pub fn enqueue(&mut self, now: Uptime, address: Address, offset: Offset, metadata: String) {
        let Some(token) = self.tokens.get_mut(&address) else { return };
        debug_assert!(token.waiting.is_none(), "a machine has one commit on its way");
        token.waiting = Some(Waiting {
            offset,
            metadata,
            alone: token.was_refused,
            attempts: 0,
            unlisted: 0,
            not_before: now,
            since: now,
        });
        self.queue.push_back(address);
    }

    /// The client's place in the group, as polled. A new one thaws.
    pub fn membership(&mut self, membership: Membership) {
        if membership == self.stamp.membership {
            return;
        }
        self.stamp.membership = membership;
        if matches!(self.gate, Gate::Frozen { .. }) {
            self.gate = Gate::Open;
        }
    }

    /// A rebalance callback ran, be it an empty one. What is still owned thaws; after a kill,
    /// whoever is still assigned gets a new token.
    pub fn rebalanced(&mut self) {
        self.stamp.callbacks += 1;
        self.gate = Gate::Open;
    }

    /// A new client starts from nothing.
    pub fn client_is_new(&mut self) {
        *self = Self { next_id: self.next_id, ..Self::new(self.protocol) };
    }

    /// Returns the next request to send, if one may be sent now.
    pub fn poll_request(&mut self, now: Uptime) -> Option<CommitRequest> {
        let may_send = self.flight.is_none()
            && self.gate == Gate::Open
            && (self.protocol.is_member(self.stamp.membership.generation)
                || Mutant::CommitsOutsideOfGroup.is_on());
        if !may_send {
            return None;
        }
        let addresses = self.pick(now);
        if addresses.is_empty() {
            return None;
        }
        self.queue.retain(|address| !addresses.contains(address));
        let entries = addresses.iter().filter_map(|address| self.entry(*address)).collect();
        let id = self.next_id;
        self.next_id += 1;
        self.flight = Some(Flight { id, addresses, stamp: self.stamp.clone() });
        Some(CommitRequest { id, entries })
    }

    fn entry(&self, address: Address) -> Option<CommitEntry> {
        let token = self.tokens.get(&address)?;
        let Waiting { offset, metadata, .. } = token.waiting.as_ref()?;
        let is_wiped = Mutant::CommitsWithoutMetadata.is_on();
        let metadata = if is_wiped { String::new() } else { metadata.clone() };
        let partition = token.partition.clone();
        Some(CommitEntry { partition, offset: *offset, metadata })
    }

    /// Picks what travels next: one that must go alone, or as many others as fit.
    fn pick(&self, now: Uptime) -> Vec<Address> {
        let (mut picked, mut bytes) = (Vec::new(), 0);
        for address in &self.queue {
            let Some(waiting) = self.tokens.get(address).and_then(|token| token.waiting.as_ref())
            else {
                continue;
            };
            if waiting.not_before > now || (waiting.alone && !picked.is_empty()) {
                continue;
            }
            if waiting.alone {
                return vec![*address];
            }
            bytes += waiting.metadata.len();
            if picked.len() == ENTRIES_MAX || (bytes > REQUEST_BYTES_MAX && !picked.is_empty()) {
                break;
            }
            picked.push(*address);
        }
        picked
    }

    /// Returns when `poll_request` or `tick` may have something, if nothing else happens.
    pub fn poll_deadline(&self) -> Option<Uptime> {
        let waits = |address| self.tokens.get(address)?.waiting.as_ref().map(|at| at.not_before);
        let retry = self.queue.iter().filter_map(waits).min().filter(|_| self.flight.is_none());
        match self.gate {
            Gate::Open => retry,
            Gate::Frozen { since } | Gate::Killed { since } => Some(since.after(FREEZE_MAX)),
        }
    }

    /// Takes an answer. Rule 5 goes first; then success; anything else is unknown for all of it.
    pub fn answered(&mut self, now: Uptime, answer: &CommitAnswer) {
        let Some(flight) = self.flight.take_if(|flight| flight.id == answer.id) else { return };
        let is_repeated = Mutant::RefusalsAreRepeated.is_on();
        let first = |fault| answer.faults.iter().find(|found| found.fault == fault && !is_repeated);
        if let Some(found) = first(CommitFault::NewClient) {
            self.outcomes.push_back(Outcome::NewClient { code: found.code.clone() });
            self.kill_all(now, &found.code);
        } else if let Some(found) = first(CommitFault::Kill) {
            self.kill_all(now, &found.code);
        } else if let Some(found) = first(CommitFault::Freeze) {
            self.freeze(now, &flight, &found.code);
        } else if answer.faults.is_empty() || flight.is_taken_for_success(&answer.faults) {
            self.succeeded(&flight);
        } else {
            self.unknown(now, &flight, &answer.faults);
        }
    }

    /// Frozen or killed too long: the group has to be entered anew.
    pub fn tick(&mut self, now: Uptime) {
        if let Gate::Frozen { since } | Gate::Killed { since } = self.gate
            && now >= since.after(FREEZE_MAX)
        {
            self.outcomes.push_back(Outcome::Resubscribe);
            match &mut self.gate {
                Gate::Frozen { since } | Gate::Killed { since } => *since = now,
                Gate::Open => {}
            }
        }
    }

    pub fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    fn kill_all(&mut self, now: Uptime, code: &str) {
        self.tokens.clear();
        self.queue.clear();
        self.gate = Gate::Killed { since: now };
        self.outcomes.push_back(Outcome::KilledAll { code: code.to_owned() });
    }

    fn freeze(&mut self, now: Uptime, flight: &Flight, code: &str) {
        self.requeue(&flight.addresses);
        if flight.stamp == self.stamp {
            self.gate = Gate::Frozen { since: now };
            self.outcomes.push_back(Outcome::Frozen { code: code.to_owned() });
        }
    }

    fn succeeded(&mut self, flight: &Flight) {
        for address in &flight.addresses {
            if let Some(token) = self.tokens.get_mut(address) {
                token.waiting = None;
                self.outcomes.push_back(Outcome::Committed(*address));
            }
        }
    }

    fn unknown(&mut self, now: Uptime, flight: &Flight, faults: &[FaultCode]) {
        let Some(found) = faults.first() else { return };
        let is_alone = flight.addresses.len() == 1;
        for address in &flight.addresses {
            let Some(token) = self.tokens.get_mut(address) else { continue };
            let Some(waiting) = token.waiting.as_mut() else { continue };
            if is_alone && waiting.is_refused_by(found.fault) {
                token.waiting = None;
                token.was_refused = true;
                let (address, code) = (*address, found.code.clone());
                self.outcomes.push_back(Outcome::Refused { address, code });
                continue;
            }
            waiting.alone = true;
            if is_alone {
                waiting.not_before = now.after(waiting.delay());
                waiting.attempts += 1;
            }
        }
        self.outcomes.push_back(Outcome::Retried { code: found.code.clone() });
        self.requeue(&flight.addresses);
    }

    /// Puts those that still wait back to the front, in their order.
    fn requeue(&mut self, addresses: &[Address]) {
        for address in addresses.iter().rev() {
            if self.tokens.get(address).is_some_and(|token| token.waiting.is_some()) {
                self.queue.push_front(*address);
            }
        }
    }
}
