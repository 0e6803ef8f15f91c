//! The daemon from start to stop: threads, the polling loop, the order of an orderly end.
//!
//! It owns: every thread and task, readiness, the watchdog, the exit.
//! It does not own: the work itself (`worker`, `group`, `gate`, `settler`, the upload runtime).
//!
//! The order of an orderly stop: records are taken no more (polling goes on), open batches are
//! sealed, planned, published, committed, all within `limits.drain`; the group is left, the client
//! closed, unfinished uploads aborted, HTTP stopped. Any step may be cut off: whoever comes next
//! finishes what was planned.

mod client;
mod parts;
mod reload;
mod watch;

pub use parts::FRAME_BYTES;

use std::fmt;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tracing::{error, info, warn};

use super::clock::Clock;
use super::http::CertificateError;
use super::notify::Notify;
use crate::config::{Faults, Reloaded, Settings};
use crate::kafka::ConsumerError;
use crate::s3::StoresError;

use client::{ClientEnd, ClientRun};
use parts::Parts;
use watch::{Told, Watch};

/// Brokers that cannot be reached at start for this long: the process ends and is started anew.
pub const START_MAX: Duration = Duration::from_secs(300);

/// Between two tries to make another client.
const ANEW_EVERY: Duration = Duration::from_secs(1);

/// What other threads ask of a running daemon. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Wishes>);

#[derive(Debug, Default)]
struct Wishes {
    stop: AtomicBool,
    seal: AtomicBool,
    try_again: AtomicBool,
    /// In the order in which the file was read.
    reloads: Mutex<Vec<Result<Reloaded, Faults>>>,
}

impl Control {
    /// Asks for an orderly stop.
    pub fn stop(&self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }

    /// Asks to close every open batch now.
    pub fn seal(&self) {
        self.0.seal.store(true, Ordering::SeqCst);
    }

    /// Asks to try every stopped partition again now.
    pub fn try_again(&self) {
        self.0.try_again.store(true, Ordering::SeqCst);
    }

    /// Hands in what a file that was read again means, or why it means nothing.
    pub fn reload(&self, read: Result<Reloaded, Faults>) {
        self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner).push(read);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.stop.load(Ordering::SeqCst)
    }

    pub(super) fn take_seal(&self) -> bool {
        self.0.seal.swap(false, Ordering::SeqCst)
    }

    pub(super) fn take_reloads(&self) -> Vec<Result<Reloaded, Faults>> {
        std::mem::take(&mut *self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn take_try_again(&self) -> bool {
        self.0.try_again.swap(false, Ordering::SeqCst)
    }
}

/// Why a daemon ended other than by being asked to.
#[derive(Debug, Error)]
pub enum RunError {
    #[error("{0}")]
    Consumer(#[from] ConsumerError),
    #[error("{0}")]
    Stores(#[from] StoresError),
    #[error("`http.listen` = `{address}` cannot be listened on: {error}")]
    Listen { address: SocketAddr, error: std::io::Error },
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    #[error("a thread or runtime could not be started: {0}")]
    Thread(std::io::Error),
    #[error("no broker of `kafka.bootstrap_servers` let this client in for {} s: is Kafka up, are its addresses right, and does it take the login and the certificates? The warnings above say what was refused; so does `sluice check`", START_MAX.as_secs())]
    KafkaUnreached,
    #[error(
        "every partition is stopped by an `on_... = \"stop\"`: look at the records named above"
    )]
    AllStopped,
    #[error("{what} ended unexpectedly: please report this with the log")]
    Bug { what: &'static str },
}

impl RunError {
    /// Returns the exit code by kind: 78 Config, 69 Unavailable, 65 Data, 70 Bug.
    pub fn exit_code(&self) -> u8 {
        match self {
            // At boot an address may not be up yet, and after a restart still be taken.
            Self::Listen { error, .. } if is_passing(error) => 69,
            // Nor may the instance's own service, which is asked last, answer yet.
            Self::Stores(StoresError::NoRegion) => 69,
            Self::Consumer(ConsumerError::Property { .. }) | Self::Stores(_) => 78,
            Self::Listen { .. } | Self::Certificate(_) => 78,
            Self::Consumer(_) | Self::KafkaUnreached => 69,
            Self::AllStopped => 65,
            Self::Thread(_) | Self::Bug { .. } => 70,
        }
    }
}

fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable)
}

