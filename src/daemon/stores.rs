//! The stores of the process: the configured one, and those that pending plans name.
//!
//! It owns: the clients, how requests are repeated, the runtime that they run on.
//! It does not own: requests.

use tokio::runtime::Handle;

use crate::layout::Layout;
use crate::model::Bucket;
use crate::s3::{AwsStores, Retry, Store};

/// Where objects go.
#[derive(Debug)]
pub(super) struct Stores {
    runtime: Handle,
    stores: AwsStores,
    own: Store,
    endpoint: Option<String>,
    retry: Retry,
}

impl Stores {
    pub(super) fn new(
        runtime: Handle,
        stores: AwsStores,
        bucket: &Bucket,
        endpoint: Option<String>,
        retry: Retry,
    ) -> Self {
        let own = stores.bucket(bucket);
        Self { runtime, stores, own, endpoint, retry }
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

    /// Returns the store that a layout names; none if it is at an endpoint that this configuration
    /// does not speak to.
    pub(super) fn of(&self, layout: &Layout) -> Option<Store> {
        if layout.endpoint != self.endpoint {
            return None;
        }
        if layout.bucket == *self.own.bucket() {
            return Some(self.own.clone());
        }
        Some(self.stores.bucket(&layout.bucket))
    }
}
