//! What lives as long as the process: runtime, HTTP, uploads, worker threads, the settling thread.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Runtime;
use tracing::warn;

use super::{Brokers, Place, RunError};
use crate::config::{Limits, Settings, Start};
use crate::daemon::budget::{Budget, BudgetOptions};
use crate::daemon::clock::Clock;
use crate::daemon::connect::{protocol, s3_options};
use crate::daemon::gate::Gate;
use crate::daemon::group::{Rebalancer, Waits};
use crate::daemon::http::{Certificate, HttpServer, Site, serve};
use crate::daemon::live::Live;
use crate::daemon::mailbox::{Mail, Mailbox};
use crate::daemon::metrics::{Metrics, PartitionSeries};
use crate::daemon::observe::StoreObserver;
use crate::daemon::settler::{Settler, SettlerLoop, SettlerOptions};
use crate::daemon::status::{LoopName, Status};
use crate::daemon::stores::Stores;
use crate::daemon::worker::{Surroundings, Worker};
use crate::engine::{Random, Workshop};
use crate::format::Compressors;
use crate::kafka::ffi::keep_blocks;
use crate::layout::RouteCache;
use crate::s3::{
    AwsStores, Canceller, REQUESTS_MAX, Retry, UploadObserver, Uploads, UploadsTask, cancellation,
};

/// Uncompressed bytes that become one member or frame.
pub const FRAME_BYTES: usize = 1024 * 1024;
/// Uploads, HTTP and claims: they wait, they do not compute.
const RUNTIME_THREADS: usize = 2;
/// What an upload was seen to take beside its body.
const UPLOAD_BYTES: u64 = 6 << 10;
/// Aborting what is unfinished at the end.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// A worker's thread and how it is written to.
#[derive(Debug)]
pub(super) struct WorkerThread {
    pub(super) mailbox: Mailbox,
    pub(super) thread: JoinHandle<()>,
}

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) settings: Live,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) status: Status,
    pub(super) gate: Arc<Gate>,
    pub(super) rebalancer: Arc<Rebalancer>,
    pub(super) settler: Settler,
    pub(super) workers: Vec<WorkerThread>,
    pub(super) address: SocketAddr,
    /// A broker has answered once; from then on they are waited for.
    pub(super) budget: Budget,
    pub(super) is_kafka_reached: bool,
    settler_thread: Option<JoinHandle<()>>,
    http: Option<HttpServer>,
    uploads: Option<UploadsTask>,
    canceller: Canceller,
    runtime: Runtime,
}

impl Parts {
    pub(super) fn start(
        settings: Arc<Settings>,
        clock: Clock,
        place: Place,
    ) -> Result<Self, RunError> {
        let runtime = start_runtime()?;
        let series = if settings.http.partition_metrics {
            PartitionSeries::Shown
        } else {
            PartitionSeries::Hidden
        };
        let metrics = Metrics::new(series).map_err(|_| RunError::Bug { what: "the metrics" })?;
        let (status, live) = (Status::new(), Live::new(Arc::clone(&settings)));
        let (http, address) =
            start_http(place.listener, &live, &runtime, (&metrics, &status), clock)?;
        let observer = StoreObserver { metrics: metrics.clone(), status: status.clone(), clock };
        let observer = Arc::new(observer);
        let (canceller, cancelled) = cancellation();
        let retry = Retry::new(observer.clone(), cancelled);
        let stores = runtime.block_on(AwsStores::connect(&s3_options(&settings.s3)))?;
        let s3 = &settings.s3;
        let handle = runtime.handle().clone();
        let told = (retry, Arc::clone(&observer) as Arc<dyn UploadObserver>);
        let (bucket, endpoint) = (&s3.bucket, s3.endpoint.clone());
        let stores = Arc::new(Stores::new(handle, Box::new(stores), bucket, endpoint, told));
        stores.keep_asking(status.clone(), clock);
        let (uploads, task) =
            Uploads::start(runtime.handle(), observer, stores.retry(), REQUESTS_MAX);
        let gate = Gate::new(protocol(settings.kafka.protocol), clock, metrics.clone());
        let told = (metrics.clone(), status.clone());
        let waits = Waits::new(settings.limits.drain, settings.kafka.poll_interval);
        let waits = (waits, runtime.handle().clone());
        let rebalancer = Rebalancer::new(Arc::clone(&gate), waits, clock, told);
        let options = settler_options(&live, place.brokers);
        let (settler, settling) =
            SettlerLoop::new(options, Arc::clone(&gate), Arc::clone(&stores), clock);
        let settler_thread = spawn("sluice-settle", move || settling.run())?;
        let limits = live.get().limits;
        keep_blocks(limits.spare_bytes());
        let budget = budget(&limits);
        let around = Surroundings {
            settings: live.clone(),
            clock,
            gate: Arc::clone(&gate),
            settler: settler.clone(),
            uploads,
            stores,
            budget: budget.clone(),
            metrics: metrics.clone(),
            status: status.clone(),
            frame_bytes: FRAME_BYTES,
        };
        let workers = start_workers(&around)?;
        Ok(Self {
            settings: live,
            clock,
            metrics,
            status,
            gate,
            rebalancer,
            settler,
            workers,
            address,
            budget,
            is_kafka_reached: false,
            settler_thread: Some(settler_thread),
            http: Some(http),
            uploads: Some(task),
            canceller,
            runtime,
        })
    }

