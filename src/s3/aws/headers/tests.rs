//! Every request of the store, with everything asked for: which headers it carries, signed, and
//! to which host it goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::http::HttpRequest as Sent;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use hyper::http::Response;

use super::*;
use crate::model::{BatchId, Bucket, GroupId, ObjectKey, Offset, TopicId, TopicPartition};
use crate::s3::metadata::ObjectMetadata;
use crate::s3::store::{Condition, PartNumber, Put, Target, UploadId};
use crate::s3::{AwsStores, S3Options, StaticCredentials, Way};

/// What was sent last: its host and path, and its headers.
type Last = Arc<Mutex<(String, BTreeMap<String, String>)>>;

/// An HTTP client that keeps what it is told and always answers 503.
#[derive(Clone, Debug, Default)]
struct Wire(Last);

impl HttpConnector for Wire {
    fn call(&self, request: Sent) -> HttpConnectorFuture {
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        *self.0.lock().unwrap() = (request.uri().to_owned(), headers.collect());
        let mut response = Response::new(SdkBody::empty());
        *response.status_mut() = 503.try_into().unwrap();
        HttpConnectorFuture::ready(Ok(response.try_into().unwrap()))
    }
}

async fn stores(wire: &Wire, way: Way, objects: ObjectOptions) -> AwsStores {
    let credentials = StaticCredentials {
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
        session_token: None,
    };
    let options = S3Options {
        region: Some("eu-central-1".to_owned()),
        endpoint: None,
        path_style: false,
        conditional_writes: true,
        sign_bodies: false,
        credentials: Some(credentials),
        role: None,
        way,
        objects,
    };
    let wire = wire.clone();
    let http = http_client_fn(move |_, _| SharedHttpConnector::new(wire.clone()));
    AwsStores::connect_over(http, &options).await.unwrap()
}

fn everything(encryption: Encryption) -> ObjectOptions {
    ObjectOptions {
        encryption,
        storage_class: Some("STANDARD_IA".to_owned()),
        tags: vec![("team".to_owned(), "a b".to_owned()), ("ö".to_owned(), "=&".to_owned())],
        acl: Some("bucket-owner-full-control".to_owned()),
        expected_bucket_owner: Some("123456789012".to_owned()),
        requester_pays: true,
    }
}

fn metadata() -> ObjectMetadata {
    ObjectMetadata {
        batch: BatchId::new(7),
        group: GroupId::new("sluice").unwrap(),
        partition: TopicPartition::new("pin", 0).unwrap(),
        topic_id: TopicId::UNKNOWN,
        batch_start: Offset::ZERO,
        first: Offset::ZERO,
        count: None,
        plan: None,
    }
}

/// Sends every request once; returns, by request, the headers in question in short.
async fn sent(encryption: Encryption) -> Vec<(&'static str, Vec<String>)> {
    let wire = Wire::default();
    let stores = stores(&wire, Way::default(), everything(encryption)).await;
    let bucket = Bucket::new("abc").unwrap();
    let store = stores.bucket(&bucket);
    let (key, upload, body) =
        (ObjectKey::new("a").unwrap(), UploadId::new("u"), Bytes::from_static(b"1"));
    let metadata = metadata();
    let put = |metadata| {
        let body = body.clone();
        Put { key: &key, body, content_type: "a/b", metadata, condition: Condition::None }
    };
    let target = Target { key: key.clone(), content_type: "a/b", metadata: metadata.clone() };
    let mut all = Vec::new();
    let mut note = |name| all.push((name, asked(&wire)));
    store.put(put(Some(&metadata))).await.unwrap_err();
    note("put");
    store.put(put(None)).await.unwrap_err();
    note("put of a claim");
    store.create_upload(&target).await.unwrap_err();
    note("create");
    store.upload_part(&key, &upload, PartNumber::new(1).unwrap(), body.clone()).await.unwrap_err();
    note("part");
    store.complete_upload(&key, &upload, &[], Condition::None).await.unwrap_err();
    note("complete");
    store.abort_upload(&key, &upload).await.unwrap_err();
    note("abort");
    store.head(&key).await.unwrap_err();
    note("head");
    store.get(&key, 9).await.unwrap_err();
    note("get");
    store.delete(&key).await.unwrap_err();
    note("delete");
    store.list("a", None, 9).await.unwrap_err();
    note("list");
    store.list_uploads("a", None).await.unwrap_err();
    note("list uploads");
    store.head_bucket().await.unwrap_err();
    note("head bucket");
    stores.left_uploads(&bucket).await;
    note("lifecycle");
    all
}

