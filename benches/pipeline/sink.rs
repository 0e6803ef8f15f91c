//! An S3 server in a process of its own that takes everything and keeps nothing.
//!
//! It owns: the answers that the daemon needs to go on, and counts of what was asked.
//! It does not own: truth. Conditions always hold and no checksum is looked at, so that what is
//! measured beside it is the daemon's work alone.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tempfile::TempDir;

use crate::support::process::{Process, guarded};
use crate::support::{scratch, wait};

/// The word of the command line that makes this program the server.
pub const ROLE: &str = "sink";
/// Parts are 8 MiB.
const BODY_BYTES_MAX: usize = 64 << 20;
const READY_IN: Duration = Duration::from_secs(30);
/// Below the bucket; claims lie elsewhere.
const DATA: &str = "/topics/";
const COUNTS: &str = "/-/counts";
const ETAG: (&str, &str) = ("etag", "\"0123456789abcdef0123456789abcdef\"");

/// What was asked so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub requests: u64,
    /// Objects that became visible, claims left out.
    pub objects: u64,
    /// When the last of them did, in microseconds since 1970.
    pub last_object_us: u64,
}

/// The server as its parent sees it; killed on drop.
pub struct Sink {
    _process: Process,
    _folder: TempDir,
    address: String,
}

impl Sink {
    pub fn start() -> Self {
        let folder = scratch::folder("sink");
        let log = folder.path().join("log");
        let mut command: Command = guarded(std::env::current_exe().unwrap());
        command.args(["--role", ROLE]);
        let process = Process::start("the S3 sink", command, &log);
        let address = wait::until_or(READY_IN, || {
            let line = process.log().lines().next().map(str::to_owned)?;
            line.strip_prefix("listening ").map(str::to_owned)
        });
        let address = address.unwrap_or_else(|| panic!("no sink:\n{}", process.log_tail()));
        Self { _process: process, _folder: folder, address }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn counts(&self) -> Counts {
        let mut answer = ureq::get(format!("{}{COUNTS}", self.endpoint())).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let numbers: BTreeMap<&str, u64> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, number)| (name, number.parse().unwrap()))
            .collect();
        Counts {
            requests: numbers["requests"],
            objects: numbers["objects"],
            last_object_us: numbers["last_object_us"],
        }
    }
}

/// The server itself: runs until it is killed.
pub fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening {}", listener.local_addr().unwrap());
        let counts = Arc::<Mutex<Counts>>::default();
        let router = Router::new().fallback(answer).with_state(counts);
        axum::serve(listener, router).await.unwrap();
    });
}

async fn answer(State(counts): State<Arc<Mutex<Counts>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path == COUNTS {
        let Counts { requests, objects, last_object_us } = counts.lock().unwrap().clone();
        return format!(
            "requests {requests}\nobjects {objects}\nlast_object_us {last_object_us}\n"
        )
        .into_response();
    }
    let query = head.uri.query().unwrap_or_default().to_owned();
    let is_part = query.contains("partNumber=");
    let is_completion = head.method == Method::POST && query.contains("uploadId=");
    drop(to_bytes(body, BODY_BYTES_MAX).await);
    {
        let mut counts = counts.lock().unwrap();
        counts.requests += 1;
        let is_put = head.method == Method::PUT && !is_part;
        if path.contains(DATA) && (is_put || is_completion) {
            counts.objects += 1;
            counts.last_object_us = now_us();
        }
    }
    match head.method {
        Method::PUT => [ETAG].into_response(),
        Method::POST if is_completion => xml(
            StatusCode::OK,
            "<CompleteMultipartUploadResult><ETag>\"0\"</ETag></CompleteMultipartUploadResult>",
        ),
        Method::POST => xml(
            StatusCode::OK,
            "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>",
        ),
        Method::DELETE => StatusCode::NO_CONTENT.into_response(),
        // The bucket is there, and nothing in it.
        Method::HEAD if path.matches('/').count() < 2 || path.ends_with('/') => {
            StatusCode::OK.into_response()
        }
        Method::HEAD => StatusCode::NOT_FOUND.into_response(),
        _ => xml(StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>"),
    }
}

fn xml(status: StatusCode, text: &'static str) -> Response {
    (status, [("content-type", "application/xml")], Body::from(text)).into_response()
}

/// Microseconds since 1970.
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}
