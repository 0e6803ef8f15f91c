//! What a worker does when memory is short: parts go up early, then the largest open batch is
//! sealed, then reading waits (protocol rules 14 and 19).
//!
//! What is on its way to S3 is waited for first, since sealing more would make many small objects. But
//! not for long: a topic whose objects S3 refuses never sets free what it holds, and the others must
//! get on in what is left.

use std::time::Duration;

use super::Worker;
use crate::engine::{Address, Input};
use crate::kafka::ffi::give_blocks_back;
use crate::model::{Offset, SealReason, Uptime};

/// Going through every open object costs; uploads need a moment to free what was sent.
const RELIEVE_EVERY: Duration = Duration::from_millis(50);
/// A sealed batch is published and committed in less, if nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(2);
/// From then on batches are sealed this often, for as long as memory is short without a break.
const SEAL_EVERY: Duration = Duration::from_millis(250);
/// A replay that reads nothing for so long has no leader, or a log that ends before its plan does.
const PRIVILEGE_MAX: Duration = Duration::from_secs(10);

/// The replay that goes on while memory is short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Privilege {
    pub(super) of: Address,
    /// How far it was read, and since when.
    pub(super) cursor: Offset,
    pub(super) since: Uptime,
}

impl Worker {
    /// Returns whether memory is short.
    fn is_short(&self) -> bool {
        self.around.budget.is_over() || self.around.budget.has_too_many_objects()
    }

    /// Returns whether nothing may be read now.
    pub(super) fn must_wait(&self) -> bool {
        self.is_short() && (self.privileged.is_none() || self.is_flight_the_cause())
    }

    /// Returns whether nothing may be read for this partition now.
    pub(super) fn must_wait_for(&self, address: Address) -> bool {
        self.must_wait() || self.is_behind_a_replay(address)
    }

    /// Returns whether another partition's replay goes first.
    pub(super) fn is_behind_a_replay(&self, address: Address) -> bool {
        self.privileged.is_some_and(|privilege| privilege.of != address)
    }

    /// What is on its way to S3 comes down by itself, and a replay that went on would add to it.
    fn is_flight_the_cause(&self) -> bool {
        self.around.budget.flight_bytes() > self.around.budget.limit_bytes() / 2
    }

    /// Sets memory free, if it is over the budget.
    pub(super) fn relieve_if_over(&mut self) {
        let now = self.around.clock.uptime();
        self.end_privilege(now);
        if !self.is_short() {
            self.seal_anyway_at = None;
            return;
        }
        if now < self.relieve_at {
            return;
        }
        self.relieve_at = now.after(RELIEVE_EVERY);
        give_blocks_back();
        for address in self.addresses() {
            if self.slots.get(&address).is_some_and(|slot| slot.holding.bytes > 0) {
                self.drive(address, Input::Relieve);
            }
        }
        while self.around.budget.is_open_the_cause() && self.seal_largest() {}
        let seal_at = *self.seal_anyway_at.get_or_insert(now.after(PATIENCE));
        if self.is_short() && now >= seal_at {
            self.seal_anyway_at = Some(now.after(SEAL_EVERY));
            self.seal_largest();
        }
        if self.is_short() {
            self.let_one_replay_go_on(now);
        }
    }

    /// Seals the largest open batch of this worker. Returns whether there was one.
    fn seal_largest(&mut self) -> bool {
        let by_objects = !self.around.budget.is_nearly_over();
        let batches = self.slots.iter().filter_map(|(address, slot)| {
            let machine = slot.machine().filter(|machine| machine.may_seal())?;
            let size = if by_objects { machine.open_objects() } else { machine.open_bytes() };
            (size > 0).then_some((size, *address))
        });
        let Some((_, largest)) = batches.max() else { return false };
        self.drive(largest, Input::Seal(SealReason::Memory));
        true
    }

    /// A privilege ends with its replay, and where that does not get on: memory may be free again, and
    /// others wait.
    fn end_privilege(&mut self, now: Uptime) {
        let Some(mut privilege) = self.privileged else { return };
        let machine = self.slots.get(&privilege.of).and_then(super::Slot::machine);
        let replaying = machine.filter(|machine| machine.is_replaying() && !machine.is_stopped());
        self.privileged = replaying.and_then(|machine| {
            if machine.cursor() != privilege.cursor || machine.has_current() {
                (privilege.cursor, privilege.since) = (machine.cursor(), now);
            }
            (now.since(privilege.since) < PRIVILEGE_MAX).then_some(privilege)
        });
        if self.privileged.is_none() {
            self.privileged_before = Some(privilege.of);
        }
    }

    /// While memory is short one replay goes on, if need be over the budget: replays end by
    /// themselves and by nothing else. If it alone fills the memory it is read in passes; the others
    /// give back what they have read, and begin again when their turn comes.
    fn let_one_replay_go_on(&mut self, now: Uptime) {
        if self.privileged.is_none() {
            self.privileged = self.next_replay(now);
        }
        let workers =
            u64::try_from(self.around.settings.get().limits.workers.get()).unwrap_or(u64::MAX);
        let pass_bytes_max = self.around.budget.limit_bytes() / 2 / workers;
        for address in self.addresses() {
            let machine = self.slots.get(&address).and_then(super::Slot::machine);
            let Some(machine) = machine.filter(|machine| machine.is_replaying()) else { continue };
            let open_bytes = u64::try_from(machine.open_bytes()).unwrap_or(u64::MAX);
            if self.is_behind_a_replay(address) && open_bytes > 0 {
                self.drive(address, Input::ReplayAgain { pass_bytes_max: None });
            } else if open_bytes > pass_bytes_max && !machine.is_in_passes() {
                let pass_bytes_max = Some(pass_bytes_max);
                self.drive(address, Input::ReplayAgain { pass_bytes_max });
            }
        }
    }

    /// Returns the replay whose turn it is: behind the one before, by address.
    fn next_replay(&self, now: Uptime) -> Option<Privilege> {
        let replaying = self.slots.iter().filter_map(|(address, slot)| {
            let machine = slot.machine()?;
            let is_replaying = machine.is_replaying() && !machine.is_stopped();
            is_replaying.then(|| Privilege { of: *address, cursor: machine.cursor(), since: now })
        });
        let before = self.privileged_before;
        replaying.min_by_key(|privilege| (Some(privilege.of) <= before, privilege.of))
    }
}
