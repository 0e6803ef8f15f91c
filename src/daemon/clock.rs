//! The two clocks, read at the edge and handed down as values.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::engine::Now;
use crate::model::{Timestamp, Uptime};

/// Counts from the start of the program. Inside a runtime whose time is paused it stands still too.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    /// The time of day is the time since the start, behind this one: for the simulation.
    #[cfg(any(test, feature = "mutants"))]
    wall_at_start: Option<Timestamp>,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            #[cfg(any(test, feature = "mutants"))]
            wall_at_start: None,
        }
    }

    /// Starts a clock whose time of day goes with the runtime's time.
    #[cfg(any(test, feature = "mutants"))]
    pub(super) fn simulated(wall: Timestamp) -> Self {
        Self { wall_at_start: Some(wall), ..Self::start() }
    }

    /// Where `Uptime` counts from.
    pub fn started(&self) -> std::time::Instant {
        self.started.into_std()
    }

    pub fn uptime(&self) -> Uptime {
        Uptime::new(self.started.elapsed())
    }

    pub fn now(&self) -> Now {
        Now { uptime: self.uptime(), wall: self.wall() }
    }

    #[cfg(not(any(test, feature = "mutants")))]
    fn wall(&self) -> Timestamp {
        wall()
    }

    #[cfg(any(test, feature = "mutants"))]
    fn wall(&self) -> Timestamp {
        let millis = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let simulated = |start: Timestamp| Timestamp::from_millis(start.millis() + millis);
        self.wall_at_start.map_or_else(wall, simulated)
    }
}

/// Returns the time of day; zero on a machine whose clock stands before 1970.
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
