//! How long the group's coordinator has not answered although the brokers do.

use std::time::Duration;

use crate::model::Uptime;

/// librdkafka's own time-outs and reconnects are over by then.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// Since when.
#[derive(Debug, Default)]
pub(super) struct Silence {
    since: Option<Uptime>,
}

impl Silence {
    pub(super) fn answered(&mut self) {
        self.since = None;
    }

    /// Returns whether it has lasted for too long, once; from then on it counts anew.
    pub(super) fn unanswered(&mut self, now: Uptime) -> bool {
        let since = *self.since.get_or_insert(now);
        let is_over = now.since(since) >= SILENCE_MAX;
        if is_over {
            self.since = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Uptime {
        Uptime::new(Duration::from_secs(seconds))
    }

    #[test]
    fn only_a_silence_without_a_gap_counts() {
        let mut silence = Silence::default();
        assert!(!silence.unanswered(at(0)));
        assert!(!silence.unanswered(at(44)));
        silence.answered();
        assert!(!silence.unanswered(at(46)));
        assert!(silence.unanswered(at(91)));
        assert!(!silence.unanswered(at(92)), "the next client has its own time");
    }
}
