//! The stores of the process: the configured one, and those that pending plans name.
//!
//! It owns: the clients, how requests are repeated, the runtime that they run on, the first
//! question to S3.
//! It does not own: other requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::clock::Clock;
use super::status::Status;
use crate::layout::Layout;
use crate::model::Bucket;
use crate::s3::{Buckets, Metered, Retry, Store, Throttle, UploadObserver};

/// Questions on their way at a time: after an assignment there is one for each partition.
const QUESTIONS_MAX: usize = 64;
/// How old an answer of S3 may be that readiness goes by.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Where objects go.
#[derive(Debug)]
pub(super) struct Stores {
    runtime: Handle,
    buckets: Box<dyn Buckets>,
    own: Store,
    /// The configured bucket, for whatever does not go through the uploads, which measure
    /// themselves.
    asked: Store,
    endpoint: Option<String>,
    retry: Retry,
}

impl Stores {
    pub(super) fn new(
        runtime: Handle,
        buckets: Box<dyn Buckets>,
        bucket: &Bucket,
        endpoint: Option<String>,
        (retry, observer): (Retry, Arc<dyn UploadObserver>),
    ) -> Self {
        let own = buckets.bucket(bucket);
        let permits = Arc::new(Semaphore::new(QUESTIONS_MAX));
        let asked = Arc::new(Metered::new(
            Arc::clone(&own),
            permits,
            Throttle::new(QUESTIONS_MAX),
            observer,
        ));
        Self { runtime, buckets, own, asked, endpoint, retry }
    }

    /// Asks for the bucket until it answers, and then whenever nothing was heard of S3 for a while.
    /// Who holds no partition, or only quiet ones that are claimed already, writes nothing for
    /// hours, and would not know whether it could.
    pub(super) fn keep_asking(&self, status: Status, clock: Clock) {
        let (retry, asked) = (self.retry.clone(), Arc::clone(&self.asked));
        self.runtime.spawn(async move {
            // What it said is on the status page and in the log. Ends with the runtime.
            drop(retry.run(|| asked.head_bucket()).await);
            loop {
                tokio::time::sleep(SILENCE_MAX / 4).await;
                if status.store_silent_for(clock.uptime()) >= SILENCE_MAX {
                    drop(asked.head_bucket().await);
                }
            }
        });
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn retry(&self) -> &Retry {
        &self.retry
    }

    /// Returns the configured bucket, where the claims are.
    pub(super) fn own(&self) -> &Store {
        &self.own
    }

    /// Returns the same for single requests, which are counted like all others.
    pub(super) fn asked(&self) -> &Store {
        &self.asked
    }

    /// Returns whether a layout names the configured bucket.
    pub(super) fn is_own(&self, layout: &Layout) -> bool {
        layout.endpoint == self.endpoint && layout.bucket == *self.own.bucket()
    }

    /// Returns the store that a layout names; none if it is at an endpoint that this configuration
    /// does not speak to.
    pub(super) fn of(&self, layout: &Layout) -> Option<Store> {
        if layout.endpoint != self.endpoint {
            return None;
        }
        if layout.bucket == *self.own.bucket() {
            return Some(self.own.clone());
        }
        Some(self.buckets.bucket(&layout.bucket))
    }
}
