//! The one memory budget of the process, in bytes, counted at admission and released when durable.
//!
//! It owns: the sums, and whether they are over the limit.
//! It does not own: what is done then (the workers).
//!
//! Inside: what batches hold, and parts and objects on their way. The prefetch of the workers'
//! queues is taken off the limit at start, because librdkafka keeps to it by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

#[derive(Debug)]
struct Sums {
    limit_bytes: u64,
    held_bytes: AtomicU64,
    open_bytes: AtomicU64,
    flight_bytes: AtomicU64,
    objects: AtomicU64,
    open_objects: AtomicU64,
    objects_max: u64,
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
    pub(super) fn new(limit_bytes: u64, objects_max: usize) -> Self {
        Self(Arc::new(Sums {
            limit_bytes,
            held_bytes: AtomicU64::new(0),
            open_bytes: AtomicU64::new(0),
            flight_bytes: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            open_objects: AtomicU64::new(0),
            objects_max: count(objects_max),
        }))
    }

    /// Replaces what one machine held by what it holds.
    pub(super) fn holds(&self, before: Holding, after: Holding) {
        replace(&self.0.held_bytes, before.bytes, after.bytes);
        replace(&self.0.open_bytes, before.open_bytes, after.open_bytes);
        replace(&self.0.objects, before.objects, after.objects);
        replace(&self.0.open_objects, before.open_objects, after.open_objects);
    }

    pub(super) fn send(&self, body_bytes: usize) -> InFlight {
        let bytes = count(body_bytes);
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

    pub(super) fn limit_bytes(&self) -> u64 {
        self.0.limit_bytes
    }

    pub(super) fn is_over(&self) -> bool {
        self.used_bytes() > self.0.limit_bytes
    }

    pub(super) fn has_too_many_objects(&self) -> bool {
        self.0.objects.load(Ordering::Relaxed) > self.0.objects_max
    }

    /// Returns whether so much is in use that it will soon be too much.
    pub(super) fn is_nearly_over(&self) -> bool {
        self.used_bytes() > self.0.limit_bytes - self.0.limit_bytes / 8
    }

    /// Returns whether sealing helps, once memory was short: to less than the limit, so that what is
    /// open can grow and is not given relief again at the next record. What is sealed already has
    /// only to be waited for, and sealing more would make many small objects. Counted over all
    /// workers, of which each may have little.
    pub(super) fn is_open_the_cause(&self) -> bool {
        let open_bytes = self.0.open_bytes.load(Ordering::Relaxed);
        let open_objects = self.0.open_objects.load(Ordering::Relaxed);
        (self.is_nearly_over() && open_bytes > self.0.limit_bytes / 4)
            || (self.has_too_many_objects() && open_objects > self.0.objects_max / 2)
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

    fn open(bytes: usize, objects: usize) -> Holding {
        Holding { bytes, objects, open_bytes: bytes, open_objects: objects }
    }

    fn sealed(bytes: usize, objects: usize) -> Holding {
        Holding { bytes, objects, ..Holding::default() }
    }

    #[test]
    fn counts_what_is_held_and_on_its_way_until_it_is_durable() {
        let budget = Budget::new(100, 2);
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
        let budget = Budget::new(100, 2);
        budget.holds(Holding::default(), sealed(0, 3));
        assert!(budget.has_too_many_objects());
        budget.holds(sealed(0, 3), sealed(0, 2));
        assert!(!budget.has_too_many_objects());
    }

    #[test]
    fn many_workers_with_little_each_are_the_cause_together() {
        let budget = Budget::new(100, 1_000);
        for _ in 0..8 {
            budget.holds(Holding::default(), open(12, 1));
        }
        let _part = budget.send(10);
        assert!(budget.is_open_the_cause());
        for _ in 0..6 {
            budget.holds(open(12, 1), sealed(12, 1));
        }
        assert!(budget.is_over() && !budget.is_open_the_cause(), "the rest is waited for");
    }

    #[test]
    fn too_many_objects_are_sealed_only_until_half_of_them_are() {
        let budget = Budget::new(100, 10);
        budget.holds(Holding::default(), open(0, 11));
        assert!(budget.is_open_the_cause());
        budget.holds(open(0, 11), Holding { open_objects: 5, ..sealed(0, 11) });
        assert!(budget.has_too_many_objects() && !budget.is_open_the_cause());
    }
}
