//! The faults that a test writes down, and the observer that writes down what it is told.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::error::{Operation, StoreError, StoreErrorKind};
use super::super::observe::{Request, UploadObserver};

/// Whether the store does the work before the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Answer {
        code: &'static str,
        status: u16,
        when: When,
    },
    /// The connection breaks.
    Reset(When),
    /// No answer ever comes.
    Hang(When),
    /// The request is never made.
    NoCredentials,
}

impl Fault {
    pub fn answer(code: &'static str, status: u16) -> Self {
        Self::Answer { code, status, when: When::Before }
    }

    pub fn answer_after(code: &'static str, status: u16) -> Self {
        Self::Answer { code, status, when: When::After }
    }

    pub(super) fn when(self) -> When {
        match self {
            Self::Answer { when, .. } | Self::Reset(when) | Self::Hang(when) => when,
            Self::NoCredentials => When::Before,
        }
    }
}

#[derive(Debug)]
struct Scripted {
    operation: Operation,
    key_end: String,
    /// How many matching requests still go well before it.
    to_go: u32,
    fault: Fault,
}

/// The faults to come and the requests that came.
#[derive(Debug, Default)]
pub(super) struct Script {
    faults: Vec<Scripted>,
    requests: Vec<(Operation, String)>,
}

impl Script {
    pub(super) fn add(&mut self, operation: Operation, key_end: &str, nth: u32, fault: Fault) {
        let key_end = key_end.to_owned();
        self.faults.push(Scripted { operation, key_end, to_go: nth.saturating_sub(1), fault });
    }

    pub(super) fn requests(&self) -> &[(Operation, String)] {
        &self.requests
    }

    /// Writes the request down and returns the fault that it meets.
    pub(super) fn next(&mut self, operation: Operation, key: &str) -> Option<Fault> {
        self.requests.push((operation, key.to_owned()));
        let mut met = None;
        for (index, scripted) in self.faults.iter_mut().enumerate() {
            if scripted.operation != operation || !key.ends_with(&scripted.key_end) {
                continue;
            }
            if scripted.to_go > 0 {
                scripted.to_go -= 1;
            } else if met.is_none() {
                met = Some(index);
            }
        }
        met.map(|index| self.faults.remove(index).fault)
    }
}

/// Remembers what an observer is told.
#[derive(Debug, Default)]
pub struct Recorder {
    retried: Mutex<Vec<StoreErrorKind>>,
    requested: Mutex<Vec<Request>>,
}

impl Recorder {
    pub fn retried(&self) -> Vec<StoreErrorKind> {
        lock(&self.retried).clone()
    }

    pub fn requested(&self) -> Vec<Request> {
        lock(&self.requested).clone()
    }
}

impl UploadObserver for Recorder {
    fn request(&self, request: &Request) {
        lock(&self.requested).push(*request);
    }

    fn retrying(&self, error: &StoreError, _attempt: u32, _delay: Duration) {
        lock(&self.retried).push(error.kind);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
