//! What a worker does when memory is short: parts go up early, then the largest open batch is
//! sealed, then reading waits (protocol rules 14 and 19).

use std::time::Duration;

use super::Worker;
use crate::engine::{Address, Input, Partition};
use crate::kafka::ffi::give_blocks_back;
use crate::model::SealReason;

/// Going through every open object costs; uploads need a moment to free what was sent.
const RELIEVE_EVERY: Duration = Duration::from_millis(50);

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
        self.must_wait() || self.privileged.is_some_and(|privileged| privileged != address)
    }

    /// What is on its way to S3 comes down by itself, and a replay that went on would add to it.
    fn is_flight_the_cause(&self) -> bool {
        self.around.budget.flight_bytes() > self.around.budget.limit_bytes() / 2
    }

    /// Sets memory free, if it is over the budget.
    pub(super) fn relieve_if_over(&mut self) {
        let now = self.around.clock.uptime();
        if !self.is_short() {
            if self.privileged.is_some_and(|address| !self.is_replaying(address)) {
                self.privileged = None;
            }
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
        self.seal_largest();
        if self.is_short() {
            self.let_one_replay_go_on();
        }
    }

    /// Seals the largest open batches of this worker, as long as what is open over all workers is
    /// the cause.
    fn seal_largest(&mut self) {
        while self.around.budget.is_open_the_cause() {
            let by_objects = !self.around.budget.is_nearly_over();
            let size = |machine: &Partition| {
                if by_objects { machine.open_objects() } else { machine.open_bytes() }
            };
            let largest = self
                .slots
                .iter()
                .filter_map(|(address, slot)| Some((slot.machine()?, *address)))
                .filter(|(machine, _)| machine.may_seal())
                .max_by_key(|(machine, _)| size(machine));
            let Some((_, address)) = largest else { return };
            self.drive(address, Input::Seal(SealReason::Memory));
        }
    }

    /// While memory is short one replay goes on, if need be over the budget: replays end by
    /// themselves and by nothing else. If it alone fills the memory it is read in passes; the others
    /// give back what they have read, and begin again when their turn comes.
    fn let_one_replay_go_on(&mut self) {
        if !self.privileged.is_some_and(|address| self.is_replaying(address)) {
            let addresses = self.slots.keys().copied();
            self.privileged = addresses.into_iter().find(|address| self.is_replaying(*address));
        }
        let workers = u64::try_from(self.around.settings.limits.workers.get()).unwrap_or(u64::MAX);
        let pass_bytes_max = self.around.budget.limit_bytes() / 2 / workers;
        for address in self.addresses() {
            let machine = self.slots.get(&address).and_then(super::Slot::machine);
            let Some(machine) = machine.filter(|machine| machine.is_replaying()) else { continue };
            let open_bytes = u64::try_from(machine.open_bytes()).unwrap_or(u64::MAX);
            if self.privileged != Some(address) && open_bytes > 0 {
                self.drive(address, Input::ReplayAgain { pass_bytes_max: None });
            } else if open_bytes > pass_bytes_max && !machine.is_in_passes() {
                let pass_bytes_max = Some(pass_bytes_max);
                self.drive(address, Input::ReplayAgain { pass_bytes_max });
            }
        }
    }

    fn is_replaying(&self, address: Address) -> bool {
        let machine = self.slots.get(&address).and_then(super::Slot::machine);
        machine.is_some_and(|machine| machine.is_replaying() && !machine.is_stopped())
    }
}
