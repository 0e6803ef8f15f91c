//! When the next post is due.
//!
//! It owns: the arithmetic of a steady rate. It does not own: the clock and the waiting.

use std::time::Duration;

/// Posts per second; zero is as fast as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(u32);

impl Pace {
    pub fn new(posts_per_second: u32) -> Self {
        Self(posts_per_second)
    }

    /// Returns when the post at `index` is due, since the first one. What was late is made up
    /// for, so that the rate holds over the whole run.
    pub fn due(self, index: u64) -> Duration {
        if self.0 == 0 {
            return Duration::ZERO;
        }
        let rate = u64::from(self.0);
        let nanoseconds = (index % rate) * 1_000_000_000 / rate;
        Duration::from_secs(index / rate) + Duration::from_nanos(nanoseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_due_at_even_distances() {
        let pace = Pace::new(4);
        assert_eq!(pace.due(0), Duration::ZERO);
        assert_eq!(pace.due(1), Duration::from_millis(250));
        assert_eq!(pace.due(9), Duration::from_millis(2_250));
    }

    #[test]
    fn without_a_rate_every_post_is_due_at_once() {
        assert_eq!(Pace::new(0).due(u64::MAX), Duration::ZERO);
    }

    #[test]
    fn no_index_overflows() {
        assert_eq!(Pace::new(1).due(u64::MAX), Duration::from_secs(u64::MAX));
        assert!(Pace::new(u32::MAX).due(u64::MAX) > Duration::ZERO);
    }
}
