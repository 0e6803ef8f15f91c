//! The daemon's own HTTP: metrics, health, readiness and the status page, under bounds.
//!
//! It owns: routes, their answers, the bounds on connections, time and memory.
//! It does not own: what is shown (`metrics`, `status`), nor how the page looks (`page`).
//!
//! Assumes nothing of the other side: whoever can reach the port may send garbage, nothing, or
//! thousands of connections. Records never wait for any of it.
//!
//! Why not keep-alive: a connection that serves one request within one deadline needs no other
//! rule against slow senders, slow readers and idle ones. A scrape costs one more handshake.

mod connections;
mod login;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{info, warn};

use super::clock::wall;
use super::live::Live;
use super::metrics::{self, Metrics};
use super::page::{self, Keys};
use super::status::{Health, Readiness, Status};
use crate::model::Uptime;

pub use connections::{CONNECTION_TIME_MAX, CONNECTIONS_MAX, HttpServer};
pub use tls::{Certificate, CertificateError};

use login::Guard;

/// Answers that are held in memory at one time. With a series per partition one has some megabytes
/// at thousands of partitions.
const ANSWERS_MAX: usize = 8;
/// Rows of the page's table.
const ROWS_MAX: usize = 200;
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// What keeps the page up to date.
const LIVE: &str = include_str!("page.js");
/// The page is one document with its styles in it; nothing else may be loaded by it but its script,
/// and its script may ask for the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is shown.
#[derive(Clone, Debug)]
pub struct Site {
    pub metrics: Metrics,
    pub status: Status,
    /// Where `Uptime` counts from.
    pub started: Instant,
    /// The first line of the page: which of several daemons this is.
    pub title: Arc<str>,
    pub settings: Live,
    /// None: in the clear.
    pub certificate: Option<Certificate>,
}

impl Site {
    fn now(&self) -> Uptime {
        Uptime::new(self.started.elapsed())
    }
}

/// Serves until stopped. Must be called on a tokio runtime; `listener` is bound by the caller, who
/// can say what is wrong with the address.
pub fn serve(listener: TcpListener, site: Site) -> std::io::Result<HttpServer> {
    serve_within(CONNECTION_TIME_MAX, listener, site)
}

fn serve_within(
    time_max: Duration,
    listener: TcpListener,
    site: Site,
) -> std::io::Result<HttpServer> {
    let address: SocketAddr = listener.local_addr()?;
    let certificate = site.certificate.clone();
    let server = connections::start((listener, address), routes(site), certificate, time_max);
    info!(%address, "http listening");
    Ok(server)
}

#[derive(Clone, Debug)]
struct Shared {
    site: Site,
    answers: Arc<Semaphore>,
    guard: Guard,
}

fn routes(site: Site) -> Router {
    let guard = Guard::new(&site.settings.get().http.login);
    let shared = Shared { site, answers: Arc::new(Semaphore::new(ANSWERS_MAX)), guard };
    let guarded = Router::new()
        .route("/", get(show_page))
        .route("/live.js", get(show_script))
        .route("/metrics", get(show_metrics))
        .fallback(not_found)
        .layer(from_fn_with_state(shared.clone(), only_with_login));
    // Probes have no login.
    let open =
        Router::new().route("/healthz", get(show_health)).route("/readyz", get(show_readiness));
    open.merge(guarded).with_state(shared)
}

async fn only_with_login(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if shared.guard.lets_in(request.headers()) {
        return next.run(request).await;
    }
    let told = "log in as `http.auth` of the configuration says";
    let mut refused = answer(StatusCode::UNAUTHORIZED, TEXT, line(told), None);
    refused.headers_mut().insert(WWW_AUTHENTICATE, shared.guard.challenge());
    refused
}

async fn show_page(State(shared): State<Shared>) -> Response {
    let permit = permit(&shared).await;
    let site = &shared.site;
    let (now, wall, settings) = (site.now(), wall(), site.settings.get());
    let facts = page::Facts {
        title: &site.title,
        snapshot: &site.status.snapshot((now, wall), ROWS_MAX),
        totals: site.metrics.totals(),
        uptime: now,
        wall,
        settings: &settings.shown,
        keys: if settings.http.show_keys { Keys::Shown } else { Keys::Hidden },
    };
    answer(StatusCode::OK, HTML, page::render(&facts).into_bytes(), permit)
}

async fn show_script() -> Response {
    answer(StatusCode::OK, SCRIPT, LIVE.as_bytes().to_vec(), None)
}

async fn show_metrics(State(shared): State<Shared>) -> Response {
    let permit = permit(&shared).await;
    match shared.site.metrics.text() {
        Ok(text) => answer(StatusCode::OK, metrics::CONTENT_TYPE, text, permit),
        Err(error) => {
            warn!(%error, "metrics cannot be shown");
            answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, line(error), permit)
        }
    }
}

async fn show_health(State(shared): State<Shared>) -> Response {
    let health = shared.site.status.health(shared.site.now());
    let code = match health {
        Health::Moving => StatusCode::OK,
        Health::Stuck(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    answer(code, TEXT, line(health), None)
}

async fn show_readiness(State(shared): State<Shared>) -> Response {
    let readiness = shared.site.status.readiness();
    let code = match readiness {
        Readiness::Ready => StatusCode::OK,
        Readiness::Draining | Readiness::Unassigned { .. } | Readiness::StoreUnreached { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    answer(code, TEXT, line(readiness), None)
}

async fn not_found() -> Response {
    let known = "not found: there are /, /metrics, /healthz and /readyz";
    answer(StatusCode::NOT_FOUND, TEXT, line(known), None)
}

/// Waits for a place among the answers in memory; the connection's own deadline ends the wait.
async fn permit(shared: &Shared) -> Option<OwnedSemaphorePermit> {
    Arc::clone(&shared.answers).acquire_owned().await.ok()
}

/// An answer's bytes and its place among those in memory: given back when the bytes are sent, or
/// the connection is gone.
struct Held {
    bytes: Vec<u8>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn answer(
    code: StatusCode,
    content_type: &'static str,
    bytes: Vec<u8>,
    permit: Option<OwnedSemaphorePermit>,
) -> Response {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    ];
    let body = Body::from(Bytes::from_owner(Held { bytes, _permit: permit }));
    (code, headers, body).into_response()
}

fn line(text: impl std::fmt::Display) -> Vec<u8> {
    format!("{text}\n").into_bytes()
}

#[cfg(test)]
mod tests;