    /// Returns what has ended although nobody asked it to.
    pub(super) fn ended(&self) -> Option<&'static str> {
        let is_settler = self.settler_thread.as_ref().is_none_or(JoinHandle::is_finished);
        let ends = [
            (self.workers.iter().any(|worker| worker.thread.is_finished()), "a worker"),
            (is_settler, "the settling thread"),
            (self.uploads.as_ref().is_none_or(UploadsTask::is_finished), "the uploads"),
            (self.http.as_ref().is_none_or(HttpServer::is_finished), "http"),
        ];
        ends.into_iter().find_map(|(has_ended, what)| has_ended.then_some(what))
    }

    /// Ends everything, in the order that `run` gives.
    pub(super) fn stop(mut self) {
        self.canceller.cancel();
        for worker in &self.workers {
            worker.mailbox.send(Mail::Stop);
        }
        for worker in self.workers.drain(..) {
            if worker.thread.join().is_err() {
                warn!("a worker ended by a bug");
            }
        }
        self.settler.stop();
        if let Some(thread) = self.settler_thread.take()
            && thread.join().is_err()
        {
            warn!("the settling thread ended by a bug");
        }
        if let Some(uploads) = self.uploads.take()
            && let Err(error) = self.runtime.block_on(uploads.close(CLOSE_MAX))
        {
            warn!(%error, "uploads were left unfinished");
        }
        if let Some(http) = self.http.take() {
            self.runtime.block_on(http.stop());
        }
        self.runtime.shutdown_timeout(CLOSE_MAX);
    }
}

/// What batches and uploads may take: librdkafka keeps to its share by itself.
pub(in crate::daemon) fn budget(limits: &Limits) -> Budget {
    Budget::new(budget_options(limits))
}

pub(super) fn budget_options(limits: &Limits) -> BudgetOptions {
    let workers = u64::try_from(limits.workers.get()).unwrap_or(u64::MAX);
    BudgetOptions {
        limit_bytes: limits.memory_bytes,
        prefetch_bytes: limits.prefetch_bytes_per_worker() * workers,
        upload_bytes: UPLOAD_BYTES,
        objects_max: limits.open_objects,
    }
}

fn settler_options(live: &Live, brokers: Brokers) -> SettlerOptions {
    let settings = live.get();
    SettlerOptions {
        group: settings.kafka.group_id.clone(),
        claims_prefix: settings.s3.claims_prefix.clone(),
        brokers,
        starts_at_end: settings.kafka.start == Start::Latest,
        settings: live.clone(),
    }
}

fn start_runtime() -> Result<Runtime, RunError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .thread_name("sluice-upload")
        .enable_all()
        .build()
        .map_err(RunError::Thread)
}

fn start_http(
    listener: TcpListener,
    live: &Live,
    runtime: &Runtime,
    told: (&Metrics, &Status),
    clock: Clock,
) -> Result<(HttpServer, SocketAddr), RunError> {
    let settings = live.get();
    let address = settings.http.listen;
    let listen = |error| RunError::Listen { address, error };
    listener.set_nonblocking(true).map_err(listen)?;
    let site = Site {
        metrics: told.0.clone(),
        status: told.1.clone(),
        started: clock.started(),
        title: settings.kafka.group_id.as_str().into(),
        settings: live.clone(),
        certificate: settings.http.tls.as_ref().map(Certificate::read).transpose()?,
    };
    let server = {
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(listen)?;
        serve(listener, site).map_err(listen)?
    };
    let address = server.address();
    Ok((server, address))
}

fn start_workers(around: &Surroundings) -> Result<Vec<WorkerThread>, RunError> {
    let count = around.settings.get().limits.workers.get();
    (0..count)
        .map(|index| {
            let mailbox = Mailbox::default();
            let now = around.clock.uptime();
            let told = (
                around.metrics.worker_started(index),
                around.status.loop_started(LoopName::Worker(index), now),
            );
            let (around, inbox) = (around.clone(), mailbox.clone());
            let thread = spawn(&format!("sluice-work-{index}"), move || {
                let workshop = Workshop {
                    compressors: Compressors::new(),
                    routes: RouteCache::default(),
                    random: Random(Box::new(rand::random)),
                };
                let _closed = inbox.clone().closed_at_end();
                Worker::new(around, inbox, workshop, told).run();
            })?;
            Ok(WorkerThread { mailbox, thread })
        })
        .collect()
}

pub(super) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, RunError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(RunError::Thread)
}