/// Returns the headers of the last request that are about objects; each must be signed.
fn asked(wire: &Wire) -> Vec<String> {
    let (_, headers) = wire.0.lock().unwrap().clone();
    let signed = headers["authorization"].split("SignedHeaders=").nth(1).unwrap();
    let signed: Vec<&str> = signed.split(',').next().unwrap().split(';').collect();
    let words = ["acl", "expected", "payer", "server-side", "storage", "tagging"];
    let mut asked = Vec::new();
    for (name, value) in headers.iter().filter(|(name, _)| words.iter().any(|w| name.contains(w))) {
        assert!(signed.contains(&name.as_str()), "{name} is not signed");
        let name = name.trim_start_matches("x-amz-").replace("server-side-encryption", "sse");
        asked.push(format!("{name}={value}"));
    }
    asked
}

const OWNER: &str = "expected-bucket-owner=123456789012";
const PAYER: &str = "request-payer=requester";
const ACL: &str = "acl=bucket-owner-full-control";
const CLASS: &str = "storage-class=STANDARD_IA";
const TAGS: &str = "tagging=team=a%20b&%C3%B6=%3D%26";
/// Base64 of 32 bytes 7, and of their MD5 as `openssl md5 -binary` gives it.
const CUSTOMER: [&str; 3] = [
    "sse-customer-algorithm=AES256",
    "sse-customer-key=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    "sse-customer-key-md5=y4HAEFCYWuvAXWFTtA1Qpg==",
];

#[tokio::test(start_paused = true)]
async fn each_request_carries_what_concerns_it_and_signs_it() {
    const KMS: [&str; 3] =
        ["sse=aws:kms", "sse-aws-kms-key-id=alias/sluice", "sse-bucket-key-enabled=true"];
    let id = Some("alias/sluice".to_owned());
    let kms = Encryption::SseKms { key_id: id, bucket_key: Some(true) };
    let of_records = [&[ACL, OWNER, PAYER], KMS.as_slice(), &[CLASS, TAGS]].concat();
    let of_claims = [&[ACL, OWNER, PAYER], KMS.as_slice()].concat();
    let (of_keys, of_bucket) = (vec![OWNER, PAYER], vec![OWNER]);
    let expected = [
        ("put", &of_records),
        ("put of a claim", &of_claims),
        ("create", &of_records),
        ("part", &of_keys),
        ("complete", &of_keys),
        ("abort", &of_keys),
        ("head", &of_keys),
        ("get", &of_keys),
        ("delete", &of_keys),
        ("list", &of_keys),
        ("list uploads", &of_keys),
        ("head bucket", &of_bucket),
        ("lifecycle", &of_bucket),
    ];
    for ((name, asked), (expected_name, expected)) in sent(kms).await.iter().zip(expected) {
        assert_eq!(
            (*name, asked.iter().map(String::as_str).collect::<Vec<_>>()),
            (expected_name, expected.clone())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_customer_goes_with_all_that_moves_an_object_and_nothing_else() {
    for (name, asked) in sent(Encryption::SseC(CustomerKey([7; 32]))).await {
        let moves = ["put", "put of a claim", "create", "part", "complete", "head", "get"];
        let found: Vec<&str> =
            asked.iter().map(String::as_str).filter(|header| header.starts_with("sse")).collect();
        let expected = if moves.contains(&name) { CUSTOMER.as_slice() } else { &[] };
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_of_s3_and_of_the_bucket_ask_for_little() {
    let sse = |all: Vec<(&str, Vec<String>)>| {
        let headers = all.into_iter().flat_map(|(_, asked)| asked);
        headers.filter(|header| header.starts_with("sse")).collect::<Vec<_>>()
    };
    assert_eq!(sse(sent(Encryption::SseS3).await), ["sse=AES256"; 3]);
    assert_eq!(sse(sent(Encryption::Bucket).await), [""; 0]);
    let plain = Encryption::SseKms { key_id: None, bucket_key: None };
    assert_eq!(sse(sent(plain).await), ["sse=aws:kms"; 3]);
}

#[tokio::test(start_paused = true)]
async fn amazons_endpoints_are_the_ones_that_were_chosen() {
    let base = Way::default();
    let cases = [
        (base.clone(), "https://abc.s3.eu-central-1.amazonaws.com/"),
        (
            Way { dual_stack: true, ..base.clone() },
            "https://abc.s3.dualstack.eu-central-1.amazonaws.com/",
        ),
        (Way { acceleration: true, ..base.clone() }, "https://abc.s3-accelerate.amazonaws.com/"),
        (
            Way { acceleration: true, dual_stack: true, ..base.clone() },
            "https://abc.s3-accelerate.dualstack.amazonaws.com/",
        ),
        (Way { fips: true, ..base.clone() }, "https://abc.s3-fips.eu-central-1.amazonaws.com/"),
        (
            Way { fips: true, dual_stack: true, ..base },
            "https://abc.s3-fips.dualstack.eu-central-1.amazonaws.com/",
        ),
    ];
    for (way, expected) in cases {
        let wire = Wire::default();
        let stores = stores(&wire, way, ObjectOptions::default()).await;
        stores.bucket(&Bucket::new("abc").unwrap()).head_bucket().await.unwrap_err();
        assert_eq!(wire.0.lock().unwrap().0, expected);
    }
}
