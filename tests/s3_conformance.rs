//! A real S3 server must do what the store in memory does; in the full set a second one too.
//!
//! Its suite is the one that the store in memory passes in its unit tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use sluice::model::Bucket;
use sluice::s3::{AwsStores, ObjectOptions, ProxyChoice, S3Options, StaticCredentials, Way};
use support::S3Server;

mod subject {
    pub(crate) use sluice::{model, s3};
}

#[path = "../src/s3/conformance.rs"]
mod suite;

fn options(server: &S3Server) -> S3Options {
    S3Options {
        region: None,
        endpoint: Some(server.endpoint()),
        path_style: true,
        conditional_writes: true,
        sign_bodies: false,
        credentials: Some(StaticCredentials {
            access_key_id: support::s3::ACCESS_KEY.to_owned(),
            secret_access_key: support::s3::SECRET_KEY.to_owned(),
            session_token: None,
        }),
        role: None,
        way: Way { proxy: ProxyChoice::Off, ..Way::default() },
        objects: ObjectOptions::default(),
    }
}

#[test]
fn a_real_server_obeys_the_conformance_suite() {
    let bucket = Bucket::new(&support::s3().bucket("conformance")).unwrap();
    support::runtime().block_on(async {
        let stores = AwsStores::connect(&options(support::s3())).await.unwrap();
        let store = stores.bucket(&bucket);
        suite::conformance(&*store, "conformance").await;
        suite::uploads_are_listed_by_prefix(&*store, "conformance").await;
    });
}

#[test]
fn the_second_server_obeys_the_conformance_suite() {
    if !support::full_set("the_second_server_obeys_the_conformance_suite") {
        return;
    }
    let bucket = Bucket::new(&support::minio().bucket("conformance")).unwrap();
    support::runtime().block_on(async {
        let stores = AwsStores::connect(&options(support::minio())).await.unwrap();
        suite::conformance(&*stores.bucket(&bucket), "conformance").await;
    });
}
