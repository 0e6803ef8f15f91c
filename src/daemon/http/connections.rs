//! The connections: accepted up to a number, each for one request within one deadline.
//!
//! It owns: the listening socket and every connection's task. It does not own: any answer.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::Certificate;

/// Connections at one time: some scrapers, some browsers, each for well below a second. What comes
/// above is closed at once.
pub const CONNECTIONS_MAX: usize = 64;
/// From accepted to answered: Prometheus gives up after 10 s too.
pub const CONNECTION_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's line and headers; hyper takes no less than 8,192.
const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// At the stop, for answers under way.
const STOP_TIME_MAX: Duration = Duration::from_secs(2);
/// After a failed accept (no file descriptors left): time for connections to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running server. Dropped without `stop`, it is cut off at once.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl HttpServer {
    /// Returns where it listens; with the port that was picked if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connection, gives those under way two seconds, and returns when all are gone.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if self.task.is_finished() {
            return;
        }
        if let Err(error) = (&mut self.task).await {
            warn!(%error, "http ended with an error");
        }
    }

    /// Returns whether the server has ended by itself, which it does only for a bug.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn start(
    (listener, address): (TcpListener, SocketAddr),
    routes: Router,
    certificate: Option<Certificate>,
    time_max: Duration,
) -> HttpServer {
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(accept_until(stopped, listener, (routes, certificate), time_max));
    HttpServer { address, stop: Some(stop), task }
}

async fn accept_until(
    mut stopped: oneshot::Receiver<()>,
    listener: TcpListener,
    (routes, certificate): (Router, Option<Certificate>),
    time_max: Duration,
) {
    let mut connections = JoinSet::new();
    let mut failing = false;
    loop {
        // Each is cancel-safe by its documentation: a channel, a set of tasks, an accept.
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let acceptor = certificate.as_ref().map(Certificate::acceptor);
                let serve = |stream| serve_one(stream, acceptor, routes.clone(), time_max);
                failing = admit(accepted, &mut connections, serve, failing).await;
            }
        }
    }
    drop(listener);
    // What is left after that is cut off with the set.
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if timeout(STOP_TIME_MAX, all_gone).await.is_err() {
        debug!("http connections cut off at the stop");
    }
}

/// Starts the connection's task if there is room. Returns whether accepting fails.
async fn admit<F>(
    accepted: io::Result<(TcpStream, SocketAddr)>,
    connections: &mut JoinSet<()>,
    serve: impl FnOnce(TcpStream) -> F,
    failing: bool,
) -> bool
where
    F: Future<Output = ()> + Send + 'static,
{
    match accepted {
        Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
            connections.spawn(serve(stream));
            false
        }
        Ok(_) => false,
        Err(error) => {
            if !failing {
                warn!(%error, "http cannot accept connections, trying again");
            }
            sleep(ACCEPT_PAUSE).await;
            true
        }
    }
}

/// Serves one request. How the connection ended is of interest to nobody: clients go away.
async fn serve_one(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    routes: Router,
    time_max: Duration,
) {
    let connection = async {
        match acceptor {
            Some(acceptor) => answer_one(acceptor.accept(stream).await?, routes).await,
            None => answer_one(stream, routes).await,
        }
    };
    match timeout(time_max, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "http connection failed"),
        Err(_) => debug!("http connection was too slow"),
    }
}

async fn answer_one<S>(stream: S, routes: Router) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .header_read_timeout(None) // the whole connection has a deadline
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    Ok(connection.await?)
}
