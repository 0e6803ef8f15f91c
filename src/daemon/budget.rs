//! The one memory budget of the process, in bytes, counted at admission and released when durable.
//!
//! It owns: the sums, and whether they are over the limit.
//! It does not own: what is done then (the workers).
//!
//! Inside: what batches hold, and parts and objects on their way. The prefetch of the workers'
//! queues is taken off the limit at start, because librdkafka keeps to it by itself. What the process
//! is seen to have beside all of that is taken off each second: clients and their buffers, thousands
//! of partitions, and holes between blocks that were freed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The program's code, which the limit does not have to hold.
const PROGRAM_BYTES: u64 = 16 << 20;
/// Whatever is beside the budget, this part of the limit is left to work in. No more is used at first
/// either, until something was seen: memory fills in a second.
const LEFT_AT_LEAST: u64 = 2;

/// What one machine holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holding {
    /// Bytes of batches, open and sealed.
    pub(super) bytes: usize,
    pub(super) objects: usize,
    /// The part of both that sealing would set on its way.
    pub(super) open_bytes: usize,
    pub(super) open_objects: usize,
}

/// What a budget is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct BudgetOptions {
    /// With the prefetch.
    pub(super) limit_bytes: u64,
    pub(super) prefetch_bytes: u64,
    /// What an upload takes beside its body: its task, its requests, its names and metadata.
    pub(super) upload_bytes: u64,
    pub(super) objects_max: usize,
}

#[derive(Debug)]
struct Sums {
    /// Without the prefetch.
    limit_bytes: AtomicU64,
    prefetch_bytes: AtomicU64,
    upload_bytes: u64,
    /// What is beside the budget and was not foreseen.
    beside_bytes: AtomicU64,
    held_bytes: AtomicU64,
    open_bytes: AtomicU64,
    flight_bytes: AtomicU64,
    objects: AtomicU64,
    open_objects: AtomicU64,
    objects_max: AtomicU64,
}

/// Cheap to clone; all count into the same sums.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Sums>);

