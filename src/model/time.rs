//! Two clocks: time since the program started, for deadlines; time of day, for what is written.

use std::time::Duration;

/// Time since the program started. The engine is given it and never asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(Duration);

impl Uptime {
    pub const ZERO: Self = Self(Duration::ZERO);

    pub fn new(since_start: Duration) -> Self {
        Self(since_start)
    }

    pub fn since_start(self) -> Duration {
        self.0
    }

    /// Returns the moment `wait` later.
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// Returns the time between `earlier` and this moment, zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, as Kafka stamps records; may be absurd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub fn millis(self) -> i64 {
        self.0
    }
}
