//! What the upload runtime tells of its requests, into metrics and the status page.

use std::time::Duration;

use super::clock::{Clock, wall};
use super::metrics::Metrics;
use super::status::{SeenError, Status};
use crate::s3::{Healing, Request, StoreError, UploadObserver};

/// Counts requests and shows failures.
#[derive(Debug)]
pub(super) struct StoreObserver {
    pub(super) metrics: Metrics,
    pub(super) status: Status,
    pub(super) clock: Clock,
}

impl UploadObserver for StoreObserver {
    fn request(&self, request: &Request) {
        let outcome = match request.outcome {
            Ok(()) => "ok",
            Err(kind) => kind.as_str(),
        };
        self.metrics.s3_requested(request.operation.as_str(), outcome);
        let now = self.clock.uptime();
        match request.outcome {
            Ok(()) => self.status.store_answered(now),
            Err(kind) if kind.healing() == Healing::Never => self.status.store_answered(now),
            Err(kind) => self.status.store_failed(now, kind.as_str()),
        }
    }

    fn retrying(&self, error: &StoreError, attempt: u32, _delay: Duration) {
        self.metrics.retried(error.kind.as_str());
        let needs_a_person = error.kind.healing() == Healing::Person;
        if needs_a_person || attempt == 3 {
            self.metrics.error_handled(error.kind.as_str());
            let remedy = if needs_a_person { "repair it: Sluice waits" } else { "it is repeated" };
            let text = error.to_string();
            let seen = SeenError::new(wall(), error.kind.as_str(), &text, remedy);
            self.status.error_seen(seen.about(error.key.as_ref()));
        }
    }
}