/// Bytes on their way, released when dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    budget: Budget,
    bytes: u64,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.budget.0.flight_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Budget {
    pub(super) fn new(options: BudgetOptions) -> Self {
        let BudgetOptions { limit_bytes, prefetch_bytes, upload_bytes, objects_max } = options;
        let limit_bytes = limit_bytes.saturating_sub(prefetch_bytes);
        Self(Arc::new(Sums {
            limit_bytes: AtomicU64::new(limit_bytes),
            prefetch_bytes: AtomicU64::new(prefetch_bytes),
            upload_bytes,
            beside_bytes: AtomicU64::new(limit_bytes / LEFT_AT_LEAST),
            held_bytes: AtomicU64::new(0),
            open_bytes: AtomicU64::new(0),
            flight_bytes: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            open_objects: AtomicU64::new(0),
            objects_max: AtomicU64::new(count(objects_max)),
        }))
    }

    /// The limits have changed.
    pub(super) fn limits_are(&self, options: BudgetOptions) {
        let BudgetOptions { limit_bytes, prefetch_bytes, upload_bytes: _, objects_max } = options;
        let limit_bytes = limit_bytes.saturating_sub(prefetch_bytes);
        self.0.limit_bytes.store(limit_bytes, Ordering::Relaxed);
        self.0.prefetch_bytes.store(prefetch_bytes, Ordering::Relaxed);
        self.0.objects_max.store(count(objects_max), Ordering::Relaxed);
        self.0.beside_bytes.fetch_min(limit_bytes / LEFT_AT_LEAST, Ordering::Relaxed);
    }

    /// The limit without the prefetch, whatever is beside the budget.
    fn full_bytes(&self) -> u64 {
        self.0.limit_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn prefetch_bytes(&self) -> u64 {
        self.0.prefetch_bytes.load(Ordering::Relaxed)
    }

    fn objects_max(&self) -> u64 {
        self.0.objects_max.load(Ordering::Relaxed)
    }

    /// Replaces what one machine held by what it holds.
    pub(super) fn holds(&self, before: Holding, after: Holding) {
        replace(&self.0.held_bytes, before.bytes, after.bytes);
        replace(&self.0.open_bytes, before.open_bytes, after.open_bytes);
        replace(&self.0.objects, before.objects, after.objects);
        replace(&self.0.open_objects, before.open_objects, after.open_objects);
    }

    pub(super) fn send(&self, body_bytes: usize) -> InFlight {
        let bytes = count(body_bytes) + self.0.upload_bytes;
        self.0.flight_bytes.fetch_add(bytes, Ordering::Relaxed);
        InFlight { budget: self.clone(), bytes }
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.held_bytes() + self.flight_bytes()
    }

    pub(super) fn flight_bytes(&self) -> u64 {
        self.0.flight_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.0.held_bytes.load(Ordering::Relaxed)
    }

    /// Returns what batches and uploads may take now.
    pub(super) fn limit_bytes(&self) -> u64 {
        self.full_bytes().saturating_sub(self.0.beside_bytes.load(Ordering::Relaxed))
    }

    /// Takes notice of what the process has in memory, which tells something while much is in use. To
    /// be called each second, before what is free is given back.
    pub(super) fn has_resident(&self, resident_bytes: u64) {
        if self.used_bytes() < self.limit_bytes() / 2 {
            return;
        }
        let foreseen = self.used_bytes() + self.prefetch_bytes() + PROGRAM_BYTES;
        let beside = resident_bytes.saturating_sub(foreseen);
        let before = self.0.beside_bytes.load(Ordering::Relaxed);
        // A rise at once, and an eighth of a fall: holes come back before they are gone.
        let now = beside.max(before - before.saturating_sub(beside).div_ceil(8));
        self.0.beside_bytes.store(now.min(self.full_bytes() / LEFT_AT_LEAST), Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.used_bytes() > self.limit_bytes()
    }

    pub(super) fn has_too_many_objects(&self) -> bool {
        self.0.objects.load(Ordering::Relaxed) > self.objects_max()
    }

    /// Returns whether so much is in use that it will soon be too much.
    pub(super) fn is_nearly_over(&self) -> bool {
        self.used_bytes() > self.limit_bytes() / 8 * 7
    }

    /// Returns whether sealing helps, once memory was short: to less than the limit, so that what is
    /// open can grow and is not given relief again at the next record. What is sealed already has
    /// only to be waited for: a quarter of all is enough to keep uploads busy, and sealing more would
    /// make many small objects. Counted over all workers, of which each may have little.
    pub(super) fn is_open_the_cause(&self) -> bool {
        let open_bytes = self.0.open_bytes.load(Ordering::Relaxed);
        let open_objects = self.0.open_objects.load(Ordering::Relaxed);
        (self.is_nearly_over() && open_bytes > self.limit_bytes() / 4 * 3)
            || (self.has_too_many_objects() && open_objects > self.objects_max() / 2)
    }
}

fn replace(sum: &AtomicU64, before: usize, after: usize) {
    let (before, after) = (count(before), count(after));
    if after >= before {
        sum.fetch_add(after - before, Ordering::Relaxed);
    } else {
        sum.fetch_sub(before - after, Ordering::Relaxed);
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(limit_bytes: u64, objects_max: usize) -> Budget {
        let (prefetch_bytes, upload_bytes) = (0, 0);
        let budget =
            Budget::new(BudgetOptions { limit_bytes, prefetch_bytes, upload_bytes, objects_max });
        budget.0.beside_bytes.store(0, Ordering::Relaxed);
        budget
    }

    fn open(bytes: usize, objects: usize) -> Holding {
        Holding { bytes, objects, open_bytes: bytes, open_objects: objects }
    }

    fn sealed(bytes: usize, objects: usize) -> Holding {
        Holding { bytes, objects, ..Holding::default() }
    }

    #[test]
    fn counts_what_is_held_and_on_its_way_until_it_is_durable() {
        let budget = budget(100, 2);
        budget.holds(Holding::default(), open(60, 1));
        let part = budget.send(50);
        assert!(budget.is_over());
        budget.holds(open(60, 1), open(10, 1));
        assert_eq!(budget.used_bytes(), 60);
        drop(part);
        assert_eq!(budget.used_bytes(), 10);
        assert!(!budget.is_over());
    }

    #[test]
    fn counts_objects_against_their_own_limit() {
        let budget = budget(100, 2);
        budget.holds(Holding::default(), sealed(0, 3));
        assert!(budget.has_too_many_objects());
        budget.holds(sealed(0, 3), sealed(0, 2));
        assert!(!budget.has_too_many_objects());
    }

    #[test]
    fn many_workers_with_little_each_are_the_cause_together() {
        let budget = budget(100, 1_000);
        for _ in 0..8 {
            budget.holds(Holding::default(), open(12, 1));
        }
        let _part = budget.send(10);
        assert!(budget.is_open_the_cause());
        for _ in 0..2 {
            budget.holds(open(12, 1), sealed(12, 1));
        }
        assert!(budget.is_over() && !budget.is_open_the_cause(), "the rest is waited for");
    }

    #[test]
    fn what_the_process_has_beside_it_is_taken_off() {
        let mebibytes = |count: u64| count << 20;
        let budget = Budget::new(BudgetOptions {
            limit_bytes: mebibytes(100),
            prefetch_bytes: mebibytes(10),
            upload_bytes: mebibytes(5),
            objects_max: 1_000,
        });
        assert_eq!(budget.limit_bytes(), mebibytes(45));
        budget.has_resident(PROGRAM_BYTES);
        assert_eq!(budget.limit_bytes(), mebibytes(45), "nothing is in use yet");
        let _part = budget.send(45 << 20);
        let foreseen = mebibytes(50) + mebibytes(10) + PROGRAM_BYTES;
        for (resident, at_once, later) in [
            (foreseen, 50, 90),
            (foreseen + mebibytes(20), 70, 70),
            (mebibytes(9_000), 45, 45),
            (foreseen + mebibytes(40), 45, 50),
        ] {
            budget.has_resident(resident);
            assert_eq!(budget.limit_bytes() >> 20, at_once, "{resident}");
            for _ in 0..1_000 {
                budget.has_resident(resident);
            }
            assert_eq!(budget.limit_bytes(), mebibytes(later), "{resident}");
        }
    }

    #[test]
    fn too_many_objects_are_sealed_only_until_half_of_them_are() {
        let budget = budget(100, 10);
        budget.holds(Holding::default(), open(0, 11));
        assert!(budget.is_open_the_cause());
        budget.holds(open(0, 11), Holding { open_objects: 5, ..sealed(0, 11) });
        assert!(budget.has_too_many_objects() && !budget.is_open_the_cause());
    }
}
