//! What a worker does when memory is short: parts go up early, then the largest open batch is
//! sealed, then reading waits (protocol rules 14 and 19).

use std::time::Duration;

use super::Worker;
use crate::engine::{Address, Input, Partition};
use crate::model::SealReason;

/// Going through every open object costs; uploads need a moment to free what was sent.
const RELIEVE_EVERY: Duration = Duration::from_millis(50);

impl Worker {
    /// Returns whether reading has to wait.
    pub(super) fn is_short(&self) -> bool {
        self.around.budget.is_over() || self.around.budget.has_too_many_objects()
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
        for address in self.addresses() {
            if self.slots.get(&address).is_some_and(|slot| slot.held_bytes > 0) {
                self.drive(address, Input::Relieve);
            }
        }
        if self.is_short() {
            self.seal_largest();
            self.choose_privileged();
        }
    }

    /// Seals the largest open batches as long as what is open is what fills the memory; what is
    /// sealed already has only to be waited for, and sealing more would make many small objects.
    fn seal_largest(&mut self) {
        loop {
            let budget = &self.around.budget;
            let open = self.slots.values().filter_map(super::Slot::machine);
            let open_bytes: usize = open.map(Partition::open_bytes).sum();
            let open_bytes = u64::try_from(open_bytes).unwrap_or(u64::MAX);
            let is_open_the_cause = open_bytes > budget.limit_bytes() / 4;
            if !is_open_the_cause && !budget.has_too_many_objects() {
                return;
            }
            let largest = self
                .slots
                .iter()
                .filter_map(|(address, slot)| Some((slot.machine()?, *address)))
                .filter(|(machine, _)| machine.may_seal())
                .max_by_key(|(machine, _)| machine.open_bytes());
            let Some((_, address)) = largest else { return };
            self.drive(address, Input::Seal(SealReason::Memory));
            if !self.is_short() {
                return;
            }
        }
    }

    /// While memory is short one replay goes on, if need be over the budget: replays end by
    /// themselves and by nothing else.
    fn choose_privileged(&mut self) {
        if self.privileged.is_some_and(|address| self.is_replaying(address)) {
            return;
        }
        self.privileged = self.slots.keys().copied().find(|address| self.is_replaying(*address));
    }

    fn is_replaying(&self, address: Address) -> bool {
        let machine = self.slots.get(&address).and_then(super::Slot::machine);
        machine.is_some_and(|machine| machine.is_replaying() && !machine.is_stopped())
    }
}
