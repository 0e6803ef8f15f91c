//! A real S3 server must do what the store in memory does.
//!
//! `SLUICE_S3_ENDPOINT`, `SLUICE_S3_ACCESS_KEY`, `SLUICE_S3_SECRET_KEY` and `SLUICE_S3_BUCKET` name
//! it; the bucket is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use sluice::model::Bucket;
use sluice::s3::{AwsStores, S3Options, StaticCredentials};

mod subject {
    pub(crate) use sluice::{model, s3};
}

#[path = "../src/s3/conformance.rs"]
mod suite;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_absent| panic!("`{name}` names the S3 server"))
}

fn options() -> S3Options {
    S3Options {
        region: None,
        endpoint: Some(variable("SLUICE_S3_ENDPOINT")),
        path_style: true,
        conditional_writes: true,
        credentials: Some(StaticCredentials {
            access_key_id: variable("SLUICE_S3_ACCESS_KEY"),
            secret_access_key: variable("SLUICE_S3_SECRET_KEY"),
            session_token: None,
        }),
    }
}

#[tokio::test]
#[ignore = "needs the S3 server that the variables name"]
async fn a_real_server_obeys_the_conformance_suite() {
    let stores = AwsStores::connect(&options()).await.unwrap();
    let bucket = Bucket::new(&variable("SLUICE_S3_BUCKET")).unwrap();
    let store = stores.bucket(&bucket);
    let folder = format!("conformance-{}", std::process::id());
    suite::conformance(&*store, &folder).await;
}
