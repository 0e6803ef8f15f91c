//! Waiting by asking, never by sleeping for a hoped-for time.
//!
//! It owns: the polling loop and the panic that names what never came.
//! It does not own: what is asked.

use std::time::{Duration, Instant};

/// The pause between two questions: short beside anything waited for, long beside a question.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until there is an answer; panics with `what` after `deadline`.
#[track_caller]
pub fn until<T>(what: &str, deadline: Duration, ask: impl FnMut() -> Option<T>) -> T {
    until_or(deadline, ask).unwrap_or_else(|| panic!("waited {deadline:?} in vain for {what}"))
}

/// Asks until there is an answer or the deadline is over; asks at least once.
pub fn until_or<T>(deadline: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}
