//! Who is told about requests: metrics, the status page, logs.
//!
//! It owns: the trait, what it is told.
//! It does not own: counting.

use std::fmt;
use std::time::Duration;

use super::error::{Operation, StoreError, StoreErrorKind};

/// One request that came to an end, well or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub operation: Operation,
    pub outcome: Result<(), StoreErrorKind>,
    pub duration: Duration,
    /// Of the body that was sent.
    pub body_bytes: usize,
}

/// Is told from the upload runtime's threads and must not block.
pub trait UploadObserver: Send + Sync + fmt::Debug {
    fn request(&self, request: &Request);

    /// A failure that will be asked again after `delay`; `attempt` counts from one.
    fn retrying(&self, error: &StoreError, attempt: u32, delay: Duration);
}
