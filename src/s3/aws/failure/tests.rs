//! The SDK between canned answers and our errors: no socket, every row of the fault table.

use std::sync::{Arc, Mutex};

use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use aws_sdk_s3::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use hyper::http::{HeaderValue, Response};

use super::*;
use crate::model::{Bucket, ObjectKey};
use crate::s3::metadata::MetadataError;
use crate::s3::store::{Condition, Etag, PartNumber, Put, Store, StoredPart, UploadId};
use crate::s3::{AwsStores, ObjectOptions, S3Options, StaticCredentials, Way};

#[derive(Clone, Debug)]
enum Canned {
    Answer { status: u16, headers: Vec<(&'static str, &'static [u8])>, body: &'static str },
    Broken,
    TimedOut,
}

/// An HTTP client that always answers the same and keeps the headers of what it was sent.
#[derive(Clone, Debug)]
struct Wire {
    canned: Canned,
    sent: Arc<Mutex<Vec<(String, String)>>>,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let uri = ("uri".to_owned(), request.uri().to_owned());
        *self.sent.lock().unwrap() = headers.chain([uri]).collect();
        let io = || Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        HttpConnectorFuture::ready(match self.canned.clone() {
            Canned::Broken => Err(ConnectorError::io(io())),
            Canned::TimedOut => Err(ConnectorError::timeout(io())),
            Canned::Answer { status, headers, body } => {
                let mut response = Response::new(SdkBody::from(body));
                *response.status_mut() = status.try_into().unwrap();
                for (name, value) in headers {
                    let value = HeaderValue::from_bytes(value).unwrap();
                    response.headers_mut().append(name, value);
                }
                response.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))
            }
        })
    }
}

impl Wire {
    fn new(canned: Canned) -> Self {
        Self { canned, sent: Arc::default() }
    }

    fn answers(status: u16, body: &'static str) -> Self {
        let headers = vec![("x-amz-request-id", b"REQ1".as_slice())];
        Self::new(Canned::Answer { status, headers, body })
    }

    async fn store(&self, endpoint: Option<&str>) -> Store {
        let credentials = StaticCredentials {
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
            session_token: None,
        };
        let options = S3Options {
            region: Some("eu-central-1".to_owned()),
            endpoint: endpoint.map(str::to_owned),
            path_style: true,
            conditional_writes: true,
            sign_bodies: false,
            credentials: Some(credentials),
            role: None,
            way: Way::default(),
            objects: ObjectOptions::default(),
        };
        let wire = self.clone();
        let http = http_client_fn(move |_, _| SharedHttpConnector::new(wire.clone()));
        let stores = AwsStores::connect_over(http, &options).await.unwrap();
        stores.bucket(&Bucket::new("abc").unwrap())
    }

    fn header(&self, name: &str) -> Option<String> {
        let sent = self.sent.lock().unwrap();
        sent.iter().find(|(of, _value)| of == name).map(|(_name, value)| value.clone())
    }
}

fn key() -> ObjectKey {
    ObjectKey::new("topics/a+b").unwrap()
}

async fn put(store: &Store) -> Result<Etag, StoreError> {
    let put = Put {
        key: &key(),
        body: Bytes::from_static(b"body"),
        content_type: "application/x-ndjson",
        metadata: None,
        condition: Condition::IfNoneMatch,
    };
    store.put(put).await
}

async fn complete(store: &Store) -> Result<Etag, StoreError> {
    let part = StoredPart {
        number: PartNumber::new(1).unwrap(),
        etag: Etag::new("\"1\""),
        crc32: Some("AAAAAA==".into()),
    };
    let upload = UploadId::new("upload");
    store.complete_upload(&key(), &upload, &[part], Condition::IfNoneMatch).await
}

#[tokio::test]
async fn the_code_in_the_body_says_what_it_is() {
    let cases = [
        (403, "AccessDenied", StoreErrorKind::AccessDenied),
        (404, "NoSuchBucket", StoreErrorKind::NoSuchBucket),
        (500, "InternalError", StoreErrorKind::Unavailable5xx),
        (503, "SlowDown", StoreErrorKind::SlowDown),
        (412, "PreconditionFailed", StoreErrorKind::PreconditionFailed412),
        (409, "ConditionalRequestConflict", StoreErrorKind::Conflict409),
        (404, "NoSuchUpload", StoreErrorKind::NoSuchUpload),
        (403, "RequestTimeTooSkewed", StoreErrorKind::ClockSkew),
        (301, "PermanentRedirect", StoreErrorKind::WrongRegion),
        (400, "AuthorizationHeaderMalformed", StoreErrorKind::WrongRegion),
        (400, "ExpiredToken", StoreErrorKind::ExpiredCredentials),
        (400, "BadDigest", StoreErrorKind::Transport),
        (400, "SomethingNew", StoreErrorKind::Other),
    ];
    for (status, code, kind) in cases {
        let body = format!("<Error><Code>{code}</Code><Message>SlowDown</Message></Error>");
        let wire = Wire::answers(status, Box::leak(body.into_boxed_str()));
        let store = wire.store(None).await;
        for error in [put(&store).await.unwrap_err(), complete(&store).await.unwrap_err()] {
            assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)), "{error}");
            assert_eq!(error.status, Some(status));
            assert_eq!(error.request_id.as_deref(), Some("REQ1"));
            assert_eq!(error.key, Some(key()));
        }
    }
}

