//! A real S3 server on loopback: versitygw over a plain folder, or MinIO for the full set.
//!
//! It owns: the process, its folder and port; kill, stop and start; buckets and objects through
//! the SDK, as an independent client.
//! It does not own: the installation (`install.rs`), nor the proxy before it (`proxy/s3.rs`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use tempfile::TempDir;

use super::process::{self, Process, Signal};
use super::proxy::s3::S3Proxy;
use super::{install, ports, runtime, scratch, wait};

pub const ACCESS_KEY: &str = "test";
pub const SECRET_KEY: &str = "testtest123";
pub const REGION: &str = "us-east-1";

const READY_IN: Duration = Duration::from_secs(60);
/// Other processes take ports too: how often to try again with a new one.
const STARTS_MAX: usize = 3;

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brand {
    /// The one that every run uses.
    Versitygw,
    /// The same, for buckets that keep versions and lock them.
    VersitygwOfVersions,
    /// The second opinion, for the full set. It lists the uploads of one key only, and answers a
    /// second Complete with 412.
    Minio,
}

impl Brand {
    const fn name(self) -> &'static str {
        match self {
            Self::Versitygw | Self::VersitygwOfVersions => "versitygw",
            Self::Minio => "MinIO",
        }
    }

    /// The page that answers 200 once requests are served.
    const fn ready_page(self) -> &'static str {
        match self {
            Self::Versitygw | Self::VersitygwOfVersions => "/health",
            Self::Minio => "/minio/health/ready",
        }
    }

    fn command(self, address: SocketAddr, root: &Path) -> Command {
        let address = address.to_string();
        match self {
            Self::Versitygw | Self::VersitygwOfVersions => {
                let mut command = process::guarded(install::versitygw());
                command.args(["--port", &address, "--region", REGION]);
                command.args(["--access", ACCESS_KEY, "--secret", SECRET_KEY]);
                command.args(["--keep-alive", "--health", self.ready_page(), "--quiet", "posix"]);
                if self == Self::VersitygwOfVersions {
                    let versions = root.with_file_name("versions");
                    std::fs::create_dir_all(&versions).unwrap();
                    command.arg("--versioning-dir").arg(versions);
                }
                command.arg(root);
                command
            }
            Self::Minio => {
                let mut command = process::guarded(install::full::minio());
                command.args(["server", "--quiet", "--address", &address]).arg(root);
                // Its folder of certificates lies below the home folder.
                command.env("HOME", root.parent().unwrap());
                command.env("MINIO_ROOT_USER", ACCESS_KEY).env("MINIO_ROOT_PASSWORD", SECRET_KEY);
                command.env("MINIO_REGION", REGION).env("MINIO_BROWSER", "off");
                command.env("MINIO_UPDATE", "off");
                command
            }
        }
    }
}

/// A running server, killed on drop.
pub struct S3Server {
    brand: Brand,
    address: SocketAddr,
    process: Mutex<Option<Process>>,
    client: Client,
    folder: TempDir,
}

/// An object as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub body: Vec<u8>,
    pub content_type: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

impl S3Server {
    /// Installs versitygw if that is missing, and returns when it answers.
    pub fn start() -> Self {
        Self::start_brand(Brand::Versitygw)
    }

    /// The same with a brand of choice.
    pub fn start_brand(brand: Brand) -> Self {
        (0..STARTS_MAX)
            .find_map(|_| Self::try_start(brand))
            .unwrap_or_else(|| panic!("{} did not start", brand.name()))
    }

