//! What a worker does when memory is short: parts go up early, then the largest open batch is
//! sealed, then reading waits (protocol rules 14 and 19).
//!
//! The largest may have to wait for those of its partition that were sealed before it. It is waited
//! for: sealing small ones instead would make tiny objects of all partitions that are quiet. But not
//! for long, since a partition whose objects S3 refuses may never get on.

use std::time::Duration;

use super::Worker;
use crate::engine::{Address, Input, Partition};
use crate::kafka::ffi::give_blocks_back;
use crate::model::SealReason;

/// Going through every open object costs; uploads need a moment to free what was sent.
const RELIEVE_EVERY: Duration = Duration::from_millis(50);
/// A sealed batch is published and committed in less, if nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(2);

/// An open batch, as far as sealing goes.
#[derive(Clone, Copy, Debug)]
struct Open<K> {
    key: K,
    size: usize,
    may_be_sealed: bool,
    /// How long it could not be.
    waited: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relief<K> {
    Seal(K),
    WaitFor(K),
    Nothing,
}

/// Returns what is to be done about the largest.
fn relief<K>(batches: impl Iterator<Item = Open<K>>) -> Relief<K> {
    let largest = batches
        .filter(|batch| batch.size > 0 && (batch.may_be_sealed || batch.waited < PATIENCE))
        .max_by_key(|batch| (batch.size, batch.may_be_sealed));
    match largest {
        Some(Open { key, may_be_sealed: true, .. }) => Relief::Seal(key),
        Some(Open { key, .. }) => Relief::WaitFor(key),
        None => Relief::Nothing,
    }
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
        let now = self.around.clock.uptime();
        for slot in self.slots.values_mut() {
            if slot.machine().is_some_and(Partition::may_seal) {
                slot.unsealable_since = None;
            }
        }
        while self.around.budget.is_open_the_cause() {
            let by_objects = !self.around.budget.is_nearly_over();
            let batches = self.slots.iter().filter_map(|(address, slot)| {
                let machine = slot.machine().filter(|machine| !machine.is_replaying())?;
                let size = if by_objects { machine.open_objects() } else { machine.open_bytes() };
                let waited = slot.unsealable_since.map_or(Duration::ZERO, |at| now.since(at));
                let may_be_sealed = machine.may_seal();
                Some(Open { key: *address, size, may_be_sealed, waited })
            });
            match relief(batches) {
                Relief::Seal(address) => {
                    self.drive(address, Input::Seal(SealReason::Memory));
                }
                Relief::WaitFor(address) => {
                    if let Some(slot) = self.slots.get_mut(&address) {
                        slot.unsealable_since.get_or_insert(now);
                    }
                    return;
                }
                Relief::Nothing => return,
            }
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
        let workers =
            u64::try_from(self.around.settings.get().limits.workers.get()).unwrap_or(u64::MAX);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_sealed_or_waited_for_as_long_as_that_may_help() {
        let open = |key, size, may_be_sealed, waited| Open {
            key,
            size,
            may_be_sealed,
            waited: Duration::from_millis(waited),
        };
        for (batches, expected) in [
            (vec![], Relief::Nothing),
            (vec![open('a', 0, true, 0)], Relief::Nothing),
            (vec![open('a', 1, true, 0), open('b', 2, true, 0)], Relief::Seal('b')),
            (vec![open('a', 1, true, 0), open('b', 2, false, 1_999)], Relief::WaitFor('b')),
            (vec![open('a', 1, true, 0), open('b', 2, false, 2_000)], Relief::Seal('a')),
            (vec![open('a', 2, true, 0), open('b', 2, false, 0)], Relief::Seal('a')),
            (vec![open('a', 1, false, 2_000)], Relief::Nothing),
        ] {
            let case = format!("{batches:?}");
            assert_eq!(relief(batches.into_iter()), expected, "{case}");
        }
    }
}