#[tokio::test]
async fn a_complete_that_answers_200_with_an_error_failed() {
    let body = "<?xml version=\"1.0\"?>\n\n<Error><Code>InternalError</Code></Error>";
    let store = Wire::answers(200, body).store(None).await;
    assert_eq!(complete(&store).await.unwrap_err().kind, StoreErrorKind::Unavailable5xx);
    for cut in ["", "   ", "<CompleteMultipartUploadResult>", "<html>proxy</html>"] {
        let store = Wire::answers(200, cut).store(None).await;
        let error = complete(&store).await.unwrap_err();
        assert_eq!(error.kind.healing(), crate::s3::Healing::Itself, "{cut:?}: {error}");
    }
}

#[tokio::test]
async fn a_head_has_no_body_and_says_it_by_status() {
    let cases = [
        (403, StoreErrorKind::AccessDenied),
        (404, StoreErrorKind::NotFound),
        (503, StoreErrorKind::Unavailable5xx),
        (400, StoreErrorKind::ExpiredCredentials),
        (301, StoreErrorKind::WrongRegion),
    ];
    for (status, kind) in cases {
        let store = Wire::answers(status, "").store(None).await;
        assert_eq!(store.head(&key()).await.unwrap_err().kind, kind, "{status}");
    }
    let headers = vec![("x-amz-bucket-region", b"us-west-2".as_slice())];
    let elsewhere = Wire::new(Canned::Answer { status: 400, headers, body: "" });
    let error = elsewhere.store(None).await.head(&key()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::WrongRegion);
}

#[tokio::test]
async fn a_missing_bucket_is_told_from_a_missing_object() {
    let store = Wire::answers(404, "").store(None).await;
    assert_eq!(store.head_bucket().await.unwrap_err().kind, StoreErrorKind::NoSuchBucket);
}

#[tokio::test]
async fn what_is_no_answer_is_asked_again() {
    let cases = [
        (Canned::Broken, StoreErrorKind::Transport),
        (Canned::TimedOut, StoreErrorKind::Timeout),
        (
            Canned::Answer { status: 502, headers: vec![], body: "<html>bad gateway</html>" },
            StoreErrorKind::Unavailable5xx,
        ),
        (Canned::Answer { status: 200, headers: vec![], body: "" }, StoreErrorKind::Unavailable5xx),
    ];
    for (canned, kind) in cases {
        let store = Wire::new(canned.clone()).store(None).await;
        let error = put(&store).await.unwrap_err();
        assert_eq!(error.kind, kind, "{canned:?}");
        let is_caused = matches!(canned, Canned::Broken | Canned::TimedOut);
        assert_eq!(error.cause.as_deref(), is_caused.then_some("connection reset"));
    }
}

#[tokio::test]
async fn metadata_of_somebody_else_is_not_trusted() {
    let of = |headers: Vec<(&'static str, &'static [u8])>| {
        let etag = ("etag", b"\"1\"".as_slice());
        let headers = headers.into_iter().chain([etag]).collect();
        Wire::new(Canned::Answer { status: 200, headers, body: "" })
    };
    let store = of(vec![("x-amz-meta-other", b"1")]).store(None).await;
    let found = store.head(&key()).await.unwrap();
    assert_eq!(found.metadata, Err(MetadataError::NoBatchId));
    let not_utf8 = vec![
        ("x-amz-meta-sluice-version", b"1".as_slice()),
        ("x-amz-meta-sluice-batch", b"\xff\xfe".as_slice()),
    ];
    let trusted = of(not_utf8).store(None).await.head(&key()).await;
    assert!(trusted.is_err() || trusted.is_ok_and(|found| found.metadata.is_err()));
}

#[tokio::test]
async fn bodies_travel_with_a_checksum_a_condition_and_the_right_signature() {
    let wire = Wire::answers(200, "");
    drop(put(&wire.store(None).await).await);
    assert_eq!(wire.header("if-none-match").as_deref(), Some("*"));
    assert_eq!(wire.header("content-type").as_deref(), Some("application/x-ndjson"));
    let crc32 = wire.header("x-amz-checksum-crc32");
    let trailer = wire.header("x-amz-trailer");
    assert!(crc32.is_some() || trailer.as_deref() == Some("x-amz-checksum-crc32"));
    let digest = wire.header("x-amz-content-sha256").unwrap();
    assert!(digest.contains("UNSIGNED-PAYLOAD"), "{digest}");
    assert!(wire.header("uri").unwrap().contains("/abc/topics/a%2Bb"));

    drop(put(&wire.store(Some("http://127.0.0.1:9")).await).await);
    let digest = wire.header("x-amz-content-sha256").unwrap();
    assert!(!digest.contains("UNSIGNED-PAYLOAD"), "{digest}");
}

#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded_no_source()))
    }
}

#[tokio::test]
async fn missing_credentials_are_told_from_a_broken_connection() {
    let wire = Wire::answers(200, "");
    let http = http_client_fn(move |_, _| SharedHttpConnector::new(wire.clone()));
    let settings = aws_sdk_s3::config::Builder::new()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("eu-central-1"))
        .credentials_provider(NoCredentials)
        .http_client(http)
        .build();
    let bucket = Bucket::new("abc").unwrap();
    let error = aws_sdk_s3::Client::from_conf(settings).head_bucket().bucket("abc").send().await;
    let operation = crate::s3::error::Operation::HeadBucket;
    let attempt = Attempt { operation, bucket: &bucket, key: None, body_bytes: 0 };
    assert_eq!(failure(&attempt, error.unwrap_err()).kind, StoreErrorKind::NoCredentials);
}