    fn try_start(brand: Brand) -> Option<Self> {
        let folder = scratch::folder("s3");
        std::fs::create_dir(folder.path().join("root")).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let client = client(&format!("http://{address}"));
        let server = Self { brand, address, process: Mutex::new(None), client, folder };
        server.launch();
        server.is_ready().then_some(server)
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A proxy of this test's own before the server.
    pub fn proxy(&self) -> S3Proxy {
        S3Proxy::start(self.address)
    }

    /// Creates a bucket with a name of its own.
    pub fn bucket(&self, name: &str) -> String {
        let bucket = super::unique(name);
        runtime().block_on(self.client.create_bucket().bucket(&bucket).send()).unwrap();
        bucket
    }

    /// Every key below a prefix, in order.
    pub fn list(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let mut pages =
            self.client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = runtime().block_on(pages.next()) {
            let page = page.unwrap();
            keys.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        }
        keys.sort();
        keys
    }

    /// The object, or None if there is none.
    pub fn find(&self, bucket: &str, key: &str) -> Option<Object> {
        runtime().block_on(async {
            match self.client.get_object().bucket(bucket).key(key).send().await {
                Ok(answer) => Some(Object {
                    content_type: answer.content_type().map(str::to_owned),
                    metadata: answer.metadata().cloned().unwrap_or_default().into_iter().collect(),
                    body: answer.body.collect().await.unwrap().to_vec(),
                }),
                Err(error) => match error.into_service_error() {
                    missing if missing.is_no_such_key() => None,
                    other => panic!("`{key}` cannot be read: {other:?}"),
                },
            }
        })
    }

    /// The object's bytes; panics if there is none.
    pub fn get(&self, bucket: &str, key: &str) -> Vec<u8> {
        self.find(bucket, key).unwrap_or_else(|| panic!("there is no object `{key}`")).body
    }

    pub fn put(&self, bucket: &str, key: &str, body: &[u8]) {
        let body = ByteStream::from(body.to_vec());
        let put = self.client.put_object().bucket(bucket).key(key).body(body).send();
        runtime().block_on(put).unwrap();
    }

    /// Writes an object with what another one says of itself, as nobody should.
    pub fn put_as(&self, bucket: &str, key: &str, object: &Object, body: &[u8]) {
        let metadata = object.metadata.clone().into_iter().collect();
        let put = self.client.put_object().bucket(bucket).key(key).set_metadata(Some(metadata));
        runtime().block_on(put.body(ByteStream::from(body.to_vec())).send()).unwrap();
    }

    pub fn delete(&self, bucket: &str, key: &str) {
        runtime().block_on(self.client.delete_object().bucket(bucket).key(key).send()).unwrap();
    }

    pub fn delete_bucket(&self, bucket: &str) {
        runtime().block_on(self.client.delete_bucket().bucket(bucket).send()).unwrap();
    }

    /// Keys of the multipart uploads that nobody has completed or aborted. One page: the server
    /// pages this listing wrongly.
    pub fn unfinished_uploads(&self, bucket: &str) -> Vec<String> {
        let asked = self.client.list_multipart_uploads().bucket(bucket).send();
        let answer = runtime().block_on(asked).unwrap();
        answer.uploads().iter().map(|upload| upload.key().unwrap().to_owned()).collect()
    }

    /// For whatever has no method here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where a bucket lies as a plain folder, its objects plain files, for readers of files.
    pub fn folder(&self, bucket: &str) -> PathBuf {
        assert_eq!(self.brand, Brand::Versitygw, "another server's folder is no bucket");
        self.folder.path().join("root").join(bucket)
    }

    pub fn process_id(&self) -> u32 {
        self.process.lock().unwrap().as_ref().unwrap().id()
    }

    pub fn kill_9(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            process.kill_9();
        }
    }

    /// SIGSTOP makes a server that accepts connections and never answers.
    pub fn signal(&self, signal: Signal) {
        self.process.lock().unwrap().as_mut().unwrap().signal(signal);
    }

    /// Starts it again on the same port and folder after [`Self::kill_9`].
    pub fn restart(&self) {
        self.kill_9();
        self.launch();
        assert!(self.is_ready(), "{} did not start again", self.brand.name());
    }

    fn launch(&self) {
        let command = self.brand.command(self.address, &self.folder.path().join("root"));
        let log = self.folder.path().join("server.log");
        let process = Process::start(self.brand.name(), command, &log);
        *self.process.lock().unwrap() = Some(process);
    }

    fn is_ready(&self) -> bool {
        let asked = wait::until_or(READY_IN, || {
            let mut process = self.process.lock().unwrap();
            let process = process.as_mut().unwrap();
            if process.ended().is_some() {
                let name = self.brand.name();
                eprintln!("{name} ended while starting:\n{}", process.log_tail());
                return Some(false);
            }
            let page = format!("{}{}", self.endpoint(), self.brand.ready_page());
            ureq::get(page).call().ok().map(|_| true)
        });
        asked.expect("the server answers")
    }
}

/// A client of its own for any endpoint, with the tests' keys.
pub fn client(endpoint: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "tests"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}
