//! How long one request may take.
//!
//! It owns: the deadline, which every store puts around every request of its own.
//! It does not own: time-outs of connecting and stalled streams (`aws`), asking again (`retry`).

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use super::error::{Operation, StoreError, StoreErrorKind};
use crate::model::{Bucket, ObjectKey};

/// Any request without a body; Complete of 10,000 parts takes S3 a few seconds.
const REQUEST_DURATION_MAX: Duration = Duration::from_secs(30);
/// A part of 8 MiB gets 32 s more: slower lines than 256 KiB/s cannot keep up anyway.
const BODY_BYTES_PER_SECOND_MIN: u64 = 256 * 1_024;

/// One request, for its deadline and its error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt<'a> {
    pub operation: Operation,
    pub bucket: &'a Bucket,
    pub key: Option<&'a ObjectKey>,
    pub body_bytes: usize,
}

impl Attempt<'_> {
    /// Returns how long the request may take, both ways and with all waiting.
    pub(super) fn duration_max(&self) -> Duration {
        let body_bytes = u64::try_from(self.body_bytes).unwrap_or(u64::MAX);
        REQUEST_DURATION_MAX + Duration::from_secs(body_bytes / BODY_BYTES_PER_SECOND_MIN)
    }

    /// Ends the request with `Timeout` when it takes too long.
    pub(super) async fn within<T>(
        &self,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match timeout(self.duration_max(), request).await {
            Ok(result) => result,
            Err(_elapsed) => Err(self.failed(StoreErrorKind::Timeout)),
        }
    }

    pub(super) fn failed(&self, kind: StoreErrorKind) -> StoreError {
        StoreError::without_answer(self.operation, self.bucket, self.key, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hang_ends_and_a_large_body_gets_more_time() {
        let bucket = Bucket::new("abc").unwrap();
        let attempt =
            Attempt { operation: Operation::Put, bucket: &bucket, key: None, body_bytes: 0 };
        let hung = attempt.within(std::future::pending::<Result<(), StoreError>>()).await;
        assert_eq!(hung.unwrap_err().kind, StoreErrorKind::Timeout);
        let large = Attempt { body_bytes: 8 * 1_024 * 1_024, ..attempt };
        assert_eq!(large.duration_max(), Duration::from_secs(62));
    }
}
