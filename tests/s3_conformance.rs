//! A real S3 server must do what the store in memory does.
//!
//! Its suite is the one that the store in memory passes in its unit tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use sluice::model::Bucket;
use sluice::s3::{AwsStores, S3Options, StaticCredentials};

mod subject {
    pub(crate) use sluice::{model, s3};
}

#[path = "../src/s3/conformance.rs"]
mod suite;

fn options() -> S3Options {
    S3Options {
        region: None,
        endpoint: Some(support::s3().endpoint()),
        path_style: true,
        conditional_writes: true,
        credentials: Some(StaticCredentials {
            access_key_id: support::s3::ACCESS_KEY.to_owned(),
            secret_access_key: support::s3::SECRET_KEY.to_owned(),
            session_token: None,
        }),
    }
}

#[test]
fn a_real_server_obeys_the_conformance_suite() {
    let bucket = Bucket::new(&support::s3().bucket("conformance")).unwrap();
    support::runtime().block_on(async {
        let stores = AwsStores::connect(&options()).await.unwrap();
        suite::conformance(&*stores.bucket(&bucket), "conformance").await;
    });
}
