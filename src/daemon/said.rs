//! What was said lately: a line that would come each second comes once a minute.
//!
//! It owns: when each was said last, for a bounded number of them. It does not own: the words.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One matter is said this often.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Matters that are remembered; beyond it everything is forgotten, and said once more.
const MATTERS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Said(Mutex<BTreeMap<String, Instant>>);

impl Said {
    /// Returns whether this matter was not said for a while; it counts as said then.
    pub(super) fn may_say(&self, matter: &str) -> bool {
        self.may_say_at(Instant::now(), matter)
    }

    fn may_say_at(&self, now: Instant, matter: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = said.get(matter).is_none_or(|at| now.duration_since(*at) >= SAY_EVERY);
        if is_new {
            if said.len() >= MATTERS_MAX {
                said.clear();
            }
            said.insert(matter.to_owned(), now);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_matter_is_said_once_a_minute() {
        let (said, start) = (Said::default(), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        assert!(said.may_say_at(start, "a") && said.may_say_at(start, "b"));
        assert!(!said.may_say_at(later(59), "a"));
        assert!(said.may_say_at(later(60), "a"));
        assert!(!said.may_say_at(later(119), "a"));
    }
}
