//! What a worker does when memory is short: parts go up early, then the largest open batch is
//! sealed, then reading waits (protocol rules 14 and 19).
//!
//! What is on its way to S3 is waited for first, since sealing more would make many small objects. But
//! not for long: a topic whose objects S3 refuses never sets free what it holds, and the others must
//! get on in what is left.

use std::time::Duration;

use super::Worker;
use super::turns::Stand;
use crate::engine::{Address, Input};
use crate::kafka::ffi::give_blocks_back;
use crate::model::{SealReason, Uptime};

/// Going through every open object costs; uploads need a moment to free what was sent.
const RELIEVE_EVERY: Duration = Duration::from_millis(50);

impl Worker {
    /// Returns whether memory is short.
    fn is_short(&self) -> bool {
        self.around.budget.is_over() || self.around.budget.has_too_many_objects()
    }

    /// Returns whether nothing may be read now.
    pub(super) fn must_wait(&self) -> bool {
        self.is_short() && (self.turns.whose().is_none() || self.is_flight_the_cause())
    }

    /// Returns whether nothing may be read for this partition now.
    pub(super) fn must_wait_for(&self, address: Address) -> bool {
        self.must_wait() || self.is_behind_a_replay(address)
    }

    /// Returns whether another partition's replay goes first.
    pub(super) fn is_behind_a_replay(&self, address: Address) -> bool {
        self.turns.whose().is_some_and(|of| of != address)
    }

    /// What is on its way to S3 comes down by itself, and a replay that went on would add to it.
    fn is_flight_the_cause(&self) -> bool {
        self.around.budget.flight_bytes() > self.around.budget.limit_bytes() / 2
    }

    /// Sets memory free, if it is over the budget.
    pub(super) fn relieve_if_over(&mut self) {
        let now = self.around.clock.uptime();
        self.look_at_the_turn(now);
        if !self.is_short() {
            self.patience.calm();
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
        if self.is_short() && self.patience.is_over(now) {
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

    fn look_at_the_turn(&mut self, now: Uptime) {
        let Some(of) = self.turns.whose() else { return };
        let machine = self.slots.get(&of).and_then(super::Slot::machine);
        let replaying = machine.filter(|machine| machine.is_replaying() && !machine.is_stopped());
        let stand = replaying.map(|machine| Stand {
            cursor: machine.cursor(),
            is_publishing: machine.has_current(),
        });
        self.turns.look(now, stand);
    }

    /// While memory is short one replay goes on, if need be over the budget: replays end by
    /// themselves and by nothing else. If it alone fills the memory it is read in passes; the others
    /// give back what they have read, and begin again when their turn comes.
    fn let_one_replay_go_on(&mut self, now: Uptime) {
        let replaying = self.slots.iter().filter_map(|(address, slot)| {
            let machine = slot.machine()?;
            let is_replaying = machine.is_replaying() && !machine.is_stopped();
            is_replaying.then(|| (*address, machine.cursor()))
        });
        self.turns.give(now, replaying);
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
}
