//! SSE-C at a real server: MinIO over TLS, since S3 takes a customer's key over nothing else.
//!
//! It owns: that server with a certificate of its own. For the full set.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use super::support::daemon::Settings;
use super::support::kafka::topics::numbered;
use super::support::process::{Process, guarded};
use super::support::s3::{ACCESS_KEY, REGION, SECRET_KEY};
use super::support::{full_set, install, kafka, ports, runtime, scratch, unique, wait};
use super::{SOON, check, topic_and_group};

/// A certificate for `localhost`, and its key, where MinIO looks for them.
fn certify(folder: &Path) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "private.key", "-out", "public.crt"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn client(endpoint: &str, certificate: &Path) -> Client {
    let pem = std::fs::read(certificate).unwrap();
    let trust = TrustStore::empty().with_pem_certificate(pem);
    let tls = TlsContext::builder().with_trust_store(trust).build().unwrap();
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "tests"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(http)
        .build();
    Client::from_conf(config)
}

#[test]
fn what_a_customers_key_encrypts_is_read_with_that_key_only() {
    if !full_set("what_a_customers_key_encrypts_is_read_with_that_key_only") {
        return;
    }
    let folder = scratch::folder("customer");
    let certificates = folder.path().join("certificates");
    std::fs::create_dir_all(&certificates).unwrap();
    certify(&certificates);
    let port = ports::free();
    let mut command = guarded(install::full::minio());
    command.args(["server", "--quiet", "--address", &format!("127.0.0.1:{port}")]);
    command.arg("--certs-dir").arg(&certificates).arg(folder.path().join("data"));
    command.env("HOME", folder.path()).env("MINIO_REGION", REGION);
    command.env("MINIO_ROOT_USER", ACCESS_KEY).env("MINIO_ROOT_PASSWORD", SECRET_KEY);
    command.env("MINIO_BROWSER", "off").env("MINIO_UPDATE", "off");
    let _server = Process::start("MinIO", command, &folder.path().join("minio.log"));
    wait::until("MinIO to listen", SOON, || TcpStream::connect(("127.0.0.1", port)).ok());

    let certificate = certificates.join("public.crt");
    let endpoint = format!("https://localhost:{port}");
    let client = client(&endpoint, &certificate);
    let ((topic, group), bucket) = (topic_and_group("customer"), unique("customer"));
    wait::until("a bucket", SOON, || {
        runtime().block_on(client.create_bucket().bucket(&bucket).send()).ok()
    });
    let settings = Settings::new(&kafka().bootstrap(), &endpoint, &group, &bucket)
        .topics(&[&topic])
        .set("seal.age", "\"200 ms\"")
        .set("s3.encryption.method", "\"sse_c\"")
        .env("SSL_CERT_FILE", certificate.to_str().unwrap());
    let with = |key: &str| settings.clone().env("SLUICE__S3__ENCRYPTION__CUSTOMER_KEY", key);
    let right = with("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    let (text, code) = check(&right);
    assert_eq!(code, 0, "{text}");

    let daemon = right.start();
    kafka().produce(&topic, &numbered(0..10, 1));
    daemon.wait_until("a lag of 0", SOON, || (kafka().lag(&group, &topic) == 0).then_some(()));
    daemon.stop_cleanly();
    assert!(!daemon.log().contains("BwcHBw"), "the key is in the log");

    let listed = runtime().block_on(client.list_objects_v2().bucket(&bucket).send()).unwrap();
    let keys: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert!(keys.iter().any(|key| key.starts_with("_sluice/")), "{keys:?}");
    for key in keys {
        let read = runtime().block_on(client.get_object().bucket(&bucket).key(key).send());
        assert!(read.is_err(), "`{key}` can be read without the key");
    }
    let read_back = |settings: &Settings| settings.command("verify", &["--deep"]);
    let output = read_back(&right);
    assert!(output.status.success(), "{output:?}");
    let wrong = read_back(&with("CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg="));
    assert!(!wrong.status.success(), "{wrong:?}");
}
