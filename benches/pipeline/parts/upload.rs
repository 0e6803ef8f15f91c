//! Uploading alone: the daemon's own client, 8 MiB a request, as many at a time as help.

use std::sync::Arc;

use bytes::Bytes;
use sluice::model::{Bucket, ObjectKey};
use sluice::s3::{
    AwsStores, Condition, ObjectOptions, ProxyChoice, Put, S3Options, StaticCredentials, Store, Way,
};

use crate::support::s3::{ACCESS_KEY, REGION, SECRET_KEY};
use crate::usage::Usage;

const PART_BYTES: usize = 8 << 20;
const PARTS: usize = 96;
/// More than any cache holds, and in use one after the other.
const BODIES: usize = 16;
const AT_A_TIME: usize = 4;

pub fn gigabytes() -> f64 {
    (PART_BYTES * PARTS) as f64 / 1e9
}

/// Puts the parts and says what that took.
pub fn run(told: &[String]) {
    let [endpoint] = told else { panic!("an endpoint") };
    let options = S3Options {
        region: Some(REGION.to_owned()),
        endpoint: Some(endpoint.clone()),
        path_style: true,
        conditional_writes: true,
        sign_bodies: false,
        credentials: Some(StaticCredentials {
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: SECRET_KEY.to_owned(),
            session_token: None,
        }),
        role: None,
        way: Way { proxy: ProxyChoice::Off, ..Way::default() },
        objects: ObjectOptions::default(),
    };
    let bodies: Arc<Vec<Bytes>> = Arc::new((0..BODIES).map(body).collect());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let before = Usage::of(std::process::id());
    runtime.block_on(async {
        let stores = AwsStores::connect(&options).await.unwrap();
        let store = stores.bucket(&Bucket::new("bench-bucket").unwrap());
        let tasks: Vec<_> = (0..AT_A_TIME)
            .map(|lane| tokio::spawn(put_all(Arc::clone(&store), Arc::clone(&bodies), lane)))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let after = Usage::of(std::process::id());
    println!("cpu_s {}", after.cpu_s() - before.cpu_s());
}

/// Bytes that do not compress and differ.
fn body(seed: usize) -> Bytes {
    let mut state = u64::try_from(seed).unwrap() + 1;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..PART_BYTES).map(next).collect::<Vec<u8>>().into()
}

async fn put_all(store: Store, bodies: Arc<Vec<Bytes>>, lane: usize) {
    for number in (lane..PARTS).step_by(AT_A_TIME) {
        let key = ObjectKey::new(&format!("parts/{number}")).unwrap();
        let put = Put {
            key: &key,
            body: bodies[number % BODIES].clone(),
            content_type: "application/octet-stream",
            metadata: None,
            condition: Condition::None,
        };
        store.put(put).await.unwrap();
    }
}
