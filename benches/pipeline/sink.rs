//! An S3 server in a process of its own that takes everything and keeps nothing.
//!
//! It owns: the answers that the daemon needs to go on, counts of what was asked, and how fast
//! bodies are taken.
//! It does not own: truth. Conditions always hold and no checksum is looked at, so that what is
//! measured beside it is the daemon's work alone.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::server::Server;

/// The word of the command line that makes this program the server.
pub const ROLE: &str = "sink";
/// Below the bucket; claims lie elsewhere.
const DATA: &str = "/topics/";
const COUNTS: &str = "/-/counts";
/// With a topic behind it.
const SIZES: &str = "/-/sizes/";
/// With the number of bytes a second behind it.
const SPEED: &str = "/-/speed/";
/// With milliseconds behind it.
const DELAY: &str = "/-/delay/";
/// How long bytes are late before anybody waits for it, and how often a stalled sink looks again.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const ETAG: (&str, &str) = ("etag", "\"0123456789abcdef0123456789abcdef\"");

/// What was asked so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub requests: u64,
    /// Bytes of bodies, as they were sent.
    pub bytes: u64,
    /// Objects that became visible, claims left out.
    pub objects: u64,
    /// When the last of them did, in microseconds since 1970.
    pub last_object_us: u64,
}

/// Objects of a topic by size: for each power of two that is above, how many and their bytes.
#[derive(Clone, Debug, Default)]
pub struct Sizes(BTreeMap<u64, (u64, u64)>);

impl Sizes {
    pub fn objects(&self) -> u64 {
        self.0.values().map(|(objects, _)| objects).sum()
    }

    pub fn mean(&self) -> f64 {
        let bytes: u64 = self.0.values().map(|(_, bytes)| bytes).sum();
        bytes as f64 / self.objects() as f64
    }

    /// The power of two, objects below it, their bytes.
    pub fn rows(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        self.0.iter().map(|(below, (objects, bytes))| (*below, *objects, *bytes))
    }
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

/// The server as its parent sees it.
pub struct Sink(Server);

impl Sink {
    pub fn start() -> Self {
        Self(Server::start(ROLE))
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.0.address)
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

    /// How long each answer about an object takes from now on.
    pub fn answer_in(&self, delay: Duration) {
        let millis = delay.as_millis();
        ureq::get(format!("{}{DELAY}{millis}", self.endpoint())).call().unwrap();
    }

    /// Objects of a topic that became visible.
    pub fn sizes(&self, topic: &str) -> Sizes {
        let mut answer = ureq::get(format!("{}{SIZES}{topic}", self.endpoint())).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let rows = text.lines().map(|line| {
            let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            (numbers[0], (numbers[1], numbers[2]))
        });
        Sizes(rows.collect())
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
            bytes: numbers["bytes"],
            objects: numbers["objects"],
            last_object_us: numbers["last_object_us"],
        }
    }
}

type Shared = (Arc<Mutex<Seen>>, Arc<Pace>);

/// What the server keeps of what it was asked.
#[derive(Default)]
struct Seen {
    counts: Counts,
    /// By topic.
    sizes: BTreeMap<String, Sizes>,
    /// Bytes of parts of objects that are not complete.
    parts: BTreeMap<String, u64>,
}

impl Seen {
    fn count(&mut self, path: &str, request: Asked, bytes: u64) {
        self.counts.requests += 1;
        self.counts.bytes += bytes;
        let Some((_, key)) = path.split_once(DATA) else { return };
        let bytes = match request {
            Asked::Part => {
                *self.parts.entry(path.to_owned()).or_default() += bytes;
                return;
            }
            Asked::Completion => self.parts.remove(path).unwrap_or_default(),
            Asked::Object => bytes,
            Asked::Other => return,
        };
        self.counts.objects += 1;
        self.counts.last_object_us = now_us();
        let topic = key.split('/').next().unwrap();
        let sizes = self.sizes.entry(topic.to_owned()).or_default();
        let (objects, sum) = sizes.0.entry((bytes + 1).next_power_of_two()).or_default();
        (*objects, *sum) = (*objects + 1, *sum + bytes);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Object,
    Part,
    Completion,
    Other,
}

/// The server itself: runs until it is killed.
pub fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening {}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let pace = Arc::new(Pace::default());
        let router = Router::new().fallback(answer).with_state((seen, pace));
        axum::serve(listener, router).await.unwrap();
    });
}

/// Takes bytes no faster than it is told to.
struct Pace {
    bytes_per_s: AtomicU64,
    delay_ms: AtomicU64,
    /// When everything taken so far may have been there.
    due: Mutex<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        let (bytes_per_s, delay_ms) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
        Self { bytes_per_s, delay_ms, due: Mutex::new(Instant::now()) }
    }
}

impl Pace {
    async fn answered(&self) {
        let delay_ms = self.delay_ms.load(Ordering::Relaxed);
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
    }

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

/// Returns how many bytes there were.
async fn discard(mut body: Body, pace: &Pace) -> u64 {
    let mut bytes = 0;
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(Ok(frame)) = frame else { return bytes };
        let taken = frame.data_ref().map_or(0, |data| data.len());
        bytes += u64::try_from(taken).unwrap();
        pace.taken(taken).await;
    }
}

async fn answer(State((seen, pace)): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path == COUNTS {
        let Counts { requests, bytes, objects, last_object_us } =
            seen.lock().unwrap().counts.clone();
        return format!(
            "requests {requests}\nbytes {bytes}\nobjects {objects}\n\
             last_object_us {last_object_us}\n"
        )
        .into_response();
    }
    if let Some(topic) = path.strip_prefix(SIZES) {
        let sizes = seen.lock().unwrap().sizes.get(topic).cloned().unwrap_or_default();
        let line = |(below, objects, bytes)| format!("{below} {objects} {bytes}\n");
        return sizes.rows().map(line).collect::<String>().into_response();
    }
    if let Some(bytes_per_s) = path.strip_prefix(SPEED) {
        pace.bytes_per_s.store(bytes_per_s.parse().unwrap(), Ordering::Relaxed);
        return StatusCode::NO_CONTENT.into_response();
    }
    if let Some(delay_ms) = path.strip_prefix(DELAY) {
        pace.delay_ms.store(delay_ms.parse().unwrap(), Ordering::Relaxed);
        return StatusCode::NO_CONTENT.into_response();
    }
    let query = head.uri.query().unwrap_or_default().to_owned();
    let asked = match head.method {
        Method::PUT if query.contains("partNumber=") => Asked::Part,
        Method::PUT => Asked::Object,
        Method::POST if query.contains("uploadId=") => Asked::Completion,
        _ => Asked::Other,
    };
    let bytes = discard(body, &pace).await;
    pace.answered().await;
    seen.lock().unwrap().count(&path, asked, bytes);
    match head.method {
        Method::PUT => [ETAG].into_response(),
        Method::POST if asked == Asked::Completion => xml(
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
