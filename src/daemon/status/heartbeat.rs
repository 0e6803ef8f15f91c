//! The loops' beats: when each last went round.
//!
//! It owns: one atomic per loop. It does not own: the loops, nor how long silence may last.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Uptime;

/// A loop whose standstill stops the daemon's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoopName {
    Poll,
    Commit,
    Worker(usize),
}

impl fmt::Display for LoopName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poll => formatter.write_str("poll thread"),
            Self::Commit => formatter.write_str("commit thread"),
            Self::Worker(index) => write!(formatter, "worker {index}"),
        }
    }
}

/// Milliseconds since the start at the last beat.
type Cell = Arc<AtomicU64>;

/// A loop's own handle. Dropped without `finish` (its thread died), the loop counts as stuck.
#[derive(Debug)]
pub struct Heartbeat {
    name: LoopName,
    cell: Cell,
    beats: Beats,
}

impl Heartbeat {
    /// Says that the loop went round: one store.
    pub fn beat(&self, now: Uptime) {
        self.cell.store(millis(now), Relaxed);
    }

    /// Ends the watch, because the loop ends as intended.
    pub fn finish(self) {
        self.beats.finished(self.name, &self.cell);
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Beats(Arc<Mutex<BTreeMap<LoopName, Cell>>>);

impl Beats {
    pub(super) fn started(&self, name: LoopName, now: Uptime) -> Heartbeat {
        let cell = Arc::new(AtomicU64::new(millis(now)));
        self.lock().insert(name, Arc::clone(&cell));
        Heartbeat { name, cell, beats: self.clone() }
    }

    /// Returns the loops that have been silent for longer than `bound`.
    pub(super) fn silent_for(&self, now: Uptime, bound: Duration) -> Vec<(LoopName, Duration)> {
        let cells = self.lock();
        let silent = cells.iter().map(|(name, cell)| {
            let last = Uptime::new(Duration::from_millis(cell.load(Relaxed)));
            (*name, now.since(last))
        });
        silent.filter(|(_, silence)| *silence > bound).collect()
    }

    /// Leaves a loop of the same name that was started since then alone.
    fn finished(&self, name: LoopName, cell: &Cell) {
        let mut cells = self.lock();
        if cells.get(&name).is_some_and(|present| Arc::ptr_eq(present, cell)) {
            cells.remove(&name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LoopName, Cell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(now: Uptime) -> u64 {
    u64::try_from(now.since_start().as_millis()).unwrap_or(u64::MAX)
}