/// What a running daemon tells whoever started it.
pub trait Watcher: Send + Sync + fmt::Debug {
    /// HTTP is served there.
    fn listening(&self, address: SocketAddr);
    /// Called about ten times a second with the records that are in S3.
    fn written(&self, records: u64);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn listening(&self, _address: SocketAddr) {}
    fn written(&self, _records: u64) {}
}

/// What is on the other side of `kafka.bootstrap_servers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brokers {
    Real,
    /// librdkafka's mock cluster. It names no controller and describes no group (2.12), so topic
    /// ids stay unknown and nobody looks who else is in the group: for a demo only.
    Mock,
}

/// What a daemon runs between.
#[derive(Debug)]
pub struct Place {
    pub brokers: Brokers,
    /// Where HTTP is served.
    pub listener: TcpListener,
}

/// Runs a daemon until it is asked to stop. Blocks; polls Kafka on the calling thread.
pub fn run(
    settings: Arc<Settings>,
    control: &Control,
    notify: &Notify,
    watcher: &dyn Watcher,
) -> Result<(), RunError> {
    let place = Place { brokers: Brokers::Real, listener: listen(settings.http.listen)? };
    run_at(place, settings, control, notify, watcher)
}

/// Takes the address that `run_at` then serves HTTP on.
pub fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    let listener = TcpListener::bind(address);
    listener.map_err(|error| RunError::Listen { address, error })
}

/// The same at a place that the caller has made ready.
pub fn run_at(
    place: Place,
    settings: Arc<Settings>,
    control: &Control,
    notify: &Notify,
    watcher: &dyn Watcher,
) -> Result<(), RunError> {
    let clock = Clock::start();
    let mut parts = Parts::start(Arc::clone(&settings), clock, place)?;
    watcher.listening(parts.address);
    let (status, metrics) = (parts.status.clone(), parts.metrics.clone());
    let told = Told { notify: notify.clone(), status, metrics, clock };
    let watch = Watch::start(told, parts.budget.clone())?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        group = %settings.kafka.group_id,
        bucket = %settings.s3.bucket,
        workers = parts.workers.len(),
        "sluice starts"
    );
    let mut run = ClientRun::start(&mut parts)?;
    let result = loop {
        match run.poll(&mut parts, control, notify, watcher) {
            Ok(ClientEnd::Stopped) => {
                run.end(&mut parts);
                break Ok(());
            }
            Ok(ClientEnd::Renew) => {
                warn!("the Kafka client is made anew");
                run.end(&mut parts);
                match start_anew(&mut parts, control) {
                    Ok(Some(new)) => run = new,
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            }
            Err(error) => {
                error!(%error, "sluice ends");
                run.end(&mut parts);
                break Err(error);
            }
        }
    };
    notify.stopping();
    parts.stop();
    watch.stop();
    info!("sluice has stopped");
    result
}

/// Makes another client, however long that takes: files of keys may be written at this moment. None
/// if the daemon is asked to stop meanwhile.
fn start_anew(parts: &mut Parts, control: &Control) -> Result<Option<ClientRun>, RunError> {
    loop {
        match ClientRun::start(parts) {
            Err(RunError::Consumer(error @ ConsumerError::Create(_))) => {
                warn!(%error, "there is no Kafka client: correct `kafka.tls`, it is tried again");
                if control.is_stopping() {
                    return Ok(None);
                }
                std::thread::sleep(ANEW_EVERY);
            }
            other => return other.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_by_itself_is_started_again() {
        let address: SocketAddr = "127.0.0.1:9464".parse().unwrap();
        let listen = |kind: ErrorKind| RunError::Listen { address, error: kind.into() };
        let endpoint = StoresError::Endpoint { endpoint: "s3".to_owned() };
        for (error, code) in [
            (listen(ErrorKind::AddrInUse), 69),
            (listen(ErrorKind::AddrNotAvailable), 69),
            (listen(ErrorKind::PermissionDenied), 78),
            (RunError::Stores(StoresError::NoRegion), 69),
            (RunError::Stores(endpoint), 78),
        ] {
            assert_eq!(error.exit_code(), code, "{error}");
        }
    }
}
