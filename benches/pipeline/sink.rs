//! An S3 server in a process of its own that takes everything and keeps nothing.
//!
//! It owns: the answers that the daemon needs to go on, counts of what was asked, and how fast
//! bodies are taken.
//! It does not own: truth. Conditions always hold and no checksum is looked at, so that what is
//! measured beside it is the daemon's work alone.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tempfile::TempDir;

use crate::support::process::{Process, guarded};
use crate::support::{scratch, wait};

/// The word of the command line that makes this program the server.
pub const ROLE: &str = "sink";
const READY_IN: Duration = Duration::from_secs(30);
/// Below the bucket; claims lie elsewhere.
const DATA: &str = "/topics/";
const COUNTS: &str = "/-/counts";
/// With the number of bytes a second behind it.
const SPEED: &str = "/-/speed/";
/// How long bytes are late before anybody waits for it, and how often a stalled sink looks again.
const LOOK_EVERY: Duration = Duration::from_millis(20);
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

/// How bodies are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    Prompt,
    Slow {
        bytes_per_s: u64,
    },
    /// Not a byte more.
    Stalled,
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

    /// How fast bodies are taken from now on, all together.
    pub fn take(&self, speed: Speed) {
        let bytes_per_s = match speed {
            Speed::Prompt => u64::MAX,
            Speed::Slow { bytes_per_s } => bytes_per_s,
            Speed::Stalled => 0,
        };
        ureq::get(format!("{}{SPEED}{bytes_per_s}", self.endpoint())).call().unwrap();
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

type Shared = (Arc<Mutex<Counts>>, Arc<Pace>);

/// The server itself: runs until it is killed.
pub fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening {}", listener.local_addr().unwrap());
        let counts = Arc::<Mutex<Counts>>::default();
        let pace = Arc::new(Pace::default());
        let router = Router::new().fallback(answer).with_state((counts, pace));
        axum::serve(listener, router).await.unwrap();
    });
}

/// Takes bytes no faster than it is told to.
struct Pace {
    bytes_per_s: AtomicU64,
    /// When everything taken so far may have been there.
    due: Mutex<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { bytes_per_s: AtomicU64::new(u64::MAX), due: Mutex::new(Instant::now()) }
    }
}

impl Pace {
    async fn taken(&self, bytes: usize) {
        while self.bytes_per_s.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let bytes_per_s = self.bytes_per_s.load(Ordering::Relaxed);
        if bytes_per_s == u64::MAX {
            return;
        }
        let due = {
            let mut due = self.due.lock().unwrap();
            *due = (*due).max(Instant::now())
                + Duration::from_secs_f64(bytes as f64 / bytes_per_s as f64);
            *due
        };
        if due > Instant::now() + LOOK_EVERY {
            tokio::time::sleep_until(due.into()).await;
        }
    }
}

async fn discard(mut body: Body, pace: &Pace) {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(Ok(frame)) = frame else { return };
        pace.taken(frame.data_ref().map_or(0, |data| data.len())).await;
    }
}

async fn answer(State((counts, pace)): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path == COUNTS {
        let Counts { requests, objects, last_object_us } = counts.lock().unwrap().clone();
        return format!(
            "requests {requests}\nobjects {objects}\nlast_object_us {last_object_us}\n"
        )
        .into_response();
    }
    if let Some(bytes_per_s) = path.strip_prefix(SPEED) {
        pace.bytes_per_s.store(bytes_per_s.parse().unwrap(), Ordering::Relaxed);
        return StatusCode::NO_CONTENT.into_response();
    }
    let query = head.uri.query().unwrap_or_default().to_owned();
    let is_part = query.contains("partNumber=");
    let is_completion = head.method == Method::POST && query.contains("uploadId=");
    discard(body, &pace).await;
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
