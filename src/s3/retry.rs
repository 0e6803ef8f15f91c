//! Asking again: for ever what can heal, never what was answered definitely.
//!
//! It owns: the delays, telling the observer of each failure, the log of failures (rate-limited).
//! It does not own: what heals (`error`), the deadline of one request (each store has its own).

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::cancel::Cancellation;
use super::error::{Healing, StoreError, StoreErrorKind};
use super::observe::UploadObserver;

/// Below S3's own time to scale, above a lost packet's.
const DELAY_FIRST: Duration = Duration::from_millis(100);
/// A person who repaired something waits no longer than this.
const DELAY_MAX: Duration = Duration::from_secs(30);
/// 100 ms doubled nine times is above 30 s.
const DOUBLINGS_MAX: u32 = 9;
/// How often one kind of failure is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Why asking again came to an end without success.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Stopped {
    #[error("given up because the work was called off")]
    Cancelled,
    #[error(transparent)]
    Definite(StoreError),
}

/// How requests are repeated. Cheap to clone; one for all work of a process shares its log.
#[derive(Clone, Debug)]
pub struct Retry {
    observer: Arc<dyn UploadObserver>,
    cancellation: Cancellation,
    log: Arc<FailureLog>,
    jitter: fn() -> f64,
}

impl Retry {
    pub fn new(observer: Arc<dyn UploadObserver>, cancellation: Cancellation) -> Self {
        Self { observer, cancellation, log: Arc::default(), jitter: rand::random }
    }

    /// Returns the same with another source of jitter, from 0 to 1.
    pub fn jittered_by(&self, jitter: fn() -> f64) -> Self {
        Self { jitter, ..self.clone() }
    }

    /// Returns the same with another cancellation.
    pub fn cancelled_by(&self, cancellation: Cancellation) -> Self {
        Self { cancellation, ..self.clone() }
    }

    /// Repeats the request until it succeeds, is answered definitely, or is called off. A request
    /// that runs is never dropped by this: cancelling acts between two.
    pub async fn run<T, F, R>(&self, request: F) -> Result<T, Stopped>
    where
        F: FnMut() -> R,
        R: Future<Output = Result<T, StoreError>>,
    {
        self.run_at_most(u32::MAX, request).await
    }

    /// The same, but the failure of the last attempt counts as definite.
    pub async fn run_at_most<T, F, R>(&self, attempts: u32, mut request: F) -> Result<T, Stopped>
    where
        F: FnMut() -> R,
        R: Future<Output = Result<T, StoreError>>,
    {
        let mut attempt: u32 = 1;
        loop {
            if self.cancellation.is_cancelled() {
                return Err(Stopped::Cancelled);
            }
            let error = match request().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if error.kind.healing() == Healing::Never || attempt >= attempts {
                return Err(Stopped::Definite(error));
            }
            let delay = delay_after(attempt, (self.jitter)());
            self.log.failed(&error, attempt);
            self.observer.retrying(&error, attempt, delay);
            tokio::select! {
                biased;
                // cancel-safe: it only watches
                () = self.cancellation.cancelled() => return Err(Stopped::Cancelled),
                () = tokio::time::sleep(delay) => {}
            }
            attempt = attempt.saturating_add(1);
        }
    }
}

/// Returns half of the doubled delay and a random part of the other half, so that many waiters do
/// not come back at once.
fn delay_after(attempt: u32, jitter: f64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(DOUBLINGS_MAX);
    let whole = DELAY_FIRST.saturating_mul(1 << doublings).min(DELAY_MAX);
    whole.div_f64(2.0).saturating_add(whole.mul_f64(jitter / 2.0))
}

/// Logs the first failure of each kind, then one a minute, with the count of those kept back.
#[derive(Debug, Default)]
struct FailureLog(Mutex<BTreeMap<StoreErrorKind, Logged>>);

#[derive(Debug)]
struct Logged {
    at: Instant,
    kept_back: u64,
}

impl FailureLog {
    fn failed(&self, error: &StoreError, attempt: u32) {
        let Some(kept_back) = self.admit(error.kind) else { return };
        let kind = error.kind.as_str();
        match error.kind.healing() {
            Healing::Person => {
                error!(kind, attempt, kept_back, %error, "S3 needs a person, waiting for it");
            }
            Healing::Itself | Healing::Never => {
                warn!(kind, attempt, kept_back, %error, "S3 request failed, retrying");
            }
        }
        if let Some(key) = &error.key {
            debug!(kind, key = key.as_str(), "the whole key of the request that failed");
        }
    }

    /// Returns how many were kept back since the last one, if this one may be logged.
    fn admit(&self, kind: StoreErrorKind) -> Option<u64> {
        let now = Instant::now();
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(logged) = kinds.get_mut(&kind) else {
            kinds.insert(kind, Logged { at: now, kept_back: 0 });
            return Some(0);
        };
        if now.duration_since(logged.at) < LOG_INTERVAL {
            logged.kept_back += 1;
            return None;
        }
        logged.at = now;
        Some(std::mem::take(&mut logged.kept_back))
    }
}

#[cfg(test)]
mod tests;
