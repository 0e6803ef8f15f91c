//! Records per second over the last minute, and their course over the last minutes, from totals
//! noted now and then.
//!
//! It owns: the notes. It does not own: the count itself, how it is drawn.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Uptime;

const WINDOW: Duration = Duration::from_secs(60);
/// Notes closer together than this are not kept, so that the window holds at most 61.
const STEP_MIN: Duration = Duration::from_secs(1);
/// How far back the course goes, and how long each of its spans is.
pub const COURSE: Duration = Duration::from_secs(600);
const COURSE_STEP: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct RateMeter {
    minute: Notes,
    course: Notes,
}

#[derive(Debug, Default)]
struct Notes(VecDeque<(Uptime, u64)>);

impl Notes {
    fn note(&mut self, now: Uptime, total: u64, (step, window): (Duration, Duration)) {
        if self.0.back().is_some_and(|(at, _)| now.since(*at) < step) {
            return;
        }
        self.0.push_back((now, total));
        while self.0.front().is_some_and(|(at, _)| now.since(*at) > window) {
            self.0.pop_front();
        }
    }
}

impl RateMeter {
    pub(super) fn note(&mut self, now: Uptime, total: u64) {
        self.minute.note(now, total, (STEP_MIN, WINDOW));
        self.course.note(now, total, (COURSE_STEP, COURSE));
    }

    /// Returns none until two notes are at hand and while the newest one is older than the window.
    pub(super) fn per_second(&self, now: Uptime) -> Option<f64> {
        let (first_at, first) = *self.minute.0.front()?;
        let (last_at, last) = *self.minute.0.back()?;
        let span = last_at.since(first_at);
        if span.is_zero() || now.since(last_at) > WINDOW {
            return None;
        }
        Some(last.saturating_sub(first) as f64 / span.as_secs_f64())
    }

    /// Returns the rate of each span of about ten seconds, the oldest first: records per second, and
    /// how long ago the span ended.
    pub(super) fn course(&self, now: Uptime) -> Vec<(Duration, f64)> {
        let notes = &self.course.0;
        let spans = notes.iter().zip(notes.iter().skip(1));
        spans
            .filter_map(|((from, before), (to, after))| {
                let span = to.since(*from);
                let rate = after.saturating_sub(*before) as f64 / span.as_secs_f64();
                (!span.is_zero()).then(|| (now.since(*to), rate))
            })
            .collect()
    }
}
