//! The real daemon in this process, between the demo's Kafka and S3.
//!
//! It owns: its configuration, as text in memory; its thread; what it tells while it runs. It does
//! not own: anything that the daemon does (`daemon::run`).

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use thiserror::Error;

use super::s3_server::S3Server;
use crate::config::{self, Faults, FileText, Settings, Sources};
use crate::daemon::notify::{Notify, NotifyEnvironment};
use crate::daemon::run::{Brokers, Control, Place, RunError, Watcher, listen, run_at};
use crate::model::Bucket;

/// The daemon's own default: what the README says works during a demo too.
const PAGE_PORT: u16 = 9464;
/// Where the configuration comes from, in messages.
const NAME: &str = "the demo's configuration";
/// The check knows one layout and one group, so only these may be set beside it.
const SETTABLE: [&str; 4] = ["seal.", "limits.", "http.", "kafka.protocol="];

/// Why there is no daemon, or why it ended.
#[derive(Debug, Error)]
pub enum DaemonError {
    #[error(
        "`--set {argument}` is not for the demo: it takes `seal.`, `limits.`, `http.` and \
         `kafka.protocol`"
    )]
    NotSettable { argument: String },
    #[error("{0}")]
    Configuration(Faults),
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    #[error("{0}")]
    Run(#[source] RunError),
    #[error("the daemon's thread ended in a panic: please report it")]
    Panic,
}

/// Returns the settings for a daemon between the brokers at `bootstrap_servers` and `server`, with
/// what `set` says over them, `key=value` each.
pub fn settings(
    bootstrap_servers: &str,
    server: &S3Server,
    bucket: &Bucket,
    set: &[String],
) -> Result<Settings, DaemonError> {
    for argument in set {
        if !SETTABLE.iter().any(|key| argument.trim_start().starts_with(key)) {
            return Err(DaemonError::NotSettable { argument: argument.clone() });
        }
    }
    let text = text(bootstrap_servers, &server.endpoint(), bucket);
    let file = FileText { path: Path::new(NAME).into(), text, mode: None };
    // A secret in the environment is where it belongs; nothing of the real environment counts.
    let variable =
        |name: &str, value: &str| (format!("SLUICE__S3__CREDENTIALS__{name}"), value.to_owned());
    let variables = BTreeMap::from([
        variable("ACCESS_KEY_ID", server.access_key()),
        variable("SECRET_ACCESS_KEY", server.secret_key()),
    ]);
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let sources = Sources { file: Some(&file), variables: &variables, arguments: set, cores };
    let loaded = config::load(&sources).map_err(DaemonError::Configuration)?;
    for warning in loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.settings)
}

fn text(bootstrap_servers: &str, endpoint: &str, bucket: &Bucket) -> String {
    let servers: Vec<_> =
        bootstrap_servers.split(',').map(|server| format!("\"{server}\"")).collect();
    format!(
        "[kafka]\n\
         bootstrap_servers = [{servers}]\n\
         topics = [\"pin\", \"geo\", \"user\"]\n\
         group_id = \"sluice-demo\"\n\
         [s3]\n\
         bucket = \"{bucket}\"\n\
         region = \"us-east-1\"\n\
         endpoint = \"{endpoint}\"\n\
         path_style = true\n\
         proxy = \"off\"\n\
         [seal]\n\
         age = \"2 s\"\n",
        servers = servers.join(", "),
    )
}

/// Takes the address of the status page: what was asked for, or the usual one, or if that is taken
/// one whose port the system picks.
fn listen_for_page(settings: &Settings) -> Result<TcpListener, RunError> {
    let address = settings.http.listen;
    match listen(address) {
        Err(_) if address == SocketAddr::from((Ipv4Addr::LOCALHOST, PAGE_PORT)) => {
            listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        }
        result => result,
    }
}

/// What the daemon tells while it runs.
#[derive(Debug, Default)]
struct Told {
    page: OnceLock<SocketAddr>,
    written: AtomicU64,
}

impl Watcher for Told {
    fn listening(&self, address: SocketAddr) {
        // There is one listener for the whole life: a second address would be the same.
        self.page.get_or_init(|| address);
    }

    fn written(&self, records: u64) {
        self.written.store(records, Ordering::Release);
    }
}

/// A running daemon. Dropping it asks it to stop and does not wait.
#[derive(Debug)]
pub struct Daemon {
    control: Control,
    told: Arc<Told>,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

impl Daemon {
    /// Starts a daemon on a thread of its own.
    pub fn start(settings: Settings) -> Result<Self, DaemonError> {
        let listener = listen_for_page(&settings).map_err(DaemonError::Run)?;
        let (control, told) = (Control::default(), Arc::new(Told::default()));
        let (control_of_thread, told_of_thread) = (control.clone(), Arc::clone(&told));
        let work = move || {
            // No service: whatever systemd gave the caller's shell is not for the demo.
            let notify = Notify::new(NotifyEnvironment::default(), std::process::id());
            let settings = Arc::new(settings);
            let (control, told) = (control_of_thread, told_of_thread);
            let place = Place { brokers: Brokers::Mock, listener };
            run_at(place, settings, &control, &notify, &*told)
        };
        let thread = thread::Builder::new()
            .name("demo-daemon".to_owned())
            .spawn(work)
            .map_err(DaemonError::Thread)?;
        Ok(Self { control, told, thread: Some(thread) })
    }

    /// Returns the address of the status page, once there is one.
    pub fn page(&self) -> Option<SocketAddr> {
        self.told.page.get().copied()
    }

    /// Returns how many records the daemon says are in S3.
    pub fn written(&self) -> u64 {
        self.told.written.load(Ordering::Acquire)
    }

    /// Whether it ended, which it does by itself only on an error.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops it in order and waits for its end.
    pub fn stop(mut self) -> Result<(), DaemonError> {
        self.control.stop();
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result.map_err(DaemonError::Run),
            Some(Err(_)) => Err(DaemonError::Panic),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.control.stop();
    }
}
