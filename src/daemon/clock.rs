//! The two clocks, read at the edge and handed down as values.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::engine::Now;
use crate::model::{Timestamp, Uptime};

/// Counts from the start of the program.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Where `Uptime` counts from.
    pub fn started(&self) -> Instant {
        self.started
    }

    pub fn uptime(&self) -> Uptime {
        Uptime::new(self.started.elapsed())
    }

    pub fn now(&self) -> Now {
        Now { uptime: self.uptime(), wall: wall() }
    }
}

/// Returns the time of day; zero on a machine whose clock stands before 1970.
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
