//! One commit that was enqueued and has no definite answer yet.

use std::time::Duration;

use crate::model::{CommitFault, Offset, Uptime};

/// A code in no list is repeated this often before it counts as a refusal (rule 4).
pub(super) const UNLISTED_MAX: u32 = 10;
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) offset: Offset,
    pub(super) metadata: String,
    /// It was part of a request whose answer says nothing about it.
    pub(super) alone: bool,
    pub(super) attempts: u32,
    pub(super) unlisted: u32,
    pub(super) not_before: Uptime,
    /// When it was enqueued.
    pub(super) since: Uptime,
}

impl Waiting {
    /// Counts an answer to a request of its own; true if it is definite.
    pub(super) fn is_refused_by(&mut self, fault: CommitFault) -> bool {
        match fault {
            CommitFault::Refused => true,
            CommitFault::Unlisted => {
                self.unlisted += 1;
                self.unlisted >= UNLISTED_MAX
            }
            CommitFault::Ambiguous
            | CommitFault::Freeze
            | CommitFault::Kill
            | CommitFault::NewClient => false,
        }
    }

    pub(super) fn delay(&self) -> Duration {
        RETRY_FIRST.saturating_mul(1 << self.attempts.min(8)).min(RETRY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_two_seconds() {
        let delay = |attempts| {
            let (offset, metadata, now) = (Offset::ZERO, String::new(), Uptime::ZERO);
            let (alone, unlisted) = (false, 0);
            Waiting { offset, metadata, alone, attempts, unlisted, not_before: now, since: now }
                .delay()
        };
        let expected = [100, 200, 400, 800, 1_600, 2_000, 2_000].map(Duration::from_millis);
        assert_eq!([0, 1, 2, 3, 4, 5, 1_000].map(delay), expected);
    }
}
