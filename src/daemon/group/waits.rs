//! How long the steps of one rebalance may take, all of them within `max.poll.interval.ms`: who
//! takes longer is thrown out of the group, and its partitions go to another.

use std::time::Duration;

/// For the committed offsets. What is not answered then is asked outside of the callback.
const COMMITTED_MAX: Duration = Duration::from_secs(10);

/// The bounds of one rebalance; their sum is below the interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct Waits {
    /// For planned and open batches of revoked partitions: a quarter, 75 s of 5 minutes.
    pub(super) drain: Duration,
    pub(super) committed: Duration,
    /// For a commit on its way, which is answered in seconds, or within librdkafka's time-outs of a
    /// minute: three fifths, 3 of 5 minutes. Beyond it the client is made anew.
    pub(super) answered: Duration,
}

impl Waits {
    /// `drain` is the user's limit, `interval` is `max.poll.interval.ms`.
    pub(in crate::daemon) fn new(drain: Duration, interval: Duration) -> Self {
        Self {
            drain: drain.min(interval / 4),
            committed: COMMITTED_MAX.min(interval / 8),
            answered: interval.saturating_mul(3) / 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebalance_ends_before_the_group_gives_up_on_this_member() {
        for seconds in [20, 60, 300, 86_400] {
            let interval = Duration::from_secs(seconds);
            for drain in [Duration::ZERO, Duration::from_secs(60), Duration::MAX] {
                let waits = Waits::new(drain, interval);
                assert!(waits.drain + waits.committed + waits.answered < interval, "{waits:?}");
                assert!(waits.drain <= drain);
            }
        }
    }
}
