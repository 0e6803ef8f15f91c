//! Records per second over the last minute, from totals noted now and then.
//!
//! It owns: the notes of the last minute. It does not own: the count itself.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Uptime;

const WINDOW: Duration = Duration::from_secs(60);
/// Notes closer together than this are not kept, so that the window holds at most 61.
const STEP_MIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct RateMeter(VecDeque<(Uptime, u64)>);

impl RateMeter {
    pub(super) fn note(&mut self, now: Uptime, total: u64) {
        if self.0.back().is_some_and(|(at, _)| now.since(*at) < STEP_MIN) {
            return;
        }
        self.0.push_back((now, total));
        while self.0.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.0.pop_front();
        }
    }

    /// Returns none until two notes are at hand and while the newest one is older than the window.
    pub(super) fn per_second(&self, now: Uptime) -> Option<f64> {
        let (first_at, first) = *self.0.front()?;
        let (last_at, last) = *self.0.back()?;
        let span = last_at.since(first_at);
        if span.is_zero() || now.since(last_at) > WINDOW {
            return None;
        }
        Some(last.saturating_sub(first) as f64 / span.as_secs_f64())
    }
}
