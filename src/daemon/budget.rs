//! The one memory budget of the process, in bytes, counted at admission and released when durable.
//!
//! It owns: the sums, and whether they are over the limit.
//! It does not own: what is done then (the workers).
//!
//! Inside: what batches hold, and parts and objects on their way. The prefetch of the workers'
//! queues is taken off the limit at start, because librdkafka keeps to it by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[derive(Debug)]
struct Sums {
    limit_bytes: u64,
    held_bytes: AtomicU64,
    flight_bytes: AtomicU64,
    objects: AtomicUsize,
    objects_max: usize,
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
            flight_bytes: AtomicU64::new(0),
            objects: AtomicUsize::new(0),
            objects_max,
        }))
    }

    /// Replaces what one machine held by what it holds.
    pub(super) fn held(&self, before: usize, after: usize) {
        let (before, after) = (bytes(before), bytes(after));
        if after >= before {
            self.0.held_bytes.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.0.held_bytes.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Replaces how many objects one machine had by how many it has.
    pub(super) fn objects(&self, before: usize, after: usize) {
        if after >= before {
            self.0.objects.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.0.objects.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    pub(super) fn send(&self, body_bytes: usize) -> InFlight {
        let bytes = bytes(body_bytes);
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
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_held_and_on_its_way_until_it_is_durable() {
        let budget = Budget::new(100, 2);
        budget.held(0, 60);
        let part = budget.send(50);
        assert!(budget.is_over());
        budget.held(60, 10);
        assert_eq!(budget.used_bytes(), 60);
        drop(part);
        assert_eq!(budget.used_bytes(), 10);
        assert!(!budget.is_over());
    }

    #[test]
    fn counts_objects_against_their_own_limit() {
        let budget = Budget::new(100, 2);
        budget.objects(0, 3);
        assert!(budget.has_too_many_objects());
        budget.objects(3, 2);
        assert!(!budget.has_too_many_objects());
    }
}
